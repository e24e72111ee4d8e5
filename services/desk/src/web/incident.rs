//! One incident, as the agency takes part in it: what it was asked, what it may do, and what goes with it.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Html;
use chassis::http::{Came, Path, Query};
use client::ClientError;
use delivery::http::{MatchView, Matches};
use delivery::inbox::AssignmentEntry;
use mla::http::{RequestView, Requests};
use pages::render;
use pages::shell::Shell;
use pages::words::Words;
use routing::http::RoutingView;
use schemas::codes::{AgencyKind, AssignmentState};
use schemas::ids::{AgencyId, AssessmentId, IncidentId};
use serde::de::DeserializeOwned;
use victim_id::http::{ChildView, Children};

use super::Desk;
use super::act::Asked;
use super::failure::Failure;
use super::visit::Visit;
use crate::forms::{Choices, Form};
use crate::inbox::Inbox;

#[derive(Template)]
#[template(path = "incident.html")]
struct Page {
    shell: Shell,
    came: Option<Came>,
    incident: IncidentId,
    /// Why what was asked of the agency may not all be here.
    unread: Option<String>,
    own: AgencyId,
    routing: RoutingView,
    /// What the agency was asked, with what it may do about it.
    assignments: Vec<Assignment>,
    /// What concerns the incident as a whole.
    forms: Vec<Form>,
    retractions: Vec<Form>,
    assessments: Vec<(AssessmentId, Option<Form>)>,
    requests: Option<Vec<RequestView>>,
    children: Option<Vec<ChildView>>,
    matches: Vec<(MatchView, Option<Form>)>,
    drafts: bool,
}

struct Assignment {
    entry: AssignmentEntry,
    may_open: bool,
    forms: Vec<Form>,
}

/// What an agency may do about an assignment, by how it stands: the text of each, and its path below the assignment's.
fn acts(state: AssignmentState) -> &'static [(&'static str, &'static str)] {
    match state {
        AssignmentState::Offered | AssignmentState::Overdue | AssignmentState::Escalated => &[
            ("do-accept", "accept"),
            ("do-decline", "decline"),
            ("do-forward", "forward"),
            ("do-escalate", "escalate"),
        ],
        AssignmentState::Accepted => {
            &[("do-close", "close"), ("do-escalate", "escalate"), ("do-hold-feedback", "hold-feedback")]
        }
        _ => &[],
    }
}

pub async fn page(
    State(desk): State<Arc<Desk>>,
    visit: Visit,
    Path(incident): Path<IncidentId>,
    Query(asked): Query<Asked>,
) -> Result<Html<String>, Failure> {
    let at = |part: &str| format!("/v1/incidents/{incident}/{part}");
    let (routing, requests, children, matches) =
        (at("routing"), at("requests"), at("children"), at("matches"));
    let (routing, requests, children, matches) = tokio::join!(
        desk.client.get::<RoutingView>(&routing),
        part::<Requests>(&desk, &requests),
        part::<Children>(&desk, &children),
        part::<Matches>(&desk, &matches),
    );
    let has_part = matches!(requests, Some(Some(_))) || matches!(children, Some(Some(_)));
    let routing = match routing {
        Ok(routing) => routing,
        // An authority takes part by its requests, a support service by a child: the routing is not for them.
        Err(ClientError::Problem(problem)) if problem.status == 404 && has_part => {
            RoutingView::nothing(incident)
        }
        Err(error) => return Err(Failure::of(visit.shell, error.into())),
    };
    let acting = Acting { desk: &desk, visit: &visit, choices: visit.choices() };
    let inbox: Arc<Inbox> = desk.inbox.borrow().clone();
    let (own, words) = (visit.who.agency.id.clone(), visit.shell.words);
    let page = Page {
        came: asked.came,
        incident,
        unread: unread(words, &inbox),
        assignments: acting.assignments(&inbox, &routing),
        forms: acting.of_incident(incident, &routing),
        retractions: acting.retractions(incident, &routing),
        assessments: acting.assessments(incident, &routing),
        requests: requests.map(|requests| requests.map_or(Vec::new(), |requests| requests.requests)),
        children: children.map(|children| children.map_or(Vec::new(), |children| children.children)),
        matches: acting.matches(incident, matches.flatten()),
        drafts: visit.who.agency.kind == AgencyKind::CentralAuthority,
        own,
        routing,
        shell: visit.shell,
    };
    Ok(render(&page))
}

fn unread(words: &Words, inbox: &Inbox) -> Option<String> {
    if inbox.broken.is_some() {
        let at = inbox.at.map_or_else(|| "–".to_owned(), |at| words.moment_text(at));
        return Some(words.no_longer_live(at));
    }
    (!inbox.is_whole).then(|| words.still_reading(words.number(inbox.entries)))
}

/// None of what does not answer now; and nothing within, where the service says that there is no such thing.
async fn part<T: DeserializeOwned>(desk: &Desk, path: &str) -> Option<Option<T>> {
    match desk.client.get(path).await {
        Ok(part) => Some(Some(part)),
        Err(ClientError::Problem(problem)) if [403, 404].contains(&problem.status) => Some(None),
        Err(_) => None,
    }
}

/// Who acts, and what there is to choose from.
pub struct Acting<'a> {
    pub desk: &'a Desk,
    pub visit: &'a Visit,
    pub choices: Choices,
}

impl Acting<'_> {
    /// A form for the command at this path, by the name of its text.
    pub fn form(&self, text: &str, path: &str) -> Option<Form> {
        let words = self.visit.shell.words;
        let title = words.named_text(text).unwrap_or_else(|| text.to_owned());
        self.desk.forms.form(words, title, path, &self.choices)
    }

    fn assignments(&self, inbox: &Inbox, routing: &RoutingView) -> Vec<Assignment> {
        let has_key = self.visit.key(self.desk).is_some();
        let own = inbox.of_incident(routing.incident_id).into_iter().map(|entry| {
            // The routing is asked now, the inbox a moment ago.
            let view = routing.assignments.iter().find(|one| one.assignment_id == entry.assignment_id);
            let state = view.map_or(entry.state, |view| view.state);
            let path = format!("/v1/incidents/{}/assignments/{}", entry.incident_id, entry.assignment_id);
            let form = |(text, verb): &(&str, &str)| self.form(text, &format!("{path}/{verb}"));
            let open =
                state == AssignmentState::Accepted || (entry.opens_with_offer && state.awaits_answer());
            Assignment {
                may_open: has_key && open && !entry.facets.is_empty(),
                forms: acts(state).iter().filter_map(form).collect(),
                entry: AssignmentEntry { state, ..entry.clone() },
            }
        });
        own.collect()
    }

    fn of_incident(&self, incident: IncidentId, routing: &RoutingView) -> Vec<Form> {
        if routing.referral_id.is_none() {
            return Vec::new();
        }
        let form = |text: &str, verb: &str| self.form(text, &format!("/v1/incidents/{incident}/{verb}"));
        let lead = routing.lead_proposed.as_ref().map(|proposed| proposed.country.to_string());
        let filled = |form: Form| form.filled(&[("/country", lead.as_deref().unwrap_or_default())]);
        let lead = lead.as_ref().map(|_| {
            [form("do-lead-accept", "lead/accept").map(filled), form("do-lead-dispute", "lead/dispute")]
        });
        let others = [
            form("do-assess", "assessments"),
            form("do-case-number", "case-numbers"),
            form("do-register-child", "children"),
            form("do-hold", "holds"),
        ];
        others.into_iter().chain(lead.into_iter().flatten()).flatten().collect()
    }

    /// What was taken back, and awaits that somebody here says so.
    fn retractions(&self, incident: IncidentId, routing: &RoutingView) -> Vec<Form> {
        let own = &self.visit.who.agency.id;
        let open = routing
            .retractions
            .iter()
            .filter(|one| one.recipients.contains(own) && !one.acknowledged.contains(own));
        let form = |one: &routing::http::RetractionView| {
            let path = format!("/v1/incidents/{incident}/retractions/{}/acknowledge", one.retraction_id);
            let mut form = self.form("do-acknowledge", &path)?;
            form.title = format!("{}: {}", form.title, self.visit.shell.words.code(one.reason));
            Some(form)
        };
        open.filter_map(form).collect()
    }

    fn assessments(&self, incident: IncidentId, routing: &RoutingView) -> Vec<(AssessmentId, Option<Form>)> {
        let form = |one: &routing::http::AssessmentView| {
            let path = format!("/v1/incidents/{incident}/assessments/{}/retract", one.assessment_id);
            let own = one.by == self.visit.who.agency.id && !one.retracted;
            (one.assessment_id, if own { self.form("do-retract", &path) } else { None })
        };
        routing.assessments.iter().map(form).collect()
    }

    fn matches(&self, incident: IncidentId, matches: Option<Matches>) -> Vec<(MatchView, Option<Form>)> {
        let form = |one: MatchView| {
            let path = format!("/v1/incidents/{incident}/matches/{}/verdict", one.found.match_id);
            let form = self.form("do-verdict", &path);
            (one, form)
        };
        matches.map_or(Vec::new(), |matches| matches.matches).into_iter().map(form).collect()
    }
}

impl Page {
    fn words(&self) -> &'static Words {
        self.shell.words
    }

    fn came(&self) -> Option<String> {
        self.words().came_text(self.came)
    }

    fn assignment_address(&self, entry: &AssignmentEntry) -> String {
        format!("/incidents/{}/assignments/{}", entry.incident_id, entry.assignment_id)
    }

    fn distance(&self, found: &MatchView) -> u64 {
        u64::from(found.found.distance.unsigned_abs())
    }

    fn retraction_of(&self, assessment: AssessmentId) -> Option<&Form> {
        self.assessments.iter().find(|(id, _)| *id == assessment)?.1.as_ref()
    }
}
