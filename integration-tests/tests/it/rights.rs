//! Each service with the rights that `causeway topics rights` lists for it, and no other: they are enough for all that
//! it does, and nothing beyond them is possible.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use audit::http::LogHead;
use causeway::serve::ServiceName;
use dashboard::domain::overview::Overview;
use digest_sets::http::EntryView;
use futures::future::join_all;
use integration_tests::{Deployment, await_some, calm_referral, guarded, program};
use mla::http::RequestView;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};
use schemas::codes::{AssignmentState, FeedbackStage};
use schemas::ids::IncidentId;
use schemas::topics;
use serde_json::{Value, json};
use victim_id::http::{ChildView, Children};

use crate::corrections::reader;
use crate::outside::{named, script};
use crate::poison::producer;
use crate::straight_line::assignment;

/// How long it may take until a client is told yes or no.
const TOLD_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn each_service_needs_the_rights_listed_for_it_and_has_no_other() {
    let mut deployment = Deployment::prepare("rights", None).await.unwrap();
    grant(&deployment);
    for (number, service) in ServiceName::names().into_iter().enumerate() {
        deployment.settings = format!(
            "\n[kafka.client]\n\"security.protocol\" = \"SASL_PLAINTEXT\"\n\"sasl.mechanism\" = \"PLAIN\"\n\
             \"sasl.username\" = \"{service}\"\n"
        );
        let password = deployment.state().join(format!("{service}.password"));
        std::fs::write(&password, format!("{service}\n")).unwrap();
        deployment.environment = vec![
            ("CAUSEWAY_KAFKA_BROKERS".to_owned(), guarded().unwrap()),
            ("CAUSEWAY_KAFKA_PASSWORD_FILE".to_owned(), password.display().to_string()),
        ];
        deployment.serve_apart(service, &number.to_string()).await.unwrap();
    }
    poison(&deployment).await;
    let incident = referral_is_worked(&deployment).await;
    others_take_part(&deployment, incident).await;
    nothing_else_is_possible(&deployment).await;
    deployment.stop().await.unwrap();
}

/// As an administrator does: what the program lists is given with another's client.
fn grant(deployment: &Deployment) {
    let rights = ["topics", "rights", "--json", "--prefix", &deployment.prefix];
    let listed = Command::new(program().unwrap()).args(rights).output().unwrap();
    let mut granting = Command::new(named("CAUSEWAY_TEST_PYTHON"))
        .arg(script("grant.py"))
        .args(["--brokers", &deployment.brokers])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    granting.stdin.take().unwrap().write_all(&listed.stdout).unwrap();
    assert!(granting.wait().unwrap().success());
}

/// A command that nobody can read is set aside, whichever service it was for.
async fn poison(deployment: &Deployment) {
    let producer = producer(deployment);
    for (input, _) in topics::INPUTS.iter().filter(|(input, _)| !topics::is_event_topic(input)) {
        let topic = format!("{}{input}", deployment.prefix);
        let record = FutureRecord::to(&topic).partition(0).key("poison").payload(&b"not framed"[..]);
        producer.send(record, TOLD_WITHIN).await.unwrap();
        let letters = reader(deployment, &topics::dead_letter(input));
        let letter = || async { letters.poll(Duration::from_millis(50))?.ok().map(|_| ()) };
        await_some(&format!("what is set aside of {input}"), letter).await.unwrap();
    }
}

/// A referral is sealed, routed, accepted, opened, and its reporter hears of it.
async fn referral_is_worked(deployment: &Deployment) -> IncidentId {
    let client = |service: &str, agency: &str| deployment.client(service, agency).unwrap();
    let hotline = client("intake", "nl-hotline");
    let receipt = hotline.refer(serde_json::to_vec(&calm_referral("RIGHTS-1")).unwrap()).await.unwrap();
    let incident = receipt.incident_id;
    for agency in ["fr-victim-id", "de-police"] {
        let inbox = client("delivery", agency);
        let offered = assignment(&inbox, incident).await.assignment_id;
        let answer = json!({ "note": "Synthetic: taken up." });
        client("routing", agency).answer(incident, offered, "accept", &answer).await.unwrap();
        let accepted = || async {
            (assignment(&inbox, incident).await.state == AssignmentState::Accepted).then_some(())
        };
        await_some("the acceptance", accepted).await.unwrap();
    }
    let german = client("delivery", "de-police");
    let offered = assignment(&german, incident).await;
    let (key_id, keys) = deployment.world.keys("de-police").unwrap();
    let opened = german.open(incident, offered.assignment_id, &key_id, &keys, "rights").await.unwrap();
    assert!(!opened.is_empty());
    let heard = || async {
        let feedback = hotline.referral(receipt.referral_id).await.ok()?.feedback;
        feedback.iter().any(|view| view.feedback.stage == FeedbackStage::Accepted).then_some(())
    };
    await_some("the hotline to hear", heard).await.unwrap();
    let notices = reader(deployment, "jurisdiction.de");
    let noticed = || async { notices.poll(Duration::from_millis(50))?.ok().map(|_| ()) };
    await_some("a notice in the country's topic", noticed).await.unwrap();
    incident
}

/// Each of the other services does something that is its own, sealed texts among it.
async fn others_take_part(deployment: &Deployment, incident: IncidentId) {
    let client = |service: &str, agency: &str| deployment.client(service, agency).unwrap();
    let draft = json!({ "kind": "assistance", "requested": "US", "authority": "us-central", "basis": "budapest",
        "measures": ["preservation"], "translation": "not-needed", "languages": ["en"],
        "elements": { "facts": "Synthetic: what is known." } });
    let page = format!("/v1/incidents/{incident}/requests");
    let central = client("mla", "de-central");
    let drafted = || async { central.command::<RequestView>(&page, "rights-draft", &draft).await.ok() };
    await_some("the draft of a request", drafted).await.unwrap();

    let (unit, taker) = (client("victim-id", "de-police"), client("victim-id", "fr-victim-id"));
    let child = || async {
        let page = format!("/v1/incidents/{incident}/children");
        taker.get::<Children>(&page).await.ok()?;
        unit.get::<Children>(&page).await.ok()?.children.into_iter().next()
    };
    let child = await_some("a child of the incident, for both", child).await.unwrap();
    let page = |verb: &str| format!("/v1/incidents/{incident}/children/{}/{verb}", child.child_ref);
    let held: ChildView =
        unit.command(&page("custody"), "rights-custody", &json!({ "limit_days": 10 })).await.unwrap();
    let until = held.custody.unwrap().since.unwrap().plus_minutes(24 * 60);
    let offer = json!({ "to": "fr-victim-id", "until": until, "handover": "Synthetic: speaks French." });
    let offered: ChildView = unit.command(&page("offers"), "rights-offer", &offer).await.unwrap();
    assert!(offered.offer.is_some());

    let entry = json!({ "entry": "1", "digests": [{ "algorithm": "sha-256", "value": "5e".repeat(32) }] });
    let published: EntryView = client("digest-sets", "nl-hotline")
        .command("/v1/digest-sets/confirmed/entries", "rights-entry", &entry)
        .await
        .unwrap();
    assert_eq!(published.entry, "1");

    let directory = client("directory", "br-police");
    let mut shown: Value = directory.get("/v1/directory/agency/br-police").await.unwrap();
    let changed = &mut shown["acts"];
    changed["agency"]["name"] = "Synthetic Police of Another Name".into();
    let _: Value = directory.command("/v1/directory/changes", "rights-change", changed).await.unwrap();

    let auditor = client("audit", "de-police");
    let logged = || async {
        let head: LogHead = auditor.get("/v1/log").await.ok()?;
        auditor.text(&format!("/v1/incidents/{incident}/trail")).await.ok().map(|_| head)
    };
    await_some("the incident's trail", logged).await.unwrap();
    let coordinator = client("dashboard", "un-coordinator");
    let counted =
        || async { (coordinator.get::<Overview>("/v1/overview").await.ok()?.incidents == 1).then_some(()) };
    await_some("the incident on the overview", counted).await.unwrap();
}

/// As each service: what the table does not say it writes cannot be written, nor what it does not read be read.
async fn nothing_else_is_possible(deployment: &Deployment) {
    let own = topics::TOPICS.iter().map(|topic| topic.name.to_owned());
    let dead = topics::INPUTS.iter().map(|(input, _)| topics::dead_letter(input));
    let all: Vec<String> = own.chain(dead).chain(["jurisdiction.de".to_owned()]).collect();
    let tried = join_all(ServiceName::names().map(|service| {
        let (all, prefix) = (all.clone(), deployment.prefix.clone());
        async move {
            let producer: FutureProducer = client_of(service).create().unwrap();
            let mut refused = 0;
            for name in &all {
                let topic = format!("{prefix}{name}");
                if !topics::writes(service, name) {
                    let record = FutureRecord::to(&topic).partition(0).key("no").payload(&b"no"[..]);
                    let (error, _) = producer.send(record, TOLD_WITHIN).await.unwrap_err();
                    assert!(is_refusal(&error), "{service} writes {name}: {error}");
                    refused += 1;
                }
                if !topics::reads(service, name) {
                    let group = format!("{prefix}follower");
                    let read = tokio::task::spawn_blocking(move || first(service, &group, &topic));
                    let error = read.await.unwrap().unwrap_err();
                    assert!(is_refusal(&error), "{service} reads {name}: {error}");
                    refused += 1;
                }
            }
            refused
        }
    }))
    .await;
    assert!(tried.iter().all(|refused| *refused > all.len()), "{tried:?}");
    // Not as another service either.
    let group = format!("{}routing", deployment.prefix);
    let id = format!("{}routing.9.0", deployment.prefix);
    let stranger: Result<FutureProducer, _> = client_of("dashboard").set("transactional.id", &id).create();
    let refused =
        rdkafka::producer::Producer::init_transactions(&stranger.unwrap(), TOLD_WITHIN).unwrap_err();
    assert!(matches!(
        refused.rdkafka_error_code(),
        Some(RDKafkaErrorCode::TransactionalIdAuthorizationFailed)
    ));
    let topic = format!("{}directory.events", deployment.prefix);
    let member: BaseConsumer = client_of("dashboard").set("group.id", &group).create().unwrap();
    member.subscribe(&[&topic]).unwrap();
    let refused = tokio::task::spawn_blocking(move || member.poll(TOLD_WITHIN).map(|told| told.err()));
    let refused = refused.await.unwrap().flatten().and_then(|error| error.rdkafka_error_code());
    assert_eq!(refused, Some(RDKafkaErrorCode::GroupAuthorizationFailed));
}

fn client_of(service: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", guarded().unwrap())
        .set("security.protocol", "SASL_PLAINTEXT")
        .set("sasl.mechanism", "PLAIN")
        .set("sasl.username", service)
        .set("sasl.password", service);
    config
}

/// The first record of a topic, or that there is none.
fn first(service: &str, group: &str, topic: &str) -> Result<(), KafkaError> {
    let mut config = client_of(service);
    let consumer: BaseConsumer =
        config.set("group.id", group).set("enable.partition.eof", "true").create().unwrap();
    // Of a topic that it may not even know, a client that is to read it says nothing.
    let known = consumer.fetch_metadata(Some(topic), TOLD_WITHIN)?;
    if let Some(error) = known.topics().iter().find_map(|topic| topic.error()) {
        return Err(KafkaError::MetadataFetch(error.into()));
    }
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(0))?;
    consumer.assign(&list)?;
    match consumer.poll(TOLD_WITHIN) {
        Some(Ok(_)) | Some(Err(KafkaError::PartitionEOF(_))) => Ok(()),
        Some(Err(error)) => Err(error),
        None => panic!("nobody answers whether {service} may read {topic}"),
    }
}

fn is_refusal(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::TopicAuthorizationFailed)
}
