//! Notices for a country's topic: coarse enough for every agency of the country, and nothing sealed.

use schemas::Event;
use schemas::codes::{AssignmentState, JurisdictionBasis};
use schemas::delivery::DeliveryEvent;
use schemas::ids::AssignmentId;
use schemas::jurisdiction::Notice;

use crate::domain::Incident;

pub fn of(incident: &Incident, event: &Event<DeliveryEvent>) -> Option<Notice> {
    let (assignment, state) = match &event.body {
        DeliveryEvent::ItemDelivered(item) => (item.assignment_id, AssignmentState::Offered),
        DeliveryEvent::ItemChanged(item) => (item.assignment_id, item.state),
        DeliveryEvent::ItemRaised(item) => {
            (item.assignment_id, incident.items.get(&item.assignment_id)?.state)
        }
        _ => return None,
    };
    notice(incident, event, assignment, state)
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
