//! Clients that share no code with the product: they know an address, and read what it gives them.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use causeway::example::IMMINENT_DANGER;
use integration_tests::collector::{Collector, Span};
use integration_tests::{Deployment, await_some};
use rdkafka::producer::FutureRecord;
use schemas::codec::SUBJECTS;
use serde_json::{Value, json};

use crate::poison::producer;

pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("outside").join(name)
}

pub fn named(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set: run `cargo xtask test`"))
}

pub fn python(arguments: &[&str]) -> Output {
    Command::new(named("CAUSEWAY_TEST_PYTHON")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// A Confluent-compatible schema registry, as its makers ship it.
struct Registry {
    process: Child,
    address: String,
}

impl Registry {
    async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new("java")
            .args(["-Xmx512m", "-XX:TieredStopAtLevel=1", "-Dquarkus.http.host=127.0.0.1"])
            .arg(format!("-Dquarkus.http.port={port}"))
            .args(["-jar", &named("CAUSEWAY_TEST_REGISTRY_JAR")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let registry = Self { process, address: format!("http://127.0.0.1:{port}/apis/ccompat/v7") };
        let subjects = format!("{}/subjects", registry.address);
        let answers = || async { reqwest::get(&subjects).await.ok()?.error_for_status().ok().map(|_| ()) };
        await_some("the registry", answers).await.unwrap();
        registry
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // One that has ended already is what is wanted.
        let _ = self.process.kill().and_then(|()| self.process.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outside_client_reads_a_countrys_topic_knowing_only_the_registry() {
    let registry = Registry::start().await;
    let mut deployment = Deployment::prepare("outside", Some(registry.address.clone())).await.unwrap();
    deployment.serve_all().await.unwrap();
    let hotline = deployment.client("intake", "nl-hotline").unwrap();
    let receipt = hotline.refer(IMMINENT_DANGER.into()).await.unwrap();
    let topic = format!("{}jurisdiction.de", deployment.prefix);
    let read = python(&[
        script("read_notices.py").to_str().unwrap(),
        "--brokers",
        &deployment.brokers,
        "--registry",
        &registry.address,
        "--topic",
        &topic,
        "--count",
        "1",
        "--timeout",
        "60",
    ]);
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let read: Value = serde_json::from_slice(&read.stdout).unwrap();
    let notice = &read["notice"];
    assert_eq!(notice["incident_id"], receipt.incident_id.to_string());
    assert_eq!(
        [&notice["country"], &notice["agency"], &notice["state"], &notice["urgency"]],
        ["DE", "de-police", "offered", "imminent-danger"]
    );
    assert!(notice["respond_by"].as_str().unwrap().ends_with('Z'), "{notice}");
    let config = format!("{}/config/{topic}-value", registry.address);
    let config: Value = reqwest::get(config).await.unwrap().json().await.unwrap();
    assert_eq!(config["compatibilityLevel"], "BACKWARD_TRANSITIVE");
    deployment.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_disagrees_with_ids_in_use_is_refused() {
    let mut deployment = Deployment::start("disagree").await.unwrap();
    let hotline = deployment.client("intake", "nl-hotline").unwrap();
    hotline.refer(IMMINENT_DANGER.into()).await.unwrap();
    deployment.stop().await.unwrap();

    // The records carry ids of the checked-in table, and this registry has never heard of them.
    let registry = Registry::start().await;
    deployment.registry = Some(registry.address.clone());
    let unknown = deployment.serve_all().await.unwrap_err().to_string();
    assert!(unknown.contains("does not know id"), "{unknown}");

    // Now it has, and means something else.
    let client = reqwest::Client::new();
    let versions = SUBJECTS.iter().map(|subject| subject.versions.len()).sum();
    for number in 0..versions {
        let schema = format!(r#"{{"type":"record","name":"Stranger{number}","fields":[]}}"#);
        let subject = format!("{}/subjects/stranger-{number}/versions", registry.address);
        let registered = client.post(subject).json(&json!({ "schema": schema })).send().await.unwrap();
        assert!(registered.status().is_success(), "{registered:?}");
    }
    let other = deployment.serve_all().await.unwrap_err().to_string();
    assert!(other.contains("holds another schema under id"), "{other}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_does_not_know_what_a_newer_one_has_written_does_not_start() {
    let mut deployment = Deployment::start("newer").await.unwrap();
    deployment.client("intake", "nl-hotline").unwrap().refer(IMMINENT_DANGER.into()).await.unwrap();
    deployment.stop().await.unwrap();
    deployment.serve_all().await.unwrap();
    deployment.stop().await.unwrap();

    let topic = format!("{}victim-id.events", deployment.prefix);
    let schema: i32 = 1_000_000;
    let written = [&[0], &schema.to_be_bytes()[..]].concat();
    let record = FutureRecord::to(&topic).partition(3).key("incident").payload(&written);
    producer(&deployment).send(record, Duration::from_secs(10)).await.unwrap();
    let refused = deployment.serve_all().await.unwrap_err().to_string();
    let told = "the topic victim-id.events holds records of schema 1000000, which this version does not know";
    assert!(refused.contains(told) && refused.contains("newer"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_as_the_openapi_document_says() {
    let mut deployment = Deployment::start("openapi").await.unwrap();
    let agencies = deployment.world.agencies();
    let token = |agency: &schemas::directory::Agency| {
        let lead = agency.wellbeing.as_ref().and_then(|wellbeing| wellbeing.leads.first());
        let person = lead.map_or("checker", String::as_str);
        (agency.id.to_string(), deployment.world.token(agency.id.as_str(), person).unwrap().into())
    };
    let tokens: serde_json::Map<String, Value> = agencies.iter().map(token).collect();
    let context = deployment.state().join("context.json");
    let ready = json!({ "http": deployment.url("intake"), "tokens": tokens, "incidents": [] });
    std::fs::write(&context, serde_json::to_vec(&ready).unwrap()).unwrap();
    let url = deployment.url("intake");
    let script = script("check_api.py");
    let check = tokio::task::spawn_blocking(move || {
        python(&[
            script.to_str().unwrap(),
            "--url",
            &url,
            "--context",
            context.to_str().unwrap(),
            "--seconds",
            "400",
            "--seed",
            "1",
        ])
    });
    let check = check.await.unwrap();
    let said = [String::from_utf8_lossy(&check.stdout), String::from_utf8_lossy(&check.stderr)].concat();
    assert!(check.status.success(), "{said}");
    deployment.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_asyncapi_document_is_one() {
    let mut deployment = Deployment::start("asyncapi").await.unwrap();
    let address = format!("{}/asyncapi.json", deployment.url("intake"));
    let check = tokio::task::spawn_blocking(move || {
        Command::new(named("CAUSEWAY_TEST_NODE"))
            .arg(script("check_asyncapi.mjs"))
            .arg(address)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    });
    let check = check.await.unwrap();
    let said = [String::from_utf8_lossy(&check.stdout), String::from_utf8_lossy(&check.stderr)].concat();
    assert!(check.status.success(), "{said}");
    deployment.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_referral_is_one_trace_through_every_service() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    // As OTLP numbers the kinds of spans.
    const SERVER: u64 = 2;
    const CONSUMER: u64 = 5;
    let mut deployment = Deployment::prepare("trace", None).await.unwrap();
    let collector = Collector::start(deployment.state()).unwrap();
    deployment.environment = vec![
        ("CAUSEWAY_TELEMETRY_OTLP".to_owned(), collector.address.clone()),
        ("OTEL_BSP_SCHEDULE_DELAY".to_owned(), "200".to_owned()),
    ];
    for service in integration_tests::SERVICES {
        deployment.serve_apart(service, service).await.unwrap();
    }
    let answer = reqwest::Client::new()
        .post(format!("{}/v1/referrals", deployment.url("intake")))
        .bearer_auth(deployment.world.token("nl-hotline", "tester").unwrap())
        .header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"))
        .body(IMMINENT_DANGER)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 201);

    // From the last event's leaf back to the request that came with a trace of its own. Each process sends its spans in
    // its own time.
    let chain = || async {
        let spans = collector.spans(TRACE).unwrap();
        let parent = |span: &Span, name: &str| {
            spans.iter().find(|one| one.id() == span.parent() && one.name() == name).cloned()
        };
        spans.iter().filter(|span| span.name() == "audit leaf").find_map(|leaf| {
            let delivery = parent(leaf, "delivery answer")?;
            let routing = parent(&delivery, "routing answer")?;
            let intake = parent(&routing, "intake answer")?;
            let write = parent(&intake, "write the command")?;
            let request = parent(&write, "POST /v1/referrals")?;
            Some([request, intake, routing, delivery, leaf.clone()])
        })
    };
    let [request, hops @ ..] = await_some("the trace", chain).await.unwrap();
    assert_eq!((request.kind(), request.parent()), (SERVER, "00f067aa0ba902b7"));
    for hop in &hops {
        assert!(hop.duration() > Duration::from_micros(100), "a hop takes until its commit: {hop:#?}");
        assert!(hop.kind() == CONSUMER && hop.has_attribute("causeway.waited_ms"), "{hop:#?}");
    }
    deployment.stop().await.unwrap();
}
