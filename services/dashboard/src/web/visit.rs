//! A coordinator who looks at a page.

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::Method;
use axum::http::request::Parts;
use chassis::auth::Caller;
use pages::shell::{Language, Shell};
use schemas::codes::AgencyKind;

use super::failure::Failure;
use super::session::SignedIn;
use super::{BASE, DIRECTORY, Web};

pub struct Visit {
    pub caller: Caller,
    pub token: String,
    pub shell: Shell,
}

impl FromRequestParts<Web> for Visit {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Failure> {
        let Ok(Language(words)) = Language::from_request_parts(parts, web).await;
        let Ok(OriginalUri(uri)) = OriginalUri::from_request_parts(parts, web).await;
        let by_form = !matches!(parts.method, Method::GET | Method::HEAD);
        let address = if by_form { page_of(uri.path()) } else { uri.to_string() };
        let mut shell = Shell { words, base: BASE, signed_in: None, address, by_form };
        let SignedIn { caller, token } = match SignedIn::from_request_parts(parts, web).await {
            Ok(signed_in) => signed_in,
            Err(problem) => return Err(Failure::of(shell, problem)),
        };
        shell.signed_in = Some((caller.actor.id.clone(), caller.agency.id.to_string()));
        match caller.must_be(&[AgencyKind::Coordinator]) {
            Ok(()) => Ok(Self { caller, token, shell }),
            Err(problem) => Err(Failure::not_a_coordinator(shell, problem)),
        }
    }
}

/// The page that a form was sent from: forms have none of their own.
fn page_of(form: &str) -> String {
    if form.starts_with(DIRECTORY) {
        return DIRECTORY.to_owned();
    }
    form.split('/').take("/dashboard/incidents/{incident}".split('/').count()).collect::<Vec<_>>().join("/")
}
