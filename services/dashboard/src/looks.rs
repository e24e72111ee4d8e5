//! What coordinators see, worked out once for all who watch the same countries.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chassis::clock::Clock;
use chassis::problem::Problem;
use parking_lot::Mutex;
use schemas::Timestamp;
use schemas::directory::Agency;
use schemas::ids::Country;
use tokio::sync::watch;

use crate::domain::list::{Filter, Lines};
use crate::domain::{Overview, Watch};
use crate::frames::Frames;

/// Most needs of one overview.
const MOST_NEEDS: usize = 200;
/// Changes within so long are shown as one.
const TOGETHER: Duration = Duration::from_secs(1);
/// Worked out anew at least so often: some of it changes with time alone.
const AT_LEAST: Duration = Duration::from_secs(60);

/// One look at everything, by one set of countries.
pub struct Look {
    pub overview: Overview,
    /// When it was worked out, by the clock that clocks run by.
    pub at: Timestamp,
}

/// The coordinator's own country, and those that it watches.
type Scope = (Country, Vec<Country>);

/// Cheap to clone.
#[derive(Clone)]
pub struct Looks {
    pub(crate) frames: Arc<Frames>,
    pub(crate) clock: Clock,
    /// Whether each topic was read to its end: what is shown before is not what stands.
    is_whole: Arc<[Arc<AtomicBool>]>,
    watched: Arc<Mutex<HashMap<Scope, Looking>>>,
}

/// The looks of one scope as they come; none before the first.
pub type Looking = watch::Receiver<Option<Arc<Look>>>;

impl Looks {
    pub fn new(frames: Arc<Frames>, clock: Clock, is_whole: Arc<[Arc<AtomicBool>]>) -> Self {
        Self { frames, clock, is_whole, watched: Arc::default() }
    }

    fn must_be_whole(&self) -> Result<(), Problem> {
        if self.is_whole.iter().all(|is_whole| is_whole.load(Ordering::Relaxed)) {
            return Ok(());
        }
        Err(Problem::unavailable().detail("the topics are not read to their end yet").retry_after(1))
    }

    /// As it stood a moment ago.
    ///
    /// # Errors
    /// When it cannot be worked out, or not all is read yet.
    pub async fn now(&self, agency: &Agency) -> Result<Arc<Look>, Problem> {
        let mut looking = self.follow(agency)?;
        let look = looking.wait_for(Option::is_some).await.map_err(|_| Problem::internal())?;
        look.clone().ok_or_else(Problem::internal)
    }

    /// Some of all incidents, as they stand now.
    ///
    /// # Errors
    /// When it cannot be worked out, or not all is read yet.
    pub async fn list(
        &self,
        agency: &Agency,
        filter: Filter,
        skip: usize,
        take: usize,
    ) -> Result<Lines, Problem> {
        self.must_be_whole()?;
        let (looks, (country, countries)) = (self.clone(), scope(agency));
        let listing = tokio::task::spawn_blocking(move || {
            let watch = Watch { country: &country, scope: &countries };
            looks.frames.list(&watch, &filter, skip, take)
        });
        listing.await.map_err(|_| Problem::internal())
    }

    /// Each look from now on, by the agency's countries as they are now.
    ///
    /// # Errors
    /// When not all is read yet.
    pub fn follow(&self, agency: &Agency) -> Result<Looking, Problem> {
        self.must_be_whole()?;
        let scope = scope(agency);
        let mut watched = self.watched.lock();
        if let Some(looking) = watched.get(&scope) {
            return Ok(looking.clone());
        }
        let (looks, looking) = watch::channel(None);
        watched.insert(scope.clone(), looking.clone());
        tokio::spawn(self.clone().watch(scope, looks));
        Ok(looking)
    }

    /// Works it out again and again, until nobody looks any more.
    async fn watch(self, scope: Scope, looks: watch::Sender<Option<Arc<Look>>>) {
        let mut changes = self.frames.changes();
        loop {
            // Before anybody looks: what comes meanwhile is for the next time.
            changes.borrow_and_update();
            let Some(look) = self.look(&scope).await else { break };
            looks.send_replace(Some(Arc::new(look)));
            tokio::time::sleep(TOGETHER).await;
            // None comes where nothing follows the topics any more: the process ends.
            let _ = tokio::time::timeout(AT_LEAST, changes.changed()).await;
            let mut watched = self.watched.lock();
            // The one that is kept for who comes next.
            if looks.receiver_count() == 1 {
                watched.remove(&scope);
                return;
            }
        }
        self.watched.lock().remove(&scope);
    }

    /// None where it broke: whoever comes next tries again.
    async fn look(&self, scope: &Scope) -> Option<Look> {
        let (looks, (country, countries)) = (self.clone(), scope.clone());
        let looking = tokio::task::spawn_blocking(move || {
            let (watch, at) = (Watch { country: &country, scope: &countries }, looks.clock.now());
            Look { overview: looks.frames.overview(&watch, at, MOST_NEEDS), at }
        });
        looking.await.ok()
    }
}

fn scope(agency: &Agency) -> Scope {
    (agency.country.clone(), agency.scope.clone())
}

/// Whether the agency still watches what it did.
pub fn watches_the_same(before: &Agency, now: &Agency) -> bool {
    scope(before) == scope(now)
}
