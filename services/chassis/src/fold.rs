//! The fold of a service's own event topic: every aggregate's state, every command's outcome, every clock.
//!
//! It covers all partitions, so any instance can answer any question. A partition advances from the owner's
//! own commits or from the follower, never both: [`Fold::apply`] skips what is below the partition's position.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;
use parking_lot::Mutex;
use schemas::codes::RejectionCode;
use schemas::envelope::{Body, EventBody};
use schemas::ids::{AgencyId, CommandId};
use schemas::{Event, Timestamp, digest};
use serde::{Deserialize, Serialize};
use tokio::sync::{oneshot, watch};

use crate::decider::{Clock, Decider, Place, Service};
use crate::store::{Batch, Kind, Store, StoreError};

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
}

impl FoldError {
    /// Whether emptying the store and folding again can mend it.
    pub fn is_of_the_store(&self) -> bool {
        use StoreError::{Decode, Read, Write};
        matches!(self, Self::Gap { .. } | Self::Store(Decode(_) | Read(_) | Write(_)))
    }
}

pub struct Fold<S: Service> {
    store: Store,
    cache: Mutex<LruCache<String, Arc<Aggregate<S::State>>>>,
    positions: watch::Sender<Positions>,
    inputs: Mutex<HashMap<(String, i32), i64>>,
    waiting: Mutex<Waiting>,
    /// Whoever applies holds this: one batch after the other.
    applying: Mutex<()>,
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

impl<S: Service> Fold<S> {
    /// Takes up where the store left off.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open(store: Store, cached_aggregates: NonZeroUsize) -> Result<Self, FoldError> {
        let mut positions = Positions::new();
        for entry in store.all(Kind::Position) {
            let (key, value) = entry?;
            positions.insert(read_i32(&key), read_i64(&value));
        }
        let mut inputs = HashMap::new();
        for entry in store.all(Kind::Input) {
            let (key, value) = entry?;
            let (topic, partition) = key.split_at(key.len().saturating_sub(4));
            let topic = String::from_utf8_lossy(topic).into_owned();
            inputs.insert((topic, read_i32(partition)), read_i64(&value));
        }
        Ok(Self {
            store,
            cache: Mutex::new(LruCache::new(cached_aggregates)),
            positions: watch::Sender::new(positions),
            inputs: Mutex::new(inputs),
            waiting: Mutex::default(),
            applying: Mutex::default(),
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
        let aggregate = match self.store.get(Kind::Aggregate, id.as_bytes())? {
            Some(bytes) => postcard::from_bytes(&bytes).map_err(StoreError::Decode)?,
            None => return Ok(Arc::default()),
        };
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
        self.inputs.lock().get(&(topic.to_owned(), partition)).copied().unwrap_or(-1)
    }

    /// Follows the positions: for answers that wait until this instance has folded far enough.
    pub fn positions(&self) -> watch::Receiver<Positions> {
        self.positions.subscribe()
    }

    /// # Errors
    /// When the store cannot be read.
    pub fn outcome(&self, command: CommandId) -> Result<Option<Outcome>, FoldError> {
        let bytes = self.store.get(Kind::Outcome, command.as_uuid().as_bytes())?;
        Ok(bytes.map(|bytes| postcard::from_bytes(&bytes).map_err(StoreError::Decode)).transpose()?)
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
    ) -> impl DoubleEndedIterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> + use<S> {
        self.store.range(Kind::Index, from, to)
    }

    /// # Errors
    /// When the store cannot be read.
    pub fn index_entry(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(Kind::Index, key)
    }

    /// The clocks that are due, oldest first.
    pub fn due(&self, now: Timestamp) -> impl Iterator<Item = Result<DueClock, FoldError>> + use<S> {
        let end = now.plus_millis(1).as_millis().to_be_bytes();
        self.store.range(Kind::Clock, &[], &end).map(|entry| Ok(DueClock::read(&entry?.0)))
    }

    /// Folds events in, all of them or none. Skips what was folded before; answers whoever waits.
    ///
    /// # Errors
    /// When the store does not take the batch, or the topic has a gap: then the caller must not go on.
    pub fn apply(&self, records: &[Recorded<S::Event>]) -> Result<(), FoldError> {
        let _applying = self.applying.lock();
        let mut changes = Changes::<S>::new(self);
        for record in records {
            if record.place.offset >= changes.position(record.place.partition) {
                changes.take_in(record)?;
            }
        }
        let Changes { aggregates, positions, inputs, outcomes, batch, .. } = changes.finish()?;
        self.store.apply(batch)?;
        {
            let mut cache = self.cache.lock();
            for (id, changed) in aggregates {
                cache.put(id, Arc::new(changed.aggregate));
            }
        }
        self.inputs.lock().extend(inputs);
        self.positions.send_modify(|all| all.extend(positions));
        self.answer(outcomes);
        Ok(())
    }

    /// Empties the store and begins the fold anew.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn clear(&self) -> Result<(), FoldError> {
        let _applying = self.applying.lock();
        // One that a write has failed on cannot even be emptied.
        self.store.clear().or_else(|_| self.store.renew())?;
        self.cache.lock().clear();
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

/// What one call of [`Fold::apply`] changes, until it is written as one batch.
struct Changes<'a, S: Service> {
    fold: &'a Fold<S>,
    aggregates: HashMap<String, Changed<S>>,
    positions: Positions,
    inputs: HashMap<(String, i32), i64>,
    outcomes: HashMap<CommandId, Outcome>,
    batch: Batch,
}

/// An aggregate that a batch changes: as it is by now, and the clocks that ran before.
struct Changed<S: Service> {
    aggregate: Aggregate<S::State>,
    partition: i32,
    clocks_before: Vec<Clock<S::Command>>,
}

impl<'a, S: Service> Changes<'a, S> {
    fn new(fold: &'a Fold<S>) -> Self {
        Self {
            fold,
            aggregates: HashMap::new(),
            positions: Positions::new(),
            inputs: HashMap::new(),
            outcomes: HashMap::new(),
            batch: Batch::default(),
        }
    }

    fn position(&self, partition: i32) -> i64 {
        self.positions.get(&partition).copied().unwrap_or_else(|| self.fold.position(partition))
    }

    fn take_in(&mut self, record: &Recorded<S::Event>) -> Result<(), FoldError> {
        let event = &record.event;
        let Changed { aggregate, .. } = match self.aggregates.entry(event.aggregate_id.clone()) {
            Entry::Occupied(changed) => changed.into_mut(),
            Entry::Vacant(place) => {
                let aggregate = Aggregate::clone(&*self.fold.aggregate(&event.aggregate_id)?);
                let clocks_before = S::clocks(&aggregate.state);
                place.insert(Changed { aggregate, partition: record.place.partition, clocks_before })
            }
        };
        if event.sequence != aggregate.sequence + 1 {
            return Err(FoldError::Gap {
                aggregate_id: event.aggregate_id.clone(),
                sequence: event.sequence,
                after: aggregate.sequence,
            });
        }
        S::evolve(&mut aggregate.state, event);
        aggregate.sequence = event.sequence;
        aggregate.predecessor = record.digest.to_vec();
        for entry in S::index(&aggregate.state, event, record.place) {
            match entry.value {
                Some(value) => self.batch.put(Kind::Index, &entry.key, value),
                None => self.batch.delete(Kind::Index, &entry.key),
            }
        }
        self.note_outcome(record);
        let input = (event.input.topic.clone(), event.input.partition);
        let last = self.inputs.entry(input).or_insert(event.input.offset);
        *last = event.input.offset.max(*last);
        self.positions.insert(record.place.partition, record.place.offset + 1);
        Ok(())
    }

    fn note_outcome(&mut self, record: &Recorded<S::Event>) {
        let event = &record.event;
        // Only commands have an outcome to be asked for; other causes are events of other services.
        if event.input.topic != S::Command::TOPIC {
            return;
        }
        let Ok(command) = event.cause.parse::<CommandId>() else { return };
        let verdict = match (event.body.as_rejected(), event.body.as_failed()) {
            (Some(rejected), _) => {
                Verdict::Rejected { code: rejected.code, pointer: rejected.pointer.clone() }
            }
            (_, Some(failed)) => Verdict::Failed { reason: failed.reason.clone() },
            _ => Verdict::Done,
        };
        let outcome = Outcome {
            aggregate_id: event.aggregate_id.clone(),
            agency: event.agency.clone(),
            partition: record.place.partition,
            offset: record.place.offset,
            digest: event.cause_digest.clone(),
            verdict,
        };
        self.outcomes.insert(command, outcome);
    }

    fn finish(mut self) -> Result<Self, FoldError> {
        for (id, changed) in &self.aggregates {
            self.batch.put(Kind::Aggregate, id.as_bytes(), encode(&changed.aggregate)?);
            move_clocks(&mut self.batch, id, changed);
        }
        for (partition, offset) in &self.positions {
            self.batch.put(Kind::Position, &partition.to_be_bytes(), offset.to_be_bytes());
        }
        for ((topic, partition), offset) in &self.inputs {
            let mut key = topic.clone().into_bytes();
            key.extend_from_slice(&partition.to_be_bytes());
            self.batch.put(Kind::Input, &key, offset.to_be_bytes());
        }
        for (command, outcome) in &self.outcomes {
            self.batch.put(Kind::Outcome, command.as_uuid().as_bytes(), encode(outcome)?);
        }
        Ok(self)
    }
}

fn move_clocks<S: Service>(batch: &mut Batch, id: &str, changed: &Changed<S>) {
    let (before, after) = (&changed.clocks_before, S::clocks(&changed.aggregate.state));
    let key = |clock: &Clock<S::Command>| {
        let (aggregate_id, name) = (id.to_owned(), clock.name.clone());
        DueClock { due: clock.due, partition: changed.partition, aggregate_id, name }.write()
    };
    for clock in before.iter().filter(|clock| !after.contains(clock)) {
        batch.delete(Kind::Clock, &key(clock));
    }
    for clock in after.iter().filter(|clock| !before.contains(clock)) {
        batch.put(Kind::Clock, &key(clock), Vec::new());
    }
}

/// A clock as the store keys it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DueClock {
    pub due: Timestamp,
    pub partition: i32,
    pub aggregate_id: String,
    pub name: String,
}

impl DueClock {
    fn write(&self) -> Vec<u8> {
        let mut key = self.due.as_millis().to_be_bytes().to_vec();
        key.extend_from_slice(&self.partition.to_be_bytes());
        key.extend_from_slice(self.aggregate_id.as_bytes());
        key.push(0);
        key.extend_from_slice(self.name.as_bytes());
        key
    }

    fn read(key: &[u8]) -> Self {
        let (due, rest) = key.split_at(8.min(key.len()));
        let (partition, rest) = rest.split_at(4.min(rest.len()));
        let text = String::from_utf8_lossy(rest);
        let (aggregate_id, name) = text.split_once('\0').unwrap_or((&text, ""));
        Self {
            due: Timestamp::from_millis(read_i64(due)),
            partition: read_i32(partition),
            aggregate_id: aggregate_id.to_owned(),
            name: name.to_owned(),
        }
    }
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    postcard::to_stdvec(value).map_err(StoreError::Decode)
}

fn read_i64(bytes: &[u8]) -> i64 {
    bytes.try_into().map(i64::from_be_bytes).unwrap_or_default()
}

fn read_i32(bytes: &[u8]) -> i32 {
    bytes.try_into().map(i32::from_be_bytes).unwrap_or_default()
}

/// The state of an aggregate that a batch has changed but not yet committed.
pub(crate) type Overlay<D> = HashMap<String, Aggregate<<D as Decider>::State>>;
