//! `mla.commands` and `mla.events`: requests for legal assistance, orders to providers, and their legal periods.
//!
//! The aggregate is the incident. What a request says stands sealed; in clear stand countries, measures, codes, and
//! which elements are there.

mod step;

use apache_avro::AvroSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::codes::{
    AlertReason, ClockConsequence, ClockEnd, ClockKind, ConditionCode, ContentElement, DangerReason,
    IncidentKind, Measure, NeededByReason, PeriodAnswer, RequestKind, RequestRole, RequestState,
    TranslationState, Urgency, VerificationMark,
};
use crate::envelope::{CommandFailed, CommandRejected};
use crate::ids::{AgencyId, Country, IncidentId, InstrumentId, ReferralId, RequestId};
use crate::referral::SealedFacet;
use crate::time::Timestamp;
use crate::{command_bodies, event_bodies};

pub use step::*;

/// What a request asks of whom, and on what it rests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.mla")]
pub struct Draft {
    pub kind: RequestKind,
    /// The State that is asked, or that would enforce the order.
    pub requested: Country,
    /// Its central authority, or the enforcing authority of an order.
    pub authority: AgencyId,
    /// The provider that an order is addressed to.
    pub addressee: Option<AgencyId>,
    pub measures: Vec<Measure>,
    /// The legal basis that the authority has picked.
    pub basis: Option<InstrumentId>,
    /// Why it is an emergency.
    pub emergency: Option<DangerReason>,
    /// Whether the enforcing authority is notified of the order.
    pub notified: bool,
    pub needed_by: Option<NeededBy>,
    /// BCP 47 language tags that the requesting side can read answers in.
    pub languages: Vec<String>,
    pub translation: TranslationState,
    /// The request that this one follows: a preservation, or one that this supplements.
    pub parent: Option<RequestId>,
    /// Whether the other side is asked to keep it confidential.
    pub confidential: bool,
    /// Of information given unasked: under what it is given. Its text stays closed until they are agreed to.
    pub conditions: Vec<ConditionCode>,
    /// Which elements the sealed text holds.
    pub elements: Vec<ContentElement>,
    /// The texts of the elements.
    pub text: SealedFacet,
    /// Of an order: those that its addressee never sees.
    pub reasons: Option<SealedFacet>,
}

impl Draft {
    /// Whether it is information that nobody asked for.
    pub fn is_unasked(&self) -> bool {
        self.measures == [Measure::SpontaneousInformation]
    }

    pub fn sealed_facets(&self) -> impl Iterator<Item = &SealedFacet> {
        std::iter::once(&self.text).chain(&self.reasons)
    }
}

/// By when something is needed, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.mla")]
#[serde(deny_unknown_fields)]
pub struct NeededBy {
    pub by: Timestamp,
    pub reason: NeededByReason,
}

/// What this service knows of an incident: that it is there, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.mla")]
pub struct IncidentNoted {
    pub referral_id: ReferralId,
    pub kind: IncidentKind,
    pub urgency: Urgency,
    pub never_told: Vec<Country>,
}

/// An agency has accepted its part in the incident: its State's authorities may make requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.mla")]
pub struct StateEngaged {
    pub agency: AgencyId,
    pub country: Country,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.mla")]
pub struct RequestDrafted {
    pub request_id: RequestId,
    pub by: AgencyId,
    pub country: Country,
    pub draft: Draft,
}

/// The whole of a draft, anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.mla")]
pub struct RequestAmended {
    pub request_id: RequestId,
    pub draft: Draft,
}

/// One side lets an agency of its own country take part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.mla")]
pub struct UnitInvolved {
    pub request_id: RequestId,
    pub role: RequestRole,
    pub agency: AgencyId,
}

/// An agency comes to know of the request, or may now read its text too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.mla")]
pub struct RequestShared {
    pub request_id: RequestId,
    pub agency: AgencyId,
    pub role: RequestRole,
    /// The legal basis on which its text crosses the border; none on the side that has written it.
    pub basis: Option<InstrumentId>,
    /// Whether its text stays closed until its conditions are agreed to.
    pub withheld: bool,
}

/// An agency has passed the request on, and has no part in it any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.mla")]
pub struct RequestUnshared {
    pub request_id: RequestId,
    pub agency: AgencyId,
}

/// One step in the life of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.mla")]
pub struct StepTaken {
    pub request_id: RequestId,
    pub by: AgencyId,
    pub role: RequestRole,
    pub step: Step,
    /// How the request stands after it.
    pub state: RequestState,
    /// Free text for the other side.
    pub note: Option<SealedFacet>,
    /// The own side's reference.
    pub reference: Option<SealedFacet>,
}

/// A legal period runs. All that counts for it stands here, whatever the directory says later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.mla")]
pub struct ClockStarted {
    pub request_id: RequestId,
    /// The row's id, such as `EIO-12.3`.
    pub clock: String,
    pub instrument: InstrumentId,
    pub instrument_version: i32,
    pub article: String,
    pub owed_by: RequestRole,
    pub owed_to: RequestRole,
    pub kind: ClockKind,
    pub then: ClockConsequence,
    pub mark: VerificationMark,
    /// The event from which it is counted.
    pub from: Timestamp,
    /// The end before anything is moved off a holiday: what an extension or a pause is added to.
    pub nominal: Timestamp,
    /// The first moment after the period: what comes before it comes in time.
    pub due: Timestamp,
    /// The country whose calendar and time zone count.
    pub calendar: Country,
    /// Whether its calendar names the holidays of every year of the period, where they count.
    pub holidays_known: bool,
    /// When it warns, earliest first.
    pub warnings: Vec<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.mla")]
pub struct ClockPaused {
    pub request_id: RequestId,
    pub clock: String,
}

/// A period that was paused goes on, or one was extended: it ends then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.mla")]
pub struct ClockMoved {
    pub request_id: RequestId,
    pub clock: String,
    pub nominal: Timestamp,
    pub due: Timestamp,
    pub warnings: Vec<Timestamp>,
    /// The article of the extension; none when it was resumed.
    pub extended_by: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.mla")]
pub struct ClockEnded {
    pub request_id: RequestId,
    pub clock: String,
    pub end: ClockEnd,
}

/// The end of a period is near.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.mla")]
pub struct ClockWarned {
    pub request_id: RequestId,
    pub clock: String,
    pub due: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.mla")]
pub struct ClockRanOut {
    pub request_id: RequestId,
    pub clock: String,
    pub due: Timestamp,
    pub then: ClockConsequence,
}

/// What was ordered no longer binds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.mla")]
pub struct RequestLapsed {
    pub request_id: RequestId,
    pub article: String,
}

/// A coordinator is told, coarsely, what needs a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.mla")]
pub struct CoordinatorAsked {
    pub request_id: RequestId,
    pub reason: AlertReason,
    /// The State that owes it.
    pub country: Country,
    pub clock: String,
}

/// A coordinator has seen to it that something is done about a legal period. The period itself stands as it stood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.mla")]
pub struct PeriodAnswered {
    pub request_id: RequestId,
    pub clock: String,
    pub by: AgencyId,
    pub answer: PeriodAnswer,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.mla")]
pub struct DraftRequest {
    pub draft: Draft,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.mla")]
pub struct AmendRequest {
    pub request_id: RequestId,
    pub draft: Draft,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.mla")]
pub struct InvolveUnit {
    pub request_id: RequestId,
    pub agency: AgencyId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.mla")]
pub struct TakeStep {
    pub request_id: RequestId,
    pub step: Step,
    pub note: Option<SealedFacet>,
    pub reference: Option<SealedFacet>,
}

/// A coordinator says what is done about a legal period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.mla")]
pub struct AnswerPeriod {
    pub request_id: RequestId,
    pub clock: String,
    pub answer: PeriodAnswer,
}

/// A legal period of a request nears its end, or has run out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.mla")]
pub struct PeriodDue {
    pub request_id: RequestId,
    pub clock: String,
    pub due: Timestamp,
}

/// Somebody asked for a request that does not exist for them. Always rejected, and so on record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.mla")]
pub struct ReadRequest {
    pub incident_id: IncidentId,
}

command_bodies! {
    /// What stands in `mla.commands`.
    MlaCommand in "mla.commands" {
        DraftRequest,
        AmendRequest,
        InvolveUnit,
        TakeStep,
        PeriodDue,
        ReadRequest,
        AnswerPeriod,
    }
}

event_bodies! {
    /// What stands in `mla.events`.
    MlaEvent in "mla.events" {
        IncidentNoted,
        StateEngaged,
        RequestDrafted,
        RequestAmended,
        UnitInvolved,
        RequestShared,
        RequestUnshared,
        StepTaken,
        ClockStarted,
        ClockPaused,
        ClockMoved,
        ClockEnded,
        ClockWarned,
        ClockRanOut,
        RequestLapsed,
        CoordinatorAsked,
        PeriodAnswered,
    }
}

impl MlaEvent {
    /// The request that the event is about.
    pub fn request_id(&self) -> Option<RequestId> {
        Some(match self {
            Self::RequestDrafted(event) => event.request_id,
            Self::RequestAmended(event) => event.request_id,
            Self::UnitInvolved(event) => event.request_id,
            Self::RequestShared(event) => event.request_id,
            Self::RequestUnshared(event) => event.request_id,
            Self::StepTaken(event) => event.request_id,
            Self::ClockStarted(event) => event.request_id,
            Self::ClockPaused(event) => event.request_id,
            Self::ClockMoved(event) => event.request_id,
            Self::ClockEnded(event) => event.request_id,
            Self::ClockWarned(event) => event.request_id,
            Self::ClockRanOut(event) => event.request_id,
            Self::RequestLapsed(event) => event.request_id,
            Self::CoordinatorAsked(event) => event.request_id,
            Self::PeriodAnswered(event) => event.request_id,
            Self::IncidentNoted(_)
            | Self::StateEngaged(_)
            | Self::CommandRejected(_)
            | Self::CommandFailed(_) => return None,
        })
    }

    /// The sealed facets that stand in this event.
    pub fn sealed_facets(&self) -> Vec<&SealedFacet> {
        match self {
            Self::RequestDrafted(event) => event.draft.sealed_facets().collect(),
            Self::RequestAmended(event) => event.draft.sealed_facets().collect(),
            Self::StepTaken(event) => event.note.iter().chain(&event.reference).collect(),
            _ => Vec::new(),
        }
    }
}
