//! Compares an incident's pictures with known ones, where the keys are: their digests stand sealed, and leave nowhere.
//!
//! Every instance may do it for every incident: the same sealing compared is the same command.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chassis::decider::{IndexEntry, IndexKey};
use chassis::follow::{self, Told};
use chassis::front::{Front, Request, WeakFront};
use chassis::kafka::Kafka;
use chassis::keys::KeyError;
use chassis::known::matched;
use chassis::problem::chain;
use chassis::seal::Binding;
use known_material::{Digest, MAX_DISTANCE, NearIndex, Pdq};
use parking_lot::RwLock;
use schemas::codec::Codec;
use schemas::codes::{DigestAlgorithm, FacetKind, RejectionCode};
use schemas::delivery::{ComparePictures, DeliveryEvent, PictureMatch};
use schemas::digest_sets::{DigestSetsEvent, SetEntry};
use schemas::ids::{AgencyId, CommandId, IncidentId, ItemRef, PictureMatchId, SetEntryId};
use schemas::referral::SealedFacet;
use schemas::routing::FacetRef;
use schemas::{Actor, Event};
use serde::Deserialize;

use crate::disclosure::{Discloser, OpenError};
use crate::domain::pictures::MAX_MATCHES;
use crate::{Delivery, avro};

/// Before every key of the index that names an incident with pictures to compare; no agency's id begins like it.
const PENDING: &[u8] = b"\0pictures\0";
const LOOK: Duration = Duration::from_millis(500);

/// Which incidents have pictures to compare, as the fold's index has it.
pub fn entries(event: &Event<DeliveryEvent>) -> Vec<IndexEntry> {
    let entry = |value| {
        let key = IndexKey::Whole([PENDING, event.aggregate_id.as_bytes()].concat());
        vec![IndexEntry { key, value }]
    };
    let has_pictures =
        |facets: &[FacetRef]| facets.iter().any(|one| one.kind == FacetKind::PerceptualDigests);
    match &event.body {
        DeliveryEvent::IncidentRegistered(opened) if has_pictures(&opened.facets) => entry(Some(Vec::new())),
        // Of digests that an amendment leaves out there is nothing to compare any more.
        DeliveryEvent::IncidentUpdated(updated) => entry(has_pictures(&updated.facets).then(Vec::new)),
        DeliveryEvent::PicturesCompared(_) => entry(None),
        _ => Vec::new(),
    }
}

/// Entries of digest sets by what their pictures look like, followed from their topic. Cheap to clone.
#[derive(Clone, Default)]
pub struct KnownPictures {
    sets: Arc<RwLock<Sets>>,
    complete: Arc<AtomicBool>,
}

#[derive(Default)]
struct Sets {
    entries: HashMap<SetEntryId, SetEntry>,
    index: NearIndex,
    /// Whose the numbers of the index are.
    numbers: HashMap<u32, SetEntryId>,
    of_entry: HashMap<SetEntryId, Vec<u32>>,
}

impl KnownPictures {
    pub fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Relaxed)
    }

    /// Follows the topic until `stopping`, on a thread of its own.
    pub fn follow(&self, kafka: &Kafka, codec: &Codec, stopping: &dyn Fn() -> bool) {
        follow::view::<DigestSetsEvent>(kafka, codec, stopping, |told| match told {
            Told::Event { event, .. } => self.sets.write().take_in(&event),
            Told::Whole => self.complete.store(true, Ordering::Relaxed),
        });
    }

    /// What a picture looks like, nearest first: every entry that stands within the distance.
    fn like(&self, item_ref: ItemRef, digest: &Pdq) -> Vec<PictureMatch> {
        let sets = self.sets.read();
        let mut found: Vec<PictureMatch> = Vec::new();
        for near in sets.index.within(digest, MAX_DISTANCE) {
            let entry = sets.numbers.get(&near.number).and_then(|id| Some((*id, sets.entries.get(id)?)));
            let Some((entry_id, published)) = entry.and_then(|(id, entry)| Some((id, entry.standing()?)))
            else {
                continue;
            };
            if found.iter().any(|other| other.entry_id == entry_id) {
                continue;
            }
            found.push(PictureMatch {
                match_id: PictureMatchId::of_item(item_ref, entry_id),
                item_ref,
                entry_id,
                set: published.set.clone(),
                by: published.by.clone(),
                classification: published.classification.clone(),
                distance: i32::try_from(near.distance).unwrap_or(i32::MAX),
            });
        }
        found
    }
}

impl Sets {
    fn take_in(&mut self, event: &Event<DigestSetsEvent>) {
        let Ok(entry_id) = event.aggregate_id.parse() else { return };
        let entry = self.entries.entry(entry_id).or_default();
        let before = pictures(entry);
        entry.evolve(&event.body);
        let after = pictures(entry);
        if before == after {
            return;
        }
        for number in self.of_entry.remove(&entry_id).unwrap_or_default() {
            self.index.remove(number);
            self.numbers.remove(&number);
        }
        let numbers: Vec<u32> = after.into_iter().map(|digest| self.index.add(digest)).collect();
        self.numbers.extend(numbers.iter().map(|number| (*number, entry_id)));
        self.of_entry.insert(entry_id, numbers);
    }
}

/// The PDQ digests of an entry that stands.
fn pictures(entry: &SetEntry) -> Vec<Pdq> {
    let digests = entry.standing().map(|published| published.digests.iter());
    let of_pictures = digests.into_iter().flatten().filter(|one| one.algorithm == DigestAlgorithm::Pdq);
    of_pictures.filter_map(|digest| pdq(&digest.value)).collect()
}

fn pdq(value: &str) -> Option<Pdq> {
    match Digest::parse(matched(DigestAlgorithm::Pdq)?, value) {
        Ok(Digest::Pdq(digest)) => Some(digest),
        _ => None,
    }
}

#[derive(Debug, thiserror::Error)]
enum CompareError {
    #[error("failed to open the digests")]
    Open(#[source] Box<OpenError>),
    #[error("the digests do not read")]
    Read(#[from] serde_json::Error),
    #[error("a blocking step broke off")]
    Broken,
    #[error("what was found was not recorded: {0}")]
    Refused(String),
}

impl From<OpenError> for CompareError {
    fn from(error: OpenError) -> Self {
        Self::Open(Box::new(error))
    }
}

/// The sealed digests of a referral's pictures, as intake writes them.
#[derive(Deserialize)]
struct Sealed {
    items: Vec<SealedDigest>,
}

#[derive(Deserialize)]
struct SealedDigest {
    item_ref: ItemRef,
    algorithm: DigestAlgorithm,
    value: String,
}

/// Runs beside the pages of delivery.
pub struct Comparer {
    pub front: WeakFront<Delivery>,
    pub discloser: Arc<Discloser>,
    pub known: KnownPictures,
}

impl Comparer {
    /// Until the pages are served no more.
    pub async fn run(self) {
        loop {
            tokio::time::sleep(LOOK).await;
            let Some(front) = self.front.upgrade() else { return };
            if !self.known.is_complete() {
                continue;
            }
            for incident in pending(&front) {
                // One that cannot be compared keeps no other waiting.
                if let Err(error) = self.compare(&front, incident).await {
                    tracing::warn!(%incident, error = %chain(&error), "pictures wait to be compared, trying again");
                }
            }
        }
    }

    async fn compare(&self, front: &Front<Delivery>, incident: IncidentId) -> Result<(), CompareError> {
        let state = front.state(&incident.to_string()).map_err(|problem| refused(&problem))?;
        let registered = state.state.registered.as_ref();
        let Some((registered, facet)) = registered.zip(state.state.pictures_facet()) else { return Ok(()) };
        if state.state.pictures.compared.contains(&facet.facet_id) {
            return Ok(());
        }
        let binding = Binding {
            incident_id: incident,
            referral_id: registered.referral_id,
            facet_id: facet.facet_id,
            kind: facet.kind,
            key_set_id: facet.key_set_id,
        };
        let facet_id = facet.facet_id;
        let matches = match state.state.erasures.closed(facet_id, &AgencyId::own()) {
            // What was erased is like nothing.
            Some(RejectionCode::Erased) => Vec::new(),
            // Under a hold nobody opens it.
            Some(_) => return Ok(()),
            None => {
                let (discloser, known) = (Arc::clone(&self.discloser), self.known.clone());
                let facet = facet.clone();
                let look = move || look(&discloser, &known, &facet, &binding);
                match tokio::task::spawn_blocking(look).await.map_err(|_| CompareError::Broken)?? {
                    Some(matches) => matches,
                    None => return Ok(()),
                }
            }
        };
        let request = Request {
            command_id: CommandId::derive(&[
                b"compare pictures",
                incident.as_uuid().as_bytes(),
                facet_id.as_uuid().as_bytes(),
            ]),
            digest: facet_id.as_uuid().as_bytes().to_vec(),
            aggregate_id: incident.to_string(),
            agency: AgencyId::own(),
            actor: Actor::service("delivery"),
            signature: None,
            body: ComparePictures { facet_id, matches }.into(),
        };
        front.submit(request).await.map(drop).map_err(|problem| refused(&problem))
    }
}

fn refused(problem: &chassis::problem::Problem) -> CompareError {
    CompareError::Refused(problem.code().to_owned())
}

fn pending(front: &Front<Delivery>) -> Vec<IncidentId> {
    let end = [PENDING, &[u8::MAX]].concat();
    let named = |key: Vec<u8>| std::str::from_utf8(key.strip_prefix(PENDING)?).ok()?.parse().ok();
    let read: Result<Vec<_>, _> = front.fold().index(PENDING, &end).collect();
    match read {
        Ok(entries) => entries.into_iter().filter_map(|(key, _)| named(key)).collect(),
        Err(error) => {
            tracing::error!(error = %chain(&error), "failed to read which pictures wait, trying again");
            Vec::new()
        }
    }
}

/// Opens the digests and looks each up; nothing while their keys have not come here yet.
fn look(
    discloser: &Discloser,
    known: &KnownPictures,
    facet: &FacetRef,
    binding: &Binding,
) -> Result<Option<Vec<PictureMatch>>, CompareError> {
    let key_set = match discloser.keys.key_set(facet.key_set_id) {
        Ok(key_set) => key_set,
        Err(KeyError::Gone | KeyError::Behind) => return Ok(None),
        Err(error) => return Err(OpenError::from(error).into()),
    };
    let sealed = sealed(discloser, facet)?;
    let plain = discloser.vault.open_facet(&key_set, binding, &sealed.nonce, &sealed.ciphertext);
    let opened: Sealed = serde_json::from_slice(&plain.map_err(OpenError::from)?)?;
    let of_pictures = opened.items.iter().filter(|item| item.algorithm == DigestAlgorithm::Pdq);
    let digests = of_pictures.filter_map(|item| Some((item.item_ref, pdq(&item.value)?)));
    let mut matches: Vec<PictureMatch> =
        digests.flat_map(|(item_ref, digest)| known.like(item_ref, &digest)).collect();
    matches.sort_by_key(|found| found.distance);
    matches.truncate(MAX_MATCHES);
    Ok(Some(matches))
}

fn sealed(discloser: &Discloser, facet: &FacetRef) -> Result<SealedFacet, OpenError> {
    let at = &facet.at;
    let (_, value) =
        discloser.records.read(&at.topic, at.partition, at.offset)?.ok_or(OpenError::NotThere)?;
    let facets = avro::read_sealed_facets(&discloser.codec, &at.topic, &value)?;
    facets.into_iter().find(|one| one.facet_id == facet.facet_id).ok_or(OpenError::NotThere)
}
