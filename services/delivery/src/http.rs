//! Delivery's pages: the inbox as a list and as a stream, opening, and what the agency's client reports.

mod pictures;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chassis::auth::Caller;
use chassis::cursor::Cursors;
use chassis::front::{Answer, AtPosition, Front, IdempotencyKey, Request};
use chassis::http::{Body, Path, Query, answered};
use chassis::keys::KeyError;
use chassis::problem::{Problem, chain};
use chassis::receipts::Receipts;
use chassis::reference::Reference;
use schemas::Timestamp;
use schemas::codes::{AssignmentState, ErasureReason, HoldReason, Urgency};
use schemas::delivery::{
    DeliveryCommand, EraseFacets, FacetsDisclosed, OpenFacets, OpenHandover, OpenRequest, PlaceHold,
    ReleaseHold, ReportAccess,
};
use schemas::ids::{
    AssignmentId, ChildRef, DisclosureId, ErasureId, FacetId, HoldId, IncidentId, KeyId, PersonRef, RequestId,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Delivery;
use crate::disclosure::{Discloser, Disclosure, OpenError};
use crate::domain::erasure::{erasure_id, hold_id};
use crate::domain::{Incident, disclosure_id};
use crate::inbox::{self, Delivered, Entry};

pub use pictures::{MatchView, Matches};

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
    pub receipts: Receipts,
    /// Partitions of `delivery.events`.
    pub partitions: i32,
    /// Within which erased keys are gone from every replica.
    pub erase_within: Duration,
}

pub fn pages(pages: Pages) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(stream::follow))
        .routes(routes!(open))
        .routes(routes!(open_request))
        .routes(routes!(open_handover))
        .routes(routes!(report_access))
        .routes(routes!(erase))
        .routes(routes!(place_hold))
        .routes(routes!(release_hold))
        .routes(routes!(pictures::picture_matches))
        .routes(routes!(pictures::judge_match))
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
pub struct Inbox<E = Entry> {
    pub entries: Vec<E>,
    /// Where the next page begins; it stays good on every instance.
    pub cursor: String,
    /// Whether there is more already.
    pub more: bool,
}

/// What stands before the caller's agency.
#[utoipa::path(get, path = "/v1/inbox", tag = "delivery", params(InboxQuery),
    responses((status = 200, body = Inbox<Delivered>), (status = 400, body = Problem)))]
async fn list(
    caller: Caller,
    at: AtPosition,
    State(pages): State<Pages>,
    Query(query): Query<InboxQuery>,
) -> Result<Json<Inbox<Delivered>>, Problem> {
    pages.front.await_position(at.0.as_ref()).await?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if limit == 0 || limit > MAX_LIMIT {
        return Err(Problem::malformed().field("limit", format!("expected 1 to {MAX_LIMIT}")));
    }
    let agency = &caller.agency.id;
    let cursor = query.cursor.as_deref().map(|text| pages.cursors.read(agency, text)).transpose()?;
    let cursor = cursor.unwrap_or_default();
    let page = inbox::page(&pages, &caller.agency, &cursor, usize::from(limit))?;
    let entries = page.entries.into_iter().filter(|one| query.wants(&one.entry)).collect();
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
    disclose(&pages, &caller, key.request::<Delivery>(&caller, incident, command), incident).await
}

/// Opens the texts of a request for legal assistance, or of an order, for an agency that takes part in it.
#[utoipa::path(post, path = "/v1/incidents/{incident}/requests/{request}/open", tag = "delivery",
    params(("incident" = IncidentId, Path), ("request" = RequestId, Path), ("Idempotency-Key" = String, Header)),
    request_body = Open,
    responses((status = 201, body = Disclosure), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn open_request(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path((incident, request_id)): Path<(IncidentId, RequestId)>,
    Body(Open { recipient_key_id, facets }): Body<Open>,
) -> Result<Response, Problem> {
    let command = OpenRequest { request_id, facets, recipient_key_id };
    disclose(&pages, &caller, key.request::<Delivery>(&caller, incident, command), incident).await
}

/// Opens what goes with a child: for its author, for whoever it was given to, and for the custodian of the search.
#[utoipa::path(post, path = "/v1/incidents/{incident}/children/{child}/open", tag = "delivery",
    params(("incident" = IncidentId, Path), ("child" = ChildRef, Path), ("Idempotency-Key" = String, Header)),
    request_body = Open,
    responses((status = 201, body = Disclosure), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn open_handover(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path((incident, child_ref)): Path<(IncidentId, ChildRef)>,
    Body(Open { recipient_key_id, facets }): Body<Open>,
) -> Result<Response, Problem> {
    let command = OpenHandover { child_ref, facets, recipient_key_id };
    disclose(&pages, &caller, key.request::<Delivery>(&caller, incident, command), incident).await
}

/// Recorded first; then what was recorded is given.
async fn disclose(
    pages: &Pages,
    caller: &Caller,
    request: Request<DeliveryCommand>,
    incident: IncidentId,
) -> Result<Response, Problem> {
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
    let recipient = recipient_key(pages, caller, &state.state, &disclosed)?;
    let disclose = {
        let discloser = Arc::clone(&pages.discloser);
        move || discloser.disclose(incident, referral_id, &disclosed, &recipient)
    };
    let disclosure = tokio::task::spawn_blocking(disclose).await.map_err(|_| Problem::internal())?;
    let disclosure = disclosure.map_err(|error| not_opened(&error))?;
    Ok(answered::<Delivery>(&answer, StatusCode::CREATED, &disclosure))
}

/// The public key that the data keys are wrapped to. What was given once is not given again when it was taken back,
/// replaced or erased since.
fn recipient_key(
    pages: &Pages,
    caller: &Caller,
    incident: &Incident,
    disclosed: &FacetsDisclosed,
) -> Result<Vec<u8>, Problem> {
    use base64::Engine as _;
    let (agency, directory) = (&caller.agency.id, pages.reference.snapshot().directory);
    let now = pages.front.clock().now();
    incident
        .may_be_given(disclosed, agency, &directory, now)
        .map_err(|rejection| Problem::of_rejection(rejection.code, rejection.pointer.as_deref()))?;
    let key = directory.key(agency, &disclosed.recipient_key_id, now);
    let bytes = key.and_then(|key| base64::engine::general_purpose::STANDARD.decode(&key.public_key).ok());
    bytes.ok_or_else(|| {
        Problem::invalid().field("/recipient_key_id", "the directory has no such key of this agency")
    })
}

fn not_opened(error: &OpenError) -> Problem {
    if let OpenError::Keys(KeyError::Behind) = error {
        return Problem::unavailable()
            .detail("the index of keys is being read from its topic")
            .retry_after(2);
    }
    tracing::error!(error = %chain(error), "a disclosure was granted and not given");
    match error {
        OpenError::Keys(KeyError::Gone) => Problem::rejected()
            .detail("the data keys were erased, or are not here yet: ask again in a moment")
            .retry_after(2),
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

/// What to erase, and why.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Erase {
    /// One person alone; without, everything that the caller's agency has brought in.
    #[serde(default)]
    pub person_ref: Option<PersonRef>,
    /// Any but `retention-expired`, which the clock says.
    pub reason: ErasureReason,
}

/// What came of it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Erasure {
    pub erasure_id: ErasureId,
    /// A hold stands: closed for everybody but whoever holds it, and erased afterwards.
    pub restricted: bool,
    /// How many facets are closed by it.
    pub facets: usize,
    /// Within how many seconds the data keys are gone from every replica, once nothing holds them.
    pub within_seconds: u64,
}

/// Closes disclosure at once, and has the data keys erased: of what the caller's agency has brought in.
#[utoipa::path(post, path = "/v1/incidents/{incident}/erase", tag = "delivery",
    params(("incident" = IncidentId, Path), ("Idempotency-Key" = String, Header)), request_body = Erase,
    responses((status = 201, body = Erasure), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn erase(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path(incident): Path<IncidentId>,
    Body(Erase { person_ref, reason }): Body<Erase>,
) -> Result<Response, Problem> {
    let request = key.request::<Delivery>(&caller, incident, EraseFacets { person_ref, reason });
    let erasure_id = erasure_id(&incident.to_string(), &request.command_id.to_string());
    let answer = pages.front.submit(request).await?;
    let state = pages.front.state(&incident.to_string())?;
    let restricted = state.state.erasures.restricted.get(&erasure_id);
    let erased = state.state.erasures.erasures.get(&erasure_id);
    let erasure = Erasure {
        erasure_id,
        restricted: restricted.is_some(),
        facets: restricted.map(|one| one.facets.len()).or(erased.copied()).unwrap_or_default(),
        within_seconds: pages.erase_within.as_secs(),
    };
    Ok(answered::<Delivery>(&answer, StatusCode::CREATED, &erasure))
}

/// Why and until when facets are kept.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EvidenceHold)]
pub struct Hold {
    pub reason: HoldReason,
    /// Without, until it is released.
    #[serde(default)]
    pub until: Option<Timestamp>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HoldView {
    pub hold_id: HoldId,
}

/// Keeps the incident's facets as evidence: an erasure restricts them instead while the hold stands.
#[utoipa::path(post, path = "/v1/incidents/{incident}/holds", tag = "delivery",
    params(("incident" = IncidentId, Path), ("Idempotency-Key" = String, Header)), request_body = Hold,
    responses((status = 201, body = HoldView), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn place_hold(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path(incident): Path<IncidentId>,
    Body(Hold { reason, until }): Body<Hold>,
) -> Result<Response, Problem> {
    let request = key.request::<Delivery>(&caller, incident, PlaceHold { reason, until });
    let hold_id = hold_id(&incident.to_string(), &request.command_id.to_string());
    let answer = pages.front.submit(request).await?;
    Ok(answered::<Delivery>(&answer, StatusCode::CREATED, &HoldView { hold_id }))
}

/// Lets the facets go: what was to be erased meanwhile is erased once no other hold stands.
#[utoipa::path(post, path = "/v1/incidents/{incident}/holds/{hold}/release", tag = "delivery",
    params(("incident" = IncidentId, Path), ("hold" = HoldId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = HoldView), (status = 404, body = Problem)))]
async fn release_hold(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path((incident, hold_id)): Path<(IncidentId, HoldId)>,
) -> Result<Response, Problem> {
    let request = key.request::<Delivery>(&caller, incident, ReleaseHold { hold_id });
    let answer = pages.front.submit(request).await?;
    Ok(answered::<Delivery>(&answer, StatusCode::CREATED, &HoldView { hold_id }))
}
