//! Who sees what of the routing: a party the frame, a coordinator its countries, a provider nothing.

use routing::http::RoutingView;
use schemas::codes::*;
use schemas::directory::Agency;
use schemas::ids::{AgencyId, Country};
use schemas::referral::Referral;
use schemas::routing::{
    AcceptAssignment, AcknowledgeRetraction, AddAssessment, AddCaseNumber, Assessment, DeclineAssignment,
    RetractAssessment,
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
    RoutingView::of(INCIDENT.parse().unwrap(), &history.state, by)
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
        alerts: Vec::new(),
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
    let view = RoutingView::of(INCIDENT.parse().unwrap(), &nothing, &coordinator(&["DE"]));
    assert!(view.is_none(), "before the referral");
}
