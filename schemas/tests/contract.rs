//! The contract holds: the checked-in schemas are what the Rust types say, each version reads the one before
//! it, and the bytes of known records never change.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::collections::HashSet;

use apache_avro::AvroSchema;
use apache_avro::Schema;
use apache_avro::schema::Name;
use apache_avro::schema_compatibility::SchemaCompatibility;
use schemas::audit::{Checkpoint, Sequenced};
use schemas::codec::{self, Codec, SUBJECTS};
use schemas::dead_letter::DeadLetter;
use schemas::delivery::{DeliveryCommand, DeliveryEvent};
use schemas::digest_sets::{DigestSetsCommand, DigestSetsEvent};
use schemas::directory::{DirectoryCommand, DirectoryEvent};
use schemas::jurisdiction::Notice;
use schemas::mla::{MlaCommand, MlaEvent};
use schemas::referral::{ReferralCommand, ReferralEvent};
use schemas::routing::{RoutingCommand, RoutingEvent};
use schemas::sealed_keys::KeySet;
use schemas::topics::{Kept, Partitions, TOPICS};
use schemas::victim_id::{VictimIdCommand, VictimIdEvent};
use schemas::{Command, Event};

/// The schema that the Rust type of a subject describes.
fn described(subject: &str) -> Schema {
    let mut schema = match subject {
        "directory.commands" => Command::<DirectoryCommand>::get_schema(),
        "directory.events" => Event::<DirectoryEvent>::get_schema(),
        "referral.commands" => Command::<ReferralCommand>::get_schema(),
        "referral.events" => Event::<ReferralEvent>::get_schema(),
        "routing.commands" => Command::<RoutingCommand>::get_schema(),
        "routing.events" => Event::<RoutingEvent>::get_schema(),
        "delivery.commands" => Command::<DeliveryCommand>::get_schema(),
        "delivery.events" => Event::<DeliveryEvent>::get_schema(),
        "sealed-keys" => KeySet::get_schema(),
        "jurisdiction" => Notice::get_schema(),
        "dead-letter" => DeadLetter::get_schema(),
        "mla.commands" => Command::<MlaCommand>::get_schema(),
        "mla.events" => Event::<MlaEvent>::get_schema(),
        "victim-id.commands" => Command::<VictimIdCommand>::get_schema(),
        "victim-id.events" => Event::<VictimIdEvent>::get_schema(),
        "digest-sets.commands" => Command::<DigestSetsCommand>::get_schema(),
        "digest-sets.events" => Event::<DigestSetsEvent>::get_schema(),
        "audit.log" => Sequenced::get_schema(),
        "audit.checkpoints" => Checkpoint::get_schema(),
        other => panic!("no Rust type for {other}"),
    };
    name_after_its_topic(&mut schema, subject);
    schema
}

/// `org.causeway.Event` in `routing.events` is `org.causeway.routing.Event`, so that a reader of two topics
/// can tell them apart.
fn name_after_its_topic(schema: &mut Schema, subject: &str) {
    if let (Schema::Record(record), Some((family, _))) = (schema, subject.split_once('.')) {
        // A name of Avro knows no hyphen.
        let family = family.replace('-', "_");
        record.name = Name::new(format!("org.causeway.{family}.{}", record.name.name())).unwrap();
    }
}

/// `UPDATE_SCHEMAS=1` writes what the types say over the newest version: look at the difference before you
/// commit it, and add a version instead once the topic has been used.
#[test]
fn types_describe_the_newest_version() {
    for subject in SUBJECTS {
        let described = serde_json::to_value(described(subject.name)).unwrap();
        let version = subject.versions.len();
        let path = format!("{}/avro/{}/v{version}.avsc", env!("CARGO_MANIFEST_DIR"), subject.name);
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&path, serde_json::to_string_pretty(&described).unwrap() + "\n").unwrap();
            continue;
        }
        let checked_in: serde_json::Value = serde_json::from_str(subject.versions[version - 1]).unwrap();
        assert_eq!(checked_in, described, "{path}: run with UPDATE_SCHEMAS=1 and look at the difference");
    }
}

#[test]
fn every_version_reads_every_version_before_it() {
    for subject in SUBJECTS {
        let versions: Vec<Schema> =
            subject.versions.iter().map(|text| Schema::parse_str(text).unwrap()).collect();
        for (number, reader) in versions.iter().enumerate() {
            for writer in &versions[..=number] {
                SchemaCompatibility::can_read(writer, reader)
                    .unwrap_or_else(|error| panic!("{} v{}: {error}", subject.name, number + 1));
            }
        }
    }
}

#[test]
fn every_version_has_an_id_of_its_own() {
    let table = codec::table();
    let mut seen = HashSet::new();
    for subject in SUBJECTS {
        let ids = table.get(subject.name).unwrap_or_else(|| panic!("{} has no ids", subject.name));
        assert_eq!(ids.len(), subject.versions.len(), "{}", subject.name);
        assert!(ids.iter().all(|id| seen.insert(*id)), "{}: an id is used twice", subject.name);
    }
    assert_eq!(table.len(), SUBJECTS.len());
    let _ = Codec::with_table();
}

#[test]
fn the_documented_table_of_topics_is_the_table() {
    let page = include_str!("../../docs/topics.md");
    let rows = page.lines().filter(|line| line.starts_with('|'));
    let rows: Vec<Vec<&str>> = rows.map(|row| row.split('|').map(str::trim).collect()).collect();
    for topic in TOPICS {
        let name = format!("`{}`", topic.name);
        let row = rows.iter().find(|row| row.get(1) == Some(&name.as_str()));
        let row = row.unwrap_or_else(|| panic!("{name} has no row"));
        let partitions = match topic.partitions {
            Partitions::One => "one",
            Partitions::PerIncident => "per incident",
        };
        let kept = match topic.kept {
            Kept::ForGood => "for good",
            Kept::UntilAnswered => "until answered",
            Kept::Compacted => "compacted",
        };
        let (written_by, read_by) = (topic.written_by.join(", "), topic.read_by.join(", "));
        assert_eq!(row[2..7], [topic.key, partitions, kept, written_by.as_str(), read_by.as_str()], "{name}");
    }
}
