//! Every client of Kafka that a service uses, configured in one place.
//!
//! The traps that the settings answer are named where they stand.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use schemas::ids::Country;
use schemas::topics::{self, Kept, Partitions, Topic};
use tracing::{debug, error, warn};

use crate::outages::Outages;

/// Largest record that is ever written; topics are created with it. A referral of the largest permitted size
/// (256 KiB of narrative and 256 KiB of everything else, sealed) fits four times.
pub const MAX_RECORD_BYTES: usize = 4 * 1024 * 1024;

/// The group that followers name.
pub const FOLLOWERS: &str = "follower";

/// A group member silent for so long is taken for gone.
const SESSION_TIMEOUT: Duration = Duration::from_secs(6);

/// A member that does not ask for records for so long loses its partitions. Longer than all steps of a transaction take
/// when each runs out of time (drain, offsets, commit or abort: some 50 s), and than a registry that does not answer
/// takes for an unknown schema on each of eight partitions (80 s).
const POLL_INTERVAL: Duration = Duration::from_secs(180);

/// An open transaction stalls every reader of its topics, so a stuck one is aborted soon.
pub const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);

/// Must be below the transaction's, or a record may be sent into a transaction already aborted.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(8);

/// How often a client asks which partitions there are, and who leads them.
const METADATA_REFRESH: Duration = Duration::from_secs(3);

/// How long an administrative request may take.
const ADMIN_TIMEOUT: Duration = Duration::from_secs(15);

/// How many topics are asked at once for the schemas they hold.
const TOPICS_AT_ONCE: usize = 16;
/// How many records at either end of a partition are asked for their schema.
const LAST_RECORDS: i64 = 8;
/// How often new topics are looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Where Kafka is, and under which prefix this deployment's names stand.
#[derive(Clone, Debug)]
pub struct Kafka {
    pub brokers: String,
    /// Before every topic, group and transactional id; empty in most deployments.
    pub prefix: String,
    pub partitions: i32,
    pub replication: i32,
    /// Within which an erased key is gone from every replica: the settings of compacted topics follow from it.
    pub erase_within: Duration,
    /// librdkafka settings of the operator: security, mostly.
    pub extra: BTreeMap<String, String>,
    /// What all clients of the process have been through.
    pub outages: Outages,
}

/// What a reader sees of transactions that are not committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    Committed,
    Uncommitted,
}

#[derive(Debug, thiserror::Error)]
pub enum TopicError {
    #[error("failed to ask Kafka about its topics")]
    Ask(#[source] KafkaError),
    #[error("failed to create topic {topic}: {code}")]
    Create { topic: String, code: RDKafkaErrorCode },
    #[error("topic {topic} has {found} partitions and must have {expected}: a count is fixed for life")]
    PartitionCount { topic: String, found: usize, expected: i32 },
    #[error(
        "topic {0} is missing: create it with `causeway topics create`; if it is there, this service has no right to \
         it, see `causeway topics rights`"
    )]
    Missing(String),
}

impl Kafka {
    pub fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The topic without the deployment's prefix, as records and rules name it.
    pub fn without_prefix<'a>(&self, topic: &'a str) -> &'a str {
        topic.strip_prefix(&self.prefix).unwrap_or(topic)
    }

    pub fn partitions_of(&self, partitions: Partitions) -> i32 {
        match partitions {
            Partitions::One => 1,
            Partitions::PerIncident => self.partitions,
        }
    }

    /// The partitions of a topic of the table.
    ///
    /// # Panics
    /// When the table has no such topic, which a test of every service rules out.
    pub fn partitions_of_topic(&self, name: &str) -> i32 {
        self.partitions_of(
            topics::named(name).expect("every topic of a service stands in the table").partitions,
        )
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config.set("client.id", "causeway");
        // Logs speak through tracing; the client's own chatter about reconnects stays out of the way.
        config.set_log_level(rdkafka::config::RDKafkaLogLevel::Warning);
        config.set("reconnect.backoff.max.ms", "1000");
        // A broker that is just coming up may name a topic with some of its partitions only. librdkafka (2.12) keeps
        // that, and says of the others that there are none until it asks anew, which it does every five minutes.
        config.set("topic.metadata.refresh.interval.ms", METADATA_REFRESH.as_millis().to_string());
        for (key, value) in &self.extra {
            config.set(key, value);
        }
        config
    }

    /// A member of a service's group. The name is stable: a restart is the same member (static membership).
    pub fn group_member(&self, service: &str, instance: &str) -> ClientConfig {
        let mut config = self.config();
        config
            .set("group.id", format!("{}{service}", self.prefix))
            .set("group.instance.id", format!("{}{service}.{instance}", self.prefix))
            .set("partition.assignment.strategy", "range")
            .set("session.timeout.ms", SESSION_TIMEOUT.as_millis().to_string())
            .set("heartbeat.interval.ms", "1500")
            .set("max.poll.interval.ms", POLL_INTERVAL.as_millis().to_string())
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("isolation.level", "read_committed")
            // A lost offset is an error: input positions say where to go on, never a reset.
            .set("auto.offset.reset", "error")
            .set("fetch.queue.backoff.ms", "1")
            .set("queued.max.messages.kbytes", "16384")
            .set("fetch.message.max.bytes", MAX_RECORD_BYTES.to_string());
        config
    }

    /// Reads assigned partitions to their end and on, telling when an end is reached.
    pub fn follower(&self, isolation: Isolation) -> ClientConfig {
        let mut config = self.config();
        config
            // librdkafka wants a group to hold the assignment; nothing is ever committed to it.
            .set("group.id", format!("{}{FOLLOWERS}", self.prefix))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "true")
            // The end of a partition is told when a fetch comes back empty: so long does a take-over wait.
            .set("fetch.wait.max.ms", "50")
            .set("isolation.level", isolation.name())
            .set("auto.offset.reset", "error")
            .set("fetch.queue.backoff.ms", "1")
            .set("queued.max.messages.kbytes", "16384")
            .set("fetch.message.max.bytes", MAX_RECORD_BYTES.to_string());
        config
    }

    /// Writes commands and keys: each record on its own, durable and in order, not in a transaction.
    pub fn producer(&self) -> ClientConfig {
        let mut config = self.config();
        config
            .set("enable.idempotence", "true")
            .set("linger.ms", "0")
            // One request at a time: nothing waits while there is little, and what comes while one is under way goes
            // together in the next.
            .set("max.in.flight.requests.per.connection", "1")
            .set("message.timeout.ms", MESSAGE_TIMEOUT.as_millis().to_string())
            .set("message.max.bytes", MAX_RECORD_BYTES.to_string())
            .set("compression.type", "zstd");
        config
    }

    /// Writes a service's events. `transactional.id` is the service, the stable instance name and the turn.
    pub fn transactional_producer(&self, service: &str, instance: &str, turn: usize) -> ClientConfig {
        let mut config = self.producer();
        config
            .set("transactional.id", format!("{}{service}.{instance}.{turn}", self.prefix))
            .set("transaction.timeout.ms", TRANSACTION_TIMEOUT.as_millis().to_string())
            // A batch is there whole, and nobody waits for a part of it.
            .set("max.in.flight.requests.per.connection", "5")
            // AddOffsets right after a commit meets CONCURRENT_TRANSACTIONS; the default waits 100 ms then.
            .set("retry.backoff.ms", "1");
        config
    }

    fn admin(&self) -> Result<AdminClient<DefaultClientContext>, KafkaError> {
        self.config().create()
    }

    /// Creates what is missing of the deployment's topics.
    ///
    /// # Errors
    /// When Kafka cannot be reached, or a topic that is there has another partition count.
    pub async fn create_topics(&self) -> Result<Vec<String>, TopicError> {
        self.create(self.wanted_topics()).await
    }

    /// Creates what is missing of the countries' topics of notices.
    ///
    /// # Errors
    /// As [`Self::create_topics`].
    pub async fn create_jurisdictions(
        &self,
        countries: impl IntoIterator<Item = Country>,
    ) -> Result<Vec<String>, TopicError> {
        let name = |country| self.topic(&topics::jurisdiction(&country));
        self.create(countries.into_iter().map(|country| (name(country), &topics::JURISDICTION)).collect())
            .await
    }

    async fn create(&self, wanted: Vec<(String, &'static Topic)>) -> Result<Vec<String>, TopicError> {
        let found = self.partition_counts()?;
        let missing: Vec<_> = wanted.iter().filter(|(name, _)| !found.contains_key(name)).collect();
        let admin = self.admin().map_err(TopicError::Ask)?;
        let size = MAX_RECORD_BYTES.to_string();
        let configs: BTreeMap<&str, Vec<(&str, String)>> =
            missing.iter().map(|(_, topic)| (topic.name, settings(topic.kept, self.erase_within))).collect();
        let new: Vec<NewTopic<'_>> = missing
            .iter()
            .map(|(name, topic)| {
                let count = self.partitions_of(topic.partitions);
                let topic_config = NewTopic::new(name, count, TopicReplication::Fixed(self.replication));
                configs[topic.name]
                    .iter()
                    .fold(topic_config, |config, (key, value)| config.set(key, value))
                    .set("max.message.bytes", &size)
            })
            .collect();
        if !new.is_empty() {
            let options = AdminOptions::new().operation_timeout(Some(ADMIN_TIMEOUT));
            for result in admin.create_topics(&new, &options).await.map_err(TopicError::Ask)? {
                match result {
                    Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                    Err((topic, code)) => return Err(TopicError::Create { topic, code }),
                }
            }
        }
        let created: Vec<String> = missing.into_iter().map(|(name, _)| name.clone()).collect();
        self.check_counts(&wanted, &found)?;
        self.await_visible(&created).await?;
        Ok(created)
    }

    /// A topic that was created just now shows in the brokers' metadata a moment later.
    async fn await_visible(&self, created: &[String]) -> Result<(), TopicError> {
        let deadline = Instant::now() + ADMIN_TIMEOUT;
        loop {
            let found = self.partition_counts()?;
            match created.iter().find(|name| !found.contains_key(*name)) {
                None => return Ok(()),
                Some(name) if Instant::now() > deadline => return Err(TopicError::Missing(name.clone())),
                Some(_) => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// Checks the topics that the services read or write: of others they may not even know.
    ///
    /// # Errors
    /// When a topic is missing or has another partition count than the table says.
    pub fn check_topics(&self, services: &[&str]) -> Result<(), TopicError> {
        let mut wanted = self.wanted_topics();
        wanted.retain(|(name, _)| self.is_of(services, name));
        let found = self.partition_counts()?;
        if let Some((name, _)) = wanted.iter().find(|(name, _)| !found.contains_key(name)) {
            return Err(TopicError::Missing(name.clone()));
        }
        self.check_counts(&wanted, &found)
    }

    fn is_of(&self, services: &[&str], topic: &str) -> bool {
        let topic = self.without_prefix(topic);
        services.iter().any(|service| topics::reads(service, topic) || topics::writes(service, topic))
    }

    fn check_counts(
        &self,
        wanted: &[(String, &Topic)],
        found: &BTreeMap<String, usize>,
    ) -> Result<(), TopicError> {
        for (name, topic) in wanted {
            let expected = self.partitions_of(topic.partitions);
            if let Some(found) =
                found.get(name).copied().filter(|found| i32::try_from(*found) != Ok(expected))
            {
                return Err(TopicError::PartitionCount { topic: name.clone(), found, expected });
            }
        }
        Ok(())
    }

    fn wanted_topics(&self) -> Vec<(String, &'static Topic)> {
        let own = topics::TOPICS.iter().map(|topic| (self.topic(topic.name), topic));
        let dead = topics::INPUTS
            .iter()
            .map(|(input, _)| (self.topic(&topics::dead_letter(input)), &topics::DEAD_LETTER));
        own.chain(dead).collect()
    }

    /// The names of the topics that the services read, without the prefix.
    ///
    /// # Errors
    /// When Kafka cannot be asked.
    pub fn topics_read(&self, services: &[&str]) -> Result<Vec<String>, TopicError> {
        let names = self.partition_counts()?.into_keys();
        let own = names.filter_map(|name| name.strip_prefix(&self.prefix).map(str::to_owned));
        Ok(own.filter(|name| services.iter().any(|service| topics::reads(service, name))).collect())
    }

    /// The schema ids that the first and the last records of each partition carry, by topic.
    ///
    /// # Errors
    /// When Kafka does not give them.
    pub fn ids_in_use(&self, topics: &[String]) -> Result<BTreeMap<String, BTreeSet<i32>>, TopicError> {
        self.ids_at(topics, &[Ends::First, Ends::Last])
    }

    /// The same of the last records alone: the newest version that has written.
    ///
    /// # Errors
    /// When Kafka does not give them.
    pub fn last_ids(&self, topics: &[String]) -> Result<BTreeMap<String, BTreeSet<i32>>, TopicError> {
        self.ids_at(topics, &[Ends::Last])
    }

    fn ids_at(
        &self,
        topics: &[String],
        ends: &[Ends],
    ) -> Result<BTreeMap<String, BTreeSet<i32>>, TopicError> {
        let counts = self.partition_counts()?;
        let mut found = BTreeMap::new();
        for some in topics.chunks(TOPICS_AT_ONCE) {
            let ids = std::thread::scope(|scope| {
                let ask = |topic: &'_ String| {
                    let (topic, count) = (topic.clone(), counts.get(&self.topic(topic)).copied());
                    let count = count.unwrap_or_default();
                    scope.spawn(move || Ok((topic.clone(), self.ids_of(&topic, count, ends)?)))
                };
                let asked: Vec<_> = some.iter().map(ask).collect();
                let joined = asked.into_iter().map(|one| one.join().expect("reading ids does not panic"));
                joined.collect::<Result<Vec<_>, TopicError>>()
            })?;
            found.extend(ids);
        }
        Ok(found)
    }

    fn ids_of(&self, topic: &str, partitions: usize, ends: &[Ends]) -> Result<BTreeSet<i32>, TopicError> {
        let client: BaseConsumer = self.follower(Isolation::Committed).create().map_err(TopicError::Ask)?;
        let full = self.topic(topic);
        let mut marks = Vec::new();
        for partition in 0..i32::try_from(partitions).unwrap_or(i32::MAX) {
            let (low, high) =
                client.fetch_watermarks(&full, partition, ADMIN_TIMEOUT).map_err(TopicError::Ask)?;
            marks.extend((low < high).then_some((partition, low, high)));
        }
        let mut ids = BTreeSet::new();
        for end in ends {
            let from = marks.iter().map(|(partition, low, high)| match end {
                Ends::First => (*partition, *low),
                // A transaction ends with a marker, which is no record.
                Ends::Last => (*partition, (*low).max(high - LAST_RECORDS)),
            });
            ids.extend(ids_from(&client, &full, from.collect())?);
        }
        Ok(ids)
    }

    fn partition_counts(&self) -> Result<BTreeMap<String, usize>, TopicError> {
        let client: BaseConsumer = self.follower(Isolation::Uncommitted).create().map_err(TopicError::Ask)?;
        let metadata = client.fetch_metadata(None, ADMIN_TIMEOUT).map_err(TopicError::Ask)?;
        let counts =
            metadata.topics().iter().map(|topic| (topic.name().to_owned(), topic.partitions().len()));
        Ok(counts.collect())
    }
}

/// Tells what a consumer of the client ran into between its records. It reconnects by itself, and what only a person
/// can mend is an ERROR.
pub fn tell(service: &str, error: &KafkaError) {
    if needs_a_person(error) {
        error!(service, error = %error, "Kafka refuses what this service reads: check its rights and the topics");
    } else if error.rdkafka_error_code() == Some(RDKafkaErrorCode::PollExceeded) {
        warn!(service, error = %error, "asked for no records for too long, so others decide on the partitions");
    } else {
        debug!(service, error = %error, "Kafka is not reachable for now");
    }
}

fn needs_a_person(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::ClusterAuthorizationFailed
                | RDKafkaErrorCode::SaslAuthenticationFailed
                | RDKafkaErrorCode::Authentication
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::OffsetOutOfRange
                | RDKafkaErrorCode::AutoOffsetReset
        )
    )
}

/// The ids of up to [`LAST_RECORDS`] records of each partition, from its offset on.
/// Which records of a partition are looked at.
#[derive(Clone, Copy)]
enum Ends {
    First,
    Last,
}

fn ids_from(
    client: &BaseConsumer,
    topic: &str,
    mut from: BTreeMap<i32, i64>,
) -> Result<BTreeSet<i32>, TopicError> {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in &from {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset)).map_err(TopicError::Ask)?;
    }
    client.assign(&list).map_err(TopicError::Ask)?;
    let (mut ids, deadline) = (BTreeSet::new(), Instant::now() + ADMIN_TIMEOUT);
    while !from.is_empty() {
        match client.poll(LOOK_AGAIN) {
            Some(Ok(message)) => {
                ids.extend(message.payload().and_then(|value| schemas::codec::schema_id(value).ok()));
                let enough = |start: &i64| message.offset() + 1 >= start + LAST_RECORDS;
                if from.get(&message.partition()).is_some_and(enough) {
                    from.remove(&message.partition());
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(from.remove(&partition)),
            Some(Err(source)) => return Err(TopicError::Ask(source)),
            None if Instant::now() > deadline => {
                let late = RDKafkaErrorCode::OperationTimedOut;
                return Err(TopicError::Ask(KafkaError::MessageConsumption(late)));
            }
            None => {}
        }
    }
    Ok(ids)
}

impl Isolation {
    fn name(self) -> &'static str {
        match self {
            Self::Committed => "read_committed",
            Self::Uncommitted => "read_uncommitted",
        }
    }
}

/// Parts of the time in which an erased key is to be gone. A segment rolls after one of them, is cleaned at the latest
/// after twelve more, whatever its share of old records, and its file is removed after one more
/// (docs/decisions/0006-how-erasure-works.md).
const ERASURE_PARTS: u32 = 24;
const COMPACTION_PARTS: u32 = 12;

fn settings(kept: Kept, erase_within: Duration) -> Vec<(&'static str, String)> {
    let own = |pairs: &[(&'static str, &str)]| {
        pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
    };
    match kept {
        Kept::ForGood | Kept::UntilAnswered => {
            own(&[("cleanup.policy", "delete"), ("retention.ms", "-1"), ("retention.bytes", "-1")])
        }
        Kept::Compacted => {
            let part = erase_within / ERASURE_PARTS;
            let millis = |time: Duration| time.as_millis().to_string();
            let mut settings: Vec<_> =
                own(&[("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0.01")]);
            // How old a key set is, is for one clock to say.
            settings.push(("message.timestamp.type", "LogAppendTime".to_owned()));
            settings.push(("segment.ms", millis(part)));
            settings.push(("max.compaction.lag.ms", millis(part * COMPACTION_PARTS)));
            settings.push(("delete.retention.ms", millis(part)));
            settings.push(("file.delete.delay.ms", millis(part.min(MAX_FILE_DELAY))));
            settings
        }
    }
}

/// Longest that the file of a cleaned segment stays: Kafka's own default.
const MAX_FILE_DELAY: Duration = Duration::from_secs(60);
