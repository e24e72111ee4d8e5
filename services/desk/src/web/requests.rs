//! What is due in the requests of the agency: the list of the day.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Html;
use mla::http::{Due, DueItem};
use pages::render;
use pages::shell::Shell;

use super::Desk;
use super::failure::Failure;
use super::visit::Visit;

#[derive(Template)]
#[template(path = "requests.html")]
struct Page {
    shell: Shell,
    due: Due,
}

pub async fn page(State(desk): State<Arc<Desk>>, visit: Visit) -> Result<Html<String>, Failure> {
    match desk.client.get::<Due>("/v1/mla/due").await {
        Ok(due) => Ok(render(&Page { shell: visit.shell, due })),
        Err(error) => Err(Failure::of(visit.shell, error.into())),
    }
}

impl Page {
    fn is_late(&self, item: &DueItem) -> bool {
        item.reason == schemas::codes::DueReason::Overdue
    }
}
