//! Signals to countries: each with the basis of jurisdiction and the articles that support it.

use std::collections::BTreeMap;

use schemas::codes::{Confidence, JurisdictionBasis, SignalRole, SignalSource};
use schemas::ids::Country;
use schemas::referral::Signal;
use schemas::routing::{CountryFound, Ground, JurisdictionsFound};

/// Raised with every change to this file's rules: a decision names what it used.
pub const RULES_VERSION: i32 = 1;

/// Every country that a signal speaks for. Where none can be told, the State of the reporting provider's
/// establishment (Regulation (EU) 2022/2065 Article 18(2)); nothing else is invented.
pub fn find(signals: &[Signal], establishment: Option<&Country>) -> JurisdictionsFound {
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
    if let Some(country) = establishment.filter(|_| countries.is_empty()) {
        countries.insert(country.clone(), vec![of_establishment()]);
    }
    let countries =
        countries.into_iter().map(|(country, grounds)| CountryFound { country, grounds }).collect();
    JurisdictionsFound { rules_version: RULES_VERSION, countries }
}

fn of_establishment() -> Ground {
    let basis = JurisdictionBasis::ProviderEstablishment;
    Ground {
        role: SignalRole::Provider,
        basis,
        source: SignalSource::ProviderEstablishment,
        confidence: Confidence::High,
        articles: articles(basis).iter().map(|article| (*article).to_owned()).collect(),
        person_ref: None,
    }
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
