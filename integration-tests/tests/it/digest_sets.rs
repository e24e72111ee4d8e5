//! Known material from end to end: published by one State, agreed with by another, and matched as a referral comes in.

use client::Client;
use delivery::inbox::Entry;
use digest_sets::http::{EntryView, Matches};
use integration_tests::{Deployment, await_some, calm_referral};
use routing::http::RoutingView;
use serde_json::{Value, json};

/// Of nothing: SHA-256 digests that no file has.
const KNOWN: &str = "5e00000000000000000000000000000000000000000000000000000000000001";
const NEW: &str = "5e00000000000000000000000000000000000000000000000000000000000002";

struct Case {
    deployment: Deployment,
}

impl Case {
    fn client(&self, service: &str, agency: &str) -> Client {
        self.deployment.client(service, agency).unwrap()
    }

    async fn act(&self, agency: &str, page: &str, key: &str, body: &Value) -> Result<EntryView, String> {
        let client = self.client("digest-sets", agency);
        client.command(&format!("/v1/{page}"), key, body).await.map_err(|error| error.to_string())
    }

    /// Files a referral with an item that is known and one that is new, and says which are closed.
    async fn closed(&self, reference: &str) -> Vec<bool> {
        let mut referral = calm_referral(reference);
        let item = |value: &str| {
            let digest = json!({ "algorithm": "sha-256", "value": value });
            json!({ "media_kind": "image", "digests": [digest] })
        };
        referral["items"] = json!([item(KNOWN), item(NEW)]);
        let hotline = self.client("intake", "nl-hotline");
        let receipt = hotline.refer(serde_json::to_vec(&referral).unwrap()).await.unwrap();
        let incident = receipt.incident_id;
        let page = format!("/v1/incidents/{incident}/routing");
        let routing = self.client("routing", "nl-hotline");
        let seen = || async {
            let view = routing.get::<RoutingView>(&page).await.ok()?;
            Some(view.items).filter(|items| items.len() == 2)
        };
        let items = await_some("the items", seen).await.unwrap();
        items.iter().map(|item| item.closed).collect()
    }

    /// A picture that differs in two bits of its PDQ digest: found where the keys are, and a person's to confirm.
    async fn pictures_that_look_alike(&self) {
        let entry = json!({
            "entry": "2", "digests": [{ "algorithm": "pdq", "value": format!("{:064x}", 0x5e) }],
        });
        let known = self.act("nl-hotline", "digest-sets/confirmed/entries", "picture", &entry).await.unwrap();
        let mut referral = calm_referral("KNOWN-PICTURE");
        let digest = json!({ "algorithm": "pdq", "value": format!("{:064x}", 0x5d) });
        referral["items"] = json!([{ "media_kind": "image", "digests": [digest] }]);
        let hotline = self.client("intake", "nl-hotline");
        let receipt = hotline.refer(serde_json::to_vec(&referral).unwrap()).await.unwrap();
        let page = format!("/v1/incidents/{}/matches", receipt.incident_id);
        let unit = self.client("delivery", "fr-victim-id");
        let offered = || async {
            let entries = unit.inbox("").await.unwrap().entries;
            entries.into_iter().find_map(|entry| match entry {
                Entry::Assignment(entry) if entry.incident_id == receipt.incident_id => {
                    Some(entry.assignment_id)
                }
                _ => None,
            })
        };
        let offered = await_some("the offer", offered).await.unwrap();
        // Before it has accepted its part nothing of the pictures is there for the unit.
        assert!(unit.get::<delivery::http::Matches>(&page).await.is_err());
        unit.answer(receipt.incident_id, offered, "accept", &()).await.unwrap();
        let found = || async {
            let seen = unit.get::<delivery::http::Matches>(&page).await.ok()?;
            seen.matches.into_iter().next()
        };
        let found = await_some("the match", found).await.unwrap();
        assert_eq!((found.found.entry_id, found.found.distance, found.closed), (known.entry_id, 2, false));
        let verdict = format!("{page}/{}/verdict", found.found.match_id);
        let confirmed: delivery::http::MatchView =
            unit.command(&verdict, "verdict", &json!({ "verdict": "confirmed" })).await.unwrap();
        assert!(confirmed.closed);
        // Whoever may not open the digests does not hear that there is a match.
        assert!(hotline.get::<delivery::http::Matches>(&page).await.is_err());
    }

    /// Until intake and the page for questions have heard of it.
    async fn await_closing(&self, closes: bool) {
        let page = format!("/v1/known-material?algorithm=sha-256&value={KNOWN}");
        let client = self.client("digest-sets", "de-police");
        let told = || async {
            let found: Matches = client.get(&page).await.ok()?;
            found.matches.first().filter(|found| found.closes == closes).map(|_| ())
        };
        await_some("what is known", told).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_states_have_seen_closes_its_own_item_until_one_disputes_it() {
    let mut case = Case { deployment: Deployment::start("digest-sets").await.unwrap() };
    assert_eq!(case.closed("KNOWN-0").await, [false, false]);
    let entry = json!({
        "entry": "1", "classification": "A1", "digests": [{ "algorithm": "sha-256", "value": KNOWN }],
    });
    let published = case.act("nl-hotline", "digest-sets/confirmed/entries", "publish", &entry).await.unwrap();
    assert!(!published.closes);
    let again = case.act("nl-hotline", "digest-sets/confirmed/entries", "again", &entry).await.unwrap_err();
    assert!(again.contains("unchanged"), "{again}");
    case.await_closing(false).await;
    assert_eq!(case.closed("KNOWN-1").await, [false, false], "one State alone closes nothing");

    let vote = format!("digest-set-entries/{}/vote", published.entry_id);
    let own = case.act("nl-hotline", &vote, "own", &json!({ "vote": "agreed" })).await.unwrap_err();
    assert!(own.contains("/vote"), "{own}");
    let agreed = case.act("fr-victim-id", &vote, "agree", &json!({ "vote": "agreed" })).await.unwrap();
    assert!(agreed.closes);
    case.await_closing(true).await;
    assert_eq!(case.closed("KNOWN-2").await, [true, false], "its own item, and no other");

    case.pictures_that_look_alike().await;
    case.act("de-police", &vote, "dispute", &json!({ "vote": "disputed" })).await.unwrap();
    case.await_closing(false).await;
    assert_eq!(case.closed("KNOWN-3").await, [false, false]);
    let by_name = json!({ "entry": published.entry });
    let gone =
        case.act("nl-hotline", "digest-sets/confirmed/withdrawals", "withdraw", &by_name).await.unwrap();
    assert!(gone.withdrawn);
    // Sets are for those whose people see material.
    let provider =
        case.act("ie-provider", "digest-sets/confirmed/entries", "provider", &entry).await.unwrap_err();
    assert!(provider.contains("forbidden"), "{provider}");
    case.deployment.stop().await.unwrap();
}
