//! What intake needs beside what every service does: two secrets, the vault's public key, an IP database.

use std::path::PathBuf;

use chassis::config::Reader;
use chassis::seal::Sealer;
use schemas::digest::Secret;
use schemas::ids::KeyId;

use crate::geo::{GeoError, IpCountries};
use crate::prepare::Preparer;

/// Read for every process, required where intake runs.
#[derive(Clone, Debug)]
pub struct Settings {
    pub identity_secret: Option<[u8; 32]>,
    pub network_secret: Option<[u8; 32]>,
    pub network_key_id: KeyId,
    pub vault_key_id: KeyId,
    pub vault_public_key: Option<[u8; 32]>,
    pub ip_database: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("{0} is missing: intake needs it")]
    Missing(&'static str),
    #[error("seal.vault_public_key_file holds no X25519 key")]
    VaultKey,
    #[error(transparent)]
    Geo(#[from] GeoError),
}

impl Settings {
    pub fn read(reader: &mut Reader) -> Self {
        let key_id = |name: &str| KeyId::try_new(name).expect("the default names keep the rule of key ids");
        Self {
            identity_secret: reader.secret_file("secrets.identity_file"),
            network_secret: reader.secret_file("secrets.network_file"),
            network_key_id: reader.or("secrets.network_key_id", key_id("network-1")),
            vault_key_id: reader.or("seal.vault_key_id", key_id("vault-1")),
            vault_public_key: reader.secret_file("seal.vault_public_key_file"),
            ip_database: reader.optional("intake.ip_database"),
        }
    }

    /// # Errors
    /// When something is missing, or the IP database does not open.
    pub fn preparer(&self) -> Result<Preparer, SettingsError> {
        let missing = SettingsError::Missing;
        let vault_key = self.vault_public_key.ok_or(missing("seal.vault_public_key_file"))?;
        Ok(Preparer {
            identity: Secret::new(self.identity_secret.ok_or(missing("secrets.identity_file"))?),
            network: Secret::new(self.network_secret.ok_or(missing("secrets.network_file"))?),
            network_key_id: self.network_key_id.clone(),
            sealer: Sealer::new(self.vault_key_id.clone(), &vault_key)
                .map_err(|_| SettingsError::VaultKey)?,
            addresses: self.ip_database.as_deref().map_or(Ok(IpCountries::none()), IpCountries::open)?,
        })
    }
}
