//! What an id of this service names: an incident, a series, or one person's part of the exposure ledger.

use std::collections::BTreeMap;

use chassis::decider::{Clock, Context};
use schemas::Timestamp;
use schemas::victim_id::{VictimIdCommand, VictimIdEvent};
use serde::{Deserialize, Serialize};

use super::ledger::{self, Ledger};
use super::series::{self, Series};
use super::{Decided, Incident, RoutingNews};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Aggregate {
    Incident(Incident),
    Series(Series),
    Ledger(Ledger),
}

/// Nothing has happened yet.
static NO_INCIDENT: Incident =
    Incident { noted: None, engaged: BTreeMap::new(), children: BTreeMap::new(), withdrawn: false };
static NO_SERIES: Series = Series { opened_by: None, members: BTreeMap::new() };
static NO_LEDGER: Ledger = Ledger { agency: None, days: BTreeMap::new(), items: 0, last: None };

impl Default for Aggregate {
    fn default() -> Self {
        Self::Incident(Incident::default())
    }
}

impl Aggregate {
    /// As an incident; one in which nothing has happened where it is something else.
    pub fn incident(&self) -> &Incident {
        match self {
            Self::Incident(incident) => incident,
            Self::Series(_) | Self::Ledger(_) => &NO_INCIDENT,
        }
    }

    /// As a series; one that nobody has opened where it is something else.
    pub fn series(&self) -> &Series {
        match self {
            Self::Series(series) => series,
            Self::Incident(_) | Self::Ledger(_) => &NO_SERIES,
        }
    }

    /// As a person's part of the ledger; an empty one where it is something else.
    pub fn ledger(&self) -> &Ledger {
        match self {
            Self::Ledger(ledger) => ledger,
            Self::Incident(_) | Self::Series(_) => &NO_LEDGER,
        }
    }
}

/// # Errors
/// See [`schemas::codes::RejectionCode`]; a rejected attempt is on record.
pub fn decide(context: &Context<'_>, aggregate: &Aggregate, command: &VictimIdCommand) -> Decided {
    match command {
        VictimIdCommand::OpenSeries(_) => series::open(context, aggregate.series()),
        VictimIdCommand::RecordExposure(command) => ledger::record(context, aggregate.ledger(), command),
        VictimIdCommand::MemberNews(news) => series::hear(context, aggregate.series(), news),
        _ => super::decide(context, aggregate.incident(), command),
    }
}

pub fn learn(context: &Context<'_>, aggregate: &Aggregate, news: &RoutingNews) -> Vec<VictimIdEvent> {
    super::learn(context, aggregate.incident(), news)
}

/// Takes one event in. Total, and holds no rule.
pub fn evolve(aggregate: &mut Aggregate, event: &VictimIdEvent, at: Timestamp) {
    match (event, &aggregate) {
        (VictimIdEvent::SeriesOpened(_), _) => *aggregate = Aggregate::Series(Series::default()),
        (VictimIdEvent::ExposureRecorded(_), Aggregate::Incident(_)) => {
            *aggregate = Aggregate::Ledger(Ledger::default());
        }
        _ => {}
    }
    match aggregate {
        Aggregate::Incident(incident) => super::evolve(incident, event, at),
        Aggregate::Series(series) => series::evolve(series, event),
        Aggregate::Ledger(ledger) => ledger::evolve(ledger, event, at),
    }
}

pub fn clocks(aggregate: &Aggregate) -> Vec<Clock<VictimIdCommand>> {
    super::clocks(aggregate.incident())
}
