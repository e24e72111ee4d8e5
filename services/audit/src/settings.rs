//! What the audit log needs beside what every service does: its name, its key, and where its last head is kept.

use std::path::PathBuf;

use audit_log::SigningKey;
use audit_log::cosignature::WitnessKey;
use audit_log::keys::KeyError;
use chassis::config::Reader;

use crate::witnesses::Witness;

/// Read for every process, required where the audit log runs.
#[derive(Clone)]
pub struct Settings {
    pub origin: Option<String>,
    pub key: Option<[u8; 32]>,
    pub head: Option<PathBuf>,
    pub witnesses: Vec<Witness>,
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("{0} is missing: the audit log needs it")]
    Missing(&'static str),
    #[error("audit.origin cannot be the name of a log")]
    Origin(#[from] KeyError),
}

impl Settings {
    pub fn read(reader: &mut Reader) -> Self {
        Self {
            origin: reader.optional("audit.origin"),
            key: reader.secret_file("audit.key_file"),
            head: reader.optional("audit.head_file"),
            witnesses: read_witnesses(reader),
        }
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
