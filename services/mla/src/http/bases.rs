//! Which legal bases two States have for a measure on a day, and why the others do not apply.

use axum::Json;
use axum::extract::State;
use chassis::auth::Caller;
use chassis::http::Query;
use chassis::problem::Problem;
use schemas::codes::{
    BasisAnswer, Completeness, ContentElement, IncidentKind, InstrumentKind, Measure, RequestKind,
    VerificationMark,
};
use schemas::ids::{Country, InstrumentId};
use schemas::legal::ClockRow;
use schemas::time::Date;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Pages;
use super::view::notice;
use crate::legal::basis::{self, Assessed, Question, Reason};
use crate::legal::calendar::Days;

/// What nobody may take the answer for.
const DISCLAIMER: &str = "No legal advice. Each row carries how it was confirmed (mark) and up to which day it was \
    seen; rows marked S come from secondary sources alone, and rows that were not verified are switched off. Unknown \
    is not the same as not bound.";

pub fn pages() -> OpenApiRouter<Pages> {
    OpenApiRouter::new().routes(routes!(legal_bases))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// The State that would ask.
    requesting: Country,
    /// The State that would be asked.
    requested: Country,
    measure: Measure,
    /// The day on which it would be asked; today in the requesting State when it is not told.
    date: Option<Date>,
    /// What the incident is about; some instruments cover some kinds alone.
    kind: Option<IncidentKind>,
    /// By which kind of request; any when it is not told.
    request: Option<RequestKind>,
}

/// The answer to one question of the law.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct LegalBases {
    pub requesting: Country,
    pub requested: Country,
    pub measure: Measure,
    pub date: Date,
    pub kind: Option<IncidentKind>,
    /// Every instrument that may be the basis: the authority picks.
    pub candidates: Vec<Candidate>,
    /// Every other instrument, and why it does not apply, or why that is not known.
    pub excluded: Vec<Excluded>,
    pub disclaimer: String,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct Candidate {
    pub instrument: InstrumentId,
    pub title: String,
    pub kind: InstrumentKind,
    pub version: i32,
    pub mark: VerificationMark,
    /// What the weakest of its marks means for whoever relies on it.
    pub notice: Option<String>,
    pub completeness: Completeness,
    /// Up to which day its parties were seen.
    pub status_date: Option<Date>,
    pub as_of: Date,
    pub articles: Vec<String>,
    /// By which kinds of request.
    pub requests: Vec<RequestKind>,
    pub reasons: Vec<Reason>,
    pub limits: Vec<String>,
    pub contents: Vec<Content>,
    pub clocks: Vec<ClockRow>,
    pub note: String,
    pub sources: Vec<String>,
}

/// What a request has to hold.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = LegalContent)]
pub struct Content {
    pub element: ContentElement,
    pub article: String,
    pub request: RequestKind,
    pub mandatory: bool,
    pub mark: VerificationMark,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct Excluded {
    pub instrument: InstrumentId,
    pub title: String,
    /// Whether it is known not to apply, not known, or switched off.
    pub answer: BasisAnswer,
    /// Those that speak against it.
    pub reasons: Vec<Reason>,
    pub mark: VerificationMark,
    pub as_of: Date,
    pub note: String,
}

/// Every instrument between two States for a measure on a day: what applies, with articles, limits, mandatory contents
/// and periods, and what does not, with the reason. Unknown is an answer of its own.
#[utoipa::path(get, path = "/v1/legal-bases", tag = "mla", params(Asked),
    responses((status = 200, body = LegalBases), (status = 400, body = Problem)))]
async fn legal_bases(_: Caller, State(pages): State<Pages>, Query(asked): Query<Asked>) -> Json<LegalBases> {
    let snapshot = pages.reference.snapshot();
    let (directory, now) = (&snapshot.directory, pages.front.clock().now());
    let today = || Days::of(&asked.requesting, directory.calendar(&asked.requesting, now)).day(now).into();
    let date = asked.date.unwrap_or_else(today);
    let question = Question {
        requesting: &asked.requesting,
        requested: &asked.requested,
        measure: asked.measure,
        request: asked.request,
        date,
        kind: asked.kind,
    };
    let assessed = basis::assess(directory, &question, now);
    let (applying, others): (Vec<_>, Vec<_>) =
        assessed.into_iter().partition(|one| one.answer == BasisAnswer::Applies);
    Json(LegalBases {
        candidates: applying.iter().map(|one| candidate(one, asked.measure)).collect(),
        excluded: others.iter().map(excluded).collect(),
        requesting: asked.requesting,
        requested: asked.requested,
        measure: asked.measure,
        date,
        kind: asked.kind,
        disclaimer: DISCLAIMER.to_owned(),
    })
}

fn candidate(one: &Assessed<'_>, measure: Measure) -> Candidate {
    let instrument = one.instrument;
    let requests = one.requests();
    let rows = requests.iter().flat_map(|request| basis::contents(instrument, *request, measure));
    let contents = rows.map(|row| Content {
        element: row.element,
        article: row.article.clone(),
        request: row.request,
        mandatory: row.mandatory,
        mark: row.mark,
    });
    Candidate {
        instrument: instrument.id.clone(),
        title: instrument.title.clone(),
        kind: instrument.kind,
        version: instrument.version,
        mark: instrument.mark,
        notice: notice(one.reasons.iter().map(|reason| reason.mark)),
        completeness: instrument.completeness,
        status_date: instrument.status_date,
        as_of: instrument.as_of,
        articles: one.articles(),
        contents: contents.collect(),
        clocks: basis::clocks(instrument, &requests),
        requests,
        reasons: one.reasons.clone(),
        limits: one.limits(),
        note: instrument.note.clone(),
        sources: instrument.sources.clone(),
    }
}

fn excluded(one: &Assessed<'_>) -> Excluded {
    let against = one.reasons.iter().filter(|reason| basis::answer_of(reason.code) != BasisAnswer::Applies);
    Excluded {
        instrument: one.instrument.id.clone(),
        title: one.instrument.title.clone(),
        answer: one.answer,
        reasons: against.cloned().collect(),
        mark: one.instrument.mark,
        as_of: one.instrument.as_of,
        note: one.instrument.note.clone(),
    }
}
