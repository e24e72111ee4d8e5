//! How far whoever reads is behind what stands in Kafka.
//!
//! Asked on a thread and by clients of its own: a question to a broker waits behind that client's open fetch, and
//! would hold up every batch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use schemas::topics;

use crate::kafka::{Isolation, Kafka};

/// How often it is measured, and how long the brokers may take to say where the inputs end: longer than a busy machine
/// needs. Together they are no longer than a broker is believed to be there: an outage leaves a question unanswered.
const MEASURE: Duration = Duration::from_secs(5);
const ASK_TIMEOUT: Duration = Duration::from_secs(4);
/// How soon the stop sign is noticed.
const LOOK: Duration = Duration::from_millis(50);
/// Brokers that were silent for so long may have been taken out of their cluster: they say that they are there, and
/// are believed to be for `broker.session.timeout.ms`, which is 9 s.
const OUTAGE: Duration = Duration::from_secs(8);
/// Whoever asked nothing for so long has stood still itself, and perhaps the brokers with it.
const STOOD_STILL: Duration = Duration::from_secs(20);

/// A topic, with prefix, and a partition of it.
type Input = (String, i32);

/// What a reader reads, and how far behind it was when it was measured last.
#[derive(Debug, Default)]
pub struct Lag {
    /// The next offset of each input.
    next: Mutex<BTreeMap<Input, i64>>,
    unanswered: AtomicUsize,
    /// When Kafka last said where the inputs end.
    heard: Mutex<Option<Instant>>,
    /// Since when the first of the inputs that are held up ends with a transaction that is not over.
    held: Mutex<Option<Instant>>,
}

/// Where an input ends for those who read what is committed, and where it does in truth.
#[derive(Clone, Copy)]
struct Ends {
    stable: i64,
    high: i64,
}

/// Where the inputs that end with an open transaction have stood since when.
type Held = BTreeMap<Input, (i64, Instant)>;

impl Lag {
    /// From now on these are read, and nothing else.
    pub(crate) fn reads(&self, next: impl IntoIterator<Item = (Input, i64)>) {
        *self.next.lock() = next.into_iter().collect();
    }

    /// The input was read, or answered, to before `next`. Of what is not read any more nothing is noted.
    pub fn note(&self, topic: &str, partition: i32, next: i64) {
        if let Some(known) = self.next.lock().get_mut(&(topic.to_owned(), partition)) {
            *known = next;
        }
    }

    /// Every partition of a topic is read, from its beginning.
    pub fn reads_all(&self, kafka: &Kafka, topic: &str) {
        let inputs = (0..kafka.partitions_of_topic(topic)).map(|partition| (kafka.topic(topic), partition));
        self.next.lock().extend(inputs.map(|input| (input, 0)));
    }

    /// Inputs in Kafka that were not read or answered yet.
    pub fn unanswered(&self) -> usize {
        self.unanswered.load(Ordering::Relaxed)
    }

    /// How long Kafka has not said where the inputs end.
    pub fn silent(&self) -> Duration {
        self.heard.lock().map_or(Duration::ZERO, |heard| heard.elapsed())
    }

    /// How long a transaction that is not over has held up an input.
    pub fn held(&self) -> Duration {
        self.held.lock().map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Measures until `stopping`, on the thread of the caller. The first partition of the topic `probe` is looked at
    /// all the same: whoever reads nothing, as after a silence, wants to know as well whether Kafka answers.
    ///
    /// # Errors
    /// When Kafka's client does not accept its configuration.
    pub(crate) fn measure(
        &self,
        kafka: &Kafka,
        probe: &str,
        stopping: &dyn Fn() -> bool,
    ) -> Result<(), KafkaError> {
        let client = |isolation| -> Result<BaseConsumer, KafkaError> { kafka.follower(isolation).create() };
        let probe = (kafka.topic(probe), 0);
        let (mut measured, mut held) = (Instant::now(), Held::new());
        let (mut clients, mut answered, mut has_failed) = (None, measured, false);
        *self.heard.lock() = Some(measured);
        while !stopping() {
            std::thread::sleep(LOOK);
            if measured.elapsed() < MEASURE {
                continue;
            }
            let (stable, high) = match clients.take() {
                Some(clients) => clients,
                None => (client(Isolation::Committed)?, client(Isolation::Uncommitted)?),
            };
            measured = Instant::now();
            let next = self.next.lock().clone();
            let asked: BTreeSet<&Input> = next.keys().chain([&probe]).collect();
            let (Ok(ends_stable), Ok(ends_high)) = (ends(&stable, &asked), ends(&high, &asked)) else {
                // The next time by other clients: these may never hear of anybody again.
                has_failed = true;
                continue;
            };
            clients = Some((stable, high));
            if answered.elapsed() > if has_failed { OUTAGE } else { STOOD_STILL } {
                kafka.outages.note(answered);
            }
            (answered, has_failed) = (Instant::now(), false);
            let ends =
                |input: &Input| Some(Ends { stable: *ends_stable.get(input)?, high: *ends_high.get(input)? });
            if !asked.into_iter().all(|input| ends(input).is_some()) {
                continue;
            }
            *self.heard.lock() = Some(measured);
            let behind = next.iter().map(|(input, next)| {
                ends(input).map_or(0, |ends| unanswered(kafka.without_prefix(&input.0), *next, ends.high))
            });
            self.unanswered.store(behind.sum(), Ordering::Relaxed);
            let ends = next.keys().filter_map(|input| Some((input.clone(), ends(input)?)));
            held = still_held(&held, ends, measured);
            *self.held.lock() = held.values().map(|(_, since)| *since).min();
        }
        Ok(())
    }
}

/// Where the inputs end for this client, as far as brokers say.
fn ends(client: &BaseConsumer, inputs: &BTreeSet<&Input>) -> Result<BTreeMap<Input, i64>, KafkaError> {
    let mut list = TopicPartitionList::new();
    for (topic, partition) in inputs {
        list.add_partition_offset(topic, *partition, Offset::End)?;
    }
    let told = client.offsets_for_times(list, ASK_TIMEOUT)?;
    let ends = told.elements().into_iter().filter_map(|end| match end.offset() {
        Offset::Offset(offset) if end.error().is_ok() => {
            Some(((end.topic().to_owned(), end.partition()), offset))
        }
        _ => None,
    });
    Ok(ends.collect())
}

/// An event topic ends with its last transaction's marker, which is no record.
fn unanswered(topic: &str, next: i64, high: i64) -> usize {
    let marker = i64::from(topics::is_event_topic(topic));
    usize::try_from(high - next - marker).unwrap_or(0)
}

/// Those whose end stands where it stood, before a transaction that is not over.
fn still_held(before: &Held, ends: impl Iterator<Item = (Input, Ends)>, now: Instant) -> Held {
    let open = ends.filter(|(_, ends)| ends.stable < ends.high);
    let since = |input: &Input, stable| match before.get(input) {
        Some((stood, since)) if *stood == stable => *since,
        _ => now,
    };
    open.map(|(input, ends)| {
        let since = since(&input, ends.stable);
        (input, (ends.stable, since))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn an_input_is_held_up_while_the_same_transaction_is_open() {
        let (input, begun) = (("referral.events".to_owned(), 0), Instant::now());
        let look = |before: &Held, stable, high, seconds| {
            let now = begun + Duration::from_secs(seconds);
            still_held(before, [(input.clone(), Ends { stable, high })].into_iter(), now)
        };
        let none = look(&Held::new(), 7, 7, 0);
        assert!(none.is_empty());
        let first = look(&none, 7, 9, 5);
        let later = look(&first, 7, 12, 10);
        assert_eq!(later[&input], (7, begun + Duration::from_secs(5)), "it is the same that is open");
        let another = look(&later, 10, 12, 15);
        assert_eq!(
            another[&input],
            (10, begun + Duration::from_secs(15)),
            "that one is over, and another is open"
        );
        assert!(look(&another, 12, 12, 20).is_empty());
    }
}
