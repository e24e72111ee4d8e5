//! Receipts: with the answer to each command goes the signed promise that its event will stand in the audit log.

use std::time::Duration;

use audit_log::SigningKey;
use audit_log::keys::KeyError;
use audit_log::receipt::Receipt;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use schemas::Timestamp;
use schemas::envelope::Body as _;

use crate::clock::Clock;
use crate::config::Reader;
use crate::decider::Service;
use crate::front::Answer;
use crate::problem::chain;

/// The header of a receipt: a signed note, base64.
pub const RECEIPT: HeaderName = HeaderName::from_static("causeway-receipt");
/// Within which an event stands in the log, unless the settings say otherwise: longer than a new writer takes.
const WITHIN_SECONDS: u64 = 60;

/// Read for every process; without a key there are no receipts.
#[derive(Clone, Debug)]
pub struct Settings {
    pub name: Option<String>,
    pub key: Option<[u8; 32]>,
    /// Within which an event stands in the log.
    pub within: Duration,
}

impl Settings {
    pub fn read(reader: &mut Reader) -> Self {
        let settings = Self {
            name: reader.optional("receipts.name"),
            key: reader.secret_file("receipts.key_file"),
            within: Duration::from_secs(reader.or("receipts.within_seconds", WITHIN_SECONDS)),
        };
        if settings.name.is_some() != settings.key.is_some() {
            reader.mistake("receipts takes both name and key_file, or neither");
        }
        settings
    }

    /// # Errors
    /// When the name cannot be a key's.
    pub fn signing_key(&self) -> Result<Option<SigningKey>, KeyError> {
        let (Some(name), Some(key)) = (&self.name, &self.key) else { return Ok(None) };
        SigningKey::new(name, key).map(Some)
    }
}

/// Which event an answer is about.
#[derive(Clone, Debug)]
pub struct Promised {
    pub topic: &'static str,
    pub aggregate_id: String,
    pub sequence: i64,
    pub digest: [u8; 32],
}

impl Promised {
    /// The event that answers a command, once it is there.
    pub fn by<S: Service>(answer: &Answer) -> Option<Self> {
        let Answer::Done { outcome, .. } = answer else { return None };
        Some(Self {
            topic: S::Event::TOPIC,
            aggregate_id: outcome.aggregate_id.clone(),
            sequence: outcome.sequence,
            digest: outcome.event.as_slice().try_into().ok()?,
        })
    }
}

/// Gives receipts. Cheap to clone.
#[derive(Clone)]
pub struct Receipts {
    pub key: Option<SigningKey>,
    pub within: Duration,
    pub clock: Clock,
}

impl Receipts {
    /// The receipt in base64; none where there is no key.
    pub fn of(&self, promised: Promised) -> Option<String> {
        let key = self.key.as_ref()?;
        let within = i64::try_from(self.within.as_millis()).unwrap_or(i64::MAX);
        let by = Timestamp::from_millis(self.clock.now().as_millis().saturating_add(within));
        let Promised { topic, aggregate_id, sequence, digest } = promised;
        let receipt = Receipt { topic: topic.to_owned(), aggregate_id, sequence, digest, by: by.to_string() };
        match receipt.sign(key) {
            Ok(note) => Some(BASE64_STANDARD.encode(note)),
            Err(error) => {
                tracing::error!(error = %chain(&error), "a receipt was not signed");
                None
            }
        }
    }
}

/// Puts the receipt onto every answer that is about an event.
pub async fn promise(State(receipts): State<Receipts>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let promised = response.extensions_mut().remove::<Promised>();
    if let Some(receipt) = promised.and_then(|promised| receipts.of(promised)) {
        let receipt = HeaderValue::try_from(receipt).expect("base64 is plain ASCII");
        response.headers_mut().insert(RECEIPT, receipt);
    }
    response
}
