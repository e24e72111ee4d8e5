//! One writer over every topic that it reads: what stands in its own topic, of one partition, is in one total order and
//! says by itself how far it has got.
//!
//! All instances follow the topic. The group gives its partition to one of them, and that one writes: it makes every
//! earlier writer's transactions end, reads on until the topic's end stands still, and goes on where the topic says.
//! Each batch is one transaction, bound to the group: neither a writer that was paused nor one that was replaced can
//! commit anything behind it. Whatever fails, it begins anew from what was committed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Message, OwnedHeaders};
use rdkafka::{Offset, TopicPartitionList};
use tracing::{error, info, warn};

use crate::kafka::{self, Isolation, Kafka};
use crate::meters;
use crate::outages::Mark;
use crate::problem::chain;
use crate::runner::Status;
use crate::runner::group::{Change, Group};
use crate::telemetry::{self, Hop, HopOf};
use crate::transaction::{TransactionError, TransactionalProducer};

const POLL: Duration = Duration::from_millis(50);
/// Pause before everything is begun anew.
const AGAIN: Duration = Duration::from_secs(1);
/// Most inputs of one batch, and about how large they may be together.
const MAX_BATCH: usize = 4_096;
const MAX_BATCH_BYTES: usize = 8 * 1024 * 1024;
/// How long a question to the brokers may take, and how long the topic's end may take to stand still.
const ASK: Duration = Duration::from_secs(5);
const STABLE: Duration = Duration::from_secs(30);

/// What keeps a ledger from going on.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A record that was read, and is to be sequenced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Without the deployment's prefix.
    pub topic: &'static str,
    pub partition: i32,
    pub offset: i64,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub timestamp: i64,
    pub key: Vec<u8>,
    /// None for a tombstone.
    pub value: Option<Vec<u8>>,
}

/// The place of a partition.
pub type Partition = (&'static str, i32);

/// Writes a record to the one partition of a topic, in a transaction of the writer's: one that was replaced cannot.
pub type Publish<'a> = dyn FnMut(&'static str, &[u8]) -> Result<(), Failure> + 'a;

/// What is made of the topic, and what is written to it.
pub trait Ledger: Send + 'static {
    /// Without the deployment's prefix; of one partition.
    const TOPIC: &'static str;

    /// Topics whose records are sequenced.
    fn inputs(&self) -> &[&'static str];

    /// The offset of the topic's first record that was not taken in.
    ///
    /// # Errors
    /// As [`Ledger::take_in`].
    fn next(&self) -> Result<i64, Failure>;

    /// The offset of the first record of an input that was not sequenced, by what was taken in.
    ///
    /// # Errors
    /// As [`Ledger::take_in`].
    fn next_input(&self, partition: Partition) -> Result<i64, Failure>;

    /// Takes committed records in, each with its offset, in order.
    ///
    /// # Errors
    /// What keeps it from going on; it is told, and all is begun anew.
    fn take_in(&mut self, records: &[(i64, Vec<u8>)]) -> Result<(), Failure>;

    /// The values of the records that sequence these inputs, behind everything that was taken in.
    ///
    /// # Errors
    /// As [`Ledger::take_in`].
    fn sequence(&mut self, inputs: &[Input]) -> Result<Vec<Vec<u8>>, Failure>;

    /// This instance writes from now on.
    ///
    /// # Errors
    /// As [`Ledger::take_in`]: then it does not.
    fn lead(&mut self) -> Result<(), Failure>;

    /// The values of records that stand before everything that this writer sequences.
    ///
    /// # Errors
    /// As [`Ledger::take_in`].
    fn opening(&mut self, publish: &mut Publish<'_>) -> Result<Vec<Vec<u8>>, Failure>;

    /// Called after each turn, at least every few hundred milliseconds; with a way to publish where this instance
    /// writes.
    ///
    /// # Errors
    /// As [`Ledger::take_in`].
    fn turn(&mut self, publish: Option<&mut Publish<'_>>) -> Result<(), Failure>;

    /// Everything is begun anew because of this failure, [`Foreign`] for one: what was made of the topic may be to
    /// blame.
    fn failed(&mut self, failure: &(dyn std::error::Error + 'static));
}

/// The topic does not hold the record that is to be taken in next.
#[derive(Debug, thiserror::Error)]
#[error("what was made of the topic is not of this topic: it reaches further")]
pub struct Foreign;

#[derive(Debug, thiserror::Error)]
enum SequencerError {
    #[error("kafka's client failed")]
    Kafka(#[from] KafkaError),
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    #[error("the topic's end does not stand still")]
    Unstable,
    #[error("Kafka was away")]
    Outage,
    #[error("a topic does not hold the record that is to be sequenced next: it has lost records")]
    Lost(#[source] KafkaError),
    #[error("the record at {1} of the topic {0} has no value")]
    NoValue(&'static str, i64),
    #[error(transparent)]
    Ledger(Failure),
}

pub struct Sequencer<L: Ledger> {
    pub ledger: L,
    pub kafka: Kafka,
    pub service: &'static str,
    pub instance: String,
    pub status: Arc<Status>,
}

impl<L: Ledger> Sequencer<L> {
    /// Until [`Status::stop`], on the thread of the caller.
    pub fn run(mut self) {
        while !self.status.is_stopping() {
            if let Err(error) = self.run_once() {
                warn!(service = self.service, error = %chain(&error), "the sequencer begins anew");
                self.status.note(false, 0);
                meters::began_anew(self.service);
                if matches!(error, SequencerError::Lost(_)) {
                    error!(
                        service = self.service,
                        "nothing is sequenced until a person has looked (docs/operations/log.md, \
                         \"The log contradicts itself\")"
                    );
                }
                if let SequencerError::Ledger(failure) = &error {
                    self.ledger.failed(&**failure);
                }
                std::thread::sleep(AGAIN);
            }
        }
        info!(service = self.service, "sequencer stopped");
    }

    /// Follows until the group gives the topic to this instance, and then writes.
    fn run_once(&mut self) -> Result<(), SequencerError> {
        let made = self.kafka.outages.mark();
        let mut own = self.follow()?;
        while !own.is_whole && !self.status.is_stopping() {
            check(&made)?;
            self.take_in(&mut own)?;
        }
        self.status.note(own.is_whole, 0);
        let topic = self.kafka.topic(L::TOPIC);
        let group = Group::join(&self.kafka.group_member(self.service, &self.instance), &[topic])?;
        while !self.status.is_stopping() {
            check(&made)?;
            if self.heed(&group, false) {
                // What was read on the side is read again by the writer, to the end that it finds; a client that nobody
                // asks meanwhile would go on fetching. Whoever writes no more stays in the group: to leave it while it
                // is at odds about who does would be the worst time.
                drop(own);
                self.write(&group, &made)?;
                own = self.follow()?;
            }
            self.take_in(&mut own)?;
            self.ledger.turn(None).map_err(SequencerError::Ledger)?;
            self.status.note_idle();
        }
        Ok(())
    }

    /// Whether the group says that this instance writes.
    fn heed(&self, group: &Group, leads: bool) -> bool {
        if let Some(Err(error)) = group.consumer().poll(Duration::ZERO) {
            kafka::tell(self.service, &error);
        }
        group.changes().into_iter().fold(leads, |_, change| match change {
            Change::Assigned(partitions) => partitions.contains(&0),
            Change::Revoked => false,
        })
    }

    fn follow(&self) -> Result<Own, SequencerError> {
        // Whoever follows sequences nothing.
        self.status.lag.reads([]);
        let next = self.ledger.next().map_err(SequencerError::Ledger)?;
        Ok(Own::follow(&self.kafka, L::TOPIC, next)?)
    }

    fn take_in(&mut self, own: &mut Own) -> Result<(), SequencerError> {
        let records = own.read(L::TOPIC)?;
        if records.is_empty() {
            Ok(())
        } else {
            self.ledger.take_in(&records).map_err(SequencerError::Ledger)
        }
    }

    fn write(&mut self, group: &Group, made: &Mark) -> Result<(), SequencerError> {
        // No name of an instance: whoever writes fences whoever wrote.
        let producer =
            TransactionalProducer::start(&self.kafka.transactional_producer(self.service, "writer", 0))?;
        let mut leads = self.catch_up(group, made)?;
        if leads {
            self.ledger.lead().map_err(SequencerError::Ledger)?;
            let opening = self.ledger.opening(&mut publish(&self.kafka, &producer));
            let opening = opening.map_err(SequencerError::Ledger)?;
            if !opening.is_empty() {
                self.commit(&producer, group, &[], opening)?;
            }
            self.status.note(true, 1);
            info!(service = self.service, "writes from here on");
        }
        let inputs = self.assign()?;
        while leads && !self.status.is_stopping() {
            check(made)?;
            leads = self.heed(group, leads);
            let (batch, hops) = self.collect(&inputs)?;
            self.status.note_idle();
            if leads && !batch.is_empty() {
                let values = self.ledger.sequence(&batch).map_err(SequencerError::Ledger)?;
                self.commit(&producer, group, &batch, values)?;
                drop(hops);
            }
            let mut publish = publish(&self.kafka, &producer);
            let publish: Option<&mut Publish<'_>> = if leads { Some(&mut publish) } else { None };
            self.ledger.turn(publish).map_err(SequencerError::Ledger)?;
        }
        self.status.note(true, 0);
        Ok(())
    }

    /// Reads on to the end that stands still now that nobody else writes; whether this instance is still to write.
    fn catch_up(&mut self, group: &Group, made: &Mark) -> Result<bool, SequencerError> {
        let (topic, deadline) = (self.kafka.topic(L::TOPIC), Instant::now() + STABLE);
        let uncommitted: BaseConsumer = self.kafka.follower(Isolation::Uncommitted).create()?;
        let committed: BaseConsumer = self.kafka.follower(Isolation::Committed).create()?;
        let (_, high) = uncommitted.fetch_watermarks(&topic, 0, ASK)?;
        while committed.fetch_watermarks(&topic, 0, ASK)?.1 < high {
            if Instant::now() > deadline {
                return Err(SequencerError::Unstable);
            }
            std::thread::sleep(POLL);
        }
        let mut own = self.follow()?;
        let mut leads = true;
        while !own.is_whole && leads && !self.status.is_stopping() {
            check(made)?;
            self.take_in(&mut own)?;
            leads = self.heed(group, leads);
        }
        Ok(leads && own.is_whole)
    }

    /// Every partition of every input, from where it was not sequenced yet.
    fn assign(&self) -> Result<BaseConsumer, SequencerError> {
        let inputs: BaseConsumer = self.kafka.follower(Isolation::Committed).create()?;
        let (mut list, mut read) = (TopicPartitionList::new(), Vec::new());
        for topic in self.ledger.inputs() {
            for partition in 0..self.kafka.partitions_of_topic(topic) {
                let next = self.ledger.next_input((*topic, partition)).map_err(SequencerError::Ledger)?;
                list.add_partition_offset(&self.kafka.topic(topic), partition, Offset::Offset(next))?;
                read.push(((self.kafka.topic(topic), partition), next));
            }
        }
        inputs.assign(&list)?;
        self.status.lag.reads(read);
        Ok(inputs)
    }

    /// Whatever is there, up to a batch; with the hop of each trace that ends in it.
    fn collect(&self, inputs: &BaseConsumer) -> Result<(Vec<Input>, Vec<Hop>), SequencerError> {
        let (mut batch, mut hops, mut bytes, mut wait) = (Vec::new(), Vec::new(), 0, POLL);
        while batch.len() < MAX_BATCH && bytes < MAX_BATCH_BYTES {
            match inputs.poll(wait) {
                Some(Ok(message)) => {
                    let name = self.kafka.without_prefix(message.topic());
                    let Some(topic) = self.ledger.inputs().iter().find(|topic| **topic == name) else {
                        continue;
                    };
                    let value = message.payload().map(<[u8]>::to_vec);
                    bytes += value.as_ref().map_or(0, Vec::len);
                    let (partition, offset) = (message.partition(), message.offset());
                    let written_at_ms = message.timestamp().to_millis();
                    if let Some(traceparent) = message.headers().and_then(telemetry::traceparent) {
                        let (service, does) = (self.service, "leaf");
                        let of = HopOf { service, does, topic, partition, offset, written_at_ms };
                        hops.push(Hop::begin(Some(&traceparent), &of));
                    }
                    let timestamp = written_at_ms.unwrap_or_default();
                    let key = message.key().unwrap_or_default().to_vec();
                    batch.push(Input { topic, partition, offset, timestamp, key, value });
                }
                // That of any partition: there may be more in others.
                Some(Err(KafkaError::PartitionEOF(_))) => continue,
                Some(Err(error)) if is_lost(&error) => return Err(SequencerError::Lost(error)),
                Some(Err(error)) => {
                    kafka::tell("sequencer", &error);
                    break;
                }
                None => break,
            }
            wait = Duration::ZERO;
        }
        Ok((batch, hops))
    }

    /// One transaction: the records, and how far the inputs were read.
    fn commit(
        &mut self,
        producer: &TransactionalProducer,
        group: &Group,
        batch: &[Input],
        values: Vec<Vec<u8>>,
    ) -> Result<(), SequencerError> {
        let topic = self.kafka.topic(L::TOPIC);
        producer.begin()?;
        for (slot, value) in values.iter().enumerate() {
            producer.send(&topic, 0, "", value, OwnedHeaders::new(), slot)?;
        }
        let offsets = producer.drain()?;
        let metadata = group.metadata().ok_or(TransactionError::Lost)?;
        let next = next_offsets(batch);
        let mut list = TopicPartitionList::new();
        for ((topic, partition), offset) in &next {
            list.add_partition_offset(&self.kafka.topic(topic), *partition, Offset::Offset(*offset))?;
        }
        producer.send_offsets(list, metadata)?;
        producer.commit()?;
        for ((topic, partition), offset) in next {
            self.status.lag.note(&self.kafka.topic(topic), partition, offset);
        }
        let records: Vec<_> = offsets.into_iter().zip(values).collect();
        self.ledger.take_in(&records).map_err(SequencerError::Ledger)
    }
}

/// Whether the clients that were made then are of use still.
fn check(made: &Mark) -> Result<(), SequencerError> {
    if made.is_outdated() { Err(SequencerError::Outage) } else { Ok(()) }
}

/// One record in one transaction.
fn publish<'a>(
    kafka: &'a Kafka,
    producer: &'a TransactionalProducer,
) -> impl FnMut(&'static str, &[u8]) -> Result<(), Failure> + 'a {
    |topic, value| {
        producer.begin()?;
        producer.send(&kafka.topic(topic), 0, "", value, OwnedHeaders::new(), 0)?;
        producer.drain()?;
        Ok(producer.commit()?)
    }
}

/// An offset that the topic does not have any more, or not yet.
fn is_lost(error: &KafkaError) -> bool {
    use rdkafka::error::RDKafkaErrorCode::{AutoOffsetReset, OffsetOutOfRange};
    matches!(error.rdkafka_error_code(), Some(AutoOffsetReset | OffsetOutOfRange))
}

fn next_offsets(batch: &[Input]) -> BTreeMap<Partition, i64> {
    batch.iter().map(|input| ((input.topic, input.partition), input.offset + 1)).collect()
}

/// Follows the ledger's own topic.
struct Own {
    consumer: BaseConsumer,
    /// Whether its end was reached once.
    is_whole: bool,
}

impl Own {
    fn follow(kafka: &Kafka, topic: &str, next: i64) -> Result<Self, KafkaError> {
        let consumer: BaseConsumer = kafka.follower(Isolation::Committed).create()?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&kafka.topic(topic), 0, Offset::Offset(next))?;
        consumer.assign(&list)?;
        Ok(Self { consumer, is_whole: false })
    }

    fn read(&mut self, topic: &'static str) -> Result<Vec<(i64, Vec<u8>)>, SequencerError> {
        let (mut records, mut wait) = (Vec::new(), POLL);
        while records.len() < MAX_BATCH {
            match self.consumer.poll(wait) {
                Some(Ok(message)) => {
                    let value = message.payload().ok_or(SequencerError::NoValue(topic, message.offset()))?;
                    records.push((message.offset(), value.to_vec()));
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    self.is_whole = true;
                    break;
                }
                Some(Err(error)) if is_lost(&error) => return Err(SequencerError::Ledger(Foreign.into())),
                Some(Err(error)) => {
                    kafka::tell(topic, &error);
                    break;
                }
                None => break,
            }
            wait = Duration::ZERO;
        }
        Ok(records)
    }
}
