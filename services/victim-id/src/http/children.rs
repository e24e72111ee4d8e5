//! The children of an incident: shown, and registered where the referral does not name them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chassis::auth::Caller;
use chassis::front::{Answer, AtPosition, IdempotencyKey};
use chassis::http::{Body, Path, answered};
use chassis::problem::Problem;
use schemas::codes::{AgeBand, AgencyKind};
use schemas::ids::{ChildRef, IncidentId};
use schemas::victim_id::RegisterChild;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Pages;
use super::view::{self, ChildView, WatchedChild};
use crate::VictimId;

pub fn pages() -> OpenApiRouter<Pages> {
    OpenApiRouter::new().routes(routes!(list, register)).routes(routes!(show))
}

/// A child that the referral does not name.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChildFound)]
pub struct Found {
    pub age_band: AgeBand,
}

/// The children of one incident.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Children {
    /// Those that the caller may know of.
    pub children: Vec<ChildView>,
    /// Those that a coordinator watches, coarsely.
    pub watched: Vec<WatchedChild>,
}

/// Every child of the incident that the caller may know of; a coordinator sees those of its countries, coarsely.
#[utoipa::path(get, path = "/v1/incidents/{incident}/children", tag = "victim-id",
    params(("incident" = IncidentId, Path)),
    responses((status = 200, body = Children), (status = 404, body = Problem)))]
async fn list(
    caller: Caller,
    at: AtPosition,
    State(pages): State<Pages>,
    Path(incident): Path<IncidentId>,
) -> Result<Json<Children>, Problem> {
    pages.front.await_position(at.0.as_ref()).await?;
    let state = pages.front.state(&incident.to_string())?;
    let known = state.state.incident();
    let all = known.children.keys();
    let children: Vec<ChildView> =
        all.filter_map(|child| pages.view_of(&caller, incident, known, *child)).collect();
    let watched = match caller.agency.kind {
        AgencyKind::Coordinator => view::watched(known, &caller.agency, pages.front.clock().now()),
        _ => Vec::new(),
    };
    let engaged = known.engaged.contains_key(&caller.agency.id);
    if children.is_empty() && watched.is_empty() && !engaged {
        return Err(pages.not_found(&caller, incident));
    }
    Ok(Json(Children { children, watched }))
}

/// One child as the caller may know of it.
#[utoipa::path(get, path = "/v1/incidents/{incident}/children/{child}", tag = "victim-id",
    params(("incident" = IncidentId, Path), ("child" = ChildRef, Path)),
    responses((status = 200, body = ChildView), (status = 404, body = Problem)))]
async fn show(
    caller: Caller,
    at: AtPosition,
    State(pages): State<Pages>,
    Path((incident, child)): Path<(IncidentId, ChildRef)>,
) -> Result<Json<ChildView>, Problem> {
    pages.front.await_position(at.0.as_ref()).await?;
    pages.view(&caller, incident, child).map(Json)
}

/// Registers a child that the referral does not name, and that somebody has to look for.
#[utoipa::path(post, path = "/v1/incidents/{incident}/children", tag = "victim-id",
    params(("incident" = IncidentId, Path), ("Idempotency-Key" = String, Header)), request_body = Found,
    responses((status = 201, body = ChildView), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn register(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path(incident): Path<IncidentId>,
    Body(Found { age_band }): Body<Found>,
) -> Result<Response, Problem> {
    let request = key.request::<VictimId>(&caller, incident, RegisterChild { age_band });
    let cause = request.command_id.to_string();
    let answer = pages.front.submit(request).await?;
    let view = match &answer {
        Answer::Done { .. } => {
            let child = ChildRef::derive(&[incident.to_string().as_bytes(), cause.as_bytes()]);
            Some(pages.view(&caller, incident, child)?)
        }
        Answer::Pending(_) => None,
    };
    Ok(answered::<VictimId>(&answer, StatusCode::CREATED, &view))
}
