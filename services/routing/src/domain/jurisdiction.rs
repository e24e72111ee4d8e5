//! Signals to countries: each with the basis of jurisdiction and the articles that support it.

use std::collections::BTreeMap;

use schemas::codes::JurisdictionBasis;
use schemas::ids::Country;
use schemas::referral::Signal;
use schemas::routing::{CountryFound, Ground, JurisdictionsFound};

/// Raised with every change to this file's rules: a decision names what it used.
pub const RULES_VERSION: i32 = 1;

/// Every country that a signal speaks for. No signal, no country: nothing is invented.
pub fn find(signals: &[Signal]) -> JurisdictionsFound {
    let mut countries: BTreeMap<Country, Vec<Ground>> = BTreeMap::new();
    for signal in signals {
        for country in &signal.countries {
            let grounds = countries.entry(country.clone()).or_default();
            let ground = ground(signal);
            if !grounds.contains(&ground) {
                grounds.push(ground);
            }
        }
    }
    let countries =
        countries.into_iter().map(|(country, grounds)| CountryFound { country, grounds }).collect();
    JurisdictionsFound { rules_version: RULES_VERSION, countries }
}

fn ground(signal: &Signal) -> Ground {
    Ground {
        role: signal.role,
        basis: signal.basis,
        source: signal.source,
        confidence: signal.confidence,
        articles: articles(signal.basis).iter().map(|article| (*article).to_owned()).collect(),
        person_ref: signal.person_ref,
    }
}

/// Budapest Convention (ETS 185) Article 22, the Optional Protocol on the sale of children (OPSC) Article 4,
/// the Lanzarote Convention (CETS 201) Article 25, and Regulation (EU) 2022/2065 (DSA) Article 18(2).
pub fn articles(basis: JurisdictionBasis) -> &'static [&'static str] {
    match basis {
        JurisdictionBasis::Territory => &[
            "Budapest Convention Article 22(1)(a)",
            "OPSC Article 4(1)",
            "Lanzarote Convention Article 25(1)(a)",
        ],
        JurisdictionBasis::OffenderNationality => &[
            "Budapest Convention Article 22(1)(d)",
            "OPSC Article 4(2)(a)",
            "Lanzarote Convention Article 25(1)(d)",
        ],
        JurisdictionBasis::OffenderResidence => {
            &["OPSC Article 4(2)(a)", "Lanzarote Convention Article 25(1)(e)"]
        }
        JurisdictionBasis::VictimNationality => {
            &["OPSC Article 4(2)(b)", "Lanzarote Convention Article 25(2)"]
        }
        JurisdictionBasis::VictimResidence => {
            &["Lanzarote Convention Article 25(2)", "Regulation (EU) 2022/2065 Article 18(2)"]
        }
        JurisdictionBasis::ProviderEstablishment => &["Regulation (EU) 2022/2065 Article 18(2)"],
        JurisdictionBasis::Hosting => &["Budapest Convention Article 22(1)(a)"],
    }
}
