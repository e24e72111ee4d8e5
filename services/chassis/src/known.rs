//! Known material as services match by it: every entry of every set, followed from its topic.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use known_material::{Algorithm, Digest, ExactIndex};
use parking_lot::RwLock;
use schemas::Event;
use schemas::codec::Codec;
use schemas::codes::DigestAlgorithm;
use schemas::digest_sets::{DigestSetsEvent, EntryPublished, KnownMatch, SetDigest, SetEntry};
use schemas::ids::SetEntryId;

use crate::follow::{self, Told};
use crate::kafka::Kafka;

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
}

impl KnownMaterial {
    /// Whether the topic was read to its end once.
    pub fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Relaxed)
    }

    /// The entries in which the same file stands, by any of its digests. An entry that has another digest of one of the
    /// same algorithms is of another file, and is not among them.
    pub fn of_file(&self, digests: &[(DigestAlgorithm, &str)]) -> Vec<KnownMatch> {
        let parsed = |(algorithm, value): &(DigestAlgorithm, &str)| exact(*algorithm, value);
        let file: Vec<Digest> = digests.iter().filter_map(parsed).collect();
        let sets = self.sets.read();
        let mut found: Vec<KnownMatch> = Vec::new();
        for digest in &file {
            for number in sets.index.find(digest) {
                let Some((entry_id, entry)) =
                    usize::try_from(*number).ok().and_then(|at| sets.entries.get(at))
                else {
                    continue;
                };
                let Some(published) = entry.standing() else { continue };
                if found.iter().any(|other| other.entry_id == *entry_id) || contradicted(published, &file) {
                    continue;
                }
                found.push(KnownMatch {
                    entry_id: *entry_id,
                    set: published.set.clone(),
                    by: published.by.clone(),
                    algorithm: named(digest.algorithm()),
                    classification: published.classification.clone(),
                    closes: entry.closes(),
                });
            }
        }
        found
    }

    /// Follows the topic until `stopping`, on a thread of its own.
    pub fn follow(&self, kafka: &Kafka, codec: &Codec, stopping: &dyn Fn() -> bool) {
        follow::view::<DigestSetsEvent>(kafka, codec, stopping, |told| match told {
            Told::Event { event, .. } => self.sets.write().take_in(&event),
            Told::Whole => self.complete.store(true, Ordering::Relaxed),
        });
    }
}

impl Sets {
    fn take_in(&mut self, event: &Event<DigestSetsEvent>) {
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

/// Whether a file and an entry have digests of one algorithm, and none of them in common.
fn contradicted(published: &EntryPublished, file: &[Digest]) -> bool {
    let entry: Vec<Digest> = published.digests.iter().filter_map(of_file).collect();
    let differs = |algorithm: Algorithm| {
        let of = |digests: &[Digest]| -> Vec<Digest> {
            digests.iter().filter(|one| one.algorithm() == algorithm).copied().collect()
        };
        let (ours, theirs) = (of(file), of(&entry));
        !ours.is_empty() && !theirs.is_empty() && ours.iter().all(|digest| !theirs.contains(digest))
    };
    Algorithm::ALL.into_iter().any(differs)
}

/// The digests of an entry that stands, as the same file is found by.
fn digests(entry: &SetEntry) -> Vec<Digest> {
    let digests = entry.standing().map(|published| published.digests.iter());
    digests.into_iter().flatten().filter_map(of_file).collect()
}

fn of_file(digest: &SetDigest) -> Option<Digest> {
    exact(digest.algorithm, &digest.value)
}

fn exact(algorithm: DigestAlgorithm, value: &str) -> Option<Digest> {
    Digest::parse(finds_files(algorithm)?, value).ok()
}

/// The algorithms by which the same file is found.
pub fn finds_files(algorithm: DigestAlgorithm) -> Option<Algorithm> {
    matched(algorithm).filter(|algorithm| *algorithm != Algorithm::Pdq)
}

/// The algorithms that material is matched by.
pub const fn matched(algorithm: DigestAlgorithm) -> Option<Algorithm> {
    match algorithm {
        DigestAlgorithm::Md5 => Some(Algorithm::Md5),
        DigestAlgorithm::Sha1 => Some(Algorithm::Sha1),
        DigestAlgorithm::Sha256 => Some(Algorithm::Sha256),
        DigestAlgorithm::Pdq => Some(Algorithm::Pdq),
        DigestAlgorithm::Sha512 | DigestAlgorithm::PhotoDna | DigestAlgorithm::TmkPdqf => None,
    }
}

/// The same, as messages name it.
pub const fn named(algorithm: Algorithm) -> DigestAlgorithm {
    match algorithm {
        Algorithm::Md5 => DigestAlgorithm::Md5,
        Algorithm::Sha1 => DigestAlgorithm::Sha1,
        Algorithm::Sha256 => DigestAlgorithm::Sha256,
        Algorithm::Pdq => DigestAlgorithm::Pdq,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
mod tests {
    use schemas::ids::{AgencyId, Country, SetName};

    use super::*;

    fn digest(algorithm: DigestAlgorithm, letter: &str) -> SetDigest {
        let bytes = matched(algorithm).unwrap().bytes();
        SetDigest { algorithm, value: letter.repeat(2 * bytes) }
    }

    #[test]
    fn an_entry_of_another_file_does_not_match_by_a_digest_that_two_files_share() {
        let (md5, sha256) = (DigestAlgorithm::Md5, DigestAlgorithm::Sha256);
        let versions = vec![digest(md5, "a"), digest(sha256, "b"), digest(sha256, "c")];
        let published = EntryPublished {
            set: SetName::try_new("confirmed").unwrap(),
            entry: "1".to_owned(),
            by: AgencyId::try_new("nl-hotline").unwrap(),
            country: Country::try_new("NL").unwrap(),
            member: None,
            classification: None,
            digests: versions,
        };
        let of = |digests: &[SetDigest]| digests.iter().filter_map(of_file).collect::<Vec<_>>();
        assert!(!contradicted(&published, &of(&[digest(md5, "a")])));
        assert!(!contradicted(&published, &of(&[digest(md5, "a"), digest(sha256, "c")])));
        assert!(contradicted(&published, &of(&[digest(md5, "a"), digest(sha256, "d")])));
    }
}
