//! Reads single records by their position: Kafka is the record, so nothing is copied that can be read there.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use crate::kafka::{Isolation, Kafka};
use crate::outages::Mark;
use crate::sequencer::Input;

/// How long one record may take.
const TIMEOUT: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);
/// So many records are read through to the next one that is asked for.
const READ_THROUGH: i64 = 1_000;

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("failed to read {topic}/{partition} at {offset}")]
    Kafka { topic: String, partition: i32, offset: i64, source: KafkaError },
    #[error("{topic}/{partition} did not give its record at {offset} in time")]
    Late { topic: String, partition: i32, offset: i64 },
}

/// A key and value as they stand; `None` where the record has gone (compacted) or never was.
pub type Found = Option<(Vec<u8>, Vec<u8>)>;

/// One consumer, used by one reader after the other: opening facets is rare and must not cost a connection.
pub struct RecordReader {
    kafka: Kafka,
    consumer: Mutex<Client>,
}

struct Client {
    consumer: BaseConsumer,
    made: Mark,
}

impl Client {
    fn new(kafka: &Kafka) -> Result<Self, KafkaError> {
        let made = kafka.outages.mark();
        Ok(Self { consumer: kafka.follower(Isolation::Committed).create()?, made })
    }

    fn current(&mut self, kafka: &Kafka) -> Result<&BaseConsumer, KafkaError> {
        if self.made.is_outdated() {
            *self = Self::new(kafka)?;
        }
        Ok(&self.consumer)
    }
}

impl RecordReader {
    /// # Errors
    /// When Kafka's client does not accept its configuration.
    pub fn new(kafka: &Kafka) -> Result<Self, KafkaError> {
        Ok(Self { kafka: kafka.clone(), consumer: Mutex::new(Client::new(kafka)?) })
    }

    /// The record at exactly this position. Blocks: call it where blocking is allowed.
    ///
    /// # Errors
    /// When Kafka does not give it in time.
    pub fn read(&self, topic: &str, partition: i32, offset: i64) -> Result<Found, ReadError> {
        Ok(self.read_all(topic, partition, &[offset])?.pop().flatten())
    }

    /// The records at these positions of a partition, in order. Blocks: call it where blocking is allowed.
    ///
    /// # Errors
    /// When Kafka does not give one of them in time.
    pub fn read_all(&self, topic: &str, partition: i32, offsets: &[i64]) -> Result<Vec<Found>, ReadError> {
        let full = self.kafka.topic(topic);
        let failed = |offset| {
            let topic = full.clone();
            move |source| ReadError::Kafka { topic, partition, offset, source }
        };
        let late = |offset| ReadError::Late { topic: full.clone(), partition, offset };
        let Some(first) = offsets.first().copied() else { return Ok(Vec::new()) };
        // Who waits for the readers before it waits no longer than it would by itself.
        let mut deadline = Instant::now() + TIMEOUT;
        let mut client = self.consumer.try_lock_until(deadline).ok_or_else(|| late(first))?;
        let consumer = client.current(&self.kafka).map_err(failed(first))?;
        let (mut found, mut next) = (Vec::with_capacity(offsets.len()), i64::MIN);
        for offset in offsets.iter().copied() {
            // What is near is read through: to ask for another place costs a round.
            if !(next..next.saturating_add(READ_THROUGH)).contains(&offset) {
                let mut list = TopicPartitionList::new();
                list.add_partition_offset(&full, partition, Offset::Offset(offset))
                    .map_err(failed(offset))?;
                consumer.assign(&list).map_err(failed(offset))?;
            }
            let read = Self::up_to(consumer, offset, deadline).ok_or_else(|| late(offset))?;
            deadline = Instant::now() + TIMEOUT;
            // Where another was met instead, the next is asked for anew.
            next = if read.is_some() { offset + 1 } else { i64::MIN };
            found.push(read);
        }
        consumer.unassign().map_err(failed(first))?;
        Ok(found)
    }

    /// The values of the records among the last so many offsets of a topic of one partition, in order; ends of
    /// transactions take offsets too. Blocks: call it where blocking is allowed.
    ///
    /// # Errors
    /// When Kafka does not give them in time.
    pub fn last(&self, topic: &str, most: i64) -> Result<Vec<Vec<u8>>, ReadError> {
        let full = self.kafka.topic(topic);
        let failed = |source| ReadError::Kafka { topic: full.clone(), partition: 0, offset: -1, source };
        let mut client = self.consumer.lock();
        let consumer = client.current(&self.kafka).map_err(failed)?;
        let (low, high) = consumer.fetch_watermarks(&full, 0, TIMEOUT).map_err(failed)?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&full, 0, Offset::Offset(low.max(high - most))).map_err(failed)?;
        consumer.assign(&list).map_err(failed)?;
        let (mut values, deadline) = (Vec::new(), Instant::now() + TIMEOUT);
        let ended = loop {
            match consumer.poll(POLL) {
                Some(Ok(message)) => values.extend(message.payload().map(<[u8]>::to_vec)),
                Some(Err(KafkaError::PartitionEOF(_))) => break Ok(values),
                Some(Err(_)) | None if Instant::now() < deadline => {}
                Some(Err(source)) => break Err(failed(source)),
                None => break Err(ReadError::Late { topic: full.clone(), partition: 0, offset: high }),
            }
        };
        consumer.unassign().map_err(failed)?;
        ended
    }

    /// The record at the position, whatever comes before it.
    fn up_to(consumer: &BaseConsumer, offset: i64, deadline: Instant) -> Option<Found> {
        while Instant::now() < deadline {
            match consumer.poll(POLL) {
                Some(Ok(message)) if message.offset() < offset => {}
                Some(Ok(message)) if message.offset() == offset => {
                    let key = message.key().unwrap_or_default().to_vec();
                    return Some(message.payload().map(|value| (key, value.to_vec())));
                }
                Some(Ok(_)) | Some(Err(KafkaError::PartitionEOF(_))) => return Some(None),
                Some(Err(_)) | None => {}
            }
        }
        None
    }
}

/// Every committed record of a partition that there is by now, in order. Blocks: call it where blocking is allowed.
///
/// # Errors
/// When Kafka does not give them.
pub fn scan(
    kafka: &Kafka,
    topic: &'static str,
    partition: i32,
    mut take: impl FnMut(Input),
) -> Result<(), ReadError> {
    let full = kafka.topic(topic);
    let failed = |source| ReadError::Kafka { topic: full.clone(), partition, offset: 0, source };
    let consumer: BaseConsumer = kafka.follower(Isolation::Committed).create().map_err(failed)?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&full, partition, Offset::Beginning).map_err(failed)?;
    consumer.assign(&list).map_err(failed)?;
    let mut heard = Instant::now();
    while heard.elapsed() < TIMEOUT {
        match consumer.poll(POLL) {
            Some(Ok(message)) => {
                heard = Instant::now();
                take(Input {
                    topic,
                    partition,
                    offset: message.offset(),
                    timestamp: message.timestamp().to_millis().unwrap_or_default(),
                    key: message.key().unwrap_or_default().to_vec(),
                    value: message.payload().map(<[u8]>::to_vec),
                });
            }
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(()),
            Some(Err(source)) => return Err(failed(source)),
            None => {}
        }
    }
    Err(ReadError::Late { topic: full.clone(), partition, offset: -1 })
}
