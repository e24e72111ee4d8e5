//! Reads single records by their position: Kafka is the record, so nothing is copied that can be read there.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use crate::kafka::{Isolation, Kafka};

/// How long one record may take.
const TIMEOUT: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);

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
    consumer: Mutex<BaseConsumer>,
}

impl RecordReader {
    /// # Errors
    /// When Kafka's client does not accept its configuration.
    pub fn new(kafka: &Kafka) -> Result<Self, KafkaError> {
        let consumer = kafka.follower(Isolation::Committed).create()?;
        Ok(Self { kafka: kafka.clone(), consumer: Mutex::new(consumer) })
    }

    /// The record at exactly this position. Blocks: call it where blocking is allowed.
    ///
    /// # Errors
    /// When Kafka does not give it in time.
    pub fn read(&self, topic: &str, partition: i32, offset: i64) -> Result<Found, ReadError> {
        let full = self.kafka.topic(topic);
        let failed = |source| ReadError::Kafka { topic: full.clone(), partition, offset, source };
        let late = || ReadError::Late { topic: full.clone(), partition, offset };
        // Who waits for the readers before it waits no longer than it would by itself.
        let deadline = Instant::now() + TIMEOUT;
        let consumer = self.consumer.try_lock_until(deadline).ok_or_else(late)?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&full, partition, Offset::Offset(offset)).map_err(failed)?;
        consumer.assign(&list).map_err(failed)?;
        let found = Self::first_from(&consumer, offset, deadline);
        consumer.unassign().map_err(failed)?;
        found.ok_or_else(late)
    }

    fn first_from(consumer: &BaseConsumer, offset: i64, deadline: Instant) -> Option<Found> {
        while Instant::now() < deadline {
            match consumer.poll(POLL) {
                Some(Ok(message)) if message.offset() == offset => {
                    let key = message.key().unwrap_or_default().to_vec();
                    return Some(message.payload().map(|value| (key, value.to_vec())));
                }
                // The first record there is comes after: this one has gone.
                Some(Ok(_)) | Some(Err(KafkaError::PartitionEOF(_))) => return Some(None),
                Some(Err(_)) | None => {}
            }
        }
        None
    }
}
