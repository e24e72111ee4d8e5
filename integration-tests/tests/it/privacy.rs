//! Nothing sealed stands anywhere: not in Kafka's files, a store, a log line, a trace, a metric or an answer.

mod plant;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use delivery::inbox::{AssignmentEntry, Entry};
use intake::http::{LineResult, Receipt};
use integration_tests::collector::Collector;
use integration_tests::search::Search;
use integration_tests::{Deployment, SERVICES, await_some, kafka_data};
use plant::Markers;
use rdkafka::ClientConfig;
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, FutureRecord};
use reqwest::multipart::Form;
use reqwest::{Method, RequestBuilder, Response};
use schemas::codes::{AssignmentState, FacetKind};
use schemas::ids::IncidentId;
use serde_json::{Value, json};

use crate::corrections::reader;
use crate::outside::{named, python, script};

/// What everybody is told over HTTP, written down; and who asks.
struct Desk<'a> {
    deployment: &'a Deployment,
    http: reqwest::Client,
    answers: PathBuf,
}

impl Desk<'_> {
    fn request(&self, service: &str, agency: &str, method: Method, path: &str) -> RequestBuilder {
        let token = self.deployment.world.token(agency, "tester").unwrap();
        self.http.request(method, format!("{}{path}", self.deployment.url(service))).bearer_auth(token)
    }

    fn post(&self, service: &str, agency: &str, path: &str) -> RequestBuilder {
        self.request(service, agency, Method::POST, path)
    }

    /// The answer's head and body, which are also written down.
    async fn told(&self, request: RequestBuilder) -> (u16, String) {
        let answer = request.send().await.unwrap();
        let head = head_of(&answer);
        let (status, body) = (answer.status().as_u16(), answer.text().await.unwrap());
        append(&self.answers, &format!("{status} {head}\n{body}\n"));
        (status, body)
    }

    async fn command(&self, service: &str, agency: &str, path: &str, body: &Value) -> (u16, String) {
        let once = format!("{path}-{}", rand::random::<u32>());
        self.told(self.post(service, agency, path).header("idempotency-key", once).json(body)).await
    }

    async fn refer(&self, submission: &Value) -> Receipt {
        let (status, body) =
            self.told(self.post("intake", "nl-hotline", "/v1/referrals").json(submission)).await;
        assert_eq!(status, 201, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    async fn batch(&self, submissions: &[Value]) -> Vec<LineResult> {
        let lines: String = submissions.iter().map(|line| format!("{line}\n")).collect();
        let batch = self.post("intake", "nl-hotline", "/v1/referrals:batch");
        let (status, body) =
            self.told(batch.header("content-type", "application/x-ndjson").body(lines)).await;
        assert_eq!(status, 200, "{body}");
        body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    async fn report(&self, reference: &str, report: String, files: Vec<String>) -> (u16, String) {
        let form = files
            .into_iter()
            .fold(Form::new().text("report", report), |form, file| form.text("fileDetails", file));
        let request = self.post("intake", "us-provider", "/v1/cybertipline");
        self.told(request.header("reporter-reference", reference).multipart(form)).await
    }
}

fn append(path: &Path, text: &str) {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn head_of(answer: &Response) -> String {
    answer.headers().iter().map(|(name, value)| format!("{name}: {value:?} ")).collect()
}

fn example(name: &str) -> String {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../services/intake/testdata/cybertipline").join(name);
    std::fs::read_to_string(path).unwrap()
}

async fn assignment(
    deployment: &Deployment,
    agency: &str,
    incident: IncidentId,
    state: AssignmentState,
) -> AssignmentEntry {
    let client = deployment.client("delivery", agency).unwrap();
    let entry = || async {
        client.inbox("?limit=500").await.unwrap().entries.into_iter().find_map(|entry| match entry {
            Entry::Assignment(entry) if entry.incident_id == incident && entry.state == state => Some(*entry),
            _ => None,
        })
    };
    await_some("the assignment in the inbox", entry).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sealed_stands_nowhere_in_clear() {
    let mut deployment = Deployment::prepare("privacy", None).await.unwrap();
    let interpreter = PathBuf::from(named("CAUSEWAY_TEST_PYTHON"));
    let collector = Collector::start(deployment.state()).unwrap();
    let (state, logs) = (deployment.state().to_owned(), deployment.state().join("logs"));
    deployment.logs = Some(logs.clone());
    deployment.environment = vec![
        ("CAUSEWAY_TELEMETRY_OTLP".to_owned(), collector.address.clone()),
        ("CAUSEWAY_LOG_FILTER".to_owned(), "debug".to_owned()),
        ("OTEL_BSP_SCHEDULE_DELAY".to_owned(), "200".to_owned()),
        ("OTEL_METRIC_EXPORT_INTERVAL".to_owned(), "1000".to_owned()),
    ];
    for service in SERVICES {
        deployment.serve_apart(service, "0").await.unwrap();
    }
    let mut markers = Markers::default();
    let desk = Desk { deployment: &deployment, http: reqwest::Client::new(), answers: state.join("answers") };
    let filed = file_in_every_form(&desk, &mut markers).await;
    say_more(&desk, &mut markers, filed.incident_id).await;
    send_what_is_wrong(&desk, &mut markers).await;
    set_one_aside(&deployment).await;
    let metrics = state.join("metrics");
    for service in SERVICES {
        let page = reqwest::get(format!("{}/metrics", deployment.url(service))).await.unwrap();
        append(&metrics, &page.text().await.unwrap());
    }
    deployment.stop().await.unwrap();
    drop(collector);

    let list = state.join("markers");
    markers.write(&list);
    let kafka = kafka_data().unwrap();
    // What is public by design is found in each place: so the place was read, Kafka's batches decompressed.
    let expected = [
        ("kafka", "de-police"),
        ("kafka", "ongoing-abuse"),
        ("kafka", "the record does not decode"),
        ("stores", "de-police"),
        ("logs", "serving http"),
        ("telemetry", "POST /v1/referrals"),
        ("telemetry", "causeway.consumer.lag"),
        ("metrics", "causeway_consumer_lag"),
        ("answers", "/people/0/captures/0/ip"),
        ("answers", "/report/incidentSummary/incidentDateTime"),
    ];
    let search = Search {
        python: &interpreter,
        markers: &list,
        places: vec![
            ("stores", deployment.stores()),
            ("logs", logs),
            ("telemetry", Collector::telemetry(&state)),
            ("metrics", metrics),
            ("answers", state.join("answers")),
        ],
        kafka: Some((&kafka, &deployment.prefix)),
        expected: expected.map(|(place, text)| (place, text.to_owned())).to_vec(),
    };
    let said = search.run().unwrap();
    assert!(said.contains("found 0"), "{said}");
}

/// One referral in each form, every sealed field marked; the first is amended, and opens on its recipient's side.
async fn file_in_every_form(desk: &Desk<'_>, markers: &mut Markers) -> Receipt {
    let submission = plant::submission(markers, "json");
    let openapi = reqwest::get(format!("{}/openapi.json", desk.deployment.url("intake"))).await.unwrap();
    plant::checked_against(&openapi.json().await.unwrap(), &submission);
    let receipt = desk.refer(&submission).await;
    let mut amended = plant::submission(markers, "amended");
    amended["reference"] = submission["reference"].clone();
    let path = format!("/v1/referrals/{}/amend", receipt.referral_id);
    let (status, body) = desk.command("intake", "nl-hotline", &path, &amended).await;
    assert_eq!(status, 201, "{body}");

    let lines = [plant::submission(markers, "line-1"), plant::submission(markers, "line-2")];
    for result in desk.batch(&lines).await {
        assert_eq!(result.status, 201, "{:?}", result.problem);
    }
    let files =
        ["file-annotated.xml", "file-meme.xml"].map(|name| plant::marked_xml(markers, &example(name)));
    for name in ["people.xml", "internet.xml", "punctuation.xml"] {
        let report = plant::marked_xml(markers, &example(name));
        let reference = markers.word("report");
        let (status, body) = desk.report(&reference, report, files.to_vec()).await;
        assert_eq!(status, 201, "{name}: {body}");
    }
    receipt
}

/// What parties add in their own words.
async fn say_more(desk: &Desk<'_>, markers: &mut Markers, incident: IncidentId) {
    let deployment = desk.deployment;
    let offered = AssignmentState::Offered;
    let of = async |agency| assignment(deployment, agency, incident, offered).await.assignment_id;
    let (german, french, brazilian) = (of("de-police").await, of("fr-police").await, of("br-police").await);
    let answer = |assignment, verb| format!("/v1/incidents/{incident}/assignments/{assignment}/{verb}");
    let case = format!("/v1/incidents/{incident}/case-numbers");
    let assess = format!("/v1/incidents/{incident}/assessments");
    let note = markers.text("assess");
    let assessment = json!({ "kind": "adult", "reason": "viewed-material", "note": note });
    for (agency, path, body) in [
        (
            "fr-police",
            answer(french, "decline"),
            json!({ "reason": "no-capacity", "note": markers.text("decline") }),
        ),
        ("de-police", answer(german, "accept"), json!(null)),
        ("de-police", case, json!({ "number": markers.text("case-number") })),
        ("de-police", assess, assessment),
        (
            "de-police",
            answer(german, "escalate"),
            json!({ "reason": "no-capacity", "note": markers.text("escalate") }),
        ),
        (
            "br-police",
            answer(brazilian, "forward"),
            json!({ "to": "de-central", "note": markers.text("forward") }),
        ),
        (
            "nl-hotline",
            answer(brazilian, "revoke"),
            json!({ "reason": "duplicate", "note": markers.text("revoke") }),
        ),
    ] {
        let (status, body) = desk.command("routing", agency, &path, &body).await;
        // Whom one may forward to is routing's to say; what was written with it is sealed before.
        assert!(
            status == 201 || path.ends_with("forward") || path.ends_with("revoke"),
            "{path}: {status} {body}"
        );
    }
    let accepted = assignment(deployment, "de-police", incident, AssignmentState::Accepted).await;
    let (key_id, keys) = deployment.world.keys("de-police").unwrap();
    let police = deployment.client("delivery", "de-police").unwrap();
    let opened = police.open(incident, accepted.assignment_id, &key_id, &keys, "open").await.unwrap();
    let person = opened.iter().find(|facet| facet.kind == FacetKind::Person).unwrap();
    let name = person.content["person"]["names"][0].as_str().unwrap();
    assert!(name.starts_with("synthetic-marker-"), "whoever is entitled reads it: {name}");
    let close = json!({ "outcome": "no-further-action", "note": markers.text("close") });
    let (status, body) = desk.command("routing", "de-police", &answer(german, "close"), &close).await;
    assert_eq!(status, 201, "{body}");
    for (service, agency, path) in [
        ("delivery", "fr-police", "/v1/inbox?limit=500".to_owned()),
        ("delivery", "ke-police", "/v1/inbox?limit=500".to_owned()),
        ("routing", "un-coordinator", format!("/v1/incidents/{incident}/routing")),
        ("routing", "nl-hotline", format!("/v1/incidents/{incident}/routing")),
    ] {
        let (status, body) = desk.told(desk.request(service, agency, Method::GET, &path)).await;
        assert_eq!(status, 200, "{agency}: {body}");
    }
}

/// Requests that are refused, each with a marker where something is wrong: no answer repeats it.
async fn send_what_is_wrong(desk: &Desk<'_>, markers: &mut Markers) {
    let whole = plant::submission(markers, "broken");
    let results = desk.batch(&plant::broken(markers, &whole)).await;
    assert!(
        results.iter().any(|result| result.status == 422)
            && results.iter().any(|result| result.status == 201)
    );
    // Whoever made up the name of a field is told it; it stands nowhere else.
    let own = desk.deployment.client("intake", "nl-hotline").unwrap();
    for line in plant::unnamed(markers, &whole) {
        let _ = own.refer(serde_json::to_vec(&line).unwrap()).await;
    }
    let text = whole.to_string();
    let halves = text.char_indices().step_by(200).map(|(at, _)| &text[..at]);
    for half in halves.skip(1).map(str::to_owned).chain([format!("{text}{}", markers.word("behind"))]) {
        let (status, body) = desk.told(desk.post("intake", "nl-hotline", "/v1/referrals").body(half)).await;
        assert_eq!(status, 400, "{body}");
    }
    // A value that reads like the end of the message that says what is wrong with it.
    let quoted = format!("x`, expected {}", markers.word("expected"));
    let mut misleading = whole.clone();
    misleading["people"][0]["payments"][0]["direction"] = quoted.into();
    let (status, body) =
        desk.told(desk.post("intake", "nl-hotline", "/v1/referrals").json(&misleading)).await;
    assert_eq!(status, 422, "{body}");
    let mut classified = whole;
    classified["items"][0]["classifications"][0]["value"] = markers.word("classification").into();
    let (status, body) =
        desk.told(desk.post("intake", "nl-hotline", "/v1/referrals").json(&classified)).await;
    assert_eq!(status, 422, "{body}");

    for (number, report) in plant::broken_xml(markers, &example("people.xml")).into_iter().enumerate() {
        let (status, body) = desk.report(&format!("BROKEN-XML-{number}"), report, Vec::new()).await;
        assert!(status == 422 || status == 400, "{number}: {status} {body}");
    }
    let content = Form::new().text("file", markers.word("content")).text("report", markers.word("no-report"));
    let (status, body) =
        desk.told(desk.post("intake", "us-provider", "/v1/cybertipline").multipart(content)).await;
    assert!(status == 422 || status == 400, "{body}");

    let get = |service, path: String| desk.request(service, "de-police", Method::GET, &path);
    // Whoever made up the name of a parameter is told it too.
    let made_up = get("delivery", format!("/v1/inbox?{}=1", markers.word("parameter")));
    assert_eq!(made_up.send().await.unwrap().status(), 400);
    for request in [
        get("routing", format!("/v1/incidents/{}/routing", markers.word("path"))),
        get("delivery", format!("/v1/inbox?limit={}", markers.word("limit"))),
        get("delivery", format!("/v1/inbox?cursor={}", markers.word("cursor"))),
        get("delivery", format!("/{}", markers.word("nowhere"))),
        get("intake", "/v1/referrals/x".to_owned()).header("causeway-position", markers.word("position")),
        get("intake", "/v1/referrals/x".to_owned()).header("traceparent", markers.word("trace")),
        desk.post("intake", "nl-hotline", "/v1/referrals")
            .header("causeway-signature", markers.word("signature")),
        desk.http
            .get(format!("{}/v1/inbox", desk.deployment.url("delivery")))
            .bearer_auth(markers.word("token")),
        desk.post(
            "routing",
            "de-police",
            &format!("/v1/incidents/{}/lead/accept", IncidentId::derive(&[b"x"])),
        )
        .header("idempotency-key", markers.word("key")),
        desk.post(
            "routing",
            "de-police",
            &format!("/v1/incidents/{}/case-numbers", IncidentId::derive(&[b"x"])),
        )
        .header("idempotency-key", "wrong")
        .json(&json!({ "number": { "x": markers.word("number") } })),
    ] {
        let (status, body) = desk.told(request).await;
        assert!((400..500).contains(&status), "{status} {body}");
    }
}

/// A copy of a sealed command that breaks off: it is set aside with its reason, and what it holds stays sealed.
async fn set_one_aside(deployment: &Deployment) {
    let topic = format!("{}referral.commands", deployment.prefix);
    let (commands, letters) =
        (reader(deployment, "referral.commands"), reader(deployment, "referral.commands.dead-letter"));
    let value = || async { Some(commands.poll(Duration::from_millis(50))?.ok()?.payload()?.to_vec()) };
    let value = await_some("a command", value).await.unwrap();
    let producer: FutureProducer =
        ClientConfig::new().set("bootstrap.servers", &deployment.brokers).create().unwrap();
    let record = FutureRecord::to(&topic).partition(0).key("broken").payload(&value[..value.len() / 2]);
    producer.send(record, Duration::from_secs(10)).await.unwrap();
    let letter = || async { letters.poll(Duration::from_millis(50))?.ok().map(drop) };
    await_some("the dead letter", letter).await.unwrap();
}

#[test]
fn the_search_finds_every_marker_that_is_planted() {
    let said = python(&[script("search_markers.py").to_str().unwrap(), "--self-test"]);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
}

/// A program that may not look into other users' memory, not even as root: root's own power to do so hides whether a
/// process lets others look.
fn without_power() -> Vec<String> {
    let power = ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"];
    if rustix::process::geteuid().is_root() {
        power.map(str::to_owned).to_vec()
    } else {
        vec!["env".to_owned()]
    }
}

/// Whether a process of the same user may open that process's memory.
fn can_be_opened(process: u32) -> bool {
    let through = without_power();
    let open = format!("exec 3< /proc/{process}/mem");
    let opened = Command::new(&through[0]).args(&through[1..]).args(["sh", "-c", &open]).output().unwrap();
    opened.status.success()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_leaves_no_core_dump_and_lets_nobody_open_its_memory() {
    let mut deployment = Deployment::prepare("memory", None).await.unwrap();
    deployment.through = without_power();
    deployment.serve_apart("directory", "0").await.unwrap();
    let process = deployment.process("directory").unwrap().id();
    let limits = std::fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    assert!(!can_be_opened(process));

    // Any other program of the same user can be opened the same way.
    let through = without_power();
    let sleep =
        Command::new(&through[0]).args(&through[1..]).args(["sleep", "60"]).stdin(Stdio::null()).spawn();
    let mut sleep = sleep.unwrap();
    let openable = async || can_be_opened(sleep.id()).then_some(());
    let opened = await_some("the other program to be opened", openable).await;
    sleep.kill().and_then(|()| sleep.wait()).unwrap();
    opened.unwrap();
    deployment.stop().await.unwrap();
}
