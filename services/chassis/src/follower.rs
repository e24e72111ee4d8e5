//! Keeps the fold current for every partition that this instance does not own, and hands partitions over.
//!
//! Taking a partition over goes in this order, or a paused predecessor's commit could slip in between:
//!
//! 1. the group's stable committed offsets of the inputs;
//! 2. the high watermark of the event partition, as a read-uncommitted client sees it;
//! 3. the last stable offset has passed that mark, and then everything up to it is folded. Only a read that
//!    began after the last stable offset was seen counts: the partition is assigned afresh and read to its end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use schemas::Event;
use schemas::codec::{Codec, CodecError};
use schemas::envelope::Body;
use tracing::{error, info, warn};

use crate::decider::{Decider, Place, Service};
use crate::fold::{Fold, FoldError, Recorded};
use crate::kafka::{self, Isolation, Kafka};

/// Longest wait for a record before the thread looks at its orders again.
const POLL: Duration = Duration::from_millis(20);
/// Most records folded in one batch: bounds memory, and the time between two looks at the orders.
const MAX_BATCH: usize = 2_000;
/// Batches that are read before the ones before them are folded.
const READ_AHEAD: usize = 2;
/// How long one question to the broker may take within a take-over; it is asked again until answered.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);
/// Progress of a long rebuild is logged this often.
const PROGRESS: Duration = Duration::from_secs(5);

/// A partition ready to be decided on: where each input goes on, if the group had committed an offset.
#[derive(Debug)]
pub struct TakenOver {
    pub partition: i32,
    /// Of the order: one that was given back and ordered again since is taken over anew.
    pub epoch: u64,
    /// The group's stable committed offsets, by input topic with prefix.
    pub committed: BTreeMap<String, i64>,
    /// The first offset that is still there, by input topic with prefix.
    pub low: BTreeMap<String, i64>,
}

/// What the runner asks of the follower.
pub enum Order {
    /// Fold the partition to its end and stop following it.
    TakeOver {
        partition: i32,
        epoch: u64,
    },
    /// Follow the partition again from where the fold stands; cancels a take-over under way.
    GiveBack(i32),
    Stop,
}

#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    #[error("failed to follow {topic}")]
    Kafka { topic: String, source: KafkaError },
    #[error("failed to read {topic}/{partition} at {offset}")]
    Decode { topic: String, partition: i32, offset: i64, source: CodecError },
    #[error(transparent)]
    Fold(#[from] FoldError),
    #[error("failed to start a thread")]
    Thread(#[source] std::io::Error),
}

impl FollowError {
    /// The fold stands behind the topic's end: the topic is another one than the store was folded from.
    pub fn is_beyond_the_topic(&self) -> bool {
        matches!(self, Self::Kafka { source, .. } if is_lost(source))
    }
}

pub struct Follower<S: Service> {
    fold: Arc<Fold<S>>,
    codec: Codec,
    topic: String,
    partitions: i32,
    /// Input topics with prefix, whose committed offsets a take-over asks for.
    inputs: Vec<String>,
    consumer: BaseConsumer,
    /// Sees what is not committed yet: for high watermarks only.
    uncommitted: BaseConsumer,
    /// Asks for the group's offsets without being a member.
    group: BaseConsumer,
    orders: Receiver<Order>,
    ready: Sender<TakenOver>,
    under_way: BTreeMap<i32, UnderWay>,
}

/// A take-over that was ordered.
struct UnderWay {
    epoch: u64,
    step: Step,
}

/// How far a take-over has come.
enum Step {
    AskCommitted,
    AskHighWatermark { inputs: Inputs },
    AwaitStable { inputs: Inputs, high: i64 },
    ReadToEnd { inputs: Inputs },
}

/// How the inputs of a partition stand, by topic with prefix.
struct Inputs {
    /// The group's stable committed offsets.
    committed: BTreeMap<String, i64>,
    /// The first offset that is still there.
    low: BTreeMap<String, i64>,
}

/// Records in the order of the topic, and the partitions whose end was reached behind them.
type Read<S> = (Vec<Recorded<<S as Decider>::Event>>, Vec<i32>);

/// The runner's end.
pub struct FollowerHandle {
    pub orders: Sender<Order>,
    pub ready: Receiver<TakenOver>,
}

impl<S: Service> Follower<S> {
    /// # Errors
    /// When Kafka's client does not accept its configuration.
    pub fn new(
        kafka: &Kafka,
        codec: Codec,
        fold: Arc<Fold<S>>,
    ) -> Result<(Self, FollowerHandle), FollowError> {
        let topic = kafka.topic(S::Event::TOPIC);
        let failed = |source| FollowError::Kafka { topic: topic.clone(), source };
        let consumer: BaseConsumer = kafka.follower(Isolation::Committed).create().map_err(failed)?;
        let uncommitted = kafka.follower(Isolation::Uncommitted).create().map_err(failed)?;
        let mut group = kafka.follower(Isolation::Committed);
        let group = group.set("group.id", format!("{}{}", kafka.prefix, S::NAME)).create().map_err(failed)?;
        let (order_sender, orders) = mpsc::channel();
        let (ready, ready_receiver) = mpsc::channel();
        let partitions = kafka.partitions_of_topic(S::Event::TOPIC);
        let inputs = inputs::<S>(kafka);
        let follower = Self {
            fold,
            codec,
            topic,
            partitions,
            inputs,
            consumer,
            uncommitted,
            group,
            orders,
            ready,
            under_way: BTreeMap::new(),
        };
        Ok((follower, FollowerHandle { orders: order_sender, ready: ready_receiver }))
    }

    /// Folds everything there is, with progress shown. Returns once each partition was read to its end.
    ///
    /// # Errors
    /// See [`FollowError`]; the caller tries again.
    pub fn restore(&mut self, stopping: &dyn Fn() -> bool) -> Result<(), FollowError> {
        let mut behind: Vec<i32> = (0..self.partitions).collect();
        let mut progress = Progress::begin(S::NAME);
        if behind.iter().all(|partition| self.fold.position(*partition) == 0) {
            info!(service = S::NAME, "the store is empty, folding the event topic from its beginning");
        }
        self.follow(&behind)?;
        let (sender, receiver) = mpsc::sync_channel::<Vec<_>>(READ_AHEAD);
        let fold = Arc::clone(&self.fold);
        // Read and decoded here, folded beside it.
        std::thread::scope(|scope| {
            let folding = std::thread::Builder::new()
                .name(format!("{}-restore", S::NAME))
                .spawn_scoped(scope, move || receiver.iter().try_for_each(|records| fold.apply(&records)))
                .map_err(FollowError::Thread)?;
            let mut read = || {
                while !behind.is_empty() && !stopping() {
                    let (records, ends) = self.read_batch()?;
                    behind.retain(|partition| !ends.contains(partition));
                    progress.advance(records.len(), behind.len());
                    if sender.send(records).is_err() {
                        // What ended it is heard below.
                        break;
                    }
                }
                Ok(())
            };
            let read: Result<(), FollowError> = read();
            drop(sender);
            let folded = folding.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            folded?;
            read
        })?;
        if behind.is_empty() {
            self.fold.note_whole();
            progress.end();
        }
        Ok(())
    }

    /// Follows and serves orders until told to stop.
    ///
    /// # Errors
    /// See [`FollowError`]; the caller replaces the follower.
    pub fn run(&mut self) -> Result<(), FollowError> {
        loop {
            loop {
                match self.orders.try_recv() {
                    Ok(Order::TakeOver { partition, epoch }) => {
                        self.under_way.insert(partition, UnderWay { epoch, step: Step::AskCommitted });
                    }
                    Ok(Order::GiveBack(partition)) => {
                        self.under_way.remove(&partition);
                        self.follow(&[partition])?;
                    }
                    Ok(Order::Stop) | Err(TryRecvError::Disconnected) => return Ok(()),
                    Err(TryRecvError::Empty) => break,
                }
            }
            let ends = self.take_in()?;
            self.advance(&ends)?;
        }
    }

    /// Assigns the partitions afresh at the fold's positions; what was fetched before is dropped.
    fn follow(&self, partitions: &[i32]) -> Result<(), FollowError> {
        let failed = |source| FollowError::Kafka { topic: self.topic.clone(), source };
        self.unfollow(partitions)?;
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            let offset = Offset::Offset(self.fold.position(*partition));
            list.add_partition_offset(&self.topic, *partition, offset).map_err(failed)?;
        }
        self.consumer.incremental_assign(&list).map_err(failed)
    }

    fn unfollow(&self, partitions: &[i32]) -> Result<(), FollowError> {
        let failed = |source| FollowError::Kafka { topic: self.topic.clone(), source };
        let assigned = self.consumer.assignment().map_err(failed)?;
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            if assigned.find_partition(&self.topic, *partition).is_some() {
                list.add_partition(&self.topic, *partition);
            }
        }
        if list.count() == 0 { Ok(()) } else { self.consumer.incremental_unassign(&list).map_err(failed) }
    }

    /// Folds what is there; the partitions whose end was reached last.
    fn take_in(&self) -> Result<Vec<i32>, FollowError> {
        let (records, ends) = self.read_batch()?;
        self.fold.apply(&records)?;
        Ok(ends)
    }

    /// What is there, and the partitions whose end was reached last.
    fn read_batch(&self) -> Result<Read<S>, FollowError> {
        let mut records = Vec::new();
        let mut ends: Vec<i32> = Vec::new();
        let mut wait = POLL;
        while records.len() < MAX_BATCH {
            match self.consumer.poll(wait) {
                None => break,
                Some(Ok(message)) => {
                    ends.retain(|partition| *partition != message.partition());
                    records.extend(self.read(&message)?);
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => ends.push(partition),
                Some(Err(source)) if is_lost(&source) => {
                    return Err(FollowError::Kafka { topic: self.topic.clone(), source });
                }
                Some(Err(error)) => {
                    kafka::tell(S::NAME, &error);
                    break;
                }
            }
            wait = Duration::ZERO;
        }
        Ok((records, ends))
    }

    fn read(&self, message: &impl Message) -> Result<Option<Recorded<S::Event>>, FollowError> {
        let Some(value) = message.payload() else { return Ok(None) };
        let place = Place { partition: message.partition(), offset: message.offset() };
        let event: Event<S::Event> =
            self.codec.decode::<S::Event, _>(value).map_err(|source| FollowError::Decode {
                topic: self.topic.clone(),
                partition: place.partition,
                offset: place.offset,
                source,
            })?;
        Ok(Some(Recorded::new(place, event, value)))
    }

    /// Takes each take-over a step further. Partitions are assigned and given up together: each change of the
    /// assignment costs the client a pause of up to a second.
    fn advance(&mut self, ends: &[i32]) -> Result<(), FollowError> {
        let (mut stable, mut read) = (Vec::new(), Vec::new());
        for (partition, UnderWay { epoch, step }) in std::mem::take(&mut self.under_way) {
            let step = match step {
                Step::AskCommitted => match self.inputs(partition) {
                    Some(inputs) => Step::AskHighWatermark { inputs },
                    None => Step::AskCommitted,
                },
                Step::AskHighWatermark { inputs } => match self.end(&self.uncommitted, partition) {
                    Some(high) => Step::AwaitStable { inputs, high },
                    None => Step::AskHighWatermark { inputs },
                },
                // Asked by a client that fetches nothing: behind an open fetch the answer would wait.
                Step::AwaitStable { inputs, high } => match self.end(&self.group, partition) {
                    Some(end) if end >= high => {
                        stable.push(partition);
                        Step::ReadToEnd { inputs }
                    }
                    _ => Step::AwaitStable { inputs, high },
                },
                Step::ReadToEnd { inputs } if ends.contains(&partition) => {
                    let Inputs { committed, low } = inputs;
                    read.push(TakenOver { partition, epoch, committed, low });
                    continue;
                }
                waiting @ Step::ReadToEnd { .. } => waiting,
            };
            self.under_way.insert(partition, UnderWay { epoch, step });
        }
        if !stable.is_empty() {
            self.follow(&stable)?;
        }
        if !read.is_empty() {
            self.unfollow(&read.iter().map(|taken| taken.partition).collect::<Vec<_>>())?;
        }
        for taken in read {
            // The runner may have gone; then nobody decides on this partition.
            let _ = self.ready.send(taken);
        }
        Ok(())
    }

    /// How the partition's inputs stand; `None` when the broker did not answer.
    fn inputs(&self, partition: i32) -> Option<Inputs> {
        let mut list = TopicPartitionList::new();
        for input in &self.inputs {
            list.add_partition(input, partition);
        }
        let offsets = self.group.committed_offsets(list, ASK_TIMEOUT);
        let offsets = offsets.inspect_err(|error| kafka::tell(S::NAME, error)).ok()?;
        let mut committed = BTreeMap::new();
        for element in offsets.elements() {
            element.error().ok()?;
            if let Offset::Offset(offset) = element.offset() {
                committed.insert(element.topic().to_owned(), offset);
            }
        }
        let mut low = BTreeMap::new();
        for input in &self.inputs {
            let (first, _) = self.group.fetch_watermarks(input, partition, ASK_TIMEOUT).ok()?;
            low.insert(input.clone(), first);
        }
        Some(Inputs { committed, low })
    }

    /// The partition's end as the client's isolation shows it: high watermark, or last stable offset.
    fn end(&self, client: &BaseConsumer, partition: i32) -> Option<i64> {
        client.fetch_watermarks(&self.topic, partition, ASK_TIMEOUT).ok().map(|(_, end)| end)
    }
}

/// The topics a service takes records from, with prefix: its commands and the events it answers.
pub fn inputs<S: Service>(kafka: &Kafka) -> Vec<String> {
    std::iter::once(S::Command::TOPIC)
        .chain(S::INPUTS.iter().copied())
        .map(|name| kafka.topic(name))
        .collect()
}

/// The topic no longer has what the fold needs: no retry brings it back.
fn is_lost(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange)
    )
}

/// Tells how far a rebuild is, at most every few seconds.
struct Progress {
    service: &'static str,
    folded: usize,
    begun: Instant,
    told: Instant,
}

impl Progress {
    fn begin(service: &'static str) -> Self {
        let now = Instant::now();
        Self { service, folded: 0, begun: now, told: now }
    }

    fn advance(&mut self, folded: usize, partitions_left: usize) {
        self.folded += folded;
        if self.told.elapsed() >= PROGRESS {
            self.told = Instant::now();
            info!(service = self.service, events = self.folded, partitions_left, "folding the event topic");
        }
    }

    fn end(self) {
        let seconds = self.begun.elapsed().as_secs_f64();
        info!(service = self.service, events = self.folded, seconds, "event topic folded");
    }
}

/// Runs followers one after another until the service stops: a follower that fails is replaced.
pub fn report(service: &str, error: &FollowError) {
    match error {
        FollowError::Decode { source, .. } if source.is_transient() => {
            warn!(service, error = %crate::problem::chain(error), "stopped at a record of an unknown schema, retrying");
        }
        _ => {
            error!(service, error = %crate::problem::chain(error), "following the event topic failed, retrying")
        }
    }
}
