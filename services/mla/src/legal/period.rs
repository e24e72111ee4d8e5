//! When a legal period ends.
//!
//! By Union law (Regulation (EEC, Euratom) 1182/71, Article 3): the hour or day of the event is not counted; a period
//! that is not in hours and would end on a holiday, Sunday or Saturday ends with the following working day; one of two
//! days or more has at least two working days in it. Holidays are those of the State in which the act is to be done.
//! Where an instrument has no rules of counting, only the first of these is kept: the day of the event is not counted.
//!
//! An end is the first moment after the period: what comes before it comes in time.

use jiff::ToSpan as _;
use jiff::civil::Date;
use schemas::Timestamp;
use schemas::codes::{ClockUnit, Counting};

use super::calendar::Days;

/// A number of units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    pub number: i32,
    pub unit: ClockUnit,
}

/// Where a period ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Before it is moved off a holiday: what an extension or a pause is added to.
    pub nominal: Timestamp,
    pub due: Timestamp,
}

/// What a period is counted by.
#[derive(Clone, Debug)]
pub struct Count<'a> {
    pub period: Period,
    pub counting: Counting,
    pub days: Days<'a>,
}

impl Count<'_> {
    /// The end of a period that starts with an event.
    pub fn start(&self, event: Timestamp) -> Ends {
        let nominal = match self.period.unit {
            ClockUnit::Hours => hours_after(self.hour_of(event), self.period.number),
            _ => self.days.end_of(self.days_after(self.days.day(event), self.period)),
        };
        self.end(event, nominal)
    }

    /// The end once a period goes on that stood still from one event to another. Neither the hours nor the days that it
    /// stood still count; a pause within one day moves nothing.
    pub fn resume(
        &self,
        start: Timestamp,
        nominal: Timestamp,
        paused: Timestamp,
        resumed: Timestamp,
    ) -> Ends {
        let nominal = match self.period.unit {
            ClockUnit::Hours => {
                nominal.plus_millis(self.hour_of(resumed).as_millis() - self.hour_of(paused).as_millis())
            }
            unit => {
                let (from, to) = (self.days.day(paused), self.days.day(resumed));
                let last = self.last_day(nominal);
                let moved = match unit {
                    ClockUnit::WorkingDays => {
                        let stood_still = self.days.working_days(from, to).count();
                        self.days.after_working_days(last, i32::try_from(stood_still).unwrap_or(i32::MAX))
                    }
                    _ => last.saturating_add(from.duration_until(to)),
                };
                self.days.end_of(moved)
            }
        };
        self.end(start, nominal)
    }

    /// The end of a period that was made longer by another.
    pub fn extend(&self, start: Timestamp, nominal: Timestamp, by: Period) -> Ends {
        let nominal = match (self.period.unit, by.unit) {
            (ClockUnit::Hours, ClockUnit::Hours) => hours_after(nominal, by.number),
            _ => self.days.end_of(self.days_after(self.last_day(nominal), by)),
        };
        self.end(start, nominal)
    }

    fn end(&self, start: Timestamp, nominal: Timestamp) -> Ends {
        let due = match (self.counting, self.period.unit) {
            (Counting::Plain, _) | (_, ClockUnit::Hours) => nominal,
            _ => self.days.end_of(self.moved(self.days.day(start), self.last_day(nominal))),
        };
        Ends { nominal, due }
    }

    /// Off a holiday, Sunday or Saturday (3(4)), and until two working days are in it (3(5)).
    fn moved(&self, start: Date, last: Date) -> Date {
        let last = self.days.working_day_from(last);
        let one_day = matches!(self.period.unit, ClockUnit::CalendarDays | ClockUnit::WorkingDays);
        if one_day && self.period.number == 1 {
            return last;
        }
        match self.days.working_days(start, last).take(2).count() {
            0 => self.days.after_working_days(last, 2),
            1 => self.days.after_working_days(last, 1),
            _ => last,
        }
    }

    /// From where hours are counted.
    fn hour_of(&self, event: Timestamp) -> Timestamp {
        match self.counting {
            Counting::Union => self.days.next_hour(event),
            Counting::Plain => event,
        }
    }

    fn days_after(&self, day: Date, Period { number, unit }: Period) -> Date {
        match unit {
            ClockUnit::WorkingDays => self.days.after_working_days(day, number),
            // A date that the month does not have is its last one (3(2)).
            ClockUnit::Months => day.saturating_add(number.months()),
            ClockUnit::Years => day.saturating_add(number.years()),
            ClockUnit::Weeks => day.saturating_add(number.weeks()),
            ClockUnit::CalendarDays => day.saturating_add(number.days()),
            // A whole day is as long as it takes.
            ClockUnit::Hours => day.saturating_add(i64::from(number + 23).div_euclid(24).days()),
        }
    }

    fn last_day(&self, nominal: Timestamp) -> Date {
        self.days.day(nominal.plus_millis(-1))
    }
}

fn hours_after(moment: Timestamp, hours: i32) -> Timestamp {
    moment.plus_minutes(i64::from(hours) * 60)
}
