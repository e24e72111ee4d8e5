//! One incident's requests: drafted by one State's authority, answered by another's, held to legal periods.

mod clocks;
mod draft;
pub mod due;
mod guards;
mod rules;
mod state;
pub mod statistics;

use chassis::decider::{Clock, Context, Rejection};
use schemas::codes::{
    ActorKind, AgencyKind, AlertReason, ClockConsequence, ClockEnd, IncidentKind, RejectionCode, RequestRole,
    RequestState, RequestStep, Urgency,
};
use schemas::directory::Agency;
use schemas::ids::{AgencyId, Country, RequestId};
use schemas::mla::{
    AnswerPeriod, ClockRanOut, ClockWarned, CoordinatorAsked, IncidentNoted, InvolveUnit, MlaCommand,
    MlaEvent, PeriodAnswered, PeriodDue, RequestLapsed, RequestShared, RequestUnshared, StateEngaged,
    StepTaken, TakeStep, UnitInvolved,
};

pub use clocks::HOLDER_END;
pub use draft::{Missing, answers, is_reason, missing};
pub use rules::{note_kind, steps};
pub use state::{Evidence, Incident, Period, Request, Taken, evolve, refused};

/// Most steps of one request, and most agencies that take part in one: bounds what an incident weighs.
const MAX_STEPS: usize = 500;
const MAX_UNITS: usize = 20;

/// What `routing.events` tells.
#[derive(Clone, Debug, PartialEq)]
pub enum RoutingNews {
    Opened(IncidentNoted),
    /// Its referral was amended.
    Amended {
        kind: IncidentKind,
        urgency: Urgency,
        never_told: Vec<Country>,
    },
    /// An agency has accepted its assignment.
    Accepted(AgencyId),
}

/// What follows from an incident having been opened, or taken up.
pub fn learn(context: &Context<'_>, incident: &Incident, news: &RoutingNews) -> Vec<MlaEvent> {
    match news {
        RoutingNews::Opened(noted) if incident.noted.is_none() => vec![noted.clone().into()],
        RoutingNews::Amended { kind, urgency, never_told } => {
            let amended = incident.noted.as_ref().map(|noted| IncidentNoted {
                referral_id: noted.referral_id,
                kind: *kind,
                // An urgency once raised stays raised.
                urgency: noted.urgency.max(*urgency),
                never_told: never_told.clone(),
            });
            let changed = amended.filter(|amended| incident.noted.as_ref() != Some(amended));
            changed.map(MlaEvent::from).into_iter().collect()
        }
        RoutingNews::Accepted(agency) if !incident.engaged.contains_key(agency) => {
            let country = context.directory.agency(agency, context.now).map(|agency| agency.country.clone());
            country
                .map(|country| StateEngaged { agency: agency.clone(), country }.into())
                .into_iter()
                .collect()
        }
        _ => Vec::new(),
    }
}

/// # Errors
/// See [`RejectionCode`]; a rejected attempt is on record.
pub fn decide(
    context: &Context<'_>,
    incident: &Incident,
    command: &MlaCommand,
) -> Result<Vec<MlaEvent>, Rejection> {
    if incident.noted.is_none() {
        return Err(RejectionCode::UnknownIncident.into());
    }
    let events = answer(context, incident, command)?;
    Ok(with_sharing(context, incident, events))
}

/// The events between whoever comes to know of the request by them, or may read its text from now on, and so is told
/// of them, and whoever has no part in it any more.
fn with_sharing(context: &Context<'_>, incident: &Incident, events: Vec<MlaEvent>) -> Vec<MlaEvent> {
    let Some(request_id) = events.first().and_then(MlaEvent::request_id) else { return events };
    let mut after = incident.clone();
    events.iter().for_each(|event| evolve(&mut after, event, context.now));
    let Some(now) = after.requests.get(&request_id) else { return events };
    let before = incident.requests.get(&request_id);
    let knew = |agency: &AgencyId| before.is_some_and(|before| before.role_of(agency).is_some());
    let part = |request: &Request, agency: &AgencyId| {
        let role = request.role_of(agency)?;
        Some((role, request.withholds_from(role)))
    };
    let shared = now.taking_part().filter_map(|agency| {
        let same = before.and_then(|before| part(before, agency));
        let (role, withheld) = part(now, agency).filter(|now| Some(*now) != same)?;
        let basis = now.draft.basis.clone().filter(|_| role != RequestRole::Requesting);
        Some(RequestShared { request_id, agency: agency.clone(), role, basis, withheld }.into())
    });
    let left = before.into_iter().flat_map(Request::taking_part);
    let left = left.filter(|agency| knew(agency) && now.role_of(agency).is_none());
    let unshared = left.map(|agency| RequestUnshared { request_id, agency: agency.clone() }.into());
    let shared: Vec<MlaEvent> = shared.collect();
    shared.into_iter().chain(events).chain(unshared).collect()
}

fn answer(
    context: &Context<'_>,
    incident: &Incident,
    command: &MlaCommand,
) -> Result<Vec<MlaEvent>, Rejection> {
    match command {
        MlaCommand::DraftRequest(command) => draft::draft(context, incident, command),
        MlaCommand::AmendRequest(command) => draft::amend(context, incident, command),
        MlaCommand::InvolveUnit(command) => involve(context, incident, command),
        MlaCommand::TakeStep(command) => take(context, incident, command),
        MlaCommand::PeriodDue(command) => period_due(context, incident, command),
        MlaCommand::AnswerPeriod(command) => answer_period(context, incident, command),
        MlaCommand::ReadRequest(_) => Err(RejectionCode::NotEntitled.into()),
    }
}

/// One side lets an agency of its own State take part.
fn involve(
    context: &Context<'_>,
    incident: &Incident,
    command: &InvolveUnit,
) -> Result<Vec<MlaEvent>, Rejection> {
    let (request, role) = own(context, incident, command.request_id)?;
    must_be_authority(context, request, role)?;
    // Whoever an order is addressed to carries it out itself.
    if role == RequestRole::Addressee {
        return Err(RejectionCode::NotEntitled.into());
    }
    context.must_be_human()?;
    let at_fault = |code| Rejection::at(code, "/agency");
    let agency = context.directory.agency(&command.agency, context.now);
    let agency = agency.ok_or_else(|| at_fault(RejectionCode::UnknownAgency))?;
    let own_country = request.country_of(role, context.directory, context.now);
    if own_country.as_ref() != Some(&agency.country) || agency.kind == AgencyKind::Coordinator {
        return Err(at_fault(RejectionCode::Invalid));
    }
    if request.role_of(&agency.id).is_some() {
        return Err(at_fault(RejectionCode::WrongState));
    }
    if request.units.len() >= MAX_UNITS {
        return Err(RejectionCode::TooMany.into());
    }
    Ok(vec![UnitInvolved { request_id: command.request_id, role, agency: agency.id.clone() }.into()])
}

/// One step of one side, and what follows from it for the legal periods.
fn take(context: &Context<'_>, incident: &Incident, command: &TakeStep) -> Result<Vec<MlaEvent>, Rejection> {
    let (request, role) = own(context, incident, command.request_id)?;
    let code = command.step.code();
    let rule = rules::rule(request.draft.kind, code).ok_or(RejectionCode::WrongState)?;
    if !rule.by.contains(&role) {
        return Err(RejectionCode::NotYourStep.into());
    }
    if rule.authority_only {
        must_be_authority(context, request, role)?;
    }
    if rule.by_a_person {
        context.must_be_human()?;
    }
    if !rule.from.contains(&request.state) {
        return Err(RejectionCode::WrongState.into());
    }
    if request.history.len() >= MAX_STEPS {
        return Err(RejectionCode::TooMany.into());
    }
    guards::check(context, incident, (request, role), command)?;
    let taken = StepTaken {
        request_id: command.request_id,
        by: context.agency.clone(),
        role,
        step: command.step.clone(),
        state: rules::state_after(request, &command.step, rule),
        note: command.note.clone(),
        reference: command.reference.clone(),
    };
    let mut events = vec![taken.into()];
    let mut after = incident.clone();
    evolve(&mut after, &events[0], context.now);
    events.extend(clocks::follow(context, &after, command.request_id, &command.step));
    Ok(events)
}

/// The request as the agency takes part in it. One that it has no part in does not exist for it.
fn own<'a>(
    context: &Context<'_>,
    incident: &'a Incident,
    id: RequestId,
) -> Result<(&'a Request, RequestRole), Rejection> {
    let request = incident.requests.get(&id).ok_or(RejectionCode::UnknownRequest)?;
    let role = request.role_of(context.agency).ok_or(RejectionCode::UnknownRequest)?;
    Ok((request, role))
}

fn must_be_authority(context: &Context<'_>, request: &Request, role: RequestRole) -> Result<(), Rejection> {
    let authority = request.agency_of(role) == Some(context.agency);
    if authority { Ok(()) } else { Err(RejectionCode::NotYourStep.into()) }
}

/// A legal period nears its end or has run out; one that no longer runs yields nothing.
fn period_due(
    context: &Context<'_>,
    incident: &Incident,
    command: &PeriodDue,
) -> Result<Vec<MlaEvent>, Rejection> {
    // Only the service's own clock rings it.
    if context.actor.kind != ActorKind::Service {
        return Err(RejectionCode::NotEntitled.into());
    }
    let request = incident.requests.get(&command.request_id);
    let period = request.and_then(|request| request.periods.get(&command.clock));
    let Some((request, period)) = request.zip(period) else { return Ok(Vec::new()) };
    if period.rings_at() != Some(command.due) {
        return Ok(Vec::new());
    }
    let PeriodDue { request_id, clock, due } = command.clone();
    if due < period.started.due {
        return Ok(vec![ClockWarned { request_id, clock, due: period.started.due }.into()]);
    }
    let then = period.started.then;
    let mut events = vec![ClockRanOut { request_id, clock: clock.clone(), due, then }.into()];
    let ask = |reason| {
        let country = request.country_of(period.started.owed_by, context.directory, context.now);
        country.map(|country| {
            MlaEvent::from(CoordinatorAsked { request_id, reason, country, clock: clock.clone() })
        })
    };
    match then {
        ClockConsequence::Overdue => events.extend(ask(AlertReason::LegalPeriodRanOut)),
        // Data may be gone, and nobody has received the request for them.
        ClockConsequence::FloorReached | ClockConsequence::Ceases if period.guards_data() => {
            events.extend(ask(AlertReason::PreservationAtRisk));
        }
        ClockConsequence::Lapses => events.extend(lapse(request_id, request, &period.started.article)),
        ClockConsequence::FloorReached
        | ClockConsequence::Ceases
        | ClockConsequence::Release
        | ClockConsequence::Consult => {}
    }
    Ok(events)
}

/// Whether the agency is a coordinator of one of the two States, and its own may be told.
pub fn is_watched(incident: &Incident, request: &Request, agency: &Agency) -> bool {
    let is_told =
        |country: &Country| incident.noted.as_ref().is_none_or(|noted| !noted.never_told.contains(country));
    let mut told = agency.scope.iter().filter(|country| is_told(country));
    agency.kind == AgencyKind::Coordinator
        && is_told(&agency.country)
        && told.any(|country| request.is_known_in(country))
}

/// A coordinator of one of the two States says what is done about a period that presses.
fn answer_period(
    context: &Context<'_>,
    incident: &Incident,
    command: &AnswerPeriod,
) -> Result<Vec<MlaEvent>, Rejection> {
    let coordinator = context.directory.agency(context.agency, context.now);
    let request = incident.requests.get(&command.request_id);
    let watched = request.zip(coordinator).filter(|(request, agency)| is_watched(incident, request, agency));
    let (request, _) = watched.ok_or(RejectionCode::UnknownRequest)?;
    context.must_be_human()?;
    let period = request.periods.get(&command.clock).filter(|period| period.presses(context.now));
    let period = period.ok_or(RejectionCode::WrongState)?;
    if period.answered == Some(command.answer) {
        return Err(RejectionCode::Unchanged.into());
    }
    let AnswerPeriod { request_id, clock, answer } = command.clone();
    Ok(vec![PeriodAnswered { request_id, clock, by: context.agency.clone(), answer }.into()])
}

/// The order no longer binds: what else was owed under it goes with it.
fn lapse(request_id: RequestId, request: &Request, article: &str) -> Vec<MlaEvent> {
    let lapsed = RequestLapsed { request_id, article: article.to_owned() };
    let ended = request.periods.values().filter(|period| period.is_open() && period.ran_out.is_none());
    let ended = ended.filter(|period| period.started.article != article);
    std::iter::once(lapsed.into()).chain(ended.map(|period| period.end(ClockEnd::Lapsed))).collect()
}

pub fn clocks(incident: &Incident) -> Vec<Clock<MlaCommand>> {
    let requests = incident.requests.iter();
    let periods = requests.flat_map(|(id, request)| request.periods.iter().map(move |period| (*id, period)));
    periods
        .filter_map(|(request_id, (clock, period))| {
            let due = period.rings_at()?;
            let command = PeriodDue { request_id, clock: clock.clone(), due }.into();
            Some(Clock { name: format!("{request_id}/{clock}"), due, command })
        })
        .collect()
}

/// Whether nothing more can come of a request in this state.
pub const fn is_over(state: RequestState) -> bool {
    matches!(
        state,
        RequestState::Closed | RequestState::Withdrawn | RequestState::Refused | RequestState::Lapsed
    )
}

/// Whether the other side does not know of it.
pub const fn is_draft(state: RequestState) -> bool {
    matches!(state, RequestState::Draft | RequestState::Validated)
}

/// The first time that a step was taken.
pub fn first(request: &Request, step: RequestStep) -> Option<&Taken> {
    request.history.iter().find(|taken| taken.step() == step)
}
