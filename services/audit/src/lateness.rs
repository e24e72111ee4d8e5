//! How long leaves have stood in the log that no head covers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Shared between whoever follows the log and whoever is asked.
#[derive(Clone, Debug, Default)]
pub struct Lateness(Arc<Mutex<Uncovered>>);

#[derive(Debug, Default)]
struct Uncovered {
    /// The leaves of the last head.
    covered: u64,
    since: Option<Instant>,
}

impl Lateness {
    /// The log has so many leaves, and its last head so many.
    pub fn note(&self, leaves: u64, covered: u64) {
        let mut uncovered = self.0.lock();
        if covered != uncovered.covered {
            *uncovered = Uncovered { covered, since: None };
        }
        uncovered.since = (leaves > covered).then(|| uncovered.since.unwrap_or_else(Instant::now));
    }

    pub fn elapsed(&self) -> Duration {
        self.0.lock().since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_are_late_until_a_head_covers_more() {
        let lateness = Lateness::default();
        lateness.note(5, 5);
        assert_eq!(lateness.elapsed(), Duration::ZERO);
        lateness.note(6, 5);
        let first = lateness.0.lock().since;
        lateness.note(7, 5);
        assert!(first.is_some() && lateness.0.lock().since == first, "the oldest counts");
        lateness.note(8, 7);
        assert!(lateness.0.lock().since > first, "the head is younger than what it covers");
        lateness.note(8, 8);
        assert_eq!(lateness.elapsed(), Duration::ZERO);
    }
}
