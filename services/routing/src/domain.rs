//! One incident's routing: opened by its referral, offered to agencies, answered by people.

mod jurisdiction;
mod transfer;

mod assignment;
mod duty;

mod amendment;
mod answers;
mod lead;
mod preview;
mod retraction;

mod state;

use chassis::decider::{Clock, Context, Rejection};
use schemas::InputPosition;
use schemas::codes::{AgencyKind, AssessmentKind, RejectionCode, RetractionReason, Urgency};
use schemas::ids::{AssessmentId, Country};
use schemas::referral::{Item, Referral};
use schemas::routing::{
    AddAssessment, AddCaseNumber, AssessmentAdded, AuthoriseTransfers, CaseNumberAdded, ClockDue, FacetRef,
    IncidentOpened, ItemNoted, RoutingCommand, RoutingEvent, TransfersAuthorised,
};

pub use preview::effects;
pub use state::{Assignment, Call, Incident, Retraction, evolve};

/// What `referral.events` tells.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    clippy::large_enum_variant,
    reason = "read, considered and dropped: a box would cost each referral more"
)]
pub enum ReferralNews {
    Committed(CommittedReferral),
    Withdrawn(RetractionReason),
}

/// A referral as it stands committed in `referral.events`.
#[derive(Clone, Debug, PartialEq)]
pub struct CommittedReferral {
    /// 0 as it was received; then how often it was amended.
    pub amendment: i32,
    pub referral: Referral,
    pub at: InputPosition,
}

/// What follows from the referral having been received, amended or withdrawn.
pub fn consider(context: &Context<'_>, incident: &Incident, news: &ReferralNews) -> Vec<RoutingEvent> {
    match news {
        ReferralNews::Committed(news) if news.amendment == 0 => open(context, incident, news),
        ReferralNews::Committed(news) => amendment::amend(context, incident, news),
        ReferralNews::Withdrawn(reason) => amendment::withdraw(context, incident, *reason),
    }
}

/// Opens the incident, finds its jurisdictions and offers its assignments.
fn open(context: &Context<'_>, incident: &Incident, news: &CommittedReferral) -> Vec<RoutingEvent> {
    if incident.opened.is_some() {
        return Vec::new();
    }
    let opened = opening(news);
    let found = jurisdiction::find(&opened.signals, establishment(context, &opened));
    let mut events = vec![opened.clone().into(), found.clone().into()];
    let mut after = incident.clone();
    for event in &events {
        evolve(&mut after, event);
    }
    let offers = assignment::offer(context, &after);
    events.extend(offers);
    events.extend(lead::propose(&after).map(RoutingEvent::from));
    events
}

/// The reporting provider's own State, for where nothing else can be told.
fn establishment<'a>(context: &Context<'a>, opened: &IncidentOpened) -> Option<&'a Country> {
    let reporter = context.directory.agency(&opened.reporter, context.now);
    reporter.filter(|agency| agency.kind == AgencyKind::Provider).map(|agency| &agency.country)
}

fn opening(news: &CommittedReferral) -> IncidentOpened {
    let referral = &news.referral;
    IncidentOpened {
        referral_id: referral.referral_id,
        reporter: referral.reporter.clone(),
        reporter_country: referral.reporter_country.clone(),
        kind: referral.kind,
        urgency: referral.urgency,
        danger_reason: referral.danger_reason,
        week: referral.week.clone(),
        annotations: referral.annotations.clone(),
        people: referral.people.clone(),
        facets: referral.facets.iter().map(|facet| FacetRef::of(facet, &news.at)).collect(),
        signals: referral.signals.clone(),
        handling: referral.handling.clone(),
        items: items(referral),
    }
}

/// The content items, and what is known of each.
fn items(referral: &Referral) -> Vec<ItemNoted> {
    let noted = |item: &Item| ItemNoted {
        item_ref: item.item_ref,
        media_kind: item.media_kind,
        known: item.known.clone(),
    };
    referral.items.iter().map(noted).collect()
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
        RoutingCommand::EscalateAssignment(command) => answers::escalate(context, incident, command),
        RoutingCommand::HoldFeedback(command) => answers::hold_feedback(context, incident, command),
        RoutingCommand::AddCaseNumber(command) => add_case_number(context, incident, command),
        RoutingCommand::RetractAssessment(command) => retraction::retract(context, incident, command),
        RoutingCommand::AcknowledgeRetraction(command) => retraction::acknowledge(context, incident, command),
        RoutingCommand::ReadRouting(_) => Err(RejectionCode::NotEntitled.into()),
    }
}

/// Any party adds what it makes of the incident; earlier assessments stay, and routing looks again.
fn assess(
    context: &Context<'_>,
    incident: &Incident,
    command: &AddAssessment,
) -> Result<Vec<RoutingEvent>, Rejection> {
    if !incident.is_party(context.agency) {
        return Err(RejectionCode::NotEntitled.into());
    }
    context.must_be_human()?;
    if incident.withdrawn.is_some() {
        return Err(RejectionCode::Withdrawn.into());
    }
    if incident.assessments.len() >= MAX_ASSESSMENTS {
        return Err(RejectionCode::TooMany.into());
    }
    let assessment = &command.assessment;
    let valid = match (assessment.kind, assessment.value.as_deref()) {
        (AssessmentKind::Kind, Some(value)) => value.parse::<schemas::codes::IncidentKind>().is_ok(),
        (AssessmentKind::Urgency, Some(value)) => value.parse::<Urgency>().is_ok(),
        (AssessmentKind::AgeRange, Some(value)) => value.parse::<schemas::codes::AgeBand>().is_ok(),
        (AssessmentKind::Classification, Some(value)) => schemas::referral::is_classification(value),
        (AssessmentKind::Kind | AssessmentKind::Urgency | AssessmentKind::AgeRange, None) => false,
        (AssessmentKind::Classification, None) => false,
        (_, value) => value.is_none(),
    };
    if !valid {
        return Err(Rejection::at(RejectionCode::Invalid, "/assessment/value"));
    }
    if assessment.person_ref.is_some_and(|person| !incident.has_person(person)) {
        return Err(Rejection::at(RejectionCode::Invalid, "/assessment/person_ref"));
    }
    let number = (incident.assessments.len() as u64).to_be_bytes();
    let added = AssessmentAdded {
        assessment_id: AssessmentId::derive(&[context.aggregate_id.as_bytes(), &number]),
        by: context.agency.clone(),
        assessment: assessment.clone(),
        note: command.note.clone(),
    };
    Ok(with_what_follows(context, incident, added.into()))
}

/// A party's own number for its case; its system may give it.
fn add_case_number(
    context: &Context<'_>,
    incident: &Incident,
    command: &AddCaseNumber,
) -> Result<Vec<RoutingEvent>, Rejection> {
    if !incident.is_party(context.agency) {
        return Err(RejectionCode::NotEntitled.into());
    }
    if incident.case_numbers.get(context.agency).is_some_and(|count| *count >= MAX_CASE_NUMBERS) {
        return Err(RejectionCode::TooMany.into());
    }
    Ok(vec![CaseNumberAdded { by: context.agency.clone(), number: command.number.clone() }.into()])
}

/// Most assessments of one incident, and most case numbers of one agency in it: bounds what an incident weighs.
const MAX_ASSESSMENTS: usize = 1_000;
const MAX_CASE_NUMBERS: u32 = 20;

/// The originator allows what it had kept to itself.
fn authorise(
    context: &Context<'_>,
    incident: &Incident,
    command: &AuthoriseTransfers,
) -> Result<Vec<RoutingEvent>, Rejection> {
    let originator = incident.opened.as_ref().map(|opened| &opened.reporter);
    if originator != Some(context.agency) {
        return Err(RejectionCode::NotEntitled.into());
    }
    context.must_be_human()?;
    if incident.withdrawn.is_some() {
        return Err(RejectionCode::Withdrawn.into());
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
        events.extend(assignment::overdue(&assignment.offer));
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
