//! What an instrument and a calendar must hold, so that whoever counts by them gets an answer.

use schemas::codes::{InstrumentKind, VerificationMark};
use schemas::legal::{Calendar, ClockRow, Instrument};

use super::must_be_unique;

/// The field at fault.
pub fn check_instrument(instrument: &Instrument) -> Result<(), String> {
    if instrument.version < 1 {
        return Err("version".to_owned());
    }
    must_be_unique(instrument.parties.iter().map(|party| &party.country))
        .map_err(|number| format!("parties/{number}/country"))?;
    must_be_unique(instrument.clocks.iter().map(|clock| &clock.id))
        .map_err(|number| format!("clocks/{number}/id"))?;
    for (number, clock) in instrument.clocks.iter().enumerate() {
        check_clock(clock).map_err(|field| format!("clocks/{number}/{field}"))?;
    }
    // A State can declare what binds itself and one other.
    let of_two = matches!(instrument.kind, InstrumentKind::Agreement | InstrumentKind::Reciprocity);
    if instrument.mark == VerificationMark::Declared && !of_two {
        return Err("kind".to_owned());
    }
    if of_two && instrument.parties.len() != 2 {
        return Err("parties".to_owned());
    }
    Ok(())
}

/// Longest period in its own unit: above every one that an instrument names.
const LONGEST: i32 = 10_000;

fn check_clock(clock: &ClockRow) -> Result<(), &'static str> {
    let valid = |number: i32| (1..=LONGEST).contains(&number);
    if clock.number.is_some() != clock.unit.is_some() || clock.number.is_some_and(|number| !valid(number)) {
        return Err("number");
    }
    if clock.extension.as_ref().is_some_and(|extension| !valid(extension.number)) {
        return Err("extension/number");
    }
    let longest_first = clock.warn_hours.is_sorted_by(|sooner, later| sooner > later);
    if !longest_first || !clock.warn_hours.iter().all(|hours| valid(*hours)) {
        return Err("warn_hours");
    }
    Ok(())
}

/// The field at fault.
pub fn check_calendar(calendar: &Calendar) -> Result<(), &'static str> {
    jiff::tz::TimeZone::get(&calendar.time_zone).map_err(|_| "time_zone")?;
    let mut weekend = calendar.weekend.iter();
    // A week without a working day has no end for a period in working days.
    if calendar.weekend.len() > 6 || !weekend.all(|day| (1..=7).contains(day)) {
        return Err("weekend");
    }
    if !(1900..=9000).contains(&calendar.first_year) || calendar.last_year < calendar.first_year {
        return Err("last_year");
    }
    let years = calendar.first_year..=calendar.last_year;
    let within = calendar.holidays.iter().all(|day| years.contains(&i32::from(day.to_jiff().year())));
    if !within || !calendar.holidays.is_sorted_by(|sooner, later| sooner < later) {
        return Err("holidays");
    }
    Ok(())
}
