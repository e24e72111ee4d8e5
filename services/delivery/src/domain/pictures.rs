//! Pictures that look like known ones: what was found, and what people say of it.

use std::collections::{BTreeMap, BTreeSet};

use chassis::decider::{Context, Rejection};
use schemas::Timestamp;
use schemas::codes::{ActorKind, FacetKind, MatchVerdict, RejectionCode};
use schemas::delivery::{
    ComparePictures, DeliveryEvent, JudgeMatch, MatchJudged, PictureMatch, PicturesCompared,
};
use schemas::directory::view::Directory;
use schemas::ids::{AgencyId, FacetId, PictureMatchId};
use schemas::routing::FacetRef;
use serde::{Deserialize, Serialize};

use super::{Incident, Item, opens_with_offer};

/// Most matches of one referral; the nearest are kept.
pub const MAX_MATCHES: usize = 1_000;

type Decision = Result<Vec<DeliveryEvent>, Rejection>;

/// What is known of an incident's pictures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pictures {
    /// The sealed digests that were compared.
    pub compared: BTreeSet<FacetId>,
    pub matches: BTreeMap<PictureMatchId, Matched>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Matched {
    pub found: PictureMatch,
    /// The last word of each agency.
    pub verdicts: BTreeMap<AgencyId, MatchVerdict>,
}

impl Matched {
    /// Whether nobody has to look at the item again: a person has confirmed the match, and nobody disputes it.
    pub fn closes(&self) -> bool {
        let mut verdicts = self.verdicts.values();
        !self.verdicts.is_empty() && verdicts.all(|verdict| *verdict == MatchVerdict::Confirmed)
    }
}

/// What delivery has found by itself. Once for each sealing.
pub fn compare(context: &Context<'_>, incident: &Incident, command: &ComparePictures) -> Decision {
    if context.actor.kind != ActorKind::Service {
        return Err(RejectionCode::NotEntitled.into());
    }
    let sealed = incident.pictures_facet().map(|facet| facet.facet_id);
    if sealed != Some(command.facet_id) || incident.pictures.compared.contains(&command.facet_id) {
        return Ok(Vec::new());
    }
    let matches = command.matches.iter().take(MAX_MATCHES).cloned().collect();
    Ok(vec![PicturesCompared { facet_id: command.facet_id, matches }.into()])
}

/// A person of an agency that may open the digests says whether the item shows what the entry does.
pub fn judge(context: &Context<'_>, incident: &Incident, command: &JudgeMatch) -> Decision {
    let seen = incident.matches_for(context.agency, context.directory, context.now);
    let matched =
        seen.and_then(|matches| matches.get(&command.match_id)).ok_or(RejectionCode::UnknownMatch)?;
    context.must_be_human()?;
    if matched.verdicts.get(context.agency) == Some(&command.verdict) {
        return Err(RejectionCode::Unchanged.into());
    }
    let by = context.agency.clone();
    Ok(vec![MatchJudged { match_id: command.match_id, by, verdict: command.verdict }.into()])
}

pub fn evolve(pictures: &mut Pictures, event: &DeliveryEvent) {
    match event {
        DeliveryEvent::PicturesCompared(compared) => {
            pictures.compared.insert(compared.facet_id);
            // What digests that were replaced looked like goes; what people said of a match that is the same stays.
            let mut before = std::mem::take(&mut pictures.matches);
            pictures.matches.extend(compared.matches.iter().map(|found| {
                let same = before.remove(&found.match_id).filter(|matched| matched.found == *found);
                let new = || Matched { found: found.clone(), verdicts: BTreeMap::new() };
                (found.match_id, same.unwrap_or_else(new))
            }));
        }
        DeliveryEvent::MatchJudged(judged) => {
            if let Some(matched) = pictures.matches.get_mut(&judged.match_id) {
                matched.verdicts.insert(judged.by.clone(), judged.verdict);
            }
        }
        _ => {}
    }
}

impl Incident {
    /// Where the digests of the incident's pictures stand, sealed.
    pub fn pictures_facet(&self) -> Option<&FacetRef> {
        let facets = self.registered.as_ref().map(|registered| registered.facets.iter());
        facets.into_iter().flatten().find(|facet| facet.kind == FacetKind::PerceptualDigests)
    }

    /// What an agency may know of its pictures: all of it where one of its assignments lets it open the digests now,
    /// and they were not erased.
    pub fn matches_for(
        &self,
        agency: &AgencyId,
        directory: &Directory,
        now: Timestamp,
    ) -> Option<&BTreeMap<PictureMatchId, Matched>> {
        let opens = |item: &Item| item.delivered.agency == *agency && opens_with_offer(item).is_ok();
        let own = self.items.iter().filter(|(_, item)| opens(item));
        let mut facets = own.flat_map(|(id, _)| self.entitled_facets(*id, directory, now));
        let opens = facets.any(|entitled| {
            entitled.facet.kind == FacetKind::PerceptualDigests
                && self.erasures.closed(entitled.facet.facet_id, agency).is_none()
        });
        opens.then_some(&self.pictures.matches)
    }
}
