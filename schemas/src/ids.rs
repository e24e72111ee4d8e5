//! Identifiers: newtypes in one list, how they are derived, and the partition they belong to.
//!
//! Ids that name a person, a referral or an incident are random or derived with a secret, so that nobody can
//! confirm a guess; ids that only tie a record to its cause are derived in the open, so that anyone can check.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::digest::{self, Secret};

/// A text that is not the id it was taken for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind}: {rule}")]
pub struct InvalidId {
    kind: &'static str,
    rule: &'static str,
}

/// Text in Avro, JSON and OpenAPI alike: what every id here has in common.
macro_rules! text_form {
    ($name:ident, $doc:expr, $example:expr) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($doc)
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }

        impl apache_avro::serde::AvroSchemaComponent for $name {
            fn get_schema_in_ctxt(
                _: &mut std::collections::HashSet<apache_avro::schema::Name>,
                _: apache_avro::schema::NamespaceRef,
            ) -> apache_avro::Schema {
                apache_avro::Schema::String
            }

            fn get_record_fields_in_ctxt(
                _: &mut std::collections::HashSet<apache_avro::schema::Name>,
                _: apache_avro::schema::NamespaceRef,
            ) -> Option<Vec<apache_avro::schema::RecordField>> {
                None
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::Type::String)
                    .description(Some($doc))
                    .examples([$example])
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {}
    };
}

macro_rules! uuid_ids {
    ($($(#[doc = $doc:literal])+ $name:ident;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }

            /// From random or derived bytes; marks them as a version 8 UUID (RFC 9562).
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::new_v8(bytes))
            }

            /// The id that follows from its causes, in the open: anyone can compute it again.
            pub fn derive(parts: &[&[u8]]) -> Self {
                Self::from_bytes(digest::open(stringify!($name), parts))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Uuid::try_parse(text)
                    .map(Self)
                    .map_err(|_| InvalidId { kind: stringify!($name), rule: "expected a UUID" })
            }
        }

        text_form!($name, concat!($($doc),+), "0191f0a2-7b1c-8f00-9d7e-3c5a4b2e1f00");
    )+};
}

uuid_ids! {
    /// One incident: the aggregate that every service keys by. Derived from its first referral.
    IncidentId;
    /// One referral, derived with the identity secret from reporter and the reporter's own reference.
    ReferralId;
    /// One command; derived, so that sending it again is the same command.
    CommandId;
    /// One event, derived from the aggregate and its sequence.
    EventId;
    /// A person in an incident. Random: it says nothing about who it is.
    PersonRef;
    /// A content item in an incident. Random.
    ItemRef;
    /// One agency's task in one incident.
    AssignmentId;
    /// One sealed facet.
    FacetId;
    /// The set of data keys of one submission. Random, so that it ties to nothing.
    KeySetId;
    /// One disclosure of facets to one agency.
    DisclosureId;
    /// What one party made of an incident.
    AssessmentId;
    /// Something taken back, which each recipient acknowledges.
    RetractionId;
    /// One erasure of a referral, of one person of it, or of what a party added.
    ErasureId;
    /// One hold that keeps facets as evidence.
    HoldId;
    /// One proposed change to the directory.
    ProposalId;
    /// One request for legal assistance, or order to a provider, in an incident.
    RequestId;
    /// A child that somebody looks for, in one incident. It says nothing about who it is.
    ChildRef;
    /// One offer of custody.
    OfferId;
    /// One proposal that two children are the same.
    LinkId;
    /// A person who has to view material, as their agency's ledger knows them. Derived with the identity secret from
    /// the agency and the actor of their token.
    ViewerId;
    /// One content item that looks like one entry of a digest set, derived in the open from both.
    PictureMatchId;
    /// One entry of a digest set, derived in the open from who publishes it, the set, and its own name there.
    SetEntryId;
    /// One series. Derived with the identity secret: whoever knows it was told.
    SeriesId;
}

macro_rules! name_ids {
    ($($(#[doc = $doc:literal])+ $name:ident($rule:literal, $valid:expr, $example:literal);)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// # Errors
            /// When the text breaks the id's rule; the error says the rule.
            pub fn try_new(text: &str) -> Result<Self, InvalidId> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(InvalidId { kind: stringify!($name), rule: $rule })
                }
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::try_new(text)
            }
        }

        text_form!($name, concat!($($doc),+), $example);
    )+};
}

/// Longest text id, in bytes: an id is a Kafka key, a label and a path segment.
pub const MAX_NAME_BYTES: usize = 64;

fn is_slug(text: &str) -> bool {
    let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    !text.is_empty()
        && text.len() <= MAX_NAME_BYTES
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_country(text: &str) -> bool {
    COUNTRIES.binary_search(&text).is_ok()
}

name_ids! {
    /// An agency, such as `de-bka`.
    AgencyId("expected lower-case letters, digits and inner hyphens, at most 64", is_slug, "de-bka");
    /// A key's name: lower-case letters, digits and inner hyphens.
    KeyId("expected lower-case letters, digits and inner hyphens, at most 64", is_slug, "de-bka-2026");
    /// A digest set of an agency, such as `confirmed`.
    SetName("expected lower-case letters, digits and inner hyphens, at most 64", is_slug, "confirmed");
    /// An instrument of international cooperation, such as `budapest` or `eio`.
    InstrumentId("expected lower-case letters, digits and inner hyphens, at most 64", is_slug, "budapest");
    /// A country by its ISO 3166-1 alpha-2 code.
    Country("expected an upper-case ISO 3166-1 alpha-2 code", is_country, "DE");
    /// A directory entry: its kind and name, such as `agency/de-bka` or `policy/default`.
    EntryId(
        "expected kind/name, both in lower-case letters, digits and inner hyphens",
        |text| text.split_once('/').is_some_and(|(kind, name)| is_slug(kind) && is_slug(name)),
        "agency/de-bka"
    );
}

impl IncidentId {
    /// The incident that a referral opens.
    pub fn of_referral(identity: &Secret, referral: ReferralId) -> Self {
        Self::from_bytes(identity.derive("incident", &[referral.as_uuid().as_bytes()]))
    }
}

impl ReferralId {
    /// Sending a referral again is the same referral: the id follows from who reports and their own reference.
    pub fn of_reference(identity: &Secret, reporter: &AgencyId, reference: &str) -> Self {
        Self::from_bytes(identity.derive("referral", &[reporter.as_str().as_bytes(), reference.as_bytes()]))
    }
}

impl SeriesId {
    /// The series that an agency opens by a command of its own.
    pub fn of_opening(identity: &Secret, command: CommandId) -> Self {
        Self::from_bytes(identity.derive("series", &[command.as_uuid().as_bytes()]))
    }
}

impl PictureMatchId {
    pub fn of_item(item: ItemRef, entry: SetEntryId) -> Self {
        Self::derive(&[item.as_uuid().as_bytes(), entry.as_uuid().as_bytes()])
    }
}

impl SetEntryId {
    pub fn of_entry(by: &AgencyId, set: &SetName, entry: &str) -> Self {
        Self::derive(&[by.as_str().as_bytes(), set.as_str().as_bytes(), entry.as_bytes()])
    }
}

impl ViewerId {
    /// The person whose tokens name this actor.
    pub fn of_actor(identity: &Secret, agency: &AgencyId, actor: &str) -> Self {
        Self::from_bytes(identity.derive("viewer", &[agency.as_str().as_bytes(), actor.as_bytes()]))
    }
}

impl EntryId {
    /// What kind of entry it is: `agency`, `policy`, `instrument` or `calendar`.
    pub fn kind(&self) -> &str {
        self.as_str().split_once('/').map_or("", |(kind, _)| kind)
    }
}

impl AgencyId {
    /// The agency under which the services themselves act.
    pub fn own() -> Self {
        Self::try_new("causeway").expect("the name keeps the rule of agency ids")
    }
}

impl CommandId {
    /// The command an agency names by its `Idempotency-Key`.
    pub fn of_key(service: &str, agency: &AgencyId, key: &str) -> Self {
        Self::derive(&[service.as_bytes(), agency.as_str().as_bytes(), key.as_bytes()])
    }
}

/// The partition of an aggregate, from its key's text form.
///
/// Topics keyed alike share one partition count, so everything of one incident has the same partition number
/// in each of them. A count is fixed for the life of the deployment.
pub fn partition_of(key: &str, partitions: i32) -> i32 {
    debug_assert!(partitions > 0);
    let hash = digest::sha256(&[key.as_bytes()]);
    let word = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    i32::try_from(i64::from(word) % i64::from(partitions.max(1))).unwrap_or(0)
}

/// The officially assigned ISO 3166-1 alpha-2 codes, sorted.
pub const COUNTRIES: [&str; 249] = [
    "AD", "AE", "AF", "AG", "AI", "AL", "AM", "AO", "AQ", "AR", "AS", "AT", "AU", "AW", "AX", "AZ", "BA",
    "BB", "BD", "BE", "BF", "BG", "BH", "BI", "BJ", "BL", "BM", "BN", "BO", "BQ", "BR", "BS", "BT", "BV",
    "BW", "BY", "BZ", "CA", "CC", "CD", "CF", "CG", "CH", "CI", "CK", "CL", "CM", "CN", "CO", "CR", "CU",
    "CV", "CW", "CX", "CY", "CZ", "DE", "DJ", "DK", "DM", "DO", "DZ", "EC", "EE", "EG", "EH", "ER", "ES",
    "ET", "FI", "FJ", "FK", "FM", "FO", "FR", "GA", "GB", "GD", "GE", "GF", "GG", "GH", "GI", "GL", "GM",
    "GN", "GP", "GQ", "GR", "GS", "GT", "GU", "GW", "GY", "HK", "HM", "HN", "HR", "HT", "HU", "ID", "IE",
    "IL", "IM", "IN", "IO", "IQ", "IR", "IS", "IT", "JE", "JM", "JO", "JP", "KE", "KG", "KH", "KI", "KM",
    "KN", "KP", "KR", "KW", "KY", "KZ", "LA", "LB", "LC", "LI", "LK", "LR", "LS", "LT", "LU", "LV", "LY",
    "MA", "MC", "MD", "ME", "MF", "MG", "MH", "MK", "ML", "MM", "MN", "MO", "MP", "MQ", "MR", "MS", "MT",
    "MU", "MV", "MW", "MX", "MY", "MZ", "NA", "NC", "NE", "NF", "NG", "NI", "NL", "NO", "NP", "NR", "NU",
    "NZ", "OM", "PA", "PE", "PF", "PG", "PH", "PK", "PL", "PM", "PN", "PR", "PS", "PT", "PW", "PY", "QA",
    "RE", "RO", "RS", "RU", "RW", "SA", "SB", "SC", "SD", "SE", "SG", "SH", "SI", "SJ", "SK", "SL", "SM",
    "SN", "SO", "SR", "SS", "ST", "SV", "SX", "SY", "SZ", "TC", "TD", "TF", "TG", "TH", "TJ", "TK", "TL",
    "TM", "TN", "TO", "TR", "TT", "TV", "TW", "TZ", "UA", "UG", "UM", "US", "UY", "UZ", "VA", "VC", "VE",
    "VG", "VI", "VN", "VU", "WF", "WS", "YE", "YT", "ZA", "ZM", "ZW",
];

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_rule() {
        for good in ["de-bka", "a", "x9"] {
            assert_eq!(AgencyId::try_new(good).unwrap().as_str(), good);
        }
        for bad in ["", "-a", "a-", "De", "a b", "ä", &"x".repeat(65)] {
            assert!(AgencyId::try_new(bad).is_err(), "{bad:?}");
        }
        assert!(Country::try_new("DE").is_ok());
        for bad in ["de", "UK", "XX", "DEU", ""] {
            assert!(Country::try_new(bad).is_err(), "{bad:?}");
        }
        assert!(EntryId::try_new("agency/de-bka").is_ok());
        assert!(EntryId::try_new("agency").is_err());
    }

    #[test]
    fn countries_are_sorted() {
        assert!(COUNTRIES.is_sorted());
    }

    /// Ids and partitions are in topics that are kept for good: these values must never change.
    #[test]
    fn derivations_are_pinned() {
        let identity = Secret::new([7; 32]);
        let reporter = AgencyId::try_new("nl-hotline").unwrap();
        let referral = ReferralId::of_reference(&identity, &reporter, "R-1");
        let incident = IncidentId::of_referral(&identity, referral);
        let command = CommandId::of_key("routing", &reporter, "k-1");
        let ids = [referral.to_string(), incident.to_string(), command.to_string()];
        assert_eq!(
            ids,
            [
                "bae67331-b1a1-85d7-9fc3-a2461bfa5931",
                "b8ae70e6-2155-8ca8-a9dd-4bdf40eed297",
                "81bc91e0-9255-87c0-aa57-fd1d653eb59d",
            ]
        );
        let partitions: Vec<i32> = (0..4).map(|n| partition_of(&format!("key-{n}"), 8)).collect();
        assert_eq!(partitions, [6, 4, 3, 5]);
    }
}
