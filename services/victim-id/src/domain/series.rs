//! A series: children of several incidents that one body of material shows.
//!
//! It knows of its children what their incidents tell it, and tells the custodians of the others what concerns them:
//! that another child has joined, and that one was identified. A custodian hears nothing of an incident that its State
//! must never hear of.

use std::collections::BTreeMap;

use chassis::decider::Context;
use schemas::codes::{ActorKind, MemberSaid, RejectionCode, SeriesSaid};
use schemas::directory::Agency;
use schemas::ids::{AgencyId, Country, SeriesId};
use schemas::victim_id::{
    ChildAddress, MemberLeft, MemberNews, MemberNoted, MemberRefused, MemberTold, SeriesNews, SeriesOpened,
    VictimIdEvent,
};
use serde::{Deserialize, Serialize};

use super::{Decided, is_found, searches};

/// Most children of one series.
pub const MAX_MEMBERS: usize = 1_000;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    pub opened_by: Option<AgencyId>,
    pub members: BTreeMap<ChildAddress, MemberNoted>,
}

pub fn open(context: &Context<'_>, series: &Series) -> Decided {
    let agency = context.directory.agency(context.agency, context.now).filter(|agency| searches(agency.kind));
    let agency = agency.ok_or(RejectionCode::NotEntitled)?;
    context.must_be_human()?;
    if series.opened_by.is_some() {
        return Err(RejectionCode::WrongState.into());
    }
    Ok(vec![SeriesOpened { by: agency.id.clone(), country: agency.country.clone() }.into()])
}

/// What the incident of a child says of it.
pub fn hear(context: &Context<'_>, series: &Series, news: &MemberNews) -> Decided {
    // Only the service itself carries it.
    if context.actor.kind != ActorKind::Service {
        return Err(RejectionCode::NotEntitled.into());
    }
    let (member, address) = (&news.member, news.member.member);
    let full = series.opened_by.is_none() || series.members.len() >= MAX_MEMBERS;
    let found = is_found(member.status);
    let concerns = match (news.said, series.members.get(&address)) {
        (MemberSaid::Left, before) => {
            return Ok(before.map(|_| MemberLeft { member: address }.into()).into_iter().collect());
        }
        (MemberSaid::Joined, None) if full => return Ok(vec![MemberRefused { member: address }.into()]),
        // It has left meanwhile.
        (MemberSaid::Changed, None) => return Ok(Vec::new()),
        (_, Some(before)) if before == member => return Ok(Vec::new()),
        (_, Some(before)) => found && !is_found(before.status),
        (_, None) => true,
    };
    // Of a child that was found before, what concerns its custodian is that there is more material.
    let joined = !series.members.contains_key(&address);
    let said = |other: &MemberNoted| {
        let grew = !found || (joined && is_found(other.status));
        if grew { SeriesSaid::Grew } else { SeriesSaid::Identified }
    };
    let told = others_that_hear(series, member)
        .filter(|_| concerns)
        .map(|other| MemberTold { member: other.member, about: address, said: said(other) }.into());
    Ok(std::iter::once(member.clone().into()).chain(told).collect())
}

/// The other children whose custodians may hear of one, and do not know it themselves.
fn others_that_hear<'a>(series: &'a Series, about: &'a MemberNoted) -> impl Iterator<Item = &'a MemberNoted> {
    let others = series.members.values().filter(|other| other.member != about.member);
    others.filter(|other| {
        let never = other.country.as_ref().is_none_or(|country| about.never_told.contains(country));
        !never && other.custodian != about.custodian
    })
}

/// Takes one event in. Total, and holds no rule.
pub fn evolve(series: &mut Series, event: &VictimIdEvent) {
    match event {
        VictimIdEvent::SeriesOpened(opened) => series.opened_by = Some(opened.by.clone()),
        VictimIdEvent::MemberNoted(noted) => {
            series.members.insert(noted.member, noted.clone());
        }
        VictimIdEvent::MemberLeft(left) => {
            series.members.remove(&left.member);
        }
        _ => {}
    }
}

/// What the incident of a child is told by an event of the series.
pub fn told(series_id: SeriesId, event: &VictimIdEvent) -> Option<(ChildAddress, SeriesNews)> {
    let (member, said) = match event {
        VictimIdEvent::MemberRefused(refused) => (refused.member, SeriesSaid::Unknown),
        VictimIdEvent::MemberTold(told) => (told.member, told.said),
        _ => return None,
    };
    Some((member, SeriesNews { child_ref: member.child_ref, series_id, said }))
}

impl Series {
    /// Whether it exists for an agency: it has opened the series, or looks for one of its children.
    pub fn may_know(&self, agency: &AgencyId) -> bool {
        let holds = |member: &MemberNoted| member.custodian.as_ref() == Some(agency);
        self.opened_by.as_ref() == Some(agency) || self.members.values().any(holds)
    }

    /// Those children of it that an agency may know of.
    pub fn members_for<'a>(&'a self, agency: &'a Agency) -> impl Iterator<Item = &'a MemberNoted> {
        self.members.values().filter(|member| {
            let holds = member.custodian.as_ref() == Some(&agency.id);
            holds || !member.never_told.contains(&agency.country)
        })
    }

    /// Those that a coordinator watches: of custodians of States in its scope.
    pub fn watched_by<'a>(&'a self, coordinator: &'a Agency) -> impl Iterator<Item = &'a MemberNoted> {
        let in_scope = |country: &Country| coordinator.scope.contains(country);
        self.members_for(coordinator).filter(move |member| member.country.as_ref().is_some_and(in_scope))
    }
}
