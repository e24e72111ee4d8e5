//! The processes under fault: started, killed, stopped, and kept alive, as an operator's supervisor would.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use causeway::example::{Place, World};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rustix::process::{Pid, Signal, kill_process};

use crate::{await_some, free_address};

/// Partitions of each incident-keyed topic.
const PARTITIONS: i32 = 4;
/// Who runs: two of each that take turns.
const MEMBERS: [(&str, &str); 7] = [
    ("directory", "d0"),
    ("intake", "i0"),
    ("intake", "i1"),
    ("routing", "r0"),
    ("routing", "r1"),
    ("delivery", "l0"),
    ("delivery", "l1"),
];
/// What stands at the failpoints of a process, one after the other from start to start.
const FAILPOINTS: [&str; 8] = [
    "begin:kill",
    "produce:kill",
    "drain:kill",
    "offsets:kill",
    "commit:kill",
    "fold:kill",
    "commit:lose",
    "offsets:stop",
];
/// How likely a failpoint is hit each time it is passed: until each was hit once, and from then on.
const FIRST_HIT: f64 = 0.3;
const LATER_HIT: f64 = 0.02;
/// Longer than the session (6 s) and the transaction (10 s): others have taken over before it goes on.
const STOPPED: Duration = Duration::from_secs(17);
/// How long an instance that has left stays away.
const ABSENT: Duration = Duration::from_secs(2);
/// Pause between two faults from outside, in milliseconds.
const PAUSE_MS: std::ops::Range<u64> = 200..1_200;
/// The faults run ahead of the answers by so much of the whole, at most.
const AHEAD: f64 = 0.05;
const TICK: Duration = Duration::from_millis(20);
/// Most processes stopped at once: the others must be able to go on.
const MAX_STOPPED: usize = 2;

/// Brokers whose keeper starts them anew: their process ids stand in `node-<n>/pid` of this directory.
#[derive(Clone, Debug)]
pub struct Brokers(pub PathBuf);

pub struct FleetOptions {
    pub program: PathBuf,
    pub brokers: String,
    pub broker_nodes: Option<Brokers>,
    pub replication: i32,
    pub prefix: String,
    pub seed: u64,
    pub kills: usize,
    pub state: PathBuf,
}

/// Cheap to clone; the keeper ends with the last clone's stop.
#[derive(Clone)]
pub struct Fleet(Arc<Inner>);

struct Inner {
    options: FleetOptions,
    world: Arc<World>,
    members: Mutex<Vec<Member>>,
    faults: AtomicBool,
    ended: AtomicBool,
    kills: AtomicUsize,
    spawned: AtomicUsize,
    /// How much of everything was answered, from 0 to 1, as bits.
    answered: AtomicU64,
}

struct Member {
    service: &'static str,
    instance: String,
    address: SocketAddr,
    config: PathBuf,
    child: Option<Child>,
    goes_on_at: Option<Instant>,
    comes_back_at: Option<Instant>,
}

impl Fleet {
    /// Starts every member, without faults, and waits until all are ready.
    pub async fn start(world: &Arc<World>, options: FleetOptions) -> anyhow::Result<Self> {
        let place = |instance: &str, listen| Place {
            brokers: options.brokers.clone(),
            prefix: options.prefix.clone(),
            listen,
            instance: instance.to_owned(),
            partitions: PARTITIONS,
            replication: options.replication,
            registry: None,
        };
        let topics = world.settings(&place("topics", free_address()?))?;
        topics.host.kafka.create_topics([]).await?;
        let mut members = Vec::new();
        for (service, instance) in MEMBERS {
            let address = free_address()?;
            let config = world.config(&place(instance, address))?;
            members.push(Member::new(service, instance, address, config));
        }
        let inner = Inner {
            options,
            world: Arc::clone(world),
            members: Mutex::new(members),
            faults: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            kills: AtomicUsize::new(0),
            spawned: AtomicUsize::new(0),
            answered: AtomicU64::new(0),
        };
        let fleet = Self(Arc::new(inner));
        fleet.spawn_missing()?;
        fleet.await_ready().await?;
        let keeper = fleet.clone();
        std::thread::Builder::new().name("keeper".to_owned()).spawn(move || keeper.keep())?;
        Ok(fleet)
    }

    /// From now on, until [`Fleet::end_faults`]: everyone is killed, and comes back with a failpoint.
    pub fn begin_faults(&self) {
        self.0.faults.store(true, Ordering::Relaxed);
        self.members().iter().for_each(|member| member.signal(Signal::KILL));
    }

    /// Which of [`FAILPOINTS`] nobody has hit yet.
    fn failpoints_missed(&self) -> Vec<&'static str> {
        let text = fs::read_to_string(self.hits()).unwrap_or_default();
        let hit = |failpoint: &str| text.lines().any(|line| line.starts_with(&failpoint.replace(':', " ")));
        FAILPOINTS.into_iter().filter(|failpoint| !hit(failpoint)).collect()
    }

    /// How much of the killing is done, from 0 to 1.
    pub fn progress(&self) -> f64 {
        let wanted = self.0.options.kills.max(1);
        (self.0.kills.load(Ordering::Relaxed) as f64 / wanted as f64).min(1.0)
    }

    /// Hears how much of everything was answered, from 0 to 1.
    pub fn answered(&self, share: f64) {
        self.0.answered.store(share.to_bits(), Ordering::Relaxed);
    }

    /// Ends the faults once enough were killed; starts everything anew without failpoints. How many were killed.
    pub async fn end_faults(&self) -> anyhow::Result<usize> {
        while self.progress() < 1.0 || !self.failpoints_missed().is_empty() {
            tokio::time::sleep(TICK).await;
        }
        self.0.faults.store(false, Ordering::Relaxed);
        let kills = self.0.kills.load(Ordering::Relaxed);
        // Failpoints may be hit on the way out.
        self.stop_members()?;
        self.spawn_missing()?;
        self.await_ready().await?;
        Ok(kills)
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
            members.push(Member::new(service, &instance, address, config));
        }
        self.spawn_missing()?;
        self.await_ready().await
    }

    /// Where the instances of a service answer.
    pub fn addresses(&self, service: &str) -> Vec<String> {
        let members = self.members();
        let of = members.iter().filter(|member| member.service == service);
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

    /// Inputs that nobody has answered yet; `None` while somebody does not say, or a partition has no owner.
    pub async fn behind(&self) -> Option<u64> {
        let (mut lag, mut owned) = (0, 0);
        for address in crate::SERVICES.iter().flat_map(|service| self.addresses(service)) {
            let page = reqwest::get(format!("{address}/metrics")).await.ok()?.text().await.ok()?;
            lag += metric(&page, "causeway_consumer_lag")?;
            owned += metric(&page, "causeway_partitions_owned")?;
        }
        // The directory has one partition, every other service the count.
        let all = 1 + 3 * u64::try_from(PARTITIONS).ok()?;
        (owned == all).then_some(lag)
    }

    /// Every failpoint was hit at least once.
    pub fn check_failpoints(&self) -> anyhow::Result<()> {
        let text = fs::read_to_string(self.hits()).unwrap_or_default();
        let mut hits: BTreeMap<String, usize> = BTreeMap::new();
        for line in text.lines() {
            let failpoint = line.split(' ').take(2).collect::<Vec<_>>().join(":");
            *hits.entry(failpoint).or_default() += 1;
        }
        eprintln!("faults: hits per failpoint: {hits:?}");
        let missed = self.failpoints_missed();
        ensure!(missed.is_empty(), "failpoints that were never hit: {missed:?}");
        Ok(())
    }

    /// Lets everyone drain and end.
    pub fn stop_all(&self) -> anyhow::Result<()> {
        self.0.ended.store(true, Ordering::Relaxed);
        let failed = self.stop_members()?;
        ensure!(failed.is_empty(), "instances that did not drain: {failed:?}");
        Ok(())
    }

    fn hits(&self) -> PathBuf {
        self.0.options.state.join("hits")
    }

    fn members(&self) -> MutexGuard<'_, Vec<Member>> {
        self.0.members.lock().expect("no holder of this lock panics")
    }

    /// Asks everyone to end, and waits; who ended otherwise than by draining.
    fn stop_members(&self) -> anyhow::Result<Vec<String>> {
        let mut members = self.members();
        for member in members.iter_mut() {
            member.comes_back_at = None;
            member.go_on();
            member.signal(Signal::TERM);
        }
        let mut failed = Vec::new();
        for member in members.iter_mut() {
            if let Some(mut child) = member.child.take()
                && !child.wait()?.success()
            {
                failed.push(member.instance.clone());
            }
        }
        Ok(failed)
    }

    fn spawn_missing(&self) -> anyhow::Result<()> {
        for member in self.members().iter_mut().filter(|member| member.child.is_none()) {
            self.spawn(member)?;
        }
        Ok(())
    }

    fn spawn(&self, member: &mut Member) -> anyhow::Result<()> {
        let options = &self.0.options;
        let log = options.state.join(format!("{}.log", member.instance));
        let log = fs::OpenOptions::new().create(true).append(true).open(log)?;
        let mut command = Command::new(&options.program);
        command.args(["serve", member.service, "--config"]).arg(&member.config);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let number = self.0.spawned.fetch_add(1, Ordering::Relaxed);
        if self.0.faults.load(Ordering::Relaxed) && member.service != "directory" {
            let missed = self.failpoints_missed();
            let (choice, hit) =
                if missed.is_empty() { (&FAILPOINTS[..], LATER_HIT) } else { (&missed[..], FIRST_HIT) };
            let failpoint = choice[number % choice.len()];
            command
                .env("CAUSEWAY_DEVELOPMENT_FAILPOINTS", format!("{failpoint}:{hit}"))
                .env("CAUSEWAY_DEVELOPMENT_FAILPOINTS_SEED", (options.seed + number as u64).to_string())
                .env("CAUSEWAY_DEVELOPMENT_FAILPOINTS_HITS", self.hits());
        }
        member.child = Some(command.spawn().context("failed to start a service")?);
        Ok(())
    }

    async fn await_ready(&self) -> anyhow::Result<()> {
        let addresses: Vec<SocketAddr> = self.members().iter().map(|member| member.address).collect();
        for address in addresses {
            let client = self.0.world.client(&format!("http://{address}"), "nl-hotline", "readiness")?;
            let ready = || async { client.is_ready().await.then_some(()) };
            await_some(&format!("{address} to be ready"), ready).await?;
        }
        Ok(())
    }

    /// Starts anew what has ended, lets go on what was stopped, and while there are faults makes some.
    fn keep(&self) {
        let mut random = StdRng::seed_from_u64(self.0.options.seed);
        let mut next = Instant::now();
        while !self.0.ended.load(Ordering::Relaxed) {
            std::thread::sleep(TICK);
            if !self.0.faults.load(Ordering::Relaxed) {
                continue;
            }
            let mut members = self.members();
            for member in members.iter_mut() {
                if let Err(error) = self.look_after(member) {
                    eprintln!("faults: {} could not be looked after: {error:#}", member.instance);
                }
            }
            // Faults and answers keep step: services that are still coming back are let be.
            let keeps_step =
                self.progress() <= f64::from_bits(self.0.answered.load(Ordering::Relaxed)) + AHEAD;
            // Each failpoint has its turn first: whoever is killed from outside may not come to its own.
            if Instant::now() >= next && keeps_step && self.failpoints_missed().is_empty() {
                next = Instant::now() + Duration::from_millis(random.random_range(PAUSE_MS));
                self.make_a_fault(&mut members, &mut random);
            }
        }
    }

    fn look_after(&self, member: &mut Member) -> anyhow::Result<()> {
        let now = Instant::now();
        if member.goes_on_at.is_some_and(|at| at <= now) {
            member.go_on();
        }
        if member.goes_on_at.is_none() && member.is_stopped() {
            // By a failpoint.
            member.goes_on_at = Some(now + STOPPED);
        }
        let ended = match &mut member.child {
            Some(child) => child.try_wait()?,
            None => None,
        };
        if let Some(status) = ended {
            member.child = None;
            if !status.success() {
                self.0.kills.fetch_add(1, Ordering::Relaxed);
            }
        }
        if member.child.is_none() && member.comes_back_at.is_none_or(|at| at <= now) {
            member.comes_back_at = None;
            self.spawn(member)?;
        }
        Ok(())
    }

    fn make_a_fault(&self, members: &mut [Member], random: &mut StdRng) {
        let stopped = members.iter().filter(|member| member.goes_on_at.is_some()).count();
        let place = random.random_range(0..members.len());
        let member = &mut members[place];
        match random.random_range(0..100) {
            0..70 => member.signal(Signal::KILL),
            70..80 if stopped < MAX_STOPPED && member.goes_on_at.is_none() => {
                member.signal(Signal::STOP);
                member.goes_on_at = Some(Instant::now() + STOPPED);
            }
            80..95 if member.goes_on_at.is_none() && ["routing", "delivery"].contains(&member.service) => {
                member.comes_back_at = Some(Instant::now() + ABSENT);
                member.signal(Signal::TERM);
            }
            95..98 => {
                if let Some(brokers) = &self.0.options.broker_nodes {
                    kill_broker(brokers, random);
                }
            }
            _ => {}
        }
    }
}

impl Member {
    fn new(service: &'static str, instance: &str, address: SocketAddr, config: PathBuf) -> Self {
        let instance = instance.to_owned();
        Self { service, instance, address, config, child: None, goes_on_at: None, comes_back_at: None }
    }

    /// Nothing happens to a process that has ended already.
    fn signal(&self, signal: Signal) {
        if let Some(child) = &self.child {
            let _ = kill_process(Pid::from_child(child), signal);
        }
    }

    fn go_on(&mut self) {
        self.goes_on_at = None;
        self.signal(Signal::CONT);
    }

    fn is_stopped(&self) -> bool {
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

fn kill_broker(Brokers(directory): &Brokers, random: &mut StdRng) {
    let nodes = fs::read_dir(directory).into_iter().flatten().flatten();
    let pids: Vec<i32> = nodes.filter_map(|node| read_pid(&node.path().join("pid"))).collect();
    if let Some(pid) = pids.choose(random).and_then(|pid| Pid::from_raw(*pid)) {
        eprintln!("faults: a broker is killed");
        let _ = kill_process(pid, Signal::KILL);
    }
}

fn read_pid(path: &Path) -> Option<i32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn replace_setting(text: &str, name: &str, value: &str) -> String {
    let line = |line: &str| match line.split_once(" = ") {
        Some((found, _)) if found == name => format!("{name} = \"{value}\""),
        _ => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// The sum over all lines of a metric.
fn metric(page: &str, name: &str) -> Option<u64> {
    let values = page.lines().filter(|line| line.starts_with(name)).map(|line| line.rsplit(' ').next());
    let values: Option<Vec<f64>> = values.map(|value| value?.parse().ok()).collect();
    values.filter(|values| !values.is_empty()).map(|values| values.iter().sum::<f64>() as u64)
}
