//! Digest sets: digests of known material that agencies publish, take back, agree with and dispute.
//!
//! Topics in: `digest-sets.commands`. Topics out: `digest-sets.events`, which whoever matches follows.
//!
//! Invariants:
//! - an entry is changed and taken back by whoever has published it, and by nobody else;
//! - it closes items once agencies of two States have seen the material, and no longer once one disputes it;
//! - a vote is a person's, and falls when what was voted on changes.

pub mod domain;
pub mod http;
mod start;

use chassis::decider::{Context, Decider, Rejection, Service};
use schemas::Event;
use schemas::digest_sets::{DigestSetsCommand, DigestSetsEvent, SetEntry};

pub use start::start;

/// The service, as the runner takes it.
pub struct DigestSets;

impl Decider for DigestSets {
    type State = SetEntry;
    type Command = DigestSetsCommand;
    type Event = DigestSetsEvent;
    type News = ();

    fn decide(
        context: &Context<'_>,
        state: &SetEntry,
        command: &DigestSetsCommand,
    ) -> Result<Vec<DigestSetsEvent>, Rejection> {
        domain::decide(context, state, command)
    }

    fn learn(_: &Context<'_>, _: &SetEntry, (): &()) -> Vec<DigestSetsEvent> {
        Vec::new()
    }

    fn evolve(state: &mut SetEntry, event: &Event<DigestSetsEvent>) {
        state.evolve(&event.body);
    }
}

impl Service for DigestSets {
    const NAME: &'static str = "digest-sets";
}
