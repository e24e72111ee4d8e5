//! How the search stands: where the child is thought to be, and what has been found out.

use std::collections::BTreeSet;

use chassis::decider::{Context, Rejection};
use schemas::codes::{AgeBand, ChildStatus, RejectionCode, Urgency};
use schemas::ids::ChildRef;
use schemas::victim_id::{
    AttributeChild, ChildAttributed, ChildRegistered, RecordStatus, RegisterChild, StatusRecorded,
};

use super::{Decided, Incident, MAX_CHILDREN, awaited_until, held};

/// A child that the referral does not name, found by an agency that looks for children.
pub fn register(context: &Context<'_>, incident: &Incident, command: &RegisterChild) -> Decided {
    if incident.noted.is_none() {
        return Err(RejectionCode::UnknownIncident.into());
    }
    if !incident.engaged.contains_key(context.agency) {
        return Err(RejectionCode::UnknownIncident.into());
    }
    if !incident.may_search(context.agency) {
        return Err(RejectionCode::NotEntitled.into());
    }
    context.must_be_human()?;
    if incident.children.len() >= MAX_CHILDREN {
        return Err(RejectionCode::TooMany.into());
    }
    if command.age_band == AgeBand::Adult {
        return Err(Rejection::at(RejectionCode::Invalid, "/age_band"));
    }
    let child_ref = ChildRef::derive(&[context.aggregate_id.as_bytes(), context.cause.as_bytes()]);
    let by = Some(context.agency.clone());
    let urgency = incident.noted.as_ref().map_or(Urgency::Routine, |noted| noted.urgency);
    let awaited_until = awaited_until(context, urgency);
    let age_band = command.age_band;
    Ok(vec![ChildRegistered { child_ref, person_ref: None, age_band, by, awaited_until }.into()])
}

pub fn attribute(context: &Context<'_>, incident: &Incident, command: &AttributeChild) -> Decided {
    held(context, incident, command.child_ref)?;
    let reasons: BTreeSet<_> = command.reasons.iter().collect();
    if reasons.is_empty() || reasons.len() != command.reasons.len() {
        return Err(Rejection::at(RejectionCode::Invalid, "/reasons"));
    }
    let attributed = ChildAttributed {
        child_ref: command.child_ref,
        by: context.agency.clone(),
        country: command.country.clone(),
        confidence: command.confidence,
        reasons: command.reasons.clone(),
    };
    Ok(vec![attributed.into()])
}

pub fn record(context: &Context<'_>, incident: &Incident, command: &RecordStatus) -> Decided {
    let child = held(context, incident, command.child_ref)?;
    if !may_follow(child.status, command.status) {
        return Err(Rejection::at(RejectionCode::WrongState, "/status"));
    }
    if command.cold.is_some() != (command.status == ChildStatus::Cold) {
        return Err(Rejection::at(RejectionCode::Invalid, "/cold"));
    }
    if command.reference.is_some() != (command.status == ChildStatus::AlreadyIdentified) {
        return Err(Rejection::at(RejectionCode::Invalid, "/reference"));
    }
    let recorded = StatusRecorded {
        child_ref: command.child_ref,
        by: context.agency.clone(),
        status: command.status,
        cold: command.cold,
        reference: command.reference.clone(),
    };
    Ok(vec![recorded.into()])
}

/// A name is looked at twice before a child counts as identified, and every finding can be corrected; what was recorded
/// before stays on record.
const fn may_follow(now: ChildStatus, next: ChildStatus) -> bool {
    use ChildStatus::{
        Adult, AlreadyIdentified, Attributed, Cold, DuplicateWork, FalsePositive, Identified, Safeguarded,
        Tentative, Unidentified,
    };
    match now {
        Unidentified | Attributed => {
            matches!(next, Tentative | AlreadyIdentified | Cold | Adult | FalsePositive)
        }
        Tentative => {
            matches!(next, Identified | Unidentified | AlreadyIdentified | Cold | Adult | FalsePositive)
        }
        Identified => matches!(next, Safeguarded | Tentative | Adult | FalsePositive),
        // Abuse may resume.
        Safeguarded => matches!(next, Identified),
        Cold => matches!(next, Unidentified | Tentative | AlreadyIdentified | Adult | FalsePositive),
        AlreadyIdentified | Adult | FalsePositive => matches!(next, Unidentified),
        // Settled by a link alone.
        DuplicateWork => false,
    }
}
