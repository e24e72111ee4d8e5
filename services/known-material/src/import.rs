//! Sets in the formats that they are shared in.
//!
//! Each reader takes a document whole and says of everything in it what became of it: an entry, an entry that was taken
//! back, or a digest that is not matched here. A document at fault is refused with the place of the fault, and nothing
//! of it is taken.

mod ncmec;
mod plain;
mod threat_exchange;

pub use ncmec::read as read_ncmec;
pub use plain::read as read_csv;
pub use threat_exchange::read as read_threat_exchange;

use crate::digest::{Algorithm, Digest, InvalidDigest};

/// One entry of a set, as whoever shares it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As the set names it: the same again replaces it.
    pub id: String,
    /// Who has entered it.
    pub member: Option<String>,
    /// As its scheme has it, such as `A1`.
    pub classification: Option<String>,
    /// Empty where the entry was taken back.
    pub digests: Vec<Digest>,
    /// Whether it was taken back: it closes nothing any more.
    pub removed: bool,
}

/// What a document holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    pub entries: Vec<Entry>,
    /// Digests that are not matched here, by what the document calls them.
    pub skipped: Vec<Skipped>,
    /// Where the set goes on, where the document says so.
    pub next: Option<String>,
}

/// A digest that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    pub entry: String,
    pub name: String,
}

/// Why a document was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    #[error("the document does not read: {0}")]
    Unreadable(String),
    #[error("{place}: {name} is not what an earlier line of the same id says")]
    Differs { place: String, name: &'static str },
    #[error("{place}: {name} is missing")]
    Missing { place: String, name: &'static str },
    #[error("{place}: {reason}")]
    Digest { place: String, reason: InvalidDigest },
    #[error("{place}: {name} is not known here; expected one of {expected}")]
    Unknown { place: String, name: String, expected: &'static str },
    #[error("{place}: the entry has no digest")]
    Empty { place: String },
}

fn digest(place: &str, algorithm: Algorithm, text: &str) -> Result<Digest, ImportError> {
    Digest::parse(algorithm, text.trim())
        .map_err(|reason| ImportError::Digest { place: place.to_owned(), reason })
}
