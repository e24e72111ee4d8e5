//! The days of one country: its midnight, its weekend, its holidays.

use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use schemas::Timestamp;
use schemas::ids::Country;
use schemas::legal::Calendar;

/// Where no calendar says otherwise: Saturday and Sunday (Regulation (EEC, Euratom) 1182/71, Article 2(2)).
const WEEKEND: &[i32] = &[6, 7];

/// The days by which a period is counted.
#[derive(Clone, Debug)]
pub struct Days<'a> {
    pub country: &'a Country,
    calendar: Option<&'a Calendar>,
    zone: TimeZone,
}

impl<'a> Days<'a> {
    /// Without a calendar: the days of UTC, without holidays.
    pub fn of(country: &'a Country, calendar: Option<&'a Calendar>) -> Self {
        let zone = calendar.and_then(|calendar| TimeZone::get(&calendar.time_zone).ok());
        Self { country, calendar, zone: zone.unwrap_or(TimeZone::UTC) }
    }

    /// The day in which a moment falls.
    pub fn day(&self, moment: Timestamp) -> Date {
        self.zone.to_datetime(moment.to_jiff()).date()
    }

    /// The first moment after a day.
    pub fn end_of(&self, day: Date) -> Timestamp {
        let next = day.saturating_add(1.day());
        let start = self.zone.to_ambiguous_zoned(next.at(0, 0, 0, 0)).compatible();
        start.map_or(Timestamp::from(jiff::Timestamp::MAX), |start| start.timestamp().into())
    }

    /// The first full hour after the moment, by the country's own clock: at a full hour, the next one.
    pub fn next_hour(&self, moment: Timestamp) -> Timestamp {
        const HOUR_MS: i64 = 3_600_000;
        let offset_ms = i64::from(self.zone.to_offset(moment.to_jiff()).seconds()) * 1_000;
        let into = (moment.as_millis() + offset_ms).rem_euclid(HOUR_MS);
        moment.plus_millis(HOUR_MS - into)
    }

    pub fn is_working(&self, day: Date) -> bool {
        let weekend = self.calendar.map_or(WEEKEND, |calendar| &calendar.weekend);
        let weekday = i32::from(day.weekday().to_monday_one_offset());
        let holiday =
            self.calendar.is_some_and(|calendar| calendar.holidays.binary_search(&day.into()).is_ok());
        !weekend.contains(&weekday) && !holiday
    }

    /// The day itself, or the first working day after it.
    pub fn working_day_from(&self, mut day: Date) -> Date {
        while !self.is_working(day) && day < Date::MAX {
            day = day.saturating_add(1.day());
        }
        day
    }

    /// So many working days after the day.
    pub fn after_working_days(&self, mut day: Date, count: i32) -> Date {
        for _ in 0..count {
            day = self.working_day_from(day.saturating_add(1.day()));
        }
        day
    }

    /// The working days after `from`, up to and with `to`.
    pub fn working_days(&self, from: Date, to: Date) -> impl Iterator<Item = Date> {
        from.series(1.day()).skip(1).take_while(move |day| *day <= to).filter(|day| self.is_working(*day))
    }

    /// Whether the calendar names the holidays of every year from the one day to the other.
    pub fn knows_holidays(&self, from: Date, to: Date) -> bool {
        self.calendar.is_some_and(|calendar| {
            calendar.first_year <= i32::from(from.year()) && i32::from(to.year()) <= calendar.last_year
        })
    }
}
