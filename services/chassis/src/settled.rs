//! Whether all that was written before a moment has been answered, down a chain of services: what nothing names by
//! then, nothing ever will.
//!
//! Asked of the groups' committed offsets, link by link: a service has settled once it has answered every command that
//! there was, and every event of the service before it that was there when that one had settled.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use schemas::Timestamp;
use schemas::topics;

use crate::kafka::{self, Isolation, Kafka};

/// How long the broker may take for one answer.
const ASK: Duration = Duration::from_secs(5);
/// How long a service may take to come as far as it must.
const WAIT: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// Longest wait for a record of a topic that is read to its end.
const POLL: Duration = Duration::from_millis(100);

/// The broker did not say.
#[derive(Debug, thiserror::Error)]
#[error("failed to ask Kafka how far everybody is")]
pub struct Unanswered(#[from] KafkaError);

pub struct Settled {
    kafka: Kafka,
    /// Each service with a client of its group.
    chain: Vec<(&'static str, BaseConsumer)>,
    reader: BaseConsumer,
    /// Sees what is not committed yet: for ends only.
    uncommitted: BaseConsumer,
}

/// Where each partition of a topic has to be answered to, by topic without prefix.
type Bounds = BTreeMap<&'static str, BTreeMap<i32, i64>>;

impl Settled {
    /// Of services, in the order in which what is written goes through them.
    ///
    /// # Errors
    /// When Kafka's client does not accept its configuration.
    pub fn new(kafka: &Kafka, chain: impl IntoIterator<Item = &'static str>) -> Result<Self, Unanswered> {
        let client = |service| {
            let mut config = kafka.follower(Isolation::Committed);
            Ok((service, config.set("group.id", format!("{}{service}", kafka.prefix)).create()?))
        };
        let chain = chain.into_iter().map(client).collect::<Result<_, KafkaError>>()?;
        let mut reader = kafka.follower(Isolation::Committed);
        let reader = reader.set("auto.offset.reset", "earliest").create()?;
        let uncommitted = kafka.follower(Isolation::Uncommitted).create()?;
        Ok(Self { kafka: kafka.clone(), chain, reader, uncommitted })
    }

    /// Whether everything that was written until now is answered. Blocks for as long as the services take, within
    /// bounds.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub fn is_settled(&self) -> Result<bool, Unanswered> {
        for (service, group) in &self.chain {
            let mut bounds = Bounds::new();
            for input in topics::inputs(service) {
                bounds.insert(input, self.ends(input)?);
            }
            if !self.await_answered(group, &bounds)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn await_answered(&self, group: &BaseConsumer, bounds: &Bounds) -> Result<bool, Unanswered> {
        let begun = Instant::now();
        while begun.elapsed() < WAIT {
            let mut all = true;
            for (topic, ends) in bounds {
                // An event topic ends with its last transaction's marker, which nobody answers.
                let marker = i64::from(topics::is_event_topic(topic));
                let committed = self.committed(group, topic, ends.keys().copied())?;
                let answered =
                    |(partition, end): (&i32, &i64)| committed.get(partition).unwrap_or(&0) + marker >= *end;
                all &= ends.iter().all(answered);
            }
            if all {
                return Ok(true);
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(false)
    }

    fn committed(
        &self,
        group: &BaseConsumer,
        topic: &str,
        partitions: impl Iterator<Item = i32>,
    ) -> Result<BTreeMap<i32, i64>, Unanswered> {
        let mut list = TopicPartitionList::new();
        partitions.for_each(|partition| {
            list.add_partition(&self.kafka.topic(topic), partition);
        });
        let offsets = group.committed_offsets(list, ASK)?;
        let offsets = offsets.elements().into_iter().filter_map(|element| match element.offset() {
            Offset::Offset(offset) => Some((element.partition(), offset)),
            _ => None,
        });
        Ok(offsets.collect())
    }

    /// The first offset of each partition that was written at the moment or later; its end where there is none.
    fn offsets_at(&self, topic: &str, moment: Timestamp) -> Result<BTreeMap<i32, i64>, Unanswered> {
        let mut list = TopicPartitionList::new();
        let mut ends = self.ends(topic)?;
        for partition in ends.keys() {
            list.add_partition_offset(
                &self.kafka.topic(topic),
                *partition,
                Offset::Offset(moment.as_millis()),
            )?;
        }
        for element in self.reader.offsets_for_times(list, ASK)?.elements() {
            if let Offset::Offset(offset) = element.offset() {
                ends.insert(element.partition(), offset);
            }
        }
        Ok(ends)
    }

    /// The end of each partition. Of an event topic only once everything that stood there is committed or aborted: a
    /// group's offset can be seen a moment before the events that it was committed with, and then the last record is
    /// its transaction's marker.
    ///
    /// # Errors
    /// When the broker does not answer, or a transaction stays open.
    pub fn ends(&self, topic: &str) -> Result<BTreeMap<i32, i64>, Unanswered> {
        let full = self.kafka.topic(topic);
        let end = |partition| {
            let (_, high) = self.uncommitted.fetch_watermarks(&full, partition, ASK)?;
            let begun = Instant::now();
            while begun.elapsed() < WAIT {
                let (_, stable) = self.reader.fetch_watermarks(&full, partition, ASK)?;
                if stable >= high {
                    return Ok((partition, stable));
                }
                std::thread::sleep(LOOK_AGAIN);
            }
            Err(Unanswered(KafkaError::Global(RDKafkaErrorCode::OperationTimedOut)))
        };
        (0..self.kafka.partitions_of_topic(topic)).map(end).collect()
    }

    /// Reads a topic from these offsets, and partitions not named from their beginning, to where it was at the moment.
    /// Where to go on.
    ///
    /// # Errors
    /// When the broker does not answer, or not all of it in time.
    pub fn read(
        &self,
        topic: &str,
        from: &BTreeMap<i32, i64>,
        before: Timestamp,
        mut take: impl FnMut(&[u8], Option<&[u8]>),
    ) -> Result<BTreeMap<i32, i64>, Unanswered> {
        let ends = self.offsets_at(topic, before)?;
        let mut next = from.clone();
        let mut list = TopicPartitionList::new();
        for partition in ends.keys() {
            let offset = Offset::Offset(from.get(partition).copied().unwrap_or(0));
            list.add_partition_offset(&self.kafka.topic(topic), *partition, offset)?;
        }
        self.reader.assign(&list)?;
        let mut behind: Vec<i32> = ends.keys().copied().collect();
        let begun = Instant::now();
        while !behind.is_empty() && begun.elapsed() < WAIT {
            match self.reader.poll(POLL) {
                Some(Ok(message)) => {
                    let partition = message.partition();
                    if message.offset() < ends[&partition] {
                        take(message.key().unwrap_or_default(), message.payload());
                        next.insert(partition, message.offset() + 1);
                    } else {
                        behind.retain(|one| *one != partition);
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => behind.retain(|one| *one != partition),
                Some(Err(error)) => kafka::tell("keys", &error),
                None => {}
            }
        }
        self.reader.unassign()?;
        if behind.is_empty() {
            return Ok(next);
        }
        Err(Unanswered(KafkaError::Global(RDKafkaErrorCode::OperationTimedOut)))
    }

    /// The keys of everything that these services have set aside.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub fn set_aside(&self, now: Timestamp) -> Result<Vec<Vec<u8>>, Unanswered> {
        let inputs: BTreeSet<_> =
            self.chain.iter().flat_map(|(service, _)| topics::inputs(service)).collect();
        let mut keys = Vec::new();
        for input in inputs {
            let topic = topics::dead_letter(input);
            self.read(&topic, &BTreeMap::new(), now, |key, _| keys.push(key.to_vec()))?;
        }
        Ok(keys)
    }
}
