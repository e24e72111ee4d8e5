//! What delivery needs beside what every service does: the vault's private key, and the secret of cursors.

use chassis::config::Reader;
use chassis::cursor::Cursors;
use chassis::seal::{KeyPair, Vault};
use schemas::digest::Secret;
use schemas::ids::KeyId;

/// Read for every process, required where delivery runs.
#[derive(Clone)]
pub struct Settings {
    pub vault_private_key: Option<[u8; 32]>,
    pub vault_key_id: KeyId,
    pub cursor_secret: Option<[u8; 32]>,
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("seal.vault_private_key_file is missing: delivery needs it")]
    Missing,
    #[error("secrets.cursor_file is missing: cursors must hold on every instance of delivery")]
    MissingCursors,
    #[error("seal.vault_private_key_file holds no X25519 key")]
    VaultKey,
}

impl Settings {
    /// `vault_key_id` is `seal.vault_key_id`, which intake reads too.
    pub fn read(reader: &mut Reader, vault_key_id: KeyId) -> Self {
        let vault_private_key = reader.secret_file("seal.vault_private_key_file");
        let cursor_secret = reader.secret_file("secrets.cursor_file");
        Self { vault_private_key, vault_key_id, cursor_secret }
    }

    /// # Errors
    /// When the key is missing or none.
    pub fn vault(&self) -> Result<Vault, SettingsError> {
        let key = self.vault_private_key.ok_or(SettingsError::Missing)?;
        let keys = KeyPair::from_private(&key).map_err(|_| SettingsError::VaultKey)?;
        Ok(Vault::new(self.vault_key_id.clone(), keys))
    }

    /// # Errors
    /// When their secret is missing.
    pub fn cursors(&self) -> Result<Cursors, SettingsError> {
        let secret = self.cursor_secret.ok_or(SettingsError::MissingCursors)?;
        Ok(Cursors::new(Secret::new(secret)))
    }
}
