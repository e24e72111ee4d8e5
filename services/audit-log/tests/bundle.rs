//! A bundle that is as it was made proves its events; one in which any byte was changed is refused, by its line.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use audit_log::bundle::{self, Event, Head, Line, Schema};
use audit_log::command::SignedCommand;
use audit_log::cosignature::{Cosigner, WitnessKey};
use audit_log::receipt::Receipt;
use audit_log::verify::{Against, Fault, Proven, verify};
use audit_log::{Disclosed, Envelope, Frame, LogKey, Place, Root, SigningKey};
use tlog_tiles::{Hash, HashReader, prove_record, stored_hashes, tree_hash};

const TOPIC: &str = "routing.events";
const INCIDENT: &str = "018f0000-0000-7000-8000-000000000001";

fn key(name: &str, seed: u8) -> SigningKey {
    SigningKey::new(name, &[seed; 32]).unwrap()
}

fn log() -> SigningKey {
    key("audit.example", 7)
}

/// As Avro writes a number.
fn number(value: i64) -> Vec<u8> {
    let mut bits = ((value << 1) ^ (value >> 63)).cast_unsigned();
    let mut bytes = Vec::new();
    while bits > 0x7f {
        bytes.push(u8::try_from(bits & 0x7f).unwrap() | 0x80);
        bits >>= 7;
    }
    bytes.push(u8::try_from(bits).unwrap());
    bytes
}

fn text(value: &[u8]) -> Vec<u8> {
    [number(i64::try_from(value.len()).unwrap()), value.to_vec()].concat()
}

fn value(aggregate: &str, sequence: i64, predecessor: &[u8], signature: &[u8]) -> Vec<u8> {
    let salt = [u8::try_from(sequence).unwrap(); 16];
    let fields = [
        vec![0, 0, 0, 0, 9],
        text(format!("event {sequence}").as_bytes()),
        text(aggregate.as_bytes()),
        number(sequence),
        text(predecessor),
        text(&salt),
        text(b"routing.commands"),
        number(3),
        number(1_000_000 + sequence),
        text(b"command"),
        text(&[5; 32]),
        number(1_790_000_000_000),
        text(b"de-police"),
        text(b"officer"),
        text(b"human"),
        number(-1),
        number(1),
        text(signature),
        number(8),
        text(b"what happened"),
    ];
    fields.concat()
}

struct Log {
    hashes: Vec<Hash>,
    size: u64,
    /// Frame, leaf and record of each event of the incident.
    events: Vec<(Frame, u64, Disclosed)>,
}

impl HashReader for Log {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|index| self.hashes[usize::try_from(*index).unwrap()]).collect())
    }
}

impl Log {
    /// Of an incident of six events, between those of others.
    fn grown() -> Self {
        Self::signed(|_| Vec::new())
    }

    /// As [`Log::grown`], each event with its signature.
    fn signed(signature: impl Fn(i64) -> Vec<u8>) -> Self {
        let mut log = Self { hashes: Vec::new(), size: 0, events: Vec::new() };
        let mut predecessor = Vec::new();
        for sequence in 1..=6 {
            log.append(&[u8::try_from(sequence).unwrap(); 32]);
            let value = value(INCIDENT, sequence, &predecessor, &signature(sequence));
            let place = Place { partition: 3, offset: sequence, timestamp: 1_790_000_000_000 + sequence };
            let frame = Frame::of(TOPIC, place, INCIDENT.as_bytes(), &value).unwrap();
            predecessor = frame.digest.to_vec();
            let record = Disclosed::Record { place, key: INCIDENT.to_owned(), value };
            log.events.push((frame.clone(), log.size, record));
            log.append(&frame.commitment());
        }
        log
    }

    fn append(&mut self, leaf: &[u8]) {
        let new = stored_hashes(self.size, leaf, self).unwrap();
        self.hashes.extend(new);
        self.size += 1;
    }

    fn root(&self) -> Root {
        Root { size: self.size, hash: tree_hash(self.size, self).unwrap() }
    }

    fn event(&self, number: usize, shown: Disclosed) -> Line {
        let (frame, leaf, _) = &self.events[number];
        let proof = prove_record(self.size, *leaf, self).unwrap();
        Line::Event(Event {
            topic: TOPIC.to_owned(),
            aggregate: INCIDENT.to_owned(),
            sequence: frame.sequence,
            name: None,
            leaf: *leaf,
            proof: proof.into_iter().map(|hash| bundle::Bytes32(hash.0)).collect(),
            shown: shown.into(),
        })
    }

    /// Every second event by its frame, the fifth by its body.
    fn lines(&self) -> Vec<Line> {
        let head = Head {
            incident: INCIDENT.to_owned(),
            agency: "de-police".to_owned(),
            made: "2026-11-29T10:00:00Z".to_owned(),
            checkpoint: self.root().sign(&log()).unwrap(),
        };
        let schema = Schema { id: 9, topic: TOPIC.to_owned(), text: "{\"type\":\"record\"}".to_owned() };
        let shown = |number: usize| {
            let (frame, _, record) = &self.events[number];
            match number {
                4 => body(record, frame),
                _ if number % 2 == 1 => Disclosed::Frame(frame.clone()),
                _ => record.clone(),
            }
        };
        let events = (0..self.events.len()).map(|number| self.event(number, shown(number)));
        [Line::Trail(head), Line::Schema(schema)].into_iter().chain(events).collect()
    }
}

fn body(record: &Disclosed, frame: &Frame) -> Disclosed {
    let Disclosed::Record { value, .. } = record else { panic!("it is shown whole") };
    let envelope = Envelope::read(value).unwrap();
    Disclosed::Body {
        frame: frame.clone(),
        salt: audit_log::leaf::body_salt(envelope.salt),
        schema_id: envelope.schema_id,
        body: envelope.body.to_vec(),
    }
}

fn sealed(lines: &[Line]) -> String {
    bundle::write(lines, &log()).unwrap()
}

fn faults(file: &str) -> Vec<Fault> {
    verify(file, &Against::log(log().public())).unwrap_err()
}

#[test]
fn what_was_exported_is_proven_whoever_sees_how_much_of_it() {
    let log_now = Log::grown();
    let proven = verify(&sealed(&log_now.lines()), &Against::log(log().public())).unwrap();
    assert_eq!(proven.root, log_now.root());
    let [chain] = &proven.chains[..] else { panic!("one chain") };
    assert_eq!((chain.last, chain.records, chain.bodies, chain.frames), (6, 2, 1, 3));
}

#[test]
fn a_byte_that_was_changed_is_named_by_its_line() {
    let file = sealed(&Log::grown().lines());
    let mut line = 1;
    for place in 0..file.len() {
        let mut bytes = file.clone().into_bytes();
        bytes[place] ^= 1;
        if file.as_bytes()[place] == b'\n' {
            line += 1;
            continue;
        }
        let Ok(changed) = String::from_utf8(bytes) else { continue };
        let found = faults(&changed);
        assert!(found.iter().any(|fault| fault.line == line), "byte {place} of line {line}: {found:?}");
    }
    for (number, _) in file.match_indices('\n') {
        let joined = [&file[..number], &file[number + 1..]].concat();
        faults(&joined);
    }
}

#[test]
fn an_event_that_was_taken_out_is_missed_even_by_whoever_could_seal_the_file_anew() {
    let lines = Log::grown().lines();
    for number in 2..lines.len() - 1 {
        let mut fewer = lines.clone();
        fewer.remove(number);
        let found = faults(&sealed(&fewer));
        assert!(found.iter().any(|fault| fault.what.contains("is missing")), "{found:?}");
    }
    // The last one leaves no gap: that nothing came later is not proven.
    verify(&sealed(&lines[..lines.len() - 1]), &Against::log(log().public())).unwrap();
}

#[test]
fn an_event_that_was_invented_does_not_stand_in_the_log() {
    let log_now = Log::grown();
    let lines = log_now.lines();
    let value = value(INCIDENT, 7, &log_now.events[5].0.digest, b"");
    let place = Place { partition: 3, offset: 9, timestamp: 1_790_000_000_009 };
    let Line::Event(last) = &lines[lines.len() - 1] else { panic!("an event comes last") };
    let record = Disclosed::Record { place, key: INCIDENT.to_owned(), value };
    let invented = Event { sequence: 7, shown: record.into(), ..last.clone() };
    let found = faults(&sealed(&[lines, vec![Line::Event(invented)]].concat()));
    assert!(found[0].what.contains("does not stand in the log"), "{found:?}");
}

#[test]
fn a_witness_is_believed_by_its_key_alone() {
    let lines = Log::grown().lines();
    let (Line::Trail(head), events) = lines.split_first().unwrap() else { panic!("a head comes first") };
    let witness = Cosigner::new("witness.example", &[3; 32]).unwrap();
    let stranger = Cosigner::new("witness.example", &[4; 32]).unwrap();
    let line = witness.cosign(&head.checkpoint, 1_790_000_000).unwrap();
    let head = Head { checkpoint: head.checkpoint.clone() + &line, ..head.clone() };
    let file = sealed(&[vec![Line::Trail(head)], events.to_vec()].concat());
    let cosigned = |key: &WitnessKey| {
        let witnesses = std::slice::from_ref(key);
        let proven = verify(&file, &Against { witnesses, ..Against::log(log().public()) }).unwrap();
        proven.cosigned.get("witness.example").copied()
    };
    assert_eq!(cosigned(witness.public()), Some(1_790_000_000));
    assert_eq!(cosigned(stranger.public()), None);
}

#[test]
fn events_of_another_incident_are_no_part_of_the_trail() {
    let lines = Log::grown().lines();
    let (Line::Trail(head), events) = lines.split_first().unwrap() else { panic!("a head comes first") };
    let head = Head { incident: "018f0000-0000-7000-8000-000000000002".to_owned(), ..head.clone() };
    let found = faults(&sealed(&[vec![Line::Trail(head)], events.to_vec()].concat()));
    assert!(found.iter().all(|fault| fault.what == "of another incident than the trail"), "{found:?}");
    assert_eq!(found.len(), 6);
}

#[test]
fn whatever_its_bytes_a_key_is_read_as_it_is_written() {
    for seed in 0..=255 {
        let key = key("audit.example", seed);
        assert_eq!(key.public().open(key.sign("text\n").unwrap().as_bytes()).unwrap(), "text\n");
    }
}

#[test]
fn another_log_s_key_opens_nothing() {
    let file = sealed(&Log::grown().lines());
    let other = key("audit.example", 8);
    assert!(verify(&file, &Against::log(other.public())).is_err());
    assert!(LogKey::parse("audit.example+00000000+AAAA").is_err());
}

#[test]
fn a_receipt_is_kept_by_its_event_and_by_no_other() {
    let log_now = Log::grown();
    let file = sealed(&log_now.lines());
    let promise = key("audit.example", 9);
    let until = |by: &str, sequence: i64, digest| {
        let receipt = Receipt {
            topic: TOPIC.to_owned(),
            aggregate_id: INCIDENT.to_owned(),
            sequence,
            digest,
            by: by.to_owned(),
        };
        (receipt.sign(&promise).unwrap(), promise.public().clone())
    };
    // The trail was made at ten.
    let receipt = |sequence: i64, digest| until("2026-11-29T09:59:59.999Z", sequence, digest);
    let kept = receipt(2, log_now.events[1].0.digest);
    let against = |receipt: &(String, LogKey)| {
        let receipts = std::slice::from_ref(receipt);
        verify(&file, &Against { receipts, ..Against::log(log().public()) })
    };
    assert_eq!(against(&kept).unwrap().receipts, 1);
    for broken in [receipt(2, [1; 32]), receipt(7, [1; 32]), (kept.0.replace('2', "3"), kept.1.clone())] {
        assert!(against(&broken).is_err());
    }
    let open = against(&until("2026-11-29T10:05:00Z", 7, [1; 32])).unwrap();
    assert_eq!((open.receipts, open.receipts_open), (0, 1), "it need not be there yet");
}

/// As an agency signs that it accepts.
fn accepts(agency: &SigningKey, incident: &str, once: &str) -> Vec<u8> {
    let path = format!("/v1/incidents/{incident}/assignments/1/accept");
    SignedCommand::new("POST", &path, Some(once), b"{}").sign(agency).unwrap().into_bytes()
}

/// What a trail proves of the agency, whose records 1 and 3 carry these signatures.
fn proven_of(agency: &SigningKey, first: &[u8], third: &[u8]) -> Result<Proven, Vec<Fault>> {
    let log_now = Log::signed(|sequence| match sequence {
        1 => first.to_vec(),
        3 => third.to_vec(),
        _ => Vec::new(),
    });
    let agencies = std::slice::from_ref(agency.public());
    verify(&sealed(&log_now.lines()), &Against { agencies, ..Against::log(log().public()) })
}

#[test]
fn an_agency_s_signature_proves_its_own_command_and_no_other() {
    let agency = key("de-police", 5);
    let (once, again) = (accepts(&agency, INCIDENT, "once"), accepts(&agency, INCIDENT, "again"));
    let proven = proven_of(&agency, &once, &again).unwrap();
    let signed: Vec<_> = proven.signed.iter().map(|signed| (signed.sequence, signed.by.as_str())).collect();
    assert_eq!(signed, [(1, "de-police"), (3, "de-police")]);
    // Whoever does not give the agency's key is told nothing.
    assert_eq!(proven_of(&key("fr-police", 5), &once, b"").unwrap().signed, []);

    let elsewhere = accepts(&agency, "018f0000-0000-7000-8000-000000000002", "once");
    let forged = accepts(&key("de-police", 6), INCIDENT, "once");
    let other = key("fr-police", 5);
    for (agency, first, third, expected) in [
        (&agency, &once, &once, "is that of another command"),
        (&agency, &elsewhere, &again, "for another incident"),
        (&agency, &forged, &again, "the signature of the command"),
        (&other, &accepts(&other, INCIDENT, "once"), &again, "said to be of de-police"),
    ] {
        let found = proven_of(agency, first, third).unwrap_err();
        assert!(found.iter().all(|fault| fault.what.contains(expected)), "{expected}: {found:?}");
    }
}

#[test]
fn a_key_is_read_back_as_it_was_written() {
    let text = SigningKey::text("de-police", &[9; 32]);
    assert_eq!(
        SigningKey::parse(&text).unwrap().public().to_string(),
        key("de-police", 9).public().to_string()
    );
    assert!(SigningKey::parse("PRIVATE+KEY+de-police+00000000+AAAA").is_err());
}
