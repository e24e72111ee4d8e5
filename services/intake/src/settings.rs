//! What intake needs beside what every front that seals does: the network secret and an IP database.

use std::path::PathBuf;

use chassis::config::Reader;
use chassis::known::KnownMaterial;
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
    /// The secret that the one above takes over from, for as long as both are used.
    pub previous_network_secret: Option<[u8; 32]>,
    pub previous_network_key_id: Option<KeyId>,
    pub ip_database: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("secrets.network_file is missing: intake needs it")]
    Missing,
    #[error(
        "secrets.network_previous_file and secrets.network_previous_key_id go together, and differ from the others"
    )]
    Previous,
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
            previous_network_secret: reader.secret_file("secrets.network_previous_file"),
            previous_network_key_id: reader.optional("secrets.network_previous_key_id"),
            ip_database: reader.optional("intake.ip_database"),
        }
    }

    /// # Errors
    /// When something is missing, or the IP database does not open.
    pub fn preparer(&self, known: KnownMaterial) -> Result<Preparer, SettingsError> {
        let secret = Secret::new(self.network_secret.ok_or(SettingsError::Missing)?);
        let mut network = vec![(self.network_key_id.clone(), secret)];
        match (&self.previous_network_key_id, self.previous_network_secret) {
            (None, None) => {}
            (Some(key_id), Some(previous)) if *key_id != self.network_key_id => {
                network.push((key_id.clone(), Secret::new(previous)));
            }
            _ => return Err(SettingsError::Previous),
        }
        Ok(Preparer {
            network,
            addresses: self.ip_database.as_deref().map_or(Ok(IpCountries::none()), IpCountries::open)?,
            known,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
mod tests {
    use super::*;

    #[test]
    fn a_secret_takes_over_while_both_are_used() {
        let key = |name: &str| KeyId::try_new(name).unwrap();
        let settings = |previous_id: Option<&str>, previous: Option<[u8; 32]>| Settings {
            network_secret: Some([1; 32]),
            network_key_id: key("network-2"),
            previous_network_secret: previous,
            previous_network_key_id: previous_id.map(key),
            ip_database: None,
        };
        let keys = |settings: &Settings| -> Option<Vec<String>> {
            let preparer = settings.preparer(KnownMaterial::default()).ok()?;
            Some(preparer.network.iter().map(|(key, _)| key.to_string()).collect())
        };
        assert_eq!(keys(&settings(None, None)).unwrap(), ["network-2"]);
        assert_eq!(keys(&settings(Some("network-1"), Some([2; 32]))).unwrap(), ["network-2", "network-1"]);
        for wrong in [(Some("network-1"), None), (None, Some([2; 32])), (Some("network-2"), Some([2; 32]))] {
            assert!(keys(&settings(wrong.0, wrong.1)).is_none(), "{wrong:?}");
        }
    }
}
