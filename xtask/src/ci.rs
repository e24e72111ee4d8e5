//! `cargo xtask ci`: all of CI, in the order in which a mistake is found cheapest.

use std::process::Command;

use anyhow::Result;

use crate::stages::Stages;
use crate::{deny, install, process, repo, test, tidy};

/// Runs the stages up to the first that fails; prints how long each took.
pub fn run() -> Result<()> {
    let mut stages = Stages::default();
    let result = run_in(&mut stages);
    stages.print();
    result
}

fn run_in(stages: &mut Stages) -> Result<()> {
    stages.run("install", install::ensure_system_packages)?;
    stages.run("format", || cargo(&["fmt", "--all", "--check"]))?;
    stages.run("tidy", || tidy::run(&repo::root()?))?;
    stages.run("deny", deny::run)?;
    stages.run("clippy", || {
        cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])
    })?;
    test::run_all_in(stages)
}

fn cargo(arguments: &[&str]) -> Result<()> {
    process::run(Command::new("cargo").args(arguments))
}
