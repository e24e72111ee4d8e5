//! The referral is withdrawn: what is open is taken back, everyone it reached is told, and nothing follows.

use schemas::codes::*;
use schemas::ids::{AgencyId, AssignmentId};
use schemas::routing::{
    AcceptAssignment, AcceptLead, AcknowledgeRetraction, AddAssessment, AddCaseNumber, Assessment,
    AssignmentRevoked, AuthoriseTransfers, CloseAssignment, DeclineAssignment, DisputeLead,
    EscalateAssignment, ForwardAssignment, HoldFeedback, IncidentWithdrawn, RetractAssessment,
    RetractionAcknowledged, RetractionIssued, RevokeAssignment, RoutingCommand, RoutingEvent,
};

use crate::world::*;

const WHY: RetractionReason = RetractionReason::SentInError;

fn of(id: &str) -> AssignmentId {
    assignment(id, 0)
}

fn accepts(id: &str) -> Step {
    asks(id, AcceptAssignment { assignment_id: of(id) })
}

fn closes(id: &str) -> Step {
    let outcome = CloseOutcome::SuspectIdentified;
    asks(id, CloseAssignment { assignment_id: of(id), outcome, note: None })
}

fn declines(id: &str) -> Step {
    let reason = DeclineReason::NoOffenceHere;
    asks(id, DeclineAssignment { assignment_id: of(id), reason, note: None })
}

/// Three police units are offered it: the Brazilian, the German and the French one.
fn opened() -> Step {
    referred(referral(vec![suspect_in("BR"), suspect_in("DE"), suspect_in("FR")]))
}

/// Withdrawn: these assignments are revoked, and these agencies are told.
fn yields(why: RetractionReason, revoked: &[&str], reason: RevokeReason, told: &[&str]) -> Decision {
    let mut ids: Vec<AssignmentId> = revoked.iter().map(|id| of(id)).collect();
    ids.sort();
    let revoke = |assignment_id| RoutingEvent::from(AssignmentRevoked { assignment_id, reason, note: None });
    let recipients: Vec<AgencyId> = told.iter().map(|id| agency(id)).collect();
    let issued = RetractionIssued {
        retraction_id: retraction_id(0),
        assessment_id: None,
        reason: why,
        recipients: recipients.clone(),
    };
    let issued = (!recipients.is_empty()).then(|| issued.into());
    let withdrawn = RoutingEvent::from(IncidentWithdrawn { reason: why });
    Ok([withdrawn].into_iter().chain(ids.into_iter().map(revoke)).chain(issued).collect())
}

#[test]
fn what_is_open_is_taken_back_and_everyone_is_told() {
    let all = ["br-police", "de-police", "fr-police"];
    let reporter = RevokeReason::WithdrawnByReporter;
    let reason = EscalationReason::NoCapacity;
    let escalates =
        asks("de-police", EscalateAssignment { assignment_id: of("de-police"), reason, note: None });
    let forward = ForwardAssignment { assignment_id: of("de-police"), to: agency("de-central"), note: None };
    let forwards = asks("de-police", forward);
    let table = [
        ("nobody has answered", vec![], vec!["br-police", "de-police", "fr-police"]),
        ("accepted", vec![accepts("de-police")], vec!["br-police", "de-police", "fr-police"]),
        ("escalated", vec![escalates], vec!["br-police", "de-police", "fr-police"]),
        ("declined", vec![declines("de-police")], vec!["br-police", "fr-police"]),
        ("closed", vec![accepts("br-police"), closes("br-police")], vec!["de-police", "fr-police"]),
        (
            "nothing is open",
            vec![declines("br-police"), declines("de-police"), accepts("fr-police"), closes("fr-police")],
            vec![],
        ),
    ];
    for (case, steps, revoked) in table {
        let given = [vec![opened()], steps].concat();
        check(case, &given, &withdrawn(WHY), &yields(WHY, &revoked, reporter, &all));
    }
    let mut then = yields(WHY, &["br-police", "fr-police"], reporter, &[]).unwrap();
    let third = assignment("de-central", 3);
    then.push(AssignmentRevoked { assignment_id: third, reason: reporter, note: None }.into());
    then[1..].sort_by_key(|event| match event {
        RoutingEvent::AssignmentRevoked(revoked) => revoked.assignment_id,
        other => panic!("{other:?}"),
    });
    let recipients = ["br-police", "de-central", "de-police", "fr-police"].map(agency).to_vec();
    let (retraction_id, assessment_id) = (retraction_id(0), None);
    then.push(RetractionIssued { retraction_id, assessment_id, reason: WHY, recipients }.into());
    check("forwarded: both are told", &[opened(), forwards], &withdrawn(WHY), &Ok(then));
    check(
        "nobody was ever offered it",
        &[referred(referral(Vec::new()))],
        &withdrawn(WHY),
        &yields(WHY, &[], reporter, &[]),
    );
}

#[test]
fn the_reason_goes_with_it() {
    let table = [
        (RetractionReason::FalsePositive, RevokeReason::FalsePositive),
        (RetractionReason::LegalObjection, RevokeReason::LegalObjection),
        (RetractionReason::Duplicate, RevokeReason::WithdrawnByReporter),
        (RetractionReason::SentInError, RevokeReason::WithdrawnByReporter),
        (RetractionReason::AssessedAnew, RevokeReason::WithdrawnByReporter),
    ];
    let given = [referred(referral(vec![suspect_in("DE")]))];
    for (why, reason) in table {
        check(why.code(), &given, &withdrawn(why), &yields(why, &["de-police"], reason, &["de-police"]));
    }
}

#[test]
fn it_is_withdrawn_once() {
    let given = [opened(), withdrawn(WHY)];
    check("again", &given, &withdrawn(WHY), &Ok(Vec::new()));
    check("for another reason", &given, &withdrawn(RetractionReason::FalsePositive), &Ok(Vec::new()));
    check("before there is an incident", &[], &withdrawn(WHY), &Ok(Vec::new()));
}

fn false_positive() -> Assessment {
    Assessment {
        kind: AssessmentKind::FalsePositive,
        value: None,
        reason: AssessmentReason::ViewedMaterial,
        person_ref: None,
    }
}

/// Germany has accepted and France closed its part; then the referral was withdrawn.
fn ended() -> Vec<Step> {
    vec![opened(), accepts("de-police"), accepts("fr-police"), closes("fr-police"), withdrawn(WHY)]
}

#[test]
fn nothing_more_is_done_with_it() {
    let (german, french) = (of("de-police"), of("fr-police"));
    let reason = EscalationReason::RiskIncreased;
    let decline =
        |assignment_id| DeclineAssignment { assignment_id, reason: DeclineReason::NoCapacity, note: None };
    let close = CloseAssignment { assignment_id: german, outcome: CloseOutcome::NoFurtherAction, note: None };
    let revoke = RevokeAssignment { assignment_id: german, reason: RevokeReason::Superseded, note: None };
    let to = agency("de-central");
    let wrong: [(&str, RoutingCommand); 8] = [
        ("br-police", AcceptAssignment { assignment_id: of("br-police") }.into()),
        ("de-police", decline(german).into()),
        ("de-police", ForwardAssignment { assignment_id: german, to, note: None }.into()),
        ("de-police", close.into()),
        ("de-police", EscalateAssignment { assignment_id: german, reason, note: None }.into()),
        ("nl-hotline", EscalateAssignment { assignment_id: french, reason, note: None }.into()),
        ("nl-hotline", revoke.clone().into()),
        ("un-coordinator", revoke.into()),
    ];
    for (by, command) in wrong {
        let case = format!("{by}: {command:?}");
        check(&case, &ended(), &asks(by, command), &refuses(RejectionCode::WrongState));
    }
    let assess = || AddAssessment { assessment: false_positive(), note: None };
    for by in ["nl-hotline", "de-police", "fr-police"] {
        check(by, &ended(), &asks(by, assess()), &refuses(RejectionCode::Withdrawn));
    }
    let authorise = AuthoriseTransfers { countries: countries(&["US"]) };
    let when = asks("nl-hotline", authorise);
    check("authorise", &ended(), &when, &refuses(RejectionCode::Withdrawn));
    let lead: [RoutingCommand; 2] = [
        AcceptLead { country: country("DE") }.into(),
        DisputeLead { country: country("DE"), proposes: country("FR") }.into(),
    ];
    for command in lead {
        let case = format!("{command:?}");
        check(&case, &ended(), &asks("de-police", command), &refuses(RejectionCode::NotEntitled));
    }
    let due = rings(of("br-police"), monday().plus_minutes(POLICE_RESPONDS));
    check("a clock", &ended(), &due, &Ok(Vec::new()));
}

#[test]
fn whoever_has_no_part_in_it_is_not_told_that_it_ended() {
    use RejectionCode::*;
    let german = of("de-police");
    let not_entitled: [RoutingCommand; 5] = [
        AddAssessment { assessment: false_positive(), note: None }.into(),
        AuthoriseTransfers { countries: countries(&["US"]) }.into(),
        AddCaseNumber { number: case_number("1") }.into(),
        AcceptLead { country: country("DE") }.into(),
        schemas::routing::ReadRouting { incident_id: INCIDENT.parse().unwrap() }.into(),
    ];
    let reason = EscalationReason::RiskIncreased;
    let until = monday().plus_minutes(60);
    let not_yours: [RoutingCommand; 3] = [
        AcceptAssignment { assignment_id: german }.into(),
        EscalateAssignment { assignment_id: german, reason, note: None }.into(),
        HoldFeedback { assignment_id: german, until }.into(),
    ];
    let revoke = RevokeAssignment { assignment_id: german, reason: RevokeReason::Superseded, note: None };
    let retract = RetractAssessment { assessment_id: assessment_id(0), reason: WHY };
    let acknowledge = AcknowledgeRetraction { retraction_id: retraction_id(0) };
    let unknown = AcceptAssignment { assignment_id: assignment("us-police", 0) };
    let others: [(RoutingCommand, RejectionCode); 4] = [
        (revoke.into(), UnknownAssignment),
        (retract.into(), UnknownAssessment),
        (acknowledge.into(), UnknownRetraction),
        (unknown.into(), UnknownAssignment),
    ];
    let table = not_entitled.into_iter().map(|command| (command, NotEntitled));
    let table = table.chain(not_yours.into_iter().map(|command| (command, NotYourAssignment)));
    for (command, code) in table.chain(others) {
        for by in ["us-police", "us-provider", "no-agency"] {
            check(&format!("{by}: {command:?}"), &ended(), &asks(by, command.clone()), &refuses(code));
        }
    }
}

#[test]
fn each_agency_that_it_reached_acknowledges() {
    let retraction_id = retraction_id(0);
    let acknowledges = |by| asks(by, AcknowledgeRetraction { retraction_id });
    let mut given = ended();
    for by in ["br-police", "de-police", "fr-police"] {
        let acknowledged = RetractionAcknowledged { retraction_id, by: agency(by) };
        check(by, &given, &acknowledges(by), &Ok(vec![acknowledged.into()]));
        given.push(acknowledges(by));
    }
    let unknown = refuses(RejectionCode::UnknownRetraction);
    check("the reporter, who withdrew it", &given, &acknowledges("nl-hotline"), &unknown);
}
