//! The log held against Kafka: each committed record of each event topic has exactly one leaf, and each head that was
//! signed is that of the log; and the events of each aggregate follow each other.
//!
//! Nothing that the service keeps is asked: leaves, root and tiles are derived again from the topics, and what Kafka's
//! clients do not tell, from its files.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::Path;

use audit_log::leaf::{Digest, Frame, Place};
use audit_log::tree::Hash;
use audit_log::{LogKey, Root};
use chassis::kafka::Kafka;
use chassis::problem::chain;
use chassis::reader::{ReadError, scan};
use chassis::segments::{self, Damage, Fate};
use chassis::sequencer::Input;
use schemas::audit::{Checkpoint, Sequenced};
use schemas::codec::{Codec, CodecError};
use schemas::envelope::Body;
use schemas::topics;
use serde::{Deserialize, Serialize};
use tlog_tiles::{HashReader, stored_hashes, tree_hash};

use crate::sequencing;

#[derive(Debug, thiserror::Error)]
pub enum FsckError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("a record of the log does not decode")]
    Decode(#[from] CodecError),
    #[error("a hash of the log could not be derived")]
    Tree(#[from] tlog_tiles::Error),
    #[error("failed to read Kafka's files")]
    Segments(#[from] segments::SegmentError),
}

/// Something that is not as it has to be, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// A topic and a partition.
    pub at: String,
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.what)
    }
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Found {
    pub leaves: u64,
    pub checkpoints: usize,
    pub records: u64,
    /// Records that came after the log was read: their leaves may be yet to come.
    pub not_yet_sequenced: u64,
    /// Records of aborted transactions, by Kafka's files; none where they were not read.
    pub aborted: Option<u64>,
    pub faults: Vec<Fault>,
}

/// The leaves of one partition by offset: the place in the log, and what stands there.
type Leaves = BTreeMap<i64, (u64, Digest)>;

pub struct Fsck<'a> {
    pub kafka: &'a Kafka,
    pub codec: &'a Codec,
    pub key: &'a LogKey,
    /// A broker's data directory, where its files can be read.
    pub files: Option<&'a Path>,
}

impl Fsck<'_> {
    /// # Errors
    /// When something cannot be read. What is wrong with it is among what was found.
    pub fn run(&self, tell: &mut dyn FnMut(&str)) -> Result<Found, FsckError> {
        let mut found = Found::default();
        tell("reading the log");
        let (mut leaves, roots) = self.log(&mut found)?;
        tell("reading the heads that were signed");
        self.heads(&roots, &mut found)?;
        for topic in topics::TOPICS.iter().filter(|topic| topics::is_event_topic(topic.name)) {
            tell(&format!("reading {}", topic.name));
            for partition in 0..self.kafka.partitions_of_topic(topic.name) {
                let of_partition = leaves.remove(&(topic.name.to_owned(), partition)).unwrap_or_default();
                self.partition(topic.name, partition, of_partition, &mut found)?;
            }
        }
        for ((topic, partition), _) in leaves {
            found.fault(&topic, partition, "the log has leaves of a partition that there is not");
        }
        Ok(found)
    }

    /// Every leaf, and the root after each record of the log.
    #[allow(clippy::type_complexity, reason = "leaves by partition and roots by size, for one caller")]
    fn log(&self, found: &mut Found) -> Result<(BTreeMap<(String, i32), Leaves>, Growing), FsckError> {
        let (mut leaves, mut tree) = (BTreeMap::<(String, i32), Leaves>::new(), Growing::default());
        let mut records = Vec::new();
        scan(self.kafka, Sequenced::TOPIC, 0, |input| records.push((input.offset, input.value)))?;
        for (offset, value) in records {
            let sequenced: Sequenced = self.codec.decode::<Sequenced, _>(&value.unwrap_or_default())?;
            if i64::try_from(tree.size) != Ok(sequenced.first) {
                let what = format!(
                    "the record at {offset} goes on at leaf {}, after {}",
                    sequenced.first, tree.size
                );
                found.fault(Sequenced::TOPIC, 0, &what);
            }
            for leaf in sequenced.leaves {
                let Ok(commitment) = Digest::try_from(leaf.commitment.as_slice()) else {
                    found.fault(
                        Sequenced::TOPIC,
                        0,
                        &format!("the record at {offset} holds a leaf of another size"),
                    );
                    continue;
                };
                let place = tree.size;
                tree.append(&commitment)?;
                let of_partition = leaves.entry((leaf.topic.clone(), leaf.partition)).or_default();
                if of_partition.last_key_value().is_some_and(|(last, (_, _))| *last > leaf.offset) {
                    let what = format!("leaf {place} stands behind those of later records");
                    found.fault(&leaf.topic, leaf.partition, &what);
                }
                if let Some((other, _)) = of_partition.insert(leaf.offset, (place, commitment)) {
                    let what = format!("the record at {} has two leaves, {other} and {place}", leaf.offset);
                    found.fault(&leaf.topic, leaf.partition, &what);
                }
            }
        }
        found.leaves = tree.size;
        Ok((leaves, tree))
    }

    fn heads(&self, tree: &Growing, found: &mut Found) -> Result<(), FsckError> {
        let mut heads = Vec::new();
        scan(self.kafka, Checkpoint::TOPIC, 0, |input| heads.push((input.offset, input.value)))?;
        found.checkpoints = heads.len();
        let mut before = 0;
        for (offset, value) in heads {
            let checkpoint: Checkpoint = self.codec.decode::<Checkpoint, _>(&value.unwrap_or_default())?;
            let signed = match Root::open(&checkpoint.note, self.key) {
                Ok(signed) => signed,
                Err(error) => {
                    found.fault(Checkpoint::TOPIC, 0, &format!("the head at {offset}: {error}"));
                    continue;
                }
            };
            if signed.size < before {
                found.fault(
                    Checkpoint::TOPIC,
                    0,
                    &format!("the head at {offset} is older than the one before it"),
                );
            }
            before = before.max(signed.size);
            if signed.size > tree.size {
                let what = format!(
                    "the head at {offset} has {} leaves, and the log has {}: the log lost what was signed",
                    signed.size, tree.size
                );
                found.fault(Checkpoint::TOPIC, 0, &what);
            } else if tree_hash(signed.size, tree)? != signed.hash {
                let what = format!(
                    "the head at {offset}, of {} leaves, is not that of the log: what it covers was changed",
                    signed.size
                );
                found.fault(Checkpoint::TOPIC, 0, &what);
            }
        }
        Ok(())
    }

    fn partition(
        &self,
        topic: &'static str,
        partition: i32,
        mut leaves: Leaves,
        found: &mut Found,
    ) -> Result<(), FsckError> {
        let last = leaves.last_key_value().map(|(offset, _)| *offset);
        let (mut committed, mut chains) = (Vec::new(), Chains::default());
        let read = scan(self.kafka, topic, partition, |input| {
            found.records += 1;
            committed.push(input.offset);
            chains.follow(&input, found);
            let derived = sequencing::leaf(&input);
            match leaves.remove(&input.offset) {
                Some((_, leaf)) if leaf.as_slice() == derived.commitment => {}
                Some((place, _)) => {
                    let what = format!(
                        "the record at {} is not the one of leaf {place}: it was changed",
                        input.offset
                    );
                    found.fault(topic, partition, &what);
                }
                None if last.is_some_and(|last| input.offset < last) => {
                    let what = format!("the record at {} has no leaf: it was slipped in", input.offset);
                    found.fault(topic, partition, &what);
                }
                None => found.not_yet_sequenced += 1,
            }
        });
        match read {
            Ok(()) => {
                for (offset, (place, _)) in leaves {
                    let what = format!("the record of leaf {place}, at {offset}, is gone");
                    found.fault(topic, partition, &what);
                }
            }
            // What cannot be read is a finding, and keeps nobody from looking at the rest.
            Err(error) => {
                let what = format!("Kafka does not give its records to the end: {}", chain(&error));
                found.fault(topic, partition, &what);
            }
        }
        match self.files {
            Some(files) => self.segments(files, topic, partition, &committed, found),
            None => Ok(()),
        }
    }

    /// What Kafka's files say of each offset.
    fn segments(
        &self,
        files: &Path,
        topic: &str,
        partition: i32,
        committed: &[i64],
        found: &mut Found,
    ) -> Result<(), FsckError> {
        let read = segments::Partition::read(files, &self.kafka.topic(topic), partition)?;
        for damage in &read.damage {
            let what = match damage {
                Damage::Checksum { offset } => {
                    format!("Kafka's file was changed: the batch from {offset} on has another checksum")
                }
                Damage::Missing { from, to } => format!("Kafka's files have no batch for {from} to {to}"),
                Damage::Unreadable { after, file } => {
                    format!("{} does not go on as a segment does, behind {after}", file.display())
                }
            };
            found.fault(topic, partition, &what);
        }
        let given: std::collections::BTreeSet<i64> = committed.iter().copied().collect();
        let end = given.last().copied().unwrap_or(-1);
        let mut aborted = found.aborted.unwrap_or_default();
        for (first, last, fate) in read.ranges() {
            for offset in first..=last {
                match fate {
                    Fate::Aborted => aborted += 1,
                    Fate::Committed if offset <= end && !given.contains(&offset) => {
                        let what =
                            format!("the committed record at {offset} is in Kafka's files, and not given");
                        found.fault(topic, partition, &what);
                    }
                    Fate::Committed | Fate::Open | Fate::Control => {}
                }
            }
        }
        found.aborted = Some(aborted);
        Ok(())
    }
}

impl Found {
    fn fault(&mut self, topic: &str, partition: i32, what: &str) {
        self.faults.push(Fault { at: format!("{topic}/{partition}"), what: what.to_owned() });
    }
}

/// The events of each aggregate, as they follow each other: its last sequence and digest.
#[derive(Default)]
struct Chains(HashMap<String, (i64, Vec<u8>)>);

impl Chains {
    fn follow(&mut self, input: &Input, found: &mut Found) {
        let place = Place { partition: input.partition, offset: input.offset, timestamp: input.timestamp };
        let value = input.value.as_deref().unwrap_or_default();
        let frame = match Frame::of(input.topic, place, &input.key, value) {
            Ok(frame) => frame,
            Err(error) => {
                let what = format!(
                    "the record at {} is no event, and so nobody's of this system: {error}",
                    input.offset
                );
                return found.fault(input.topic, input.partition, &what);
            }
        };
        let (last, digest) = self.0.entry(String::from_utf8_lossy(&input.key).into_owned()).or_default();
        if frame.sequence != *last + 1 || frame.predecessor != *digest {
            let what = format!(
                "the event at {}, {} of its aggregate, does not follow the one before it, {last}",
                input.offset, frame.sequence
            );
            found.fault(input.topic, input.partition, &what);
        }
        (*last, *digest) = (frame.sequence, frame.digest.to_vec());
    }
}

/// The log's tree, in memory.
#[derive(Default)]
struct Growing {
    size: u64,
    hashes: Vec<Hash>,
}

impl Growing {
    fn append(&mut self, leaf: &Digest) -> Result<(), tlog_tiles::Error> {
        let new = stored_hashes(self.size, leaf, self)?;
        self.hashes.extend(new);
        self.size += 1;
        Ok(())
    }
}

impl HashReader for Growing {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        let at = |index: &u64| usize::try_from(*index).ok().and_then(|index| self.hashes.get(index).copied());
        indexes.iter().map(|index| at(index).ok_or(tlog_tiles::Error::IndexesNotInTree)).collect()
    }
}
