//! Follows a topic of events from given offsets on: for views that decide nothing by themselves.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use schemas::Event;
use schemas::codec::Codec;
use schemas::envelope::Body;

use crate::kafka::{self, Isolation, Kafka};

const POLL: Duration = Duration::from_millis(50);

/// What a topic says.
#[allow(clippy::large_enum_variant, reason = "taken in and dropped: a box would cost each record more")]
pub enum Told<B: Body> {
    Event {
        partition: i32,
        offset: i64,
        event: Event<B>,
    },
    /// For now there is no more in this partition.
    End {
        partition: i32,
    },
}

/// Reads until `stopping`, each partition from the offset given.
///
/// # Errors
/// When Kafka's client cannot be set up, or a record cannot be decoded: to be begun anew from where it stands.
pub fn topic<B: Body>(
    kafka: &Kafka,
    codec: &Codec,
    from: impl IntoIterator<Item = (i32, i64)>,
    stopping: &dyn Fn() -> bool,
    mut take: impl FnMut(Told<B>),
) -> Result<(), Box<dyn std::error::Error>> {
    let consumer: BaseConsumer = kafka.follower(Isolation::Committed).create()?;
    let topic = kafka.topic(B::TOPIC);
    let mut list = TopicPartitionList::new();
    for (partition, offset) in from {
        list.add_partition_offset(&topic, partition, Offset::Offset(offset))?;
    }
    consumer.assign(&list)?;
    while !stopping() {
        match consumer.poll(POLL) {
            Some(Ok(message)) => {
                let event = codec.decode::<B, _>(message.payload().unwrap_or_default())?;
                take(Told::Event { partition: message.partition(), offset: message.offset(), event });
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => take(Told::End { partition }),
            Some(Err(error)) => kafka::tell(B::TOPIC, &error),
            None => {}
        }
    }
    Ok(())
}
