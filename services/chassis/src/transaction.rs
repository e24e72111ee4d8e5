//! A transactional producer that knows when all its records are in.
//!
//! rdkafka's own `flush`, and with it a commit with reports outstanding, polls for a whole 100 ms. Here a
//! thread of its own serves the delivery reports, and [`TransactionalProducer::drain`] waits on a condition
//! variable: nothing is outstanding any more when the commit is called, so it returns at once.

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use rdkafka::ClientConfig;
use rdkafka::ClientContext;
use rdkafka::TopicPartitionList;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};

use crate::kafka::TRANSACTION_TIMEOUT;

/// How long the broker may take to make this producer the only one of its id.
const INIT_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a record is handed over again while the client's queue is full.
const RETRIES: u32 = 20;
const RETRY_PAUSE: Duration = Duration::from_millis(10);
/// When the client is no longer believed to come back from the transaction's offsets: a little over what it was given.
const OFFSETS_LIMIT: Duration = Duration::from_secs(TRANSACTION_TIMEOUT.as_secs() + 2);

/// What to do about a step of a transaction that failed.
#[derive(Debug, thiserror::Error)]
pub enum TransactionError {
    /// Abort, rewind to what was committed, and try again.
    #[error("the transaction must be aborted")]
    Abort(#[source] KafkaError),
    /// As [`TransactionError::Abort`].
    #[error("the group has taken the partitions back, or does not say that they are assigned here")]
    Lost,
    /// Whether it is committed is unknown, or this producer was fenced: a new producer, and the take-over anew.
    #[error("the producer must be replaced")]
    Replace(#[source] KafkaError),
    /// As [`TransactionError::Replace`].
    #[error("the commit broke off")]
    Panicked,
    /// As [`TransactionError::Replace`].
    #[error("the client does not come back from the transaction's offsets")]
    Hangs,
    /// As [`TransactionError::Replace`].
    #[error("no thread could be started to ask for the transaction's offsets")]
    Thread(#[source] std::io::Error),
}

pub struct TransactionalProducer {
    producer: Arc<ThreadedProducer<Reports>>,
    reports: Arc<Pending>,
}

impl TransactionalProducer {
    /// Creates the producer and fences every earlier one of the same id.
    ///
    /// # Errors
    /// When the broker cannot be reached in time.
    pub fn start(config: &ClientConfig) -> KafkaResult<Self> {
        let reports = Arc::new(Pending::default());
        let context = Reports(Arc::clone(&reports));
        let producer = ThreadedProducer::from_config_and_context(config, context)?;
        producer.init_transactions(INIT_TIMEOUT)?;
        Ok(Self { producer: Arc::new(producer), reports })
    }

    /// # Errors
    /// See [`TransactionError`].
    pub fn begin(&self) -> Result<(), TransactionError> {
        self.reports.reset();
        step(&self.producer, || self.producer.begin_transaction())
    }

    /// Hands one record over. `slot` is where its offset will stand in what [`Self::drain`] returns.
    ///
    /// # Errors
    /// See [`TransactionError`].
    pub fn send(
        &self,
        topic: &str,
        partition: i32,
        key: &str,
        value: &[u8],
        headers: OwnedHeaders,
        slot: usize,
    ) -> Result<(), TransactionError> {
        self.reports.expect(slot);
        let mut record = BaseRecord::with_opaque_to(topic, slot)
            .partition(partition)
            .key(key)
            .payload(value)
            .headers(headers);
        for _ in 0..RETRIES {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), unsent)) => {
                    record = unsent;
                    std::thread::sleep(RETRY_PAUSE);
                }
                Err((error, _)) => {
                    self.reports.withdraw();
                    return Err(classify(&self.producer, error));
                }
            }
        }
        self.reports.withdraw();
        Err(TransactionError::Abort(KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)))
    }

    /// Waits until every record handed over is in; their offsets, by slot.
    ///
    /// # Errors
    /// See [`TransactionError`].
    pub fn drain(&self) -> Result<Vec<i64>, TransactionError> {
        let offsets =
            self.reports.wait(TRANSACTION_TIMEOUT).map_err(|error| classify(&self.producer, error))?;
        // The last report is served a moment before librdkafka's own count falls to zero.
        let deadline = Instant::now() + TRANSACTION_TIMEOUT;
        while self.producer.in_flight_count() > 0 && Instant::now() < deadline {
            std::thread::yield_now();
        }
        Ok(offsets)
    }

    /// Asked on a thread of its own: while the group's coordinator is away the client heeds no time
    /// ([5456](https://github.com/confluentinc/librdkafka/issues/5456),
    /// [5511](https://github.com/confluentinc/librdkafka/issues/5511)). Where it does not come back it is left behind
    /// with its producer, which the next one of the same id fences.
    ///
    /// # Errors
    /// See [`TransactionError`].
    pub fn send_offsets(
        &self,
        offsets: TopicPartitionList,
        group: ConsumerGroupMetadata,
    ) -> Result<(), TransactionError> {
        let (producer, (sender, receiver)) = (Arc::clone(&self.producer), mpsc::sync_channel(1));
        let ask = move || {
            let attempt = || producer.send_offsets_to_transaction(&offsets, &group, TRANSACTION_TIMEOUT);
            // Nobody may be waiting any more.
            let _ = sender.send(step(&producer, attempt));
        };
        let asking = std::thread::Builder::new().name("offsets".to_owned()).spawn(ask);
        asking.map_err(TransactionError::Thread)?;
        receiver.recv_timeout(OFFSETS_LIMIT).unwrap_or(Err(TransactionError::Hangs))
    }

    /// # Errors
    /// See [`TransactionError`]. A commit whose answer is lost is neither done nor undone: replace.
    pub fn commit(&self) -> Result<(), TransactionError> {
        let attempt = || self.producer.commit_transaction(TRANSACTION_TIMEOUT);
        step(&self.producer, attempt).map_err(|error| match error {
            TransactionError::Abort(cause) if is_timeout(&cause) => TransactionError::Replace(cause),
            other => other,
        })
    }

    /// # Errors
    /// When even the abort fails: then the producer must be replaced.
    pub fn abort(&self) -> Result<(), TransactionError> {
        let attempt = || self.producer.abort_transaction(TRANSACTION_TIMEOUT);
        step(&self.producer, attempt).map_err(|error| match error {
            TransactionError::Abort(cause) => TransactionError::Replace(cause),
            other => other,
        })
    }
}

fn step(
    producer: &ThreadedProducer<Reports>,
    attempt: impl Fn() -> KafkaResult<()>,
) -> Result<(), TransactionError> {
    // After that the broker has aborted by itself: trying on would only keep the partitions from others.
    let deadline = Instant::now() + TRANSACTION_TIMEOUT;
    loop {
        match attempt() {
            Ok(()) => return Ok(()),
            Err(KafkaError::Transaction(error)) if error.is_retriable() && Instant::now() < deadline => {
                std::thread::sleep(RETRY_PAUSE);
            }
            Err(error) => return Err(classify(producer, error)),
        }
    }
}

fn classify(producer: &ThreadedProducer<Reports>, error: KafkaError) -> TransactionError {
    let fatal_of_client = producer.client().fatal_error().is_some();
    match &error {
        KafkaError::Transaction(cause) if cause.txn_requires_abort() && !fatal_of_client => {
            TransactionError::Abort(error)
        }
        KafkaError::MessageProduction(_) if !fatal_of_client => TransactionError::Abort(error),
        _ => TransactionError::Replace(error),
    }
}

fn is_timeout(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::RequestTimedOut
                | RDKafkaErrorCode::MessageTimedOut
        )
    )
}

/// Serves the delivery reports on the producer's own thread.
struct Reports(Arc<Pending>);

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, slot: usize) {
        match result {
            Ok(message) => self.0.delivered(slot, message.offset()),
            Err((error, _)) => self.0.failed(error.clone()),
        }
    }
}

/// The records of the open transaction that are not in yet.
#[derive(Default)]
struct Pending {
    state: Mutex<PendingState>,
    all_in: Condvar,
}

#[derive(Default)]
struct PendingState {
    outstanding: usize,
    offsets: Vec<i64>,
    error: Option<KafkaError>,
}

impl Pending {
    fn reset(&self) {
        *self.state.lock() = PendingState::default();
    }

    fn expect(&self, slot: usize) {
        let mut state = self.state.lock();
        state.outstanding += 1;
        if state.offsets.len() <= slot {
            state.offsets.resize(slot + 1, -1);
        }
    }

    fn withdraw(&self) {
        self.state.lock().outstanding -= 1;
    }

    fn delivered(&self, slot: usize, offset: i64) {
        let mut state = self.state.lock();
        if let Some(place) = state.offsets.get_mut(slot) {
            *place = offset;
        }
        self.report_in(&mut state);
    }

    fn failed(&self, error: KafkaError) {
        let mut state = self.state.lock();
        state.error.get_or_insert(error);
        self.report_in(&mut state);
    }

    /// A report of an aborted transaction may come late, when nothing is outstanding any more.
    fn report_in(&self, state: &mut PendingState) {
        state.outstanding = state.outstanding.saturating_sub(1);
        if state.outstanding == 0 {
            self.all_in.notify_all();
        }
    }

    fn wait(&self, limit: Duration) -> Result<Vec<i64>, KafkaError> {
        let deadline = Instant::now() + limit;
        let mut state = self.state.lock();
        while state.outstanding > 0 {
            if self.all_in.wait_until(&mut state, deadline).timed_out() {
                return Err(KafkaError::MessageProduction(RDKafkaErrorCode::MessageTimedOut));
            }
        }
        match state.error.take() {
            Some(error) => Err(error),
            None => Ok(std::mem::take(&mut state.offsets)),
        }
    }
}
