//! What an agency does with its assignment: accept, decline, forward, close; and who takes one back.

use chassis::decider::{Context, Rejection};
use schemas::codes::{AgencyKind, AlertReason, AssignmentState, EscalationReason, RejectionCode, Urgency};
use schemas::directory::Policy;
use schemas::ids::AssignmentId;
use schemas::routing::{
    AcceptAssignment, AssignmentAccepted, AssignmentClosed, AssignmentDeclined, AssignmentEscalated,
    AssignmentForwarded, AssignmentOffered, AssignmentRevoked, CloseAssignment, DeclineAssignment,
    EscalateAssignment, FeedbackHeld, ForwardAssignment, HoldFeedback, RevokeAssignment, RoutingEvent,
};

use super::state::{Assignment, Incident, evolve};
use super::{assignment, duty, lead, transfer};

type Decision = Result<Vec<RoutingEvent>, Rejection>;

pub fn accept(context: &Context<'_>, incident: &Incident, command: &AcceptAssignment) -> Decision {
    must_await_answer(own(context, incident, command.assignment_id)?)?;
    let accepted = AssignmentAccepted { assignment_id: command.assignment_id }.into();
    let mut after = incident.clone();
    evolve(&mut after, &accepted);
    // Where it is taken up is a reason of its own, as long as nobody has taken a position.
    let lead = if after.lead.is_undecided() { lead::propose_anew(&after) } else { None };
    Ok(std::iter::once(accepted).chain(lead.map(RoutingEvent::from)).collect())
}

pub fn decline(context: &Context<'_>, incident: &Incident, command: &DeclineAssignment) -> Decision {
    let declined = own(context, incident, command.assignment_id)?;
    must_await_answer(declined)?;
    let DeclineAssignment { assignment_id, reason, note } = command.clone();
    let events = [AssignmentDeclined { assignment_id, reason, note }.into()];
    Ok(events.into_iter().chain(nobody_left(incident, declined)).collect())
}

/// Without the assignment nobody in its country has the incident before them, or has worked on it: a person must look.
fn nobody_left(incident: &Incident, gone: &Assignment) -> Option<RoutingEvent> {
    let another = |other: &Assignment| {
        other.offer.country == gone.offer.country && other.offer.assignment_id != gone.offer.assignment_id
    };
    let works = |other: &Assignment| other.is_open() || other.state == AssignmentState::Closed;
    let left = incident.assignments.values().any(|other| another(other) && works(other));
    (!left).then(|| assignment::alert_about(&gone.offer, AlertReason::NobodyAccepted).into())
}

/// To another agency, which is offered what this one was: through the transfer gate again.
pub fn forward(context: &Context<'_>, incident: &Incident, command: &ForwardAssignment) -> Decision {
    let from = own(context, incident, command.assignment_id)?;
    must_await_answer(from)?;
    let unknown = || Rejection::at(RejectionCode::UnknownAgency, "/to");
    let to = context.directory.agency(&command.to, context.now).ok_or_else(unknown)?;
    if to.kind == AgencyKind::Coordinator || incident.is_assigned(&to.id) {
        return Err(Rejection::at(RejectionCode::WrongState, "/to"));
    }
    let not_allowed = || Rejection::at(RejectionCode::TransferNotAllowed, "/to");
    let policy = context.directory.policy(Policy::DEFAULT, context.now).ok_or_else(not_allowed)?;
    let transfer = transfer::gate(incident, policy, &to.country).map_err(|_| not_allowed())?;
    let entitlement = assignment::forwarded(incident, policy, &from.entitlement, to);
    let offer = AssignmentOffered {
        entitlement: entitlement.ok_or_else(not_allowed)?,
        assignment_id: assignment::assignment_id(context.aggregate_id, &to.id, incident.assignments.len()),
        agency: to.id.clone(),
        country: to.country.clone(),
        transfer,
        // Whoever takes it up late still has the time that a duty contact has.
        respond_by: from
            .respond_by
            .max(context.now.plus_minutes(i64::from(policy.acknowledge_within_minutes))),
        forwarded_from: Some(command.assignment_id),
        ..from.offer.clone()
    };
    let ForwardAssignment { assignment_id, to, note } = command.clone();
    let forwarded = AssignmentForwarded { assignment_id, to, note };
    let danger = incident.urgency() == Some(Urgency::ImminentDanger);
    let call = danger.then(|| duty::first_call(context, policy, &offer)).flatten();
    Ok([forwarded.into(), offer.into()].into_iter().chain(call).collect())
}

/// The originator or a coordinator takes an assignment back.
pub fn revoke(context: &Context<'_>, incident: &Incident, command: &RevokeAssignment) -> Decision {
    let originator = incident.opened.as_ref().is_some_and(|opened| opened.reporter == *context.agency);
    let assignment = incident.assignments.get(&command.assignment_id);
    let assignment = assignment.ok_or(RejectionCode::UnknownAssignment)?;
    if !originator && !coordinates(context, incident, assignment) {
        return Err(RejectionCode::UnknownAssignment.into());
    }
    context.must_be_human()?;
    if !assignment.is_open() {
        return Err(RejectionCode::WrongState.into());
    }
    let RevokeAssignment { assignment_id, reason, note } = command.clone();
    let events = [AssignmentRevoked { assignment_id, reason, note }.into()];
    Ok(events.into_iter().chain(nobody_left(incident, assignment)).collect())
}

pub fn close(context: &Context<'_>, incident: &Incident, command: &CloseAssignment) -> Decision {
    let assignment = own(context, incident, command.assignment_id)?;
    if assignment.state != AssignmentState::Accepted {
        return Err(RejectionCode::WrongState.into());
    }
    let CloseAssignment { assignment_id, outcome, note } = command.clone();
    Ok(vec![AssignmentClosed { assignment_id, outcome, note }.into()])
}

/// Whether the caller is a coordinator of the assignment's country.
fn coordinates(context: &Context<'_>, incident: &Incident, assignment: &Assignment) -> bool {
    context.directory.agency(context.agency, context.now).is_some_and(|agency| {
        agency.kind == AgencyKind::Coordinator
            && agency.scope.contains(&assignment.offer.country)
            && !incident.is_never_told(&agency.country)
    })
}

/// The assigned agency or the originator asks a coordinator to look; a coordinator presses for an answer, and in
/// imminent danger has the next duty contact called. The assignment stays with its agency.
pub fn escalate(context: &Context<'_>, incident: &Incident, command: &EscalateAssignment) -> Decision {
    let originator = incident.opened.as_ref().is_some_and(|opened| opened.reporter == *context.agency);
    let assignment = incident.assignments.get(&command.assignment_id);
    let assignment = assignment.ok_or(RejectionCode::UnknownAssignment)?;
    let coordinates = coordinates(context, incident, assignment);
    if !originator && !coordinates && assignment.offer.agency != *context.agency {
        return Err(RejectionCode::NotYourAssignment.into());
    }
    context.must_be_human()?;
    let may_be = if coordinates { assignment.awaits_answer() } else { assignment.is_open() };
    if !may_be {
        return Err(RejectionCode::WrongState.into());
    }
    // That nobody answered is for the clock to say.
    if command.reason == EscalationReason::Unanswered {
        return Err(Rejection::at(RejectionCode::Invalid, "/reason"));
    }
    let EscalateAssignment { assignment_id, reason, note } = command.clone();
    let escalated = AssignmentEscalated { assignment_id, reason, note }.into();
    if coordinates {
        // People are called from their beds in imminent danger alone; else the agency finds it in its inbox.
        return match incident.urgency() {
            Some(Urgency::ImminentDanger) => Ok(vec![escalated, duty::call_again(context, assignment)?]),
            _ if assignment.escalated == Some(reason) => Err(RejectionCode::Unchanged.into()),
            _ => Ok(vec![escalated]),
        };
    }
    assignment::may_alert(incident)?;
    let alert = assignment::alert_about(&assignment.offer, AlertReason::Escalated);
    Ok(vec![escalated, alert.into()])
}

/// Longest hold of what a reporter is told, from the moment it is set.
const MAX_HOLD_DAYS: i64 = 180;

/// What the reporter would be told of the assignment waits; a moment that has passed ends the wait.
pub fn hold_feedback(context: &Context<'_>, incident: &Incident, command: &HoldFeedback) -> Decision {
    let assignment = own(context, incident, command.assignment_id)?;
    let agency = context.directory.agency(context.agency, context.now);
    if agency.is_none_or(|agency| agency.kind != AgencyKind::PoliceUnit) {
        return Err(RejectionCode::NotEntitled.into());
    }
    if !assignment.is_open() && assignment.state != AssignmentState::Closed {
        return Err(RejectionCode::WrongState.into());
    }
    if command.until > context.now.plus_minutes(MAX_HOLD_DAYS * 24 * 60) {
        return Err(Rejection::at(RejectionCode::Invalid, "/until"));
    }
    Ok(vec![FeedbackHeld { assignment_id: command.assignment_id, until: command.until }.into()])
}

/// An agency's own assignment, acted on by a person of it.
fn own<'a>(
    context: &Context<'_>,
    incident: &'a Incident,
    id: AssignmentId,
) -> Result<&'a Assignment, Rejection> {
    let assignment = incident.assignments.get(&id).ok_or(RejectionCode::UnknownAssignment)?;
    if assignment.offer.agency != *context.agency {
        return Err(RejectionCode::NotYourAssignment.into());
    }
    context.must_be_human()?;
    Ok(assignment)
}

fn must_await_answer(assignment: &Assignment) -> Result<(), Rejection> {
    if assignment.awaits_answer() { Ok(()) } else { Err(RejectionCode::WrongState.into()) }
}
