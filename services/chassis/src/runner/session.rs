//! One membership of the group with its two producers: from joining until something makes it begin anew.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};
use schemas::envelope::Body;
use schemas::ids::CommandId;
use schemas::{Actor, Command, InputPosition};
use tracing::{debug, info, warn};

use crate::decider::Service;
use crate::failpoint::Step;
use crate::fold::{DueClock, FoldError};
use crate::follower::{self, FollowerHandle, Order, TakenOver};
use crate::problem;
use crate::runner::Runner;
use crate::runner::batch::{self, Batch, Draft, Input, Stop};
use crate::runner::group::{Change, Group, NextOffsets};
use crate::runner::lag;
use crate::telemetry::Hop;
use crate::transaction::{TransactionError, TransactionalProducer};

/// Most inputs in one transaction: bounds memory, and how much an abort costs.
const MAX_BATCH: usize = 2_000;
/// Most bytes of inputs in one transaction.
const MAX_BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Longest wait for an input before clocks, take-overs and the stop sign are looked at.
const POLL: Duration = Duration::from_millis(50);
/// The same while a partition is being taken over.
const POLL_TAKING_OVER: Duration = Duration::from_millis(5);
/// How long a partition that was taken over waits for the others.
const GATHER: Duration = Duration::from_millis(200);
/// How often due clocks are looked for.
const TICK: Duration = Duration::from_millis(100);
/// Most clocks rung in one tick.
const MAX_RINGS: usize = 1_000;
/// A clock whose command was written is not rung again for so long; then its command is taken for lost.
const RING_AGAIN: Duration = Duration::from_secs(10);
/// How long a partition waits at a record of a schema unknown here.
const UNKNOWN_SCHEMA_PAUSE: Duration = Duration::from_secs(5);
/// Pause after an aborted transaction, doubled up to the longest.
const ABORT_PAUSE: Duration = Duration::from_millis(50);
const ABORT_PAUSE_LONGEST: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error("failed to set up Kafka's clients")]
    Clients(#[source] KafkaError),
    #[error("failed to read the inputs")]
    Read(#[source] KafkaError),
    #[error("the session's producers must be replaced")]
    Producer(#[from] TransactionError),
    #[error("the follower has stopped")]
    NoFollower,
    #[error("inputs of {topic}/{partition} are gone: {next} is asked for, {low} is the first that is there")]
    InputsGone { topic: String, partition: i32, next: i64, low: i64 },
    #[error(transparent)]
    Fold(#[from] FoldError),
}

pub struct Session<'a, S: Service> {
    runner: &'a Runner<S>,
    /// What the lag is measured by: a copy of `owned`.
    measured: &'a lag::Owned,
    follower: FollowerHandle,
    group: Group,
    producers: [TransactionalProducer; 2],
    turn: usize,
    /// Writes the commands of due clocks.
    bell: ThreadedProducer<DefaultProducerContext>,
    rung: HashMap<DueClock, Instant>,
    ticked: Instant,
    /// What the group has assigned here.
    assigned: BTreeSet<i32>,
    /// What was taken over, with the next offset of each input.
    owned: BTreeMap<i32, NextOffsets>,
    /// Since when a partition that was taken over waits for others to begin with.
    ready_since: Option<Instant>,
    /// Partitions that wait for a schema, until when.
    waiting: BTreeMap<i32, Instant>,
    abort_pause: Duration,
}

impl<'a, S: Service> Session<'a, S> {
    /// # Errors
    /// When Kafka cannot be reached in time.
    pub fn begin(
        runner: &'a Runner<S>,
        follower: FollowerHandle,
        measured: &'a lag::Owned,
    ) -> Result<Self, SessionError> {
        let producer = |turn| {
            TransactionalProducer::start(&runner.kafka.transactional_producer(
                S::NAME,
                &runner.instance,
                turn,
            ))
            .map_err(SessionError::Clients)
        };
        let producers = [producer(0)?, producer(1)?];
        let bell = runner.kafka.producer().create().map_err(SessionError::Clients)?;
        let member = runner.kafka.group_member(S::NAME, &runner.instance);
        let group =
            Group::join(&member, &follower::inputs::<S>(&runner.kafka)).map_err(SessionError::Clients)?;
        Ok(Self {
            runner,
            measured,
            follower,
            group,
            producers,
            turn: 0,
            bell,
            rung: HashMap::new(),
            ticked: Instant::now(),
            assigned: BTreeSet::new(),
            owned: BTreeMap::new(),
            ready_since: None,
            waiting: BTreeMap::new(),
            abort_pause: ABORT_PAUSE,
        })
    }

    /// Works until told to stop.
    ///
    /// # Errors
    /// What makes everything begin anew; see [`SessionError`].
    pub fn work(&mut self) -> Result<(), SessionError> {
        while !self.runner.status.is_stopping() {
            // Before collecting: what makes the partitions flow anew drops what was fetched and not yet answered.
            self.take_over_what_is_ready()?;
            self.resume_what_waited()?;
            let inputs = self.collect()?;
            self.follow_the_group()?;
            if !inputs.is_empty() {
                self.answer(inputs)?;
            }
            self.ring_due_clocks()?;
        }
        Ok(())
    }

    /// Everything that is there, up to the limits. The queue being empty closes the batch.
    fn collect(&self) -> Result<Vec<Input>, SessionError> {
        let taking_over = self.owned.len() < self.assigned.len();
        let mut wait = if taking_over { POLL_TAKING_OVER } else { POLL };
        let mut inputs = Vec::new();
        let mut bytes = 0;
        while inputs.len() < MAX_BATCH && bytes < MAX_BATCH_BYTES {
            match self.group.consumer().poll(wait) {
                None => break,
                Some(Ok(message)) => {
                    bytes += message.payload_len();
                    inputs.push(self.input(&message));
                }
                Some(Err(error)) if makes_begin_anew(&error) => return Err(SessionError::Read(error)),
                Some(Err(error)) => {
                    debug!(service = S::NAME, error = %error, "kafka is not reachable for now");
                    break;
                }
            }
            wait = Duration::ZERO;
        }
        Ok(inputs)
    }

    fn input(&self, message: &impl Message<Headers: rdkafka::message::Headers>) -> Input {
        Input {
            position: InputPosition {
                topic: self.runner.kafka.without_prefix(message.topic()).to_owned(),
                partition: message.partition(),
                offset: message.offset(),
            },
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            traceparent: message.headers().and_then(batch::traceparent),
            written_at_ms: message.timestamp().to_millis(),
        }
    }

    fn follow_the_group(&mut self) -> Result<(), SessionError> {
        let changes = self.group.changes();
        if changes.is_empty() {
            return Ok(());
        }
        for change in changes {
            // The protocol is eager: a revocation takes everything, an assignment states everything.
            for partition in std::mem::take(&mut self.assigned) {
                self.order(Order::GiveBack(partition))?;
            }
            self.owned.clear();
            self.ready_since = None;
            self.waiting.clear();
            if let Change::Assigned(partitions) = change {
                info!(service = S::NAME, partitions = ?partitions, "partitions assigned");
                for partition in &partitions {
                    self.order(Order::TakeOver(*partition))?;
                }
                self.assigned = partitions;
            }
        }
        self.count_owned();
        Ok(())
    }

    fn order(&self, order: Order) -> Result<(), SessionError> {
        self.follower.orders.send(order).map_err(|_| SessionError::NoFollower)
    }

    fn take_over_what_is_ready(&mut self) -> Result<(), SessionError> {
        loop {
            match self.follower.ready.try_recv() {
                // One that was given back meanwhile may still have been on its way.
                Ok(taken) if self.assigned.contains(&taken.partition) => {
                    let next = self.first_offsets(&taken)?;
                    info!(service = S::NAME, partition = taken.partition, "partition taken over");
                    self.owned.insert(taken.partition, next);
                    self.ready_since.get_or_insert_with(Instant::now);
                }
                Ok(_) => {}
                Err(std::sync::mpsc::TryRecvError::Empty) => break,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return Err(SessionError::NoFollower),
            }
        }
        // Together: each change of the assignment stops and starts every fetch, and in quick succession that has
        // brought librdkafka down.
        let all = self.owned.len() == self.assigned.len();
        if self.ready_since.is_some_and(|since| all || since.elapsed() > GATHER) {
            self.ready_since = None;
            self.flow()?;
            self.count_owned();
        }
        Ok(())
    }

    /// Where each input goes on: the group's offset, or behind what the record itself says was answered.
    fn first_offsets(&self, taken: &TakenOver) -> Result<NextOffsets, SessionError> {
        let mut next = NextOffsets::new();
        for topic in follower::inputs::<S>(&self.runner.kafka) {
            let answered = self.runner.fold.input(self.runner.kafka.without_prefix(&topic), taken.partition);
            let offset = match taken.committed.get(&topic) {
                Some(committed) => *committed,
                None => answered + 1,
            };
            let low = taken.low.get(&topic).copied().unwrap_or_default();
            // Records below the committed offset may have been deleted; none that was not answered may.
            if low > offset {
                return Err(SessionError::InputsGone {
                    topic,
                    partition: taken.partition,
                    next: offset,
                    low,
                });
            }
            next.insert(topic, offset);
        }
        Ok(next)
    }

    fn flow(&self) -> Result<(), SessionError> {
        let flowing = self.owned.iter().filter(|(partition, _)| !self.waiting.contains_key(partition));
        self.group.flow_from(flowing.map(|(partition, next)| (*partition, next))).map_err(SessionError::Read)
    }

    fn resume_what_waited(&mut self) -> Result<(), SessionError> {
        let now = Instant::now();
        let before = self.waiting.len();
        self.waiting.retain(|_, until| *until > now);
        if self.waiting.len() < before { self.flow() } else { Ok(()) }
    }

    fn answer(&mut self, inputs: Vec<Input>) -> Result<(), SessionError> {
        let begun = Instant::now();
        let mut batch = Batch::new(self.runner);
        let mut stopped = BTreeSet::new();
        for input in &inputs {
            let partition = input.position.partition;
            if stopped.contains(&partition) || !self.owned.contains_key(&partition) {
                continue;
            }
            match batch.take_in(input) {
                Ok(()) => {}
                Err(Stop::UnknownSchema(error)) => {
                    warn!(service = S::NAME, partition, offset = input.position.offset,
                        error = %problem::chain(&error), "stopped at a record of an unknown schema, retrying");
                    stopped.insert(partition);
                }
                Err(Stop::Fold(error)) => return Err(error.into()),
            }
        }
        let Batch { drafts, next, mut hops, .. } = batch;
        let decided_ms = begun.elapsed().as_millis() as u64;
        debug!(service = S::NAME, inputs = inputs.len(), decided_ms, "batch decided");
        if !next.is_empty() && !self.write(drafts, next)? {
            hops.iter_mut().for_each(Hop::fail);
        }
        drop(hops);
        if !stopped.is_empty() {
            let until = Instant::now() + UNKNOWN_SCHEMA_PAUSE;
            self.waiting.extend(stopped.into_iter().map(|partition| (partition, until)));
            self.flow()?;
        }
        Ok(())
    }

    /// One transaction: the events, and the offsets of what they answer. Whether it was committed; else all of it
    /// is tried again.
    fn write(
        &mut self,
        mut drafts: Vec<Draft<S>>,
        next: BTreeMap<(String, i32), i64>,
    ) -> Result<bool, SessionError> {
        self.turn = 1 - self.turn;
        let begun = Instant::now();
        match self.commit(&mut drafts, &next) {
            Ok(offsets) => {
                let committed = begun.elapsed();
                self.abort_pause = ABORT_PAUSE;
                let records: Vec<_> = drafts
                    .into_iter()
                    .zip(offsets)
                    .filter_map(|(draft, offset)| draft.into_recorded(offset))
                    .collect();
                self.runner.fold.apply(&records)?;
                let folded_ms = (begun.elapsed() - committed).as_millis() as u64;
                let (committed_ms, records) = (committed.as_millis() as u64, records.len());
                debug!(service = S::NAME, records, committed_ms, folded_ms, "batch committed");
                self.runner.failpoints.pass(Step::Fold);
                for ((topic, partition), offset) in next {
                    if let Some(owned) = self.owned.get_mut(&partition) {
                        owned.insert(self.runner.kafka.topic(&topic), offset);
                    }
                    if let Some(measured) = self.measured.lock().get_mut(&partition) {
                        measured.insert(self.runner.kafka.topic(&topic), offset);
                    }
                }
                Ok(true)
            }
            Err(TransactionError::Abort(error)) => {
                warn!(service = S::NAME, error = %error, "transaction aborted, trying again");
                self.producers[self.turn].abort()?;
                std::thread::sleep(self.abort_pause);
                self.abort_pause = (self.abort_pause * 2).min(ABORT_PAUSE_LONGEST);
                self.flow()?;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn commit(
        &self,
        drafts: &mut [Draft<S>],
        next: &BTreeMap<(String, i32), i64>,
    ) -> Result<Vec<i64>, TransactionError> {
        let (producer, failpoints) = (&self.producers[self.turn], &self.runner.failpoints);
        producer.begin()?;
        failpoints.pass(Step::Begin);
        for (slot, draft) in drafts.iter_mut().enumerate() {
            let headers = draft.headers.take().unwrap_or_default();
            producer.send(&draft.topic, draft.partition, &draft.key, &draft.value, headers, slot)?;
        }
        failpoints.pass(Step::Produce);
        let offsets = producer.drain()?;
        failpoints.pass(Step::Drain);
        let mut list = TopicPartitionList::new();
        for ((topic, partition), offset) in next {
            list.add_partition_offset(&self.runner.kafka.topic(topic), *partition, Offset::Offset(*offset))
                .map_err(TransactionError::Abort)?;
        }
        let metadata = self.group.metadata().map_err(TransactionError::Abort)?;
        producer.send_offsets(&list, &metadata)?;
        failpoints.pass(Step::Offsets);
        producer.commit()?;
        if failpoints.pass(Step::Commit) {
            let lost = KafkaError::MessageProduction(RDKafkaErrorCode::RequestTimedOut);
            return Err(TransactionError::Replace(lost));
        }
        Ok(offsets)
    }

    /// Writes a command for each clock that has run out, for the partitions owned here.
    fn ring_due_clocks(&mut self) -> Result<(), SessionError> {
        if self.ticked.elapsed() < TICK || self.owned.is_empty() {
            return Ok(());
        }
        self.ticked = Instant::now();
        self.rung.retain(|_, rung| rung.elapsed() < RING_AGAIN);
        let now = self.runner.clock.now();
        let mut due = Vec::new();
        for clock in self.runner.fold.due(now) {
            let clock = clock?;
            if self.owned.contains_key(&clock.partition) && !self.rung.contains_key(&clock) {
                due.push(clock);
            }
            if due.len() == MAX_RINGS {
                break;
            }
        }
        for clock in due {
            if self.ring(&clock)? {
                self.rung.insert(clock, Instant::now());
            }
        }
        Ok(())
    }

    /// The command's id follows from the clock, so a late or repeated ring yields no second event.
    fn ring(&self, due: &DueClock) -> Result<bool, SessionError> {
        let aggregate = self.runner.fold.aggregate(&due.aggregate_id)?;
        let clocks = S::clocks(&aggregate.state);
        let Some(clock) = clocks.into_iter().find(|clock| clock.name == due.name && clock.due == due.due)
        else {
            return Ok(false);
        };
        let millis = due.due.as_millis().to_be_bytes();
        let parts = [S::NAME.as_bytes(), due.aggregate_id.as_bytes(), due.name.as_bytes(), &millis];
        let command = Command {
            command_id: CommandId::derive(&parts),
            aggregate_id: due.aggregate_id.clone(),
            digest: Vec::new(),
            time: self.runner.clock.now(),
            agency: crate::front::own_agency(),
            actor: Actor::service(S::NAME),
            signature: None,
            body: clock.command,
        };
        let Ok(value) = self.runner.codec.encode::<S::Command>(&command) else { return Ok(false) };
        let topic = self.runner.kafka.topic(S::Command::TOPIC);
        let record = BaseRecord::to(&topic).partition(due.partition).key(&due.aggregate_id).payload(&value);
        Ok(self.bell.send(record).is_ok())
    }

    fn count_owned(&self) {
        self.measured.lock().clone_from(&self.owned);
        self.runner.status.owned.store(self.owned.len(), std::sync::atomic::Ordering::Relaxed);
    }
}

impl<S: Service> Drop for Session<'_, S> {
    fn drop(&mut self) {
        self.runner.status.owned.store(0, std::sync::atomic::Ordering::Relaxed);
        self.bell.purge(rdkafka::producer::PurgeConfig::default().queue());
    }
}

/// The client has lost something that no waiting brings back.
fn makes_begin_anew(error: &KafkaError) -> bool {
    match error {
        KafkaError::MessageConsumptionFatal(_) => true,
        KafkaError::MessageConsumption(code) => {
            matches!(code, RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::FencedInstanceId)
        }
        _ => false,
    }
}
