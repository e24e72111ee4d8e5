//! What delivery needs beside what every service does: the vault's private key.

use chassis::config::Reader;
use chassis::seal::{KeyPair, Vault};
use schemas::ids::KeyId;

/// Read for every process, required where delivery runs.
#[derive(Clone)]
pub struct Settings {
    pub vault_private_key: Option<[u8; 32]>,
    pub vault_key_id: KeyId,
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("seal.vault_private_key_file is missing: delivery needs it")]
    Missing,
    #[error("seal.vault_private_key_file holds no X25519 key")]
    VaultKey,
}

impl Settings {
    /// `vault_key_id` is `seal.vault_key_id`, which intake reads too.
    pub fn read(reader: &mut Reader, vault_key_id: KeyId) -> Self {
        Self { vault_private_key: reader.secret_file("seal.vault_private_key_file"), vault_key_id }
    }

    /// # Errors
    /// When the key is missing or none.
    pub fn vault(&self) -> Result<Vault, SettingsError> {
        let key = self.vault_private_key.ok_or(SettingsError::Missing)?;
        let keys = KeyPair::from_private(&key).map_err(|_| SettingsError::VaultKey)?;
        Ok(Vault::new(self.vault_key_id.clone(), keys))
    }
}
