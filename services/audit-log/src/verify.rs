//! Whether a bundle says the truth, and which truth that is.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::bundle::{Event, Head, Line, Shown, seal_text};
use crate::command::{CommandError, SignedCommand};
use crate::cosignature::WitnessKey;
use crate::keys::LogKey;
use crate::leaf::{Envelope, Frame};
use crate::receipt::Receipt;
use crate::tree::Root;

/// Something that is not as it has to be, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// From 1 on; 0 is the file as a whole.
    pub line: usize,
    /// Which event it is about, where it is about one.
    pub event: Option<String>,
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, &self.event) {
            (0, _) => write!(f, "the file: {}", self.what),
            (line, None) => write!(f, "line {line}: {}", self.what),
            (line, Some(event)) => write!(f, "line {line} ({event}): {}", self.what),
        }
    }
}

/// The events of one aggregate in one topic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Chain {
    pub topic: String,
    pub aggregate: String,
    /// Sequences run from 1 to here.
    pub last: i64,
    /// How many are shown as records, by their bodies, and by their frames.
    pub records: usize,
    pub bodies: usize,
    pub frames: usize,
}

/// What a bundle without a fault proves.
#[derive(Clone, Debug)]
pub struct Proven {
    pub head: Head,
    pub root: Root,
    pub chains: Vec<Chain>,
    /// Those of the witnesses asked for that have cosigned the head, by name, and when: seconds since
    /// 1970-01-01T00:00:00Z.
    pub cosigned: BTreeMap<String, u64>,
    /// What was signed by one of the agencies asked for, in the order of topics and events.
    pub signed: Vec<Signed>,
    /// Receipts that were kept.
    pub receipts: usize,
    /// Receipts of events that are not here, and that need not be yet.
    pub receipts_open: usize,
}

/// An event with its agency's own signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Signed {
    pub topic: String,
    pub sequence: i64,
    /// Whose key has signed.
    pub by: String,
    /// What was signed, such as `POST /v1/incidents/018f.../assignments/018f.../accept`.
    pub command: String,
    /// What happened, as the trail names it: that it is what the command asks for is for the reader to see.
    pub name: String,
    /// Whether the command names the incident. Where it does not, the agency has signed such a command, and that it was
    /// this one only its body shows: base64 of SHA-256 over it is what was signed.
    pub names_incident: bool,
}

/// What a bundle is held against: keys that the reader has from somebody else than the bundle.
pub struct Against<'a> {
    pub log: &'a LogKey,
    /// A witness whose key is not given is not believed.
    pub witnesses: &'a [WitnessKey],
    /// Receipts that were given for events of the incident, each with the key that it is signed with.
    pub receipts: &'a [(String, LogKey)],
    /// Keys of agencies, named as the agencies are: each has signed what stands in the trail as signed by it.
    pub agencies: &'a [LogKey],
}

impl<'a> Against<'a> {
    /// Against the log alone.
    pub const fn log(log: &'a LogKey) -> Self {
        Self { log, witnesses: &[], receipts: &[], agencies: &[] }
    }
}

/// Checks a bundle. Nothing is asked of anybody.
///
/// # Errors
/// Everything that is not as it has to be, in the order of the file.
pub fn verify(file: &str, against: &Against) -> Result<Proven, Vec<Fault>> {
    let key = against.log;
    let mut check = Check { faults: Vec::new(), chains: BTreeMap::new() };
    let mut head: Option<Head> = None;
    // By new lines alone: a carriage return is part of its line, and so a fault of it.
    let lines: Vec<&str> = file.strip_suffix('\n').unwrap_or(file).split('\n').collect();
    if !file.ends_with('\n') {
        check.fault(lines.len(), None, "the last line does not end");
    }
    for (number, text) in (1..).zip(&lines) {
        let is_last = number == lines.len();
        match check.line(number, text) {
            Some(Line::Trail(found)) if number == 1 => head = Some(found),
            Some(Line::Trail(_)) => check.fault(number, None, "a head stands only on the first line"),
            Some(Line::Seal(note)) if is_last => check.seal(number, &note, key, &lines[..number - 1]),
            Some(Line::Seal(_)) => check.fault(number, None, "a seal stands only on the last line"),
            Some(Line::Event(event)) => {
                if head.as_ref().is_some_and(|head| head.incident != event.aggregate) {
                    check.fault(number, Some(&event), "of another incident than the trail");
                }
                check.chain(number, event);
            }
            Some(Line::Schema(_)) | None => {}
        }
        if is_last && !text.starts_with("{\"seal\":") {
            check.fault(number, None, "the seal is missing: the file ends early");
        }
    }
    let Some(head) = head else {
        check.fault(0, None, "it does not begin with the head of a trail");
        return Err(check.faults);
    };
    let root = match Root::open(&head.checkpoint, key) {
        Ok(root) => root,
        Err(error) => {
            check.fault(1, None, error.to_string());
            return Err(check.faults);
        }
    };
    let cosigned = against
        .witnesses
        .iter()
        .filter_map(|witness| Some((witness.name.clone(), witness.cosigned(&head.checkpoint)?)));
    let cosigned = cosigned.collect();
    let chains = check.chains(&root);
    let signed = check.signatures(against.agencies);
    let (receipts, receipts_open) = check.receipts(against.receipts, &head.made);
    if check.faults.is_empty() {
        Ok(Proven { head, root, chains, cosigned, signed, receipts, receipts_open })
    } else {
        check.faults.sort_by_key(|fault| fault.line);
        Err(check.faults)
    }
}

/// The record that an event answers: topic, partition and offset.
type Input = (String, i64, i64);

/// An event with the line that it stands on.
struct Placed {
    line: usize,
    event: Event,
    frame: Frame,
}

struct Check {
    faults: Vec<Fault>,
    /// By topic, aggregate and sequence.
    chains: BTreeMap<(String, String), BTreeMap<i64, Placed>>,
}

impl Check {
    fn fault(&mut self, line: usize, event: Option<&Event>, what: impl Into<String>) {
        let event = event.map(|event| format!("{} of {}, {}", event.sequence, event.topic, event.aggregate));
        self.faults.push(Fault { line, event, what: what.into() });
    }

    fn line(&mut self, number: usize, text: &str) -> Option<Line> {
        match serde_json::from_str::<Line>(text) {
            Ok(line) if line.write() == text => Some(line),
            Ok(_) => {
                self.fault(number, None, "written in another way than a trail is");
                None
            }
            Err(error) => {
                self.fault(number, None, format!("does not read: {error}"));
                None
            }
        }
    }

    fn seal(&mut self, number: usize, note: &str, key: &LogKey, lines: &[&str]) {
        let sealed = match key.open(note.as_bytes()) {
            Ok(sealed) => sealed,
            Err(error) => return self.fault(number, None, format!("the seal's signature: {error}")),
        };
        let found = seal_text(key, lines.iter().copied());
        if sealed.lines().count() != found.lines().count() {
            self.fault(number, None, "lines were added or taken out after the file was sealed");
        }
        // The first line of the seal is its kind.
        let differ =
            sealed.lines().zip(found.lines()).enumerate().filter(|(_, (ours, theirs))| ours != theirs);
        for (line, _) in differ {
            self.fault(if line == 0 { number } else { line }, None, "changed after the file was sealed");
        }
    }

    fn chain(&mut self, line: usize, event: Event) {
        let frame = match event.disclosed().frame(&event.topic) {
            Ok(frame) => frame,
            Err(error) => return self.fault(line, Some(&event), error.to_string()),
        };
        if let Shown::Record { value, .. } = &event.shown {
            let said = Envelope::read(&value.0)
                .map(|envelope| (envelope.aggregate_id.to_owned(), envelope.sequence));
            if said != Ok((event.aggregate.clone(), event.sequence)) {
                self.fault(
                    line,
                    Some(&event),
                    "the record is of another aggregate or sequence than the line says",
                );
            }
        }
        let chain = self.chains.entry((event.topic.clone(), event.aggregate.clone())).or_default();
        let sequence = event.sequence;
        if let Some(twice) = chain.insert(sequence, Placed { line, event, frame }) {
            self.fault(line, Some(&twice.event), format!("stands on line {} too", twice.line));
        }
    }

    /// Each event under the root, and after the one before it.
    fn chains(&mut self, root: &Root) -> Vec<Chain> {
        let all = std::mem::take(&mut self.chains);
        let mut found = Vec::new();
        for ((topic, aggregate), events) in &all {
            let mut chain = Chain { topic: topic.clone(), aggregate: aggregate.clone(), ..Chain::default() };
            let mut before: Option<&Placed> = None;
            for placed in events.values() {
                let (line, event) = (placed.line, &placed.event);
                if let Err(error) = root.check_leaf(event.leaf, &placed.frame.commitment(), &event.proof()) {
                    self.fault(
                        line,
                        Some(event),
                        format!("does not stand in the log as it is shown: {error}"),
                    );
                }
                if event.sequence != chain.last + 1 {
                    let missing = format!("the event after {} is missing", chain.last);
                    self.fault(line, Some(event), missing);
                }
                let expected = before.map_or(&[][..], |before| &before.frame.digest);
                if placed.frame.predecessor != expected {
                    self.fault(line, Some(event), "does not follow the event before it");
                }
                if before.is_some_and(|before| before.event.leaf >= event.leaf) {
                    self.fault(line, Some(event), "stands in the log before the event that it follows");
                }
                chain.last = event.sequence;
                match event.shown {
                    Shown::Record { .. } => chain.records += 1,
                    Shown::Body { .. } => chain.bodies += 1,
                    Shown::Frame { .. } => chain.frames += 1,
                }
                before = Some(placed);
            }
            found.push(chain);
        }
        self.chains = all;
        found
    }

    /// Signatures of agencies: each of one command only, and of a command on this incident.
    fn signatures(&mut self, keys: &[LogKey]) -> Vec<Signed> {
        let all = std::mem::take(&mut self.chains);
        // A command may have several events, which all answer the same record.
        let mut used: BTreeMap<(String, SignedCommand), Input> = BTreeMap::new();
        let mut signed = Vec::new();
        for ((topic, _), events) in &all {
            for Placed { line, event, .. } in events.values() {
                let Shown::Record { value, .. } = &event.shown else { continue };
                // One that does not read was told of already.
                let Ok(envelope) = Envelope::read(&value.0) else { continue };
                let Some(note) = envelope.signature.filter(|note| !note.is_empty()) else { continue };
                let (name, partition, offset) = envelope.input;
                let input = (name.to_owned(), partition, offset);
                match opened(note, keys) {
                    None => {}
                    Some(Err(error)) => self.fault(*line, Some(event), error.to_string()),
                    Some(Ok((by, command))) => {
                        // By what was signed: other lines of the note are anybody's.
                        let once = used.entry((by.to_owned(), command.clone()));
                        if *once.or_insert_with(|| input.clone()) != input {
                            self.fault(*line, Some(event), "its signature is that of another command");
                        }
                        if command.incident().is_some_and(|incident| incident != event.aggregate) {
                            self.fault(*line, Some(event), format!("signed for another incident: {command}"));
                        }
                        if envelope.agency != by {
                            let what = format!("signed by {by}, and said to be of {}", envelope.agency);
                            self.fault(*line, Some(event), what);
                        }
                        signed.push(Signed {
                            topic: topic.clone(),
                            sequence: event.sequence,
                            by: by.to_owned(),
                            command: command.to_string(),
                            name: event.name.clone().unwrap_or_default(),
                            names_incident: command.incident().is_some(),
                        });
                    }
                }
            }
        }
        self.chains = all;
        signed
    }

    /// How many receipts were kept: their event stands in the trail; and how many need not be yet, when it was made.
    fn receipts(&mut self, receipts: &[(String, LogKey)], made: &str) -> (usize, usize) {
        let (mut kept, mut open) = (0, 0);
        for (note, key) in receipts {
            let receipt = match Receipt::open(note, key) {
                Ok(receipt) => receipt,
                Err(error) => {
                    self.fault(0, None, error.to_string());
                    continue;
                }
            };
            let chain = self.chains.get(&(receipt.topic.clone(), receipt.aggregate_id.clone()));
            let placed = chain.and_then(|chain| chain.get(&receipt.sequence));
            let about = format!("{} of {}, {}", receipt.sequence, receipt.topic, receipt.aggregate_id);
            match placed {
                Some(placed) if placed.frame.digest == receipt.digest => kept += 1,
                Some(placed) => {
                    let line = placed.line;
                    self.fault(line, None, format!("a receipt promises another event as {about}"));
                }
                None if to_the_second(&receipt.by) >= to_the_second(made) => open += 1,
                None => {
                    let what =
                        format!("a receipt promises event {about} by {}, and it is not here", receipt.by);
                    self.fault(0, None, what);
                }
            }
        }
        (kept, open)
    }
}

/// Of a moment in RFC 3339, in UTC: as text it sorts as it does.
fn to_the_second(moment: &str) -> &str {
    moment.get(..19).unwrap_or(moment)
}

/// Who has signed which command; none where it is nobody whose key is given.
fn opened<'a>(note: &[u8], keys: &'a [LogKey]) -> Option<Result<(&'a str, SignedCommand), CommandError>> {
    let mut named = keys.iter().filter(|key| key.is_named_in(note)).map(|key| {
        let command = SignedCommand::open(note, key)?;
        Ok((key.name(), command))
    });
    // An agency may have several keys, such as the last one and the one before.
    let first = named.next()?;
    Some(if first.is_err() { named.find(Result::is_ok).unwrap_or(first) } else { first })
}
