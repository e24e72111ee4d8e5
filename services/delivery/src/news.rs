//! What `routing.events` tells delivery: everything that changes what an agency has before it.

use chassis::decider::Heard;
use schemas::Event;
use schemas::codec::{Codec, CodecError};
use schemas::routing::RoutingEvent;

pub fn hear(codec: &Codec, value: &[u8]) -> Result<Option<Heard<RoutingEvent>>, CodecError> {
    let event: Event<RoutingEvent> = codec.decode::<RoutingEvent, _>(value)?;
    let tells_nothing = matches!(
        event.body,
        RoutingEvent::CommandRejected(_)
            | RoutingEvent::CommandFailed(_)
            | RoutingEvent::JurisdictionsFound(_)
            | RoutingEvent::OfferWithheld(_)
            | RoutingEvent::AssessmentAdded(_)
            | RoutingEvent::LeadProposed(_)
            | RoutingEvent::LeadAccepted(_)
            | RoutingEvent::LeadDisputed(_)
            | RoutingEvent::LeadRecorded(_)
            | RoutingEvent::TransfersAuthorised(_)
    );
    if tells_nothing {
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
