//! A log that goes on after a restore: under a name of its own, and owning up to the last head of the one before.
//!
//! Kafka restored from a backup has lost leaves that were signed. Under the old name that would be a fork. So the log
//! takes a new name, which everybody notices by its key, and its first leaf under that name commits to the old log's
//! last head: whoever holds that head sees how much was lost.

use audit_log::leaf::{self, Digest};
use audit_log::tree::TreeError;
use audit_log::{LogKey, Root};
use schemas::Timestamp;
use schemas::audit::{Checkpoint, Leaf};
use schemas::envelope::Body;

use crate::log::{Log, LogError};

/// The log before: its key, and the last head that anybody has of it.
#[derive(Clone, Debug)]
pub struct Predecessor {
    pub key: LogKey,
    pub note: String,
    pub root: Root,
}

impl Predecessor {
    /// # Errors
    /// When the head is not signed by the key.
    pub fn open(note: String, key: LogKey) -> Result<Self, TreeError> {
        let root = Root::open(&note, &key)?;
        Ok(Self { key, note, root })
    }

    /// At which leaf the log goes on under its new name: so many leaves were restored.
    ///
    /// # Errors
    /// When the index does not read.
    pub fn restored(&self, log: &Log) -> Result<Option<u64>, LogError> {
        let size = i64::try_from(self.root.size).unwrap_or(i64::MAX);
        let entries = log.of_aggregate(Checkpoint::TOPIC, self.key.name())?;
        Ok(entries.into_iter().find(|entry| entry.sequence == size).map(|entry| entry.leaf))
    }

    pub fn leaf(&self, now: Timestamp) -> Leaf {
        Leaf {
            commitment: commitment(&self.note).to_vec(),
            topic: Checkpoint::TOPIC.to_owned(),
            partition: 0,
            // The head may stand there several times: any of them is meant.
            offset: -1,
            timestamp: now,
            aggregate_id: self.key.name().to_owned(),
            sequence: i64::try_from(self.root.size).unwrap_or(i64::MAX),
            agency: String::new(),
            actor: String::new(),
            time: now,
        }
    }

    /// As it is published, for whoever reads the topic alone.
    pub fn checkpoint(&self, now: Timestamp) -> Checkpoint {
        Checkpoint {
            origin: self.key.name().to_owned(),
            size: i64::try_from(self.root.size).unwrap_or(i64::MAX),
            time: now,
            note: self.note.clone(),
        }
    }
}

/// Of a head of an earlier log: over its text, whoever has signed it.
pub fn commitment(note: &str) -> Digest {
    let text = note.split_once("\n\n").map_or(note, |(text, _)| text);
    leaf::succession(&format!("{text}\n"))
}
