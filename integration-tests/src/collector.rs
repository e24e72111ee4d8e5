//! What takes in the services' telemetry: `outside/receive_spans.py`, a process of its own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use serde_json::Value;

/// A collector that writes down each span it is sent.
pub struct Collector {
    process: Child,
    pub address: String,
    spans: PathBuf,
}

impl Collector {
    /// Keeps all that it is sent below the directory too, as it comes, in `telemetry`.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(python: &Path, directory: &Path) -> anyhow::Result<Self> {
        let spans = directory.join("spans.ndjson");
        let mut process = Command::new(python)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("outside/receive_spans.py"))
            .arg("--out")
            .arg(&spans)
            .arg("--raw")
            .arg(Self::telemetry(directory))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("failed to start the collector")?;
        let mut first = String::new();
        BufReader::new(process.stdout.take().context("it was piped")?).read_line(&mut first)?;
        let address = first.trim().strip_prefix("listening ").context("the collector listens")?.to_owned();
        Ok(Self { process, address, spans })
    }

    /// Where everything is kept as it came.
    pub fn telemetry(directory: &Path) -> PathBuf {
        directory.join("telemetry")
    }

    /// What has come of one trace so far.
    ///
    /// # Errors
    /// When what was kept cannot be read.
    pub fn spans(&self, trace: &str) -> anyhow::Result<Vec<Value>> {
        let text = std::fs::read_to_string(&self.spans)?;
        // The last line may still be on its way.
        let spans = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        Ok(spans.filter(|span| span["trace_id"] == trace).collect())
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // One that has ended already is what is wanted.
        let _ = self.process.kill().and_then(|()| self.process.wait());
    }
}
