//! The bytes of known records never change: what was written once is read for good, and written the same again.
//!
//! For each subject and version `golden/<subject>.v<n>.json` says what the record holds and `.hex` how it stands
//! in the topic. A released version's files are never touched again.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use schemas::audit::{Checkpoint, Sequenced};
use schemas::codec::{Codec, CodecError, SUBJECTS, SchemaSource};
use schemas::dead_letter::DeadLetter;
use schemas::delivery::{DeliveryCommand, DeliveryEvent};
use schemas::digest_sets::{DigestSetsCommand, DigestSetsEvent};
use schemas::directory::{DirectoryCommand, DirectoryEvent};
use schemas::envelope::Body;
use schemas::ids::{ChildRef, OfferId};
use schemas::jurisdiction::Notice;
use schemas::mla::{MlaCommand, MlaEvent};
use schemas::referral::{ReferralCommand, ReferralEvent};
use schemas::routing::{RoutingCommand, RoutingEvent};
use schemas::sealed_keys::KeySet;
use schemas::victim_id::{
    AcceptCustody, ConfirmCustody, EndSupport, RegisterChild, TakeCustody, VictimIdCommand, VictimIdEvent,
};
use schemas::{Command, Event};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn file(subject: &str, version: usize, extension: &str) -> PathBuf {
    let name = format!("tests/golden/{subject}.v{version}.{extension}");
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Every version's bytes give the record; the newest version's record gives the bytes. `UPDATE_SCHEMAS=1` writes
/// the newest version's bytes.
fn check<B: Body, T: Serialize + DeserializeOwned + PartialEq + Debug>() {
    let subject = SUBJECTS.iter().find(|subject| subject.name == B::TOPIC).unwrap();
    let codec = Codec::with_table();
    let newest = subject.versions.len();
    for version in 1..=newest {
        let json = std::fs::read_to_string(file(B::TOPIC, version, "json")).unwrap();
        let record: T = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{}: {error}", B::TOPIC));
        let path = file(B::TOPIC, version, "hex");
        if version == newest {
            let bytes = hex::encode(codec.encode::<B>(&record).unwrap());
            if std::env::var_os("UPDATE_SCHEMAS").is_some() {
                std::fs::write(&path, bytes.clone() + "\n").unwrap();
            }
            assert_eq!(bytes, std::fs::read_to_string(&path).unwrap().trim(), "{} as written", B::TOPIC);
        }
        let bytes = hex::decode(std::fs::read_to_string(&path).unwrap().trim()).unwrap();
        assert_eq!(codec.decode::<B, T>(&bytes).unwrap(), record, "{} v{version} as read", B::TOPIC);
    }
}

#[test]
fn known_records_are_the_same_bytes() {
    check::<DirectoryCommand, Command<DirectoryCommand>>();
    check::<DirectoryEvent, Event<DirectoryEvent>>();
    check::<ReferralCommand, Command<ReferralCommand>>();
    check::<ReferralEvent, Event<ReferralEvent>>();
    check::<RoutingCommand, Command<RoutingCommand>>();
    check::<RoutingEvent, Event<RoutingEvent>>();
    check::<MlaCommand, Command<MlaCommand>>();
    check::<MlaEvent, Event<MlaEvent>>();
    check::<VictimIdCommand, Command<VictimIdCommand>>();
    check::<VictimIdEvent, Event<VictimIdEvent>>();
    check::<DigestSetsCommand, Command<DigestSetsCommand>>();
    check::<DigestSetsEvent, Event<DigestSetsEvent>>();
    check::<DeliveryCommand, Command<DeliveryCommand>>();
    check::<DeliveryEvent, Event<DeliveryEvent>>();
    check::<KeySet, KeySet>();
    check::<Sequenced, Sequenced>();
    check::<Checkpoint, Checkpoint>();
    check::<Notice, Notice>();
    check::<DeadLetter, DeadLetter>();
}

#[test]
fn every_version_has_its_record() {
    for subject in SUBJECTS {
        for version in 1..=subject.versions.len() {
            assert!(file(subject.name, version, "hex").is_file(), "{} v{version}", subject.name);
        }
    }
}

/// Knows one schema, and counts how often it is asked.
struct Counting {
    schema: String,
    asked: Arc<AtomicUsize>,
}

impl SchemaSource for Counting {
    fn fetch(&self, id: i32) -> Result<Option<String>, Box<dyn std::error::Error + Send + Sync>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Ok((id == ELSEWHERE).then(|| self.schema.clone()))
    }
}

/// An id that another deployment's registry gave.
const ELSEWHERE: i32 = 4_711;

#[test]
fn an_unknown_id_is_asked_for_once_and_kept() {
    let written = std::fs::read_to_string(file(Notice::TOPIC, 1, "hex")).unwrap();
    let mut record = hex::decode(written.trim()).unwrap();
    let expected: Notice = Codec::with_table().decode::<Notice, _>(&record).unwrap();
    record[1..5].copy_from_slice(&ELSEWHERE.to_be_bytes());
    let subject = SUBJECTS.iter().find(|subject| subject.name == Notice::TOPIC).unwrap();
    let (schema, asked) = (subject.versions[0].to_owned(), Arc::new(AtomicUsize::new(0)));
    let ids = (1..).zip(SUBJECTS).map(|(id, subject)| (subject.name.to_owned(), vec![id])).collect();
    let codec = Codec::new(&ids, Box::new(Counting { schema, asked: Arc::clone(&asked) }));
    for _ in 0..3 {
        assert_eq!(codec.decode::<Notice, Notice>(&record).unwrap(), expected);
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    record[1..5].copy_from_slice(&(ELSEWHERE + 1).to_be_bytes());
    let unknown = codec.decode::<Notice, Notice>(&record).unwrap_err();
    assert!(matches!(unknown, CodecError::UnknownId(id) if id == ELSEWHERE + 1) && unknown.is_transient());
}

schemas::command_bodies! {
    /// The bodies that an earlier version knows.
    Before in "victim-id.commands" {
        RegisterChild,
    }
}

/// A newer version that wrote into the topic: known to a registry, and not here.
struct Newer(String);

impl SchemaSource for Newer {
    fn fetch(&self, id: i32) -> Result<Option<String>, Box<dyn std::error::Error + Send + Sync>> {
        Ok((id == 20).then(|| self.0.clone()))
    }
}

#[test]
fn what_a_version_has_written_is_the_same_to_the_next_and_waits_for_it_at_the_one_before() {
    let subject = SUBJECTS.iter().find(|subject| subject.name == VictimIdCommand::TOPIC).unwrap();
    let second = subject.versions[1].to_owned();
    let first = Codec::new(&[(subject.name.to_owned(), vec![14])].into(), Box::new(Newer(second)));
    let both = Codec::with_table();
    let json = std::fs::read_to_string(file(subject.name, 1, "json")).unwrap();
    let command = |body: VictimIdCommand| -> Command<VictimIdCommand> {
        Command { body, ..serde_json::from_str(&json).unwrap() }
    };
    let (child_ref, limit_days) = (ChildRef::derive(&[b"child"]), 30);
    // The fields of the second are those of the first, and one more.
    let take = TakeCustody { child_ref, limit_days };
    let accept = AcceptCustody { child_ref, offer_id: OfferId::derive(&[b"offer"]), limit_days };
    for body in [VictimIdCommand::from(take), accept.into(), ConfirmCustody { child_ref }.into()] {
        let command = command(body);
        for (writer, reader) in [(&first, &both), (&both, &first)] {
            let written = writer.encode::<VictimIdCommand>(&command).unwrap();
            assert_eq!(reader.decode::<VictimIdCommand, Command<_>>(&written).unwrap(), command);
        }
    }
    let new = command(EndSupport { child_ref, service: "fr-support".parse().unwrap() }.into());
    let written = both.encode::<VictimIdCommand>(&new).unwrap();
    let refused = first.decode::<VictimIdCommand, Command<Before>>(&written).unwrap_err();
    assert!(refused.is_transient(), "{refused}");
    let cut = first.decode::<VictimIdCommand, Command<Before>>(&written[..written.len() - 1]);
    let cut = cut.unwrap_err();
    assert!(!cut.is_transient(), "{cut:?}");
}
