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

/// The page as HTML.
pub fn render(page: &impl Template) -> Html<String> {
    Html(page.render().expect("a page renders into memory"))
}
