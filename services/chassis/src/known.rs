//! Known material as services match by it: every entry of every set, followed from its topic.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use known_material::{Algorithm, Digest, ExactIndex};
use parking_lot::RwLock;
use schemas::Event;
use schemas::codec::Codec;
use schemas::codes::DigestAlgorithm;
use schemas::digest_sets::{DigestSetsEvent, KnownMatch, SetDigest, SetEntry};
use schemas::envelope::Body;
use schemas::ids::SetEntryId;
use tracing::error;

use crate::follow;
use crate::kafka::Kafka;

/// Pause before a follower that failed is begun anew.
const AGAIN: Duration = Duration::from_secs(1);

/// Shared by everything in the process. Cheap to clone.
#[derive(Clone, Default)]
pub struct KnownMaterial {
    sets: Arc<RwLock<Sets>>,
    complete: Arc<AtomicBool>,
}

/// Entries by number, and the number of each.
#[derive(Default)]
struct Sets {
    entries: Vec<(SetEntryId, SetEntry)>,
    numbers: HashMap<SetEntryId, u32>,
    index: ExactIndex,
    /// Where each partition goes on.
    next: BTreeMap<i32, i64>,
}

impl KnownMaterial {
    /// Whether the topic was read to its end once.
    pub fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Relaxed)
    }

    /// The entries in which the same file stands, by one of its digests.
    pub fn find(&self, algorithm: DigestAlgorithm, value: &str) -> Vec<KnownMatch> {
        let Some(digest) = exact(algorithm, value) else { return Vec::new() };
        let sets = self.sets.read();
        let found = sets.index.find(&digest).iter().filter_map(|number| {
            let (entry_id, entry) = sets.entries.get(usize::try_from(*number).ok()?)?;
            let published = entry.standing()?;
            Some(KnownMatch {
                entry_id: *entry_id,
                set: published.set.clone(),
                by: published.by.clone(),
                algorithm,
                classification: published.classification.clone(),
                closes: entry.closes(),
            })
        });
        found.collect()
    }

    /// Follows the topic until `stopping`, on a thread of its own. Failures are told and begun anew.
    pub fn follow(&self, kafka: &Kafka, codec: &Codec, stopping: &dyn Fn() -> bool) {
        let partitions = kafka.partitions_of_topic(DigestSetsEvent::TOPIC);
        while !stopping() {
            let next = self.sets.read().next.clone();
            let mut behind: Vec<i32> = (0..partitions).collect();
            let followed = follow::topic::<DigestSetsEvent>(
                kafka,
                codec,
                (0..partitions).map(|partition| (partition, next.get(&partition).copied().unwrap_or(0))),
                stopping,
                |told| match told {
                    follow::Told::Event { partition, offset, event } => {
                        self.sets.write().take_in(&event, partition, offset);
                    }
                    follow::Told::End { partition } => {
                        behind.retain(|other| *other != partition);
                        if behind.is_empty() {
                            self.complete.store(true, Ordering::Relaxed);
                        }
                    }
                },
            );
            if let Err(failed) = followed {
                error!(error = %crate::problem::chain(&*failed), "following the digest sets failed, retrying");
                std::thread::sleep(AGAIN);
            }
        }
    }
}

impl Sets {
    fn take_in(&mut self, event: &Event<DigestSetsEvent>, partition: i32, offset: i64) {
        self.next.insert(partition, offset + 1);
        let Ok(entry_id) = event.aggregate_id.parse() else { return };
        let new = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(entry_id).or_insert(new);
        if number == new {
            self.entries.push((entry_id, SetEntry::default()));
        }
        let Some((_, entry)) = self.entries.get_mut(usize::try_from(number).unwrap_or(usize::MAX)) else {
            return;
        };
        let before = digests(entry);
        entry.evolve(&event.body);
        let after = digests(entry);
        before
            .iter()
            .filter(|digest| !after.contains(digest))
            .for_each(|digest| self.index.remove(digest, number));
        after.into_iter().for_each(|digest| self.index.add(digest, number));
    }
}

/// The digests of an entry that stands, as the same file is found by.
fn digests(entry: &SetEntry) -> Vec<Digest> {
    let digests = entry.standing().map(|published| published.digests.iter());
    let exact = |digest: &SetDigest| exact(digest.algorithm, &digest.value);
    digests.into_iter().flatten().filter_map(exact).collect()
}

fn exact(algorithm: DigestAlgorithm, value: &str) -> Option<Digest> {
    let algorithm = match algorithm {
        DigestAlgorithm::Md5 => Algorithm::Md5,
        DigestAlgorithm::Sha1 => Algorithm::Sha1,
        DigestAlgorithm::Sha256 => Algorithm::Sha256,
        _ => return None,
    };
    Digest::parse(algorithm, value).ok()
}
