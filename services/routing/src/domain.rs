//! One incident's routing: opened by its referral, offered to agencies, answered by people.

mod answers;
mod assignment;
mod duty;
mod jurisdiction;
mod lead;
mod state;
mod transfer;

use chassis::decider::{Clock, Context, Rejection};
use schemas::InputPosition;
use schemas::codes::{AgencyKind, AssessmentKind, RejectionCode, Urgency};
use schemas::referral::Referral;
use schemas::routing::{
    AddAssessment, AssessmentAdded, AuthoriseTransfers, ClockDue, FacetRef, IncidentOpened, RoutingCommand,
    RoutingEvent, TransfersAuthorised,
};

pub use state::{Assignment, Call, Incident, evolve};

/// A referral as it stands committed in `referral.events`.
#[derive(Clone, Debug, PartialEq)]
pub struct CommittedReferral {
    pub referral: Referral,
    pub at: InputPosition,
}

/// Opens the incident, finds its jurisdictions and offers its assignments.
pub fn consider(context: &Context<'_>, incident: &Incident, news: &CommittedReferral) -> Vec<RoutingEvent> {
    if incident.opened.is_some() {
        return Vec::new();
    }
    let opened = opening(news);
    let reporter = context.directory.agency(&opened.reporter, context.now);
    let establishment =
        reporter.filter(|agency| agency.kind == AgencyKind::Provider).map(|agency| &agency.country);
    let found = jurisdiction::find(&opened.signals, establishment);
    let mut events = vec![opened.clone().into(), found.clone().into()];
    let mut after = incident.clone();
    for event in &events {
        evolve(&mut after, event);
    }
    let offers = assignment::offer(context, &after);
    events.extend(offers);
    events.extend(lead::propose(&found.countries).map(RoutingEvent::from));
    events
}

fn opening(news: &CommittedReferral) -> IncidentOpened {
    let referral = &news.referral;
    let facet = |facet: &schemas::referral::SealedFacet| FacetRef {
        facet_id: facet.facet_id,
        kind: facet.kind,
        person_ref: facet.person_ref,
        key_set_id: facet.key_set_id,
    };
    IncidentOpened {
        referral_id: referral.referral_id,
        referral_at: news.at.clone(),
        reporter: referral.reporter.clone(),
        reporter_country: referral.reporter_country.clone(),
        kind: referral.kind,
        urgency: referral.urgency,
        danger_reason: referral.danger_reason,
        week: referral.week.clone(),
        annotations: referral.annotations.clone(),
        people: referral.people.clone(),
        facets: referral.facets.iter().map(facet).collect(),
        signals: referral.signals.clone(),
        handling: referral.handling.clone(),
    }
}

/// # Errors
/// See [`RejectionCode`]; a rejected attempt is on record.
pub fn decide(
    context: &Context<'_>,
    incident: &Incident,
    command: &RoutingCommand,
) -> Result<Vec<RoutingEvent>, Rejection> {
    if incident.opened.is_none() {
        return Err(RejectionCode::UnknownIncident.into());
    }
    match command {
        RoutingCommand::AcceptAssignment(command) => answers::accept(context, incident, command),
        RoutingCommand::DeclineAssignment(command) => answers::decline(context, incident, command),
        RoutingCommand::ForwardAssignment(command) => answers::forward(context, incident, command),
        RoutingCommand::RevokeAssignment(command) => answers::revoke(context, incident, command),
        RoutingCommand::CloseAssignment(command) => answers::close(context, incident, command),
        RoutingCommand::AddAssessment(command) => assess(context, incident, command),
        RoutingCommand::AuthoriseTransfers(command) => authorise(context, incident, command),
        RoutingCommand::AcceptLead(command) => lead::accept(context, incident, command),
        RoutingCommand::DisputeLead(command) => lead::dispute(context, incident, command),
        RoutingCommand::RecordLead(command) => lead::record(context, incident, command),
        RoutingCommand::ClockDue(command) => ring(context, incident, command),
    }
}

/// Any party adds what it makes of the incident; earlier assessments stay, and routing looks again.
fn assess(
    context: &Context<'_>,
    incident: &Incident,
    command: &AddAssessment,
) -> Result<Vec<RoutingEvent>, Rejection> {
    answers::must_be_human(context)?;
    if !incident.is_party(context.agency) {
        return Err(RejectionCode::NotEntitled.into());
    }
    let assessment = &command.assessment;
    let valid = match (assessment.kind, assessment.value.as_deref()) {
        (AssessmentKind::Kind, Some(value)) => value.parse::<schemas::codes::IncidentKind>().is_ok(),
        (AssessmentKind::Urgency, Some(value)) => value.parse::<Urgency>().is_ok(),
        (AssessmentKind::AgeRange, Some(value)) => value.parse::<schemas::codes::AgeBand>().is_ok(),
        (AssessmentKind::Classification, Some(value)) => !value.is_empty() && value.len() <= MAX_VALUE_BYTES,
        (AssessmentKind::Kind | AssessmentKind::Urgency | AssessmentKind::AgeRange, None) => false,
        (AssessmentKind::Classification, None) => false,
        (_, value) => value.is_none(),
    };
    if !valid {
        return Err(Rejection::at(RejectionCode::Invalid, "/assessment/value"));
    }
    let added: RoutingEvent =
        AssessmentAdded { by: context.agency.clone(), assessment: assessment.clone() }.into();
    Ok(with_what_follows(context, incident, added))
}

/// Longest value of an assessment that no code list bounds.
const MAX_VALUE_BYTES: usize = 64;

/// The originator allows what it had kept to itself.
fn authorise(
    context: &Context<'_>,
    incident: &Incident,
    command: &AuthoriseTransfers,
) -> Result<Vec<RoutingEvent>, Rejection> {
    answers::must_be_human(context)?;
    let originator = incident.opened.as_ref().map(|opened| &opened.reporter);
    if originator != Some(context.agency) {
        return Err(RejectionCode::NotEntitled.into());
    }
    let authorised: RoutingEvent = TransfersAuthorised { countries: command.countries.clone() }.into();
    Ok(with_what_follows(context, incident, authorised))
}

/// The event, and the offers that it makes possible: what was offered before stays.
fn with_what_follows(context: &Context<'_>, incident: &Incident, event: RoutingEvent) -> Vec<RoutingEvent> {
    let mut after = incident.clone();
    evolve(&mut after, &event);
    let mut events = vec![event];
    events.extend(assignment::raise(context, &after));
    events.extend(assignment::offer(context, &after));
    events
}

/// A clock has run out; one that no longer runs yields nothing.
fn ring(
    context: &Context<'_>,
    incident: &Incident,
    command: &ClockDue,
) -> Result<Vec<RoutingEvent>, Rejection> {
    let Some(assignment) = incident.assignments.get(&command.assignment_id) else { return Ok(Vec::new()) };
    if !assignment.awaits_answer() {
        return Ok(Vec::new());
    }
    let mut events = Vec::new();
    if assignment.acknowledge_by() == Some(command.due) {
        events.extend(duty::next_call(context, incident, command.assignment_id));
    }
    if assignment.respond_by == command.due && !assignment.overdue {
        events.extend(assignment::overdue(incident, command.assignment_id));
    }
    Ok(events)
}

/// Names of the clocks of an assignment.
const ACKNOWLEDGE: &str = "acknowledge";
const RESPOND: &str = "respond";

pub fn clocks(incident: &Incident) -> Vec<Clock<RoutingCommand>> {
    let mut clocks = Vec::new();
    for (id, assignment) in &incident.assignments {
        if !assignment.awaits_answer() {
            continue;
        }
        let clock = |name: &str, due| Clock {
            name: format!("{name}/{id}"),
            due,
            command: ClockDue { assignment_id: *id, due }.into(),
        };
        clocks.extend(assignment.acknowledge_by().map(|due| clock(ACKNOWLEDGE, due)));
        if !assignment.overdue {
            clocks.push(clock(RESPOND, assignment.respond_by));
        }
    }
    clocks
}
