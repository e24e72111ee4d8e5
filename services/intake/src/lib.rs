//! Intake: referrals in.
//!
//! Topics in: `referral.commands`, `routing.events`. Topics out: `referral.events`, `sealed-keys`.
//!
//! Invariants:
//! - nothing that identifies a person leaves this crate in clear; content never enters it;
//! - a key set is durable in `sealed-keys` before the command that names it;
//! - a reporter's reference is one referral, whoever sends it how often; other content under it is a conflict;
//! - an emergency is never lost to the gate: the field at fault is withheld, and the reporter is told which.

pub mod cybertipline;
mod start;
pub mod submission;

pub mod domain;
pub mod facets;
pub mod gate;
pub mod geo;
pub mod http;
mod news;
pub mod prepare;
mod refusals;
pub mod settings;
mod signals;

use chassis::decider::{Context, Decider, Heard, Rejection, Service};
use schemas::codec::{Codec, CodecError};
use schemas::envelope::Body;
use schemas::referral::{ReferralCommand, ReferralEvent};
use schemas::routing::RoutingEvent;
use schemas::{Event, InputPosition};

pub use start::start;

/// The service, as the runner takes it.
pub struct Intake;

impl Decider for Intake {
    type State = domain::ReferralState;
    type Command = ReferralCommand;
    type Event = ReferralEvent;
    type News = RoutingEvent;

    fn decide(
        context: &Context<'_>,
        state: &Self::State,
        command: &ReferralCommand,
    ) -> Result<Vec<ReferralEvent>, Rejection> {
        domain::decide(context, state, command)
    }

    fn learn(context: &Context<'_>, state: &Self::State, news: &RoutingEvent) -> Vec<ReferralEvent> {
        domain::feedback(context, state, news)
    }

    fn evolve(state: &mut Self::State, event: &Event<ReferralEvent>) {
        domain::evolve(state, event);
    }
}

impl Service for Intake {
    const NAME: &'static str = "intake";
    const INPUTS: &'static [&'static str] = &[RoutingEvent::TOPIC];

    fn hear(
        &self,
        codec: &Codec,
        _: &InputPosition,
        value: &[u8],
    ) -> Result<Option<Heard<RoutingEvent>>, CodecError> {
        news::hear(codec, value)
    }
}
