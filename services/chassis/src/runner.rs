//! The runner: takes a service's inputs, decides them, and writes the events exactly once.
//!
//! One per service and process. The loop: collect a batch with no transaction open → begin → decide each on
//! the fold plus an overlay of this batch's own events → produce → drain → send offsets → commit → fold.
//! A batch closes as soon as the queue is empty, so low load has low latency and high load large batches.
//!
//! Invariants:
//! - the record itself says how far it has got: an input at or below the fold's input position is skipped;
//! - nothing polls the group between begin and commit;
//! - a partition is decided on only after the take-over order of [`crate::follower`];
//! - an uncertain commit replaces the producers and takes everything over anew.

mod batch;
pub(crate) mod group;
mod session;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use schemas::codec::Codec;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::clock::Clock;
use crate::decider::Service;
use crate::failpoint::Failpoints;
use crate::fold::Fold;
use crate::follower::{self, FollowError, Follower};
use crate::kafka::Kafka;
use crate::lag::Lag;
use crate::meters;
use crate::problem;
use crate::reference::Reference;

use session::{Session, SessionError};

/// How soon it is looked again whether the directory was read to its end.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// Pause before a session that failed is begun anew.
const AGAIN: Duration = Duration::from_millis(500);

/// Everything a runner works with.
pub struct Runner<S: Service> {
    pub service: Arc<S>,
    pub fold: Arc<Fold<S>>,
    pub kafka: Kafka,
    /// This process's name among the instances of the service: stable over restarts.
    pub instance: String,
    pub codec: Codec,
    pub reference: Reference,
    pub clock: Clock,
    pub status: Arc<Status>,
    pub failpoints: Failpoints,
}

/// What makes a runner begin anew.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Follow(#[from] FollowError),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error("failed to start a thread")]
    Thread(#[source] std::io::Error),
    #[error("the runner panicked")]
    Panicked,
}

impl RunError {
    /// Whether what stands in the store contradicts the topic: then it is worth nothing.
    fn blames_the_store(&self) -> bool {
        match self {
            Self::Follow(FollowError::Fold(error)) | Self::Session(SessionError::Fold(error)) => {
                error.is_of_the_store()
            }
            Self::Follow(error) => error.is_beyond_the_topic(),
            Self::Session(_) | Self::Thread(_) | Self::Panicked => false,
        }
    }
}

/// How a runner stands, for readiness and metrics.
#[derive(Debug, Default)]
pub struct Status {
    stopping: AtomicBool,
    caught_up: watch::Sender<bool>,
    owned: AtomicUsize,
    /// When a batch was committed last, or there was none to commit.
    idle: Mutex<Option<Instant>>,
    /// Of the partitions owned here.
    pub lag: Arc<Lag>,
}

impl Status {
    /// Asks the runner to finish its batch and leave.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    pub(crate) fn note(&self, caught_up: bool, owned: usize) {
        self.caught_up.send_replace(caught_up);
        self.owned.store(owned, Ordering::Relaxed);
    }

    /// A batch was committed, or there is none.
    pub(crate) fn note_idle(&self) {
        *self.idle.lock() = Some(Instant::now());
    }

    /// Whether the fold was read to the topic's end once since the start.
    pub fn is_caught_up(&self) -> bool {
        *self.caught_up.borrow()
    }

    pub fn owned_partitions(&self) -> usize {
        self.owned.load(Ordering::Relaxed)
    }

    /// How long it has been since a batch was committed, or there was none.
    pub fn stalled(&self) -> Duration {
        let idle = self.idle.lock().filter(|_| self.is_caught_up());
        idle.map_or(Duration::ZERO, |idle| idle.elapsed())
    }
}

/// Tells the follower beside a session that it is over, also when it panics.
struct Ending<'a> {
    lag: &'a Lag,
    orders: Sender<follower::Order>,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.lag.reads([]);
        // The follower may have gone before: then there is nobody to stop.
        let _ = self.orders.send(follower::Order::Stop);
    }
}

impl<S: Service> Runner<S> {
    /// Runs on a thread of its own until [`Status::stop`].
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn spawn(self) -> std::io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name(format!("{}-runner", S::NAME)).spawn(move || self.run())
    }

    fn run(self) {
        while !self.status.is_stopping() {
            // What panics outside of a decision must not end the service silently: it begins anew, and says so.
            let ran = catch_unwind(AssertUnwindSafe(|| self.run_once())).unwrap_or(Err(RunError::Panicked));
            if let Err(error) = ran {
                warn!(service = S::NAME, error = %problem::chain(&error), "runner begins anew");
                meters::began_anew(S::NAME);
                self.status.caught_up.send_replace(false);
                if error.blames_the_store() {
                    self.rebuild();
                }
                std::thread::sleep(AGAIN);
            }
        }
        if let Err(error) = self.fold.store().flush() {
            warn!(service = S::NAME, error = %problem::chain(&error), "failed to flush the store");
        }
        info!(service = S::NAME, "runner stopped");
    }

    fn rebuild(&self) {
        warn!(service = S::NAME, "store does not fit the topic: emptied, rebuilding from the topic");
        if let Err(error) = self.fold.clear() {
            warn!(service = S::NAME, error = %problem::chain(&error), "failed to empty the store");
        }
    }

    /// Restores, follows, joins the group and works until something makes all of it begin anew.
    fn run_once(&self) -> Result<(), RunError> {
        let made = self.kafka.outages.mark();
        let (mut follower, handle) = Follower::new(&self.kafka, self.codec.clone(), Arc::clone(&self.fold))?;
        follower.restore(&|| self.status.is_stopping() || made.is_outdated())?;
        // A decision without the directory would find no agency, and is never taken again.
        while !self.reference.is_complete() && !self.status.is_stopping() {
            std::thread::sleep(LOOK_AGAIN);
        }
        if self.status.is_stopping() {
            return Ok(());
        }
        if made.is_outdated() {
            return Err(SessionError::Outage.into());
        }
        self.status.caught_up.send_replace(true);
        std::thread::scope(|scope| {
            let follow = move || follower.run().inspect_err(|error| follower::report(S::NAME, error));
            let following = std::thread::Builder::new()
                .name(format!("{}-follower", S::NAME))
                .spawn_scoped(scope, follow)
                .map_err(RunError::Thread)?;
            // Whatever ends the session: the scope waits for the follower, and that for this.
            let ending = Ending { lag: &self.status.lag, orders: handle.orders.clone() };
            let worked = Session::begin(self, handle, made).and_then(|mut session| session.work());
            drop(ending);
            // The follower's own failure says more than that the session found it gone.
            following.join().unwrap_or(Ok(()))?;
            Ok(worked?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_committed_stalls_once_the_topic_was_read() {
        let status = Status::default();
        status.note_idle();
        *status.idle.lock() = Instant::now().checked_sub(Duration::from_secs(90));
        assert_eq!(status.stalled(), Duration::ZERO, "a rebuild is no transaction that hangs");
        status.note(true, 1);
        assert!(status.stalled() >= Duration::from_secs(90));
        status.note_idle();
        assert!(status.stalled() < Duration::from_secs(90));
    }
}
