//! Which State is best placed to lead: factors found in the signals, a proposal, and people who decide.
//!
//! The factors are those of the Eurojust guidelines on deciding which jurisdiction should prosecute; they have
//! no fixed weights and bind nobody. Here the country with the most different factors is proposed.

use std::collections::{BTreeMap, BTreeSet};

use chassis::decider::{Context, Rejection};
use schemas::codes::{
    AgencyKind, AlertReason, AssignmentState, JurisdictionBasis, LeadFactor, RejectionCode, SignalRole,
};
use schemas::ids::Country;
use schemas::routing::{
    AcceptLead, CoordinatorAlerted, CountryFound, DisputeLead, FactorFound, Ground, LeadAccepted,
    LeadDisputed, LeadProposed, LeadRecorded, RecordLead, RoutingEvent,
};

use super::assignment::may_alert;
use super::state::Incident;

type Decision = Result<Vec<RoutingEvent>, Rejection>;

/// A proposal where more than one country has jurisdiction that may be told of it.
pub fn propose(incident: &Incident) -> Option<LeadProposed> {
    let never_told = incident.opened.as_ref().map_or(&[][..], |opened| &opened.handling.never_told);
    let told = || incident.countries.iter().filter(|found| !never_told.contains(&found.country));
    if told().count() < 2 {
        return None;
    }
    let factors: Vec<FactorFound> = told().flat_map(|found| factors_of(incident, found)).collect();
    let mut by_country: BTreeMap<&Country, (BTreeSet<LeadFactor>, i32)> = BTreeMap::new();
    for found in &factors {
        let (kinds, signals) = by_country.entry(&found.country).or_default();
        kinds.insert(found.factor);
        *signals += found.signals;
    }
    // More different factors first, then the guidelines' presumption for where most of the criminality was, then more
    // signals; the code breaks a tie so that the proposal is stable.
    let best = by_country.iter().max_by_key(|(country, (kinds, signals))| {
        let presumed = kinds.contains(&LeadFactor::MajorityOfCriminality);
        (kinds.len(), presumed, *signals, std::cmp::Reverse((**country).clone()))
    });
    let country = best.map(|(country, _)| (*country).clone())?;
    Some(LeadProposed { country, factors })
}

/// What a changed incident speaks for, where it is not what was proposed.
pub fn propose_anew(incident: &Incident) -> Option<LeadProposed> {
    propose(incident).filter(|lead| incident.lead.proposed.as_ref() != Some(lead))
}

fn factors_of(incident: &Incident, found: &CountryFound) -> Vec<FactorFound> {
    let mut counts: BTreeMap<LeadFactor, i32> = BTreeMap::new();
    for factor in found.grounds.iter().flat_map(speaks_for) {
        *counts.entry(*factor).or_default() += 1;
    }
    // Where a person has taken it up already, going on there costs the least time.
    let taken_up = incident.assignments.values().filter(|assignment| {
        assignment.offer.country == found.country && assignment.state == AssignmentState::Accepted
    });
    if let Some(agencies) = i32::try_from(taken_up.count()).ok().filter(|agencies| *agencies > 0) {
        counts.insert(LeadFactor::Delay, agencies);
    }
    let country = &found.country;
    counts
        .into_iter()
        .map(|(factor, signals)| FactorFound { factor, country: country.clone(), signals })
        .collect()
}

fn speaks_for(ground: &Ground) -> &'static [LeadFactor] {
    match (ground.role, ground.basis) {
        (SignalRole::Offender, JurisdictionBasis::Territory) => {
            &[LeadFactor::MajorityOfCriminality, LeadFactor::SuspectLocation]
        }
        (SignalRole::Offender, JurisdictionBasis::OffenderResidence) => &[LeadFactor::SuspectLocation],
        (SignalRole::Offender, JurisdictionBasis::OffenderNationality) => &[LeadFactor::SuspectNationality],
        (SignalRole::Victim, _) => &[LeadFactor::VictimInterests],
        (SignalRole::Hosting | SignalRole::Provider | SignalRole::Payer | SignalRole::Payee, _) => {
            &[LeadFactor::Evidence]
        }
        (SignalRole::Offender, _) => &[],
    }
}

pub fn accept(context: &Context<'_>, incident: &Incident, command: &AcceptLead) -> Decision {
    must_have_accepted(context, incident)?;
    must_be_proposed(incident, &command.country)?;
    Ok(vec![LeadAccepted { by: context.agency.clone(), country: command.country.clone() }.into()])
}

pub fn dispute(context: &Context<'_>, incident: &Incident, command: &DisputeLead) -> Decision {
    must_have_accepted(context, incident)?;
    must_be_proposed(incident, &command.country)?;
    let grounded = incident.countries.iter().any(|found| found.country == command.proposes);
    if !grounded || command.proposes == command.country {
        return Err(Rejection::at(RejectionCode::Invalid, "/proposes"));
    }
    if incident.lead.positions.get(context.agency) == Some(&command.proposes) {
        return Err(Rejection::at(RejectionCode::WrongState, "/proposes"));
    }
    may_alert(incident)?;
    let alert = CoordinatorAlerted {
        reason: AlertReason::LeadDisputed,
        country: Some(command.country.clone()),
        assignment_id: None,
    };
    let disputed = LeadDisputed {
        by: context.agency.clone(),
        country: command.country.clone(),
        proposes: command.proposes.clone(),
    };
    Ok(vec![disputed.into(), alert.into()])
}

/// The coordinator writes down what the parties agreed; it decides nothing by itself.
pub fn record(context: &Context<'_>, incident: &Incident, command: &RecordLead) -> Decision {
    let agency = context.directory.agency(context.agency, context.now);
    let coordinates = agency.is_some_and(|agency| {
        agency.kind == AgencyKind::Coordinator
            && incident.countries.iter().any(|found| agency.scope.contains(&found.country))
            && !incident.is_never_told(&agency.country)
    });
    if !coordinates {
        return Err(RejectionCode::NotEntitled.into());
    }
    context.must_be_human()?;
    if !have_agreed(incident, &command.country) {
        return Err(Rejection::at(RejectionCode::WrongState, "/country"));
    }
    Ok(vec![LeadRecorded { by: context.agency.clone(), country: command.country.clone() }.into()])
}

/// Whoever has taken a position holds this one, and whoever works on it has taken one.
fn have_agreed(incident: &Incident, country: &Country) -> bool {
    let positions = &incident.lead.positions;
    let mut assignments = incident.assignments.values();
    let silent = assignments.any(|assignment| {
        assignment.state == AssignmentState::Accepted && !positions.contains_key(&assignment.offer.agency)
    });
    !positions.is_empty() && !silent && positions.values().all(|held| held == country)
}

fn must_be_proposed(incident: &Incident, country: &Country) -> Result<(), Rejection> {
    match &incident.lead.proposed {
        Some(proposed) if proposed.country == *country => Ok(()),
        _ => Err(Rejection::at(RejectionCode::Invalid, "/country")),
    }
}

fn must_have_accepted(context: &Context<'_>, incident: &Incident) -> Result<(), Rejection> {
    let accepted = incident.assignments.values().any(|assignment| {
        assignment.offer.agency == *context.agency && assignment.state == AssignmentState::Accepted
    });
    if accepted { context.must_be_human() } else { Err(RejectionCode::NotEntitled.into()) }
}
