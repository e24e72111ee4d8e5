//! Membership of the service's consumer group: what the group assigns is noted, never fetched by itself.
//!
//! A partition's records flow only once it was taken over, from offsets stated by hand. Until then the member
//! keeps polling an assignment without it, so that a long restore never costs the membership.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc;
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, ConsumerGroupMetadata};
use rdkafka::error::KafkaResult;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};
use scopeguard::ScopeGuard;

/// When a client that leaves the group is no longer believed to come back.
const LEAVE_LIMIT: Duration = Duration::from_secs(10);

/// What the group last said; the session compares it with what it owns after each poll.
#[derive(Default)]
struct Assigned(Mutex<Vec<Change>>);

/// One message of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Assigned(BTreeSet<i32>),
    Revoked,
}

impl ClientContext for Assigned {}

impl ConsumerContext for Assigned {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, error: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let change = match error {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                // Nothing flows yet, but the group hears that the assignment is taken.
                let acknowledged = consumer.assign(&TopicPartitionList::new());
                if let Err(error) = acknowledged {
                    tracing::warn!(error = %error, "failed to acknowledge an assignment");
                }
                Change::Assigned(list.elements().iter().map(|element| element.partition()).collect())
            }
            _ => {
                if let Err(error) = consumer.unassign() {
                    tracing::warn!(error = %error, "failed to give an assignment back");
                }
                Change::Revoked
            }
        };
        self.0.lock().push(change);
    }
}

/// A member of the group. Dropping it leaves the group.
pub struct Group {
    consumer: ScopeGuard<BaseConsumer<Assigned>, fn(BaseConsumer<Assigned>)>,
}

/// Next offset per input topic (with prefix) of one partition.
pub type NextOffsets = BTreeMap<String, i64>;

impl Group {
    /// # Errors
    /// When the configuration or the subscription is refused.
    pub fn join(config: &ClientConfig, topics: &[String]) -> KafkaResult<Self> {
        let consumer: BaseConsumer<Assigned> = config.create_with_context(Assigned::default())?;
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        consumer.subscribe(&topics)?;
        Ok(Self { consumer: scopeguard::guard(consumer, leave) })
    }

    pub fn consumer(&self) -> &BaseConsumer<impl ConsumerContext> {
        &self.consumer
    }

    /// What the group has said since the last call, in order.
    pub fn changes(&self) -> Vec<Change> {
        std::mem::take(&mut *self.consumer.context().0.lock())
    }

    /// Lets records of these partitions flow, from these offsets, and no others; what was fetched is dropped.
    ///
    /// # Errors
    /// When the client refuses the list.
    pub fn flow_from<'a>(
        &self,
        partitions: impl IntoIterator<Item = (i32, &'a NextOffsets)>,
    ) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        for (partition, next) in partitions {
            for (topic, offset) in next {
                list.add_partition_offset(topic, partition, Offset::Offset(*offset))?;
            }
        }
        self.consumer.assign(&list)
    }

    /// What a transaction's offsets are bound to. To be taken after the last poll. `None` when the assignment was
    /// lost: then nothing of it may be committed.
    pub fn metadata(&self) -> Option<ConsumerGroupMetadata> {
        if self.consumer.assignment_lost() { None } else { self.consumer.group_metadata() }
    }
}

/// On a thread of its own: a client that is assigned something while it closes may wait for itself
/// ([4884](https://github.com/confluentinc/librdkafka/issues/4884)). By then it has left the group: it is left behind.
fn leave(consumer: BaseConsumer<Assigned>) {
    let (sender, receiver) = mpsc::sync_channel(1);
    let close = move || {
        drop(consumer);
        // Nobody may be waiting any more.
        let _ = sender.send(());
    };
    // Where there is no thread to be had, the client has closed on this one.
    let closing = std::thread::Builder::new().name("leave".to_owned()).spawn(close);
    if closing.is_ok() && receiver.recv_timeout(LEAVE_LIMIT).is_err() {
        tracing::warn!("a client does not come back from leaving its group, and is left behind");
    }
}
