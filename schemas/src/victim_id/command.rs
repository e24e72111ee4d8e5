//! What is asked of victim identification about a child.

use apache_avro::AvroSchema;
use serde::{Deserialize, Serialize};

use super::ChildAddress;
use crate::codes::{
    AgeBand, AttributionReason, ChildStatus, ColdReason, Confidence, HandoverDeclineReason, LinkSaid,
    LinkSide, NotificationPreference, Remedy,
};
use crate::ids::{AgencyId, ChildRef, Country, IncidentId, LinkId, OfferId};
use crate::referral::SealedFacet;
use crate::time::Timestamp;

/// A child that the referral does not name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct RegisterChild {
    pub age_band: AgeBand,
}

/// Takes the search for a child up that nobody has, or that its custodian has left, as a coordinator has asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct TakeCustody {
    pub child_ref: ChildRef,
    pub limit_days: i32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct OfferCustody {
    pub child_ref: ChildRef,
    pub to: AgencyId,
    pub until: Timestamp,
    pub handover: Option<SealedFacet>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct AcceptCustody {
    pub child_ref: ChildRef,
    pub offer_id: OfferId,
    pub limit_days: i32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct DeclineCustody {
    pub child_ref: ChildRef,
    pub offer_id: OfferId,
    pub reason: HandoverDeclineReason,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct WithdrawOffer {
    pub child_ref: ChildRef,
    pub offer_id: OfferId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct ConfirmCustody {
    pub child_ref: ChildRef,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct InviteTakers {
    pub child_ref: ChildRef,
    pub agencies: Vec<AgencyId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct AttributeChild {
    pub child_ref: ChildRef,
    pub country: Country,
    pub confidence: Confidence,
    pub reasons: Vec<AttributionReason>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct RecordStatus {
    pub child_ref: ChildRef,
    pub status: ChildStatus,
    pub cold: Option<ColdReason>,
    pub reference: Option<SealedFacet>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct ReferToSupport {
    pub child_ref: ChildRef,
    pub service: AgencyId,
    pub handover: SealedFacet,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct AcknowledgeSupport {
    pub child_ref: ChildRef,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct EndSupport {
    pub child_ref: ChildRef,
    pub service: AgencyId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct ExplainRemedies {
    pub child_ref: ChildRef,
    pub remedies: Vec<Remedy>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct SetNotification {
    pub child_ref: ChildRef,
    pub preference: NotificationPreference,
    /// Whether whoever represents the child has no interest against the child's own.
    pub without_conflict: bool,
    pub majority: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct ProposeLink {
    pub child_ref: ChildRef,
    pub other: ChildAddress,
    pub stays: LinkSide,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct AgreeToLink {
    pub child_ref: ChildRef,
    pub link_id: LinkId,
}

/// By whoever was asked; by whoever has asked it takes the proposal back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct EndLink {
    pub child_ref: ChildRef,
    pub link_id: LinkId,
}

/// Between the two incidents of a link: what one side has said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct LinkNews {
    pub child_ref: ChildRef,
    pub link_id: LinkId,
    pub other: ChildAddress,
    /// Who has said it, and its State.
    pub by: AgencyId,
    pub country: Option<Country>,
    pub said: LinkSaid,
    /// States that must never hear of the incident that says it.
    pub never_told: Vec<Country>,
    /// As the side that hears it sees it.
    pub stays: LinkSide,
}

/// A clock of a child has run out: an offer's, the custodian's own limit, or the month of majority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct ChildClockDue {
    pub child_ref: ChildRef,
    pub clock: String,
    pub due: Timestamp,
}

/// Somebody asked for a child that does not exist for them. Always rejected, and so on record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct ReadChild {
    pub incident_id: IncidentId,
}
