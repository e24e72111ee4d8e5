//! What a person sees when a page cannot be shown, and what to do about it.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chassis::problem::Problem;
use client::ClientError;
use pages::render;
use pages::shell::Shell;

use crate::agencies::WhoError;

/// A page that failed.
pub struct Failure {
    shell: Shell,
    why: Why,
    again: Option<Again>,
}

/// A form as it was sent, with its own key: sent again, what was done is not done twice.
pub struct Again {
    pub action: String,
    pub fields: Vec<(String, String)>,
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
    /// As the service says it, in English.
    problem: Option<Problem>,
    text: String,
    again: Option<Again>,
}

impl Failure {
    pub const fn of(shell: Shell, why: Why) -> Self {
        Self { shell, why, again: None }
    }

    /// The failure of a form that can be sent again.
    pub fn of_form(shell: Shell, why: Why, again: Again) -> Self {
        Self { shell, why, again: Some(again) }
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
        let (problem, text) = match self.why {
            Why::Problem(problem) => (Some(*problem), String::new()),
            Why::Else(text) => (None, text),
        };
        let status = problem.as_ref().map_or(StatusCode::BAD_GATEWAY.as_u16(), |problem| problem.status);
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
        (status, render(&Page { shell: self.shell, problem, text, again: self.again })).into_response()
    }
}
