//! Signals: what of a submission ties it to a country, in clear, without saying whom it ties.
//!
//! No signal is invented: what is unknown stays unknown. Of an address only its country is kept.

use std::collections::BTreeSet;

use schemas::codes::{Confidence, JurisdictionBasis, PersonCategory, SignalRole, SignalSource};
use schemas::ids::{Country, ItemRef, PersonRef};
use schemas::referral::Signal;

use crate::geo::{self, IpCountries};
use crate::submission::{Capture, ContentItem, Payment, PaymentDirection, PersonReport, Provider};

/// A person's part in the offence, as far as a country can follow from it.
struct Part {
    role: SignalRole,
    /// The basis that presence in a country serves.
    presence: JurisdictionBasis,
    residence: JurisdictionBasis,
    nationality: JurisdictionBasis,
    /// No signal of this person is surer than this.
    ceiling: Confidence,
}

/// A reported minor starts undetermined and is treated as one who may need protection. Witnesses tie nothing.
fn part(category: PersonCategory) -> Option<Part> {
    let victim = |ceiling| Part {
        role: SignalRole::Victim,
        presence: JurisdictionBasis::VictimResidence,
        residence: JurisdictionBasis::VictimResidence,
        nationality: JurisdictionBasis::VictimNationality,
        ceiling,
    };
    match category {
        PersonCategory::Victim => Some(victim(Confidence::High)),
        PersonCategory::Undetermined => Some(victim(Confidence::Low)),
        PersonCategory::Suspect => Some(Part {
            role: SignalRole::Offender,
            presence: JurisdictionBasis::Territory,
            residence: JurisdictionBasis::OffenderResidence,
            nationality: JurisdictionBasis::OffenderNationality,
            ceiling: Confidence::High,
        }),
        PersonCategory::WitnessOrReporter => None,
    }
}

/// The signals of one person.
pub fn of_person(person: &PersonReport, person_ref: PersonRef, addresses: &IpCountries) -> Vec<Signal> {
    let Some(part) = part(person.category) else { return Vec::new() };
    let signal = |source, basis, confidence: Confidence, countries: Vec<Country>| Signal {
        role: part.role,
        countries,
        source,
        confidence: confidence.min(part.ceiling),
        basis,
        person_ref: Some(person_ref),
        item_ref: None,
    };
    let mut found = Vec::new();
    for capture in &person.captures {
        let country = addresses.country(capture.ip);
        found.extend(
            country.map(|country| signal(SignalSource::Ip, part.presence, sureness(capture), vec![country])),
        );
    }
    for phone in &person.phones {
        found.push(signal(
            SignalSource::Phone,
            part.residence,
            Confidence::Medium,
            geo::phone_countries(phone),
        ));
    }
    let declared = person.addresses.iter().filter_map(|address| address.country.as_ref());
    for country in person.residences.iter().chain(declared) {
        let source = SignalSource::DeclaredResidence;
        found.push(signal(source, part.residence, Confidence::High, vec![country.clone()]));
    }
    for country in &person.nationalities {
        found.push(signal(
            SignalSource::Nationality,
            part.nationality,
            Confidence::High,
            vec![country.clone()],
        ));
    }
    found.extend(person.payments.iter().filter_map(|payment| of_payment(payment, person_ref)));
    let mut seen = BTreeSet::new();
    found.retain(|signal| !signal.countries.is_empty() && seen.insert(what_it_says(signal)));
    found
}

/// Of one person the same is said once, in the order in which it was first seen.
fn what_it_says(signal: &Signal) -> (SignalRole, SignalSource, Confidence, JurisdictionBasis, Vec<Country>) {
    (signal.role, signal.source, signal.confidence, signal.basis, signal.countries.clone())
}

fn sureness(capture: &Capture) -> Confidence {
    match (capture.possible_proxy, capture.time) {
        (Some(true), _) => Confidence::Low,
        (_, Some(_)) => Confidence::Medium,
        // Without the moment nobody can say who held the address.
        (_, None) => Confidence::Low,
    }
}

fn of_payment(payment: &Payment, person_ref: PersonRef) -> Option<Signal> {
    let role = match payment.direction {
        PaymentDirection::Payer => SignalRole::Payer,
        PaymentDirection::Payee => SignalRole::Payee,
    };
    Some(Signal {
        role,
        countries: vec![payment.country.clone()?],
        source: SignalSource::DeclaredResidence,
        confidence: Confidence::Low,
        basis: JurisdictionBasis::Territory,
        person_ref: Some(person_ref),
        item_ref: None,
    })
}

/// Where an item is hosted, as declared, or by its domain.
pub fn of_item(item: &ContentItem, item_ref: ItemRef) -> Option<Signal> {
    let hosting = item.hosting.as_ref()?;
    let by_domain = || {
        let host = hosting.host.clone().or_else(|| hosting.url.as_deref().and_then(host_of))?;
        Some((geo::domain_country(&host)?, SignalSource::CountryCodeDomain, Confidence::Low))
    };
    let declared =
        hosting.country.clone().map(|country| (country, SignalSource::DeclaredHosting, Confidence::High));
    let (country, source, confidence) = declared.or_else(by_domain)?;
    Some(Signal {
        role: SignalRole::Hosting,
        countries: vec![country],
        source,
        confidence,
        basis: JurisdictionBasis::Hosting,
        person_ref: None,
        item_ref: Some(item_ref),
    })
}

fn host_of(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    Some(host.split(':').next()?.to_owned())
}

pub fn of_provider(provider: &Provider) -> Option<Signal> {
    Some(Signal {
        role: SignalRole::Provider,
        countries: vec![provider.country.clone()?],
        source: SignalSource::ProviderEstablishment,
        confidence: Confidence::High,
        basis: JurisdictionBasis::ProviderEstablishment,
        person_ref: None,
        item_ref: None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
mod tests {
    use schemas::codes::AgeBand;

    use super::*;

    /// Given a person of whom this is known, then there are these signals, in this order.
    #[track_caller]
    fn check(case: &str, known: impl FnOnce(&mut PersonReport), then: &[(SignalSource, &str)]) {
        let mut person = PersonReport::new(PersonCategory::Victim, AgeBand::Unknown);
        known(&mut person);
        let found = of_person(&person, PersonRef::derive(&[b"person"]), &IpCountries::none());
        let words = |signal: &Signal| {
            let countries = signal.countries.iter().map(Country::as_str).collect::<Vec<_>>();
            (signal.source, countries.join(" "))
        };
        let then: Vec<_> = then.iter().map(|(source, codes)| (*source, (*codes).to_owned())).collect();
        assert_eq!(found.iter().map(words).collect::<Vec<_>>(), then, "{case}");
    }

    fn countries(codes: &[&str]) -> Vec<Country> {
        codes.iter().map(|code| Country::try_new(code).unwrap()).collect()
    }

    #[test]
    fn the_same_is_said_once_in_the_order_of_first_sight() {
        use SignalSource::{DeclaredResidence, Nationality, Phone};
        check(
            "apart from each other",
            |person| {
                person.phones =
                    ["+49 30 123456", "+33 1 23 45 67 89", "+49 30 123456"].map(str::to_owned).to_vec();
                person.residences = countries(&["FR", "DE", "FR", "DE"]);
                person.nationalities = countries(&["DE", "NL", "DE"]);
            },
            &[
                (Phone, "DE"),
                (Phone, "FR"),
                (DeclaredResidence, "FR"),
                (DeclaredResidence, "DE"),
                (Nationality, "DE"),
                (Nationality, "NL"),
            ],
        );
        check(
            "one country, by several sources",
            |person| {
                person.residences = countries(&["DE"]);
                person.nationalities = countries(&["DE"]);
            },
            &[(DeclaredResidence, "DE"), (Nationality, "DE")],
        );
        check("nothing", |_| {}, &[]);
    }
}
