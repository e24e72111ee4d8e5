//! The audit log: every event has its leaf, and each party can prove its part of an incident's trail offline.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use audit::domain::readers::Readers;
use audit::http::LogHead;
use audit_log::LogKey;
use audit_log::cosignature::WitnessKey;
use audit_log::verify::{Against, Chain, Proven, verify};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use client::Client;
use delivery::http::Inbox;
use delivery::inbox::{AssignmentEntry, Delivered, Entry};
use fantoccini::Locator;
use integration_tests::{Deployment, SERVICES, await_some, calm_referral, kafka_data, program};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use schemas::ids::IncidentId;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::outside::named;
use crate::poison::producer;
use crate::straight_line::assignment;

async fn key(client: &Client) -> LogKey {
    let head: LogHead = client.get("/v1/log").await.unwrap();
    LogKey::parse(&head.key).unwrap()
}

/// The trail, once so many events of a topic are in it.
async fn trail(client: &Client, incident: IncidentId, topic: &str, events: i64) -> (String, Proven) {
    let key = key(client).await;
    let enough = || async {
        let file = client.text(&format!("/v1/incidents/{incident}/trail")).await.ok()?;
        let proven = verify(&file, &Against::log(&key)).unwrap();
        let chain = proven.chains.iter().find(|chain| chain.topic == topic)?;
        (chain.last >= events).then_some((file, proven.clone()))
    };
    await_some(&format!("{events} events of {topic} in the trail"), enough).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_party_proves_its_part_of_a_trail_offline() {
    let mut deployment = Deployment::start("audit").await.unwrap();
    let hotline = deployment.client("audit", "nl-hotline").unwrap();
    let german = deployment.client("audit", "de-police").unwrap();
    let referral = serde_json::to_vec(&calm_referral("AUDIT-1")).unwrap();
    let receipt = hotline.refer(referral).await.unwrap();
    let offered = assignment(&german, receipt.incident_id).await;
    german.answer(receipt.incident_id, offered.assignment_id, "accept", &()).await.unwrap();

    let (_, reporters) = trail(&hotline, receipt.incident_id, "referral.events", 1).await;
    let referral = reporters.chains.iter().find(|chain| chain.topic == "referral.events").unwrap();
    assert_eq!((referral.records, referral.frames), (1, 0), "its own referral whole");
    // Four until it accepts: that alone it sees whole.
    let (_, police) = trail(&german, receipt.incident_id, "routing.events", 5).await;
    let routing = police.chains.iter().find(|chain| chain.topic == "routing.events").unwrap();
    assert!(routing.records >= 1 && routing.bodies >= 1 && routing.frames >= 1, "{routing:?}");
    assert!(
        police.chains.iter().all(|chain| chain.topic != "referral.events"),
        "what it was not told is not shown"
    );
    let coordinators = deployment.client("audit", "un-coordinator").unwrap();
    let (_, frames) = trail(&coordinators, receipt.incident_id, "routing.events", 4).await;
    let shown = |chain: &Chain| chain.topic == "delivery.events" || chain.records + chain.bodies == 0;
    assert!(frames.chains.iter().all(shown), "nothing but what it was told itself");
    // A State that is never told has no such incident.
    let untold = deployment.client("audit", "ke-police").unwrap();
    let refused = untold.text(&format!("/v1/incidents/{}/trail", receipt.incident_id)).await.unwrap_err();
    assert_eq!(refused.code(), Some("not-found"));

    // Who could see it, when: its own part from the service, everybody's from Kafka for the operator.
    let page = format!("/v1/incidents/{}/readers", receipt.incident_id);
    let own: Readers = german.get(&page).await.unwrap();
    assert!(own.readers.iter().all(|reader| reader.agency.as_str() == "de-police"), "{own:?}");
    assert!(own.readers.iter().any(|reader| !reader.may_open.is_empty()), "{own:?}");
    assert_eq!(untold.get::<Readers>(&page).await.unwrap_err().code(), Some("not-found"));
    let incident = receipt.incident_id.to_string();
    let config = deployment.config("all").unwrap();
    let mut readers = Command::new(program().unwrap());
    readers.args(["--json", "audit", "readers", &incident, "--config"]).arg(config);
    let all: Readers = serde_json::from_slice(&readers.output().unwrap().stdout).unwrap();
    let agencies: BTreeSet<&str> = all.readers.iter().map(|reader| reader.agency.as_str()).collect();
    assert!(agencies.is_superset(&["de-police", "nl-hotline", "un-coordinator"].into()), "{agencies:?}");
    assert!(!agencies.contains("ke-police"), "{agencies:?}");

    // What was promised with an answer is kept, and held against the trail.
    let last = routing.last;
    let promised = promise(&deployment, &offered).await;
    let (file, _) = trail(&german, receipt.incident_id, "routing.events", last + 1).await;
    let head: LogHead = german.get("/v1/log").await.unwrap();
    let receipt_key = LogKey::parse(&head.receipt_key.unwrap()).unwrap();
    let log_key = key(&german).await;
    let against = |receipt: String| {
        let receipts = [(receipt, receipt_key.clone())];
        verify(&file, &Against { receipts: &receipts, ..Against::log(&log_key) })
    };
    assert_eq!(against(promised.clone()).unwrap().receipts, 1);
    assert!(against(promised.replacen("routing.events", "delivery.events", 1)).is_err());
    // So is what came with the entry in the inbox; and a byte of a promise that was changed is found.
    let inbox: Inbox<Delivered> = german.get("/v1/inbox?limit=500").await.unwrap();
    let delivered = inbox.entries.iter().find(|one| matches!(&one.entry, Entry::Assignment(_))).unwrap();
    let note = BASE64_STANDARD.decode(delivered.receipt.as_ref().unwrap()).unwrap();
    let note = String::from_utf8(note).unwrap();
    assert_eq!(against(note.clone()).unwrap().receipts, 1);
    for place in
        (0..note.len()).filter(|place| note.is_char_boundary(*place) && note.as_bytes()[*place] != b'\n')
    {
        let mut changed = note.clone().into_bytes();
        changed[place] ^= 1;
        let Ok(changed) = String::from_utf8(changed) else { continue };
        assert!(against(changed).is_err(), "byte {place} of {note}");
    }

    // Its own signature shows that nobody has accepted in its name.
    let agency_key = deployment.world.signing_key("de-police").unwrap().public().clone();
    let agencies = [agency_key.clone()];
    let accept =
        format!("POST /v1/incidents/{}/assignments/{}/accept", receipt.incident_id, offered.assignment_id);
    let proven = verify(&file, &Against { agencies: &agencies, ..Against::log(&log_key) }).unwrap();
    assert!(proven.signed.iter().any(|signed| signed.command == accept), "{:?}", proven.signed);

    // The page that a party opens from disk says the same.
    let path = deployment.state().join("trail.jsonl");
    std::fs::write(&path, &file).unwrap();
    let page = page_says(&path, &key(&german).await.to_string(), &agency_key.to_string()).await;
    assert!(page.starts_with("Proven: ") && page.contains("Not proven") && page.contains(&accept), "{page}");
    let changed = deployment.state().join("changed.jsonl");
    std::fs::write(&changed, file.replacen("\"sequence\":2", "\"sequence\":3", 1)).unwrap();
    let page = page_says(&changed, &key(&german).await.to_string(), "").await;
    assert!(page.contains("does not prove what it says") && page.contains("line "), "{page}");

    // The command line says the same, without a network; and names what was changed.
    let key = key(&german).await.to_string();
    let verify =
        || Command::new(program().unwrap()).arg("verify").arg(&path).args(["--log-key", &key]).output();
    let said = verify().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert!(String::from_utf8_lossy(&said.stdout).contains("that nothing came later"));
    std::fs::write(&path, file.replacen("routing.events", "rooting.events", 1)).unwrap();
    let said = verify().unwrap();
    assert!(!said.status.success());
    assert!(
        String::from_utf8_lossy(&said.stderr).contains("line 2"),
        "{}",
        String::from_utf8_lossy(&said.stderr)
    );
    deployment.stop().await.unwrap();
}

/// The receipt that comes with the answer to a command: a case number of the agency's own.
async fn promise(deployment: &Deployment, offered: &AssignmentEntry) -> String {
    let page = format!("/v1/incidents/{}/case-numbers", offered.incident_id);
    let token = deployment.world.token("de-police", "tester").unwrap();
    let request =
        reqwest::Client::new().post(format!("{}{page}", deployment.url("routing"))).bearer_auth(token);
    let answer = request.header("idempotency-key", "case").json(&json!({ "number": "Synthetic-1" })).send();
    let answer = answer.await.unwrap();
    let receipt = answer.headers().get("causeway-receipt").unwrap_or_else(|| panic!("{answer:?}"));
    String::from_utf8(BASE64_STANDARD.decode(receipt.as_bytes()).unwrap()).unwrap()
}

/// What the page that needs no server says of a trail.
async fn page_says(trail: &Path, key: &str, agency_key: &str) -> String {
    let browser = Browser::start().await;
    let client = &browser.client;
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/verify.html").canonicalize().unwrap();
    client.goto(&format!("file://{}", page.display())).await.unwrap();
    let file = client.find(Locator::Id("file")).await.unwrap();
    file.send_keys(trail.to_str().unwrap()).await.unwrap();
    client.find(Locator::Id("key")).await.unwrap().send_keys(key).await.unwrap();
    client.find(Locator::Id("agencies")).await.unwrap().send_keys(agency_key).await.unwrap();
    client.find(Locator::Css("button")).await.unwrap().click().await.unwrap();
    let said = || async {
        let verdict = client.find(Locator::Id("verdict")).await.ok()?.text().await.ok()?;
        let report = client.find(Locator::Id("report")).await.ok()?.text().await.ok()?;
        (!verdict.is_empty() && !verdict.starts_with("Checking")).then(|| format!("{verdict}\n{report}"))
    };
    await_some("the page's verdict", said).await.unwrap()
}

/// A client in Go, with the checksum database's own packages and tessera's fsck.
fn elsewhere(deployment: &Deployment, key: &str, trail: &Path) -> Output {
    let address = deployment.url("audit");
    let mut client = Command::new(named("CAUSEWAY_TEST_LOG_CLIENT"));
    client.args(["-log", &address, "-key", key, "-trail"]).arg(trail).args(["-from", "2"]).output().unwrap()
}

fn fsck(deployment: &Deployment) -> Output {
    checking(deployment).output().unwrap()
}

/// As [`fsck`], and what the service shows is compared too.
fn fsck_served(deployment: &Deployment) -> Output {
    checking(deployment).arg("--served").arg(deployment.url("audit")).output().unwrap()
}

fn checking(deployment: &Deployment) -> Command {
    let mut fsck = Command::new(program().unwrap());
    fsck.args(["--json", "audit", "fsck", "--config"]).arg(deployment.config("all").unwrap());
    let files = files_of(kafka_data().unwrap(), &format!("{}routing.events", deployment.prefix));
    fsck.arg("--kafka-files").arg(files);
    fsck
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_another_ecosystem_and_kafkas_own_files_say_the_same() {
    let mut deployment = Deployment::start("elsewhere").await.unwrap();
    let hotline = deployment.client("audit", "nl-hotline").unwrap();
    let german = deployment.client("audit", "de-police").unwrap();
    for number in 0..40 {
        let referral = calm_referral(&format!("ELSEWHERE-{number}"));
        hotline.refer(serde_json::to_vec(&referral).unwrap()).await.unwrap();
    }
    let referral = serde_json::to_vec(&calm_referral("ELSEWHERE")).unwrap();
    let receipt = hotline.refer(referral).await.unwrap();
    assignment(&german, receipt.incident_id).await;
    let (file, _) = trail(&german, receipt.incident_id, "delivery.events", 2).await;
    let path = deployment.state().join("trail.jsonl");
    std::fs::write(&path, file).unwrap();
    let said = elsewhere(&deployment, &key(&german).await.to_string(), &path);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert!(said["leaves"].as_u64().unwrap() > 256, "more than one tile: {said}");
    deployment.stop().await.unwrap();

    let checked = fsck(&deployment);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let checked: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(checked["faults"], json!([]), "{checked}");
    assert!(checked["records"].as_u64().unwrap() >= checked["leaves"].as_u64().unwrap());
}

/// How often the log's writer is killed; a longer run says so.
fn kills() -> usize {
    std::env::var("CAUSEWAY_TEST_AUDIT_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(8)
}

/// Key and value of a record of the first partition.
fn record(deployment: &Deployment, topic: &str, offset: i64) -> (Vec<u8>, Vec<u8>) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &deployment.brokers)
        .set("group.id", format!("{}record", deployment.prefix))
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(offset)).unwrap();
    consumer.assign(&list).unwrap();
    let message = consumer.poll(Duration::from_secs(30)).unwrap().unwrap();
    (message.key().unwrap_or_default().to_vec(), message.payload().unwrap().to_vec())
}

async fn send(producer: &FutureProducer, topic: &str, (key, value): &(Vec<u8>, Vec<u8>)) {
    let record = FutureRecord::to(topic).partition(0).key(key).payload(value);
    producer.send(record, Duration::from_secs(10)).await.unwrap();
}

/// The directory below a broker's data that holds a topic.
pub fn files_of(data: PathBuf, topic: &str) -> PathBuf {
    let partition = format!("{topic}-0");
    let mut places = vec![data];
    while let Some(place) = places.pop() {
        if place.join(&partition).is_dir() {
            return place;
        }
        let inside = std::fs::read_dir(&place).unwrap().flatten().map(|entry| entry.path());
        places.extend(inside.filter(|path| path.is_dir()));
    }
    panic!("no directory of {topic}")
}

fn faults(checked: &Output) -> String {
    let said: Value = serde_json::from_slice(&checked.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&checked.stderr)));
    said["faults"].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_is_killed_leaves_no_leaf_out_and_doubles_none_and_what_is_tampered_with_is_named() {
    let mut deployment = Deployment::prepare("killed", None).await.unwrap();
    for service in SERVICES {
        deployment.serve_apart(service, "0").await.unwrap();
    }
    let hotline = deployment.client("intake", "nl-hotline").unwrap();
    let mut incidents = Vec::new();
    for round in 0..kills() {
        for number in 0..10 {
            let referral = calm_referral(&format!("KILLED-{round}-{number}"));
            let receipt = hotline.refer(serde_json::to_vec(&referral).unwrap()).await.unwrap();
            incidents.push(receipt.incident_id);
        }
        deployment.kill_apart("audit").unwrap();
        deployment.serve_apart("audit", "0").await.unwrap();
    }
    let whole = || async {
        let checked = fsck(&deployment);
        let said: Value = serde_json::from_slice(&checked.stdout).ok()?;
        assert_eq!(said["faults"], json!([]), "{said}");
        (said["not_yet_sequenced"] == 0).then_some(said)
    };
    let said = await_some("every record to have its leaf", whole).await.unwrap();
    assert_eq!(said["records"], said["leaves"]);
    eprintln!("{} kills: {said}", kills());
    a_damaged_disk_is_named_and_mended(&deployment, incidents[0]).await;
    deployment.stop().await.unwrap();

    // A head that was signed earlier, shown again.
    let producer = producer(&deployment);
    let heads = format!("{}audit.checkpoints", deployment.prefix);
    let first = record(&deployment, &heads, 0);
    send(&producer, &heads, &first).await;
    assert!(faults(&fsck(&deployment)).contains("older than the one before it"));
    // An event that nobody of the system has written.
    let routing = format!("{}routing.events", deployment.prefix);
    let event = record(&deployment, &routing, 0);
    send(&producer, &routing, &event).await;
    assert!(faults(&fsck(&deployment)).contains("does not follow the one before it"));
    // A byte in Kafka's own file.
    let segment =
        files_of(kafka_data().unwrap(), &routing).join(format!("{routing}-0/00000000000000000000.log"));
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let told = faults(&fsck(&deployment));
    assert!(told.contains("routing.events/0") && told.contains("another checksum"), "{told}");
}

/// What the service shows from its disk is held against Kafka; whoever asks for a trail has it made anew.
async fn a_damaged_disk_is_named_and_mended(deployment: &Deployment, incident: IncidentId) {
    let shown = || async { (faults(&fsck_served(deployment)) == "[]").then_some(()) };
    await_some("the service to show what it should", shown).await.unwrap();
    let file = deployment.stores().join("audit.0.tree/hashes");
    let hashes = std::fs::read(&file).unwrap();
    // One byte in each of the first half of the hashes, in place: the service has the file open.
    let writing = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
    for place in (5..hashes.len() / 2).step_by(32) {
        writing.write_all_at(&[hashes[place] ^ 1], u64::try_from(place).unwrap()).unwrap();
    }
    let told = faults(&fsck_served(deployment));
    assert!(told.contains("the tile 0/000 is not that of the log"), "{told}");
    let reader = deployment.client("audit", "nl-hotline").unwrap();
    let page = format!("/v1/incidents/{incident}/trail");
    assert!(reader.text(&page).await.is_err(), "nobody is given a proof that does not hold");
    let mended = || async { reader.text(&page).await.ok() };
    await_some("the log to be made anew", mended).await.unwrap();
    await_some("the service to show what it should", shown).await.unwrap();
}

/// Until an instance says that the log lost what was signed, and that it waits for a person.
pub async fn alarmed(deployment: &Deployment, instance: &str) {
    let log = deployment.logs.clone().unwrap().join(format!("audit.{instance}.log"));
    let both = ["the log lost what was signed", "nothing is signed until a person has looked"];
    let told = || async {
        let told = std::fs::read_to_string(&log).ok()?;
        both.iter().all(|line| told.contains(line)).then_some(())
    };
    await_some("the alarm", told).await.unwrap();
}

/// A witness in a process of its own; it ends with the test.
struct Watching {
    process: Child,
    address: String,
    key: String,
}

impl Watching {
    fn start(deployment: &Deployment, log_key: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let mut process = Command::new(program().unwrap())
            .args([
                "witness",
                "--name",
                "witness.example",
                "--log-key",
                log_key,
                "--listen",
                &address,
                "--key",
            ])
            .arg(deployment.state().join("witness.secret"))
            .arg("--state")
            .arg(deployment.state().join("witness"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut key = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut key).unwrap();
        Self { process, address: format!("http://{address}"), key: key.trim().to_owned() }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // One that has ended already is what is wanted.
        let _ = self.process.kill().and_then(|()| self.process.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_cosigns_what_only_grows_and_a_log_that_lost_what_it_saw_is_not_signed() {
    let mut deployment = Deployment::prepare("witness", None).await.unwrap();
    let log_key = deployment.log_key().unwrap();
    let witness = Watching::start(&deployment, &log_key);
    let config = format!("[[audit.witness]]\naddress = \"{}\"\nkey = \"{}\"\n", witness.address, witness.key);
    deployment.settings = config;
    deployment.logs = Some(deployment.state().join("logs"));
    for service in SERVICES {
        deployment.serve_apart(service, "0").await.unwrap();
    }
    let hotline = deployment.client("intake", "nl-hotline").unwrap();
    let referral = serde_json::to_vec(&calm_referral("WITNESS")).unwrap();
    let receipt = hotline.refer(referral).await.unwrap();
    let anybody = deployment.client("audit", "nl-hotline").unwrap();
    let cosigned = || async {
        let head: LogHead = anybody.get("/v1/log").await.ok()?;
        head.witnesses.first()?.cosigned.map(|_| head)
    };
    let head = await_some("the witness's signature", cosigned).await.unwrap();
    let key = WitnessKey::parse(&witness.key).unwrap();
    assert!(key.cosigned(head.checkpoint.as_deref().unwrap()).is_some());

    let (file, _) = trail(&anybody, receipt.incident_id, "referral.events", 1).await;
    let log_key = LogKey::parse(&log_key).unwrap();
    let proven = verify(&file, &Against { witnesses: &[key], ..Against::log(&log_key) }).unwrap();
    assert!(proven.cosigned.contains_key("witness.example"), "{proven:?}");

    // Kafka, the store and the signer's file are gone, as after a restore of nothing: the witness remembers.
    deployment.stop().await.unwrap();
    deployment.begin_anew("witness-restored").await.unwrap();
    for service in SERVICES.into_iter().filter(|service| *service != "audit") {
        deployment.serve_apart(service, "0").await.unwrap();
    }
    deployment.begin_apart("audit", "0").unwrap();
    alarmed(&deployment, "0").await;
    let anybody = deployment.client("audit", "nl-hotline").unwrap();
    let head: LogHead = anybody.get("/v1/log").await.unwrap();
    assert_eq!(head.checkpoint, None, "nothing was signed");
    deployment.kill_apart("audit").unwrap();
    deployment.stop().await.unwrap();
}
