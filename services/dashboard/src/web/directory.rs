//! The directory: what stands in it, what a change would have done to incidents, and what waits for a second person.

use askama::Template;
use axum::extract::State;
use axum::response::{Html, Response};
use chassis::http::{Came, Path, Query, Raw};
use chassis::problem::Problem;
use pages::render;
use pages::shell::{Shell, back_to};
use pages::words::Words;
use schemas::codes::{Code, PreviewEffect};
use schemas::directory::{Entry, Policy};
use schemas::ids::{AgencyId, Country, EntryId, IncidentId, ProposalId};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::failure::Failure;
use super::visit::Visit;
use super::work::read;
use super::{DIRECTORY, Web};
use crate::domain::list::Filter;

/// What is shown until somebody chooses: all routing goes by it.
const FIRST: &str = "policy/default";
/// A change is tried on so many incidents: those that need most, and of them the latest.
const TRIED: usize = 500;

#[derive(Deserialize)]
pub struct Asked {
    entry: Option<EntryId>,
    /// Comes back from a command.
    came: Option<Came>,
}

/// What of the directory's answers the page shows.
#[derive(Deserialize)]
struct Listing {
    entries: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    id: EntryId,
}

#[derive(Deserialize)]
struct Shown {
    acts: Option<Entry>,
    newest: Option<Entry>,
    pending: Option<Pending>,
}

#[derive(Deserialize)]
struct Pending {
    proposal_id: ProposalId,
    entry: Entry,
    widens: Vec<String>,
    state_concerned: Option<Country>,
}

/// What routing says of a change.
#[derive(Default, Deserialize)]
struct Preview {
    tried: usize,
    changed: usize,
    effects: Vec<Effect>,
}

#[derive(Deserialize)]
struct Effect {
    country: Country,
    agency: AgencyId,
    effect: PreviewEffect,
    incidents: usize,
    examples: Vec<IncidentId>,
}

/// A change as it is written, with the form's own key.
#[derive(Deserialize)]
pub struct Change {
    key: Uuid,
    entry: String,
}

#[derive(Deserialize)]
pub struct Decision {
    key: Uuid,
}

#[derive(Template)]
#[template(path = "directory.html")]
struct Page {
    shell: Shell,
    came: Option<Came>,
    ids: Vec<EntryId>,
    id: EntryId,
    shown: Shown,
    /// As it is being written.
    text: String,
    preview: Option<Preview>,
}

pub async fn page(
    State(web): State<Web>,
    visit: Visit,
    asked: Result<Query<Asked>, Problem>,
) -> Result<Html<String>, Failure> {
    let shown = async {
        let Query(asked) = asked?;
        let id = asked.entry.map_or_else(first, Ok)?;
        let (ids, shown) = read_entry(&web, &visit.token, &id).await?;
        let text = shown.newest.as_ref().or(shown.acts.as_ref()).map_or_else(String::new, written);
        Ok((asked.came, ids, id, shown, text))
    };
    match shown.await {
        Ok((came, ids, id, shown, text)) => {
            Ok(render(&Page { shell: visit.shell, came, ids, id, shown, text, preview: None }))
        }
        Err(problem) => Err(Failure::of(visit.shell, problem)),
    }
}

fn first() -> Result<EntryId, Problem> {
    EntryId::try_new(FIRST).map_err(|_| Problem::not_found())
}

async fn read_entry(web: &Web, token: &str, id: &EntryId) -> Result<(Vec<EntryId>, Shown), Problem> {
    let path = format!("/v1/directory/{id}");
    let (listing, shown) = tokio::try_join!(
        web.services.get::<Listing>(token, "/v1/directory"),
        web.services.get::<Shown>(token, &path),
    )?;
    Ok((listing.entries.into_iter().map(|listed| listed.id).collect(), shown))
}

/// Without what is not said, so that it reads.
fn written(entry: &Entry) -> String {
    let mut value = json!(entry);
    if let Value::Object(kinds) = &mut value {
        kinds.retain(|_, said| !said.is_null());
    }
    serde_json::to_string_pretty(&value).expect("an entry is plain data")
}

fn parse(text: &str) -> Result<Entry, Problem> {
    serde_json::from_str(text).map_err(|error| Problem::invalid().field("/entry", error.to_string()))
}

/// Tries the change on what the coordinator watches; nothing is changed by it.
pub async fn preview(State(web): State<Web>, visit: Visit, Raw(form): Raw) -> Result<Html<String>, Failure> {
    let tried = async {
        let Change { entry: text, .. } = read(&form)?;
        let entry = parse(&text)?;
        let id = entry.id().map_err(|error| Problem::invalid().field("/entry", error))?;
        let watched = web.looks.list(&visit.caller.agency, Filter::default(), 0, TRIED).await?;
        let incidents: Vec<IncidentId> = watched.lines.iter().map(|line| line.incident_id).collect();
        let asked = json!({ "entry": entry, "incidents": incidents });
        let preview: Preview = match watched.lines.is_empty() {
            true => Preview::default(),
            false => web.services.ask(&visit.token, "/v1/routing/preview", &asked).await?,
        };
        let (ids, shown) = read_entry(&web, &visit.token, &id).await?;
        Ok((ids, id, shown, text, preview))
    };
    match tried.await {
        Ok((ids, id, shown, text, preview)) => {
            let (shell, preview) = (visit.shell, Some(preview));
            Ok(render(&Page { shell, came: None, ids, id, shown, text, preview }))
        }
        Err(problem) => Err(Failure::of(visit.shell, problem)),
    }
}

/// Proposes the change: it waits for a second person.
pub async fn propose(State(web): State<Web>, visit: Visit, Raw(form): Raw) -> Result<Response, Failure> {
    let given = async {
        let Change { key, entry } = read(&form)?;
        let entry = parse(&entry)?;
        let id = entry.id().map_err(|error| Problem::invalid().field("/entry", error))?;
        let came = web.services.post(&visit.token, "/v1/directory/changes", key, &json!(entry)).await?;
        Ok((id, came))
    };
    match given.await {
        Ok((id, came)) => Ok(back_to(&format!("{DIRECTORY}?entry={id}"), came)),
        Err(problem) => Err(Failure::of(visit.shell, problem)),
    }
}

pub async fn confirm(
    State(web): State<Web>,
    visit: Visit,
    Path((kind, name, proposal)): Path<(String, String, ProposalId)>,
    Raw(form): Raw,
) -> Result<Response, Failure> {
    decide(&web, visit, (&kind, &name, proposal), "confirm", &form).await
}

pub async fn withdraw(
    State(web): State<Web>,
    visit: Visit,
    Path((kind, name, proposal)): Path<(String, String, ProposalId)>,
    Raw(form): Raw,
) -> Result<Response, Failure> {
    decide(&web, visit, (&kind, &name, proposal), "withdraw", &form).await
}

/// What takes two persons takes two: the directory says whether this is the second.
async fn decide(
    web: &Web,
    visit: Visit,
    (kind, name, proposal): (&str, &str, ProposalId),
    verb: &str,
    form: &[u8],
) -> Result<Response, Failure> {
    let given = async {
        let Decision { key } = read(form)?;
        let id = EntryId::try_new(&format!("{kind}/{name}")).map_err(|_| Problem::not_found())?;
        let path = format!("/v1/directory/{id}/changes/{proposal}/{verb}");
        Ok((id, web.services.post(&visit.token, &path, key, &Value::Null).await?))
    };
    match given.await {
        Ok((id, came)) => Ok(back_to(&format!("{DIRECTORY}?entry={id}"), came)),
        Err(problem) => Err(Failure::of(visit.shell, problem)),
    }
}

impl Page {
    fn words(&self) -> &'static Words {
        self.shell.words
    }

    fn came(&self) -> Option<String> {
        self.words().came_text(self.came)
    }

    fn text_of(&self, entry: &Entry) -> String {
        written(entry)
    }

    fn policy(&self) -> Option<&Policy> {
        self.shown.acts.as_ref()?.policy.as_ref()
    }

    /// Codes with commas between them; what is empty means any.
    fn codes<C: Code>(&self, codes: &[C]) -> String {
        let labels: Vec<String> = codes.iter().map(|code| self.label(code).to_owned()).collect();
        if labels.is_empty() { self.words().any() } else { labels.join(", ") }
    }

    fn label<C: Code>(&self, code: &C) -> &str {
        self.words().code(code)
    }

    fn number(&self, count: &usize) -> String {
        self.words().number(*count as u64)
    }

    fn tried(&self, preview: &Preview) -> String {
        self.words().previewed(self.number(&preview.changed), self.number(&preview.tried))
    }

    fn minutes(&self, minutes: &i32) -> String {
        self.words().number(u64::from(minutes.unsigned_abs()))
    }
}
