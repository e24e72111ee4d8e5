//! Erasure, end to end: disclosure closes, the key is gone from Kafka's own files, a hold restricts, a date erases.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use chassis::store::Store;
use client::{Client, OpenedFacet};
use delivery::http::{Erase, Erasure, Hold, HoldView};
use delivery::inbox::{AssignmentEntry, Entry};
use futures::future::join_all;
use intake::http::{Receipt, Withdraw};
use integration_tests::{Deployment, await_some, calm_referral, kafka_data};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Message};
use schemas::codec::Codec;
use schemas::codes::{AssignmentState, ErasureReason, FacetKind, HoldReason, RetractionReason};
use schemas::ids::{IncidentId, KeyId, KeySetId, partition_of};
use schemas::sealed_keys::KeySet;
use serde_json::{Value, json};

use crate::outside::{named, script};

/// A day in real life; short enough to wait for here.
const WITHIN_SECONDS: u64 = 20;
/// The bound itself, and time for a busy machine.
const KEYS_GONE: Duration = Duration::from_secs(180);
/// How often several copies are sent at once, until one is in time.
const MOST_TRIES: usize = 5;

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

/// The wrapped keys of every set that a reader of `sealed-keys` from the beginning is left with: once there are so
/// many, or after so long.
fn wrapped_keys(deployment: &Deployment, expected: usize, wait: Duration) -> BTreeMap<KeySetId, Vec<u8>> {
    key_sets(deployment, expected, wait).left
}

/// What a reader of `sealed-keys` from the beginning sees.
#[derive(Default)]
struct KeySets {
    written: BTreeSet<KeySetId>,
    /// With their wrapped keys.
    left: BTreeMap<KeySetId, Vec<u8>>,
}

fn key_sets(deployment: &Deployment, expected: usize, wait: Duration) -> KeySets {
    let codec = Codec::with_table();
    let records: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &deployment.brokers)
        .set("group.id", format!("erasure-{:x}", rand::random::<u64>()))
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap();
    records.subscribe(&[&format!("{}sealed-keys", deployment.prefix)]).unwrap();
    let mut found = KeySets::default();
    let deadline = std::time::Instant::now() + wait;
    while found.left.len() < expected && std::time::Instant::now() < deadline {
        let Some(Ok(message)) = records.poll(Duration::from_millis(100)) else { continue };
        match message.payload().map(|value| codec.decode::<KeySet, KeySet>(value).unwrap()) {
            Some(key_set) => {
                found.written.insert(key_set.key_set_id);
                found.left.insert(key_set.key_set_id, key_set.wrapped_keys);
            }
            None => {
                let key = std::str::from_utf8(message.key().unwrap_or_default()).unwrap_or_default();
                key.parse().ok().and_then(|key_set: KeySetId| found.left.remove(&key_set));
            }
        }
    }
    found
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

/// As a front leaves it that dies before its command.
async fn orphan(deployment: &Deployment) -> KeySetId {
    let key_set = KeySet {
        key_set_id: KeySetId::from_bytes(rand::random()),
        incident_id: IncidentId::from_bytes(rand::random()),
        vault_key_id: KeyId::try_new("vault-1").unwrap(),
        encapsulation: vec![1; 32],
        nonce: vec![2; 12],
        wrapped_keys: vec![3; 64],
        sealed_at: jiff::Timestamp::now().into(),
    };
    let value = Codec::with_table().encode::<KeySet>(&key_set).unwrap();
    let (topic, key) = (format!("{}sealed-keys", deployment.prefix), key_set.key_set_id.to_string());
    let producer: FutureProducer =
        ClientConfig::new().set("bootstrap.servers", &deployment.brokers).create().unwrap();
    let record = FutureRecord::to(&topic).partition(partition_of(&key, 4)).key(&key).payload(&value);
    producer.send(record, Duration::from_secs(10)).await.unwrap();
    key_set.key_set_id
}

/// Until whoever reads `sealed-keys` from its beginning finds the key set no more.
async fn must_be_swept(deployment: &Deployment, key_set: KeySetId) {
    let deadline = std::time::Instant::now() + KEYS_GONE;
    while wrapped_keys(deployment, usize::MAX, Duration::from_secs(5)).contains_key(&key_set) {
        assert!(std::time::Instant::now() < deadline, "the orphan is still there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_key_is_gone_from_every_segment() {
    let mut deployment = Deployment::prepare_erasing("erase", None, Some(WITHIN_SECONDS)).await.unwrap();
    deployment.serve_all().await.unwrap();
    let orphan = orphan(&deployment).await;
    let receipt = refer(&deployment, &calm_referral("ERASE-1")).await;
    let incident = receipt.incident_id;
    let german = accepts(&deployment, "de-police", incident).await;
    let french = accepts(&deployment, "fr-police", incident).await;
    assert_eq!(
        names(&open(&deployment, "de-police", "first", &german).await.unwrap()),
        ["Synthetic Child One"]
    );
    let whole = refer(&deployment, &calm_referral("ERASE-2")).await;
    let whole_german = accepts(&deployment, "de-police", whole.incident_id).await;
    assert!(open(&deployment, "de-police", "whole", &whole_german).await.is_ok());
    let mut before = wrapped_keys(&deployment, 3, Duration::from_secs(30));
    assert!(before.remove(&orphan).is_some());
    let before: Vec<Vec<u8>> = before.into_values().collect();
    for keys in &before {
        assert!(segments_with(&deployment, keys) > 0, "the search finds what is there");
    }

    // One child: its name opens for nobody, whoever had it is told, the other child opens as before.
    let hotline = deployment.client("delivery", "nl-hotline").unwrap();
    let child = hotline.referral(receipt.referral_id).await.unwrap().people[0];
    let erase = Erase { person_ref: Some(child), reason: ErasureReason::DataSubject };
    let erasure = erases(&hotline, incident, "erase-1", &erase).await;
    assert!(!erasure.restricted && erasure.facets > 0);
    assert_eq!(erases(&hotline, incident, "erase-1", &erase).await.erasure_id, erasure.erasure_id);
    // Another referral, all of it.
    let erase = Erase { person_ref: None, reason: ErasureReason::DataSubject };
    assert!(erases(&hotline, whole.incident_id, "erase-2", &erase).await.facets > 1);
    let refused = open(&deployment, "de-police", "whole again", &whole_german).await.unwrap_err();
    assert!(refused.contains("erased"), "{refused}");
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
        entries.into_iter().filter(|entry| matches!(entry, Entry::KeysErased { .. })).count() >= 2
    };
    let deadline = std::time::Instant::now() + KEYS_GONE;
    while !gone().await {
        assert!(std::time::Instant::now() < deadline, "the keys are still there");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    for keys in &before {
        assert_eq!(segments_with(&deployment, keys), 0, "no segment holds the old record");
    }
    // And the keys that nothing names are swept, those that are named are not.
    must_be_swept(&deployment, orphan).await;
    let replayed = open(&deployment, "de-police", "first", &german).await.unwrap_err();
    assert!(replayed.contains("erased"), "{replayed}");
    assert_eq!(
        names(&open(&deployment, "fr-police", "again", &french).await.unwrap()),
        ["Synthetic Child Two"]
    );
    deployment.stop().await.unwrap();
    for keys in &before {
        assert_eq!(files_with(&deployment.stores(), keys), 0, "no store holds a key, wrapped or not");
    }
    // Chains and proofs go on over what can no longer be opened, and the fold from the beginning is the same.
    must_verify(&deployment);
    let kept = digests(&deployment);
    std::fs::remove_dir_all(deployment.stores()).unwrap();
    deployment.serve_all().await.unwrap();
    deployment.stop().await.unwrap();
    assert_eq!(digests(&deployment), kept);
}

/// In how many files below a directory the bytes stand.
fn files_with(directory: &Path, bytes: &[u8]) -> usize {
    let found = |path: PathBuf| {
        if path.is_dir() {
            return files_with(&path, bytes);
        }
        usize::from(memchr::memmem::find(&std::fs::read(path).unwrap(), bytes).is_some())
    };
    files(directory).into_iter().map(found).sum()
}

/// What the stores of this process's services say, by service.
fn digests(deployment: &Deployment) -> Vec<(PathBuf, BTreeMap<&'static str, String>)> {
    let mut stores = files(&deployment.stores());
    // Where keys stand moves with what is compacted away; the log's last leaves may come after a start.
    let moves = |path: &PathBuf| {
        let path = path.to_string_lossy();
        path.contains("sealed-keys") || path.contains("/audit.")
    };
    stores.retain(|path| !moves(path));
    stores.sort();
    let digest = |path: PathBuf| (path.clone(), Store::existing(&path).unwrap().digests().unwrap());
    stores.into_iter().map(digest).collect()
}

/// The verifier that shares no code finds nothing lost, doubled or leaked, and no gap.
fn must_verify(deployment: &Deployment) {
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/avro");
    let verified = Command::new(named("CAUSEWAY_TEST_PYTHON"))
        .arg(script("verify.py"))
        .args(["--brokers", &deployment.brokers, "--prefix", &deployment.prefix, "--schemas"])
        .arg(schemas)
        .output()
        .unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_restricts_and_a_date_erases() {
    let mut deployment = Deployment::start("hold").await.unwrap();
    let hotline = deployment.client("delivery", "nl-hotline").unwrap();
    let receipt = refer(&deployment, &calm_referral("HOLD-1")).await;
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
    let mut dated = calm_referral("HOLD-2");
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

/// The key sets that were ever written, looked for until there are more than before.
fn more_written(deployment: &Deployment, before: &BTreeSet<KeySetId>, what: &str) -> BTreeSet<KeySetId> {
    let deadline = std::time::Instant::now() + KEYS_GONE;
    loop {
        let written = key_sets(deployment, usize::MAX, Duration::from_secs(3)).written;
        if written.len() > before.len() {
            return written;
        }
        assert!(std::time::Instant::now() < deadline, "nothing was sealed for {what}");
    }
}

/// Until only so many are left; which they are.
fn left(deployment: &Deployment, count: usize) -> BTreeSet<KeySetId> {
    let deadline = std::time::Instant::now() + KEYS_GONE;
    loop {
        let left = key_sets(deployment, usize::MAX, Duration::from_secs(3)).left;
        if left.len() == count {
            return left.into_keys().collect();
        }
        assert!(std::time::Instant::now() < deadline, "{} key sets are left", left.len());
    }
}

/// One referral several times at once, and another one until a copy came before the first had its outcome: only then
/// was anything sealed for it. How many referrals there are now, and the last.
async fn duplicates(deployment: &Deployment, hotline: &Client) -> (usize, Receipt, Value) {
    for sent in 1..=MOST_TRIES {
        let referral = calm_referral(&format!("UNNAMED-{sent}"));
        let body = serde_json::to_vec(&referral).unwrap();
        let receipts = join_all((0..8).map(|_| hotline.refer(body.clone()))).await;
        let receipts: Vec<_> = receipts.into_iter().map(Result::unwrap).collect();
        let referrals: BTreeSet<_> = receipts.iter().map(|receipt| receipt.referral_id).collect();
        assert_eq!(referrals.len(), 1, "the same referral");
        if key_sets(deployment, usize::MAX, Duration::from_secs(5)).written.len() > sent {
            return (sent, receipts.into_iter().next().unwrap(), referral);
        }
    }
    panic!("every copy came after the first had its outcome, {MOST_TRIES} times");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_duplicates_and_rejections_are_gone() {
    let mut deployment = Deployment::start("unnamed").await.unwrap();
    let hotline = deployment.client("intake", "nl-hotline").unwrap();
    let (sent, receipt, referral) = duplicates(&deployment, &hotline).await;
    let first = left(&deployment, sent);
    let written = more_written(&deployment, &first, "the duplicates");

    let accepted = accepts(&deployment, "de-police", receipt.incident_id).await;
    let police = deployment.client("routing", "de-police").unwrap();
    let cases = format!("/v1/incidents/{}/case-numbers", receipt.incident_id);
    let _: Value = police.command(&cases, "case", &json!({ "number": "SYN-1" })).await.unwrap();
    let written = more_written(&deployment, &written, "the case number");
    let named = left(&deployment, sent + 1);
    assert!(first.is_subset(&named));

    let close = format!("/v1/incidents/{}/assignments/{}/close", receipt.incident_id, accepted.assignment_id);
    let closed = json!({ "outcome": "no-further-action" });
    let _: Value = police.command(&close, "close", &closed).await.unwrap();
    let again = json!({ "outcome": "no-further-action", "note": "synthetic" });
    let rejected = police.command::<Value>(&close, "close again", &again).await.unwrap_err();
    assert_eq!(rejected.code(), Some("rejected"), "{rejected}");
    let written = more_written(&deployment, &written, "a note that was rejected");

    let reason = RetractionReason::SentInError;
    let withdraw = format!("/v1/referrals/{}/withdraw", receipt.referral_id);
    let _: Value = hotline.command(&withdraw, "withdraw", &Withdraw { reason }).await.unwrap();
    let amend = format!("/v1/referrals/{}/amend", receipt.referral_id);
    let rejected = hotline.command::<Value>(&amend, "amend", &referral).await.unwrap_err();
    assert_eq!(rejected.code(), Some("rejected"), "{rejected}");
    more_written(&deployment, &written, "an amendment that was rejected");
    assert_eq!(left(&deployment, sent + 1), named, "what is named is left, and nothing else");
    deployment.stop().await.unwrap();
}
