//! Schema ids from a Confluent-compatible registry.
//!
//! Every version of every subject is registered at the start (which is idempotent), so that outside clients
//! that know the registry's address can read the topics. An id that records already carry must be the
//! registry's too, or the service does not start.

use std::collections::HashMap;
use std::time::Duration;

use schemas::codec::{self, SUBJECTS, SchemaSource, Subject};
use schemas::topics;
use serde::Deserialize;
use serde_json::json;

const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error("failed to reach the schema registry at {address}")]
    Reach { address: String, source: reqwest::Error },
    #[error("the schema registry refused {subject} version {version}: {answer}")]
    Refused { subject: String, version: usize, answer: String },
    #[error("the schema registry holds another schema under id {id}, which records of {topic} carry")]
    Disagrees { id: i32, topic: String },
    #[error("the schema registry does not know id {id}, which records of {topic} carry")]
    Unknown { id: i32, topic: String },
}

/// A version that is registered must read every version before it: topics are kept for good.
const COMPATIBILITY: &str = "BACKWARD_TRANSITIVE";

#[derive(Deserialize)]
struct Registered {
    id: i32,
}

#[derive(Deserialize)]
struct Stored {
    schema: String,
}

/// A registry that answers `POST /subjects/{subject}/versions` and `GET /schemas/ids/{id}`.
#[derive(Clone)]
pub struct Registry {
    address: String,
    client: reqwest::Client,
}

impl Registry {
    pub fn new(address: &str) -> Self {
        Self { address: address.trim_end_matches('/').to_owned(), client: reqwest::Client::new() }
    }

    /// Registers every version of the subject of each topic; the ids, by the subject's name in [`SUBJECTS`]. A
    /// schema has one id, whichever topics of a family it is registered for.
    ///
    /// # Errors
    /// When the registry is not there, or takes a schema for incompatible.
    pub async fn register(
        &self,
        prefix: &str,
        topics: &[String],
    ) -> Result<HashMap<String, Vec<i32>>, RegistryError> {
        let mut ids: HashMap<String, Vec<i32>> = HashMap::new();
        for subject in SUBJECTS {
            for topic in topics_of(subject, topics) {
                let registered = self.register_versions(&format!("{prefix}{topic}-value"), subject).await?;
                ids.insert(subject.name.to_owned(), registered);
            }
        }
        Ok(ids)
    }

    /// Registers the subjects of topics that came later.
    ///
    /// # Errors
    /// As [`Registry::register`].
    pub async fn register_topics(&self, prefix: &str, topics: &[String]) -> Result<(), RegistryError> {
        for topic in topics {
            if let Some(subject) = subject_of(topic) {
                self.register_versions(&format!("{prefix}{topic}-value"), subject).await?;
            }
        }
        Ok(())
    }

    async fn register_versions(&self, name: &str, subject: &Subject) -> Result<Vec<i32>, RegistryError> {
        let mut ids = Vec::new();
        for (index, schema) in subject.versions.iter().enumerate() {
            let response = self
                .client
                .post(format!("{}/subjects/{name}/versions", self.address))
                .timeout(TIMEOUT)
                .json(&json!({ "schema": schema }))
                .send()
                .await
                .map_err(|source| self.unreachable(source))?;
            if !response.status().is_success() {
                let answer = response.text().await.unwrap_or_default();
                return Err(RegistryError::Refused { subject: name.to_owned(), version: index + 1, answer });
            }
            let registered: Registered = response.json().await.map_err(|source| self.unreachable(source))?;
            ids.push(registered.id);
            // From the first version on, so that no other is taken without it.
            self.hold_to_compatibility(name).await?;
        }
        Ok(ids)
    }

    async fn hold_to_compatibility(&self, name: &str) -> Result<(), RegistryError> {
        let response = self
            .client
            .put(format!("{}/config/{name}", self.address))
            .timeout(TIMEOUT)
            .json(&json!({ "compatibility": COMPATIBILITY }))
            .send()
            .await
            .map_err(|source| self.unreachable(source))?;
        match response.error_for_status() {
            Ok(_) => Ok(()),
            Err(source) => Err(self.unreachable(source)),
        }
    }

    fn unreachable(&self, source: reqwest::Error) -> RegistryError {
        RegistryError::Reach { address: self.address.clone(), source }
    }

    /// # Errors
    /// When the registry is not there.
    pub async fn schema(&self, id: i32) -> Result<Option<String>, RegistryError> {
        let address = format!("{}/schemas/ids/{id}", self.address);
        let response = self
            .client
            .get(address)
            .timeout(TIMEOUT)
            .send()
            .await
            .map_err(|source| self.unreachable(source))?;
        if response.status() == reqwest::StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let stored: Stored = response
            .error_for_status()
            .map_err(|source| self.unreachable(source))?
            .json()
            .await
            .map_err(|source| self.unreachable(source))?;
        Ok(Some(stored.schema))
    }

    /// Refuses to go on when a record of the topic carries an id that stands for something else here.
    ///
    /// # Errors
    /// [`RegistryError::Disagrees`] or [`RegistryError::Unknown`], or that the registry is not there.
    pub async fn check_in_use(&self, topic: &str, id: i32) -> Result<(), RegistryError> {
        let Some(subject) = subject_of(topic) else { return Ok(()) };
        let topic = topic.to_owned();
        let Some(stored) = self.schema(id).await? else { return Err(RegistryError::Unknown { id, topic }) };
        if subject.versions.iter().any(|version| codec::same_schema(version, &stored)) {
            return Ok(());
        }
        Err(RegistryError::Disagrees { id, topic })
    }
}

/// The subject whose records a topic holds: its own, or that of its family.
fn subject_of(topic: &str) -> Option<&'static Subject> {
    let family = |name: &str| match name {
        name if name == topics::DEAD_LETTER.name => topic.ends_with(&format!(".{name}")),
        name if name == topics::JURISDICTION.name => topic.starts_with(&format!("{name}.")),
        _ => false,
    };
    // A dead letter of a country's topic would be of both families: the end of a name goes first.
    let named = SUBJECTS.iter().find(|subject| subject.name == topic);
    named.or_else(|| SUBJECTS.iter().rev().find(|subject| family(subject.name)))
}

/// The topics that hold a subject's records. A family without a topic yet still needs an id for its first record,
/// which it gets under its own name.
fn topics_of<'a>(subject: &'a Subject, topics: &'a [String]) -> Vec<&'a str> {
    let holds = |topic: &&str| subject_of(topic).is_some_and(|found| found.name == subject.name);
    let found = topics.iter().map(String::as_str).filter(|topic| *topic != subject.name).filter(holds);
    std::iter::once(subject.name).chain(found).collect()
}

/// Asks the registry for a schema by id, from the threads of the runner.
pub struct BlockingSource {
    pub registry: Registry,
    pub runtime: tokio::runtime::Handle,
}

impl SchemaSource for BlockingSource {
    fn fetch(&self, id: i32) -> Result<Option<String>, Box<dyn std::error::Error + Send + Sync>> {
        let registry = self.registry.clone();
        let (sender, receiver) = std::sync::mpsc::channel();
        // Spawned rather than blocked on: this may be called on a thread of the runtime itself.
        self.runtime.spawn(async move {
            let _ = sender.send(registry.schema(id).await);
        });
        Ok(receiver.recv_timeout(TIMEOUT)??)
    }
}
