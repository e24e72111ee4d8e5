//! The directory as every service follows it: a reference view that never decides by itself.

use std::sync::Arc;

use parking_lot::RwLock;
use schemas::Event;
use schemas::codec::Codec;
use schemas::directory::DirectoryEvent;
use schemas::directory::view::Directory;
use tokio::sync::watch;

use crate::follow::{self, Told};
use crate::kafka::Kafka;

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

    /// Follows the topic until `stopping`, on a thread of its own.
    pub fn follow(&self, kafka: &Kafka, codec: &Codec, stopping: &dyn Fn() -> bool) {
        follow::view::<DirectoryEvent>(kafka, codec, stopping, |told| match told {
            Told::Event { offset, event, .. } => self.take_in(&event, offset),
            Told::Whole => self.changes.send_modify(|(complete, _)| *complete = true),
        });
    }

    fn take_in(&self, event: &Event<DirectoryEvent>, position: i64) {
        let mut directory = Directory::clone(&self.snapshot().directory);
        directory.evolve(&event.body, event.time);
        *self.current.write() = Snapshot { directory: Arc::new(directory), position };
        self.changes.send_modify(|(_, changes)| *changes += 1);
    }
}
