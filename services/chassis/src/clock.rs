//! The time that commands carry. A development clock can be moved; tokens are always judged by real time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use schemas::Timestamp;

/// System time, plus what a development clock was moved by.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    ahead_millis: Option<Arc<AtomicI64>>,
}

/// The clock is the system's and cannot be moved.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the clock can be moved only with development.clock = true")]
pub struct NotForDevelopment;

impl Clock {
    pub fn system() -> Self {
        Self::default()
    }

    pub fn development() -> Self {
        Self { ahead_millis: Some(Arc::default()) }
    }

    pub fn now(&self) -> Timestamp {
        let ahead = self.ahead_millis.as_ref().map_or(0, |ahead| ahead.load(Ordering::Relaxed));
        Timestamp::from(jiff::Timestamp::now()).plus_millis(ahead)
    }

    pub fn is_development(&self) -> bool {
        self.ahead_millis.is_some()
    }

    /// Sets the clock to a moment; it runs on from there.
    ///
    /// # Errors
    /// When this is not a development clock.
    pub fn set(&self, moment: Timestamp) -> Result<(), NotForDevelopment> {
        let ahead = self.ahead_millis.as_ref().ok_or(NotForDevelopment)?;
        let real = Timestamp::from(jiff::Timestamp::now());
        ahead.store(moment.as_millis() - real.as_millis(), Ordering::Relaxed);
        Ok(())
    }
}
