//! A deployment to be measured: topics of its own, and each service as a process of the release build.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use causeway::example::{Place, World};
use chassis::kafka::Kafka;
use rustix::process::{Pid, Signal, kill_process};

use super::{Options, say};
use crate::{free_address, owned_partitions};

/// Partitions of each incident-keyed topic, as in reference measurements of the limit.
pub const PARTITIONS: i32 = 4;
/// One instance of each service.
const INSTANCE: &str = "bench";
/// How long a service may take to be ready: a rebuild of a million incidents is part of it.
const READY: Duration = Duration::from_secs(3_600);
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// After so long without work what was needed for work alone has been given back: allocators keep it for a while.
const REST: Duration = Duration::from_secs(12);

pub struct Ground {
    pub world: World,
    pub kafka: Kafka,
    /// Of the directory alone, with the example's agencies, in MiB.
    pub directory_memory: Memory,
    place: Place,
    program: PathBuf,
    state: tempfile::TempDir,
}

impl Ground {
    /// Creates the topics and loads the directory; nothing runs afterwards.
    pub async fn prepare(options: &Options, name: &str) -> anyhow::Result<Self> {
        let state = tempfile::tempdir()?;
        let world = World::open(state.path())?;
        let place = Place {
            brokers: options.brokers.clone(),
            prefix: format!("bench-{}-{name}.", std::process::id()),
            listen: free_address()?,
            instance: INSTANCE.to_owned(),
            partitions: PARTITIONS,
            replication: 1,
            registry: None,
            // Nobody signs in: sessions are made with the example's key.
            provider: Some("http://127.0.0.1:9".to_owned()),
            erase_within_seconds: None,
        };
        let kafka = world.settings(&place)?.host.kafka;
        kafka.create_topics().await?;
        let program = options.program.clone();
        let mut ground = Self { world, kafka, directory_memory: Memory::default(), place, program, state };
        let directory = ground.start("directory").await?;
        ground.directory_memory = directory.memory_at_rest().await?;
        directory.stop()?;
        Ok(ground)
    }

    /// What the dashboard's sessions are encrypted with.
    pub fn session_key(&self) -> anyhow::Result<Vec<u8>> {
        let text = fs::read_to_string(self.state.path().join("session.secret"))?;
        Ok(hex::decode(text.trim())?)
    }

    /// Where every service keeps its store.
    pub fn stores(&self) -> PathBuf {
        self.state.path().join("stores")
    }

    /// Starts a service on the store that it has, and waits until it is ready.
    pub async fn start(&self, service: &'static str) -> anyhow::Result<Process> {
        let place = Place { listen: free_address()?, ..self.place.clone() };
        let config = self.world.config(&place)?;
        let log = self.state.path().join(format!("{service}.log"));
        let mut command = Command::new(&self.program);
        command.args(["serve", service, "--config"]).arg(config).stdin(Stdio::null());
        // The log says how long a rebuild took, and with `chassis=debug` where the time of each batch went.
        if std::env::var_os("CAUSEWAY_LOG_FILTER").is_none() {
            command.env("CAUSEWAY_LOG_FILTER", "info");
        }
        command.env("CAUSEWAY_LOG_JSON", "true");
        command.stdout(Stdio::null()).stderr(File::create(&log)?);
        let child = command.spawn().with_context(|| format!("failed to start {service}"))?;
        let mut process = Process { service, address: place.listen, log, child: Some(child) };
        process.await_ready().await?;
        Ok(process)
    }

    /// Starts every service that writes, and waits until inputs flow to each.
    pub async fn start_all(&self) -> anyhow::Result<Vec<Process>> {
        let mut processes = Vec::new();
        for service in crate::SERVICES {
            processes.push(self.start(service).await?);
        }
        for process in &processes {
            process.await_owned().await?;
        }
        Ok(processes)
    }

    /// Starts a service that folds everything from the beginning.
    pub async fn start_afresh(&self, service: &'static str) -> anyhow::Result<Process> {
        for store in [service, "sealed-keys"] {
            let path = self.stores().join(format!("{store}.{INSTANCE}"));
            if path.exists() && (store == service || service == "delivery") {
                fs::remove_dir_all(&path).with_context(|| format!("failed to remove {}", path.display()))?;
            }
        }
        self.start(service).await
    }
}

/// What of a process is resident, and the most that was since its start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    pub resident_mib: f64,
    pub peak_mib: f64,
}

/// A running service; killed when it is dropped.
pub struct Process {
    pub service: &'static str,
    pub address: SocketAddr,
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    async fn await_ready(&mut self) -> anyhow::Result<()> {
        let (begun, address) = (Instant::now(), format!("{}/health/ready", self.url()));
        while begun.elapsed() < READY {
            self.ensure_alive()?;
            if reqwest::get(&address).await.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        bail!("{} was not ready after {} s", self.service, READY.as_secs())
    }

    fn ensure_alive(&mut self) -> anyhow::Result<()> {
        let ended = self.child.as_mut().map(Child::try_wait).transpose()?.flatten();
        ensure!(ended.is_none(), "{} has ended:\n{}", self.service, self.log()?);
        Ok(())
    }

    /// Returns at the moment at which inputs begin to flow: all partitions are owned.
    pub async fn await_owned(&self) -> anyhow::Result<Instant> {
        let (http, begun) = (reqwest::Client::new(), Instant::now());
        let partitions = owned_partitions(self.service, PARTITIONS);
        while begun.elapsed() < READY {
            let page = http.get(format!("{}/metrics", self.url())).send().await?.text().await?;
            let line = page.lines().find(|line| line.starts_with("causeway_partitions_owned"));
            let owned = line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
            if owned.is_some_and(|owned| owned >= f64::from(partitions)) {
                return Ok(Instant::now());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        bail!("{} did not come to own its partitions", self.service)
    }

    pub fn log(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(&self.log)?)
    }

    /// Its memory once nothing was asked of it for a while.
    pub async fn memory_at_rest(&self) -> anyhow::Result<Memory> {
        tokio::time::sleep(REST).await;
        let memory = self.memory()?;
        let Memory { resident_mib, peak_mib } = memory;
        say!("{}: {resident_mib:.0} MiB resident at rest, {peak_mib:.0} MiB at most", self.service);
        Ok(memory)
    }

    pub fn memory(&self) -> anyhow::Result<Memory> {
        let child = self.child.as_ref().context("the process runs")?;
        let status = fs::read_to_string(format!("/proc/{}/status", child.id()))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<f64>().ok()
        };
        let resident_mib = field("VmRSS:").context("the system does not say what is resident")? / 1024.0;
        let peak_mib = field("VmHWM:").context("the system does not say what was resident")? / 1024.0;
        Ok(Memory { resident_mib, peak_mib })
    }

    /// Lets it drain and end.
    pub fn stop(mut self) -> anyhow::Result<()> {
        let mut child = self.child.take().context("the process runs")?;
        kill_process(Pid::from_child(&child), Signal::TERM)?;
        let status = child.wait()?;
        ensure!(status.success(), "{} ended with {status}:\n{}", self.service, self.log()?);
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // One that has ended already is what is wanted.
            drop(child.kill().and_then(|()| child.wait()));
        }
    }
}
