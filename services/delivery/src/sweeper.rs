//! Takes out key sets that no event names and none ever will: of whoever died between sealing and its command.
//!
//! A command that names them may wait for hours while its service is down. So nothing is taken out before all that was
//! written until then has been answered, through intake, routing, mla and victim-id to here. What was set aside as a
//! dead letter may be decided yet, and keeps its keys.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chassis::decider::Service;
use chassis::front::{Front, Position, WeakFront};
use chassis::kafka::Kafka;
use chassis::keys::{KeyWriter, NotWritten};
use chassis::problem::{Problem, chain};
use chassis::settled::{Settled, Unanswered};
use schemas::codec::{Codec, CodecError};
use schemas::delivery::DeliveryEvent;
use schemas::envelope::Body;
use schemas::ids::{IncidentId, KeySetId};
use schemas::sealed_keys::KeySet;
use schemas::{Timestamp, topics};

use crate::Delivery;

#[derive(Debug, thiserror::Error)]
enum SweepError {
    #[error("failed to ask Kafka")]
    Kafka(#[from] Unanswered),
    #[error("a key set does not decode")]
    Decode(#[from] CodecError),
    #[error("failed to take a key set out")]
    Write(#[from] NotWritten),
    #[error("an incident could not be read: {0}")]
    State(String),
    #[error("a blocking step broke off")]
    Broken,
}

/// Runs beside the pages of delivery.
pub struct Sweeper {
    pub front: WeakFront<Delivery>,
    pub kafka: Kafka,
    pub codec: Codec,
    pub writer: KeyWriter,
    /// How old a key set must be.
    pub after: Duration,
}

/// What is found in one sweep: key sets with their incidents, and where the next sweep goes on.
struct Found {
    key_sets: Vec<(KeySetId, IncidentId)>,
    next: BTreeMap<i32, i64>,
    /// How far this instance must have folded to know all that was answered.
    events: BTreeMap<i32, i64>,
}

impl Sweeper {
    /// Until the pages are served no more.
    pub async fn run(mut self) {
        let mut next = BTreeMap::new();
        loop {
            tokio::time::sleep(self.after).await;
            let Some(front) = self.front.upgrade() else { return };
            let (sweeper, looked) = match self.look(next.clone()).await {
                Ok(looked) => looked,
                Err(error) => {
                    tracing::error!(error = %chain(&error), "key sets that nobody names are swept no more");
                    return;
                }
            };
            self = sweeper;
            let swept = match looked {
                Ok(Some(found)) => self.sweep(&front, found).await.map(Some),
                Ok(None) => Ok(None),
                Err(error) => Err(error),
            };
            match swept {
                Ok(swept) => next = swept.unwrap_or(next),
                Err(error) => tracing::warn!(error = %chain(&error), "a sweep of key sets is tried again"),
            }
        }
    }

    /// What was sealed before and everything about it has been answered; nothing while something has not.
    async fn look(
        self,
        from: BTreeMap<i32, i64>,
    ) -> Result<(Self, Result<Option<Found>, SweepError>), SweepError> {
        let blocking = move || {
            let found = self.find(&from);
            (self, found)
        };
        tokio::task::spawn_blocking(blocking).await.map_err(|_| SweepError::Broken)
    }

    fn find(&self, from: &BTreeMap<i32, i64>) -> Result<Option<Found>, SweepError> {
        // By the brokers' clocks, which are real time.
        let now = Timestamp::from(jiff::Timestamp::now());
        let before = now.plus_millis(-i64::try_from(self.after.as_millis()).unwrap_or(i64::MAX));
        // Who takes up what was sealed, and delivery itself last. Hours lie between two sweeps: each has clients of its
        // own.
        let watched = topics::watched(Delivery::NAME);
        let settled = Settled::new(&self.kafka, watched.iter().copied().chain([Delivery::NAME]))?;
        // Whoever sealed before may name it in half of that.
        if !settled.is_settled()? {
            return Ok(None);
        }
        let events = settled.ends(DeliveryEvent::TOPIC)?;
        let aside: BTreeSet<Vec<u8>> = settled.set_aside(now)?.into_iter().collect();
        let (mut key_sets, mut broken) = (BTreeMap::new(), None);
        let next = settled.read(KeySet::TOPIC, from, before, |_, value| {
            match value.map(|value| self.codec.decode::<KeySet, KeySet>(value)) {
                Some(Ok(set)) if !aside.contains(set.incident_id.to_string().as_bytes()) => {
                    key_sets.insert(set.key_set_id, set.incident_id);
                }
                Some(Err(error)) => broken = Some(error),
                _ => {}
            }
        })?;
        match broken {
            Some(error) => Err(error.into()),
            None => Ok(Some(Found { key_sets: key_sets.into_iter().collect(), next, events })),
        }
    }

    /// Where the next sweep goes on.
    async fn sweep(&self, front: &Front<Delivery>, found: Found) -> Result<BTreeMap<i32, i64>, SweepError> {
        // The last one is its transaction's marker.
        for (partition, end) in found.events.into_iter().filter(|(_, end)| *end > 1) {
            let last = Position { service: Delivery::NAME.to_owned(), partition, offset: end - 2 };
            front.await_position(Some(&last)).await.map_err(refused)?;
        }
        for (key_set, incident) in found.key_sets {
            let state = front.state(&incident.to_string()).map_err(refused)?;
            if !state.state.names(key_set) {
                self.writer.erase(key_set).await?;
                tracing::info!(%key_set, "key set that nobody names taken out");
            }
        }
        Ok(found.next)
    }
}

fn refused(problem: Problem) -> SweepError {
    SweepError::State(problem.detail.unwrap_or_else(|| problem.title.into()))
}
