//! The pages that people see: rendered here, whole without scripts, and kept up to date by one.

mod assets;
mod atlas;
mod failure;
mod incident;
mod incidents;
mod overview;
mod services;
mod session;
mod shell;
mod shown;
mod sign_in;
mod words;
mod work;

use axum::Router;
use axum::extract::{FromRef, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum_extra::extract::cookie::Key;
use chassis::reference::Reference;
use tower_http::compression::CompressionLayer;

use crate::looks::Looks;
use crate::settings::PageSettings;
use services::Services;
use sign_in::Provider;

/// Before the address of every page.
pub const BASE: &str = "/dashboard";
/// The list of all incidents; below it stand their pages.
pub const INCIDENTS: &str = "/dashboard/incidents";

/// Nothing from elsewhere, nothing inline, and nobody around it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Said with every page, and with what belongs to it.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

/// What every page needs.
#[derive(Clone)]
pub(crate) struct Web {
    looks: Looks,
    reference: Reference,
    provider: Provider,
    services: Services,
    session_key: Key,
}

impl FromRef<Web> for Key {
    fn from_ref(web: &Web) -> Self {
        web.session_key.clone()
    }
}

pub fn pages(looks: Looks, reference: Reference, settings: PageSettings) -> Router {
    let origin = settings.address.origin().ascii_serialization();
    let session_key = settings.session_key.clone();
    let services = Services::new(settings.services.clone());
    let web = Web { looks, reference, provider: Provider::new(settings), services, session_key };
    let pages = Router::new()
        .route("/", get(overview::page))
        .route("/overview/stream", get(overview::stream))
        .route("/incidents", get(incidents::page))
        .route("/incidents/{incident}", get(incident::page))
        .route("/incidents/{incident}/trail", get(incident::trail))
        .route("/incidents/{incident}/lead", post(work::record_lead))
        .route("/incidents/{incident}/assignments/{assignment}/revoke", post(work::revoke))
        .route("/incidents/{incident}/children/{child}/invitations", post(work::invite))
        .route("/sign-in", get(sign_in::begin))
        .route("/signed-in", get(sign_in::end))
        .route("/sign-out", post(session::sign_out))
        .route("/signed-out", get(session::signed_out))
        .route("/language/{language}", get(shell::choose_language))
        .route("/assets/{name}", get(assets::asset))
        .fallback(failure::no_such_page)
        .with_state(web);
    Router::new()
        .nest(BASE, pages)
        .layer(middleware::from_fn_with_state(origin, from_here))
        .layer(middleware::map_response(with_headers))
        .layer(CompressionLayer::new())
}

/// Whatever changes something is asked for by one of these pages: browsers say where a request comes from, and a page
/// elsewhere cannot make them say otherwise.
async fn from_here(State(origin): State<String>, request: Request, next: Next) -> Response {
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    let said = request.headers().get(header::ORIGIN).and_then(|value| value.to_str().ok());
    if changes && said != Some(origin.as_str()) {
        return (StatusCode::FORBIDDEN, "this is asked for from another site\n").into_response();
    }
    next.run(request).await
}

async fn with_headers(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    // Assets have a tag to be asked for again by; what a person sees is kept nowhere.
    if !response.headers().contains_key(header::ETAG) {
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}
