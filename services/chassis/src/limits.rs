//! What one agency may ask of one process, so that none of them crowds the others out.

use std::num::NonZeroU32;
use std::sync::Arc;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use schemas::ids::AgencyId;

use crate::problem::Problem;

/// What a caller over its rate is told to wait: the rate is counted by the second.
const RETRY_SECONDS: u32 = 1;

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
