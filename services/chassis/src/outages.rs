//! Outages of Kafka as a whole, after which every client is replaced.
//!
//! A broker that comes back may answer before it is one of its cluster again, and then names no broker at all.
//! librdkafka (2.10 and later, its issue 5301) forgets every broker over that, and connects to none any more without a
//! word: whoever reads reads nothing, whoever was in a group does not join it again, and what is written is not taken.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tracing::warn;

/// Those that the process has seen the end of.
#[derive(Clone, Debug, Default)]
pub struct Outages(Arc<Mutex<Past>>);

#[derive(Debug, Default)]
struct Past {
    count: u64,
    /// When the last one was over.
    over: Option<Instant>,
}

impl Outages {
    /// To be taken before a client is made: it is of use until the next outage.
    pub fn mark(&self) -> Mark {
        Mark { outages: self.clone(), count: self.0.lock().count }
    }

    /// Kafka answers again, and has answered nothing since `heard`. Whoever says so of the same outage later changes
    /// nothing.
    pub(crate) fn note(&self, heard: Instant) {
        let mut past = self.0.lock();
        if past.over.is_none_or(|over| over < heard) {
            *past = Past { count: past.count + 1, over: Some(Instant::now()) };
            warn!(seconds = heard.elapsed().as_secs(), "Kafka answers again: its clients are replaced");
        }
    }
}

/// When something was made, counted in outages.
#[derive(Clone, Debug)]
pub struct Mark {
    outages: Outages,
    count: u64,
}

impl Mark {
    /// Whether there was an outage since: what was made before it is to be replaced.
    pub fn is_outdated(&self) -> bool {
        self.outages.0.lock().count != self.count
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_outage_counts_once_whoever_notes_it() {
        let (outages, begun) = (Outages::default(), Instant::now());
        let before = outages.mark();
        assert!(!before.is_outdated());
        outages.note(begun);
        let between = outages.mark();
        outages.clone().note(begun);
        assert!(before.is_outdated() && !between.is_outdated(), "it is the same outage");
        std::thread::sleep(Duration::from_millis(1));
        outages.note(Instant::now());
        assert!(between.is_outdated(), "it was heard of in between");
    }
}
