//! Clients that share no code with the product: they know an address, and read what it gives them.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use causeway::example::IMMINENT_DANGER;
use integration_tests::{Deployment, await_some};
use serde_json::{Value, json};

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("outside").join(name)
}

fn named(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set: run `cargo xtask test`"))
}

fn python(arguments: &[&str]) -> Output {
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
    deployment.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_as_the_openapi_document_says() {
    let mut deployment = Deployment::start("openapi").await.unwrap();
    let agencies = deployment.world.agencies();
    let token = |agency: &schemas::directory::Agency| {
        (agency.id.to_string(), deployment.world.token(agency.id.as_str(), "checker").unwrap().into())
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
            "240",
            "--seed",
            "1",
        ])
    });
    let check = check.await.unwrap();
    let said = [String::from_utf8_lossy(&check.stdout), String::from_utf8_lossy(&check.stderr)].concat();
    assert!(check.status.success(), "{said}");
    deployment.stop().await.unwrap();
}
