//! What the audit log needs beside what every service does: its name, its key, and where its last head is kept.

use std::path::PathBuf;

use audit_log::cosignature::WitnessKey;
use audit_log::keys::KeyError;
use audit_log::tree::TreeError;
use audit_log::{LogKey, SigningKey};
use chassis::config::Reader;

use crate::succession::Predecessor;
use crate::witnesses::Witness;

/// Read for every process, required where the audit log runs.
#[derive(Clone)]
pub struct Settings {
    pub origin: Option<String>,
    pub key: Option<[u8; 32]>,
    pub head: Option<PathBuf>,
    pub witnesses: Vec<Witness>,
    /// After a restore: the key of each log before, and the file of its last head.
    pub succeeds: Vec<(LogKey, PathBuf)>,
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("{0} is missing: the audit log needs it")]
    Missing(&'static str),
    #[error("audit.origin cannot be the name of a log")]
    Origin(#[from] KeyError),
    #[error("audit.origin is still {0}: a log that goes on after a restore takes another name")]
    SameName(String),
    #[error("failed to read audit.succeeds.head_file {path}")]
    Head { path: PathBuf, source: std::io::Error },
    #[error("audit.succeeds.head_file holds no head that audit.succeeds.key has signed")]
    Predecessor(#[from] TreeError),
}

impl Settings {
    pub fn read(reader: &mut Reader) -> Self {
        Self {
            origin: reader.optional("audit.origin"),
            key: reader.secret_file("audit.key_file"),
            head: reader.optional("audit.head_file"),
            witnesses: read_witnesses(reader),
            succeeds: read_succeeds(reader),
        }
    }

    /// The logs before, where this one goes on after restores.
    ///
    /// # Errors
    /// When the last head of one does not read, or this log has not taken another name.
    pub fn predecessors(&self) -> Result<Vec<Predecessor>, SettingsError> {
        let opened = |(key, path): &(LogKey, PathBuf)| {
            if self.origin.as_deref() == Some(key.name()) {
                return Err(SettingsError::SameName(key.name().to_owned()));
            }
            let note = std::fs::read_to_string(path)
                .map_err(|source| SettingsError::Head { path: path.clone(), source })?;
            Ok(Predecessor::open(note, key.clone())?)
        };
        self.succeeds.iter().map(opened).collect()
    }

    /// # Errors
    /// When the name or the key is missing, or the name cannot be a log's.
    pub fn signing_key(&self) -> Result<SigningKey, SettingsError> {
        let origin = self.origin.as_ref().ok_or(SettingsError::Missing("audit.origin"))?;
        let key = self.key.as_ref().ok_or(SettingsError::Missing("audit.key_file"))?;
        Ok(SigningKey::new(origin, key)?)
    }

    /// # Errors
    /// When the place is missing.
    pub fn head(&self) -> Result<PathBuf, SettingsError> {
        self.head.clone().ok_or(SettingsError::Missing("audit.head_file"))
    }
}

fn read_succeeds(reader: &mut Reader) -> Vec<(LogKey, PathBuf)> {
    let mut succeeds = Vec::new();
    for table in reader.tables("audit.succeeds") {
        let text = |key: &str| table.get(key).and_then(|value| value.as_str());
        match (text("key").map(LogKey::parse), text("head_file")) {
            (Some(Ok(key)), Some(head)) => succeeds.push((key, PathBuf::from(head))),
            _ => reader.mistake("audit.succeeds takes key, as the log before has shown it, and head_file"),
        }
    }
    succeeds
}

fn read_witnesses(reader: &mut Reader) -> Vec<Witness> {
    let mut witnesses = Vec::new();
    for table in reader.tables("audit.witness") {
        let text = |key: &str| table.get(key).and_then(|value| value.as_str()).map(str::to_owned);
        match (text("address"), text("key").map(|key| WitnessKey::parse(&key))) {
            (Some(address), Some(Ok(key))) => witnesses.push(Witness { address, key }),
            _ => reader.mistake("audit.witness takes address, and the key that the witness shows"),
        }
    }
    witnesses
}
