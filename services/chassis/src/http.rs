//! The HTTP shell around every service: health, metrics, traces, limits, and an orderly end.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use tokio::net::TcpListener;
use tracing::{Instrument, info};

use crate::auth::Authenticator;
use crate::problem::Problem;
use crate::telemetry;

/// Largest body of a request, where a page does not say otherwise: 2 MiB.
pub const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;
/// How long open requests may take to end after the stop sign.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// One condition of readiness: what it is called, and whether it holds.
pub type Check = (&'static str, Arc<dyn Fn() -> bool + Send + Sync>);

/// A service's pages with the shell around them.
pub fn shell(pages: Router, authenticator: Authenticator, checks: Vec<Check>) -> Router {
    let checks = Arc::new(checks);
    let ready = move || {
        let checks = Arc::clone(&checks);
        async move { readiness(&checks) }
    };
    Router::new()
        .merge(pages)
        .route("/health/live", get(|| async { "live" }))
        .route("/health/ready", get(ready))
        .route("/metrics", get(|| async { telemetry::metrics_page() }))
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async { Problem::malformed().detail("the address does not take this method") })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(Extension(authenticator))
        .layer(middleware::from_fn(trace))
}

fn readiness(checks: &[Check]) -> Response {
    let missing: Vec<&str> = checks.iter().filter(|(_, holds)| !holds()).map(|(name, _)| *name).collect();
    let status = if missing.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(serde_json::json!({ "ready": missing.is_empty(), "waiting_for": missing }))).into_response()
}

async fn trace(request: Request, next: Next) -> Response {
    let traceparent =
        request.headers().get(telemetry::TRACEPARENT).and_then(|value| value.to_str().ok()).map(str::to_owned);
    // The route, never the address: ids of incidents stay out of telemetry.
    let route = request.extensions().get::<axum::extract::MatchedPath>().map_or("", |path| path.as_str()).to_owned();
    let span = tracing::info_span!("http", method = %request.method(), route, status = tracing::field::Empty);
    async move {
        telemetry::adopt(traceparent.as_deref());
        let response = next.run(request).await;
        tracing::Span::current().record("status", response.status().as_u16());
        response
    }
    .instrument(span)
    .await
}

/// Serves until the stop sign, then lets open requests end.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let address = listener.local_addr()?;
    info!(%address, "serving http");
    let (stopped, mut draining) = tokio::sync::watch::channel(false);
    let signal = async move {
        stop.await;
        let _ = stopped.send(true);
    };
    let serving = axum::serve(listener, router).with_graceful_shutdown(signal).into_future();
    tokio::select! {
        served = serving => served,
        () = async {
            // Whoever holds a stream open is cut off in the end.
            let _ = draining.wait_for(|stopped| *stopped).await;
            tokio::time::sleep(DRAIN_TIMEOUT).await;
        } => Ok(()),
    }
}

/// # Errors
/// When the address is taken or not this machine's.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}
