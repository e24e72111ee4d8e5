//! Wrapped key sets: written durably by fronts that seal, found again by the vault.
//!
//! On disk stand offsets of keys, never keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::FutureRecord;
use rdkafka::{Offset, TopicPartitionList};
use schemas::codec::Codec;
use schemas::envelope::Body;
use schemas::ids::{KeySetId, partition_of};
use schemas::sealed_keys::KeySet;
use tracing::error;

use crate::kafka::{self, Isolation, Kafka};
use crate::problem::chain;
use crate::reader::{ReadError, RecordReader};
use crate::store::{Batch, Kind, Store, StoreError};
use crate::writer::Writer;

const POLL: Duration = Duration::from_millis(50);
const AGAIN: Duration = Duration::from_secs(1);
/// Most offsets written in one batch.
const MAX_BATCH: usize = 2_000;

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the key set is not there: erased, or written a moment ago")]
    Gone,
    #[error("the index of key sets is being read from its topic")]
    Behind,
    #[error("the key set does not decode")]
    Decode(#[from] schemas::codec::CodecError),
}

/// The key set is not durable: whatever names it must not be written.
#[derive(Debug, thiserror::Error)]
pub enum NotWritten {
    #[error("Kafka does not take the key set")]
    Kafka(#[from] KafkaError),
    #[error("the key set does not encode")]
    Encode(#[from] schemas::codec::CodecError),
}

/// Between these a key set that no event names waits to be taken out: a 144th of the time that an erasure may take.
/// Half of the shorter one is still longer than a command may be on its way (`message.timeout.ms`, 8 s).
const ORPHANED_AFTER: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(600));

/// From so long on a key set that no event names is an orphan: whoever has made it must have named it in half of that,
/// or never does.
pub fn orphaned_after(erase_within: Duration) -> Duration {
    (erase_within / 144).clamp(ORPHANED_AFTER.0, ORPHANED_AFTER.1)
}

/// Writes key sets before the commands that name them.
pub struct KeyWriter {
    producer: Writer,
    kafka: Kafka,
    codec: Codec,
}

impl KeyWriter {
    /// # Errors
    /// When Kafka's client does not accept its configuration.
    pub fn new(kafka: &Kafka, codec: Codec) -> Result<Self, KafkaError> {
        Ok(Self { producer: Writer::new(kafka)?, kafka: kafka.clone(), codec })
    }

    /// For how long after it was sealed a key set may be named.
    pub fn fresh_for(&self) -> Duration {
        orphaned_after(self.kafka.erase_within) / 2
    }

    /// Returns once the record is durable.
    ///
    /// # Errors
    /// See [`NotWritten`].
    pub async fn write(&self, key_set: &KeySet) -> Result<(), NotWritten> {
        let value = self.codec.encode::<KeySet>(key_set)?;
        let (topic, key) = (self.kafka.topic(KeySet::TOPIC), key_set.key_set_id.to_string());
        let partition = partition_of(&key, self.kafka.partitions);
        let record = FutureRecord::to(&topic).partition(partition).key(&key).payload(&value);
        Ok(self.producer.send(record).await?)
    }

    /// Takes a key set out: one that nothing names and nothing ever will, or one that is erased.
    ///
    /// # Errors
    /// When Kafka does not take the tombstone; then the keys stay, and it has to be tried again.
    pub async fn erase(&self, id: KeySetId) -> Result<(), NotWritten> {
        let (topic, key) = (self.kafka.topic(KeySet::TOPIC), id.to_string());
        let partition = partition_of(&key, self.kafka.partitions);
        let record = FutureRecord::<String, [u8]>::to(&topic).partition(partition).key(&key);
        Ok(self.producer.send(record).await?)
    }
}

/// The key of records that stand for nothing: the active segment is never cleaned, and rolls only when a record comes.
const HEARTBEAT: &str = "heartbeat";

impl KeyWriter {
    /// Writes a record without a value to each partition, so that a quiet one is cleaned as well.
    ///
    /// # Errors
    /// When Kafka does not take it.
    pub async fn heartbeat(&self) -> Result<(), NotWritten> {
        let topic = self.kafka.topic(KeySet::TOPIC);
        for partition in 0..self.kafka.partitions {
            let record = FutureRecord::<str, [u8]>::to(&topic).partition(partition).key(HEARTBEAT);
            self.producer.send(record).await?;
        }
        Ok(())
    }
}

/// Finds key sets by id. Cheap to clone.
#[derive(Clone)]
pub struct KeyIndex {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    reader: RecordReader,
    kafka: Kafka,
    codec: Codec,
    /// Whether the topic was read to its end once since the start, or since the index was begun anew.
    is_whole: AtomicBool,
}

impl KeyIndex {
    /// # Errors
    /// When Kafka's client does not accept its configuration.
    pub fn new(store: Store, kafka: &Kafka, codec: Codec) -> Result<Self, KafkaError> {
        let reader = RecordReader::new(kafka)?;
        Ok(Self {
            inner: Arc::new(Inner {
                store,
                reader,
                kafka: kafka.clone(),
                codec,
                is_whole: AtomicBool::new(false),
            }),
        })
    }

    /// Whether everything that its topic held at the start was read.
    pub fn is_whole(&self) -> bool {
        self.inner.is_whole.load(Ordering::Acquire)
    }

    /// Reads the key set where it stands. Blocks.
    ///
    /// # Errors
    /// [`KeyError::Gone`] when it was erased.
    pub fn key_set(&self, id: KeySetId) -> Result<KeySet, KeyError> {
        let offset = self.offset(id)?.ok_or(KeyError::Gone)?;
        match self.read(id, offset)? {
            Some(value) => Ok(self.inner.codec.decode::<KeySet, _>(&value)?),
            None => Err(KeyError::Gone),
        }
    }

    /// Where the newest record of the key set stands; `None` when it was erased, or was written a moment ago.
    ///
    /// # Errors
    /// When the store cannot be read, or the topic has not been read to its end yet: what is not there may only not
    /// have been read, and what is there may be an older record than the newest.
    pub fn offset(&self, id: KeySetId) -> Result<Option<i64>, KeyError> {
        let was_whole = self.is_whole();
        let offset = self.inner.store.get(Kind::Index, id.as_uuid().as_bytes())?;
        // Asked again after the read, since the index may have been begun anew meanwhile.
        if !was_whole || !self.is_whole() {
            return Err(KeyError::Behind);
        }
        Ok(offset.and_then(|bytes| bytes.try_into().ok()).map(i64::from_be_bytes))
    }

    /// Whether the log still holds the key set's record at the offset. Blocks.
    ///
    /// # Errors
    /// When Kafka does not answer in time.
    pub fn stands(&self, id: KeySetId, offset: i64) -> Result<bool, KeyError> {
        Ok(self.read(id, offset)?.is_some())
    }

    fn read(&self, id: KeySetId, offset: i64) -> Result<Option<Vec<u8>>, KeyError> {
        let partition = partition_of(&id.to_string(), self.inner.kafka.partitions);
        let found = self.inner.reader.read(KeySet::TOPIC, partition, offset)?;
        Ok(found.filter(|(key, _)| key == id.to_string().as_bytes()).map(|(_, value)| value))
    }

    /// Follows the topic until `stopping`, on a thread of its own. Failures are told and begun anew.
    pub fn follow(&self, stopping: impl Fn() -> bool) {
        while !stopping() {
            if let Err(error) = self.follow_once(&stopping) {
                error!(error = %chain(&*error), "following sealed-keys failed, retrying");
                if error.is::<StoreError>() {
                    self.renew();
                }
                std::thread::sleep(AGAIN);
            }
        }
    }

    /// The index is rebuilt from the topic, as every store is.
    fn renew(&self) {
        self.inner.is_whole.store(false, Ordering::Release);
        if let Err(error) = self.inner.store.renew() {
            error!(error = %chain(&error), "failed to begin a new store");
        }
    }

    fn follow_once(&self, stopping: &impl Fn() -> bool) -> Result<(), Box<dyn std::error::Error>> {
        let kafka = &self.inner.kafka;
        let made = kafka.outages.mark();
        // A compacted topic may have lost what was below: its first record is as good a start as any.
        let mut config = kafka.follower(Isolation::Committed);
        let consumer: BaseConsumer = config.set("auto.offset.reset", "earliest").create()?;
        let mut list = TopicPartitionList::new();
        for partition in 0..kafka.partitions {
            let next = self.inner.store.get(Kind::Position, &partition.to_be_bytes())?;
            let next = next.and_then(|bytes| bytes.try_into().ok()).map_or(0, i64::from_be_bytes);
            list.add_partition_offset(&kafka.topic(KeySet::TOPIC), partition, Offset::Offset(next))?;
        }
        consumer.assign(&list)?;
        let mut behind: Vec<i32> = (0..kafka.partitions).collect();
        while !stopping() && !made.is_outdated() {
            let ends = self.take_in(&consumer)?;
            behind.retain(|partition| !ends.contains(partition));
            if behind.is_empty() {
                self.inner.is_whole.store(true, Ordering::Release);
            }
        }
        Ok(())
    }

    /// Takes in what is there; the partitions whose end was reached.
    fn take_in(&self, consumer: &BaseConsumer) -> Result<Vec<i32>, StoreError> {
        let (mut batch, mut ends) = (Batch::default(), Vec::new());
        let mut wait = POLL;
        for _ in 0..MAX_BATCH {
            match consumer.poll(wait) {
                None => break,
                Some(Ok(message)) => note(&mut batch, &message),
                Some(Err(KafkaError::PartitionEOF(partition))) => ends.push(partition),
                Some(Err(error)) => kafka::tell("sealed-keys", &error),
            }
            wait = Duration::ZERO;
        }
        if !batch.is_empty() {
            self.inner.store.apply(batch)?;
        }
        Ok(ends)
    }
}

fn note(batch: &mut Batch, message: &impl Message) {
    let id = message
        .key()
        .and_then(|key| std::str::from_utf8(key).ok())
        .and_then(|key| key.parse::<KeySetId>().ok());
    if let Some(id) = id {
        match message.payload() {
            Some(_) => batch.put(Kind::Index, id.as_uuid().as_bytes(), message.offset().to_be_bytes()),
            None => batch.delete(Kind::Index, id.as_uuid().as_bytes()),
        }
    }
    batch.put(Kind::Position, &message.partition().to_be_bytes(), (message.offset() + 1).to_be_bytes());
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::outages::Outages;

    const CACHE: u64 = 1024 * 1024;

    #[test]
    fn an_index_that_was_not_read_to_its_end_says_nothing_of_any_key_set() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("sealed-keys"), CACHE).unwrap();
        let (known, unknown) = (KeySetId::from_bytes([1; 16]), KeySetId::from_bytes([2; 16]));
        let mut batch = Batch::default();
        batch.put(Kind::Index, known.as_uuid().as_bytes(), 7_i64.to_be_bytes());
        store.apply(batch).unwrap();
        let kafka = Kafka {
            brokers: "127.0.0.1:1".to_owned(),
            prefix: String::new(),
            partitions: 4,
            replication: 1,
            erase_within: Duration::from_secs(1),
            extra: BTreeMap::new(),
            outages: Outages::default(),
        };
        let index = KeyIndex::new(store, &kafka, Codec::with_table()).unwrap();
        let is_behind = |id| matches!(index.offset(id), Err(KeyError::Behind));
        assert!(is_behind(known) && is_behind(unknown));
        index.inner.is_whole.store(true, Ordering::Release);
        assert_eq!((index.offset(known).unwrap(), index.offset(unknown).unwrap()), (Some(7), None));
        index.renew();
        assert!(is_behind(known) && is_behind(unknown));
    }
}
