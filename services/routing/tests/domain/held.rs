//! What an agency keeps for itself: feedback to the reporter that waits, and the number of its own case.

use schemas::Timestamp;
use schemas::codes::*;
use schemas::ids::AssignmentId;
use schemas::routing::{
    AcceptAssignment, AddCaseNumber, CaseNumberAdded, CloseAssignment, DeclineAssignment, EscalateAssignment,
    FeedbackHeld, ForwardAssignment, HoldFeedback, ReadRouting, RevokeAssignment,
};

use crate::world::*;

/// The longest hold, in minutes.
const LONGEST: i64 = 180 * 24 * 60;

fn german() -> AssignmentId {
    assignment("de-police", 0)
}

/// The German police unit is offered it, and the French one.
fn opened() -> Step {
    referred(referral(vec![suspect_in("DE"), suspect_in("FR")]))
}

fn holds(by: &str, until: Timestamp) -> Step {
    asks(by, HoldFeedback { assignment_id: german(), until })
}

fn held(until: Timestamp) -> Decision {
    Ok(vec![FeedbackHeld { assignment_id: german(), until }.into()])
}

fn in_a_week() -> Timestamp {
    monday().plus_minutes(7 * 24 * 60)
}

#[test]
fn feedback_is_held_while_there_is_any_to_give() {
    let assignment_id = german();
    let accepts = || asks("de-police", AcceptAssignment { assignment_id });
    let reason = EscalationReason::NeedsCoordination;
    let escalates = EscalateAssignment { assignment_id, reason, note: None };
    let closes = CloseAssignment { assignment_id, outcome: CloseOutcome::NoFurtherAction, note: None };
    let declines = DeclineAssignment { assignment_id, reason: DeclineReason::NoCapacity, note: None };
    let forwards = ForwardAssignment { assignment_id, to: agency("de-central"), note: None };
    let revokes = RevokeAssignment { assignment_id, reason: RevokeReason::Superseded, note: None };
    let table = [
        (AssignmentState::Offered, vec![], true),
        (AssignmentState::Escalated, vec![asks("de-police", escalates)], true),
        (AssignmentState::Accepted, vec![accepts()], true),
        (AssignmentState::Closed, vec![accepts(), asks("de-police", closes)], true),
        (AssignmentState::Declined, vec![asks("de-police", declines)], false),
        (AssignmentState::Forwarded, vec![asks("de-police", forwards)], false),
        (AssignmentState::Revoked, vec![asks("nl-hotline", revokes)], false),
    ];
    for (state, steps, allowed) in table {
        let given = [vec![opened()], steps].concat();
        let then = if allowed { held(in_a_week()) } else { refuses(RejectionCode::WrongState) };
        check(state.code(), &given, &holds("de-police", in_a_week()), &then);
    }
}

#[test]
fn a_hold_has_an_end() {
    let longest = monday().plus_minutes(LONGEST);
    let too_long = refuses_at(RejectionCode::Invalid, "/until");
    let given = [opened()];
    check("the longest", &given, &holds("de-police", longest), &held(longest));
    let longer = longest.plus_millis(1);
    check("longer", &given, &holds("de-police", longer), &too_long);
    check("for ever", &given, &holds("de-police", Timestamp::from_millis(i64::MAX)), &too_long);
    // What has passed ends the hold; what is set anew counts from then.
    for until in [monday(), monday().plus_millis(-1), Timestamp::default()] {
        let given = [opened(), holds("de-police", longest)];
        check("what has passed", &given, &holds("de-police", until), &held(until));
    }
    let given = [opened(), holds("de-police", longest)];
    let later = monday().plus_minutes(60);
    let until = later.plus_minutes(LONGEST);
    check("set anew", &given, &holds("de-police", until).at(later), &held(until));
    check("set anew", &given, &holds("de-police", until).at(monday()), &too_long);
}

#[test]
fn only_a_person_of_the_agency_holds() {
    let given = [opened()];
    let machine = holds("de-police", in_a_week()).by_machine();
    check("a machine", &given, &machine, &refuses(RejectionCode::NeedsAPerson));
    for by in ["fr-police", "nl-hotline", "un-coordinator", "no-agency"] {
        check(by, &given, &holds(by, in_a_week()), &refuses(RejectionCode::NotYourAssignment));
    }
    let unknown = HoldFeedback { assignment_id: assignment("br-police", 0), until: in_a_week() };
    let when = asks("de-police", unknown);
    check("no such assignment", &given, &when, &refuses(RejectionCode::UnknownAssignment));
}

fn adds_number(by: &str, number: &str) -> Step {
    asks(by, AddCaseNumber { number: case_number(number) })
}

fn number_added(by: &str, number: &str) -> Decision {
    Ok(vec![CaseNumberAdded { by: agency(by), number: case_number(number) }.into()])
}

#[test]
fn every_party_adds_its_own_case_number() {
    let given = [opened()];
    for by in ["nl-hotline", "de-police", "fr-police"] {
        check(by, &given, &adds_number(by, "1"), &number_added(by, "1"));
        // An agency's own case system may give it.
        check(by, &given, &adds_number(by, "1").by_machine(), &number_added(by, "1"));
    }
    for by in ["us-provider", "un-coordinator", "br-police", "no-agency"] {
        check(by, &given, &adds_number(by, "1"), &refuses(RejectionCode::NotEntitled));
    }
    let unknown = refuses(RejectionCode::UnknownIncident);
    check("nothing came in yet", &[], &adds_number("de-police", "1"), &unknown);
    let assignment_id = german();
    let declines = DeclineAssignment { assignment_id, reason: DeclineReason::AlreadyKnown, note: None };
    let given = [opened(), asks("de-police", declines)];
    check("after declining", &given, &adds_number("de-police", "1"), &number_added("de-police", "1"));
}

#[test]
fn an_agency_has_twenty_case_numbers_at_most() {
    let numbers: Vec<String> = (1..=20).map(|number| number.to_string()).collect();
    let added = numbers.iter().map(|number| adds_number("de-police", number));
    let given: Vec<Step> = [opened()].into_iter().chain(added).collect();
    check("the twentieth", &given[..20], &adds_number("de-police", "20"), &number_added("de-police", "20"));
    let one_more = adds_number("de-police", "21");
    check("one more", &given, &one_more, &refuses(RejectionCode::TooMany));
    check("another agency's", &given, &adds_number("fr-police", "1"), &number_added("fr-police", "1"));
    let state = after(&given).state;
    assert_eq!(state.case_numbers.get(&agency("de-police")), Some(&20));
}

#[test]
fn asking_for_what_is_not_there_is_refused_and_on_record() {
    let reads = |by| asks(by, ReadRouting { incident_id: INCIDENT.parse().unwrap() });
    for by in ["br-police", "un-coordinator", "us-provider", "no-agency", "de-police"] {
        check(by, &[opened()], &reads(by), &refuses(RejectionCode::NotEntitled));
        check(by, &[opened()], &reads(by).by_machine(), &refuses(RejectionCode::NotEntitled));
    }
    let mut history = after(&[opened()]);
    let before = (history.state.clone(), history.log.len());
    history.take(&reads("br-police")).unwrap_err();
    assert_eq!(history.state, before.0);
    assert_eq!(history.log.len(), before.1 + 1, "the attempt");
    assert_eq!(history.log.last().unwrap().agency, agency("br-police"));
}
