//! A request for legal assistance, or an order: how it stands, its periods, and the steps that one's own side may take;
//! and how one is written.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Html;
use chassis::http::{Path, Query};
use client::Came;
use mla::http::{Candidate, LegalBases, RequestView};
use pages::render;
use pages::shell::Shell;
use pages::words::Words;
use schemas::codes::{Measure, RequestKind};
use schemas::ids::{Country, IncidentId, RequestId};
use serde::Deserialize;

use super::Desk;
use super::act::Asked;
use super::failure::{Failure, Why};
use super::incident::{Acting, came_text};
use super::visit::Visit;
use crate::forms::Form;

#[derive(Template)]
#[template(path = "request.html")]
struct Page {
    shell: Shell,
    came: Option<Came>,
    request: RequestView,
    /// Whether this desk has a key that the text opens for.
    may_open: bool,
    steps: Vec<Form>,
    others: Vec<Form>,
}

pub async fn page(
    State(desk): State<Arc<Desk>>,
    visit: Visit,
    Path((incident, request)): Path<(IncidentId, RequestId)>,
    Query(asked): Query<Asked>,
) -> Result<Html<String>, Failure> {
    let path = format!("/v1/incidents/{incident}/requests/{request}");
    let view: RequestView = match desk.client.get(&path).await {
        Ok(view) => view,
        Err(error) => return Err(Failure::of(visit.shell, error.into())),
    };
    let words = visit.shell.words;
    let acting = Acting { desk: &desk, visit: &visit, choices: visit.choices() };
    let step = |step: &schemas::codes::RequestStep| {
        let choices = &acting.choices;
        desk.forms.form(words, words.code(*step).to_owned(), &format!("{path}/{step}"), choices)
    };
    let page = Page {
        came: asked.came,
        may_open: visit.key(&desk).is_some(),
        steps: view.steps.iter().filter_map(step).collect(),
        others: acting.form("do-involve", &format!("{path}/units")).into_iter().collect(),
        request: view,
        shell: visit.shell,
    };
    Ok(render(&page))
}

impl Page {
    fn came(&self) -> Option<String> {
        came_text(self.shell.words, self.came)
    }

    fn address(&self) -> String {
        format!("/incidents/{}/requests/{}", self.request.incident_id, self.request.request_id)
    }

    fn role(&self, role: &schemas::codes::RequestRole) -> &str {
        self.shell.words.code(role)
    }
}

/// What is to be asked, of whom.
#[derive(Deserialize)]
pub struct Wanted {
    #[serde(default)]
    kind: Option<RequestKind>,
    #[serde(default)]
    requested: Option<Country>,
    #[serde(default)]
    measure: Option<Measure>,
}

#[derive(Template)]
#[template(path = "draft.html")]
struct Draft {
    shell: Shell,
    incident: IncidentId,
    wanted: Wanted,
    countries: Vec<(String, String)>,
    /// The legal bases there are, once it is said what is wanted.
    bases: Option<LegalBases>,
    form: Option<Form>,
}

/// First what is asked of which State; then which legal bases there are for it, and the form.
pub async fn draft(
    State(desk): State<Arc<Desk>>,
    visit: Visit,
    Path(incident): Path<IncidentId>,
    Query(wanted): Query<Wanted>,
) -> Result<Html<String>, Failure> {
    match write(&desk, &visit, incident, &wanted).await {
        Ok((bases, form)) => {
            let words = visit.shell.words;
            let mut countries: Vec<(String, String)> = pages::atlas::countries()
                .map(|country| (words.country_name(country).to_owned(), country.to_string()))
                .collect();
            countries.sort();
            let shell = visit.shell;
            Ok(render(&Draft { shell, incident, wanted, countries, bases, form }))
        }
        Err(why) => Err(Failure::of(visit.shell, why)),
    }
}

async fn write(
    desk: &Desk,
    visit: &Visit,
    incident: IncidentId,
    wanted: &Wanted,
) -> Result<(Option<LegalBases>, Option<Form>), Why> {
    let (Some(kind), Some(requested), Some(measure)) = (wanted.kind, &wanted.requested, wanted.measure)
    else {
        return Ok((None, None));
    };
    let requesting = &visit.who.agency.country;
    let asked = format!(
        "/v1/legal-bases?requesting={requesting}&requested={requested}&measure={measure}&request={kind}"
    );
    let bases: LegalBases = desk.client.get(&asked).await?;
    let mut acting = Acting { desk, visit, choices: visit.choices() };
    let named = |one: &Candidate| (one.instrument.to_string(), one.title.clone());
    acting.choices.instruments = bases.candidates.iter().map(named).collect();
    let form = acting.form("do-draft", &format!("/v1/incidents/{incident}/requests"));
    let first = bases.candidates.first().map(|one| one.instrument.to_string()).unwrap_or_default();
    let (kind, requested, measure) = (kind.to_string(), requested.to_string(), measure.to_string());
    let known =
        [("/kind", kind.as_str()), ("/requested", &requested), ("/measures", &measure), ("/basis", &first)];
    Ok((Some(bases), form.map(|form| form.filled(&known))))
}

impl Draft {
    fn words(&self) -> &'static Words {
        self.shell.words
    }

    fn is_kind(&self, kind: &RequestKind) -> bool {
        self.wanted.kind.as_ref() == Some(kind)
    }

    fn is_measure(&self, measure: &Measure) -> bool {
        self.wanted.measure.as_ref() == Some(measure)
    }

    fn is_requested(&self, country: &str) -> bool {
        self.wanted.requested.as_ref().is_some_and(|requested| requested.as_str() == country)
    }

    /// What the basis demands of such a request, each with its article.
    fn demands(&self, candidate: &Candidate) -> Vec<String> {
        let of_kind =
            candidate.contents.iter().filter(|one| Some(one.request) == self.wanted.kind && one.mandatory);
        of_kind.map(|one| format!("{} ({})", self.words().code(one.element), one.article)).collect()
    }
}
