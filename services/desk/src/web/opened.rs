//! What was sealed, opened on this machine for whoever looks, and kept nowhere. Each opening is on record.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Html;
use chassis::http::Path;
use client::OpenedFacet;
use pages::render;
use pages::shell::Shell;
use pages::words::Words;
use schemas::ids::{AssignmentId, ChildRef, Country, IncidentId, RequestId};
use serde_json::Value;

use super::Desk;
use super::failure::{Failure, Why};
use super::request::amendment;
use super::visit::Visit;
use crate::forms::Form;

#[derive(Template)]
#[template(path = "opened.html")]
struct Page {
    shell: Shell,
    facets: Vec<OpenedFacet>,
    /// For whoever may write what was opened anew.
    forms: Vec<Form>,
}

/// One line of what was sealed.
struct Line {
    depth: usize,
    name: String,
    text: String,
}

pub async fn assignment(
    State(desk): State<Arc<Desk>>,
    visit: Visit,
    Path((incident, assignment)): Path<(IncidentId, AssignmentId)>,
) -> Result<Html<String>, Failure> {
    let path = format!("/v1/incidents/{incident}/assignments/{assignment}/open");
    shown(&desk, visit, incident, &path, None).await
}

pub async fn request(
    State(desk): State<Arc<Desk>>,
    visit: Visit,
    Path((incident, request)): Path<(IncidentId, RequestId)>,
) -> Result<Html<String>, Failure> {
    let request = format!("/v1/incidents/{incident}/requests/{request}");
    shown(&desk, visit, incident, &format!("{request}/open"), Some(&request)).await
}

pub async fn handover(
    State(desk): State<Arc<Desk>>,
    visit: Visit,
    Path((incident, child)): Path<(IncidentId, ChildRef)>,
) -> Result<Html<String>, Failure> {
    let path = format!("/v1/incidents/{incident}/children/{child}/open");
    shown(&desk, visit, incident, &path, None).await
}

/// What opens at the path; of a request that may be amended, with the form for that.
async fn shown(
    desk: &Desk,
    visit: Visit,
    incident: IncidentId,
    path: &str,
    request: Option<&str>,
) -> Result<Html<String>, Failure> {
    match open(desk, &visit, incident, path, request).await {
        Ok((facets, forms)) => Ok(render(&Page { shell: visit.shell, facets, forms })),
        Err(why) => Err(Failure::of(visit.shell, why)),
    }
}

async fn open(
    desk: &Desk,
    visit: &Visit,
    incident: IncidentId,
    path: &str,
    request: Option<&str>,
) -> Result<(Vec<OpenedFacet>, Vec<Form>), Why> {
    let (key_id, keys) = visit.key(desk).ok_or_else(|| Why::Else(visit.shell.words.no_key()))?;
    let facets = desk.client.open_at(path, incident, &key_id, keys, &pages::new_key()).await?;
    let form = match request {
        Some(request) => amendment(desk, visit, request, &facets).await?,
        None => None,
    };
    Ok((facets, form.into_iter().collect()))
}

impl Page {
    fn lines(&self, facet: &OpenedFacet) -> Vec<Line> {
        let mut lines = Vec::new();
        gather(self.shell.words, ("", ""), &facet.content, 0, &mut lines);
        lines
    }
}

/// Fields whose values are codes, with their lists.
const CODES: [(&str, &str); 3] =
    [("age_band", "age-band"), ("algorithm", "digest-algorithm"), ("category", "person-category")];
/// Fields whose values are countries.
const COUNTRIES: [&str; 3] = ["country", "nationalities", "residences"];
/// The field whose own fields are named by codes.
const ELEMENTS: (&str, &str) = ("elements", "content-element");

/// A value below its name, each level further in.
fn gather(words: &Words, (within, name): (&str, &str), value: &Value, depth: usize, lines: &mut Vec<Line>) {
    let label = match within == ELEMENTS.0 {
        true => words.label(ELEMENTS.1, name).map(str::to_owned),
        false => words.named_text(&format!("sealed-{}", name.replace('_', "-"))),
    };
    let label = label.unwrap_or_else(|| name.to_owned());
    match value {
        Value::Null => {}
        Value::String(text) => lines.push(Line { depth, name: label, text: said(words, name, text) }),
        Value::Bool(_) | Value::Number(_) => lines.push(Line { depth, name: label, text: value.to_string() }),
        Value::Array(values) => {
            values.iter().for_each(|value| gather(words, (within, name), value, depth, lines));
        }
        Value::Object(fields) => {
            let is_outermost = name.is_empty();
            if !is_outermost {
                lines.push(Line { depth, name: label, text: String::new() });
            }
            let inside = depth + usize::from(!is_outermost);
            fields.iter().for_each(|(field, value)| gather(words, (name, field), value, inside, lines));
        }
    }
}

/// A text as it was sealed, or what it stands for.
fn said(words: &Words, name: &str, text: &str) -> String {
    if let Some((_, list)) = CODES.iter().find(|(field, _)| *field == name) {
        return words.label(list, text).unwrap_or(text).to_owned();
    }
    match Country::try_new(text) {
        Ok(country) if COUNTRIES.contains(&name) => words.country_name(&country).to_owned(),
        _ => text.to_owned(),
    }
}
