//! Problem documents (RFC 9457): every error an HTTP client sees, with what to do next.
//!
//! `type` is stable: `/problems/<code>`, documented in `docs/errors/<code>.md`.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemas::codes::RejectionCode;
use serde::{Deserialize, Serialize};

/// How the detail of a rejection begins, before its code.
const REASON: &str = "reason: ";

/// A problem as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// `/problems/<code>`; stable.
    #[serde(rename = "type")]
    pub kind: Box<str>,
    pub title: Box<str>,
    pub status: u16,
    /// What is wrong this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What the caller can do.
    pub next: Box<str>,
    /// The fields at fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Where to ask again, for an answer that is still under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u32>,
}

/// One field at fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) into the request's body, or the name of a header or query parameter.
    pub pointer: String,
    pub detail: String,
}

/// The problems there are: code, status, title, what to do next. One page each in `docs/errors/`.
macro_rules! problems {
    ($($name:ident = $code:literal, $status:ident, $title:literal, $next:literal;)+) => {
        impl Problem {
            $(pub fn $name() -> Self {
                Self::new($code, StatusCode::$status, $title, $next)
            })+
        }

        /// Every problem's code, for the documentation's test.
        pub const CODES: &[&str] = &[$($code,)+];
    };
}

problems! {
    malformed = "malformed", BAD_REQUEST, "The request cannot be read",
        "Mend the request at the place named and send it again.";
    unauthenticated = "unauthenticated", UNAUTHORIZED, "No valid token",
        "Get a token from your agency's identity provider and send it as `Authorization: Bearer`.";
    forbidden = "forbidden", FORBIDDEN, "Not for this agency's role",
        "Ask an agency whose kind may do this.";
    not_found = "not-found", NOT_FOUND, "There is no such thing for you",
        "Check the id; what your assignments do not entitle you to does not exist for you.";
    method_not_allowed = "method-not-allowed", METHOD_NOT_ALLOWED, "The address does not take this method",
        "See the Allow header, or /openapi.json, for the methods it takes.";
    key_missing = "idempotency-key-missing", BAD_REQUEST, "Idempotency-Key is missing",
        "Send an Idempotency-Key header: one value per thing you want done, the same when you send it again.";
    key_reused = "key-reused", UNPROCESSABLE_ENTITY, "The same key asked for something else before",
        "Use a new key or reference for a new request; send the same body again to get the first answer.";
    rejected = "rejected", CONFLICT, "The command was rejected",
        "See the reason; the attempt is on record.";
    failed = "command-failed", INTERNAL_SERVER_ERROR, "The command could not be decided",
        "Nothing was done. An operator finds the record in the dead-letter topic; send it under a new key once mended.";
    invalid = "invalid", UNPROCESSABLE_ENTITY, "A field is not valid",
        "Mend the fields named and send it again.";
    too_large = "too-large", PAYLOAD_TOO_LARGE, "The request is too large",
        "Send less in one request; the limit is named in the detail.";
    too_slow = "too-slow", REQUEST_TIMEOUT, "The request came too slowly",
        "Send the same request again, its body without long pauses; the limit is named in the detail.";
    unavailable = "unavailable", SERVICE_UNAVAILABLE, "Not reachable for now",
        "Send the same request again after the time named: it is done at most once.";
    too_many = "too-many-requests", TOO_MANY_REQUESTS, "Too many requests at once",
        "Send the same request again after the time named.";
    internal = "internal", INTERNAL_SERVER_ERROR, "Something broke here",
        "Send the same request again; if it stays, tell the operator the time.";
    not_for_development = "development-only", NOT_FOUND, "This is for development only",
        "Start the service with development.clock = true to use it.";
    needs_a_person = "needs-a-person", FORBIDDEN, "A person must do this",
        "Use a token whose actor is a human.";
}

impl Problem {
    fn new(code: &str, status: StatusCode, title: &str, next: &str) -> Self {
        Self {
            kind: format!("/problems/{code}").into(),
            title: title.into(),
            status: status.as_u16(),
            detail: None,
            next: next.into(),
            errors: Vec::new(),
            retry_after_seconds: None,
        }
    }

    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    #[must_use]
    pub fn field(mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        self.errors.push(FieldError { pointer: pointer.into(), detail: detail.into() });
        self
    }

    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// Whether it says what came of a command, and not that nobody knows yet.
    pub fn is_of_the_outcome(&self) -> bool {
        self.status < 500 && self.status != 429
    }

    /// The problem's code: the last part of its type.
    pub fn code(&self) -> &str {
        self.kind.rsplit('/').next().unwrap_or_default()
    }

    /// The rejection's code, where it is one.
    pub fn reason(&self) -> Option<&str> {
        self.detail.as_deref()?.strip_prefix(REASON)
    }

    /// What a rejection looks like over HTTP. What one may not see does not exist.
    pub fn of_rejection(code: RejectionCode, pointer: Option<&str>) -> Self {
        let problem = match code {
            RejectionCode::UnknownIncident
            | RejectionCode::UnknownAssignment
            | RejectionCode::NotEntitled
            | RejectionCode::NotYourAssignment
            | RejectionCode::UnknownFacet
            | RejectionCode::UnknownRetraction
            | RejectionCode::UnknownAssessment
            | RejectionCode::UnknownHold
            | RejectionCode::UnknownRequest
            | RejectionCode::UnknownChild
            | RejectionCode::UnknownEntry
            | RejectionCode::UnknownMatch
            | RejectionCode::UnknownProposal => return Self::not_found(),
            RejectionCode::NeedsAPerson => return Self::needs_a_person(),
            RejectionCode::KeyReused | RejectionCode::ReferenceConflict => return Self::key_reused(),
            RejectionCode::Invalid
            | RejectionCode::UnknownAgency
            | RejectionCode::UnknownKey
            | RejectionCode::Incomplete
            | RejectionCode::NoLegalBasis
            | RejectionCode::GroundNotAvailable => Self::invalid(),
            RejectionCode::CoordinatorCannotWiden
            | RejectionCode::NotYourStep
            | RejectionCode::NotCustodian => Self::forbidden(),
            // Each by name: a code that is new must say here whether it tells that something is there.
            RejectionCode::WrongState
            | RejectionCode::NeedsSecondPerson
            | RejectionCode::NeedsOtherIssuer
            | RejectionCode::OtherStateConcerned
            | RejectionCode::NotEmpty
            | RejectionCode::TransferNotAllowed
            | RejectionCode::Erased
            | RejectionCode::Withdrawn
            | RejectionCode::ConsultationNeeded
            | RejectionCode::AlreadyExtended
            | RejectionCode::PeriodOver
            | RejectionCode::ConditionsNotAgreed
            | RejectionCode::UnknownOffer
            | RejectionCode::UnknownLink
            | RejectionCode::UnknownSeries
            | RejectionCode::Unchanged
            | RejectionCode::CustodyHeld
            | RejectionCode::OfferOpen
            | RejectionCode::NotSilent
            | RejectionCode::Linked
            | RejectionCode::LinkOpen
            | RejectionCode::TooMany
            | RejectionCode::NobodyOnDuty
            | RejectionCode::Restricted => Self::rejected(),
        };
        let problem = problem.detail(format!("{REASON}{code}"));
        match pointer {
            Some(pointer) => problem.field(pointer, code.to_string()),
            None => problem,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after_seconds;
        let mut response = (status, axum::Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.title, self.code())?;
        if let Some(detail) = &self.detail {
            write!(f, ": {detail}")?;
        }
        for error in &self.errors {
            write!(f, "\n  {}: {}", error.pointer, error.detail)?;
        }
        write!(f, "\n{}", self.next)
    }
}

/// An error with its causes, on one line: the form in which it is logged, once.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
