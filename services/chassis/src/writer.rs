//! Writes records one by one, durable and in order. A client that has failed for good is replaced: an idempotent
//! producer never recovers from an error that it calls fatal.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::message::ToBytes;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};

use crate::kafka::Kafka;

pub struct Writer {
    config: ClientConfig,
    producer: RwLock<Arc<FutureProducer>>,
}

impl Writer {
    /// # Errors
    /// When Kafka's client does not accept its configuration.
    pub fn new(kafka: &Kafka) -> Result<Self, KafkaError> {
        let config = kafka.producer();
        let producer = RwLock::new(Arc::new(config.create()?));
        Ok(Self { config, producer })
    }

    /// Returns once the record is durable.
    ///
    /// # Errors
    /// When Kafka does not take it in time; whether it does so later is not known.
    pub async fn send<K: ToBytes + ?Sized, P: ToBytes + ?Sized>(
        &self,
        record: FutureRecord<'_, K, P>,
    ) -> Result<(), KafkaError> {
        let producer = Arc::clone(&self.producer.read());
        let sent = producer.send(record, Duration::ZERO).await;
        if sent.is_err() && producer.client().fatal_error().is_some() {
            self.replace(&producer)?;
        }
        sent.map(drop).map_err(|(error, _)| error)
    }

    /// Once, whoever finds it first.
    fn replace(&self, broken: &Arc<FutureProducer>) -> Result<(), KafkaError> {
        let mut producer = self.producer.write();
        if Arc::ptr_eq(&producer, broken) {
            tracing::warn!("kafka's client has failed for good and is replaced");
            *producer = Arc::new(self.config.create()?);
        }
        Ok(())
    }
}
