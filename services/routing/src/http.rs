//! Routing's pages: why an incident went where it went, and what agencies answer.

mod preview;
mod view;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chassis::auth::Caller;
use chassis::front::{Answer, AtPosition, Front, IdempotencyKey};
use chassis::http::{Body, Path, answered};
use chassis::problem::Problem;
use chassis::reference::Reference;
use chassis::sealing::{Asked, Sealing, Secrecy};
use schemas::Timestamp;
use schemas::codes::{
    AssessmentKind, AssessmentReason, CloseOutcome, DeclineReason, EscalationReason, FacetKind,
    RetractionReason, RevokeReason,
};
use schemas::ids::{AgencyId, AssessmentId, AssignmentId, Country, IncidentId, PersonRef, RetractionId};
use schemas::referral::SealedFacet;
use schemas::routing::{
    AcceptAssignment, AcceptLead, AcknowledgeRetraction, AddAssessment, AddCaseNumber, Assessment,
    AuthoriseTransfers, CloseAssignment, DeclineAssignment, DisputeLead, EscalateAssignment,
    ForwardAssignment, HoldFeedback, ReadRouting, RecordLead, RetractAssessment, RevokeAssignment,
    RoutingCommand,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Routing;
use crate::domain::Incident;
pub use preview::{Effect, Preview, Tried};
pub use view::{AssessmentView, AssignmentView, RetractionView, RoutingView};

#[derive(Clone)]
struct Pages {
    front: Front<Routing>,
    sealing: Arc<Sealing>,
    reference: Reference,
}

/// Longest case number of an agency.
const MAX_CASE_NUMBER_BYTES: usize = 128;

pub fn pages(front: Front<Routing>, sealing: Arc<Sealing>, reference: Reference) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(show))
        .routes(routes!(accept))
        .routes(routes!(decline))
        .routes(routes!(forward))
        .routes(routes!(revoke))
        .routes(routes!(close))
        .routes(routes!(escalate))
        .routes(routes!(hold_feedback))
        .routes(routes!(add_case_number))
        .routes(routes!(assess))
        .routes(routes!(retract))
        .routes(routes!(acknowledge))
        .routes(routes!(authorise))
        .routes(routes!(accept_lead))
        .routes(routes!(dispute_lead))
        .routes(routes!(record_lead))
        .routes(routes!(preview::preview))
        .with_state(Pages { front, sealing, reference })
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Decline {
    pub reason: DeclineReason,
    /// Free text, sealed: for the parties that may open it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Forward {
    pub to: AgencyId,
    /// Free text, sealed: for the parties that may open it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Revoke {
    pub reason: RevokeReason,
    /// Free text, sealed: for the parties that may open it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Close {
    pub outcome: CloseOutcome,
    /// Free text, sealed: for the parties that may open it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Escalate {
    pub reason: EscalationReason,
    /// Free text, sealed: for the parties that may open it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FeedbackHold {
    /// Until when the reporter is told nothing more of the assignment, at most 180 days from now; a moment that
    /// has passed ends the hold.
    pub until: Timestamp,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseNumber {
    /// The agency's own number for its case; sealed.
    pub number: String,
}

/// What a party makes of the incident.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Assess {
    pub kind: AssessmentKind,
    /// A code of the list that the kind names; none where the kind says it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    pub reason: AssessmentReason,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person_ref: Option<PersonRef>,
    /// Free text, sealed: for the parties that may open it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Retract {
    pub reason: RetractionReason,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Transfers {
    pub countries: Vec<Country>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LeadCountry {
    pub country: Country,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Dispute {
    pub country: Country,
    pub proposes: Country,
}

/// The whole routing of an incident, as far as the caller may see it: each assignment with its grounds, rule,
/// articles and transfer basis.
#[utoipa::path(get, path = "/v1/incidents/{incident}/routing", tag = "routing",
    params(("incident" = IncidentId, Path)),
    responses((status = 200, body = RoutingView), (status = 404, body = Problem)))]
async fn show(
    caller: Caller,
    at: AtPosition,
    State(pages): State<Pages>,
    Path(incident): Path<IncidentId>,
) -> Result<Json<RoutingView>, Problem> {
    pages.front.await_position(at.0.as_ref()).await?;
    let state = pages.front.state(&incident.to_string())?;
    let view = RoutingView::of(incident, &state.state, &caller.agency, pages.front.clock().now());
    view.map(Json).ok_or_else(|| {
        pages.front.record_attempt(&caller, incident, ReadRouting { incident_id: incident });
        Problem::not_found()
    })
}

/// Accepts an assignment: a person takes the agency's part on.
#[utoipa::path(post, path = "/v1/incidents/{incident}/assignments/{assignment}/accept", tag = "routing",
    params(("incident" = IncidentId, Path), ("assignment" = AssignmentId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = RoutingView), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn accept(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path((incident, assignment_id)): Path<(IncidentId, AssignmentId)>,
) -> Result<Response, Problem> {
    decide(&pages, &caller, &key, incident, AcceptAssignment { assignment_id }).await
}

/// Declines an assignment, with the reason.
#[utoipa::path(post, path = "/v1/incidents/{incident}/assignments/{assignment}/decline", tag = "routing",
    params(("incident" = IncidentId, Path), ("assignment" = AssignmentId, Path), ("Idempotency-Key" = String, Header)),
    request_body = Decline,
    responses((status = 201, body = RoutingView), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn decline(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path((incident, assignment_id)): Path<(IncidentId, AssignmentId)>,
    Body(asked): Body<Decline>,
) -> Result<Response, Problem> {
    let Decline { reason, note } = &asked;
    let command = |note| DeclineAssignment { assignment_id, reason: *reason, note }.into();
    decide_with_note(&pages, &caller, &key, incident, (assignment_id, &asked), note.as_deref(), command).await
}

/// Forwards an assignment to another agency, through the transfer gate again.
#[utoipa::path(post, path = "/v1/incidents/{incident}/assignments/{assignment}/forward", tag = "routing",
    params(("incident" = IncidentId, Path), ("assignment" = AssignmentId, Path), ("Idempotency-Key" = String, Header)),
    request_body = Forward,
    responses((status = 201, body = RoutingView), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn forward(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path((incident, assignment_id)): Path<(IncidentId, AssignmentId)>,
    Body(asked): Body<Forward>,
) -> Result<Response, Problem> {
    let Forward { to, note } = &asked;
    let command = |note| ForwardAssignment { assignment_id, to: to.clone(), note }.into();
    decide_with_note(&pages, &caller, &key, incident, (assignment_id, &asked), note.as_deref(), command).await
}

/// Takes an assignment back: the originator, or a coordinator of the country.
#[utoipa::path(post, path = "/v1/incidents/{incident}/assignments/{assignment}/revoke", tag = "routing",
    params(("incident" = IncidentId, Path), ("assignment" = AssignmentId, Path), ("Idempotency-Key" = String, Header)),
    request_body = Revoke,
    responses((status = 201, body = RoutingView), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn revoke(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path((incident, assignment_id)): Path<(IncidentId, AssignmentId)>,
    Body(asked): Body<Revoke>,
) -> Result<Response, Problem> {
    let Revoke { reason, note } = &asked;
    let command = |note| RevokeAssignment { assignment_id, reason: *reason, note }.into();
    decide_with_note(&pages, &caller, &key, incident, (assignment_id, &asked), note.as_deref(), command).await
}

/// Closes an accepted assignment, with what came of it.
#[utoipa::path(post, path = "/v1/incidents/{incident}/assignments/{assignment}/close", tag = "routing",
    params(("incident" = IncidentId, Path), ("assignment" = AssignmentId, Path), ("Idempotency-Key" = String, Header)),
    request_body = Close,
    responses((status = 201, body = RoutingView), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn close(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path((incident, assignment_id)): Path<(IncidentId, AssignmentId)>,
    Body(asked): Body<Close>,
) -> Result<Response, Problem> {
    let Close { outcome, note } = &asked;
    let command = |note| CloseAssignment { assignment_id, outcome: *outcome, note }.into();
    decide_with_note(&pages, &caller, &key, incident, (assignment_id, &asked), note.as_deref(), command).await
}

/// Asks a coordinator to look; the assignment stays with its agency.
#[utoipa::path(post, path = "/v1/incidents/{incident}/assignments/{assignment}/escalate", tag = "routing",
    params(("incident" = IncidentId, Path), ("assignment" = AssignmentId, Path), ("Idempotency-Key" = String, Header)),
    request_body = Escalate,
    responses((status = 201, body = RoutingView), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn escalate(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path((incident, assignment_id)): Path<(IncidentId, AssignmentId)>,
    Body(asked): Body<Escalate>,
) -> Result<Response, Problem> {
    let Escalate { reason, note } = &asked;
    let command = |note| EscalateAssignment { assignment_id, reason: *reason, note }.into();
    decide_with_note(&pages, &caller, &key, incident, (assignment_id, &asked), note.as_deref(), command).await
}

/// Holds back what the reporter is told of the assignment, for a stated time.
#[utoipa::path(post, path = "/v1/incidents/{incident}/assignments/{assignment}/hold-feedback", tag = "routing",
    params(("incident" = IncidentId, Path), ("assignment" = AssignmentId, Path), ("Idempotency-Key" = String, Header)),
    request_body = FeedbackHold,
    responses((status = 201, body = RoutingView), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn hold_feedback(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path((incident, assignment_id)): Path<(IncidentId, AssignmentId)>,
    Body(FeedbackHold { until }): Body<FeedbackHold>,
) -> Result<Response, Problem> {
    decide(&pages, &caller, &key, incident, HoldFeedback { assignment_id, until }).await
}

/// Adds the agency's own number for its case. Parties may open it; a coordinator sees that there is one.
#[utoipa::path(post, path = "/v1/incidents/{incident}/case-numbers", tag = "routing",
    params(("incident" = IncidentId, Path), ("Idempotency-Key" = String, Header)), request_body = CaseNumber,
    responses((status = 201, body = RoutingView), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn add_case_number(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path(incident): Path<IncidentId>,
    Body(asked): Body<CaseNumber>,
) -> Result<Response, Problem> {
    if asked.number.is_empty() || asked.number.len() > MAX_CASE_NUMBER_BYTES {
        return Err(
            Problem::invalid().field("/number", format!("expected 1 to {MAX_CASE_NUMBER_BYTES} bytes"))
        );
    }
    let number = Secrecy::text(FacetKind::CaseNumber, "/number", &asked.number)?;
    let command = |number: Option<SealedFacet>| {
        AddCaseNumber { number: number.expect("what was given to be sealed comes back sealed") }.into()
    };
    decide_sealing(&pages, &caller, &key, incident, &asked, Some(number), command).await
}

/// Adds an assessment; earlier ones stay, and routing looks at the incident again.
#[utoipa::path(post, path = "/v1/incidents/{incident}/assessments", tag = "routing",
    params(("incident" = IncidentId, Path), ("Idempotency-Key" = String, Header)), request_body = Assess,
    responses((status = 201, body = RoutingView), (status = 404, body = Problem), (status = 422, body = Problem)))]
async fn assess(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path(incident): Path<IncidentId>,
    Body(asked): Body<Assess>,
) -> Result<Response, Problem> {
    let (kind, value, reason, person_ref) = (asked.kind, asked.value.clone(), asked.reason, asked.person_ref);
    let assessment = Assessment { kind, value, reason, person_ref };
    let command = |note| AddAssessment { assessment, note }.into();
    decide_with_note(&pages, &caller, &key, incident, &asked, asked.note.as_deref(), command).await
}

/// Takes one's own assessment back. It stays on record; each agency that could read it is told, and acknowledges.
#[utoipa::path(post, path = "/v1/incidents/{incident}/assessments/{assessment}/retract", tag = "routing",
    params(("incident" = IncidentId, Path), ("assessment" = AssessmentId, Path), ("Idempotency-Key" = String, Header)),
    request_body = Retract,
    responses((status = 201, body = RoutingView), (status = 404, body = Problem)))]
async fn retract(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path((incident, assessment_id)): Path<(IncidentId, AssessmentId)>,
    Body(Retract { reason }): Body<Retract>,
) -> Result<Response, Problem> {
    decide(&pages, &caller, &key, incident, RetractAssessment { assessment_id, reason }).await
}

/// Acknowledges that something was taken back, as a person.
#[utoipa::path(post, path = "/v1/incidents/{incident}/retractions/{retraction}/acknowledge", tag = "routing",
    params(("incident" = IncidentId, Path), ("retraction" = RetractionId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = RoutingView), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn acknowledge(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path((incident, retraction_id)): Path<(IncidentId, RetractionId)>,
) -> Result<Response, Problem> {
    decide(&pages, &caller, &key, incident, AcknowledgeRetraction { retraction_id }).await
}

/// The originator allows transfers to these countries, for this incident.
#[utoipa::path(post, path = "/v1/incidents/{incident}/transfers", tag = "routing",
    params(("incident" = IncidentId, Path), ("Idempotency-Key" = String, Header)), request_body = Transfers,
    responses((status = 201, body = RoutingView), (status = 404, body = Problem)))]
async fn authorise(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path(incident): Path<IncidentId>,
    Body(Transfers { countries }): Body<Transfers>,
) -> Result<Response, Problem> {
    decide(&pages, &caller, &key, incident, AuthoriseTransfers { countries }).await
}

/// Accepts the State proposed as lead.
#[utoipa::path(post, path = "/v1/incidents/{incident}/lead/accept", tag = "routing",
    params(("incident" = IncidentId, Path), ("Idempotency-Key" = String, Header)), request_body = LeadCountry,
    responses((status = 201, body = RoutingView), (status = 404, body = Problem), (status = 422, body = Problem)))]
async fn accept_lead(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path(incident): Path<IncidentId>,
    Body(LeadCountry { country }): Body<LeadCountry>,
) -> Result<Response, Problem> {
    decide(&pages, &caller, &key, incident, AcceptLead { country }).await
}

/// Disputes the State proposed as lead, and says which is better placed.
#[utoipa::path(post, path = "/v1/incidents/{incident}/lead/dispute", tag = "routing",
    params(("incident" = IncidentId, Path), ("Idempotency-Key" = String, Header)), request_body = Dispute,
    responses((status = 201, body = RoutingView), (status = 404, body = Problem), (status = 422, body = Problem)))]
async fn dispute_lead(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path(incident): Path<IncidentId>,
    Body(Dispute { country, proposes }): Body<Dispute>,
) -> Result<Response, Problem> {
    decide(&pages, &caller, &key, incident, DisputeLead { country, proposes }).await
}

/// A coordinator records the lead that the parties have agreed on.
#[utoipa::path(post, path = "/v1/incidents/{incident}/lead/record", tag = "routing",
    params(("incident" = IncidentId, Path), ("Idempotency-Key" = String, Header)), request_body = LeadCountry,
    responses((status = 201, body = RoutingView), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn record_lead(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path(incident): Path<IncidentId>,
    Body(LeadCountry { country }): Body<LeadCountry>,
) -> Result<Response, Problem> {
    decide(&pages, &caller, &key, incident, RecordLead { country }).await
}

async fn decide(
    pages: &Pages,
    caller: &Caller,
    key: &IdempotencyKey,
    incident: IncidentId,
    command: impl Into<RoutingCommand>,
) -> Result<Response, Problem> {
    let answer = pages.front.submit(key.request::<Routing>(caller, incident, command)).await?;
    shown(pages, caller, incident, &answer)
}

/// The answer with what the caller may see of the incident now.
fn shown(pages: &Pages, caller: &Caller, incident: IncidentId, answer: &Answer) -> Result<Response, Problem> {
    let state = pages.front.state(&incident.to_string())?;
    let view = RoutingView::of(incident, &state.state, &caller.agency, pages.front.clock().now());
    let view = view.unwrap_or_else(|| RoutingView::nothing(incident));
    Ok(answered::<Routing>(answer, StatusCode::CREATED, &view))
}

/// A command whose free text is sealed before it is written.
async fn decide_with_note(
    pages: &Pages,
    caller: &Caller,
    key: &IdempotencyKey,
    incident: IncidentId,
    asked: impl Serialize,
    note: Option<&str>,
    command: impl FnOnce(Option<SealedFacet>) -> RoutingCommand,
) -> Result<Response, Problem> {
    let note = note.map(|text| Secrecy::text(FacetKind::AnswerText, "/note", text)).transpose()?;
    decide_sealing(pages, caller, key, incident, asked, note, command).await
}

async fn decide_sealing(
    pages: &Pages,
    caller: &Caller,
    key: &IdempotencyKey,
    incident: IncidentId,
    asked: impl Serialize,
    secret: Option<Secrecy>,
    command: impl FnOnce(Option<SealedFacet>) -> RoutingCommand,
) -> Result<Response, Problem> {
    let body = serde_json::to_vec(&asked).expect("a request is plain data");
    let asked = Asked { caller, key, incident, purpose: "routing-command", body: &body };
    // Only the text of who may see the incident is sealed: whoever else asks is told that there is none.
    let of_referral = |state: &Incident| {
        let (agency, now) = (&caller.agency, pages.front.clock().now());
        let sees = state.is_party(&agency.id) || RoutingView::of(incident, state, agency, now).is_some();
        state.opened.as_ref().filter(|_| sees).map(|opened| opened.referral_id).ok_or_else(|| {
            pages.front.record_attempt(caller, incident, ReadRouting { incident_id: incident });
            Problem::not_found()
        })
    };
    let secrets: Vec<Secrecy> = secret.into_iter().collect();
    let command = |mut facets: Vec<SealedFacet>| command(facets.pop());
    let answer = pages.sealing.submit_sealing(&pages.front, asked, &secrets, of_referral, command).await?;
    shown(pages, caller, incident, &answer)
}
