//! An OpenID provider at which everybody is whom they say they are: for development only.
//!
//! It does what the dashboard's sign-in needs and no more; the tests sign in at a provider that nobody here wrote. Its
//! id tokens are its own; its access tokens are those of the example's issuers, as the directory knows them.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context as _;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chassis::auth::DevelopmentIssuer;
use parking_lot::Mutex;
use reqwest::Url;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

use super::issuer_key;
use crate::example::World;

/// The client that may send people here.
const CLIENT: &str = "causeway-dashboard";
/// How long what it says holds: a working day.
const SECONDS: i64 = 12 * 3_600;

struct Provider {
    world: World,
    issuer: DevelopmentIssuer,
    /// By what its documents call it, which is where it answers.
    name: String,
    /// Where people are sent back to.
    back: String,
    given: Mutex<HashMap<String, Given>>,
}

/// What a code stands for, until it is asked for.
struct Given {
    agency: String,
    nonce: String,
    challenge: String,
}

#[derive(Clone, Deserialize)]
struct Asked {
    client_id: String,
    redirect_uri: String,
    state: String,
    nonce: String,
    code_challenge: String,
    code_challenge_method: String,
    /// Who it is, once somebody has said so.
    agency: Option<String>,
}

#[derive(Deserialize)]
struct Exchange {
    code: String,
    code_verifier: String,
}

/// Answers until the process ends.
///
/// # Errors
/// When its own address cannot be told.
pub fn serve(world: World, listener: TcpListener, back: String) -> anyhow::Result<String> {
    let name = format!("http://{}", listener.local_addr().context("the provider has no address")?);
    let issuer = DevelopmentIssuer::new(&issuer_key(), &name, &name, CLIENT);
    let given = Mutex::default();
    let provider = Arc::new(Provider { world, issuer, name: name.clone(), back, given });
    let pages = Router::new()
        .route("/.well-known/openid-configuration", get(configuration))
        .route("/authorize", get(authorize))
        .route("/token", post(token))
        .route("/keys", get(keys))
        .with_state(provider);
    tokio::spawn(async move { axum::serve(listener, pages).await });
    Ok(name)
}

async fn configuration(State(provider): State<Arc<Provider>>) -> Json<serde_json::Value> {
    let name = &provider.name;
    Json(json!({
        "issuer": name,
        "authorization_endpoint": format!("{name}/authorize"),
        "token_endpoint": format!("{name}/token"),
        "jwks_uri": format!("{name}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
        "code_challenge_methods_supported": ["S256"],
    }))
}

async fn keys(State(provider): State<Arc<Provider>>) -> Response {
    match provider.issuer.key_set() {
        Ok(keys) => Json(keys).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Asks who it is, and sends whoever has said so back with a code.
async fn authorize(State(provider): State<Arc<Provider>>, Query(asked): Query<Asked>) -> Response {
    let fits = asked.client_id == CLIENT
        && asked.redirect_uri == provider.back
        && asked.code_challenge_method == "S256";
    let Ok(here) = Url::parse_with_params(&format!("{}/authorize", provider.name), asked.pairs()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    if !fits {
        return (StatusCode::BAD_REQUEST, "this provider knows the example's dashboard alone\n")
            .into_response();
    }
    let Some(agency) = asked.agency else { return provider.people(&here).into_response() };
    let code = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let back = Url::parse_with_params(&provider.back, [("code", &code), ("state", &asked.state)]);
    let given = Given { agency, nonce: asked.nonce, challenge: asked.code_challenge };
    provider.given.lock().insert(code, given);
    back.map_or_else(
        |_| StatusCode::BAD_REQUEST.into_response(),
        |back| Redirect::to(back.as_str()).into_response(),
    )
}

async fn token(State(provider): State<Arc<Provider>>, Form(exchange): Form<Exchange>) -> Response {
    let given = provider.given.lock().remove(&exchange.code);
    let proof = URL_SAFE_NO_PAD.encode(Sha256::digest(&exchange.code_verifier));
    let Some(given) = given.filter(|given| given.challenge == proof) else {
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))).into_response();
    };
    let now = jiff::Timestamp::now().as_second();
    let claims = json!({
        "iss": provider.name, "aud": CLIENT, "sub": given.agency, "nonce": given.nonce,
        "iat": now, "exp": now + SECONDS,
    });
    let tokens = (|| {
        anyhow::Ok(json!({
            "access_token": provider.world.token(&given.agency, "developer")?,
            "id_token": provider.issuer.sign(&claims)?,
            "token_type": "Bearer",
            "expires_in": SECONDS,
        }))
    })();
    match tokens {
        Ok(tokens) => Json(tokens).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}

impl Asked {
    fn pairs(&self) -> [(&'static str, &str); 6] {
        [
            ("client_id", &self.client_id),
            ("redirect_uri", &self.redirect_uri),
            ("state", &self.state),
            ("nonce", &self.nonce),
            ("code_challenge", &self.code_challenge),
            ("code_challenge_method", &self.code_challenge_method),
        ]
    }
}

impl Provider {
    /// Everybody in the example, coordinators first. What stands in a link is percent-encoded, and agencies' ids are
    /// plain letters.
    fn people(&self, here: &Url) -> Html<String> {
        let mut agencies: Vec<_> = self.world.agencies().iter().collect();
        agencies.sort_by_key(|agency| agency.kind != schemas::codes::AgencyKind::Coordinator);
        let line = |agency: &&schemas::directory::Agency| {
            let mut link = here.clone();
            link.query_pairs_mut().append_pair("agency", agency.id.as_str());
            let link = link.as_str().replace('&', "&amp;");
            format!("<li><a href=\"{link}\">{}</a> ({}, {})", agency.id, agency.kind, agency.country)
        };
        let lines: String = agencies.iter().map(line).collect();
        Html(format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Who are you?</title>\
             <h1>Who are you?</h1><p>For development only: nobody is asked for a password.<ul>{lines}</ul>"
        ))
    }
}
