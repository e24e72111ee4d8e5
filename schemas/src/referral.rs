//! `referral.commands` and `referral.events`: referrals, sealed before they reach the command topic.
//!
//! What stands here in clear is what a coordinator may see: countries, roles, codes, the week. Names,
//! accounts, addresses, narratives and exact moments stand only in sealed facets.

use apache_avro::AvroSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::codes::{
    AgeBand, Annotation, ClassificationScheme, CloseOutcome, Confidence, DangerReason, DeclineReason,
    DigestAlgorithm, FacetKind, FeedbackStage, HandlingCode, IncidentKind, JurisdictionBasis, MediaKind,
    PersonCategory, Purpose, ReferralForm, RefusalReason, RetractionReason, SelectorKind, SignalRole,
    SignalSource, Tlp, TransferPolicy, Urgency,
};
use crate::digest_sets::KnownMatch;
use crate::envelope::{CommandFailed, CommandRejected};
use crate::ids::{
    AgencyId, AssignmentId, Country, FacetId, IncidentId, ItemRef, KeyId, KeySetId, PersonRef, ReferralId,
};
use crate::time::Timestamp;
use crate::{command_bodies, event_bodies};

/// A referral as it stands in clear, with its sealed facets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.referral")]
pub struct Referral {
    pub referral_id: ReferralId,
    pub reporter: AgencyId,
    /// The reporter's country at the time, from the directory.
    pub reporter_country: Country,
    pub form: ReferralForm,
    pub kind: IncidentKind,
    pub urgency: Urgency,
    pub danger_reason: Option<DangerReason>,
    /// The ISO 8601 week of the incident; the exact moment is sealed.
    pub week: Option<String>,
    pub annotations: Vec<Annotation>,
    pub items: Vec<Item>,
    pub people: Vec<Person>,
    pub facets: Vec<SealedFacet>,
    pub signals: Vec<Signal>,
    pub selectors: Vec<KeyedSelector>,
    pub handling: Handling,
    pub gate: GateVerdict,
    /// The name and build time of the IP database; none when signals from addresses were left out.
    pub ip_database: Option<String>,
    /// The incident the reporter asks to join.
    pub asks_to_join: Option<IncidentId>,
}

/// A content item: what it is, never the content, and its digests only keyed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.referral")]
pub struct Item {
    pub item_ref: ItemRef,
    pub media_kind: MediaKind,
    pub digests: Vec<KeyedDigest>,
    pub classifications: Vec<Classification>,
    pub viewed_by_reporter: Option<bool>,
    pub publicly_available: Option<bool>,
    pub hosting_country: Option<Country>,
    pub annotations: Vec<Annotation>,
    /// Entries of digest sets that the same file stands in.
    #[serde(default)]
    #[avro(default = "[]")]
    pub known: Vec<KnownMatch>,
}

/// HMAC-SHA-256 of a digest under a network secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.referral")]
pub struct KeyedDigest {
    pub algorithm: DigestAlgorithm,
    pub key_id: KeyId,
    #[avro(with)]
    #[serde(with = "apache_avro::serde::bytes")]
    pub value: Vec<u8>,
}

/// HMAC-SHA-256 of an account, address or the like under a network secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.referral")]
pub struct KeyedSelector {
    pub kind: SelectorKind,
    pub key_id: KeyId,
    #[avro(with)]
    #[serde(with = "apache_avro::serde::bytes")]
    pub value: Vec<u8>,
    pub person_ref: Option<PersonRef>,
    pub item_ref: Option<ItemRef>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.referral")]
#[serde(deny_unknown_fields)]
pub struct Classification {
    pub scheme: ClassificationScheme,
    pub value: String,
}

/// Longest value of a scheme whose values are not known here: room for a code, not for a sentence.
const MAX_CLASSIFICATION_BYTES: usize = 16;

/// Whether the text can be a value of some scheme. It stands in clear, so it MUST NOT be free text.
pub fn is_classification(value: &str) -> bool {
    let code = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+');
    !value.is_empty() && value.len() <= MAX_CLASSIFICATION_BYTES && value.bytes().all(code)
}

impl ClassificationScheme {
    /// Whether the scheme has this value; of a scheme whose values are not known here, whether it can be a code.
    pub fn takes(self, value: &str) -> bool {
        match self {
            Self::Industry => ["A1", "A2", "B1", "B2"].contains(&value),
            Self::Iwf => ["A", "B", "C"].contains(&value),
            Self::Inhope | Self::National | Self::LawfulSameSeries => is_classification(value),
        }
    }
}

/// All that stands in clear of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.referral")]
pub struct Person {
    pub person_ref: PersonRef,
    pub category: PersonCategory,
    pub age_band: AgeBand,
    pub facet_id: FacetId,
}

/// AES-256-GCM under a data key of its own; the data key stands, wrapped, in `sealed-keys`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.referral")]
pub struct SealedFacet {
    pub facet_id: FacetId,
    pub kind: FacetKind,
    pub person_ref: Option<PersonRef>,
    pub key_set_id: KeySetId,
    #[avro(with)]
    #[serde(with = "apache_avro::serde::bytes")]
    pub nonce: Vec<u8>,
    #[avro(with)]
    #[serde(with = "apache_avro::serde::bytes")]
    pub ciphertext: Vec<u8>,
}

/// A link to one or more countries. What is unknown has no signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.referral")]
pub struct Signal {
    pub role: SignalRole,
    /// More than one where the source cannot tell them apart, as the telephone zones +1 and +7.
    pub countries: Vec<Country>,
    pub source: SignalSource,
    pub confidence: Confidence,
    /// The basis of jurisdiction that the signal can serve.
    pub basis: JurisdictionBasis,
    pub person_ref: Option<PersonRef>,
    pub item_ref: Option<ItemRef>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.referral")]
pub struct Handling {
    pub tlp: Tlp,
    pub codes: Vec<HandlingCode>,
    pub purpose: Purpose,
    /// When the referral's keys are to be erased.
    pub retain_until: Option<Timestamp>,
    /// States that are never told of this incident.
    pub never_told: Vec<Country>,
    pub transfers: TransferPolicy,
}

/// What the no-content gate found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.referral")]
pub struct GateVerdict {
    pub version: i32,
    /// The fields withheld in an emergency; empty when all passed.
    pub withheld: Vec<WithheldField>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.referral")]
pub struct WithheldField {
    /// JSON pointer into what was sent.
    pub pointer: String,
    pub reason: RefusalReason,
}

/// How far the referral has come, as its reporter may be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.referral")]
pub struct Feedback {
    pub stage: FeedbackStage,
    /// Where it went; hotlines are told, providers are not.
    pub country: Option<Country>,
    pub decline_reason: Option<DeclineReason>,
    pub outcome: Option<CloseOutcome>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.referral")]
pub struct ReceiveReferral {
    pub referral: Referral,
}

/// The reporter says more, or says it right: the whole referral again, sealed anew under new keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.referral")]
pub struct AmendReferral {
    pub referral: Referral,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.referral")]
pub struct WithdrawReferral {
    pub reason: RetractionReason,
}

/// Somebody asked for a referral that does not exist for them. Always rejected, and so on record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.referral")]
pub struct ReadReferral {
    pub referral_id: ReferralId,
}

/// Submissions refused since the last count, without any of their content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.referral")]
pub struct CountRefusals {
    pub refusals: Vec<RefusalCount>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.referral")]
pub struct RefusalCount {
    pub reason: RefusalReason,
    /// JSON pointer with array positions left out, so that counts add up.
    pub pointer: String,
    pub count: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.referral")]
pub struct ReferralReceived {
    pub referral: Referral,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.referral")]
pub struct ReferralAmended {
    /// 1 for the first amendment.
    pub amendment: i32,
    pub referral: Referral,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.referral")]
pub struct ReferralWithdrawn {
    pub reason: RetractionReason,
}

/// Police hold back what the reporter is told of an assignment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.referral")]
pub struct FeedbackDeferred {
    pub assignment_id: AssignmentId,
    pub until: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.referral")]
pub struct FeedbackGiven {
    /// The assignment it comes from; never shown to the reporter.
    pub assignment_id: AssignmentId,
    pub feedback: Feedback,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.referral")]
pub struct SubmissionsRefused {
    pub refusals: Vec<RefusalCount>,
}

command_bodies! {
    /// What stands in `referral.commands`.
    ReferralCommand in "referral.commands" {
        ReceiveReferral,
        CountRefusals,
        AmendReferral,
        WithdrawReferral,
        ReadReferral,
    }
}

event_bodies! {
    /// What stands in `referral.events`.
    ReferralEvent in "referral.events" {
        ReferralReceived,
        FeedbackGiven,
        SubmissionsRefused,
        ReferralAmended,
        ReferralWithdrawn,
        FeedbackDeferred,
    }
}

impl ReferralEvent {
    /// The sealed facets that stand in this event.
    pub fn sealed_facets(&self) -> &[SealedFacet] {
        match self {
            Self::ReferralReceived(received) => &received.referral.facets,
            Self::ReferralAmended(amended) => &amended.referral.facets,
            _ => &[],
        }
    }
}
