//! Who is shown how much of an incident's trail.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::collections::BTreeMap;

use audit::domain::audience::{Shown, Told};
use audit::domain::readers::{Readers, Span};
use audit::domain::trail;
use schemas::delivery::DeliveryEvent;
use schemas::directory::view::Directory;
use schemas::directory::{Agency, Entry, EntryChanged};
use schemas::envelope::EventBody;
use schemas::ids::AgencyId;
use schemas::{Event, Timestamp};
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

/// An event of delivery at a moment.
fn delivered(at: i64, by: &str, body: Value) -> Told {
    let mut event: Event<DeliveryEvent> = event(by, true, Some(body));
    event.time = Timestamp::from_millis(at);
    Told::Delivery(event)
}

fn changed(at: i64, state: &str) -> Told {
    let body = json!({ "ItemChanged": { "assignment_id": ID, "agency": "de-police", "state": state } });
    delivered(at, "de-police", body)
}

fn span(from: i64, until: Option<i64>) -> Span {
    Span { from: Timestamp::from_millis(from), until: until.map(Timestamp::from_millis) }
}

/// German police from the beginning, with a second key from 30 on; a coordinator that watches Germany until 60.
fn history() -> Directory {
    let mut directory = Directory::default();
    let police = |keys: &[&str]| {
        let keys = keys.iter().map(|key| json!({ "key_id": key, "public_key": "synthetic" }));
        let mut entry = serde_json::to_value(agency("de-police", "police-unit", "DE", &[])).unwrap();
        entry["keys"] = keys.collect();
        serde_json::from_value::<Agency>(entry).unwrap()
    };
    let coordinator = |scope: &str| agency("un-coordinator", "coordinator", "CH", &[scope]);
    let versions = [
        (0, police(&["first"])),
        (0, coordinator("DE")),
        (30, police(&["first", "second"])),
        (60, coordinator("FR")),
    ];
    for (acts_from, agency) in versions {
        let entry = Entry { agency: Some(agency), ..Entry::default() };
        let acts_from = Timestamp::from_millis(acts_from);
        directory.evolve(&EntryChanged { entry, acts_from }.into(), acts_from);
    }
    directory
}

#[test]
fn who_could_see_what_and_when_follows_from_what_was_offered_taken_and_closed() {
    let transfer =
        json!({ "basis": "domestic", "rule": null, "article": "synthetic", "authorisation": "standing" });
    let entitlement =
        json!({ "facet_kinds": ["person", "narrative"], "persons": [ID], "opens_with_offer": false });
    let registered = json!({ "IncidentRegistered": { "referral_id": ID, "reporter": "nl-hotline", "kind": "csam",
        "urgency": "routine", "danger_reason": null, "week": null, "people": [], "facets": [],
        "retain_until": null } });
    let offered = json!({ "ItemDelivered": { "assignment_id": ID, "agency": "de-police", "country": "DE", "bases": [],
        "entitlement": entitlement, "transfer": transfer, "respond_by": "2026-11-16T08:00:00Z" } });
    let facet = json!({ "facet_id": ID, "kind": "narrative", "person_ref": null, "person_category": null,
        "key_set_id": ID, "at": { "topic": "referral.events", "partition": 0, "offset": 0 }, "transfer": null });
    let disclosed = json!({ "FacetsDisclosed": { "disclosure_id": ID, "assignment_id": ID, "request_id": null,
        "child_ref": null, "agency": "de-police", "recipient_key_id": "second", "facets": [facet],
        "transfer": transfer, "with_offer": false } });
    let reported =
        json!({ "AccessReported": { "disclosure_id": ID, "agency": "de-police", "facets": [ID] } });
    let mut events: Vec<Told> = incident("nl-hotline").into_iter().map(|(_, _, told)| told).collect();
    for told in &mut events {
        if let Told::Routing(event) = told {
            event.time = Timestamp::from_millis(10);
        }
    }
    events.retain(|told| !matches!(told, Told::Delivery(_)));
    events.extend([
        delivered(10, "nl-hotline", registered),
        delivered(20, "causeway", offered),
        changed(25, "overdue"),
        changed(40, "accepted"),
        delivered(45, "de-police", disclosed),
        delivered(46, "de-police", reported),
        changed(50, "closed"),
        delivered(70, "de-police", json!({ "TrailRead": { "agency": "de-police", "size": 9 } })),
    ]);
    let readers = Readers::of(&history(), &events);
    let told: Vec<_> = readers.readers.iter().map(|reader| (reader.agency.as_str(), reader.told)).collect();
    // A State that is never told has nobody who could; the coordinator could until it watched another country.
    assert_eq!(
        told,
        [
            ("nl-hotline", span(10, None)),
            ("un-coordinator", span(10, Some(60))),
            ("de-police", span(20, None))
        ]
    );
    let own = readers.only(&AgencyId::try_new("de-police").unwrap());
    let [police] = &own.readers[..] else { panic!("one way in: {own:?}") };
    let [open] = &police.may_open[..] else { panic!("opened once: {police:?}") };
    assert_eq!((open.span, open.persons), (span(40, Some(50)), 1), "once accepted, until closed");
    let [opened] = &police.opened[..] else { panic!("looked once: {police:?}") };
    assert_eq!(
        (opened.recipient_key_id.as_str(), opened.facets.len(), opened.reported.len()),
        ("second", 1, 1)
    );
    let keys: Vec<_> = own.standings.iter().map(|standing| (standing.span, standing.keys.len())).collect();
    assert_eq!(keys, [(span(0, Some(30)), 1), (span(30, None), 2)]);
    assert_eq!((own.trails.len(), own.closed.len()), (1, 0));
}
