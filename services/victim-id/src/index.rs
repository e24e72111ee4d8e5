//! Which children an agency has before it, without reading every incident.
//!
//! Keys of the index: `child`, agency and incident, each behind a zero byte, for every incident in which the agency may
//! know of a child.

use chassis::decider::{IndexEntry, IndexKey};
use schemas::Event;
use schemas::ids::{AgencyId, IncidentId};
use schemas::victim_id::VictimIdEvent;

use crate::domain::Incident;

const CHILD: &str = "child";

pub fn entries(incident: &Incident, event: &Event<VictimIdEvent>) -> Vec<IndexEntry> {
    let touched: Vec<&AgencyId> = match &event.body {
        VictimIdEvent::ChildRegistered(_) => incident.engaged.keys().collect(),
        VictimIdEvent::AgencyEngaged(engaged) => vec![&engaged.agency],
        VictimIdEvent::AgencyLeft(left) => vec![&left.agency],
        VictimIdEvent::CustodyAccepted(accepted) => {
            std::iter::once(&accepted.by).chain(&accepted.from).collect()
        }
        VictimIdEvent::CustodyCeded(ceded) => vec![&ceded.custodian],
        VictimIdEvent::SupportReferred(referred) => vec![&referred.service],
        _ => return Vec::new(),
    };
    touched.into_iter().map(|agency| entry(incident, agency, &event.aggregate_id)).collect()
}

fn entry(incident: &Incident, agency: &AgencyId, incident_id: &str) -> IndexEntry {
    let knows = incident.children.values().any(|child| incident.may_know(agency, child));
    let key = IndexKey::Whole(key(&[CHILD, agency.as_str(), incident_id]));
    IndexEntry { key, value: knows.then(Vec::new) }
}

fn key(parts: &[&str]) -> Vec<u8> {
    parts.iter().flat_map(|part| part.bytes().chain([0])).collect()
}

/// The first and the last key of an agency's incidents.
pub fn of_agency(agency: &AgencyId) -> (Vec<u8>, Vec<u8>) {
    let from = key(&[CHILD, agency.as_str()]);
    let mut to = from.clone();
    // Every part ends with a zero byte: what begins with the prefix stands before the same with a one.
    if let Some(last) = to.last_mut() {
        *last = 1;
    }
    (from, to)
}

/// The incident that a key names with its last part.
pub fn incident_of(key: &[u8]) -> Option<IncidentId> {
    let last = key.strip_suffix(&[0])?.rsplit(|byte| *byte == 0).next()?;
    std::str::from_utf8(last).ok()?.parse().ok()
}
