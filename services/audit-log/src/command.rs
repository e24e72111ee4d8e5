//! What an agency signs when it gives a command, so that nobody can invent one in its name.
//!
//! A signed note (C2SP `signed-note`) of a key that is named as the agency is:
//!
//! ```text
//! causeway command v1
//! POST /v1/incidents/018f.../assignments/018f.../accept
//! accept-018f...             the Idempotency-Key, or -
//! AbC...=                    SHA-256 of the body as it was sent
//! ```

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};
use signed_note::NoteError;

use crate::keys::{LogKey, SigningKey};
use crate::leaf::Digest;

/// The first line: what kind of note it is.
const KIND: &str = "causeway command v1";
/// In the place of the key where the command has none.
const NO_KEY: &str = "-";
/// Longest note: far more than a path and a key take.
pub const MAX_BYTES: usize = 4 * 1024;

/// A command as it is sent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SignedCommand {
    /// `POST` or `PUT`.
    pub method: String,
    /// As the service is asked for it.
    pub path: String,
    pub idempotency_key: Option<String>,
    /// SHA-256 of the body.
    pub body: Digest,
}

#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error("the signature of the command: {0}")]
    Signature(#[from] NoteError),
    #[error("not a signed command: line {0} is not what it has to be")]
    Line(usize),
    #[error("not a signed command: it ends early, or goes on where it has to end")]
    Length,
}

impl SignedCommand {
    pub fn new(method: &str, path: &str, idempotency_key: Option<&str>, body: &[u8]) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            idempotency_key: idempotency_key.map(str::to_owned),
            body: Sha256::digest(body).into(),
        }
    }

    /// # Errors
    /// When a part has characters in it that a note cannot hold.
    pub fn sign(&self, key: &SigningKey) -> Result<String, CommandError> {
        let Self { method, path, idempotency_key, body } = self;
        let idempotency_key = idempotency_key.as_deref().unwrap_or(NO_KEY);
        let body = BASE64_STANDARD.encode(body);
        Ok(key.sign(&format!("{KIND}\n{method} {path}\n{idempotency_key}\n{body}\n"))?)
    }

    /// # Errors
    /// When it is no command, or not signed by the key.
    pub fn open(note: &[u8], key: &LogKey) -> Result<Self, CommandError> {
        let text = key.open(note)?;
        let lines: Vec<&str> = text.lines().collect();
        let [kind, asked, idempotency_key, body] = lines[..] else { return Err(CommandError::Length) };
        if kind != KIND {
            return Err(CommandError::Line(1));
        }
        let (method, path) = asked.split_once(' ').ok_or(CommandError::Line(2))?;
        let body = BASE64_STANDARD.decode(body).ok().and_then(|bytes| bytes.try_into().ok());
        Ok(Self {
            method: method.to_owned(),
            path: path.to_owned(),
            idempotency_key: (idempotency_key != NO_KEY).then(|| idempotency_key.to_owned()),
            body: body.ok_or(CommandError::Line(4))?,
        })
    }

    /// The incident that the path names.
    pub fn incident(&self) -> Option<&str> {
        self.path.split('/').skip_while(|segment| *segment != "incidents").nth(1)
    }

    /// Whether the body is the one that was signed.
    pub fn is_of(&self, body: &[u8]) -> bool {
        Digest::from(Sha256::digest(body)) == self.body
    }
}

impl std::fmt::Display for SignedCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}
