//! `routing.commands` and `routing.events`: jurisdictions, assignments, answers, the lead.

use apache_avro::AvroSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::codes::{
    AlertReason, Annotation, AssessmentKind, AssessmentReason, AssignmentState, Authorisation, CloseOutcome,
    Confidence, DangerReason, DeclineReason, EscalationReason, FacetKind, IncidentKind, JurisdictionBasis,
    LeadFactor, MediaKind, RetractionReason, RevokeReason, SignalRole, SignalSource, TransferBasis, Urgency,
    WithheldReason,
};
use crate::digest_sets::KnownMatch;
use crate::envelope::{CommandFailed, CommandRejected, InputPosition};
use crate::ids::{
    AgencyId, AssessmentId, AssignmentId, Country, FacetId, IncidentId, ItemRef, KeySetId, PersonRef,
    ReferralId, RetractionId,
};
use crate::referral::{Handling, Person, SealedFacet, Signal};
use crate::time::Timestamp;
use crate::{command_bodies, event_bodies};

/// A sealed facet as routing knows it: where it stands, never what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct FacetRef {
    pub facet_id: FacetId,
    pub kind: FacetKind,
    pub person_ref: Option<PersonRef>,
    pub key_set_id: KeySetId,
    /// The event that the ciphertext stands in.
    pub at: InputPosition,
}

impl FacetRef {
    pub fn of(facet: &SealedFacet, at: &InputPosition) -> Self {
        Self {
            facet_id: facet.facet_id,
            kind: facet.kind,
            person_ref: facet.person_ref,
            key_set_id: facet.key_set_id,
            at: at.clone(),
        }
    }
}

/// What routing took in of a referral.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct IncidentOpened {
    pub referral_id: ReferralId,
    pub reporter: AgencyId,
    pub reporter_country: Country,
    pub kind: IncidentKind,
    pub urgency: Urgency,
    pub danger_reason: Option<DangerReason>,
    pub week: Option<String>,
    pub annotations: Vec<Annotation>,
    pub people: Vec<Person>,
    pub facets: Vec<FacetRef>,
    pub signals: Vec<Signal>,
    pub handling: Handling,
    #[serde(default)]
    #[avro(default = "[]")]
    pub items: Vec<ItemNoted>,
}

/// A content item of the referral, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct ItemNoted {
    pub item_ref: ItemRef,
    pub media_kind: MediaKind,
    /// Entries of digest sets that the same file stands in.
    pub known: Vec<KnownMatch>,
}

impl ItemNoted {
    /// Whether it is closed: nobody has to look at it again.
    pub fn is_closed(&self) -> bool {
        self.known.iter().any(|known| known.closes)
    }
}

/// The reporter amended its referral: what of it replaces what was known. Signals only add.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct IncidentAmended {
    pub amendment: i32,
    pub kind: IncidentKind,
    pub urgency: Urgency,
    pub danger_reason: Option<DangerReason>,
    pub week: Option<String>,
    pub annotations: Vec<Annotation>,
    pub people: Vec<Person>,
    pub facets: Vec<FacetRef>,
    /// Those that were not known before.
    pub signals: Vec<Signal>,
    pub handling: Handling,
    #[serde(default)]
    #[avro(default = "[]")]
    pub items: Vec<ItemNoted>,
}

/// The reporter withdrew its referral. What was offered is taken back, and each recipient is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct IncidentWithdrawn {
    pub reason: RetractionReason,
}

/// Which countries have jurisdiction, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct JurisdictionsFound {
    /// The version of the rules that found them.
    pub rules_version: i32,
    pub countries: Vec<CountryFound>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct CountryFound {
    pub country: Country,
    pub grounds: Vec<Ground>,
}

/// One reason why a country has jurisdiction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct Ground {
    pub role: SignalRole,
    pub basis: JurisdictionBasis,
    pub source: SignalSource,
    pub confidence: Confidence,
    /// The articles that support the basis, such as `Budapest Convention Article 22(1)(a)`.
    pub articles: Vec<String>,
    pub person_ref: Option<PersonRef>,
}

/// What an assignment entitles its agency to open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct Entitlement {
    pub facet_kinds: Vec<FacetKind>,
    pub persons: Vec<PersonRef>,
    /// Whether it may open with the offer, before it accepts (imminent danger).
    pub opens_with_offer: bool,
}

/// On what the transfer to the agency rests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct Transfer {
    pub basis: TransferBasis,
    /// The policy's transfer rule; none within one country.
    pub rule: Option<String>,
    pub article: String,
    pub authorisation: Authorisation,
}

/// An agency is offered its part, and told why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct AssignmentOffered {
    pub assignment_id: AssignmentId,
    pub agency: AgencyId,
    pub country: Country,
    pub grounds: Vec<Ground>,
    /// The rule of the policy, and the policy's version.
    pub rule: String,
    pub policy_version: i32,
    pub entitlement: Entitlement,
    pub transfer: Transfer,
    pub respond_by: Timestamp,
    /// The assignment this one was forwarded from.
    pub forwarded_from: Option<AssignmentId>,
}

/// What a country or agency would have been offered, and was not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct OfferWithheld {
    pub country: Country,
    pub agency: Option<AgencyId>,
    pub reason: WithheldReason,
    pub rule: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct CoordinatorAlerted {
    pub reason: AlertReason,
    pub country: Option<Country>,
    pub assignment_id: Option<AssignmentId>,
}

/// In imminent danger: a duty contact is called, and has until `acknowledge_by`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct DutyContactCalled {
    pub assignment_id: AssignmentId,
    /// The agency called: the assignment's own, or the national point that answers at any hour.
    pub agency: AgencyId,
    pub contact: String,
    /// 1 for the first contact called for this assignment.
    pub attempt: i32,
    pub acknowledge_by: Timestamp,
}

/// An offer that nobody has answered became more urgent: it gives no less than before, and sooner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct AssignmentRaised {
    pub assignment_id: AssignmentId,
    pub urgency: Urgency,
    pub entitlement: Entitlement,
    pub respond_by: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct AssignmentAccepted {
    pub assignment_id: AssignmentId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct AssignmentDeclined {
    pub assignment_id: AssignmentId,
    pub reason: DeclineReason,
    pub note: Option<SealedFacet>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct AssignmentForwarded {
    pub assignment_id: AssignmentId,
    pub to: AgencyId,
    pub note: Option<SealedFacet>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct AssignmentRevoked {
    pub assignment_id: AssignmentId,
    pub reason: RevokeReason,
    pub note: Option<SealedFacet>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct AssignmentClosed {
    pub assignment_id: AssignmentId,
    pub outcome: CloseOutcome,
    pub note: Option<SealedFacet>,
}

/// A coordinator is asked to look: because nobody answered, or because a party says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct AssignmentEscalated {
    pub assignment_id: AssignmentId,
    pub reason: EscalationReason,
    pub note: Option<SealedFacet>,
}

/// The assigned police hold back what the reporter is told of the assignment, until then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct FeedbackHeld {
    pub assignment_id: AssignmentId,
    pub until: Timestamp,
}

/// An agency's own number for its case, sealed: parties may open it, a coordinator sees that there is one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct CaseNumberAdded {
    pub by: AgencyId,
    pub number: SealedFacet,
}

/// Nobody answered by `respond_by`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct AssignmentOverdue {
    pub assignment_id: AssignmentId,
}

/// What one party makes of the incident; earlier assessments stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.routing")]
#[serde(deny_unknown_fields)]
pub struct Assessment {
    pub kind: AssessmentKind,
    /// A code of the list that the kind names; none where the kind says it all.
    pub value: Option<String>,
    pub reason: AssessmentReason,
    pub person_ref: Option<PersonRef>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct AssessmentAdded {
    pub assessment_id: AssessmentId,
    pub by: AgencyId,
    pub assessment: Assessment,
    pub note: Option<SealedFacet>,
}

/// Its author takes an assessment back; it stays on record and no longer counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct AssessmentRetracted {
    pub assessment_id: AssessmentId,
    pub reason: RetractionReason,
}

/// Something was taken back: every agency that may have acted on it is told, and acknowledges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct RetractionIssued {
    pub retraction_id: RetractionId,
    /// The assessment taken back; none where it is the referral itself.
    pub assessment_id: Option<AssessmentId>,
    pub reason: RetractionReason,
    pub recipients: Vec<AgencyId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct RetractionAcknowledged {
    pub retraction_id: RetractionId,
    pub by: AgencyId,
}

/// Which State the factors speak for as the lead. A proposal: people decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct LeadProposed {
    pub country: Country,
    pub factors: Vec<FactorFound>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct FactorFound {
    pub factor: LeadFactor,
    pub country: Country,
    /// How many signals speak for it.
    pub signals: i32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct LeadAccepted {
    pub by: AgencyId,
    pub country: Country,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct LeadDisputed {
    pub by: AgencyId,
    pub country: Country,
    /// The State the disputing agency holds to be better placed.
    pub proposes: Country,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct LeadRecorded {
    pub by: AgencyId,
    pub country: Country,
}

/// The originator allows, for this incident, the transfers it had kept to itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct TransfersAuthorised {
    pub countries: Vec<Country>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct AcceptAssignment {
    pub assignment_id: AssignmentId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct DeclineAssignment {
    pub assignment_id: AssignmentId,
    pub reason: DeclineReason,
    pub note: Option<SealedFacet>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct ForwardAssignment {
    pub assignment_id: AssignmentId,
    pub to: AgencyId,
    pub note: Option<SealedFacet>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct RevokeAssignment {
    pub assignment_id: AssignmentId,
    pub reason: RevokeReason,
    pub note: Option<SealedFacet>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct CloseAssignment {
    pub assignment_id: AssignmentId,
    pub outcome: CloseOutcome,
    pub note: Option<SealedFacet>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct AddAssessment {
    pub assessment: Assessment,
    pub note: Option<SealedFacet>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct RetractAssessment {
    pub assessment_id: AssessmentId,
    pub reason: RetractionReason,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct AcknowledgeRetraction {
    pub retraction_id: RetractionId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct EscalateAssignment {
    pub assignment_id: AssignmentId,
    pub reason: EscalationReason,
    pub note: Option<SealedFacet>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct HoldFeedback {
    pub assignment_id: AssignmentId,
    pub until: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct AddCaseNumber {
    pub number: SealedFacet,
}

/// Somebody asked for an incident that does not exist for them. Always rejected, and so on record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct ReadRouting {
    pub incident_id: IncidentId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct AuthoriseTransfers {
    pub countries: Vec<Country>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct AcceptLead {
    pub country: Country,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct DisputeLead {
    pub country: Country,
    pub proposes: Country,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct RecordLead {
    pub country: Country,
}

/// A clock of the incident has run out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct ClockDue {
    pub assignment_id: AssignmentId,
    pub due: Timestamp,
}

command_bodies! {
    /// What stands in `routing.commands`.
    RoutingCommand in "routing.commands" {
        AcceptAssignment,
        DeclineAssignment,
        ForwardAssignment,
        RevokeAssignment,
        CloseAssignment,
        AddAssessment,
        AuthoriseTransfers,
        AcceptLead,
        DisputeLead,
        RecordLead,
        ClockDue,
        EscalateAssignment,
        HoldFeedback,
        AddCaseNumber,
        RetractAssessment,
        AcknowledgeRetraction,
        ReadRouting,
    }
}

event_bodies! {
    /// What stands in `routing.events`.
    RoutingEvent in "routing.events" {
        IncidentOpened,
        JurisdictionsFound,
        AssignmentOffered,
        OfferWithheld,
        CoordinatorAlerted,
        DutyContactCalled,
        AssignmentAccepted,
        AssignmentDeclined,
        AssignmentForwarded,
        AssignmentRevoked,
        AssignmentClosed,
        AssignmentOverdue,
        AssessmentAdded,
        LeadProposed,
        LeadAccepted,
        LeadDisputed,
        LeadRecorded,
        TransfersAuthorised,
        AssignmentRaised,
        IncidentAmended,
        IncidentWithdrawn,
        AssignmentEscalated,
        FeedbackHeld,
        CaseNumberAdded,
        AssessmentRetracted,
        RetractionIssued,
        RetractionAcknowledged,
    }
}

impl RoutingEvent {
    /// How the event says that an assignment stands. An escalation is of one that may be accepted and stays so.
    pub const fn assignment_state(&self) -> Option<(AssignmentId, AssignmentState)> {
        Some(match self {
            Self::AssignmentAccepted(event) => (event.assignment_id, AssignmentState::Accepted),
            Self::AssignmentDeclined(event) => (event.assignment_id, AssignmentState::Declined),
            Self::AssignmentForwarded(event) => (event.assignment_id, AssignmentState::Forwarded),
            Self::AssignmentRevoked(event) => (event.assignment_id, AssignmentState::Revoked),
            Self::AssignmentClosed(event) => (event.assignment_id, AssignmentState::Closed),
            Self::AssignmentOverdue(event) => (event.assignment_id, AssignmentState::Overdue),
            Self::AssignmentEscalated(event) => (event.assignment_id, AssignmentState::Escalated),
            _ => return None,
        })
    }

    /// The sealed facet that stands in this event: the free text of an answer, or a case number.
    pub fn sealed_facet(&self) -> Option<&SealedFacet> {
        match self {
            Self::AssignmentDeclined(event) => event.note.as_ref(),
            Self::AssignmentForwarded(event) => event.note.as_ref(),
            Self::AssignmentRevoked(event) => event.note.as_ref(),
            Self::AssignmentClosed(event) => event.note.as_ref(),
            Self::AssignmentEscalated(event) => event.note.as_ref(),
            Self::AssessmentAdded(event) => event.note.as_ref(),
            Self::CaseNumberAdded(event) => Some(&event.number),
            _ => None,
        }
    }
}
