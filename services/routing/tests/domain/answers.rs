//! What an agency does with its assignment, in every state that the assignment can stand in.

use schemas::codes::*;
use schemas::ids::{AgencyId, AssignmentId};
use schemas::routing::{
    AcceptAssignment, AssignmentAccepted, AssignmentClosed, AssignmentDeclined, AssignmentForwarded,
    AssignmentOffered, AssignmentRevoked, CloseAssignment, DeclineAssignment, ForwardAssignment,
    RevokeAssignment, RoutingCommand, RoutingEvent, Transfer,
};

use crate::world::*;

const PERSONS: [&str; 3] = ["victim", "suspect", "somebody"];

fn own() -> AssignmentId {
    assignment("de-police", 0)
}

fn accept() -> RoutingCommand {
    AcceptAssignment { assignment_id: own() }.into()
}

fn decline() -> RoutingCommand {
    DeclineAssignment { assignment_id: own(), reason: DeclineReason::NoCapacity }.into()
}

fn forward_to(id: &str) -> RoutingCommand {
    ForwardAssignment { assignment_id: own(), to: AgencyId::try_new(id).unwrap() }.into()
}

fn revoke() -> RoutingCommand {
    RevokeAssignment { assignment_id: own(), reason: RevokeReason::FalsePositive }.into()
}

fn close() -> RoutingCommand {
    CloseAssignment { assignment_id: own(), outcome: CloseOutcome::InvestigationOpened }.into()
}

/// The offer of the German police unit, and that of the French one.
fn opened() -> Step {
    referred(referral(vec![suspect_in("DE"), suspect_in("FR")]))
}

fn offer() -> AssignmentOffered {
    police_offer("de-police", "DE", vec![suspect_ground("DE")], &PERSONS)
}

fn forwarded_offer(id: &str, to: &str, transfer: Transfer) -> RoutingEvent {
    AssignmentOffered {
        assignment_id: assignment(id, 2),
        agency: agency(id),
        country: country(to),
        transfer,
        forwarded_from: Some(own()),
        ..offer()
    }
    .into()
}

/// What a command yields where the state allows it.
fn yields(command: &RoutingCommand) -> Vec<RoutingEvent> {
    let assignment_id = own();
    match command {
        RoutingCommand::AcceptAssignment(_) => vec![AssignmentAccepted { assignment_id }.into()],
        RoutingCommand::DeclineAssignment(command) => {
            vec![AssignmentDeclined { assignment_id, reason: command.reason }.into()]
        }
        RoutingCommand::ForwardAssignment(command) => vec![
            AssignmentForwarded { assignment_id, to: command.to.clone() }.into(),
            forwarded_offer("de-central", "DE", within_the_union()),
        ],
        RoutingCommand::RevokeAssignment(command) => {
            vec![AssignmentRevoked { assignment_id, reason: command.reason }.into()]
        }
        RoutingCommand::CloseAssignment(command) => {
            vec![AssignmentClosed { assignment_id, outcome: command.outcome }.into()]
        }
        other => panic!("{other:?} is no answer"),
    }
}

#[test]
fn each_state_allows_its_commands() {
    let acts = |command| asks("de-police", command);
    let originator = |command| asks("nl-hotline", command);
    let overdue = || rings(own(), offer().respond_by);
    let commands = [
        acts(accept()),
        acts(decline()),
        acts(forward_to("de-central")),
        originator(revoke()),
        acts(close()),
    ];
    // In the order of the commands: accept, decline, forward, revoke, close.
    let table: [(AssignmentState, Vec<Step>, [bool; 5]); 8] = [
        (AssignmentState::Offered, vec![], [true, true, true, true, false]),
        (AssignmentState::Overdue, vec![overdue()], [true, true, true, true, false]),
        (AssignmentState::Accepted, vec![acts(accept())], [false, false, false, true, true]),
        (AssignmentState::Accepted, vec![overdue(), acts(accept())], [false, false, false, true, true]),
        (AssignmentState::Declined, vec![acts(decline())], [false; 5]),
        (AssignmentState::Forwarded, vec![acts(forward_to("nl-police"))], [false; 5]),
        (AssignmentState::Revoked, vec![originator(revoke())], [false; 5]),
        (AssignmentState::Closed, vec![acts(accept()), acts(close())], [false; 5]),
    ];
    for (state, steps, allowed) in table {
        let given = [vec![opened()], steps].concat();
        let mut history = History::new();
        given.iter().for_each(|step| assert!(history.take(step).is_ok(), "{step:?}"));
        assert_eq!(history.state.assignments[&own()].state, state);
        for (when, allowed) in commands.iter().zip(allowed) {
            let Asked::Command(command) = &when.asked else { panic!("a command") };
            let then = if allowed { Ok(yields(command)) } else { refuses(RejectionCode::WrongState) };
            check(&format!("{command:?} while {state}"), &given, when, &then);
        }
    }
}

#[test]
fn only_a_person_of_the_agency_answers() {
    let given = [opened(), asks("fr-police", AcceptAssignment { assignment_id: assignment("fr-police", 0) })];
    let accepted = [opened(), asks("de-police", accept())];
    for command in [accept(), decline(), forward_to("de-central"), close()] {
        let given = if command == close() { &accepted } else { &given };
        let case = format!("{command:?}");
        let step = |by| asks(by, command.clone());
        let machine = step("de-police").by_machine();
        let service = Step { actor: ActorKind::Service, ..step("de-police") };
        check(&case, given, &machine, &refuses(RejectionCode::NeedsAPerson));
        check(&case, given, &service, &refuses(RejectionCode::NeedsAPerson));
        for by in ["fr-police", "de-central", "nl-hotline", "un-coordinator", "no-agency"] {
            check(&case, given, &step(by), &refuses(RejectionCode::NotYourAssignment));
        }
    }
    let assignment_id = assignment("br-police", 0);
    let unknown: [RoutingCommand; 4] = [
        AcceptAssignment { assignment_id }.into(),
        DeclineAssignment { assignment_id, reason: DeclineReason::Duplicate }.into(),
        ForwardAssignment { assignment_id, to: agency("de-central") }.into(),
        CloseAssignment { assignment_id, outcome: CloseOutcome::Transferred }.into(),
    ];
    for command in unknown {
        let when = asks("br-police", command);
        check("no such assignment", &given, &when, &refuses(RejectionCode::UnknownAssignment));
    }
}

#[test]
fn the_originator_or_a_coordinator_takes_back() {
    let given = [opened()];
    let revoked = || Ok(yields(&revoke()));
    let out_of_scope = entry("agency/un-coordinator", |entry| {
        entry.agency.as_mut().unwrap().scope = countries(&["BR", "FR"]);
    });
    check("the originator", &given, &asks("nl-hotline", revoke()), &revoked());
    check("the coordinator", &given, &asks("un-coordinator", revoke()), &revoked());
    // Whoever may not take it back is not told that it exists.
    let hidden = refuses(RejectionCode::UnknownAssignment);
    for by in ["de-police", "fr-police", "us-provider", "no-agency"] {
        check(by, &given, &asks(by, revoke()), &hidden);
    }
    check("out of scope", &[opened(), stands(out_of_scope)], &asks("un-coordinator", revoke()), &hidden);
    let unknown =
        RevokeAssignment { assignment_id: assignment("br-police", 0), reason: RevokeReason::Superseded };
    check("no such assignment", &given, &asks("nl-hotline", unknown), &hidden);
    for by in ["nl-hotline", "un-coordinator"] {
        let machine = asks(by, revoke()).by_machine();
        check("a machine", &given, &machine, &refuses(RejectionCode::NeedsAPerson));
    }
}

#[test]
fn forwarding_goes_through_the_gate() {
    let given = [opened()];
    let forwards = |to| asks("de-police", forward_to(to));
    let forwarded =
        |to: &str| RoutingEvent::from(AssignmentForwarded { assignment_id: own(), to: agency(to) });
    check(
        "to another country, by that country's rule, from the originator's",
        &given,
        &forwards("br-police"),
        &Ok(vec![forwarded("br-police"), forwarded_offer("br-police", "BR", with_safeguards())]),
    );
    let refused = [
        ("no-agency", RejectionCode::UnknownAgency),
        ("un-coordinator", RejectionCode::WrongState),
        ("de-police", RejectionCode::WrongState),
        ("fr-police", RejectionCode::WrongState),
    ];
    for (to, code) in refused {
        check(to, &given, &forwards(to), &refuses_at(code, "/to"));
    }
    let not_allowed = refuses_at(RejectionCode::TransferNotAllowed, "/to");
    let per_case = [
        referred(per_case(referral(vec![suspect_in("DE")]))),
        asks("nl-hotline", schemas::routing::AuthoriseTransfers { countries: countries(&["DE"]) }),
    ];
    check("to a country not authorised", &per_case, &forwards("fr-police"), &not_allowed);
    let ruleless = entry("policy/default", |entry| entry.policy.as_mut().unwrap().transfers.clear());
    check("without a rule", &[opened(), stands(ruleless)], &forwards("br-police"), &not_allowed);
    let back = ForwardAssignment { assignment_id: assignment("de-central", 2), to: agency("de-police") };
    check(
        "back to whoever forwarded it",
        &[opened(), forwards("de-central")],
        &asks("de-central", back),
        &refuses_at(RejectionCode::WrongState, "/to"),
    );
}
