//! `victim-id.commands` and `victim-id.events`: custody of the search for each child of an incident, and series over
//! incidents.
//!
//! The aggregate is the incident, or a series. Of a child there stand in clear a reference, an age band, countries and
//! codes; who the child is stands sealed.

mod command;
mod exposure;
mod series;

use apache_avro::AvroSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::codes::{
    AgeBand, AgencyKind, Annotation, AttributionReason, ChildNews, ChildStatus, ColdReason, Confidence,
    CustodyRoute, HandoverDeclineReason, IncidentKind, LinkEnd, LinkSide, NotificationPreference, OfferEnd,
    Remedy, Urgency,
};
use crate::envelope::{CommandFailed, CommandRejected};
use crate::ids::{
    AgencyId, AssignmentId, ChildRef, Country, IncidentId, LinkId, OfferId, PersonRef, ReferralId,
};
use crate::referral::SealedFacet;
use crate::time::Timestamp;
use crate::{command_bodies, event_bodies};

pub use command::*;
pub use exposure::*;
pub use series::*;

/// A child in another incident.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, AvroSchema, ToSchema,
)]
#[avro(namespace = "org.causeway.victim_id")]
#[serde(deny_unknown_fields)]
pub struct ChildAddress {
    pub incident_id: IncidentId,
    pub child_ref: ChildRef,
}

/// What this service knows of an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct CaseNoted {
    pub referral_id: ReferralId,
    pub kind: IncidentKind,
    pub urgency: Urgency,
    pub annotations: Vec<Annotation>,
    pub never_told: Vec<Country>,
}

/// An agency has accepted its part in the incident: it may take custody, or be offered it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct AgencyEngaged {
    pub agency: AgencyId,
    pub country: Country,
    pub kind: AgencyKind,
    pub assignment_id: AssignmentId,
}

/// An assignment of an agency was taken back. A custody that it holds stays until somebody else accepts it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct AgencyLeft {
    pub agency: AgencyId,
    pub assignment_id: AssignmentId,
}

/// The reporter has withdrawn its referral: nobody takes a search up any more. Who has one is not stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct CaseWithdrawn {}

/// Nobody has taken the search up for too long. Coordinators of the States at work on the incident are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct NobodyLooks {
    pub child_ref: ChildRef,
    pub countries: Vec<Country>,
}

/// A child that somebody has to look for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct ChildRegistered {
    pub child_ref: ChildRef,
    /// As the referral names it; none where an agency has found it.
    pub person_ref: Option<PersonRef>,
    pub age_band: AgeBand,
    /// Until when somebody should have taken the search up.
    pub awaited_until: Timestamp,
    /// Who has found it; none where the referral names it.
    pub by: Option<AgencyId>,
}

/// The taker has accepted: from now on it is the custodian, and nobody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct CustodyAccepted {
    pub child_ref: ChildRef,
    pub by: AgencyId,
    /// The custodian's State.
    pub country: Country,
    pub route: CustodyRoute,
    /// Who held it before.
    pub from: Option<AgencyId>,
    /// How long the custodian may say nothing before others may be asked, in days: its own word.
    pub limit_days: i32,
}

/// Until somebody accepts, custody stays with whoever offers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct CustodyOffered {
    pub child_ref: ChildRef,
    pub offer_id: OfferId,
    pub by: AgencyId,
    pub to: AgencyId,
    /// The first moment at which it can be accepted no more.
    pub until: Timestamp,
    pub handover: Option<SealedFacet>,
}

/// An offer that did not lead to custody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct OfferEnded {
    pub child_ref: ChildRef,
    pub offer_id: OfferId,
    /// Whom it was made to.
    pub to: AgencyId,
    pub end: OfferEnd,
    pub reason: Option<HandoverDeclineReason>,
}

/// The custodian is at work: its own limit runs anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct CustodyConfirmed {
    pub child_ref: ChildRef,
    pub by: AgencyId,
}

/// The custodian has said nothing for as long as it has itself set. Coordinators of its State are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct CustodianSilent {
    pub child_ref: ChildRef,
    pub custodian: AgencyId,
    pub country: Country,
}

/// A coordinator asks agencies to take the search over. It revokes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct TakersInvited {
    pub child_ref: ChildRef,
    pub by: AgencyId,
    pub agencies: Vec<AgencyId>,
}

/// The custodian is back at work, or somebody has taken over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct InvitationEnded {
    pub child_ref: ChildRef,
}

/// In which country the child is thought to be, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct ChildAttributed {
    pub child_ref: ChildRef,
    pub by: AgencyId,
    pub country: Country,
    pub confidence: Confidence,
    pub reasons: Vec<AttributionReason>,
}

/// How the search stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct StatusRecorded {
    pub child_ref: ChildRef,
    pub by: AgencyId,
    pub status: ChildStatus,
    /// Why it goes cold.
    pub cold: Option<ColdReason>,
    /// Where the child was identified before, sealed.
    pub reference: Option<SealedFacet>,
}

/// A support service is asked to receive the child, with what it needs for that and no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct SupportReferred {
    pub child_ref: ChildRef,
    pub by: AgencyId,
    pub service: AgencyId,
    /// Language, needs, and the child's own view (CRC Article 12).
    pub handover: SealedFacet,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct SupportAcknowledged {
    pub child_ref: ChildRef,
    pub service: AgencyId,
}

/// A support service is not there for the child any more: what was written for it is closed to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct SupportEnded {
    pub child_ref: ChildRef,
    pub by: AgencyId,
    pub service: AgencyId,
}

/// The child, or whoever represents it, was told what it is entitled to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct RemediesExplained {
    pub child_ref: ChildRef,
    pub by: AgencyId,
    pub remedies: Vec<Remedy>,
}

/// Whether, and how, the survivor wants to hear of further material.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct NotificationSet {
    pub child_ref: ChildRef,
    pub by: AgencyId,
    pub preference: NotificationPreference,
    /// The month in which the survivor comes of age, such as `2031-05`.
    pub majority: Option<String>,
    /// The first moment after that month, in the custodian's State.
    pub majority_at: Option<Timestamp>,
}

/// The survivor has come of age: from now on the preference is the survivor's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct MajorityReached {
    pub child_ref: ChildRef,
}

/// The custodian holds two children to be the same one, and says with whom the search stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct LinkProposed {
    pub child_ref: ChildRef,
    pub link_id: LinkId,
    pub by: AgencyId,
    pub country: Country,
    /// States that must never hear of this incident.
    pub never_told: Vec<Country>,
    pub other: ChildAddress,
    pub stays: LinkSide,
}

/// The same, where the other child stands: its custodian agrees or declines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct LinkAsked {
    pub child_ref: ChildRef,
    pub link_id: LinkId,
    pub by: AgencyId,
    /// States that must never hear of the other incident.
    pub never_told: Vec<Country>,
    pub other: ChildAddress,
    pub stays: LinkSide,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct LinkAgreed {
    pub child_ref: ChildRef,
    pub link_id: LinkId,
    pub by: AgencyId,
    pub other: ChildAddress,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct LinkEnded {
    pub child_ref: ChildRef,
    pub link_id: LinkId,
    pub other: ChildAddress,
    pub end: LinkEnd,
}

/// Both custodians have agreed: the search for the one child goes on with one of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct LinkMade {
    pub child_ref: ChildRef,
    pub link_id: LinkId,
    pub other: ChildAddress,
    pub stays: LinkSide,
}

/// Somebody else looks for this child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct CustodyCeded {
    pub child_ref: ChildRef,
    pub custodian: AgencyId,
    pub to: ChildAddress,
}

/// An agency is told of what concerns it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct AgencyNoticed {
    pub child_ref: ChildRef,
    pub agency: AgencyId,
    pub news: ChildNews,
}

command_bodies! {
    /// What stands in `victim-id.commands`.
    VictimIdCommand in "victim-id.commands" {
        RegisterChild,
        TakeCustody,
        OfferCustody,
        AcceptCustody,
        DeclineCustody,
        WithdrawOffer,
        ConfirmCustody,
        InviteTakers,
        AttributeChild,
        RecordStatus,
        ReferToSupport,
        AcknowledgeSupport,
        ExplainRemedies,
        SetNotification,
        ProposeLink,
        AgreeToLink,
        EndLink,
        LinkNews,
        ChildClockDue,
        ReadChild,
        OpenSeries,
        JoinSeries,
        LeaveSeries,
        MemberNews,
        SeriesNews,
        ReadSeries,
        RecordExposure,
        CountExposure,
        EndSupport,
    }
}

event_bodies! {
    /// What stands in `victim-id.events`.
    VictimIdEvent in "victim-id.events" {
        CaseNoted,
        AgencyEngaged,
        AgencyLeft,
        ChildRegistered,
        CustodyAccepted,
        CustodyOffered,
        OfferEnded,
        CustodyConfirmed,
        CustodianSilent,
        TakersInvited,
        InvitationEnded,
        ChildAttributed,
        StatusRecorded,
        SupportReferred,
        SupportAcknowledged,
        RemediesExplained,
        NotificationSet,
        MajorityReached,
        LinkProposed,
        LinkAsked,
        LinkAgreed,
        LinkEnded,
        LinkMade,
        CustodyCeded,
        AgencyNoticed,
        CaseWithdrawn,
        NobodyLooks,
        SeriesOpened,
        MemberNoted,
        MemberLeft,
        MemberRefused,
        MemberTold,
        SeriesJoined,
        SeriesLeft,
        NewMaterialNoted,
        ExposureRecorded,
        ExposureLimitReached,
        ExposureCounted,
        SupportEnded,
    }
}

impl VictimIdEvent {
    /// The child that the event is about.
    pub const fn child_ref(&self) -> Option<ChildRef> {
        Some(match self {
            Self::ChildRegistered(event) => event.child_ref,
            Self::CustodyAccepted(event) => event.child_ref,
            Self::CustodyOffered(event) => event.child_ref,
            Self::OfferEnded(event) => event.child_ref,
            Self::CustodyConfirmed(event) => event.child_ref,
            Self::CustodianSilent(event) => event.child_ref,
            Self::TakersInvited(event) => event.child_ref,
            Self::InvitationEnded(event) => event.child_ref,
            Self::ChildAttributed(event) => event.child_ref,
            Self::StatusRecorded(event) => event.child_ref,
            Self::SupportReferred(event) => event.child_ref,
            Self::SupportAcknowledged(event) => event.child_ref,
            Self::SupportEnded(event) => event.child_ref,
            Self::RemediesExplained(event) => event.child_ref,
            Self::NotificationSet(event) => event.child_ref,
            Self::MajorityReached(event) => event.child_ref,
            Self::LinkProposed(event) => event.child_ref,
            Self::LinkAsked(event) => event.child_ref,
            Self::LinkAgreed(event) => event.child_ref,
            Self::LinkEnded(event) => event.child_ref,
            Self::LinkMade(event) => event.child_ref,
            Self::CustodyCeded(event) => event.child_ref,
            Self::AgencyNoticed(event) => event.child_ref,
            Self::NobodyLooks(event) => event.child_ref,
            Self::SeriesJoined(event) => event.child_ref,
            Self::SeriesLeft(event) => event.child_ref,
            Self::NewMaterialNoted(event) => event.child_ref,
            Self::ExposureCounted(event) => event.child_ref,
            Self::SeriesOpened(_)
            | Self::MemberNoted(_)
            | Self::MemberLeft(_)
            | Self::MemberRefused(_)
            | Self::MemberTold(_)
            | Self::ExposureRecorded(_)
            | Self::ExposureLimitReached(_)
            | Self::CommandRejected(_)
            | Self::CommandFailed(_)
            | Self::CaseNoted(_)
            | Self::CaseWithdrawn(_)
            | Self::AgencyEngaged(_)
            | Self::AgencyLeft(_) => return None,
        })
    }

    /// The agency whose own act the event is.
    pub const fn by(&self) -> Option<&AgencyId> {
        match self {
            Self::CustodyAccepted(event) => Some(&event.by),
            Self::CustodyOffered(event) => Some(&event.by),
            Self::TakersInvited(event) => Some(&event.by),
            Self::ChildAttributed(event) => Some(&event.by),
            Self::StatusRecorded(event) => Some(&event.by),
            Self::SupportReferred(event) => Some(&event.by),
            Self::SupportAcknowledged(event) => Some(&event.service),
            Self::SupportEnded(event) => Some(&event.by),
            Self::RemediesExplained(event) => Some(&event.by),
            Self::NotificationSet(event) => Some(&event.by),
            Self::LinkProposed(event) => Some(&event.by),
            Self::LinkAgreed(event) => Some(&event.by),
            Self::CustodyConfirmed(event) => Some(&event.by),
            Self::SeriesJoined(event) => Some(&event.by),
            Self::SeriesLeft(event) => event.by.as_ref(),
            Self::ChildRegistered(event) => event.by.as_ref(),
            _ => None,
        }
    }

    /// The sealed facet that stands in this event.
    pub const fn sealed_facet(&self) -> Option<&SealedFacet> {
        match self {
            Self::CustodyOffered(offered) => offered.handover.as_ref(),
            Self::StatusRecorded(recorded) => recorded.reference.as_ref(),
            Self::SupportReferred(referred) => Some(&referred.handover),
            _ => None,
        }
    }
}
