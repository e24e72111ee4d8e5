//! `cargo xtask faults`: the long run of faults, against brokers of its own that are killed as well.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::kafka::{Kafka, KafkaOptions, Life};
use crate::parts::Parts;
use crate::signals::{POLL, Signals};
use crate::{install, process, repo};

#[derive(clap::Args)]
pub struct FaultOptions {
    /// Brokers; with three, topics are replicated and each broker is killed in turn. Without it, a run with one broker
    /// is followed by a tenth of it with three.
    #[arg(long)]
    nodes: Option<u16>,
    /// Different referrals; a fifth of them is sent more than once.
    #[arg(long, default_value_t = 20_000)]
    referrals: usize,
    /// Processes to be killed, at least.
    #[arg(long, default_value_t = 200)]
    kills: usize,
    /// Repeats a run's schedule; a new one without.
    #[arg(long)]
    seed: Option<u64>,
    /// Upgrades everybody under way, one after the other, from the version of this commit; builds it.
    #[arg(long)]
    from: Option<String>,
}

/// One run's share of the whole.
struct Share {
    nodes: u16,
    referrals: usize,
    kills: usize,
}

/// The second run, with three brokers, is so many times smaller.
const SECOND: usize = 10;

/// Starts the brokers of each run and keeps them alive until it has ended; the last line is the result.
pub fn run(options: &FaultOptions) -> Result<()> {
    let signals = Signals::catch()?;
    install::ensure_system_packages()?;
    // As the tests are built, so that nothing is built twice.
    process::run(Command::new("cargo").args(["build", "--workspace", "--bins", "--tests"]))?;
    let before = options.from.as_deref().map(build_before).transpose()?;
    let parts = Parts::ensure()?;
    let (referrals, kills) = (options.referrals, options.kills);
    let shares = match options.nodes {
        Some(nodes) => vec![Share { nodes, referrals, kills }],
        None => vec![
            Share { nodes: 1, referrals, kills },
            Share { nodes: 3, referrals: referrals.div_ceil(SECOND), kills: kills.div_ceil(SECOND) },
        ],
    };
    let mut all = Vec::new();
    for share in &shares {
        let numbers = run_share(share, options.seed, before.as_deref(), &parts, &signals)?;
        all.resize(numbers.len(), 0);
        all.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number);
    }
    let [referrals, lost, doubled, leaked, kills] = all[..] else {
        bail!("a run did not say what came of it")
    };
    println!("faults: referrals {referrals}, lost {lost}, doubled {doubled}, leaked {leaked}, kills {kills}");
    Ok(())
}

/// The program of an earlier commit, from a checkout of its own.
fn build_before(commit: &str) -> Result<PathBuf> {
    let root = repo::root()?;
    let commit = process::output(Command::new("git").args(["rev-parse", "--short", "--verify", commit]))?;
    let place = root.join("target/before").join(commit.trim());
    if !place.is_dir() {
        let mut checkout = Command::new("git");
        checkout.args(["worktree", "add", "--detach"]).arg(&place).arg(commit.trim());
        process::run(&mut checkout)?;
    }
    let mut build = Command::new("cargo");
    build.args(["build", "--locked", "--bin", "causeway"]).current_dir(&place);
    process::run(build.env("CARGO_TARGET_DIR", place.join("target")))?;
    Ok(place.join("target/debug/causeway"))
}

/// The numbers of its result, in their order.
fn run_share(
    share: &Share,
    seed: Option<u64>,
    before: Option<&Path>,
    parts: &Parts,
    signals: &Signals,
) -> Result<Vec<u64>> {
    let root = repo::root()?;
    let data_dir = root.join("target/kafka-faults");
    let nodes = share.nodes;
    let mut kafka = Kafka::start(KafkaOptions {
        data_dir: data_dir.clone(),
        nodes,
        clean: true,
        lanes: 1,
        guarded: false,
        life: Life::Short,
    })?;
    let mut run = Command::new(root.join("target/debug/faults"));
    run.args(["--brokers", kafka.brokers(), "--broker-nodes"]).arg(&data_dir);
    run.args(["--lane", kafka.lanes()]);
    run.args(["--replication", &nodes.min(3).to_string(), "--referrals", &share.referrals.to_string()]);
    run.args(["--kills", &share.kills.to_string()]).envs(parts.environment());
    if let Some(before) = before {
        run.arg("--before").arg(before);
    }
    if let Some(seed) = seed {
        run.args(["--seed", &seed.to_string()]);
    }
    println!("$ {}", process::shown(&run));
    let mut child = run.stdout(Stdio::piped()).spawn().context("failed to start the run")?;
    let status = loop {
        if let Some(status) = child.try_wait().context("failed to wait for the run")? {
            break status;
        }
        if signals.any() {
            child.kill().context("failed to end the run")?;
        }
        kafka.revive()?;
        std::thread::sleep(POLL);
    };
    kafka.stop()?;
    if !status.success() {
        bail!("the run of faults ended with {status}");
    }
    let mut said = String::new();
    child.stdout.take().context("the run has an output")?.read_to_string(&mut said)?;
    print!("{said}");
    // The verifier has printed what it saw before.
    let result = said.lines().last().unwrap_or_default();
    let numbers = result.split(|letter: char| !letter.is_ascii_digit()).filter(|part| !part.is_empty());
    Ok(numbers.map(str::parse).collect::<Result<_, _>>()?)
}
