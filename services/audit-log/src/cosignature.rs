//! Cosignatures of heads by witnesses: C2SP [tlog-cosignature](https://c2sp.org/tlog-cosignature), version 1.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::{Signer as _, Verifier as _};
use signed_note::{Note, Signature, is_key_name_valid};

use crate::tree::Hash;

/// The hash of a tree without leaves.
pub const EMPTY: Hash = tlog_tiles::EMPTY_HASH;

/// Before every key of this kind where it is written: a cosignature with a time.
const ALGORITHM: u8 = 4;
const TIME_BYTES: usize = 8;
const SIGNATURE_BYTES: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CosignError {
    #[error("not a witness's key: expected NAME+ID+KEY with a key for cosignatures")]
    Key,
    #[error("not a checkpoint")]
    Checkpoint,
}

/// A witness's public key.
#[derive(Clone, Debug)]
pub struct WitnessKey {
    pub name: String,
    id: u32,
    key: ed25519_dalek::VerifyingKey,
}

impl WitnessKey {
    /// # Errors
    /// When the text is no key of a witness.
    pub fn parse(text: &str) -> Result<Self, CosignError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(CosignError::Key);
        };
        let bytes = BASE64_STANDARD.decode(key).map_err(|_| CosignError::Key)?;
        let (&ALGORITHM, key) = bytes.split_first().ok_or(CosignError::Key)? else {
            return Err(CosignError::Key);
        };
        let key = <&[u8; 32]>::try_from(key).map_err(|_| CosignError::Key)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(key).map_err(|_| CosignError::Key)?;
        let found = signed_note::key_id(name, &bytes);
        if !is_key_name_valid(name) || u32::from_str_radix(id, 16) != Ok(found) {
            return Err(CosignError::Key);
        }
        Ok(Self { name: name.to_owned(), id: found, key })
    }

    /// When this witness has cosigned the head, in seconds since 1970-01-01T00:00:00Z; none where it has not.
    pub fn cosigned(&self, checkpoint: &str) -> Option<u64> {
        let (text, signatures) = checkpoint.rsplit_once("\n\n")?;
        let text = format!("{text}\n");
        let ours = signatures.lines().filter_map(|line| Signature::from_bytes(line.as_bytes()).ok());
        ours.filter(|one| one.name() == self.name && one.id() == self.id)
            .find_map(|one| self.time(&text, &one))
    }

    /// This witness's own line in its answer for a head, written anew; none where none holds.
    pub fn line_of(&self, checkpoint: &str, answer: &str) -> Option<String> {
        let (text, _) = checkpoint.rsplit_once("\n\n")?;
        let text = format!("{text}\n");
        let mut lines = answer.lines().filter_map(|line| Signature::from_bytes(line.as_bytes()).ok());
        let own = lines
            .find(|one| one.name() == self.name && one.id() == self.id && self.time(&text, one).is_some())?;
        Some(String::from_utf8_lossy(&own.to_bytes()).into_owned())
    }

    fn time(&self, text: &str, signature: &Signature) -> Option<u64> {
        let (time, signed) = signature.signature().split_at_checked(TIME_BYTES)?;
        let time = u64::from_be_bytes(time.try_into().ok()?);
        let signed = <&[u8; SIGNATURE_BYTES]>::try_from(signed).ok()?;
        let signed = ed25519_dalek::Signature::from_bytes(signed);
        self.key.verify(message(text, time).as_bytes(), &signed).ok().map(|()| time)
    }
}

impl std::fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", written(&self.name, &self.key))
    }
}

/// A witness's private key.
pub struct Cosigner {
    key: ed25519_dalek::SigningKey,
    public: WitnessKey,
}

impl Cosigner {
    /// # Errors
    /// When the name cannot be a key's.
    pub fn new(name: &str, secret: &[u8; 32]) -> Result<Self, CosignError> {
        let key = ed25519_dalek::SigningKey::from_bytes(secret);
        let public = WitnessKey::parse(&written(name, &key.verifying_key()))?;
        Ok(Self { key, public })
    }

    pub const fn public(&self) -> &WitnessKey {
        &self.public
    }

    /// The signature line for a head, at a time.
    ///
    /// # Errors
    /// When it is no checkpoint.
    pub fn cosign(&self, checkpoint: &str, time: u64) -> Result<String, CosignError> {
        let note = Note::from_bytes(checkpoint.as_bytes()).map_err(|_| CosignError::Checkpoint)?;
        let text = std::str::from_utf8(note.text()).map_err(|_| CosignError::Checkpoint)?;
        let signed = self.key.sign(message(text, time).as_bytes()).to_bytes();
        let signature = [&time.to_be_bytes(), signed.as_slice()].concat();
        let line = Signature::new(self.public.name.clone(), self.public.id, signature);
        let line = line.map_err(|_| CosignError::Key)?.to_bytes();
        Ok(String::from_utf8_lossy(&line).into_owned())
    }
}

fn message(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

fn written(name: &str, key: &ed25519_dalek::VerifyingKey) -> String {
    let bytes = [&[ALGORITHM], key.to_bytes().as_slice()].concat();
    format!("{name}+{:08x}+{}", signed_note::key_id(name, &bytes), BASE64_STANDARD.encode(bytes))
}
