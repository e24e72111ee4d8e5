//! A request for legal assistance, or an order: how it stands, its periods, and the steps that one's own side may take;
//! and how one is written.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Html;
use chassis::http::{Came, Path, Query};
use client::OpenedFacet;
use mla::http::{Candidate, LegalBases, RequestView};
use pages::render;
use pages::shell::Shell;
use pages::words::Words;
use schemas::codes::{Measure, RequestKind, RequestRole, RequestState, RequestStep};
use schemas::ids::{Country, IncidentId, RequestId};
use serde::Deserialize;
use serde_json::Value;

use super::Desk;
use super::act::Asked;
use super::failure::{Failure, Why};
use super::incident::Acting;
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
    /// Whether it can be written anew, once it is opened.
    may_amend: bool,
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
    let step = |step: &RequestStep| {
        let choices = &acting.choices;
        desk.forms.form(words, words.code(*step).to_owned(), &format!("{path}/{step}"), choices)
    };
    let page = Page {
        came: asked.came,
        may_open: visit.key(&desk).is_some(),
        may_amend: is_at_home(&view),
        steps: view.steps.iter().filter_map(step).collect(),
        others: acting.form("do-involve", &format!("{path}/units")).into_iter().collect(),
        request: view,
        shell: visit.shell,
    };
    Ok(render(&page))
}

impl Page {
    fn came(&self) -> Option<String> {
        self.shell.words.came_text(self.came)
    }

    fn address(&self) -> String {
        format!("/incidents/{}/requests/{}", self.request.incident_id, self.request.request_id)
    }

    fn role(&self, role: &RequestRole) -> &str {
        self.shell.words.code(role)
    }
}

/// A form that writes the request anew, with what it says now; none where it is not the caller's to be written.
pub async fn amendment(
    desk: &Desk,
    visit: &Visit,
    path: &str,
    facets: &[OpenedFacet],
) -> Result<Option<Form>, Why> {
    let view: RequestView = desk.client.get(path).await?;
    if !is_at_home(&view) {
        return Ok(None);
    }
    let mut acting = Acting { desk, visit, choices: visit.choices() };
    acting.choices.instruments =
        view.basis.iter().map(|basis| (basis.instrument.to_string(), basis.title.clone())).collect();
    let said = serde_json::to_value(asked(view, facets)).expect("a request is plain data");
    let form = acting.form("amend-text", &format!("{path}/amend"));
    Ok(form.map(|form| form.filled_with(&said)))
}

/// As long as it may be written anew: its own side has it, and nothing of it is on its way.
fn is_at_home(view: &RequestView) -> bool {
    use RequestState::{Draft, ReturnedDeficient, Validated};
    view.role == RequestRole::Requesting && matches!(view.state, Draft | Validated | ReturnedDeficient)
}

/// The request as whoever wrote it has asked it.
fn asked(view: RequestView, facets: &[OpenedFacet]) -> mla::http::Asked {
    let elements = facets.iter().filter_map(|facet| facet.content["elements"].as_object()).flatten();
    let text = |(name, text): (&String, &Value)| Some((name.clone(), text.as_str()?.to_owned()));
    mla::http::Asked {
        kind: view.kind,
        requested: view.requested.country,
        authority: view.requested.authority,
        addressee: view.addressee,
        measures: view.measures,
        basis: view.basis.map(|basis| basis.instrument),
        emergency: view.emergency,
        notified: view.notified,
        needed_by: view.needed_by,
        languages: view.languages,
        translation: view.translation,
        parent: view.parent,
        confidential: view.confidential,
        conditions: view.conditions,
        elements: elements.filter_map(text).collect(),
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
        Ok((bases, form)) => Ok(render(&Draft { shell: visit.shell, incident, wanted, bases, form })),
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

    fn is_requested(&self, country: &Country) -> bool {
        self.wanted.requested.as_ref() == Some(country)
    }

    /// What the basis demands of such a request, each with its article.
    fn demands(&self, candidate: &Candidate) -> Vec<String> {
        let of_kind =
            candidate.contents.iter().filter(|one| Some(one.request) == self.wanted.kind && one.mandatory);
        of_kind.map(|one| format!("{} ({})", self.words().code(one.element), one.article)).collect()
    }
}
