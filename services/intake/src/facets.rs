//! What stands in each sealed facet, once an entitled agency has opened it.
//!
//! JSON, so that an agency's own system reads it without Causeway's code.

use schemas::codes::DigestAlgorithm;
use schemas::ids::ItemRef;
use serde::{Deserialize, Serialize};

use crate::submission::{Occurred, PersonReport, Provider};

/// Facet kind `person`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PersonFacet {
    pub person: PersonReport,
    /// The person's place among the people of the referral, from 0.
    pub place: usize,
    /// The person's element of a CyberTipline report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xml: Option<String>,
}

/// Facet kind `narrative`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NarrativeFacet {
    pub text: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub xml: Vec<String>,
}

/// Facet kind `content-locations`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LocationsFacet {
    pub items: Vec<ItemLocation>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub xml: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemLocation {
    pub item_ref: ItemRef,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Facet kind `report`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReportFacet {
    pub reference: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_case_number: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred: Option<Occurred>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// The frame of a CyberTipline report, with its people, places and texts cut out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xml: Option<String>,
}

/// Facet kind `perceptual-digests`: they could be reversed in part, so they stand sealed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PerceptualFacet {
    pub items: Vec<PerceptualDigest>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PerceptualDigest {
    pub item_ref: ItemRef,
    pub algorithm: DigestAlgorithm,
    pub value: String,
}
