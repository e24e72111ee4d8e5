//! A child's place in series, as its incident keeps it.

use chassis::decider::{Context, Rejection};
use schemas::codes::{ActorKind, ChildNews, MemberSaid, RejectionCode, SeriesSaid};
use schemas::ids::{ChildRef, IncidentId, SeriesId};
use schemas::victim_id::{
    AgencyNoticed, ChildAddress, JoinSeries, LeaveSeries, MemberNews, MemberNoted, NewMaterialNoted,
    SeriesJoined, SeriesLeft, SeriesNews, VictimIdEvent,
};

use super::{Decided, Incident, held, is_found};

/// Most series of one child.
const MAX_SERIES: usize = 20;

pub fn join(context: &Context<'_>, incident: &Incident, command: &JoinSeries) -> Decided {
    let child = held(context, incident, command.child_ref)?;
    if child.series.contains(&command.series_id) {
        return Err(Rejection::at(RejectionCode::Invalid, "/series_id"));
    }
    if child.series.len() >= MAX_SERIES {
        return Err(RejectionCode::TooMany.into());
    }
    let (child_ref, series_id) = (command.child_ref, command.series_id);
    Ok(vec![SeriesJoined { child_ref, series_id, by: context.agency.clone() }.into()])
}

pub fn leave(context: &Context<'_>, incident: &Incident, command: &LeaveSeries) -> Decided {
    let child = held(context, incident, command.child_ref)?;
    if !child.series.contains(&command.series_id) {
        return Err(RejectionCode::UnknownSeries.into());
    }
    let (child_ref, series_id) = (command.child_ref, command.series_id);
    Ok(vec![SeriesLeft { child_ref, series_id, by: Some(context.agency.clone()) }.into()])
}

/// What a series says to a child that stands in it.
pub fn hear(context: &Context<'_>, incident: &Incident, news: &SeriesNews) -> Decided {
    // Only the service itself carries it.
    if context.actor.kind != ActorKind::Service {
        return Err(RejectionCode::NotEntitled.into());
    }
    let (child_ref, series_id) = (news.child_ref, news.series_id);
    let child = incident.children.get(&child_ref).filter(|child| child.series.contains(&series_id));
    let Some(child) = child else { return Ok(Vec::new()) };
    let told = |news| {
        let custodian = child.custody.as_ref().map(|custody| custody.custodian.clone());
        custodian.map(|agency| AgencyNoticed { child_ref, agency, news }.into()).into_iter().collect()
    };
    Ok(match news.said {
        SeriesSaid::Unknown => vec![SeriesLeft { child_ref, series_id, by: None }.into()],
        // Of a child that was found there is more than was known.
        SeriesSaid::Grew if is_found(child.status) => vec![NewMaterialNoted { child_ref, series_id }.into()],
        SeriesSaid::Grew => told(ChildNews::SeriesGrew),
        SeriesSaid::Identified => told(ChildNews::SeriesIdentified),
    })
}

/// What the series of a child are told by an event of its incident; by the state after it.
pub fn told(own: IncidentId, incident: &Incident, event: &VictimIdEvent) -> Vec<(SeriesId, MemberNews)> {
    let one = |child_ref, series_id, said| {
        let member = noted(own, incident, child_ref);
        member.map(|member| (series_id, MemberNews { said, member })).into_iter().collect()
    };
    let changed = |child_ref: ChildRef| {
        let series = incident.children.get(&child_ref).map(|child| child.series.iter());
        let all = series.into_iter().flatten();
        all.flat_map(|id| one(child_ref, *id, MemberSaid::Changed)).collect::<Vec<_>>()
    };
    match event {
        VictimIdEvent::SeriesJoined(joined) => one(joined.child_ref, joined.series_id, MemberSaid::Joined),
        // One that has not taken the child in it need not be told.
        VictimIdEvent::SeriesLeft(left) if left.by.is_some() => {
            one(left.child_ref, left.series_id, MemberSaid::Left)
        }
        VictimIdEvent::StatusRecorded(event) => changed(event.child_ref),
        VictimIdEvent::ChildAttributed(event) => changed(event.child_ref),
        VictimIdEvent::CustodyAccepted(event) => changed(event.child_ref),
        VictimIdEvent::CustodyCeded(event) => changed(event.child_ref),
        VictimIdEvent::CaseNoted(_) => incident.children.keys().flat_map(|child| changed(*child)).collect(),
        _ => Vec::new(),
    }
}

/// The child as a series knows it.
fn noted(own: IncidentId, incident: &Incident, child_ref: ChildRef) -> Option<MemberNoted> {
    let child = incident.children.get(&child_ref)?;
    let custody = child.custody.as_ref();
    Some(MemberNoted {
        member: ChildAddress { incident_id: own, child_ref },
        status: child.status,
        custodian: custody.map(|custody| custody.custodian.clone()),
        country: custody.map(|custody| custody.country.clone()),
        never_told: incident.noted.as_ref().map_or(Vec::new(), |noted| noted.never_told.clone()),
    })
}
