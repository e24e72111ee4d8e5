//! A coordinator is asked to look: by the clock when nobody answered, or by the agency or the originator.

use routing::Routing;
use schemas::codes::*;
use schemas::ids::AssignmentId;
use schemas::routing::{
    AcceptAssignment, AssignmentEscalated, AssignmentOverdue, CloseAssignment, CoordinatorAlerted,
    DeclineAssignment, EscalateAssignment, ForwardAssignment, RevokeAssignment, RoutingEvent,
};

use chassis::decider::{Decider, Rejection};

use crate::world::*;

fn german() -> AssignmentId {
    assignment("de-police", 0)
}

/// The German police unit is offered it, and the French one.
fn opened() -> Step {
    referred(referral(vec![suspect_in("DE"), suspect_in("FR")]))
}

fn escalates(by: &str, reason: EscalationReason) -> Step {
    asks(by, EscalateAssignment { assignment_id: german(), reason, note: None })
}

fn escalated(reason: EscalationReason) -> RoutingEvent {
    AssignmentEscalated { assignment_id: german(), reason, note: None }.into()
}

fn alerted(reason: AlertReason) -> RoutingEvent {
    CoordinatorAlerted { reason, country: Some(country("DE")), assignment_id: Some(german()) }.into()
}

fn due() -> Step {
    rings(german(), monday().plus_minutes(POLICE_RESPONDS))
}

/// Steps that bring the German assignment into each state that it can rest in.
fn states() -> Vec<(AssignmentState, Vec<Step>)> {
    let assignment_id = german();
    let accepts = || asks("de-police", AcceptAssignment { assignment_id });
    let closes = CloseAssignment { assignment_id, outcome: CloseOutcome::NoFurtherAction, note: None };
    let declines = DeclineAssignment { assignment_id, reason: DeclineReason::NoCapacity, note: None };
    let forwards = ForwardAssignment { assignment_id, to: agency("de-central"), note: None };
    let revokes = RevokeAssignment { assignment_id, reason: RevokeReason::Superseded, note: None };
    vec![
        (AssignmentState::Offered, vec![]),
        (AssignmentState::Escalated, vec![escalates("de-police", EscalationReason::NoCapacity)]),
        (AssignmentState::Escalated, vec![due()]),
        (AssignmentState::Accepted, vec![accepts()]),
        (AssignmentState::Declined, vec![asks("de-police", declines)]),
        (AssignmentState::Forwarded, vec![asks("de-police", forwards)]),
        (AssignmentState::Revoked, vec![asks("nl-hotline", revokes)]),
        (AssignmentState::Closed, vec![accepts(), asks("de-police", closes)]),
    ]
}

#[test]
fn a_coordinator_presses_for_an_answer() {
    use RejectionCode::*;
    let reason = EscalationReason::RiskIncreased;
    let presses = escalates("un-coordinator", reason);
    for (state, steps) in states() {
        let given = [vec![opened()], steps].concat();
        let waits = matches!(state, AssignmentState::Offered | AssignmentState::Escalated);
        let then = if waits { Ok(vec![escalated(reason)]) } else { refuses(WrongState) };
        check(&format!("while {state}"), &given, &presses, &then);
    }
    let pressed = [opened(), presses.clone()];
    check("for the same again", &pressed, &presses, &refuses(Unchanged));
    let otherwise = EscalationReason::NeedsCoordination;
    let again = escalates("un-coordinator", otherwise);
    check("for another reason", &pressed, &again, &Ok(vec![escalated(otherwise)]));
    let unanswered = escalates("un-coordinator", EscalationReason::Unanswered);
    let at_fault = Err(Rejection::at(Invalid, "/reason"));
    check("for what the clock says", &[opened()], &unanswered, &at_fault);
}

#[test]
fn whoever_has_to_do_with_it_asks_while_it_is_open() {
    use AssignmentState::*;
    use RejectionCode::*;
    let reason = EscalationReason::ConflictOfJurisdiction;
    for (state, steps) in states() {
        let given = [vec![opened()], steps].concat();
        assert_eq!(after(&given).state.assignments[&german()].state, state);
        let open = matches!(state, Offered | Escalated | Accepted);
        let yields = Ok(vec![escalated(reason), alerted(AlertReason::Escalated)]);
        let then = if open { yields } else { refuses(WrongState) };
        for by in ["de-police", "nl-hotline"] {
            let when = escalates(by, reason);
            check(&format!("{by} while {state}"), &given, &when, &then);
            let machine = when.by_machine();
            check(&format!("a machine of {by} while {state}"), &given, &machine, &refuses(NeedsAPerson));
        }
        for by in ["fr-police", "us-provider", "no-agency"] {
            let when = escalates(by, reason);
            check(&format!("{by} while {state}"), &given, &when, &refuses(NotYourAssignment));
        }
    }
}

#[test]
fn the_assignment_stays_with_its_agency() {
    let reason = EscalationReason::RiskIncreased;
    for (state, steps) in states().into_iter().take(4) {
        let given = [vec![opened()], steps, vec![escalates("nl-hotline", reason)]].concat();
        let stands = &after(&given).state.assignments[&german()];
        let then = if state == AssignmentState::Accepted { state } else { AssignmentState::Escalated };
        assert_eq!((stands.state, stands.escalated), (then, Some(reason)), "while {state}");
        assert_eq!(stands.offer.agency, agency("de-police"));
    }
}

#[test]
fn the_clock_asks_once_whoever_asked_before() {
    let overdue: RoutingEvent = AssignmentOverdue { assignment_id: german() }.into();
    let unanswered = vec![overdue, escalated(EscalationReason::Unanswered)];
    let with_alert = [unanswered, vec![alerted(AlertReason::Escalated)]].concat();
    let early = escalates("de-police", EscalationReason::NoCapacity);
    let runs = |given: &[Step]| {
        let clocks = Routing::clocks(&after(given).state);
        clocks.iter().any(|clock| clock.name == format!("respond/{}", german()))
    };
    check("nobody did", &[opened()], &due(), &Ok(with_alert.clone()));
    let given = [opened(), early.clone()];
    assert!(runs(&given), "an answer is still due");
    check("the agency did", &given, &due(), &Ok(with_alert));
    let given = [opened(), due()];
    assert!(!runs(&given), "it is due once");
    check("the clock did", &given, &due(), &Ok(Vec::new()));
    check("and then the agency", &[opened(), due(), early], &due(), &Ok(Vec::new()));
}
