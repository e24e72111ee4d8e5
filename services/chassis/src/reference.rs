//! The directory as every service follows it: a reference view that never decides by itself.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use schemas::Event;
use schemas::codec::Codec;
use schemas::directory::DirectoryEvent;
use schemas::directory::view::Directory;
use schemas::envelope::Body;
use tokio::sync::watch;
use tracing::error;

use crate::kafka::{self, Isolation, Kafka};

const POLL: Duration = Duration::from_millis(50);
/// Pause before a follower that failed is begun anew.
const AGAIN: Duration = Duration::from_secs(1);

/// The directory and the position in `directory.events` it is as of.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub directory: Arc<Directory>,
    /// The offset of the last event taken in; -1 before the first.
    pub position: i64,
}

/// Shared by everything in the process. Cheap to clone.
#[derive(Clone)]
pub struct Reference {
    current: Arc<RwLock<Snapshot>>,
    /// Whether the topic was read to its end once, and how often the view has changed.
    changes: watch::Sender<(bool, u64)>,
}

impl Default for Reference {
    fn default() -> Self {
        let snapshot = Snapshot { directory: Arc::default(), position: -1 };
        Self { current: Arc::new(RwLock::new(snapshot)), changes: watch::Sender::new((false, 0)) }
    }
}

impl Reference {
    pub fn snapshot(&self) -> Snapshot {
        self.current.read().clone()
    }

    /// Hears of each change; the first value says whether the view is complete.
    pub fn changes(&self) -> watch::Receiver<(bool, u64)> {
        self.changes.subscribe()
    }

    pub fn is_empty(&self) -> bool {
        self.current.read().directory.is_empty()
    }

    pub fn is_complete(&self) -> bool {
        self.changes.borrow().0
    }

    /// Follows the topic until `stopping`, on a thread of its own. Failures are told and begun anew.
    pub fn follow(&self, kafka: &Kafka, codec: &Codec, stopping: impl Fn() -> bool) {
        while !stopping() {
            if let Err(error) = self.follow_once(kafka, codec, &stopping) {
                error!(error = %crate::problem::chain(&*error), "following the directory failed, retrying");
                std::thread::sleep(AGAIN);
            }
        }
    }

    fn follow_once(
        &self,
        kafka: &Kafka,
        codec: &Codec,
        stopping: &impl Fn() -> bool,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let consumer: BaseConsumer = kafka.follower(Isolation::Committed).create()?;
        let mut list = TopicPartitionList::new();
        let next = Offset::Offset(self.snapshot().position + 1);
        list.add_partition_offset(&kafka.topic(DirectoryEvent::TOPIC), 0, next)?;
        consumer.assign(&list)?;
        while !stopping() {
            match consumer.poll(POLL) {
                Some(Ok(message)) => {
                    let value = message.payload().unwrap_or_default();
                    let event: Event<DirectoryEvent> = codec.decode::<DirectoryEvent, _>(value)?;
                    self.take_in(&event, message.offset());
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    self.changes.send_modify(|(complete, _)| *complete = true)
                }
                Some(Err(error)) => kafka::tell("directory", &error),
                None => {}
            }
        }
        Ok(())
    }

    fn take_in(&self, event: &Event<DirectoryEvent>, position: i64) {
        let mut directory = Directory::clone(&self.snapshot().directory);
        directory.evolve(&event.body, event.time);
        *self.current.write() = Snapshot { directory: Arc::new(directory), position };
        self.changes.send_modify(|(_, changes)| *changes += 1);
    }
}
