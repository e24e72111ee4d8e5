//! What one agency may ask of one process, and how long a body may take, so that nobody crowds the others out.

use std::collections::HashMap;
use std::convert::Infallible;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use parking_lot::Mutex;
use schemas::ids::AgencyId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::Problem;

/// What a caller over its rate is told to wait: the rate is counted by the second.
const RETRY_SECONDS: u32 = 1;
/// Most commands of one service waiting for their outcome; beyond it the caller is told to come back.
const MAX_WAITING: usize = 4_096;
/// Most of them that are one agency's: four full streams of lines.
const MAX_WAITING_OF_ONE: usize = MAX_WAITING / 4;
/// How long an agency's next command waits until one of its others is answered: a stream of lines only slows down.
const PLACE_WAIT: Duration = Duration::from_secs(2);
/// What a caller is told to wait for whose commands there is no place.
const PLACE_RETRY_SECONDS: u32 = 2;

/// How long the body of a request may take; of a stream of lines, how long the next part of it may be awaited.
/// Without it a client that sends a byte now and then holds its connection, and what was read, for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyTime(NonZeroU64);

impl BodyTime {
    /// Two minutes: the largest body that there is, over a line of half a megabit per second.
    pub const DEFAULT: Self = Self::seconds(NonZeroU64::MIN.saturating_add(119));

    pub const fn seconds(seconds: NonZeroU64) -> Self {
        Self(seconds)
    }

    /// # Errors
    /// When the time has passed before the reading ended.
    pub async fn within<T>(self, reading: impl Future<Output = T>) -> Result<T, Problem> {
        let read = tokio::time::timeout(Duration::from_secs(self.0.get()), reading).await;
        read.map_err(|_| Problem::too_slow().detail(self.detail()))
    }

    fn detail(self) -> String {
        format!("a request's body, or the next part of a stream, may take {} s", self.0)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for BodyTime {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().copied().unwrap_or(Self::DEFAULT))
    }
}

/// Requests per second and agency. Cheap to clone.
#[derive(Clone)]
pub struct Limits {
    requests: Arc<DefaultKeyedRateLimiter<AgencyId>>,
    per_second: NonZeroU32,
}

impl Limits {
    pub fn new(requests_per_second: NonZeroU32) -> Self {
        let requests = RateLimiter::keyed(Quota::per_second(requests_per_second));
        Self { requests: Arc::new(requests), per_second: requests_per_second }
    }

    /// # Errors
    /// When the agency has asked as much as it may in this second.
    pub fn check(&self, agency: &AgencyId) -> Result<(), Problem> {
        self.requests.check_key(agency).map_err(|_| {
            Problem::too_many()
                .detail(format!("an agency may send {} requests a second", self.per_second))
                .retry_after(RETRY_SECONDS)
        })
    }
}

/// The commands of one service that wait for their outcome: an agency's backlog leaves the others' places alone.
pub struct Places {
    all: Arc<Semaphore>,
    of_agencies: Mutex<HashMap<AgencyId, Arc<Semaphore>>>,
}

/// A command's place, until it has been answered.
#[derive(Debug)]
pub struct Place {
    _of_all: OwnedSemaphorePermit,
    _of_agency: OwnedSemaphorePermit,
}

impl Default for Places {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(MAX_WAITING)), of_agencies: Mutex::default() }
    }
}

impl Places {
    /// # Errors
    /// When the agency's share stays taken, or all of it is.
    pub async fn take(&self, agency: &AgencyId) -> Result<Place, Problem> {
        let share = self.share(agency);
        let of_agency = tokio::time::timeout(PLACE_WAIT, share.acquire_owned()).await;
        let Ok(Ok(of_agency)) = of_agency else {
            return Err(crowded(format!("{MAX_WAITING_OF_ONE} commands of the agency wait already")));
        };
        let of_all = Arc::clone(&self.all).try_acquire_owned();
        let of_all = of_all.map_err(|_| crowded(format!("{MAX_WAITING} commands wait already")))?;
        Ok(Place { _of_all: of_all, _of_agency: of_agency })
    }

    fn share(&self, agency: &AgencyId) -> Arc<Semaphore> {
        let mut shares = self.of_agencies.lock();
        if let Some(share) = shares.get(agency) {
            return Arc::clone(share);
        }
        let share = Arc::new(Semaphore::new(MAX_WAITING_OF_ONE));
        shares.insert(agency.clone(), Arc::clone(&share));
        share
    }
}

fn crowded(detail: String) -> Problem {
    Problem::too_many().detail(detail).retry_after(PLACE_RETRY_SECONDS)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
mod tests {
    use super::*;

    #[test]
    fn one_agency_does_not_use_up_anothers_share() {
        let limits = Limits::new(NonZeroU32::new(2).unwrap());
        let (loud, calm) = (AgencyId::try_new("loud").unwrap(), AgencyId::try_new("calm").unwrap());
        assert!(limits.check(&loud).is_ok() && limits.check(&loud).is_ok());
        let refused = limits.check(&loud).unwrap_err();
        assert_eq!((refused.status, refused.retry_after_seconds), (429, Some(1)));
        assert!(limits.check(&calm).is_ok());
    }

    #[tokio::test]
    async fn one_agencys_backlog_leaves_room_for_anothers_commands() {
        let places = Places::default();
        let (loud, calm) = (AgencyId::try_new("loud").unwrap(), AgencyId::try_new("calm").unwrap());
        let mut taken = Vec::new();
        for _ in 0..MAX_WAITING_OF_ONE {
            taken.push(places.take(&loud).await.unwrap());
        }
        let refused = places.take(&loud).await.unwrap_err();
        assert_eq!((refused.status, refused.retry_after_seconds), (429, Some(2)));
        assert!(places.take(&calm).await.is_ok());
        let (next, ()) = tokio::join!(places.take(&loud), async { drop(taken.pop()) });
        assert!(next.is_ok(), "it goes on once another is answered");
    }
}
