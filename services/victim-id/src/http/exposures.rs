//! The exposure ledger: recorded as material is viewed, read by the person and by whoever looks after them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chassis::auth::Caller;
use chassis::front::{Answer, AtPosition, IdempotencyKey};
use chassis::http::{Body, Path, Query, answered};
use chassis::problem::{Problem, chain};
use schemas::Timestamp;
use schemas::ids::{ChildRef, IncidentId, ViewerId};
use schemas::time::Date;
use schemas::victim_id::RecordExposure;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Pages;
use crate::domain::{Ledger, ledger};
use crate::{VictimId, index};

/// Most people of one answer.
const MAX_PEOPLE: usize = 1_000;

pub fn pages() -> OpenApiRouter<Pages> {
    OpenApiRouter::new().routes(routes!(record_exposure)).routes(routes!(own)).routes(routes!(people))
}

/// How much of a child was viewed, and by whom.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Exposure {
    /// 1 to 10000.
    items: i32,
    /// The actor of the person's own tokens; the caller's own when it is not told. It is kept as a pseudonym.
    #[serde(default)]
    person: Option<String>,
}

/// What one person had to view.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = PersonExposure)]
pub struct PersonView {
    /// The person's pseudonym: `?person=` finds it by the actor of their tokens.
    pub viewer: ViewerId,
    /// In all.
    pub items: i64,
    /// Within the days of the agency's limit, today included; where it has set one.
    pub within: Option<i64>,
    /// The agency's limit.
    pub limit: Option<LimitView>,
    /// Whether it is passed: somebody should look after the person, and give the next item to somebody else.
    pub over: bool,
    pub last: Option<Timestamp>,
    /// The last hundred days, those on which something was viewed.
    pub days: Vec<DayView>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ExposureLimit)]
pub struct LimitView {
    pub items: i32,
    pub days: i32,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ExposureDay)]
pub struct DayView {
    /// In UTC.
    pub day: Date,
    pub items: i64,
}

/// That it was recorded; and for the person, or whoever looks after them, where they stand.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ExposureRecord)]
pub struct Recorded {
    pub items: i32,
    pub person: Option<PersonView>,
}

/// The people of an agency who had to view something.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ExposedPeople)]
pub struct People {
    /// Those over the limit first, then whoever has viewed most.
    pub people: Vec<PersonView>,
    /// Whether there are more than the limit of 1000.
    pub more: bool,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// The actor of one person's tokens.
    person: Option<String>,
}

/// Records that a person had to view material of a child.
#[utoipa::path(post, path = "/v1/incidents/{incident}/children/{child}/exposures", tag = "victim-id",
    params(("incident" = IncidentId, Path), ("child" = ChildRef, Path), ("Idempotency-Key" = String, Header)),
    request_body = Exposure,
    responses((status = 201, body = Recorded), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
async fn record_exposure(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path((incident_id, child_ref)): Path<(IncidentId, ChildRef)>,
    Body(asked): Body<Exposure>,
) -> Result<Response, Problem> {
    pages.view(&caller, incident_id, child_ref)?;
    if asked.person.as_deref().is_some_and(str::is_empty) {
        return Err(Problem::invalid().field("/person", "the actor of the person's tokens, or nothing"));
    }
    let (person, items) = (asked.person.as_deref().unwrap_or(&caller.actor.id), asked.items);
    let viewer = pages.viewer(&caller, person);
    let command = RecordExposure { viewer, incident_id, child_ref, items };
    let answer = pages.front.submit(key.request::<VictimId>(&caller, viewer, command)).await?;
    let reads = person == caller.actor.id || ledger::looks_after(&caller.agency, &caller.actor);
    let recorded = match &answer {
        Answer::Done { .. } => {
            let person = reads.then(|| pages.person(&caller, viewer)).transpose()?.flatten();
            Some(Recorded { items, person })
        }
        Answer::Pending(_) => None,
    };
    Ok(answered::<VictimId>(&answer, StatusCode::CREATED, &recorded))
}

/// What the caller had to view.
#[utoipa::path(get, path = "/v1/exposures/own", tag = "victim-id", responses((status = 200, body = PersonView)))]
async fn own(
    caller: Caller,
    at: AtPosition,
    State(pages): State<Pages>,
) -> Result<Json<PersonView>, Problem> {
    pages.front.await_position(at.0.as_ref()).await?;
    let viewer = pages.viewer(&caller, &caller.actor.id);
    let state = pages.front.state(&viewer.to_string())?;
    Ok(Json(pages.person_view(&caller, viewer, state.state.ledger())))
}

/// What each person of the agency had to view. Only for whoever the agency has named as looking after them
/// (`wellbeing.leads` of its directory entry).
#[utoipa::path(get, path = "/v1/exposures", tag = "victim-id", params(Asked),
    responses((status = 200, body = People), (status = 400, body = Problem), (status = 403, body = Problem)))]
async fn people(
    caller: Caller,
    at: AtPosition,
    State(pages): State<Pages>,
    Query(asked): Query<Asked>,
) -> Result<Json<People>, Problem> {
    pages.front.await_position(at.0.as_ref()).await?;
    caller.must_be_human()?;
    if !ledger::looks_after(&caller.agency, &caller.actor) {
        let named = "this is for whoever the agency's directory entry names under wellbeing.leads";
        return Err(Problem::forbidden().detail(named));
    }
    let found = tokio::task::spawn_blocking(move || match asked.person {
        Some(person) => {
            let one = pages.person(&caller, pages.viewer(&caller, &person))?;
            Ok(People { people: one.into_iter().collect(), more: false })
        }
        None => pages.everybody(&caller),
    });
    found.await.map_err(|_| Problem::internal())?.map(Json)
}

impl Pages {
    fn viewer(&self, caller: &Caller, actor: &str) -> ViewerId {
        ViewerId::of_actor(&self.sealing.identity, &caller.agency.id, actor)
    }

    /// One person of the caller's agency; none who has viewed nothing.
    fn person(&self, caller: &Caller, viewer: ViewerId) -> Result<Option<PersonView>, Problem> {
        let state = self.front.state(&viewer.to_string())?;
        let ledger = state.state.ledger();
        let ours = ledger.agency.as_ref() == Some(&caller.agency.id);
        Ok(ours.then(|| self.person_view(caller, viewer, ledger)))
    }

    fn person_view(&self, caller: &Caller, viewer: ViewerId, ledger: &Ledger) -> PersonView {
        let wellbeing = caller.agency.wellbeing.as_ref();
        let within = wellbeing.map(|limit| ledger.within(limit.days, self.front.clock().now()));
        let days = ledger.days.iter().map(|(day, items)| DayView { day: *day, items: *items });
        PersonView {
            viewer,
            items: ledger.items,
            within,
            limit: wellbeing.map(|set| LimitView { items: set.items, days: set.days }),
            over: wellbeing.zip(within).is_some_and(|(limit, within)| ledger::is_over(limit, within)),
            last: ledger.last,
            days: days.collect(),
        }
    }

    fn everybody(&self, caller: &Caller) -> Result<People, Problem> {
        let (from, to) = index::viewers_of(&caller.agency.id);
        let mut people = Vec::new();
        for entry in self.front.fold().index(&from, &to) {
            let (key, _) = entry.map_err(|error| {
                tracing::error!(error = %chain(&error), "failed to read the index of the ledger");
                Problem::internal()
            })?;
            let Some(viewer) = index::named_by::<ViewerId>(&key) else { continue };
            people.extend(self.person(caller, viewer)?);
        }
        people.sort_by_key(|person| std::cmp::Reverse((person.over, person.within, person.items)));
        let more = people.len() > MAX_PEOPLE;
        people.truncate(MAX_PEOPLE);
        Ok(People { people, more })
    }
}
