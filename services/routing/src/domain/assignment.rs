//! Offers: which agency of which country gets what, by when, by which rule of the policy.

use std::collections::{BTreeMap, BTreeSet};

use chassis::decider::{Context, Rejection};
use schemas::codes::{
    AgencyKind, AlertReason, EscalationReason, FacetKind, PersonCategory, RejectionCode, SignalRole, Urgency,
    WithheldReason,
};
use schemas::directory::{Agency, AssignmentRule, Policy};
use schemas::ids::{AgencyId, AssignmentId, Country, PersonRef};
use schemas::routing::{
    AssignmentEscalated, AssignmentOffered, AssignmentOverdue, AssignmentRaised, CoordinatorAlerted,
    CountryFound, Entitlement, Ground, OfferWithheld, RoutingEvent, Transfer,
};

use super::state::Incident;
use super::{duty, transfer};

/// The rule by which every grounded point that answers at any hour is offered an imminent danger.
const ROUND_THE_CLOCK: &str = "imminent-danger-round-the-clock";

/// What an incident that has become an imminent danger changes for offers that nobody has answered: they open
/// before they are accepted, their time is short, and their duty contacts are called.
pub fn raise(context: &Context<'_>, incident: &Incident) -> Vec<RoutingEvent> {
    let policy = context.directory.policy(Policy::DEFAULT, context.now);
    let (Some(policy), Some(Urgency::ImminentDanger)) = (policy, incident.urgency()) else {
        return Vec::new();
    };
    let waiting = incident.assignments.values().filter(|assignment| assignment.awaits_answer());
    let calm = waiting.filter(|assignment| !assignment.entitlement.opens_with_offer);
    calm.flat_map(|assignment| {
        let within = context.now.plus_minutes(i64::from(policy.acknowledge_within_minutes));
        let raised = AssignmentRaised {
            assignment_id: assignment.offer.assignment_id,
            urgency: Urgency::ImminentDanger,
            entitlement: Entitlement { opens_with_offer: true, ..assignment.entitlement.clone() },
            respond_by: if assignment.overdue {
                assignment.respond_by
            } else {
                assignment.respond_by.min(within)
            },
        };
        [Some(raised.into()), duty::first_call(context, policy, &assignment.offer)].into_iter().flatten()
    })
    .collect()
}

/// What a forwarded assignment entitles the next agency to: no more than the first had, and no more than the
/// policy gives to agencies of its kind; `None` where it is no authority.
pub fn forwarded(
    incident: &Incident,
    policy: &Policy,
    from: &Entitlement,
    to: &Agency,
) -> Option<Entitlement> {
    let authority = matches!(
        to.kind,
        AgencyKind::PoliceUnit | AgencyKind::CentralAuthority | AgencyKind::VictimIdentificationUnit
    );
    if !authority {
        return None;
    }
    let rules = || policy.rules.iter().filter(|rule| rule.agency_kind == to.kind);
    let facet = |kind: &FacetKind| rules().any(|rule| rule.facets.contains(kind));
    let category = |category: PersonCategory| rules().any(|rule| rule.persons.contains(&category));
    let people = incident.opened.iter().flat_map(|opened| &opened.people);
    let allowed =
        people.filter(|person| from.persons.contains(&person.person_ref) && category(person.category));
    Some(Entitlement {
        facet_kinds: from.facet_kinds.iter().copied().filter(facet).collect(),
        persons: allowed.map(|person| person.person_ref).collect(),
        opens_with_offer: from.opens_with_offer,
    })
}

/// What one agency would be offered, gathered over every role its country stands in.
#[derive(Default)]
struct Plan {
    rules: BTreeSet<String>,
    facets: BTreeSet<FacetKind>,
    categories: BTreeSet<PersonCategory>,
    respond_within_minutes: Option<i32>,
}

/// Everything the incident calls for that was not offered, withheld or alerted before.
pub fn offer(context: &Context<'_>, incident: &Incident) -> Vec<RoutingEvent> {
    if incident.withdrawn.is_some() {
        return Vec::new();
    }
    let Some(policy) = context.directory.policy(Policy::DEFAULT, context.now) else {
        return alert(incident, AlertReason::CountryWithoutAgency, None);
    };
    let mut events = Vec::new();
    for found in &incident.countries {
        events.extend(offer_country(context, incident, policy, found));
    }
    // Nothing but the reporter's own establishment speaks for a country: a person must look, too.
    if incident.opened.as_ref().is_some_and(|opened| opened.signals.is_empty()) {
        events.extend(alert(incident, AlertReason::NoCountryFound, None));
    }
    events
}

fn offer_country(
    context: &Context<'_>,
    incident: &Incident,
    policy: &Policy,
    found: &CountryFound,
) -> Vec<RoutingEvent> {
    let plans = plan(context, incident, policy, found);
    if plans.is_empty() {
        let withheld = withhold(incident, &found.country, None, WithheldReason::NoAgency);
        let alert = alert(incident, AlertReason::CountryWithoutAgency, Some(&found.country));
        return withheld.into_iter().chain(alert).collect();
    }
    let mut events = Vec::new();
    let mut any_withheld = false;
    for (agency, plan) in plans {
        if incident.is_assigned(&agency.id) {
            continue;
        }
        match transfer::gate(incident, policy, &found.country) {
            Ok(transfer) => {
                events.extend(offer_agency(context, incident, policy, found, agency, &plan, transfer))
            }
            Err(reason) => {
                events.extend(withhold(incident, &found.country, Some(&agency.id), reason));
                any_withheld = true;
            }
        }
    }
    if any_withheld {
        events.extend(alert(incident, AlertReason::OfferWithheld, Some(&found.country)));
    }
    events
}

fn plan<'a>(
    context: &Context<'a>,
    incident: &Incident,
    policy: &Policy,
    found: &'a CountryFound,
) -> Vec<(&'a Agency, Plan)> {
    let mut plans: BTreeMap<&AgencyId, (&Agency, Plan)> = BTreeMap::new();
    let roles: BTreeSet<SignalRole> = found.grounds.iter().map(|ground| ground.role).collect();
    for rule in policy.rules.iter().filter(|rule| matches(rule, &roles, incident)) {
        for agency in context.directory.agencies_in(&found.country, rule.agency_kind, context.now) {
            if takes(agency, incident) {
                let (_, plan) = plans.entry(&agency.id).or_insert_with(|| (agency, Plan::default()));
                plan.add(rule);
            }
        }
    }
    if incident.urgency() == Some(Urgency::ImminentDanger) {
        let points = context.directory.agencies(context.now);
        for point in points.filter(|agency| is_point(agency) && agency.country == found.country) {
            let (_, plan) = plans.entry(&point.id).or_insert_with(|| (point, Plan::default()));
            plan.add_round_the_clock(policy);
        }
    }
    plans.into_values().collect()
}

impl Plan {
    fn add(&mut self, rule: &AssignmentRule) {
        self.rules.insert(rule.id.clone());
        self.facets.extend(&rule.facets);
        self.categories.extend(&rule.persons);
        self.tighten(rule.respond_within_minutes);
    }

    fn add_round_the_clock(&mut self, policy: &Policy) {
        self.rules.insert(ROUND_THE_CLOCK.to_owned());
        self.facets.insert(FacetKind::Person);
        self.categories.extend([PersonCategory::Victim, PersonCategory::Undetermined]);
        self.tighten(policy.acknowledge_within_minutes);
    }

    fn tighten(&mut self, minutes: i32) {
        self.respond_within_minutes =
            Some(self.respond_within_minutes.map_or(minutes, |old| old.min(minutes)));
    }
}

/// A national contact point is an authority: whoever only reports or coordinates is none.
pub fn is_point(agency: &Agency) -> bool {
    agency.round_the_clock && matches!(agency.kind, AgencyKind::PoliceUnit | AgencyKind::CentralAuthority)
}

fn matches(rule: &AssignmentRule, roles: &BTreeSet<SignalRole>, incident: &Incident) -> bool {
    let holds = |empty: bool, found: bool| empty || found;
    holds(rule.roles.is_empty(), rule.roles.iter().any(|role| roles.contains(role)))
        && holds(rule.kinds.is_empty(), incident.kind().is_some_and(|kind| rule.kinds.contains(&kind)))
        && holds(
            rule.urgencies.is_empty(),
            incident.urgency().is_some_and(|urgency| rule.urgencies.contains(&urgency)),
        )
}

fn takes(agency: &Agency, incident: &Incident) -> bool {
    agency.incident_kinds.is_empty()
        || incident.kind().is_some_and(|kind| agency.incident_kinds.contains(&kind))
}

fn offer_agency(
    context: &Context<'_>,
    incident: &Incident,
    policy: &Policy,
    found: &CountryFound,
    agency: &Agency,
    plan: &Plan,
    transfer: Transfer,
) -> Vec<RoutingEvent> {
    let danger = incident.urgency() == Some(Urgency::ImminentDanger);
    let offer = AssignmentOffered {
        assignment_id: assignment_id(context.aggregate_id, &agency.id, incident.assignments.len()),
        agency: agency.id.clone(),
        country: found.country.clone(),
        grounds: found.grounds.clone(),
        rule: plan.rules.iter().cloned().collect::<Vec<_>>().join(" + "),
        policy_version: policy.version,
        entitlement: Entitlement {
            facet_kinds: plan.facets.iter().copied().collect(),
            persons: entitled_persons(incident, &found.grounds, &plan.categories),
            opens_with_offer: danger,
        },
        transfer,
        respond_by: context.now.plus_minutes(i64::from(plan.respond_within_minutes.unwrap_or_default())),
        forwarded_from: None,
    };
    let mut events = vec![RoutingEvent::from(offer.clone())];
    if danger {
        events.extend(duty::first_call(context, policy, &offer));
    }
    events
}

/// What the policy would entitle the assignment's agency to as the incident stands now; `None` where no rule of
/// it speaks for the agency, as for one that an assignment was forwarded to.
pub fn planned_entitlement(
    context: &Context<'_>,
    incident: &Incident,
    offer: &AssignmentOffered,
) -> Option<Entitlement> {
    let policy = context.directory.policy(Policy::DEFAULT, context.now)?;
    let found = incident.countries.iter().find(|found| found.country == offer.country)?;
    let plans = plan(context, incident, policy, found);
    let (_, plan) = plans.into_iter().find(|(agency, _)| agency.id == offer.agency)?;
    Some(Entitlement {
        facet_kinds: plan.facets.iter().copied().collect(),
        persons: entitled_persons(incident, &found.grounds, &plan.categories),
        opens_with_offer: incident.urgency() == Some(Urgency::ImminentDanger),
    })
}

/// The id follows from incident, agency and how many there were before: deciding again gives the same.
pub fn assignment_id(incident: &str, agency: &AgencyId, number: usize) -> AssignmentId {
    let number = number as u64;
    AssignmentId::derive(&[incident.as_bytes(), agency.as_str().as_bytes(), &number.to_be_bytes()])
}

/// The persons of the rule's categories whom a signal ties to the country, and those no signal ties anywhere.
fn entitled_persons(
    incident: &Incident,
    grounds: &[Ground],
    categories: &BTreeSet<PersonCategory>,
) -> Vec<PersonRef> {
    let Some(opened) = &incident.opened else { return Vec::new() };
    let tied_here: BTreeSet<PersonRef> = grounds.iter().filter_map(|ground| ground.person_ref).collect();
    let tied: BTreeSet<PersonRef> = opened.signals.iter().filter_map(|signal| signal.person_ref).collect();
    let entitled = |person: &&schemas::referral::Person| {
        categories.contains(&person.category)
            && (tied_here.contains(&person.person_ref) || !tied.contains(&person.person_ref))
    };
    opened.people.iter().filter(entitled).map(|person| person.person_ref).collect()
}

fn withhold(
    incident: &Incident,
    country: &Country,
    agency: Option<&AgencyId>,
    reason: WithheldReason,
) -> Option<RoutingEvent> {
    let withheld = OfferWithheld { country: country.clone(), agency: agency.cloned(), reason, rule: None };
    (!incident.withheld.contains(&withheld)).then(|| withheld.into())
}

/// Tells the coordinators; each reason once per country.
pub fn alert(incident: &Incident, reason: AlertReason, country: Option<&Country>) -> Vec<RoutingEvent> {
    let alert = CoordinatorAlerted { reason, country: country.cloned(), assignment_id: None };
    if incident.alerts.contains(&alert) { Vec::new() } else { vec![alert.into()] }
}

/// Tells the coordinators of one assignment.
pub fn alert_about(offer: &AssignmentOffered, reason: AlertReason) -> CoordinatorAlerted {
    let (country, assignment_id) = (offer.country.clone(), offer.assignment_id);
    CoordinatorAlerted { reason, country: Some(country), assignment_id: Some(assignment_id) }
}

/// Most alerts of one incident that parties can add to: whoever has not looked by then does not look for one more.
const MAX_ALERTS: usize = 200;

/// # Errors
/// When the coordinators were told as often as may be.
pub fn may_alert(incident: &Incident) -> Result<(), Rejection> {
    if incident.alerts.len() < MAX_ALERTS { Ok(()) } else { Err(RejectionCode::TooMany.into()) }
}

/// Nobody answered in time: the coordinators are asked to look. The calls go on: that nobody is left to call is
/// another alert.
pub fn overdue(offer: &AssignmentOffered) -> [RoutingEvent; 3] {
    let (assignment_id, reason) = (offer.assignment_id, EscalationReason::Unanswered);
    [
        AssignmentOverdue { assignment_id }.into(),
        AssignmentEscalated { assignment_id, reason, note: None }.into(),
        alert_about(offer, AlertReason::Escalated).into(),
    ]
}
