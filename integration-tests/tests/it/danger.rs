//! Imminent danger: what is opened with the offer, the originator hears of; and the agency's signature is kept.

use audit_log::SigningKey;
use audit_log::command::SignedCommand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use causeway::example::IMMINENT_DANGER;
use delivery::inbox::{AssignmentEntry, Entry};
use intake::http::Receipt;
use integration_tests::{Deployment, await_some};
use rdkafka::Message;
use schemas::Event;
use schemas::codec::Codec;
use schemas::ids::AgencyId;
use schemas::referral::ReferralEvent;
use serde_json::Value;

use crate::corrections::reader;

/// The answer to a referral that comes with this header for its signature.
async fn refer(deployment: &Deployment, signature: &str) -> reqwest::Response {
    let token = deployment.world.token("nl-hotline", "tester").unwrap();
    let request = reqwest::Client::new()
        .post(format!("{}/v1/referrals", deployment.url("intake")))
        .bearer_auth(token)
        .header("content-type", "application/json")
        .header("causeway-signature", signature)
        .body(IMMINENT_DANGER);
    request.send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_originator_hears_of_what_is_opened_with_the_offer() {
    let mut deployment = Deployment::start("danger").await.unwrap();
    let own = deployment.world.signing_key("nl-hotline").unwrap();
    let strangers = deployment.world.signing_key("de-police").unwrap();
    let signed = |key: &SigningKey, path: &str, body: &str| {
        SignedCommand::new("POST", path, None, body.as_bytes()).sign(key).unwrap()
    };
    let note = signed(&own, "/v1/referrals", IMMINENT_DANGER);
    for wrong in [
        signed(&strangers, "/v1/referrals", IMMINENT_DANGER),
        signed(&own, "/v1/cybertipline", IMMINENT_DANGER),
        signed(&own, "/v1/referrals", "{}"),
        note.replace("/v1/referrals", "/v1/referral"),
        "not a note".to_owned(),
    ] {
        let refused: Value = refer(&deployment, &STANDARD.encode(wrong)).await.json().await.unwrap();
        assert_eq!(refused["errors"][0]["pointer"], "causeway-signature", "{refused}");
    }
    let receipt: Receipt = refer(&deployment, &STANDARD.encode(&note)).await.json().await.unwrap();
    let incident = receipt.incident_id;

    let german = deployment.client("delivery", "de-police").unwrap();
    let offered = || async {
        let entries = german.inbox("").await.unwrap().entries;
        entries.into_iter().find_map(|entry| match entry {
            Entry::Assignment(entry) if entry.incident_id == incident => Some(*entry),
            _ => None,
        })
    };
    let offered: AssignmentEntry = await_some("the offer", offered).await.unwrap();
    assert!(offered.opens_with_offer);
    let (key_id, keys) = deployment.world.keys("de-police").unwrap();
    for once in ["first", "second"] {
        german.open(incident, offered.assignment_id, &key_id, &keys, once).await.unwrap();
    }

    let hotline = deployment.client("delivery", "nl-hotline").unwrap();
    let told = || async {
        let entries = hotline.inbox("").await.unwrap().entries;
        let early: Vec<AgencyId> = entries
            .into_iter()
            .filter_map(|entry| match entry {
                Entry::OpenedEarly { incident_id, opened_by, .. } if incident_id == incident => opened_by,
                _ => None,
            })
            .collect();
        (!early.is_empty()).then_some(early)
    };
    let told = await_some("the originator to hear", told).await.unwrap();
    assert_eq!(told.iter().map(AgencyId::as_str).collect::<Vec<_>>(), ["de-police"], "once");

    let (events, codec) = (reader(&deployment, "referral.events"), Codec::with_table());
    let kept = || async {
        let message = events.poll(std::time::Duration::from_millis(50))?.ok()?;
        let event: Event<ReferralEvent> = codec.decode::<ReferralEvent, _>(message.payload()?).ok()?;
        event.signature
    };
    assert_eq!(await_some("the signed event", kept).await.unwrap(), note.as_bytes());
    deployment.stop().await.unwrap();
}
