//! How delivery's inputs and outputs stand in Avro: all that knows it.

use chassis::decider::{Heard, Outgoing};
use schemas::codec::{Codec, CodecError};
use schemas::envelope::Body;
use schemas::jurisdiction::Notice;
use schemas::referral::{ReferralEvent, SealedFacet};
use schemas::routing::RoutingEvent;
use schemas::{Event, InputPosition, topics};

use crate::domain::RoutingNews;

/// What `routing.events` tells delivery: everything that changes what an agency has before it.
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

/// A notice as it stands in its country's topic.
pub fn write_notice(codec: &Codec, notice: &Notice) -> Result<Outgoing, CodecError> {
    Ok(Outgoing {
        topic: topics::jurisdiction(&notice.country),
        partition: 0,
        key: notice.incident_id.to_string(),
        value: codec.encode::<Notice>(notice)?,
        id: notice.event_id.to_string(),
        type_name: format!("{}.{}", Notice::TOPIC, notice.name()),
    })
}

/// The sealed facets of a record of `referral.events` or `routing.events`.
pub fn read_sealed_facets(codec: &Codec, topic: &str, value: &[u8]) -> Result<Vec<SealedFacet>, CodecError> {
    if topic == ReferralEvent::TOPIC {
        let event: Event<ReferralEvent> = codec.decode::<ReferralEvent, _>(value)?;
        return Ok(event.body.sealed_facets().to_vec());
    }
    let event: Event<RoutingEvent> = codec.decode::<RoutingEvent, _>(value)?;
    Ok(event.body.sealed_facet().cloned().into_iter().collect())
}
