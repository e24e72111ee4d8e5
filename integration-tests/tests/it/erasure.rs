//! Erasure, end to end: disclosure closes, the key is gone from Kafka's own files, a hold restricts, a date erases.

use std::path::{Path, PathBuf};
use std::time::Duration;

use causeway::client::{Client, OpenedFacet};
use causeway::example::IMMINENT_DANGER;
use delivery::http::{Erase, Erasure, Hold, HoldView};
use delivery::inbox::{AssignmentEntry, Entry};
use intake::http::Receipt;
use integration_tests::{Deployment, await_some, kafka_data};
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use schemas::codec::Codec;
use schemas::codes::{AssignmentState, ErasureReason, FacetKind, HoldReason};
use schemas::ids::IncidentId;
use schemas::sealed_keys::KeySet;
use serde_json::Value;

use crate::corrections::reader;

/// A day in real life; short enough to wait for here.
const WITHIN_SECONDS: u64 = 20;
/// The bound itself, and time for a busy machine.
const KEYS_GONE: Duration = Duration::from_secs(180);

fn referral(reference: &str) -> Value {
    let mut value: Value = serde_json::from_str(IMMINENT_DANGER).unwrap();
    value["reference"] = reference.into();
    value["urgency"] = "priority".into();
    value.as_object_mut().unwrap().shift_remove("danger_reason");
    value
}

async fn refer(deployment: &Deployment, referral: &Value) -> Receipt {
    let hotline = deployment.client("intake", "nl-hotline").unwrap();
    hotline.refer(serde_json::to_vec(referral).unwrap()).await.unwrap()
}

async fn accepts(deployment: &Deployment, agency: &str, incident: IncidentId) -> AssignmentEntry {
    let client = deployment.client("delivery", agency).unwrap();
    let stands = |state: Option<AssignmentState>| {
        let client = client.clone();
        move || {
            let client = client.clone();
            async move {
                client.inbox("?limit=500").await.unwrap().entries.into_iter().find_map(|entry| match entry {
                    Entry::Assignment(entry) if entry.incident_id == incident => {
                        state.is_none_or(|state| entry.state == state).then_some(*entry)
                    }
                    _ => None,
                })
            }
        }
    };
    let offered = await_some("the offer", stands(None)).await.unwrap();
    client.answer(incident, offered.assignment_id, "accept", &()).await.unwrap();
    await_some("the acceptance", stands(Some(AssignmentState::Accepted))).await.unwrap()
}

async fn open(
    deployment: &Deployment,
    agency: &str,
    once: &str,
    at: &AssignmentEntry,
) -> Result<Vec<OpenedFacet>, String> {
    let (key_id, keys) = deployment.world.keys(agency).unwrap();
    let client = deployment.client("delivery", agency).unwrap();
    let opened = client.open(at.incident_id, at.assignment_id, &key_id, &keys, once).await;
    opened.map_err(|error| format!("{error:#}"))
}

fn names(opened: &[OpenedFacet]) -> Vec<&str> {
    let people = opened.iter().filter(|facet| facet.kind == FacetKind::Person);
    people.filter_map(|facet| facet.content["person"]["names"][0].as_str()).collect()
}

async fn erases(hotline: &Client, incident: IncidentId, once: &str, erase: &Erase) -> Erasure {
    hotline.command(&format!("/v1/incidents/{incident}/erase"), once, erase).await.unwrap()
}

/// The wrapped keys of every record of `sealed-keys` that a reader from the beginning is given.
fn wrapped_keys(deployment: &Deployment, expected: usize) -> Vec<Vec<u8>> {
    let (records, codec) = (reader(deployment, "sealed-keys"), Codec::with_table());
    let mut found = Vec::new();
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while found.len() < expected && std::time::Instant::now() < deadline {
        found.extend(poll(&records).and_then(|value| {
            codec.decode::<KeySet, KeySet>(&value).ok().map(|key_set| key_set.wrapped_keys)
        }));
    }
    records.unsubscribe();
    found
}

fn poll(consumer: &BaseConsumer) -> Option<Vec<u8>> {
    Some(consumer.poll(Duration::from_millis(100))?.ok()?.payload()?.to_vec())
}

/// In how many of the deployment's segments the bytes stand, on every node.
fn segments_with(deployment: &Deployment, bytes: &[u8]) -> usize {
    let mut found = 0;
    for node in files(&kafka_data().unwrap()) {
        let partitions = files(&node.join("log")).into_iter().filter(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&deployment.prefix))
        });
        for segment in partitions.flat_map(|partition| files(&partition)) {
            if segment.extension().is_some_and(|extension| extension == "log") {
                // One that is removed while it is looked for holds nothing.
                let text = std::fs::read(segment).unwrap_or_default();
                found += usize::from(memchr::memmem::find(&text, bytes).is_some());
            }
        }
    }
    found
}

fn files(directory: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_key_is_gone_from_every_segment() {
    let mut deployment = Deployment::prepare_erasing("erase", None, Some(WITHIN_SECONDS)).await.unwrap();
    deployment.serve_all().await.unwrap();
    let receipt = refer(&deployment, &referral("ERASE-1")).await;
    let incident = receipt.incident_id;
    let german = accepts(&deployment, "de-police", incident).await;
    let french = accepts(&deployment, "fr-police", incident).await;
    assert_eq!(
        names(&open(&deployment, "de-police", "first", &german).await.unwrap()),
        ["Synthetic Child One"]
    );
    let before = wrapped_keys(&deployment, 1);
    assert!(segments_with(&deployment, &before[0]) > 0, "the search finds what is there");

    // One child: its name opens for nobody, whoever had it is told, the other child opens as before.
    let hotline = deployment.client("delivery", "nl-hotline").unwrap();
    let child = hotline.referral(receipt.referral_id).await.unwrap().people[0];
    let erase = Erase { person_ref: Some(child), reason: ErasureReason::DataSubject };
    let erasure = erases(&hotline, incident, "erase-1", &erase).await;
    assert!(!erasure.restricted && erasure.facets > 0);
    assert_eq!(erases(&hotline, incident, "erase-1", &erase).await.erasure_id, erasure.erasure_id);
    let left = open(&deployment, "de-police", "second", &german).await.unwrap();
    assert_eq!(names(&left), [""; 0]);
    assert_eq!(
        names(&open(&deployment, "fr-police", "first", &french).await.unwrap()),
        ["Synthetic Child Two"]
    );
    let police = deployment.client("delivery", "de-police").unwrap();
    let told = || async {
        let entries = police.inbox("?limit=500").await.unwrap().entries;
        entries.into_iter().find(|entry| matches!(entry, Entry::Erased { restricted: false, .. })).map(drop)
    };
    await_some("whoever had it to be told", told).await.unwrap();

    // What was given before is not given again: the key is not there any more.
    let gone = || async {
        let entries = hotline.inbox("?limit=500").await.unwrap().entries;
        entries.into_iter().any(|entry| matches!(entry, Entry::KeysErased { .. }))
    };
    let deadline = std::time::Instant::now() + KEYS_GONE;
    while !gone().await {
        assert!(std::time::Instant::now() < deadline, "the keys are still there");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(segments_with(&deployment, &before[0]), 0, "no segment holds the old record");
    let replayed = open(&deployment, "de-police", "first", &german).await.unwrap_err();
    assert!(replayed.contains("erased"), "{replayed}");
    assert_eq!(
        names(&open(&deployment, "fr-police", "again", &french).await.unwrap()),
        ["Synthetic Child Two"]
    );
    deployment.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_restricts_and_a_date_erases() {
    let mut deployment = Deployment::start("hold").await.unwrap();
    let hotline = deployment.client("delivery", "nl-hotline").unwrap();
    let receipt = refer(&deployment, &referral("HOLD-1")).await;
    let incident = receipt.incident_id;
    let german = accepts(&deployment, "de-police", incident).await;
    let french = accepts(&deployment, "fr-police", incident).await;
    let police = deployment.client("delivery", "de-police").unwrap();
    let hold = Hold { reason: HoldReason::Evidence, until: None };
    let placed: HoldView =
        police.command(&format!("/v1/incidents/{incident}/holds"), "hold", &hold).await.unwrap();
    let erase = Erase { person_ref: None, reason: ErasureReason::LegalObligation };
    assert!(erases(&hotline, incident, "erase", &erase).await.restricted);
    assert!(open(&deployment, "de-police", "held", &german).await.is_ok(), "whoever holds it opens it");
    let refused = open(&deployment, "fr-police", "held", &french).await.unwrap_err();
    assert!(refused.contains("restricted"), "{refused}");
    let release = format!("/v1/incidents/{incident}/holds/{}/release", placed.hold_id);
    let _: HoldView = police.command(&release, "release", &()).await.unwrap();
    for (agency, at) in [("de-police", &german), ("fr-police", &french)] {
        let refused = open(&deployment, agency, "released", at).await.unwrap_err();
        assert!(refused.contains("erased"), "{refused}");
    }

    // A retention date: nobody asks, and it is erased once its time has come.
    let mut dated = referral("HOLD-2");
    let until = jiff::Timestamp::now() + Duration::from_secs(3);
    dated["handling"]["retain_until"] = until.to_string().into();
    let receipt = refer(&deployment, &dated).await;
    let german = accepts(&deployment, "de-police", receipt.incident_id).await;
    let number = std::cell::Cell::new(0);
    let expired = || async {
        number.set(number.get() + 1);
        let opened = open(&deployment, "de-police", &format!("dated-{}", number.get()), &german).await;
        opened.err().filter(|error| error.contains("erased"))
    };
    await_some("the retention date", expired).await.unwrap();
    deployment.stop().await.unwrap();
}
