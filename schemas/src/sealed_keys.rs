//! `sealed-keys`: wrapped data keys, the only place where they stand. Compacted; delivery erases.

use apache_avro::AvroSchema;
use serde::{Deserialize, Serialize};

use crate::envelope::Body;
use crate::ids::{IncidentId, KeyId, KeySetId};
use crate::time::Timestamp;

/// The data keys of one submission, wrapped to the vault key.
///
/// The wrapping key is the export of an HPKE context (RFC 9180, base mode, DHKEM(X25519, HKDF-SHA256),
/// HKDF-SHA256, AES-256-GCM) over the label and the key-set id; the keys are sealed under it with AES-256-GCM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.sealed_keys")]
pub struct KeySet {
    pub key_set_id: KeySetId,
    /// Whose facets the keys open: where it is looked whether anything names them.
    pub incident_id: IncidentId,
    /// The vault key that opens the encapsulation.
    pub vault_key_id: KeyId,
    /// The encapsulation of the epoch in which the keys were sealed.
    #[avro(with)]
    #[serde(with = "apache_avro::serde::bytes")]
    pub encapsulation: Vec<u8>,
    #[avro(with)]
    #[serde(with = "apache_avro::serde::bytes")]
    pub nonce: Vec<u8>,
    /// For each facet its id (16 bytes) and its data key (32 bytes), sealed.
    #[avro(with)]
    #[serde(with = "apache_avro::serde::bytes")]
    pub wrapped_keys: Vec<u8>,
    pub sealed_at: Timestamp,
}

impl Body for KeySet {
    const TOPIC: &'static str = "sealed-keys";

    fn name(&self) -> &'static str {
        "KeySet"
    }
}
