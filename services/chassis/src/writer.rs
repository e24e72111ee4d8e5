//! Writes records one by one, durable and in order. A client that has failed for good is replaced: an idempotent
//! producer never recovers from an error that it calls fatal, nor from every outage.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use rdkafka::error::KafkaError;
use rdkafka::message::ToBytes;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};

use crate::kafka::Kafka;
use crate::outages::Mark;

pub struct Writer {
    kafka: Kafka,
    producer: RwLock<Client>,
}

#[derive(Clone)]
struct Client {
    producer: Arc<FutureProducer>,
    made: Mark,
}

impl Client {
    fn new(kafka: &Kafka) -> Result<Self, KafkaError> {
        let made = kafka.outages.mark();
        Ok(Self { producer: Arc::new(kafka.producer().create()?), made })
    }
}

impl Writer {
    /// # Errors
    /// When Kafka's client does not accept its configuration.
    pub fn new(kafka: &Kafka) -> Result<Self, KafkaError> {
        Ok(Self { kafka: kafka.clone(), producer: RwLock::new(Client::new(kafka)?) })
    }

    /// Returns once the record is durable.
    ///
    /// # Errors
    /// When Kafka does not take it in time; whether it does so later is not known.
    pub async fn send<K: ToBytes + ?Sized, P: ToBytes + ?Sized>(
        &self,
        record: FutureRecord<'_, K, P>,
    ) -> Result<(), KafkaError> {
        let mut client = self.producer.read().clone();
        if client.made.is_outdated() {
            client = self.replace(&client)?;
        }
        let sent = client.producer.send(record, Duration::ZERO).await;
        if sent.is_err() && client.producer.client().fatal_error().is_some() {
            self.replace(&client)?;
        }
        sent.map(drop).map_err(|(error, _)| error)
    }

    /// Once, whoever finds it first.
    fn replace(&self, broken: &Client) -> Result<Client, KafkaError> {
        let mut client = self.producer.write();
        if Arc::ptr_eq(&client.producer, &broken.producer) {
            tracing::warn!("kafka's client is of no use any more and is replaced");
            *client = Client::new(&self.kafka)?;
        }
        Ok(client.clone())
    }
}
