//! Who comes in: a browser on this machine that was given the address with its secret, and no other page in it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::SameSite;
use chassis::http::Query;
use pages::shell::cookie;
use rand::Rng as _;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::BASE;

/// Comes back to this very name alone, and is shared with no name above or below it (RFC 6265bis, `__Host-`). To every
/// port of the name, though: so no other server of this machine ever had the name.
const SESSION: &str = "__Host-causeway-desk";
/// Sites by which a page of its own, or a person, asks (Fetch Metadata, `Sec-Fetch-Site`).
const OWN: [&str; 2] = ["same-origin", "none"];

/// One name and one secret for as long as the desk runs. The name always means this machine (RFC 6761, 6.3).
pub struct Door {
    /// With its port.
    name: String,
    secret: String,
}

#[derive(Deserialize)]
pub struct Entering {
    secret: String,
}

impl Door {
    pub fn new(port: u16) -> Self {
        let mut random = rand::rng();
        let label = hex::encode(random.random::<[u8; 8]>());
        let secret = hex::encode(random.random::<[u8; 32]>());
        Self { name: format!("desk-{label}.localhost:{port}"), secret }
    }

    pub fn origin(&self) -> String {
        format!("http://{}", self.name)
    }

    /// Where a browser enters.
    pub fn entrance(&self) -> String {
        format!("{}/enter?secret={}", self.origin(), self.secret)
    }

    fn is_called_by_its_own(&self, headers: &HeaderMap) -> bool {
        let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        said("host") == Some(self.name.as_str())
            && said("sec-fetch-site").is_none_or(|site| OWN.contains(&site))
    }

    /// By digests, so that how long it takes tells nothing.
    fn is_secret(&self, given: &str) -> bool {
        Sha256::digest(given) == Sha256::digest(&self.secret)
    }
}

/// Turns away whoever calls the machine by another name: that is a page elsewhere whose name was made to mean this
/// machine (DNS rebinding). And what a page elsewhere has the browser ask for.
pub async fn by_name(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    if !door.is_called_by_its_own(request.headers()) {
        return (StatusCode::FORBIDDEN, "the desk answers its own pages alone\n").into_response();
    }
    next.run(request).await
}

/// Turns away whoever does not know the secret: other people and programs of this machine.
pub async fn with_the_secret(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let jar = CookieJar::from_headers(request.headers());
    if !jar.get(SESSION).is_some_and(|cookie| door.is_secret(cookie.value())) {
        return not_in();
    }
    next.run(request).await
}

/// The secret is taken out of the address at once.
pub async fn enter(
    State(door): State<Arc<Door>>,
    Query(entering): Query<Entering>,
    headers: HeaderMap,
) -> Response {
    if !door.is_secret(&entering.secret) {
        return not_in();
    }
    let mut session = cookie(SESSION, entering.secret, BASE);
    session.set_same_site(SameSite::Strict);
    (CookieJar::from_headers(&headers).add(session), Redirect::to("/")).into_response()
}

fn not_in() -> Response {
    (StatusCode::UNAUTHORIZED, "open the address that `causeway desk` has printed\n").into_response()
}
