//! Which legal periods a step starts, ends, pauses and moves.
//!
//! All of it follows from the rows of the legal basis as they stood when the request was validated. A period is held in
//! the request with everything that counts for it, so that what the directory says later changes nothing.

use chassis::decider::Context;
use schemas::Timestamp;
use schemas::codes::{
    ClockConsequence, ClockEnd, ClockKind, ClockUnit, Counting, Measure, RequestRole, RequestState,
    RequestStep, VerificationMark,
};
use schemas::ids::{Country, RequestId};
use schemas::legal::{ClockRow, Instrument};
use schemas::mla::{ClockMoved, ClockPaused, ClockStarted, MlaEvent, Step};

use super::draft::holds;
use super::state::{Incident, Period, Request};
use super::{guards, rules};
use crate::legal::calendar::Days;
use crate::legal::period::{self, Count, Ends};

/// The period that guards data until the end that their holder has stated.
pub const HOLDER_END: &str = "holder-end";
/// How long before that end it warns: a month, two weeks, a week and two days, in hours.
const HOLDER_WARNINGS: [i32; 4] = [720, 336, 168, 48];
const HOUR_MS: i64 = 3_600_000;

/// What follows from a step that was just taken, in the state after it.
pub fn follow(context: &Context<'_>, after: &Incident, id: RequestId, step: &Step) -> Vec<MlaEvent> {
    let Some(request) = after.requests.get(&id) else { return Vec::new() };
    let follow = Follow { context, id, request, step: step.code() };
    let mut events = match guards::basis(context, request) {
        Some(instrument) => follow.rows(instrument),
        None => Vec::new(),
    };
    events.extend(follow.holder_end(step));
    events.extend(follow.parents_periods(after));
    events.extend(follow.over(&events));
    events
}

struct Follow<'a> {
    context: &'a Context<'a>,
    id: RequestId,
    request: &'a Request,
    step: RequestStep,
}

impl Follow<'_> {
    fn rows(&self, instrument: &Instrument) -> Vec<MlaEvent> {
        let kind = self.request.draft.kind;
        let rows = instrument.clocks.iter().filter(|row| row.mark.is_offered());
        let rows = rows.filter(|row| row.requests.is_empty() || row.requests.contains(&kind));
        rows.flat_map(|row| self.row(instrument, row)).collect()
    }

    fn row(&self, instrument: &Instrument, row: &ClockRow) -> Vec<MlaEvent> {
        let now = self.context.now;
        let has = |steps: &[RequestStep]| steps.contains(&self.step);
        let open = self.request.periods.get(&row.id).filter(|period| period.is_open());
        let Some(period) = open else {
            let starts = has(&row.starts) && row.when.iter().all(|when| holds(self.request, *when));
            let started = if starts { self.start(instrument, row) } else { None };
            return started.into_iter().collect();
        };
        if has(&row.ends) {
            return vec![period.end(if period.is_past(now) { ClockEnd::Late } else { ClockEnd::Met })];
        }
        if has(&row.superseded_by) {
            return vec![period.end(ClockEnd::Superseded)];
        }
        if period.ran_out.is_some() {
            return Vec::new();
        }
        let Some(count) = self.count(instrument.counting, row) else { return Vec::new() };
        let (from, nominal) = (period.started.from, period.started.nominal);
        match (period.paused, &row.extension) {
            (None, _) if has(&row.pauses) => {
                vec![ClockPaused { request_id: self.id, clock: row.id.clone() }.into()]
            }
            (Some(paused), _) if has(&row.resumes) => {
                vec![self.moved(period, count.resume(from, nominal, paused, now), &row.warn_hours, None)]
            }
            (None, Some(longer)) if longer.step == self.step && period.extended_by.is_none() => {
                let by = period::Period { number: longer.number, unit: longer.unit };
                let ends = count.extend(from, nominal, by);
                vec![self.moved(period, ends, &row.warn_hours, Some(longer.article.clone()))]
            }
            _ => Vec::new(),
        }
    }

    fn start(&self, instrument: &Instrument, row: &ClockRow) -> Option<MlaEvent> {
        let now = self.context.now;
        let count = self.count(instrument.counting, row)?;
        let Ends { nominal, due } = count.start(now);
        let days = &count.days;
        let started = ClockStarted {
            request_id: self.id,
            clock: row.id.clone(),
            instrument: instrument.id.clone(),
            instrument_version: instrument.version,
            article: row.article.clone(),
            owed_by: row.owed_by,
            owed_to: row.owed_to,
            kind: row.kind,
            then: row.then,
            mark: row.mark,
            from: now,
            nominal,
            due,
            calendar: days.country.clone(),
            holidays_known: !counts_holidays(&count) || days.knows_holidays(days.day(now), days.day(due)),
            warnings: warnings(now, due, &row.warn_hours),
        };
        Some(started.into())
    }

    /// How a row is counted: by the days of the State in which what is owed is to be done.
    fn count(&self, counting: Counting, row: &ClockRow) -> Option<Count<'_>> {
        let period = period::Period { number: row.number?, unit: row.unit? };
        Some(Count { period, counting, days: self.days(row.owed_by) })
    }

    fn days(&self, role: RequestRole) -> Days<'_> {
        let directory = self.context.directory;
        let country: &Country = match role {
            RequestRole::Requesting => &self.request.country,
            RequestRole::Requested => &self.request.draft.requested,
            RequestRole::Addressee => {
                let addressee = self.request.draft.addressee.as_ref();
                let agency = addressee.and_then(|id| directory.agency(id, self.context.now));
                agency.map_or(&self.request.draft.requested, |agency| &agency.country)
            }
        };
        Days::of(country, directory.calendar(country, self.context.now))
    }

    fn moved(
        &self,
        period: &Period,
        ends: Ends,
        warn_hours: &[i32],
        extended_by: Option<String>,
    ) -> MlaEvent {
        ClockMoved {
            request_id: self.id,
            clock: period.started.clock.clone(),
            nominal: ends.nominal,
            due: ends.due,
            warnings: warnings(self.context.now, ends.due, warn_hours),
            extended_by,
        }
        .into()
    }

    /// The data holder's own end, until the request for the data has been received.
    fn holder_end(&self, step: &Step) -> Option<MlaEvent> {
        let ends = match step {
            Step::Preserved(preserved) => preserved.holder_end?,
            Step::HolderEnd(end) => end.ends,
            _ => return None,
        };
        let now = self.context.now;
        if let Some(period) = self.request.periods.get(HOLDER_END).filter(|period| period.is_open()) {
            let ends = Ends { nominal: ends, due: ends };
            return Some(self.moved(period, ends, &HOLDER_WARNINGS, None));
        }
        let days = self.days(RequestRole::Requesting);
        let started = ClockStarted {
            request_id: self.id,
            clock: HOLDER_END.to_owned(),
            instrument: self.request.draft.basis.clone()?,
            instrument_version: 0,
            article: "the data holder's own statement".to_owned(),
            owed_by: RequestRole::Requesting,
            owed_to: RequestRole::Requested,
            kind: ClockKind::Exact,
            then: ClockConsequence::Ceases,
            mark: VerificationMark::Declared,
            from: now,
            nominal: ends,
            due: ends,
            calendar: days.country.clone(),
            holidays_known: true,
            warnings: warnings(now, ends, &HOLDER_WARNINGS),
        };
        Some(started.into())
    }

    /// Once the request behind a preservation is received, it guards the data itself; when it comes back or falls away,
    /// the preservation guards them again.
    fn parents_periods(&self, after: &Incident) -> Vec<MlaEvent> {
        let parent = self.request.draft.parent.and_then(|parent| after.requests.get(&parent));
        // Another preservation secures, but asks for nothing.
        let asks = !self.request.draft.measures.contains(&Measure::Preservation);
        let Some(parent) = parent.filter(|_| asks) else { return Vec::new() };
        let guarding = parent.periods.values().filter(|period| period.guards_data());
        match self.step {
            RequestStep::Receipt => guarding
                .filter(|period| period.is_open())
                .map(|period| period.end(ClockEnd::Superseded))
                .collect(),
            RequestStep::ReturnDeficient | RequestStep::Withdrawal | RequestStep::Refusal
                if !self.another_is_received(after) =>
            {
                let superseded = |period: &&Period| matches!(period.ended, Some((_, ClockEnd::Superseded)));
                let again =
                    guarding.filter(superseded).filter(|period| period.started.due > self.context.now);
                again.map(|period| period.started.clone().into()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether another request behind the same preservation guards the data.
    fn another_is_received(&self, after: &Incident) -> bool {
        let others = after.requests.iter().filter(|(id, _)| **id != self.id);
        let mut behind = others.filter(|(_, other)| other.draft.parent == self.request.draft.parent);
        behind.any(|(_, other)| {
            !other.draft.measures.contains(&Measure::Preservation) && rules::is_with_receiver(other.state)
        })
    }

    /// What ends with the request. What data are kept for outlives its closing.
    fn over(&self, events: &[MlaEvent]) -> Vec<MlaEvent> {
        let (ends_all, ends_duties) = match self.request.state {
            // Sent again, it is received again, and its periods start anew.
            RequestState::Withdrawn
            | RequestState::Refused
            | RequestState::Lapsed
            | RequestState::ReturnedDeficient => (true, true),
            RequestState::Closed => (false, true),
            _ => (false, false),
        };
        let ended_now = |period: &&Period| {
            events.iter().any(|event| {
                matches!(event, MlaEvent::ClockEnded(ended)
                    if ended.request_id == self.id && ended.clock == period.started.clock)
            })
        };
        let open = self.request.periods.values().filter(|period| period.is_open());
        let open = open.filter(|period| ends_all || (ends_duties && !period.guards_data()));
        open.filter(|period| !ended_now(period)).map(|period| period.end(ClockEnd::Withdrawn)).collect()
    }
}

/// Whether a holiday moves the end.
fn counts_holidays(count: &Count<'_>) -> bool {
    match count.period.unit {
        ClockUnit::WorkingDays => true,
        ClockUnit::Hours => false,
        _ => count.counting == Counting::Union,
    }
}

/// So long before the end, earliest first; those that have passed are left out.
fn warnings(now: Timestamp, due: Timestamp, hours: &[i32]) -> Vec<Timestamp> {
    let moments = hours.iter().map(|hours| due.plus_millis(-i64::from(*hours) * HOUR_MS));
    moments.filter(|moment| *moment > now).collect()
}
