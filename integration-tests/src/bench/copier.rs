//! Plain loops of rdkafka without anything of the product around them, written as well as one can: a thread serves
//! the delivery reports, nothing polls while a commit is under way, and two transactional producers take turns.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use chassis::kafka::Kafka;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext};
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use super::ground::PARTITIONS;
use super::topic::{Reader, Record};

const ASK: Duration = Duration::from_secs(30);
/// Pause when the producer's queue is full.
const FULL: Duration = Duration::from_millis(1);
/// How long a batch may take to be in.
const IN: Duration = Duration::from_secs(60);

/// A producer that can say when everything handed over is in.
pub struct Plain {
    producer: ThreadedProducer<Reports>,
    delivered: Arc<Delivered>,
}

#[derive(Default)]
struct Delivered {
    count: AtomicUsize,
    failed: AtomicUsize,
    /// What the waiting thread waits for; nobody waits at `usize::MAX`.
    wanted: AtomicUsize,
    waiting: std::sync::Mutex<()>,
    all_in: std::sync::Condvar,
}

struct Reports(Arc<Delivered>);

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_err() {
            self.0.failed.fetch_add(1, Ordering::SeqCst);
        }
        if self.0.count.fetch_add(1, Ordering::SeqCst) + 1 == self.0.wanted.load(Ordering::SeqCst) {
            // Taken, so that the report does not come between the last look and the wait.
            drop(self.0.waiting.lock());
            self.0.all_in.notify_all();
        }
    }
}

impl Plain {
    pub fn start(config: &ClientConfig) -> anyhow::Result<Self> {
        let delivered = Arc::new(Delivered::default());
        let producer = ThreadedProducer::from_config_and_context(config, Reports(Arc::clone(&delivered)))?;
        Ok(Self { producer, delivered })
    }

    /// Hands the records over and waits until all of them are in.
    pub fn write<'r>(
        &self,
        topic: &str,
        records: impl IntoIterator<Item = (i32, &'r Record)>,
    ) -> anyhow::Result<usize> {
        self.delivered.count.store(0, Ordering::SeqCst);
        self.delivered.wanted.store(usize::MAX, Ordering::SeqCst);
        let mut written = 0;
        for (partition, record) in records {
            self.send(topic, partition, record)?;
            written += 1;
        }
        self.delivered.wanted.store(written, Ordering::SeqCst);
        let mut waiting = self.delivered.waiting.lock().expect("no holder of this lock panics");
        while self.delivered.count.load(Ordering::SeqCst) < written {
            let waited = self.delivered.all_in.wait_timeout(waiting, IN);
            let (again, late) = waited.expect("no holder of this lock panics");
            ensure!(!late.timed_out(), "records were not in within a minute");
            waiting = again;
        }
        ensure!(self.delivered.failed.load(Ordering::SeqCst) == 0, "records were refused");
        Ok(written)
    }

    fn send(&self, topic: &str, partition: i32, record: &Record) -> anyhow::Result<()> {
        let mut next = BaseRecord::to(topic).partition(partition).key(&record.key).payload(&record.value);
        if let Some(headers) = &record.headers {
            next = next.headers(headers.clone());
        }
        loop {
            match self.producer.send(next) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), unsent)) => {
                    next = unsent;
                    std::thread::sleep(FULL);
                }
                Err((error, _)) => return Err(error.into()),
            }
        }
    }
}

/// Two transactional producers that take turns.
pub struct Turns {
    producers: [Plain; 2],
    turn: usize,
}

impl Turns {
    pub fn start(kafka: &Kafka, name: &str) -> anyhow::Result<Self> {
        let producer = |turn| {
            let plain = Plain::start(&kafka.transactional_producer(name, "bench", turn))?;
            plain.producer.init_transactions(ASK)?;
            anyhow::Ok(plain)
        };
        Ok(Self { producers: [producer(0)?, producer(1)?], turn: 0 })
    }

    /// One transaction: the records, and the offsets of what they answer.
    fn write<'r>(
        &mut self,
        input: &Reader,
        offsets: &TopicPartitionList,
        topic: &str,
        records: impl IntoIterator<Item = (i32, &'r Record)>,
    ) -> anyhow::Result<usize> {
        self.turn = 1 - self.turn;
        let plain = &self.producers[self.turn];
        plain.producer.begin_transaction()?;
        let written = plain.write(topic, records)?;
        while plain.producer.in_flight_count() > 0 {
            std::thread::yield_now();
        }
        let group = input.consumer().group_metadata().context("the reader has a group")?;
        plain.producer.send_offsets_to_transaction(offsets, &group, ASK)?;
        plain.producer.commit_transaction(ASK)?;
        Ok(written)
    }
}

/// What a copying loop is to do.
pub struct Copy<'a> {
    pub kafka: &'a Kafka,
    /// Topics without the deployment's prefix.
    pub from: &'a str,
    pub to: &'a str,
    /// How many records are read in all, and at most in one transaction.
    pub inputs: usize,
    pub batch: usize,
    /// How long a batch waits for more to come.
    pub wait: Duration,
    /// What is written for one input, in turn.
    pub outputs: &'a [Vec<Record>],
}

/// What came of a copying loop.
#[derive(Clone, Copy, Debug, Default)]
pub struct Copied {
    pub inputs_per_s: f64,
    pub records_per_s: f64,
    pub records_per_transaction: f64,
}

/// Reads, writes and commits until all inputs are answered; timed from before the first fetch.
pub fn copy(copy: &Copy<'_>, turns: &mut Turns) -> anyhow::Result<Copied> {
    let (from, to) = (copy.kafka.topic(copy.from), copy.kafka.topic(copy.to));
    let begun = Instant::now();
    let input = Reader::open(copy.kafka, copy.from)?;
    let (mut read, mut written, mut transactions) = (0, 0, 0);
    while read < copy.inputs {
        let batch = input.batch(copy.batch.min(copy.inputs - read), copy.wait)?;
        let mut next: BTreeMap<i32, i64> = BTreeMap::new();
        for (partition, offset) in &batch {
            next.insert(*partition, offset + 1);
        }
        let mut offsets = TopicPartitionList::new();
        for (partition, offset) in next {
            offsets.add_partition_offset(&from, partition, Offset::Offset(offset))?;
        }
        let records = batch.iter().enumerate().flat_map(|(place, (partition, _))| {
            let outputs = &copy.outputs[(read + place) % copy.outputs.len()];
            outputs.iter().map(|record| (*partition, record))
        });
        written += turns.write(&input, &offsets, &to, records)?;
        read += batch.len();
        transactions += 1;
    }
    let seconds = begun.elapsed().as_secs_f64();
    Ok(Copied {
        inputs_per_s: read as f64 / seconds,
        records_per_s: written as f64 / seconds,
        records_per_transaction: written as f64 / f64::from(transactions),
    })
}

/// Creates topics beside the deployment's own, with the same partitions.
pub async fn create_topics(kafka: &Kafka, names: &[&str]) -> anyhow::Result<()> {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", &kafka.brokers).create()?;
    let names: Vec<String> = names.iter().map(|name| kafka.topic(name)).collect();
    let new: Vec<NewTopic<'_>> =
        names.iter().map(|name| NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(1))).collect();
    for created in admin.create_topics(&new, &AdminOptions::new()).await? {
        if let Err((topic, code)) = created {
            bail!("failed to create {topic}: {code}");
        }
    }
    Ok(())
}
