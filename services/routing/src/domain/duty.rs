//! Imminent danger: who is called, and who next when nobody acknowledges.
//!
//! The agency's own duty contacts in their order, then those of the national point that answers at any hour,
//! then the coordinator. A machine's receipt never counts as an acknowledgement.

use chassis::decider::{Context, Rejection};
use schemas::Timestamp;
use schemas::codes::{AlertReason, RejectionCode};
use schemas::directory::{Agency, DutyContact, DutyHours, Policy};
use schemas::ids::AssignmentId;
use schemas::routing::{AssignmentOffered, DutyContactCalled, RoutingEvent};

use super::assignment::{alert_about, is_point};
use super::state::{Assignment, Call, Incident};

/// Until an acknowledgement is asked for again, where no policy says otherwise.
const DEFAULT_MINUTES: i64 = 15;
/// Most calls about one assignment.
const MAX_CALLS: usize = 100;

/// The first call about a new offer, or the coordinator when there is nobody to call.
pub fn first_call(context: &Context<'_>, policy: &Policy, offer: &AssignmentOffered) -> Option<RoutingEvent> {
    Some(call(context, i64::from(policy.acknowledge_within_minutes), offer, &[]))
}

/// The next call about an offer that nobody acknowledged.
pub fn next_call(context: &Context<'_>, incident: &Incident, id: AssignmentId) -> Option<RoutingEvent> {
    let assignment = incident.assignments.get(&id)?;
    Some(call(context, minutes(context), &assignment.offer, &assignment.calls))
}

fn minutes(context: &Context<'_>) -> i64 {
    let policy = context.directory.policy(Policy::DEFAULT, context.now);
    policy.map_or(DEFAULT_MINUTES, |policy| i64::from(policy.acknowledge_within_minutes))
}

/// The next call, whether the last one was answered or not; from the first again, once everybody was called.
///
/// # Errors
/// When there is nobody to call, or there were as many calls as may be.
pub fn call_again(context: &Context<'_>, assignment: &Assignment) -> Result<RoutingEvent, Rejection> {
    let Assignment { offer, calls, .. } = assignment;
    if calls.len() >= MAX_CALLS {
        return Err(RejectionCode::TooMany.into());
    }
    let callable = callable(context, offer);
    // Whoever was called the fewest times; of those the first in order.
    let times = |agency: &Agency, contact: &DutyContact| {
        calls.iter().filter(|call| call.agency == agency.id && call.contact == contact.name).count()
    };
    let next = callable.into_iter().min_by_key(|(agency, contact)| times(agency, contact));
    let (agency, contact) = next.ok_or(RejectionCode::NobodyOnDuty)?;
    Ok(called(context, minutes(context), offer, calls, (agency, contact)).into())
}

fn call(context: &Context<'_>, minutes: i64, offer: &AssignmentOffered, calls: &[Call]) -> RoutingEvent {
    // Whoever is on duty now and was not called yet: a change of shift neither skips nor repeats anybody.
    let was_called = |agency: &Agency, contact: &DutyContact| {
        calls.iter().any(|call| call.agency == agency.id && call.contact == contact.name)
    };
    let next = callable(context, offer).into_iter().find(|(agency, contact)| !was_called(agency, contact));
    match next {
        Some(next) => called(context, minutes, offer, calls, next).into(),
        None => alert_about(offer, AlertReason::NobodyAnswered).into(),
    }
}

fn called(
    context: &Context<'_>,
    minutes: i64,
    offer: &AssignmentOffered,
    calls: &[Call],
    (agency, contact): (&Agency, &DutyContact),
) -> DutyContactCalled {
    DutyContactCalled {
        assignment_id: offer.assignment_id,
        agency: agency.id.clone(),
        contact: contact.name.clone(),
        attempt: i32::try_from(calls.len() + 1).unwrap_or(i32::MAX),
        acknowledge_by: context.now.plus_minutes(minutes),
    }
}

/// Everyone on duty now who can be called about the offer, in order.
fn callable<'a>(context: &Context<'a>, offer: &AssignmentOffered) -> Vec<(&'a Agency, &'a DutyContact)> {
    let directory = context.directory;
    let own = directory.agency(&offer.agency, context.now);
    let points = directory
        .agencies(context.now)
        .filter(|agency| is_point(agency) && agency.country == offer.country && agency.id != offer.agency);
    own.into_iter()
        .chain(points)
        .flat_map(|agency| agency.duty_contacts.iter().map(move |contact| (agency, contact)))
        .filter(|(_, contact)| on_duty(contact, context.now))
        .collect()
}

/// Whether the contact is on duty at the moment, by the clock on its own wall.
fn on_duty(contact: &DutyContact, now: Timestamp) -> bool {
    if contact.hours.is_empty() {
        return true;
    }
    // A zone that the calendar library does not know was refused when the entry was proposed.
    let Ok(zone) = jiff::tz::TimeZone::get(&contact.time_zone) else { return true };
    let local = now.to_jiff().to_zoned(zone);
    let weekday = i32::from(local.weekday().to_monday_one_offset());
    let minute = i32::from(local.hour()) * 60 + i32::from(local.minute());
    let holds = |hours: &DutyHours| {
        hours.weekday == weekday && hours.from_minute <= minute && minute < hours.to_minute
    };
    contact.hours.iter().any(holds)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
mod tests {
    use super::*;

    fn contact(hours: Vec<DutyHours>) -> DutyContact {
        DutyContact {
            name: "night desk".to_owned(),
            time_zone: "Europe/Berlin".to_owned(),
            hours,
            languages: Vec::new(),
            phone: None,
            webhook: None,
        }
    }

    #[test]
    fn duty_follows_the_local_wall_clock() {
        let saturday_nights = contact(vec![DutyHours { weekday: 6, from_minute: 0, to_minute: 360 }]);
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().into();
        // Saturday 02:00 in Berlin is Saturday 01:00 in UTC in winter, and 00:00 in summer.
        assert!(on_duty(&saturday_nights, at("2026-11-21T01:00:00Z")));
        assert!(on_duty(&saturday_nights, at("2026-07-18T00:00:00Z")));
        assert!(on_duty(&saturday_nights, at("2026-07-17T22:30:00Z")));
        assert!(!on_duty(&saturday_nights, at("2026-11-20T22:30:00Z")));
        assert!(!on_duty(&saturday_nights, at("2026-11-21T05:00:00Z")));
        assert!(on_duty(&contact(Vec::new()), at("2026-11-22T12:00:00Z")));
    }
}
