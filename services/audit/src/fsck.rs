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
use schemas::audit::{Checkpoint, Leaf, Sequenced};
use schemas::codec::{Codec, CodecError};
use schemas::envelope::Body;
use schemas::topics;
use serde::{Deserialize, Serialize};
use tlog_tiles::{HashReader, stored_hashes, tree_hash};
use tokio::runtime::Handle;

use crate::sequencing::{self, Refusals};
use crate::served::{Served, ServedError};
use crate::succession::{self, Predecessor};

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
    #[error("failed to read what is served")]
    Served(#[from] ServedError),
}

/// Something that is not as it has to be, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// A topic and a partition, or an address.
    pub at: String,
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.what)
    }
}

/// Leaves of a log before, which a restore has lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    pub origin: String,
    /// So many leaves were signed, and so many restored.
    pub signed: u64,
    pub restored: u64,
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Found {
    pub leaves: u64,
    pub checkpoints: usize,
    pub records: u64,
    /// Records that came after the log was read: their leaves may be yet to come.
    pub not_yet_sequenced: u64,
    /// What a restore has lost, by what the log owns up to.
    pub lost: Vec<Lost>,
    /// Records of aborted transactions, by Kafka's files; none where they were not read.
    pub aborted: Option<u64>,
    /// Tiles and entries that a running service shows as they are; none where it was not asked.
    pub tiles: Option<usize>,
    pub faults: Vec<Fault>,
}

/// The leaves of one partition by offset: the place in the log, and what stands there.
type Leaves = BTreeMap<i64, (u64, Leaf)>;

/// What the log's own topic holds.
#[derive(Default)]
struct Log {
    tree: Growing,
    leaves: BTreeMap<(String, i32), Leaves>,
    /// Leaves that own up to a log before, by place; those that a head was found for are taken out.
    successions: BTreeMap<u64, Digest>,
}

pub struct Fsck<'a> {
    pub kafka: &'a Kafka,
    pub codec: &'a Codec,
    pub key: &'a LogKey,
    /// The logs that this one goes on from after restores.
    pub predecessors: &'a [Predecessor],
    /// Where a running service shows its log, if that is to be compared.
    pub served: Option<&'a str>,
    /// A broker's data directory, where its files can be read.
    pub files: Option<&'a Path>,
}

impl Fsck<'_> {
    /// Blocks: call it where a runtime allows that.
    ///
    /// # Errors
    /// When something cannot be read. What is wrong with it is among what was found.
    pub fn run(&self, tell: &mut dyn FnMut(&str)) -> Result<Found, FsckError> {
        let mut found = Found::default();
        // What is signed stands in the log already: so the heads are read first, while everything goes on.
        tell("reading the heads that were signed");
        let mut heads = Vec::new();
        scan(self.kafka, Checkpoint::TOPIC, 0, |input| heads.push((input.offset, input.value)))?;
        let served = self.served.map(|address| Handle::current().block_on(Served::open(address)));
        let served = served.transpose()?;
        tell("reading the log");
        let Log { tree, mut leaves, mut successions } = self.log(&mut found)?;
        self.heads(heads, &tree, &mut successions, &mut found)?;
        for place in successions.keys() {
            let what = format!("leaf {place} owns up to a head of a log before that there is not");
            found.fault(Sequenced::TOPIC, 0, &what);
        }
        if let Some(served) = served {
            tell("comparing what is served");
            let (faults, tiles) = Handle::current().block_on(served.compare(self.key, &tree, tree.size))?;
            found.tiles = Some(tiles);
            let at = self.served.unwrap_or_default();
            found.faults.extend(faults.into_iter().map(|what| Fault { at: at.to_owned(), what }));
        }
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

    fn log(&self, found: &mut Found) -> Result<Log, FsckError> {
        let (mut log, mut records) = (Log::default(), Vec::new());
        scan(self.kafka, Sequenced::TOPIC, 0, |input| records.push((input.offset, input.value)))?;
        for (offset, value) in records {
            let sequenced: Sequenced = self.codec.decode::<Sequenced, _>(&value.unwrap_or_default())?;
            if i64::try_from(log.tree.size) != Ok(sequenced.first) {
                let (first, size) = (sequenced.first, log.tree.size);
                let what = format!("the record at {offset} goes on at leaf {first}, after {size}");
                found.fault(Sequenced::TOPIC, 0, &what);
            }
            for leaf in sequenced.leaves {
                let Ok(commitment) = Digest::try_from(leaf.commitment.as_slice()) else {
                    let what = format!("the record at {offset} holds a leaf of another size");
                    found.fault(Sequenced::TOPIC, 0, &what);
                    continue;
                };
                let place = log.tree.size;
                log.tree.append(&commitment)?;
                if leaf.topic == Checkpoint::TOPIC {
                    log.successions.insert(place, commitment);
                    continue;
                }
                let (topic, partition, offset) = (leaf.topic.clone(), leaf.partition, leaf.offset);
                let of_partition = log.leaves.entry((topic.clone(), partition)).or_default();
                if of_partition.last_key_value().is_some_and(|(last, (_, _))| *last > offset) {
                    let what = format!("leaf {place} stands behind those of later records");
                    found.fault(&topic, partition, &what);
                }
                if let Some((other, _)) = of_partition.insert(offset, (place, leaf)) {
                    let what = format!("the record at {offset} has two leaves, {other} and {place}");
                    found.fault(&topic, partition, &what);
                }
            }
        }
        found.leaves = log.tree.size;
        Ok(log)
    }

    fn heads(
        &self,
        heads: Vec<(i64, Option<Vec<u8>>)>,
        tree: &Growing,
        successions: &mut BTreeMap<u64, Digest>,
        found: &mut Found,
    ) -> Result<(), FsckError> {
        found.checkpoints = heads.len();
        let mut before = 0;
        for (offset, value) in heads {
            let checkpoint: Checkpoint = self.codec.decode::<Checkpoint, _>(&value.unwrap_or_default())?;
            if checkpoint.origin != self.key.name() {
                self.earlier_head(offset, &checkpoint, tree, successions, found)?;
                continue;
            }
            let signed = match Root::open(&checkpoint.note, self.key) {
                Ok(signed) => signed,
                Err(error) => {
                    found.fault(Checkpoint::TOPIC, 0, &format!("the head at {offset}: {error}"));
                    continue;
                }
            };
            if u64::try_from(checkpoint.size) != Ok(signed.size) {
                let what =
                    format!("the head at {offset} is of {} leaves, not of {}", signed.size, checkpoint.size);
                found.fault(Checkpoint::TOPIC, 0, &what);
            }
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

    /// A head of the log before: what was restored of it is its own, and the rest is lost.
    fn earlier_head(
        &self,
        offset: i64,
        checkpoint: &Checkpoint,
        tree: &Growing,
        successions: &mut BTreeMap<u64, Digest>,
        found: &mut Found,
    ) -> Result<(), FsckError> {
        let mut before = self.predecessors.iter();
        let Some(predecessor) = before.find(|before| before.key.name() == checkpoint.origin) else {
            let what = format!(
                "the head at {offset} is of the log {}, which audit.succeeds does not name",
                checkpoint.origin
            );
            found.fault(Checkpoint::TOPIC, 0, &what);
            return Ok(());
        };
        let signed = match Root::open(&checkpoint.note, &predecessor.key) {
            Ok(signed) => signed,
            Err(error) => {
                found.fault(Checkpoint::TOPIC, 0, &format!("the head at {offset}: {error}"));
                return Ok(());
            }
        };
        let owned = succession::commitment(&checkpoint.note);
        let leaf = successions.iter().find(|(_, leaf)| **leaf == owned).map(|(place, _)| *place);
        let lost = |restored| Lost { origin: checkpoint.origin.clone(), signed: signed.size, restored };
        if let Some(restored) = leaf {
            successions.remove(&restored);
            found.lost.push(lost(restored));
        } else if found
            .lost
            .iter()
            .any(|known| known.signed == signed.size && known.origin == checkpoint.origin)
        {
            // The same head once more: it may have been published twice.
        } else if signed.size > tree.size || tree_hash(signed.size, tree)? != signed.hash {
            let what = format!(
                "the head at {offset}, of {} leaves of the log before, is not that of what was restored",
                signed.size
            );
            found.fault(Checkpoint::TOPIC, 0, &what);
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
        let mut refusals = Refusals::new(self.codec.clone());
        let read = scan(self.kafka, topic, partition, |input| {
            found.records += 1;
            committed.push(input.offset);
            chains.follow(&input, found);
            let derived = sequencing::leaf(&input, &mut refusals);
            match leaves.remove(&input.offset) {
                Some((_, leaf)) if leaf == derived || leaf == unsaid(&derived) => {}
                Some((place, leaf)) if leaf.commitment == derived.commitment => {
                    let what = format!("what stands beside leaf {place} is not what its record says");
                    found.fault(topic, partition, &what);
                }
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

/// As a writer wrote it that did not know yet what the event's schema says.
fn unsaid(leaf: &Leaf) -> Leaf {
    Leaf { agency: String::new(), actor: String::new(), ..leaf.clone() }
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
