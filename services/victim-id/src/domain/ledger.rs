//! One person's part of the exposure ledger: how much it had to view, and when somebody should look after it.
//!
//! How much of one child was viewed stands in its incident, without a name. Who had to view how much is read by the
//! person alone, and by whoever the agency has named for that.

use std::collections::BTreeMap;

use chassis::decider::{Context, Rejection};
use schemas::codes::{ActorKind, RejectionCode};
use schemas::directory::{Agency, Wellbeing};
use schemas::ids::{AgencyId, IncidentId};
use schemas::time::Date;
use schemas::victim_id::{
    CountExposure, ExposureCounted, ExposureLimitReached, ExposureRecorded, RecordExposure, VictimIdEvent,
};
use schemas::{Actor, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Decided, Incident};

/// Most items of one record.
const MAX_ITEMS: i32 = 10_000;
/// So many days are kept one by one: more than the longest limit that an agency may set.
const KEPT_DAYS: i32 = 100;
const MINUTES_A_DAY: i64 = 24 * 60;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Whose person it is.
    pub agency: Option<AgencyId>,
    /// Items by day, in UTC.
    pub days: BTreeMap<Date, i64>,
    pub items: i64,
    pub last: Option<Timestamp>,
}

pub fn record(context: &Context<'_>, ledger: &Ledger, command: &RecordExposure) -> Decided {
    // Each person's part stands under the person's own id.
    if context.aggregate_id != command.viewer.to_string() {
        return Err(Rejection::at(RejectionCode::Invalid, "/viewer"));
    }
    if !(1..=MAX_ITEMS).contains(&command.items) {
        return Err(Rejection::at(RejectionCode::Invalid, "/items"));
    }
    let recorded = ExposureRecorded {
        viewer: command.viewer,
        by: context.agency.clone(),
        incident_id: command.incident_id,
        child_ref: command.child_ref,
        items: command.items,
    };
    let limit = limit_of(context);
    let before = limit.map_or(0, |limit| ledger.within(limit.days, context.now));
    let items = before + i64::from(command.items);
    let passed = limit.filter(|limit| is_over(limit, items) && !is_over(limit, before));
    let passed = passed.map(|limit| ExposureLimitReached { viewer: command.viewer, items, days: limit.days });
    Ok(std::iter::once(recorded.into()).chain(passed.map(VictimIdEvent::from)).collect())
}

/// Whether so many items, viewed within the days of the limit, are more than it allows.
pub fn is_over(limit: &Wellbeing, items: i64) -> bool {
    items > i64::from(limit.items)
}

/// Whether the agency has named somebody as looking after its people.
pub fn looks_after(agency: &Agency, actor: &Actor) -> bool {
    agency.wellbeing.as_ref().is_some_and(|wellbeing| wellbeing.leads.contains(&actor.id))
}

fn limit_of<'a>(context: &Context<'a>) -> Option<&'a Wellbeing> {
    context.directory.agency(context.agency, context.now)?.wellbeing.as_ref()
}

/// What a person's part of the ledger says to the incident.
pub fn count(context: &Context<'_>, incident: &Incident, command: &CountExposure) -> Decided {
    // Only the service itself carries it.
    if context.actor.kind != ActorKind::Service {
        return Err(RejectionCode::NotEntitled.into());
    }
    let known = incident.children.contains_key(&command.counted.child_ref);
    Ok(if known { vec![command.counted.clone().into()] } else { Vec::new() })
}

/// Takes one event in. Total, and holds no rule.
pub fn evolve(ledger: &mut Ledger, event: &VictimIdEvent, at: Timestamp) {
    if let VictimIdEvent::ExposureRecorded(recorded) = event {
        ledger.agency = Some(recorded.by.clone());
        ledger.items += i64::from(recorded.items);
        *ledger.days.entry(at.utc_date()).or_default() += i64::from(recorded.items);
        ledger.last = ledger.last.max(Some(at));
        let kept = at.plus_minutes(-i64::from(KEPT_DAYS) * MINUTES_A_DAY).utc_date();
        ledger.days.retain(|day, _| *day > kept);
    }
}

/// What the incident is told by an event of a person's part of the ledger.
pub fn told(event: &VictimIdEvent) -> Option<(IncidentId, CountExposure)> {
    let VictimIdEvent::ExposureRecorded(recorded) = event else { return None };
    let counted = ExposureCounted {
        child_ref: recorded.child_ref,
        agency: recorded.by.clone(),
        viewer: recorded.viewer,
        items: recorded.items,
    };
    Some((recorded.incident_id, CountExposure { counted }))
}

impl Ledger {
    /// Items within so many days, today included.
    pub fn within(&self, days: i32, now: Timestamp) -> i64 {
        let first = now.plus_minutes(-i64::from(days) * MINUTES_A_DAY).utc_date();
        self.days.iter().filter(|(day, _)| **day > first).map(|(_, items)| items).sum()
    }
}
