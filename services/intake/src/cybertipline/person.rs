//! Reads a person of a report: what they are to the incident, how old, and by what they are reached.

use jiff::civil::Date;
use schemas::Timestamp;
use schemas::codes::{AgeBand, PersonCategory};
use schemas::ids::Country;

use super::split::{PersonPart, Role};
use super::tree::Element;
use super::value;
use crate::submission::{Account, AgeRange, Capture, PersonReport, PostalAddress};

/// Oldest age that is believed; a larger one is a default of some form.
const MAX_AGE: u8 = 120;

const ADULT_FROM: u8 = 18;
const TEENAGER_FROM: u8 = 13;

/// The service of an account where the report names neither its service nor a platform.
const UNNAMED_SERVICE: &str = "unspecified";

/// What a person's reading needs of the incident.
pub(super) struct Incident<'a> {
    /// The day it happened, in UTC.
    pub(super) day: Option<Date>,
    pub(super) platform: Option<&'a str>,
}

/// The day of a moment, in UTC.
pub(super) fn day(moment: Timestamp) -> Date {
    moment.to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date()
}

impl Incident<'_> {
    /// Reads a person, with the accounts that the report links to them.
    ///
    /// Other associated accounts may be another person's, a parent's for one: they stay in the sealed XML.
    pub(super) fn person(&self, part: &PersonPart) -> PersonReport {
        let identity = identity(&part.xml);
        let age = self.age(identity);
        let linked =
            part.xml.all("associatedAccount").filter(|account| account.attribute("type") == Some("Linked"));
        let mut person = PersonReport::new(category(part.role, age.as_ref()), age_band(age.as_ref()));
        person.names.extend(full_name(identity));
        for source in [identity].into_iter().chain(linked.clone()) {
            contacts(source, &mut person);
        }
        for source in [&part.xml].into_iter().chain(linked) {
            self.accounts(source, &mut person);
            person.captures.extend(source.all("ipCaptureEvent").filter_map(capture));
        }
        person.whereabouts = part.xml.first("estimatedLocation").and_then(whereabouts);
        person.age = age;
        person
    }

    /// From the age as stated and the age by date of birth on the day of the incident.
    fn age(&self, identity: &Element) -> Option<AgeRange> {
        let stated = identity.text_of("age").and_then(|age| age.parse::<u8>().ok());
        let born = identity.text_of("dateOfBirth").and_then(value::date);
        let counted = born.zip(self.day).and_then(|(born, day)| age_on(born, day));
        let ages = || [stated, counted].into_iter().flatten().filter(|age| *age <= MAX_AGE);
        Some(AgeRange { from: ages().min()?, to: ages().max()? })
    }

    /// A name that people see is no identifier: two strangers may share it.
    fn accounts(&self, source: &Element, person: &mut PersonReport) {
        let platform = source.text_of("platform").or(self.platform);
        let service = source.text_of("espService").or(platform).unwrap_or(UNNAMED_SERVICE);
        let mut urls = source.all("profileUrl").filter_map(Element::trimmed);
        let mut display_names = source.all("displayName").filter_map(Element::trimmed).peekable();
        let identifiers = ["espIdentifier", "screenName"].into_iter().filter_map(|name| source.text_of(name));
        let mut identifiers = identifiers.peekable();
        if identifiers.peek().is_some() {
            let (url, display_name) = (urls.next(), display_names.next());
            person.accounts.extend(identifiers.map(|id| account(service, id, display_name, url)));
        }
        person.accounts.extend(urls.map(|url| account(service, url, None, Some(url))));
        person.names.extend(display_names.map(str::to_owned));
    }
}

fn account(service: &str, identifier: &str, display_name: Option<&str>, url: Option<&str>) -> Account {
    Account {
        service: service.to_owned(),
        identifier: identifier.to_owned(),
        display_name: display_name.map(str::to_owned),
        url: url.map(str::to_owned),
    }
}

/// The element with name and contacts: a child such as `victimPerson`, or the person's element itself.
fn identity(person: &Element) -> &Element {
    let inner = ["personOrUserReportedPerson", "intendedRecipientPerson", "victimPerson"];
    inner.into_iter().find_map(|name| person.first(name)).unwrap_or(person)
}

/// A reported minor is no suspect until somebody who looked says so.
fn category(role: Role, age: Option<&AgeRange>) -> PersonCategory {
    match role {
        Role::Officer | Role::Reporter | Role::ReporterContact => PersonCategory::WitnessOrReporter,
        Role::Victim => PersonCategory::Victim,
        Role::Reported | Role::IntendedRecipient if age.is_some_and(|age| age.from < ADULT_FROM) => {
            PersonCategory::Undetermined
        }
        Role::Reported | Role::IntendedRecipient => PersonCategory::Suspect,
    }
}

/// By the younger end: where age and date of birth contradict each other, nobody is taken for an adult.
fn age_band(age: Option<&AgeRange>) -> AgeBand {
    match age.map(|age| age.from) {
        None => AgeBand::Unknown,
        Some(..TEENAGER_FROM) => AgeBand::UnderThirteen,
        Some(TEENAGER_FROM..ADULT_FROM) => AgeBand::Teenager,
        Some(ADULT_FROM..) => AgeBand::Adult,
    }
}

fn age_on(born: Date, day: Date) -> Option<u8> {
    let birthday_to_come = (day.month(), day.day()) < (born.month(), born.day());
    u8::try_from(day.year() - born.year() - i16::from(birthday_to_come)).ok()
}

fn full_name(source: &Element) -> Option<String> {
    let parts = ["firstName", "middleName", "lastName"].into_iter().filter_map(|name| source.text_of(name));
    joined(parts, " ")
}

fn joined<'a>(parts: impl Iterator<Item = &'a str>, separator: &str) -> Option<String> {
    let parts: Vec<&str> = parts.collect();
    (!parts.is_empty()).then(|| parts.join(separator))
}

fn contacts(source: &Element, person: &mut PersonReport) {
    person.emails.extend(source.all("email").filter_map(Element::trimmed).map(str::to_owned));
    person.phones.extend(source.all("phone").filter_map(phone));
    person.addresses.extend(source.all("address").filter_map(address));
}

/// The calling code goes before a number that has none.
fn phone(phone: &Element) -> Option<String> {
    let number = phone.trimmed()?;
    match phone.attribute("countryCallingCode") {
        Some(code) if !number.starts_with('+') => Some(format!("{code} {number}")),
        _ => Some(number.to_owned()),
    }
}

fn address(address: &Element) -> Option<PostalAddress> {
    let lines = ["address", "zipCode", "city", "state", "nonUsaState"].into_iter();
    let text = joined(lines.filter_map(|name| address.text_of(name)), ", ");
    let country = address.text_of("country").and_then(|code| Country::try_new(code).ok());
    (text.is_some() || country.is_some()).then(|| PostalAddress { text: text.unwrap_or_default(), country })
}

fn whereabouts(location: &Element) -> Option<String> {
    joined(["city", "region", "countryCode"].into_iter().filter_map(|name| location.text_of(name)), ", ")
}

/// An address that is none stays in the sealed XML alone.
fn capture(event: &Element) -> Option<Capture> {
    Some(Capture {
        ip: event.text_of("ipAddress")?.parse().ok()?,
        port: event.text_of("port").and_then(|port| port.parse().ok()),
        time: event.text_of("dateTime").and_then(value::date_time),
        event: event.text_of("eventName").map(str::to_owned),
        possible_proxy: event.text_of("possibleProxy").and_then(value::boolean),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
mod tests {
    use super::*;

    #[track_caller]
    fn check(role: Role, identity: &str, expected: (PersonCategory, AgeBand)) {
        let xml =
            super::super::tree::parse(&format!("<victim><victimPerson>{identity}</victimPerson></victim>"))
                .unwrap();
        let incident = Incident { day: Some(jiff::civil::date(2026, 3, 1)), platform: None };
        let person = incident.person(&PersonPart { role, xml });
        assert_eq!((person.category, person.age_band), expected, "{role:?} {identity}");
    }

    #[test]
    fn who_is_what_and_how_old() {
        use AgeBand::{Adult, Teenager, UnderThirteen, Unknown};
        use PersonCategory::{Suspect, Undetermined, Victim, WitnessOrReporter};
        check(Role::Victim, "", (Victim, Unknown));
        check(Role::Victim, "<age>12</age>", (Victim, UnderThirteen));
        check(Role::Victim, "<age>13</age>", (Victim, Teenager));
        check(Role::Victim, "<age>-1</age>", (Victim, Unknown));
        check(Role::Victim, "<age>121</age>", (Victim, Unknown));
        check(Role::Reported, "", (Suspect, Unknown));
        check(Role::Reported, "<age>17</age>", (Undetermined, Teenager));
        check(Role::Reported, "<age>18</age>", (Suspect, Adult));
        check(Role::IntendedRecipient, "<dateOfBirth>2008-03-02</dateOfBirth>", (Undetermined, Teenager));
        check(Role::IntendedRecipient, "<dateOfBirth>2008-03-01</dateOfBirth>", (Suspect, Adult));
        check(Role::Reported, "<dateOfBirth>2030-01-01</dateOfBirth>", (Suspect, Unknown));
        check(
            Role::Reported,
            "<age>30</age><dateOfBirth>2015-01-01</dateOfBirth>",
            (Undetermined, UnderThirteen),
        );
        check(Role::Reporter, "<age>15</age>", (WitnessOrReporter, Teenager));
        check(Role::Officer, "", (WitnessOrReporter, Unknown));
    }
}
