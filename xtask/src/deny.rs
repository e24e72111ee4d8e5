//! Licences, sources and bans of the dependency tree, by cargo-deny and `deny.toml`.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::{process, repo};

const VERSION: &str = "0.20.2";

/// Checks the whole tree; builds the pinned cargo-deny first when it is not there.
pub fn run() -> Result<()> {
    let tools = repo::root()?.join("target/tools");
    let program = tools.join("bin/cargo-deny");
    if !is_pinned_version(&program) {
        install(&tools)?;
    }
    // Duplicates are warnings, and too many to read at each run; `cargo deny check bans` shows them.
    let arguments = ["--log-level", "error", "--locked", "check", "bans", "licenses", "sources"];
    process::run(Command::new(program).args(arguments))
}

fn is_pinned_version(program: &Path) -> bool {
    Command::new(program)
        .arg("--version")
        .output()
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim() == format!("cargo-deny {VERSION}"))
}

/// Unoptimised, because that builds in half the time and then costs two seconds a run.
fn install(tools: &Path) -> Result<()> {
    println!("building cargo-deny {VERSION}, once, about a minute");
    let arguments =
        ["install", "cargo-deny", "--version", VERSION, "--locked", "--debug", "--quiet", "--root"];
    process::run(Command::new("cargo").args(arguments).arg(tools))
}
