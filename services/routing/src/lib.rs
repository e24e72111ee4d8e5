//! Routing: which countries, on what basis, which agency does what by when.
//!
//! Topics in: `routing.commands`, `referral.events`. Topics out: `routing.events`.
//!
//! Invariants:
//! - a referral is considered once, and its incident opened once;
//! - no offer crosses a border without a transfer basis and the originator's authorisation, or the imminent
//!   danger that stands in for it; a State never told stays untold;
//! - a new signal or assessment adds, it never silently takes away;
//! - what a person must do is refused to a machine.

pub mod domain;
pub mod http;
mod news;
mod start;

use chassis::decider::{Clock, Context, Decider, Heard, Rejection, Service};
use schemas::codec::{Codec, CodecError};
use schemas::envelope::Body;
use schemas::referral::ReferralEvent;
use schemas::routing::{RoutingCommand, RoutingEvent};
use schemas::{Event, InputPosition};

pub use start::start;

/// The service, as the runner takes it.
pub struct Routing;

impl Decider for Routing {
    type State = domain::Incident;
    type Command = RoutingCommand;
    type Event = RoutingEvent;
    type News = domain::ReferralNews;

    fn decide(
        context: &Context<'_>,
        state: &Self::State,
        command: &RoutingCommand,
    ) -> Result<Vec<RoutingEvent>, Rejection> {
        domain::decide(context, state, command)
    }

    fn learn(context: &Context<'_>, state: &Self::State, news: &Self::News) -> Vec<RoutingEvent> {
        domain::consider(context, state, news)
    }

    fn evolve(state: &mut Self::State, event: &Event<RoutingEvent>) {
        domain::evolve(state, &event.body);
    }

    fn clocks(state: &Self::State) -> Vec<Clock<RoutingCommand>> {
        domain::clocks(state)
    }
}

impl Service for Routing {
    const NAME: &'static str = "routing";
    const INPUTS: &'static [&'static str] = &[ReferralEvent::TOPIC];

    fn hear(
        &self,
        codec: &Codec,
        position: &InputPosition,
        value: &[u8],
    ) -> Result<Option<Heard<Self::News>>, CodecError> {
        news::hear(codec, position, value)
    }
}
