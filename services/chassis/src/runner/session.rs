//! One membership of the group with its two producers: from joining until something makes it begin anew.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};
use schemas::envelope::Body;
use schemas::ids::{AgencyId, CommandId};
use schemas::{Actor, Command, InputPosition, Timestamp};
use tracing::{debug, error, info, warn};

use crate::decider::{Clock, Service};
use crate::failpoint::Step;
use crate::fold::{Changes, Due, FoldError};
use crate::follower::{self, FollowerHandle, Order, TakenOver};
use crate::kafka;
use crate::outages::Mark;
use crate::problem;
use crate::runner::Runner;
use crate::runner::batch::{Batch, Decided, Draft, Input, Stop};
use crate::runner::group::{Change, Group, NextOffsets};
use crate::telemetry;
use crate::transaction::{TransactionError, TransactionalProducer};

/// Most inputs in one transaction: bounds memory, and how much an abort costs.
const MAX_BATCH: usize = 2_000;
/// Most bytes of inputs in one transaction.
const MAX_BATCH_BYTES: usize = 8 * 1024 * 1024;
/// A batch this large is committed while the next one is decided. Smaller ones are committed at once: then what
/// comes meanwhile makes one batch, not two.
const OVERLAP_FROM: usize = 256;
/// Longest wait for an input before clocks, take-overs and the stop sign are looked at.
const POLL: Duration = Duration::from_millis(50);
/// The same while a partition is being taken over.
const POLL_TAKING_OVER: Duration = Duration::from_millis(5);
/// How long a partition that was taken over waits for the others.
const GATHER: Duration = Duration::from_millis(200);
/// How often due clocks are looked for.
const TICK: Duration = Duration::from_millis(100);
/// Most aggregates whose clocks are rung in one tick.
const MAX_RINGS: usize = 1_000;
/// Clocks whose commands were written are not rung again for so long; then the commands are taken for lost.
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
    #[error("Kafka was away")]
    Outage,
    #[error("inputs of {topic}/{partition} are gone: {next} is asked for, {low} is the first that is there")]
    InputsGone { topic: String, partition: i32, next: i64, low: i64 },
    #[error(transparent)]
    Fold(#[from] FoldError),
}

pub struct Session<'a, S: Service> {
    runner: &'a Runner<S>,
    /// Taken before its clients.
    made: Mark,
    follower: FollowerHandle,
    group: Group,
    producers: [TransactionalProducer; 2],
    turn: usize,
    /// Writes the commands of due clocks.
    bell: ThreadedProducer<DefaultProducerContext>,
    rung: HashMap<Due, Instant>,
    /// Clocks that run on although their command was answered: told of once.
    spent: HashSet<CommandId>,
    ticked: Instant,
    /// How often the group has spoken: what was ordered before it spoke last counts no more.
    epoch: u64,
    /// What the group has assigned here.
    assigned: BTreeSet<i32>,
    /// What was taken over, with the next offset of each input.
    owned: BTreeMap<i32, NextOffsets>,
    /// Since when a partition that was taken over waits for others to begin with.
    ready_since: Option<Instant>,
    /// Committed, and to be folded in before anything else is decided on the fold.
    committed: Option<Committed<S>>,
    /// Partitions that wait for a schema, until when.
    waiting: BTreeMap<i32, Instant>,
    abort_pause: Duration,
}

/// A batch that was committed, and the offset of each of its records.
struct Committed<S: Service> {
    decided: Decided<S>,
    offsets: Vec<i64>,
}

impl<'a, S: Service> Session<'a, S> {
    /// # Errors
    /// When Kafka cannot be reached in time.
    pub fn begin(runner: &'a Runner<S>, follower: FollowerHandle, made: Mark) -> Result<Self, SessionError> {
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
        runner.status.note_idle();
        Ok(Self {
            runner,
            made,
            follower,
            group,
            producers,
            turn: 0,
            bell,
            rung: HashMap::new(),
            spent: HashSet::new(),
            ticked: Instant::now(),
            epoch: 0,
            assigned: BTreeSet::new(),
            owned: BTreeMap::new(),
            ready_since: None,
            committed: None,
            waiting: BTreeMap::new(),
            abort_pause: ABORT_PAUSE,
        })
    }

    /// Works until told to stop.
    ///
    /// # Errors
    /// What makes everything begin anew; see [`SessionError`].
    pub fn work(&mut self) -> Result<(), SessionError> {
        let mut decided = None;
        while !self.runner.status.is_stopping() {
            self.runner.fold.check()?;
            if self.made.is_outdated() {
                return Err(SessionError::Outage);
            }
            // Before collecting: what makes the partitions flow anew drops what was fetched, and they flow from what
            // is committed.
            if self.has_more_to_flow()? {
                self.commit(decided.take())?;
                self.flow()?;
                self.count_owned();
            }
            let inputs = self.collect(decided.is_some())?;
            if self.follow_the_group()? {
                // Whoever owns the partitions next decides it again.
                decided.take().into_iter().for_each(Decided::fail);
                continue;
            }
            decided = self.go_on(decided, inputs)?;
            self.ring_due_clocks()?;
        }
        self.commit(decided)
    }

    /// Commits what was decided, and decides what has come: both at once where there is much of it.
    fn go_on(
        &mut self,
        decided: Option<Decided<S>>,
        inputs: Vec<Input>,
    ) -> Result<Option<Decided<S>>, SessionError> {
        if inputs.is_empty() {
            self.commit(decided)?;
            // What was aborted is still to be done, although it has not come again yet.
            if self.abort_pause == ABORT_PAUSE {
                self.runner.status.note_idle();
            }
            return Ok(None);
        }
        let (next, stopped) = match decided {
            None => {
                self.adopt()?;
                self.decide(&inputs, None)?
            }
            Some(mut decided) => {
                let committed = self.committed.take();
                self.turn = 1 - self.turn;
                let Decided { changes, drafts, next, .. } = &mut decided;
                let (runner, group, producer) = (self.runner, &self.group, &self.producers[self.turn]);
                let (offsets, decided_next) = std::thread::scope(|scope| {
                    let committing = scope.spawn(|| write(runner, group, producer, drafts, next));
                    let adopted = committed.map_or(Ok(()), |committed| self.fold_in(committed));
                    let decided_next = adopted.and_then(|()| self.decide(&inputs, Some(changes)));
                    (committing.join().unwrap_or(Err(TransactionError::Panicked)), decided_next)
                });
                if !self.settle(decided, offsets)? {
                    // It stood on what was not committed.
                    decided_next?.0.fail();
                    return Ok(None);
                }
                decided_next?
            }
        };
        if stopped.is_empty() && next.hops.len() >= OVERLAP_FROM {
            return Ok(Some(next));
        }
        self.commit(Some(next))?;
        if !stopped.is_empty() {
            let until = Instant::now() + UNKNOWN_SCHEMA_PAUSE;
            self.waiting.extend(stopped.into_iter().map(|partition| (partition, until)));
            self.flow()?;
        }
        Ok(None)
    }

    /// Everything that is there, up to the limits. The queue being empty closes the batch.
    fn collect(&self, at_once: bool) -> Result<Vec<Input>, SessionError> {
        let taking_over = self.owned.len() < self.assigned.len();
        let mut wait = match (at_once, taking_over) {
            (true, _) => Duration::ZERO,
            (false, true) => POLL_TAKING_OVER,
            (false, false) => POLL,
        };
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
                    kafka::tell(S::NAME, &error);
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
            traceparent: message.headers().and_then(telemetry::traceparent),
            written_at_ms: message.timestamp().to_millis(),
        }
    }

    /// Whether the group has said anything: then nothing that was fetched before counts.
    fn follow_the_group(&mut self) -> Result<bool, SessionError> {
        let changes = self.group.changes();
        if changes.is_empty() {
            return Ok(false);
        }
        // Before the follower goes on from where the fold stands.
        self.adopt()?;
        for change in changes {
            self.epoch += 1;
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
                    self.order(Order::TakeOver { partition: *partition, epoch: self.epoch })?;
                }
                self.assigned = partitions;
            }
        }
        self.count_owned();
        Ok(true)
    }

    fn order(&self, order: Order) -> Result<(), SessionError> {
        self.follower.orders.send(order).map_err(|_| SessionError::NoFollower)
    }

    /// Whether partitions are to flow that did not: taken over by now, or done waiting.
    fn has_more_to_flow(&mut self) -> Result<bool, SessionError> {
        loop {
            match self.follower.ready.try_recv() {
                // One that was given back meanwhile may still have been on its way.
                Ok(taken) if taken.epoch == self.epoch => {
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
        let gathered = self.ready_since.take_if(|since| all || since.elapsed() > GATHER).is_some();
        let (now, waiting) = (Instant::now(), self.waiting.len());
        self.waiting.retain(|_, until| *until > now);
        Ok(gathered || self.waiting.len() < waiting)
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

    /// Decides a batch on the fold and what was decided `before`; and the partitions that wait at a record now.
    fn decide(
        &self,
        inputs: &[Input],
        before: Option<&Changes<S>>,
    ) -> Result<(Decided<S>, BTreeSet<i32>), SessionError> {
        let begun = Instant::now();
        let mut batch = Batch::new(self.runner, before);
        let mut stopped = BTreeSet::new();
        for input in inputs {
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
        let decided_ms = begun.elapsed().as_millis() as u64;
        debug!(service = S::NAME, inputs = inputs.len(), decided_ms, "batch decided");
        Ok((batch.decided, stopped))
    }

    /// Commits what was decided, and folds it in; else all of it is read again.
    fn commit(&mut self, decided: Option<Decided<S>>) -> Result<(), SessionError> {
        self.adopt()?;
        let Some(mut decided) = decided.filter(|decided| !decided.next.is_empty()) else { return Ok(()) };
        self.turn = 1 - self.turn;
        let producer = &self.producers[self.turn];
        let offsets = write(self.runner, &self.group, producer, &mut decided.drafts, &decided.next);
        self.settle(decided, offsets)?;
        self.adopt()
    }

    fn adopt(&mut self) -> Result<(), SessionError> {
        self.committed.take().map_or(Ok(()), |committed| self.fold_in(committed))
    }

    fn fold_in(&self, committed: Committed<S>) -> Result<(), SessionError> {
        let Committed { decided: Decided { changes, drafts, hops, .. }, offsets } = committed;
        let (begun, records) = (Instant::now(), drafts.len());
        let placed = drafts.into_iter().zip(offsets);
        let placed = placed.filter_map(|(draft, offset)| Some((draft.noted?, offset)));
        self.runner.fold.adopt(changes, placed)?;
        let folded_ms = begun.elapsed().as_millis() as u64;
        debug!(service = S::NAME, records, folded_ms, "batch folded");
        self.runner.failpoints.pass(Step::Fold);
        drop(hops);
        Ok(())
    }

    /// Keeps what was committed to be folded in, or goes back to what was committed last. Whether it was committed.
    fn settle(
        &mut self,
        decided: Decided<S>,
        offsets: Result<Vec<i64>, TransactionError>,
    ) -> Result<bool, SessionError> {
        match offsets {
            Ok(offsets) => {
                self.abort_pause = ABORT_PAUSE;
                self.runner.status.note_idle();
                for ((topic, partition), offset) in &decided.next {
                    let topic = self.runner.kafka.topic(topic);
                    self.runner.status.lag.note(&topic, *partition, *offset);
                    if let Some(owned) = self.owned.get_mut(partition) {
                        owned.insert(topic, *offset);
                    }
                }
                self.committed = Some(Committed { decided, offsets });
                Ok(true)
            }
            Err(error @ (TransactionError::Abort(_) | TransactionError::Lost)) => {
                warn!(service = S::NAME, error = %problem::chain(&error), "transaction aborted, trying again");
                decided.fail();
                self.producers[self.turn].abort()?;
                std::thread::sleep(self.abort_pause);
                self.abort_pause = (self.abort_pause * 2).min(ABORT_PAUSE_LONGEST);
                self.flow()?;
                Ok(false)
            }
            Err(error) => {
                decided.fail();
                Err(error.into())
            }
        }
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
        for one in self.runner.fold.due(now) {
            let one = one?;
            if self.owned.contains_key(&one.partition) && !self.rung.contains_key(&one) {
                due.push(one);
            }
            if due.len() == MAX_RINGS {
                break;
            }
        }
        for one in due {
            if self.ring(&one, now)? {
                self.rung.insert(one, Instant::now());
            }
        }
        Ok(())
    }

    /// Rings every clock of the aggregate that has run out. A command's id follows from its clock, so a late or
    /// repeated ring yields no second event.
    fn ring(&mut self, due: &Due, now: Timestamp) -> Result<bool, SessionError> {
        let aggregate = self.runner.fold.aggregate(&due.aggregate_id)?;
        let mut rung = true;
        for clock in S::clocks(&aggregate.state).into_iter().filter(|clock| clock.due <= now) {
            rung &= self.ring_clock(due, clock)?;
        }
        Ok(rung)
    }

    fn ring_clock(&mut self, due: &Due, clock: Clock<S::Command>) -> Result<bool, SessionError> {
        let millis = clock.due.as_millis().to_be_bytes();
        let parts = [S::NAME.as_bytes(), due.aggregate_id.as_bytes(), clock.name.as_bytes(), &millis];
        let command_id = CommandId::derive(&parts);
        if self.runner.fold.outcome(command_id)?.is_some() {
            if self.spent.insert(command_id) {
                let (aggregate, clock) = (&due.aggregate_id, clock.name);
                error!(
                    service = S::NAME,
                    aggregate, clock, "a clock runs on although its command was answered"
                );
            }
            return Ok(true);
        }
        let command = Command {
            command_id,
            aggregate_id: due.aggregate_id.clone(),
            digest: Vec::new(),
            time: self.runner.clock.now(),
            agency: AgencyId::own(),
            actor: Actor::service(S::NAME),
            signature: None,
            body: clock.command,
        };
        let encoded = self.runner.codec.encode::<S::Command>(&command);
        let Ok(value) = encoded.inspect_err(|error| {
            error!(service = S::NAME, error = %problem::chain(error), "a clock's command does not encode");
        }) else {
            return Ok(true);
        };
        let topic = self.runner.kafka.topic(S::Command::TOPIC);
        let record = BaseRecord::to(&topic).partition(due.partition).key(&due.aggregate_id).payload(&value);
        Ok(self.bell.send(record).is_ok())
    }

    fn count_owned(&self) {
        let inputs = self.owned.iter().flat_map(|(partition, next)| {
            next.iter().map(|(topic, next)| ((topic.clone(), *partition), *next))
        });
        self.runner.status.lag.reads(inputs);
        self.runner.status.owned.store(self.owned.len(), std::sync::atomic::Ordering::Relaxed);
    }
}

/// One transaction: the records, and the offsets of what they answer. The offset of each record.
fn write<S: Service>(
    runner: &Runner<S>,
    group: &Group,
    producer: &TransactionalProducer,
    drafts: &mut [Draft],
    next: &BTreeMap<(String, i32), i64>,
) -> Result<Vec<i64>, TransactionError> {
    let begun = Instant::now();
    let failpoints = &runner.failpoints;
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
        list.add_partition_offset(&runner.kafka.topic(topic), *partition, Offset::Offset(*offset))
            .map_err(TransactionError::Abort)?;
    }
    let metadata = group.metadata().ok_or(TransactionError::Lost)?;
    producer.send_offsets(list, metadata)?;
    failpoints.pass(Step::Offsets);
    producer.commit()?;
    if failpoints.pass(Step::Commit) {
        let lost = KafkaError::MessageProduction(RDKafkaErrorCode::RequestTimedOut);
        return Err(TransactionError::Replace(lost));
    }
    let committed_ms = begun.elapsed().as_millis() as u64;
    debug!(service = S::NAME, records = drafts.len(), committed_ms, "batch committed");
    Ok(offsets)
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
