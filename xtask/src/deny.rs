//! Licences, sources and bans of the dependency tree, by cargo-deny and `deny.toml`.

use std::process::Command;

use anyhow::Result;

use crate::process;
use crate::tools::Tool;

const DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2" };

/// Checks the whole tree.
pub fn run() -> Result<()> {
    // Duplicates are warnings, and too many to read at each run; `cargo deny check bans` shows them.
    let arguments = ["--log-level", "error", "--locked", "check", "bans", "licenses", "sources"];
    process::run(Command::new(DENY.ensure()?).args(arguments))
}
