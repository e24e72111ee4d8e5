//! Whatever a person does: a command of the service whose it is, at the command's own path.

use std::sync::Arc;

use axum::RequestExt as _;
use axum::extract::{OriginalUri, Request, State};
use axum::http::Method;
use axum::response::Response;
use chassis::http::Came;
use chassis::problem::Problem;
use pages::shell::back_to;
use serde::Deserialize;

use super::Desk;
use super::failure::{Failure, Why};
use super::visit::Visit;
use crate::forms::Form;

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
    let Ok(axum::Form(fields)) = request.extract::<axum::Form<Vec<(String, String)>>, _>().await else {
        let problem = Problem::malformed().detail("the form is not one of these pages");
        return Err(Failure::of(visit.shell, problem.into()));
    };
    let path = format!("/v1{}", uri.path());
    let Some(command) = desk.forms.command(&path) else {
        return Err(Failure::of(visit.shell, Problem::not_found().into()));
    };
    let Some((_, key)) = fields.iter().find(|(name, _)| name == KEY) else {
        let problem = Problem::malformed().detail("the form has no key of its own");
        return Err(Failure::of(visit.shell, problem.into()));
    };
    match desk.client.give(&path, key, &command.body(&fields)).await {
        Ok(came) => Ok(back_to(&visit.shell.address, came)),
        Err(error) => {
            let why = Why::from(error);
            let form = again(&desk, &visit, &path, &fields, &why);
            Err(Failure::of_form(visit.shell, why, form))
        }
    }
}

/// The form as it was filled in. Where nobody knows what came of it, with its own key too: what was done is not done
/// twice. What was refused is another command once it is mended.
fn again(desk: &Desk, visit: &Visit, path: &str, fields: &[(String, String)], why: &Why) -> Option<Form> {
    let words = visit.shell.words;
    let mut form = desk.forms.form(words, words.send_again(), path, &visit.choices())?;
    let given: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let key = given.iter().find(|(name, _)| *name == KEY && !why.is_of_the_outcome());
    if let Some((_, key)) = key {
        form.key = (*key).to_owned();
    }
    form.is_open = true;
    Some(form.filled(&given))
}
