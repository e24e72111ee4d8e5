//! Who is shown how much of an incident's trail.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::collections::BTreeMap;

use audit::domain::audience::{Shown, Told};
use audit::domain::trail;
use schemas::Event;
use schemas::directory::Agency;
use schemas::envelope::EventBody;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const REFERRAL: &str = include_str!("../../../schemas/tests/golden/referral.events.v1.json");
const ID: &str = "0191f0a2-7b1c-8f00-9d7e-000000000004";

fn agency(id: &str, kind: &str, country: &str, scope: &[&str]) -> Agency {
    let agency = json!({ "id": id, "name": id, "country": country, "kind": kind, "scope": scope,
        "issuer": "https://id.example", "subject": id });
    serde_json::from_value(agency).unwrap()
}

/// The golden event with another body, that answers a command of somebody, or another service's event.
fn event<B: EventBody + DeserializeOwned>(by: &str, commanded: bool, body: Option<Value>) -> Event<B> {
    let mut event: Value = serde_json::from_str(REFERRAL).unwrap();
    event["agency"] = by.into();
    event["input"]["topic"] = if commanded { "some.commands" } else { "some.events" }.into();
    if let Some(body) = body {
        event["body"] = body;
    }
    serde_json::from_value(event).unwrap()
}

/// A referral of a hotline or a provider: offered to German police, which accepts and is told; French police has asked
/// for what it does not know; Kenya is never told.
fn incident(reporter: &str) -> Vec<(String, i64, Told)> {
    let handling = json!({ "tlp": "TLP:AMBER", "codes": [], "purpose": "criminal-investigation", "retain_until": null,
        "never_told": ["KE"], "transfers": "standing" });
    let opened = json!({ "IncidentOpened": { "referral_id": ID, "reporter": reporter, "reporter_country": "NL",
        "kind": "csam", "urgency": "routine", "danger_reason": null, "week": null, "annotations": [],
        "people": [], "facets": [], "signals": [], "handling": handling, "items": [] } });
    let found = json!({ "JurisdictionsFound": { "rules_version": 1,
        "countries": [{ "country": "DE", "grounds": [] }, { "country": "KE", "grounds": [] }] } });
    let accepted = json!({ "AssignmentAccepted": { "assignment_id": ID } });
    let closed = json!({ "AssignmentOverdue": { "assignment_id": ID } });
    let changed =
        json!({ "ItemChanged": { "assignment_id": ID, "agency": "de-police", "state": "accepted" } });
    let rejected = json!({ "CommandRejected": { "command_id": ID, "command": "ReadRouting",
        "code": "not-entitled", "pointer": null } });
    let (referral, routing, delivery) =
        ("referral.events".to_owned(), "routing.events".to_owned(), "delivery.events".to_owned());
    vec![
        (referral, 1, Told::Referral(event(reporter, true, None))),
        (routing.clone(), 1, Told::Routing(event(reporter, false, Some(opened)))),
        (routing.clone(), 2, Told::Routing(event(reporter, false, Some(found)))),
        (routing.clone(), 3, Told::Routing(event("de-police", true, Some(accepted)))),
        (routing.clone(), 4, Told::Routing(event("fr-police", true, Some(rejected)))),
        (routing, 5, Told::Routing(event("causeway", true, Some(closed)))),
        (delivery, 1, Told::Delivery(event("un-coordinator", false, Some(changed)))),
    ]
}

fn seen<'a>(reader: &Agency, events: &'a [(String, i64, Told)]) -> Option<BTreeMap<(&'a str, i64), Shown>> {
    trail::shown(reader, events)
}

#[test]
fn a_party_is_shown_what_it_did_and_was_told_up_to_the_last_of_it() {
    let events = incident("nl-hotline");
    let police = seen(&agency("de-police", "police-unit", "DE", &[]), &events).unwrap();
    let expected = [
        // Who changed it is not for the one that is told.
        (("delivery.events", 1), Shown::Body),
        (("routing.events", 1), Shown::Frame),
        (("routing.events", 2), Shown::Frame),
        (("routing.events", 3), Shown::Record),
    ];
    assert_eq!(police, expected.into());
    let hotline = seen(&agency("nl-hotline", "hotline", "NL", &[]), &events).unwrap();
    assert_eq!(hotline, [(("referral.events", 1), Shown::Record)].into());
}

#[test]
fn a_refusal_tells_nobody_that_there_is_an_incident() {
    let events = incident("nl-hotline");
    assert_eq!(seen(&agency("fr-police", "police-unit", "FR", &[]), &events), None);
    assert_eq!(seen(&agency("br-police", "police-unit", "BR", &[]), &events), None);
    // With what else tells it of the incident, it is shown its own refusal too.
    let mut told = events.clone();
    let changed =
        json!({ "ItemChanged": { "assignment_id": ID, "agency": "fr-police", "state": "offered" } });
    told.push(("delivery.events".to_owned(), 2, Told::Delivery(event("causeway", false, Some(changed)))));
    let police = seen(&agency("fr-police", "police-unit", "FR", &[]), &told).unwrap();
    assert_eq!(police.get(&("routing.events", 4)), Some(&Shown::Record));
    assert_eq!(police.get(&("routing.events", 5)), None, "what came later is not for it");
}

#[test]
fn a_provider_sees_that_its_referral_is_there_and_nothing_of_where_it_went() {
    let mut events = incident("us-provider");
    let erased = json!({ "ErasureDelivered": { "agency": "us-provider", "erasure_id": ID,
        "reason": "sent-in-error", "restricted": false, "facets": [] } });
    events.push(("delivery.events".to_owned(), 2, Told::Delivery(event("causeway", false, Some(erased)))));
    let provider = seen(&agency("us-provider", "provider", "US", &[]), &events).unwrap();
    assert_eq!(provider, [(("referral.events", 1), Shown::Frame)].into());
}

#[test]
fn a_coordinator_is_shown_every_frame_within_its_countries_and_nothing_elsewhere() {
    let events = incident("nl-hotline");
    for (scope, shown) in [(vec!["DE"], true), (vec!["NL"], true), (vec!["FR"], false), (vec![], false)] {
        let coordinator = agency("un-coordinator", "coordinator", "CH", &scope);
        let frames = seen(&coordinator, &events);
        assert_eq!(frames.is_some(), shown, "{scope:?}");
        let frames = frames.unwrap_or_default();
        assert!(frames.values().all(|shown| *shown == Shown::Frame), "{frames:?}");
        assert_eq!(frames.len(), if shown { events.len() } else { 0 });
    }
    // One that stands itself in a State that is never told has no such incident.
    assert_eq!(seen(&agency("ke-coordinator", "coordinator", "KE", &["DE", "KE"]), &events), None);
}
