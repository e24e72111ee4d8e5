//! What `routing.events` tells intake: how far a referral has come.

use chassis::decider::Heard;
use schemas::Event;
use schemas::codec::{Codec, CodecError};
use schemas::routing::RoutingEvent;

pub fn hear(codec: &Codec, value: &[u8]) -> Result<Option<Heard<RoutingEvent>>, CodecError> {
    let event: Event<RoutingEvent> = codec.decode::<RoutingEvent, _>(value)?;
    let tells = matches!(
        event.body,
        RoutingEvent::AssignmentOffered(_)
            | RoutingEvent::AssignmentAccepted(_)
            | RoutingEvent::AssignmentDeclined(_)
            | RoutingEvent::AssignmentClosed(_)
            | RoutingEvent::FeedbackHeld(_)
    );
    if !tells {
        return Ok(None);
    }
    Ok(Some(Heard {
        aggregate_id: event.aggregate_id,
        cause: event.event_id.to_string(),
        time: event.time,
        agency: event.agency,
        news: event.body,
    }))
}
