//! The list of the day: what an authority owes and is owed, soonest first, and what has changed since yesterday.

use axum::Json;
use axum::extract::State;
use chassis::auth::Caller;
use chassis::front::AtPosition;
use chassis::http::Query;
use chassis::problem::Problem;
use schemas::Timestamp;
use schemas::codes::{
    ClockKind, DueReason, Measure, RequestKind, RequestRole, RequestState, RequestStep, VerificationMark,
};
use schemas::ids::{Country, IncidentId, InstrumentId, RequestId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Pages;
use super::view;
use crate::domain::due::{Item, items};
use crate::domain::{Incident, Request};
use crate::index::{self, Open};

/// Most items of one list, and how many when it is not told.
const MAX_ITEMS: usize = 1_000;
const ITEMS: usize = 200;
const DAY_MINUTES: i64 = 24 * 60;

pub fn pages() -> OpenApiRouter<Pages> {
    OpenApiRouter::new().routes(routes!(due))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// What has changed since then; since a day ago when it is not told.
    since: Option<Timestamp>,
    /// 1 to 1000; 200 when it is not told.
    limit: Option<usize>,
}

/// The list of the day.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Due {
    /// Soonest first; what has no day comes last.
    pub items: Vec<DueItem>,
    /// Whether there are more items than the limit.
    pub more: bool,
    pub since: Timestamp,
    /// What has changed since, newest first.
    pub changed: Vec<Changed>,
}

/// One thing that somebody has to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DueItem {
    pub incident_id: IncidentId,
    pub request_id: RequestId,
    pub kind: RequestKind,
    pub state: RequestState,
    /// Whom the caller speaks for.
    pub role: RequestRole,
    /// The State on the other side.
    pub with: Country,
    pub measures: Vec<Measure>,
    pub reason: DueReason,
    /// Whether it is the caller's side that owes it.
    pub owed_by_us: bool,
    /// The first moment after it: what comes before comes in time.
    pub due: Option<Timestamp>,
    pub clock: Option<String>,
    pub instrument: Option<InstrumentId>,
    pub article: Option<String>,
    /// What is owed, in words.
    pub duty: Option<String>,
    pub period: Option<ClockKind>,
    pub paused: bool,
    pub mark: Option<VerificationMark>,
    pub notice: Option<String>,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = RequestChanged)]
pub struct Changed {
    pub incident_id: IncidentId,
    pub request_id: RequestId,
    pub state: RequestState,
    pub steps: Vec<RequestStep>,
    /// The periods that have run out.
    pub ran_out: Vec<String>,
    pub at: Timestamp,
}

/// What the caller's agency owes and is owed in every request that it takes part in, soonest first, with the article
/// and the reason; and what has changed since yesterday.
#[utoipa::path(get, path = "/v1/mla/due", tag = "mla", params(Asked),
    responses((status = 200, body = Due), (status = 400, body = Problem)))]
async fn due(
    caller: Caller,
    at: AtPosition,
    State(pages): State<Pages>,
    Query(asked): Query<Asked>,
) -> Result<Json<Due>, Problem> {
    pages.front.await_position(at.0.as_ref()).await?;
    let limit = asked.limit.unwrap_or(ITEMS);
    if !(1..=MAX_ITEMS).contains(&limit) {
        return Err(Problem::malformed().field("limit", format!("expected 1 to {MAX_ITEMS}")));
    }
    let since = asked.since.unwrap_or_else(|| pages.front.clock().now().plus_minutes(-DAY_MINUTES));
    tokio::task::spawn_blocking(move || of(&pages, &caller, since, limit))
        .await
        .map_err(|_| Problem::internal())?
        .map(Json)
}

fn of(pages: &Pages, caller: &Caller, since: Timestamp, limit: usize) -> Result<Due, Problem> {
    let agency = &caller.agency.id;
    let mut open: Vec<(Open, IncidentId, RequestId)> = Vec::new();
    for (key, value) in pages.span(&index::open_of(agency))? {
        let kept: Open = postcard::from_bytes(&value).map_err(|error| super::broken(&error))?;
        open.extend(index::request_of(&key).map(|(incident, request)| (kept, incident, request)));
    }
    let mut changed = changed(pages, caller, since, &open)?;
    changed.sort_by_key(|one| std::cmp::Reverse(one.at));
    open.sort_by_key(|(kept, incident, request)| (kept.soonest.unwrap_or(NEVER), *incident, *request));
    let mut found = Vec::new();
    for (kept, incident, request) in &open {
        // Everything that is still to come is due later than what is there.
        let enough = found.len() > limit;
        if enough && latest(&found, limit) <= kept.soonest.unwrap_or(NEVER) {
            break;
        }
        found.extend(of_request(pages, caller, *incident, *request)?);
        found.sort_by_key(|item: &DueItem| item.due.unwrap_or(NEVER));
    }
    let more = found.len() > limit;
    found.truncate(limit);
    changed.truncate(MAX_ITEMS);
    Ok(Due { items: found, more, since, changed })
}

const NEVER: Timestamp = Timestamp::from_millis(i64::MAX);

fn latest(found: &[DueItem], limit: usize) -> Timestamp {
    found.get(limit).and_then(|item| item.due).unwrap_or(NEVER)
}

fn of_request(
    pages: &Pages,
    caller: &Caller,
    incident_id: IncidentId,
    request_id: RequestId,
) -> Result<Vec<DueItem>, Problem> {
    let state = pages.front.state(&incident_id.to_string())?;
    let Some(request) = state.state.requests.get(&request_id) else { return Ok(Vec::new()) };
    let Some(role) = request.role_of(&caller.agency.id) else { return Ok(Vec::new()) };
    let all = items(request, role);
    Ok(all.iter().map(|item| shown(pages, incident_id, request_id, request, role, item)).collect())
}

fn shown(
    pages: &Pages,
    incident_id: IncidentId,
    request_id: RequestId,
    request: &Request,
    role: RequestRole,
    item: &Item<'_>,
) -> DueItem {
    let directory = pages.reference.snapshot().directory;
    let now = pages.front.clock().now();
    let started = item.period.map(|(_, period)| &period.started);
    let with = match role {
        RequestRole::Requesting => request.draft.requested.clone(),
        RequestRole::Requested | RequestRole::Addressee => request.country.clone(),
    };
    DueItem {
        incident_id,
        request_id,
        kind: request.draft.kind,
        state: request.state,
        role,
        with,
        measures: request.draft.measures.clone(),
        reason: item.reason,
        owed_by_us: item.owed_by == role,
        due: item.due,
        clock: started.map(|started| started.clock.clone()),
        instrument: started.map(|started| started.instrument.clone()),
        article: started.map(|started| started.article.clone()),
        duty: item.period.and_then(|(_, period)| view::duty(&directory, request, period, now)),
        period: started.map(|started| started.kind),
        paused: item.period.is_some_and(|(_, period)| period.paused.is_some()),
        mark: started.map(|started| started.mark),
        notice: item.period.and_then(|(_, period)| view::period_notice(&directory, period, now)),
    }
}

fn changed(
    pages: &Pages,
    caller: &Caller,
    since: Timestamp,
    open: &[(Open, IncidentId, RequestId)],
) -> Result<Vec<Changed>, Problem> {
    let still_open = open.iter().filter(|(kept, ..)| kept.changed >= since).map(|(_, one, two)| (*one, *two));
    let over = pages.span(&index::over_since(&caller.agency.id, since))?;
    let over = over.iter().filter_map(|(key, _)| index::request_of(key));
    let all: std::collections::BTreeSet<(IncidentId, RequestId)> = still_open.chain(over).collect();
    let mut found = Vec::new();
    for (incident_id, request_id) in all {
        let state = pages.front.state(&incident_id.to_string())?;
        found.extend(changed_of(&state.state, caller, since, incident_id, request_id));
    }
    Ok(found)
}

fn changed_of(
    incident: &Incident,
    caller: &Caller,
    since: Timestamp,
    incident_id: IncidentId,
    request_id: RequestId,
) -> Option<Changed> {
    let request = incident.requests.get(&request_id)?;
    request.role_of(&caller.agency.id)?;
    let steps = request.history.iter().filter(|taken| taken.at >= since);
    let out = request.periods.values().filter_map(|period| Some((period, period.ran_out?)));
    let out: Vec<_> = out.filter(|(_, at)| *at >= since).collect();
    let moments = steps.clone().map(|taken| taken.at).chain(out.iter().map(|(_, at)| *at));
    Some(Changed {
        incident_id,
        request_id,
        state: request.state,
        at: moments.max().unwrap_or(request.drafted),
        steps: steps.map(crate::domain::Taken::step).collect(),
        ran_out: out.iter().map(|(period, _)| period.started.clock.clone()).collect(),
    })
}
