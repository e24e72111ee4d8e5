//! The HTTP shell around every service: health, metrics, traces, limits, and an orderly end.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use audit_log::command::SignedCommand;
use axum::body::Bytes;
use axum::extract::multipart::MultipartRejection;
use axum::extract::{self, DefaultBodyLimit, FromRequest, FromRequestParts, Multipart, Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use schemas::codes::RejectionCode;
use schemas::ids::CommandId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tracing::{Instrument, info};
use utoipa::ToSchema;

use crate::auth::{Authenticator, Caller};
use crate::decider::Service;
use crate::fold::Verdict;
use crate::front::{self, Answer, Front, Position};
use crate::limits::BodyTime;
use crate::problem::Problem;
use crate::receipts::{Promised, Receipts, promise};
use crate::{meters, signature, telemetry};

mod leftover;

/// Largest body of a request, where a page does not say otherwise: 2 MiB.
pub const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;
/// How long open requests may take to end after the stop sign.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// One condition of readiness: what it is called, and whether it holds.
pub type Check = (&'static str, Arc<dyn Fn() -> bool + Send + Sync>);

/// A service's pages with the shell around them.
pub fn shell(
    pages: Router,
    authenticator: Authenticator,
    body_time: BodyTime,
    receipts: Receipts,
    checks: Vec<Check>,
) -> Router {
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
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(Extension(authenticator))
        .layer(Extension(body_time))
        .layer(middleware::from_fn(leftover::take_in))
        .layer(middleware::from_fn_with_state(receipts, promise))
        .layer(middleware::from_fn(trace))
}

fn readiness(checks: &[Check]) -> Response {
    let missing: Vec<&str> = checks.iter().filter(|(_, holds)| !holds()).map(|(name, _)| *name).collect();
    let status = if missing.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(serde_json::json!({ "ready": missing.is_empty(), "waiting_for": missing }))).into_response()
}

async fn trace(request: Request, next: Next) -> Response {
    let traceparent = request
        .headers()
        .get(telemetry::TRACEPARENT)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    // The route, never the address: ids of incidents stay out of telemetry.
    let route =
        request.extensions().get::<axum::extract::MatchedPath>().map_or("", |path| path.as_str()).to_owned();
    if route.starts_with("/health/") || route == "/metrics" {
        return next.run(request).await;
    }
    let method = request.method().clone();
    let span = tracing::info_span!("http", otel.name = format!("{method} {route}"), otel.kind = "server",
        http.request.method = %method, http.route = %route, http.response.status_code = tracing::field::Empty);
    telemetry::adopt(&span, traceparent.as_deref());
    async move {
        let begun = Instant::now();
        let response = next.run(request).await;
        let status = response.status().as_u16();
        meters::request(method.as_str(), &route, status, begun.elapsed());
        tracing::Span::current().record("http.response.status_code", status);
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
    // A router that is served by itself is copied for each connection, page by page.
    let pages = router.into_make_service();
    let serving = axum::serve(listener, pages).with_graceful_shutdown(signal).into_future();
    tokio::select! {
        served = serving => served,
        () = async {
            // Whoever holds a stream open is cut off in the end.
            let _ = draining.wait_for(|stopped| *stopped).await;
            tokio::time::sleep(DRAIN_TIMEOUT).await;
        } => Ok(()),
    }
}

/// An address's parts: one that cannot be an id is nothing that there is.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = extract::Path::<T>::from_request_parts(parts, state).await;
        read.map(|extract::Path(parts)| Self(parts)).map_err(|_| Problem::not_found())
    }
}

/// A query, read strictly.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = extract::Query::<T>::from_request_parts(parts, state).await;
        read.map(|extract::Query(query)| Self(query)).map_err(|rejection| wrong_query(&rejection.body_text()))
    }
}

/// Names the parameter at fault: the rejection says `<what it is>: <parameter>: <what serde says>`.
fn wrong_query(text: &str) -> Problem {
    let said = text.split_once(": ").map_or(text, |(_, said)| said);
    let (parameter, said) = said.split_once(": ").unwrap_or(("query", said));
    let detail = told(said);
    let known = detail != said || said.starts_with("duplicate field");
    let detail = if known { detail } else { "not a value of this parameter".to_owned() };
    Problem::malformed().field(named(said).unwrap_or(parameter), detail)
}

/// A body as it came, within the limit.
pub struct Raw(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        whole(request, state).await.map(|(bytes, _)| Self(bytes))
    }
}

/// A body, held against the signature of its request, with what came before it.
async fn whole<S: Send + Sync>(request: Request, state: &S) -> Result<(Bytes, Parts), Problem> {
    let time = request.extensions().get::<BodyTime>().copied().unwrap_or(BodyTime::DEFAULT);
    let (parts, body) = request.into_parts();
    let read = Bytes::from_request(Request::from_parts(parts.clone(), body), state);
    let read = time.within(read).await?.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::too_large().detail(format!("a request's body may have {MAX_BODY_BYTES} bytes"))
        }
        _ => Problem::malformed().detail("the body could not be read"),
    })?;
    signature::check_body(&parts.extensions, &read)?;
    Ok((read, parts))
}

/// A form in several parts: read as it comes, or, where the request is signed, once all of it is held against that.
pub struct Form(pub Result<Multipart, MultipartRejection>);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let request = match request.extensions().get::<SignedCommand>() {
            Some(_) => {
                let (bytes, parts) = whole(request, state).await?;
                Request::from_parts(parts, bytes.into())
            }
            None => request,
        };
        Ok(Self(Multipart::from_request(request, state).await))
    }
}

/// A JSON body, read strictly: what is wrong is told with its place.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let Raw(bytes) = Raw::from_request(request, state).await?;
        parse(&bytes).map(Self)
    }
}

/// Reads JSON strictly.
///
/// # Errors
/// A problem that names the field by its JSON pointer, and never repeats what stands in it.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // Serde would take a list for an object, its fields in their order.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(Problem::invalid().field("", "expected an object"));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let mut pointer = pointer_of(error.path());
        let inner = error.into_inner();
        let text = inner.to_string();
        // Of these the path is that of the object.
        if text.starts_with("missing field") || text.starts_with("duplicate field") {
            pointer.extend(named(&text).map(|field| format!("/{field}")));
        }
        let problem = if inner.is_data() { Problem::invalid() } else { Problem::malformed() };
        problem.field(pointer, told(&text))
    })?;
    reader.end().map_err(|_| Problem::malformed().field("", "something follows the JSON value"))?;
    Ok(value)
}

fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let segment = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        // A variant is the caller's value, not a place: where it stands is its field.
        Segment::Enum { .. } | Segment::Unknown => String::new(),
    };
    path.iter().map(segment).collect()
}

/// The field that serde names in a message about one.
fn named(text: &str) -> Option<&str> {
    let of_a_field =
        ["missing field", "duplicate field", "unknown field"].iter().any(|of| text.starts_with(of));
    text.split('`').nth(1).filter(|_| of_a_field)
}

/// What serde says, without the values it quotes: those are the caller's, and may identify a person.
fn told(text: &str) -> String {
    let text = text.rsplit_once(" at line ").map_or(text, |(text, _)| text);
    match text.strip_prefix("invalid type: ").or_else(|| text.strip_prefix("invalid value: ")) {
        Some(rest) => rest.rsplit_once("expected ").map_or_else(
            || "a value of another type is expected".to_owned(),
            |(_, expected)| format!("expected {}", plainly(expected)),
        ),
        None if text.starts_with("unknown variant") => text
            .rsplit_once("`, expected")
            .map_or("unknown value".to_owned(), |(_, expected)| format!("unknown value, expected{expected}")),
        None if text.starts_with("unknown field") => text
            .rsplit_once("`, expected")
            .map_or("unknown field".to_owned(), |(_, expected)| format!("unknown field, expected{expected}")),
        None => text.to_owned(),
    }
}

/// In the words of JSON what serde says in those of Rust.
fn plainly(expected: &str) -> &str {
    match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "i32" | "i64" | "u32" | "u64" => "a whole number within its range",
        "a sequence" => "a list",
        "a map" => "an object",
        _ if expected.starts_with("struct ") => "an object",
        _ => expected,
    }
}

/// The answer to a command: done, with a position token; or durable and under way, with where to ask again.
pub fn answered<S: Service>(answer: &Answer, done: StatusCode, body: &impl Serialize) -> Response {
    match answer {
        Answer::Done { outcome, again } => {
            let status = if *again { StatusCode::OK } else { done };
            let mut response = (status, Json(body)).into_response();
            response.headers_mut().insert(front::POSITION, Position::of::<S>(outcome).header());
            if let Some(promised) = Promised::by::<S>(answer) {
                response.extensions_mut().insert(promised);
            }
            response
        }
        Answer::Pending(command) => {
            let address = format!("/v1/{}/commands/{command}", S::NAME);
            let pending = Pending { command_id: *command, status: address.clone() };
            (StatusCode::ACCEPTED, [(header::LOCATION, address)], Json(pending)).into_response()
        }
    }
}

/// What came of a command, for whoever gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Came {
    Done,
    /// It is durable, and not decided yet.
    Pending,
}

impl Came {
    /// By the status of an answer that is no problem.
    pub fn by(status: StatusCode) -> Self {
        if status == StatusCode::ACCEPTED { Self::Pending } else { Self::Done }
    }
}

/// A command that is durable and not answered yet.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Pending {
    pub command_id: CommandId,
    /// Where its outcome will stand.
    pub status: String,
}

/// How a command stands.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CommandStatus {
    pub command_id: CommandId,
    /// `done`, `rejected`, `failed`, or `pending` while nothing is known of it here yet.
    pub verdict: String,
    /// Why it was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<RejectionCode>,
    /// Where the event stands that answers it, as a position token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
}

/// Where a command's outcome stands once it has one: `/v1/<service>/commands/{command}`.
pub fn status_page<S: Service>(front: Front<S>) -> Router {
    let page = |caller: Caller, State(front): State<Front<S>>, Path(command_id): Path<CommandId>| async move {
        let status = |verdict: &str, reason, position| CommandStatus {
            command_id,
            verdict: verdict.to_owned(),
            reason,
            position,
        };
        // Ids of commands can be computed: another agency's is as good as unknown.
        let outcome = front.outcome(command_id)?.filter(|outcome| outcome.agency == caller.agency.id);
        let position = outcome.as_ref().map(|outcome| Position::of::<S>(outcome).to_string());
        Ok::<_, Problem>(Json(match outcome.map(|outcome| outcome.verdict) {
            None => status("pending", None, None),
            Some(Verdict::Done) => status("done", None, position),
            Some(Verdict::Rejected { code, .. }) => status("rejected", Some(code), position),
            Some(Verdict::Failed { .. }) => status("failed", None, position),
        }))
    };
    Router::new().route(&format!("/v1/{}/commands/{{command}}", S::NAME), get(page)).with_state(front)
}
