//! A record that nobody can read costs one dead letter, and the rest of its partition goes on.

use std::time::Duration;

use integration_tests::{Deployment, await_some};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, FutureRecord};
use schemas::codec::Codec;
use schemas::dead_letter::DeadLetter;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_poisonous_record_is_set_aside() {
    let mut deployment = Deployment::start("poison").await.unwrap();
    let producer: FutureProducer =
        ClientConfig::new().set("bootstrap.servers", &deployment.brokers).create().unwrap();
    let topic = format!("{}referral.commands", deployment.prefix);
    for partition in 0..4 {
        for value in [&b"not framed"[..], &[0, 0, 0, 0, 3, 1, 2, 3]] {
            let record = FutureRecord::to(&topic).partition(partition).key("poison").payload(value);
            producer.send(record, Duration::from_secs(10)).await.unwrap();
        }
    }
    let hotline = deployment.client("intake", "nl-hotline").unwrap();
    for number in 0..8 {
        let referral = json!({ "reference": format!("P-{number}"), "kind": "csam" });
        hotline.refer(serde_json::to_vec(&referral).unwrap()).await.unwrap();
    }

    let letters: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &deployment.brokers)
        .set("group.id", "poison-test")
        .set("auto.offset.reset", "earliest")
        .set("isolation.level", "read_committed")
        .create()
        .unwrap();
    letters.subscribe(&[&format!("{topic}.dead-letter")]).unwrap();
    let codec = Codec::with_table();
    let found = std::cell::RefCell::new(Vec::new());
    let all = || async {
        if let Some(Ok(message)) = letters.poll(Duration::from_millis(50)) {
            let letter: DeadLetter = codec.decode::<DeadLetter, _>(message.payload().unwrap()).unwrap();
            found.borrow_mut().push(letter);
        }
        (found.borrow().len() == 8).then_some(())
    };
    await_some("the dead letters", all).await.unwrap();
    let found = found.into_inner();
    assert!(
        found
            .iter()
            .all(|letter| letter.reason == "the record does not decode" && letter.service == "intake")
    );
    assert!(found.iter().any(|letter| letter.value.as_deref() == Some(b"not framed")));
    deployment.stop().await.unwrap();
}
