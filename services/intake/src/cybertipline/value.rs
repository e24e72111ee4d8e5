//! Simple values of XML Schema: what their text may be, and what it means.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use schemas::Timestamp;
use schemas::ids::Country;

/// The type of a text or an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text,
    Token,
    Boolean,
    /// A boolean fixed to true, which may stand empty (XML Schema 1.0 part 1, 3.3.4).
    True,
    Int,
    Long,
    Double,
    Date,
    DateTime,
    Country,
    CallingCode,
    Digits,
    OneOf(Vec<&'static str>),
}

impl Value {
    /// The simple types that the schema may name without defining them.
    pub(super) const BUILT_IN: [(&'static str, Value); 12] = [
        ("string", Value::Text),
        ("token", Value::Token),
        ("boolean", Value::Boolean),
        ("true", Value::True),
        ("int", Value::Int),
        ("long", Value::Long),
        ("double", Value::Double),
        ("date", Value::Date),
        ("dateTime", Value::DateTime),
        ("country", Value::Country),
        ("callingCode", Value::CallingCode),
        ("digits", Value::Digits),
    ];

    /// White space around a value counts only where XML Schema preserves it: in strings and their kinds.
    pub(super) fn accepts(&self, text: &str) -> bool {
        let collapsed = trim(text);
        match self {
            Value::Text | Value::Token => true,
            Value::Boolean => boolean(text).is_some(),
            Value::True => text.is_empty() || boolean(text) == Some(true),
            Value::Int => collapsed.parse::<i32>().is_ok(),
            Value::Long => collapsed.parse::<i64>().is_ok(),
            Value::Double => is_double(collapsed),
            Value::Date => date(text).is_some(),
            Value::DateTime => date_time(text).is_some(),
            Value::Country => is_country_value(text),
            Value::CallingCode => {
                text.strip_prefix('+').is_some_and(|code| code.len() <= 3 && is_digits(code))
            }
            Value::Digits => is_digits(text),
            Value::OneOf(values) => values.contains(&text),
        }
    }

    /// What an error says was expected; it never repeats what was sent.
    pub(super) fn expected(&self) -> &'static str {
        match self {
            Value::Text | Value::Token => "expected text",
            Value::Boolean => "expected a boolean: true, false, 1 or 0",
            Value::True => "expected true or 1",
            Value::Int => "expected a whole number of 32 bits",
            Value::Long => "expected a whole number of 64 bits",
            Value::Double => "expected a decimal number",
            Value::Date => "expected a date, such as 2026-11-21",
            Value::DateTime => "expected a date and time, such as 2026-11-21T01:00:00Z",
            Value::Country => "expected an upper-case ISO 3166-1 alpha-2 code, AN, AP, A1, A2, O1 or nothing",
            Value::CallingCode => "expected + and one to three digits",
            Value::Digits => "expected digits",
            Value::OneOf(_) => "expected one of the listed values",
        }
    }
}

/// What XML calls white space, which is less than Unicode does.
pub(super) const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(SPACES)
}

pub(super) fn boolean(text: &str) -> Option<bool> {
    match trim(text) {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// A date of the years 1 to 9999; its zone, which shifts no day that matters here, is checked and left out.
pub(super) fn date(text: &str) -> Option<Date> {
    let (day, _) = split_zone(trim(text))?;
    plain_date(day)
}

/// A moment of the years 1 to 9999. One without a zone is taken as UTC: the format names no other.
pub(super) fn date_time(text: &str) -> Option<Timestamp> {
    let (local, zone) = split_zone(trim(text))?;
    let (day, time) = local.split_once('T')?;
    let (day, time, next_day) = (plain_date(day)?, plain_time(time)?, time.starts_with("24"));
    let moment = day.to_datetime(time).to_zoned(TimeZone::UTC).ok()?.timestamp();
    let shift = if next_day { MINUTES_OF_A_DAY } else { 0 };
    Some(Timestamp::from(moment).plus_minutes(shift - zone))
}

const MINUTES_OF_A_DAY: i64 = 24 * 60;

/// Parts a text from its zone, in minutes east of UTC.
fn split_zone(text: &str) -> Option<(&str, i64)> {
    if let Some(local) = text.strip_suffix('Z') {
        return Some((local, 0));
    }
    let cut = text.len().checked_sub("+00:00".len())?;
    let (Some(local), Some(zone)) = (text.get(..cut), text.get(cut..)) else { return Some((text, 0)) };
    let sign = match (zone.get(..1), zone.get(3..4)) {
        (Some("+"), Some(":")) => 1,
        (Some("-"), Some(":")) => -1,
        _ => return Some((text, 0)),
    };
    let (hours, minutes) = (two_digits(zone.get(1..3)?)?, two_digits(zone.get(4..)?)?);
    let offset = i64::from(hours) * 60 + i64::from(minutes);
    (minutes < 60 && offset <= MAX_OFFSET_MINUTES).then_some((local, sign * offset))
}

/// XML Schema 1.0 part 2, 3.2.7.3.
const MAX_OFFSET_MINUTES: i64 = 14 * 60;

fn plain_date(text: &str) -> Option<Date> {
    let [year, month, day] = parts(text, '-')?;
    let year: i16 = (year.len() == 4 && is_digits(year)).then(|| year.parse().ok())??;
    if year == 0 {
        return None;
    }
    Date::new(year, two_digits(month)?, two_digits(day)?).ok()
}

/// `24:00:00` ends the day: it reads as its first moment, and the caller adds the day.
fn plain_time(text: &str) -> Option<Time> {
    let [hour, minute, seconds] = parts(text, ':')?;
    let (second, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let (hour, minute, second) = (two_digits(hour)?, two_digits(minute)?, two_digits(second)?);
    let nanos = nanoseconds(fraction)?;
    if hour == 24 {
        let whole = minute == 0 && second == 0 && fraction.bytes().all(|digit| digit == b'0');
        return whole.then(Time::midnight);
    }
    Time::new(hour, minute, second, nanos).ok()
}

fn nanoseconds(fraction: &str) -> Option<i32> {
    is_digits(fraction).then_some(())?;
    let leading: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    leading.parse().ok()
}

fn parts(text: &str, separator: char) -> Option<[&str; 3]> {
    let mut parts = text.split(separator);
    let three = [parts.next()?, parts.next()?, parts.next()?];
    parts.next().is_none().then_some(three)
}

fn two_digits(text: &str) -> Option<i8> {
    (text.len() == 2 && is_digits(text)).then(|| text.parse().ok())?
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_double(text: &str) -> bool {
    if matches!(text, "INF" | "-INF" | "NaN") {
        return true;
    }
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let unsigned = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let all_digits = |part: &str| part.is_empty() || is_digits(part);
    let decimal = all_digits(whole) && all_digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    decimal && is_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))
}

/// Beside countries the format takes nothing, unknown origins (A1, A2, O1), the region AP and the former AN.
fn is_country_value(text: &str) -> bool {
    matches!(text, "" | "A1" | "A2" | "O1" | "AN" | "AP") || Country::try_new(text).is_ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &Value, accepted: &[&str], refused: &[&str]) {
        for text in accepted {
            assert!(value.accepts(text), "{value:?} refuses {text:?}");
        }
        for text in refused {
            assert!(!value.accepts(text), "{value:?} accepts {text:?}");
        }
    }

    #[test]
    fn values_keep_the_rules_of_xml_schema() {
        check(&Value::Boolean, &["true", "false", "1", "0", " true\n"], &["", "TRUE", "yes", "\u{a0}true"]);
        check(&Value::True, &["true", "1", ""], &["false", "0", " "]);
        check(&Value::Int, &["0", "+7", "-2147483648", " 5 "], &["", "2147483648", "1.0", "1e3", "٣"]);
        check(&Value::Long, &["9223372036854775807"], &["9223372036854775808", "0x1"]);
        check(
            &Value::Double,
            &["1", "-1.5", ".5", "5.", "1e-3", "NaN", "-INF"],
            &["", ".", "inf", "1e", "+INF"],
        );
        check(
            &Value::Date,
            &["2024-02-29", "2024-02-29Z", "2024-02-29+14:00"],
            &["2023-02-29", "0000-01-01", "2024-2-9", "2024-02-29+14:01", "24-02-29", "2024-02-29T00:00:00"],
        );
        check(&Value::CallingCode, &["+1", "+420"], &["1", "+", "+1234", "+1a"]);
        check(&Value::Digits, &["0123"], &["", "1 2", "+1"]);
        check(&Value::Country, &["", "DE", "A1", "A2", "O1", "AN", "AP"], &["de", "XX", " DE"]);
    }

    #[test]
    fn date_times_keep_the_rules_of_xml_schema() {
        check(
            &Value::DateTime,
            &["2026-11-21T01:00:00", "2026-11-21T24:00:00Z", "2026-11-21T01:00:00.123456789012-05:30"],
            &[
                "",
                "2026-11-21",
                "2026-11-21 01:00:00",
                "2026-11-21T01:00",
                "2026-11-21T25:00:00",
                "2026-11-21T24:00:01",
                "2026-11-21T01:00:60",
                "2026-11-21T01:00:00.",
                "2026-11-21T01:00:00+1:00",
                "2026-11-21T01:00:00+01:60",
                "12026-11-21T01:00:00Z",
                "-2026-11-21T01:00:00Z",
                "é026-11-21T01:0é:0é",
            ],
        );
    }

    #[test]
    fn moments_are_told_in_utc() {
        let cases = [
            ("2026-11-21T01:00:00", "2026-11-21T01:00:00.000Z"),
            ("2026-11-21T01:00:00.5+02:00", "2026-11-20T23:00:00.500Z"),
            ("2026-12-31T24:00:00-01:00", "2027-01-01T01:00:00.000Z"),
        ];
        for (text, expected) in cases {
            assert_eq!(date_time(text).unwrap().to_string(), expected);
        }
    }
}
