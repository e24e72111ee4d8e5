//! What one agency may ask of one process, and how long a body may take, so that nobody crowds the others out.

use std::convert::Infallible;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use schemas::ids::AgencyId;

use crate::problem::Problem;

/// What a caller over its rate is told to wait: the rate is counted by the second.
const RETRY_SECONDS: u32 = 1;

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
}
