//! What was said is said again, said better, or taken back: each party hears of it, and every attempt is on record.

use std::time::Duration;

use causeway::example::IMMINENT_DANGER;
use client::{Client, OpenedFacet};
use delivery::inbox::{AssignmentEntry, Entry};
use intake::http::{Receipt, Withdraw};
use integration_tests::{Deployment, await_some, calm_referral};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use routing::http::RoutingView;
use schemas::Event;
use schemas::codec::Codec;
use schemas::codes::{AssignmentState, FacetKind, RejectionCode, RetractionReason, RevokeReason};
use schemas::ids::{AgencyId, IncidentId};
use schemas::routing::RoutingEvent;
use serde_json::{Value, json};

/// The example's referral, less urgent, and with only its German child.
fn referral() -> Value {
    let mut value = calm_referral("CORRECT-1");
    value["people"].as_array_mut().unwrap().truncate(1);
    value
}

async fn assignment(client: &Client, incident: IncidentId, state: AssignmentState) -> AssignmentEntry {
    let entry = || async {
        let inbox = client.inbox("?limit=500").await.unwrap();
        inbox.entries.into_iter().find_map(|entry| match entry {
            Entry::Assignment(entry) if entry.incident_id == incident && entry.state == state => Some(*entry),
            _ => None,
        })
    };
    await_some("the assignment in the inbox", entry).await.unwrap()
}

async fn open(deployment: &Deployment, agency: &str, once: &str, at: &AssignmentEntry) -> Vec<OpenedFacet> {
    let (key_id, keys) = deployment.world.keys(agency).unwrap();
    let client = deployment.client("delivery", agency).unwrap();
    client.open(at.incident_id, at.assignment_id, &key_id, &keys, once).await.unwrap()
}

fn names(opened: &[OpenedFacet]) -> Vec<String> {
    let people = opened.iter().filter(|facet| facet.kind == FacetKind::Person);
    people.map(|facet| facet.content["person"]["names"][0].as_str().unwrap_or_default().to_owned()).collect()
}

fn texts(opened: &[OpenedFacet], kind: FacetKind) -> Vec<&str> {
    opened
        .iter()
        .filter(|facet| facet.kind == kind)
        .filter_map(|facet| facet.content["text"].as_str())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_referral_is_amended_answered_in_words_and_withdrawn() {
    let mut deployment = Deployment::start("correct").await.unwrap();
    let hotline = deployment.client("intake", "nl-hotline").unwrap();
    let german = deployment.client("delivery", "de-police").unwrap();
    let french = deployment.client("delivery", "fr-police").unwrap();

    let receipt = hotline.refer(serde_json::to_vec(&referral()).unwrap()).await.unwrap();
    let incident = receipt.incident_id;
    let offered = assignment(&german, incident, AssignmentState::Offered).await;
    german.answer(incident, offered.assignment_id, "accept", &()).await.unwrap();
    let accepted = assignment(&german, incident, AssignmentState::Accepted).await;
    assert_eq!(names(&open(&deployment, "de-police", "first", &accepted).await), ["Synthetic Child One"]);

    // Amended: a second child, in another country, and the first one's name as it should have been.
    let mut more = referral();
    more["people"][0]["names"][0] = "Synthetic Child Eins".into();
    let french_child = serde_json::from_str::<Value>(IMMINENT_DANGER).unwrap()["people"][1].clone();
    more["people"].as_array_mut().unwrap().push(french_child);
    let path = format!("/v1/referrals/{}/amend", receipt.referral_id);
    let amended: Receipt = hotline.command(&path, "amend-1", &more).await.unwrap();
    assert_eq!((amended.referral_id, amended.incident_id), (receipt.referral_id, incident));
    assert_eq!(hotline.command::<Receipt>(&path, "amend-1", &more).await.unwrap(), amended);
    let nobody = json!({ "reference": "CORRECT-1", "kind": "csam" });
    let fewer = hotline.command::<Receipt>(&path, "amend-2", &nobody).await.unwrap_err();
    assert_eq!(fewer.code(), Some("invalid"));
    let of_france = assignment(&french, incident, AssignmentState::Offered).await;
    let opened = open(&deployment, "de-police", "second", &accepted).await;
    assert_eq!(names(&opened), ["Synthetic Child Eins"], "sealed anew, and the old one is superseded");

    // Words travel sealed: what the French unit says when it closes, the German one can read.
    french.answer(incident, of_france.assignment_id, "accept", &()).await.unwrap();
    let number = format!("/v1/incidents/{incident}/case-numbers");
    let _: RoutingView = french.command(&number, "number", &json!({ "number": "FR-2026-17" })).await.unwrap();
    let close = json!({ "outcome": "transferred", "note": "synthetic: the family has moved to Berlin" });
    french.answer(incident, of_france.assignment_id, "close", &close).await.unwrap();
    let told = || async {
        let opened =
            open(&deployment, "de-police", &format!("{:?}", std::time::Instant::now()), &accepted).await;
        let words = texts(&opened, FacetKind::AnswerText) == ["synthetic: the family has moved to Berlin"];
        (words && texts(&opened, FacetKind::CaseNumber) == ["FR-2026-17"]).then_some(())
    };
    await_some("the words of the French unit", told).await.unwrap();

    // Withdrawn: what is open is taken back, and everyone it reached is told and acknowledges.
    let withdraw = format!("/v1/referrals/{}/withdraw", receipt.referral_id);
    let reason = Withdraw { reason: RetractionReason::FalsePositive };
    hotline.command::<Withdraw>(&withdraw, "withdraw", &reason).await.unwrap();
    let late = hotline.command::<Receipt>(&path, "amend-3", &more).await.unwrap_err();
    assert_eq!(late.code(), Some("rejected"));
    assignment(&german, incident, AssignmentState::Revoked).await;
    for client in [&german, &french] {
        let retraction = || async {
            let inbox = client.inbox("?limit=500").await.unwrap();
            inbox.entries.into_iter().find_map(|entry| match entry {
                Entry::Retraction { retraction_id, reason, .. } => Some((retraction_id, reason)),
                _ => None,
            })
        };
        let (retraction, reason) = await_some("the retraction", retraction).await.unwrap();
        assert_eq!(reason, RetractionReason::FalsePositive);
        let path = format!("/v1/incidents/{incident}/retractions/{retraction}/acknowledge");
        let _: RoutingView = client.command(&path, "acknowledge", &()).await.unwrap();
    }
    let view = hotline.routing(incident).await.unwrap();
    assert_eq!((view.amendments, view.withdrawn), (1, Some(RetractionReason::FalsePositive)));
    let ids = |agencies: &[AgencyId]| agencies.iter().map(ToString::to_string).collect::<Vec<_>>();
    let retraction = &view.retractions[0];
    assert_eq!(ids(&retraction.acknowledged), ["de-police", "fr-police"]);
    assert_eq!(
        ids(&retraction.recipients),
        ["de-police", "fr-police", "fr-victim-id", "nl-police", "us-police"],
        "everyone who was ever offered a part"
    );

    // Whoever asks for what does not exist for them is on record, though they are told there is nothing.
    let kenyan = deployment.client("routing", "ke-police").unwrap();
    assert_eq!(kenyan.routing(incident).await.unwrap_err().code(), Some("not-found"));
    assert_eq!(kenyan.referral(receipt.referral_id).await.unwrap_err().code(), Some("not-found"));
    let (events, codec) = (reader(&deployment, "routing.events"), Codec::with_table());
    let bodies = std::cell::RefCell::new(Vec::new());
    let recorded = || async {
        if let Some(Ok(message)) = events.poll(Duration::from_millis(50)) {
            let event: Event<RoutingEvent> =
                codec.decode::<RoutingEvent, _>(message.payload().unwrap()).unwrap();
            bodies.borrow_mut().push((event.agency, event.body));
        }
        let bodies = bodies.borrow();
        let attempt = |(agency, body): &&(AgencyId, RoutingEvent)| match body {
            RoutingEvent::CommandRejected(rejected) => {
                agency.as_str() == "ke-police"
                    && rejected.command == "ReadRouting"
                    && rejected.code == RejectionCode::NotEntitled
            }
            _ => false,
        };
        bodies.iter().find(attempt).map(|_| ())
    };
    await_some("the attempt on record", recorded).await.unwrap();
    let revoked = bodies.borrow().iter().any(|(_, body)| {
        matches!(body, RoutingEvent::AssignmentRevoked(event) if event.reason == RevokeReason::FalsePositive)
    });
    assert!(revoked);
    deployment.stop().await.unwrap();
}

/// Reads a topic of the deployment from its beginning, and only what is committed.
pub fn reader(deployment: &Deployment, topic: &str) -> BaseConsumer {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &deployment.brokers)
        .set("group.id", format!("{}{topic}.reader", deployment.prefix))
        .set("auto.offset.reset", "earliest")
        .set("isolation.level", "read_committed")
        .create()
        .unwrap();
    consumer.subscribe(&[&format!("{}{topic}", deployment.prefix)]).unwrap();
    consumer
}
