//! What an entry must hold to stand in the directory at all, whoever writes it.

mod legal;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use chassis::signature::is_key_of;
use schemas::codes::AgencyKind;
use schemas::directory::{Agency, AssignmentRule, DutyHours, Entry, Policy, Wellbeing};

/// What a duty contact may be given to acknowledge an imminent danger, in minutes. After a day there is nothing left to
/// prevent.
const ACKNOWLEDGE_WITHIN_MINUTES: RangeInclusive<i32> = 1..=24 * 60;
/// What an agency may be given to answer an offer, in minutes. After 90 days logs and traces are gone wherever they are
/// kept for the usual time.
const RESPOND_WITHIN_MINUTES: RangeInclusive<i32> = 1..=90 * 24 * 60;

/// What an agency may set as the limit of what its people view: items, within so many days.
const WELLBEING_ITEMS: RangeInclusive<i32> = 1..=100_000;
const WELLBEING_DAYS: RangeInclusive<i32> = 1..=90;
/// Most keys that an agency signs with: the last ones are kept, so that what they have signed can be checked.
const MAX_SIGNING_KEYS: usize = 20;
/// Most people of one agency who read by person who had to view what.
const MAX_LEADS: usize = 20;

/// # Errors
/// The pointer to the field that makes the entry invalid.
pub fn check(entry: &Entry) -> Result<(), String> {
    entry.id().map_err(|_| "/entry")?;
    if let Some(agency) = &entry.agency {
        check_agency(agency)?;
    }
    if let Some(policy) = &entry.policy {
        check_policy(policy)?;
    }
    if let Some(instrument) = &entry.instrument {
        legal::check_instrument(instrument).map_err(|field| format!("/entry/instrument/{field}"))?;
    }
    if let Some(calendar) = &entry.calendar {
        legal::check_calendar(calendar).map_err(|field| format!("/entry/calendar/{field}"))?;
    }
    Ok(())
}

fn check_agency(agency: &Agency) -> Result<(), &'static str> {
    if agency.issuer.is_empty() || agency.subject.is_empty() {
        return Err("/entry/agency/issuer");
    }
    if (agency.kind == AgencyKind::Coordinator) == agency.scope.is_empty() {
        return Err("/entry/agency/scope");
    }
    if agency.signing_keys.len() > MAX_SIGNING_KEYS
        || !agency.signing_keys.iter().all(|key| is_key_of(key, &agency.id))
    {
        return Err("/entry/agency/signing_keys");
    }
    for contact in &agency.duty_contacts {
        jiff::tz::TimeZone::get(&contact.time_zone).map_err(|_| "/entry/agency/duty_contacts/time_zone")?;
        let valid = |hours: &DutyHours| {
            (1..=7).contains(&hours.weekday)
                && 0 <= hours.from_minute
                && hours.from_minute < hours.to_minute
                && hours.to_minute <= 1440
        };
        if !contact.hours.iter().all(valid) {
            return Err("/entry/agency/duty_contacts/hours");
        }
    }
    agency.wellbeing.as_ref().map_or(Ok(()), check_wellbeing)
}

fn check_wellbeing(wellbeing: &Wellbeing) -> Result<(), &'static str> {
    if !WELLBEING_ITEMS.contains(&wellbeing.items) {
        return Err("/entry/agency/wellbeing/items");
    }
    if !WELLBEING_DAYS.contains(&wellbeing.days) {
        return Err("/entry/agency/wellbeing/days");
    }
    // Whom nobody looks after, a warning does not help.
    let named = !wellbeing.leads.is_empty() && wellbeing.leads.iter().all(|lead| !lead.is_empty());
    if !named || wellbeing.leads.len() > MAX_LEADS {
        return Err("/entry/agency/wellbeing/leads");
    }
    Ok(())
}

fn check_policy(policy: &Policy) -> Result<(), String> {
    if !ACKNOWLEDGE_WITHIN_MINUTES.contains(&policy.acknowledge_within_minutes) {
        return Err("/entry/policy/acknowledge_within_minutes".to_owned());
    }
    for (number, rule) in policy.rules.iter().enumerate() {
        check_rule(rule).map_err(|field| format!("/entry/policy/rules/{number}/{field}"))?;
    }
    // A decision names the rule that it follows from: there is one of that name.
    let rules = policy.rules.iter().map(|rule| &rule.id);
    must_be_unique(rules).map_err(|number| format!("/entry/policy/rules/{number}/id"))?;
    let transfers = policy.transfers.iter().map(|rule| &rule.id);
    must_be_unique(transfers).map_err(|number| format!("/entry/policy/transfers/{number}/id"))
}

/// The field at fault.
fn check_rule(rule: &AssignmentRule) -> Result<(), &'static str> {
    if !RESPOND_WITHIN_MINUTES.contains(&rule.respond_within_minutes) {
        return Err("respond_within_minutes");
    }
    // Whoever sees where everything goes opens nothing of it.
    if rule.agency_kind == AgencyKind::Coordinator && !rule.facets.is_empty() {
        return Err("facets");
    }
    Ok(())
}

/// Where the first stands that was there before.
fn must_be_unique<T: Copy + Ord>(ids: impl Iterator<Item = T>) -> Result<(), usize> {
    let mut seen = BTreeSet::new();
    match ids.enumerate().find(|(_, id)| !seen.insert(*id)) {
        Some((number, _)) => Err(number),
        None => Ok(()),
    }
}
