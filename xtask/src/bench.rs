//! `cargo xtask bench`: the measurements, with the release build and a broker of their own.

use std::fs;
use std::num::NonZeroU32;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::kafka::{Kafka, KafkaOptions, Life};
use crate::signals::Signals;
use crate::{install, parts, process, repo};

#[derive(clap::Args)]
pub struct BenchOptions {
    /// Incidents that throughput, rebuild and memory are measured with.
    #[arg(long, default_value_t = 10_000)]
    incidents: usize,
    /// Ten thousand, a hundred thousand and a million incidents, one after the other, instead.
    #[arg(long)]
    growth: bool,
    /// Only these of a to l, with commas between; (l) only where it is named.
    #[arg(long)]
    only: Option<String>,
    /// How long each rate of (d), the single requests of (c), and (l) are kept up.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Referrals a second of (l).
    #[arg(long, default_value = "10")]
    rate: NonZeroU32,
}

/// Builds, starts a fresh Kafka, measures; the table is the last that is printed.
pub fn run(options: &BenchOptions) -> Result<()> {
    let signals = Signals::catch()?;
    install::ensure_system_packages()?;
    let build = ["build", "--release", "--bin", "causeway", "--bin", "bench"];
    process::run(Command::new("cargo").args(build))?;
    let root = repo::root()?;
    let data_dir = root.join("target/kafka-bench");
    let kafka = Kafka::start(KafkaOptions {
        data_dir: data_dir.clone(),
        nodes: 1,
        clean: true,
        lanes: 0,
        guarded: false,
        life: Life::Long,
    })?;
    let mut bench = Command::new(root.join("target/release/bench"));
    bench.args(["--brokers", kafka.brokers(), "--output"]).arg(root.join("target/bench.json"));
    bench.arg("--kafka-data").arg(&data_dir);
    bench.args(["--incidents", &options.incidents.to_string(), "--seconds", &options.seconds.to_string()]);
    bench.args(["--rate", &options.rate.to_string()]);
    if options.only.as_ref().is_none_or(|only| only.split(',').any(|one| one.trim() == "i")) {
        bench.arg("--python").arg(parts::ensure_bench_python()?);
    }
    bench.args(options.growth.then_some("--growth"));
    bench.args(options.only.iter().flat_map(|only| ["--only", only]));
    let measured = process::run_to_drain(&mut bench, &signals);
    let stopped = kafka.stop();
    measured.and(stopped)?;
    if signals.any() {
        bail!("interrupted");
    }
    // After a failure Kafka's log and data stay, to be looked at.
    fs::remove_dir_all(&data_dir).context("failed to remove the data of the measurements")
}
