//! The workspace's own tool, `cargo xtask <command>`: it installs what the machine lacks, runs a real Kafka
//! and holds the rules that a machine can hold. All of CI is `cargo xtask ci`.
#![allow(clippy::print_stdout, reason = "a command line tool talks on its standard output")]

mod bench;
mod chart;
mod ci;
mod deny;
mod failures;
mod faults;
mod fuzz;
mod install;
mod java;
mod kafka;
mod map;
mod maven;
mod parts;
mod process;
mod progress;
mod release;
mod repo;
mod signals;
mod stages;
mod test;
mod tidy;
mod tools;
mod up;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::bench::BenchOptions;
use crate::faults::FaultOptions;
use crate::fuzz::FuzzOptions;
use crate::kafka::{Kafka, KafkaOptions, Life};
use crate::release::ReleaseOptions;
use crate::signals::Signals;
use crate::test::TestOptions;
use crate::up::UpOptions;

/// Builds, runs and checks Causeway.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start everything on this machine and run until Ctrl-C.
    Up(UpOptions),
    /// Run the tests of the workspace against a fresh Kafka.
    Test(TestOptions),
    /// Run all of CI: install, format, tidy, deny, clippy, test.
    Ci,
    /// Check the rules of this repository that no other tool checks.
    Tidy,
    /// Check licences, sources and bans of the dependencies against deny.toml.
    Deny,
    /// Build the program as it is released, with the list of what it is made of.
    Release(ReleaseOptions),
    /// Kill, stop and restart everything while referrals come in, and prove that nothing was lost.
    Faults(FaultOptions),
    /// Measure throughput, latency, rebuild and memory, beside the limit that Kafka's client sets.
    Bench(BenchOptions),
    /// Hold the chart against Helm, Kubernetes' schemas, a real API server and Prometheus' tool; builds them once.
    Chart,
    /// Try the readers of JSON, XML, lines, Avro and tokens with changed inputs; the tests do it for some seconds.
    Fuzz(FuzzOptions),
    /// Make the dashboard's map and its names of countries anew.
    Map,
    /// Start a Kafka and run it until Ctrl-C.
    Kafka(KafkaArgs),
}

#[derive(clap::Args)]
struct KafkaArgs {
    /// How many brokers; three replicate every internal topic three times.
    #[arg(long, default_value_t = 1)]
    nodes: u16,
    /// Throw away what an earlier run has left.
    #[arg(long)]
    clean: bool,
    /// Where its data is, or is to be; .kafka/standalone without.
    #[arg(long)]
    data: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Up(options) => up::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Ci => ci::run(),
        Command::Tidy => tidy::run(&repo::root()?),
        Command::Deny => deny::run(),
        Command::Faults(options) => faults::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Chart => chart::run(),
        Command::Release(options) => release::run(&options),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Map => map::run(),
        Command::Kafka(args) => run_kafka(&args),
    }
}

/// Only Kafka, for work on one service or a look with an outside client.
fn run_kafka(args: &KafkaArgs) -> Result<()> {
    let signals = Signals::catch()?;
    install::ensure_system_packages()?;
    let standalone = || Ok::<_, anyhow::Error>(repo::root()?.join(".kafka/standalone"));
    let data_dir = args.data.clone().map_or_else(standalone, Ok)?;
    let mut kafka = Kafka::start(KafkaOptions {
        data_dir,
        nodes: args.nodes,
        clean: args.clean,
        lanes: 0,
        guarded: false,
        life: Life::Short,
    })?;
    println!("kafka listens on {}; Ctrl-C stops it", kafka.brokers());
    while !signals.any() {
        kafka.ensure_alive()?;
        std::thread::sleep(signals::POLL);
    }
    kafka.stop()
}
