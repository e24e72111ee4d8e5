//! An agency's own signature of its command: checked when it comes, and kept with the event for whoever will not take
//! the operator's word.

use audit_log::LogKey;
use audit_log::command::{self, SignedCommand};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderName};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use schemas::ids::AgencyId;

use crate::front::IDEMPOTENCY_KEY;
use crate::problem::Problem;

/// The header of the signature: a signed note in base64, see [`SignedCommand`].
pub const SIGNATURE: HeaderName = HeaderName::from_static("causeway-signature");

/// Whether it is a key of the agency's: whoever checks a signature knows it by that name.
pub fn is_key_of(key: &str, agency: &AgencyId) -> bool {
    LogKey::parse(key).is_ok_and(|key| key.name() == agency.as_str())
}

/// The keys that the caller's agency signs with, once the caller is known.
#[derive(Clone)]
pub(crate) struct SigningKeys(pub Vec<String>);

/// The note that a request is signed by, where it is. Stands behind the caller among a page's arguments.
#[derive(Clone, Debug)]
pub struct Signature(pub Option<Vec<u8>>);

impl<S: Send + Sync> FromRequestParts<S> for Signature {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(header) = parts.headers.get(&SIGNATURE) else { return Ok(Self(None)) };
        let note = BASE64_STANDARD.decode(header.as_bytes()).ok();
        let note = note.filter(|note| note.len() <= command::MAX_BYTES).ok_or_else(|| {
            let detail = format!("expected base64 of a signed note of at most {} bytes", command::MAX_BYTES);
            Problem::malformed().field(SIGNATURE.as_str(), detail)
        })?;
        let keys = parts.extensions.get::<SigningKeys>().ok_or_else(Problem::internal)?;
        let signed = opened(&note, keys)?;
        let key = parts.headers.get(&IDEMPOTENCY_KEY).map(|key| key.to_str().unwrap_or_default());
        let is_this = signed.method == parts.method.as_str()
            && signed.path == parts.uri.path()
            && signed.idempotency_key.as_deref() == key;
        if !is_this {
            return Err(wrong("it is of another command: method, path or Idempotency-Key differ"));
        }
        // The body is still to come.
        parts.extensions.insert(signed);
        Ok(Self(Some(note)))
    }
}

fn opened(note: &[u8], SigningKeys(keys): &SigningKeys) -> Result<SignedCommand, Problem> {
    if keys.is_empty() {
        return Err(wrong("the directory has no signing key of the agency"));
    }
    let mut keys = keys.iter().filter_map(|key| LogKey::parse(key).ok());
    keys.find_map(|key| SignedCommand::open(note, &key).ok())
        .ok_or_else(|| wrong("not a command that a signing key of the agency has signed (docs/audit-log.md)"))
}

/// Holds a body against the signature of its request, where there is one.
///
/// # Errors
/// When it is another body than was signed.
pub(crate) fn check_body(extensions: &Extensions, body: &[u8]) -> Result<(), Problem> {
    match extensions.get::<SignedCommand>() {
        Some(signed) if !signed.is_of(body) => Err(wrong("it is of another body")),
        _ => Ok(()),
    }
}

fn wrong(detail: &str) -> Problem {
    Problem::invalid().field(SIGNATURE.as_str(), detail)
}
