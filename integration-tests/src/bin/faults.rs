//! The long run of faults; `cargo xtask faults` starts the brokers and calls it.

#![allow(clippy::print_stdout, reason = "its last line is its result")]

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use integration_tests::faults::{Brokers, Lane, Options, run};

/// Kills, stops and restarts everything while referrals come in, and proves that nothing was lost, doubled or leaked.
#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    brokers: String,
    /// The directory of brokers that may be killed; their keeper starts them anew.
    #[arg(long)]
    broker_nodes: Option<PathBuf>,
    /// A way to every broker that the run may make fail, `FRONT>BEHIND` of each.
    #[arg(long)]
    lane: Option<Lane>,
    #[arg(long, default_value_t = 1)]
    replication: i32,
    #[arg(long, default_value_t = 20_000)]
    referrals: usize,
    #[arg(long, default_value_t = 200)]
    kills: usize,
    /// The program of the version before: everybody begins as it, and is upgraded under way.
    #[arg(long)]
    before: Option<PathBuf>,
    /// Repeats a run's schedule; a new one without.
    #[arg(long)]
    seed: Option<u64>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let program = std::env::current_exe()?.with_file_name("causeway");
    let python = std::env::var_os("CAUSEWAY_TEST_PYTHON").context("run `cargo xtask faults`")?;
    let outcome = run(&Options {
        referrals: arguments.referrals,
        kills: arguments.kills,
        seed: arguments.seed.unwrap_or_else(|| rand::random::<u32>().into()),
        brokers: arguments.brokers,
        kafka_data: arguments.broker_nodes.clone(),
        broker_nodes: arguments.broker_nodes.map(Brokers),
        lane: arguments.lane,
        replication: arguments.replication,
        program,
        before: arguments.before,
        python: python.into(),
    })
    .await?;
    println!("{outcome}");
    Ok(())
}
