//! The children before the agency, in the order of what speaks for looking at each of them now. A person decides.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Html;
use pages::render;
use pages::shell::Shell;
use victim_id::http::Queue;

use super::Desk;
use super::failure::Failure;
use super::visit::Visit;

#[derive(Template)]
#[template(path = "children.html")]
struct Page {
    shell: Shell,
    queue: Queue,
}

pub async fn page(State(desk): State<Arc<Desk>>, visit: Visit) -> Result<Html<String>, Failure> {
    match desk.client.get::<Queue>("/v1/children").await {
        Ok(queue) => Ok(render(&Page { shell: visit.shell, queue })),
        Err(error) => Err(Failure::of(visit.shell, error.into())),
    }
}
