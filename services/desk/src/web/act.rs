//! Whatever a person does: a command of the service whose it is, at the command's own path.

use std::sync::Arc;

use axum::extract::{OriginalUri, Request, State};
use axum::http::Method;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Form, RequestExt as _};
use chassis::problem::Problem;
use client::Came;
use serde::Deserialize;

use super::Desk;
use super::failure::{Again, Failure, Why};
use super::visit::Visit;

/// The name of a form's own key among its fields.
const KEY: &str = "key";

/// What the address says beside where the page is.
#[derive(Deserialize)]
pub struct Asked {
    /// Comes back from a command.
    pub came: Option<Came>,
}

/// Gives the command, and shows what it was about as it then stands; or why it was rejected.
pub async fn command(
    State(desk): State<Arc<Desk>>,
    visit: Visit,
    OriginalUri(uri): OriginalUri,
    request: Request,
) -> Result<Response, Failure> {
    if request.method() != Method::POST {
        return Err(Failure::of(visit.shell, Problem::not_found().into()));
    }
    let Ok(Form(fields)) = request.extract::<Form<Vec<(String, String)>>, _>().await else {
        let problem = Problem::malformed().detail("the form is not one of these pages");
        return Err(Failure::of(visit.shell, problem.into()));
    };
    let given = async {
        let not_found = || Problem::not_found();
        let path = format!("/v1{}", uri.path());
        let body = desk.forms.command(&path).ok_or_else(not_found)?.body(&fields);
        let key = fields.iter().find(|(name, _)| name == KEY);
        let (_, key) = key.ok_or_else(|| Problem::malformed().detail("the form has no key of its own"))?;
        Ok::<Came, Why>(desk.client.give(&path, key, &body).await?)
    };
    let (page, given) = (visit.shell.address.clone(), given.await);
    match given {
        Ok(Came::Done) => Ok(Redirect::to(&format!("{page}?came=done")).into_response()),
        Ok(Came::Pending) => Ok(Redirect::to(&format!("{page}?came=pending")).into_response()),
        Err(why) => {
            let again = Again { action: uri.path().to_owned(), fields };
            Err(Failure::of_form(visit.shell, why, again))
        }
    }
}
