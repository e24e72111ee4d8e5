//! `cargo xtask test`: the tests of the workspace against a real Kafka that starts empty, with the parts beside
//! it that the tests start themselves.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::failures::Failures;
use crate::kafka::{Kafka, KafkaOptions, Life};
use crate::parts::Parts;
use crate::signals::Signals;
use crate::stages::Stages;
use crate::{install, process, repo};

/// Where the tests find Kafka.
const BROKERS: &str = "CAUSEWAY_TEST_BROKERS";
/// Where they stand between services and Kafka: one lane for the run of faults, one for pauses of Kafka.
const LANES: &str = "CAUSEWAY_TEST_LANES";
const LANE_COUNT: usize = 2;
/// Where Kafka wants to know who comes, and looks at the rights of each.
const GUARDED: &str = "CAUSEWAY_TEST_GUARDED";
/// Where Kafka's own files are, for tests that look into them.
const KAFKA_DATA: &str = "CAUSEWAY_TEST_KAFKA_DATA";
/// Many times what the tests take: a test that hangs is to be read of, not waited for.
const TEST_LIMIT: Duration = Duration::from_secs(40 * 60);

#[derive(clap::Args)]
pub struct TestOptions {
    /// Brokers that already run, instead of a fresh one.
    #[arg(long)]
    brokers: Option<String>,
    /// Goes to `cargo test`, such as `-p intake`, a test's name, or `-- --nocapture`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Installs, starts Kafka, tests, stops Kafka; prints how long each took.
pub fn run(options: &TestOptions) -> Result<()> {
    let mut stages = Stages::default();
    let result =
        stages.run("install", install::ensure_system_packages).and_then(|()| run_in(&mut stages, options));
    stages.print();
    result
}

/// The stages of a whole test run without arguments, for `ci`.
pub fn run_all_in(stages: &mut Stages) -> Result<()> {
    run_in(stages, &TestOptions { brokers: None, arguments: Vec::new() })
}

fn run_in(stages: &mut Stages, options: &TestOptions) -> Result<()> {
    let signals = Signals::catch()?;
    if let Some(brokers) = &options.brokers {
        stages.run("build tests", || build_tests(&options.arguments))?;
        let parts = stages.run("parts", Parts::ensure)?;
        return stages.run("test", || cargo_test(brokers, &[], &parts, &options.arguments, &signals));
    }
    // Tests that do not compile need nothing to run against.
    stages.run("build tests", || build_tests(&options.arguments))?;
    let parts = stages.run("parts", Parts::ensure)?;
    let data_dir = data_dir()?;
    let fresh = KafkaOptions {
        data_dir: data_dir.clone(),
        nodes: 1,
        clean: true,
        lanes: LANE_COUNT,
        guarded: true,
        life: Life::Short,
    };
    let mut kafka = stages.run("start kafka", || Kafka::start(fresh))?;
    let tested = stages.run("test", || {
        let own = [
            (LANES, kafka.lanes().as_ref()),
            (GUARDED, kafka.guarded().as_ref()),
            (KAFKA_DATA, data_dir.as_os_str()),
        ];
        cargo_test(kafka.brokers(), &own, &parts, &options.arguments, &signals)
    });
    // A broker that died by itself is why all tests after it failed, and the end of its log says why it did.
    let alive = kafka.ensure_alive();
    let stopped = stages.run("stop kafka", || kafka.stop());
    alive.and(tested).and(stopped)?;
    // After a failure Kafka's log and data stay, to be looked at.
    fs::remove_dir_all(&data_dir).context("failed to remove the data of a passed test")
}

/// Under target/, so that `cargo clean` takes what failed runs have left. The process id keeps two runs apart.
fn data_dir() -> Result<PathBuf> {
    Ok(repo::root()?.join(format!("target/kafka-test/{}", std::process::id())))
}

fn build_tests(arguments: &[String]) -> Result<()> {
    // The program itself too: tests start services in processes of their own, and `cargo test` does not build it. In
    // one command with the tests, whose libraries want more of theirs: apart, half of them would be built twice.
    let whole: &[&str] = if scope(arguments).is_some() {
        &["--workspace", "--bins", "--tests"]
    } else {
        &["--bin", "causeway"]
    };
    process::run(Command::new("cargo").arg("build").args(whole))?;
    let own = arguments.iter().take_while(|argument| *argument != "--");
    process::run(Command::new("cargo").args(["test", "--no-run"]).args(scope(arguments)).args(own))
}

fn cargo_test(
    brokers: &str,
    own: &[(&str, &OsStr)],
    parts: &Parts,
    arguments: &[String],
    signals: &Signals,
) -> Result<()> {
    let mut command = Command::new("cargo");
    command.arg("test").args(scope(arguments)).args(arguments);
    command.env(BROKERS, brokers).envs(own.iter().copied()).envs(parts.environment());
    // What a failed test says stands last, not the way to where it says it.
    command.env("RUST_BACKTRACE", "0");
    let failures = Arc::new(Mutex::new(Failures::default()));
    let gathered = Arc::clone(&failures);
    let heed = move |line: &str| gathered.lock().unwrap_or_else(PoisonError::into_inner).take_in(line);
    let tested = process::run_within(&mut command, signals, TEST_LIMIT, heed);
    failures.lock().unwrap_or_else(PoisonError::into_inner).print();
    tested
}

/// The whole workspace, unless the caller names packages.
fn scope(arguments: &[String]) -> Option<&'static str> {
    let names_a_package = |argument: &String| argument.starts_with("-p") || argument.starts_with("--package");
    let own = arguments.iter().take_while(|argument| *argument != "--");
    if own.into_iter().any(names_a_package) { None } else { Some("--workspace") }
}

#[cfg(test)]
mod tests {
    use super::scope;

    #[test]
    fn tests_the_workspace_unless_told_otherwise() {
        for (arguments, expected) in [
            (vec![], Some("--workspace")),
            (vec!["decides"], Some("--workspace")),
            (vec!["-p", "intake"], None),
            (vec!["--package=intake"], None),
            (vec!["--", "-p"], Some("--workspace")),
        ] {
            let owned = arguments.iter().map(ToString::to_string).collect::<Vec<_>>();
            assert_eq!(scope(&owned), expected, "{arguments:?}");
        }
    }
}
