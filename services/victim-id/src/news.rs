//! What `routing.events` tells, and what incidents, series and the ledger tell each other.

use chassis::decider::{Heard, Outgoing};
use schemas::codec::{Codec, CodecError};
use schemas::envelope::Body;
use schemas::ids::{AgencyId, CommandId};
use schemas::routing::RoutingEvent;
use schemas::victim_id::{CaseNoted, VictimIdCommand, VictimIdEvent};
use schemas::{Actor, Command, Event, InputPosition};

use crate::domain::{self, Aggregate, CaseAmended, RoutingNews, ledger, membership, series};

pub fn hear(
    codec: &Codec,
    _: &InputPosition,
    value: &[u8],
) -> Result<Option<Heard<RoutingNews>>, CodecError> {
    let event: Event<RoutingEvent> = codec.decode::<RoutingEvent, _>(value)?;
    let news = match event.body {
        RoutingEvent::IncidentOpened(opened) => RoutingNews::Opened {
            noted: CaseNoted {
                referral_id: opened.referral_id,
                kind: opened.kind,
                urgency: opened.urgency,
                annotations: opened.annotations,
                never_told: opened.handling.never_told,
            },
            people: opened.people,
        },
        RoutingEvent::IncidentAmended(amended) => RoutingNews::Amended {
            amended: CaseAmended {
                kind: amended.kind,
                urgency: amended.urgency,
                annotations: amended.annotations,
                never_told: amended.handling.never_told,
            },
            people: amended.people,
        },
        RoutingEvent::AssignmentAccepted(accepted) => {
            RoutingNews::Accepted { agency: event.agency.clone(), assignment_id: accepted.assignment_id }
        }
        RoutingEvent::AssignmentRevoked(revoked) => RoutingNews::Ended(revoked.assignment_id),
        RoutingEvent::AssignmentClosed(closed) => RoutingNews::Ended(closed.assignment_id),
        RoutingEvent::IncidentWithdrawn(_) => RoutingNews::Withdrawn,
        _ => return Ok(None),
    };
    Ok(Some(Heard {
        aggregate_id: event.aggregate_id,
        cause: event.event_id.to_string(),
        time: event.time,
        agency: event.agency,
        news,
    }))
}

/// Commands to other incidents and to series; their ids follow from the event, so that each is given once.
pub fn tell(
    codec: &Codec,
    state: &Aggregate,
    event: &Event<VictimIdEvent>,
) -> Result<Vec<Outgoing>, CodecError> {
    let Ok(incident) = event.aggregate_id.parse() else { return Ok(Vec::new()) };
    let Ok(own_series) = event.aggregate_id.parse() else { return Ok(Vec::new()) };
    let link = domain::told(incident, &event.body);
    let member = series::told(own_series, &event.body);
    let to_incidents = link.map(|(other, news)| (other.incident_id, VictimIdCommand::from(news)));
    let to_incidents = to_incidents.into_iter().chain(member.map(|(to, news)| (to.incident_id, news.into())));
    let to_incidents = to_incidents.chain(ledger::told(&event.body).map(|(to, news)| (to, news.into())));
    let to_series = membership::told(incident, state.incident(), &event.body);
    let to_series = to_series.into_iter().map(|(series, news)| (series.to_string(), news.into()));
    let told = to_incidents.map(|(incident, news)| (incident.to_string(), news)).chain(to_series);
    told.enumerate().map(|(number, (to, body))| outgoing(codec, event, number, to, body)).collect()
}

fn outgoing(
    codec: &Codec,
    event: &Event<VictimIdEvent>,
    number: usize,
    to: String,
    body: VictimIdCommand,
) -> Result<Outgoing, CodecError> {
    let type_name = format!("{}.{}", VictimIdCommand::TOPIC, body.name());
    let command = Command {
        command_id: CommandId::derive(&[b"told", event.event_id.as_uuid().as_bytes(), &number.to_be_bytes()]),
        aggregate_id: to.clone(),
        digest: Vec::new(),
        time: event.time,
        agency: AgencyId::own(),
        actor: Actor::service("victim-id"),
        signature: None,
        body,
    };
    Ok(Outgoing {
        topic: VictimIdCommand::TOPIC.to_owned(),
        partition: None,
        key: to,
        value: codec.encode::<VictimIdCommand>(&command)?,
        id: command.command_id.to_string(),
        type_name,
    })
}
