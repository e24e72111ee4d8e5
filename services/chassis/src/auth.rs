//! Who calls: tokens of several trusted issuers, each bound to an agency by the directory.
//!
//! The algorithm is the key's, never the token's word. `exp`, `nbf`, `aud`, `iss` and `sub` are required and
//! judged by real time. An unknown key id asks the issuer for its keys again, at most every half minute.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use jsonwebtoken::jwk::{Jwk, JwkSet, KeyAlgorithm};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use parking_lot::RwLock;
use schemas::codes::{ActorKind, AgencyKind};
use schemas::directory::Agency;
use schemas::{Actor, Timestamp};
use serde::Deserialize;

use crate::clock::Clock;
use crate::limits::Limits;
use crate::problem::Problem;
use crate::reference::Reference;
use crate::signature::SigningKeys;

/// An issuer's keys are not asked for again sooner than this.
const REFRESH_PAUSE: Duration = Duration::from_secs(30);
/// How far clocks of issuers may be off.
const LEEWAY_SECONDS: u64 = 30;
/// How long an issuer may take to give its keys.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest token that is looked at: far above what identity providers give, and read before anyone is known.
const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// Longest opaque name of a person that a token may carry.
const MAX_ACTOR_BYTES: usize = 64;

/// An issuer whose tokens are believed.
#[derive(Clone, Debug)]
pub struct TrustedIssuer {
    pub issuer: String,
    pub audience: String,
    pub keys: KeysAt,
}

/// Where an issuer's JSON Web Key Set stands.
#[derive(Clone, Debug)]
pub enum KeysAt {
    File(PathBuf),
    Address(String),
}

#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    #[error("failed to read the keys of {issuer}")]
    Keys { issuer: String, source: Box<dyn std::error::Error + Send + Sync> },
}

/// Judges tokens. Cheap to clone.
#[derive(Clone)]
pub struct Authenticator {
    issuers: Arc<Vec<Issuer>>,
    reference: Reference,
    clock: Clock,
    limits: Limits,
}

struct Issuer {
    trusted: TrustedIssuer,
    keys: RwLock<HashMap<String, IssuerKey>>,
    asked: tokio::sync::Mutex<Instant>,
}

#[derive(Clone)]
struct IssuerKey {
    key: DecodingKey,
    algorithm: Algorithm,
}

/// An authenticated caller: the agency as the directory has it, and who acts for it.
#[derive(Clone, Debug)]
pub struct Caller {
    pub agency: Agency,
    pub actor: Actor,
    /// When the token ends, and every stream read with it.
    pub expires: Timestamp,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    exp: i64,
    actor: ActorClaim,
}

/// All that is read of a token before it is verified.
#[derive(Deserialize)]
struct Named {
    iss: String,
}

#[derive(Deserialize)]
struct ActorClaim {
    id: String,
    kind: ActorKind,
}

impl Authenticator {
    /// Reads every issuer's keys.
    ///
    /// # Errors
    /// When an issuer's key file does not read; an address that does not answer yet is asked again later.
    pub async fn start(
        issuers: Vec<TrustedIssuer>,
        reference: Reference,
        clock: Clock,
        limits: Limits,
    ) -> Result<Self, AuthError> {
        let mut started = Vec::new();
        for trusted in issuers {
            let keys = match fetch(&trusted).await {
                Ok(keys) => keys,
                Err(error) if matches!(trusted.keys, KeysAt::Address(_)) => {
                    tracing::warn!(error = %crate::problem::chain(&error), "an issuer gives no keys yet");
                    HashMap::new()
                }
                Err(error) => return Err(error),
            };
            let asked = tokio::sync::Mutex::new(Instant::now() - REFRESH_PAUSE);
            started.push(Issuer { trusted, keys: RwLock::new(keys), asked });
        }
        Ok(Self { issuers: Arc::new(started), reference, clock, limits })
    }

    /// # Errors
    /// A problem that says what is wrong with the token, never what is in it.
    pub async fn authenticate(&self, token: &str) -> Result<Caller, Problem> {
        let refused = |detail: &str| Problem::unauthenticated().detail(detail);
        if token.len() > MAX_TOKEN_BYTES {
            return Err(refused(&format!("the token has more than {MAX_TOKEN_BYTES} bytes")));
        }
        let header = decode_header(token).map_err(|_| refused("the token is not a JWT"))?;
        let kid = header.kid.ok_or_else(|| refused("the token names no key"))?;
        // Two issuers may name a key alike: the token's own word only picks whose key it is held against.
        let named: Named = jsonwebtoken::dangerous::insecure_decode_claims(token)
            .map_err(|_| refused("the token names no issuer"))?;
        let (issuer, key) = self
            .key(&named.iss, &kid)
            .await
            .ok_or_else(|| refused("no trusted issuer has the token's key"))?;
        let mut validation = Validation::new(key.algorithm);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "nbf", "aud", "iss", "sub"]);
        validation.set_issuer(&[&issuer.issuer]);
        validation.set_audience(&[&issuer.audience]);
        let claims = decode::<Claims>(token, &key.key, &validation)
            .map_err(|error| refused(&format!("the token is not valid: {}", describe(&error))))?
            .claims;
        if claims.actor.id.is_empty() || claims.actor.id.len() > MAX_ACTOR_BYTES {
            return Err(refused("the token's actor id is empty or too long"));
        }
        if claims.actor.kind == ActorKind::Service {
            return Err(refused("the token's actor kind must be human or machine"));
        }
        let directory = self.reference.snapshot().directory;
        let agency =
            directory.agency_of_token(&claims.iss, &claims.sub, self.clock.now()).ok_or_else(|| {
                // Whoever has not read the directory to its end cannot say who is unknown to it.
                if self.reference.is_complete() {
                    refused("the directory knows no agency by this issuer and subject")
                } else {
                    Problem::unavailable().detail("the directory is not read to its end yet").retry_after(1)
                }
            })?;
        Ok(Caller {
            agency: agency.clone(),
            actor: Actor { id: claims.actor.id, kind: claims.actor.kind },
            expires: Timestamp::from_millis(claims.exp.saturating_mul(1000)),
        })
    }

    async fn key(&self, name: &str, kid: &str) -> Option<(&TrustedIssuer, IssuerKey)> {
        if let Some(found) = self.known_key(name, kid) {
            return Some(found);
        }
        for issuer in self.issuers.iter().filter(|issuer| issuer.trusted.issuer == name) {
            issuer.refresh().await;
        }
        self.known_key(name, kid)
    }

    fn known_key(&self, name: &str, kid: &str) -> Option<(&TrustedIssuer, IssuerKey)> {
        let mut named = self.issuers.iter().filter(|issuer| issuer.trusted.issuer == name);
        named.find_map(|issuer| Some((&issuer.trusted, issuer.keys.read().get(kid)?.clone())))
    }
}

impl Issuer {
    async fn refresh(&self) {
        let mut asked = self.asked.lock().await;
        if asked.elapsed() < REFRESH_PAUSE {
            return;
        }
        *asked = Instant::now();
        match fetch(&self.trusted).await {
            Ok(keys) => *self.keys.write() = keys,
            Err(error) => tracing::warn!(error = %crate::problem::chain(&error), "an issuer gives no keys"),
        }
    }
}

async fn fetch(trusted: &TrustedIssuer) -> Result<HashMap<String, IssuerKey>, AuthError> {
    let failed = |source| AuthError::Keys { issuer: trusted.issuer.clone(), source };
    let set: JwkSet = match &trusted.keys {
        KeysAt::File(path) => {
            let text = tokio::fs::read_to_string(path).await.map_err(|error| failed(error.into()))?;
            serde_json::from_str(&text).map_err(|error| failed(error.into()))?
        }
        KeysAt::Address(address) => {
            let client = reqwest::Client::builder().timeout(FETCH_TIMEOUT).build();
            let client = client.map_err(|error| failed(error.into()))?;
            let response = client.get(address).send().await.and_then(reqwest::Response::error_for_status);
            response
                .map_err(|error| failed(error.into()))?
                .json()
                .await
                .map_err(|error| failed(error.into()))?
        }
    };
    Ok(set.keys.iter().filter_map(read_key).collect())
}

/// Keys of a kind that signs tokens; symmetric keys and others are left out.
fn read_key(jwk: &Jwk) -> Option<(String, IssuerKey)> {
    let algorithm = match jwk.common.key_algorithm? {
        KeyAlgorithm::EdDSA => Algorithm::EdDSA,
        KeyAlgorithm::ES256 => Algorithm::ES256,
        KeyAlgorithm::ES384 => Algorithm::ES384,
        KeyAlgorithm::RS256 => Algorithm::RS256,
        KeyAlgorithm::PS256 => Algorithm::PS256,
        _ => return None,
    };
    let key = DecodingKey::from_jwk(jwk).ok()?;
    Some((jwk.common.key_id.clone()?, IssuerKey { key, algorithm }))
}

fn describe(error: &jsonwebtoken::errors::Error) -> &'static str {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::ExpiredSignature => "it has expired",
        ErrorKind::ImmatureSignature => "it is not valid yet",
        ErrorKind::InvalidAudience => "it is for another audience",
        ErrorKind::InvalidIssuer => "its issuer is not the key's",
        ErrorKind::InvalidSignature => "its signature is wrong",
        ErrorKind::InvalidAlgorithm => "its algorithm is not the key's",
        ErrorKind::MissingRequiredClaim(_) => "it lacks one of exp, nbf, aud, iss, sub",
        _ => "its claims cannot be read: exp, nbf, aud, iss, sub, and an actor with id and kind are required",
    }
}

impl Caller {
    /// # Errors
    /// When the agency is of none of the kinds.
    pub fn must_be(&self, kinds: &[AgencyKind]) -> Result<(), Problem> {
        if kinds.contains(&self.agency.kind) {
            return Ok(());
        }
        let kinds: Vec<&str> = kinds.iter().map(|kind| kind.code()).collect();
        Err(Problem::forbidden().detail(format!("this is for: {}", kinds.join(", "))))
    }

    /// Until the token ends, by real time: as long as a stream goes on that is read with it.
    pub fn time_left(&self) -> Option<Duration> {
        let left = self.expires.as_millis() - Timestamp::from(jiff::Timestamp::now()).as_millis();
        u64::try_from(left).ok().filter(|left| *left > 0).map(Duration::from_millis)
    }

    pub fn must_be_human(&self) -> Result<(), Problem> {
        if self.actor.kind == ActorKind::Human { Ok(()) } else { Err(Problem::needs_a_person()) }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let authenticator = parts.extensions.get::<Authenticator>().cloned().ok_or_else(Problem::internal)?;
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or_else(|| {
                Problem::unauthenticated().detail("the Authorization header carries no bearer token")
            })?;
        let caller = authenticator.authenticate(token).await?;
        authenticator.limits.check(&caller.agency.id)?;
        parts.extensions.insert(SigningKeys(caller.agency.signing_keys.clone()));
        Ok(caller)
    }
}

/// Signs tokens: for the development issuer and for tests. Production tokens come from identity providers.
pub struct DevelopmentIssuer {
    key: jsonwebtoken::EncodingKey,
    key_id: String,
    issuer: String,
    audience: String,
}

impl DevelopmentIssuer {
    /// # Errors
    /// When the bytes are no Ed25519 private key in PKCS#8 DER.
    pub fn new(pkcs8: &[u8], key_id: &str, issuer: &str, audience: &str) -> Self {
        Self {
            key: jsonwebtoken::EncodingKey::from_ed_der(pkcs8),
            key_id: key_id.to_owned(),
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
        }
    }

    /// A token for an agency's subject, valid for so many seconds.
    ///
    /// # Errors
    /// When the key does not sign.
    pub fn token(
        &self,
        subject: &str,
        actor: &Actor,
        seconds: i64,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let now = jiff::Timestamp::now().as_second();
        self.sign(&serde_json::json!({
            "iss": self.issuer, "aud": self.audience, "sub": subject, "actor": actor,
            "iat": now, "nbf": now, "exp": now + seconds,
        }))
    }

    /// A token of any claims.
    ///
    /// # Errors
    /// When the key does not sign.
    pub fn sign(&self, claims: &serde_json::Value) -> Result<String, jsonwebtoken::errors::Error> {
        let mut header = jsonwebtoken::Header::new(Algorithm::EdDSA);
        header.kid = Some(self.key_id.clone());
        jsonwebtoken::encode(&header, claims, &self.key)
    }

    /// The issuer's key set, as its verifiers read it.
    ///
    /// # Errors
    /// When the key has no public form.
    pub fn key_set(&self) -> Result<serde_json::Value, jsonwebtoken::errors::Error> {
        let mut jwk = Jwk::from_encoding_key(&self.key, Algorithm::EdDSA)?;
        jwk.common.key_id = Some(self.key_id.clone());
        Ok(serde_json::json!({ "keys": [jwk] }))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    /// An Ed25519 private key in PKCS#8 (RFC 8410) of a fixed seed.
    fn issuer(seed: u8, name: &str) -> DevelopmentIssuer {
        let head =
            [0x30, 0x2e, 0x02, 0x01, 0, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
        DevelopmentIssuer::new(&[&head[..], &[seed; 32]].concat(), "key-1", name, "causeway")
    }

    #[tokio::test]
    async fn two_issuers_may_name_their_keys_alike() {
        let directory = tempfile::tempdir().unwrap();
        let issuers = [issuer(1, "https://one.example"), issuer(2, "https://two.example")];
        let trusted = issuers.iter().enumerate().map(|(number, issuer)| {
            let path = directory.path().join(format!("{number}.json"));
            std::fs::write(&path, issuer.key_set().unwrap().to_string()).unwrap();
            TrustedIssuer {
                issuer: issuer.issuer.clone(),
                audience: "causeway".to_owned(),
                keys: KeysAt::File(path),
            }
        });
        let (clock, limits) = (Clock::system(), Limits::new(NonZeroU32::MIN));
        let authenticator =
            Authenticator::start(trusted.collect(), Reference::default(), clock, limits).await.unwrap();
        let actor = Actor { id: "desk".to_owned(), kind: ActorKind::Human };
        let refusal =
            async |token: String| authenticator.authenticate(&token).await.unwrap_err().detail.unwrap();

        // Each key proves its own issuer: all that is missing is a directory.
        for issuer in &issuers {
            let refused = refusal(issuer.token("agency", &actor, 60).unwrap()).await;
            assert_eq!(refused, "the directory is not read to its end yet");
        }
        let impostor = issuer(1, "https://two.example").token("agency", &actor, 60).unwrap();
        assert_eq!(refusal(impostor).await, "the token is not valid: its signature is wrong");
    }
}
