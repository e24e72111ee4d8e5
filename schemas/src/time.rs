//! Moments as the topics carry them: whole milliseconds since the epoch, in UTC.

use std::collections::HashSet;
use std::fmt;

use apache_avro::Schema;
use apache_avro::schema::{Name, NamespaceRef, RecordField};
use apache_avro::serde::AvroSchemaComponent;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A moment: milliseconds since 1970-01-01T00:00:00Z.
///
/// RFC 3339 in JSON, `timestamp-millis` in Avro.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    pub const fn as_millis(self) -> i64 {
        self.0
    }

    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    #[must_use]
    pub const fn plus_minutes(self, minutes: i64) -> Self {
        self.plus_millis(minutes.saturating_mul(60_000))
    }

    /// The same moment for calendar arithmetic. Moments outside jiff's range (years −9999 to 9999) clamp.
    pub fn to_jiff(self) -> jiff::Timestamp {
        let limit = if self.0 < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(limit)
    }

    /// The day that it is in UTC.
    pub fn utc_date(self) -> Date {
        self.to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date().into()
    }

    /// The ISO 8601 week in UTC, `2026-W47`: as fine as a coordinator ever sees an incident's time.
    pub fn iso_week(self) -> String {
        let date = self.to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date().iso_week_date();
        format!("{}-W{:02}", date.year(), date.week())
    }
}

impl From<jiff::Timestamp> for Timestamp {
    fn from(moment: jiff::Timestamp) -> Self {
        Self(moment.as_millisecond())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.to_jiff())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            let moment: jiff::Timestamp = text.parse().map_err(|_| {
                D::Error::custom("not an RFC 3339 timestamp with an offset, such as 2026-11-21T01:00:00Z")
            })?;
            Ok(moment.into())
        } else {
            i64::deserialize(deserializer).map(Self)
        }
    }
}

impl AvroSchemaComponent for Timestamp {
    fn get_schema_in_ctxt(_: &mut HashSet<Name>, _: NamespaceRef) -> Schema {
        Schema::TimestampMillis
    }

    fn get_record_fields_in_ctxt(_: &mut HashSet<Name>, _: NamespaceRef) -> Option<Vec<RecordField>> {
        None
    }
}

impl utoipa::PartialSchema for Timestamp {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::DateTime)))
            .description(Some("RFC 3339 with an offset; whole milliseconds are kept"))
            .examples(["2026-11-21T01:00:00Z"])
            .into()
    }
}

impl utoipa::ToSchema for Timestamp {}

/// A day of the Gregorian calendar, without a time zone: `2026-08-18` on every wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(jiff::civil::Date);

impl Date {
    /// # Errors
    /// When the text is no day in the form `2026-08-18`.
    pub fn try_new(text: &str) -> Result<Self, InvalidDate> {
        let plain = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        text.parse().ok().filter(|_| plain).map(Self).ok_or(InvalidDate)
    }

    pub const fn to_jiff(self) -> jiff::civil::Date {
        self.0
    }
}

/// A text that is no day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a day such as 2026-08-18")]
pub struct InvalidDate;

impl std::str::FromStr for Date {
    type Err = InvalidDate;
    fn from_str(text: &str) -> Result<Self, InvalidDate> {
        Self::try_new(text)
    }
}

impl From<jiff::civil::Date> for Date {
    fn from(day: jiff::civil::Date) -> Self {
        Self(day)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl AvroSchemaComponent for Date {
    fn get_schema_in_ctxt(_: &mut HashSet<Name>, _: NamespaceRef) -> Schema {
        Schema::String
    }

    fn get_record_fields_in_ctxt(_: &mut HashSet<Name>, _: NamespaceRef) -> Option<Vec<RecordField>> {
        None
    }
}

impl utoipa::PartialSchema for Date {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::Date)))
            .description(Some("a day of the Gregorian calendar"))
            .examples(["2026-08-18"])
            .into()
    }
}

impl utoipa::ToSchema for Date {}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
mod tests {
    use super::*;

    #[test]
    fn shows_as_rfc_3339_and_falls_into_its_iso_week() {
        let moment: Timestamp = serde_json::from_str("\"2026-11-21T02:00:00+01:00\"").unwrap();
        assert_eq!(moment.to_string(), "2026-11-21T01:00:00.000Z");
        assert_eq!(moment.iso_week(), "2026-W47");
        // 1 January 2027 is a Friday and belongs to the last week of 2026 (ISO 8601).
        let new_year: Timestamp = serde_json::from_str("\"2027-01-01T00:00:00Z\"").unwrap();
        assert_eq!(new_year.iso_week(), "2026-W53");
    }
}
