//! One incident: its frame, as each service shows it to a coordinator, and the trail that proves it.

use askama::Template;
use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use chassis::http::{Came, Path, Query};
use chassis::problem::Problem;
use pages::render;
use pages::shell::Shell;
use pages::words::Words;
use schemas::Timestamp;
use schemas::codes::{
    AssignmentState, ChildStatus, EscalationReason, FacetKind, IncidentKind, PeriodAnswer, RequestKind,
    RequestState, RetractionReason, RevokeReason, Urgency,
};
use schemas::ids::{AgencyId, AssignmentId, ChildRef, Country, IncidentId, RequestId};
use schemas::routing::{CoordinatorAlerted, CountryFound, Ground, LeadProposed, OfferWithheld, Transfer};
use serde::Deserialize;

use super::Web;
use super::failure::Failure;
use super::visit::Visit;

/// What of the routing the page shows.
#[derive(Deserialize)]
struct Routing {
    kind: Option<IncidentKind>,
    urgency: Option<Urgency>,
    week: Option<String>,
    countries: Vec<CountryFound>,
    assignments: Vec<Assignment>,
    #[serde(default)]
    withheld: Vec<OfferWithheld>,
    #[serde(default)]
    alerts: Vec<CoordinatorAlerted>,
    lead_proposed: Option<LeadProposed>,
    lead: Option<Country>,
    withdrawn: Option<RetractionReason>,
}

#[derive(Deserialize)]
struct Assignment {
    assignment_id: AssignmentId,
    agency: AgencyId,
    country: Country,
    state: AssignmentState,
    escalated: Option<EscalationReason>,
    respond_by: Timestamp,
    grounds: Vec<Ground>,
    rule: String,
    policy_version: i32,
    transfer: Transfer,
    #[serde(default)]
    may_open: Vec<FacetKind>,
}

#[derive(Deserialize)]
struct Requests {
    watched: Vec<Request>,
}

#[derive(Deserialize)]
struct Request {
    request_id: RequestId,
    kind: RequestKind,
    state: RequestState,
    requesting: Country,
    requested: Country,
    week: String,
    periods: Vec<Period>,
}

#[derive(Deserialize)]
struct Period {
    clock: String,
    article: String,
    ran_out: bool,
    answered: Option<PeriodAnswer>,
}

#[derive(Deserialize)]
struct Children {
    watched: Vec<Child>,
}

#[derive(Deserialize)]
struct Child {
    child_ref: ChildRef,
    status: ChildStatus,
    custodian: Option<Country>,
    week: String,
    /// Whether takers can be invited, and which.
    left: bool,
    takers: Vec<AgencyId>,
    invited: Vec<AgencyId>,
}

#[derive(Deserialize)]
struct Log {
    key: String,
}

/// What the address says beside the incident.
#[derive(Deserialize)]
pub struct Asked {
    /// Comes back from a command.
    came: Option<Came>,
}

/// One line of a trail: all but its events are passed over.
#[derive(Deserialize)]
struct Line {
    event: Option<Event>,
}

#[derive(Deserialize)]
struct Event {
    topic: String,
    sequence: i64,
    name: Option<String>,
    leaf: u64,
}

/// The events in the order of the log, and the key that they are proven by.
struct Trail {
    key: String,
    events: Vec<Event>,
}

#[derive(Template)]
#[template(path = "incident.html")]
struct Page {
    shell: Shell,
    incident: IncidentId,
    now: Timestamp,
    routing: Routing,
    /// None of what does not answer now.
    requests: Option<Vec<Request>>,
    children: Option<Vec<Child>>,
    trail: Option<Trail>,
    came: Option<Came>,
}

pub async fn page(
    State(web): State<Web>,
    visit: Visit,
    incident: Result<Path<IncidentId>, Problem>,
    asked: Result<Query<Asked>, Problem>,
) -> Result<Html<String>, Failure> {
    let Visit { shell, token, .. } = visit;
    let (Path(incident), Query(asked)) = match incident.and_then(|incident| Ok((incident, asked?))) {
        Ok(asked) => asked,
        Err(problem) => return Err(Failure::of(shell, problem)),
    };
    let at = |part: &str| format!("/v1/incidents/{incident}/{part}");
    let (routing, requests, children) = (at("routing"), at("requests"), at("children"));
    let (routing, requests, children, trail) = tokio::join!(
        web.services.get::<Routing>(&token, &routing),
        web.services.get::<Requests>(&token, &requests),
        web.services.get::<Children>(&token, &children),
        read_trail(&web, &token, incident),
    );
    // Whether there is such an incident for the caller, routing says: the other parts may have nothing of it.
    let routing = match routing {
        Ok(routing) => routing,
        Err(problem) => return Err(Failure::of(shell, problem)),
    };
    Ok(render(&Page {
        shell,
        incident,
        now: web.looks.clock.now(),
        routing,
        requests: of_nothing(requests.map(|requests| requests.watched)),
        children: of_nothing(children.map(|children| children.watched)),
        trail: trail.ok(),
        came: asked.came,
    }))
}

/// A service that knows nothing of an incident says that there is no such thing.
fn of_nothing<T>(part: Result<Vec<T>, Problem>) -> Option<Vec<T>> {
    match part {
        Err(problem) if problem.status == 404 => Some(Vec::new()),
        part => part.ok(),
    }
}

async fn read_trail(web: &Web, token: &str, incident: IncidentId) -> Result<Trail, Problem> {
    let address = trail_of(incident);
    let (text, log) =
        tokio::try_join!(web.services.text(token, &address), web.services.get::<Log>(token, "/v1/log"))?;
    let lines = text.lines().map(serde_json::from_str::<Line>).collect::<Result<Vec<_>, _>>();
    let mut events: Vec<Event> =
        lines.map_err(|_| Problem::internal())?.into_iter().filter_map(|line| line.event).collect();
    events.sort_by_key(|event| event.leaf);
    Ok(Trail { key: log.key, events })
}

fn trail_of(incident: IncidentId) -> String {
    format!("/v1/incidents/{incident}/trail")
}

/// The trail as the audit log gives it, for the browser to check. That it was read is on record there.
pub async fn trail(
    State(web): State<Web>,
    visit: Result<Visit, Failure>,
    Path(incident): Path<IncidentId>,
) -> Result<Response, Problem> {
    let visit = visit.map_err(Failure::into_problem)?;
    let text = web.services.text(&visit.token, &trail_of(incident)).await?;
    Ok(([(header::CONTENT_TYPE, "application/jsonl")], text).into_response())
}

impl Page {
    fn words(&self) -> &'static Words {
        self.shell.words
    }

    fn came(&self) -> Option<String> {
        self.words().came_text(self.came)
    }

    /// That nobody answered is for the clock to say.
    fn reasons_to_call(&self) -> impl Iterator<Item = &EscalationReason> {
        EscalationReason::ALL.iter().filter(|reason| **reason != EscalationReason::Unanswered)
    }

    fn print_note(&self) -> String {
        let (person, agency) = self.shell.signed_in.clone().unwrap_or_default();
        self.words().print_note(self.words().moment_text(self.now), person, agency)
    }

    fn proven(&self, trail: &Trail) -> String {
        let words = self.words();
        words.trail_proven(words.number(trail.events.len() as u64))
    }
}
