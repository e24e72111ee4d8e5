//! The keys that checkpoints, trails and receipts are signed with: Ed25519, written as C2SP `signed-note` has them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
pub use signed_note::NoteError;
use signed_note::{
    Note, SignerError, StandardSigner, StandardVerifier, Verifier, VerifierError, VerifierList,
    is_key_name_valid, key_id, new_ed25519_verifier_key,
};

/// Before every key of this kind where it is written: Ed25519.
const ALGORITHM: u8 = 1;

/// Before a private key where it is written.
const PRIVATE: &str = "PRIVATE+KEY+";

/// A public key with its name, such as `audit.example+1f2e3d4c+AbC...`.
#[derive(Clone)]
pub struct LogKey {
    text: String,
    verifier: StandardVerifier,
}

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("not a public key: expected NAME+ID+KEY as the log shows it")]
    Public(#[from] VerifierError),
    #[error("not a private key")]
    Private(#[from] SignerError),
    #[error("not a private key: expected PRIVATE+KEY+NAME+ID+KEY")]
    Text,
    #[error("{0:?} is no name for a key: expected one without spaces and +")]
    Name(String),
}

impl LogKey {
    /// # Errors
    /// When the text is no key, or its id is not that of the key.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        Ok(Self { text: text.to_owned(), verifier: StandardVerifier::new(text)? })
    }

    /// Whom it belongs to.
    pub fn name(&self) -> &str {
        self.verifier.name()
    }

    /// Whether a note claims to be signed by somebody of this name.
    pub fn is_named_in(&self, note: &[u8]) -> bool {
        let claim = format!("\n\u{2014} {} ", self.name());
        String::from_utf8_lossy(note).contains(&claim)
    }

    /// The text of a note that this key has signed, whoever else has.
    ///
    /// # Errors
    /// When it is no note, or this key's signature is missing or wrong.
    pub fn open(&self, note: &[u8]) -> Result<String, NoteError> {
        let note = Note::from_bytes(note)?;
        note.verify(&VerifierList::new(vec![Box::new(self.verifier.clone())]))?;
        Ok(String::from_utf8_lossy(note.text()).into_owned())
    }
}

impl std::fmt::Display for LogKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::fmt::Debug for LogKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// A private key with its name. Never printed.
#[derive(Clone)]
pub struct SigningKey {
    signer: StandardSigner,
    public: LogKey,
}

impl SigningKey {
    /// Of 32 secret bytes.
    ///
    /// # Errors
    /// When the name cannot be a key's.
    pub fn new(name: &str, secret: &[u8; 32]) -> Result<Self, KeyError> {
        if !is_key_name_valid(name) {
            return Err(KeyError::Name(name.to_owned()));
        }
        let public = ed25519_dalek::SigningKey::from_bytes(secret).verifying_key();
        // The library takes a key only as it is written.
        let signer = StandardSigner::new(&Self::text(name, secret))?;
        Ok(Self { signer, public: LogKey::parse(&new_ed25519_verifier_key(name, &public))? })
    }

    /// As C2SP `signed-note` writes a private key, with its name.
    ///
    /// # Errors
    /// When the text is no such key.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let secret = text.trim().strip_prefix(PRIVATE).and_then(|text| {
            let mut parts = text.splitn(3, '+');
            let (name, _, secret) = (parts.next()?, parts.next()?, parts.next()?);
            let bytes = BASE64_STANDARD.decode(secret).ok()?;
            Some((name, <[u8; 32]>::try_from(bytes.strip_prefix(&[ALGORITHM])?).ok()?))
        });
        let (name, secret) = secret.ok_or(KeyError::Text)?;
        Self::new(name, &secret)
    }

    /// What [`SigningKey::parse`] reads. A secret.
    pub fn text(name: &str, secret: &[u8; 32]) -> String {
        let public = ed25519_dalek::SigningKey::from_bytes(secret).verifying_key();
        let id = key_id(name, &[&[ALGORITHM], public.to_bytes().as_slice()].concat());
        let secret = BASE64_STANDARD.encode([&[ALGORITHM], secret.as_slice()].concat());
        format!("{PRIVATE}{name}+{id:08x}+{secret}")
    }

    pub const fn public(&self) -> &LogKey {
        &self.public
    }

    /// A note of the text, which ends with a new line.
    ///
    /// # Errors
    /// When the text cannot be a note's: it is too long, or has control characters in it.
    pub fn sign(&self, text: &str) -> Result<String, NoteError> {
        let mut note = Note::new(text.as_bytes(), &[])?;
        note.add_sigs(&[&self.signer])?;
        Ok(String::from_utf8_lossy(&note.to_bytes()).into_owned())
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.public)
    }
}
