//! Who sees what of the routing: a party the frame, whoever only reported it what feedback tells, a coordinator its
//! countries, a provider nothing.

use routing::http::{AssignmentView, RoutingView};
use schemas::Timestamp;
use schemas::codes::*;
use schemas::directory::Agency;
use schemas::ids::{AgencyId, AssignmentId, Country};
use schemas::referral::Referral;
use schemas::routing::{
    AcceptAssignment, AcceptLead, AcknowledgeRetraction, AddAssessment, AddCaseNumber, Assessment,
    CloseAssignment, DeclineAssignment, EscalateAssignment, ForwardAssignment, HoldFeedback, RecordLead,
    RetractAssessment, RevokeAssignment,
};

use crate::world::*;

/// Germany was offered it, and France; Brazil is never told, Japan has no agency. The German assessment was
/// taken back, which France has acknowledged; all three have case numbers.
fn history(reporter: Referral) -> History {
    let signals = vec![victim_in("DE"), suspect_in("FR"), suspect_in("BR"), suspect_in("JP")];
    let mut referral = Referral { signals, ..reporter };
    referral.handling.never_told = countries(&["BR"]);
    let by = referral.reporter.to_string();
    let assessment = Assessment {
        kind: AssessmentKind::Adult,
        value: None,
        reason: AssessmentReason::ExpertOpinion,
        person_ref: Some(person("victim")),
    };
    let reason = DeclineReason::NoCapacity;
    let assignment_id = assignment("fr-police", 0);
    let retract = RetractAssessment { assessment_id: assessment_id(0), reason: RetractionReason::Duplicate };
    after(&[
        referred(referral),
        asks("de-police", AcceptAssignment { assignment_id: assignment("de-police", 0) }),
        asks("fr-police", DeclineAssignment { assignment_id, reason, note: None }),
        asks("de-police", AddAssessment { assessment, note: None }),
        asks("de-police", retract),
        asks("fr-police", AcknowledgeRetraction { retraction_id: retraction_id(0) }),
        asks("de-police", AddCaseNumber { number: case_number("1") }),
        asks("fr-police", AddCaseNumber { number: case_number("2") }),
        asks(&by, AddCaseNumber { number: case_number("3") }),
    ])
}

fn of_hotline() -> History {
    history(referral(Vec::new()))
}

fn of_provider() -> History {
    let (reporter, reporter_country) = (agency("us-provider"), country("US"));
    history(Referral { reporter, reporter_country, ..referral(Vec::new()) })
}

fn member(id: &str) -> Agency {
    entry(&format!("agency/{id}"), |_| {}).agency.unwrap()
}

fn coordinator(scope: &[&str]) -> Agency {
    Agency { scope: countries(scope), ..member("un-coordinator") }
}

fn seen(history: &History, by: &Agency) -> Option<RoutingView> {
    seen_at(history, by, monday())
}

fn seen_at(history: &History, by: &Agency, now: Timestamp) -> Option<RoutingView> {
    RoutingView::of(INCIDENT.parse().unwrap(), &history.state, by, now)
}

/// The countries and the agencies that each list of the view names.
#[derive(Debug, PartialEq)]
struct Named {
    countries: Vec<Country>,
    assignments: Vec<AgencyId>,
    withheld: Vec<Country>,
    alerts: Vec<Option<Country>>,
    recipients: Vec<AgencyId>,
    acknowledged: Vec<AgencyId>,
    case_numbers: Vec<AgencyId>,
}

fn named(view: &RoutingView) -> Named {
    let mut assignments: Vec<AgencyId> = view.assignments.iter().map(|one| one.agency.clone()).collect();
    assignments.sort();
    Named {
        countries: view.countries.iter().map(|found| found.country.clone()).collect(),
        assignments,
        withheld: view.withheld.iter().map(|withheld| withheld.country.clone()).collect(),
        alerts: view.alerts.iter().map(|alert| alert.country.clone()).collect(),
        recipients: view.retractions.iter().flat_map(|one| one.recipients.clone()).collect(),
        acknowledged: view.retractions.iter().flat_map(|one| one.acknowledged.clone()).collect(),
        case_numbers: view.case_numbers.clone(),
    }
}

fn names(ids: &[&str]) -> Vec<AgencyId> {
    ids.iter().map(|id| agency(id)).collect()
}

#[test]
fn a_coordinator_sees_its_countries() {
    let history = of_hotline();
    let germany = Named {
        countries: countries(&["DE"]),
        assignments: names(&["de-police"]),
        withheld: Vec::new(),
        alerts: Vec::new(),
        recipients: Vec::new(),
        acknowledged: Vec::new(),
        case_numbers: names(&["de-police"]),
    };
    let france = Named {
        countries: countries(&["FR"]),
        assignments: names(&["fr-police"]),
        withheld: Vec::new(),
        // Nobody there has it any more.
        alerts: vec![Some(country("FR"))],
        recipients: names(&["fr-police"]),
        acknowledged: names(&["fr-police"]),
        case_numbers: names(&["fr-police"]),
    };
    let untold = Named {
        countries: countries(&["BR", "JP"]),
        assignments: Vec::new(),
        withheld: countries(&["BR", "JP"]),
        alerts: vec![Some(country("BR")), Some(country("JP"))],
        recipients: Vec::new(),
        acknowledged: Vec::new(),
        case_numbers: Vec::new(),
    };
    // The reporter's own country: the frame, and nothing of the others.
    let reporters = Named {
        countries: Vec::new(),
        withheld: Vec::new(),
        alerts: Vec::new(),
        ..named(&seen(&history, &coordinator(&["BR", "JP"])).unwrap())
    };
    let table: [(&[&str], Named); 4] =
        [(&["DE"], germany), (&["FR"], france), (&["BR", "JP"], untold), (&["NL"], reporters)];
    for (scope, then) in table {
        let view = seen(&history, &coordinator(scope)).unwrap();
        assert_eq!(named(&view), then, "{scope:?}");
        assert_eq!((view.kind, view.urgency), (Some(IncidentKind::Csam), Some(Urgency::Routine)));
        assert_eq!(view.retractions.len(), 1, "that something was taken back concerns every country");
    }
    let elsewhere = seen(&history, &coordinator(&["KE", "US"]));
    assert!(elsewhere.is_none(), "{elsewhere:?}");
}

#[test]
fn a_coordinator_sees_no_person_and_no_referral() {
    let history = of_hotline();
    let all = coordinator(&["BR", "DE", "FR", "JP", "NL"]);
    let view = seen(&history, &all).unwrap();
    assert_eq!(named(&view).assignments, names(&["de-police", "fr-police"]));
    assert_eq!(view.referral_id, None);
    assert!(view.assignments.iter().all(|one| one.entitlement.is_none()));
    let grounds = view.countries.iter().flat_map(|found| &found.grounds);
    let grounds = grounds.chain(view.assignments.iter().flat_map(|one| &one.grounds));
    assert!(grounds.clone().count() > 0);
    assert!(grounds.clone().all(|ground| ground.person_ref.is_none()));
    let opened = history.state.opened.as_ref().unwrap();
    let text = serde_json::to_string(&view).unwrap();
    let hidden = opened.people.iter().map(|person| person.person_ref.to_string());
    let hidden = hidden.chain(opened.facets.iter().map(|facet| facet.facet_id.to_string()));
    for id in hidden.chain([opened.referral_id.to_string()]) {
        assert!(!text.contains(&id), "{id} in {text}");
    }
}

#[test]
fn a_party_sees_the_frame_and_its_own_part_whole() {
    let history = of_hotline();
    let all = names(&["de-police", "fr-police", "nl-hotline"]);
    for by in ["nl-hotline", "de-police", "fr-police"] {
        let view = seen(&history, &member(by)).unwrap();
        let named = named(&view);
        assert_eq!(named.countries, countries(&["BR", "DE", "FR", "JP"]), "{by}");
        assert_eq!(named.assignments, names(&["de-police", "fr-police"]), "{by}");
        assert_eq!(named.recipients, names(&["fr-police", "nl-hotline"]), "{by}");
        assert_eq!((named.acknowledged, named.case_numbers), (names(&["fr-police"]), all.clone()), "{by}");
        assert!(view.referral_id.is_some(), "{by}");
        assert!(view.assessments.iter().all(|one| one.retracted), "{by}");
        // Who was not offered it is for the originator alone.
        assert_eq!(named.withheld.is_empty(), by != "nl-hotline", "{by}");
        assert_eq!(named.alerts.is_empty(), by != "nl-hotline", "{by}");
        for one in &view.assignments {
            let own = one.agency.as_str() == by;
            assert_eq!(one.entitlement.is_some(), own, "{by} of {}", one.agency);
            let persons = one.grounds.iter().any(|ground| ground.person_ref.is_some());
            assert_eq!(persons, own, "{by} of {}", one.agency);
        }
    }
}

#[test]
fn a_provider_sees_nothing_of_its_own_report() {
    let history = of_provider();
    assert!(seen(&history, &member("us-provider")).is_none());
    for by in ["br-police", "nl-hotline", "ke-police"] {
        assert!(seen(&history, &member(by)).is_none(), "{by}");
    }
    assert!(seen(&history, &member("de-police")).is_some());
    assert!(seen(&history, &coordinator(&["DE"])).is_some());
    let nothing = routing::domain::Incident::default();
    let view = RoutingView::of(INCIDENT.parse().unwrap(), &nothing, &coordinator(&["DE"]), monday());
    assert!(view.is_none(), "before the referral");
}

#[test]
fn a_coordinator_that_is_never_told_sees_nothing() {
    let untold = |codes: &[&str]| {
        let mut referral = referral(vec![suspect_in("DE"), suspect_in("FR")]);
        referral.handling.never_told = countries(codes);
        vec![referred(referral)]
    };
    // The coordinator stands in Switzerland.
    let coordinator = member("un-coordinator");
    let sees = |codes: &[&str]| seen(&after(&untold(codes)), &coordinator).is_some();
    assert!(sees(&[]) && sees(&["DE"]) && !sees(&["CH"]));
    let (assignment_id, reason) = (assignment("de-police", 0), RevokeReason::Superseded);
    let revokes = asks("un-coordinator", RevokeAssignment { assignment_id, reason, note: None });
    check("nor revokes", &untold(&["CH"]), &revokes, &refuses(RejectionCode::UnknownAssignment));
    let records = asks("un-coordinator", RecordLead { country: country("DE") });
    check("nor records", &untold(&["CH"]), &records, &refuses(RejectionCode::NotEntitled));
}

#[test]
fn whom_an_assessment_is_about_is_for_parties() {
    let history = of_hotline();
    let about = |by: &Agency| seen(&history, by).unwrap().assessments[0].person_ref;
    for by in ["de-police", "fr-police"] {
        assert_eq!(about(&member(by)), Some(person("victim")), "{by}");
    }
    assert_eq!(about(&coordinator(&["DE"])), None);
}

fn of(id: &str) -> AssignmentId {
    assignment(id, 0)
}

fn accepts(by: &str) -> Step {
    asks(by, AcceptAssignment { assignment_id: of(by) })
}

fn assesses(by: &str, kind: AssessmentKind, value: Option<&str>) -> Step {
    let (value, reason) = (value.map(str::to_owned), AssessmentReason::InvestigationFinding);
    asks(by, AddAssessment { assessment: Assessment { kind, value, reason, person_ref: None }, note: None })
}

/// In imminent danger Germany asks for a coordinator, France works on it and leads.
fn busy(referral: Referral) -> History {
    let (assignment_id, reason) = (of("de-police"), EscalationReason::NoCapacity);
    let reporter = referral.reporter.clone();
    let overdue = rings(of("br-police"), monday().plus_minutes(ACKNOWLEDGES));
    after(&[
        referred(referral),
        asks("de-police", EscalateAssignment { assignment_id, reason, note: None }),
        accepts("fr-police"),
        asks("fr-police", AcceptLead { country: country("FR") }),
        asks("un-coordinator", RecordLead { country: country("FR") }),
        assesses("fr-police", AssessmentKind::Kind, Some("online-solicitation")),
        assesses(reporter.as_str(), AssessmentKind::AiGenerated, None),
        overdue,
    ])
}

fn endangered() -> Referral {
    in_danger(vec![suspect_in("BR"), suspect_in("DE"), suspect_in("FR"), victim_in("FR"), suspect_in("JP")])
}

fn one<'a>(view: &'a RoutingView, id: &str) -> &'a AssignmentView {
    view.assignments.iter().find(|one| one.agency == agency(id)).unwrap()
}

#[test]
fn whoever_only_reported_it_sees_what_feedback_tells() {
    use AssignmentState::*;
    let history = busy(endangered());
    let view = seen(&history, &member("nl-hotline")).unwrap();
    let states = ["br-police", "de-police", "fr-police"].map(|id| one(&view, id).state);
    assert_eq!(states, [Offered, Offered, Accepted]);
    let silent = |one: &AssignmentView| one.calls.is_empty() && one.escalated.is_none();
    assert!(view.assignments.iter().all(silent), "{:?}", view.assignments);
    assert_eq!((&view.lead, &view.lead_proposed), (&None, &None));
    let by: Vec<&AgencyId> = view.assessments.iter().map(|added| &added.by).collect();
    assert_eq!(by, [&agency("nl-hotline")]);
    assert_eq!(view.kind, Some(IncidentKind::Csam), "as it was reported");
    let alerts: Vec<AlertReason> = view.alerts.iter().map(|alert| alert.reason).collect();
    assert_eq!(alerts, [AlertReason::CountryWithoutAgency], "what it can mend");
    // Whoever acts, and whoever watches, sees more.
    for by in [member("de-police"), member("un-coordinator")] {
        let view = seen(&history, &by).unwrap();
        let states = ["br-police", "de-police", "fr-police"].map(|id| one(&view, id).state);
        assert_eq!(states, [Escalated, Escalated, Accepted], "{}", by.id);
        assert!(!one(&view, "de-police").calls.is_empty(), "{}", by.id);
        assert_eq!(one(&view, "de-police").escalated, Some(EscalationReason::NoCapacity), "{}", by.id);
        assert!(view.lead.is_some() && view.lead_proposed.is_some(), "{}", by.id);
        assert_eq!(view.kind, Some(IncidentKind::OnlineSolicitation), "{}", by.id);
    }
}

#[test]
fn whoever_reported_it_and_has_a_part_sees_as_its_parties_do() {
    let (reporter, reporter_country) = (agency("de-police"), country("DE"));
    let history = busy(Referral { reporter, reporter_country, ..endangered() });
    let view = seen(&history, &member("de-police")).unwrap();
    assert_eq!(one(&view, "de-police").state, AssignmentState::Escalated);
    assert!(one(&view, "de-police").entitlement.is_some());
    assert!(!one(&view, "fr-police").calls.is_empty() && view.lead.is_some());
    assert!(!view.withheld.is_empty(), "and what was not offered");
}

#[test]
fn what_is_held_back_stands_as_it_was_offered() {
    let until = monday().plus_minutes(60);
    let assignment_id = of("de-police");
    let holds = |until| asks("de-police", HoldFeedback { assignment_id, until });
    let outcome = CloseOutcome::InvestigationOpened;
    let closes = asks("de-police", CloseAssignment { assignment_id, outcome, note: None });
    let number = asks("de-police", AddCaseNumber { number: case_number("1") });
    let given = [
        referred(referral(vec![suspect_in("DE"), suspect_in("FR")])),
        accepts("de-police"),
        number,
        holds(until),
    ];
    let (hotline, french) = (member("nl-hotline"), member("fr-police"));
    let closed = [given.as_slice(), &[closes]].concat();
    let ended = [given.as_slice(), &[holds(monday())]].concat();
    let later = |minutes| until.plus_minutes(minutes);
    use AssignmentState::*;
    let table = [
        ("before the hold", &given[..3], &hotline, monday(), Accepted),
        ("held", &given[..], &hotline, monday(), Offered),
        ("held, for whoever works on it", &given[..], &french, monday(), Accepted),
        ("held, and closed", &closed[..], &hotline, later(-1), Offered),
        ("the hold has passed", &closed[..], &hotline, until, Closed),
        ("the hold was ended", &ended[..], &hotline, monday(), Accepted),
    ];
    for (case, steps, by, now, then) in table {
        let view = seen_at(&after(steps), by, now).unwrap();
        assert_eq!(one(&view, "de-police").state, then, "{case}");
        let works = view.case_numbers.contains(&agency("de-police"));
        assert_eq!(works, then != Offered, "{case}: a number says that it is worked on");
    }
    let to = agency("de-central");
    let forwards = asks("de-police", ForwardAssignment { assignment_id, to, note: None });
    let history = after(&[given[0].clone(), holds(until), forwards]);
    let from = |by| one(&seen(&history, by).unwrap(), "de-central").forwarded_from;
    assert_eq!((from(&hotline), from(&french)), (None, Some(assignment_id)));
}
