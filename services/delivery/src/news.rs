//! What `routing.events` tells delivery: everything that changes what an agency has before it.

use chassis::decider::Heard;
use schemas::codec::{Codec, CodecError};
use schemas::routing::RoutingEvent;
use schemas::{Event, InputPosition};

use crate::domain::RoutingNews;

pub fn hear(
    codec: &Codec,
    position: &InputPosition,
    value: &[u8],
) -> Result<Option<Heard<RoutingNews>>, CodecError> {
    let event: Event<RoutingEvent> = codec.decode::<RoutingEvent, _>(value)?;
    let without_facet = event.body.sealed_facet().is_none();
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
            | RoutingEvent::IncidentWithdrawn(_)
            | RoutingEvent::FeedbackHeld(_)
            | RoutingEvent::CaseNumberAdded(_)
            | RoutingEvent::AssessmentRetracted(_)
            | RoutingEvent::RetractionAcknowledged(_)
    );
    if tells_nothing && without_facet {
        return Ok(None);
    }
    Ok(Some(Heard {
        aggregate_id: event.aggregate_id,
        cause: event.event_id.to_string(),
        time: event.time,
        news: RoutingNews { event: event.body, at: position.clone(), by: event.agency.clone() },
        agency: event.agency,
    }))
}
