//! The log's tree over its leaves (RFC 6962), and proofs in it; heads as C2SP `tlog-checkpoint` writes them.
//!
//! Hashing and proofs are the library's; here stand the bounds within which it is asked, and the checkpoint's
//! signature.

use signed_note::NoteError;
use tlog_tiles::{Checkpoint, check_record, check_tree};

use crate::keys::{LogKey, SigningKey};
use crate::leaf::Digest;

pub use tlog_tiles::{Hash, record_hash};

/// Largest tree that proofs are checked in: more leaves than a deployment ever has, and far from where numbers end.
pub const MAX_SIZE: u64 = 1 << 48;

/// The head of a tree: so many leaves, and the hash over all of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Root {
    pub size: u64,
    pub hash: Hash,
}

#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    #[error("the checkpoint's signature: {0}")]
    Signature(#[from] NoteError),
    #[error("not a checkpoint: expected origin, size and root hash, each on a line")]
    Checkpoint,
    #[error("the checkpoint is of the log {found}, not of {expected}")]
    Origin { expected: String, found: String },
    #[error("a tree of {0} leaves is larger than any")]
    Size(u64),
    #[error("the proof does not lead to the root")]
    Proof(#[from] tlog_tiles::Error),
}

impl Root {
    /// As a signed checkpoint. A log's origin is its key's name.
    ///
    /// # Errors
    /// When the key's name cannot be an origin.
    pub fn sign(&self, key: &SigningKey) -> Result<String, TreeError> {
        let origin = key.public().name();
        let checkpoint = Checkpoint::new(origin, self.size, self.hash, "");
        let text = checkpoint.map_err(|_| TreeError::Checkpoint)?.to_bytes();
        Ok(key.sign(&String::from_utf8_lossy(&text))?)
    }

    /// Of a checkpoint that the log's key has signed.
    ///
    /// # Errors
    /// When it is none, of another log, or not signed by the key.
    pub fn open(checkpoint: &str, key: &LogKey) -> Result<Self, TreeError> {
        let text = key.open(checkpoint.as_bytes())?;
        // The format ends its text where the signatures begin; extensions are of no concern here.
        let mut lines = text.as_bytes();
        let read = Checkpoint::from_reader(&mut lines, false).map_err(|_| TreeError::Checkpoint)?;
        if read.origin() != key.name() {
            let (expected, found) = (key.name().to_owned(), read.origin().to_owned());
            return Err(TreeError::Origin { expected, found });
        }
        let root = Self { size: read.size(), hash: *read.hash() };
        root.must_be_possible().map(|()| root)
    }

    fn must_be_possible(&self) -> Result<(), TreeError> {
        if self.size > MAX_SIZE { Err(TreeError::Size(self.size)) } else { Ok(()) }
    }

    /// Whether the leaf stands at this place of the tree.
    ///
    /// # Errors
    /// When the proof does not show it.
    pub fn check_leaf(&self, index: u64, commitment: &Digest, proof: &[Hash]) -> Result<(), TreeError> {
        self.must_be_possible()?;
        Ok(check_record(&proof.to_vec(), self.size, self.hash, index, record_hash(commitment))?)
    }

    /// Whether this tree begins with all leaves of an earlier one.
    ///
    /// # Errors
    /// When the proof does not show it.
    pub fn check_extends(&self, earlier: &Self, proof: &[Hash]) -> Result<(), TreeError> {
        self.must_be_possible()?;
        // Every tree begins with nothing, and with itself.
        if earlier.size == 0 || self == earlier {
            return Ok(());
        }
        Ok(check_tree(&proof.to_vec(), self.size, self.hash, earlier.size, earlier.hash)?)
    }
}
