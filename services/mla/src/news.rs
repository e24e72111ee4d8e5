//! What `routing.events` tells: an incident was opened, and an agency has accepted its part in it.

use chassis::decider::Heard;
use schemas::codec::{Codec, CodecError};
use schemas::mla::IncidentNoted;
use schemas::routing::RoutingEvent;
use schemas::{Event, InputPosition};

use crate::domain::RoutingNews;

pub fn hear(
    codec: &Codec,
    _: &InputPosition,
    value: &[u8],
) -> Result<Option<Heard<RoutingNews>>, CodecError> {
    let event: Event<RoutingEvent> = codec.decode::<RoutingEvent, _>(value)?;
    let news = match event.body {
        RoutingEvent::IncidentOpened(opened) => RoutingNews::Opened(IncidentNoted {
            referral_id: opened.referral_id,
            kind: opened.kind,
            urgency: opened.urgency,
            never_told: opened.handling.never_told,
        }),
        RoutingEvent::IncidentAmended(amended) => RoutingNews::Amended {
            kind: amended.kind,
            urgency: amended.urgency,
            never_told: amended.handling.never_told,
        },
        RoutingEvent::AssignmentAccepted(_) => RoutingNews::Accepted(event.agency.clone()),
        _ => return Ok(None),
    };
    Ok(Some(Heard {
        aggregate_id: event.aggregate_id,
        cause: event.event_id.to_string(),
        time: event.time,
        agency: event.agency,
        news,
    }))
}
