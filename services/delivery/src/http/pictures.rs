//! Pictures that look like known ones: shown to whoever may open their digests, and judged by people.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chassis::auth::Caller;
use chassis::front::{Answer, AtPosition, IdempotencyKey};
use chassis::http::{Body, Path, answered};
use chassis::problem::Problem;
use schemas::codes::MatchVerdict;
use schemas::delivery::{JudgeMatch, PictureMatch, ReadMatches};
use schemas::ids::{AgencyId, IncidentId, PictureMatchId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Pages;
use crate::Delivery;
use crate::domain::pictures::Matched;

/// The pictures of an incident that look like known ones.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = PictureMatches)]
pub struct Matches {
    /// Whether its pictures were compared already; an incident without any is.
    pub compared: bool,
    /// Nearest first.
    pub matches: Vec<MatchView>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = PictureMatchView)]
pub struct MatchView {
    #[serde(flatten)]
    pub found: PictureMatch,
    pub confirmed: Vec<AgencyId>,
    pub disputed: Vec<AgencyId>,
    /// Whether nobody has to look at the item again: a person has confirmed the match, and nobody disputes it.
    pub closed: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PictureVerdict)]
pub struct Verdict {
    verdict: MatchVerdict,
}

/// What the incident's pictures look like, for whoever may open their digests.
#[utoipa::path(get, path = "/v1/incidents/{incident}/matches", tag = "delivery",
    params(("incident" = IncidentId, Path)),
    responses((status = 200, body = Matches), (status = 404, body = Problem)))]
pub async fn picture_matches(
    caller: Caller,
    at: AtPosition,
    State(pages): State<Pages>,
    Path(incident): Path<IncidentId>,
) -> Result<Json<Matches>, Problem> {
    pages.front.await_position(at.0.as_ref()).await?;
    let state = pages.front.state(&incident.to_string())?;
    let (directory, now) = (pages.reference.snapshot().directory, pages.front.clock().now());
    let seen = state.state.matches_for(&caller.agency.id, &directory, now).ok_or_else(|| {
        pages.front.record_attempt(&caller, incident, ReadMatches { incident_id: incident });
        Problem::not_found()
    })?;
    let mut matches: Vec<MatchView> = seen.values().map(view).collect();
    matches.sort_by_key(|one| one.found.distance);
    let sealed = state.state.pictures_facet();
    let compared = sealed.is_none_or(|facet| state.state.pictures.compared.contains(&facet.facet_id));
    Ok(Json(Matches { compared, matches }))
}

/// Says, having seen both, whether an item shows what the entry does. Confirmed, and nobody has to look again.
#[utoipa::path(post, path = "/v1/incidents/{incident}/matches/{match}/verdict", tag = "delivery",
    params(("incident" = IncidentId, Path), ("match" = PictureMatchId, Path),
        ("Idempotency-Key" = String, Header)),
    request_body = Verdict,
    responses((status = 201, body = MatchView), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn judge_match(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path((incident, match_id)): Path<(IncidentId, PictureMatchId)>,
    Body(Verdict { verdict }): Body<Verdict>,
) -> Result<Response, Problem> {
    let answer = pages
        .front
        .submit(key.request::<Delivery>(&caller, incident, JudgeMatch { match_id, verdict }))
        .await?;
    let found = match &answer {
        Answer::Done { .. } => {
            let state = pages.front.state(&incident.to_string())?;
            state.state.pictures.matches.get(&match_id).map(view)
        }
        Answer::Pending(_) => None,
    };
    Ok(answered::<Delivery>(&answer, StatusCode::CREATED, &found))
}

fn view(matched: &Matched) -> MatchView {
    let said = |wanted: MatchVerdict| {
        let verdicts = matched.verdicts.iter().filter(move |(_, verdict)| **verdict == wanted);
        verdicts.map(|(agency, _)| agency.clone()).collect()
    };
    MatchView {
        found: matched.found.clone(),
        confirmed: said(MatchVerdict::Confirmed),
        disputed: said(MatchVerdict::Disputed),
        closed: matched.closes(),
    }
}
