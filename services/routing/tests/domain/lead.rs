//! The lead: proposed by factors, accepted or disputed by those who act, recorded by a coordinator.

use schemas::codes::*;
use schemas::routing::{
    AcceptAssignment, AcceptLead, AssignmentAccepted, CloseAssignment, CoordinatorAlerted, DisputeLead,
    FactorFound, LeadAccepted, LeadDisputed, LeadProposed, LeadRecorded, RecordLead, RoutingEvent,
};

use crate::world::*;

fn accepts(by: &str, to: &str) -> Step {
    asks(by, AcceptLead { country: country(to) })
}

fn disputes(by: &str, to: &str, proposes: &str) -> Step {
    asks(by, DisputeLead { country: country(to), proposes: country(proposes) })
}

fn records(by: &str, to: &str) -> Step {
    asks(by, RecordLead { country: country(to) })
}

/// France is proposed; both police units have accepted their assignments.
fn proposed() -> Vec<Step> {
    let accepted = |id| asks(id, AcceptAssignment { assignment_id: assignment(id, 0) });
    vec![
        referred(referral(vec![victim_in("DE"), suspect_in("FR")])),
        accepted("de-police"),
        accepted("fr-police"),
    ]
}

fn after(steps: &[Step]) -> Vec<Step> {
    [proposed(), steps.to_vec()].concat()
}

fn told() -> CoordinatorAlerted {
    let (reason, country) = (AlertReason::LeadDisputed, Some(country("FR")));
    CoordinatorAlerted { reason, country, assignment_id: None }
}

/// The agency holds Germany to be better placed than France.
fn disputed(by: &str) -> Decision {
    let disputed = LeadDisputed { by: agency(by), country: country("FR"), proposes: country("DE") };
    Ok(vec![disputed.into(), told().into()])
}

#[test]
fn a_dispute_changes_a_position() {
    let dispute = |by| disputes(by, "FR", "DE");
    let given = after(&[dispute("de-police")]);
    let same = refuses_at(RejectionCode::WrongState, "/proposes");
    check("said already", &given, &dispute("de-police"), &same);
    check("by another", &given, &dispute("fr-police"), &disputed("fr-police"));
    let turned = after(&[dispute("de-police"), accepts("de-police", "FR")]);
    check("after another word", &turned, &dispute("de-police"), &disputed("de-police"));
}

#[test]
fn an_alert_too_many_is_refused() {
    let mut history = crate::world::after(&proposed());
    while history.state.alerts.len() < 199 {
        routing::domain::evolve(&mut history.state, &told().into());
    }
    assert_eq!(history.take(&disputes("de-police", "FR", "DE")), disputed("de-police"), "the last one");
    assert_eq!(history.take(&disputes("fr-police", "FR", "DE")), refuses(RejectionCode::TooMany));
    assert!(history.take(&accepts("fr-police", "FR")).is_ok(), "who agrees tells nobody");
}

#[test]
fn whoever_accepted_an_assignment_takes_a_position() {
    let accepted = |by: &str| LeadAccepted { by: agency(by), country: country("FR") };
    for by in ["de-police", "fr-police"] {
        check(by, &proposed(), &accepts(by, "FR"), &Ok(vec![accepted(by).into()]));
        let machine = accepts(by, "FR").by_machine();
        check(by, &proposed(), &machine, &refuses(RejectionCode::NeedsAPerson));
    }
    check("disputed", &proposed(), &disputes("de-police", "FR", "DE"), &disputed("de-police"));
    let not_proposed = refuses_at(RejectionCode::Invalid, "/country");
    check("not proposed", &proposed(), &accepts("de-police", "DE"), &not_proposed);
    check("not proposed", &proposed(), &disputes("de-police", "DE", "FR"), &not_proposed);
    let no_part = refuses_at(RejectionCode::Invalid, "/proposes");
    check("a State that has no part in it", &proposed(), &disputes("de-police", "FR", "BR"), &no_part);
    let alone = [
        referred(referral(vec![suspect_in("DE")])),
        asks("de-police", AcceptAssignment { assignment_id: assignment("de-police", 0) }),
    ];
    check("one State alone: nothing was proposed", &alone, &accepts("de-police", "DE"), &not_proposed);
}

#[test]
fn nobody_else_takes_a_position() {
    let refused = refuses(RejectionCode::NotEntitled);
    for by in ["nl-hotline", "un-coordinator", "br-police", "no-agency"] {
        check(by, &proposed(), &accepts(by, "FR"), &refused);
        check(by, &proposed(), &disputes(by, "FR", "DE"), &refused);
    }
    let offered = &proposed()[..1];
    check("offered, not accepted", offered, &accepts("de-police", "FR"), &refused);
    check("offered, not accepted", offered, &disputes("de-police", "FR", "DE"), &refused);
}

#[test]
fn a_coordinator_records_what_all_agree_on() {
    let recorded =
        |to: &str| Ok(vec![LeadRecorded { by: agency("un-coordinator"), country: country(to) }.into()]);
    let record = |to| records("un-coordinator", to);
    let wrong = refuses_at(RejectionCode::WrongState, "/country");
    let agreed = after(&[accepts("de-police", "FR"), accepts("fr-police", "FR")]);
    let split = after(&[disputes("de-police", "FR", "DE"), accepts("fr-police", "FR")]);
    let turned = after(&[disputes("de-police", "FR", "DE"), disputes("fr-police", "FR", "DE")]);
    check("nobody has a position", &proposed(), &record("FR"), &wrong);
    check("agreed", &agreed, &record("FR"), &recorded("FR"));
    check("agreed on another", &agreed, &record("DE"), &wrong);
    check("split", &split, &record("FR"), &wrong);
    check("split", &split, &record("DE"), &wrong);
    check("agreed against the proposal", &turned, &record("DE"), &recorded("DE"));
    let settled = [split, vec![accepts("de-police", "FR")]].concat();
    check("a position changed", &settled, &record("FR"), &recorded("FR"));
    let one = after(&[accepts("de-police", "FR")]);
    check("one of the two that work on it", &one, &record("FR"), &wrong);
    let (assignment_id, outcome) = (assignment("fr-police", 0), CloseOutcome::Transferred);
    let closes = asks("fr-police", CloseAssignment { assignment_id, outcome, note: None });
    check("the other works on it no more", &[one, vec![closes]].concat(), &record("FR"), &recorded("FR"));
    for by in ["de-police", "nl-hotline", "no-agency"] {
        check(by, &agreed, &records(by, "FR"), &refuses(RejectionCode::NotEntitled));
    }
    let machine = record("FR").by_machine();
    check("a machine", &agreed, &machine, &refuses(RejectionCode::NeedsAPerson));
    let out_of_scope = entry("agency/un-coordinator", |entry| {
        entry.agency.as_mut().unwrap().scope = countries(&["BR"]);
    });
    let given = [agreed, vec![stands(out_of_scope)]].concat();
    check("out of scope", &given, &record("FR"), &refuses(RejectionCode::NotEntitled));
}

#[test]
fn where_it_is_taken_up_first_costs_the_least_delay() {
    let referred = referred(referral(vec![victim_in("DE"), suspect_in("FR")]));
    let takes_up = |id| asks(id, AcceptAssignment { assignment_id: assignment(id, 0) });
    let factor = |(factor, to): (LeadFactor, &str)| FactorFound { factor, country: country(to), signals: 1 };
    let known = [
        (LeadFactor::MajorityOfCriminality, "FR"),
        (LeadFactor::SuspectLocation, "FR"),
        (LeadFactor::VictimInterests, "DE"),
    ];
    let accepted = |id, delays: &[&str]| {
        let delays = delays.iter().map(|to| (LeadFactor::Delay, *to));
        let mut factors: Vec<FactorFound> = known.into_iter().chain(delays).map(factor).collect();
        factors.sort_by_key(|found| (found.country.clone(), found.factor));
        let accepted = AssignmentAccepted { assignment_id: assignment(id, 0) }.into();
        let proposed: RoutingEvent = LeadProposed { country: country("FR"), factors }.into();
        Ok(vec![accepted, proposed])
    };
    let given = [referred.clone()];
    check("in Germany", &given, &takes_up("de-police"), &accepted("de-police", &["DE"]));
    let given = [referred.clone(), takes_up("de-police")];
    check("in France too", &given, &takes_up("fr-police"), &accepted("fr-police", &["DE", "FR"]));
    // Once somebody has taken a position, people decide.
    let given = [referred, takes_up("de-police"), accepts("de-police", "FR")];
    let alone = vec![AssignmentAccepted { assignment_id: assignment("fr-police", 0) }.into()];
    check("decided on by people", &given, &takes_up("fr-police"), &Ok(alone));
}
