//! Takes erased data keys out of `sealed-keys`, and says when they are really gone.
//!
//! Each step is committed before the next: what stood where (`KeyErasureBegun`), then a tombstone or a record without
//! the keys, then `KeysErased` once no log holds the old record any more. Every step can be done again, so a crash
//! between two costs nothing, and neither do two instances that do the same.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chassis::decider::{IndexEntry, IndexKey};
use chassis::front::{Front, Request, WeakFront};
use chassis::keys::{KeyError, KeyIndex, KeyWriter, NotWritten};
use chassis::problem::{Problem, chain};
use chassis::seal::{SealError, Vault};
use chassis::store::StoreError;
use parking_lot::Mutex;
use schemas::Actor;
use schemas::codes::RejectionCode;
use schemas::delivery::{BeginKeyErasure, DeliveryCommand, DeliveryEvent, ReportKeysErased};
use schemas::digest::sha256;
use schemas::ids::{AgencyId, CommandId, FacetId, IncidentId, KeySetId};
use schemas::{Event, Timestamp, sealed_keys::KeySet};

use crate::Delivery;
use crate::domain::erasure::PendingKeys;

/// Before every key of the index that names a record with keys to take out; no agency's id begins like it.
const PENDING: &[u8] = b"\0erase\0";
/// How often it is looked for what is to be done: so many times in the time that an erasure may take.
const LOOKS: u32 = 200;
const LOOK_BOUNDS: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));
/// How often each partition of `sealed-keys` gets a record that lets its segment roll.
const HEARTBEATS: u32 = 48;

/// Which records are to be rewritten, as the fold's index has it.
pub fn entries(event: &Event<DeliveryEvent>) -> Vec<IndexEntry> {
    let key = |id: &KeySetId| IndexKey::Whole([PENDING, id.as_uuid().as_bytes()].concat());
    match &event.body {
        DeliveryEvent::FacetsErased(erased) => {
            let incident = event.aggregate_id.as_bytes();
            let entry = |id: &KeySetId| IndexEntry {
                key: key(id),
                value: Some([id.as_uuid().as_bytes(), incident].concat()),
            };
            erased.key_sets.iter().map(|key_set| entry(&key_set.key_set_id)).collect()
        }
        DeliveryEvent::KeysErased(erased) => vec![IndexEntry { key: key(&erased.key_set_id), value: None }],
        _ => Vec::new(),
    }
}

#[derive(Debug, thiserror::Error)]
enum EraseError {
    #[error("failed to read a key set")]
    Keys(#[from] KeyError),
    #[error("failed to write a key set")]
    Write(#[from] NotWritten),
    #[error("failed to seal a key set anew")]
    Seal(#[from] SealError),
    #[error("the step was not recorded: {0}")]
    Refused(String),
    #[error("a blocking step broke off")]
    Broken,
}

/// Runs beside the pages of delivery.
pub struct Eraser {
    pub front: WeakFront<Delivery>,
    pub vault: Arc<Vault>,
    pub keys: KeyIndex,
    pub writer: KeyWriter,
    /// Within which erased keys are gone from every replica; the topic's settings follow from it.
    pub within: Duration,
    pub waiting: Waiting,
}

/// Key sets that are to be erased, for whoever measures.
#[derive(Clone, Debug, Default)]
pub struct Waiting(Arc<Mutex<Option<Timestamp>>>);

impl Waiting {
    /// Since when the oldest waits.
    pub fn since(&self) -> Option<Timestamp> {
        *self.0.lock()
    }
}

impl Eraser {
    /// Until the pages are served no more.
    pub async fn run(self) {
        let look = (self.within / LOOKS).clamp(LOOK_BOUNDS.0, LOOK_BOUNDS.1);
        let mut beat = tokio::time::Instant::now();
        loop {
            tokio::time::sleep(look).await;
            let Some(front) = self.front.upgrade() else { return };
            if beat.elapsed() >= self.within / HEARTBEATS {
                beat = tokio::time::Instant::now();
                if let Err(error) = self.writer.heartbeat().await {
                    tracing::warn!(error = %chain(&error), "a segment of sealed-keys was not let roll");
                }
            }
            if let Err(error) = self.look(&front).await {
                tracing::warn!(error = %chain(&error), "failed to look for erasures, trying again");
            }
        }
    }

    async fn look(&self, front: &Front<Delivery>) -> Result<(), StoreError> {
        let end = [PENDING, &[u8::MAX; 17]].concat();
        let pending: Vec<_> = front.fold().index(PENDING, &end).collect::<Result<_, _>>()?;
        let mut oldest: Option<Timestamp> = None;
        for (_, value) in pending {
            let Some((id, incident)) = value.split_first_chunk::<16>() else { continue };
            let Ok(incident) = String::from_utf8_lossy(incident).parse::<IncidentId>() else { continue };
            // One that cannot go on keeps no other waiting.
            if let Err(error) = self.go_on(front, KeySetId::from_bytes(*id), incident, &mut oldest).await {
                tracing::warn!(%incident, error = %chain(&error), "an erasure waits, and is tried again");
            }
        }
        *self.waiting.0.lock() = oldest;
        Ok(())
    }

    async fn go_on(
        &self,
        front: &Front<Delivery>,
        key_set_id: KeySetId,
        incident: IncidentId,
        oldest: &mut Option<Timestamp>,
    ) -> Result<(), EraseError> {
        let state = front.state(&incident.to_string()).map_err(refused)?;
        let Some(pending) = state.state.erasures.pending.get(&key_set_id) else { return Ok(()) };
        *oldest = oldest.iter().copied().chain([pending.closed_at]).min();
        let facets: Vec<FacetId> = pending.facets.iter().copied().collect();
        let Some(begun_at) = pending.begun_at else {
            let offset = self.keys.offset(key_set_id)?;
            // Written a moment ago, or erased by hand long ago.
            if offset.is_none() && !self.is_over(front, pending.closed_at) {
                return Ok(());
            }
            let command = BeginKeyErasure { key_set_id, offset, facets };
            return self.submit(front, incident, "begin", pending, command.into()).await;
        };
        self.supersede(key_set_id, pending).await?;
        if self.is_over(front, begun_at) && self.is_gone(key_set_id, pending).await? {
            let command = ReportKeysErased { key_set_id, facets };
            return self.submit(front, incident, "erased", pending, command.into()).await;
        }
        Ok(())
    }

    fn is_over(&self, front: &Front<Delivery>, since: Timestamp) -> bool {
        let elapsed = front.clock().now().as_millis() - since.as_millis();
        u128::try_from(elapsed).is_ok_and(|elapsed| elapsed >= self.within.as_millis())
    }

    /// Writes what stands behind the old record, unless it does already.
    async fn supersede(&self, key_set_id: KeySetId, pending: &PendingKeys) -> Result<(), EraseError> {
        let Some(key_set) = self.current(key_set_id).await? else { return Ok(()) };
        if pending.whole {
            return Ok(self.writer.erase(key_set_id).await?);
        }
        if self.vault.holds_any(&key_set, &pending.facets)? {
            self.writer.write(&self.vault.without(&key_set, &pending.facets)?).await?;
        }
        Ok(())
    }

    /// The log that this instance can read holds no old record, and the newest lacks the keys. Other replicas are
    /// cleaned under the same bound, which has passed.
    async fn is_gone(&self, key_set_id: KeySetId, pending: &PendingKeys) -> Result<bool, EraseError> {
        if let Some(key_set) = self.current(key_set_id).await?
            && (pending.whole || self.vault.holds_any(&key_set, &pending.facets)?)
        {
            return Ok(false);
        }
        let (keys, offsets) = (self.keys.clone(), pending.offsets.clone());
        let stands = move || -> Result<bool, KeyError> {
            offsets.into_iter().try_fold(false, |any, offset| Ok(any || keys.stands(key_set_id, offset)?))
        };
        let stands = tokio::task::spawn_blocking(stands).await.map_err(|_| EraseError::Broken)?;
        Ok(!stands?)
    }

    async fn current(&self, key_set_id: KeySetId) -> Result<Option<KeySet>, EraseError> {
        let keys = self.keys.clone();
        let read = tokio::task::spawn_blocking(move || keys.key_set(key_set_id));
        match read.await.map_err(|_| EraseError::Broken)? {
            Ok(key_set) => Ok(Some(key_set)),
            Err(KeyError::Gone) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The same step of the same erasure is the same command, whichever instance takes it.
    async fn submit(
        &self,
        front: &Front<Delivery>,
        incident: IncidentId,
        step: &str,
        pending: &PendingKeys,
        body: DeliveryCommand,
    ) -> Result<(), EraseError> {
        let asked = facets_digest(&pending.facets);
        let closed = pending.closed_at.as_millis().to_be_bytes();
        let parts =
            [b"key erasure", step.as_bytes(), incident.as_uuid().as_bytes().as_slice(), &asked, &closed];
        let request = Request {
            command_id: CommandId::derive(&parts),
            digest: asked.to_vec(),
            aggregate_id: incident.to_string(),
            agency: AgencyId::own(),
            actor: Actor::service("delivery"),
            signature: None,
            body,
        };
        front.submit(request).await.map(drop).map_err(refused)
    }
}

fn facets_digest(facets: &BTreeSet<FacetId>) -> [u8; 32] {
    let ids: Vec<&[u8]> = facets.iter().map(|facet| facet.as_uuid().as_bytes().as_slice()).collect();
    sha256(&ids)
}

fn refused(problem: Problem) -> EraseError {
    EraseError::Refused(problem.detail.unwrap_or_else(|| RejectionCode::WrongState.to_string()))
}
