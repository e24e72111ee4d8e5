//! The table of bad input: what is sent, and exactly what is answered. The cases are data, in
//! `tests/data/bad-input`; its README says how one is written.

mod make;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

pub use make::{BOUNDARY, Body, Form, Names, filled, value};

/// Values that no answer, no event and no dead letter but the record itself may repeat.
pub const SECRET: &str = "SYNTHETIC-SECRET";

/// The groups of cases that are requests; records of Kafka are a group of their own.
pub const GROUPS: [&str; 7] =
    ["referrals", "content", "batches", "reports", "tokens", "requests", "accepted"];

/// A request and its answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    /// Whose token it carries; the Dutch hotline's where it is not said.
    #[serde(default, rename = "as")]
    pub agency: Option<String>,
    /// A trick with the token.
    #[serde(default)]
    pub token: Option<String>,
    /// `POST /v1/referrals` where it is not said.
    #[serde(default)]
    pub request: Option<String>,
    #[serde(default)]
    pub headers: BTreeMap<String, Value>,
    #[serde(default)]
    pub body: Option<Body>,
    /// How the bytes come, where they do not come at once.
    #[serde(default)]
    pub pace: Option<Pace>,
    /// Sent so often at once; one of the answers is the one expected, and the others are good.
    #[serde(default)]
    pub times: Option<usize>,
    pub answer: Answer,
}

impl Case {
    /// How many refusals it holds.
    pub fn refusals(&self) -> usize {
        match &self.answer {
            Answer::Problem(_) => 1,
            Answer::Lines(lines) => lines.iter().filter(|line| line.problem.is_some()).count(),
            Answer::Accepted(_) => 0,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pace {
    /// The body as it is, and then nothing, though more was announced.
    Stalls,
    /// A space now and then, and never an end.
    Trickles,
    /// Spaces as fast as they are taken, and never an end.
    Floods,
}

/// What is answered.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    Problem(Expected),
    /// A result for each line.
    Lines(Vec<Line>),
    /// Not refused.
    Accepted(Accepted),
}

/// A problem document: its code, and what this case adds to what every problem of that code says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    pub code: String,
    #[serde(default)]
    pub detail: Option<String>,
    /// Pointer and detail of each.
    #[serde(default)]
    pub errors: Vec<(String, String)>,
    #[serde(default)]
    pub retry_after_seconds: Option<u32>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    pub line: u64,
    /// `None` where it was filed.
    #[serde(default)]
    pub problem: Option<Expected>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    pub status: u16,
    /// Pointer and reason of each field that an emergency went without.
    #[serde(default)]
    pub withheld: Vec<(String, String)>,
}

/// A record that somebody put into a topic.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub name: String,
    pub topic: String,
    #[serde(default)]
    pub partition: i32,
    pub key: String,
    /// `None` is a record without a value.
    pub value: Option<Body>,
    /// The dead letter's service and reason; `None` where the partition waits for a newer version.
    pub dead_letter: Option<Letter>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Letter {
    pub service: String,
    pub reason: String,
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/bad-input")
}

fn read<T: DeserializeOwned>(name: &str) -> anyhow::Result<T> {
    let path = directory().join(format!("{name}.json"));
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("failed to read {}", path.display()))
}

/// # Errors
/// When a file of the table does not read.
pub fn cases() -> anyhow::Result<Vec<Case>> {
    let groups = GROUPS.iter().map(|group| read::<Vec<Case>>(group));
    Ok(groups.collect::<anyhow::Result<Vec<_>>>()?.concat())
}

/// # Errors
/// When the file does not read.
pub fn records() -> anyhow::Result<Vec<Record>> {
    read("records")
}

/// What every problem of a code says.
pub struct Problems(BTreeMap<String, Map<String, Value>>);

impl Problems {
    /// # Errors
    /// When the file does not read.
    pub fn read() -> anyhow::Result<Self> {
        read("problems").map(Self)
    }

    /// The whole document that a case expects.
    pub fn document(&self, expected: &Expected) -> Value {
        let mut document = self.0.get(&expected.code).cloned().unwrap_or_default();
        if let Some(detail) = &expected.detail {
            document.insert("detail".to_owned(), detail.as_str().into());
        }
        if !expected.errors.is_empty() {
            let errors = expected.errors.iter();
            let errors = errors.map(|(pointer, detail)| json!({ "pointer": pointer, "detail": detail }));
            document.insert("errors".to_owned(), errors.collect());
        }
        if let Some(seconds) = expected.retry_after_seconds {
            document.insert("retry_after_seconds".to_owned(), seconds.into());
        }
        Value::Object(document)
    }
}
