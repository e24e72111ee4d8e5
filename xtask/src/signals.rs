//! Lets xtask outlive Ctrl-C: its children meet the signal first and drain, xtask then stops Kafka under
//! them. Without this the default action would end xtask at once and leave nobody to wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// How often a wait looks at its flags: short enough to feel immediate, long enough to cost nothing.
pub const POLL: Duration = Duration::from_millis(50);

/// What has been asked of xtask since `catch`.
#[derive(Clone)]
pub struct Signals {
    interrupted: Arc<AtomicBool>,
    terminated: Arc<AtomicBool>,
}

impl Signals {
    /// From now on SIGINT, SIGTERM and SIGHUP only set flags.
    pub fn catch() -> Result<Self> {
        let signals = Self { interrupted: Arc::default(), terminated: Arc::default() };
        for (signal, flag) in
            [(SIGINT, &signals.interrupted), (SIGTERM, &signals.terminated), (SIGHUP, &signals.terminated)]
        {
            signal_hook::flag::register(signal, Arc::clone(flag))
                .with_context(|| format!("failed to catch signal {signal}"))?;
        }
        Ok(signals)
    }

    /// Whether xtask should come to its end.
    pub fn any(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed) || self.terminated()
    }

    /// Whether xtask alone was asked to end. A terminal's Ctrl-C reaches the children too; this does not.
    pub fn terminated(&self) -> bool {
        self.terminated.load(Ordering::Relaxed)
    }
}
