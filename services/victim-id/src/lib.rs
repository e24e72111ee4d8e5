//! Victim identification: custody of the search for each child, and series of children over incidents.
//!
//! Topics in: `victim-id.commands`, `routing.events`. Topics out: `victim-id.events`, and `victim-id.commands` for the
//! other incident of a link, and between incidents and series.
//!
//! Invariants:
//! - a child has at most one custodian at each moment, and custody that was accepted is never lost: it moves only when
//!   the other side accepts, and a coordinator revokes it from nobody;
//! - children of one incident are independent of each other;
//! - of two children that are one, one custodian is left, and only once both have agreed;
//! - what a person must do is refused to a machine.

pub mod domain;
pub mod http;
mod index;
mod news;
mod start;

use chassis::decider::{Clock, Context, Decider, Heard, IndexEntry, Outgoing, Rejection, Service};
use schemas::codec::{Codec, CodecError};
use schemas::envelope::Body;
use schemas::routing::RoutingEvent;
use schemas::victim_id::{VictimIdCommand, VictimIdEvent};
use schemas::{Event, InputPosition};

pub use start::start;

/// The service, as the runner takes it.
pub struct VictimId;

impl Decider for VictimId {
    type State = domain::Aggregate;
    type Command = VictimIdCommand;
    type Event = VictimIdEvent;
    type News = domain::RoutingNews;

    fn decide(
        context: &Context<'_>,
        state: &Self::State,
        command: &VictimIdCommand,
    ) -> Result<Vec<VictimIdEvent>, Rejection> {
        domain::aggregate::decide(context, state, command)
    }

    fn learn(context: &Context<'_>, state: &Self::State, news: &Self::News) -> Vec<VictimIdEvent> {
        domain::aggregate::learn(context, state, news)
    }

    fn evolve(state: &mut Self::State, event: &Event<VictimIdEvent>) {
        domain::aggregate::evolve(state, &event.body, event.time);
    }

    fn clocks(state: &Self::State) -> Vec<Clock<VictimIdCommand>> {
        domain::aggregate::clocks(state)
    }
}

impl Service for VictimId {
    const NAME: &'static str = "victim-id";
    const INPUTS: &'static [&'static str] = &[RoutingEvent::TOPIC];

    fn hear(
        &self,
        codec: &Codec,
        position: &InputPosition,
        value: &[u8],
    ) -> Result<Option<Heard<Self::News>>, CodecError> {
        news::hear(codec, position, value)
    }

    fn tell(
        &self,
        codec: &Codec,
        state: &Self::State,
        event: &Event<VictimIdEvent>,
    ) -> Result<Vec<Outgoing>, CodecError> {
        news::tell(codec, state, event)
    }

    fn index(state: &Self::State, event: &Event<VictimIdEvent>, _: &[u8]) -> Vec<IndexEntry> {
        index::entries(state, event)
    }
}
