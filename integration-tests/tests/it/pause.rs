//! Kafka pauses: every request is answered in time, nothing hangs, and the same requests succeed once it is back. And
//! a group whose offsets are gone: positions come from the events, so nothing is lost or doubled.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use causeway::example::IMMINENT_DANGER;
use client::Client;
use delivery::inbox::{AssignmentEntry, Entry};
use futures::StreamExt;
use futures::future::join_all;
use intake::http::{LineResult, Receipt};
use integration_tests::faults::{Network, Weather};
use integration_tests::{Deployment, PAUSE_LANE, SERVICES, await_some, lane};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use reqwest::multipart::Form;
use reqwest::{Method, RequestBuilder, StatusCode};
use schemas::Event;
use schemas::codec::Codec;
use schemas::codes::AssignmentState;
use schemas::delivery::DeliveryEvent;
use schemas::directory::DirectoryEvent;
use schemas::ids::IncidentId;
use schemas::referral::ReferralEvent;
use schemas::routing::RoutingEvent;
use serde_json::{Value, json};

use crate::corrections::reader;

const REPORT: &str = include_str!("../../../services/intake/testdata/cybertipline/minimal.xml");

/// Longer than a member's session (6 s), an open transaction (10 s) and two records' time to be taken (8 s each).
const PAUSE: Duration = Duration::from_secs(25);
/// A busy machine's share of each bound.
const MARGIN: Duration = Duration::from_secs(5);
/// What needs no Kafka.
const READ: Duration = MARGIN;
/// The keys' record and the command's may take 8 s each to be refused; its outcome is waited for 15 s.
const WRITE: Duration = Duration::from_secs(8 + 8 + 15).saturating_add(MARGIN);
/// A command's record and its outcome as above, and the first record that a disclosure is read from may take 5 s,
/// however many read before it.
const OPEN: Duration = Duration::from_secs(8 + 15 + 5).saturating_add(MARGIN);
/// A position that this instance has not folded is waited for 10 s.
const POSITION: Duration = Duration::from_secs(10).saturating_add(MARGIN);

fn referral(reference: &str) -> Value {
    let mut value: Value = serde_json::from_str(IMMINENT_DANGER).unwrap();
    value["reference"] = reference.into();
    value["urgency"] = "priority".into();
    value.as_object_mut().unwrap().shift_remove("danger_reason");
    value
}

async fn refer(deployment: &Deployment, reference: &str) -> Receipt {
    let hotline = deployment.client("intake", "nl-hotline").unwrap();
    hotline.refer(serde_json::to_vec(&referral(reference)).unwrap()).await.unwrap()
}

async fn assignment(client: &Client, incident: IncidentId, state: AssignmentState) -> AssignmentEntry {
    let entry = || async {
        client.inbox("?limit=500").await.ok()?.entries.into_iter().find_map(|entry| match entry {
            Entry::Assignment(entry) if entry.incident_id == incident && entry.state == state => Some(*entry),
            _ => None,
        })
    };
    await_some("the assignment in the inbox", entry).await.unwrap()
}

enum Body {
    None,
    Json(Value),
    /// A stream of one line.
    Line(Value),
    /// A CyberTipline report.
    Report(&'static str),
}

/// One request of those that go on through the pause.
struct Ask {
    what: &'static str,
    agency: &'static str,
    method: Method,
    path: String,
    /// Header and value, where the request has one.
    header: Option<(&'static str, String)>,
    body: Body,
    /// Within which it is answered, whatever happens.
    bound: Duration,
    /// What may be answered while Kafka is away, beside 503.
    right: &'static [u16],
}

impl Ask {
    fn get(what: &'static str, agency: &'static str, path: String) -> Self {
        let (method, bound) = (Method::GET, READ);
        Self { what, agency, method, path, header: None, body: Body::None, bound, right: &[200] }
    }

    fn post(what: &'static str, agency: &'static str, path: String, key: &str, body: Value) -> Self {
        let header = Some(("idempotency-key", key.to_owned()));
        // 202 is right when the command was durable before Kafka went away.
        let (method, right) = (Method::POST, [200, 201, 202].as_slice());
        Self { what, agency, method, path, header, body: Body::Json(body), bound: WRITE, right }
    }

    fn within(self, bound: Duration) -> Self {
        Self { bound, ..self }
    }

    fn request(&self, http: &reqwest::Client, deployment: &Deployment) -> RequestBuilder {
        let address = format!("{}{}", deployment.url("intake"), self.path);
        let token = deployment.world.token(self.agency, "tester").unwrap();
        let mut request = http.request(self.method.clone(), address).bearer_auth(token);
        if let Some((name, value)) = &self.header {
            request = request.header(*name, value);
        }
        match &self.body {
            Body::None => request,
            Body::Json(body) => request.json(body),
            Body::Line(line) => {
                request.header("content-type", "application/x-ndjson").body(format!("{line}\n"))
            }
            Body::Report(report) => request.multipart(Form::new().text("report", *report)),
        }
    }

    /// Asks once; the status, which is one that may be, in time and in the right form.
    async fn once(&self, http: &reqwest::Client, deployment: &Deployment) -> StatusCode {
        let begun = Instant::now();
        let answer = self.request(http, deployment).timeout(self.bound).send().await;
        let answer =
            answer.unwrap_or_else(|error| panic!("{}: {error} after {:?}", self.what, begun.elapsed()));
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.text().await.unwrap();
        assert!(begun.elapsed() < self.bound, "{} took {:?}", self.what, begun.elapsed());
        if self.path.starts_with("/health/") {
            return status;
        }
        if let Body::Line(_) = self.body {
            return self.of_line(status, &body);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            assert_eq!(headers["content-type"], "application/problem+json", "{}: {body}", self.what);
            let seconds: u32 = headers["retry-after"].to_str().unwrap().parse().unwrap();
            assert!(seconds > 0 && body.contains("/unavailable\""), "{}: {body}", self.what);
        } else {
            assert!(self.right.contains(&status.as_u16()), "{}: {status} {body}", self.what);
        }
        status
    }

    /// A stream has begun to be answered before anything is decided: its line's own status counts.
    fn of_line(&self, status: StatusCode, body: &str) -> StatusCode {
        let result: LineResult = serde_json::from_str(body).unwrap();
        let problem = result.problem.as_ref();
        assert!(status == StatusCode::OK && result.line == 1, "{}: {status} {body}", self.what);
        if result.status == 503 {
            assert!(problem.unwrap().retry_after_seconds.unwrap() > 0, "{}: {body}", self.what);
        } else {
            assert!(self.right.contains(&result.status), "{}: {body}", self.what);
        }
        StatusCode::from_u16(result.status).unwrap()
    }
}

/// Asks again and again until the pause is over; every status there was, by what was asked.
async fn keep_asking(
    asks: &[Ask],
    http: &reqwest::Client,
    deployment: &Deployment,
) -> BTreeMap<&'static str, BTreeSet<u16>> {
    let end = Instant::now() + PAUSE;
    let all = asks.iter().map(|ask| async move {
        let mut statuses = BTreeSet::new();
        while Instant::now() < end {
            statuses.insert(ask.once(http, deployment).await.as_u16());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        (ask.what, statuses)
    });
    let mut found: BTreeMap<&'static str, BTreeSet<u16>> = BTreeMap::new();
    for (what, statuses) in join_all(all).await {
        found.entry(what).or_default().extend(statuses);
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn while_kafka_pauses_everybody_is_answered_and_afterwards_nothing_is_doubled() {
    let lane = lane(PAUSE_LANE).unwrap().expect("run `cargo xtask test`, which has a way to stand in");
    let network = Network::start(&lane).await.unwrap();
    let mut deployment = Deployment::prepare("pause", None).await.unwrap();
    let direct = std::mem::replace(&mut deployment.brokers, lane.brokers());
    deployment.serve_all().await.unwrap();
    let police = deployment.client("delivery", "de-police").unwrap();
    let (opened, waiting) = (refer(&deployment, "PAUSE-1").await, refer(&deployment, "PAUSE-2").await);
    let accepted = assignment(&police, opened.incident_id, AssignmentState::Offered).await;
    police.answer(opened.incident_id, accepted.assignment_id, "accept", &()).await.unwrap();
    let accepted = assignment(&police, opened.incident_id, AssignmentState::Accepted).await;
    let offered = assignment(&police, waiting.incident_id, AssignmentState::Offered).await;
    let (key_id, keys) = deployment.world.keys("de-police").unwrap();
    let open = || json!({ "recipient_key_id": key_id, "facets": [] });
    police.open(opened.incident_id, accepted.assignment_id, &key_id, &keys, "before").await.unwrap();

    let of = |entry: &AssignmentEntry, verb| {
        format!("/v1/incidents/{}/assignments/{}/{verb}", entry.incident_id, entry.assignment_id)
    };
    let watched = watch(&deployment).await;
    let references: Vec<String> = (3..9).map(|number| format!("PAUSE-{number}")).collect();
    let mut asks: Vec<Ask> = references
        .iter()
        .map(|one| Ask::post("refer", "nl-hotline", "/v1/referrals".to_owned(), one, referral(one)))
        .collect();
    asks.extend([
        Ask::post("accept", "de-police", of(&offered, "accept"), "accept", Value::Null),
        Ask::post("open", "de-police", of(&accepted, "open"), "during", open()).within(OPEN),
        Ask::get("inbox", "de-police", "/v1/inbox?limit=500".to_owned()),
        Ask::get("routing", "nl-hotline", format!("/v1/incidents/{}/routing", opened.incident_id)),
        Ask::get("referral", "nl-hotline", format!("/v1/referrals/{}", opened.referral_id)),
        Ask::get("live", "de-police", "/health/live".to_owned()),
        Ask::get("ready", "de-police", "/health/ready".to_owned()),
        Ask::get("metrics", "de-police", "/metrics".to_owned()),
        Ask {
            header: Some(("causeway-position", "delivery:0:1000000".to_owned())),
            ..Ask::get("position", "de-police", "/v1/inbox".to_owned()).within(POSITION)
        },
    ]);
    let erase = format!("/v1/incidents/{}/erase", waiting.incident_id);
    let in_a_line = Ask::post("line", "nl-hotline", "/v1/referrals:batch".to_owned(), "", Value::Null);
    let report = Ask::post("report", "us-provider", "/v1/cybertipline".to_owned(), "", Value::Null);
    asks.extend([
        Ask::post("erase", "nl-hotline", erase, "erase", json!({ "reason": "sent-in-error" })),
        Ask { header: None, body: Body::Line(referral("PAUSE-LINE")), ..in_a_line },
        Ask {
            header: Some(("reporter-reference", "PAUSE-REPORT".to_owned())),
            body: Body::Report(REPORT),
            ..report
        },
    ]);
    // What was granted before is given again, and has to be read from Kafka: side by side, behind one reader.
    for _ in 0..8 {
        let again = Ask::post("open again", "de-police", of(&accepted, "open"), "before", open());
        // It was decided long ago: only the reading is waited for.
        asks.push(again.within(Duration::from_secs(5) + MARGIN));
    }
    let http = reqwest::Client::new();
    network.set(Weather::Cut);
    let statuses = keep_asking(&asks, &http, &deployment).await;
    network.set(Weather::Fair);
    for what in ["refer", "line", "report", "erase", "accept", "open", "open again", "position"] {
        assert!(statuses[what].contains(&503), "{what} was never refused: {statuses:?}");
    }
    for what in ["inbox", "routing", "referral", "live", "metrics"] {
        assert_eq!(statuses[what], BTreeSet::from([200]), "{what} needs no Kafka");
    }

    // The same requests again, until they are done.
    for ask in asks.iter().filter(|ask| ask.what != "position") {
        let done = || async {
            let status = ask.once(&http, &deployment).await;
            (status == StatusCode::OK || status == StatusCode::CREATED).then_some(())
        };
        await_some(ask.what, done).await.unwrap();
    }
    let receipts = join_all(references.iter().map(|reference| refer(&deployment, reference))).await;
    let mut incidents: BTreeSet<IncidentId> = receipts.iter().map(|receipt| receipt.incident_id).collect();
    incidents.insert(refer(&deployment, "PAUSE-LINE").await.incident_id);
    assert_eq!(incidents.len(), references.len() + 1);
    for incident in &incidents {
        assignment(&police, *incident, AssignmentState::Offered).await;
    }
    assignment(&police, waiting.incident_id, AssignmentState::Accepted).await;
    let provider = deployment.client("intake", "us-provider").unwrap();
    let reported = provider.refer_report("PAUSE-REPORT", REPORT.into(), Vec::new()).await.unwrap();
    let streamed = streamed(&watched, &police).await;
    assert!(incidents.iter().all(|incident| streamed.contains(incident)), "{streamed:?}");
    deployment.stop().await.unwrap();
    deployment.brokers = direct;
    let happened = Happened::read(&deployment);
    let before = [opened.incident_id, waiting.incident_id, reported.incident_id];
    happened.is_once(incidents.into_iter().chain(before));
    assert_eq!((happened.accepted, happened.erased), (2, 1));
}

/// What a stream that was opened before the pause has brought so far: it is never opened again.
type Watched = Arc<Mutex<Vec<(String, Entry)>>>;

async fn watch(deployment: &Deployment) -> Watched {
    let stream = deployment.client("delivery", "de-police").unwrap().follow(None).await.unwrap();
    let seen = Watched::default();
    let watched = Arc::clone(&seen);
    tokio::spawn(async move {
        let mut stream = std::pin::pin!(stream);
        while let Some(Ok(event)) = stream.next().await {
            watched.lock().unwrap().push(event);
        }
    });
    seen
}

/// The incidents of the assignments that the stream has brought, once it has brought as much as the inbox holds.
async fn streamed(watched: &Watched, police: &Client) -> Vec<IncidentId> {
    let all = || async {
        let inbox = police.inbox("?limit=500").await.ok()?.entries.len();
        (watched.lock().unwrap().len() >= inbox).then_some(())
    };
    await_some("everything on the stream", all).await.unwrap();
    let seen = watched.lock().unwrap();
    let ids: BTreeSet<&String> = seen.iter().map(|(id, _)| id).collect();
    assert_eq!(ids.len(), seen.len(), "an entry was streamed twice");
    let incidents = seen.iter().filter_map(|(_, entry)| match entry {
        Entry::Assignment(entry) => Some(entry.incident_id),
        _ => None,
    });
    incidents.collect()
}

/// What stands in the topics, as often as it stands there.
#[derive(Default)]
struct Happened {
    received: BTreeMap<IncidentId, usize>,
    opened: BTreeMap<String, usize>,
    offered: BTreeMap<(String, String), usize>,
    accepted: usize,
    erased: usize,
    /// First directories.
    geneses: usize,
}

impl Happened {
    fn read(deployment: &Deployment) -> Self {
        let (mut found, codec) = (Self::default(), Codec::with_table());
        for value in records(deployment, "referral.events") {
            let event: Event<ReferralEvent> = codec.decode::<ReferralEvent, _>(&value).unwrap();
            if let ReferralEvent::ReferralReceived(_) = event.body {
                *found.received.entry(event.aggregate_id.parse().unwrap()).or_default() += 1;
            }
        }
        for value in records(deployment, "routing.events") {
            let event: Event<RoutingEvent> = codec.decode::<RoutingEvent, _>(&value).unwrap();
            match event.body {
                RoutingEvent::IncidentOpened(_) => *found.opened.entry(event.aggregate_id).or_default() += 1,
                RoutingEvent::AssignmentOffered(offer) => {
                    *found.offered.entry((event.aggregate_id, offer.agency.to_string())).or_default() += 1;
                }
                RoutingEvent::AssignmentAccepted(_) => found.accepted += 1,
                _ => {}
            }
        }
        for value in records(deployment, "delivery.events") {
            let event: Event<DeliveryEvent> = codec.decode::<DeliveryEvent, _>(&value).unwrap();
            found.erased += usize::from(matches!(event.body, DeliveryEvent::FacetsErased(_)));
        }
        for value in records(deployment, "directory.events") {
            let event: Event<DirectoryEvent> = codec.decode::<DirectoryEvent, _>(&value).unwrap();
            found.geneses += usize::from(matches!(event.body, DirectoryEvent::GenesisLoaded(_)));
        }
        found
    }

    /// Exactly these incidents, and everything of each exactly once.
    fn is_once(&self, incidents: impl Iterator<Item = IncidentId>) {
        let expected: BTreeSet<IncidentId> = incidents.collect();
        assert_eq!(self.received.keys().copied().collect::<BTreeSet<_>>(), expected);
        assert_eq!(self.opened.len(), expected.len());
        let counts = self.received.values().chain(self.opened.values()).chain(self.offered.values());
        assert!(counts.copied().all(|count| count == 1), "{:?} {:?}", self.received, self.offered);
        assert!(self.offered.len() >= expected.len());
        assert_eq!(self.geneses, 1);
    }
}

/// Every committed record of a topic.
fn records(deployment: &Deployment, topic: &str) -> Vec<Vec<u8>> {
    let consumer: BaseConsumer = reader(deployment, topic);
    let full = format!("{}{topic}", deployment.prefix);
    let timeout = Duration::from_secs(15);
    let (mut found, mut left) = (Vec::new(), BTreeMap::new());
    let metadata = consumer.fetch_metadata(Some(&full), timeout).unwrap();
    for partition in metadata.topics()[0].partitions().iter().map(|partition| partition.id()) {
        let (low, high) = consumer.fetch_watermarks(&full, partition, timeout).unwrap();
        if low < high {
            left.insert(partition, high);
        }
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    while !left.is_empty() {
        assert!(Instant::now() < deadline, "{topic} was not read to its end: {left:?}");
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            found.extend(message.payload().map(<[u8]>::to_vec));
        }
        // A transaction ends with a marker, which is no record: the position goes past it.
        let positions = consumer.position().unwrap();
        left.retain(|partition, high| {
            let position = positions.find_partition(&full, *partition);
            position.is_none_or(|element| element.offset().to_raw().unwrap_or(-1) < *high)
        });
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_whose_offsets_are_gone_goes_on_where_its_events_say() {
    let mut deployment = Deployment::prepare("offsets", None).await.unwrap();
    for service in SERVICES {
        deployment.serve_apart(service, "0").await.unwrap();
    }
    let mut receipts = Vec::new();
    for number in 0..3 {
        receipts.push(refer(&deployment, &format!("OFFSETS-{number}")).await);
    }
    let police = deployment.client("delivery", "de-police").unwrap();
    for receipt in &receipts {
        let offered = assignment(&police, receipt.incident_id, AssignmentState::Offered).await;
        police_accepts(&deployment, &offered).await;
    }
    for service in ["routing", "delivery"] {
        deployment.stop_apart(service).unwrap();
    }
    for number in 3..5 {
        receipts.push(refer(&deployment, &format!("OFFSETS-{number}")).await);
    }
    for service in ["intake", "mla", "victim-id", "digest-sets", "audit", "directory"] {
        deployment.stop_apart(service).unwrap();
    }
    for service in SERVICES {
        forget(&deployment, service).await;
        deployment.serve_apart(service, "0").await.unwrap();
    }
    // What was answered before is answered again, and not done again.
    for number in 0..5 {
        refer(&deployment, &format!("OFFSETS-{number}")).await;
    }
    let police = deployment.client("delivery", "de-police").unwrap();
    for (number, receipt) in receipts.iter().enumerate() {
        let state = if number < 3 { AssignmentState::Accepted } else { AssignmentState::Offered };
        assignment(&police, receipt.incident_id, state).await;
    }
    deployment.stop().await.unwrap();
    let happened = Happened::read(&deployment);
    happened.is_once(receipts.iter().map(|receipt| receipt.incident_id));
    assert_eq!(happened.accepted, 3);
}

async fn police_accepts(deployment: &Deployment, at: &AssignmentEntry) {
    let police = deployment.client("routing", "de-police").unwrap();
    police.answer(at.incident_id, at.assignment_id, "accept", &()).await.unwrap();
}

/// Deletes a service's group with its offsets, as Kafka does by itself with those of a group that is away too long.
async fn forget(deployment: &Deployment, service: &str) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", &deployment.brokers).create().unwrap();
    let (admin, group) = (Arc::new(admin), format!("{}{service}", deployment.prefix));
    // A static member is only missed when its session ends.
    let deleted = || async {
        let results = admin.delete_groups(&[&group], &AdminOptions::new()).await.ok()?;
        results.into_iter().all(|result| result.is_ok()).then_some(())
    };
    await_some("the group to be deleted", deleted).await.unwrap();
}
