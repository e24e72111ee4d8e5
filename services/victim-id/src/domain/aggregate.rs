//! What an id of this service names: an incident, or a series.

use std::collections::BTreeMap;

use chassis::decider::{Clock, Context};
use schemas::Timestamp;
use schemas::victim_id::{VictimIdCommand, VictimIdEvent};
use serde::{Deserialize, Serialize};

use super::series::{self, Series};
use super::{Decided, Incident, RoutingNews};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Aggregate {
    Incident(Incident),
    Series(Series),
}

/// Nothing has happened yet.
static NO_INCIDENT: Incident =
    Incident { noted: None, engaged: BTreeMap::new(), children: BTreeMap::new(), withdrawn: false };
static NO_SERIES: Series = Series { opened_by: None, members: BTreeMap::new() };

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
            Self::Series(_) => &NO_INCIDENT,
        }
    }

    /// As a series; one that nobody has opened where it is something else.
    pub fn series(&self) -> &Series {
        match self {
            Self::Series(series) => series,
            Self::Incident(_) => &NO_SERIES,
        }
    }
}

/// # Errors
/// See [`schemas::codes::RejectionCode`]; a rejected attempt is on record.
pub fn decide(context: &Context<'_>, aggregate: &Aggregate, command: &VictimIdCommand) -> Decided {
    match command {
        VictimIdCommand::OpenSeries(_) => series::open(context, aggregate.series()),
        VictimIdCommand::MemberNews(news) => series::hear(context, aggregate.series(), news),
        _ => super::decide(context, aggregate.incident(), command),
    }
}

pub fn learn(context: &Context<'_>, aggregate: &Aggregate, news: &RoutingNews) -> Vec<VictimIdEvent> {
    super::learn(context, aggregate.incident(), news)
}

/// Takes one event in. Total, and holds no rule.
pub fn evolve(aggregate: &mut Aggregate, event: &VictimIdEvent, at: Timestamp) {
    if let VictimIdEvent::SeriesOpened(_) = event {
        *aggregate = Aggregate::Series(Series::default());
    }
    match aggregate {
        Aggregate::Incident(incident) => super::evolve(incident, event, at),
        Aggregate::Series(series) => series::evolve(series, event),
    }
}

pub fn clocks(aggregate: &Aggregate) -> Vec<Clock<VictimIdCommand>> {
    super::clocks(aggregate.incident())
}
