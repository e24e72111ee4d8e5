//! What is around every page: whose it is, and in which language.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use chassis::http::Came;
use chassis::problem::Problem;
use serde::Deserialize;

use crate::words::Words;

const LANGUAGE: &str = "__Secure-causeway-language";

/// Before the address of every page; empty where they stand at the root.
pub type Base = &'static str;

/// What the frame of a page shows.
pub struct Shell {
    pub words: &'static Words,
    pub base: Base,
    /// Who looks: the person's opaque name, and the agency.
    pub signed_in: Option<(String, String)>,
    /// Where the page stands, for whoever chooses another language or signs in.
    pub address: String,
    /// Whether it is the answer to a form.
    pub by_form: bool,
}

impl Shell {
    pub fn of_nobody(words: &'static Words, base: Base) -> Self {
        Self { words, base, signed_in: None, address: home(base), by_form: false }
    }

    /// The first of the pages.
    pub fn home(&self) -> String {
        home(self.base)
    }

    /// Whether the page is this one, whatever is asked of it.
    pub fn is_at(&self, path: &str) -> bool {
        self.address.split('?').next() == Some(path)
    }

    pub fn languages(&self) -> &'static [Words] {
        Words::all()
    }
}

fn home(base: Base) -> String {
    if base.is_empty() { "/".to_owned() } else { base.to_owned() }
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

/// Where to go on.
#[derive(Deserialize)]
pub struct Next {
    next: Option<String>,
}

impl Next {
    /// One of these pages, and none elsewhere.
    pub fn address(self, base: Base) -> String {
        let here = |next: &String| {
            next.starts_with(&home(base))
                && !next.starts_with("//")
                && !next.contains(|one: char| one == '\\' || one.is_control())
        };
        self.next.filter(here).unwrap_or_else(|| home(base))
    }
}

/// A cookie that comes back to these pages alone, and to no script. Lax, since people come here by links from
/// elsewhere: whatever changes something is held against its origin besides.
pub fn cookie(name: &'static str, value: String, base: Base) -> Cookie<'static> {
    let cookie = Cookie::build((name, value)).path(home(base)).secure(true).http_only(true);
    cookie.same_site(SameSite::Lax).build()
}

/// Back to the page that a command was given on, which says what came of it.
pub fn back_to(page: &str, came: Came) -> Response {
    let came = match came {
        Came::Done => "done",
        Came::Pending => "pending",
    };
    let and = if page.contains('?') { '&' } else { '?' };
    Redirect::to(&format!("{page}{and}came={came}")).into_response()
}

/// From now on in this language, until another is chosen.
///
/// # Errors
/// When there is no such language.
pub fn choose_language(language: &str, next: Next, jar: CookieJar, base: Base) -> Result<Response, Problem> {
    let words = Words::named(language).ok_or_else(Problem::not_found)?;
    let mut cookie = cookie(LANGUAGE, words.name().to_owned(), base);
    cookie.make_permanent();
    Ok((jar.add(cookie), Redirect::to(&next.address(base))).into_response())
}
