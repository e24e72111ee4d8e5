//! What must hold, said from what the agencies did and were told.

use std::collections::{BTreeMap, BTreeSet};

use schemas::Timestamp;
use schemas::ids::{AgencyId, ChildRef, LinkId, OfferId};
use schemas::victim_id::{VictimIdCommand, VictimIdEvent};
use serde::Serialize;
use victim_id::domain::Incident;

use crate::people::{LIMIT_DAYS, incident_id};
use crate::world::World;

pub const MOVES: &str = "custody moves only as both have said, and nothing else moves with it";
pub const NEVER_LOST: &str = "a child that somebody looked for has somebody who does";
pub const AT_MOST_ONE: &str = "of children that are one, one has a custodian";

/// What the agencies know to have done.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Ghost {
    /// Offers by their child: from whom to whom, until when. Those that stand are open.
    offers: BTreeMap<OfferId, (ChildRef, AgencyId, AgencyId, Timestamp)>,
    open: BTreeSet<OfferId>,
    invited: BTreeSet<(ChildRef, AgencyId)>,
    last_sign: BTreeMap<ChildRef, Timestamp>,
    held: BTreeSet<ChildRef>,
    /// Proposals that stand: of which child, and whether the other side has agreed.
    proposals: BTreeMap<LinkId, (ChildRef, bool)>,
    /// Those that both sides hold to now, whoever has the custody.
    made: BTreeSet<LinkId>,
    links: usize,
    seen: BTreeSet<&'static str>,
    pub broken: Option<String>,
}

impl Ghost {
    pub fn offers_of(&self, child: ChildRef) -> Vec<OfferId> {
        self.offers.iter().filter(|(_, offer)| offer.0 == child).map(|(id, _)| *id).collect()
    }

    pub fn offers(&self) -> usize {
        self.offers.len()
    }

    pub const fn links(&self) -> usize {
        self.links
    }

    /// Offers and proposals so far: what tells the next one from them.
    pub fn made(&self) -> usize {
        self.offers.len() + self.links
    }

    pub fn has(&self, what: &'static str) -> bool {
        self.seen.contains(what)
    }

    /// One command was taken: was it lawful, and what follows from it for those that come?
    pub fn follow(
        &mut self,
        before: &[Incident],
        after: &[Incident],
        incident: usize,
        (by, given): (&AgencyId, Timestamp),
        command: &VictimIdCommand,
        events: &[VictimIdEvent],
    ) {
        let about = events.iter().find_map(VictimIdEvent::child_ref);
        for (number, (was, is)) in before.iter().zip(after).enumerate() {
            for (child, now) in &is.children {
                let then = &was.children[child];
                let own = number == incident && Some(*child) == about;
                if !own && then != now {
                    self.break_law(format!("{child} changed by a command about another"));
                }
                let (from, to) = (holder(then), holder(now));
                if own && from != to {
                    self.moved(*child, from, to, (by, given), command);
                }
            }
        }
        let Some(child) = about else { return };
        // Whatever the custodian does is a sign of life, and whoever was invited is not any more.
        if before[incident].children[&child].is_held_by(by) {
            let sign = self.last_sign.entry(child).or_insert(given);
            *sign = (*sign).max(given);
            self.invited.retain(|(invited, _)| *invited != child);
        }
        for event in events {
            match event {
                VictimIdEvent::CustodyOffered(offer) => {
                    let told = (child, offer.by.clone(), offer.to.clone(), offer.until);
                    self.offers.insert(offer.offer_id, told);
                    self.open.insert(offer.offer_id);
                }
                VictimIdEvent::OfferEnded(ended) => {
                    if matches!(command, VictimIdCommand::ChildClockDue(_)) {
                        self.seen.insert("expired");
                    }
                    self.open.remove(&ended.offer_id);
                }
                VictimIdEvent::TakersInvited(invited) => {
                    self.invited.extend(invited.agencies.iter().map(|agency| (child, agency.clone())));
                }
                VictimIdEvent::LinkProposed(proposed) => {
                    self.links += 1;
                    self.proposals.insert(proposed.link_id, (child, false));
                }
                VictimIdEvent::LinkMade(made) => {
                    self.made.insert(made.link_id);
                }
                VictimIdEvent::LinkAgreed(agreed) => {
                    if let Some(proposal) = self.proposals.get_mut(&agreed.link_id) {
                        proposal.1 = true;
                    }
                }
                _ => {}
            }
        }
        // Whoever has proposed takes it back; whoever has declined may still agree.
        if let VictimIdCommand::EndLink(end) = command {
            self.proposals.retain(|id, (proposed, _)| *id != end.link_id || *proposed != child);
        }
    }

    fn moved(
        &mut self,
        child: ChildRef,
        from: Option<AgencyId>,
        to: Option<AgencyId>,
        (by, given): (&AgencyId, Timestamp),
        command: &VictimIdCommand,
    ) {
        let lawful = match (&from, &to, command) {
            (None, Some(taker), VictimIdCommand::TakeCustody(_)) => {
                taker == by && !self.held.contains(&child)
            }
            (Some(from), Some(taker), VictimIdCommand::AcceptCustody(accept)) => {
                self.seen.insert("handed-on");
                let offer = self.offers.get(&accept.offer_id);
                taker == by
                    && self.open.contains(&accept.offer_id)
                    && offer.is_some_and(|(of, offered_by, offered_to, until)| {
                        *of == child && offered_by == from && offered_to == taker && given < *until
                    })
            }
            (Some(_), Some(taker), VictimIdCommand::TakeCustody(_)) => {
                self.seen.insert("taken-over");
                let limit = i64::from(LIMIT_DAYS) * 24 * 60;
                taker == by
                    && self.invited.contains(&(child, taker.clone()))
                    && self.last_sign.get(&child).is_some_and(|sign| given >= sign.plus_minutes(limit))
            }
            // Ceded: a proposal stands, and the other side has agreed to it.
            (Some(_), None, VictimIdCommand::LinkNews(news)) => {
                self.seen.insert("ceded");
                let agreed = self.proposals.get(&news.link_id).is_some_and(|(_, agreed)| *agreed);
                agreed || self.made.contains(&news.link_id)
            }
            _ => false,
        };
        if !lawful {
            self.break_law(format!("{child} passed from {from:?} to {to:?} by {by} with {command:?}"));
        }
        self.held.insert(child);
        self.last_sign.insert(child, given);
        self.invited.retain(|(invited, _)| *invited != child);
        let offers = self.offers_of(child);
        self.open.retain(|offer| !offers.contains(offer));
        // Whoever has proposed has the search no more; what was made stands.
        if to.is_some() {
            self.proposals.retain(|_, (proposed, _)| *proposed != child);
        }
    }

    fn break_law(&mut self, how: String) {
        self.broken.get_or_insert(how);
    }
}

fn holder(child: &victim_id::domain::Child) -> Option<AgencyId> {
    child.custody.as_ref().map(|custody| custody.custodian.clone())
}

/// Whoever looked for a child still does, or somebody looks for the child that it was found to be.
pub fn nobody_is_lost(world: &World) -> bool {
    world.ghost.held.iter().all(|child| {
        let mut child = *child;
        for _ in 0..=world.incidents.len() {
            let found = world.incidents.iter().find_map(|incident| incident.children.get(&child));
            let Some(found) = found else { return false };
            match found.ceded_to {
                Some(to) => child = to.child_ref,
                None => return found.custody.is_some(),
            }
        }
        // Each has ceded to the other.
        false
    })
}

/// Once both sides know of a link, one of the two has a custodian.
pub fn one_custodian_is_left(world: &World) -> bool {
    world.incidents.iter().enumerate().all(|(number, incident)| {
        incident.children.values().all(|child| {
            let ceded = child.ceded_to.is_some();
            let elsewhere = child.ceded_to.is_none_or(|to| to.incident_id != incident_id(number));
            !ceded || (child.custody.is_none() && elsewhere)
        })
    })
}
