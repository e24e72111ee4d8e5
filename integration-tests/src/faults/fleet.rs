//! The processes under fault: started, killed, stopped, and kept alive, as an operator's supervisor would.

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use causeway::example::{Place, World};
use causeway::serve::Settings;
use chassis::kafka::Kafka;
use rustix::process::{Pid, Signal, kill_process};

use super::erasing;
use super::keeper::Keeper;
use super::network::{Lane, Network, Weather};
use super::plan::{Extent, FAILPOINTS, MEMBERS, Planned, RESIDENTS, plan};
use crate::{await_some, free_address};

/// Partitions of each incident-keyed topic.
const PARTITIONS: i32 = 4;
/// How likely a failpoint is hit each time it is passed.
const HIT: f64 = 0.3;
const TICK: Duration = Duration::from_millis(20);
/// How long an instance may take to drain.
const DRAIN: Duration = Duration::from_secs(60);
/// What no fault may bring a service to say: its store contradicts its topic, or it failed where it never may.
const NEVER: [&str; 3] = [
    "store does not fit the topic",
    "the runner panicked",
    "a clock runs on although its command was answered",
];
/// How long all faults may take: so much, and so much for each.
const FAULTS_BASE: Duration = Duration::from_secs(180);
const FAULTS_EACH: Duration = Duration::from_secs(15);

/// Brokers whose keeper starts them anew: their process ids stand in `node-<n>/pid` of this directory.
#[derive(Clone, Debug)]
pub struct Brokers(pub PathBuf);

impl Brokers {
    /// The process id of each, in the order of their numbers.
    pub(super) fn pids(&self) -> Vec<Pid> {
        let file = |number: usize| self.0.join(format!("node-{number}/pid"));
        let read = |path: PathBuf| fs::read_to_string(path).ok()?.trim().parse().ok().and_then(Pid::from_raw);
        (1..).map_while(|number| read(file(number))).collect()
    }
}

pub struct FleetOptions {
    pub program: PathBuf,
    /// The version before, that everybody begins as.
    pub before: Option<PathBuf>,
    pub brokers: String,
    pub broker_nodes: Option<Brokers>,
    pub lane: Option<Lane>,
    pub replication: i32,
    pub prefix: String,
    pub seed: u64,
    pub kills: usize,
    pub state: PathBuf,
    /// Where every second instance sends its telemetry.
    pub collector: String,
}

/// How the names of instances end that go over the network that fails, and send telemetry.
const SECOND: char = '1';

/// Cheap to clone; the keeper ends with the last clone's stop.
#[derive(Clone)]
pub struct Fleet(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) options: FleetOptions,
    pub(super) world: Arc<World>,
    pub(super) network: Option<Network>,
    pub(super) members: Mutex<Vec<Member>>,
    pub(super) plan: Vec<Planned>,
    /// Faults of the plan that are over.
    pub(super) done: AtomicUsize,
    /// A failpoint is waited for: it needs something to be sent.
    pub(super) awaits_hit: AtomicBool,
    pub(super) faults: AtomicBool,
    pub(super) begun: Mutex<Instant>,
    pub(super) ended: AtomicBool,
    pub(super) kills: AtomicUsize,
    /// Instances that ended otherwise than by being killed or by draining, with how they did.
    pub(super) failed: Mutex<Vec<String>>,
    /// How often others had taken over what a stopped process owned before it went on.
    pub(super) replaced: AtomicUsize,
    pub(super) spawned: AtomicUsize,
    /// How much of everything was sent, from 0 to 1, as bits.
    pub(super) sent: AtomicU64,
    /// What the keeper's thread asks services with.
    runtime: tokio::runtime::Handle,
}

pub(super) struct Member {
    pub(super) service: &'static str,
    pub(super) instance: String,
    pub(super) address: SocketAddr,
    pub(super) config: PathBuf,
    pub(super) child: Option<Child>,
    /// What it is started with next.
    pub(super) failpoint: Option<&'static str>,
    pub(super) goes_on_at: Option<Instant>,
    /// It goes on when others have taken over, not by the clock.
    pub(super) is_held: bool,
    pub(super) comes_back_at: Option<Instant>,
    /// It was asked to end before it listened.
    pub(super) was_asked_early: bool,
    /// When a guest leaves.
    pub(super) leaves_at: Option<Instant>,
    /// A guest that is not there.
    pub(super) is_away: bool,
    /// It is started as the next version.
    pub(super) is_upgraded: bool,
}

impl Fleet {
    /// Starts every member, without faults, and waits until all are ready.
    pub async fn start(world: &Arc<World>, options: FleetOptions) -> anyhow::Result<Self> {
        let network = match &options.lane {
            Some(lane) => Some(Network::start(lane).await?),
            None => None,
        };
        let brokers = |instance: &str| match &options.lane {
            Some(lane) if instance.ends_with(SECOND) => lane.brokers(),
            _ => options.brokers.clone(),
        };
        let place = |instance: &str, listen| Place {
            brokers: brokers(instance),
            prefix: options.prefix.clone(),
            listen,
            instance: instance.to_owned(),
            partitions: PARTITIONS,
            replication: options.replication,
            registry: None,
            provider: None,
            erase_within_seconds: Some(erasing::WITHIN_SECONDS),
        };
        let topics = world.settings(&place("topics", free_address()?))?;
        topics.host.kafka.create_topics().await?;
        let mut members = Vec::new();
        for (number, (service, instance)) in MEMBERS.into_iter().enumerate() {
            let address = free_address()?;
            let config = world.config(&place(instance, address))?;
            let mut member = Member::new(service, instance, address, config);
            member.is_away = !RESIDENTS.contains(&number);
            members.push(member);
        }
        let extent = Extent {
            kills: options.kills,
            brokers: options.broker_nodes.as_ref().map_or(0, |brokers| brokers.pids().len()),
            network: network.is_some(),
            upgrade: options.before.is_some(),
        };
        let inner = Inner {
            plan: plan(options.seed, extent),
            options,
            world: Arc::clone(world),
            network,
            members: Mutex::new(members),
            done: AtomicUsize::new(0),
            awaits_hit: AtomicBool::new(false),
            faults: AtomicBool::new(false),
            begun: Mutex::new(Instant::now()),
            ended: AtomicBool::new(false),
            kills: AtomicUsize::new(0),
            failed: Mutex::new(Vec::new()),
            replaced: AtomicUsize::new(0),
            runtime: tokio::runtime::Handle::current(),
            spawned: AtomicUsize::new(0),
            sent: AtomicU64::new(0),
        };
        let fleet = Self(Arc::new(inner));
        fleet.spawn_missing()?;
        if let Err(error) = fleet.await_ready().await {
            fleet.abandon();
            return Err(error);
        }
        let keeper = Keeper::new(fleet.clone());
        std::thread::Builder::new().name("keeper".to_owned()).spawn(move || keeper.keep())?;
        Ok(fleet)
    }

    /// From now on, until [`Fleet::end_faults`], the plan is carried out.
    pub fn begin_faults(&self) {
        eprintln!("faults: {} faults are planned", self.0.plan.len());
        *self.0.begun.lock().expect("no holder of this lock panics") = Instant::now();
        self.0.faults.store(true, Ordering::Relaxed);
    }

    /// How much of the plan is done, from 0 to 1.
    fn progress(&self) -> f64 {
        self.0.done.load(Ordering::Relaxed) as f64 / self.0.plan.len().max(1) as f64
    }

    /// Hears how much of everything is sent, from 0 to 1; whether the faults have come as far.
    pub fn keeps_step(&self, sent: f64, ahead: f64) -> bool {
        self.0.sent.store(sent.to_bits(), Ordering::Relaxed);
        sent <= self.progress() + ahead
    }

    /// Whether a failpoint waits for something to pass it.
    pub fn awaits_hit(&self) -> bool {
        self.0.awaits_hit.load(Ordering::Relaxed)
    }

    /// Whether the whole plan is done.
    ///
    /// # Errors
    /// When that takes too long.
    pub fn is_done(&self) -> anyhow::Result<bool> {
        let (done, plan) = (self.0.done.load(Ordering::Relaxed), &self.0.plan);
        let Some(next) = plan.get(done) else { return Ok(true) };
        let limit = FAULTS_BASE + FAULTS_EACH * u32::try_from(plan.len())?;
        let begun = *self.0.begun.lock().expect("no holder of this lock panics");
        ensure!(
            begun.elapsed() < limit,
            "after {} s only {done} of {} faults are done; the next is: {}",
            limit.as_secs(),
            plan.len(),
            next.fault
        );
        Ok(false)
    }

    /// Ends the faults, all of which are done; starts everything anew without failpoints. How many were killed.
    pub async fn end_faults(&self) -> anyhow::Result<usize> {
        self.0.faults.store(false, Ordering::Relaxed);
        if let Some(network) = &self.0.network {
            network.set(Weather::Fair);
        }
        let kills = self.0.kills.load(Ordering::Relaxed);
        // Failpoints may be hit on the way out.
        self.stop_members()?;
        for member in self.members().iter_mut() {
            (member.is_away, member.leaves_at) = (false, None);
        }
        self.spawn_missing()?;
        self.await_ready().await?;
        Ok(kills)
    }

    /// Ends everything at once: the run has failed, and nothing of it may go on.
    pub fn abandon(&self) {
        self.0.ended.store(true, Ordering::Relaxed);
        for mut child in self.members().iter_mut().filter_map(|member| member.child.take()) {
            // One that has ended already is what is wanted.
            drop(child.kill().and_then(|()| child.wait()));
        }
    }

    /// Starts an instance of each service that folds everything from the beginning.
    pub async fn start_afresh(&self) -> anyhow::Result<()> {
        for service in crate::SERVICES {
            let instance = format!("fresh-{service}");
            let address = free_address()?;
            let mut members = self.members();
            let sample = members.iter().find(|member| member.service == service);
            let sample = sample.context("every service has a member")?.config.clone();
            let config = sample.with_file_name(format!("causeway-{instance}.toml"));
            let text = fs::read_to_string(&sample)?;
            let text = replace_setting(&text, "instance", &instance);
            fs::write(&config, replace_setting(&text, "listen", &address.to_string()))?;
            let mut member = Member::new(service, &instance, address, config);
            member.is_upgraded = true;
            members.push(member);
        }
        self.spawn_missing()?;
        self.await_ready().await
    }

    /// Where the instances of a service answer that are there.
    pub fn addresses(&self, service: &str) -> Vec<String> {
        let members = self.members();
        let of = members.iter().filter(|member| member.service == service && !member.is_away);
        of.map(|member| format!("http://{}", member.address)).collect()
    }

    /// The store of each instance, by service.
    pub fn stores(&self) -> BTreeMap<&'static str, Vec<PathBuf>> {
        let mut stores: BTreeMap<&'static str, Vec<PathBuf>> = BTreeMap::new();
        for member in self.members().iter() {
            let store =
                self.0.options.state.join("stores").join(format!("{}.{}", member.service, member.instance));
            stores.entry(member.service).or_default().push(store);
        }
        stores
    }

    /// The configuration of one of a service's instances.
    ///
    /// # Errors
    /// When there is none.
    pub fn config(&self, service: &str) -> anyhow::Result<PathBuf> {
        let members = self.members();
        let member = members.iter().find(|member| member.service == service);
        Ok(member.context("the service has a member")?.config.clone())
    }

    /// Inputs that nobody has answered yet; `None` while somebody does not say, or a partition has no owner.
    pub async fn behind(&self) -> Option<u64> {
        let (mut lag, mut owned) = (0, 0);
        for address in crate::SERVICES.iter().flat_map(|service| self.addresses(service)) {
            let page = reqwest::get(format!("{address}/metrics")).await.ok()?.text().await.ok()?;
            lag += metric(&page, "causeway_consumer_lag")?;
            owned += metric(&page, "causeway_partitions_owned")?;
        }
        let all: u64 = crate::SERVICES.into_iter().map(partitions).sum();
        (owned == all).then_some(lag)
    }

    /// Whether the other instances of a member's service own all partitions.
    pub(super) fn is_replaced(&self, place: usize) -> bool {
        let (service, own) = {
            let member = &self.members()[place];
            (member.service, format!("http://{}", member.address))
        };
        let owned = |address: String| async move {
            let page = reqwest::get(format!("{address}/metrics")).await.ok()?.text().await.ok()?;
            metric(&page, "causeway_partitions_owned")
        };
        let others = self.addresses(service).into_iter().filter(|address| *address != own);
        let owned = self.0.runtime.block_on(futures::future::join_all(others.map(owned)));
        owned.into_iter().flatten().sum::<u64>() == partitions(service)
    }

    /// Notes how a process has ended: by SIGKILL, by draining, or by itself, as it never should.
    pub(super) fn note_end(&self, member: &Member, status: ExitStatus) {
        let is_early = member.was_asked_early && status.signal() == Some(Signal::TERM.as_raw());
        if status.signal() == Some(Signal::KILL.as_raw()) {
            self.0.kills.fetch_add(1, Ordering::Relaxed);
        } else if !status.success() && !is_early {
            let mut failed = self.0.failed.lock().expect("no holder of this lock panics");
            failed.push(format!("{}: {status}", member.instance));
        }
    }

    /// What went wrong without anybody's being killed, by its own word or the logs'.
    ///
    /// # Errors
    /// When a fault was met by what must never happen.
    pub fn check_conduct(&self) -> anyhow::Result<()> {
        let failed = self.0.failed.lock().expect("no holder of this lock panics").clone();
        // A start while no broker answers ends with 1, and its supervisor tries again.
        eprintln!("faults: {} starts that were in vain: {failed:?}", failed.len());
        let odd: Vec<_> = failed.iter().filter(|end| !end.ends_with("exit status: 1")).collect();
        let (by_client, odd): (Vec<_>, Vec<_>) = odd.into_iter().partition(|end| self.is_of_the_client(end));
        eprintln!("faults: {} ends by an assertion of Kafka's client: {by_client:?}", by_client.len());
        ensure!(odd.is_empty(), "instances that ended by themselves: {odd:?}");
        let mut aside = 0;
        for log in fs::read_dir(self.logs())? {
            let (path, text) =
                log.map(|log| log.path()).map(|path| (path.clone(), fs::read_to_string(path)))?;
            let text = text?;
            aside += text.matches("store set aside").count();
            for never in NEVER {
                ensure!(!text.contains(never), "{} says: {never}", path.display());
            }
        }
        eprintln!("faults: {aside} stores were set aside because they did not open after a kill");
        let replaced = self.0.replaced.load(Ordering::Relaxed);
        eprintln!("faults: {replaced} times a stopped process went on when others had taken over");
        ensure!(
            replaced > 0,
            "nobody took over from the process that was stopped between offsets and commit"
        );
        Ok(())
    }

    /// Every failpoint was hit at least once.
    pub fn check_failpoints(&self) -> anyhow::Result<()> {
        let hits = FAILPOINTS.map(|failpoint| (failpoint, self.hits(failpoint)));
        eprintln!("faults: hits per failpoint: {hits:?}");
        let missed: Vec<_> = hits.iter().filter(|(_, count)| *count == 0).collect();
        ensure!(missed.is_empty(), "failpoints that were never hit: {missed:?}");
        Ok(())
    }

    /// How often a failpoint was hit.
    pub(super) fn hits(&self, failpoint: &str) -> usize {
        let text = fs::read_to_string(self.hits_file()).unwrap_or_default();
        text.lines().filter(|line| line.starts_with(&failpoint.replace(':', " "))).count()
    }

    /// librdkafka 2.12 ends its process where an assignment is lost and made anew while its fetches stop. For what is
    /// proven here that is one more kill.
    fn is_of_the_client(&self, end: &str) -> bool {
        let instance = end.split(':').next().unwrap_or_default();
        let log = fs::read_to_string(self.logs().join(format!("{instance}.log"))).unwrap_or_default();
        end.contains("SIGABRT") && log.contains("rdkafka_assignment.c")
    }

    /// How the members reach Kafka.
    pub fn kafka(&self) -> anyhow::Result<Kafka> {
        let config = self.members().first().context("there are members")?.config.clone();
        Ok(Settings::read(Some(&config))?.host.kafka)
    }

    /// Lets everyone drain and end.
    pub fn stop_all(&self) -> anyhow::Result<()> {
        self.0.ended.store(true, Ordering::Relaxed);
        let failed = self.stop_members()?;
        ensure!(failed.is_empty(), "instances that did not drain: {failed:?}");
        Ok(())
    }

    /// Where the members log, each to a file of its own.
    pub fn logs(&self) -> PathBuf {
        self.0.options.state.join("logs")
    }

    fn hits_file(&self) -> PathBuf {
        self.0.options.state.join("hits")
    }

    pub(super) fn members(&self) -> MutexGuard<'_, Vec<Member>> {
        self.0.members.lock().expect("no holder of this lock panics")
    }

    /// Asks everyone to end, and waits; who ended otherwise than by draining.
    fn stop_members(&self) -> anyhow::Result<Vec<String>> {
        let mut members = self.members();
        for member in members.iter_mut() {
            member.comes_back_at = None;
            member.go_on();
            member.ask_to_end();
        }
        let asked = Instant::now();
        let mut failed = Vec::new();
        for member in members.iter_mut() {
            while let Some(child) = &mut member.child {
                if let Some(status) = child.try_wait()? {
                    if !status.success() {
                        failed.push(member.instance.clone());
                    }
                    member.child = None;
                } else if asked.elapsed() > DRAIN {
                    member.signal(Signal::KILL);
                } else if member.is_stopped() {
                    // By a failpoint on the way out.
                    member.go_on();
                }
                std::thread::sleep(TICK);
            }
        }
        Ok(failed)
    }

    fn spawn_missing(&self) -> anyhow::Result<()> {
        let mut members = self.members();
        for member in members.iter_mut().filter(|member| member.child.is_none() && !member.is_away) {
            self.spawn(member)?;
        }
        Ok(())
    }

    /// Nothing is started any more once the run has ended.
    pub(super) fn spawn(&self, member: &mut Member) -> anyhow::Result<()> {
        if self.0.ended.load(Ordering::Relaxed) {
            return Ok(());
        }
        let options = &self.0.options;
        let logs = self.logs();
        fs::create_dir_all(&logs)?;
        let log = logs.join(format!("{}.log", member.instance));
        let log = fs::OpenOptions::new().create(true).append(true).open(log)?;
        let before = options.before.as_ref().filter(|_| !member.is_upgraded);
        let mut command = Command::new(before.unwrap_or(&options.program));
        command.args(["serve", member.service, "--config"]).arg(&member.config);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let number = self.0.spawned.fetch_add(1, Ordering::Relaxed);
        if let Some(failpoint) = member.failpoint.take() {
            command
                .env("CAUSEWAY_DEVELOPMENT_FAILPOINTS", format!("{failpoint}:{HIT}"))
                .env("CAUSEWAY_DEVELOPMENT_FAILPOINTS_SEED", (options.seed + number as u64).to_string())
                .env("CAUSEWAY_DEVELOPMENT_FAILPOINTS_HITS", self.hits_file());
        }
        if member.instance.ends_with(SECOND) {
            command.env("CAUSEWAY_TELEMETRY_OTLP", &options.collector);
        }
        member.child = Some(command.spawn().context("failed to start a service")?);
        Ok(())
    }

    async fn await_ready(&self) -> anyhow::Result<()> {
        let there = |members: &[Member]| {
            members.iter().filter(|member| !member.is_away).map(|member| member.address).collect::<Vec<_>>()
        };
        let addresses = there(&self.members());
        for address in addresses {
            let client = self.0.world.client(&format!("http://{address}"), "nl-hotline", "readiness")?;
            let ready = || async { client.is_ready().await.then_some(()) };
            await_some(&format!("{address} to be ready"), ready).await?;
        }
        Ok(())
    }
}

impl Member {
    fn new(service: &'static str, instance: &str, address: SocketAddr, config: PathBuf) -> Self {
        let instance = instance.to_owned();
        Self {
            service,
            instance,
            address,
            config,
            child: None,
            failpoint: None,
            goes_on_at: None,
            is_held: false,
            comes_back_at: None,
            leaves_at: None,
            was_asked_early: false,
            is_away: false,
            is_upgraded: false,
        }
    }

    /// Asks it to drain and end. A process that is only being loaded yet has nothing to drain, and no ear for it.
    pub(super) fn ask_to_end(&mut self) {
        self.was_asked_early = TcpStream::connect(self.address).is_err();
        self.signal(Signal::TERM);
    }

    /// Nothing happens to a process that has ended already.
    pub(super) fn signal(&self, signal: Signal) {
        if let Some(child) = &self.child {
            let _ = kill_process(Pid::from_child(child), signal);
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.child.is_some()
            && self.goes_on_at.is_none()
            && self.comes_back_at.is_none()
            && self.leaves_at.is_none()
            && !self.is_held
    }

    pub(super) fn go_on(&mut self) {
        self.goes_on_at = None;
        self.signal(Signal::CONT);
    }

    pub(super) fn is_stopped(&self) -> bool {
        let Some(child) = &self.child else { return false };
        let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // One that has ended already is what is wanted.
            drop(child.kill().and_then(|()| child.wait()));
        }
    }
}

fn replace_setting(text: &str, name: &str, value: &str) -> String {
    let line = |line: &str| match line.split_once(" = ") {
        Some((found, _)) if found == name => format!("{name} = \"{value}\""),
        _ => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn partitions(service: &str) -> u64 {
    crate::owned_partitions(service, PARTITIONS).into()
}

/// The sum over all lines of a metric.
fn metric(page: &str, name: &str) -> Option<u64> {
    let values = page.lines().filter(|line| line.starts_with(name)).map(|line| line.rsplit(' ').next());
    let values: Option<Vec<f64>> = values.map(|value| value?.parse().ok()).collect();
    values.filter(|values| !values.is_empty()).map(|values| values.iter().sum::<f64>() as u64)
}
