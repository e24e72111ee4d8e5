//! What stands between a page and every other site.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tower_http::compression::CompressionLayer;

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

/// The pages of this origin, closed to every other.
pub fn guarded(pages: Router, origin: String) -> Router {
    pages
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
