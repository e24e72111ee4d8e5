//! (a) The limit: what Kafka's own client can do with the records of routing when nothing is decided.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use rdkafka::message::Message;
use schemas::Event;
use schemas::codec::Codec;
use schemas::routing::RoutingEvent;

use super::copier::{self, Copied, Copy, Plain, Turns};
use super::ground::{Ground, PARTITIONS};
use super::say;
use super::topic::{Reader, Record};

/// Most inputs in one transaction: the runner's own limit.
const BATCH: usize = 2_000;
/// Most inputs that are read: beyond, the limit no longer depends on how many there are.
const MOST: usize = 100_000;
/// Inputs whose outputs, as routing has written them, are written in turn.
const SAMPLE: usize = 10_000;
/// The limit is the best of so many runs: a run is short, and whatever disturbs it makes it slower.
const TRIES: usize = 3;
/// A batch is full while there is more to come.
const WAIT: Duration = Duration::from_millis(200);

/// Records of the loop that is held against the reference measurements, and their size in bytes.
const REFERENCE_RECORDS: usize = 200_000;
const REFERENCE_BYTES: usize = 400;

#[derive(Clone, Copy, Debug, Default)]
pub struct Limit {
    /// Inputs a second, with the records of routing; to be compared with its incidents a second.
    pub routing: Copied,
    /// Bytes of a record's key and value, on average.
    pub record_bytes: f64,
    /// Copies of 400-byte records a second, 1,000 in a transaction: the reference has 64,000 to 66,900.
    pub copy_1000_per_s: f64,
    /// The same with 10,000 in a transaction: the reference has 124,800 to 134,500.
    pub copy_10000_per_s: f64,
}

/// Reads `referral.events` as routing does, and writes for each input the records that routing has written for one:
/// the same bytes and headers, the same settings of the producer, the same partition, the same batches. It decodes,
/// decides and folds nothing.
pub async fn measure(ground: &Ground, incidents: usize) -> anyhow::Result<Limit> {
    let kafka = &ground.kafka;
    let outputs = outputs(ground, incidents.min(SAMPLE))?;
    copier::create_topics(kafka, &["limit", "reference", "reference-1000", "reference-10000"]).await?;
    let (from, wait) = ("referral.events", WAIT);
    let inputs = incidents.min(MOST);
    let mut turns = Turns::start(kafka, "limit")?;
    let copy = Copy { kafka, from, to: "limit", inputs, batch: BATCH, wait, outputs: &outputs };
    let mut routing = Copied::default();
    for _ in 0..TRIES {
        let again = copier::copy(&copy, &mut turns)?;
        routing = if again.inputs_per_s > routing.inputs_per_s { again } else { routing };
    }
    let records = || outputs.iter().flatten();
    let bytes: usize = records().map(|record| record.key.len() + record.value.len()).sum();
    let record_bytes = bytes as f64 / records().count().max(1) as f64;
    say!(
        "(a) limit: {:.0} inputs a second, {:.0} records of {record_bytes:.0} bytes, {:.0} in a transaction",
        routing.inputs_per_s,
        routing.records_per_s,
        routing.records_per_transaction
    );

    let record = || Record {
        partition: 0,
        key: Vec::new(),
        value: (0..REFERENCE_BYTES).map(|_| rand::random()).collect(),
        headers: None,
    };
    let outputs: Vec<Vec<Record>> = (0..SAMPLE).map(|_| vec![record()]).collect();
    fill(ground, &outputs)?;
    let mut reference = |to, batch| {
        let inputs = REFERENCE_RECORDS;
        let copy = Copy { kafka, from: "reference", to, inputs, batch, wait, outputs: &outputs };
        copier::copy(&copy, &mut turns)
    };
    let copy_1000_per_s = reference("reference-1000", 1_000)?.records_per_s;
    let copy_10000_per_s = reference("reference-10000", 10_000)?.records_per_s;
    say!("(a) limit: copies {copy_1000_per_s:.0} and {copy_10000_per_s:.0} records of 400 bytes a second");
    Ok(Limit { routing, record_bytes, copy_1000_per_s, copy_10000_per_s })
}

fn fill(ground: &Ground, records: &[Vec<Record>]) -> anyhow::Result<()> {
    let plain = Plain::start(&ground.kafka.producer())?;
    let records = records.iter().flatten().cycle().take(REFERENCE_RECORDS);
    let spread = (0..PARTITIONS).cycle().zip(records);
    plain.write(&ground.kafka.topic("reference"), spread)?;
    Ok(())
}

/// What routing has written, for each of the first inputs.
fn outputs(ground: &Ground, inputs: usize) -> anyhow::Result<Vec<Vec<Record>>> {
    let (codec, mut reader) = (Codec::with_table(), Reader::open(&ground.kafka, "routing.events")?);
    let mut outputs: BTreeMap<(i32, i64), Vec<Record>> = BTreeMap::new();
    while let Some(message) = reader.next()? {
        let value = message.payload().context("an event has a value")?;
        let event: Event<RoutingEvent> = codec.decode::<RoutingEvent, _>(value)?;
        let key = (event.input.partition, event.input.offset);
        // One more than asked for: the last one may not be whole.
        if !outputs.contains_key(&key) && outputs.len() > inputs {
            break;
        }
        outputs.entry(key).or_default().push(Record::of(&message));
    }
    Ok(outputs.into_values().take(inputs).collect())
}
