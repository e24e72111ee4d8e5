//! Routing's pages: why an incident went where it went, and what agencies answer.

mod view;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chassis::auth::Caller;
use chassis::front::{AtPosition, Front, IdempotencyKey};
use chassis::http::{Body, Path, answered};
use chassis::problem::Problem;
use schemas::codes::{CloseOutcome, DeclineReason, RevokeReason};
use schemas::ids::{AgencyId, AssignmentId, Country, IncidentId};
use schemas::routing::{
    AcceptAssignment, AcceptLead, AddAssessment, Assessment, AuthoriseTransfers, CloseAssignment,
    DeclineAssignment, DisputeLead, ForwardAssignment, RecordLead, RevokeAssignment, RoutingCommand,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Routing;
pub use view::{AssignmentView, RoutingView};

#[derive(Clone)]
struct Pages {
    front: Front<Routing>,
}

pub fn pages(front: Front<Routing>) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(show))
        .routes(routes!(accept))
        .routes(routes!(decline))
        .routes(routes!(forward))
        .routes(routes!(revoke))
        .routes(routes!(close))
        .routes(routes!(assess))
        .routes(routes!(authorise))
        .routes(routes!(accept_lead))
        .routes(routes!(dispute_lead))
        .routes(routes!(record_lead))
        .with_state(Pages { front })
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Decline {
    pub reason: DeclineReason,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Forward {
    pub to: AgencyId,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Revoke {
    pub reason: RevokeReason,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Close {
    pub outcome: CloseOutcome,
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
    view(&pages, &caller, incident).map(Json)
}

fn view(pages: &Pages, caller: &Caller, incident: IncidentId) -> Result<RoutingView, Problem> {
    let state = pages.front.state(&incident.to_string())?;
    RoutingView::of(incident, &state.state, &caller.agency).ok_or_else(Problem::not_found)
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
    Body(Decline { reason }): Body<Decline>,
) -> Result<Response, Problem> {
    decide(&pages, &caller, &key, incident, DeclineAssignment { assignment_id, reason }).await
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
    Body(Forward { to }): Body<Forward>,
) -> Result<Response, Problem> {
    decide(&pages, &caller, &key, incident, ForwardAssignment { assignment_id, to }).await
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
    Body(Revoke { reason }): Body<Revoke>,
) -> Result<Response, Problem> {
    decide(&pages, &caller, &key, incident, RevokeAssignment { assignment_id, reason }).await
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
    Body(Close { outcome }): Body<Close>,
) -> Result<Response, Problem> {
    decide(&pages, &caller, &key, incident, CloseAssignment { assignment_id, outcome }).await
}

/// Adds an assessment; earlier ones stay, and routing looks at the incident again.
#[utoipa::path(post, path = "/v1/incidents/{incident}/assessments", tag = "routing",
    params(("incident" = IncidentId, Path), ("Idempotency-Key" = String, Header)), request_body = Assessment,
    responses((status = 201, body = RoutingView), (status = 404, body = Problem), (status = 422, body = Problem)))]
async fn assess(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path(incident): Path<IncidentId>,
    Body(assessment): Body<Assessment>,
) -> Result<Response, Problem> {
    decide(&pages, &caller, &key, incident, AddAssessment { assessment }).await
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
    let state = pages.front.state(&incident.to_string())?;
    let view = RoutingView::of(incident, &state.state, &caller.agency);
    let view = view.unwrap_or_else(|| RoutingView::nothing(incident));
    Ok(answered::<Routing>(&answer, StatusCode::CREATED, &view))
}
