//! The process around one or more services: what they share, how they start, and how they stop.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use schemas::codec::Codec;
use schemas::envelope::Body as _;
use schemas::topics;
use tokio::net::TcpListener;
use tracing::{info, warn};
use utoipa_axum::router::OpenApiRouter;

use crate::auth::{AuthError, Authenticator, KeysAt, TrustedIssuer};
use crate::clock::Clock;
use crate::config::Reader;
use crate::decider::Service;
use crate::failpoint::{self, Failpoints};
use crate::fold::{Fold, FoldError};
use crate::front::Front;
use crate::http::{self, Check};
use crate::kafka::{Kafka, TopicError};
use crate::known::KnownMaterial;
use crate::lag::Lag;
use crate::limits::{BodyTime, Limits};
use crate::outages::Outages;
use crate::problem::chain;
use crate::receipts::{self, Receipts};
use crate::reference::Reference;
use crate::registry::{BlockingSource, Registry, RegistryError};
use crate::runner::{Runner, Status};
use crate::sequencer::{Ledger, Sequencer};
use crate::store::{Store, StoreError};
use crate::{certificates, meters, telemetry};

/// What one agency may ask of one process, unless the settings say otherwise: far above what people and their
/// systems do, and below what would crowd out everybody else. A batch is one request.
const REQUESTS_PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(2_999);

/// What every service needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    pub kafka: Kafka,
    pub listen: SocketAddr,
    /// This process's name among the instances of a service: stable over restarts.
    pub instance: String,
    pub data: PathBuf,
    pub store_cache_bytes: u64,
    pub cached_aggregates: NonZeroUsize,
    pub registry: Option<String>,
    pub issuers: Vec<TrustedIssuer>,
    pub development_clock: bool,
    pub failpoints: failpoint::Settings,
    /// Of one agency, to this process.
    pub requests_per_second: NonZeroU32,
    pub body_time: BodyTime,
    pub telemetry: telemetry::Settings,
    pub receipts: receipts::Settings,
}

impl Settings {
    pub fn read(reader: &mut Reader) -> Self {
        let instance: String = reader.or("instance", "0".to_owned());
        let mut extra: BTreeMap<String, String> = reader.table("kafka.client").into_iter().collect();
        // A configuration that everybody may read holds no password.
        extra.extend(reader.text_file("kafka.password_file").map(|text| ("sasl.password".to_owned(), text)));
        let kafka = Kafka {
            brokers: reader.required("kafka.brokers", String::new()),
            prefix: reader.or("kafka.prefix", String::new()),
            partitions: reader.or("kafka.partitions", 8),
            replication: reader.or("kafka.replication", 1),
            erase_within: Duration::from_secs(reader.or("erasure.within_seconds", ERASE_WITHIN_SECONDS)),
            extra,
            outages: Outages::default(),
        };
        if kafka.erase_within < LEAST_ERASE_WITHIN {
            let least = LEAST_ERASE_WITHIN.as_secs();
            reader.mistake(format!("erasure.within_seconds must be at least {least}"));
        }
        if kafka.partitions < 1 {
            reader.mistake("kafka.partitions must be at least 1");
        }
        let store_cache_mib: u64 = reader.or("store.cache_mib", 4);
        Self {
            kafka,
            listen: reader.or("http.listen", SocketAddr::from(([127, 0, 0, 1], 8080))),
            data: reader.or("store.path", PathBuf::from("data")),
            store_cache_bytes: store_cache_mib << 20,
            cached_aggregates: reader.or("store.cached_aggregates", NonZeroUsize::MIN.saturating_add(1_999)),
            registry: reader.optional("registry.address"),
            issuers: read_issuers(reader),
            development_clock: reader.or("development.clock", false),
            failpoints: failpoint::Settings::read(reader),
            requests_per_second: reader.or("limits.requests_per_second", REQUESTS_PER_SECOND),
            body_time: reader.optional("limits.body_seconds").map_or(BodyTime::DEFAULT, BodyTime::seconds),
            receipts: receipts::Settings::read(reader),
            telemetry: telemetry::Settings {
                log: reader.or("log.filter", "info".to_owned()),
                log_json: reader.or("log.json", true),
                otlp: reader.optional("telemetry.otlp"),
                instance: instance.clone(),
            },
            instance,
        }
    }
}

fn read_issuers(reader: &mut Reader) -> Vec<TrustedIssuer> {
    let mut issuers = Vec::new();
    for table in reader.tables("identity.issuer") {
        let text = |key: &str| table.get(key).and_then(toml::Value::as_str).map(str::to_owned);
        let keys = match (text("keys_file"), text("keys_address")) {
            (Some(path), None) => Some(KeysAt::File(path.into())),
            (None, Some(address)) => Some(KeysAt::Address(address)),
            _ => None,
        };
        match (text("issuer"), text("audience"), keys) {
            (Some(issuer), Some(audience), Some(keys)) => {
                issuers.push(TrustedIssuer { issuer, audience, keys })
            }
            _ => reader
                .mistake("identity.issuer takes issuer, audience, and one of keys_file and keys_address"),
        }
    }
    issuers
}

#[derive(Debug, thiserror::Error)]
pub enum HostError {
    #[error(transparent)]
    Topics(#[from] TopicError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(
        "the topic {topic} holds records of schema {id}, which this version does not know: they were written by a \
         newer one. Start that version, or a newer one"
    )]
    Newer { topic: String, id: i32 },
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Fold(#[from] FoldError),
    #[error("failed to set up a client of Kafka")]
    Kafka(#[from] rdkafka::error::KafkaError),
    #[error("failed to start a thread")]
    Thread(#[source] std::io::Error),
    #[error("failed to open the file of failpoints hit")]
    Failpoints(#[source] std::io::Error),
    #[error("receipts.name cannot be the name of a key")]
    Receipts(#[from] audit_log::keys::KeyError),
    #[error("serving http broke off")]
    Http(#[source] std::io::Error),
}

/// A day, and the least that Kafka's cleaner can keep.
const ERASE_WITHIN_SECONDS: u64 = 24 * 60 * 60;
const LEAST_ERASE_WITHIN: Duration = Duration::from_secs(10);

/// What the services of a process share, and what runs for them.
pub struct Host {
    pub settings: Settings,
    pub codec: Codec,
    /// Where schemas are registered, when the settings name a registry.
    pub registry: Option<Registry>,
    pub reference: Reference,
    pub clock: Clock,
    known: Option<KnownMaterial>,
    authenticator: Authenticator,
    checks: Vec<Check>,
    runners: Vec<(Arc<Status>, JoinHandle<()>)>,
    stopping: Arc<AtomicBool>,
    followers: Vec<JoinHandle<()>>,
}

/// What keeps a service from starting, for the operator to read.
pub type StartError = Box<dyn std::error::Error + Send + Sync>;

/// A service's part of the pages.
pub struct Pages {
    pub described: OpenApiRouter,
    /// Where its commands' outcomes stand.
    pub status: Router,
}

impl Pages {
    pub fn of<S: Service>(described: OpenApiRouter, front: Front<S>) -> Self {
        Self { described, status: http::status_page(front) }
    }
}

impl Host {
    /// Checks the topics of these services, agrees on schema ids, begins to follow the directory.
    ///
    /// # Errors
    /// What keeps any service from starting; see [`HostError`].
    pub async fn start(settings: Settings, services: &[&str]) -> Result<Self, HostError> {
        settings.kafka.check_topics(services)?;
        certificates::observe(&settings.kafka);
        let (codec, registry) = codec(&settings, services).await?;
        let clock = if settings.development_clock { Clock::development() } else { Clock::system() };
        let reference = Reference::default();
        let limits = Limits::new(settings.requests_per_second);
        let authenticator =
            Authenticator::start(settings.issuers.clone(), reference.clone(), clock.clone(), limits).await?;
        let mut host = Self {
            settings,
            codec,
            registry,
            reference,
            clock,
            known: None,
            authenticator,
            checks: Vec::new(),
            runners: Vec::new(),
            stopping: Arc::default(),
            followers: Vec::new(),
        };
        let (reference, kafka, codec) =
            (host.reference.clone(), host.settings.kafka.clone(), host.codec.clone());
        let complete = host.reference.clone();
        // Without an agency nobody could be authenticated.
        let is_there = move || complete.is_complete() && !complete.is_empty();
        host.follow("directory", is_there, move |stopping| reference.follow(&kafka, &codec, stopping))?;
        Ok(host)
    }

    /// Known material, followed from now on; the same for every service of the process that asks.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn known_material(&mut self) -> Result<KnownMaterial, HostError> {
        if let Some(known) = &self.known {
            return Ok(known.clone());
        }
        let known = KnownMaterial::default();
        let (follower, complete) = (known.clone(), known.clone());
        let (kafka, codec) = (self.settings.kafka.clone(), self.codec.clone());
        let is_there = move || complete.is_complete();
        self.follow("known-material", is_there, move |stopping| follower.follow(&kafka, &codec, stopping))?;
        self.known = Some(known.clone());
        Ok(known)
    }

    /// Runs something that follows a topic, on a thread of its own, until the process stops. By its name it is waited
    /// for until it says that it is whole.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn follow(
        &mut self,
        name: &'static str,
        is_whole: impl Fn() -> bool + Send + Sync + 'static,
        follow: impl FnOnce(&dyn Fn() -> bool) + Send + 'static,
    ) -> Result<(), HostError> {
        let stopping = Arc::clone(&self.stopping);
        self.checks.push((name, Arc::new(is_whole)));
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || follow(&|| stopping.load(Ordering::Relaxed)))
            .map_err(HostError::Thread)?;
        self.followers.push(thread);
        Ok(())
    }

    /// From now on it is measured how far a service is behind what it reads, and that Kafka answers for the topic
    /// `probe`.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn measure(
        &mut self,
        service: &'static str,
        probe: &'static str,
        lag: &Arc<Lag>,
    ) -> Result<(), HostError> {
        meters::observe_lag(service, lag);
        let (kafka, lag, stopping) =
            (self.settings.kafka.clone(), Arc::clone(lag), Arc::clone(&self.stopping));
        let measure = move || {
            if let Err(error) = lag.measure(&kafka, probe, &|| stopping.load(Ordering::Relaxed)) {
                warn!(service, error = %error, "the lag is not measured");
            }
        };
        let thread = std::thread::Builder::new().name(format!("{service}-lag")).spawn(measure);
        self.followers.push(thread.map_err(HostError::Thread)?);
        Ok(())
    }

    /// A store of this process's instance.
    ///
    /// # Errors
    /// When not even an empty store can be made.
    pub fn store(&self, name: &str) -> Result<Store, HostError> {
        let path = self.settings.data.join(format!("{name}.{}", self.settings.instance));
        Ok(Store::open(&path, self.settings.store_cache_bytes)?)
    }

    /// Starts a service's runner; its front takes commands from now on.
    ///
    /// # Errors
    /// When its store or its clients cannot be set up.
    pub fn run<S: Service>(&mut self, service: S) -> Result<Front<S>, HostError> {
        let fold = Arc::new(Fold::<S>::open(self.store(S::NAME)?, self.settings.cached_aggregates)?);
        let status = Arc::new(Status::default());
        let runner = Runner {
            service: Arc::new(service),
            fold: Arc::clone(&fold),
            kafka: self.settings.kafka.clone(),
            instance: self.settings.instance.clone(),
            codec: self.codec.clone(),
            reference: self.reference.clone(),
            clock: self.clock.clone(),
            status: Arc::clone(&status),
            failpoints: Failpoints::new(&self.settings.failpoints, S::NAME).map_err(HostError::Failpoints)?,
        };
        let front = Front::new(fold, self.settings.kafka.clone(), self.codec.clone(), self.clock.clone())?;
        let caught_up = Arc::clone(&status);
        self.checks.push((S::NAME, Arc::new(move || caught_up.is_caught_up())));
        let expected = self.settings.kafka.partitions_of_topic(S::Command::TOPIC);
        meters::observe(S::NAME, expected, &status);
        self.measure(S::NAME, S::Command::TOPIC, &status.lag)?;
        self.runners.push((status, runner.spawn().map_err(HostError::Thread)?));
        Ok(front)
    }

    /// Starts what writes a topic of its own over all that it reads.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn sequence<L: Ledger>(
        &mut self,
        service: &'static str,
        sequencer: impl FnOnce(Arc<Status>) -> Sequencer<L>,
    ) -> Result<(), HostError> {
        let status = Arc::new(Status::default());
        let caught_up = Arc::clone(&status);
        self.checks.push((service, Arc::new(move || caught_up.is_caught_up())));
        // One writes; others stand by.
        meters::observe(service, 1, &status);
        self.measure(service, L::TOPIC, &status.lag)?;
        let sequencer = sequencer(Arc::clone(&status));
        let thread = std::thread::Builder::new()
            .name(format!("{service}-sequencer"))
            .spawn(move || sequencer.run())
            .map_err(HostError::Thread)?;
        self.runners.push((status, thread));
        Ok(())
    }

    /// What promises that events will stand in the audit log.
    ///
    /// # Errors
    /// When the settings do not name a key as it has to be named.
    pub fn receipts(&self) -> Result<Receipts, audit_log::keys::KeyError> {
        Ok(Receipts {
            key: self.settings.receipts.signing_key()?,
            within: self.settings.receipts.within,
            clock: self.clock.clone(),
        })
    }

    /// Serves the pages until the stop sign, then drains: requests first, then the runners.
    ///
    /// # Errors
    /// When the listener breaks.
    pub async fn serve(
        self,
        listener: TcpListener,
        pages: Router,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), HostError> {
        let (authenticator, body_time) = (self.authenticator.clone(), self.settings.body_time);
        let receipts = self.receipts()?;
        let router = http::shell(pages, authenticator, body_time, receipts, self.checks.clone());
        let served = http::serve(listener, router, stop).await.map_err(HostError::Http);
        info!("draining");
        for (status, _) in &self.runners {
            status.stop();
        }
        self.stopping.store(true, Ordering::Relaxed);
        let threads = self.runners.into_iter().map(|(_, thread)| thread).chain(self.followers);
        let joined = tokio::task::spawn_blocking(move || {
            for thread in threads {
                // A thread that panicked has nothing left to drain.
                let _ = thread.join();
            }
        });
        let _ = joined.await;
        info!("drained");
        served
    }
}

/// The codec by the ids that the deployment agrees on: those of its registry, or the checked-in table.
///
/// # Errors
/// When an id in use where the services read is not known, or the registry disagrees with it or cannot be asked.
pub async fn codec(settings: &Settings, services: &[&str]) -> Result<(Codec, Option<Registry>), HostError> {
    let kafka = &settings.kafka;
    let mut topics: Vec<String> = kafka.topics_read(services)?;
    let Some(address) = &settings.registry else {
        // What services have written: others may write anything into topics of commands, and that is set aside.
        topics.retain(|topic| topics::is_event_topic(topic));
        let codec = Codec::with_table();
        // What cannot be looked at now, as in topics that were made just now, is met later, and waited at.
        let in_use = kafka.last_ids(&topics).unwrap_or_else(|error| {
            info!(error = %chain(&error), "which schemas stand in the topics is not known");
            BTreeMap::new()
        });
        for (topic, ids) in in_use {
            if let Some(id) = ids.into_iter().find(|id| codec.schema_text(*id).is_err()) {
                return Err(HostError::Newer { topic, id });
            }
        }
        return Ok((codec, None));
    };
    let registry = Registry::new(address);
    for (topic, ids) in kafka.ids_in_use(&topics)? {
        for id in ids {
            registry.check_in_use(&topic, id).await?;
        }
    }
    let ids = registry.register(&kafka.prefix, &topics).await?;
    let source = BlockingSource { registry: registry.clone(), runtime: tokio::runtime::Handle::current() };
    Ok((Codec::new(&ids, Box::new(source)), Some(registry)))
}
