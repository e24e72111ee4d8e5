//! The directory: who may do and read what, with its whole history.
//!
//! Topics in: `directory.commands`. Topics out: `directory.events`.
//!
//! Invariants:
//! - the first directory is one event, once, on an empty topic;
//! - whatever widens reading takes two persons of different issuers, the second of the State concerned, and
//!   stands visible for [`domain::VISIBLE_HOURS`] before it acts;
//! - a policy takes two persons of different issuers whichever way it changes, and gives no facets to a coordinator;
//! - legal data take two persons too, but for what a State's central authority declares of its own State, and signs;
//! - an agency stays in its State;
//! - a coordinator cannot widen what a coordinator may see.

pub mod domain;
pub mod genesis;
pub mod http;
pub mod legal;
mod start;

use chassis::decider::{Context, Decider, Rejection, Service};
use schemas::Event;
use schemas::directory::{DirectoryCommand, DirectoryEvent};

pub use start::start;

/// The service, as the runner takes it.
pub struct Directory;

impl Decider for Directory {
    type State = domain::EntryState;
    type Command = DirectoryCommand;
    type Event = DirectoryEvent;
    type News = std::convert::Infallible;

    fn decide(
        context: &Context<'_>,
        state: &Self::State,
        command: &DirectoryCommand,
    ) -> Result<Vec<DirectoryEvent>, Rejection> {
        domain::decide(context, state, command)
    }

    fn learn(_: &Context<'_>, _: &Self::State, news: &Self::News) -> Vec<DirectoryEvent> {
        match *news {}
    }

    fn evolve(state: &mut Self::State, event: &Event<DirectoryEvent>) {
        domain::evolve(state, event);
    }
}

impl Service for Directory {
    const NAME: &'static str = "directory";
}
