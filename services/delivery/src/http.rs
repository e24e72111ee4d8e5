//! Delivery's pages: the inbox as a list and as a stream, opening, and what the agency's client reports.

mod stream;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chassis::auth::Caller;
use chassis::cursor::Cursors;
use chassis::front::{Answer, AtPosition, Front, IdempotencyKey};
use chassis::http::{Body, Path, Query, answered};
use chassis::keys::KeyError;
use chassis::problem::{Problem, chain};
use chassis::reference::Reference;
use schemas::codes::{AssignmentState, Urgency};
use schemas::delivery::{FacetsDisclosed, OpenFacets, ReportAccess};
use schemas::ids::{AssignmentId, DisclosureId, FacetId, IncidentId, KeyId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Delivery;
use crate::disclosure::{Discloser, Disclosure, OpenError};
use crate::domain::disclosure_id;
use crate::inbox::{self, Entry};

/// Entries on a page of the inbox, when the caller does not say.
const DEFAULT_LIMIT: u16 = 50;
const MAX_LIMIT: u16 = 500;

/// What the pages reach beside their own topic. Cheap to clone.
#[derive(Clone)]
pub struct Pages {
    pub front: Front<Delivery>,
    pub reference: Reference,
    pub cursors: Cursors,
    pub discloser: Arc<Discloser>,
    /// Partitions of `delivery.events`.
    pub partitions: i32,
}

pub fn pages(pages: Pages) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(stream::follow))
        .routes(routes!(open))
        .routes(routes!(report_access))
        .with_state(pages)
}

/// Which entries, and from where.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InboxQuery {
    /// A page's cursor; without it from the beginning.
    cursor: Option<String>,
    /// 1 to 500; 50 without.
    limit: Option<u16>,
    /// Only assignments that stand so now.
    state: Option<AssignmentState>,
    /// Only assignments of this urgency.
    urgency: Option<Urgency>,
}

/// A page of the inbox, oldest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Inbox {
    pub entries: Vec<Entry>,
    /// Where the next page begins; it stays good on every instance.
    pub cursor: String,
    /// Whether there is more already.
    pub more: bool,
}

/// What stands before the caller's agency.
#[utoipa::path(get, path = "/v1/inbox", tag = "delivery", params(InboxQuery),
    responses((status = 200, body = Inbox), (status = 400, body = Problem)))]
async fn list(
    caller: Caller,
    at: AtPosition,
    State(pages): State<Pages>,
    Query(query): Query<InboxQuery>,
) -> Result<Json<Inbox>, Problem> {
    pages.front.await_position(at.0.as_ref()).await?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if limit == 0 || limit > MAX_LIMIT {
        return Err(Problem::malformed().field("limit", format!("expected 1 to {MAX_LIMIT}")));
    }
    let agency = &caller.agency.id;
    let cursor = query.cursor.as_deref().map(|text| pages.cursors.read(agency, text)).transpose()?;
    let cursor = cursor.unwrap_or_default();
    let page = inbox::page(&pages, agency, &cursor, usize::from(limit))?;
    let entries = page.entries.into_iter().filter(|entry| query.wants(entry)).collect();
    Ok(Json(Inbox { entries, cursor: pages.cursors.write(agency, &page.cursor), more: page.more }))
}

impl InboxQuery {
    fn wants(&self, entry: &Entry) -> bool {
        if self.state.is_none() && self.urgency.is_none() {
            return true;
        }
        let Entry::Assignment(entry) = entry else { return false };
        self.state.is_none_or(|state| state == entry.state)
            && self.urgency.is_none_or(|urgency| urgency == entry.urgency)
    }
}

/// What to open, and for which of the agency's keys.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Open {
    pub recipient_key_id: KeyId,
    /// Empty or missing asks for all that the assignment names.
    #[serde(default)]
    pub facets: Vec<FacetId>,
}

/// Opens facets: recorded first, then each data key re-wrapped to the agency's own public key.
#[utoipa::path(post, path = "/v1/incidents/{incident}/assignments/{assignment}/open", tag = "delivery",
    params(("incident" = IncidentId, Path), ("assignment" = AssignmentId, Path), ("Idempotency-Key" = String, Header)),
    request_body = Open,
    responses((status = 201, body = Disclosure), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn open(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path((incident, assignment_id)): Path<(IncidentId, AssignmentId)>,
    Body(Open { recipient_key_id, facets }): Body<Open>,
) -> Result<Response, Problem> {
    let command = OpenFacets { assignment_id, facets, recipient_key_id };
    let request = key.request::<Delivery>(&caller, incident, command);
    let command_id = request.command_id;
    let answer = pages.front.submit(request).await?;
    let Answer::Done { .. } = &answer else {
        return Ok(answered::<Delivery>(&answer, StatusCode::CREATED, &()));
    };
    let state = pages.front.state(&incident.to_string())?;
    let referral_id = state.state.registered.as_ref().ok_or_else(Problem::not_found)?.referral_id;
    // The disclosure of this very command: a resend finds its own, not a later one.
    let disclosed = state
        .state
        .disclosures
        .get(&disclosure_id(&incident.to_string(), &command_id.to_string()))
        .cloned()
        .ok_or_else(Problem::internal)?;
    let recipient = recipient_key(&pages, &caller, &disclosed)?;
    let disclose = {
        let discloser = Arc::clone(&pages.discloser);
        move || discloser.disclose(incident, referral_id, &disclosed, &recipient)
    };
    let disclosure = tokio::task::spawn_blocking(disclose).await.map_err(|_| Problem::internal())?;
    let disclosure = disclosure.map_err(|error| not_opened(&error))?;
    Ok(answered::<Delivery>(&answer, StatusCode::CREATED, &disclosure))
}

fn recipient_key(pages: &Pages, caller: &Caller, disclosed: &FacetsDisclosed) -> Result<Vec<u8>, Problem> {
    use base64::Engine as _;
    let directory = pages.reference.snapshot().directory;
    let now = pages.front.clock().now();
    let key = directory.key(&caller.agency.id, &disclosed.recipient_key_id, now);
    let bytes = key.and_then(|key| base64::engine::general_purpose::STANDARD.decode(&key.public_key).ok());
    bytes.ok_or_else(|| {
        Problem::invalid().field("/recipient_key_id", "the directory has no such key of this agency")
    })
}

fn not_opened(error: &OpenError) -> Problem {
    tracing::error!(error = %chain(error), "a disclosure was granted and not given");
    match error {
        OpenError::Keys(KeyError::Gone) => {
            Problem::rejected().detail("the keys are erased, or not followed yet").retry_after(2)
        }
        _ => Problem::unavailable().detail("the facets could not be read").retry_after(2),
    }
}

/// What a person opened, by the agency's own client's word.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Access {
    pub facets: Vec<FacetId>,
}

/// Reports that a person opened what was disclosed.
#[utoipa::path(post, path = "/v1/incidents/{incident}/disclosures/{disclosure}/access", tag = "delivery",
    params(("incident" = IncidentId, Path), ("disclosure" = DisclosureId, Path), ("Idempotency-Key" = String, Header)),
    request_body = Access,
    responses((status = 201, body = Access), (status = 404, body = Problem)))]
async fn report_access(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path((incident, disclosure_id)): Path<(IncidentId, DisclosureId)>,
    Body(access): Body<Access>,
) -> Result<Response, Problem> {
    let command = ReportAccess { disclosure_id, facets: access.facets.clone() };
    let answer = pages.front.submit(key.request::<Delivery>(&caller, incident, command)).await?;
    Ok(answered::<Delivery>(&answer, StatusCode::CREATED, &access))
}
