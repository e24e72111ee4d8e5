//! The referral changes under the incident: it is amended, or withdrawn.
//!
//! An amendment adds: countries, offers, what an offer entitles to. What it takes away it takes by an event of
//! its own, and only from a State that the originator now says must never be told.

use std::collections::BTreeSet;

use chassis::decider::Context;
use schemas::codes::{RetractionReason, RevokeReason};
use schemas::directory::Policy;
use schemas::ids::{Country, PersonRef};
use schemas::referral::{Handling, Referral};
use schemas::routing::{
    AssignmentRaised, AssignmentRevoked, Entitlement, FacetRef, IncidentAmended, IncidentWithdrawn,
    JurisdictionsFound, RoutingEvent,
};

use super::state::{Incident, evolve};
use super::{CommittedReferral, assignment, establishment, jurisdiction, lead, retraction, transfer};

pub fn amend(context: &Context<'_>, incident: &Incident, news: &CommittedReferral) -> Vec<RoutingEvent> {
    let Some(opened) = &incident.opened else { return Vec::new() };
    if news.amendment <= incident.amendments || incident.withdrawn.is_some() {
        return Vec::new();
    }
    let referral = &news.referral;
    let new = referral.signals.iter().filter(|signal| !opened.signals.contains(signal));
    let amended = IncidentAmended {
        amendment: news.amendment,
        kind: referral.kind,
        urgency: referral.urgency,
        danger_reason: referral.danger_reason,
        week: referral.week.clone(),
        annotations: referral.annotations.clone(),
        people: referral.people.clone(),
        facets: referral.facets.iter().map(|facet| FacetRef::of(facet, &news.at)).collect(),
        signals: new.cloned().collect(),
        handling: tightened(&opened.handling, referral),
        items: super::items(referral),
    };
    // Each step sees what the one before it has done.
    let (mut events, mut after) = (Vec::new(), incident.clone());
    let mut follow = |after: &mut Incident, step: Vec<RoutingEvent>| {
        step.iter().for_each(|event| evolve(after, event));
        events.extend(step);
    };
    follow(&mut after, vec![amended.into()]);
    let found = found_anew(context, &after);
    let more = found.countries != after.countries;
    if more {
        follow(&mut after, vec![found.into()]);
    }
    for step in [revoke_never_told, widen, assignment::raise, assignment::offer] {
        let step = step(context, &after);
        follow(&mut after, step);
    }
    let proposed = if more { lead::propose_anew(&after) } else { None };
    events.extend(proposed.map(RoutingEvent::from));
    events
}

/// The terms of the amendment, and every State that was never to be told before it.
fn tightened(before: &Handling, referral: &Referral) -> Handling {
    let never_told: BTreeSet<Country> =
        before.never_told.iter().chain(&referral.handling.never_told).cloned().collect();
    Handling { never_told: never_told.into_iter().collect(), ..referral.handling.clone() }
}

/// The countries that all signals speak for, and those found before: none is silently taken away.
fn found_anew(context: &Context<'_>, incident: &Incident) -> JurisdictionsFound {
    let opened = incident.opened.as_ref();
    let establishment = opened.and_then(|opened| establishment(context, opened));
    let signals = opened.map_or(&[][..], |opened| &opened.signals);
    let mut found = jurisdiction::find(signals, establishment);
    for before in &incident.countries {
        match found.countries.iter_mut().find(|after| after.country == before.country) {
            Some(after) => {
                let kept = before.grounds.iter().filter(|ground| !after.grounds.contains(ground)).cloned();
                let kept: Vec<_> = kept.collect();
                after.grounds.extend(kept);
            }
            None => found.countries.push(before.clone()),
        }
    }
    found.countries.sort_by(|one, other| one.country.cmp(&other.country));
    found
}

/// An offer that nobody has answered yet to a State that must not be told any more.
fn revoke_never_told(_: &Context<'_>, incident: &Incident) -> Vec<RoutingEvent> {
    let never = incident.opened.as_ref().map_or(&[][..], |opened| &opened.handling.never_told);
    let told = incident
        .assignments
        .values()
        .filter(|assignment| assignment.awaits_answer() && never.contains(&assignment.offer.country));
    told.map(|assignment| {
        let (assignment_id, reason) = (assignment.offer.assignment_id, RevokeReason::WithdrawnByReporter);
        AssignmentRevoked { assignment_id, reason, note: None }.into()
    })
    .collect()
}

/// Persons that the amendment ties to an assignment's country, or whose category it changes, are opened to it too.
fn widen(context: &Context<'_>, incident: &Incident) -> Vec<RoutingEvent> {
    let policy = context.directory.policy(Policy::DEFAULT, context.now);
    let (Some(urgency), Some(policy)) = (incident.urgency(), policy) else { return Vec::new() };
    // What is given more crosses the border as an offer would.
    let open = incident.assignments.values().filter(|assignment| {
        assignment.is_open() && transfer::gate(incident, policy, &assignment.offer.country).is_ok()
    });
    open.filter_map(|assignment| {
        let planned = assignment::planned_entitlement(context, incident, &assignment.offer)?;
        let before: BTreeSet<PersonRef> = assignment.entitlement.persons.iter().copied().collect();
        let more: Vec<PersonRef> =
            planned.persons.into_iter().filter(|person| !before.contains(person)).collect();
        if more.is_empty() {
            return None;
        }
        let persons = assignment.entitlement.persons.iter().copied().chain(more).collect();
        let entitlement = Entitlement { persons, ..assignment.entitlement.clone() };
        let (assignment_id, respond_by) = (assignment.offer.assignment_id, assignment.respond_by);
        Some(AssignmentRaised { assignment_id, urgency, entitlement, respond_by }.into())
    })
    .collect()
}

/// What is open is revoked, and whoever was ever told is told of this.
pub fn withdraw(context: &Context<'_>, incident: &Incident, reason: RetractionReason) -> Vec<RoutingEvent> {
    if incident.opened.is_none() || incident.withdrawn.is_some() {
        return Vec::new();
    }
    let revoked = match reason {
        RetractionReason::FalsePositive => RevokeReason::FalsePositive,
        RetractionReason::LegalObjection => RevokeReason::LegalObjection,
        _ => RevokeReason::WithdrawnByReporter,
    };
    let open = incident.assignments.values().filter(|assignment| assignment.is_open());
    let revoke = open.map(|assignment| {
        let assignment_id = assignment.offer.assignment_id;
        RoutingEvent::from(AssignmentRevoked { assignment_id, reason: revoked, note: None })
    });
    let issued = retraction::issue(context, incident, None, reason, incident.recipients());
    std::iter::once(IncidentWithdrawn { reason }.into()).chain(revoke).chain(issued).collect()
}
