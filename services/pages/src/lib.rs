//! What every page for people has in common, whoever serves it: its words, its look, and what is around it.
//!
//! Pages are rendered where they are served, and whole without a script. Nothing comes from elsewhere.

pub mod assets;
pub mod atlas;
pub mod guard;
pub mod shell;
mod shown;
pub mod words;

use askama::Template;
use axum::response::Html;
use uuid::Uuid;

/// A form's own key, for one that is shown now: sent twice, it is done once.
pub fn new_key() -> String {
    Uuid::new_v4().to_string()
}

/// The page as HTML.
pub fn render(page: &impl Template) -> Html<String> {
    Html(page.render().expect("a page renders into memory"))
}
