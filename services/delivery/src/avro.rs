//! How delivery's inputs and outputs stand in Avro: all that knows it.

use chassis::decider::{Heard, Outgoing};
use schemas::codec::{Codec, CodecError};
use schemas::envelope::Body;
use schemas::jurisdiction::Notice;
use schemas::mla::MlaEvent;
use schemas::referral::{ReferralEvent, SealedFacet};
use schemas::routing::RoutingEvent;
use schemas::victim_id::VictimIdEvent;
use schemas::{Event, InputPosition, topics};

use crate::domain::children::ChildNews;
use crate::domain::requests::MlaNews;
use crate::domain::{News, RoutingNews};

/// What another service's event tells delivery.
pub fn hear(
    codec: &Codec,
    position: &InputPosition,
    value: &[u8],
) -> Result<Option<Heard<News>>, CodecError> {
    if position.topic == MlaEvent::TOPIC {
        return hear_mla(codec, position, value);
    }
    if position.topic == VictimIdEvent::TOPIC {
        return hear_victim_id(codec, position, value);
    }
    hear_routing(codec, position, value)
}

/// What `mla.events` tells: who takes part in a request, what was done in it, and what is due.
fn hear_mla(
    codec: &Codec,
    position: &InputPosition,
    value: &[u8],
) -> Result<Option<Heard<News>>, CodecError> {
    let event: Event<MlaEvent> = codec.decode::<MlaEvent, _>(value)?;
    let tells = matches!(
        event.body,
        MlaEvent::RequestDrafted(_)
            | MlaEvent::RequestAmended(_)
            | MlaEvent::RequestShared(_)
            | MlaEvent::RequestUnshared(_)
            | MlaEvent::StepTaken(_)
            | MlaEvent::ClockWarned(_)
            | MlaEvent::ClockRanOut(_)
            | MlaEvent::CoordinatorAsked(_)
    );
    Ok(tells.then(|| Heard {
        aggregate_id: event.aggregate_id,
        cause: event.event_id.to_string(),
        time: event.time,
        news: News::Mla(MlaNews { event: event.body, at: position.clone(), by: event.agency.clone() }),
        agency: event.agency,
    }))
}

/// What `victim-id.events` tells: who looks for a child, what goes with it, and whom it concerns.
fn hear_victim_id(
    codec: &Codec,
    position: &InputPosition,
    value: &[u8],
) -> Result<Option<Heard<News>>, CodecError> {
    let event: Event<VictimIdEvent> = codec.decode::<VictimIdEvent, _>(value)?;
    let tells = event.body.sealed_facet().is_some()
        || matches!(
            event.body,
            VictimIdEvent::CustodyAccepted(_)
                | VictimIdEvent::CustodyCeded(_)
                | VictimIdEvent::AgencyNoticed(_)
                | VictimIdEvent::CustodianSilent(_)
                | VictimIdEvent::NobodyLooks(_)
                | VictimIdEvent::OfferEnded(_)
                | VictimIdEvent::SupportEnded(_)
        );
    Ok(tells.then(|| Heard {
        aggregate_id: event.aggregate_id,
        cause: event.event_id.to_string(),
        time: event.time,
        news: News::VictimId(ChildNews { event: event.body, at: position.clone(), by: event.agency.clone() }),
        agency: event.agency,
    }))
}

/// What `routing.events` tells delivery: everything that changes what an agency has before it.
fn hear_routing(
    codec: &Codec,
    position: &InputPosition,
    value: &[u8],
) -> Result<Option<Heard<News>>, CodecError> {
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
        news: News::Routing(RoutingNews {
            event: event.body,
            at: position.clone(),
            by: event.agency.clone(),
        }),
        agency: event.agency,
    }))
}

/// A notice as it stands in its country's topic.
pub fn write_notice(codec: &Codec, notice: &Notice) -> Result<Outgoing, CodecError> {
    Ok(Outgoing {
        topic: topics::jurisdiction(&notice.country),
        partition: Some(0),
        key: notice.incident_id.to_string(),
        value: codec.encode::<Notice>(notice)?,
        id: notice.event_id.to_string(),
        type_name: format!("{}.{}", Notice::TOPIC, notice.name()),
    })
}

/// The sealed facets of a record of `referral.events`, `routing.events`, `mla.events` or `victim-id.events`.
pub fn read_sealed_facets(codec: &Codec, topic: &str, value: &[u8]) -> Result<Vec<SealedFacet>, CodecError> {
    if topic == ReferralEvent::TOPIC {
        let event: Event<ReferralEvent> = codec.decode::<ReferralEvent, _>(value)?;
        return Ok(event.body.sealed_facets().to_vec());
    }
    if topic == MlaEvent::TOPIC {
        let event: Event<MlaEvent> = codec.decode::<MlaEvent, _>(value)?;
        return Ok(event.body.sealed_facets().into_iter().cloned().collect());
    }
    if topic == VictimIdEvent::TOPIC {
        let event: Event<VictimIdEvent> = codec.decode::<VictimIdEvent, _>(value)?;
        return Ok(event.body.sealed_facet().cloned().into_iter().collect());
    }
    let event: Event<RoutingEvent> = codec.decode::<RoutingEvent, _>(value)?;
    Ok(event.body.sealed_facet().cloned().into_iter().collect())
}
