//! Series: opened, listed and shown. A child joins one by its own page.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chassis::auth::Caller;
use chassis::front::{Answer, AtPosition, IdempotencyKey};
use chassis::http::{Body, Path, answered};
use chassis::problem::{Problem, chain};
use schemas::codes::{AgencyKind, ChildStatus};
use schemas::ids::{AgencyId, Country, SeriesId};
use schemas::victim_id::{ChildAddress, MemberNoted, OpenSeries, ReadSeries};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Pages;
use crate::domain::Series;
use crate::{VictimId, index};

/// Most series of one answer.
const MAX_SERIES: usize = 1_000;

pub fn pages() -> OpenApiRouter<Pages> {
    OpenApiRouter::new().routes(routes!(all_series, open_series)).routes(routes!(one_series))
}

/// A series as one agency may know of it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SeriesView {
    pub series_id: SeriesId,
    pub opened_by: Option<AgencyId>,
    /// Whether one of its children was identified.
    pub identified: bool,
    /// For units that look for a child of it, or have opened it.
    pub members: Vec<MemberView>,
    /// For a coordinator: children that are held in its countries.
    pub watched: Vec<WatchedMember>,
}

/// A child of a series.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = SeriesMember)]
pub struct MemberView {
    pub child: ChildAddress,
    pub status: ChildStatus,
    /// Whom to speak with; none where nobody looks for the child.
    pub custodian: Option<AgencyId>,
    pub country: Option<Country>,
}

/// A child of a series as a coordinator sees it: not which one.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WatchedMember {
    pub status: ChildStatus,
    pub country: Option<Country>,
}

/// The series that exist for the caller.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = SeriesList)]
pub struct AllSeries {
    pub series: Vec<SeriesView>,
    /// Whether there are more than the limit of 1000.
    pub more: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SeriesOpening)]
struct Opening {}

/// The series that the caller has opened, or in which it looks for a child; for a coordinator those with a child that
/// is held in its countries.
#[utoipa::path(get, path = "/v1/series", tag = "victim-id", responses((status = 200, body = AllSeries)))]
async fn all_series(
    caller: Caller,
    at: AtPosition,
    State(pages): State<Pages>,
) -> Result<Json<AllSeries>, Problem> {
    pages.front.await_position(at.0.as_ref()).await?;
    let found = tokio::task::spawn_blocking(move || of(&pages, &caller)).await;
    found.map_err(|_| Problem::internal())?.map(Json)
}

fn of(pages: &Pages, caller: &Caller) -> Result<AllSeries, Problem> {
    let ranges = match caller.agency.kind {
        AgencyKind::Coordinator => caller.agency.scope.iter().map(index::series_in).collect(),
        _ => vec![index::series_of_agency(&caller.agency.id)],
    };
    let mut ids = BTreeSet::new();
    for (from, to) in ranges {
        for entry in pages.front.fold().index(&from, &to) {
            let (key, _) = entry.map_err(|error| {
                tracing::error!(error = %chain(&error), "failed to read the index of series");
                Problem::internal()
            })?;
            ids.extend(index::named_by::<SeriesId>(&key));
        }
    }
    let mut series = Vec::new();
    for id in ids {
        let state = pages.front.state(&id.to_string())?;
        series.extend(view(id, state.state.series(), caller));
        if series.len() > MAX_SERIES {
            break;
        }
    }
    let more = series.len() > MAX_SERIES;
    series.truncate(MAX_SERIES);
    Ok(AllSeries { series, more })
}

/// One series as the caller may know of it.
#[utoipa::path(get, path = "/v1/series/{series}", tag = "victim-id", params(("series" = SeriesId, Path)),
    responses((status = 200, body = SeriesView), (status = 404, body = Problem)))]
async fn one_series(
    caller: Caller,
    at: AtPosition,
    State(pages): State<Pages>,
    Path(series): Path<SeriesId>,
) -> Result<Json<SeriesView>, Problem> {
    pages.front.await_position(at.0.as_ref()).await?;
    let state = pages.front.state(&series.to_string())?;
    view(series, state.state.series(), &caller).map(Json).ok_or_else(|| {
        pages.front.record_attempt(&caller, series, ReadSeries { series_id: series });
        Problem::not_found()
    })
}

/// Opens a series. Its id cannot be guessed: whoever is to join it is told it by whoever has opened it.
#[utoipa::path(post, path = "/v1/series", tag = "victim-id", params(("Idempotency-Key" = String, Header)),
    request_body = Opening,
    responses((status = 201, body = SeriesView), (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn open_series(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Body(Opening {}): Body<Opening>,
) -> Result<Response, Problem> {
    let id = SeriesId::of_opening(&pages.sealing.identity, key.command_id::<VictimId>(&caller));
    let answer = pages.front.submit(key.request::<VictimId>(&caller, id, OpenSeries {})).await?;
    let view = match &answer {
        Answer::Done { .. } => view(id, pages.front.state(&id.to_string())?.state.series(), &caller),
        Answer::Pending(_) => None,
    };
    Ok(answered::<VictimId>(&answer, StatusCode::CREATED, &view))
}

/// What the caller may know of a series; none where it does not exist for the caller.
fn view(series_id: SeriesId, series: &Series, caller: &Caller) -> Option<SeriesView> {
    let agency = &caller.agency;
    let (works, watches) = (series.may_know(&agency.id), agency.kind == AgencyKind::Coordinator);
    let members: Vec<&MemberNoted> = if works { series.members_for(agency).collect() } else { Vec::new() };
    let watched: Vec<&MemberNoted> = if watches { series.watched_by(agency).collect() } else { Vec::new() };
    let seen = members.iter().chain(&watched);
    (works || !watched.is_empty()).then(|| SeriesView {
        series_id,
        opened_by: series.opened_by.clone().filter(|_| works),
        identified: seen.into_iter().any(|member| crate::domain::is_found(member.status)),
        members: members.iter().map(|member| member_view(member)).collect(),
        watched: watched
            .iter()
            .map(|member| WatchedMember { status: member.status, country: member.country.clone() })
            .collect(),
    })
}

fn member_view(member: &MemberNoted) -> MemberView {
    MemberView {
        child: member.member,
        status: member.status,
        custodian: member.custodian.clone(),
        country: member.country.clone(),
    }
}
