//! Reads topics as a plain client does: records from the beginning, and where a group stands.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use chassis::kafka::{Isolation, Kafka};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message, OwnedHeaders};
use rdkafka::{Offset, TopicPartitionList};

use super::ground::PARTITIONS;

const ASK: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);
/// Nothing at all for so long: what is waited for does not come.
const SILENCE: Duration = Duration::from_secs(60);

/// A record as it stands, to be written again.
#[derive(Clone)]
pub struct Record {
    pub partition: i32,
    pub key: Vec<u8>,
    pub value: Vec<u8>,
    pub headers: Option<OwnedHeaders>,
}

impl Record {
    pub fn of(message: &BorrowedMessage<'_>) -> Self {
        Self {
            partition: message.partition(),
            key: message.key().unwrap_or_default().to_vec(),
            value: message.payload().unwrap_or_default().to_vec(),
            headers: message.headers().map(|headers| headers.detach()),
        }
    }
}

/// Reads all partitions of a topic from their beginning, read committed, without being a member of a group.
pub struct Reader {
    consumer: BaseConsumer,
    /// Partitions whose end has not been reached.
    behind: Vec<i32>,
}

impl Reader {
    pub fn open(kafka: &Kafka, topic: &str) -> anyhow::Result<Self> {
        let consumer: BaseConsumer = kafka.follower(Isolation::Committed).create()?;
        let mut list = TopicPartitionList::new();
        // Topics that only measurements have are as most are.
        let of_table = schemas::topics::named(topic).map(|topic| kafka.partitions_of(topic.partitions));
        let partitions = 0..of_table.unwrap_or(PARTITIONS);
        for partition in partitions.clone() {
            list.add_partition_offset(&kafka.topic(topic), partition, Offset::Offset(0))?;
        }
        consumer.assign(&list)?;
        Ok(Self { consumer, behind: partitions.collect() })
    }

    /// The next record; `None` once every partition was read to its end.
    pub fn next(&mut self) -> anyhow::Result<Option<BorrowedMessage<'_>>> {
        let begun = Instant::now();
        while !self.behind.is_empty() {
            match self.consumer.poll(POLL) {
                Some(Ok(message)) => return Ok(Some(message)),
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    self.behind.retain(|behind| *behind != partition);
                }
                Some(Err(error)) => return Err(error.into()),
                None => ensure!(begun.elapsed() < SILENCE, "no record and no end within a minute"),
            }
        }
        Ok(None)
    }

    /// Partition and offset of up to so many records, whatever ends are met. What is there closes the batch, after
    /// waiting so long for more; never without a record.
    pub fn batch(&self, most: usize, wait: Duration) -> anyhow::Result<Vec<(i32, i64)>> {
        let (begun, mut batch) = (Instant::now(), Vec::with_capacity(most));
        while batch.len() < most {
            match self.consumer.poll(if batch.is_empty() { POLL } else { wait }) {
                Some(Ok(message)) => batch.push((message.partition(), message.offset())),
                Some(Err(KafkaError::PartitionEOF(_))) => {}
                Some(Err(error)) => return Err(error.into()),
                None if !batch.is_empty() => break,
                None => ensure!(begun.elapsed() < SILENCE, "no record within a minute"),
            }
        }
        Ok(batch)
    }

    pub fn consumer(&self) -> &BaseConsumer {
        &self.consumer
    }
}

/// The first records of a topic, up to so many.
pub fn sample(kafka: &Kafka, topic: &str, most: usize) -> anyhow::Result<Vec<Record>> {
    let (mut reader, mut records) = (Reader::open(kafka, topic)?, Vec::new());
    while records.len() < most
        && let Some(message) = reader.next()?
    {
        records.push(Record::of(&message));
    }
    if records.is_empty() {
        bail!("{topic} holds nothing");
    }
    Ok(records)
}

/// Where a group stands in one of its input topics.
pub struct Progress {
    group: BaseConsumer,
    topic: String,
    ends: BTreeMap<i32, i64>,
}

impl Progress {
    /// Of the group's way to where the topic ends now.
    pub fn of(kafka: &Kafka, service: &str, topic: &str) -> anyhow::Result<Self> {
        let mut config = kafka.follower(Isolation::Committed);
        let group: BaseConsumer = config.set("group.id", format!("{}{service}", kafka.prefix)).create()?;
        let topic = kafka.topic(topic);
        let mut ends = BTreeMap::new();
        for partition in 0..PARTITIONS {
            let (_, high) = group.fetch_watermarks(&topic, partition, ASK)?;
            // The last record of an event topic is a transaction's marker, which nobody answers.
            ends.insert(partition, (high - 1).max(0));
        }
        Ok(Self { group, topic, ends })
    }

    /// How many offsets the group is behind.
    pub fn behind(&self) -> anyhow::Result<i64> {
        let mut list = TopicPartitionList::new();
        for partition in self.ends.keys() {
            list.add_partition(&self.topic, *partition);
        }
        let committed = self.group.committed_offsets(list, ASK)?;
        let behind = self.ends.iter().map(|(partition, end)| {
            let offset = match committed.find_partition(&self.topic, *partition).map(|one| one.offset()) {
                Some(Offset::Offset(offset)) => offset,
                _ => 0,
            };
            (end - offset).max(0)
        });
        Ok(behind.sum())
    }
}
