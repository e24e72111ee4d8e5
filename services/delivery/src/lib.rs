//! Delivery: agencies' inboxes, the notices of each country, and disclosure by role.
//!
//! Topics in: `delivery.commands`, `routing.events`, `mla.events`, `victim-id.events`; `sealed-keys`,
//! `digest-sets.events` and single records of these and of `referral.events` are read where they stand. Topics out:
//! `delivery.events`, `jurisdiction.<cc>`.
//!
//! Invariants:
//! - what an assignment does not entitle an agency to does not exist for it;
//! - a disclosure is a committed event before the keys leave;
//! - no data key is stored: it is re-wrapped to the agency's public key, answered, and forgotten.

mod avro;
pub mod disclosure;
pub mod domain;
pub mod eraser;
pub mod http;
pub mod inbox;
mod notices;
mod pictures;
pub mod settings;
mod start;
pub mod sweeper;

use chassis::decider::{Clock, Context, Decider, Heard, IndexEntry, Outgoing, Rejection, Service};
use schemas::codec::{Codec, CodecError};
use schemas::delivery::{DeliveryCommand, DeliveryEvent};
use schemas::envelope::Body;
use schemas::mla::MlaEvent;
use schemas::routing::RoutingEvent;
use schemas::victim_id::VictimIdEvent;
use schemas::{Event, InputPosition};

pub use start::start;

/// The service, as the runner takes it.
pub struct Delivery;

impl Decider for Delivery {
    type State = domain::Incident;
    type Command = DeliveryCommand;
    type Event = DeliveryEvent;
    type News = domain::News;

    fn decide(
        context: &Context<'_>,
        state: &Self::State,
        command: &DeliveryCommand,
    ) -> Result<Vec<DeliveryEvent>, Rejection> {
        domain::decide(context, state, command)
    }

    fn learn(context: &Context<'_>, state: &Self::State, news: &Self::News) -> Vec<DeliveryEvent> {
        match news {
            domain::News::Routing(news) => domain::deliver(context, state, news),
            domain::News::Mla(news) => domain::requests::deliver(context, state, news),
            domain::News::VictimId(news) => domain::children::deliver(context, state, news),
        }
    }

    fn evolve(state: &mut Self::State, event: &Event<DeliveryEvent>) {
        domain::evolve(state, &event.body, event.time);
    }

    fn clocks(state: &Self::State) -> Vec<Clock<DeliveryCommand>> {
        domain::erasure::clocks(state)
    }
}

impl Service for Delivery {
    const NAME: &'static str = "delivery";
    const INPUTS: &'static [&'static str] = &[RoutingEvent::TOPIC, MlaEvent::TOPIC, VictimIdEvent::TOPIC];

    fn hear(
        &self,
        codec: &Codec,
        position: &InputPosition,
        value: &[u8],
    ) -> Result<Option<Heard<Self::News>>, CodecError> {
        avro::hear(codec, position, value)
    }

    fn tell(
        &self,
        codec: &Codec,
        state: &Self::State,
        event: &Event<DeliveryEvent>,
    ) -> Result<Vec<Outgoing>, CodecError> {
        notices::of(state, event).iter().map(|notice| avro::write_notice(codec, notice)).collect()
    }

    fn index(state: &Self::State, event: &Event<DeliveryEvent>, digest: &[u8]) -> Vec<IndexEntry> {
        let mut entries = inbox::entries(state, event, digest);
        entries.extend(eraser::entries(event));
        entries.extend(pictures::entries(event));
        entries
    }
}
