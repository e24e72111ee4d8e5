//! What a person sees when a page cannot be shown, and what to do about it.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use chassis::problem::Problem;
use openidconnect::url::form_urlencoded;

use super::BASE;
use super::shell::Shell;
use super::words::Words;

/// A page that failed.
pub struct Failure {
    pub shell: Shell,
    pub problem: Problem,
}

#[derive(Template)]
#[template(path = "failure.html")]
struct Page {
    shell: Shell,
    title: String,
    text: String,
    /// As the service says it, in English.
    problem: Option<Problem>,
}

impl Failure {
    fn words(&self) -> (String, String) {
        let words: &Words = self.shell.words;
        match (&self.shell.signed_in, self.problem.status) {
            (Some((_, agency)), 403) => (words.not_a_coordinator(), words.not_a_coordinator_why(agency)),
            _ => (words.failed(), String::new()),
        }
    }
}

impl IntoResponse for Failure {
    /// Whoever has no session signs in, and comes back.
    fn into_response(self) -> Response {
        if self.problem.status == StatusCode::UNAUTHORIZED.as_u16() {
            let next: String = form_urlencoded::byte_serialize(self.shell.address.as_bytes()).collect();
            return Redirect::to(&format!("{BASE}/sign-in?next={next}")).into_response();
        }
        let (title, text) = self.words();
        page(self.shell, title, text, Some(self.problem))
    }
}

pub fn page(shell: Shell, title: String, text: String, problem: Option<Problem>) -> Response {
    let status = problem.as_ref().map_or(StatusCode::OK.as_u16(), |problem| problem.status);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, render(&Page { shell, title, text, problem })).into_response()
}

/// The page as HTML.
pub fn render(page: &impl Template) -> Html<String> {
    Html(page.render().expect("a page renders into memory"))
}
