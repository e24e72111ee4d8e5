//! Programs in Go, built by the Go that is one of the Python packages, from modules that a `go.sum` pins.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;
use crate::progress::{self, Steps};

pub struct Go {
    program: PathBuf,
    /// Where modules and what was compiled are kept.
    store: PathBuf,
}

impl Go {
    pub fn of(python: &Path, parts: &Path) -> Self {
        Self { program: python.with_file_name("go"), store: parts.join("go") }
    }

    /// Builds a package of the module as a program, with these flags of the linker.
    pub fn build(&self, sources: &Path, package: &str, linker: &str, program: &Path) -> Result<()> {
        let mut build = self.command(sources);
        build.args(["build", "-v", "-mod=readonly", "-trimpath", "-ldflags", linker, "-o"]).arg(program);
        build.arg(package);
        progress::run(build, &Steps { name: "packages", is_one: |line| !line.is_empty() })
    }

    /// The directory of a module that the module in `sources` requires.
    pub fn module(&self, sources: &Path, name: &str) -> Result<PathBuf> {
        let mut download = self.command(sources);
        let said = process::output(download.args(["mod", "download", "-json", name]))?;
        let said: serde_json::Value = serde_json::from_str(&said).context("go said no JSON")?;
        Ok(said["Dir"].as_str().with_context(|| format!("go names no directory of {name}"))?.into())
    }

    fn command(&self, sources: &Path) -> Command {
        let mut go = Command::new(&self.program);
        go.current_dir(sources).env("GOTOOLCHAIN", "local").env("GOFLAGS", "");
        go.env("GOCACHE", self.store.join("cache")).env("GOPATH", &self.store);
        go
    }
}
