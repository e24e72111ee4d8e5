//! Two children that are one: both custodians agree, and the search goes on with one of them.
//!
//! The proposal stands where it was made; the other side is asked, agrees, and waits. Where it was made it is settled,
//! if the custody is still whose it was: so no child is left without anybody, whichever message comes late or twice.

use chassis::decider::{Context, Rejection};
use schemas::codes::{ActorKind, LinkEnd, LinkSaid, LinkSide, RejectionCode};
use schemas::ids::{AgencyId, ChildRef, Country, LinkId};
use schemas::victim_id::{
    AgreeToLink, ChildAddress, CustodyCeded, EndLink, LinkAgreed, LinkAsked, LinkEnded, LinkMade, LinkNews,
    LinkProposed, ProposeLink, VictimIdEvent,
};

use super::{Child, Decided, Incident, custody, held};

/// Most proposals that are open for one child.
const MAX_LINKS: usize = 20;

pub fn propose(context: &Context<'_>, incident: &Incident, command: &ProposeLink) -> Decided {
    let child = held(context, incident, command.child_ref)?;
    let own = ChildAddress { incident_id: own_incident(context)?, child_ref: command.child_ref };
    let linked = child.linked.contains(&command.other);
    if command.other == own || linked {
        return Err(Rejection::at(RejectionCode::Invalid, "/other"));
    }
    // Whoever has agreed elsewhere may have to cede the search; two promises could leave the child to nobody.
    if is_bound(child) {
        return Err(RejectionCode::LinkOpen.into());
    }
    if child.links.len() >= MAX_LINKS {
        return Err(RejectionCode::TooMany.into());
    }
    let proposed = LinkProposed {
        child_ref: command.child_ref,
        link_id: LinkId::derive(&[context.aggregate_id.as_bytes(), context.cause.as_bytes()]),
        by: context.agency.clone(),
        country: custodian_country(child).ok_or(RejectionCode::NotCustodian)?,
        never_told: incident.noted.as_ref().map_or(Vec::new(), |noted| noted.never_told.clone()),
        other: command.other,
        stays: command.stays,
    };
    Ok(vec![proposed.into()])
}

/// Whether a proposal of its own waits for an answer, or it has agreed to somebody else's.
fn is_bound(child: &Child) -> bool {
    child.links.values().any(|link| link.ours || link.agreed)
}

pub fn agree(context: &Context<'_>, incident: &Incident, command: &AgreeToLink) -> Decided {
    let child = held(context, incident, command.child_ref)?;
    let link = child.links.get(&command.link_id).filter(|link| !link.ours);
    let link = link.ok_or(RejectionCode::UnknownLink)?;
    if is_bound(child) {
        return Err(RejectionCode::LinkOpen.into());
    }
    // Custody may have passed since it was asked for.
    if custodian_country(child).is_some_and(|country| link.never_told.contains(&country)) {
        return Err(RejectionCode::TransferNotAllowed.into());
    }
    let (child_ref, link_id, other) = (command.child_ref, command.link_id, link.other);
    Ok(vec![LinkAgreed { child_ref, link_id, by: context.agency.clone(), other }.into()])
}

/// Whoever was asked declines; whoever has asked takes it back. Who has agreed is bound by it.
pub fn end(context: &Context<'_>, incident: &Incident, command: &EndLink) -> Decided {
    let child = held(context, incident, command.child_ref)?;
    let link = child.links.get(&command.link_id).ok_or(RejectionCode::UnknownLink)?;
    if link.agreed {
        return Err(RejectionCode::WrongState.into());
    }
    let end = if link.ours { LinkEnd::Withdrawn } else { LinkEnd::Declined };
    let ended = ended(command.child_ref, command.link_id, link.other, end);
    Ok(vec![ended, custody::confirmed(context, command.child_ref)])
}

fn custodian_country(child: &Child) -> Option<Country> {
    child.custody.as_ref().map(|custody| custody.country.clone())
}

fn ended(child_ref: ChildRef, link_id: LinkId, other: ChildAddress, end: LinkEnd) -> VictimIdEvent {
    LinkEnded { child_ref, link_id, other, end }.into()
}

/// Proposals of whoever was the custodian fall with its custody: the next one has proposed nothing.
pub fn superseded(child_ref: ChildRef, child: &Child) -> Vec<VictimIdEvent> {
    let own = child.links.iter().filter(|(_, link)| link.ours);
    own.map(|(id, link)| ended(child_ref, *id, link.other, LinkEnd::Superseded)).collect()
}

/// What the other incident of a link has said.
pub fn hear(context: &Context<'_>, incident: &Incident, news: &LinkNews) -> Decided {
    // Only the service itself carries it.
    if context.actor.kind != ActorKind::Service {
        return Err(RejectionCode::NotEntitled.into());
    }
    let child = incident.children.get(&news.child_ref);
    Ok(match news.said {
        LinkSaid::Asked => asked(incident, child, news),
        LinkSaid::Agreed => settled(child, news),
        LinkSaid::Made => made(child, news),
        LinkSaid::Ended => {
            let open = child.filter(|child| child.links.contains_key(&news.link_id));
            open.map(|_| ended(news.child_ref, news.link_id, news.other, LinkEnd::OtherSide))
                .into_iter()
                .collect()
        }
    })
}

/// Neither side hears of an incident that its State must never hear of: then the answer is no, and nobody here is told.
fn asked(incident: &Incident, child: Option<&Child>, news: &LinkNews) -> Vec<VictimIdEvent> {
    let LinkNews { child_ref, link_id, other, .. } = *news;
    let theirs = news.country.as_ref().is_some_and(|country| incident.is_never_told(country));
    let ours =
        |child: &&Child| custodian_country(child).is_some_and(|country| news.never_told.contains(&country));
    let open = child.filter(|child| child.ceded_to.is_none() && child.links.len() < MAX_LINKS);
    let open = open.filter(|child| !theirs && !ours(child));
    match open {
        Some(child) if child.links.contains_key(&link_id) || child.linked.contains(&other) => Vec::new(),
        Some(_) => {
            let (by, never_told) = (news.by.clone(), news.never_told.clone());
            vec![LinkAsked { child_ref, link_id, by, never_told, other, stays: news.stays }.into()]
        }
        None => vec![ended(child_ref, link_id, other, LinkEnd::Declined)],
    }
}

/// The other side has agreed: it holds if the proposal still stands. One falls with the custody of whoever made it.
fn settled(child: Option<&Child>, news: &LinkNews) -> Vec<VictimIdEvent> {
    let LinkNews { child_ref, link_id, other, .. } = *news;
    let stands = child.and_then(|child| {
        let link = child.links.get(&link_id).filter(|link| link.ours && link.other == other)?;
        Some((child, link.stays))
    });
    match stands {
        Some((child, stays)) => make(child, child_ref, link_id, other, stays),
        // It was made before: the answer comes twice.
        None if child.is_some_and(|child| child.is_one_with(&other)) => Vec::new(),
        None => vec![ended(child_ref, link_id, other, LinkEnd::Superseded)],
    }
}

fn made(child: Option<&Child>, news: &LinkNews) -> Vec<VictimIdEvent> {
    let open = child.filter(|child| child.links.contains_key(&news.link_id));
    open.map_or(Vec::new(), |child| make(child, news.child_ref, news.link_id, news.other, news.stays))
}

fn make(
    child: &Child,
    child_ref: ChildRef,
    link_id: LinkId,
    other: ChildAddress,
    stays: LinkSide,
) -> Vec<VictimIdEvent> {
    let mut events = vec![LinkMade { child_ref, link_id, other, stays }.into()];
    if stays == LinkSide::There {
        events.extend(custody::closed(child_ref, child));
        // Nobody is left here to answer what else was asked.
        let others = child.links.iter().filter(|(id, _)| **id != link_id);
        events.extend(others.map(|(id, link)| ended(child_ref, *id, link.other, LinkEnd::Declined)));
        let custodian = child.custody.as_ref().map(|custody| custody.custodian.clone());
        events.extend(custodian.map(|custodian| CustodyCeded { child_ref, custodian, to: other }.into()));
    }
    events
}

impl Child {
    fn is_one_with(&self, other: &ChildAddress) -> bool {
        self.linked.contains(other) || self.ceded_to.as_ref() == Some(other)
    }
}

fn own_incident(context: &Context<'_>) -> Result<schemas::ids::IncidentId, Rejection> {
    context.aggregate_id.parse().map_err(|_| RejectionCode::UnknownIncident.into())
}

/// What the other incident of a link is told by an event of this one.
pub fn told(own: schemas::ids::IncidentId, event: &VictimIdEvent) -> Option<(ChildAddress, LinkNews)> {
    let (by, country, never_told) = match event {
        VictimIdEvent::LinkProposed(one) => {
            (one.by.clone(), Some(one.country.clone()), one.never_told.clone())
        }
        VictimIdEvent::LinkAgreed(one) => (one.by.clone(), None, Vec::new()),
        _ => (AgencyId::own(), None, Vec::new()),
    };
    let (child_ref, link_id, other, said, stays) = match event {
        VictimIdEvent::LinkProposed(one) => {
            (one.child_ref, one.link_id, one.other, LinkSaid::Asked, one.stays)
        }
        VictimIdEvent::LinkAgreed(one) => {
            (one.child_ref, one.link_id, one.other, LinkSaid::Agreed, LinkSide::Here)
        }
        VictimIdEvent::LinkMade(one) => (one.child_ref, one.link_id, one.other, LinkSaid::Made, one.stays),
        // What the other side has ended itself it need not be told.
        VictimIdEvent::LinkEnded(one) if one.end != LinkEnd::OtherSide => {
            (one.child_ref, one.link_id, one.other, LinkSaid::Ended, LinkSide::Here)
        }
        _ => return None,
    };
    let from = ChildAddress { incident_id: own, child_ref };
    let stays = stays.seen_from_there();
    let news =
        LinkNews { child_ref: other.child_ref, link_id, other: from, by, country, said, never_told, stays };
    Some((other, news))
}
