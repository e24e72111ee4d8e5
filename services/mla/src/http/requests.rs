//! Requests: written, shown, amended, and who takes part in them.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chassis::auth::Caller;
use chassis::front::{AtPosition, IdempotencyKey};
use chassis::http::{Body, Path, answered};
use chassis::problem::Problem;
use chassis::sealing::{self, Secrecy, check_text};
use schemas::codes::{
    AgencyKind, ConditionCode, ContentElement, DangerReason, FacetKind, Measure, PeriodAnswer, RequestKind,
    TranslationState,
};
use schemas::ids::{AgencyId, Country, IncidentId, InstrumentId, ReferralId, RequestId};
use schemas::mla::{AmendRequest, AnswerPeriod, Draft, DraftRequest, InvolveUnit, NeededBy, ReadRequest};
use schemas::referral::SealedFacet;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::view::{self, RequestView, WatchedView};
use super::{Pages, answered_by};
use crate::Mla;
use crate::domain::{Incident, is_reason};

pub fn pages() -> OpenApiRouter<Pages> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(draft))
        .routes(routes!(show))
        .routes(routes!(amend))
        .routes(routes!(involve))
        .routes(routes!(answer_period))
}

/// What is asked of whom, and the texts of its elements, which are sealed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RequestAsked)]
pub struct Asked {
    pub kind: RequestKind,
    /// The State that is asked, or that would enforce the order.
    pub requested: Country,
    /// Its central authority, or the enforcing authority of an order.
    pub authority: AgencyId,
    /// The provider that an order is addressed to.
    #[serde(default)]
    pub addressee: Option<AgencyId>,
    pub measures: Vec<Measure>,
    /// The legal basis picked, as `GET /v1/legal-bases` names it.
    #[serde(default)]
    pub basis: Option<InstrumentId>,
    /// Why it is an emergency.
    #[serde(default)]
    pub emergency: Option<DangerReason>,
    /// Whether the enforcing authority is notified of the order.
    #[serde(default)]
    pub notified: bool,
    #[serde(default)]
    pub needed_by: Option<NeededBy>,
    /// BCP 47 language tags that answers may come in.
    #[serde(default)]
    pub languages: Vec<String>,
    pub translation: TranslationState,
    /// The request that this one follows: a preservation, or one that it supplements.
    #[serde(default)]
    pub parent: Option<RequestId>,
    #[serde(default)]
    pub confidential: bool,
    /// Of information given unasked: under what it is given. Its text stays closed until they are agreed to.
    #[serde(default)]
    pub conditions: Vec<ConditionCode>,
    /// The text of each element; sealed, for the other side's authority.
    pub elements: BTreeMap<String, String>,
}

/// An agency of one's own State that takes part.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RequestUnit)]
pub struct Unit {
    pub agency: AgencyId,
}

/// The requests of one incident.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Requests {
    /// Those that the caller takes part in.
    pub requests: Vec<RequestView>,
    /// Those that a coordinator watches, coarsely.
    pub watched: Vec<WatchedView>,
}

/// Every request of the incident that the caller takes part in; a coordinator sees those of its countries, coarsely.
#[utoipa::path(get, path = "/v1/incidents/{incident}/requests", tag = "mla", params(("incident" = IncidentId, Path)),
    responses((status = 200, body = Requests), (status = 404, body = Problem)))]
async fn list(
    caller: Caller,
    at: AtPosition,
    State(pages): State<Pages>,
    Path(incident): Path<IncidentId>,
) -> Result<Json<Requests>, Problem> {
    pages.front.await_position(at.0.as_ref()).await?;
    let state = pages.front.state(&incident.to_string())?;
    let all = state.state.requests.iter();
    let requests: Vec<RequestView> =
        all.filter_map(|(id, one)| pages.view_of(&caller, incident, &state.state, *id, one)).collect();
    let watched = match caller.agency.kind {
        AgencyKind::Coordinator => view::watched(&state.state, &caller.agency, pages.front.clock().now()),
        _ => Vec::new(),
    };
    let engaged = state.state.engaged.values().any(|country| *country == caller.agency.country);
    if requests.is_empty() && watched.is_empty() && !engaged {
        pages.front.record_attempt(&caller, incident, ReadRequest { incident_id: incident });
        return Err(Problem::not_found());
    }
    Ok(Json(Requests { requests, watched }))
}

/// One request as the caller's side sees it.
#[utoipa::path(get, path = "/v1/incidents/{incident}/requests/{request}", tag = "mla",
    params(("incident" = IncidentId, Path), ("request" = RequestId, Path)),
    responses((status = 200, body = RequestView), (status = 404, body = Problem)))]
async fn show(
    caller: Caller,
    at: AtPosition,
    State(pages): State<Pages>,
    Path((incident, request)): Path<(IncidentId, RequestId)>,
) -> Result<Json<RequestView>, Problem> {
    pages.front.await_position(at.0.as_ref()).await?;
    pages.view(&caller, incident, request).map(Json)
}

/// Writes a request or an order. Its own side alone sees it until it is transmitted.
#[utoipa::path(post, path = "/v1/incidents/{incident}/requests", tag = "mla",
    params(("incident" = IncidentId, Path), ("Idempotency-Key" = String, Header)), request_body = Asked,
    responses((status = 201, body = RequestView), (status = 404, body = Problem), (status = 422, body = Problem)))]
async fn draft(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path(incident): Path<IncidentId>,
    Body(asked): Body<Asked>,
) -> Result<Response, Problem> {
    let may = |state: &Incident| {
        let engaged = state.engaged.values().any(|country| *country == caller.agency.country);
        engaged && caller.agency.kind == AgencyKind::CentralAuthority
    };
    let command = |draft| DraftRequest { draft }.into();
    let answer = submit(&pages, &caller, &key, incident, None, &asked, may, command).await?;
    let cause = key.command_id::<Mla>(&caller).to_string();
    let id = answered_by(&answer, |aggregate| RequestId::derive(&[aggregate.as_bytes(), cause.as_bytes()]));
    let view = id.map(|id| pages.view(&caller, incident, id)).transpose()?;
    Ok(answered::<Mla>(&answer, StatusCode::CREATED, &view))
}

/// Writes a draft anew, the whole of it; also one that came back as deficient. It has to be validated again.
#[utoipa::path(post, path = "/v1/incidents/{incident}/requests/{request}/amend", tag = "mla",
    params(("incident" = IncidentId, Path), ("request" = RequestId, Path), ("Idempotency-Key" = String, Header)),
    request_body = Asked,
    responses((status = 201, body = RequestView), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn amend(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path((incident, request_id)): Path<(IncidentId, RequestId)>,
    Body(asked): Body<Asked>,
) -> Result<Response, Problem> {
    let may = |state: &Incident| {
        state.requests.get(&request_id).is_some_and(|request| request.role_of(&caller.agency.id).is_some())
    };
    let command = |draft| AmendRequest { request_id, draft }.into();
    let answer = submit(&pages, &caller, &key, incident, Some(request_id), &asked, may, command).await?;
    let view =
        answered_by(&answer, |_| request_id).map(|id| pages.view(&caller, incident, id)).transpose()?;
    Ok(answered::<Mla>(&answer, StatusCode::CREATED, &view))
}

/// Lets an agency of one's own State take part in the request.
#[utoipa::path(post, path = "/v1/incidents/{incident}/requests/{request}/units", tag = "mla",
    params(("incident" = IncidentId, Path), ("request" = RequestId, Path), ("Idempotency-Key" = String, Header)),
    request_body = Unit,
    responses((status = 201, body = RequestView), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn involve(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path((incident, request_id)): Path<(IncidentId, RequestId)>,
    Body(Unit { agency }): Body<Unit>,
) -> Result<Response, Problem> {
    let command = InvolveUnit { request_id, agency };
    let answer = pages.front.submit(key.request::<Mla>(&caller, incident, command)).await?;
    let view =
        answered_by(&answer, |_| request_id).map(|id| pages.view(&caller, incident, id)).transpose()?;
    Ok(answered::<Mla>(&answer, StatusCode::CREATED, &view))
}

/// What is done about a legal period.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PeriodAnswered)]
pub struct Answered {
    pub answer: PeriodAnswer,
}

/// A coordinator of one of the two States says what is done about a legal period; it stands as it stood.
#[utoipa::path(post, path = "/v1/incidents/{incident}/requests/{request}/periods/{clock}/answer", tag = "mla",
    params(("incident" = IncidentId, Path), ("request" = RequestId, Path), ("clock" = String, Path),
        ("Idempotency-Key" = String, Header)),
    request_body = Answered,
    responses((status = 201, body = Answered), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn answer_period(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path((incident, request_id, clock)): Path<(IncidentId, RequestId, String)>,
    Body(Answered { answer: said }): Body<Answered>,
) -> Result<Response, Problem> {
    let command = AnswerPeriod { request_id, clock, answer: said };
    let answer = pages.front.submit(key.request::<Mla>(&caller, incident, command)).await?;
    Ok(answered::<Mla>(&answer, StatusCode::CREATED, &Answered { answer: said }))
}

#[allow(
    clippy::too_many_arguments,
    reason = "the circumstances of one command, each named where it is given"
)]
async fn submit(
    pages: &Pages,
    caller: &Caller,
    key: &IdempotencyKey,
    incident: IncidentId,
    request: Option<RequestId>,
    asked: &Asked,
    may: impl Fn(&Incident) -> bool,
    command: impl FnOnce(Draft) -> schemas::mla::MlaCommand,
) -> Result<chassis::front::Answer, Problem> {
    let elements = elements(&asked.elements)?;
    let secrets = secrets(asked);
    let body = serde_json::to_vec(&(request, asked)).expect("a request is plain data");
    let about = sealing::Asked { caller, key, incident, purpose: "mla-draft", body: &body };
    let of_referral = |state: &Incident| referral_of(pages, caller, incident, state, &may);
    let command = |facets: Vec<SealedFacet>| {
        let mut facets = facets.into_iter();
        let text = facets.next().expect("what was given to be sealed comes back sealed");
        command(draft_of(asked, elements, text, facets.next()))
    };
    pages.sealing.submit_sealing(&pages.front, about, &secrets, of_referral, command).await
}

/// The text; of an order apart from the reasons that its addressee never sees.
fn secrets(asked: &Asked) -> Vec<Secrecy> {
    let is_reason =
        |name: &String| name.parse().is_ok_and(|element: ContentElement| is_reason(asked.kind, element));
    let (reasons, text): (BTreeMap<_, _>, BTreeMap<_, _>) =
        asked.elements.iter().partition(|(name, _)| is_reason(name));
    let secret = |kind, elements: BTreeMap<&String, &String>| Secrecy {
        kind,
        person_ref: None,
        content: serde_json::json!({ "elements": elements }),
    };
    let mut secrets = vec![secret(FacetKind::RequestText, text)];
    if !reasons.is_empty() {
        secrets.push(secret(FacetKind::RequestReasons, reasons));
    }
    secrets
}

/// By which referral a text of the incident is bound; whoever may not write in it is told that there is none.
pub fn referral_of(
    pages: &Pages,
    caller: &Caller,
    incident: IncidentId,
    state: &Incident,
    may: impl Fn(&Incident) -> bool,
) -> Result<ReferralId, Problem> {
    state.noted.as_ref().filter(|_| may(state)).map(|noted| noted.referral_id).ok_or_else(|| {
        pages.front.record_attempt(caller, incident, ReadRequest { incident_id: incident });
        Problem::not_found()
    })
}

/// Which elements there are: each known, and each with a text that may come in.
fn elements(texts: &BTreeMap<String, String>) -> Result<Vec<ContentElement>, Problem> {
    let mut elements = Vec::new();
    for (name, text) in texts {
        let pointer = format!("/elements/{}", name.replace('~', "~0").replace('/', "~1"));
        let element = name.parse::<ContentElement>();
        elements.push(element.map_err(|error| Problem::invalid().field("/elements", error.to_string()))?);
        check_text(&pointer, text)?;
    }
    elements.sort();
    Ok(elements)
}

fn draft_of(
    asked: &Asked,
    elements: Vec<ContentElement>,
    text: SealedFacet,
    reasons: Option<SealedFacet>,
) -> Draft {
    Draft {
        kind: asked.kind,
        requested: asked.requested.clone(),
        authority: asked.authority.clone(),
        addressee: asked.addressee.clone(),
        measures: asked.measures.clone(),
        basis: asked.basis.clone(),
        emergency: asked.emergency,
        notified: asked.notified,
        needed_by: asked.needed_by.clone(),
        languages: asked.languages.clone(),
        translation: asked.translation,
        parent: asked.parent,
        confidential: asked.confidential,
        conditions: asked.conditions.clone(),
        elements,
        text,
        reasons,
    }
}
