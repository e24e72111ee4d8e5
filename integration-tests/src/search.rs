//! The search for what must stand nowhere: `outside/search_markers.py`, over what a deployment has left behind.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

/// What is searched, and what must be found in it so that the search is known to have read it.
pub struct Search<'a> {
    /// A Python with the search's packages.
    pub python: &'a Path,
    /// A file with one marker per line.
    pub markers: &'a Path,
    /// Files and directories, each by a name.
    pub places: Vec<(&'static str, PathBuf)>,
    /// The brokers' directory and the deployment's prefix; searched under the name `kafka`.
    pub kafka: Option<(&'a Path, &'a str)>,
    /// By the name of its place.
    pub expected: Vec<(&'static str, String)>,
}

impl Search<'_> {
    /// What the search says when it has found no marker, and everything that was expected.
    ///
    /// # Errors
    /// When a marker was found, something expected was not, or a place could not be searched.
    pub fn run(&self) -> anyhow::Result<String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("outside/search_markers.py");
        let mut command = Command::new(self.python);
        command.arg(script).arg("--markers").arg(self.markers);
        for (name, place) in &self.places {
            command.arg("--in").arg(format!("{name}={}", place.display()));
        }
        if let Some((directory, prefix)) = self.kafka {
            command.arg("--kafka").arg(format!("kafka={}", directory.display()));
            command.args(["--prefix", prefix]);
        }
        for (name, text) in &self.expected {
            command.arg("--expect").arg(format!("{name}={text}"));
        }
        let output = command.output().context("failed to start the search")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let failed = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "the search for markers ended with {}\n{said}{failed}",
            output.status
        );
        Ok(said)
    }
}
