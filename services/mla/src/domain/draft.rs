//! A request before it is sent: who may write it, what it must hold, and whether its legal basis carries it.

use chassis::decider::{Context, Rejection};
use schemas::codes::{
    AgencyKind, BasisAnswer, ClockCondition, ClockEnd, ContentElement, Measure, RejectionCode, RequestKind,
    RequestState, RequestStep,
};
use schemas::directory::Agency;
use schemas::directory::view::Directory;
use schemas::ids::{Country, RequestId};
use schemas::mla::{AmendRequest, Draft, DraftRequest, MlaEvent, RequestAmended, RequestDrafted};
use schemas::time::Date;
use schemas::{Timestamp, codes::VerificationMark};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::state::{Incident, Request};
use super::{guards, own};
use crate::legal::basis::{self, Question};
use crate::legal::calendar::Days;

/// Most requests of one incident, and most measures, languages and elements of one request.
const MAX_REQUESTS: usize = 200;
const MAX_MEASURES: usize = 5;
const MAX_LANGUAGES: usize = 20;

/// An element that the legal basis demands and that is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Missing {
    pub element: ContentElement,
    pub article: String,
    pub mark: VerificationMark,
}

pub fn draft(
    context: &Context<'_>,
    incident: &Incident,
    command: &DraftRequest,
) -> Result<Vec<MlaEvent>, Rejection> {
    let agency = context.directory.agency(context.agency, context.now);
    let agency = agency.ok_or(RejectionCode::UnknownAgency)?;
    // Whoever is not at work on the incident does not hear that there is one.
    let engaged = incident.engaged.values().any(|country| *country == agency.country);
    if agency.kind != AgencyKind::CentralAuthority || !engaged {
        return Err(RejectionCode::NotEntitled.into());
    }
    context.must_be_human()?;
    if incident.requests.len() >= MAX_REQUESTS {
        return Err(RejectionCode::TooMany.into());
    }
    check(context, incident, agency, &command.draft)?;
    let request_id = RequestId::derive(&[context.aggregate_id.as_bytes(), context.cause.as_bytes()]);
    let (by, country) = (agency.id.clone(), agency.country.clone());
    Ok(vec![RequestDrafted { request_id, by, country, draft: command.draft.clone() }.into()])
}

/// The requesting side writes it anew, as long as nobody else has it: also after it came back as deficient.
pub fn amend(
    context: &Context<'_>,
    incident: &Incident,
    command: &AmendRequest,
) -> Result<Vec<MlaEvent>, Rejection> {
    let (request, role) = own(context, incident, command.request_id)?;
    if role != schemas::codes::RequestRole::Requesting {
        return Err(RejectionCode::NotYourStep.into());
    }
    context.must_be_human()?;
    let at_home = [RequestState::Draft, RequestState::Validated, RequestState::ReturnedDeficient];
    if !at_home.contains(&request.state) {
        return Err(RejectionCode::WrongState.into());
    }
    let agency = context.directory.agency(&request.by, context.now);
    let agency = agency.ok_or(RejectionCode::UnknownAgency)?;
    check(context, incident, agency, &command.draft)?;
    must_go_to_the_same(request, &command.draft)?;
    let periods = request.periods.values().filter(|period| period.is_open());
    let ended: Vec<MlaEvent> = periods.map(|period| period.end(ClockEnd::Withdrawn)).collect();
    let amended = RequestAmended { request_id: command.request_id, draft: command.draft.clone() };
    Ok(std::iter::once(amended.into()).chain(ended).collect())
}

/// What was sent and came back goes to the same side again: to another one a request of its own is made, so that
/// nobody who took part in the first reads on.
fn must_go_to_the_same(request: &Request, draft: &Draft) -> Result<(), Rejection> {
    if !request.took(RequestStep::Transmission) {
        return Ok(());
    }
    let before = &request.draft;
    let same = [
        ("/kind", before.kind == draft.kind),
        ("/requested", before.requested == draft.requested),
        ("/authority", before.authority == draft.authority),
        ("/addressee", before.addressee == draft.addressee),
    ];
    match same.iter().find(|(_, same)| !same) {
        Some((pointer, _)) => Err(Rejection::at(RejectionCode::Invalid, pointer)),
        None => Ok(()),
    }
}

fn check(
    context: &Context<'_>,
    incident: &Incident,
    agency: &Agency,
    draft: &Draft,
) -> Result<(), Rejection> {
    let invalid = |pointer: &str| Rejection::at(RejectionCode::Invalid, pointer);
    if draft.requested == agency.country {
        return Err(invalid("/requested"));
    }
    let authority = context.directory.agency(&draft.authority, context.now);
    let authority = authority.ok_or_else(|| Rejection::at(RejectionCode::UnknownAgency, "/authority"))?;
    if authority.kind != AgencyKind::CentralAuthority || authority.country != draft.requested {
        return Err(invalid("/authority"));
    }
    let addressee = match &draft.addressee {
        Some(id) => {
            let known = context.directory.agency(id, context.now);
            Some(known.ok_or_else(|| Rejection::at(RejectionCode::UnknownAgency, "/addressee"))?)
        }
        None => None,
    };
    let to_a_provider = addressee.is_some_and(|agency| agency.kind == AgencyKind::Provider);
    let is_order = draft.kind != RequestKind::Assistance;
    if is_order != to_a_provider || (addressee.is_some() && !to_a_provider) {
        return Err(invalid("/addressee"));
    }
    if draft.notified && draft.kind != RequestKind::ProductionOrder {
        return Err(invalid("/notified"));
    }
    must_be_told(context, incident, draft)?;
    // To preserve is asked for by itself: the request for the data follows it, with its own periods.
    if draft.measures.contains(&Measure::Preservation) && draft.measures.len() > 1 {
        return Err(invalid("/measures"));
    }
    if draft.measures.is_empty() || draft.measures.len() > MAX_MEASURES || has_twice(&draft.measures) {
        return Err(invalid("/measures"));
    }
    if draft.languages.len() > MAX_LANGUAGES {
        return Err(invalid("/languages"));
    }
    if has_twice(&draft.elements) {
        return Err(invalid("/elements"));
    }
    // Whoever asks sets none; whoever gives unasked may (Budapest Convention Article 26(2)).
    if has_twice(&draft.conditions) || !(draft.conditions.is_empty() || draft.is_unasked()) {
        return Err(invalid("/conditions"));
    }
    if draft.needed_by.as_ref().is_some_and(|needed| needed.by <= context.now) {
        return Err(invalid("/needed_by/by"));
    }
    if let Some(parent) = draft.parent {
        let parent = incident.requests.get(&parent).filter(|parent| parent.country == agency.country);
        if parent.is_none_or(|parent| parent.draft.requested != draft.requested) {
            return Err(invalid("/parent"));
        }
    }
    let known = |id| context.directory.instrument(id, context.now).is_some();
    if !draft.basis.as_ref().is_none_or(known) {
        return Err(invalid("/basis"));
    }
    Ok(())
}

/// A State that the originator never lets hear of the incident hears of it by no request either.
pub fn must_be_told(context: &Context<'_>, incident: &Incident, draft: &Draft) -> Result<(), Rejection> {
    must_not_be_untold(incident, &draft.requested, "/requested")?;
    let addressee = draft.addressee.as_ref().and_then(|id| context.directory.agency(id, context.now));
    match addressee {
        Some(addressee) => must_not_be_untold(incident, &addressee.country, "/addressee"),
        None => Ok(()),
    }
}

fn must_not_be_untold(incident: &Incident, country: &Country, pointer: &str) -> Result<(), Rejection> {
    let never_told = incident.noted.as_ref().is_some_and(|noted| noted.never_told.contains(country));
    if never_told { Err(Rejection::at(RejectionCode::TransferNotAllowed, pointer)) } else { Ok(()) }
}

fn has_twice<T: Ord>(list: &[T]) -> bool {
    let different: std::collections::BTreeSet<&T> = list.iter().collect();
    different.len() < list.len()
}

/// Whether it can go out: its legal basis carries it, it holds what that demands, and what it follows is not over
/// without having been received.
pub fn must_be_complete(
    context: &Context<'_>,
    incident: &Incident,
    request: &Request,
) -> Result<(), Rejection> {
    let at_basis = || Rejection::at(RejectionCode::NoLegalBasis, "/basis");
    let id = request.draft.basis.as_ref().ok_or_else(at_basis)?;
    let instrument = context.directory.instrument(id, context.now).ok_or_else(at_basis)?;
    let date = guards::today(context, &request.country);
    for measure in &request.draft.measures {
        let answer = basis::of(instrument, &question(incident, request, *measure, date)).answer;
        if !guards::may_be_picked(answer) {
            return Err(at_basis());
        }
    }
    if missing(context.directory, request, context.now).is_empty() {
        Ok(())
    } else {
        Err(Rejection::at(RejectionCode::Incomplete, "/elements"))
    }
}

fn question<'a>(incident: &Incident, request: &'a Request, measure: Measure, date: Date) -> Question<'a> {
    Question {
        requesting: &request.country,
        requested: &request.draft.requested,
        measure,
        request: Some(request.draft.kind),
        date,
        kind: incident.noted.as_ref().map(|noted| noted.kind),
    }
}

/// What the legal bases say of a request on the day: the picked one's answer for each measure.
pub fn answers(
    directory: &Directory,
    incident: &Incident,
    request: &Request,
    at: Timestamp,
) -> Vec<(Measure, BasisAnswer)> {
    let Some(instrument) = request.draft.basis.as_ref().and_then(|id| directory.instrument(id, at)) else {
        return Vec::new();
    };
    let date: Date = Days::of(&request.country, directory.calendar(&request.country, at)).day(at).into();
    let measures = request.draft.measures.iter();
    measures
        .map(|measure| (*measure, basis::of(instrument, &question(incident, request, *measure, date)).answer))
        .collect()
}

/// What the addressee of an order never sees: Regulation (EU) 2023/1543, Annex I, Section M.
pub const fn is_reason(kind: RequestKind, element: ContentElement) -> bool {
    !matches!(kind, RequestKind::Assistance)
        && matches!(element, ContentElement::Necessity | ContentElement::Facts)
}

/// Every mandatory element of the picked basis that is not there, by name and article.
pub fn missing(directory: &Directory, request: &Request, at: Timestamp) -> Vec<Missing> {
    let draft = &request.draft;
    let Some(instrument) = draft.basis.as_ref().and_then(|id| directory.instrument(id, at)) else {
        return Vec::new();
    };
    let mut found: Vec<Missing> = Vec::new();
    for measure in &draft.measures {
        let rows = basis::contents(instrument, draft.kind, *measure);
        let demanded = rows.filter(|row| row.mandatory && row.when.iter().all(|when| holds(request, *when)));
        for row in demanded.filter(|row| !draft.elements.contains(&row.element)) {
            let missing = Missing { element: row.element, article: row.article.clone(), mark: row.mark };
            if !found.iter().any(|other| other.element == missing.element) {
                found.push(missing);
            }
        }
    }
    found
}

/// Whether a condition of a row holds for the request as it is.
pub fn holds(request: &Request, condition: ClockCondition) -> bool {
    let draft = &request.draft;
    let preservation = draft.measures.contains(&Measure::Preservation);
    match condition {
        ClockCondition::Emergency => draft.emergency.is_some(),
        ClockCondition::NotEmergency => draft.emergency.is_none(),
        ClockCondition::Notified => draft.notified,
        ClockCondition::NotNotified => !draft.notified,
        ClockCondition::NotValidated => request.validator.is_none(),
        ClockCondition::Preservation => preservation,
        ClockCondition::NotPreservation => !preservation,
    }
}
