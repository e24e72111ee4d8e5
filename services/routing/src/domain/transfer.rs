//! The transfer gate: on what, and with whose word, an offer may cross a border.
//!
//! Directive (EU) 2016/680 Articles 35 to 39 or the sender's like stand in the directory's policy as data. In
//! imminent danger Articles 35(2) and 38 stand in for the authorisation and for a missing rule.

use schemas::codes::{Authorisation, TransferBasis, TransferPolicy, Urgency, WithheldReason};
use schemas::directory::{Policy, TransferRule};
use schemas::ids::Country;
use schemas::routing::Transfer;

use super::state::Incident;

/// # Errors
/// Why the country is not offered anything.
pub fn gate(incident: &Incident, policy: &Policy, to: &Country) -> Result<Transfer, WithheldReason> {
    let Some(opened) = &incident.opened else { return Err(WithheldReason::NotAuthorised) };
    if opened.handling.never_told.contains(to) {
        return Err(WithheldReason::NeverTold);
    }
    if opened.reporter_country == *to {
        return Ok(Transfer {
            basis: TransferBasis::Domestic,
            rule: None,
            article: "no border is crossed".to_owned(),
            authorisation: Authorisation::Standing,
        });
    }
    let danger = incident.urgency() == Some(Urgency::ImminentDanger);
    let authorisation = match opened.handling.transfers {
        TransferPolicy::Standing => Authorisation::Standing,
        TransferPolicy::PerCase if incident.authorised.contains(to) => Authorisation::PerCase,
        TransferPolicy::PerCase if danger => Authorisation::ImminentDanger,
        TransferPolicy::PerCase => return Err(WithheldReason::NotAuthorised),
    };
    let rule = policy.transfers.iter().find(|rule| applies(rule, &opened.reporter_country, to));
    match rule {
        Some(rule) => Ok(Transfer {
            basis: rule.basis,
            rule: Some(rule.id.clone()),
            article: rule.article.clone(),
            authorisation,
        }),
        None if danger => Ok(Transfer {
            basis: TransferBasis::VitalInterests,
            rule: None,
            article: "Directive (EU) 2016/680 Article 38(1)(a)".to_owned(),
            authorisation,
        }),
        None => Err(WithheldReason::NoTransferBasis),
    }
}

fn applies(rule: &TransferRule, from: &Country, to: &Country) -> bool {
    let holds = |list: &[Country], country| list.is_empty() || list.contains(country);
    holds(&rule.from, from) && holds(&rule.to, to)
}
