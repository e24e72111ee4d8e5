//! Which requests an agency has before it, without reading them all.
//!
//! Keys of the index: `open`, agency, incident and request, each behind a zero byte, for what is not over; the value is
//! an [`Open`]. `over`, agency, moment (big endian), incident and request for what is. `order`, country, incident and
//! request for every order that the country has issued or would enforce.

use chassis::decider::{IndexEntry, IndexKey};
use schemas::codes::{RequestKind, RequestStep};
use schemas::ids::{AgencyId, Country, IncidentId, RequestId};
use schemas::mla::MlaEvent;
use schemas::{Event, Timestamp};
use serde::{Deserialize, Serialize};

use crate::domain::{Incident, Request, due, is_over};

const OPEN: &str = "open";
const OVER: &str = "over";
const ORDER: &str = "order";

/// What is kept of a request that is not over, for one agency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// The first moment at which something is due; none where nothing says.
    pub soonest: Option<Timestamp>,
    pub changed: Timestamp,
}

pub fn entries(incident: &Incident, event: &Event<MlaEvent>) -> Vec<IndexEntry> {
    let Some(id) = event.body.request_id() else { return Vec::new() };
    let Some(request) = incident.requests.get(&id) else { return Vec::new() };
    let mut entries: Vec<IndexEntry> = request
        .taking_part()
        .flat_map(|agency| of_agency(request, agency, &event.aggregate_id, id, event.time))
        .collect();
    // Whoever has passed it on has no part in it any more.
    if request.role_of(&event.agency).is_none() {
        entries.push(entry(open_key(&event.agency, &event.aggregate_id, id), None));
    }
    entries.extend(of_order(request, &event.aggregate_id, id, &event.body));
    entries
}

fn of_agency(
    request: &Request,
    agency: &AgencyId,
    incident: &str,
    id: RequestId,
    at: Timestamp,
) -> Vec<IndexEntry> {
    let Some(role) = request.role_of(agency) else {
        return vec![entry(open_key(agency, incident, id), None)];
    };
    let items = due::items(request, role);
    // Data may be guarded after a request was closed.
    if is_over(request.state) && items.is_empty() {
        let over = [key(&[OVER, agency.as_str()]), at.as_millis().to_be_bytes().to_vec()].concat();
        let over = [over, key(&[incident, &id.to_string()])].concat();
        return vec![entry(open_key(agency, incident, id), None), entry(over, Some(Vec::new()))];
    }
    let open = Open { soonest: items.iter().filter_map(|item| item.due).min(), changed: at };
    let value = postcard::to_allocvec(&open).expect("an index entry is plain data");
    vec![entry(open_key(agency, incident, id), Some(value))]
}

fn of_order(request: &Request, incident: &str, id: RequestId, event: &MlaEvent) -> Vec<IndexEntry> {
    let sent = matches!(event, MlaEvent::StepTaken(taken) if taken.step.code() == RequestStep::Transmission);
    if request.draft.kind == RequestKind::Assistance || !sent {
        return Vec::new();
    }
    [&request.country, &request.draft.requested]
        .map(|country| entry(key(&[ORDER, country.as_str(), incident, &id.to_string()]), Some(Vec::new())))
        .into()
}

fn entry(key: Vec<u8>, value: Option<Vec<u8>>) -> IndexEntry {
    IndexEntry { key: IndexKey::Whole(key), value }
}

fn open_key(agency: &AgencyId, incident: &str, id: RequestId) -> Vec<u8> {
    key(&[OPEN, agency.as_str(), incident, &id.to_string()])
}

fn key(parts: &[&str]) -> Vec<u8> {
    parts.iter().flat_map(|part| part.bytes().chain([0])).collect()
}

/// A span of the index.
pub struct Span {
    pub from: Vec<u8>,
    pub to: Vec<u8>,
}

fn behind(prefix: Vec<u8>) -> Span {
    let mut to = prefix.clone();
    // Every part ends with a zero byte: what begins with the prefix stands before the same with a one.
    if let Some(last) = to.last_mut() {
        *last = 1;
    }
    Span { from: prefix, to }
}

/// What an agency has open.
pub fn open_of(agency: &AgencyId) -> Span {
    behind(key(&[OPEN, agency.as_str()]))
}

/// What was over for an agency since a moment.
pub fn over_since(agency: &AgencyId, since: Timestamp) -> Span {
    let Span { from, to } = behind(key(&[OVER, agency.as_str()]));
    Span { from: [from, since.as_millis().max(0).to_be_bytes().to_vec()].concat(), to }
}

/// Every order that a country has issued or would enforce.
pub fn orders_of(country: &Country) -> Span {
    behind(key(&[ORDER, country.as_str()]))
}

/// The request that a key names with its last two parts.
pub fn request_of(key: &[u8]) -> Option<(IncidentId, RequestId)> {
    let mut parts = key.strip_suffix(&[0])?.rsplit(|byte| *byte == 0);
    let request = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
    // Of a key with a moment in it the incident stands behind the moment's bytes.
    let incident = parts.next()?;
    let text = incident.get(incident.len().checked_sub(UUID_CHARS)?..)?;
    Some((std::str::from_utf8(text).ok()?.parse().ok()?, request))
}

const UUID_CHARS: usize = 36;
