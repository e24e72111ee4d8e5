//! Writes records of topics that nobody decides on, one by one.

use rdkafka::error::KafkaError;
use rdkafka::producer::FutureRecord;
use schemas::Command;
use schemas::codec::{Codec, CodecError};
use schemas::envelope::Body;
use schemas::ids::partition_of;

use crate::kafka::Kafka;
use crate::writer::Writer;

#[derive(Debug, thiserror::Error)]
#[error("Kafka does not take a record of {topic}")]
pub struct PublishError {
    topic: String,
    source: KafkaError,
}

#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error("a command does not encode")]
    Encode(#[from] CodecError),
}

pub struct Publisher {
    kafka: Kafka,
    writer: Writer,
}

impl Publisher {
    /// # Errors
    /// When Kafka's client does not accept its configuration.
    pub fn new(kafka: &Kafka) -> Result<Self, KafkaError> {
        Ok(Self { kafka: kafka.clone(), writer: Writer::new(kafka)? })
    }

    /// To a topic of one partition. Returns once the record is durable. Blocks: call it where blocking is allowed.
    ///
    /// # Errors
    /// When Kafka does not take it in time; whether it does so later is not known.
    pub fn publish(&self, topic: &str, value: &[u8]) -> Result<(), PublishError> {
        let full = self.kafka.topic(topic);
        let record = FutureRecord::<str, [u8]>::to(&full).partition(0).payload(value);
        let sent = futures::executor::block_on(self.writer.send(record));
        sent.map_err(|source| PublishError { topic: full.clone(), source })
    }

    /// A command of another service, which that one answers with an event. Returns once it is durable.
    ///
    /// # Errors
    /// As [`Publisher::publish`].
    pub async fn command<C: Body>(&self, codec: &Codec, command: &Command<C>) -> Result<(), CommandError> {
        let value = codec.encode::<C>(command)?;
        let full = self.kafka.topic(C::TOPIC);
        let partition = partition_of(&command.aggregate_id, self.kafka.partitions_of_topic(C::TOPIC));
        let record = FutureRecord::to(&full).partition(partition).key(&command.aggregate_id).payload(&value);
        let sent = self.writer.send(record).await;
        Ok(sent.map_err(|source| PublishError { topic: full.clone(), source })?)
    }
}
