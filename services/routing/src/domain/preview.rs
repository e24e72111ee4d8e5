//! What a change of the directory would have done to an incident: routing's own rules, asked once with the directory as
//! it acts, and once with the change.

use std::collections::BTreeMap;

use chassis::decider::Context;
use schemas::codes::PreviewEffect;
use schemas::directory::view::Directory;
use schemas::ids::{AgencyId, Country};
use schemas::routing::{AssignmentOffered, RoutingEvent};

use super::assignment;
use super::state::Incident;

/// Whom the change would concern, and how.
pub fn effects(
    context: &Context<'_>,
    changed: &Directory,
    incident: &Incident,
) -> Vec<(Country, AgencyId, PreviewEffect)> {
    let (before, after) =
        (offers(context, incident), offers(&Context { directory: changed, ..*context }, incident));
    let lost = before.keys().filter(|asked| !after.contains_key(*asked));
    let mut effects: Vec<_> =
        lost.map(|(country, agency)| (country.clone(), agency.clone(), PreviewEffect::NotAsked)).collect();
    for (asked, now) in &after {
        let found = match before.get(asked) {
            None => vec![PreviewEffect::Asked],
            Some(old) => differences(old, now),
        };
        effects.extend(found.into_iter().map(|effect| (asked.0.clone(), asked.1.clone(), effect)));
    }
    effects
}

/// Who would be asked if the incident came in now. By country too: an agency that a change moves elsewhere is another
/// there, so that nobody learns by it of a country that is not shown.
fn offers(context: &Context<'_>, incident: &Incident) -> BTreeMap<(Country, AgencyId), AssignmentOffered> {
    let unasked = Incident {
        assignments: BTreeMap::new(),
        withheld: Vec::new(),
        alerts: Vec::new(),
        ..incident.clone()
    };
    let offered = assignment::offer(context, &unasked).into_iter().filter_map(|event| match event {
        RoutingEvent::AssignmentOffered(offer) => {
            Some(((offer.country.clone(), offer.agency.clone()), offer))
        }
        _ => None,
    });
    offered.collect()
}

fn differences(old: &AssignmentOffered, now: &AssignmentOffered) -> Vec<PreviewEffect> {
    let lacks = |one: &AssignmentOffered, other: &AssignmentOffered| {
        let (one, other) = (&one.entitlement, &other.entitlement);
        other.facet_kinds.iter().any(|kind| !one.facet_kinds.contains(kind))
            || other.persons.iter().any(|person| !one.persons.contains(person))
    };
    [
        (lacks(old, now), PreviewEffect::OpensMore),
        (lacks(now, old), PreviewEffect::OpensLess),
        (now.respond_by < old.respond_by, PreviewEffect::AnswersSooner),
        (now.respond_by > old.respond_by, PreviewEffect::AnswersLater),
    ]
    .into_iter()
    .filter_map(|(is_so, effect)| is_so.then_some(effect))
    .collect()
}
