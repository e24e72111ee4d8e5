//! Faults on purpose while referrals come in, and a proof that nothing was lost, doubled or leaked.
//!
//! Processes are killed, stopped and started anew, at random moments and between the steps of a transaction; the
//! same referrals are sent again and again. Afterwards every store is held against a fold from the beginning, and
//! a verifier that shares no code with the product reads the topics.

mod answers;
mod clerks;
mod desk;
mod erasing;
mod fleet;
mod keeper;
mod network;
mod officers;
mod plan;
mod senders;
mod watchers;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use audit::fsck::Found;
use causeway::example::World;
use serde::Deserialize;

pub use fleet::Brokers;
use fleet::{Fleet, FleetOptions};
pub use network::{Lane, Network, Weather};
use senders::Senders;
use watchers::Watchers;

use crate::collector::Collector;
use crate::search::Search;

/// How long the services may take to answer everything once the faults are over.
const SETTLE: Duration = Duration::from_secs(180);
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The lag is measured every five seconds: so long it must stand still to be believed.
const STILL: Duration = Duration::from_secs(11);

/// What a run is to do.
pub struct Options {
    /// Different referrals, at least; a fifth of them is sent more than once.
    pub referrals: usize,
    /// Processes to be killed, at least.
    pub kills: usize,
    pub seed: u64,
    pub brokers: String,
    /// Brokers that may be killed, and whose keeper starts them anew.
    pub broker_nodes: Option<Brokers>,
    /// Where the brokers keep their files: `node-<n>/log` below it.
    pub kafka_data: Option<PathBuf>,
    /// Where a network that fails can stand.
    pub lane: Option<Lane>,
    pub replication: i32,
    /// The built program.
    pub program: PathBuf,
    /// That of the version before: everybody begins as it, and is upgraded under way.
    pub before: Option<PathBuf>,
    /// A Python with the verifier's packages.
    pub python: PathBuf,
}

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    pub referrals: usize,
    pub lost: u64,
    pub doubled: u64,
    pub leaked: u64,
    pub kills: usize,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { referrals, lost, doubled, leaked, kills } = self;
        write!(
            f,
            "faults: referrals {referrals}, lost {lost}, doubled {doubled}, leaked {leaked}, kills {kills}"
        )
    }
}

/// What the verifier says at its end.
#[derive(Deserialize)]
struct Verified {
    referrals: usize,
    /// Requests for legal assistance, and steps taken in them.
    requests: usize,
    steps: usize,
    /// How often custody of a search was accepted.
    custody_moves: usize,
    lost: u64,
    doubled: u64,
    leaked: u64,
    gaps: u64,
    /// Keys that an event names and nobody was to erase.
    key_sets_erased: u64,
    /// Whether nothing was written while it read.
    quiet: bool,
    /// Aborted records, by topic.
    aborted: BTreeMap<String, u64>,
    /// Over the chains of each topic, as [`chassis::store::Store::digests`] has them.
    digests: BTreeMap<String, String>,
}

/// Runs the faults and proves what is left. Says what it does on standard error.
///
/// # Errors
/// When anything was lost, doubled or leaked, a store differs from its topic, a failpoint was never hit, or the
/// run could not be made.
pub async fn run(options: &Options) -> anyhow::Result<Outcome> {
    let state = tempfile::tempdir()?;
    let outcome = run_in(options, state.path()).await;
    if outcome.is_err() {
        // What a failed run has left is what explains it.
        eprintln!("faults: the state stays in {}", state.keep().display());
    }
    outcome
}

async fn run_in(options: &Options, state: &Path) -> anyhow::Result<Outcome> {
    eprintln!("faults: seed {}, {} referrals, {} kills", options.seed, options.referrals, options.kills);
    let world = Arc::new(World::open(state)?);
    let prefix = format!("faults-{}-{}.", std::process::id(), options.seed);
    let collector = Collector::start(state)?;
    let fleet = FleetOptions {
        program: options.program.clone(),
        before: options.before.clone(),
        brokers: options.brokers.clone(),
        broker_nodes: options.broker_nodes.clone(),
        lane: options.lane.clone(),
        replication: options.replication,
        prefix: prefix.clone(),
        seed: options.seed,
        kills: options.kills,
        state: state.to_owned(),
        collector: collector.address.clone(),
    };
    let fleet = Fleet::start(&world, fleet).await?;
    let outcome = prove(options, state, &prefix, &world, &fleet, collector).await;
    if outcome.is_err() {
        fleet.abandon();
    }
    outcome
}

/// The faults themselves, and what is left of them.
async fn prove(
    options: &Options,
    state: &Path,
    prefix: &str,
    world: &Arc<World>,
    fleet: &Fleet,
    collector: Collector,
) -> anyhow::Result<Outcome> {
    let senders = Senders::new(world, state, options.seed, options.referrals)?;
    let watchers = Watchers::start(world, fleet);
    fleet.begin_faults();
    tokio::try_join!(senders.send_all(fleet), clerks::work(world, fleet), officers::work(world, fleet))?;
    let kills = fleet.end_faults().await?;
    eprintln!("faults: {kills} kills, everything was answered; settling");

    senders.send_again(fleet).await?;
    await_stillness(fleet).await?;
    fleet.start_afresh().await?;
    await_stillness(fleet).await?;
    watchers.check(world, fleet).await?;
    let others = match &options.kafka_data {
        Some(data) if options.replication > 1 => {
            let replicas = usize::try_from(options.replication)?;
            erasing::check(world, fleet, &fleet.kafka()?, data, replicas).await?;
            await_stillness(fleet).await?;
            erasing::REFERRALS
        }
        _ => 0,
    };
    let others = others + clerks::REQUESTS + officers::INCIDENTS;
    answers::keep(world, fleet, senders.answers()).await?;
    fleet.stop_all()?;
    drop(collector);
    let chains = compare_stores(options, fleet)?;
    fleet.check_failpoints()?;
    fleet.check_conduct()?;
    ensure!(kills >= options.kills, "{kills} processes were killed of {}", options.kills);
    search(options, prefix, state, fleet, &senders)?;
    fsck(options, fleet)?;
    let verified = verify(options, prefix, &senders, others)?;
    ensure!(verified.gaps == 0, "{} gaps in sequences", verified.gaps);
    ensure!(verified.quiet, "records came in while the verifier read");
    let sent = senders.sent() + others;
    ensure!(verified.referrals == sent, "{} of {sent} referrals", verified.referrals);
    ensure!(verified.key_sets_erased == 0, "{} key sets erased that are named", verified.key_sets_erased);
    ensure!(verified.digests == chains, "the verifier's chains {:?} are not {chains:?}", verified.digests);
    let aborted: u64 = verified.aborted.values().sum();
    eprintln!("faults: {aborted} records were aborted, and no committed reader saw one");
    ensure!(aborted > 0, "nothing was aborted: no reader was tried");
    let (requests, steps) = (verified.requests, verified.steps);
    eprintln!("faults: {requests} requests of {steps} steps");
    ensure!((requests, steps) == (clerks::REQUESTS, clerks::STEPS), "{requests} requests, {steps} steps");
    let moves = verified.custody_moves;
    eprintln!("faults: {moves} times custody of a search was accepted");
    ensure!(moves == officers::MOVES, "{moves} times custody was accepted, of {}", officers::MOVES);
    let Verified { lost, doubled, leaked, .. } = verified;
    let outcome = Outcome { referrals: senders.sent(), lost, doubled, leaked, kills };
    ensure!((lost, doubled, leaked) == (0, 0, 0), "{outcome}");
    Ok(outcome)
}

/// Until nobody is behind, and stays so.
async fn await_stillness(fleet: &Fleet) -> anyhow::Result<()> {
    let (begun, mut still_since) = (Instant::now(), None);
    while begun.elapsed() < SETTLE {
        still_since = match fleet.behind().await {
            Some(0) => still_since.or(Some(Instant::now())),
            _ => None,
        };
        if still_since.is_some_and(|since: Instant| since.elapsed() > STILL) {
            return Ok(());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    bail!("the services are still behind after {} s", SETTLE.as_secs())
}

/// Every instance of a service says the same, and the same as one that has folded the topic from its beginning. The
/// digest of its chains, by topic.
fn compare_stores(options: &Options, fleet: &Fleet) -> anyhow::Result<BTreeMap<String, String>> {
    let mut chains = BTreeMap::new();
    for (service, stores) in fleet.stores() {
        let mut digests: BTreeMap<PathBuf, BTreeMap<String, String>> = BTreeMap::new();
        for store in stores {
            let output =
                Command::new(&options.program).args(["--json", "store", "digest"]).arg(&store).output()?;
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            ensure!(output.status.success(), "failed to read {}: {said}", store.display());
            digests.insert(store, serde_json::from_slice(&output.stdout)?);
        }
        let different: BTreeSet<&BTreeMap<String, String>> = digests.values().collect();
        ensure!(different.len() == 1, "the stores of {service} differ: {digests:#?}");
        eprintln!("faults: {} stores of {service} are the same, byte for byte", digests.len());
        // The audit log has no aggregates.
        if service == "audit" {
            continue;
        }
        let topic =
            if service == "intake" { "referral.events".to_owned() } else { format!("{service}.events") };
        let found = digests.into_values().find_map(|mut kinds| kinds.remove("chains"));
        chains.insert(topic, found.context("a store says what its chains are")?);
    }
    Ok(chains)
}

/// What is sealed stands in no store, log, trace, metric, answer or file of Kafka's, whatever was killed while it was
/// written.
fn search(
    options: &Options,
    prefix: &str,
    state: &Path,
    fleet: &Fleet,
    senders: &Senders,
) -> anyhow::Result<()> {
    // Agencies stand in clear by design: where they are found was read.
    let known = "de-police".to_owned();
    let mut expected = vec![
        ("stores", known.clone()),
        ("telemetry", "POST /v1/referrals".to_owned()),
        ("answers", "causeway_consumer_lag".to_owned()),
        ("answers", "\"gate\":".to_owned()),
        ("answers", "assignment_id".to_owned()),
    ];
    expected.extend(options.kafka_data.is_some().then_some(("kafka", known)));
    let search = Search {
        python: &options.python,
        markers: senders.markers(),
        places: vec![
            ("stores", state.join("stores")),
            ("logs", fleet.logs()),
            ("telemetry", Collector::telemetry(state)),
            ("answers", senders.answers().to_owned()),
        ],
        kafka: options.kafka_data.as_deref().map(|directory| (directory, prefix)),
        expected,
    };
    eprint!("faults: {}", search.run()?);
    Ok(())
}

/// Each committed record has its leaf in the audit log, exactly once, and each head that was signed is the log's.
fn fsck(options: &Options, fleet: &Fleet) -> anyhow::Result<()> {
    let mut fsck = Command::new(&options.program);
    let output = fsck.args(["--json", "audit", "fsck", "--config"]).arg(fleet.config("audit")?).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let failed = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the log does not fit what is in Kafka: {said}{failed}");
    let found: Found = serde_json::from_str(&said).context("what fsck says does not read")?;
    let Found { leaves, checkpoints, not_yet_sequenced, .. } = found;
    ensure!(not_yet_sequenced == 0, "{not_yet_sequenced} records have no leaf");
    eprintln!("faults: {leaves} leaves under {checkpoints} heads, one for each committed record");
    Ok(())
}

/// `others`: referrals that the senders know nothing of.
fn verify(options: &Options, prefix: &str, senders: &Senders, others: usize) -> anyhow::Result<Verified> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let said = senders.ledger().with_file_name("verified.json");
    let status = Command::new(&options.python)
        .arg(root.join("outside/verify.py"))
        .args(["--brokers", &options.brokers, "--prefix", prefix, "--schemas"])
        .arg(root.join("../schemas/avro"))
        .args(["--others", &others.to_string(), "--ledger"])
        .arg(senders.ledger())
        .arg("--markers")
        .arg(senders.markers())
        .arg("--json")
        .arg(&said)
        .status()
        .context("failed to start the verifier")?;
    let text = std::fs::read_to_string(&said).with_context(|| format!("the verifier ended with {status}"))?;
    serde_json::from_str(&text).context("the verifier's answer does not read")
}
