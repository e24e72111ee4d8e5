//! (e) Rebuilding a state from its topic, beside a plain loop that reads and decodes the same topic.

use std::time::Instant;

use anyhow::Context;
use rdkafka::message::Message;
use schemas::Event;
use schemas::codec::Codec;
use schemas::delivery::DeliveryEvent;
use schemas::envelope::EventBody;
use schemas::routing::RoutingEvent;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ground::Ground;
use super::say;
use super::topic::Reader;

/// What the service says once its fold is complete; with it stand the events and the seconds they took.
const FOLDED: &str = "event topic folded";

#[derive(Clone, Copy, Debug, Default)]
pub struct Rebuild {
    /// Events a second into an empty store, by the service's own clock: from asking for the first record until each
    /// partition was folded to its end.
    pub per_s: f64,
    /// Events a second of a loop that decodes each record and drops it, on one thread, with the same settings.
    pub read_decode_per_s: f64,
    /// Most that was resident while the state was built.
    pub peak_mib: f64,
}

pub async fn of_routing(ground: &Ground) -> anyhow::Result<Rebuild> {
    measure::<RoutingEvent>(ground, "routing").await
}

/// Delivery finds its key sets anew at the same time.
pub async fn of_delivery(ground: &Ground) -> anyhow::Result<Rebuild> {
    measure::<DeliveryEvent>(ground, "delivery").await
}

async fn measure<E: EventBody + DeserializeOwned>(
    ground: &Ground,
    service: &'static str,
) -> anyhow::Result<Rebuild> {
    let read_decode_per_s = read_and_decode::<E>(ground)?;
    let process = ground.start_afresh(service).await?;
    let per_s = folded_per_second(&process.log()?)?;
    say!("(e) {service}: rebuilds {per_s:.0} events a second, reads and decodes {read_decode_per_s:.0}");
    let peak_mib = process.memory_at_rest().await?.peak_mib;
    process.stop()?;
    Ok(Rebuild { per_s, read_decode_per_s, peak_mib })
}

fn read_and_decode<E: EventBody + DeserializeOwned>(ground: &Ground) -> anyhow::Result<f64> {
    let codec = Codec::with_table();
    let begun = Instant::now();
    let (mut reader, mut count) = (Reader::open(&ground.kafka, E::TOPIC)?, 0);
    while let Some(message) = reader.next()? {
        let value = message.payload().context("an event has a value")?;
        let event: Event<E> = codec.decode::<E, _>(value)?;
        std::hint::black_box(event);
        count += 1;
    }
    Ok(f64::from(count) / begun.elapsed().as_secs_f64())
}

fn folded_per_second(log: &str) -> anyhow::Result<f64> {
    let line =
        log.lines().find(|line| line.contains(FOLDED)).context("the log does not tell of a rebuild")?;
    let line: Value = serde_json::from_str(line)?;
    let number = |name: &str| line["fields"][name].as_f64().with_context(|| format!("{name} is missing"));
    Ok(number("events")? / number("seconds")?)
}
