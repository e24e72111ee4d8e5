//! Services in processes of their own give the same result as all in one.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use integration_tests::{Deployment, await_some};
use serde_json::{Value, json};

const REFERRALS: usize = 60;

/// Referrals that differ in who is concerned.
fn referrals() -> String {
    let countries = ["DE", "FR", "NL", "BR", "US", "PH", "JP"];
    let line = |number: usize| {
        let (victim, suspect) = (countries[number % 7], countries[(number / 7) % 7]);
        json!({
            "reference": format!("APART-{number}"), "kind": "csam",
            "people": [
                { "category": "victim", "residences": [victim] },
                { "category": "suspect", "residences": [suspect] },
            ],
        })
        .to_string()
    };
    (0..REFERRALS).map(|number| line(number) + "\n").collect()
}

/// What routing decided, by reference, without the ids that follow from each world's own secrets.
async fn outcome(deployment: &Deployment) -> BTreeMap<usize, Value> {
    let hotline = deployment.client("intake", "nl-hotline").unwrap();
    let results: Vec<_> = hotline.refer_batch(referrals().into()).await.unwrap().collect().await;
    let viewer = deployment.client("routing", "nl-hotline").unwrap();
    let mut outcome = BTreeMap::new();
    for (number, result) in results.into_iter().enumerate() {
        let incident = result.unwrap().receipt.unwrap().incident_id;
        let routed = || async { viewer.routing(incident).await.ok() };
        let view = await_some("the incident to be routed", routed).await.unwrap();
        let assignments: BTreeSet<String> = view
            .assignments
            .iter()
            .map(|one| format!("{} {} {} {}", one.country, one.agency, one.rule, one.transfer.basis))
            .collect();
        let withheld: BTreeSet<String> =
            view.withheld.iter().map(|one| format!("{} {}", one.country, one.reason)).collect();
        outcome.insert(number, json!({ "assignments": assignments, "withheld": withheld }));
    }
    outcome
}

/// Every item of an agency's inbox, once each.
async fn delivered(deployment: &Deployment, agency: &str, expected: usize) -> usize {
    let client = deployment.client("delivery", agency).unwrap();
    let complete = || async {
        let inbox = client.inbox("?limit=500").await.ok()?;
        (inbox.entries.len() >= expected).then_some(inbox.entries.len())
    };
    await_some("the inbox to fill", complete).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn services_apart_and_routing_twice_decide_as_all_in_one() {
    let mut together = Deployment::start("together").await.unwrap();
    let expected = outcome(&together).await;
    let count = |agency: &str| {
        let has = |value: &&Value| value["assignments"].to_string().contains(agency);
        expected.values().filter(has).count()
    };
    let (german, brazilian) = (count("de-police"), count("br-police"));
    assert!(german > 0 && brazilian > 0);
    assert_eq!(delivered(&together, "de-police", german).await, german);
    together.stop().await.unwrap();

    let mut apart = Deployment::prepare("apart", None).await.unwrap();
    for (service, instance) in
        [("directory", "0"), ("intake", "1"), ("routing", "2"), ("routing", "3"), ("delivery", "4")]
    {
        apart.serve_apart(service, instance).await.unwrap();
    }
    assert_eq!(outcome(&apart).await, expected);
    assert_eq!(delivered(&apart, "de-police", german).await, german);
    assert_eq!(delivered(&apart, "br-police", brazilian).await, brazilian);
    apart.stop().await.unwrap();
}
