//! The transfer gate: on what, and with whose word, an offer may cross a border.
//!
//! Directive (EU) 2016/680 Articles 35 to 39 or the sender's like stand in the directory's policy as data. In
//! imminent danger Articles 35(2) and 38 stand in for the authorisation and for a missing rule.

use schemas::codes::{Authorisation, TransferPolicy, Urgency, WithheldReason};
use schemas::directory::Policy;
use schemas::ids::Country;
use schemas::routing::Transfer;

use super::state::Incident;

/// # Errors
/// Why the country is not offered anything.
pub fn gate(incident: &Incident, policy: &Policy, to: &Country) -> Result<Transfer, WithheldReason> {
    let Some(opened) = &incident.opened else { return Err(WithheldReason::NotAuthorised) };
    if incident.is_never_told(to) {
        return Err(WithheldReason::NeverTold);
    }
    let urgency = incident.urgency().unwrap_or(opened.urgency);
    let authorisation = match opened.handling.transfers {
        _ if opened.reporter_country == *to => Authorisation::Standing,
        TransferPolicy::Standing => Authorisation::Standing,
        TransferPolicy::PerCase if incident.authorised.contains(to) => Authorisation::PerCase,
        TransferPolicy::PerCase if urgency == Urgency::ImminentDanger => Authorisation::ImminentDanger,
        TransferPolicy::PerCase => return Err(WithheldReason::NotAuthorised),
    };
    let transfer = policy.transfer(&opened.reporter_country, to, urgency, authorisation);
    transfer.ok_or(WithheldReason::NoTransferBasis)
}
