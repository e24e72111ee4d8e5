//! The log as this instance has it: its tree, and where each event stands in it.

use std::path::PathBuf;

use audit_log::leaf::Digest;
use chassis::sequencer::Partition;
use chassis::store::{Batch, Kind, Store, StoreError, after_prefix};
use schemas::Timestamp;
use schemas::audit::{Leaf, Sequenced};
use schemas::ids::AgencyId;
use serde::{Deserialize, Serialize};

use crate::tree::{Tree, TreeError};

#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "leaves from {found} on follow {size} leaves: the topic and what was made of it contradict each other"
    )]
    Gap { found: i64, size: u64 },
    #[error("a leaf of the topic is not of 32 bytes")]
    Leaf,
    #[error("an entry of the index does not read")]
    Entry,
    #[error("the log's files do not hold what was signed any more")]
    Damaged(#[source] audit_log::tree::TreeError),
}

/// Where an event stands in Kafka and in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub leaf: u64,
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub timestamp: Timestamp,
    pub aggregate_id: String,
    pub sequence: i64,
    pub actor: String,
    pub time: Timestamp,
}

/// How far the topic was taken in.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Position {
    next: i64,
    size: u64,
}

pub struct Log {
    tree: Tree,
    store: Store,
    directory: PathBuf,
}

/// Under which the store keeps how far the topic was taken in.
const POSITION: &[u8] = b"log";
/// Kinds of the index: by aggregate, and by who acted.
const OF_AGGREGATE: u8 = b'a';
const OF_AGENCY: u8 = b'w';

impl Log {
    /// # Errors
    /// When the files or the store cannot be read.
    pub fn open(store: Store) -> Result<Self, LogError> {
        let mut directory = store.path().as_os_str().to_owned();
        directory.push(".tree");
        let directory = PathBuf::from(directory);
        let position = position(&store)?;
        if position.next == 0 {
            tracing::info!("the store is empty, making the log's files of its topic from the beginning");
        }
        let tree = Tree::open(&directory, position.size)?;
        let log = Self { tree, store, directory };
        if log.tree.size() < position.size {
            let directory = log.directory.display();
            tracing::warn!(%directory, "the log's files are short, written anew from the topic");
            log.reset()?;
        }
        Ok(log)
    }

    /// Forgets everything: it is made of the topic anew.
    ///
    /// # Errors
    /// When not even an empty store can be made.
    pub fn reset(&self) -> Result<(), LogError> {
        self.tree.cut(0)?;
        Ok(self.store.renew()?)
    }

    pub const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// # Errors
    /// When the store does not give it.
    pub fn next(&self) -> Result<i64, LogError> {
        Ok(position(&self.store)?.next)
    }

    /// # Errors
    /// When the store does not give it.
    pub fn next_input(&self, partition: Partition) -> Result<i64, LogError> {
        let known = self.store.get(Kind::Input, &input_key(partition.0, partition.1))?;
        let read = |bytes: Vec<u8>| bytes.try_into().map(i64::from_be_bytes).map_err(|_| LogError::Entry);
        known.map_or(Ok(0), read)
    }

    /// Takes records of the topic in, each with its offset: all of them or none.
    ///
    /// # Errors
    /// When they do not follow what was taken in, or the disk fails.
    pub fn take_in(&self, records: &[(i64, Sequenced)]) -> Result<(), LogError> {
        let Some((last, _)) = records.last() else { return Ok(()) };
        let (mut batch, mut leaves, size) = (Batch::default(), Vec::<Digest>::new(), self.tree.size());
        for (_, sequenced) in records {
            let place = size + leaves.len() as u64;
            if i64::try_from(place) != Ok(sequenced.first) {
                return Err(LogError::Gap { found: sequenced.first, size: place });
            }
            for (place, leaf) in (place..).zip(&sequenced.leaves) {
                leaves.push(leaf.commitment.as_slice().try_into().map_err(|_| LogError::Leaf)?);
                index(&mut batch, place, leaf);
            }
        }
        self.tree.append(&leaves)?;
        let position = Position { next: last + 1, size: size + leaves.len() as u64 };
        batch.put(Kind::Position, POSITION, encode(&position));
        Ok(self.store.apply(batch)?)
    }

    /// The events of one aggregate in a topic, in order.
    ///
    /// # Errors
    /// When the store does not give them.
    pub fn of_aggregate(&self, topic: &str, aggregate: &str) -> Result<Vec<Entry>, LogError> {
        let from = key(OF_AGGREGATE, &[aggregate.as_bytes(), topic.as_bytes()]);
        self.entries(&from, &after_prefix(&from)).collect()
    }

    /// What somebody of an agency did between two moments, in order of time.
    pub fn of_agency(
        &self,
        agency: &AgencyId,
        from: Timestamp,
        to: Timestamp,
    ) -> impl Iterator<Item = Result<Entry, LogError>> + use<> {
        let at = |moment: Timestamp| {
            let mut key = key(OF_AGENCY, &[agency.as_str().as_bytes()]);
            key.extend(ordered(moment.as_millis()));
            key
        };
        self.entries(&at(from), &at(to))
    }

    fn entries(&self, from: &[u8], to: &[u8]) -> impl Iterator<Item = Result<Entry, LogError>> + use<> {
        self.store.range(Kind::Index, from, to).map(|entry| {
            let (_, value) = entry?;
            postcard::from_bytes(&value).map_err(|_| LogError::Entry)
        })
    }
}

fn position(store: &Store) -> Result<Position, LogError> {
    let known = store.get(Kind::Position, POSITION)?;
    known.map_or(Ok(Position::default()), |bytes| postcard::from_bytes(&bytes).map_err(|_| LogError::Entry))
}

fn index(batch: &mut Batch, place: u64, leaf: &Leaf) {
    let entry = Entry {
        leaf: place,
        topic: leaf.topic.clone(),
        partition: leaf.partition,
        offset: leaf.offset,
        timestamp: leaf.timestamp,
        aggregate_id: leaf.aggregate_id.clone(),
        sequence: leaf.sequence,
        actor: leaf.actor.clone(),
        time: leaf.time,
    };
    let next = leaf.offset + 1;
    batch.put(Kind::Input, &input_key(&leaf.topic, leaf.partition), next.to_be_bytes());
    // What is no event is nobody's.
    if leaf.aggregate_id.is_empty() {
        return;
    }
    let value = encode(&entry);
    let mut by_aggregate = key(OF_AGGREGATE, &[leaf.aggregate_id.as_bytes(), leaf.topic.as_bytes()]);
    by_aggregate.extend(ordered(leaf.sequence));
    batch.put(Kind::Index, &by_aggregate, &value);
    let mut by_agency = key(OF_AGENCY, &[leaf.agency.as_bytes()]);
    by_agency.extend(ordered(leaf.time.as_millis()));
    by_agency.extend(place.to_be_bytes());
    batch.put(Kind::Index, &by_agency, &value);
}

/// The parts behind their kind, each with a zero byte behind it.
fn key(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = vec![kind];
    for part in parts {
        key.extend_from_slice(part);
        key.push(0);
    }
    key
}

/// A number as bytes that sort as it does.
fn ordered(number: i64) -> [u8; 8] {
    (number.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

fn input_key(topic: &str, partition: i32) -> Vec<u8> {
    let mut key = topic.as_bytes().to_vec();
    key.push(0);
    key.extend(partition.to_be_bytes());
    key
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(value).expect("an entry is plain data")
}
