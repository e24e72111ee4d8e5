//! The log as this instance has it: its tree, and where each event stands in it.

use std::collections::btree_map::{self, BTreeMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use audit_log::leaf::Digest;
use chassis::problem::chain;
use chassis::sequencer::Partition;
use chassis::store::{Batch, Kind, Store, StoreError, after_prefix};
use schemas::Timestamp;
use schemas::audit::{Leaf, Sequenced};
use schemas::ids::AgencyId;
use serde::de::DeserializeOwned;
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
    #[error("a reader found the log's files damaged")]
    Suspected,
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
    /// The root over all of them: what a disk has lost or changed behind the last head is not signed.
    root: [u8; 32],
}

pub struct Log {
    tree: Tree,
    store: Store,
    directory: PathBuf,
    is_suspect: AtomicBool,
}

/// Under which the store keeps how far the topic was taken in.
const POSITION: &[u8] = b"log";
/// Kinds of the index: by aggregate, and by who acted.
const OF_AGGREGATE: u8 = b'a';
const OF_AGENCY: u8 = b'w';
/// Events of an aggregate whose sequences differ in these last bits alone stand in one value: what a store keeps in
/// memory grows with its keys.
const SEQUENCE_BITS_TOGETHER: u32 = 4;

/// Values of the index by aggregate, by their keys.
type OfAggregates = BTreeMap<Vec<u8>, Vec<Entry>>;

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
        let log = Self { tree, store, directory, is_suspect: AtomicBool::new(false) };
        let is_whole = position.next == 0 || log.root(position.size).is_ok_and(|root| root == position.root);
        if !is_whole {
            let directory = log.directory.display();
            tracing::warn!(%directory, "the log's files are short, or other, made of the topic anew");
            log.reset()?;
        } else if let Some(error) = log.unreadable() {
            // Better found now than by whoever asks for a trail.
            tracing::warn!(error = %chain(&error), "the log's index does not read, made of the topic anew");
            log.reset()?;
        }
        Ok(log)
    }

    /// Why a value of the index does not read, if one does not.
    fn unreadable(&self) -> Option<LogError> {
        let mut aggregates = self.values::<Vec<Entry>>(&[OF_AGGREGATE], &after_prefix(&[OF_AGGREGATE]));
        let mut agencies = self.values::<Entry>(&[OF_AGENCY], &after_prefix(&[OF_AGENCY]));
        aggregates.find_map(Result::err).or_else(|| agencies.find_map(Result::err))
    }

    /// Whoever finds the files damaged says so: then the log is made anew by the thread that writes it.
    pub fn suspect(&self) {
        self.is_suspect.store(true, Ordering::Relaxed);
    }

    /// # Errors
    /// Once for each time that somebody found the files damaged.
    pub fn check_suspicion(&self) -> Result<(), LogError> {
        if self.is_suspect.swap(false, Ordering::Relaxed) { Err(LogError::Suspected) } else { Ok(()) }
    }

    /// Forgets everything: it is made of the topic anew.
    ///
    /// # Errors
    /// When not even an empty store can be made.
    pub fn reset(&self) -> Result<(), LogError> {
        self.tree.cut(0)?;
        self.store.renew()?;
        self.is_suspect.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Whether everything that a head of so many leaves covers is there: not while the log is made anew.
    ///
    /// # Errors
    /// When the store does not say.
    pub fn reaches(&self, size: u64) -> Result<bool, LogError> {
        Ok(position(&self.store)?.size >= size && self.tree.size() >= size)
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
        let (mut batch, mut of_aggregates) = (Batch::default(), OfAggregates::new());
        let (mut leaves, size) = (Vec::<Digest>::new(), self.tree.size());
        for (_, sequenced) in records {
            let place = size + leaves.len() as u64;
            if i64::try_from(place) != Ok(sequenced.first) {
                return Err(LogError::Gap { found: sequenced.first, size: place });
            }
            for (place, leaf) in (place..).zip(&sequenced.leaves) {
                leaves.push(leaf.commitment.as_slice().try_into().map_err(|_| LogError::Leaf)?);
                self.index(&mut batch, &mut of_aggregates, place, leaf)?;
            }
        }
        of_aggregates.iter().for_each(|(key, entries)| batch.put(Kind::Index, key, encode(entries)));
        self.tree.append(&leaves)?;
        let size = size + leaves.len() as u64;
        let position = Position { next: last + 1, size, root: self.root(size)? };
        batch.put(Kind::Position, POSITION, encode(&position));
        Ok(self.store.apply(batch)?)
    }

    fn index(
        &self,
        batch: &mut Batch,
        of_aggregates: &mut OfAggregates,
        place: u64,
        leaf: &Leaf,
    ) -> Result<(), LogError> {
        let next = leaf.offset + 1;
        batch.put(Kind::Input, &input_key(&leaf.topic, leaf.partition), next.to_be_bytes());
        // What is no event is nobody's.
        if leaf.aggregate_id.is_empty() {
            return Ok(());
        }
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
        if !leaf.agency.is_empty() {
            let mut key = key(OF_AGENCY, &[leaf.agency.as_bytes()]);
            key.extend(ordered(leaf.time.as_millis()));
            key.extend(place.to_be_bytes());
            batch.put(Kind::Index, &key, encode(&entry));
        }
        let mut key = of_aggregate(&leaf.aggregate_id, &leaf.topic);
        key.extend(ordered(leaf.sequence >> SEQUENCE_BITS_TOGETHER));
        let entries = match of_aggregates.entry(key) {
            btree_map::Entry::Occupied(known) => known.into_mut(),
            btree_map::Entry::Vacant(new) => {
                let known = self.store.get(Kind::Index, new.key())?;
                let known = known.map_or(Ok(Vec::new()), |value| decode(&value))?;
                new.insert(known)
            }
        };
        // A copy, which somebody else has written behind it, does not take an event's place.
        if let Err(at) = entries.binary_search_by_key(&entry.sequence, |known| known.sequence) {
            entries.insert(at, entry);
        }
        Ok(())
    }

    fn root(&self, size: u64) -> Result<Digest, LogError> {
        if size > self.tree.size() {
            return Err(LogError::Entry);
        }
        Ok(self.tree.root(size)?.hash.0)
    }

    /// The events of one aggregate in a topic, in order.
    ///
    /// # Errors
    /// When the store does not give them.
    pub fn of_aggregate(&self, topic: &str, aggregate: &str) -> Result<Vec<Entry>, LogError> {
        let from = of_aggregate(aggregate, topic);
        let together: Vec<Vec<Entry>> = self.values(&from, &after_prefix(&from)).collect::<Result<_, _>>()?;
        Ok(together.concat())
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
        self.values(&at(from), &at(to))
    }

    fn values<T: DeserializeOwned>(
        &self,
        from: &[u8],
        to: &[u8],
    ) -> impl Iterator<Item = Result<T, LogError>> + use<T> {
        self.store.range(Kind::Index, from, to).map(|found| decode(&found?.1))
    }
}

fn position(store: &Store) -> Result<Position, LogError> {
    let known = store.get(Kind::Position, POSITION)?;
    known.map_or(Ok(Position::default()), |bytes| decode(&bytes))
}

fn of_aggregate(aggregate: &str, topic: &str) -> Vec<u8> {
    key(OF_AGGREGATE, &[aggregate.as_bytes(), topic.as_bytes()])
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

fn decode<T: DeserializeOwned>(value: &[u8]) -> Result<T, LogError> {
    postcard::from_bytes(value).map_err(|_| LogError::Entry)
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(value).expect("an entry is plain data")
}
