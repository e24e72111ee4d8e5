//! What `routing.events` tells, and what one incident of a link tells the other.

use chassis::decider::{Heard, Outgoing};
use schemas::codec::{Codec, CodecError};
use schemas::envelope::Body;
use schemas::ids::{AgencyId, CommandId};
use schemas::routing::RoutingEvent;
use schemas::victim_id::{CaseNoted, VictimIdCommand, VictimIdEvent};
use schemas::{Actor, Command, Event, InputPosition};

use crate::domain::{self, CaseAmended, RoutingNews};

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

/// The command to the other incident of a link; its id follows from the event, so that it is given once.
pub fn tell(codec: &Codec, event: &Event<VictimIdEvent>) -> Result<Option<Outgoing>, CodecError> {
    let Ok(own) = event.aggregate_id.parse() else { return Ok(None) };
    let Some((other, news)) = domain::told(own, &event.body) else { return Ok(None) };
    let key = other.incident_id.to_string();
    let body = VictimIdCommand::from(news);
    let type_name = format!("{}.{}", VictimIdCommand::TOPIC, body.name());
    let command = Command {
        command_id: CommandId::derive(&[b"link", event.event_id.as_uuid().as_bytes()]),
        aggregate_id: key.clone(),
        digest: Vec::new(),
        time: event.time,
        agency: AgencyId::own(),
        actor: Actor::service("victim-id"),
        signature: None,
        body,
    };
    Ok(Some(Outgoing {
        topic: VictimIdCommand::TOPIC.to_owned(),
        partition: None,
        key,
        value: codec.encode::<VictimIdCommand>(&command)?,
        id: command.command_id.to_string(),
        type_name,
    }))
}
