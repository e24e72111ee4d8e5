//! What an agency does with its assignment, in every state that the assignment can stand in.

use schemas::codes::*;
use schemas::ids::{AgencyId, AssignmentId};
use schemas::referral::SealedFacet;
use schemas::routing::{
    AcceptAssignment, AddAssessment, Assessment, AssessmentAdded, AssignmentAccepted, AssignmentClosed,
    AssignmentDeclined, AssignmentEscalated, AssignmentForwarded, AssignmentOffered, AssignmentRevoked,
    CloseAssignment, CoordinatorAlerted, DeclineAssignment, EscalateAssignment, FactorFound,
    ForwardAssignment, LeadProposed, RevokeAssignment, RoutingCommand, RoutingEvent, Transfer,
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
    DeclineAssignment { assignment_id: own(), reason: DeclineReason::NoCapacity, note: None }.into()
}

fn forward_to(id: &str) -> RoutingCommand {
    ForwardAssignment { assignment_id: own(), to: AgencyId::try_new(id).unwrap(), note: None }.into()
}

fn revoke() -> RoutingCommand {
    RevokeAssignment { assignment_id: own(), reason: RevokeReason::FalsePositive, note: None }.into()
}

fn close() -> RoutingCommand {
    CloseAssignment { assignment_id: own(), outcome: CloseOutcome::InvestigationOpened, note: None }.into()
}

fn escalate() -> RoutingCommand {
    let reason = EscalationReason::NeedsCoordination;
    EscalateAssignment { assignment_id: own(), reason, note: None }.into()
}

/// The same answer, with something said in one's own words.
fn noted(mut command: RoutingCommand) -> RoutingCommand {
    let slot: &mut Option<SealedFacet> = match &mut command {
        RoutingCommand::DeclineAssignment(command) => &mut command.note,
        RoutingCommand::ForwardAssignment(command) => &mut command.note,
        RoutingCommand::RevokeAssignment(command) => &mut command.note,
        RoutingCommand::CloseAssignment(command) => &mut command.note,
        RoutingCommand::EscalateAssignment(command) => &mut command.note,
        other => panic!("{other:?} has no note"),
    };
    *slot = Some(note());
    command
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

/// The coordinator is told of the German unit's assignment.
fn alerted(reason: AlertReason) -> RoutingEvent {
    CoordinatorAlerted { reason, country: Some(country("DE")), assignment_id: Some(own()) }.into()
}

/// What a command yields where the state allows it; nobody else in Germany was offered anything.
fn yields(command: &RoutingCommand) -> Vec<RoutingEvent> {
    let assignment_id = own();
    match command.clone() {
        RoutingCommand::AcceptAssignment(_) => vec![AssignmentAccepted { assignment_id }.into()],
        RoutingCommand::DeclineAssignment(DeclineAssignment { reason, note, .. }) => {
            vec![
                AssignmentDeclined { assignment_id, reason, note }.into(),
                alerted(AlertReason::NobodyAccepted),
            ]
        }
        RoutingCommand::ForwardAssignment(ForwardAssignment { to, note, .. }) => vec![
            AssignmentForwarded { assignment_id, to, note }.into(),
            forwarded_offer("de-central", "DE", within_the_union()),
        ],
        RoutingCommand::RevokeAssignment(RevokeAssignment { reason, note, .. }) => {
            vec![
                AssignmentRevoked { assignment_id, reason, note }.into(),
                alerted(AlertReason::NobodyAccepted),
            ]
        }
        RoutingCommand::CloseAssignment(CloseAssignment { outcome, note, .. }) => {
            vec![AssignmentClosed { assignment_id, outcome, note }.into()]
        }
        RoutingCommand::EscalateAssignment(EscalateAssignment { reason, note, .. }) => {
            vec![AssignmentEscalated { assignment_id, reason, note }.into(), alerted(AlertReason::Escalated)]
        }
        other => panic!("{other:?} is no answer"),
    }
}

/// The factors once Germany has taken it up.
fn with_delay(mut factors: Vec<FactorFound>) -> Vec<FactorFound> {
    let last = factors.iter().rposition(|found| found.country == country("DE")).unwrap();
    factors.insert(last + 1, FactorFound { factor: LeadFactor::Delay, country: country("DE"), signals: 1 });
    factors
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
        acts(escalate()),
    ];
    // In the order of the commands: accept, decline, forward, revoke, close, escalate.
    let (waiting, working) = ([true, true, true, true, false, true], [false, false, false, true, true, true]);
    let table: [(AssignmentState, Vec<Step>, [bool; 6]); 11] = [
        (AssignmentState::Offered, vec![], waiting),
        (AssignmentState::Escalated, vec![overdue()], waiting),
        (AssignmentState::Escalated, vec![acts(escalate())], waiting),
        (AssignmentState::Escalated, vec![acts(escalate()), overdue()], waiting),
        (AssignmentState::Accepted, vec![acts(accept())], working),
        (AssignmentState::Accepted, vec![overdue(), acts(accept())], working),
        (AssignmentState::Accepted, vec![acts(accept()), acts(escalate())], working),
        (AssignmentState::Declined, vec![acts(decline())], [false; 6]),
        (AssignmentState::Forwarded, vec![acts(forward_to("nl-police"))], [false; 6]),
        (AssignmentState::Revoked, vec![originator(revoke())], [false; 6]),
        (AssignmentState::Closed, vec![acts(accept()), acts(close())], [false; 6]),
    ];
    for (state, steps, allowed) in table {
        let given = [vec![opened()], steps].concat();
        assert_eq!(after(&given).state.assignments[&own()].state, state);
        for (when, allowed) in commands.iter().zip(allowed) {
            let Asked::Command(command) = &when.asked else { panic!("a command") };
            let mut yielded = yields(command);
            if matches!(command, RoutingCommand::AcceptAssignment(_)) {
                let lead = after(&given).state.lead.proposed;
                yielded.extend(
                    lead.map(|lead| LeadProposed { factors: with_delay(lead.factors), ..lead }.into()),
                );
            }
            let then = if allowed { Ok(yielded) } else { refuses(RejectionCode::WrongState) };
            check(&format!("{command:?} while {state}"), &given, when, &then);
        }
    }
}

#[test]
fn what_is_said_in_ones_own_words_goes_with_the_answer() {
    let accepted = [opened(), asks("de-police", accept())];
    let table = [
        (&accepted[..1], "de-police", decline()),
        (&accepted[..1], "de-police", forward_to("de-central")),
        (&accepted[..1], "nl-hotline", revoke()),
        (&accepted, "de-police", close()),
        (&accepted, "de-police", escalate()),
    ];
    for (given, by, command) in table {
        let command = noted(command);
        let then = yields(&command);
        assert_eq!(then[0].sealed_facet(), Some(&note()), "{command:?}");
        check("with a note", given, &asks(by, command), &Ok(then));
    }
    let assessment = Assessment {
        kind: AssessmentKind::Adult,
        value: None,
        reason: AssessmentReason::ExpertOpinion,
        person_ref: None,
    };
    let adds = AddAssessment { assessment: assessment.clone(), note: Some(note()) };
    let added = AssessmentAdded {
        assessment_id: assessment_id(0),
        by: agency("de-police"),
        assessment,
        note: Some(note()),
    };
    check("an assessment", &accepted, &asks("de-police", adds), &Ok(vec![added.into()]));
}

#[test]
fn only_a_person_of_the_agency_answers() {
    let given = [opened(), asks("fr-police", AcceptAssignment { assignment_id: assignment("fr-police", 0) })];
    let accepted = [opened(), asks("de-police", accept())];
    for command in [accept(), decline(), forward_to("de-central"), close(), escalate()] {
        let given = if command == close() { &accepted } else { &given };
        let case = format!("{command:?}");
        let step = |by| asks(by, command.clone());
        let machine = step("de-police").by_machine();
        let service = Step { actor: ActorKind::Service, ..step("de-police") };
        check(&case, given, &machine, &refuses(RejectionCode::NeedsAPerson));
        check(&case, given, &service, &refuses(RejectionCode::NeedsAPerson));
        let others = ["fr-police", "de-central", "un-coordinator", "no-agency", "nl-hotline"];
        // The originator may ask for a coordinator's look, too, and a coordinator have the next contact called.
        let may = |by: &&str| command == escalate() && ["un-coordinator", "nl-hotline"].contains(by);
        for by in others.into_iter().filter(|by| !may(by)) {
            let hidden = refuses(RejectionCode::NotYourAssignment);
            check(&case, given, &step(by), &hidden);
            check(&case, given, &step(by).by_machine(), &hidden);
        }
    }
    let assignment_id = assignment("br-police", 0);
    let reason = EscalationReason::RiskIncreased;
    let unknown: [RoutingCommand; 5] = [
        AcceptAssignment { assignment_id }.into(),
        DeclineAssignment { assignment_id, reason: DeclineReason::Duplicate, note: None }.into(),
        ForwardAssignment { assignment_id, to: agency("de-central"), note: None }.into(),
        CloseAssignment { assignment_id, outcome: CloseOutcome::Transferred, note: None }.into(),
        EscalateAssignment { assignment_id, reason, note: None }.into(),
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
    let (assignment_id, reason) = (assignment("br-police", 0), RevokeReason::Superseded);
    let unknown = RevokeAssignment { assignment_id, reason, note: None };
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
    let forwarded = |to: &str| {
        RoutingEvent::from(AssignmentForwarded { assignment_id: own(), to: agency(to), note: None })
    };
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
    let (assignment_id, to) = (assignment("de-central", 2), agency("de-police"));
    let back = ForwardAssignment { assignment_id, to, note: None };
    check(
        "back to whoever forwarded it",
        &[opened(), forwards("de-central")],
        &asks("de-central", back),
        &refuses_at(RejectionCode::WrongState, "/to"),
    );
}

/// The offers of two French units, each with who answers it.
fn french() -> [(&'static str, AssignmentId); 2] {
    ["fr-police", "fr-victim-id"].map(|id| (id, assignment(id, 0)))
}

#[test]
fn a_coordinator_is_told_where_nobody_is_left() {
    let opened = || referred(referral(vec![victim_in("FR"), suspect_in("DE")]));
    let [(police, of_police), (unit, of_unit)] = french();
    let (no_capacity, superseded) = (DeclineReason::NoCapacity, RevokeReason::Superseded);
    let declined = |assignment_id| AssignmentDeclined { assignment_id, reason: no_capacity, note: None };
    let revoked = |assignment_id| AssignmentRevoked { assignment_id, reason: superseded, note: None };
    let declines =
        |by, assignment_id| asks(by, DeclineAssignment { assignment_id, reason: no_capacity, note: None });
    let revokes = |assignment_id| {
        asks("nl-hotline", RevokeAssignment { assignment_id, reason: superseded, note: None })
    };
    let accepts = || asks(police, AcceptAssignment { assignment_id: of_police });
    let outcome = CloseOutcome::InvestigationOpened;
    let closes = asks(police, CloseAssignment { assignment_id: of_police, outcome, note: None });
    let to = agency("nl-police");
    let forwards = asks(police, ForwardAssignment { assignment_id: of_police, to, note: None });
    let told = |assignment_id| -> RoutingEvent {
        let (reason, country) = (AlertReason::NobodyAccepted, Some(country("FR")));
        CoordinatorAlerted { reason, country, assignment_id: Some(assignment_id) }.into()
    };
    // What happened before, and whether anybody in France is left when the second unit is gone.
    let table = [
        ("the first has not answered", vec![], true),
        ("the first has accepted", vec![accepts()], true),
        ("the first has worked on it", vec![accepts(), closes], true),
        ("the first has declined", vec![declines(police, of_police)], false),
        ("the first was taken back", vec![revokes(of_police)], false),
        ("the first was taken back from whoever worked", vec![accepts(), revokes(of_police)], false),
        ("the first has forwarded it to another country", vec![forwards], false),
    ];
    for (case, steps, left) in table {
        let given = [vec![opened()], steps].concat();
        let alert = || (!left).then(|| told(of_unit));
        let then = [declined(of_unit).into()].into_iter().chain(alert()).collect();
        check(case, &given, &declines(unit, of_unit), &Ok(then));
        let then = [revoked(of_unit).into()].into_iter().chain(alert()).collect();
        check(case, &given, &revokes(of_unit), &Ok(then));
    }
}
