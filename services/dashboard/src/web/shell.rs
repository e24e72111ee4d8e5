//! What is around every page: whose it is, and in which language.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::request::Parts;
use axum::http::{Method, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use chassis::auth::Caller;
use chassis::http::{Path, Query};
use chassis::problem::Problem;
use schemas::codes::AgencyKind;
use serde::Deserialize;

use super::failure::Failure;
use super::session::{self, SignedIn};
use super::words::Words;
use super::{BASE, Web};

const LANGUAGE: &str = "__Secure-causeway-language";

/// What the frame of a page shows.
pub struct Shell {
    pub words: &'static Words,
    /// Who has signed in: the person's opaque name, and the agency.
    pub signed_in: Option<(String, String)>,
    /// Where the page stands, for whoever chooses another language or signs in.
    pub address: String,
    /// Whether it is the answer to a form.
    pub by_form: bool,
}

impl Shell {
    pub fn of_nobody(words: &'static Words) -> Self {
        Self { words, signed_in: None, address: BASE.to_owned(), by_form: false }
    }

    /// Whether the page is this one, whatever is asked of it.
    pub fn is_at(&self, path: &str) -> bool {
        self.address.split('?').next() == Some(path)
    }

    pub fn languages(&self) -> &'static [Words] {
        Words::all()
    }
}

/// The language of who asks: as chosen, or as the browser has it.
pub struct Language(pub &'static Words);

impl<S: Send + Sync> FromRequestParts<S> for Language {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let jar = CookieJar::from_headers(&parts.headers);
        let chosen = jar.get(LANGUAGE).and_then(|cookie| Words::named(cookie.value()));
        let accepted = parts.headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        Ok(Self(chosen.unwrap_or_else(|| Words::asked_for(accepted.unwrap_or_default()))))
    }
}

/// A coordinator who looks at a page.
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
        let mut shell = Shell { words, signed_in: None, address, by_form };
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

/// The incident's page, where a form of it was sent to: forms have none of their own.
fn page_of(form: &str) -> String {
    form.split('/').take("/dashboard/incidents/{incident}".split('/').count()).collect::<Vec<_>>().join("/")
}

#[derive(Deserialize)]
pub struct Next {
    next: Option<String>,
}

impl Next {
    /// One of these pages, and none elsewhere.
    pub fn address(self) -> String {
        let here = |next: &String| next.starts_with(BASE) && !next.contains(['\\', '\r', '\n']);
        self.next.filter(here).unwrap_or_else(|| BASE.to_owned())
    }
}

/// From now on in this language, until another is chosen.
pub async fn choose_language(
    Path(language): Path<String>,
    Query(next): Query<Next>,
    jar: CookieJar,
) -> Result<Response, Problem> {
    let words = Words::named(&language).ok_or_else(Problem::not_found)?;
    let mut cookie = session::cookie(LANGUAGE, words.name().to_owned());
    cookie.make_permanent();
    Ok((jar.add(cookie), Redirect::to(&next.address())).into_response())
}
