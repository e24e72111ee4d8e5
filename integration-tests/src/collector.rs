//! What takes in the services' telemetry: an OpenTelemetry collector, which writes all that comes into a file.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::free_address;

/// Where the tests find the collector.
const PROGRAM: &str = "CAUSEWAY_TEST_COLLECTOR";
const STARTS_WITHIN: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

pub struct Collector {
    process: Child,
    pub address: String,
    telemetry: PathBuf,
}

impl Collector {
    /// Keeps all that it is sent below the directory, as lines of OTLP's JSON.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(directory: &Path) -> anyhow::Result<Self> {
        let program = std::env::var_os(PROGRAM)
            .with_context(|| format!("{PROGRAM} is not set: run `cargo xtask test`"))?;
        let (telemetry, listen) = (Self::telemetry(directory), free_address()?);
        let pipeline = json!({ "receivers": ["otlp"], "exporters": ["file"] });
        let settings = json!({
            "receivers": { "otlp": { "protocols": { "http": { "endpoint": listen.to_string() } } } },
            "exporters": { "file": { "path": telemetry, "flush_interval": "100ms" } },
            "service": {
                "telemetry": { "metrics": { "level": "none" }, "logs": { "level": "warn" } },
                "pipelines": { "traces": pipeline, "metrics": pipeline },
            },
        });
        let mut command = Command::new(program);
        command.arg("--config").arg(format!("yaml:{settings}")).stdin(Stdio::null());
        let process = command.spawn().context("failed to start the collector")?;
        let mut collector = Self { process, address: format!("http://{listen}"), telemetry };
        let begun = Instant::now();
        while TcpStream::connect(listen).is_err() {
            let ended = collector.process.try_wait()?;
            ensure!(
                ended.is_none() && begun.elapsed() < STARTS_WITHIN,
                "the collector did not start: {ended:?}"
            );
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(collector)
    }

    /// Where everything is kept.
    pub fn telemetry(directory: &Path) -> PathBuf {
        directory.join("telemetry")
    }

    /// What has come of one trace so far.
    ///
    /// # Errors
    /// When what was kept cannot be read.
    pub fn spans(&self, trace: &str) -> anyhow::Result<Vec<Span>> {
        let text = std::fs::read_to_string(&self.telemetry)?;
        // The last line may still be on its way.
        let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let spans = messages.flat_map(|message| {
            let resources = listed(&message, "resourceSpans");
            let scopes = resources.into_iter().flat_map(|resource| listed(&resource, "scopeSpans"));
            scopes.flat_map(|scope| listed(&scope, "spans")).collect::<Vec<_>>()
        });
        Ok(spans.filter(|span| span["traceId"] == trace).map(Span).collect())
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // It writes down what it still holds; one that has ended already is what is wanted.
        let _ = super::terminate(&mut self.process);
    }
}

/// A span, as OTLP writes it in JSON.
#[derive(Clone, Debug)]
pub struct Span(Value);

impl Span {
    pub fn name(&self) -> &str {
        self.0["name"].as_str().unwrap_or_default()
    }

    pub fn id(&self) -> &str {
        self.0["spanId"].as_str().unwrap_or_default()
    }

    pub fn parent(&self) -> &str {
        self.0["parentSpanId"].as_str().unwrap_or_default()
    }

    /// As OTLP numbers it: 2 is a server's, 5 a consumer's.
    pub fn kind(&self) -> u64 {
        self.0["kind"].as_u64().unwrap_or_default()
    }

    pub fn duration(&self) -> Duration {
        let nanos = |field: &str| self.0[field].as_str().and_then(|text| text.parse::<u64>().ok());
        let took = nanos("endTimeUnixNano").zip(nanos("startTimeUnixNano"));
        Duration::from_nanos(took.map_or(0, |(end, start)| end.saturating_sub(start)))
    }

    pub fn has_attribute(&self, key: &str) -> bool {
        listed(&self.0, "attributes").iter().any(|attribute| attribute["key"] == key)
    }
}

fn listed(of: &Value, field: &str) -> Vec<Value> {
    of[field].as_array().cloned().unwrap_or_default()
}
