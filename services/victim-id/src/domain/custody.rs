//! Custody of the search: it moves only when the other side accepts, and until then it stays where it is.

use std::collections::BTreeSet;

use chassis::decider::{Context, Rejection};
use schemas::codes::{AgencyKind, Authorisation, CustodyRoute, OfferEnd, RejectionCode, Urgency};
use schemas::directory::Policy;
use schemas::ids::{AgencyId, ChildRef, Country, OfferId};
use schemas::victim_id::{
    AcceptCustody, ConfirmCustody, CustodianSilent, CustodyAccepted, CustodyConfirmed, CustodyOffered,
    DeclineCustody, InvitationEnded, InviteTakers, NobodyLooks, OfferCustody, OfferEnded, TakeCustody,
    TakersInvited, VictimIdEvent, WithdrawOffer,
};

use super::{Child, Decided, Incident, Offer, held, known, links, must_not_be_ceded};

/// Longest that a custodian may set itself to say nothing.
const MAX_LIMIT_DAYS: i32 = 180;
/// Longest that an offer stays open.
const MAX_OFFER_MINUTES: i64 = 60 * 24 * 60;
/// Most agencies of one invitation.
const MAX_INVITED: usize = 20;

/// Takes the search up that nobody has; or that its custodian has left, where a coordinator has asked the taker.
pub fn take(context: &Context<'_>, incident: &Incident, command: &TakeCustody) -> Decided {
    let (child, country) = taken_by(context, incident, command.child_ref, command.limit_days)?;
    let route = match &child.custody {
        None => CustodyRoute::First,
        Some(custody) if custody.custodian == *context.agency => {
            return Err(RejectionCode::WrongState.into());
        }
        Some(_) if !child.invited.contains(context.agency) => return Err(RejectionCode::CustodyHeld.into()),
        // Its own stated limit has to have run.
        Some(_) if !child.is_left(context.now) => return Err(RejectionCode::NotSilent.into()),
        Some(_) => CustodyRoute::TakenOver,
    };
    Ok(accepted(context, command.child_ref, child, route, country, command.limit_days))
}

pub fn accept(context: &Context<'_>, incident: &Incident, command: &AcceptCustody) -> Decided {
    let (child, country) = taken_by(context, incident, command.child_ref, command.limit_days)?;
    must_be_open(context, child, command.offer_id)?;
    Ok(accepted(context, command.child_ref, child, CustodyRoute::HandedOn, country, command.limit_days))
}

/// The child, where the agency may become its custodian, and the agency's State.
fn taken_by<'a>(
    context: &Context<'_>,
    incident: &'a Incident,
    child_ref: ChildRef,
    limit_days: i32,
) -> Result<(&'a Child, Country), Rejection> {
    let child = known(context, incident, child_ref)?;
    must_not_be_ceded(child)?;
    let part = incident.engaged.get(context.agency).filter(|_| incident.may_search(context.agency));
    let part = part.ok_or(RejectionCode::NotEntitled)?;
    context.must_be_human()?;
    if incident.withdrawn {
        return Err(RejectionCode::Withdrawn.into());
    }
    if !(1..=MAX_LIMIT_DAYS).contains(&limit_days) {
        return Err(Rejection::at(RejectionCode::Invalid, "/limit_days"));
    }
    Ok((child, part.country.clone()))
}

/// Custody passes: what the former custodian has open goes with its part.
fn accepted(
    context: &Context<'_>,
    child_ref: ChildRef,
    child: &Child,
    route: CustodyRoute,
    country: Country,
    limit_days: i32,
) -> Vec<VictimIdEvent> {
    let superseded = child.offer.as_ref().filter(|_| route != CustodyRoute::HandedOn);
    let superseded = superseded.map(|offer| ended(child_ref, offer, OfferEnd::Superseded));
    let proposals = links::superseded(child_ref, child);
    let accepted = CustodyAccepted {
        child_ref,
        by: context.agency.clone(),
        country,
        route,
        from: child.custody.as_ref().map(|custody| custody.custodian.clone()),
        limit_days,
    };
    superseded.into_iter().chain(proposals).chain([accepted.into()]).collect()
}

fn must_be_open<'a>(
    context: &Context<'_>,
    child: &'a Child,
    offer_id: OfferId,
) -> Result<&'a Offer, Rejection> {
    let offer = child.offer.as_ref().filter(|offer| offer.offer_id == offer_id);
    let offer = offer.filter(|offer| offer.to == *context.agency).ok_or(RejectionCode::UnknownOffer)?;
    // Also when the clock has not rung yet.
    if context.now >= offer.until { Err(RejectionCode::PeriodOver.into()) } else { Ok(offer) }
}

pub fn offer(context: &Context<'_>, incident: &Incident, command: &OfferCustody) -> Decided {
    let child = held(context, incident, command.child_ref)?;
    if child.offer.is_some() {
        return Err(RejectionCode::OfferOpen.into());
    }
    if command.to == *context.agency || !incident.may_search(&command.to) {
        return Err(Rejection::at(RejectionCode::Invalid, "/to"));
    }
    let open = context.now < command.until && command.until <= context.now.plus_minutes(MAX_OFFER_MINUTES);
    if !open {
        return Err(Rejection::at(RejectionCode::Invalid, "/until"));
    }
    if command.handover.is_some() && !crosses(context, incident, &command.to) {
        return Err(Rejection::at(RejectionCode::TransferNotAllowed, "/handover"));
    }
    let cause = context.cause.as_bytes();
    let offered = CustodyOffered {
        child_ref: command.child_ref,
        offer_id: OfferId::derive(&[context.aggregate_id.as_bytes(), cause]),
        by: context.agency.clone(),
        to: command.to.clone(),
        until: command.until,
        handover: command.handover.clone(),
    };
    Ok(vec![offered.into()])
}

/// Whether what is written at the handover may cross to the agency's State. Custody passes without it too.
fn crosses(context: &Context<'_>, incident: &Incident, to: &AgencyId) -> bool {
    let urgency = incident.noted.as_ref().map_or(Urgency::Routine, |noted| noted.urgency);
    let (directory, now) = (context.directory, context.now);
    let own = directory.agency(context.agency, now);
    let (Some(own), Some(part)) = (own, incident.engaged.get(to)) else { return false };
    own.country == part.country
        || directory.policy(Policy::DEFAULT, now).is_some_and(|policy| {
            policy.transfer(&own.country, &part.country, urgency, Authorisation::Standing).is_some()
        })
}

pub fn decline(context: &Context<'_>, incident: &Incident, command: &DeclineCustody) -> Decided {
    let child = known(context, incident, command.child_ref)?;
    context.must_be_human()?;
    let offer = must_be_open(context, child, command.offer_id)?;
    let (child_ref, offer_id) = (command.child_ref, offer.offer_id);
    let reason = Some(command.reason);
    let to = offer.to.clone();
    Ok(vec![OfferEnded { child_ref, offer_id, to, end: OfferEnd::Declined, reason }.into()])
}

pub fn withdraw(context: &Context<'_>, incident: &Incident, command: &WithdrawOffer) -> Decided {
    let child = held(context, incident, command.child_ref)?;
    let offer = child.offer.as_ref().filter(|offer| offer.offer_id == command.offer_id);
    let offer = offer.ok_or(RejectionCode::UnknownOffer)?;
    Ok(vec![ended(command.child_ref, offer, OfferEnd::Withdrawn), confirmed(context, command.child_ref)])
}

fn ended(child_ref: ChildRef, offer: &Offer, end: OfferEnd) -> VictimIdEvent {
    OfferEnded { child_ref, offer_id: offer.offer_id, to: offer.to.clone(), end, reason: None }.into()
}

pub fn expired(child_ref: ChildRef, child: &Child) -> Vec<VictimIdEvent> {
    child.offer.iter().map(|offer| ended(child_ref, offer, OfferEnd::Expired)).collect()
}

/// What stood open for whoever has ceded the search.
pub fn closed(child_ref: ChildRef, child: &Child) -> impl Iterator<Item = VictimIdEvent> {
    let offer = child.offer.iter().map(move |offer| ended(child_ref, offer, OfferEnd::Superseded));
    let invited = (!child.invited.is_empty()).then(|| InvitationEnded { child_ref }.into());
    offer.chain(invited)
}

pub fn confirm(context: &Context<'_>, incident: &Incident, command: &ConfirmCustody) -> Decided {
    held(context, incident, command.child_ref)?;
    Ok(vec![confirmed(context, command.child_ref)])
}

pub fn confirmed(context: &Context<'_>, child_ref: ChildRef) -> VictimIdEvent {
    CustodyConfirmed { child_ref, by: context.agency.clone() }.into()
}

/// The custodian has said nothing for as long as it has itself set.
pub fn silent(child_ref: ChildRef, child: &Child) -> Vec<VictimIdEvent> {
    let told = child.custody.as_ref().map(|custody| {
        let (custodian, country) = (custody.custodian.clone(), custody.country.clone());
        CustodianSilent { child_ref, custodian, country }.into()
    });
    told.into_iter().collect()
}

/// Nobody has taken the search up for too long.
pub fn nobody(incident: &Incident, child_ref: ChildRef) -> Vec<VictimIdEvent> {
    let countries: BTreeSet<Country> = incident.engaged.values().map(|part| part.country.clone()).collect();
    vec![NobodyLooks { child_ref, countries: countries.into_iter().collect() }.into()]
}

/// A coordinator of the custodian's State, or, where nobody has the search, of any State at work on the incident.
pub fn invite(context: &Context<'_>, incident: &Incident, command: &InviteTakers) -> Decided {
    let own = context.directory.agency(context.agency, context.now);
    let own = own.filter(|own| own.kind == AgencyKind::Coordinator).ok_or(RejectionCode::NotEntitled)?;
    let child = incident.children.get(&command.child_ref).ok_or(RejectionCode::UnknownChild)?;
    if !incident.is_watched_by(child, own) {
        return Err(RejectionCode::UnknownChild.into());
    }
    must_not_be_ceded(child)?;
    context.must_be_human()?;
    if !child.is_left(context.now) {
        return Err(RejectionCode::NotSilent.into());
    }
    let different: BTreeSet<&AgencyId> = command.agencies.iter().collect();
    let takers: BTreeSet<&AgencyId> = incident.takers_for(child, own).collect();
    let fit = (1..=MAX_INVITED).contains(&command.agencies.len())
        && different.len() == command.agencies.len()
        && different.is_subset(&takers);
    if !fit {
        return Err(Rejection::at(RejectionCode::Invalid, "/agencies"));
    }
    let (by, agencies) = (context.agency.clone(), command.agencies.clone());
    Ok(vec![TakersInvited { child_ref: command.child_ref, by, agencies }.into()])
}
