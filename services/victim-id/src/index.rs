//! What an agency has before it, without reading every aggregate.
//!
//! Keys of the index, each part with a zero byte behind it:
//!
//! - `child`, agency and incident, for every incident in which the agency may know of a child;
//! - `series`, agency and series, for every series that the agency has opened or in which it has held a child;
//! - `series-in`, country and series, for every series with a child that was held in the country;
//! - `viewer`, agency and person, for everybody of the agency who had to view something.
//!
//! An entry of a series stays: whether the series exists for somebody is asked when it is read.

use std::str::FromStr;

use chassis::decider::{IndexEntry, IndexKey};
use schemas::Event;
use schemas::ids::{AgencyId, Country};
use schemas::victim_id::VictimIdEvent;

use crate::domain::{Aggregate, Incident};

const CHILD: &str = "child";
const SERIES: &str = "series";
const SERIES_IN: &str = "series-in";
const VIEWER: &str = "viewer";

pub fn entries(aggregate: &Aggregate, event: &Event<VictimIdEvent>) -> Vec<IndexEntry> {
    let (incident, id) = (aggregate.incident(), event.aggregate_id.as_str());
    let touched: Vec<&AgencyId> = match &event.body {
        VictimIdEvent::ChildRegistered(_) => incident.engaged.keys().collect(),
        VictimIdEvent::AgencyEngaged(engaged) => vec![&engaged.agency],
        VictimIdEvent::AgencyLeft(left) => vec![&left.agency],
        VictimIdEvent::CustodyAccepted(accepted) => {
            std::iter::once(&accepted.by).chain(&accepted.from).collect()
        }
        VictimIdEvent::CustodyCeded(ceded) => vec![&ceded.custodian],
        VictimIdEvent::SupportReferred(referred) => vec![&referred.service],
        VictimIdEvent::SupportEnded(ended) => vec![&ended.service],
        VictimIdEvent::SeriesOpened(opened) => return vec![known(&[SERIES, opened.by.as_str(), id])],
        VictimIdEvent::ExposureRecorded(recorded) => {
            return vec![known(&[VIEWER, recorded.by.as_str(), id])];
        }
        VictimIdEvent::MemberNoted(noted) => {
            let custodian = noted.custodian.iter().map(|agency| known(&[SERIES, agency.as_str(), id]));
            let country = noted.country.iter().map(|country| known(&[SERIES_IN, country.as_str(), id]));
            return custodian.chain(country).collect();
        }
        _ => return Vec::new(),
    };
    touched.into_iter().map(|agency| entry(incident, agency, id)).collect()
}

fn entry(incident: &Incident, agency: &AgencyId, incident_id: &str) -> IndexEntry {
    let knows = incident.children.values().any(|child| incident.may_know(agency, child));
    let key = IndexKey::Whole(key(&[CHILD, agency.as_str(), incident_id]));
    IndexEntry { key, value: knows.then(Vec::new) }
}

fn known(parts: &[&str]) -> IndexEntry {
    IndexEntry { key: IndexKey::Whole(key(parts)), value: Some(Vec::new()) }
}

fn key(parts: &[&str]) -> Vec<u8> {
    parts.iter().flat_map(|part| part.bytes().chain([0])).collect()
}

/// The first and the last key of an agency's incidents.
pub fn of_agency(agency: &AgencyId) -> (Vec<u8>, Vec<u8>) {
    range(&[CHILD, agency.as_str()])
}

/// The same of its series.
pub fn series_of_agency(agency: &AgencyId) -> (Vec<u8>, Vec<u8>) {
    range(&[SERIES, agency.as_str()])
}

/// The same of the series of a country.
pub fn series_in(country: &Country) -> (Vec<u8>, Vec<u8>) {
    range(&[SERIES_IN, country.as_str()])
}

/// The same of everybody of an agency who had to view something.
pub fn viewers_of(agency: &AgencyId) -> (Vec<u8>, Vec<u8>) {
    range(&[VIEWER, agency.as_str()])
}

fn range(parts: &[&str]) -> (Vec<u8>, Vec<u8>) {
    let from = key(parts);
    let mut to = from.clone();
    // Every part ends with a zero byte: what begins with the prefix stands before the same with a one.
    if let Some(last) = to.last_mut() {
        *last = 1;
    }
    (from, to)
}

/// The aggregate that a key names with its last part.
pub fn named_by<I: FromStr>(key: &[u8]) -> Option<I> {
    let last = key.strip_suffix(&[0])?.rsplit(|byte| *byte == 0).next()?;
    std::str::from_utf8(last).ok()?.parse().ok()
}
