//! What routing knows of one incident: the fold of its events.

use std::collections::{BTreeMap, BTreeSet};

use schemas::Timestamp;
use schemas::codes::{
    AlertReason, AssessmentKind, AssignmentState, EscalationReason, IncidentKind, RetractionReason, Urgency,
};
use schemas::ids::{AgencyId, AssessmentId, AssignmentId, Country, PersonRef, RetractionId};
use schemas::routing::{
    AssessmentAdded, AssignmentOffered, CoordinatorAlerted, CountryFound, Entitlement, IncidentAmended,
    IncidentOpened, LeadProposed, OfferWithheld, RetractionIssued, RoutingEvent,
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// The referral as it was last amended.
    pub opened: Option<IncidentOpened>,
    pub amendments: i32,
    pub withdrawn: Option<RetractionReason>,
    pub rules_version: i32,
    pub countries: Vec<CountryFound>,
    pub assignments: BTreeMap<AssignmentId, Assignment>,
    pub withheld: Vec<OfferWithheld>,
    pub alerts: Vec<CoordinatorAlerted>,
    pub assessments: Vec<AssessmentAdded>,
    /// Assessments that no longer count.
    pub retracted: BTreeSet<AssessmentId>,
    pub retractions: BTreeMap<RetractionId, Retraction>,
    /// How many case numbers each agency has added; the numbers are sealed.
    pub case_numbers: BTreeMap<AgencyId, u32>,
    /// Countries the originator allowed transfers to, for this incident.
    pub authorised: BTreeSet<Country>,
    /// Until when the reporter is told nothing of an assignment.
    pub held: BTreeMap<AssignmentId, Timestamp>,
    pub lead: Lead,
}

/// Something taken back, and who has acknowledged it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retraction {
    pub issued: RetractionIssued,
    pub acknowledged: BTreeSet<AgencyId>,
}

/// Which State leads: proposed by factors, decided by people.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lead {
    pub proposed: Option<LeadProposed>,
    /// What each agency holds, by agency: the State it accepts or proposes.
    pub positions: BTreeMap<AgencyId, Country>,
    pub recorded: Option<Country>,
}

impl Lead {
    /// Nobody has accepted or disputed it yet.
    pub fn is_undecided(&self) -> bool {
        self.positions.is_empty() && self.recorded.is_none()
    }
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
    /// Why a coordinator was asked to look, the last time one was.
    pub escalated: Option<EscalationReason>,
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
        self.state.awaits_answer()
    }

    /// Awaits an answer, or is being worked on.
    pub fn is_open(&self) -> bool {
        self.state.is_open()
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
        let assessed = self.standing().filter(|added| added.assessment.kind == AssessmentKind::Urgency);
        let assessed = assessed.filter_map(|added| added.assessment.value.as_deref()?.parse().ok());
        assessed.chain(self.opened.as_ref().map(|opened| opened.urgency)).max()
    }

    fn assessed<T: std::str::FromStr>(&self, kind: AssessmentKind) -> Option<T> {
        let last = self.standing().filter(|added| added.assessment.kind == kind).last()?;
        last.assessment.value.as_deref()?.parse().ok()
    }

    /// The assessments that were not taken back.
    fn standing(&self) -> impl Iterator<Item = &AssessmentAdded> {
        self.assessments.iter().filter(|added| !self.retracted.contains(&added.assessment_id))
    }

    /// Every agency that was ever offered a part, once each.
    pub fn recipients(&self) -> BTreeSet<AgencyId> {
        self.assignments.values().map(|assignment| assignment.offer.agency.clone()).collect()
    }

    /// Whoever reported it or was ever offered a part of it.
    pub fn is_party(&self, agency: &AgencyId) -> bool {
        self.opened.as_ref().is_some_and(|opened| opened.reporter == *agency) || self.is_assigned(agency)
    }

    pub fn is_assigned(&self, agency: &AgencyId) -> bool {
        self.assignments.values().any(|assignment| assignment.offer.agency == *agency)
    }

    /// Whether the originator has said that the State must never hear of it.
    pub fn is_never_told(&self, country: &Country) -> bool {
        self.opened.as_ref().is_some_and(|opened| opened.handling.never_told.contains(country))
    }

    /// Whether the referral, as it was last amended, names the person.
    pub fn has_person(&self, person: PersonRef) -> bool {
        let mut people = self.opened.iter().flat_map(|opened| &opened.people);
        people.any(|known| known.person_ref == person)
    }

    /// Whether what comes of the assignment is kept from the reporter at the moment.
    pub fn is_held(&self, assignment: AssignmentId, now: Timestamp) -> bool {
        self.held.get(&assignment).is_some_and(|until| *until > now)
    }
}

/// Takes one event in.
pub fn evolve(incident: &mut Incident, event: &RoutingEvent) {
    match event {
        RoutingEvent::IncidentOpened(opened) => incident.opened = Some(opened.clone()),
        RoutingEvent::IncidentAmended(amended) => amend(incident, amended),
        RoutingEvent::IncidentWithdrawn(withdrawn) => incident.withdrawn = Some(withdrawn.reason),
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
                escalated: None,
                calls: Vec::new(),
                calls_exhausted: false,
            };
            incident.assignments.insert(offer.assignment_id, assignment);
        }
        RoutingEvent::OfferWithheld(withheld) => incident.withheld.push(withheld.clone()),
        RoutingEvent::CoordinatorAlerted(alert) => {
            let unanswered = alert.assignment_id.filter(|_| alert.reason == AlertReason::NobodyAnswered);
            if let Some(assignment) = unanswered.and_then(|id| incident.assignments.get_mut(&id)) {
                assignment.calls_exhausted = true;
            }
            incident.alerts.push(alert.clone());
        }
        RoutingEvent::DutyContactCalled(called) => {
            if let Some(assignment) = incident.assignments.get_mut(&called.assignment_id) {
                // Where a coordinator begins a new round, its calls are waited for as well.
                assignment.calls_exhausted = false;
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
        RoutingEvent::AssignmentAccepted(_)
        | RoutingEvent::AssignmentDeclined(_)
        | RoutingEvent::AssignmentForwarded(_)
        | RoutingEvent::AssignmentRevoked(_)
        | RoutingEvent::AssignmentClosed(_) => stands(incident, event),
        RoutingEvent::AssignmentOverdue(overdue) => {
            stands(incident, event);
            if let Some(assignment) = incident.assignments.get_mut(&overdue.assignment_id) {
                assignment.overdue = true;
            }
        }
        RoutingEvent::AssignmentEscalated(escalated) => {
            if let Some(assignment) = incident.assignments.get_mut(&escalated.assignment_id) {
                assignment.escalated = Some(escalated.reason);
                if assignment.awaits_answer() {
                    stands(incident, event);
                }
            }
        }
        RoutingEvent::CaseNumberAdded(added) => {
            *incident.case_numbers.entry(added.by.clone()).or_default() += 1;
        }
        RoutingEvent::AssessmentAdded(added) => incident.assessments.push(added.clone()),
        RoutingEvent::AssessmentRetracted(retracted) => {
            incident.retracted.insert(retracted.assessment_id);
        }
        RoutingEvent::RetractionIssued(issued) => {
            let retraction = Retraction { issued: issued.clone(), acknowledged: BTreeSet::new() };
            incident.retractions.insert(issued.retraction_id, retraction);
        }
        RoutingEvent::RetractionAcknowledged(event) => {
            if let Some(retraction) = incident.retractions.get_mut(&event.retraction_id) {
                retraction.acknowledged.insert(event.by.clone());
            }
        }
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
        RoutingEvent::FeedbackHeld(held) => {
            incident.held.insert(held.assignment_id, held.until);
        }
        RoutingEvent::CommandRejected(_) | RoutingEvent::CommandFailed(_) => {}
    }
}

/// What of the referral replaces what was known; signals only add.
fn amend(incident: &mut Incident, amended: &IncidentAmended) {
    incident.amendments = amended.amendment;
    let Some(opened) = &mut incident.opened else { return };
    opened.kind = amended.kind;
    // An amendment raises; it calms nobody who was called.
    opened.urgency = opened.urgency.max(amended.urgency);
    opened.danger_reason = amended.danger_reason.or(opened.danger_reason);
    opened.week.clone_from(&amended.week);
    opened.annotations.clone_from(&amended.annotations);
    opened.people.clone_from(&amended.people);
    opened.facets.clone_from(&amended.facets);
    opened.signals.extend(amended.signals.iter().cloned());
    opened.handling.clone_from(&amended.handling);
    opened.items.clone_from(&amended.items);
}

fn stands(incident: &mut Incident, event: &RoutingEvent) {
    let Some((id, state)) = event.assignment_state() else { return };
    if let Some(assignment) = incident.assignments.get_mut(&id) {
        assignment.state = state;
    }
}
