//! What routing knows of one incident: the fold of its events.

use std::collections::{BTreeMap, BTreeSet};

use schemas::Timestamp;
use schemas::codes::{AssessmentKind, AssignmentState, IncidentKind, Urgency};
use schemas::ids::{AgencyId, AssignmentId, Country};
use schemas::routing::{
    AssessmentAdded, AssignmentOffered, CoordinatorAlerted, CountryFound, Entitlement, IncidentOpened,
    LeadProposed, OfferWithheld, RoutingEvent,
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    pub opened: Option<IncidentOpened>,
    pub rules_version: i32,
    pub countries: Vec<CountryFound>,
    pub assignments: BTreeMap<AssignmentId, Assignment>,
    pub withheld: Vec<OfferWithheld>,
    pub alerts: Vec<CoordinatorAlerted>,
    pub assessments: Vec<AssessmentAdded>,
    /// Countries the originator allowed transfers to, for this incident.
    pub authorised: BTreeSet<Country>,
    pub lead: Lead,
}

/// Which State leads: proposed by factors, decided by people.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lead {
    pub proposed: Option<LeadProposed>,
    /// What each agency holds, by agency: the State it accepts or proposes.
    pub positions: BTreeMap<AgencyId, Country>,
    pub recorded: Option<Country>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// As it was offered.
    pub offer: AssignmentOffered,
    /// What it entitles to now; more than at first where the incident became an imminent danger.
    pub entitlement: Entitlement,
    pub respond_by: Timestamp,
    pub state: AssignmentState,
    /// Whether `respond_by` has passed unanswered.
    pub overdue: bool,
    /// The duty contacts called, in order.
    pub calls: Vec<Call>,
    /// Whether the last call led to nobody further to call.
    pub calls_exhausted: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    pub agency: AgencyId,
    pub contact: String,
    pub acknowledge_by: Timestamp,
}

impl Assignment {
    /// Offered and not answered by a person yet, late or not.
    pub fn awaits_answer(&self) -> bool {
        matches!(self.state, AssignmentState::Offered | AssignmentState::Overdue)
    }

    /// Until when the contact called last has to acknowledge.
    pub fn acknowledge_by(&self) -> Option<Timestamp> {
        if self.calls_exhausted { None } else { self.calls.last().map(|call| call.acknowledge_by) }
    }
}

impl Incident {
    /// The kind as last assessed, or as reported.
    pub fn kind(&self) -> Option<IncidentKind> {
        self.assessed(AssessmentKind::Kind).or_else(|| self.opened.as_ref().map(|opened| opened.kind))
    }

    /// The highest urgency that anyone has given it: an assessment raises it, none lowers it by itself.
    pub fn urgency(&self) -> Option<Urgency> {
        let assessed =
            self.assessments.iter().filter(|added| added.assessment.kind == AssessmentKind::Urgency);
        let assessed = assessed.filter_map(|added| added.assessment.value.as_deref()?.parse().ok());
        assessed.chain(self.opened.as_ref().map(|opened| opened.urgency)).max()
    }

    fn assessed<T: std::str::FromStr>(&self, kind: AssessmentKind) -> Option<T> {
        let last = self.assessments.iter().rev().find(|added| added.assessment.kind == kind)?;
        last.assessment.value.as_deref()?.parse().ok()
    }

    /// Whoever reported it or was ever offered a part of it.
    pub fn is_party(&self, agency: &AgencyId) -> bool {
        self.opened.as_ref().is_some_and(|opened| opened.reporter == *agency) || self.is_assigned(agency)
    }

    pub fn is_assigned(&self, agency: &AgencyId) -> bool {
        self.assignments.values().any(|assignment| assignment.offer.agency == *agency)
    }
}

/// Takes one event in.
pub fn evolve(incident: &mut Incident, event: &RoutingEvent) {
    match event {
        RoutingEvent::IncidentOpened(opened) => incident.opened = Some(opened.clone()),
        RoutingEvent::JurisdictionsFound(found) => {
            incident.rules_version = found.rules_version;
            incident.countries = found.countries.clone();
        }
        RoutingEvent::AssignmentOffered(offer) => {
            let assignment = Assignment {
                respond_by: offer.respond_by,
                entitlement: offer.entitlement.clone(),
                offer: offer.clone(),
                state: AssignmentState::Offered,
                overdue: false,
                calls: Vec::new(),
                calls_exhausted: false,
            };
            incident.assignments.insert(offer.assignment_id, assignment);
        }
        RoutingEvent::OfferWithheld(withheld) => incident.withheld.push(withheld.clone()),
        RoutingEvent::CoordinatorAlerted(alert) => {
            if let Some(assignment) = alert.assignment_id.and_then(|id| incident.assignments.get_mut(&id)) {
                assignment.calls_exhausted = true;
            }
            incident.alerts.push(alert.clone());
        }
        RoutingEvent::DutyContactCalled(called) => {
            if let Some(assignment) = incident.assignments.get_mut(&called.assignment_id) {
                assignment.calls.push(Call {
                    agency: called.agency.clone(),
                    contact: called.contact.clone(),
                    acknowledge_by: called.acknowledge_by,
                });
            }
        }
        RoutingEvent::AssignmentRaised(raised) => {
            if let Some(assignment) = incident.assignments.get_mut(&raised.assignment_id) {
                assignment.entitlement = raised.entitlement.clone();
                assignment.respond_by = raised.respond_by;
            }
        }
        RoutingEvent::AssignmentAccepted(event) => {
            stands(incident, event.assignment_id, AssignmentState::Accepted);
        }
        RoutingEvent::AssignmentDeclined(event) => {
            stands(incident, event.assignment_id, AssignmentState::Declined);
        }
        RoutingEvent::AssignmentForwarded(event) => {
            stands(incident, event.assignment_id, AssignmentState::Forwarded);
        }
        RoutingEvent::AssignmentRevoked(event) => {
            stands(incident, event.assignment_id, AssignmentState::Revoked);
        }
        RoutingEvent::AssignmentClosed(event) => {
            stands(incident, event.assignment_id, AssignmentState::Closed)
        }
        RoutingEvent::AssignmentOverdue(event) => {
            stands(incident, event.assignment_id, AssignmentState::Overdue);
            if let Some(assignment) = incident.assignments.get_mut(&event.assignment_id) {
                assignment.overdue = true;
            }
        }
        RoutingEvent::AssessmentAdded(added) => incident.assessments.push(added.clone()),
        RoutingEvent::LeadProposed(proposed) => incident.lead.proposed = Some(proposed.clone()),
        RoutingEvent::LeadAccepted(accepted) => {
            incident.lead.positions.insert(accepted.by.clone(), accepted.country.clone());
        }
        RoutingEvent::LeadDisputed(disputed) => {
            incident.lead.positions.insert(disputed.by.clone(), disputed.proposes.clone());
        }
        RoutingEvent::LeadRecorded(recorded) => incident.lead.recorded = Some(recorded.country.clone()),
        RoutingEvent::TransfersAuthorised(authorised) => {
            incident.authorised.extend(authorised.countries.iter().cloned());
        }
        RoutingEvent::CommandRejected(_) | RoutingEvent::CommandFailed(_) => {}
    }
}

fn stands(incident: &mut Incident, id: AssignmentId, state: AssignmentState) {
    if let Some(assignment) = incident.assignments.get_mut(&id) {
        assignment.state = state;
    }
}
