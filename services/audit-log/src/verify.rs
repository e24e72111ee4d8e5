//! Whether a bundle says the truth, and which truth that is.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::bundle::{Event, Head, Line, Shown, seal_text};
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
    /// Receipts that were kept.
    pub receipts: usize,
}

/// Checks a bundle, and receipts against it, each with the key that it is signed with. Nothing is asked of anybody: the
/// file, and the keys of whoever is to be held to it. A witness whose key is not given is not believed.
///
/// # Errors
/// Everything that is not as it has to be, in the order of the file.
pub fn verify(
    file: &str,
    key: &LogKey,
    witnesses: &[WitnessKey],
    receipts: &[(String, LogKey)],
) -> Result<Proven, Vec<Fault>> {
    let mut check = Check { faults: Vec::new(), chains: BTreeMap::new() };
    let mut head: Option<Head> = None;
    let lines: Vec<&str> = file.lines().collect();
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
    let cosigned = witnesses
        .iter()
        .filter_map(|witness| Some((witness.name.clone(), witness.cosigned(&head.checkpoint)?)));
    let cosigned = cosigned.collect();
    let chains = check.chains(&root);
    let kept = check.receipts(receipts);
    if check.faults.is_empty() {
        Ok(Proven { head, root, chains, cosigned, receipts: kept })
    } else {
        check.faults.sort_by_key(|fault| fault.line);
        Err(check.faults)
    }
}

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

    /// How many receipts were kept: their event stands in the trail.
    fn receipts(&mut self, receipts: &[(String, LogKey)]) -> usize {
        let mut kept = 0;
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
                None => {
                    let what =
                        format!("a receipt promises event {about} by {}, and it is not here", receipt.by);
                    self.fault(0, None, what);
                }
            }
        }
        kept
    }
}
