//! For development only: keys, tokens, a clock that can be moved, and a provider to sign in at.

pub mod provider;

use anyhow::Context as _;
use axum::routing::get;
use axum::{Json, Router};
use chassis::auth::{Caller, DevelopmentIssuer};
use chassis::clock::Clock;
use chassis::http::Body;
use chassis::problem::Problem;
use schemas::Timestamp;
use serde::{Deserialize, Serialize};

/// The audience of tokens in development.
pub const AUDIENCE: &str = "causeway";

/// The moment that commands are given at.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moment {
    pub now: Timestamp,
}

/// Reads and moves the clock; there is no such page without `development.clock = true`.
pub fn clock_page(clock: Clock) -> Router {
    let read = clock.clone();
    let show = move |_: Caller| std::future::ready(Json(Moment { now: read.now() }));
    let set = move |_: Caller, Body(moment): Body<Moment>| {
        std::future::ready(match clock.set(moment.now) {
            Ok(()) => Ok(Json(moment)),
            Err(_) => Err(Problem::not_for_development()),
        })
    };
    Router::new().route("/development/clock", get(show).put(set))
}

/// A secret of 32 random bytes, as the hex that settings read.
pub fn secret() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}

/// An Ed25519 private key in PKCS#8 DER (RFC 8410): a fixed head and 32 random bytes.
pub fn issuer_key() -> Vec<u8> {
    const HEAD: [u8; 16] =
        [0x30, 0x2e, 0x02, 0x01, 0, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    let seed: [u8; 32] = rand::random();
    [&HEAD[..], &seed].concat()
}

/// The development issuer whose key stands hex-encoded in a file.
///
/// # Errors
/// When the file does not read.
pub fn issuer(key_file: &std::path::Path, issuer: &str) -> anyhow::Result<DevelopmentIssuer> {
    let text = std::fs::read_to_string(key_file)
        .with_context(|| format!("failed to read {}", key_file.display()))?;
    let key = hex::decode(text.trim()).with_context(|| format!("{} holds no hex", key_file.display()))?;
    Ok(DevelopmentIssuer::new(&key, issuer, issuer, AUDIENCE))
}
