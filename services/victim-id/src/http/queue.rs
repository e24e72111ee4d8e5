//! A unit's queue: the children before it, with what speaks for looking at each of them now. A person decides.

use axum::Json;
use axum::extract::State;
use chassis::auth::Caller;
use chassis::front::AtPosition;
use chassis::http::Query;
use chassis::problem::{Problem, chain};
use schemas::Timestamp;
use schemas::codes::PriorityFactor;
use schemas::ids::IncidentId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Pages;
use super::view::ChildView;
use crate::domain::{Child, Incident, priority};
use crate::index;

/// Most children of one answer, and how many when it is not told.
const MAX_ITEMS: usize = 1_000;
const ITEMS: usize = 100;

pub fn pages() -> OpenApiRouter<Pages> {
    OpenApiRouter::new().routes(routes!(queue))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// 1 to 1000; 100 when it is not told.
    limit: Option<usize>,
}

/// The children before an agency.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ChildQueue)]
pub struct Queue {
    /// Whoever has the stronger factor first; of two alike, whoever waits longer.
    pub items: Vec<QueueItem>,
    /// Whether there are more than the limit.
    pub more: bool,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ChildQueueItem)]
pub struct QueueItem {
    /// Strongest first, each a code of the list `priority-factor`.
    pub factors: Vec<PriorityFactor>,
    pub waits_since: Timestamp,
    pub child: ChildView,
}

/// Children that the caller looks for, that are offered to it, or that nobody looks for, in the order of what speaks
/// for looking at them now.
#[utoipa::path(get, path = "/v1/children", tag = "victim-id", params(Asked),
    responses((status = 200, body = Queue), (status = 400, body = Problem)))]
async fn queue(
    caller: Caller,
    at: AtPosition,
    State(pages): State<Pages>,
    Query(asked): Query<Asked>,
) -> Result<Json<Queue>, Problem> {
    pages.front.await_position(at.0.as_ref()).await?;
    let limit = asked.limit.unwrap_or(ITEMS);
    if !(1..=MAX_ITEMS).contains(&limit) {
        return Err(Problem::malformed().field("limit", format!("expected 1 to {MAX_ITEMS}")));
    }
    let found = tokio::task::spawn_blocking(move || of(&pages, &caller, limit)).await;
    found.map_err(|_| Problem::internal())?.map(Json)
}

fn of(pages: &Pages, caller: &Caller, limit: usize) -> Result<Queue, Problem> {
    let (from, to) = index::of_agency(&caller.agency.id);
    let mut items = Vec::new();
    for entry in pages.front.fold().index(&from, &to) {
        let (key, _) = entry.map_err(|error| {
            tracing::error!(error = %chain(&error), "failed to read the index of children");
            Problem::internal()
        })?;
        let Some(incident) = index::named_by::<IncidentId>(&key) else { continue };
        let state = pages.front.state(&incident.to_string())?;
        let known = state.state.incident();
        for (child_ref, child) in &known.children {
            if is_before(known, child, caller) {
                let view = pages.view_of(caller, incident, known, *child_ref);
                items.extend(view.map(|view| QueueItem {
                    factors: view.factors.clone(),
                    waits_since: child.registered,
                    child: view,
                }));
            }
        }
    }
    items.sort_by_cached_key(|item| (priority::order(&item.factors), item.waits_since));
    let more = items.len() > limit;
    items.truncate(limit);
    Ok(Queue { items, more })
}

/// Whether the child waits for something that the agency can do.
fn is_before(incident: &Incident, child: &Child, caller: &Caller) -> bool {
    let agency = &caller.agency.id;
    let offered = child.offer.as_ref().is_some_and(|offer| offer.to == *agency);
    let free = child.custody.is_none() && child.ceded_to.is_none() && incident.engaged.contains_key(agency);
    let asked = child.support.get(agency).is_some_and(|acknowledged| !acknowledged);
    child.is_held_by(agency) || offered || free || child.invited.contains(agency) || asked
}
