//! `cargo xtask up`: everything on this machine, from an empty one to running services. Data stays in
//! `.kafka/data` from one run to the next.

use std::process::Command;

use anyhow::Result;

use crate::kafka::{Kafka, KafkaOptions, Life};
use crate::signals::Signals;
use crate::{install, process, repo};

/// Kept from one run to the next.
const DATA: &str = ".kafka/data";

/// The example's secrets and stores, beside the data that were filed with them.
const EXAMPLE: &str = "example";

#[derive(clap::Args)]
pub struct UpOptions {
    /// Brokers that already run, instead of one that xtask starts.
    #[arg(long)]
    brokers: Option<String>,
    /// Where the services answer.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: String,
    /// Forget what an earlier run has left.
    #[arg(long)]
    clean: bool,
}

/// Runs until Ctrl-C: the services drain, then Kafka stops.
pub fn run(options: &UpOptions) -> Result<()> {
    let signals = Signals::catch()?;
    install::ensure_system_packages()?;
    let kafka = start_kafka(options)?;
    let result = run_services(options, kafka.as_ref(), &signals);
    let stopped = kafka.map_or(Ok(()), Kafka::stop);
    result.and(stopped)
}

fn start_kafka(options: &UpOptions) -> Result<Option<Kafka>> {
    if options.brokers.is_some() {
        return Ok(None);
    }
    let data_dir = repo::root()?.join(DATA);
    if options.clean && data_dir.join(EXAMPLE).exists() {
        std::fs::remove_dir_all(data_dir.join(EXAMPLE))?;
    }
    Kafka::start(KafkaOptions {
        data_dir,
        nodes: 1,
        clean: options.clean,
        lanes: 0,
        guarded: false,
        life: Life::Short,
    })
    .map(Some)
}

fn run_services(options: &UpOptions, kafka: Option<&Kafka>, signals: &Signals) -> Result<()> {
    process::run_to_drain(Command::new("cargo").args(["build", "--bin", "causeway"]), signals)?;
    let brokers = kafka.map(Kafka::brokers).or(options.brokers.as_deref()).unwrap_or_default();
    let root = repo::root()?;
    let mut services = Command::new(root.join("target/debug/causeway"));
    services.args(["up", "--brokers", brokers, "--listen", &options.listen]);
    // Beside Kafka's data: what it holds was filed with these secrets.
    services.arg("--state").arg(root.join(DATA).join(EXAMPLE));
    services.arg("--ready-file").arg(root.join("target/up.json"));
    process::run_to_drain(&mut services, signals)
}
