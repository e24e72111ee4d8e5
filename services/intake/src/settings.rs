//! What intake needs beside what every front that seals does: the network secret and an IP database.

use std::path::PathBuf;

use chassis::config::Reader;
use chassis::sealing;
use schemas::digest::Secret;
use schemas::ids::KeyId;

use crate::geo::{GeoError, IpCountries};
use crate::prepare::Preparer;

/// Read for every process, required where intake runs.
#[derive(Clone, Debug)]
pub struct Settings {
    pub network_secret: Option<[u8; 32]>,
    pub network_key_id: KeyId,
    pub ip_database: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("secrets.network_file is missing: intake needs it")]
    Missing,
    #[error(transparent)]
    Sealing(#[from] sealing::SettingsError),
    #[error(transparent)]
    Geo(#[from] GeoError),
}

impl Settings {
    pub fn read(reader: &mut Reader) -> Self {
        let key_id = KeyId::try_new("network-1").expect("the default name keeps the rule of key ids");
        Self {
            network_secret: reader.secret_file("secrets.network_file"),
            network_key_id: reader.or("secrets.network_key_id", key_id),
            ip_database: reader.optional("intake.ip_database"),
        }
    }

    /// # Errors
    /// When something is missing, or the IP database does not open.
    pub fn preparer(&self) -> Result<Preparer, SettingsError> {
        Ok(Preparer {
            network: Secret::new(self.network_secret.ok_or(SettingsError::Missing)?),
            network_key_id: self.network_key_id.clone(),
            addresses: self.ip_database.as_deref().map_or(Ok(IpCountries::none()), IpCountries::open)?,
        })
    }
}
