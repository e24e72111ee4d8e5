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
}

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

    /// Registers every version of every topic's subject; the ids, by the subject's name in [`SUBJECTS`].
    ///
    /// # Errors
    /// When the registry is not there, or takes a schema for incompatible.
    pub async fn register(
        &self,
        prefix: &str,
        families: &[String],
    ) -> Result<HashMap<String, Vec<i32>>, RegistryError> {
        let mut ids: HashMap<String, Vec<i32>> = HashMap::new();
        for subject in SUBJECTS {
            for topic in topics_of(subject, families) {
                let registered = self.register_versions(&format!("{prefix}{topic}-value"), subject).await?;
                ids.insert(subject.name.to_owned(), registered);
            }
        }
        Ok(ids)
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
        }
        Ok(ids)
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
    /// [`RegistryError::Disagrees`], or that the registry is not there.
    pub async fn check_in_use(&self, topic: &str, id: i32, subject: &Subject) -> Result<(), RegistryError> {
        let stored = self.schema(id).await?;
        let ours =
            |stored: &String| subject.versions.iter().any(|version| codec::same_schema(version, stored));
        if stored.as_ref().is_some_and(ours) {
            return Ok(());
        }
        Err(RegistryError::Disagrees { id, topic: topic.to_owned() })
    }
}

/// The topics that hold a subject's records: one, or each of a family.
fn topics_of<'a>(subject: &'a Subject, families: &'a [String]) -> Vec<&'a str> {
    let family = [topics::JURISDICTION.name, topics::DEAD_LETTER.name].contains(&subject.name);
    if !family {
        return vec![subject.name];
    }
    let belongs = |topic: &&str| match subject.name {
        name if name == topics::DEAD_LETTER.name => topic.ends_with(name),
        name => topic.starts_with(name),
    };
    let mut found: Vec<&str> = families.iter().map(String::as_str).filter(belongs).collect();
    // A family without a topic yet still needs an id for its first record.
    found.push(subject.name);
    found
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
