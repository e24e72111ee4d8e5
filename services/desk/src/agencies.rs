//! The agencies that the directory knows, and which of them the desk is of.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chassis::seal::KeyPair;
use client::{Client, ClientError};
use directory::http::Listing;
use schemas::directory::Agency;
use schemas::ids::KeyId;
use serde::Deserialize;
use tokio::sync::Mutex;

/// Agencies come and go seldom.
const REFRESH: Duration = Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
pub enum WhoError {
    #[error("the token is none that reads: it has to be a JWT of the agency's issuer")]
    Token,
    #[error("the directory knows no agency by this token's issuer and subject")]
    Unknown,
    #[error(transparent)]
    Asked(#[from] ClientError),
}

/// Asked of the directory, and kept for a while.
pub struct Agencies {
    client: Client,
    known: Mutex<Option<(Instant, Arc<Vec<Agency>>)>>,
}

/// Who sits at the desk.
#[derive(Clone)]
pub struct Who {
    /// The person's opaque name.
    pub person: String,
    pub agency: Agency,
}

/// What of a token is read: the services judge it, not the desk.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    actor: Actor,
}

#[derive(Deserialize)]
struct Actor {
    id: String,
}

impl Agencies {
    pub fn new(client: Client) -> Self {
        Self { client, known: Mutex::default() }
    }

    /// # Errors
    /// When the directory does not answer.
    pub async fn all(&self) -> Result<Arc<Vec<Agency>>, ClientError> {
        let mut known = self.known.lock().await;
        if let Some((asked, agencies)) = &*known
            && asked.elapsed() < REFRESH
        {
            return Ok(Arc::clone(agencies));
        }
        let listing: Listing = self.client.get("/v1/directory?kind=agency").await?;
        let mut agencies: Vec<Agency> =
            listing.entries.into_iter().filter_map(|listed| listed.entry.agency).collect();
        agencies.sort_by(|one, other| one.id.cmp(&other.id));
        let agencies = Arc::new(agencies);
        *known = Some((Instant::now(), Arc::clone(&agencies)));
        Ok(agencies)
    }

    /// # Errors
    /// See [`WhoError`].
    pub async fn who(&self) -> Result<Who, WhoError> {
        let claims = claims(&self.client.token().read()?).ok_or(WhoError::Token)?;
        let agencies = self.all().await?;
        let is_it = |agency: &&Agency| agency.issuer == claims.iss && agency.subject == claims.sub;
        let agency = agencies.iter().find(is_it).ok_or(WhoError::Unknown)?.clone();
        Ok(Who { person: claims.actor.id, agency })
    }
}

impl Who {
    /// The first of the keys that the directory has of the agency, by its name there.
    pub fn key<'k>(&self, keys: &'k [KeyPair]) -> Option<(KeyId, &'k KeyPair)> {
        keys.iter().find_map(|pair| {
            let public = STANDARD.encode(pair.public_bytes());
            let known = self.agency.keys.iter().rev().find(|key| key.public_key == public)?;
            Some((known.key_id.clone(), pair))
        })
    }
}

fn claims(token: &str) -> Option<Claims> {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&bytes).ok()
}
