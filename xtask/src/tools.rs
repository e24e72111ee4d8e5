//! Programs of the Rust world that are built once, at a pinned version, under target/tools.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::{process, repo};

pub struct Tool {
    /// Of its crate, and of its program.
    pub name: &'static str,
    pub version: &'static str,
}

impl Tool {
    /// Builds it first when it is not there.
    pub fn ensure(&self) -> Result<PathBuf> {
        let tools = repo::root()?.join("target/tools");
        let program = tools.join("bin").join(self.name);
        if !self.is_at_its_version(&program) {
            self.install(&tools)?;
        }
        Ok(program)
    }

    fn is_at_its_version(&self, program: &Path) -> bool {
        // Subcommands of cargo want to be called as such.
        let said = Command::new(program).args(self.name.strip_prefix("cargo-")).arg("--version").output();
        said.is_ok_and(|output| {
            String::from_utf8_lossy(&output.stdout).trim().ends_with(&format!(" {}", self.version))
        })
    }

    /// Unoptimised, because that builds in half the time and then costs two seconds a run.
    fn install(&self, tools: &Path) -> Result<()> {
        let Self { name, version } = self;
        println!("building {name} {version}, once, about a minute");
        let arguments = ["install", name, "--version", version, "--locked", "--debug", "--quiet", "--root"];
        process::run(Command::new("cargo").args(arguments).arg(tools))
    }
}
