//! A party's trail of one incident as one file: a line of JSON for each thing it says.
//!
//! First the head, with the checkpoint that everything is proven by; then the schemas, for whoever wants to read what
//! the events say; then the events of each topic, in order; last the seal, a signed note over a digest of each line
//! before it, so that a line that was changed afterwards is found. A line is written in one way only: no spaces, every
//! field, in the order that they have here.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use signed_note::NoteError;
use tlog_tiles::Hash;

use crate::keys::{LogKey, SigningKey};
use crate::leaf::{Disclosed, Frame, Place};

/// Most events of one bundle: the seal holds a digest for each, and a note ends at one megabyte.
pub const MAX_EVENTS: usize = 10_000;
/// After the origin on the seal's first line: what kind of note it is.
const KIND: &str = "/trail v1";

/// One line of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Line {
    Trail(Head),
    Schema(Schema),
    Event(Event),
    /// A signed note.
    Seal(String),
}

/// What the file is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    pub incident: String,
    /// Whose view of the incident it is.
    pub agency: String,
    /// RFC 3339, in UTC.
    pub made: String,
    /// A signed note: the log's head that every event is proven to stand under, with the witnesses' signatures.
    pub checkpoint: String,
}

/// What values were written with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    pub id: u32,
    pub topic: String,
    /// Avro, as JSON.
    pub text: String,
}

/// An event, and the proof that it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    pub topic: String,
    pub aggregate: String,
    pub sequence: i64,
    /// What happened, by the name of its record, where the reader may know it. The operator's word unless the event
    /// itself is shown.
    pub name: Option<String>,
    /// Its place in the log, from 0 on.
    pub leaf: u64,
    /// The hashes beside the way from the leaf to the root, from below.
    pub proof: Vec<Bytes32>,
    pub shown: Shown,
}

/// How much of it the reader may see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Shown {
    Record { partition: i32, offset: i64, timestamp: i64, value: Bytes },
    Body { predecessor: Bytes, digest: Bytes32, place: Bytes32, salt: Bytes32, schema: u32, body: Bytes },
    Frame { predecessor: Bytes, digest: Bytes32, place: Bytes32, body: Bytes32 },
}

/// Written in base64.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

/// Written in base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes32(pub [u8; 32]);

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64_STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Bytes32 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes32 {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Bytes(bytes) = Bytes::deserialize(deserializer)?;
        bytes.try_into().map(Self).map_err(|_| serde::de::Error::custom("32 bytes were expected"))
    }
}

impl Event {
    pub fn proof(&self) -> Vec<Hash> {
        self.proof.iter().map(|hash| Hash(hash.0)).collect()
    }

    pub fn disclosed(&self) -> Disclosed {
        let frame = |predecessor: &Bytes, digest: &Bytes32, place: &Bytes32, body: [u8; 32]| Frame {
            topic: self.topic.clone(),
            sequence: self.sequence,
            predecessor: predecessor.0.clone(),
            digest: digest.0,
            place: place.0,
            body,
        };
        match &self.shown {
            Shown::Record { partition, offset, timestamp, value } => Disclosed::Record {
                place: Place { partition: *partition, offset: *offset, timestamp: *timestamp },
                key: self.aggregate.clone(),
                value: value.0.clone(),
            },
            Shown::Body { predecessor, digest, place, salt, schema, body } => Disclosed::Body {
                frame: frame(predecessor, digest, place, [0; 32]),
                salt: salt.0,
                schema_id: *schema,
                body: body.0.clone(),
            },
            Shown::Frame { predecessor, digest, place, body } => {
                Disclosed::Frame(frame(predecessor, digest, place, body.0))
            }
        }
    }
}

impl From<Disclosed> for Shown {
    fn from(disclosed: Disclosed) -> Self {
        match disclosed {
            Disclosed::Record { place, value, key: _ } => Self::Record {
                partition: place.partition,
                offset: place.offset,
                timestamp: place.timestamp,
                value: Bytes(value),
            },
            Disclosed::Body { frame, salt, schema_id, body } => Self::Body {
                predecessor: Bytes(frame.predecessor),
                digest: Bytes32(frame.digest),
                place: Bytes32(frame.place),
                salt: Bytes32(salt),
                schema: schema_id,
                body: Bytes(body),
            },
            Disclosed::Frame(frame) => Self::Frame {
                predecessor: Bytes(frame.predecessor),
                digest: Bytes32(frame.digest),
                place: Bytes32(frame.place),
                body: Bytes32(frame.body),
            },
        }
    }
}

impl Line {
    /// As it stands in the file, without the new line.
    pub fn write(&self) -> String {
        serde_json::to_string(self).expect("a line is plain data")
    }
}

/// The file, sealed by the log's key.
///
/// # Errors
/// When there are more lines than a seal holds.
pub fn write(lines: &[Line], key: &SigningKey) -> Result<String, NoteError> {
    let mut file: String = lines.iter().map(|line| line.write() + "\n").collect();
    let seal = key.sign(&seal_text(key.public(), file.lines()))?;
    file += &Line::Seal(seal).write();
    file.push('\n');
    Ok(file)
}

/// What the seal says of the lines before it.
pub(crate) fn seal_text<'a>(key: &LogKey, lines: impl Iterator<Item = &'a str>) -> String {
    let mut text = format!("{}{KIND}\n", key.name());
    for line in lines {
        text += &BASE64_STANDARD.encode(Sha256::digest(line.as_bytes()));
        text.push('\n');
    }
    text
}
