//! What each side sees of a request, and a coordinator from afar.

use schemas::Timestamp;
use schemas::codes::{
    BasisAnswer, Channel, ClockConsequence, ClockEnd, ClockKind, ConditionCode, ConsultationSubject,
    ContentElement, Counting, DangerReason, DigestCheck, Measure, PaperForm, PeriodAnswer,
    PreservationAdvice, RefusalGround, RequestKind, RequestRole, RequestState, RequestStep, TranslationState,
    Validator, VerificationMark,
};
use schemas::directory::Agency;
use schemas::directory::view::Directory;
use schemas::ids::{AgencyId, Country, FacetId, IncidentId, InstrumentId, RequestId};
use schemas::mla::{NeededBy, Step};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::{self, Incident, Missing, Period, Request};

/// A request as one of its sides sees it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RequestView {
    pub incident_id: IncidentId,
    pub request_id: RequestId,
    pub kind: RequestKind,
    pub state: RequestState,
    /// Whom the caller speaks for.
    pub role: RequestRole,
    pub requesting: SideView,
    pub requested: SideView,
    pub addressee: Option<AgencyId>,
    pub measures: Vec<Measure>,
    pub basis: Option<BasisView>,
    pub emergency: Option<DangerReason>,
    pub notified: bool,
    pub needed_by: Option<NeededBy>,
    pub languages: Vec<String>,
    pub translation: TranslationState,
    pub parent: Option<RequestId>,
    pub confidential: bool,
    /// Which elements its sealed text holds.
    pub elements: Vec<ContentElement>,
    /// Mandatory elements of its legal basis that are not there.
    pub missing: Vec<Missing>,
    /// The facet that holds its text.
    pub text: FacetId,
    pub validator: Option<Validator>,
    pub channel: Option<Channel>,
    pub awaits_written_confirmation: bool,
    pub consulting: Option<ConsultationSubject>,
    pub consulted: Vec<ConsultationSubject>,
    /// Conditions and use limitations: they bind whoever reads this.
    pub conditions: Vec<ConditionCode>,
    pub conditions_agreed: bool,
    pub refused: Option<RefusalGround>,
    pub holder_end: Option<Timestamp>,
    /// What can be done so that preserved data are not lost.
    pub advice: Vec<Advice>,
    pub evidence: Vec<EvidenceView>,
    pub costs: Vec<CostView>,
    /// What one's own side has put on paper.
    pub papers: Vec<PaperView>,
    pub periods: Vec<PeriodView>,
    pub history: Vec<StepView>,
    /// Which steps the caller may take as it stands; each may need more than that.
    pub steps: Vec<RequestStep>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SideView {
    pub country: Country,
    pub authority: AgencyId,
    /// The units that it involves: of one's own side alone.
    pub units: Vec<AgencyId>,
}

/// The legal basis that was picked, and how sure it is.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BasisView {
    pub instrument: InstrumentId,
    pub title: String,
    pub version: i32,
    pub mark: VerificationMark,
    /// The day on which its data were read that hold for the request.
    pub as_of: Option<Timestamp>,
    pub answers: Vec<MeasureAnswer>,
    /// What of it is from secondary sources, or unknown.
    pub notice: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MeasureAnswer {
    pub measure: Measure,
    pub answer: BasisAnswer,
}

/// Something that can be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Advice {
    pub advice: PreservationAdvice,
    pub article: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EvidenceView {
    pub digest: String,
    pub data_holder: AgencyId,
    pub channel: Channel,
    pub return_required: bool,
    pub sent: Timestamp,
    pub sent_by: AgencyId,
    pub received: Option<Timestamp>,
    pub received_by: Option<AgencyId>,
    pub check: Option<DigestCheck>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CostView {
    /// In the currency's smallest unit.
    pub amount: i64,
    pub currency: String,
    pub reimbursed: bool,
    pub by: RequestRole,
    pub at: Timestamp,
}

/// A form that was filled in, known by the digest of its PDF.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PaperView {
    pub form: PaperForm,
    pub language: String,
    pub digest: String,
    pub at: Timestamp,
    pub by: AgencyId,
}

/// A legal period of the request.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PeriodView {
    pub clock: String,
    pub instrument: InstrumentId,
    pub article: String,
    /// What is owed, in words.
    pub duty: Option<String>,
    pub kind: ClockKind,
    pub owed_by: RequestRole,
    pub owed_to: RequestRole,
    pub from: Timestamp,
    /// The first moment after it: what comes before comes in time.
    pub due: Timestamp,
    /// Whose midnights and holidays count.
    pub calendar: Country,
    pub paused: Option<Timestamp>,
    pub extended_by: Option<String>,
    pub ran_out: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    pub end: Option<ClockEnd>,
    pub then: ClockConsequence,
    /// What a coordinator says is done about it.
    pub answered: Option<PeriodAnswer>,
    pub mark: VerificationMark,
    /// What of it is not sure.
    pub notice: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StepView {
    pub step: RequestStep,
    /// The step as it was taken: its ground, what is missing, until when, and so on. Of a document it says nothing to
    /// the other side.
    #[schema(value_type = Object)]
    pub said: serde_json::Map<String, serde_json::Value>,
    pub at: Timestamp,
    /// Of one's own side the agency; of the other its authority's side alone.
    pub by: Option<AgencyId>,
    pub role: RequestRole,
}

/// A request as a coordinator sees it: countries, states and weeks.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WatchedView {
    pub request_id: RequestId,
    pub kind: RequestKind,
    pub state: RequestState,
    pub requesting: Country,
    pub requested: Country,
    pub measures: Vec<Measure>,
    /// Since when it stands so, as an ISO week.
    pub week: String,
    /// The periods that have run out, or end within three days.
    pub periods: Vec<WatchedPeriod>,
}

/// A legal period as a coordinator sees it: that it presses, and not to the minute.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WatchedPeriod {
    pub clock: String,
    pub article: String,
    pub ran_out: bool,
    /// What a coordinator says is done about it.
    pub answered: Option<PeriodAnswer>,
}

/// A request, and who looks at it when.
pub struct Seen<'a> {
    pub incident_id: IncidentId,
    pub incident: &'a Incident,
    pub request_id: RequestId,
    pub request: &'a Request,
    pub role: RequestRole,
    pub agency: &'a AgencyId,
    pub directory: &'a Directory,
    pub now: Timestamp,
}

pub fn of(seen: &Seen<'_>) -> RequestView {
    let Seen { request, role, directory, now, .. } = *seen;
    let draft = &request.draft;
    let own = role == RequestRole::Requesting;
    RequestView {
        incident_id: seen.incident_id,
        request_id: seen.request_id,
        kind: draft.kind,
        state: request.state,
        role,
        requesting: side(seen, RequestRole::Requesting, &request.country, &request.by),
        requested: side(seen, RequestRole::Requested, &draft.requested, &request.authority),
        addressee: draft.addressee.clone(),
        measures: draft.measures.clone(),
        basis: basis(seen),
        emergency: draft.emergency,
        notified: draft.notified,
        needed_by: draft.needed_by.clone(),
        languages: draft.languages.clone(),
        translation: draft.translation,
        parent: draft.parent,
        confidential: draft.confidential,
        elements: draft.elements.clone(),
        missing: if own { domain::missing(directory, request, now) } else { Vec::new() },
        text: draft.text.facet_id,
        validator: request.validator,
        channel: request.channel,
        awaits_written_confirmation: request.unconfirmed,
        consulting: request.consulting.map(|consulting| consulting.subject),
        consulted: request.consulted.iter().copied().collect(),
        conditions: request.conditions.clone(),
        conditions_agreed: request.conditions_agreed,
        refused: domain::refused(request.history.iter()),
        holder_end: request.holder_end,
        advice: if own { advice(seen) } else { Vec::new() },
        evidence: request.evidence.iter().map(evidence).collect(),
        costs: request.history.iter().filter_map(cost).collect(),
        papers: request.history.iter().filter(|taken| taken.role == role).filter_map(paper).collect(),
        periods: request.periods.values().map(|period| self::period(seen, period)).collect(),
        history: request.history.iter().map(|taken| step(seen, taken)).collect(),
        steps: domain::steps(request, role, seen.agency),
    }
}

fn side(seen: &Seen<'_>, role: RequestRole, country: &Country, authority: &AgencyId) -> SideView {
    let units = seen.request.units.iter().filter(|(_, of)| **of == role && seen.role == role);
    let units = units.map(|(unit, _)| unit.clone()).collect();
    SideView { country: country.clone(), authority: authority.clone(), units }
}

fn basis(seen: &Seen<'_>) -> Option<BasisView> {
    let request = seen.request;
    let as_of = request.basis_as_of;
    let at = as_of.unwrap_or(seen.now);
    let instrument = seen.directory.instrument(request.draft.basis.as_ref()?, at)?;
    let answers = domain::answers(seen.directory, seen.incident, request, at);
    let unknown = answers.iter().any(|(_, answer)| *answer == BasisAnswer::Unknown);
    let unsure = unknown.then(|| "whether it binds both States is unknown".to_owned());
    let notice = [unsure, notice([instrument.mark])].into_iter().flatten().collect::<Vec<_>>().join("; ");
    Some(BasisView {
        instrument: instrument.id.clone(),
        title: instrument.title.clone(),
        version: instrument.version,
        mark: instrument.mark,
        as_of,
        answers: answers.into_iter().map(|(measure, answer)| MeasureAnswer { measure, answer }).collect(),
        notice: (!notice.is_empty()).then_some(notice),
    })
}

/// What the weakest of some marks means for whoever relies on them.
pub fn notice(marks: impl IntoIterator<Item = VerificationMark>) -> Option<String> {
    let marks: Vec<VerificationMark> = marks.into_iter().collect();
    let has = |mark| marks.contains(&mark);
    if has(VerificationMark::NotVerified) || has(VerificationMark::ReadQualified) {
        return Some("not verified: confirm it in the official text before you rely on it".to_owned());
    }
    if has(VerificationMark::Secondary) {
        return Some("from a secondary source (S): confirm it in the official text".to_owned());
    }
    has(VerificationMark::Declared).then(|| "as an authority or data holder has declared it".to_owned())
}

/// As long as something guards data until the request behind is received.
fn advice(seen: &Seen<'_>) -> Vec<Advice> {
    let request = seen.request;
    let mut periods = request.periods.values();
    let guarding = periods.any(|period| period.is_open() && period.guards_data());
    if !guarding {
        return Vec::new();
    }
    let mut all = Vec::new();
    let mut add = |advice, article| all.push(Advice { advice, article });
    if request.holder_end.is_none() {
        add(PreservationAdvice::AskHolderEnd, None);
    }
    let behind = seen.incident.requests.values().find(|other| other.draft.parent == Some(seen.request_id));
    match behind {
        None => add(PreservationAdvice::MakeRequest, None),
        Some(behind) if domain::is_draft(behind.state) => add(PreservationAdvice::TransmitRequest, None),
        Some(_) => {}
    }
    let at = request.basis_as_of.unwrap_or(seen.now);
    let instrument = request.draft.basis.as_ref().and_then(|id| seen.directory.instrument(id, at));
    for row in instrument.into_iter().flat_map(|instrument| &instrument.clocks) {
        let running = request.periods.get(&row.id).filter(|period| period.runs());
        let extension =
            row.extension.as_ref().filter(|_| running.is_some_and(|one| one.extended_by.is_none()));
        if let Some(extension) = extension {
            add(PreservationAdvice::Extend, Some(extension.article.clone()));
        }
    }
    all
}

fn evidence(evidence: &domain::Evidence) -> EvidenceView {
    let (received, received_by, check) = match &evidence.received {
        Some((at, by, check)) => (Some(*at), Some(by.clone()), Some(*check)),
        None => (None, None, None),
    };
    EvidenceView {
        digest: evidence.digest.clone(),
        data_holder: evidence.data_holder.clone(),
        channel: evidence.channel,
        return_required: evidence.return_required,
        sent: evidence.sent,
        sent_by: evidence.sent_by.clone(),
        received,
        received_by,
        check,
    }
}

fn cost(taken: &domain::Taken) -> Option<CostView> {
    let Step::Costs(costs) = &taken.said else { return None };
    Some(CostView {
        amount: costs.amount,
        currency: costs.currency.clone(),
        reimbursed: costs.reimbursed,
        by: taken.role,
        at: taken.at,
    })
}

fn paper(taken: &domain::Taken) -> Option<PaperView> {
    let Step::Document(paper) = &taken.said else { return None };
    Some(PaperView {
        form: paper.form,
        language: paper.language.clone(),
        digest: paper.digest.clone(),
        at: taken.at,
        by: taken.by.clone(),
    })
}

fn period(seen: &Seen<'_>, period: &Period) -> PeriodView {
    let started = &period.started;
    PeriodView {
        clock: started.clock.clone(),
        instrument: started.instrument.clone(),
        article: started.article.clone(),
        duty: duty(seen.directory, seen.request, period, seen.now),
        kind: started.kind,
        owed_by: started.owed_by,
        owed_to: started.owed_to,
        from: started.from,
        due: started.due,
        calendar: started.calendar.clone(),
        paused: period.paused,
        extended_by: period.extended_by.clone(),
        ran_out: period.ran_out,
        answered: period.answered,
        ended: period.ended.map(|(at, _)| at),
        end: period.ended.map(|(_, end)| end),
        then: started.then,
        mark: started.mark,
        notice: period_notice(seen.directory, period, seen.now),
    }
}

/// What of a period is not sure: its row, the holidays it was counted by, and the rules of counting.
pub fn period_notice(directory: &Directory, period: &Period, now: Timestamp) -> Option<String> {
    let started = &period.started;
    let instrument = directory.instrument(&started.instrument, now);
    // The data holder's own end is counted by nobody.
    let counted = period.started.clock != domain::HOLDER_END
        && instrument.is_some_and(|instrument| instrument.counting == Counting::Union);
    let rules = counted.then_some("counted by Regulation 1182/71, Article 3, from secondary sources (S)");
    let holidays = (!started.holidays_known).then_some("holidays of the country are not known for all of it");
    let parts = [rules, holidays].into_iter().flatten().map(str::to_owned);
    let parts: Vec<String> = notice([started.mark]).into_iter().chain(parts).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// What a period's row says is owed.
pub fn duty(directory: &Directory, request: &Request, period: &Period, now: Timestamp) -> Option<String> {
    if period.started.clock == domain::HOLDER_END {
        return Some(
            "the request for the data has been received by then, or the data holder keeps them longer"
                .to_owned(),
        );
    }
    let at = request.basis_as_of.unwrap_or(now);
    let instrument = directory.instrument(&period.started.instrument, at)?;
    let row = instrument.clocks.iter().find(|row| row.id == period.started.clock)?;
    Some(row.duty.clone())
}

fn step(seen: &Seen<'_>, taken: &domain::Taken) -> StepView {
    let by = (taken.role == seen.role || seen.request.agency_of(taken.role) == Some(&taken.by))
        .then(|| taken.by.clone());
    let (step, role) = (taken.step(), taken.role);
    let hidden = step == RequestStep::Document && role != seen.role;
    let said = if hidden { serde_json::Map::new() } else { said(&taken.said) };
    StepView { step, said, at: taken.at, by, role }
}

/// The fields of a step, without its name.
fn said(step: &Step) -> serde_json::Map<String, serde_json::Value> {
    let named = serde_json::to_value(step).expect("a step is plain data");
    let fields = named.as_object().and_then(|named| named.values().next());
    fields.and_then(serde_json::Value::as_object).cloned().unwrap_or_default()
}

/// The requests of an incident between countries that a coordinator watches. A draft is its own side's.
pub fn watched(incident: &Incident, agency: &Agency, now: Timestamp) -> Vec<WatchedView> {
    let requests =
        incident.requests.iter().filter(|(_, request)| domain::is_watched(incident, request, agency));
    requests
        .map(|(request_id, request)| WatchedView {
            request_id: *request_id,
            kind: request.draft.kind,
            state: request.state,
            requesting: request.country.clone(),
            requested: request.draft.requested.clone(),
            measures: request.draft.measures.clone(),
            week: request.history.last().map_or(request.drafted, |taken| taken.at).iso_week(),
            periods: request
                .periods
                .values()
                .filter(|period| period.presses(now))
                .map(|period| WatchedPeriod {
                    clock: period.started.clock.clone(),
                    article: period.started.article.clone(),
                    ran_out: period.ran_out.is_some(),
                    answered: period.answered,
                })
                .collect(),
        })
        .collect()
}
