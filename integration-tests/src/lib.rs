//! A deployment of its own for each test: its own topics on a real Kafka, its own directory, stores and ports.

pub mod bad_input;
pub mod bench;
pub mod collector;
pub mod faults;
pub mod search;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use causeway::example::{IMMINENT_DANGER, Place, World};
use causeway::serve::{ServiceName, Settings, serve};
use chassis::telemetry::Telemetry;
use client::Client;
use faults::Lane;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Set by `cargo xtask test`, which starts and stops the Kafka it names.
pub const BROKERS: &str = "CAUSEWAY_TEST_BROKERS";

/// Ways to that Kafka that a test may stand in; without them the network does not fail.
const LANES: &str = "CAUSEWAY_TEST_LANES";
/// Which test stands in which.
pub const FAULTS_LANE: usize = 0;
pub const PAUSE_LANE: usize = 1;

/// How long an awaited state may take: machines differ, and a test that waits for a condition is not a timed one.
const AWAIT: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// Partitions of each incident-keyed topic in tests.
const PARTITIONS: i32 = 4;

/// The example's referral under another reference, and less urgent: nothing opens with the offer.
///
/// # Panics
/// When the example is no referral any more.
pub fn calm_referral(reference: &str) -> Value {
    let mut value: Value = serde_json::from_str(IMMINENT_DANGER).expect("the example is JSON");
    value["reference"] = reference.into();
    value["urgency"] = "priority".into();
    value.as_object_mut().expect("the example is an object").shift_remove("danger_reason");
    value
}

/// # Errors
/// When no Kafka was named.
pub fn brokers() -> anyhow::Result<String> {
    std::env::var(BROKERS).with_context(|| format!("{BROKERS} is not set: run `cargo xtask test`"))
}

/// Where clients of that Kafka say who they are, and may do what they have a right to: the services, each with its own
/// name for a password.
const GUARDED: &str = "CAUSEWAY_TEST_GUARDED";

/// # Errors
/// When nobody said where that is.
pub fn guarded() -> anyhow::Result<String> {
    std::env::var(GUARDED).with_context(|| format!("{GUARDED} is not set: run `cargo xtask test`"))
}

/// Where that Kafka keeps its files.
const KAFKA_DATA: &str = "CAUSEWAY_TEST_KAFKA_DATA";

/// # Errors
/// When nobody said where they are.
pub fn kafka_data() -> anyhow::Result<PathBuf> {
    std::env::var_os(KAFKA_DATA)
        .map(PathBuf::from)
        .with_context(|| format!("{KAFKA_DATA} is not set: run `cargo xtask test`"))
}

/// A way to Kafka that the caller stands in; only one may.
///
/// # Errors
/// When what was named is no lane.
pub fn lane(number: usize) -> anyhow::Result<Option<Lane>> {
    let lanes = std::env::var(LANES).unwrap_or_default();
    lanes.split(';').filter(|lane| !lane.is_empty()).nth(number).map(str::parse).transpose()
}

/// The example world over topics of its own.
pub struct Deployment {
    pub world: World,
    pub prefix: String,
    pub brokers: String,
    pub registry: Option<String>,
    /// The OpenID provider at which the dashboard's visitors sign in; there are no pages without.
    pub provider: Option<String>,
    erase_within_seconds: Option<u64>,
    /// Of services that run in processes of their own.
    pub environment: Vec<(String, String)>,
    /// What a test sets otherwise for services in this process.
    pub adjust: fn(&mut Settings),
    /// What starts them in its own place, such as `prlimit` with its arguments; nothing does so otherwise.
    pub through: Vec<String>,
    /// Where each of them logs, to `<service>.<instance>.log`; otherwise with the test.
    pub logs: Option<PathBuf>,
    /// Settings of services in processes of their own beside those of the world.
    pub settings: String,
    state: tempfile::TempDir,
    running: Vec<Running>,
    /// Where each service answers.
    addresses: BTreeMap<&'static str, SocketAddr>,
}

enum Running {
    Inside { stop: CancellationToken, serving: JoinHandle<anyhow::Result<()>> },
    Process { service: &'static str, child: Child },
}

impl Deployment {
    /// A world with topics and nothing running.
    ///
    /// # Errors
    /// When Kafka is not there.
    pub async fn prepare(name: &str, registry: Option<String>) -> anyhow::Result<Self> {
        Self::prepare_erasing(name, registry, None).await
    }

    /// As [`Deployment::prepare`], where erased keys are gone within so many seconds.
    ///
    /// # Errors
    /// When Kafka is not there.
    pub async fn prepare_erasing(
        name: &str,
        registry: Option<String>,
        erase_within_seconds: Option<u64>,
    ) -> anyhow::Result<Self> {
        Self::prepare_on(brokers()?, name, registry, erase_within_seconds).await
    }

    /// As [`Deployment::prepare_erasing`], over another Kafka than the tests'.
    ///
    /// # Errors
    /// When Kafka is not there.
    pub async fn prepare_on(
        brokers: String,
        name: &str,
        registry: Option<String>,
        erase_within_seconds: Option<u64>,
    ) -> anyhow::Result<Self> {
        show_logs();
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("{name}-{}-{number}.", std::process::id());
        let state = tempfile::tempdir()?;
        let world = World::open(state.path())?;
        let (running, addresses, environment) = (Vec::new(), BTreeMap::new(), Vec::new());
        let adjust = |_: &mut Settings| {};
        let deployment = Self {
            world,
            prefix,
            brokers,
            registry,
            provider: None,
            erase_within_seconds,
            environment,
            adjust,
            through: Vec::new(),
            logs: None,
            settings: String::new(),
            state,
            running,
            addresses,
        };
        let settings = deployment.world.settings(&deployment.place("topics", free_address()?))?;
        settings.host.kafka.create_topics().await?;
        Ok(deployment)
    }

    /// A world with all services running in this process.
    ///
    /// # Errors
    /// When Kafka is not there, or a service does not start.
    pub async fn start(name: &str) -> anyhow::Result<Self> {
        let mut deployment = Self::prepare(name, None).await?;
        deployment.serve_all().await?;
        Ok(deployment)
    }

    /// Starts all services in this process.
    ///
    /// # Errors
    /// When a service does not start.
    pub async fn serve_all(&mut self) -> anyhow::Result<()> {
        self.serve_all_at(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Starts all services in this process, at an address that others know already.
    ///
    /// # Errors
    /// When a service does not start.
    pub async fn serve_all_at(&mut self, listen: SocketAddr) -> anyhow::Result<()> {
        let listener = tokio::net::TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let mut settings = self.world.settings(&self.place("all", address))?;
        (self.adjust)(&mut settings);
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let mut serving = tokio::spawn(async move {
            serve(settings, &ServiceName::ALL, listener, async move { stopped.cancelled().await }).await
        });
        tokio::select! {
            ended = &mut serving => {
                ended??;
                anyhow::bail!("the services ended before they were ready");
            }
            ready = self.await_ready(address) => ready?,
        }
        self.running.push(Running::Inside { stop, serving });
        self.addresses.extend(ServiceName::ALL.map(|service| (service.name(), address)));
        Ok(())
    }

    /// Starts one service in a process of its own.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn serve_apart(&mut self, service: &'static str, instance: &str) -> anyhow::Result<()> {
        let address = free_address()?;
        self.spawn(service, instance, address)?;
        self.await_ready(address).await
    }

    /// Starts one service in a process of its own, whether it becomes ready or not.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn begin_apart(&mut self, service: &'static str, instance: &str) -> anyhow::Result<()> {
        self.spawn(service, instance, free_address()?)
    }

    fn spawn(&mut self, service: &'static str, instance: &str, address: SocketAddr) -> anyhow::Result<()> {
        let config = self.world.config(&self.place(instance, address))?;
        let text = std::fs::read_to_string(&config)?;
        std::fs::write(&config, text + &self.settings)?;
        let program = program()?;
        let mut command = match self.through.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(&program);
                command
            }
            None => Command::new(&program),
        };
        command.arg("serve").arg(service).arg("--config").arg(config).stdin(Stdio::null());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(logs) = &self.logs {
            std::fs::create_dir_all(logs)?;
            let log = logs.join(format!("{service}.{instance}.log"));
            let log = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
            command.stdout(log.try_clone()?).stderr(log);
        }
        let child = command.spawn().with_context(|| format!("failed to start {}", program.display()))?;
        self.running.push(Running::Process { service, child });
        self.addresses.insert(service, address);
        Ok(())
    }

    /// The process of a service that runs in one of its own.
    pub fn process(&mut self, service: &str) -> Option<&mut Child> {
        self.running.iter_mut().find_map(|running| match running {
            Running::Process { service: named, child } if *named == service => Some(child),
            _ => None,
        })
    }

    /// Ends one service that runs in a process of its own with SIGKILL.
    ///
    /// # Errors
    /// When it runs in none.
    pub fn kill_apart(&mut self, service: &str) -> anyhow::Result<()> {
        let child = self.process(service).context("no such service runs apart")?;
        child.kill()?;
        child.wait()?;
        self.running.retain(
            |running| !matches!(running, Running::Process { service: named, .. } if *named == service),
        );
        Ok(())
    }

    /// Stops one service that runs in a process of its own: it drains.
    ///
    /// # Errors
    /// When it ends with an error.
    pub fn stop_apart(&mut self, service: &str) -> anyhow::Result<()> {
        let place = self.running.iter().position(
            |running| matches!(running, Running::Process { service: named, .. } if *named == service),
        );
        match self.running.remove(place.context("no such service runs apart")?) {
            Running::Process { mut child, .. } => terminate(&mut child),
            Running::Inside { .. } => Ok(()),
        }
    }

    fn place(&self, instance: &str, listen: SocketAddr) -> Place {
        Place {
            brokers: self.brokers.clone(),
            prefix: self.prefix.clone(),
            listen,
            instance: instance.to_owned(),
            partitions: PARTITIONS,
            replication: 1,
            registry: self.registry.clone(),
            provider: self.provider.clone(),
            erase_within_seconds: self.erase_within_seconds,
        }
    }

    /// The public key of the audit log.
    ///
    /// # Errors
    /// When the world has none.
    pub fn log_key(&self) -> anyhow::Result<String> {
        let settings = self.world.settings(&self.place("key", free_address()?))?;
        Ok(settings.audit.signing_key()?.public().to_string())
    }

    /// Goes on with an empty Kafka, as after a restore of nothing: other topics, no store, and no file that says what
    /// was there. The secrets stay.
    ///
    /// # Errors
    /// When Kafka is not there.
    pub async fn begin_anew(&mut self, name: &str) -> anyhow::Result<()> {
        self.prefix = format!("{name}-{}.", std::process::id());
        std::fs::remove_dir_all(self.stores())?;
        for file in std::fs::read_dir(self.state())? {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "head") {
                std::fs::remove_file(path)?;
            }
        }
        let settings = self.world.settings(&self.place("topics", free_address()?))?;
        settings.host.kafka.create_topics().await?;
        Ok(())
    }

    /// The configuration file of one of its instances.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn config(&self, instance: &str) -> anyhow::Result<PathBuf> {
        self.world.config(&self.place(instance, free_address()?))
    }

    async fn await_ready(&self, address: SocketAddr) -> anyhow::Result<()> {
        let client = self.world.client(&format!("http://{address}"), "nl-hotline", "readiness")?;
        let ready = || async { client.is_ready().await.then_some(()) };
        await_some(&format!("{address} to be ready"), ready).await
    }

    /// Stops everything in order: requests and runners drain.
    ///
    /// # Errors
    /// When a service ended with an error.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        for running in self.running.drain(..) {
            match running {
                Running::Inside { stop, serving } => {
                    stop.cancel();
                    serving.await??;
                }
                Running::Process { mut child, .. } => terminate(&mut child)?,
            }
        }
        Ok(())
    }

    /// Where a service answers.
    pub fn url(&self, service: &str) -> String {
        self.addresses.get(service).map(|address| format!("http://{address}")).unwrap_or_default()
    }

    /// A person of an agency, speaking to one service.
    ///
    /// # Errors
    /// When the example has no such agency.
    pub fn client(&self, service: &str, agency: &str) -> anyhow::Result<Client> {
        self.world.client(&self.url(service), agency, "tester")
    }

    pub fn stores(&self) -> PathBuf {
        self.state.path().join("stores")
    }

    pub fn state(&self) -> &Path {
        self.state.path()
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        for running in &mut self.running {
            match running {
                Running::Inside { stop, .. } => stop.cancel(),
                // A process that has ended already is what is wanted.
                Running::Process { child, .. } => drop(child.kill().and_then(|()| child.wait())),
            }
        }
    }
}

/// Warnings of the services under test, once for all tests of the process.
fn show_logs() {
    static TELEMETRY: OnceLock<Option<Telemetry>> = OnceLock::new();
    let settings = chassis::telemetry::Settings {
        log: std::env::var("CAUSEWAY_TEST_LOG").unwrap_or("warn".to_owned()),
        ..Default::default()
    };
    // Without logs a test is harder to read, and just as true.
    TELEMETRY.get_or_init(|| Telemetry::start(&settings).ok());
}

/// Every service that writes to a topic.
pub const SERVICES: [&str; 8] =
    ["directory", "intake", "routing", "mla", "victim-id", "digest-sets", "delivery", "audit"];

/// How many partitions a service decides on, or writes, where there are so many of each topic of incidents.
pub fn owned_partitions(service: &str, of_incidents: i32) -> u32 {
    match service {
        "directory" | "audit" => 1,
        _ => of_incidents.unsigned_abs(),
    }
}

fn terminate(child: &mut Child) -> anyhow::Result<()> {
    if let Some(status) = child.try_wait()? {
        anyhow::ensure!(status.success(), "a service had ended with {status}");
        return Ok(());
    }
    let status = Command::new("kill").args(["-TERM", &child.id().to_string()]).status()?;
    anyhow::ensure!(status.success(), "the process could not be asked to end");
    let asked = Instant::now();
    while asked.elapsed() < AWAIT {
        if let Some(status) = child.try_wait()? {
            anyhow::ensure!(status.success(), "a service ended with {status}");
            return Ok(());
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    child.kill()?;
    anyhow::bail!("a service did not drain within {AWAIT:?}")
}

/// An address for a process of its own; never the same twice in one run.
///
/// # Errors
/// When there is none.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    static GIVEN: Mutex<BTreeSet<SocketAddr>> = Mutex::new(BTreeSet::new());
    let mut given =
        GIVEN.lock().map_err(|_| anyhow::anyhow!("another test failed while it took an address"))?;
    loop {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        if given.insert(address) {
            return Ok(address);
        }
    }
}

/// The built program, beside the test's own directory.
///
/// # Errors
/// When the running program is none of cargo's.
pub fn program() -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe()?;
    let directory =
        test.parent().and_then(Path::parent).context("a test stands two below the target directory")?;
    Ok(directory.join("causeway"))
}

/// Asks until there is an answer.
///
/// # Errors
/// When there is none within the bound; the error names what was waited for.
pub async fn await_some<T, F: Future<Output = Option<T>>>(
    what: &str,
    ask: impl Fn() -> F,
) -> anyhow::Result<T> {
    let begun = Instant::now();
    while begun.elapsed() < AWAIT {
        if let Some(answer) = ask().await {
            return Ok(answer);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    anyhow::bail!("waited {AWAIT:?} for {what}")
}
