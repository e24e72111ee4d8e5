//! A record of an event topic, and the commitment to it that stands in the log.
//!
//! A leaf is one digest of 32 bytes, so that the log, which everybody may read, tells nobody what happened. It is taken
//! over a **frame** of digests, each of which can be opened alone: whoever may read an event is given the whole record;
//! whoever may know what it says, and not who did it and when, is given its body; and of an event that is nobody's
//! business its frame still shows that it stands between the one before and the one after.

use sha2::{Digest as _, Sha256};

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// Where a record stands in Kafka, and when it was written there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub partition: i32,
    pub offset: i64,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub timestamp: i64,
}

/// The digests that a leaf is taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Without the deployment's prefix.
    pub topic: String,
    /// 1, 2, 3 and so on within aggregate and topic.
    pub sequence: i64,
    /// The digest of the event before; empty for the first.
    pub predecessor: Vec<u8>,
    /// Over topic, key and value: what the event after states as its predecessor.
    pub digest: Digest,
    /// Over the event's salt, and its place.
    pub place: Digest,
    /// Over a salt of its own, and the value from its body on.
    pub body: Digest,
}

/// How much of an event is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disclosed {
    /// The record as it stands in Kafka.
    Record { place: Place, key: String, value: Vec<u8> },
    /// The value from its body on, with the salt of its digest; who acted, when and why is not shown.
    Body { frame: Frame, salt: Digest, schema_id: u32, body: Vec<u8> },
    /// That it is there.
    Frame(Frame),
}

/// A value that is no event of this system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("the value is not in the Confluent wire format: a zero byte and the schema's id come first")]
    NotFramed,
    #[error("the value ends within its field {0}")]
    Ends(&'static str),
    #[error("the value's field {0} is not what it has to be")]
    Field(&'static str),
}

/// An event's envelope, which is the same for every topic and every version of a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    pub schema_id: u32,
    pub event_id: &'a str,
    pub aggregate_id: &'a str,
    pub sequence: i64,
    pub predecessor: &'a [u8],
    pub salt: &'a [u8],
    /// Topic, partition and offset of the record that it answers.
    pub input: (&'a str, i64, i64),
    pub cause: &'a str,
    pub cause_digest: &'a [u8],
    /// When the command was given: milliseconds since 1970-01-01T00:00:00Z.
    pub time: i64,
    pub agency: &'a str,
    pub actor: &'a str,
    pub actor_kind: &'a str,
    pub directory_position: i64,
    pub signature: Option<&'a [u8]>,
    /// The number of the body's record in the schema's union, and what follows, as Avro writes both.
    pub body: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// # Errors
    /// See [`Malformed`].
    pub fn read(value: &'a [u8]) -> Result<Self, Malformed> {
        let schema_id = schema_id(value)?;
        let mut rest = Fields(&value[5..]);
        Ok(Self {
            schema_id,
            event_id: rest.text("event_id")?,
            aggregate_id: rest.text("aggregate_id")?,
            sequence: rest.number("sequence")?,
            predecessor: rest.bytes("predecessor")?,
            salt: rest.bytes("salt")?,
            input: (rest.text("input.topic")?, rest.number("input.partition")?, rest.number("input.offset")?),
            cause: rest.text("cause")?,
            cause_digest: rest.bytes("cause_digest")?,
            time: rest.number("time")?,
            agency: rest.text("agency")?,
            actor: rest.text("actor.id")?,
            actor_kind: rest.text("actor.kind")?,
            directory_position: rest.number("directory_position")?,
            signature: match rest.number("signature")? {
                0 => None,
                1 => Some(rest.bytes("signature")?),
                _ => return Err(Malformed::Field("signature")),
            },
            body: rest.0,
        })
    }

    /// The number of the body's record in the schema's union.
    ///
    /// # Errors
    /// When the body is empty.
    pub fn body_number(&self) -> Result<i64, Malformed> {
        Fields(self.body).number("body")
    }
}

/// The id of the schema that a value was written with.
///
/// # Errors
/// When the value does not begin as every value does.
pub fn schema_id(value: &[u8]) -> Result<u32, Malformed> {
    match value {
        [0, a, b, c, d, ..] => Ok(u32::from_be_bytes([*a, *b, *c, *d])),
        _ => Err(Malformed::NotFramed),
    }
}

impl Frame {
    /// Of a record as it stands in Kafka.
    ///
    /// # Errors
    /// When the value is no event.
    pub fn of(topic: &str, place: Place, key: &[u8], value: &[u8]) -> Result<Self, Malformed> {
        let envelope = Envelope::read(value)?;
        Ok(Self {
            topic: topic.to_owned(),
            sequence: envelope.sequence,
            predecessor: envelope.predecessor.to_vec(),
            digest: parts(&[b"causeway-event-v1", topic.as_bytes(), key, value]),
            place: place_digest(envelope.salt, place),
            body: body_digest(&body_salt(envelope.salt), envelope.schema_id, envelope.body),
        })
    }

    /// What stands in the log.
    pub fn commitment(&self) -> Digest {
        parts(&[
            b"causeway-leaf-v1",
            self.topic.as_bytes(),
            &self.sequence.to_be_bytes(),
            &self.predecessor,
            &self.digest,
            &self.place,
            &self.body,
        ])
    }
}

impl Disclosed {
    /// The frame that what is shown says; whether it stands in the log is for its commitment to show.
    ///
    /// # Errors
    /// When a record is no event.
    pub fn frame(&self, topic: &str) -> Result<Frame, Malformed> {
        match self {
            Self::Record { place, key, value } => Frame::of(topic, *place, key.as_bytes(), value),
            Self::Body { frame, salt, schema_id, body } => {
                Ok(Frame { body: body_digest(salt, *schema_id, body), ..frame.clone() })
            }
            Self::Frame(frame) => Ok(frame.clone()),
        }
    }
}

/// What stands in the log for a record that is no event.
pub fn foreign(topic: &str, place: Place, key: &[u8], value: &[u8]) -> Digest {
    parts(&[
        b"causeway-foreign-v1",
        topic.as_bytes(),
        &place.partition.to_be_bytes(),
        &place.offset.to_be_bytes(),
        &place.timestamp.to_be_bytes(),
        key,
        value,
    ])
}

/// What stands in a log that was restored for the last head of the log before it: over the head's text, which is
/// everything before its signatures.
pub fn succession(head: &str) -> Digest {
    parts(&[b"causeway-succession-v1", head.as_bytes()])
}

/// With which salt an event's body is committed to: whoever is given it learns nothing of the event's own.
pub fn body_salt(salt: &[u8]) -> Digest {
    parts(&[b"causeway-body-salt-v1", salt])
}

fn body_digest(salt: &Digest, schema_id: u32, body: &[u8]) -> Digest {
    parts(&[b"causeway-body-v1", salt, &schema_id.to_be_bytes(), body])
}

fn place_digest(salt: &[u8], place: Place) -> Digest {
    parts(&[
        b"causeway-place-v1",
        salt,
        &place.partition.to_be_bytes(),
        &place.offset.to_be_bytes(),
        &place.timestamp.to_be_bytes(),
    ])
}

/// SHA-256 over parts, each after its length (8 bytes, big endian); the first says what it is for.
fn parts(parts: &[&[u8]]) -> Digest {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// What is left of a datum. Only what an envelope is made of: numbers, texts and bytes.
struct Fields<'a>(&'a [u8]);

/// Most bytes of a number.
const MAX_NUMBER: usize = 10;

impl<'a> Fields<'a> {
    /// Seven bits a byte, the lowest first; the sign is the lowest bit.
    fn number(&mut self, field: &'static str) -> Result<i64, Malformed> {
        let mut bits = 0_u64;
        for place in 0..MAX_NUMBER {
            let (first, rest) = self.0.split_first().ok_or(Malformed::Ends(field))?;
            self.0 = rest;
            bits |= u64::from(first & 0x7f) << (7 * place);
            if first & 0x80 == 0 {
                return Ok((bits >> 1).cast_signed() ^ -(bits & 1).cast_signed());
            }
        }
        Err(Malformed::Field(field))
    }

    fn bytes(&mut self, field: &'static str) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(self.number(field)?).map_err(|_| Malformed::Field(field))?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(Malformed::Ends(field))?;
        self.0 = rest;
        Ok(bytes)
    }

    fn text(&mut self, field: &'static str) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes(field)?).map_err(|_| Malformed::Field(field))
    }
}
