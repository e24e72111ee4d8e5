//! Records that nobody can read, put into command topics behind the services' back: each becomes exactly one dead
//! letter, and what only a newer version may be able to read waits.

use std::collections::BTreeMap;
use std::time::Duration;

use integration_tests::bad_input::{Letter, Names, Record};
use integration_tests::{Deployment, await_some};
use rdkafka::ClientConfig;
use rdkafka::message::{Headers, Message, OwnedMessage};
use rdkafka::producer::{FutureProducer, FutureRecord};
use schemas::InputPosition;
use schemas::codec::Codec;
use schemas::dead_letter::DeadLetter;

use crate::corrections::reader;

struct Sent<'a> {
    record: &'a Record,
    value: Option<Vec<u8>>,
    source: InputPosition,
}

/// What did not come out as expected.
pub async fn run(deployment: &Deployment, records: &[Record]) -> Vec<String> {
    let producer: FutureProducer =
        ClientConfig::new().set("bootstrap.servers", &deployment.brokers).create().unwrap();
    let mut sent = Vec::new();
    // What waits goes first: everything else is answered all the same.
    let (waiting, poisonous): (Vec<&Record>, Vec<&Record>) =
        records.iter().partition(|record| record.dead_letter.is_none());
    for record in waiting.into_iter().chain(poisonous) {
        sent.push(send(deployment, &producer, record).await);
    }
    let mut failures = Vec::new();
    for topic in ["directory.commands", "referral.commands", "routing.commands", "delivery.commands"] {
        let expected = sent
            .iter()
            .filter(|sent| sent.record.topic == topic)
            .filter(|sent| sent.record.dead_letter.is_some());
        let letters = letters(deployment, topic, expected.clone().count()).await;
        for one in sent.iter().filter(|sent| sent.record.topic == topic) {
            failures.extend(judge(one, letters.get(&(one.source.partition, one.source.offset))).err());
        }
    }
    failures
}

async fn send<'a>(deployment: &Deployment, producer: &FutureProducer, record: &'a Record) -> Sent<'a> {
    let topic = format!("{}{}", deployment.prefix, record.topic);
    let value = record.value.as_ref().map(|value| value.bytes(&record.name, &Names::new()).unwrap());
    let mut message = FutureRecord::to(&topic).partition(record.partition).key(&record.key);
    message.payload = value.as_deref();
    let delivery = producer.send(message, Duration::from_secs(10)).await.map_err(|(error, _)| error).unwrap();
    let source =
        InputPosition { topic: record.topic.clone(), partition: delivery.partition, offset: delivery.offset };
    Sent { record, value, source }
}

async fn letters(
    deployment: &Deployment,
    topic: &str,
    count: usize,
) -> BTreeMap<(i32, i64), (DeadLetter, OwnedMessage)> {
    let reader = reader(deployment, &format!("{topic}.dead-letter"));
    let codec = Codec::with_table();
    let found = std::cell::RefCell::new(BTreeMap::new());
    let all = || async {
        while let Some(Ok(message)) = reader.poll(Duration::from_millis(50)) {
            let letter: DeadLetter = codec.decode::<DeadLetter, _>(message.payload().unwrap()).unwrap();
            let place = (letter.source.partition, letter.source.offset);
            let twice = found.borrow_mut().insert(place, (letter, message.detach()));
            assert!(twice.is_none(), "two dead letters for one record");
        }
        (found.borrow().len() >= count).then_some(())
    };
    await_some(&format!("the dead letters of {topic}"), all).await.unwrap();
    found.into_inner()
}

fn judge(sent: &Sent<'_>, found: Option<&(DeadLetter, OwnedMessage)>) -> Result<(), String> {
    let name = &sent.record.name;
    let (Letter { service, reason }, (letter, message)) = match (&sent.record.dead_letter, found) {
        (None, None) => return Ok(()),
        (None, Some((letter, _))) => return Err(format!("{name}: set aside, and should wait: {letter:?}")),
        (Some(_), None) => return Err(format!("{name}: there is no dead letter")),
        (Some(expected), Some(found)) => (expected, found),
    };
    let wanted = DeadLetter {
        source: sent.source.clone(),
        reason: reason.clone(),
        service: service.clone(),
        time: letter.time,
        key: Some(sent.record.key.clone().into_bytes()),
        value: sent.value.clone(),
    };
    if *letter != wanted {
        return Err(format!("{name}: expected {wanted:?}\nfound {letter:?}"));
    }
    let InputPosition { topic, partition, offset } = &sent.source;
    let wanted = BTreeMap::from([
        ("ce_specversion", "1.0".to_owned()),
        ("ce_id", format!("{topic}/{partition}/{offset}")),
        ("ce_type", "org.causeway.dead-letter.DeadLetter".to_owned()),
        ("ce_source", service.clone()),
        ("ce_time", letter.time.to_string()),
        ("ce_subject", sent.record.key.clone()),
        ("content-type", "application/avro".to_owned()),
    ]);
    let headers = message.headers().into_iter().flat_map(Headers::iter);
    let headers: BTreeMap<&str, String> = headers
        .filter(|header| header.key != "traceparent")
        .map(|header| (header.key, String::from_utf8_lossy(header.value.unwrap_or_default()).into_owned()))
        .collect();
    if headers != wanted || message.key() != Some(sent.record.key.as_bytes()) {
        return Err(format!("{name}: expected the headers {wanted:?}\nfound {headers:?}"));
    }
    Ok(())
}
