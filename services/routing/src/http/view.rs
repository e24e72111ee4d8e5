//! What of an incident's routing each kind of caller sees.
//!
//! Parties see the frame and their own assignment whole. A coordinator sees the frame within its countries, and
//! no person. Whoever is none of these is told that there is no such incident.

use schemas::Timestamp;
use schemas::codes::{
    AgencyKind, AssignmentState, EscalationReason, IncidentKind, RetractionReason, Urgency,
};
use schemas::directory::Agency;
use schemas::ids::{AgencyId, AssessmentId, AssignmentId, Country, IncidentId, ReferralId, RetractionId};
use schemas::routing::{
    AssessmentAdded, CoordinatorAlerted, CountryFound, Entitlement, Ground, LeadProposed, OfferWithheld,
    Transfer,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::{Assignment, Incident, Retraction};

/// The routing of one incident.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RoutingView {
    pub incident_id: IncidentId,
    /// For parties only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referral_id: Option<ReferralId>,
    pub kind: Option<IncidentKind>,
    pub urgency: Option<Urgency>,
    pub week: Option<String>,
    /// The version of the rules that found the countries.
    pub rules_version: i32,
    pub countries: Vec<CountryFound>,
    pub assignments: Vec<AssignmentView>,
    /// For coordinators and the originator: who was not offered a part, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<OfferWithheld>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<CoordinatorAlerted>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assessments: Vec<AssessmentView>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead_proposed: Option<LeadProposed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead: Option<Country>,
    /// How often the reporter amended its referral.
    pub amendments: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<RetractionReason>,
    /// What was taken back, who was told of it, and who has acknowledged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retractions: Vec<RetractionView>,
    /// The agencies that have a case number of their own here; the numbers are sealed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub case_numbers: Vec<AgencyId>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RetractionView {
    pub retraction_id: RetractionId,
    /// The assessment taken back; none where it is the referral itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assessment_id: Option<AssessmentId>,
    pub reason: RetractionReason,
    pub recipients: Vec<AgencyId>,
    pub acknowledged: Vec<AgencyId>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AssignmentView {
    pub assignment_id: AssignmentId,
    pub agency: AgencyId,
    pub country: Country,
    pub state: AssignmentState,
    /// Why a coordinator was asked to look, the last time one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalated: Option<EscalationReason>,
    pub respond_by: Timestamp,
    pub grounds: Vec<Ground>,
    /// The policy's rule, and the policy's version.
    pub rule: String,
    pub policy_version: i32,
    pub transfer: Transfer,
    /// For the assignment's own agency only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entitlement: Option<Entitlement>,
    /// The duty contacts called so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<CallView>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarded_from: Option<AssignmentId>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CallView {
    pub agency: AgencyId,
    pub contact: String,
    pub acknowledge_by: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AssessmentView {
    pub assessment_id: AssessmentId,
    pub by: AgencyId,
    pub kind: schemas::codes::AssessmentKind,
    pub value: Option<String>,
    pub reason: schemas::codes::AssessmentReason,
    /// Whether its author took it back.
    pub retracted: bool,
}

/// As whom the caller looks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Eye {
    Originator,
    Assigned,
    Coordinator,
}

impl RoutingView {
    /// What the agency sees; `None` where there is no such incident for it.
    pub fn of(incident_id: IncidentId, incident: &Incident, agency: &Agency) -> Option<Self> {
        let eye = eye(incident, agency)?;
        Some(Self::seen(incident_id, incident, agency, eye))
    }

    /// What a party sees that is told nothing of the routing: a provider.
    pub fn nothing(incident_id: IncidentId) -> Self {
        Self {
            incident_id,
            referral_id: None,
            kind: None,
            urgency: None,
            week: None,
            rules_version: 0,
            countries: Vec::new(),
            assignments: Vec::new(),
            withheld: Vec::new(),
            alerts: Vec::new(),
            assessments: Vec::new(),
            lead_proposed: None,
            lead: None,
            amendments: 0,
            withdrawn: None,
            retractions: Vec::new(),
            case_numbers: Vec::new(),
        }
    }

    fn seen(incident_id: IncidentId, incident: &Incident, agency: &Agency, eye: Eye) -> Self {
        let party = eye != Eye::Coordinator;
        let opened = incident.opened.as_ref();
        let oversight = eye != Eye::Assigned;
        // A coordinator sees what concerns its countries; parties see the whole frame.
        let shown = |country: &Country| party || agency.scope.contains(country);
        // An agency is named to a coordinator where its country is shown.
        let of_shown = |id: &AgencyId| {
            let mut assignments = incident.assignments.values();
            assignments.any(|one| one.offer.agency == *id && shown(&one.offer.country))
        };
        let named = |id: &AgencyId| party || of_shown(id);
        Self {
            incident_id,
            referral_id: opened.filter(|_| party).map(|opened| opened.referral_id),
            kind: incident.kind(),
            urgency: incident.urgency(),
            week: opened.and_then(|opened| opened.week.clone()),
            rules_version: incident.rules_version,
            countries: incident
                .countries
                .iter()
                .filter(|found| shown(&found.country))
                .map(|found| country(found, party))
                .collect(),
            assignments: incident
                .assignments
                .values()
                .filter(|one| shown(&one.offer.country))
                .map(|one| assignment(one, agency, party))
                .collect(),
            withheld: incident
                .withheld
                .iter()
                .filter(|withheld| oversight && shown(&withheld.country))
                .cloned()
                .collect(),
            alerts: incident
                .alerts
                .iter()
                .filter(|alert| oversight && alert.country.as_ref().is_none_or(shown))
                .cloned()
                .collect(),
            assessments: incident
                .assessments
                .iter()
                .filter(|added| named(&added.by))
                .map(|added| assessment(incident, added))
                .collect(),
            lead_proposed: incident
                .lead
                .proposed
                .as_ref()
                .filter(|lead| shown(&lead.country))
                .map(|proposed| lead(proposed, shown)),
            lead: incident.lead.recorded.clone().filter(shown),
            amendments: incident.amendments,
            withdrawn: incident.withdrawn,
            retractions: incident.retractions.values().map(|one| retraction(one, &named)).collect(),
            case_numbers: incident.case_numbers.keys().filter(|id| named(id)).cloned().collect(),
        }
    }
}

fn lead(proposed: &LeadProposed, shown: impl Fn(&Country) -> bool) -> LeadProposed {
    let factors = proposed.factors.iter().filter(|factor| shown(&factor.country)).cloned();
    LeadProposed { country: proposed.country.clone(), factors: factors.collect() }
}

fn retraction(one: &Retraction, named: &impl Fn(&AgencyId) -> bool) -> RetractionView {
    let issued = &one.issued;
    RetractionView {
        retraction_id: issued.retraction_id,
        assessment_id: issued.assessment_id,
        reason: issued.reason,
        recipients: issued.recipients.iter().filter(|id| named(id)).cloned().collect(),
        acknowledged: one.acknowledged.iter().filter(|id| named(id)).cloned().collect(),
    }
}

fn eye(incident: &Incident, agency: &Agency) -> Option<Eye> {
    let opened = incident.opened.as_ref()?;
    if opened.reporter == agency.id && agency.kind != AgencyKind::Provider {
        return Some(Eye::Originator);
    }
    if incident.is_assigned(&agency.id) {
        return Some(Eye::Assigned);
    }
    let watches = |country: &Country| agency.scope.contains(country);
    let in_scope =
        incident.countries.iter().any(|found| watches(&found.country)) || watches(&opened.reporter_country);
    (agency.kind == AgencyKind::Coordinator && in_scope).then_some(Eye::Coordinator)
}

fn country(found: &CountryFound, party: bool) -> CountryFound {
    CountryFound { country: found.country.clone(), grounds: grounds(&found.grounds, party) }
}

fn grounds(grounds: &[Ground], with_persons: bool) -> Vec<Ground> {
    let coarse = |ground: &Ground| Ground { person_ref: None, ..ground.clone() };
    if with_persons { grounds.to_vec() } else { grounds.iter().map(coarse).collect() }
}

fn assignment(one: &Assignment, agency: &Agency, party: bool) -> AssignmentView {
    let own = one.offer.agency == agency.id;
    let call = |call: &crate::domain::Call| CallView {
        agency: call.agency.clone(),
        contact: call.contact.clone(),
        acknowledge_by: call.acknowledge_by,
    };
    AssignmentView {
        assignment_id: one.offer.assignment_id,
        agency: one.offer.agency.clone(),
        country: one.offer.country.clone(),
        state: one.state,
        escalated: one.escalated,
        respond_by: one.respond_by,
        grounds: grounds(&one.offer.grounds, party && own),
        rule: one.offer.rule.clone(),
        policy_version: one.offer.policy_version,
        transfer: one.offer.transfer.clone(),
        entitlement: own.then(|| one.entitlement.clone()),
        calls: one.calls.iter().map(call).collect(),
        forwarded_from: one.offer.forwarded_from,
    }
}

fn assessment(incident: &Incident, added: &AssessmentAdded) -> AssessmentView {
    AssessmentView {
        assessment_id: added.assessment_id,
        retracted: incident.retracted.contains(&added.assessment_id),
        by: added.by.clone(),
        kind: added.assessment.kind,
        value: added.assessment.value.clone(),
        reason: added.assessment.reason,
    }
}
