//! Every row of the legal data whose text was read, with its boundary moments.

use mla::legal::calendar::Days;
use mla::legal::period::{Count, Ends, Period};
use schemas::codes::{ClockUnit, Counting, VerificationMark};

use crate::world::*;

fn count<'a>(id: &str, country: &'a schemas::ids::Country) -> Count<'a> {
    let (instrument, row) = row(id);
    let period = Period { number: row.number.unwrap(), unit: row.unit.unwrap() };
    Count { period, counting: instrument.counting, days: Days::of(country, calendar(country)) }
}

/// Given an event in the country of whoever owes it, then the period of the row ends so.
#[track_caller]
fn check(id: &str, code: &str, event: &str, due: &str) {
    assert_eq!(count(id, &country(code)).start(at(event)).due, at(due), "{id} in {code} from {event}");
}

#[test]
fn a_period_in_days_does_not_count_the_day_of_its_event() {
    check("EEV-10.3", "FR", "2026-09-01T07:30:00Z", "2026-09-11T22:00:00Z");
    // The first and the last moment of a day are the same day.
    check("EEV-10.3", "FR", "2026-08-31T22:00:00Z", "2026-09-11T22:00:00Z");
    check("EEV-10.3", "FR", "2026-09-01T21:59:59.999Z", "2026-09-11T22:00:00Z");
    check("EEV-10.2", "FR", "2026-09-01T07:30:00Z", "2026-09-11T22:00:00Z");
    check("EEV-12", "DE", "2026-09-01T07:30:00Z", "2026-09-11T22:00:00Z");
    check("EEV-17", "IE", "2026-09-01T07:30:00Z", "2026-09-11T23:00:00Z");
    check("EIO-12.3", "DE", "2026-09-01T07:30:00Z", "2026-10-01T22:00:00Z");
    check("EIO-12.4", "DE", "2026-10-01T07:30:00Z", "2026-12-30T23:00:00Z");
}

#[test]
fn by_union_law_a_period_does_not_end_on_a_day_off() {
    // Saturday 12 September, Sunday 25 October (on which clocks go back), 14 July in France and not in Germany.
    check("EEV-10.3", "FR", "2026-09-02T07:30:00Z", "2026-09-14T22:00:00Z");
    check("EEV-10.3", "FR", "2026-10-15T07:30:00Z", "2026-10-26T23:00:00Z");
    check("EEV-10.3", "FR", "2026-07-04T07:30:00Z", "2026-07-15T22:00:00Z");
    check("EEV-10.3", "DE", "2026-07-04T07:30:00Z", "2026-07-14T22:00:00Z");
    check("EEV-11", "FR", "2026-09-01T07:30:00Z", "2026-11-02T23:00:00Z");
    // Easter: Good Friday 3 April to Monday 6 April in Germany; Friday is a working day in France.
    check("EEV-10.6", "DE", "2026-03-29T08:00:00Z", "2026-04-07T22:00:00Z");
    check("EEV-10.6", "FR", "2026-03-29T08:00:00Z", "2026-04-03T22:00:00Z");
}

#[test]
fn a_period_of_days_has_two_working_days_in_it() {
    // Friday before Whit Monday, three days: Tuesday is the first working day, Wednesday the second.
    check("D977-5u3", "DE", "2026-05-22T08:00:00Z", "2026-05-27T22:00:00Z");
    check("EEV-11.5", "DE", "2026-12-24T09:00:00Z", "2026-12-29T23:00:00Z");
    // One day need not have two.
    let de = country("DE");
    for (unit, due) in
        [(ClockUnit::CalendarDays, "2026-05-26T22:00:00Z"), (ClockUnit::WorkingDays, "2026-05-26T22:00:00Z")]
    {
        let period = Period { number: 1, unit };
        let count = Count { period, counting: Counting::Union, days: Days::of(&de, calendar(&de)) };
        assert_eq!(count.start(at("2026-05-22T08:00:00Z")).due, at(due), "{unit}");
    }
}

#[test]
fn a_period_in_hours_counts_from_the_next_full_hour() {
    for event in ["2026-09-01T08:00:00Z", "2026-09-01T08:20:00Z", "2026-09-01T08:59:59.999Z"] {
        check("EEV-10.4", "FR", event, "2026-09-01T17:00:00Z");
    }
    check("EEV-10.4", "FR", "2026-09-01T07:59:59.999Z", "2026-09-01T16:00:00Z");
    // The night on which clocks go back, and the one on which they go forward: eight hours are eight hours.
    check("EEV-10.4", "FR", "2026-10-24T22:30:00Z", "2026-10-25T07:00:00Z");
    check("EEV-10.4", "FR", "2026-03-28T23:30:00Z", "2026-03-29T08:00:00Z");
    // They run through weekends.
    check("EEV-10.4e", "DE", "2026-09-04T08:20:00Z", "2026-09-08T09:00:00Z");
    check("EEV-4.5", "DE", "2026-09-04T08:20:00Z", "2026-09-06T09:00:00Z");
    check("EIO-32", "DE", "2026-09-04T08:20:00Z", "2026-09-05T09:00:00Z");
    // An hour of a country whose clock is half an hour off begins half an hour later.
    check("EEV-10.4", "IN", "2026-09-01T08:20:00Z", "2026-09-01T16:30:00Z");
}

#[test]
fn working_days_are_those_of_the_state_that_acts() {
    // Ascension Day, Thursday 14 May 2026, is a working day in Ireland.
    for id in ["EEV-16.2", "EEV-16.7"] {
        check(id, "FR", "2026-05-08T08:00:00Z", "2026-05-18T22:00:00Z");
        check(id, "IE", "2026-05-08T08:00:00Z", "2026-05-15T23:00:00Z");
    }
}

#[test]
fn one_moment_is_two_days_in_two_states() {
    // Half past midnight of 2 September in Paris is still 1 September in Dublin.
    check("EEV-10.3", "FR", "2026-09-01T22:30:00Z", "2026-09-14T22:00:00Z");
    check("EEV-10.3", "IE", "2026-09-01T22:30:00Z", "2026-09-11T23:00:00Z");
}

#[test]
fn weeks_and_months_end_on_the_same_day() {
    check("EIO-16", "DE", "2026-09-01T07:30:00Z", "2026-09-08T22:00:00Z");
    // There is no 30 February; and one leap year has a 29th.
    check("UK-COPO-9", "GB", "2026-11-30T10:00:00Z", "2027-03-01T00:00:00Z");
    check("UK-COPO-9", "GB", "2027-11-30T10:00:00Z", "2028-03-01T00:00:00Z");
    check("MAL-31", "SN", "2024-02-29T10:00:00Z", "2026-03-01T00:00:00Z");
    let de = country("DE");
    let month = Period { number: 1, unit: ClockUnit::Months };
    let count = Count { period: month, counting: Counting::Union, days: Days::of(&de, calendar(&de)) };
    // General Data Protection Regulation, Article 12(3): one month.
    assert_eq!(count.start(at("2028-01-31T10:00:00Z")).due, at("2028-02-29T23:00:00Z"));
    // 31 January 2027 to 28 February, a Sunday.
    assert_eq!(count.start(at("2027-01-31T10:00:00Z")).due, at("2027-03-01T23:00:00Z"));
}

#[test]
fn without_rules_of_counting_nothing_is_moved() {
    // Saturday 31 October 2026.
    check("BUD-29", "DE", "2026-09-01T07:30:00Z", "2026-10-31T23:00:00Z");
    check("BUD-16", "DE", "2026-09-01T07:30:00Z", "2026-11-30T23:00:00Z");
    // Ten in the evening of 1 September in New York, where clocks go back on 1 November.
    check("BUD-29", "US", "2026-09-02T02:00:00Z", "2026-11-01T04:00:00Z");
    check("ECE-16-may", "DE", "2026-09-01T07:30:00Z", "2026-09-19T22:00:00Z");
    check("ECE-16", "DE", "2026-09-01T07:30:00Z", "2026-10-11T22:00:00Z");
    check("ECE-18-may", "DE", "2026-09-01T07:30:00Z", "2026-09-16T22:00:00Z");
    check("ECE-18", "DE", "2026-09-01T07:30:00Z", "2026-10-01T22:00:00Z");
    check("UNCAC-46(27)", "DE", "2026-09-01T07:30:00Z", "2026-09-16T22:00:00Z");
}

#[test]
fn what_stood_still_does_not_count() {
    let fr = country("FR");
    let days = count("EEV-10.3", &fr);
    let start = at("2026-09-01T07:30:00Z");
    let Ends { nominal, .. } = days.start(start);
    let resumed = |from, to| days.resume(start, nominal, at(from), at(to)).due;
    // 3 to 7 September are four days; a pause within one day moves nothing; Saturday 19 September moves on.
    assert_eq!(resumed("2026-09-03T10:00:00Z", "2026-09-07T10:00:00Z"), at("2026-09-15T22:00:00Z"));
    assert_eq!(resumed("2026-09-03T08:00:00Z", "2026-09-03T20:00:00Z"), at("2026-09-11T22:00:00Z"));
    assert_eq!(resumed("2026-09-03T10:00:00Z", "2026-09-11T10:00:00Z"), at("2026-09-21T22:00:00Z"));
    let hours = count("EEV-10.4", &fr);
    let Ends { nominal, .. } = hours.start(at("2026-09-01T08:20:00Z"));
    let (from, to) = (at("2026-09-01T09:10:00Z"), at("2026-09-01T11:50:00Z"));
    assert_eq!(hours.resume(start, nominal, from, to).due, at("2026-09-01T19:00:00Z"));
    let working = count("EEV-16.2", &fr);
    let start = at("2026-05-11T08:00:00Z");
    let Ends { nominal, due } = working.start(start);
    // 12, 13, 15, 18, 19 May; from Wednesday to Monday over Ascension and a weekend are two working days.
    assert_eq!(due, at("2026-05-19T22:00:00Z"));
    let moved = working.resume(start, nominal, at("2026-05-13T08:00:00Z"), at("2026-05-18T08:00:00Z"));
    assert_eq!(moved.due, at("2026-05-21T22:00:00Z"));
}

#[test]
fn an_extension_is_added_before_anything_is_moved() {
    let (de, fr) = (country("DE"), country("FR"));
    for (id, code, extended) in
        [("EIO-12.3", &de, "2026-11-02T23:00:00Z"), ("EEV-11", &fr, "2026-11-30T23:00:00Z")]
    {
        let (_, row) = row(id);
        let longer = row.extension.as_ref().unwrap();
        let count = count(id, code);
        let start = at("2026-09-01T07:30:00Z");
        let by = Period { number: longer.number, unit: longer.unit };
        assert_eq!(count.extend(start, count.start(start).nominal, by).due, at(extended), "{id}");
    }
}

#[test]
fn rows_without_a_number_have_no_period() {
    for id in ["BUD-25", "BUD-30", "BUD-31", "BUD-35"] {
        let (_, row) = row(id);
        assert_eq!((row.number, row.unit, row.mark), (None, None, VerificationMark::Read), "{id}");
    }
}

#[test]
fn a_calendar_says_for_which_years_it_holds() {
    let de = country("DE");
    let days = Days::of(&de, calendar(&de));
    let day = |text: &str| text.parse::<jiff::civil::Date>().unwrap();
    assert!(days.knows_holidays(day("2026-11-26"), day("2031-12-31")));
    assert!(!days.knows_holidays(day("2026-11-26"), day("2032-01-01")));
    assert!(!Days::of(&de, None).knows_holidays(day("2026-11-26"), day("2026-11-27")));
}
