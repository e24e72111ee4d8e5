//! (g) Where the milliseconds of (d) go: by the times that Kafka's records carry, which producers set when they send.

use std::collections::HashMap;

use rdkafka::message::Message;

use super::ground::Ground;
use super::latency::Sent;
use super::report::{Hop, percentile};
use super::topic::Reader;

/// Each hop ends with a record of this topic being sent; the last one with the entry on the stream. What a hop
/// holds: the request, its gate, its sealing and its durable keys; the wait for intake's batch and its decision; that
/// batch's commit, and routing's wait and decision; that commit, and delivery's wait and decision; that commit, its
/// fold, and the stream.
const HOPS: [(&str, &str); 5] = [
    ("request to command", "referral.commands"),
    ("command to referral event", "referral.events"),
    ("referral to routing event", "routing.events"),
    ("routing to delivery event", "delivery.events"),
    ("delivery event to stream", ""),
];

pub fn measure(ground: &Ground, sent: &[Sent]) -> anyhow::Result<Vec<Hop>> {
    let mut from: Vec<f64> = sent.iter().map(|sent| sent.due_ms).collect();
    let mut hops = Vec::new();
    for (name, topic) in HOPS {
        let to: Vec<f64> = if topic.is_empty() {
            sent.iter().map(|sent| sent.arrived_ms).collect()
        } else {
            let times = first_times(ground, topic)?;
            sent.iter().map(|sent| times.get(&sent.incident).copied().unwrap_or(f64::NAN)).collect()
        };
        let mut took: Vec<f64> = from.iter().zip(&to).map(|(from, to)| to - from).collect();
        took.sort_by(f64::total_cmp);
        hops.push(Hop { name, p50: percentile(&took, 0.5), p99: percentile(&took, 0.99) });
        from = to;
    }
    Ok(hops)
}

/// When the first record of each incident was sent, in milliseconds since 1970.
fn first_times(ground: &Ground, topic: &str) -> anyhow::Result<HashMap<String, f64>> {
    let (mut reader, mut times) = (Reader::open(&ground.kafka, topic)?, HashMap::new());
    while let Some(message) = reader.next()? {
        let (Some(key), Some(time)) = (message.key(), message.timestamp().to_millis()) else { continue };
        times.entry(String::from_utf8_lossy(key).into_owned()).or_insert(time as f64);
    }
    Ok(times)
}
