//! The straight line: a referral goes in, each country's police gets its part and can open it.

use std::collections::{BTreeMap, BTreeSet};

use causeway::example::IMMINENT_DANGER;
use chassis::http::CommandStatus;
use client::{Client, ClientError};
use delivery::inbox::{AssignmentEntry, Entry};
use futures::StreamExt;
use integration_tests::{Deployment, await_some};
use rdkafka::message::Message;
use schemas::codes::{AssignmentState, FacetKind, FeedbackStage};
use schemas::ids::{CommandId, IncidentId};
use serde_json::json;

use crate::corrections::reader;

/// The example's referral under another reference, and less urgent: nothing opens with the offer.
fn referral(reference: &str) -> Vec<u8> {
    let mut value: serde_json::Value = serde_json::from_str(IMMINENT_DANGER).unwrap();
    value["reference"] = reference.into();
    value["urgency"] = "priority".into();
    value.as_object_mut().unwrap().shift_remove("danger_reason");
    serde_json::to_vec(&value).unwrap()
}

pub async fn assignment(client: &Client, incident: IncidentId) -> AssignmentEntry {
    let entry = || async {
        let inbox = client.inbox("?limit=500").await.unwrap();
        inbox.entries.into_iter().find_map(|entry| match entry {
            Entry::Assignment(entry) if entry.incident_id == incident => Some(*entry),
            _ => None,
        })
    };
    await_some("the assignment in the inbox", entry).await.unwrap()
}

fn code(error: &ClientError) -> &str {
    error.code().unwrap_or("no problem")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_referral_reaches_each_country_and_is_opened_by_role() {
    let mut deployment = Deployment::start("straight").await.unwrap();
    let hotline = deployment.client("intake", "nl-hotline").unwrap();
    let german = deployment.client("delivery", "de-police").unwrap();
    let french = deployment.client("delivery", "fr-police").unwrap();
    let kenyan = deployment.client("delivery", "ke-police").unwrap();

    // The stream is open before anything happens: it must arrive, not be found.
    let stream = german.follow(None).await.unwrap();
    let receipt = hotline.refer(referral("STRAIGHT-1")).await.unwrap();
    let mut stream = std::pin::pin!(stream);
    let (event_id, arrived) = stream.next().await.unwrap().unwrap();
    let Entry::Assignment(arrived) = arrived else { panic!("something else came first: {arrived:?}") };
    assert_eq!(arrived.incident_id, receipt.incident_id);
    assert_eq!(arrived.state, AssignmentState::Offered);
    assert!(!arrived.opens_with_offer);

    // Sent again it is the same referral; other content under the reference is a conflict.
    assert_eq!(hotline.refer(referral("STRAIGHT-1")).await.unwrap(), receipt);
    let mut changed: serde_json::Value = serde_json::from_slice(&referral("STRAIGHT-1")).unwrap();
    changed["narrative"] = "something else".into();
    let conflict = hotline.refer(serde_json::to_vec(&changed).unwrap()).await.unwrap_err();
    assert_eq!(code(&conflict), "key-reused");

    // Before it is accepted nothing opens; what is another's does not exist; the State never told has nothing.
    let (key_id, keys) = deployment.world.keys("de-police").unwrap();
    let early =
        german.open(receipt.incident_id, arrived.assignment_id, &key_id, &keys, "early").await.unwrap_err();
    assert_eq!(code(early.downcast_ref().unwrap()), "rejected");
    let other = french.answer(receipt.incident_id, arrived.assignment_id, "accept", &()).await.unwrap_err();
    assert_eq!(code(&other), "not-found");
    assert!(kenyan.inbox("").await.unwrap().entries.is_empty());
    assert_eq!(code(&kenyan.routing(receipt.incident_id).await.unwrap_err()), "not-found");

    // Accepted, each opens its own child and the suspect tied to no other country, and no other child.
    for (client, agency, child) in [(&german, "de-police", "One"), (&french, "fr-police", "Two")] {
        let offered = assignment(client, receipt.incident_id).await;
        client.answer(receipt.incident_id, offered.assignment_id, "accept", &()).await.unwrap();
        let accepted = || async {
            let entry = assignment(client, receipt.incident_id).await;
            (entry.state == AssignmentState::Accepted).then_some(())
        };
        await_some("the acceptance in the inbox", accepted).await.unwrap();
        let (key_id, keys) = deployment.world.keys(agency).unwrap();
        let opened =
            client.open(receipt.incident_id, offered.assignment_id, &key_id, &keys, "first").await.unwrap();
        let names: BTreeSet<String> = opened
            .iter()
            .filter(|facet| facet.kind == FacetKind::Person)
            .map(|facet| facet.content["person"]["names"][0].as_str().unwrap_or_default().to_owned())
            .collect();
        assert_eq!(names, BTreeSet::from([format!("Synthetic Child {child}")]), "{agency}");
        let kinds: BTreeSet<FacetKind> = opened.iter().map(|facet| facet.kind).collect();
        assert!(
            kinds.contains(&FacetKind::Narrative) && kinds.contains(&FacetKind::Report),
            "{agency}: {kinds:?}"
        );
    }

    // The stream goes on behind an event, and the hotline hears of both.
    let mut again = std::pin::pin!(german.follow(Some(&event_id)).await.unwrap());
    let (_, next) = again.next().await.unwrap().unwrap();
    assert!(matches!(next, Entry::Changed { state: AssignmentState::Accepted, .. }), "{next:?}");
    let heard = || async {
        let status = hotline.referral(receipt.referral_id).await.unwrap();
        let accepted = status.feedback.iter().filter(|view| view.feedback.stage == FeedbackStage::Accepted);
        let countries: BTreeSet<String> =
            accepted.filter_map(|view| view.feedback.country.as_ref()).map(ToString::to_string).collect();
        (countries == BTreeSet::from(["DE".to_owned(), "FR".to_owned()])).then_some(())
    };
    await_some("the hotline to hear", heard).await.unwrap();
    deployment.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_are_a_cache_and_a_restart_finds_everything() {
    let mut deployment = Deployment::start("rebuild").await.unwrap();
    let hotline = deployment.client("intake", "nl-hotline").unwrap();
    let receipt = hotline.refer(referral("REBUILD-1")).await.unwrap();
    let german = deployment.client("delivery", "de-police").unwrap();
    let before = assignment(&german, receipt.incident_id).await;
    deployment.stop().await.unwrap();
    std::fs::remove_dir_all(deployment.stores()).unwrap();

    deployment.serve_all().await.unwrap();
    let hotline = deployment.client("intake", "nl-hotline").unwrap();
    let german = deployment.client("delivery", "de-police").unwrap();
    assert_eq!(assignment(&german, receipt.incident_id).await, before);
    assert_eq!(hotline.refer(referral("REBUILD-1")).await.unwrap(), receipt);
    deployment.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_answered_line_by_line_in_order() {
    let mut deployment = Deployment::start("batch").await.unwrap();
    let hotline = deployment.client("intake", "nl-hotline").unwrap();
    let line = |number: usize| match number % 5 {
        3 => json!({ "reference": format!("B-{number}"), "kind": "csam", "image": "x" }).to_string(),
        4 => "{".to_owned(),
        _ => json!({ "reference": format!("B-{}", number / 2), "kind": "csam" }).to_string(),
    };
    let lines: String = (0..200).map(|number| line(number) + "\n").collect();
    let results: Vec<_> = hotline.refer_batch(lines.into()).await.unwrap().collect().await;
    let results: Vec<_> = results.into_iter().map(Result::unwrap).collect();
    assert_eq!(results.iter().map(|result| result.line).collect::<Vec<_>>(), (1..=200).collect::<Vec<_>>());
    for (number, result) in results.iter().enumerate() {
        let expected: &[u16] = match number % 5 {
            3 => &[422],
            4 => &[400],
            _ => &[200, 201],
        };
        assert!(expected.contains(&result.status), "line {number}: {result:?}");
    }
    // However often a reference stood in the batch, at once or not: one incident each.
    let receipts = results.iter().filter_map(|result| result.receipt.as_ref());
    let incidents: BTreeSet<IncidentId> = receipts.map(|receipt| receipt.incident_id).collect();
    let references: BTreeSet<usize> =
        (0..200).filter(|number| number % 5 < 3).map(|number| number / 2).collect();
    assert_eq!(incidents.len(), references.len());

    // The keys of what was sent twice at once are gone again: one key set stays for each referral.
    let keys = reader(&deployment, "sealed-keys");
    let live = std::cell::RefCell::new(BTreeMap::new());
    let alone = || async {
        while let Some(Ok(message)) = keys.poll(std::time::Duration::from_millis(50)) {
            live.borrow_mut().insert(message.key().unwrap().to_vec(), message.payload().is_some());
        }
        (live.borrow().values().filter(|live| **live).count() == incidents.len()).then_some(())
    };
    await_some("the keys of duplicates to go", alone).await.unwrap();
    deployment.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commands_status_is_its_own_agencys_alone() {
    let mut deployment = Deployment::start("status").await.unwrap();
    let hotline = deployment.client("intake", "nl-hotline").unwrap();
    let receipt = hotline.refer(referral("STATUS-1")).await.unwrap();
    let id = receipt.referral_id;
    let command = CommandId::derive(&[b"receive-referral", id.as_uuid().as_bytes()]);
    let path = format!("/v1/intake/commands/{command}");
    let own: CommandStatus = hotline.get(&path).await.unwrap();
    assert_eq!(own.verdict, "done");
    let stranger = deployment.client("intake", "de-police").unwrap();
    let other: CommandStatus = stranger.get(&path).await.unwrap();
    assert_eq!((other.verdict.as_str(), other.position), ("pending", None), "as good as unknown");
    deployment.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_another_topic_is_emptied_and_folded_anew() {
    let mut first = Deployment::start("foreign").await.unwrap();
    let hotline = first.client("intake", "nl-hotline").unwrap();
    for number in 0..20 {
        hotline.refer(referral(&format!("FOREIGN-{number}"))).await.unwrap();
    }
    first.stop().await.unwrap();

    // Another deployment finds stores that stand further on than its own, shorter topics.
    let mut second = Deployment::start("domestic").await.unwrap();
    let hotline = second.client("intake", "nl-hotline").unwrap();
    let receipt = hotline.refer(referral("DOMESTIC-1")).await.unwrap();
    second.stop().await.unwrap();
    std::fs::remove_dir_all(second.stores()).unwrap();
    std::fs::rename(first.stores(), second.stores()).unwrap();

    second.serve_all().await.unwrap();
    let hotline = second.client("intake", "nl-hotline").unwrap();
    assert_eq!(hotline.refer(referral("DOMESTIC-1")).await.unwrap(), receipt);
    let german = second.client("delivery", "de-police").unwrap();
    assert_eq!(assignment(&german, receipt.incident_id).await.incident_id, receipt.incident_id);
    let inbox = german.inbox("?limit=500").await.unwrap();
    let strangers = inbox.entries.iter().filter(|entry| match entry {
        Entry::Assignment(entry) => entry.incident_id != receipt.incident_id,
        _ => false,
    });
    assert_eq!(strangers.count(), 0, "nothing of the other deployment is left");
    second.stop().await.unwrap();
}
