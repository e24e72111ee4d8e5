//! What a person sees when a page cannot be shown, and what to do about it.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use chassis::problem::Problem;
use openidconnect::url::form_urlencoded;
use pages::render;
use pages::shell::Shell;
use pages::words::Words;

use super::BASE;
use super::visit::Visit;

/// A page that failed.
pub struct Failure {
    shell: Shell,
    problem: Problem,
    why: Why,
}

/// What is said to the person, before what the service says.
enum Why {
    Plain,
    NotACoordinator,
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
    pub fn of(shell: Shell, problem: Problem) -> Self {
        Self { shell, problem, why: Why::Plain }
    }

    pub fn not_a_coordinator(shell: Shell, problem: Problem) -> Self {
        Self { shell, problem, why: Why::NotACoordinator }
    }

    /// For a script, which shows no page.
    pub fn into_problem(self) -> Problem {
        self.problem
    }
}

impl IntoResponse for Failure {
    /// Whoever has no session signs in, and comes back.
    fn into_response(self) -> Response {
        let Self { shell, problem, why } = self;
        let words: &Words = shell.words;
        if problem.status == StatusCode::UNAUTHORIZED.as_u16() {
            if shell.by_form {
                // Browsers follow nothing from a form to the provider (`form-action`).
                return page(shell, words.session_ended(), String::new(), Some(problem));
            }
            let next: String = form_urlencoded::byte_serialize(shell.address.as_bytes()).collect();
            return Redirect::to(&format!("{BASE}/sign-in?next={next}")).into_response();
        }
        let (title, text) = match (why, &shell.signed_in) {
            (Why::NotACoordinator, Some((_, agency))) => {
                (words.not_a_coordinator(), words.not_a_coordinator_why(agency))
            }
            _ => (words.failed(), String::new()),
        };
        page(shell, title, text, Some(problem))
    }
}

/// For an address below the pages' that is none of theirs.
pub async fn no_such_page(visit: Visit) -> Failure {
    Failure::of(visit.shell, Problem::not_found())
}

pub fn page(shell: Shell, title: String, text: String, problem: Option<Problem>) -> Response {
    let status = problem.as_ref().map_or(StatusCode::OK.as_u16(), |problem| problem.status);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, render(&Page { shell, title, text, problem })).into_response()
}
