//! A referral as a reporter sends it, before the gate, in the terms of the API.
//!
//! Nothing of this type leaves intake: what identifies a person is sealed, the rest becomes
//! [`schemas::referral::Referral`].

use schemas::Timestamp;
use schemas::codes::{
    AgeBand, Annotation, DangerReason, DigestAlgorithm, HandlingCode, IncidentKind, MediaKind,
    PersonCategory, Purpose, Tlp, TransferPolicy, Urgency,
};
use schemas::ids::{Country, IncidentId};
use schemas::referral::Classification;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A referral as filed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// The reporter's own reference: sending it again is the same referral.
    pub reference: String,
    pub kind: IncidentKind,
    #[serde(default = "routine")]
    pub urgency: Urgency,
    /// Required with `imminent-danger`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub danger_reason: Option<DangerReason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred: Option<Occurred>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub annotations: Vec<Annotation>,
    /// What happened, chats included, up to 256 KiB. Sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub narrative: Option<String>,
    /// The reporter's own case number. Sealed: parties see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_case_number: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<ContentItem>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<PersonReport>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    #[serde(default)]
    pub handling: HandlingTerms,
    /// The incident this referral asks to join.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asks_to_join: Option<IncidentId>,
    /// What a CyberTipline report carries beside what is mapped above.
    #[serde(skip)]
    pub cybertipline: Option<crate::cybertipline::Remainder>,
}

fn routine() -> Urgency {
    Urgency::Routine
}

/// When it happened: a moment, or a range. Sealed; only the week stands in clear.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Occurred {
    pub from: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
}

/// A content item: never the content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContentItem {
    pub media_kind: MediaKind,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub digests: Vec<ItemDigest>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classifications: Vec<Classification>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub viewed_by_reporter: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publicly_available: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosting: Option<Hosting>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub annotations: Vec<Annotation>,
    /// The reporter's name of the item, such as a file name. Sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemDigest {
    pub algorithm: DigestAlgorithm,
    /// Hex; for PhotoDNA and TMK+PDQF also base64.
    pub value: String,
}

/// Where an item stands or stood.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Hosting {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Country>,
    /// Sealed; its country-code domain gives a signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The full locator. Sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// A person. Everything but category and age band is sealed, each person alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonReport {
    pub category: PersonCategory,
    #[serde(default = "unknown_age")]
    pub age_band: AgeBand,
    /// Age in years, as a range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<AgeRange>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<Account>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emails: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phones: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<PostalAddress>,
    /// Countries of habitual residence, as declared or known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub residences: Vec<Country>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nationalities: Vec<Country>,
    /// BCP 47 language tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub languages: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub payments: Vec<Payment>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub captures: Vec<Capture>,
    /// Where the person is, as far as known: what a patrol needs in imminent danger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whereabouts: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgeRange {
    pub from: u8,
    pub to: u8,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// The service the account is with.
    pub service: String,
    pub identifier: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PostalAddress {
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Country>,
}

/// A payment selector: to or from the person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Payment {
    pub direction: PaymentDirection,
    /// IBAN, wallet address, or the account's name with the service.
    pub identifier: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Country>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PaymentDirection {
    Payer,
    Payee,
}

/// An address seen in use by the person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    /// IPv4 or IPv6.
    #[schema(value_type = String)]
    pub ip: std::net::IpAddr,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// What was done from there: login, upload and the like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub possible_proxy: Option<bool>,
}

/// The provider whose service was used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    pub name: String,
    /// Where it is established, or has its legal representative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Country>,
}

/// How the referral may be handled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandlingTerms {
    #[serde(default = "amber")]
    pub tlp: Tlp,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<HandlingCode>,
    #[serde(default = "investigation")]
    pub purpose: Purpose,
    /// When the referral's keys are to be erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retain_until: Option<Timestamp>,
    /// States that are never told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub never_told: Vec<Country>,
    #[serde(default = "standing")]
    pub transfers: TransferPolicy,
}

impl Default for HandlingTerms {
    fn default() -> Self {
        Self {
            tlp: amber(),
            codes: Vec::new(),
            purpose: investigation(),
            retain_until: None,
            never_told: Vec::new(),
            transfers: standing(),
        }
    }
}

fn amber() -> Tlp {
    Tlp::Amber
}

fn investigation() -> Purpose {
    Purpose::CriminalInvestigation
}

fn standing() -> TransferPolicy {
    TransferPolicy::Standing
}

impl PersonReport {
    /// A person of whom nothing else is known.
    pub fn new(category: PersonCategory, age_band: AgeBand) -> Self {
        Self {
            category,
            age_band,
            age: None,
            names: Vec::new(),
            accounts: Vec::new(),
            emails: Vec::new(),
            phones: Vec::new(),
            addresses: Vec::new(),
            residences: Vec::new(),
            nationalities: Vec::new(),
            languages: Vec::new(),
            payments: Vec::new(),
            captures: Vec::new(),
            whereabouts: None,
            needs: None,
            notes: None,
        }
    }
}

fn unknown_age() -> AgeBand {
    AgeBand::Unknown
}
