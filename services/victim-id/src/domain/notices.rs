//! Who is told of what: whoever it concerns, and has not done it itself.

use chassis::decider::Context;
use schemas::codes::{ChildNews, OfferEnd};
use schemas::ids::AgencyId;
use schemas::victim_id::{AgencyNoticed, VictimIdEvent};

use super::{Child, Incident};

/// What follows from events for agencies, by the state before them.
pub fn of(context: &Context<'_>, incident: &Incident, events: &[VictimIdEvent]) -> Vec<VictimIdEvent> {
    let about = events.iter().filter_map(|event| {
        let child_ref = event.child_ref()?;
        Some((child_ref, incident.children.get(&child_ref)?, event))
    });
    let told = about.flat_map(|(child_ref, child, event)| {
        let told = |agency: &AgencyId| agency != context.agency && incident.may_know(agency, child);
        // Whoever is asked to receive the child comes to know of it by that.
        let new = matches!(event, VictimIdEvent::SupportReferred(_));
        let concerned = concerned(child, event).into_iter().filter(move |(agency, _)| new || told(agency));
        concerned.map(move |(agency, news)| AgencyNoticed { child_ref, agency, news }.into())
    });
    told.collect()
}

fn concerned(child: &Child, event: &VictimIdEvent) -> Vec<(AgencyId, ChildNews)> {
    let custodian = |news| child.custody.iter().map(|custody| (custody.custodian.clone(), news)).collect();
    let one = |agency: &AgencyId, news| vec![(agency.clone(), news)];
    match event {
        VictimIdEvent::CustodyOffered(offered) => one(&offered.to, ChildNews::CustodyOffered),
        VictimIdEvent::OfferEnded(ended) => {
            let mut told: Vec<_> = custodian(ChildNews::OfferEnded);
            let to = child.offer.iter().filter(|_| ended.end != OfferEnd::Declined);
            told.extend(to.map(|offer| (offer.to.clone(), ChildNews::OfferEnded)));
            told
        }
        VictimIdEvent::CustodyAccepted(accepted) => {
            let from = accepted.from.iter().map(|from| (from.clone(), ChildNews::CustodyPassed));
            let others = child.invited.iter().filter(|invited| **invited != accepted.by);
            from.chain(others.map(|other| (other.clone(), ChildNews::InvitationEnded))).collect()
        }
        VictimIdEvent::CustodianSilent(silent) => one(&silent.custodian, ChildNews::CustodianSilent),
        VictimIdEvent::TakersInvited(invited) => {
            let mut told: Vec<_> = custodian(ChildNews::TakersInvited);
            told.extend(invited.agencies.iter().map(|agency| (agency.clone(), ChildNews::TakersInvited)));
            told
        }
        VictimIdEvent::InvitationEnded(_) => {
            child.invited.iter().map(|agency| (agency.clone(), ChildNews::InvitationEnded)).collect()
        }
        VictimIdEvent::SupportReferred(referred) => one(&referred.service, ChildNews::SupportReferred),
        VictimIdEvent::SupportAcknowledged(_) => custodian(ChildNews::SupportAcknowledged),
        VictimIdEvent::SupportEnded(ended) => {
            let mut told: Vec<_> = custodian(ChildNews::SupportEnded);
            told.push((ended.service.clone(), ChildNews::SupportEnded));
            told
        }
        VictimIdEvent::LinkAsked(_) => custodian(ChildNews::LinkAsked),
        VictimIdEvent::LinkEnded(_) => custodian(ChildNews::LinkEnded),
        VictimIdEvent::LinkMade(_) => custodian(ChildNews::LinkMade),
        VictimIdEvent::MajorityReached(_) => custodian(ChildNews::MajorityReached),
        VictimIdEvent::NewMaterialNoted(_) => custodian(ChildNews::NewMaterial),
        VictimIdEvent::SeriesLeft(left) if left.by.is_none() => custodian(ChildNews::SeriesUnknown),
        _ => Vec::new(),
    }
}
