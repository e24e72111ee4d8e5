//! The measurements; `cargo xtask bench` starts the broker and calls it.

#![allow(clippy::print_stdout, reason = "its table is its result")]

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use integration_tests::bench::{Measure, Options, run};

/// Incidents of the runs that show how a figure grows with what is stored already.
const GROWTH: [usize; 3] = [10_000, 100_000, 1_000_000];

/// Measures throughput, latency, rebuild and memory of the services, and the limit that Kafka's client sets.
#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    brokers: String,
    /// Where the broker keeps its files.
    #[arg(long)]
    kafka_data: Option<PathBuf>,
    #[arg(long, default_value_t = 10_000)]
    incidents: usize,
    /// Ten thousand, a hundred thousand and a million incidents, one after the other.
    #[arg(long)]
    growth: bool,
    /// Only these, by letter, with commas between.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Measure>,
    /// How long each rate of (d), the single requests of (c), and (l) are kept up.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Referrals a second of (l).
    #[arg(long, default_value = "10")]
    rate: NonZeroU32,
    /// A Python with faiss, to compare (i) with.
    #[arg(long)]
    python: Option<PathBuf>,
    /// Where the figures go as JSON.
    #[arg(long)]
    output: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let sizes = if arguments.growth { GROWTH.to_vec() } else { vec![arguments.incidents] };
    let report = run(&Options {
        brokers: arguments.brokers,
        kafka_data: arguments.kafka_data,
        program: std::env::current_exe()?.with_file_name("causeway"),
        sizes,
        only: arguments.only,
        duration: Duration::from_secs(arguments.seconds),
        rate: arguments.rate,
        python: arguments.python,
    })
    .await?;
    std::fs::write(&arguments.output, serde_json::to_vec_pretty(&report.json())?)?;
    println!("{report}");
    Ok(())
}
