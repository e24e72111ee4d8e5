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
mod group;
mod session;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use schemas::codec::Codec;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::clock::Clock;
use crate::decider::Service;
use crate::fold::Fold;
use crate::follower::{self, Follower};
use crate::kafka::Kafka;
use crate::problem;
use crate::reference::Reference;

use session::Session;

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
}

/// How a runner stands, for readiness and metrics.
#[derive(Debug, Default)]
pub struct Status {
    stopping: AtomicBool,
    caught_up: watch::Sender<bool>,
    owned: AtomicUsize,
    /// Records read from Kafka that no commit has answered yet, over the partitions owned here.
    lag: AtomicUsize,
}

impl Status {
    /// Asks the runner to finish its batch and leave.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Whether the fold was read to the topic's end once since the start.
    pub fn is_caught_up(&self) -> bool {
        *self.caught_up.borrow()
    }

    pub fn owned_partitions(&self) -> usize {
        self.owned.load(Ordering::Relaxed)
    }

    pub fn lag(&self) -> usize {
        self.lag.load(Ordering::Relaxed)
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
            match self.run_once() {
                Ok(()) => {}
                Err(error) => {
                    warn!(service = S::NAME, error = %problem::chain(&*error), "runner begins anew");
                    std::thread::sleep(AGAIN);
                }
            }
        }
        if let Err(error) = self.fold.store().flush() {
            warn!(service = S::NAME, error = %problem::chain(&error), "failed to flush the store");
        }
        info!(service = S::NAME, "runner stopped");
    }

    /// Restores, follows, joins the group and works until something makes all of it begin anew.
    fn run_once(&self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let (mut follower, handle) = Follower::new(&self.kafka, self.codec.clone(), Arc::clone(&self.fold))?;
        follower.restore(&|| self.status.is_stopping())?;
        self.status.caught_up.send_replace(true);
        std::thread::scope(|scope| {
            let following = std::thread::Builder::new().name(format!("{}-follower", S::NAME)).spawn_scoped(
                scope,
                move || {
                    if let Err(error) = follower.run() {
                        follower::report(S::NAME, &error);
                    }
                },
            )?;
            let orders = handle.orders.clone();
            let worked = Session::begin(self, handle).and_then(|mut session| session.work());
            // The follower may have gone before: then there is nobody to stop.
            let _ = orders.send(follower::Order::Stop);
            let _ = following.join();
            Ok(worked?)
        })
    }
}
