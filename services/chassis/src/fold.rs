//! The fold of a service's own event topic: every aggregate's state, every command's outcome, every clock.
//!
//! It covers all partitions, so any instance can answer any question. A partition advances from the owner's
//! own commits ([`Fold::adopt`]) or from the follower ([`Fold::apply`]), never from both.

mod changes;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lru::LruCache;
use parking_lot::Mutex;
use schemas::codes::RejectionCode;
use schemas::envelope::EventBody;
use schemas::ids::{AgencyId, CommandId};
use schemas::{Event, Timestamp, digest};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::{oneshot, watch};
use tracing::error;

use crate::decider::{Place, Service};
use crate::problem::chain;
use crate::store::{Batch, Kind, Store, StoreError};

pub(crate) use changes::{Changes, Noted};

/// One aggregate: its state, and where its stream of events has got to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Aggregate<S> {
    /// The sequence of its last event; 0 before the first.
    pub sequence: i64,
    /// Digest of its last event; empty before the first.
    pub predecessor: Vec<u8>,
    pub state: S,
}

impl<S: Default> Default for Aggregate<S> {
    fn default() -> Self {
        Self { sequence: 0, predecessor: Vec::new(), state: S::default() }
    }
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub aggregate_id: String,
    /// Who gave the command.
    pub agency: AgencyId,
    /// The last event that answers the command.
    pub partition: i32,
    pub offset: i64,
    /// That event's sequence, and its digest.
    pub sequence: i64,
    pub event: Vec<u8>,
    /// Digest over what the command asked.
    pub digest: Vec<u8>,
    pub verdict: Verdict,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    Done,
    Rejected { code: RejectionCode, pointer: Option<String> },
    Failed { reason: String },
}

/// An event as it stands in the topic.
pub struct Recorded<E: EventBody> {
    pub place: Place,
    pub event: Event<E>,
    /// Digest of the record: the predecessor of the aggregate's next event.
    pub digest: [u8; 32],
}

impl<E: EventBody> Recorded<E> {
    pub fn new(place: Place, event: Event<E>, value: &[u8]) -> Self {
        let digest = digest::of_record(E::TOPIC, event.aggregate_id.as_bytes(), value);
        Self { place, event, digest }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("event {sequence} of aggregate {aggregate_id} follows {after}: the topic is not in order")]
    Gap { aggregate_id: String, sequence: i64, after: i64 },
    #[error("an entry of the store could not be read")]
    Suspect,
    #[error("offset {offset} of partition {partition} was folded before it was committed here")]
    FoldedBefore { partition: i32, offset: i64 },
}

impl FoldError {
    /// Whether emptying the store and folding again can mend it.
    pub fn is_of_the_store(&self) -> bool {
        use StoreError::{Decode, Read, Write};
        matches!(self, Self::Gap { .. } | Self::Suspect | Self::Store(Decode(_) | Read(_) | Write(_)))
    }
}

pub struct Fold<S: Service> {
    store: Store,
    cache: Mutex<LruCache<String, Arc<Aggregate<S::State>>>>,
    positions: watch::Sender<Positions>,
    /// Up to where the store may hold aggregates that are ahead of the position: writing was cut off.
    ahead: Mutex<Positions>,
    inputs: Mutex<Inputs>,
    waiting: Mutex<Waiting>,
    /// Whoever applies holds this: one batch after the other.
    applying: Mutex<()>,
    /// Whether it was read to the topic's end since it began: before that, nothing follows from what is not there.
    is_whole: AtomicBool,
    /// Whether a reader has met what cannot be read.
    is_suspect: AtomicBool,
}

/// Who waits for which command's outcome.
#[derive(Default)]
struct Waiting {
    senders: HashMap<CommandId, Vec<oneshot::Sender<Outcome>>>,
    /// At so many, those that have gone are looked for.
    sweep_at: usize,
}

/// Fewer than this are not worth a sweep.
const LEAST_SWEPT: usize = 1_024;

impl Waiting {
    fn add(&mut self, command: CommandId, sender: oneshot::Sender<Outcome>) {
        if self.senders.len() >= self.sweep_at.max(LEAST_SWEPT) {
            self.senders.retain(|_, senders| {
                senders.retain(|sender| !sender.is_closed());
                !senders.is_empty()
            });
            self.sweep_at = self.senders.len() * 2;
        }
        self.senders.entry(command).or_default().push(sender);
    }
}

/// The next offset per partition of the own event topic.
pub type Positions = HashMap<i32, i64>;
/// The last input answered, by topic and partition.
type Inputs = HashMap<String, HashMap<i32, i64>>;

fn input_of(inputs: &Inputs, topic: &str, partition: i32) -> Option<i64> {
    inputs.get(topic)?.get(&partition).copied()
}

impl<S: Service> Fold<S> {
    /// Takes up where the store left off, or begins anew when it cannot be read.
    ///
    /// # Errors
    /// When not even an empty store can be made.
    pub fn open(store: Store, cached_aggregates: NonZeroUsize) -> Result<Self, FoldError> {
        let standing = Standing::read(&store).or_else(|error| {
            error!(error = %chain(&error), "failed to read where the store stands");
            store.renew()?;
            Standing::read(&store)
        })?;
        Ok(Self {
            store,
            cache: Mutex::new(LruCache::new(cached_aggregates)),
            positions: watch::Sender::new(standing.positions),
            ahead: Mutex::new(standing.ahead),
            inputs: Mutex::new(standing.inputs),
            waiting: Mutex::default(),
            applying: Mutex::default(),
            is_whole: AtomicBool::new(false),
            is_suspect: AtomicBool::new(false),
        })
    }

    /// The aggregate as of everything folded; the default when nothing was.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn aggregate(&self, id: &str) -> Result<Arc<Aggregate<S::State>>, FoldError> {
        // Held over the read: what is read before an apply is cached before it, so that the newer stays.
        let mut cache = self.cache.lock();
        if let Some(aggregate) = cache.get(id) {
            return Ok(Arc::clone(aggregate));
        }
        let Some(aggregate) = self.read(Kind::Aggregate, id.as_bytes())? else { return Ok(Arc::default()) };
        let aggregate = Arc::new(aggregate);
        cache.put(id.to_owned(), Arc::clone(&aggregate));
        Ok(aggregate)
    }

    /// The next offset of the own topic's partition.
    pub fn position(&self, partition: i32) -> i64 {
        self.positions.borrow().get(&partition).copied().unwrap_or(0)
    }

    /// The last input of a topic's partition that an event answers; -1 before the first.
    pub fn input(&self, topic: &str, partition: i32) -> i64 {
        input_of(&self.inputs.lock(), topic, partition).unwrap_or(-1)
    }

    /// Whether the store may hold what follows from the event there, although its position says otherwise.
    fn is_ahead(&self, place: Place) -> bool {
        self.ahead.lock().get(&place.partition).is_some_and(|next| place.offset < *next)
    }

    /// Follows the positions: for answers that wait until this instance has folded far enough.
    pub fn positions(&self) -> watch::Receiver<Positions> {
        self.positions.subscribe()
    }

    /// # Errors
    /// When the store cannot be read.
    pub fn outcome(&self, command: CommandId) -> Result<Option<Outcome>, FoldError> {
        self.read(Kind::Outcome, command.as_uuid().as_bytes())
    }

    fn read<T: DeserializeOwned>(&self, kind: Kind, key: &[u8]) -> Result<Option<T>, FoldError> {
        let bytes = self.store.get(kind, key);
        let read = bytes.and_then(|bytes| {
            bytes.map(|bytes| postcard::from_bytes(&bytes).map_err(StoreError::Decode)).transpose()
        });
        // The runner sets such a store aside, whoever has met it.
        Ok(read.inspect_err(|_| self.is_suspect.store(true, Ordering::Relaxed))?)
    }

    /// Whether everything in the topic was folded once since the fold began.
    pub fn is_whole(&self) -> bool {
        self.is_whole.load(Ordering::Relaxed)
    }

    /// To be told once the topic was folded to its end.
    pub(crate) fn note_whole(&self) {
        self.is_whole.store(true, Ordering::Relaxed);
    }

    /// # Errors
    /// When a reader has met what cannot be read.
    pub(crate) fn check(&self) -> Result<(), FoldError> {
        if self.is_suspect.load(Ordering::Relaxed) { Err(FoldError::Suspect) } else { Ok(()) }
    }

    /// Hears of the command's outcome once it is folded. Ask for [`Fold::outcome`] after, not before.
    pub fn wait_for(&self, command: CommandId) -> oneshot::Receiver<Outcome> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().add(command, sender);
        receiver
    }

    /// Entries of the service's index with `from <= key < to`.
    pub fn index(
        &self,
        from: &[u8],
        to: &[u8],
    ) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> + use<S> {
        self.store.range(Kind::Index, from, to)
    }

    /// # Errors
    /// When the store cannot be read.
    pub fn index_entry(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(Kind::Index, key)
    }

    /// The aggregates that a clock is due in, oldest first.
    pub fn due(&self, now: Timestamp) -> impl Iterator<Item = Result<Due, FoldError>> + use<S> {
        let end = now.plus_millis(1).as_millis().to_be_bytes();
        self.store.range(Kind::Clock, &[], &end).map(|entry| Ok(Due::read(&entry?.0)))
    }

    /// Folds events in as they stand in the topic, all of them or none. Skips what was folded before.
    ///
    /// # Errors
    /// When the store does not take the batch, or the topic has a gap: then the caller must not go on.
    pub fn apply(&self, records: &[Recorded<S::Event>]) -> Result<(), FoldError> {
        let _applying = self.applying.lock();
        let (mut changes, mut placed) = (Changes::default(), Vec::with_capacity(records.len()));
        for record in
            records.iter().filter(|record| record.place.offset >= self.position(record.place.partition))
        {
            placed.push((changes.take_in(self, record)?, record.place.offset));
        }
        self.take(changes, placed)
    }

    /// Folds in what was decided on this fold and is committed now: each event's note with its offset.
    ///
    /// # Errors
    /// When the store does not take it: then the caller must not go on.
    pub(crate) fn adopt(
        &self,
        changes: Changes<S>,
        placed: impl IntoIterator<Item = (Noted, i64)>,
    ) -> Result<(), FoldError> {
        let _applying = self.applying.lock();
        self.take(changes, placed)
    }

    /// Writes it as one batch, and answers whoever waits.
    fn take(
        &self,
        changes: Changes<S>,
        placed: impl IntoIterator<Item = (Noted, i64)>,
    ) -> Result<(), FoldError> {
        let Changes { aggregates, answered } = changes;
        let inputs = answered.inputs;
        let (mut batch, mut positions) = (Batch::default(), self.positions.borrow().clone());
        let mut outcomes = HashMap::new();
        for (noted, offset) in placed {
            let Noted { partition, outcome, index } = noted;
            let next = positions.entry(partition).or_default();
            if offset < *next {
                return Err(FoldError::FoldedBefore { partition, offset });
            }
            *next = offset + 1;
            for entry in index {
                let key = entry.key.at(Place { partition, offset });
                match entry.value {
                    Some(value) => batch.put(Kind::Index, &key, value),
                    None => batch.delete(Kind::Index, &key),
                }
            }
            if let Some((command, outcome)) = outcome {
                outcomes.insert(command, Outcome { offset, ..outcome });
            }
        }
        let changed = || aggregates.iter().filter(|(_, changed)| changed.is_changed());
        for (id, changed) in changed() {
            batch.put(Kind::Aggregate, id.as_bytes(), encode(&*changed.aggregate)?);
            changed.move_clock(&mut batch, id);
        }
        let ahead = self.ahead.lock().clone();
        for (partition, offset) in &positions {
            batch.put(Kind::Position, &partition.to_be_bytes(), offset.to_be_bytes());
            // Where a store was cut off while it was folded again, it stays ahead until all of that is folded.
            let ahead = ahead.get(partition).copied().unwrap_or_default().max(*offset);
            batch.put(Kind::Ahead, &partition.to_be_bytes(), ahead.to_be_bytes());
        }
        for (topic, last) in &inputs {
            for (partition, offset) in last {
                let key = [topic.as_bytes(), &partition.to_be_bytes()].concat();
                batch.put(Kind::Input, &key, offset.to_be_bytes());
            }
        }
        for (command, outcome) in &outcomes {
            batch.put(Kind::Outcome, command.as_uuid().as_bytes(), encode(outcome)?);
        }
        self.store.apply(batch)?;
        {
            let mut cache = self.cache.lock();
            for (id, changed) in aggregates {
                cache.put(id, changed.aggregate);
            }
        }
        {
            let mut all = self.inputs.lock();
            for (topic, last) in inputs {
                all.entry(topic).or_default().extend(last);
            }
        }
        self.positions.send_replace(positions);
        self.answer(outcomes);
        Ok(())
    }

    /// Empties the store and begins the fold anew.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn clear(&self) -> Result<(), FoldError> {
        let _applying = self.applying.lock();
        self.is_whole.store(false, Ordering::Relaxed);
        self.store.renew()?;
        self.cache.lock().clear();
        self.ahead.lock().clear();
        self.is_suspect.store(false, Ordering::Relaxed);
        self.inputs.lock().clear();
        self.positions.send_replace(Positions::new());
        Ok(())
    }

    fn answer(&self, outcomes: HashMap<CommandId, Outcome>) {
        let mut waiting = self.waiting.lock();
        for (command, outcome) in outcomes {
            for sender in waiting.senders.remove(&command).unwrap_or_default() {
                // Whoever asked may have gone; the outcome stands in the store all the same.
                let _ = sender.send(outcome.clone());
            }
        }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }
}

/// An aggregate and its next moment, as the store keys it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Due {
    pub due: Timestamp,
    pub partition: i32,
    pub aggregate_id: String,
}

impl Due {
    fn write(&self) -> Vec<u8> {
        let mut key = self.due.as_millis().to_be_bytes().to_vec();
        key.extend_from_slice(&self.partition.to_be_bytes());
        key.extend_from_slice(self.aggregate_id.as_bytes());
        key
    }

    fn read(key: &[u8]) -> Self {
        let (due, rest) = key.split_at(8.min(key.len()));
        let (partition, aggregate_id) = rest.split_at(4.min(rest.len()));
        Self {
            due: Timestamp::from_millis(read_i64(due)),
            partition: read_i32(partition),
            aggregate_id: String::from_utf8_lossy(aggregate_id).into_owned(),
        }
    }
}

/// How far a store has got.
struct Standing {
    positions: Positions,
    ahead: Positions,
    inputs: Inputs,
}

impl Standing {
    fn read(store: &Store) -> Result<Self, StoreError> {
        let mut inputs = Inputs::new();
        for entry in store.all(Kind::Input) {
            let (key, value) = entry?;
            let (topic, partition) = key.split_at(key.len().saturating_sub(4));
            let topic = String::from_utf8_lossy(topic).into_owned();
            inputs.entry(topic).or_default().insert(read_i32(partition), read_i64(&value));
        }
        let (positions, ahead) =
            (read_positions(store, Kind::Position)?, read_positions(store, Kind::Ahead)?);
        Ok(Self { positions, ahead, inputs })
    }
}

fn read_positions(store: &Store, kind: Kind) -> Result<Positions, StoreError> {
    store.all(kind).map(|entry| entry.map(|(key, value)| (read_i32(&key), read_i64(&value)))).collect()
}

/// Room for an entry of usual size: an aggregate has a few kilobytes.
const ENTRY_BYTES: usize = 4_096;

fn encode(value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    postcard::to_extend(value, Vec::with_capacity(ENTRY_BYTES)).map_err(StoreError::Decode)
}

fn read_i64(bytes: &[u8]) -> i64 {
    bytes.try_into().map(i64::from_be_bytes).unwrap_or_default()
}

fn read_i32(bytes: &[u8]) -> i32 {
    bytes.try_into().map(i32::from_be_bytes).unwrap_or_default()
}
