//! A world of few agencies, children and moments, and everything that can happen next in it.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};

use chassis::decider::Context;
use schemas::codes::{HandoverDeclineReason, LinkSaid, LinkSide};
use schemas::ids::{AgencyId, ChildRef};
use schemas::victim_id::*;
use schemas::{Actor, Timestamp};
use serde::Serialize;
use stateright::{Model, Property};
use victim_id::domain::{self, Incident, Link};

use crate::law::Ghost;
use crate::people::*;

use crate::law::{self, AT_MOST_ONE, MOVES, NEVER_LOST};

/// Most offers, and most proposals, of one history that is looked at exhaustively.
const FEW: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// One child, three units and a coordinator.
    OneChild,
    /// Two children of one incident, two units.
    TwoChildren,
    /// A child in each of two incidents, two units: the same child, perhaps.
    Linked,
    /// The same, without anything else that moves custody.
    Crossed,
    /// The same in three incidents.
    Chained,
}

/// A guard of `decide` that can be left out: the state that it reads is changed so that it always passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    HeldByNobodyElse,
    OfferedToTheTaker,
    OfferStillOpen,
    LimitHasRun,
    BoundByOneLink,
    ProposalStillStands,
    CededIsNotTaken,
}

pub struct Custody {
    scenario: Scenario,
    without: Option<Guard>,
    most: usize,
    moments: usize,
}

/// All that is so at one point of a history.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct World {
    pub incidents: Vec<Incident>,
    /// The number of the moment.
    pub now: usize,
    /// What one incident has told another: it may come in any order, again, or never.
    pub wire: BTreeSet<(usize, Wire)>,
    /// What the agencies have done and were told, kept beside the state.
    pub ghost: Ghost,
}

/// News between incidents, in an order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Wire {
    link: [u8; 16],
    said: u8,
    bytes: Vec<u8>,
}

impl Eq for World {}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        postcard::to_allocvec(self).unwrap().hash(state);
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// An agency's command arrives, given at a moment.
    Ask {
        incident: usize,
        by: &'static str,
        given: usize,
        command: Box<VictimIdCommand>,
    },
    /// News from another incident arrives.
    Hear {
        incident: usize,
        news: Box<LinkNews>,
    },
    /// A clock rings, perhaps late.
    Ring {
        incident: usize,
        command: Box<VictimIdCommand>,
    },
    TimePasses,
}

impl Custody {
    pub fn new(scenario: Scenario, without: Option<Guard>) -> Self {
        let moments = match scenario {
            Scenario::OneChild => 4,
            Scenario::TwoChildren => 2,
            Scenario::Linked | Scenario::Crossed | Scenario::Chained => 1,
        };
        Self { scenario, without, most: FEW, moments }
    }

    /// For long histories: as many offers, proposals and moments as come.
    pub fn long(scenario: Scenario) -> Self {
        Self { most: usize::MAX, moments: usize::MAX, ..Self::new(scenario, None) }
    }

    /// Most states of one history: what is new beyond it is more of the same.
    pub const fn depth(&self) -> usize {
        match self.scenario {
            Scenario::OneChild => 12,
            Scenario::Linked => 10,
            Scenario::TwoChildren | Scenario::Crossed => 12,
            Scenario::Chained => 10,
        }
    }

    fn links(&self) -> bool {
        matches!(self.scenario, Scenario::Linked | Scenario::Crossed | Scenario::Chained)
    }

    fn units(&self) -> &'static [&'static str] {
        match self.scenario {
            Scenario::OneChild => &["de-unit", "fr-unit", "es-unit"],
            _ => &["de-unit", "fr-unit"],
        }
    }

    /// Every command that somebody could give about a child.
    fn commands(
        &self,
        world: &World,
        incident: usize,
        child: ChildRef,
    ) -> Vec<(&'static str, VictimIdCommand)> {
        let mut all: Vec<(&'static str, VictimIdCommand)> = Vec::new();
        let known = &world.incidents[incident].children[&child];
        for by in self.units() {
            all.push((by, TakeCustody { child_ref: child, limit_days: LIMIT_DAYS }.into()));
            let fixed = matches!(self.scenario, Scenario::Crossed | Scenario::Chained);
            let offers = !fixed && world.ghost.offers() < self.most;
            for to in self.units().iter().filter(|to| offers && *to != by) {
                let offer = OfferCustody {
                    child_ref: child,
                    to: agency(to),
                    until: moment(world.now + 2),
                    handover: None,
                };
                all.push((by, offer.into()));
            }
            for offer_id in world.ghost.offers_of(child) {
                all.push((by, AcceptCustody { child_ref: child, offer_id, limit_days: LIMIT_DAYS }.into()));
                if self.scenario == Scenario::OneChild {
                    let reason = HandoverDeclineReason::NoCapacity;
                    all.push((by, DeclineCustody { child_ref: child, offer_id, reason }.into()));
                    all.push((by, WithdrawOffer { child_ref: child, offer_id }.into()));
                }
            }
            if self.scenario == Scenario::OneChild {
                all.push((by, ConfirmCustody { child_ref: child }.into()));
            }
            if self.links() && world.ghost.links() < self.most {
                for other in (0..world.incidents.len()).filter(|other| *other != incident) {
                    for stays in [LinkSide::Here, LinkSide::There] {
                        let other = address(other);
                        all.push((by, ProposeLink { child_ref: child, other, stays }.into()));
                    }
                }
            }
            for link_id in known.links.keys().copied() {
                all.push((by, AgreeToLink { child_ref: child, link_id }.into()));
                all.push((by, EndLink { child_ref: child, link_id }.into()));
            }
        }
        if self.scenario == Scenario::OneChild {
            for taker in self.units() {
                all.push((
                    COORDINATOR,
                    InviteTakers { child_ref: child, agencies: vec![agency(taker)] }.into(),
                ));
            }
        }
        all
    }

    /// The state as `decide` sees it: as it is, or so that one guard passes always.
    fn seen(&self, incident: &Incident, by: &AgencyId, command: &VictimIdCommand) -> Incident {
        let mut seen = incident.clone();
        let Some(guard) = self.without else { return seen };
        for child in seen.children.values_mut() {
            match (guard, command) {
                (Guard::HeldByNobodyElse, VictimIdCommand::TakeCustody(_)) => child.custody = None,
                (Guard::OfferedToTheTaker, VictimIdCommand::AcceptCustody(_)) => {
                    child.offer.iter_mut().for_each(|offer| offer.to = by.clone());
                }
                (Guard::OfferStillOpen, VictimIdCommand::AcceptCustody(_)) => {
                    child.offer.iter_mut().for_each(|offer| offer.until = moment(1_000));
                }
                (Guard::LimitHasRun, VictimIdCommand::TakeCustody(_)) => {
                    child.invited.insert(by.clone());
                    child.custody.iter_mut().for_each(|custody| custody.last_sign = Timestamp::default());
                }
                (Guard::BoundByOneLink, VictimIdCommand::AgreeToLink(asked)) => {
                    child.links.retain(|id, _| *id == asked.link_id);
                }
                (Guard::BoundByOneLink, VictimIdCommand::ProposeLink(_)) => child.links.clear(),
                (Guard::ProposalStillStands, VictimIdCommand::LinkNews(news))
                    if news.said == LinkSaid::Agreed =>
                {
                    let (other, stays, by) = (news.other, LinkSide::There, by.clone());
                    let link = Link { other, stays, ours: true, agreed: false, by, never_told: Vec::new() };
                    child.links.entry(news.link_id).or_insert(link);
                }
                (Guard::CededIsNotTaken, VictimIdCommand::TakeCustody(_)) => child.ceded_to = None,
                _ => {}
            }
        }
        seen
    }

    /// Decides and takes in, as the runner does.
    fn run(
        &self,
        world: &mut World,
        incident: usize,
        by: &AgencyId,
        actor: &Actor,
        (cause, given): (&str, Timestamp),
        command: &VictimIdCommand,
    ) -> Option<()> {
        let id = incident_id(incident).to_string();
        let context =
            Context { aggregate_id: &id, cause, now: given, agency: by, actor, directory: &DIRECTORY };
        let seen = self.seen(&world.incidents[incident], by, command);
        let events = domain::decide(&context, &seen, command).ok().filter(|events| !events.is_empty())?;
        let before = world.incidents.clone();
        for event in &events {
            domain::evolve(&mut world.incidents[incident], event, given);
            if let Some((other, news)) = domain::told(incident_id(incident), event) {
                let to = (0..world.incidents.len()).find(|number| incident_id(*number) == other.incident_id);
                world.wire.insert((to.unwrap(), wire(&news)));
            }
        }
        // What an incident weighs is not what the model is about.
        world.incidents[incident].children.values_mut().for_each(|child| child.history.clear());
        world.ghost.follow(&before, &world.incidents, incident, (by, given), command, &events);
        Some(())
    }
}

fn wire(news: &LinkNews) -> Wire {
    let bytes = postcard::to_allocvec(news).unwrap();
    Wire { link: *news.link_id.as_uuid().as_bytes(), said: news.said as u8, bytes }
}

fn news(wire: &Wire) -> LinkNews {
    postcard::from_bytes(&wire.bytes).unwrap()
}

impl Model for Custody {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let incidents = match self.scenario {
            Scenario::OneChild => vec![incident(0, self.units(), 1)],
            Scenario::TwoChildren => vec![incident(0, self.units(), 2)],
            Scenario::Linked | Scenario::Crossed => {
                (0..2).map(|number| incident(number, self.units(), 1)).collect()
            }
            Scenario::Chained => (0..3).map(|number| incident(number, self.units(), 1)).collect(),
        };
        let mut world = World { incidents, now: 0, wire: BTreeSet::new(), ghost: Ghost::default() };
        // Who holds what at first is not what links are about.
        if self.links() {
            for number in 0..world.incidents.len() {
                let by = self.units()[number % 2];
                let child_ref = child_ref(number, 0);
                let take = TakeCustody { child_ref, limit_days: LIMIT_DAYS }.into();
                self.run(&mut world, number, &agency(by), &person(), ("first", moment(0)), &take).unwrap();
            }
        }
        vec![world]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for (incident, state) in world.incidents.iter().enumerate() {
            for child in state.children.keys().copied() {
                for (by, command) in self.commands(world, incident, child) {
                    // Given now, or a moment ago and late.
                    for given in world.now.saturating_sub(1)..=world.now {
                        let command = Box::new(command.clone());
                        actions.push(Action::Ask { incident, by, given, command });
                    }
                }
            }
            for clock in domain::clocks(state).into_iter().filter(|clock| clock.due <= moment(world.now)) {
                actions.push(Action::Ring { incident, command: Box::new(clock.command) });
            }
        }
        for (incident, one) in &world.wire {
            actions.push(Action::Hear { incident: *incident, news: Box::new(news(one)) });
        }
        if world.now + 1 < self.moments {
            actions.push(Action::TimePasses);
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let (mut world, now) = (before.clone(), moment(before.now));
        match action {
            Action::TimePasses => world.now += 1,
            Action::Ask { incident, by, given, command } => {
                // A command that is sent again is answered by the runner as it was; here each is one of its own.
                let cause = format!("{incident} {}", world.ghost.made());
                let circumstances = (cause.as_str(), moment(given));
                self.run(&mut world, incident, &agency(by), &person(), circumstances, &command)?;
            }
            Action::Hear { incident, news } => {
                let (own, service) = (AgencyId::own(), Actor::service("victim-id"));
                let command = VictimIdCommand::from(*news);
                self.run(&mut world, incident, &own, &service, ("news", now), &command)?;
            }
            Action::Ring { incident, command } => {
                let (own, service) = (AgencyId::own(), Actor::service("victim-id"));
                self.run(&mut world, incident, &own, &service, ("clock", now), &command)?;
            }
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut all = vec![
            Property::always(MOVES, |_, world: &World| world.ghost.broken.is_none()),
            Property::always(NEVER_LOST, |_, world: &World| law::nobody_is_lost(world)),
            Property::always(AT_MOST_ONE, |_, world: &World| law::one_custodian_is_left(world)),
        ];
        if self.without.is_some() {
            return all;
        }
        match self.scenario {
            Scenario::OneChild => {
                all.push(Property::sometimes("handed on", |_, world: &World| world.ghost.has("handed-on")));
                all.push(Property::sometimes("taken over", |_, world: &World| world.ghost.has("taken-over")));
                all.push(Property::sometimes("an offer expires", |_, world: &World| {
                    world.ghost.has("expired")
                }));
            }
            Scenario::TwoChildren => {
                all.push(Property::sometimes("both held", |_, world: &World| {
                    world.incidents[0].children.values().all(|child| child.custody.is_some())
                }));
            }
            Scenario::Linked | Scenario::Crossed | Scenario::Chained => {
                all.push(Property::sometimes("a link is made", |_, world: &World| world.ghost.has("ceded")));
            }
        }
        all
    }
}
