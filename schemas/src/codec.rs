//! The Confluent wire format: a zero byte, the schema's id (4 bytes, big endian), then the Avro datum.
//!
//! A record whose writer schema is the newest version goes straight through serde; an older one is resolved
//! through Avro's value tree, which costs several times as much and happens only then. Ids come from the table
//! checked in beside the schemas, or from a registry; an unknown id is asked for once and kept.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, RwLock};

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::writer::datum::GenericDatumWriter;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::envelope::Body;

/// The schemas of one topic family, oldest first.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    /// The topic, or the family's name where many topics hold the same records.
    pub name: &'static str,
    /// The texts of `avro/<name>/v<n>.avsc`.
    pub versions: &'static [&'static str],
}

macro_rules! subjects {
    ($($name:literal: $($version:literal),+;)+) => {
        pub const SUBJECTS: &[Subject] = &[
            $(Subject {
                name: $name,
                versions: &[$(include_str!(concat!("../avro/", $name, "/", $version, ".avsc")),)+],
            },)+
        ];
    };
}

subjects! {
    "directory.commands": "v1";
    "directory.events": "v1";
    "referral.commands": "v1";
    "referral.events": "v1";
    "routing.commands": "v1";
    "routing.events": "v1";
    "delivery.commands": "v1";
    "delivery.events": "v1";
    "sealed-keys": "v1";
    "jurisdiction": "v1";
    "dead-letter": "v1";
    "mla.commands": "v1";
    "mla.events": "v1";
    "victim-id.commands": "v1", "v2";
    "victim-id.events": "v1", "v2";
    "digest-sets.commands": "v1";
    "digest-sets.events": "v1";
    "audit.log": "v1";
    "audit.checkpoints": "v1";
}

/// The ids of the checked-in table: subject, then an id per version.
pub const ID_TABLE: &str = include_str!("../avro/ids.json");

/// Longest text or list that a record may claim to hold, twice the largest record: the reader makes room for what
/// a length says before it has read it.
const MAX_CLAIMED_BYTES: usize = 8 * 1024 * 1024;

/// Most schemas that are fetched and kept by id; far more than the versions a deployment lives through.
const MAX_FETCHED: usize = 1_000;

#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    #[error("the record is not in the Confluent wire format: {0}")]
    NotFramed(&'static str),
    #[error("schema id {0} is unknown")]
    UnknownId(i32),
    #[error("schema id {0} could not be fetched")]
    Unreachable(i32, #[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("no subject {0}")]
    NoSubject(String),
    #[error("the record is one of {found}, not of {subject}")]
    OtherSubject { subject: &'static str, found: &'static str },
    #[error("failed to encode a record of {subject}")]
    Encode { subject: String, source: Box<apache_avro::Error> },
    #[error("failed to decode a record of {subject} written with schema id {id}")]
    Decode { subject: String, id: i32, source: Box<apache_avro::Error> },
}

impl CodecError {
    /// Whether the record may be readable by another version or at another time: then its reader stops and
    /// waits. What cannot be read by anyone is a poisonous record.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::UnknownId(_) | Self::Unreachable(..))
    }
}

/// Where a schema that is not known here may be asked for.
pub trait SchemaSource: Send + Sync {
    /// # Errors
    /// When the source cannot be reached; `None` when it does not know the id.
    fn fetch(&self, id: i32) -> Result<Option<String>, Box<dyn std::error::Error + Send + Sync>>;
}

/// No registry: every id stands in the table.
pub struct NoSource;

impl SchemaSource for NoSource {
    fn fetch(&self, _: i32) -> Result<Option<String>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(None)
    }
}

/// Encodes and decodes the records of every topic. Cheap to clone.
#[derive(Clone)]
pub struct Codec {
    inner: Arc<Inner>,
}

struct Inner {
    newest: HashMap<&'static str, Newest>,
    /// Writer schemas by id, with the subject and version where they are ours.
    known: RwLock<HashMap<i32, Known>>,
    source: Box<dyn SchemaSource>,
}

struct Newest {
    id: i32,
    schema: &'static Schema,
    writer: GenericDatumWriter<'static>,
}

#[derive(Clone, Copy)]
struct Known {
    /// Whose schema it is, where it is ours.
    subject: Option<&'static str>,
    schema: &'static Schema,
    reader: &'static GenericDatumReader<'static>,
}

impl Codec {
    /// With the ids of the checked-in table.
    pub fn with_table() -> Self {
        Self::new(&table(), Box::new(NoSource))
    }

    /// With the ids of a registry: for each subject the id of each of its versions.
    pub fn new(ids: &HashMap<String, Vec<i32>>, source: Box<dyn SchemaSource>) -> Self {
        // Set once per process; every codec says the same.
        apache_avro::util::max_allocation_bytes(MAX_CLAIMED_BYTES);
        let mut newest = HashMap::new();
        let mut known = HashMap::new();
        for subject in SUBJECTS {
            let Some(subject_ids) = ids.get(subject.name) else { continue };
            for (schema, id) in schemas_of(subject).iter().zip(subject_ids) {
                let reader = leaked_reader(schema);
                known.insert(*id, Known { subject: Some(subject.name), schema, reader });
                newest.insert(subject.name, Newest { id: *id, schema, writer: writer(schema) });
            }
        }
        Self { inner: Arc::new(Inner { newest, known: RwLock::new(known), source }) }
    }

    /// Encodes one record of the topic that `B` stands in, or of its family.
    ///
    /// # Errors
    /// When the value does not fit its schema, which a test of every type rules out.
    pub fn encode<B: Body>(&self, value: &impl Serialize) -> Result<Vec<u8>, CodecError> {
        let newest = self.newest(B::TOPIC)?;
        let mut bytes = Vec::with_capacity(512);
        bytes.push(0);
        bytes.extend_from_slice(&newest.id.to_be_bytes());
        newest
            .writer
            .write_ser(&mut bytes, value)
            .map_err(|error| CodecError::Encode { subject: B::TOPIC.to_owned(), source: Box::new(error) })?;
        Ok(bytes)
    }

    /// Decodes one record of the topic that `B` stands in, or of its family.
    ///
    /// # Errors
    /// See [`CodecError`]; [`CodecError::is_transient`] tells an unknown schema from a broken record.
    pub fn decode<B: Body, T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, CodecError> {
        let newest = self.newest(B::TOPIC)?;
        let (id, mut datum) = split_frame(bytes)?;
        let known = self.known(id)?;
        // What is common to topics would decode: a rejection of one service as that of another.
        if let Some(found) = known.subject.filter(|found| *found != B::TOPIC) {
            return Err(CodecError::OtherSubject { subject: B::TOPIC, found });
        }
        // Of our own versions a test says it.
        if known.subject.is_none() && !agree(known.schema, newest.schema) {
            return Err(CodecError::UnknownId(id));
        }
        // By the schema that it was written with: a branch of a union is told by its place, a field by its name.
        // `Value::resolve` would take the first branch whose fields the record has, whatever it is called.
        let begun = datum;
        match known.reader.read_deser(&mut datum) {
            Ok(value) if datum.is_empty() => Ok(value),
            Ok(_) => Err(CodecError::NotFramed("bytes are left over after the datum")),
            // What another version has written, and means something there.
            Err(_) if known.subject.is_none() && is_whole(&known, begun) => Err(CodecError::UnknownId(id)),
            Err(error) => {
                Err(CodecError::Decode { subject: B::TOPIC.to_owned(), id, source: Box::new(error) })
            }
        }
    }

    /// The id that new records of a subject carry.
    pub fn newest_id(&self, subject: &str) -> Option<i32> {
        self.inner.newest.get(subject).map(|newest| newest.id)
    }

    /// The schema that records with this id were written with, as JSON.
    ///
    /// # Errors
    /// When the id is unknown.
    pub fn schema_text(&self, id: i32) -> Result<String, CodecError> {
        let schema = self.known(id)?.schema;
        Ok(serde_json::to_string(schema).expect("a schema that was read is written"))
    }

    fn newest(&self, subject: &'static str) -> Result<&Newest, CodecError> {
        self.inner.newest.get(subject).ok_or_else(|| CodecError::NoSubject(subject.to_owned()))
    }

    fn known(&self, id: i32) -> Result<Known, CodecError> {
        if let Some(known) = self.inner.known.read().expect("no holder of this lock panics").get(&id) {
            return Ok(*known);
        }
        let text = self.inner.source.fetch(id).map_err(|error| CodecError::Unreachable(id, error))?;
        let text = text.ok_or(CodecError::UnknownId(id))?;
        let schema = Schema::parse_str(&text).map_err(|_| CodecError::UnknownId(id))?;
        let mut all = self.inner.known.write().expect("no holder of this lock panics");
        if all.len() >= MAX_FETCHED {
            return Err(CodecError::UnknownId(id));
        }
        let schema: &'static Schema = Box::leak(Box::new(schema));
        let known = Known { subject: None, schema, reader: leaked_reader(schema) };
        all.insert(id, known);
        Ok(known)
    }
}

/// The schema id of a framed record.
///
/// # Errors
/// When the bytes are not in the Confluent wire format.
pub fn schema_id(bytes: &[u8]) -> Result<i32, CodecError> {
    split_frame(bytes).map(|(id, _)| id)
}

fn split_frame(bytes: &[u8]) -> Result<(i32, &[u8]), CodecError> {
    let Some((frame, datum)) = bytes.split_at_checked(5) else {
        return Err(CodecError::NotFramed("shorter than its five-byte head"));
    };
    match frame {
        [0, a, b, c, d] => Ok((i32::from_be_bytes([*a, *b, *c, *d]), datum)),
        _ => Err(CodecError::NotFramed("the first byte is not zero")),
    }
}

/// Whether it is a record of its writer's schema.
fn is_whole(known: &Known, mut datum: &[u8]) -> bool {
    let value = known.reader.read_value(&mut datum);
    // A text that is cut off reads as nothing.
    value.is_ok_and(|value| datum.is_empty() && value.validate(known.schema))
}

/// Whether every branch of a union that both schemas have stands at the same place in both: a version adds branches
/// behind those that are there.
fn agree(one: &Schema, other: &Schema) -> bool {
    match (one, other) {
        (Schema::Record(one), Schema::Record(other)) => {
            let of_other = |name: &str| other.fields.iter().find(|field| field.name == name);
            let both = one.fields.iter().filter_map(|field| Some((field, of_other(&field.name)?)));
            one.name.name() == other.name.name()
                && both.into_iter().all(|(one, other)| agree(&one.schema, &other.schema))
        }
        (Schema::Union(one), Schema::Union(other)) => {
            one.variants().iter().zip(other.variants()).all(|(one, other)| agree(one, other))
        }
        (Schema::Array(one), Schema::Array(other)) => agree(&one.items, &other.items),
        (Schema::Map(one), Schema::Map(other)) => agree(&one.types, &other.types),
        (Schema::Ref { name: one }, Schema::Ref { name: other }) => one.name() == other.name(),
        (Schema::Ref { name }, Schema::Record(record)) | (Schema::Record(record), Schema::Ref { name }) => {
            name.name() == record.name.name()
        }
        (one, other) => std::mem::discriminant(one) == std::mem::discriminant(other),
    }
}

/// Parsed once per process: schemas live as long as it does.
fn schemas_of(subject: &'static Subject) -> &'static [Schema] {
    static PARSED: OnceLock<HashMap<&'static str, Vec<Schema>>> = OnceLock::new();
    let parsed = PARSED.get_or_init(|| {
        let parse = |text: &&str| Schema::parse_str(text).expect("a test parses every checked-in schema");
        SUBJECTS.iter().map(|subject| (subject.name, subject.versions.iter().map(parse).collect())).collect()
    });
    &parsed[subject.name]
}

fn writer(schema: &'static Schema) -> GenericDatumWriter<'static> {
    GenericDatumWriter::builder(schema).build().expect("a parsed schema resolves its own names")
}

fn leaked_reader(schema: &'static Schema) -> &'static GenericDatumReader<'static> {
    let reader = GenericDatumReader::builder(schema).build().expect("a parsed schema resolves its own names");
    Box::leak(Box::new(reader))
}

/// The checked-in table as [`Codec::new`] takes it.
pub fn table() -> HashMap<String, Vec<i32>> {
    serde_json::from_str(ID_TABLE).expect("a test parses the checked-in id table")
}

/// Whether two schema texts are the same schema, whatever their white space, order of keys or documentation.
pub fn same_schema(one: &str, other: &str) -> bool {
    match (Schema::parse_str(one), Schema::parse_str(other)) {
        (Ok(one), Ok(other)) => one.canonical_form() == other.canonical_form(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_adds_branches_behind_those_that_are_there() {
        for subject in SUBJECTS {
            let versions = schemas_of(subject);
            let newest = versions.last().expect("a subject has a version");
            for (number, version) in (1..).zip(versions) {
                assert!(agree(version, newest), "{} v{number}", subject.name);
            }
        }
        let parse = |text: &str| Schema::parse_str(text).expect("a schema");
        let union = |branches: &str| {
            let text =
                format!(r#"{{"type":"record","name":"R","fields":[{{"name":"f","type":[{branches}]}}]}}"#);
            parse(&text)
        };
        let record = |name: &str| format!(r#"{{"type":"record","name":"{name}","fields":[]}}"#);
        let (one, other) = (record("One"), record("Other"));
        assert!(agree(&union(&one), &union(&format!("{one},{other}"))));
        assert!(!agree(&union(&one), &union(&format!("{other},{one}"))));
    }
}
