//! Follows a topic of events from its beginning: for views that decide nothing by themselves.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use schemas::Event;
use schemas::codec::Codec;
use schemas::envelope::Body;
use tracing::error;

use crate::kafka::{self, Isolation, Kafka};
use crate::problem::chain;

const POLL: Duration = Duration::from_millis(50);
/// Pause before a follower that failed is begun anew.
const AGAIN: Duration = Duration::from_secs(1);

/// What a topic says.
#[allow(clippy::large_enum_variant, reason = "taken in and dropped: a box would cost each record more")]
pub enum Told<B: Body> {
    Event {
        partition: i32,
        offset: i64,
        event: Event<B>,
    },
    /// Every partition was read to its end. Said again whenever it is so again.
    Whole,
}

/// Reads all partitions until `stopping`, on the thread of the caller. A failure is told, and reading goes on behind
/// the last event that was taken in.
pub fn view<B: Body>(
    kafka: &Kafka,
    codec: &Codec,
    stopping: &dyn Fn() -> bool,
    mut take: impl FnMut(Told<B>),
) {
    let partitions = usize::try_from(kafka.partitions_of_topic(B::TOPIC)).unwrap_or_default();
    let mut next = vec![0; partitions];
    while !stopping() {
        if let Err(failed) = read(kafka, codec, &mut next, stopping, &mut take) {
            error!(topic = B::TOPIC, error = %chain(&*failed), "following a topic failed, retrying");
            std::thread::sleep(AGAIN);
        }
    }
}

/// From `next` on, which says for each partition where to go on, until `stopping` or an outage.
fn read<B: Body>(
    kafka: &Kafka,
    codec: &Codec,
    next: &mut [i64],
    stopping: &dyn Fn() -> bool,
    take: &mut impl FnMut(Told<B>),
) -> Result<(), Box<dyn std::error::Error>> {
    let made = kafka.outages.mark();
    let consumer: BaseConsumer = kafka.follower(Isolation::Committed).create()?;
    let topic = kafka.topic(B::TOPIC);
    let mut list = TopicPartitionList::new();
    for (partition, offset) in (0..).zip(next.iter()) {
        list.add_partition_offset(&topic, partition, Offset::Offset(*offset))?;
    }
    consumer.assign(&list)?;
    let mut behind: BTreeSet<i32> = (0..).zip(next.iter()).map(|(partition, _)| partition).collect();
    while !stopping() && !made.is_outdated() {
        match consumer.poll(POLL) {
            Some(Ok(message)) => {
                let event = codec.decode::<B, _>(message.payload().unwrap_or_default())?;
                take(Told::Event { partition: message.partition(), offset: message.offset(), event });
                let place = usize::try_from(message.partition()).ok().and_then(|at| next.get_mut(at));
                *place.ok_or("a record of a partition that was not asked for")? = message.offset() + 1;
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                behind.remove(&partition);
                if behind.is_empty() {
                    take(Told::Whole);
                }
            }
            Some(Err(error)) => kafka::tell(B::TOPIC, &error),
            None => {}
        }
    }
    Ok(())
}
