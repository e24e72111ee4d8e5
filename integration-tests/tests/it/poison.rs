//! A record that nobody can read, or that cannot be decided, costs one dead letter; a command among them gets its
//! outcome all the same; and the rest of its batch goes through.

use std::cell::RefCell;
use std::time::Duration;

use futures::StreamExt;
use intake::http::LineResult;
use integration_tests::{Deployment, SERVICES, await_some};
use rdkafka::ClientConfig;
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, FutureRecord};
use schemas::codec::Codec;
use schemas::dead_letter::DeadLetter;
use schemas::envelope::{Body, EventBody};
use schemas::ids::{CommandId, IncidentId, partition_of};
use schemas::referral::{ReferralCommand, ReferralEvent};
use schemas::{Command, Event};
use serde_json::json;

use crate::corrections::reader;

/// Of a topic's largest record.
const MOST_BYTES: usize = 4 * 1024 * 1024;
const PARTITIONS: i32 = 4;

pub fn producer(deployment: &Deployment) -> FutureProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &deployment.brokers).set("message.max.bytes", MOST_BYTES.to_string());
    config.create().unwrap()
}

/// What stands in a topic, once it is so much.
async fn decoded<B: Body + serde::de::DeserializeOwned>(
    deployment: &Deployment,
    topic: &str,
    count: usize,
) -> Vec<B> {
    let (records, codec) = (reader(deployment, topic), Codec::with_table());
    let found = RefCell::new(Vec::new());
    let all = || async {
        if let Some(Ok(message)) = records.poll(Duration::from_millis(50)) {
            found.borrow_mut().push(codec.decode::<B, B>(message.payload().unwrap()).unwrap());
        }
        (found.borrow().len() >= count).then_some(())
    };
    await_some(topic, all).await.unwrap();
    found.into_inner()
}

async fn letters(deployment: &Deployment, count: usize) -> Vec<DeadLetter> {
    decoded(deployment, "referral.commands.dead-letter", count).await
}

/// The commands that failed, once so many events are there.
async fn failed(deployment: &Deployment, events: usize) -> Vec<CommandId> {
    let (records, codec) = (reader(deployment, "referral.events"), Codec::with_table());
    let found = RefCell::new(Vec::new());
    let all = || async {
        if let Some(Ok(message)) = records.poll(Duration::from_millis(50)) {
            let event: Event<ReferralEvent> =
                codec.decode::<ReferralEvent, _>(message.payload().unwrap()).unwrap();
            found.borrow_mut().push(event);
        }
        (found.borrow().len() >= events).then_some(())
    };
    await_some("the events", all).await.unwrap();
    let events = found.into_inner();
    events.iter().filter_map(|event| event.body.as_failed()?.command_id).collect()
}

async fn file(deployment: &Deployment, name: &str, count: usize) -> Vec<LineResult> {
    let line = |number| json!({ "reference": format!("{name}-{number}"), "kind": "csam" });
    let lines: String = (0..count).map(|number| format!("{}\n", line(number))).collect();
    let hotline = deployment.client("intake", "nl-hotline").unwrap();
    hotline.refer_batch(lines.into()).await.unwrap().map(Result::unwrap).collect().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poisonous_record_is_set_aside() {
    let mut deployment = Deployment::start("poison").await.unwrap();
    let (producer, topic) = (producer(&deployment), format!("{}referral.commands", deployment.prefix));
    for partition in 0..PARTITIONS {
        for value in [&b"not framed"[..], &[0, 0, 0, 0, 3, 1, 2, 3]] {
            let record = FutureRecord::to(&topic).partition(partition).key("poison").payload(value);
            producer.send(record, Duration::from_secs(10)).await.unwrap();
        }
    }
    let results = file(&deployment, "P", 8).await;
    assert!(results.iter().all(|result| result.status == 201), "{results:?}");
    let found = letters(&deployment, 8).await;
    assert!(
        found
            .iter()
            .all(|letter| letter.reason == "the record does not decode" && letter.service == "intake")
    );
    assert!(found.iter().any(|letter| letter.value.as_deref() == Some(b"not framed")));
    deployment.stop().await.unwrap();
}

/// A referral's command as intake has written it.
async fn command(deployment: &Deployment) -> Command<ReferralCommand> {
    let (records, codec) = (reader(deployment, "referral.commands"), Codec::with_table());
    let first = || async {
        let message = records.poll(Duration::from_millis(50))?.ok()?;
        codec.decode::<ReferralCommand, Command<ReferralCommand>>(message.payload()?).ok()
    };
    await_some("a command", first).await.unwrap()
}

/// The same of another incident, with so many bytes more in a sealed facet.
fn another(mut command: Command<ReferralCommand>, more: usize) -> Command<ReferralCommand> {
    command.aggregate_id = IncidentId::from_bytes(rand::random()).to_string();
    command.command_id = CommandId::derive(&[command.aggregate_id.as_bytes()]);
    if let ReferralCommand::ReceiveReferral(receive) = &mut command.body {
        receive.referral.facets[0].ciphertext.extend(std::iter::repeat_n(0, more));
    }
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_whose_event_is_too_large_or_that_stands_in_the_wrong_place_is_set_aside() {
    let mut deployment = Deployment::start("undecidable").await.unwrap();
    file(&deployment, "BEFORE", 1).await;
    let (producer, topic) = (producer(&deployment), format!("{}referral.commands", deployment.prefix));
    let codec = Codec::with_table();
    let filed = command(&deployment).await;
    let plain = codec.encode::<ReferralCommand>(&filed).unwrap().len();
    // It fits into the topic of commands, and with what an event adds no more into that of events.
    let large = another(filed.clone(), MOST_BYTES - 2_048 - plain);
    let astray = another(filed, 0);
    let home = |command: &Command<ReferralCommand>| partition_of(&command.aggregate_id, PARTITIONS);
    for (command, partition) in [(&large, home(&large)), (&astray, (home(&astray) + 1) % PARTITIONS)] {
        let value = codec.encode::<ReferralCommand>(command).unwrap();
        let record = FutureRecord::to(&topic).partition(partition).key(&command.aggregate_id).payload(&value);
        producer.send(record, Duration::from_secs(10)).await.unwrap();
    }
    let results = file(&deployment, "AFTER", 20).await;
    assert!(results.iter().all(|result| result.status == 201), "{results:?}");
    let mut reasons: Vec<_> = letters(&deployment, 2).await.into_iter().map(|letter| letter.reason).collect();
    reasons.sort();
    assert_eq!(
        reasons,
        ["an event is over the topic's limit", "the record is not in its aggregate's partition"]
    );
    // Where the aggregate's own order would suffer there is no outcome.
    assert_eq!(failed(&deployment, 22).await, [large.command_id]);
    deployment.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decider_that_fails_costs_one_command() {
    let mut deployment = Deployment::prepare("fails", None).await.unwrap();
    for service in SERVICES {
        let failpoint = ("CAUSEWAY_DEVELOPMENT_FAILPOINTS".to_owned(), "decide:panic:1".to_owned());
        deployment.environment = if service == "intake" { vec![failpoint] } else { Vec::new() };
        deployment.serve_apart(service, "0").await.unwrap();
    }
    let results = file(&deployment, "FAILS", 20).await;
    let failed_lines: Vec<_> = results.iter().filter(|result| result.status != 201).collect();
    assert_eq!(failed_lines.len(), 1, "{results:?}");
    assert!(failed_lines[0].problem.as_ref().unwrap().kind.ends_with("command-failed"), "{failed_lines:?}");
    assert_eq!(letters(&deployment, 1).await[0].reason, "the decider failed");
    assert_eq!(failed(&deployment, 20).await.len(), 1);
    // The outcome stands: sent again it is the same, and nothing more is written.
    let again = file(&deployment, "FAILS", 20).await;
    let statuses = |results: &[LineResult]| -> Vec<_> {
        results.iter().map(|result| if result.status == 201 { 200 } else { result.status }).collect()
    };
    assert_eq!(statuses(&again), statuses(&results));
    deployment.stop().await.unwrap();
}
