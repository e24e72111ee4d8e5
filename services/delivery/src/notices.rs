//! Notices for a country's topic: coarse enough for every agency of the country, and nothing sealed.

use chassis::decider::Outgoing;
use schemas::codec::{Codec, CodecError};
use schemas::codes::{AssignmentState, JurisdictionBasis};
use schemas::delivery::DeliveryEvent;
use schemas::envelope::Body;
use schemas::ids::AssignmentId;
use schemas::jurisdiction::Notice;
use schemas::{Event, topics};

use crate::domain::Incident;

pub fn of(
    codec: &Codec,
    incident: &Incident,
    event: &Event<DeliveryEvent>,
) -> Result<Vec<Outgoing>, CodecError> {
    let changed = match &event.body {
        DeliveryEvent::ItemDelivered(item) => Some((item.assignment_id, AssignmentState::Offered)),
        DeliveryEvent::ItemChanged(item) => Some((item.assignment_id, item.state)),
        DeliveryEvent::ItemRaised(item) => {
            incident.items.get(&item.assignment_id).map(|known| (item.assignment_id, known.state))
        }
        _ => None,
    };
    let notice = changed.and_then(|(assignment, state)| notice(incident, event, assignment, state));
    notice.map(|notice| outgoing(codec, &notice)).transpose().map(|outgoing| outgoing.into_iter().collect())
}

fn notice(
    incident: &Incident,
    event: &Event<DeliveryEvent>,
    assignment_id: AssignmentId,
    state: AssignmentState,
) -> Option<Notice> {
    let item = incident.items.get(&assignment_id)?;
    let registered = incident.registered.as_ref()?;
    let mut bases: Vec<JurisdictionBasis> = item.delivered.bases.clone();
    bases.sort();
    bases.dedup();
    Some(Notice {
        event_id: event.event_id,
        incident_id: event.aggregate_id.parse().ok()?,
        assignment_id,
        country: item.delivered.country.clone(),
        agency: item.delivered.agency.clone(),
        state,
        kind: registered.kind,
        urgency: registered.urgency,
        bases,
        respond_by: item.delivered.respond_by,
        time: event.time,
    })
}

fn outgoing(codec: &Codec, notice: &Notice) -> Result<Outgoing, CodecError> {
    Ok(Outgoing {
        topic: topics::jurisdiction(&notice.country),
        partition: 0,
        key: notice.incident_id.to_string(),
        value: codec.encode::<Notice>(notice)?,
        id: notice.event_id.to_string(),
        type_name: format!("{}.{}", Notice::TOPIC, notice.name()),
    })
}
