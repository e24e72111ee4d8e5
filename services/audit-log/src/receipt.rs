//! The promise that an event will stand in the log.
//!
//! A receipt is a signed note (C2SP `signed-note`), so that tools that nobody here wrote can check its signature:
//!
//! ```text
//! audit.example/receipt v1
//! routing.events
//! 018f...                    the aggregate
//! 4                          its event's sequence
//! AbC...=                    the event's digest
//! 2026-11-29T10:00:00Z       until when it stands in the log
//! ```

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use signed_note::NoteError;

use crate::keys::{LogKey, SigningKey};
use crate::leaf::Digest;

/// After the origin on the first line: what kind of note it is.
const KIND: &str = "/receipt v1";

/// What is promised of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub topic: String,
    pub aggregate_id: String,
    pub sequence: i64,
    pub digest: Digest,
    /// RFC 3339, in UTC.
    pub by: String,
}

#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    #[error("the receipt's signature: {0}")]
    Signature(#[from] NoteError),
    #[error("not a receipt: line {0} is not what it has to be")]
    Line(usize),
    #[error("not a receipt: it ends early, or goes on where it has to end")]
    Length,
}

impl Receipt {
    /// # Errors
    /// When a part has characters in it that a note cannot hold.
    pub fn sign(&self, key: &SigningKey) -> Result<String, ReceiptError> {
        let Self { topic, aggregate_id, sequence, digest, by } = self;
        let (origin, digest) = (key.public().name(), BASE64_STANDARD.encode(digest));
        let text = format!("{origin}{KIND}\n{topic}\n{aggregate_id}\n{sequence}\n{digest}\n{by}\n");
        Ok(key.sign(&text)?)
    }

    /// # Errors
    /// When it is no receipt, or not signed by the key.
    pub fn open(note: &str, key: &LogKey) -> Result<Self, ReceiptError> {
        let text = key.open(note.as_bytes())?;
        let lines: Vec<&str> = text.lines().collect();
        let [first, topic, aggregate_id, sequence, digest, by] = lines[..] else {
            return Err(ReceiptError::Length);
        };
        if first.strip_suffix(KIND) != Some(key.name()) {
            return Err(ReceiptError::Line(1));
        }
        let digest = BASE64_STANDARD.decode(digest).ok().and_then(|bytes| bytes.try_into().ok());
        Ok(Self {
            topic: topic.to_owned(),
            aggregate_id: aggregate_id.to_owned(),
            sequence: sequence.parse().map_err(|_| ReceiptError::Line(4))?,
            digest: digest.ok_or(ReceiptError::Line(5))?,
            by: by.to_owned(),
        })
    }
}
