//! What of an incident's routing each kind of caller sees.
//!
//! Parties see the frame and their own assignment whole. Whoever only reported it sees of the answers what feedback
//! tells. A coordinator sees the frame within its countries, and no person. Whoever is none of these is told that there
//! is no such incident.

use schemas::Timestamp;
use schemas::codes::{
    AgencyKind, AlertReason, AssignmentState, EscalationReason, FacetKind, IncidentKind, MediaKind,
    RetractionReason, Urgency,
};
use schemas::digest_sets::KnownMatch;
use schemas::directory::Agency;
use schemas::ids::{
    AgencyId, AssessmentId, AssignmentId, Country, IncidentId, ItemRef, PersonRef, ReferralId, RetractionId,
};
use schemas::routing::{
    AssessmentAdded, CoordinatorAlerted, CountryFound, Entitlement, Ground, ItemNoted, LeadProposed,
    OfferWithheld, Transfer,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::{Assignment, Call, Incident, Retraction};

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
    /// For coordinators and the originator; for whoever only reported it, those about offers that were not made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<CoordinatorAlerted>,
    /// Whoever only reported it sees its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assessments: Vec<AssessmentView>,
    /// The lead is not for whoever only reported it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead_proposed: Option<LeadProposed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead: Option<Country>,
    /// For parties: the content items, and what is known of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<ItemView>,
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

/// A content item, and what is known of it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ItemView {
    pub item_ref: ItemRef,
    pub media_kind: MediaKind,
    /// The same file in digest sets, as they stood when the referral came in.
    pub known: Vec<KnownMatch>,
    /// Whether nobody has to look at it again: agencies of two States have seen it, and nobody disputed the entry.
    pub closed: bool,
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
    /// To whoever only reported it: `offered` while its feedback is held back, and where it waits for too long.
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
    /// For coordinators: the kinds of sealed parts that the policy's rule entitles it to, whether there are any or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub may_open: Vec<FacetKind>,
    /// The duty contacts called so far; not for whoever only reported it.
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
    /// Whom it is about, where it is about one person; for parties only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person_ref: Option<PersonRef>,
    /// Whether its author took it back.
    pub retracted: bool,
}

/// As whom the caller looks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Eye {
    /// Reported it, and has no part of its own.
    Originator,
    /// Reported it, and was offered a part.
    AssignedOriginator,
    Assigned,
    Coordinator,
}

impl RoutingView {
    /// What the agency sees at the moment; `None` where there is no such incident for it.
    pub fn of(incident_id: IncidentId, incident: &Incident, agency: &Agency, now: Timestamp) -> Option<Self> {
        let eye = eye(incident, agency)?;
        Some(Look { incident, agency, eye, now }.view(incident_id))
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
            items: Vec::new(),
            amendments: 0,
            withdrawn: None,
            retractions: Vec::new(),
            case_numbers: Vec::new(),
        }
    }
}

fn eye(incident: &Incident, agency: &Agency) -> Option<Eye> {
    let opened = incident.opened.as_ref()?;
    let reported = opened.reporter == agency.id && agency.kind != AgencyKind::Provider;
    match (reported, incident.is_assigned(&agency.id)) {
        (true, true) => return Some(Eye::AssignedOriginator),
        (true, false) => return Some(Eye::Originator),
        (false, true) => return Some(Eye::Assigned),
        (false, false) => {}
    }
    watches(incident, agency).then_some(Eye::Coordinator)
}

/// Whether the agency is a coordinator, and one of the countries that it watches is concerned.
pub fn watches(incident: &Incident, agency: &Agency) -> bool {
    let Some(opened) = &incident.opened else { return false };
    let within = |country: &Country| agency.scope.contains(country);
    let in_scope =
        incident.countries.iter().any(|found| within(&found.country)) || within(&opened.reporter_country);
    agency.kind == AgencyKind::Coordinator && !incident.is_never_told(&agency.country) && in_scope
}

/// One look at an incident.
struct Look<'a> {
    incident: &'a Incident,
    agency: &'a Agency,
    eye: Eye,
    now: Timestamp,
}

impl Look<'_> {
    fn is_party(&self) -> bool {
        self.eye != Eye::Coordinator
    }

    /// Whoever only reported it is told of the answers by feedback.
    fn is_reporter_alone(&self) -> bool {
        self.eye == Eye::Originator
    }

    fn sees_what_was_not_offered(&self) -> bool {
        self.eye != Eye::Assigned
    }

    /// A coordinator sees what concerns its countries; parties see the whole frame.
    fn shows(&self, country: &Country) -> bool {
        self.is_party() || self.agency.scope.contains(country)
    }

    /// An agency is named to a coordinator where its country is shown.
    fn names(&self, id: &AgencyId) -> bool {
        let mut assignments = self.incident.assignments.values();
        self.is_party() || assignments.any(|one| one.offer.agency == *id && self.shows(&one.offer.country))
    }

    fn is_held_back(&self, assignment: AssignmentId) -> bool {
        self.is_reporter_alone() && self.incident.is_held(assignment, self.now)
    }

    fn shows_alert(&self, alert: &CoordinatorAlerted) -> bool {
        let of_offers = matches!(
            alert.reason,
            AlertReason::CountryWithoutAgency | AlertReason::OfferWithheld | AlertReason::NoCountryFound
        );
        self.sees_what_was_not_offered()
            && (of_offers || !self.is_reporter_alone())
            && alert.country.as_ref().is_none_or(|country| self.shows(country))
    }

    /// A number of its own says that the agency works on it.
    fn shows_case_number(&self, id: &AgencyId) -> bool {
        let mut own = self.incident.assignments.values().filter(|one| one.offer.agency == *id);
        self.names(id) && !own.any(|one| self.is_held_back(one.offer.assignment_id))
    }

    fn view(&self, incident_id: IncidentId) -> RoutingView {
        let incident = self.incident;
        let opened = incident.opened.as_ref();
        // What others make of it is not for whoever only reported it.
        let as_reported = opened.filter(|_| self.is_reporter_alone());
        let countries = incident.countries.iter().filter(|found| self.shows(&found.country));
        let assignments = incident.assignments.values().filter(|one| self.shows(&one.offer.country));
        let withheld = incident.withheld.iter().filter(|withheld| self.shows(&withheld.country));
        let assessments = incident.assessments.iter().filter(|added| self.shows_assessment(added));
        let lead = incident.lead.recorded.as_ref().filter(|country| self.shows_lead(country));
        RoutingView {
            incident_id,
            referral_id: opened.filter(|_| self.is_party()).map(|opened| opened.referral_id),
            kind: as_reported.map(|opened| opened.kind).or_else(|| incident.kind()),
            urgency: as_reported.map(|opened| opened.urgency).or_else(|| incident.urgency()),
            week: opened.and_then(|opened| opened.week.clone()),
            rules_version: incident.rules_version,
            countries: countries.map(|found| self.country_view(found)).collect(),
            assignments: assignments.map(|one| self.assignment_view(one)).collect(),
            withheld: withheld.filter(|_| self.sees_what_was_not_offered()).cloned().collect(),
            alerts: incident.alerts.iter().filter(|alert| self.shows_alert(alert)).cloned().collect(),
            assessments: assessments.map(|added| self.assessment_view(added)).collect(),
            lead_proposed: self.lead_view(),
            lead: lead.cloned(),
            items: opened.filter(|_| self.is_party()).map_or(Vec::new(), |opened| items(&opened.items)),
            amendments: incident.amendments,
            withdrawn: incident.withdrawn,
            retractions: incident.retractions.values().map(|one| self.retraction_view(one)).collect(),
            case_numbers: incident
                .case_numbers
                .keys()
                .filter(|id| self.shows_case_number(id))
                .cloned()
                .collect(),
        }
    }

    fn shows_assessment(&self, added: &AssessmentAdded) -> bool {
        self.names(&added.by) && (added.by == self.agency.id || !self.is_reporter_alone())
    }

    fn shows_lead(&self, country: &Country) -> bool {
        self.shows(country) && !self.is_reporter_alone()
    }

    fn lead_view(&self) -> Option<LeadProposed> {
        let proposed = self.incident.lead.proposed.as_ref().filter(|lead| self.shows_lead(&lead.country))?;
        let factors = proposed.factors.iter().filter(|factor| self.shows(&factor.country)).cloned();
        Some(LeadProposed { country: proposed.country.clone(), factors: factors.collect() })
    }

    fn country_view(&self, found: &CountryFound) -> CountryFound {
        let grounds = if self.is_party() { found.grounds.clone() } else { without_persons(&found.grounds) };
        CountryFound { country: found.country.clone(), grounds }
    }

    fn assignment_view(&self, one: &Assignment) -> AssignmentView {
        let own = one.offer.agency == self.agency.id;
        let calls = one.calls.iter().filter(|_| !self.is_reporter_alone());
        AssignmentView {
            assignment_id: one.offer.assignment_id,
            agency: one.offer.agency.clone(),
            country: one.offer.country.clone(),
            state: self.state(one),
            escalated: one.escalated.filter(|_| !self.is_reporter_alone()),
            respond_by: one.respond_by,
            grounds: if own { one.offer.grounds.clone() } else { without_persons(&one.offer.grounds) },
            rule: one.offer.rule.clone(),
            policy_version: one.offer.policy_version,
            transfer: one.offer.transfer.clone(),
            entitlement: own.then(|| one.entitlement.clone()),
            may_open: if self.is_party() { Vec::new() } else { one.entitlement.facet_kinds.clone() },
            calls: calls.map(call_view).collect(),
            forwarded_from: one.offer.forwarded_from.filter(|from| !self.is_held_back(*from)),
        }
    }

    /// Feedback tells neither that an answer is late nor that somebody was asked to look.
    fn state(&self, one: &Assignment) -> AssignmentState {
        let unsaid = one.awaits_answer() || self.is_held_back(one.offer.assignment_id);
        if self.is_reporter_alone() && unsaid { AssignmentState::Offered } else { one.state }
    }

    fn assessment_view(&self, added: &AssessmentAdded) -> AssessmentView {
        AssessmentView {
            assessment_id: added.assessment_id,
            retracted: self.incident.retracted.contains(&added.assessment_id),
            by: added.by.clone(),
            kind: added.assessment.kind,
            value: added.assessment.value.clone(),
            reason: added.assessment.reason,
            person_ref: added.assessment.person_ref.filter(|_| self.is_party()),
        }
    }

    fn retraction_view(&self, one: &Retraction) -> RetractionView {
        let issued = &one.issued;
        RetractionView {
            retraction_id: issued.retraction_id,
            assessment_id: issued.assessment_id,
            reason: issued.reason,
            recipients: issued.recipients.iter().filter(|id| self.names(id)).cloned().collect(),
            acknowledged: one.acknowledged.iter().filter(|id| self.names(id)).cloned().collect(),
        }
    }
}

fn call_view(call: &Call) -> CallView {
    CallView {
        agency: call.agency.clone(),
        contact: call.contact.clone(),
        acknowledge_by: call.acknowledge_by,
    }
}

fn items(noted: &[ItemNoted]) -> Vec<ItemView> {
    let view = |item: &ItemNoted| ItemView {
        item_ref: item.item_ref,
        media_kind: item.media_kind,
        known: item.known.clone(),
        closed: item.is_closed(),
    };
    noted.iter().map(view).collect()
}

fn without_persons(grounds: &[Ground]) -> Vec<Ground> {
    grounds.iter().map(|ground| Ground { person_ref: None, ..ground.clone() }).collect()
}
