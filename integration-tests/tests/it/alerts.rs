//! What an alert looks at shows what it is to tell of, and goes back once that is mended, as its page says.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use causeway::example::IMMINENT_DANGER;
use integration_tests::{Deployment, SERVICES, await_some, calm_referral};
use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rustix::process::{Pid, Signal, kill_process};
use schemas::ids::IncidentId;
use serde_json::{Value, json};

use crate::poison::producer;
use crate::restore::OwnKafka;
use crate::straight_line::assignment;

/// Longer than it takes to ask Kafka twice.
const SILENT_SECONDS: f64 = 12.0;
/// Longer than brokers are believed to be there (9 s), so that one which is back says at first that there is none; and
/// long enough for every client to ask again meanwhile.
const AWAY: Duration = Duration::from_secs(40);
/// How long a transaction is open that nobody ends.
const HELD_SECONDS: f64 = 3.0;
const SEND: Duration = Duration::from_secs(10);
/// That the test opens.
const INCIDENTS: u64 = 3;

/// The figures of a service, by the name and the labels that alerts use.
async fn figures(deployment: &Deployment, service: &str) -> BTreeMap<String, f64> {
    let page = reqwest::get(format!("{}/metrics", deployment.url(service))).await.unwrap();
    let page = page.text().await.unwrap();
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    let figure = |line: &str| {
        let (name, figure) = line.rsplit_once(' ')?;
        // What the library says of itself is in every label set.
        let (name, labels) = name.split_once('{').unwrap_or((name, ""));
        let own = labels.trim_end_matches('}').split(',').filter(|label| !label.starts_with("otel_scope_"));
        let own: Vec<&str> = own.filter(|label| !label.is_empty()).collect();
        Some((format!("{name}{{{}}}", own.join(",")), figure.parse().ok()?))
    };
    lines.filter_map(figure).collect()
}

/// Waits until a figure is as it should be.
async fn until(deployment: &Deployment, service: &str, name: &str, is_so: impl Fn(f64) -> bool) {
    let so = || async {
        let figures = figures(deployment, service).await;
        figures.get(name).is_some_and(|figure| is_so(*figure)).then_some(())
    };
    let said = await_some(name, so).await;
    if let Err(error) = said {
        panic!("{error:#}: {:#?}", figures(deployment, service).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_alerts_look_at_shows_what_went_wrong_and_that_it_was_mended() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("kafka");
    let kafka = OwnKafka::start(&data);
    let mut deployment = Deployment::prepare_on(kafka.brokers.clone(), "alerts", None, None).await.unwrap();
    for service in SERVICES.into_iter().chain(["dashboard"]) {
        deployment.serve_apart(service, "0").await.unwrap();
    }
    dead_letter(&deployment).await;
    let incident = danger(&deployment).await;
    erasure(&deployment, incident).await;
    store_set_aside(&mut deployment).await;
    held_up(&deployment).await;
    // The file of its process stands beside the broker's data.
    let broker = fs::read_to_string(data.join("node-1/pid")).unwrap().trim().parse().unwrap();
    silence(&deployment, Pid::from_raw(broker).unwrap()).await;
    deployment.stop().await.unwrap();
    kafka.stop();
}

async fn dead_letter(deployment: &Deployment) {
    let name = "causeway_dead_letters_total{service=\"routing\",topic=\"routing.commands\"}";
    until(deployment, "routing", name, |count| count == 0.0).await;
    let topic = format!("{}routing.commands", deployment.prefix);
    let record = FutureRecord::to(&topic).partition(0).key("poison").payload(&b"not framed"[..]);
    producer(deployment).send(record, SEND).await.unwrap();
    until(deployment, "routing", name, |count| count == 1.0).await;
    until(deployment, "routing", "causeway_log_lines_total{level=\"error\"}", |count| count == 1.0).await;
}

async fn danger(deployment: &Deployment) -> IncidentId {
    let name = "causeway_danger_unanswered{}";
    let hotline = deployment.client("intake", "nl-hotline").unwrap();
    let receipt = hotline.refer(IMMINENT_DANGER.into()).await.unwrap();
    let police = deployment.client("delivery", "de-police").unwrap();
    let offered = assignment(&police, receipt.incident_id).await;
    until(deployment, "dashboard", name, |count| count == 0.0).await;
    let late = json!({ "now": offered.respond_by.plus_minutes(1).to_string() });
    let clock = deployment.client("dashboard", "un-coordinator").unwrap();
    let _: Value = clock.put("/development/clock", &late).await.unwrap();
    until(deployment, "dashboard", name, |count| count >= 1.0).await;
    let before = figures(deployment, "dashboard").await[name];
    // As its page says: the agency is called, and answers.
    let routing = deployment.client("routing", "de-police").unwrap();
    routing.answer(receipt.incident_id, offered.assignment_id, "accept", &()).await.unwrap();
    until(deployment, "dashboard", name, |count| count == before - 1.0).await;
    let accept = "http_server_request_duration_seconds_count{http_request_method=\"POST\",\
                  http_response_status_code=\"201\",\
                  http_route=\"/v1/incidents/{incident}/assignments/{assignment}/accept\"}";
    until(deployment, "routing", accept, |count| count == 1.0).await;
    receipt.incident_id
}

async fn erasure(deployment: &Deployment, incident: IncidentId) {
    let (waiting, within) = ("causeway_erasure_waiting_seconds{}", "causeway_erasure_within_seconds{}");
    until(deployment, "delivery", waiting, |seconds| seconds == 0.0).await;
    let hotline = deployment.client("delivery", "nl-hotline").unwrap();
    let page = format!("/v1/incidents/{incident}/erase");
    let _: Value = hotline.command(&page, "erase", &json!({ "reason": "sent-in-error" })).await.unwrap();
    until(deployment, "delivery", waiting, |seconds| seconds > 0.0).await;
    until(deployment, "delivery", within, |seconds| seconds > 0.0).await;
}

async fn store_set_aside(deployment: &mut Deployment) {
    let name = "causeway_stores_set_aside_total{service=\"routing\"}";
    until(deployment, "routing", name, |count| count == 0.0).await;
    deployment.stop_apart("routing").unwrap();
    let store = deployment.stores().join("routing.0");
    fs::remove_dir_all(&store).unwrap();
    fs::write(store, "no store").unwrap();
    deployment.serve_apart("routing", "0").await.unwrap();
    until(deployment, "routing", name, |count| count == 1.0).await;
    let hotline = deployment.client("intake", "nl-hotline").unwrap();
    let referral = serde_json::to_vec(&calm_referral("ALERTS-REBUILT")).unwrap();
    let incident = hotline.refer(referral).await.unwrap().incident_id;
    assignment(&deployment.client("delivery", "de-police").unwrap(), incident).await;
}

/// A process that stands still until this is dropped, however the test ends.
struct Stopped(Pid);

impl Stopped {
    fn now(process: Pid) -> Self {
        kill_process(process, Signal::STOP).unwrap();
        Self(process)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // One that is gone stands still for good.
        let _ = kill_process(self.0, Signal::CONT);
    }
}

async fn silence(deployment: &Deployment, broker: Pid) {
    let name = "causeway_kafka_silent_seconds{service=\"routing\"}";
    until(deployment, "routing", name, |seconds| seconds < SILENT_SECONDS).await;
    let (stopped, begun) = (Stopped::now(broker), Instant::now());
    for service in SERVICES.into_iter().chain(["dashboard"]) {
        until(
            deployment,
            service,
            &format!("causeway_kafka_silent_seconds{{service=\"{service}\"}}"),
            |seconds| seconds > SILENT_SECONDS,
        )
        .await;
    }
    tokio::time::sleep(AWAY.saturating_sub(begun.elapsed())).await;
    drop(stopped);
    until(deployment, "routing", name, |seconds| seconds < SILENT_SECONDS).await;
    // As its page says: every service goes on by itself.
    let hotline = deployment.client("intake", "nl-hotline").unwrap();
    let referral = || serde_json::to_vec(&calm_referral("ALERTS-SILENT")).unwrap();
    let filed = || async { hotline.refer(referral()).await.ok() };
    let incident = await_some("a referral that is taken", filed).await.unwrap().incident_id;
    assignment(&deployment.client("delivery", "de-police").unwrap(), incident).await;
    for service in SERVICES {
        let (owned, expected) = (owned("owned", service), owned("expected", service));
        let expected = figures(deployment, service).await[&expected];
        until(deployment, service, &owned, |partitions| partitions >= expected).await;
    }
    let seen = || async {
        let coordinator = deployment.client("dashboard", "un-coordinator").unwrap();
        let overview: Value = coordinator.get("/v1/overview").await.ok()?;
        (overview["incidents"].as_u64()? == INCIDENTS).then_some(())
    };
    await_some("the overview of every incident", seen).await.unwrap();
}

fn owned(what: &str, service: &str) -> String {
    format!("causeway_partitions_{what}{{service=\"{service}\"}}")
}

/// Somebody else's transaction in what routing reads, which is not ended.
async fn held_up(deployment: &Deployment) {
    let name = "causeway_inputs_held_seconds{service=\"routing\"}";
    until(deployment, "routing", name, |seconds| seconds == 0.0).await;
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &deployment.brokers).set("transactional.id", "somebody-elses");
    // Kafka must not end it before the test does.
    config.set("transaction.timeout.ms", "600000");
    let somebody: FutureProducer = config.create().unwrap();
    somebody.init_transactions(SEND).unwrap();
    somebody.begin_transaction().unwrap();
    let topic = format!("{}referral.events", deployment.prefix);
    // The first of a topic stands where a transaction's end would, which is no input.
    for _ in 0..2 {
        let record = FutureRecord::to(&topic).partition(0).key("somebody").payload(&b"not committed"[..]);
        somebody.send(record, SEND).await.unwrap();
    }
    until(deployment, "routing", name, |seconds| seconds > HELD_SECONDS).await;
    until(deployment, "routing", "causeway_consumer_lag{service=\"routing\"}", |lag| lag > 0.0).await;
    somebody.abort_transaction(SEND).unwrap();
    until(deployment, "routing", name, |seconds| seconds == 0.0).await;
}
