//! Mutual legal assistance: requests and orders between States, and the legal periods that run in them.
//!
//! Topics in: `mla.commands`, `routing.events`. Topics out: `mla.events`.
//!
//! Invariants:
//! - a side's draft does not exist for the other side;
//! - a State that the originator never lets hear of an incident is asked nothing in it;
//! - a request goes out complete, on a legal basis that its authority has picked, and validated;
//! - a refusal or postponement is on a ground that the legal basis knows, after the consultation that it demands;
//! - a legal period is either running, paused, run out or ended; its end stands in the event that started or moved it;
//! - evidence is recorded by digest, data holder and channel, and never passes.

pub mod domain;
pub mod http;
mod index;
pub mod legal;
mod news;
mod start;

use chassis::decider::{Clock, Context, Decider, Heard, IndexEntry, Rejection, Service};
use schemas::codec::{Codec, CodecError};
use schemas::envelope::Body;
use schemas::mla::{MlaCommand, MlaEvent};
use schemas::routing::RoutingEvent;
use schemas::{Event, InputPosition};

pub use start::start;

/// The service, as the runner takes it.
pub struct Mla;

impl Decider for Mla {
    type State = domain::Incident;
    type Command = MlaCommand;
    type Event = MlaEvent;
    type News = domain::RoutingNews;

    fn decide(
        context: &Context<'_>,
        state: &Self::State,
        command: &MlaCommand,
    ) -> Result<Vec<MlaEvent>, Rejection> {
        domain::decide(context, state, command)
    }

    fn learn(context: &Context<'_>, state: &Self::State, news: &Self::News) -> Vec<MlaEvent> {
        domain::learn(context, state, news)
    }

    fn evolve(state: &mut Self::State, event: &Event<MlaEvent>) {
        domain::evolve(state, &event.body, event.time);
    }

    fn clocks(state: &Self::State) -> Vec<Clock<MlaCommand>> {
        domain::clocks(state)
    }
}

impl Service for Mla {
    const NAME: &'static str = "mla";
    const INPUTS: &'static [&'static str] = &[RoutingEvent::TOPIC];

    fn hear(
        &self,
        codec: &Codec,
        position: &InputPosition,
        value: &[u8],
    ) -> Result<Option<Heard<Self::News>>, CodecError> {
        news::hear(codec, position, value)
    }

    fn index(state: &Self::State, event: &Event<MlaEvent>, _: &[u8]) -> Vec<IndexEntry> {
        index::entries(state, event)
    }
}
