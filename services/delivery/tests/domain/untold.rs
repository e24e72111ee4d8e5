//! A State that is never to be told any more keeps what it was given, and hears of nothing else.

use chassis::decider::{IndexKey, Service as _};
use delivery::Delivery;
use schemas::codes::*;
use schemas::delivery::{AlertDelivered, DeliveryEvent, FacetsDisclosed};
use schemas::routing::{CaseNumberAdded, CoordinatorAlerted, IncidentAmended, IncidentOpened};

use crate::world::*;

fn opened_but_for(codes: &[&str]) -> Step {
    let mut opened: IncidentOpened = opened();
    opened.handling.never_told = codes.iter().map(|code| country(code)).collect();
    hears(opened)
}

fn amended_but_for(amendment: i32, codes: &[&str]) -> Step {
    let mut amended: IncidentAmended = amended(amendment);
    amended.handling.never_told = codes.iter().map(|code| country(code)).collect();
    hears(amended)
}

/// Both police units work on it, and France has added its case number.
fn accepted() -> Vec<Step> {
    let number = added("case number", FacetKind::CaseNumber);
    vec![
        hears(opened()),
        hears(offer("de-police", "DE", entitlement())),
        hears(offer("fr-police", "FR", entitlement())),
        brings("de-police", AssignmentState::Accepted),
        brings("fr-police", AssignmentState::Accepted),
        hears_of("fr-police", 12, CaseNumberAdded { by: agency("fr-police"), number }),
    ]
}

#[test]
fn what_the_originator_says_is_registered() {
    let untold = |steps: &[Step], code| after(steps).state.is_never_told(&country(code));
    let known = [opened_but_for(&["JP"])];
    assert!(untold(&known, "JP") && !untold(&known, "DE"));
    let amended = [hears(opened()), amended_but_for(1, &["DE", "JP"])];
    assert!(untold(&amended, "JP") && untold(&amended, "DE") && !untold(&amended, "FR"));
    assert!(!untold(&[], "DE"), "before there is an incident");
}

#[test]
fn nothing_more_is_opened_to_it() {
    let number = || -> Decision {
        let facet = disclosed_added(added_ref(&added("case number", FacetKind::CaseNumber), 12));
        let disclosed = FacetsDisclosed {
            disclosure_id: disclosure("command"),
            assignment_id: Some(assignment("de-police")),
            request_id: None,
            child_ref: None,
            agency: agency("de-police"),
            recipient_key_id: key("de-police"),
            facets: vec![facet],
            transfer: transfer(),
            with_offer: false,
        };
        Ok(vec![disclosed.into()])
    };
    let earlier = |names: &[&str]| Step { cause: "earlier".to_owned(), ..opens("de-police", names) };
    let untold = || amended_but_for(1, &["DE"]);
    let refused = || refuses(RejectionCode::NotEntitled);
    let table = [
        ("sealed anew", vec![untold()], vec!["victim 1"], refused()),
        ("sealed before", vec![earlier(&["victim"]), untold()], vec!["victim"], refused()),
        ("added, and not disclosed before", vec![untold()], vec!["case number"], refused()),
        ("added and disclosed before", vec![earlier(&[]), untold()], vec!["case number"], number()),
        ("all that there is", vec![earlier(&[]), untold()], vec![], number()),
        ("nothing", vec![untold()], vec![], refused()),
    ];
    for (case, since, asked, then) in table {
        check(case, &[accepted(), since].concat(), &opens("de-police", &asked), &then);
    }
    let france = after(&[accepted(), vec![untold()]].concat()).take(&opens("fr-police", &["victim 1"]));
    assert!(france.is_ok(), "another State goes on: {france:?}");
}

#[test]
fn the_amendment_does_not_come_before_it() {
    let inboxes = |codes: &[&str]| -> Vec<IndexKey> {
        let history = after(&[accepted(), vec![amended_but_for(1, codes)]].concat());
        let entries = Delivery::index(&history.state, history.log.last().unwrap(), &[0; 32]);
        entries.into_iter().filter(|entry| entry.value.is_some()).map(|entry| entry.key).collect()
    };
    let of = |id: &str| IndexKey::Placed(format!("{id}\0").into_bytes());
    let mut both = inboxes(&[]);
    both.sort_by_key(|key| key != &of("de-police"));
    assert_eq!(both, [of("de-police"), of("fr-police")]);
    assert_eq!(inboxes(&["DE"]), [of("fr-police")]);
    assert!(inboxes(&["DE", "FR"]).is_empty());
}

#[test]
fn no_coordinator_that_stands_in_it_is_alerted() {
    let alert = |to: Option<&str>| CoordinatorAlerted {
        reason: AlertReason::OfferWithheld,
        country: to.map(country),
        assignment_id: None,
    };
    let delivered = |ids: &[&str], to: Option<&str>| -> Decision {
        let told = |id: &&str| -> DeliveryEvent {
            let (country, reason) = (to.map(country), AlertReason::OfferWithheld);
            AlertDelivered { agency: agency(id), country, reason, assignment_id: None }.into()
        };
        Ok(ids.iter().map(told).collect())
    };
    // The coordinators stand in the Netherlands and in Switzerland; what they watch is something else.
    let table: [(&[&str], Option<&str>, &[&str]); 6] = [
        (&[], Some("DE"), &["eu-coordinator", "un-coordinator"]),
        (&["DE"], Some("DE"), &["eu-coordinator", "un-coordinator"]),
        (&["NL"], Some("DE"), &["un-coordinator"]),
        (&["NL"], None, &["un-coordinator"]),
        (&["NL"], Some("FR"), &[]),
        (&["CH", "NL"], None, &[]),
    ];
    for (untold, to, ids) in table {
        let case = format!("{to:?}, and never {untold:?}");
        check(&case, &[opened_but_for(untold)], &hears(alert(to)), &delivered(ids, to));
        let amended = [hears(opened()), amended_but_for(1, untold)];
        check(&case, &amended, &hears(alert(to)), &delivered(ids, to));
    }
}
