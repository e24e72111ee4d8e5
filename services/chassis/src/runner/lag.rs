//! How many inputs of the partitions owned here stand in Kafka unanswered.
//!
//! Asked on a thread and by a client of its own: a question to a broker waits behind that client's open fetch, and
//! would hold up every batch.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use schemas::topics;

use crate::kafka::{Isolation, Kafka};
use crate::runner::Status;
use crate::runner::group::NextOffsets;

/// How often the lag is measured, and how long the broker may take to say where an input ends.
const MEASURE: Duration = Duration::from_secs(5);
const ASK_TIMEOUT: Duration = Duration::from_secs(2);
/// How soon the end of the session is noticed.
const LOOK: Duration = Duration::from_millis(50);

/// The next offset of each input, by partition owned.
pub type Owned = Mutex<BTreeMap<i32, NextOffsets>>;

/// Measures until the session has ended; whether Kafka answers is tried on the topic `probe`.
///
/// # Errors
/// When Kafka's client does not accept its configuration.
pub fn measure(
    kafka: &Kafka,
    probe: &str,
    status: &Status,
    owned: &Owned,
    ended: &AtomicBool,
) -> Result<(), KafkaError> {
    let client: BaseConsumer = kafka.follower(Isolation::Committed).create()?;
    let mut measured = Instant::now();
    while !ended.load(Ordering::Relaxed) {
        std::thread::sleep(LOOK);
        if measured.elapsed() < MEASURE {
            continue;
        }
        measured = Instant::now();
        // Whoever owns nothing, as after a silence, wants to know as well.
        if client.fetch_watermarks(probe, 0, ASK_TIMEOUT).is_err() {
            continue;
        }
        status.note_heard();
        let owned = owned.lock().clone();
        let inputs = owned.iter().flat_map(|(partition, next)| next.iter().map(|next| (*partition, next)));
        let behind = inputs.map(|(partition, (topic, next))| {
            let ends = client.fetch_watermarks(topic, partition, ASK_TIMEOUT);
            ends.map_or(0, |(_, high)| unanswered(kafka.without_prefix(topic), *next, high))
        });
        status.lag.store(behind.sum(), Ordering::Relaxed);
    }
    Ok(())
}

/// An event topic ends with its last transaction's marker, which is no record.
fn unanswered(topic: &str, next: i64, high: i64) -> usize {
    let marker = i64::from(topics::is_event_topic(topic));
    usize::try_from(high - next - marker).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::unanswered;

    #[test]
    fn a_transactions_marker_is_not_an_input() {
        for (topic, next, high, expected) in [
            ("referral.commands", 7, 7, 0),
            ("referral.commands", 7, 9, 2),
            ("referral.events", 7, 7, 0),
            ("referral.events", 7, 8, 0),
            ("referral.events", 7, 10, 2),
        ] {
            assert_eq!(unanswered(topic, next, high), expected, "{topic} {next} {high}");
        }
    }
}
