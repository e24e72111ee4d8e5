//! `cargo xtask fuzz`: the fuzz targets of the integration tests, for longer than the tests take. They need no Kafka.

use std::process::Command;

use anyhow::Result;

use crate::{install, process};

/// How long the tests try each reader.
const SECONDS: &str = "CAUSEWAY_TEST_FUZZ_SECONDS";

#[derive(clap::Args)]
pub struct FuzzOptions {
    /// How long each reader is tried.
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// Only one of json, xml, lines, avro and tokens.
    reader: Option<String>,
}

/// Runs until the time is over, or a reader fails: then the input is shown, shrunk.
pub fn run(options: &FuzzOptions) -> Result<()> {
    install::ensure_system_packages()?;
    let mut command = Command::new("cargo");
    command.args(["test", "--package", "integration-tests", "--test", "fuzz", "--"]).args(&options.reader);
    process::run(command.arg("--nocapture").env(SECONDS, options.seconds.to_string()))
}
