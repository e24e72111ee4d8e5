//! An incident's trail as one agency may see it: which chains, how far, and how much of each event.

use std::collections::BTreeMap;

use schemas::codes::AgencyKind;
use schemas::directory::Agency;

use super::audience::{Scope, Shown, Told};

/// How much of each event is shown, by topic and sequence; as far as the agency knows anything. None where the incident
/// does not exist for it.
///
/// A party is shown each topic up to the last event in it that is for the party: what came between is there as frames,
/// and what came later is not for it to know. A coordinator in whose scope it stands is shown every frame, and what it
/// was told itself.
pub fn shown<'a>(
    agency: &Agency,
    events: &'a [(String, i64, Told)],
) -> Option<BTreeMap<(&'a str, i64), Shown>> {
    let seen: Vec<Seen<'a>> = events
        .iter()
        .filter_map(|(topic, sequence, told)| Seen::by(agency, topic, *sequence, told))
        .collect();
    let (is_party, watches) = (seen.iter().any(|seen| seen.tells), watches(agency, events));
    if !is_party && !watches {
        return None;
    }
    let mut last: BTreeMap<&str, i64> = BTreeMap::new();
    for seen in seen.iter().filter(|seen| seen.tells || seen.shown > Shown::Frame) {
        let known = last.entry(seen.topic).or_default();
        *known = (*known).max(seen.sequence);
    }
    let known = |seen: &&Seen<'_>| watches || last.get(seen.topic).is_some_and(|last| seen.sequence <= *last);
    Some(seen.iter().filter(known).map(|seen| ((seen.topic, seen.sequence), seen.shown)).collect())
}

/// Whether the agency is a coordinator in whose scope the incident stands.
fn watches(agency: &Agency, events: &[(String, i64, Told)]) -> bool {
    let scope = Scope::of(events.iter().map(|(_, _, told)| told));
    agency.kind == AgencyKind::Coordinator
        && !scope.never_told.contains(&agency.country)
        && scope.countries.iter().any(|country| agency.scope.contains(country))
}

/// An event as an agency sees it.
struct Seen<'a> {
    topic: &'a str,
    sequence: i64,
    shown: Shown,
    /// Whether it tells the agency that there is such an incident.
    tells: bool,
}

impl<'a> Seen<'a> {
    /// A provider is told neither where its report went, nor what is known of the items in it: of other topics not even
    /// how much there is.
    fn by(agency: &Agency, topic: &'a str, sequence: i64, told: &Told) -> Option<Self> {
        let (shown, tells) = told.shown_to(&agency.id);
        match (agency.kind, told) {
            (AgencyKind::Provider, Told::Referral(_)) => {
                Some(Self { topic, sequence, shown: Shown::Frame, tells })
            }
            (AgencyKind::Provider, _) => None,
            _ => Some(Self { topic, sequence, shown, tells }),
        }
    }
}
