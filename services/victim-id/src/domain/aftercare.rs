//! What a child is owed once it is found: support, its remedies, and a say in what it hears of.

use std::collections::BTreeSet;

use chassis::decider::{Context, Rejection};
use schemas::Timestamp;
use schemas::codes::{AgencyKind, ChildStatus, NotificationPreference, RejectionCode};
use schemas::victim_id::{
    AcknowledgeSupport, EndSupport, ExplainRemedies, NotificationSet, ReferToSupport, RemediesExplained,
    SetNotification, SupportAcknowledged, SupportEnded, SupportReferred,
};

use super::{Child, Decided, Incident, held, known};

/// Most support services of one child.
const MAX_SERVICES: usize = 20;
/// A child comes of age within so many years: no month lies farther off.
const MAX_MINORITY_YEARS: i16 = 25;

/// A support service of the custodian's own State receives the child. To another State's services it comes by handing
/// the custody on.
pub fn refer(context: &Context<'_>, incident: &Incident, command: &ReferToSupport) -> Decided {
    let child = held(context, incident, command.child_ref)?;
    must_be_found(child)?;
    let at_fault = |code| Rejection::at(code, "/service");
    let service = context.directory.agency(&command.service, context.now);
    let service = service.ok_or_else(|| at_fault(RejectionCode::UnknownAgency))?;
    let own = context.directory.agency(context.agency, context.now);
    let own = own.ok_or(RejectionCode::UnknownAgency)?;
    let supports = matches!(service.kind, AgencyKind::SupportService | AgencyKind::Helpline);
    if !supports || service.country != own.country {
        return Err(at_fault(RejectionCode::Invalid));
    }
    if child.support.len() >= MAX_SERVICES && !child.support.contains_key(&service.id) {
        return Err(RejectionCode::TooMany.into());
    }
    let (by, service) = (context.agency.clone(), command.service.clone());
    let handover = command.handover.clone();
    Ok(vec![SupportReferred { child_ref: command.child_ref, by, service, handover }.into()])
}

pub fn acknowledge(context: &Context<'_>, incident: &Incident, command: &AcknowledgeSupport) -> Decided {
    let child = known(context, incident, command.child_ref)?;
    context.must_be_human()?;
    match child.support.get(context.agency) {
        Some(false) => {
            let service = context.agency.clone();
            Ok(vec![SupportAcknowledged { child_ref: command.child_ref, service }.into()])
        }
        Some(true) => Err(RejectionCode::WrongState.into()),
        None => Err(RejectionCode::NotEntitled.into()),
    }
}

/// By the custodian, whom the service was there for, or by the service itself, whether it has answered or not.
pub fn end(context: &Context<'_>, incident: &Incident, command: &EndSupport) -> Decided {
    let child = known(context, incident, command.child_ref)?;
    context.must_be_human()?;
    let is_its_own = command.service == *context.agency;
    if !is_its_own && !child.is_held_by(context.agency) {
        return Err(RejectionCode::NotCustodian.into());
    }
    if !child.support.contains_key(&command.service) {
        return Err(Rejection::at(RejectionCode::UnknownAgency, "/service"));
    }
    let (by, service) = (context.agency.clone(), command.service.clone());
    Ok(vec![SupportEnded { child_ref: command.child_ref, by, service }.into()])
}

pub fn explain(context: &Context<'_>, incident: &Incident, command: &ExplainRemedies) -> Decided {
    let child = held(context, incident, command.child_ref)?;
    must_be_found(child)?;
    let remedies: BTreeSet<_> = command.remedies.iter().collect();
    if remedies.is_empty() || remedies.len() != command.remedies.len() {
        return Err(Rejection::at(RejectionCode::Invalid, "/remedies"));
    }
    let (by, remedies) = (context.agency.clone(), command.remedies.clone());
    Ok(vec![RemediesExplained { child_ref: command.child_ref, by, remedies }.into()])
}

/// No contact is the default. A representative must have no interest against the child's (Lanzarote Convention Article
/// 31(4)); at majority the preference passes to the survivor.
pub fn set_notification(context: &Context<'_>, incident: &Incident, command: &SetNotification) -> Decided {
    let child = held(context, incident, command.child_ref)?;
    must_be_found(child)?;
    let of_age = child.notification.as_ref().is_some_and(|notification| notification.of_age);
    let by_representative = command.preference == NotificationPreference::ThroughRepresentative;
    if of_age && by_representative {
        return Err(Rejection::at(RejectionCode::WrongState, "/preference"));
    }
    if by_representative && !command.without_conflict {
        return Err(Rejection::at(RejectionCode::Invalid, "/without_conflict"));
    }
    let invalid = || Rejection::at(RejectionCode::Invalid, "/majority");
    let majority_at =
        command.majority.as_deref().map(|month| end_of(month).ok_or_else(invalid)).transpose()?;
    let latest = context.now.plus_minutes(i64::from(MAX_MINORITY_YEARS) * 366 * 24 * 60);
    if majority_at.is_some_and(|at| at <= context.now || at > latest) {
        return Err(invalid());
    }
    let set = NotificationSet {
        child_ref: command.child_ref,
        by: context.agency.clone(),
        preference: command.preference,
        majority: command.majority.clone(),
        majority_at,
    };
    Ok(vec![set.into()])
}

fn must_be_found(child: &Child) -> Result<(), Rejection> {
    let found = matches!(child.status, ChildStatus::Identified | ChildStatus::Safeguarded);
    if found { Ok(()) } else { Err(RejectionCode::WrongState.into()) }
}

/// The first moment at which a month such as `2031-05` is over everywhere on Earth (UTC-12).
fn end_of(month: &str) -> Option<Timestamp> {
    let (year, number) =
        month.split_once('-').filter(|(year, number)| year.len() == 4 && number.len() == 2)?;
    let first = jiff::civil::Date::new(year.parse().ok()?, number.parse().ok()?, 1).ok()?;
    let next = first.last_of_month().tomorrow().ok()?;
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(-12));
    Some(next.to_zoned(zone).ok()?.timestamp().into())
}
