//! In which order a unit's children stand, and why. A person decides: the factors are shown, no sum of them is.

use schemas::Timestamp;
use schemas::codes::{AgeBand, Annotation, ChildStatus, PriorityFactor, Urgency};
use schemas::ids::AgencyId;

use super::{Child, Incident};

/// What speaks for looking at a child now, strongest first.
pub fn factors(incident: &Incident, child: &Child, agency: &AgencyId, now: Timestamp) -> Vec<PriorityFactor> {
    if child.is_settled() {
        return Vec::new();
    }
    let noted = incident.noted.as_ref();
    let danger = noted.is_some_and(|noted| noted.urgency == Urgency::ImminentDanger);
    let streamed = noted.is_some_and(|noted| noted.annotations.contains(&Annotation::LiveStreamed));
    let unidentified = matches!(child.status, ChildStatus::Unidentified | ChildStatus::Attributed);
    let silent = child.custody.as_ref().is_some_and(|custody| custody.is_silent(now));
    let all = [
        (PriorityFactor::ImminentDanger, danger),
        (PriorityFactor::OfferedToUs, child.offer.as_ref().is_some_and(|offer| offer.to == *agency)),
        (PriorityFactor::NobodyLooks, child.custody.is_none()),
        (PriorityFactor::CustodianSilent, silent),
        (PriorityFactor::LiveStreamed, streamed),
        (PriorityFactor::Unidentified, unidentified),
        (PriorityFactor::YoungChild, child.age_band == AgeBand::UnderThirteen),
    ];
    all.into_iter().filter(|(_, holds)| *holds).map(|(factor, _)| factor).collect()
}

/// The place of a factor: the smaller, the sooner.
pub const fn rank(factor: PriorityFactor) -> u8 {
    match factor {
        PriorityFactor::ImminentDanger => 0,
        PriorityFactor::OfferedToUs => 1,
        PriorityFactor::NobodyLooks => 2,
        PriorityFactor::CustodianSilent => 3,
        PriorityFactor::LiveStreamed => 4,
        PriorityFactor::Unidentified => 5,
        PriorityFactor::YoungChild => 6,
    }
}

/// Compares as whoever has the stronger factor comes first, and of two that have it, whoever has the next.
pub fn order(factors: &[PriorityFactor]) -> Vec<u8> {
    // What a child lacks counts behind all that another has.
    factors.iter().map(|factor| rank(*factor)).chain([u8::MAX]).collect()
}
