//! What a person sees when a page cannot be shown, and what to do about it.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chassis::problem::Problem;
use client::ClientError;
use pages::render;
use pages::shell::Shell;

use crate::agencies::WhoError;
use crate::forms::Form;

/// A page that failed.
pub struct Failure {
    shell: Shell,
    why: Why,
    form: Option<Form>,
}

/// Why it did.
pub enum Why {
    /// The deployment says so.
    Problem(Box<Problem>),
    /// Nobody answered, or what was answered is of no use here.
    Else(String),
}

#[derive(Template)]
#[template(path = "failure.html")]
struct Page {
    shell: Shell,
    title: String,
    /// As the service says it, in English.
    problem: Option<Problem>,
    text: String,
    form: Option<Form>,
}

impl Failure {
    pub const fn of(shell: Shell, why: Why) -> Self {
        Self { shell, why, form: None }
    }

    /// The failure of a form, which is shown again as it was filled in.
    pub fn of_form(shell: Shell, why: Why, form: Option<Form>) -> Self {
        Self { shell, why, form }
    }
}

impl Why {
    /// Whether it is known that nothing came of it.
    pub fn is_of_the_outcome(&self) -> bool {
        match self {
            Self::Problem(problem) => problem.is_of_the_outcome(),
            Self::Else(_) => false,
        }
    }
}

impl From<Problem> for Why {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl From<ClientError> for Why {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Problem(problem) => Self::Problem(problem),
            error => Self::Else(error.to_string()),
        }
    }
}

impl From<WhoError> for Why {
    fn from(error: WhoError) -> Self {
        match error {
            WhoError::Asked(error) => error.into(),
            error => Self::Else(error.to_string()),
        }
    }
}

/// What does not open, or does not answer.
impl From<anyhow::Error> for Why {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast::<ClientError>() {
            Ok(error) => error.into(),
            Err(error) => Self::Else(format!("{error:#}")),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let words = self.shell.words;
        let title = match self.shell.by_form {
            true if self.why.is_of_the_outcome() => words.not_done(),
            true => words.not_known(),
            false => words.failed(),
        };
        let (problem, text) = match self.why {
            Why::Problem(problem) => (Some(*problem), String::new()),
            Why::Else(text) => (None, text),
        };
        let status = problem.as_ref().map_or(StatusCode::BAD_GATEWAY.as_u16(), |problem| problem.status);
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
        (status, render(&Page { shell: self.shell, title, problem, text, form: self.form })).into_response()
    }
}
