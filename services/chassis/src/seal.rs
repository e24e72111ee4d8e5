//! Sealing: each facet under its own data key, the data keys of one submission wrapped to the vault key.
//!
//! - A facet is sealed with AES-256-GCM under a random data key, bound to where it belongs ([`Binding`]).
//! - The data keys stand only in `sealed-keys`. They are wrapped under a key exported from an HPKE context
//!   (RFC 9180: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, base mode) over a label and the key-set
//!   id. One encapsulation serves an epoch of at most a minute of one process; then its secret is wiped.
//! - Fronts seal ([`Sealer`]); the vault alone opens ([`Vault`]), and gives keys on only re-wrapped.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use hpke::aead::{AeadCtxS, AesGcm256};
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use parking_lot::Mutex;
use schemas::codes::FacetKind;
use schemas::ids::{DisclosureId, FacetId, IncidentId, KeyId, KeySetId, PersonRef, ReferralId};
use schemas::referral::SealedFacet;
use schemas::sealed_keys::KeySet;
use schemas::{Timestamp, digest};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// How long one encapsulation serves.
const EPOCH: Duration = Duration::from_secs(60);
const WRAP_LABEL: &[u8] = b"causeway sealed-keys v1";
const REWRAP_LABEL: &[u8] = b"causeway disclosure v1";
const NONCE_BYTES: usize = 12;
const KEY_BYTES: usize = 32;
const ID_BYTES: usize = 16;

type DataKey = Zeroizing<[u8; KEY_BYTES]>;
type PrivateKey = <X25519HkdfSha256 as Kem>::PrivateKey;
type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
type Encapsulation = <X25519HkdfSha256 as Kem>::EncappedKey;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("the key is not an X25519 key of 32 bytes")]
    Key,
    #[error("the sealed bytes do not open: another key, or they were changed")]
    Open,
    #[error("sealing failed")]
    Seal,
}

/// Where a facet belongs: it opens nowhere else.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    pub incident_id: IncidentId,
    pub referral_id: ReferralId,
    pub facet_id: FacetId,
    pub kind: FacetKind,
    pub key_set_id: KeySetId,
}

impl Binding {
    fn bytes(&self) -> [u8; 32] {
        digest::sha256(&[
            b"causeway facet v1",
            self.incident_id.as_uuid().as_bytes(),
            self.referral_id.as_uuid().as_bytes(),
            self.facet_id.as_uuid().as_bytes(),
            self.kind.code().as_bytes(),
            self.key_set_id.as_uuid().as_bytes(),
        ])
    }
}

/// A pair of X25519 keys: the vault's, or an agency's.
pub struct KeyPair {
    private: PrivateKey,
    public: PublicKey,
}

impl KeyPair {
    pub fn generate() -> Self {
        let (private, public) = X25519HkdfSha256::gen_keypair();
        Self { private, public }
    }

    /// # Errors
    /// When the bytes are no private key.
    pub fn from_private(bytes: &[u8]) -> Result<Self, SealError> {
        let private = PrivateKey::from_bytes(bytes).map_err(|_| SealError::Key)?;
        let public = X25519HkdfSha256::sk_to_pk(&private);
        Ok(Self { private, public })
    }

    pub fn public_bytes(&self) -> Vec<u8> {
        self.public.to_bytes().to_vec()
    }

    pub fn private_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.private.to_bytes().to_vec())
    }
}

/// Seals what fronts take in. Shared by all requests of a process.
pub struct Sealer {
    vault_key_id: KeyId,
    vault_key: PublicKey,
    epoch: Mutex<Option<Epoch>>,
}

struct Epoch {
    begun: Instant,
    encapsulation: Vec<u8>,
    context: AeadCtxS<AesGcm256, HkdfSha256, X25519HkdfSha256>,
}

impl Sealer {
    /// # Errors
    /// When the bytes are no public key.
    pub fn new(vault_key_id: KeyId, vault_public_key: &[u8]) -> Result<Self, SealError> {
        let vault_key = PublicKey::from_bytes(vault_public_key).map_err(|_| SealError::Key)?;
        Ok(Self { vault_key_id, vault_key, epoch: Mutex::new(None) })
    }

    /// Begins the key set of one submission.
    pub fn begin(&self, incident_id: IncidentId, referral_id: ReferralId) -> Submission<'_> {
        let key_set_id = KeySetId::from_bytes(rand::random());
        Submission { sealer: self, incident_id, referral_id, key_set_id, keys: Zeroizing::new(Vec::new()) }
    }

    /// Wipes the secret of an epoch that is over: to be called from time to time, since nothing may come for long.
    pub fn end_old_epoch(&self) {
        let mut epoch = self.epoch.lock();
        if epoch.as_ref().is_some_and(|epoch| epoch.begun.elapsed() > EPOCH) {
            *epoch = None;
        }
    }

    /// The key that wraps this key set, and the encapsulation to find it again by.
    fn wrapping_key(&self, key_set_id: KeySetId) -> Result<(DataKey, Vec<u8>), SealError> {
        let mut epoch = self.epoch.lock();
        if epoch.as_ref().is_none_or(|epoch| epoch.begun.elapsed() > EPOCH) {
            let (encapsulation, context) = hpke::setup_sender::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
                &OpModeS::Base,
                &self.vault_key,
                WRAP_LABEL,
            )
            .map_err(|_| SealError::Seal)?;
            let encapsulation = encapsulation.to_bytes().to_vec();
            *epoch = Some(Epoch { begun: Instant::now(), encapsulation, context });
        }
        let epoch = epoch.as_ref().expect("an epoch was begun just above");
        let mut key = DataKey::default();
        epoch.context.export(key_set_id.as_uuid().as_bytes(), &mut *key).map_err(|_| SealError::Seal)?;
        Ok((key, epoch.encapsulation.clone()))
    }
}

/// The facets of one submission while they are sealed.
pub struct Submission<'a> {
    sealer: &'a Sealer,
    incident_id: IncidentId,
    referral_id: ReferralId,
    key_set_id: KeySetId,
    /// Facet id and data key, one after the other.
    keys: Zeroizing<Vec<u8>>,
}

impl Submission<'_> {
    /// # Errors
    /// When the plaintext is over what AES-GCM takes, which the gate's limits rule out.
    pub fn seal(
        &mut self,
        kind: FacetKind,
        person_ref: Option<PersonRef>,
        plaintext: &[u8],
    ) -> Result<SealedFacet, SealError> {
        let facet_id = FacetId::from_bytes(rand::random());
        let (incident_id, referral_id, key_set_id) = (self.incident_id, self.referral_id, self.key_set_id);
        let binding = Binding { incident_id, referral_id, facet_id, kind, key_set_id };
        let key = DataKey::new(rand::random());
        let (nonce, ciphertext) = seal(&key, &binding.bytes(), plaintext)?;
        self.keys.extend_from_slice(facet_id.as_uuid().as_bytes());
        self.keys.extend_from_slice(&*key);
        Ok(SealedFacet { facet_id, kind, person_ref, key_set_id, nonce, ciphertext })
    }

    /// The record for `sealed-keys`; it must be durable before the command that names it.
    ///
    /// # Errors
    /// When the vault's key does not take an encapsulation.
    pub fn finish(self, now: Timestamp) -> Result<KeySet, SealError> {
        let (wrapping_key, encapsulation) = self.sealer.wrapping_key(self.key_set_id)?;
        let (nonce, wrapped_keys) = seal(&wrapping_key, self.key_set_id.as_uuid().as_bytes(), &self.keys)?;
        Ok(KeySet {
            key_set_id: self.key_set_id,
            incident_id: self.incident_id,
            vault_key_id: self.sealer.vault_key_id.clone(),
            encapsulation,
            nonce,
            wrapped_keys,
            sealed_at: now,
        })
    }
}

/// A facet's data key, re-wrapped to an agency's public key. The private key never leaves the agency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RewrappedKey {
    pub facet_id: FacetId,
    /// The HPKE encapsulation, base64.
    pub encapsulation: String,
    /// The data key sealed to the agency's key, base64.
    pub wrapped_key: String,
}

/// Holds the vault key: opens key sets and gives single keys on, re-wrapped.
pub struct Vault {
    key_id: KeyId,
    private: PrivateKey,
}

impl Vault {
    pub fn new(key_id: KeyId, keys: KeyPair) -> Self {
        Self { key_id, private: keys.private }
    }

    pub fn key_id(&self) -> &KeyId {
        &self.key_id
    }

    /// Re-wraps the data keys of the facets named to the recipient's public key, for one disclosure.
    ///
    /// # Errors
    /// When the key set does not open, lacks a facet, or the recipient's key is none.
    pub fn rewrap(
        &self,
        key_set: &KeySet,
        facets: &[FacetId],
        recipient: &[u8],
        disclosure: DisclosureId,
    ) -> Result<Vec<RewrappedKey>, SealError> {
        let recipient = PublicKey::from_bytes(recipient).map_err(|_| SealError::Key)?;
        let keys = self.open(key_set)?;
        facets
            .iter()
            .map(|facet| {
                let key = keys.get(facet).ok_or(SealError::Open)?;
                let (encapsulation, wrapped) =
                    hpke::single_shot_seal::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
                        &OpModeS::Base,
                        &recipient,
                        REWRAP_LABEL,
                        &**key,
                        &rewrap_binding(disclosure, *facet),
                    )
                    .map_err(|_| SealError::Seal)?;
                Ok(RewrappedKey {
                    facet_id: *facet,
                    encapsulation: base64(&encapsulation.to_bytes()),
                    wrapped_key: base64(&wrapped),
                })
            })
            .collect()
    }

    /// Opens a facet here: for what is compared where the keys are, and told to nobody.
    ///
    /// # Errors
    /// When the key set does not open, lacks the facet, or something was changed on the way.
    pub fn open_facet(
        &self,
        key_set: &KeySet,
        binding: &Binding,
        nonce: &[u8],
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let keys = self.open(key_set)?;
        let key = keys.get(&binding.facet_id).ok_or(SealError::Open)?;
        open(key, nonce, &binding.bytes(), ciphertext)
    }

    /// Whether the record still holds the data key of one of the facets.
    ///
    /// # Errors
    /// When the key set does not open.
    pub fn holds_any(&self, key_set: &KeySet, facets: &BTreeSet<FacetId>) -> Result<bool, SealError> {
        Ok(self.open(key_set)?.keys().any(|facet| facets.contains(facet)))
    }

    /// The record without the data keys of these facets, wrapped anew.
    ///
    /// # Errors
    /// When the key set does not open.
    pub fn without(&self, key_set: &KeySet, facets: &BTreeSet<FacetId>) -> Result<KeySet, SealError> {
        let mut left = Zeroizing::new(Vec::new());
        for (facet, key) in self.open(key_set)?.iter().filter(|(facet, _)| !facets.contains(facet)) {
            left.extend_from_slice(facet.as_uuid().as_bytes());
            left.extend_from_slice(&**key);
        }
        let id = key_set.key_set_id;
        let (wrapping_key, encapsulation) = self.sealer()?.wrapping_key(id)?;
        let (nonce, wrapped_keys) = seal(&wrapping_key, id.as_uuid().as_bytes(), &left)?;
        let (incident_id, sealed_at) = (key_set.incident_id, key_set.sealed_at);
        let vault_key_id = self.key_id.clone();
        Ok(KeySet {
            key_set_id: id,
            incident_id,
            vault_key_id,
            encapsulation,
            nonce,
            wrapped_keys,
            sealed_at,
        })
    }

    fn sealer(&self) -> Result<Sealer, SealError> {
        Sealer::new(self.key_id.clone(), &X25519HkdfSha256::sk_to_pk(&self.private).to_bytes())
    }

    fn open(&self, key_set: &KeySet) -> Result<HashMap<FacetId, DataKey>, SealError> {
        let encapsulation = Encapsulation::from_bytes(&key_set.encapsulation).map_err(|_| SealError::Open)?;
        let context = hpke::setup_receiver::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &self.private,
            &encapsulation,
            WRAP_LABEL,
        )
        .map_err(|_| SealError::Open)?;
        let mut wrapping_key = DataKey::default();
        let id = key_set.key_set_id;
        context.export(id.as_uuid().as_bytes(), &mut *wrapping_key).map_err(|_| SealError::Open)?;
        let plain = open(&wrapping_key, &key_set.nonce, id.as_uuid().as_bytes(), &key_set.wrapped_keys)?;
        let entries = plain.chunks_exact(ID_BYTES + KEY_BYTES);
        if !entries.remainder().is_empty() {
            return Err(SealError::Open);
        }
        Ok(entries.map(read_entry).collect())
    }
}

fn read_entry(entry: &[u8]) -> (FacetId, DataKey) {
    let (mut id, mut key) = ([0; ID_BYTES], DataKey::default());
    id.copy_from_slice(&entry[..ID_BYTES]);
    key.copy_from_slice(&entry[ID_BYTES..]);
    (FacetId::from_uuid(uuid::Uuid::from_bytes(id)), key)
}

/// Opens a facet on the agency's side.
///
/// # Errors
/// When the keys do not fit, or something was changed on the way.
pub fn open_disclosed(
    agency: &KeyPair,
    disclosure: DisclosureId,
    key: &RewrappedKey,
    binding: &Binding,
    nonce: &[u8],
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let encapsulation =
        Encapsulation::from_bytes(&unbase64(&key.encapsulation)?).map_err(|_| SealError::Open)?;
    let plain = hpke::single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &agency.private,
        &encapsulation,
        REWRAP_LABEL,
        &unbase64(&key.wrapped_key)?,
        &rewrap_binding(disclosure, key.facet_id),
    )
    .map_err(|_| SealError::Open)?;
    let data_key: [u8; KEY_BYTES] = plain.as_slice().try_into().map_err(|_| SealError::Open)?;
    open(&DataKey::new(data_key), nonce, &binding.bytes(), ciphertext)
}

fn rewrap_binding(disclosure: DisclosureId, facet: FacetId) -> [u8; 32] {
    digest::sha256(&[b"causeway disclosure v1", disclosure.as_uuid().as_bytes(), facet.as_uuid().as_bytes()])
}

fn seal(key: &DataKey, binding: &[u8], plaintext: &[u8]) -> Result<(Vec<u8>, Vec<u8>), SealError> {
    let nonce: [u8; NONCE_BYTES] = rand::random();
    let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from(**key));
    let sealed = cipher.encrypt(&Nonce::from(nonce), Payload { msg: plaintext, aad: binding });
    Ok((nonce.to_vec(), sealed.map_err(|_| SealError::Seal)?))
}

fn open(
    key: &DataKey,
    nonce: &[u8],
    binding: &[u8],
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| SealError::Open)?;
    let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from(**key));
    let plain = cipher.decrypt(&Nonce::from(nonce), Payload { msg: ciphertext, aad: binding });
    plain.map(Zeroizing::new).map_err(|_| SealError::Open)
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn unbase64(text: &str) -> Result<Vec<u8>, SealError> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).map_err(|_| SealError::Open)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
mod tests {
    use super::*;

    #[test]
    fn an_agency_opens_what_was_rewrapped_to_it_and_nothing_else() {
        let vault_keys = KeyPair::generate();
        let vault_key_id = KeyId::try_new("vault-1").unwrap();
        let sealer = Sealer::new(vault_key_id.clone(), &vault_keys.public_bytes()).unwrap();
        let vault = Vault::new(vault_key_id, vault_keys);
        let incident_id = IncidentId::from_bytes([1; 16]);
        let referral_id = ReferralId::from_bytes([2; 16]);
        let mut submission = sealer.begin(incident_id, referral_id);
        let child = submission.seal(FacetKind::Person, None, b"child").unwrap();
        let other = submission.seal(FacetKind::Person, None, b"other").unwrap();
        let key_set = submission.finish(Timestamp::from_millis(0)).unwrap();

        let agency = KeyPair::generate();
        let disclosure = DisclosureId::from_bytes([3; 16]);
        let keys = vault.rewrap(&key_set, &[child.facet_id], &agency.public_bytes(), disclosure).unwrap();
        let binding = |facet: &SealedFacet| Binding {
            incident_id,
            referral_id,
            facet_id: facet.facet_id,
            kind: facet.kind,
            key_set_id: facet.key_set_id,
        };
        let open = |keys_of: &KeyPair, disclosure, facet: &SealedFacet| {
            open_disclosed(keys_of, disclosure, &keys[0], &binding(facet), &facet.nonce, &facet.ciphertext)
                .map(|plain| plain.to_vec())
        };
        assert_eq!(open(&agency, disclosure, &child), Ok(b"child".to_vec()));
        assert_eq!(open(&agency, disclosure, &other), Err(SealError::Open));
        assert_eq!(open(&KeyPair::generate(), disclosure, &child), Err(SealError::Open));
        assert_eq!(open(&agency, DisclosureId::from_bytes([4; 16]), &child), Err(SealError::Open));
        let unknown =
            vault.rewrap(&key_set, &[FacetId::from_bytes([9; 16])], &agency.public_bytes(), disclosure);
        assert_eq!(unknown, Err(SealError::Open));
    }

    #[test]
    fn one_person_is_taken_out_of_a_key_set() {
        let vault_keys = KeyPair::generate();
        let vault_key_id = KeyId::try_new("vault-1").unwrap();
        let sealer = Sealer::new(vault_key_id.clone(), &vault_keys.public_bytes()).unwrap();
        let vault = Vault::new(vault_key_id, vault_keys);
        let mut submission = sealer.begin(IncidentId::from_bytes([1; 16]), ReferralId::from_bytes([2; 16]));
        let [child, other] = ["child", "other"]
            .map(|who| submission.seal(FacetKind::Person, None, who.as_bytes()).unwrap().facet_id);
        let key_set = submission.finish(Timestamp::from_millis(0)).unwrap();
        let erased = BTreeSet::from([child]);
        let left = vault.without(&key_set, &erased).unwrap();
        assert_eq!((left.key_set_id, left.sealed_at), (key_set.key_set_id, key_set.sealed_at));
        assert_ne!(left.encapsulation, key_set.encapsulation, "nothing of the old wrapping opens the new");
        assert!(vault.holds_any(&key_set, &erased).unwrap() && !vault.holds_any(&left, &erased).unwrap());
        let agency = KeyPair::generate();
        let rewrap = |facet| {
            vault.rewrap(&left, &[facet], &agency.public_bytes(), DisclosureId::from_bytes([3; 16])).map(drop)
        };
        assert_eq!((rewrap(child), rewrap(other)), (Err(SealError::Open), Ok(())));
    }
}
