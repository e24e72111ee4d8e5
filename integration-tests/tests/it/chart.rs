//! What the chart takes from the program, in files of its own: the rights of each service in Kafka, and whose each page
//! is. `UPDATE_CHART=1` writes them.

use std::collections::BTreeMap;
use std::path::Path;

use causeway::serve::ServiceName;
use chassis::rights;
use integration_tests::Deployment;
use serde_json::{Value, json};

/// Pages that every service has: the route leads to the first.
const EVERYBODYS: &str = "/v1/code-lists/{list}";
/// As many addresses as a rule of an `HTTPRoute` may match.
const MOST_MATCHES: usize = 64;

#[test]
fn the_chart_gives_the_rights_that_the_program_lists() {
    let listed: BTreeMap<_, _> =
        ServiceName::names().iter().map(|service| (*service, rights::of(service, ""))).collect();
    hold("rights.json", &json!(listed));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chart_leads_each_page_to_its_service() {
    let mut deployment = Deployment::prepare("chart", None).await.unwrap();
    let mut pages = BTreeMap::<&str, Vec<String>>::new();
    for service in ServiceName::names() {
        deployment.serve_apart(service, service).await.unwrap();
        let address = format!("{}/openapi.json", deployment.url(service));
        let document: Value = reqwest::get(address).await.unwrap().json().await.unwrap();
        let own = document["paths"].as_object().unwrap().keys();
        let own = own.filter(|page| page.starts_with("/v1/") && page.as_str() != EVERYBODYS);
        pages.insert(service, own.cloned().collect());
        deployment.stop_apart(service).unwrap();
    }
    let mut all: Vec<_> = pages.values().flatten().cloned().collect();
    all.sort_unstable();
    for pair in all.windows(2) {
        assert_ne!(pair[0], pair[1], "two services answer it: nothing in front of them can tell them apart");
    }
    pages.get_mut("directory").unwrap().push(EVERYBODYS.to_owned());
    for (service, pages) in &pages {
        assert!(pages.len() <= MOST_MATCHES, "{service} has {} pages: make a second rule", pages.len());
    }
    hold("routes.json", &json!(pages));
}

fn hold(name: &str, current: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../helm/files").join(name);
    if std::env::var_os("UPDATE_CHART").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(current).unwrap() + "\n").unwrap();
    }
    let stored: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert!(stored == *current, "{} is another: run this test with UPDATE_CHART=1", path.display());
}
