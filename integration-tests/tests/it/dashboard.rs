//! What a coordinator sees of all incidents, while they go on.

use std::pin::pin;
use std::time::Duration;

use client::Client;
use dashboard::domain::Overview;
use dashboard::domain::overview::{Concern, Stage};
use delivery::inbox::{AssignmentEntry, Entry};
use futures::StreamExt;
use integration_tests::{Deployment, await_some, calm_referral};
use schemas::codes::SignalRole;
use schemas::ids::{Country, IncidentId};
use serde_json::{Value, json};

/// Many times what a change takes to be shown.
const SHOWN: Duration = Duration::from_secs(30);

async fn offered(client: &Client, incident: IncidentId) -> AssignmentEntry {
    let entry = || async {
        client.inbox("?limit=500").await.ok()?.entries.into_iter().find_map(|entry| match entry {
            Entry::Assignment(entry) if entry.incident_id == incident => Some(*entry),
            _ => None,
        })
    };
    await_some("the offer", entry).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_sees_what_goes_on_and_what_needs_a_person() {
    let mut deployment = Deployment::start("dashboard").await.unwrap();
    let coordinator = deployment.client("dashboard", "un-coordinator").unwrap();
    let police = deployment.client("dashboard", "de-police").unwrap();
    let refused = police.get::<Overview>("/v1/overview").await.unwrap_err();
    assert_eq!(refused.code(), Some("forbidden"), "{refused:?}");

    let mut shown = pin!(coordinator.overviews().await.unwrap());
    // Until the page shows what is expected of it.
    macro_rules! until {
        ($what:literal, $holds:expr) => {{
            let holds: &dyn Fn(&Overview) -> bool = &$holds;
            let seen = async {
                loop {
                    let overview: Overview = shown.next().await.expect("it goes on").unwrap();
                    if holds(&overview) {
                        break overview;
                    }
                }
            };
            tokio::time::timeout(SHOWN, seen).await.expect($what)
        }};
    }
    until!("nothing at first", |overview| *overview == Overview::default());

    let hotline = deployment.client("intake", "nl-hotline").unwrap();
    let referral = serde_json::to_vec(&calm_referral("DASHBOARD-1")).unwrap();
    let incident = hotline.refer(referral).await.unwrap().incident_id;
    let overview = until!("the offers", |overview| overview.stages.get(&Stage::Offered) == Some(&1));
    assert_eq!(overview.incidents, 1);
    let from_to = |code: &str, role| {
        let (from, to) = (Country::try_new("NL").unwrap(), Country::try_new(code).unwrap());
        overview.flows.iter().any(|flow| flow.from == from && flow.to == to && flow.role == role)
    };
    assert!(from_to("DE", SignalRole::Victim), "{overview:?}");

    let german = deployment.client("delivery", "de-police").unwrap();
    let offer = offered(&german, incident).await;
    german.answer(incident, offer.assignment_id, "accept", &()).await.unwrap();
    until!("that somebody is at work", |overview| overview.stages.get(&Stage::AtWork) == Some(&1));

    // The others do not answer in time, and the Germans open nothing.
    let late = json!({ "now": offer.respond_by.plus_minutes(60).to_string() });
    let _: Value = coordinator.put("/development/clock", &late).await.unwrap();
    let overview = until!("who is late", |overview| {
        let is_there = |concern| overview.needs.iter().any(|need| need.concern == concern);
        is_there(Concern::Unanswered) && is_there(Concern::Unopened)
    });
    let with = |concern| {
        let needs = overview.needs.iter().filter(move |need| need.concern == concern);
        needs.filter_map(|need| need.agency.as_ref().map(ToString::to_string)).collect::<Vec<_>>()
    };
    assert_eq!(with(Concern::Unopened), ["de-police"]);
    assert!(with(Concern::Unanswered).contains(&"fr-police".to_owned()), "{overview:?}");

    let text = coordinator.text("/v1/overview").await.unwrap();
    assert!(!text.contains("Synthetic"), "no name of a child: {text}");
    deployment.stop().await.unwrap();
}
