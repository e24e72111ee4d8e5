//! From a committed disclosure to what the agency can open: ciphertexts where they stand, keys re-wrapped.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chassis::keys::{KeyError, KeyIndex};
use chassis::reader::{ReadError, RecordReader};
use chassis::seal::{RewrappedKey, SealError, Vault};
use schemas::InputPosition;
use schemas::codec::{Codec, CodecError};
use schemas::codes::{FacetKind, PersonCategory};
use schemas::delivery::FacetsDisclosed;
use schemas::ids::{DisclosureId, FacetId, IncidentId, KeyId, KeySetId, PersonRef, ReferralId};
use schemas::referral::SealedFacet;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::avro;

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("failed to read the referral")]
    Read(#[from] ReadError),
    #[error("failed to find the keys")]
    Keys(#[from] KeyError),
    #[error("failed to decode the referral")]
    Decode(#[from] CodecError),
    #[error("failed to re-wrap the keys")]
    Seal(#[from] SealError),
    #[error("the referral's record does not hold what was registered of it")]
    NotThere,
}

/// A disclosure as the agency receives it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Disclosure {
    pub disclosure_id: DisclosureId,
    pub incident_id: IncidentId,
    pub referral_id: ReferralId,
    /// The agency's key that the data keys are wrapped to.
    pub recipient_key_id: KeyId,
    pub facets: Vec<DisclosedFacet>,
}

/// One facet: sealed as it stands in the record, with its data key for the agency alone.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DisclosedFacet {
    pub facet_id: FacetId,
    pub kind: FacetKind,
    pub person_ref: Option<PersonRef>,
    pub person_category: Option<PersonCategory>,
    pub key_set_id: KeySetId,
    /// Base64.
    pub nonce: String,
    /// AES-256-GCM, base64.
    pub ciphertext: String,
    pub key: RewrappedKey,
}

/// Reads, unwraps and re-wraps. Blocks on Kafka: call it where blocking is allowed.
pub struct Discloser {
    pub vault: Arc<Vault>,
    pub keys: KeyIndex,
    pub records: RecordReader,
    pub codec: Codec,
}

impl Discloser {
    /// # Errors
    /// See [`OpenError`]; the disclosure stays on record all the same, since it was granted.
    pub fn disclose(
        &self,
        incident_id: IncidentId,
        referral_id: ReferralId,
        disclosed: &FacetsDisclosed,
        recipient_key: &[u8],
    ) -> Result<Disclosure, OpenError> {
        let sealed = self.sealed_facets(disclosed)?;
        let keys = self.rewrapped(disclosed, recipient_key)?;
        let facets = disclosed.facets.iter().map(|facet| {
            let sealed = sealed.get(&facet.facet_id).ok_or(OpenError::NotThere)?;
            let key = keys.get(&facet.facet_id).ok_or(OpenError::NotThere)?;
            Ok(DisclosedFacet {
                facet_id: facet.facet_id,
                kind: facet.kind,
                person_ref: facet.person_ref,
                person_category: facet.person_category,
                key_set_id: facet.key_set_id,
                nonce: base64(&sealed.nonce),
                ciphertext: base64(&sealed.ciphertext),
                key: key.clone(),
            })
        });
        Ok(Disclosure {
            disclosure_id: disclosed.disclosure_id,
            incident_id,
            referral_id,
            recipient_key_id: disclosed.recipient_key_id.clone(),
            facets: facets.collect::<Result<_, OpenError>>()?,
        })
    }

    /// The sealed facets of the events that the disclosure names.
    fn sealed_facets(
        &self,
        disclosed: &FacetsDisclosed,
    ) -> Result<BTreeMap<FacetId, SealedFacet>, OpenError> {
        let mut found = BTreeMap::new();
        let places: BTreeSet<&InputPosition> = disclosed.facets.iter().map(|facet| &facet.at).collect();
        for at in places {
            let read = self.records.read(&at.topic, at.partition, at.offset)?;
            let (_, value) = read.ok_or(OpenError::NotThere)?;
            let facets = avro::read_sealed_facets(&self.codec, &at.topic, &value)?;
            found.extend(facets.into_iter().map(|facet| (facet.facet_id, facet)));
        }
        Ok(found)
    }

    fn rewrapped(
        &self,
        disclosed: &FacetsDisclosed,
        recipient_key: &[u8],
    ) -> Result<BTreeMap<FacetId, RewrappedKey>, OpenError> {
        let mut by_key_set: BTreeMap<KeySetId, Vec<FacetId>> = BTreeMap::new();
        for facet in &disclosed.facets {
            by_key_set.entry(facet.key_set_id).or_default().push(facet.facet_id);
        }
        let mut rewrapped = BTreeMap::new();
        for (key_set_id, facets) in by_key_set {
            let key_set = self.keys.key_set(key_set_id)?;
            let keys = self.vault.rewrap(&key_set, &facets, recipient_key, disclosed.disclosure_id)?;
            rewrapped.extend(keys.into_iter().map(|key| (key.facet_id, key)));
        }
        Ok(rewrapped)
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
