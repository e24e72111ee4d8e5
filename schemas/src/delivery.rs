//! `delivery.commands` and `delivery.events`: what was put before whom, what was disclosed, what was opened.

mod pictures;

use apache_avro::AvroSchema;
use serde::{Deserialize, Serialize};

use crate::codes::{
    AlertReason, AssignmentState, ChildNews, DangerReason, ErasureReason, FacetKind, HoldReason,
    IncidentKind, JurisdictionBasis, PersonCategory, RequestRole, RequestState, RequestStep,
    RetractionReason, Urgency,
};
use crate::envelope::{CommandFailed, CommandRejected, InputPosition};
use crate::ids::{
    AgencyId, AssignmentId, ChildRef, Country, DisclosureId, ErasureId, FacetId, HoldId, InstrumentId, KeyId,
    KeySetId, PersonRef, ReferralId, RequestId, RetractionId,
};
use crate::referral::Person;
use crate::routing::{Entitlement, FacetRef, Transfer};
use crate::time::Timestamp;
use crate::{command_bodies, event_bodies};

pub use pictures::*;

/// What delivery knows of an incident: which facets there are, and where their ciphertexts stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct IncidentRegistered {
    pub referral_id: ReferralId,
    pub reporter: AgencyId,
    pub kind: IncidentKind,
    pub urgency: Urgency,
    pub danger_reason: Option<DangerReason>,
    pub week: Option<String>,
    pub people: Vec<Person>,
    pub facets: Vec<FacetRef>,
    /// When the data keys are erased by themselves.
    pub retain_until: Option<Timestamp>,
    /// States that are never told of this incident.
    #[serde(default)]
    #[avro(default = "[]")]
    pub never_told: Vec<Country>,
}

/// The referral was amended: what of it replaces what was registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct IncidentUpdated {
    pub amendment: i32,
    pub kind: IncidentKind,
    pub urgency: Urgency,
    pub danger_reason: Option<DangerReason>,
    pub week: Option<String>,
    pub people: Vec<Person>,
    pub facets: Vec<FacetRef>,
    pub retain_until: Option<Timestamp>,
    /// As of now: a State that was never to be told before stays so.
    #[serde(default)]
    #[avro(default = "[]")]
    pub never_told: Vec<Country>,
}

/// A party added a sealed facet: the free text of an answer, or its case number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct FacetAdded {
    pub by: AgencyId,
    pub facet: FacetRef,
}

/// A text of a request for legal assistance, or of a step in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct RequestFacetAdded {
    pub request_id: RequestId,
    pub by: AgencyId,
    pub facet: FacetRef,
    /// Whether it is a text of the request itself: it replaces those of the draft before it, which nobody opens again.
    pub draft: bool,
}

/// An agency takes part in a request from now on, or may open its text too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct RequestReaderAdded {
    pub request_id: RequestId,
    pub agency: AgencyId,
    pub role: RequestRole,
    /// The legal basis on which a text crosses the border to it.
    pub basis: Option<InstrumentId>,
    /// Whether the request's own text stays closed to it until its conditions are agreed to.
    pub withheld: bool,
}

/// What goes with a child from one agency to the next, sealed: who may open it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct HandoverAdded {
    pub child_ref: ChildRef,
    pub by: AgencyId,
    pub facet: FacetRef,
    /// Whoever it is given to, besides its author and whoever is custodian later.
    pub to: Option<AgencyId>,
}

/// What was given to an agency with an offer that is over is closed to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct HandoverClosed {
    pub child_ref: ChildRef,
    pub agency: AgencyId,
}

/// An agency is the custodian of the search for a child now: what goes with the child goes to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct CustodianNoted {
    pub child_ref: ChildRef,
    /// None where the search goes on in another incident.
    pub agency: Option<AgencyId>,
}

/// Something came before an agency that concerns a child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct ChildNewsDelivered {
    pub agency: AgencyId,
    pub child_ref: ChildRef,
    pub news: ChildNews,
}

/// Opens what goes with a child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct OpenHandover {
    pub child_ref: ChildRef,
    /// Which of them; empty means all that the agency may open.
    pub facets: Vec<FacetId>,
    pub recipient_key_id: KeyId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct RequestReaderRemoved {
    pub request_id: RequestId,
    pub agency: AgencyId,
}

/// An agency is told what was done in a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct RequestStepDelivered {
    pub agency: AgencyId,
    pub request_id: RequestId,
    pub step: RequestStep,
    pub state: RequestState,
    /// Whose step it was.
    pub role: RequestRole,
}

/// An agency is told that a legal period of a request nears its end, or has run out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct RequestPeriodDelivered {
    pub agency: AgencyId,
    pub request_id: RequestId,
    pub clock: String,
    pub due: Timestamp,
    pub ran_out: bool,
}

/// An agency is told that something was taken back, and has to acknowledge it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct RetractionDelivered {
    pub agency: AgencyId,
    pub retraction_id: RetractionId,
    pub reason: RetractionReason,
}

/// An item in an agency's inbox: an assignment as it was offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct ItemDelivered {
    pub assignment_id: AssignmentId,
    pub agency: AgencyId,
    pub country: Country,
    pub bases: Vec<JurisdictionBasis>,
    pub entitlement: Entitlement,
    pub transfer: Transfer,
    pub respond_by: Timestamp,
}

/// The assignment of an inbox item stands differently now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct ItemChanged {
    pub assignment_id: AssignmentId,
    pub agency: AgencyId,
    pub state: AssignmentState,
}

/// The assignment of an inbox item became more urgent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct ItemRaised {
    pub assignment_id: AssignmentId,
    pub agency: AgencyId,
    pub urgency: Urgency,
    pub entitlement: Entitlement,
    pub respond_by: Timestamp,
}

/// A duty contact is to be called about an inbox item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct CallDelivered {
    pub assignment_id: AssignmentId,
    pub agency: AgencyId,
    pub contact: String,
    pub attempt: i32,
    pub acknowledge_by: Timestamp,
}

/// A coordinator is told, coarsely, what needs a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct AlertDelivered {
    pub agency: AgencyId,
    pub country: Option<Country>,
    pub reason: AlertReason,
    /// What it is about, where it is about one assignment.
    pub assignment_id: Option<AssignmentId>,
}

/// The originator is told that facets were opened with the offer, before a person had accepted (Directive (EU)
/// 2016/680, Article 35(2)); once for each assignment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct EarlyOpeningDelivered {
    /// The originator.
    pub agency: AgencyId,
    pub disclosure_id: DisclosureId,
    /// Whoever opened, and its country; none where the originator is a provider, which is not told where it went.
    pub opened_by: Option<AgencyId>,
    pub country: Option<Country>,
}

/// One facet of a disclosure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct FacetDisclosed {
    pub facet_id: FacetId,
    pub kind: FacetKind,
    pub person_ref: Option<PersonRef>,
    pub person_category: Option<PersonCategory>,
    pub key_set_id: KeySetId,
    /// The event that the ciphertext stands in.
    pub at: InputPosition,
    /// On what it crosses to the reader where another party than the reporter added it.
    pub transfer: Option<Transfer>,
}

/// Data keys were re-wrapped to an agency's public key. Committed before the answer leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct FacetsDisclosed {
    pub disclosure_id: DisclosureId,
    /// What it is opened by: an assignment, a part in a request, or in the search for a child.
    pub assignment_id: Option<AssignmentId>,
    pub request_id: Option<RequestId>,
    pub child_ref: Option<ChildRef>,
    pub agency: AgencyId,
    pub recipient_key_id: KeyId,
    pub facets: Vec<FacetDisclosed>,
    pub transfer: Transfer,
    /// Whether it was opened with the offer, before the assignment was accepted.
    pub with_offer: bool,
}

/// The agency's own client says that a person opened what was disclosed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct AccessReported {
    pub disclosure_id: DisclosureId,
    pub agency: AgencyId,
    pub facets: Vec<FacetId>,
}

/// An agency asks for facets its assignment entitles it to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct OpenFacets {
    pub assignment_id: AssignmentId,
    /// Empty asks for all that the assignment names.
    pub facets: Vec<FacetId>,
    pub recipient_key_id: KeyId,
}

/// An agency asks for the texts of a request that it takes part in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct OpenRequest {
    pub request_id: RequestId,
    /// Empty asks for all that it may open.
    pub facets: Vec<FacetId>,
    pub recipient_key_id: KeyId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct ReportAccess {
    pub disclosure_id: DisclosureId,
    pub facets: Vec<FacetId>,
}

/// The data keys to take out of one record of `sealed-keys`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct KeySetErasure {
    pub key_set_id: KeySetId,
    pub facets: Vec<FacetId>,
    /// Nothing else is left in the record: a tombstone takes it out.
    pub whole: bool,
}

/// Disclosure of these facets is closed from here on; their data keys are taken out of `sealed-keys` next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct FacetsErased {
    pub erasure_id: ErasureId,
    /// Whoever brought the facets in.
    pub by: AgencyId,
    /// Of one person alone.
    pub person_ref: Option<PersonRef>,
    pub reason: ErasureReason,
    pub facets: Vec<FacetId>,
    pub key_sets: Vec<KeySetErasure>,
}

/// A hold stands: the facets are kept for whoever holds them, closed for everybody else, and erased once none stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct ErasureRestricted {
    pub erasure_id: ErasureId,
    pub by: AgencyId,
    pub person_ref: Option<PersonRef>,
    pub reason: ErasureReason,
    pub facets: Vec<FacetId>,
}

/// An agency that was given facets is told that they are erased or restricted, and so has to do with its own copies
/// (Directive (EU) 2016/680, Article 16(6)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct ErasureDelivered {
    pub agency: AgencyId,
    pub erasure_id: ErasureId,
    pub reason: ErasureReason,
    /// Not erased yet: kept as evidence for whoever holds it.
    pub restricted: bool,
    pub facets: Vec<FacetId>,
}

/// An agency keeps the incident's facets as they are, until a moment or until it lets them go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct HoldPlaced {
    pub hold_id: HoldId,
    pub agency: AgencyId,
    pub reason: HoldReason,
    pub until: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct HoldReleased {
    pub hold_id: HoldId,
}

/// The record of `sealed-keys` at the offset holds data keys that are to go: a tombstone, or a record without them, is
/// written behind it next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct KeyErasureBegun {
    pub key_set_id: KeySetId,
    /// None where no record stood any more.
    pub offset: Option<i64>,
    pub facets: Vec<FacetId>,
}

/// No replica's log holds the data keys of these facets any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct KeysErased {
    pub key_set_id: KeySetId,
    /// Who brought the facets in.
    pub by: AgencyId,
    pub facets: Vec<FacetId>,
}

/// Whoever brought facets in has their data keys erased: all of them, or those of one person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct EraseFacets {
    pub person_ref: Option<PersonRef>,
    pub reason: ErasureReason,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct PlaceHold {
    pub reason: HoldReason,
    pub until: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct ReleaseHold {
    pub hold_id: HoldId,
}

/// The retention date has come, or the end of a hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct MomentCame {
    /// Of a hold; without, of the retention.
    pub hold_id: Option<HoldId>,
    pub due: Timestamp,
}

/// Delivery's own word on what became of a record of `sealed-keys`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct BeginKeyErasure {
    pub key_set_id: KeySetId,
    pub offset: Option<i64>,
    pub facets: Vec<FacetId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct ReportKeysErased {
    pub key_set_id: KeySetId,
    pub facets: Vec<FacetId>,
}

/// An agency was given the incident's trail, as far as it may see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct TrailRead {
    pub agency: AgencyId,
    /// Leaves of the log that it was shown under.
    pub size: i64,
}

/// The audit log says that an agency has asked for an incident's trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct ReadTrail {
    /// Leaves of the log that it is shown under; none where there is no such incident for it: then it is rejected, and
    /// so on record.
    pub size: Option<i64>,
}

command_bodies! {
    /// What stands in `delivery.commands`.
    DeliveryCommand in "delivery.commands" {
        OpenFacets,
        OpenRequest,
        OpenHandover,
        ReportAccess,
        EraseFacets,
        PlaceHold,
        ReleaseHold,
        MomentCame,
        BeginKeyErasure,
        ReportKeysErased,
        ComparePictures,
        JudgeMatch,
        ReadMatches,
        ReadTrail,
    }
}

event_bodies! {
    /// What stands in `delivery.events`.
    DeliveryEvent in "delivery.events" {
        IncidentRegistered,
        ItemDelivered,
        ItemChanged,
        CallDelivered,
        AlertDelivered,
        FacetsDisclosed,
        AccessReported,
        ItemRaised,
        IncidentUpdated,
        FacetAdded,
        RetractionDelivered,
        EarlyOpeningDelivered,
        FacetsErased,
        ErasureRestricted,
        ErasureDelivered,
        HoldPlaced,
        HoldReleased,
        KeyErasureBegun,
        KeysErased,
        RequestFacetAdded,
        RequestReaderAdded,
        RequestReaderRemoved,
        RequestStepDelivered,
        RequestPeriodDelivered,
        HandoverAdded,
        CustodianNoted,
        ChildNewsDelivered,
        HandoverClosed,
        PicturesCompared,
        MatchJudged,
        TrailRead,
    }
}
