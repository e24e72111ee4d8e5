//! A person's session: the access token that its provider gave, in a cookie that only this service can read.
//!
//! Nothing of it is kept here: every instance can go on with it, and it ends when the token does.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::PrivateCookieJar;
use axum_extra::extract::cookie::Key;
use chassis::auth::Caller;
use chassis::problem::Problem;
use pages::shell::{Language, Shell, cookie};

use super::sign_in::SignInError;
use super::{BASE, failure};

const SESSION: &str = "__Secure-causeway";

/// Browsers keep no larger cookie (RFC 6265, 6.1).
pub const MAX_COOKIE_BYTES: usize = 4096;

/// A session for as long as the browser is open, and no longer than the token.
///
/// # Errors
/// When browsers would not keep a cookie of that size, and nobody would know why they have to sign in again.
pub fn open(jar: PrivateCookieJar, token: String) -> Result<PrivateCookieJar, SignInError> {
    let jar = jar.add(cookie(SESSION, token, BASE));
    let told = jar.clone().into_response();
    let bytes = told.headers().get_all(header::SET_COOKIE).iter().map(HeaderValue::len).max().unwrap_or(0);
    if bytes > MAX_COOKIE_BYTES { Err(SignInError::TooLong(bytes)) } else { Ok(jar) }
}

/// Who has signed in, and the token that says so.
pub struct SignedIn {
    pub caller: Caller,
    pub token: String,
}

impl<S: Send + Sync> FromRequestParts<S> for SignedIn
where
    Key: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let jar = PrivateCookieJar::<Key>::from_headers(&parts.headers, Key::from_ref(state));
        let session = jar.get(SESSION).ok_or_else(Problem::unauthenticated)?;
        let bearer = HeaderValue::try_from(format!("Bearer {}", session.value()));
        parts.headers.insert(header::AUTHORIZATION, bearer.map_err(|_| Problem::unauthenticated())?);
        let caller = Caller::from_request_parts(parts, state).await?;
        // Services believe a token for a moment longer, since clocks differ; a page that began then would end at once.
        caller.time_left().ok_or_else(Problem::unauthenticated)?;
        Ok(Self { caller, token: session.value().to_owned() })
    }
}

pub async fn sign_out(jar: PrivateCookieJar) -> Response {
    (jar.remove(cookie(SESSION, String::new(), BASE)), Redirect::to(&format!("{BASE}/signed-out")))
        .into_response()
}

pub async fn signed_out(Language(words): Language) -> Response {
    let shell = Shell::of_nobody(words, BASE);
    failure::page(shell, words.signed_out(), String::new(), None)
}
