//! What one side of a request owes, and what it is owed.

use schemas::Timestamp;
use schemas::codes::{ClockConsequence, DueReason, Measure, RequestRole, RequestState};
use schemas::mla::Step;

use super::state::{Period, Request};
use super::{guards, is_draft, is_over};

/// One thing that somebody has to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Item<'a> {
    pub reason: DueReason,
    /// By when; none where nothing says.
    pub due: Option<Timestamp>,
    /// The side whose turn it is.
    pub owed_by: RequestRole,
    /// The legal period, where it is one.
    pub period: Option<(&'a str, &'a Period)>,
}

/// Everything that is open in a request for one of its sides.
pub fn items(request: &Request, role: RequestRole) -> Vec<Item<'_>> {
    let mut items: Vec<Item<'_>> =
        request.periods.iter().filter_map(|(id, one)| of_period(id, one)).collect();
    let plain = |reason, owed_by| Item { reason, due: None, owed_by, period: None };
    let other = match request.draft.addressee {
        Some(_) => RequestRole::Addressee,
        None => RequestRole::Requested,
    };
    match request.state {
        state if is_draft(state) && role == RequestRole::Requesting => {
            items.push(plain(DueReason::Validation, RequestRole::Requesting));
        }
        RequestState::Transmitted => items.push(plain(DueReason::Receipt, other)),
        RequestState::Forwarded => items.push(plain(DueReason::Receipt, RequestRole::Requested)),
        RequestState::Received | RequestState::Acknowledged => items.push(next_of_receiver(request, other)),
        RequestState::ReturnedDeficient => items.push(plain(DueReason::Returned, RequestRole::Requesting)),
        RequestState::AdditionalInfoRequested => {
            items.push(plain(DueReason::Information, RequestRole::Requesting));
        }
        RequestState::AcceptedWithConditions if !request.conditions_agreed => {
            items.push(plain(DueReason::Conditions, RequestRole::Requesting));
        }
        RequestState::Accepted
        | RequestState::AcceptedWithConditions
        | RequestState::Postponed
        | RequestState::InExecution
        | RequestState::MeasureSubstituted
        | RequestState::Delayed => {
            items.push(Item { due: expected(request), ..plain(DueReason::Outcome, other) });
        }
        RequestState::InEnforcement => items.push(plain(DueReason::Decision, RequestRole::Requested)),
        // Data that were preserved stay where they are, guarded by their own periods.
        RequestState::Executed | RequestState::PartiallyExecuted if !preserves(request) => {
            items.push(plain(DueReason::Evidence, other));
        }
        RequestState::EvidenceTransmitted if !has_unreceived(request) => {
            items.push(plain(DueReason::Closure, RequestRole::Requesting));
        }
        RequestState::Refused | RequestState::Withdrawn if guards::owes_deletion(request) => {
            items.push(plain(DueReason::Deletion, RequestRole::Requesting));
        }
        _ => {}
    }
    if request.unconfirmed && !is_over(request.state) {
        items.push(plain(DueReason::WrittenConfirmation, RequestRole::Requesting));
    }
    if has_unreceived(request) && !is_over(request.state) {
        items.push(plain(DueReason::EvidenceReceipt, RequestRole::Requesting));
    }
    if let Some(needed) = request.draft.needed_by.as_ref().filter(|_| !is_over(request.state)) {
        items.push(Item { due: Some(needed.by), ..plain(DueReason::NeededBy, other) });
    }
    items
}

/// What whoever has received a request does next.
fn next_of_receiver(request: &Request, other: RequestRole) -> Item<'_> {
    let released = request.periods.values().find(|period| {
        period.started.then == ClockConsequence::Release && period.is_open() && period.ran_out.is_some()
    });
    let (reason, due, owed_by) = match released {
        // Nobody has raised a ground: the data go at the end of the period.
        Some(period) => (DueReason::Evidence, Some(period.started.due), other),
        None if request.withholds_from(RequestRole::Requested) => (DueReason::Conditions, None, other),
        None if request.is_unasked() => (DueReason::Closure, None, RequestRole::Requesting),
        None => (DueReason::Decision, None, other),
    };
    Item { reason, due, owed_by, period: None }
}

/// When the other side expects to be done with what it put off, or with what takes longer.
fn expected(request: &Request) -> Option<Timestamp> {
    let said = request.history.iter().rev().find_map(|taken| match (&taken.said, request.state) {
        (Step::Postponement(step), RequestState::Postponed) => Some(step.until),
        (Step::Delay(step), RequestState::Delayed) => Some(step.expected),
        _ => None,
    });
    said.flatten()
}

fn preserves(request: &Request) -> bool {
    request.draft.measures.contains(&Measure::Preservation)
}

fn has_unreceived(request: &Request) -> bool {
    request.evidence.iter().any(|evidence| evidence.received.is_none())
}

fn of_period<'a>(id: &'a str, period: &'a Period) -> Option<Item<'a>> {
    if !period.is_open() {
        return None;
    }
    let reason = match period.ran_out {
        _ if period.guards_data() => DueReason::Preservation,
        Some(_) => DueReason::Overdue,
        None => DueReason::LegalPeriod,
    };
    // A floor that was reached, and what ended by itself, is owed by nobody any more.
    let over = period.ran_out.is_some() && !period.is_overdue();
    let due = period.paused.is_none().then_some(period.started.due);
    (!over).then_some(Item { reason, due, owed_by: period.started.owed_by, period: Some((id, period)) })
}
