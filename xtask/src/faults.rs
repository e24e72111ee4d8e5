//! `cargo xtask faults`: the long run of faults, against brokers of its own that are killed as well.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::kafka::{Kafka, KafkaOptions};
use crate::parts::Parts;
use crate::signals::{POLL, Signals};
use crate::{install, process, repo};

#[derive(clap::Args)]
pub struct FaultOptions {
    /// Brokers; with three, topics are replicated and each broker is killed in turn.
    #[arg(long, default_value_t = 1)]
    nodes: u16,
    /// Different referrals; a fifth of them is sent more than once.
    #[arg(long, default_value_t = 20_000)]
    referrals: usize,
    /// Processes to be killed, at least.
    #[arg(long, default_value_t = 200)]
    kills: usize,
    /// Repeats a run's schedule; a new one without.
    #[arg(long)]
    seed: Option<u64>,
}

/// Starts the brokers and keeps them alive until the run has ended; its last line is the result.
pub fn run(options: &FaultOptions) -> Result<()> {
    let signals = Signals::catch()?;
    install::ensure_system_packages()?;
    process::run(Command::new("cargo").args(["build", "--workspace", "--bins"]))?;
    let parts = Parts::ensure()?;
    let root = repo::root()?;
    let data_dir = root.join("target/kafka-faults");
    let nodes = options.nodes;
    let mut kafka = Kafka::start(KafkaOptions { data_dir: data_dir.clone(), nodes, clean: true, lanes: 1 })?;
    let mut run = Command::new(root.join("target/debug/faults"));
    run.args(["--brokers", kafka.brokers(), "--broker-nodes"]).arg(&data_dir);
    run.args(["--lane", kafka.lanes()]);
    run.args(["--replication", &nodes.min(3).to_string(), "--referrals", &options.referrals.to_string()]);
    run.args(["--kills", &options.kills.to_string()]).envs(parts.environment());
    if let Some(seed) = options.seed {
        run.args(["--seed", &seed.to_string()]);
    }
    println!("$ {}", process::shown(&run));
    let mut child = run.spawn().context("failed to start the run")?;
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
    Ok(())
}
