//! `routing.commands` and `routing.events`: jurisdictions, assignments, answers, the lead.

use apache_avro::AvroSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::codes::{
    AlertReason, Annotation, AssessmentKind, AssessmentReason, Authorisation, CloseOutcome, Confidence,
    DangerReason, DeclineReason, FacetKind, IncidentKind, JurisdictionBasis, LeadFactor, RevokeReason,
    SignalRole, SignalSource, TransferBasis, Urgency, WithheldReason,
};
use crate::envelope::{CommandFailed, CommandRejected, InputPosition};
use crate::ids::{AgencyId, AssignmentId, Country, FacetId, KeySetId, PersonRef, ReferralId};
use crate::referral::{Handling, Person, Signal};
use crate::time::Timestamp;
use crate::{command_bodies, event_bodies};

/// A sealed facet as routing knows it: where it stands, never what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct FacetRef {
    pub facet_id: FacetId,
    pub kind: FacetKind,
    pub person_ref: Option<PersonRef>,
    pub key_set_id: KeySetId,
}

/// What routing took in of a referral.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct IncidentOpened {
    pub referral_id: ReferralId,
    /// Where the referral's event stands, and with it the ciphertexts.
    pub referral_at: InputPosition,
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
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct AssignmentForwarded {
    pub assignment_id: AssignmentId,
    pub to: AgencyId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct AssignmentRevoked {
    pub assignment_id: AssignmentId,
    pub reason: RevokeReason,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct AssignmentClosed {
    pub assignment_id: AssignmentId,
    pub outcome: CloseOutcome,
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
    pub by: AgencyId,
    pub assessment: Assessment,
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
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct ForwardAssignment {
    pub assignment_id: AssignmentId,
    pub to: AgencyId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct RevokeAssignment {
    pub assignment_id: AssignmentId,
    pub reason: RevokeReason,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct CloseAssignment {
    pub assignment_id: AssignmentId,
    pub outcome: CloseOutcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.routing")]
pub struct AddAssessment {
    pub assessment: Assessment,
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
    }
}
