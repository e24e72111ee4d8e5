//! In which order a unit's children stand, and why. A person decides: the factors are shown, no sum of them is.

use schemas::Timestamp;
use schemas::codes::{AgeBand, Annotation, ChildStatus, PriorityFactor, Urgency};
use schemas::ids::AgencyId;

use super::{Child, Incident};

/// Every factor, strongest first.
const RANKED: [PriorityFactor; 8] = [
    PriorityFactor::ImminentDanger,
    PriorityFactor::NewMaterial,
    PriorityFactor::OfferedToUs,
    PriorityFactor::NobodyLooks,
    PriorityFactor::CustodianSilent,
    PriorityFactor::LiveStreamed,
    PriorityFactor::Unidentified,
    PriorityFactor::YoungChild,
];

/// What speaks for looking at a child now, strongest first. Of a child that is safe only what is new of it.
pub fn factors(incident: &Incident, child: &Child, agency: &AgencyId, now: Timestamp) -> Vec<PriorityFactor> {
    let holds = |factor: &PriorityFactor| {
        let open = !child.is_settled() || *factor == PriorityFactor::NewMaterial;
        open && speaks(*factor, incident, child, agency, now)
    };
    RANKED.into_iter().filter(holds).collect()
}

fn speaks(
    factor: PriorityFactor,
    incident: &Incident,
    child: &Child,
    agency: &AgencyId,
    now: Timestamp,
) -> bool {
    let noted = incident.noted.as_ref();
    match factor {
        PriorityFactor::ImminentDanger => noted.is_some_and(|noted| noted.urgency == Urgency::ImminentDanger),
        PriorityFactor::NewMaterial => child.new_material,
        PriorityFactor::OfferedToUs => child.offer.as_ref().is_some_and(|offer| offer.to == *agency),
        PriorityFactor::NobodyLooks => child.custody.is_none(),
        PriorityFactor::CustodianSilent => {
            child.custody.as_ref().is_some_and(|custody| custody.is_silent(now))
        }
        PriorityFactor::LiveStreamed => {
            noted.is_some_and(|noted| noted.annotations.contains(&Annotation::LiveStreamed))
        }
        PriorityFactor::Unidentified => {
            matches!(child.status, ChildStatus::Unidentified | ChildStatus::Attributed)
        }
        PriorityFactor::YoungChild => child.age_band == AgeBand::UnderThirteen,
    }
}

/// Compares as whoever has the stronger factor comes first, and of two that have it, whoever has the next.
pub fn order(factors: &[PriorityFactor]) -> Vec<usize> {
    let rank = |factor| RANKED.iter().position(|ranked| ranked == factor).unwrap_or(RANKED.len());
    // What a child lacks counts behind all that another has.
    factors.iter().map(rank).chain([usize::MAX]).collect()
}
