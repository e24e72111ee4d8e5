//! Who could see what of an incident, from Kafka alone: for the operator, who asks no service.

use chassis::kafka::Kafka;
use chassis::reader::{ReadError, scan};
use schemas::Event;
use schemas::codec::{Codec, CodecError};
use schemas::directory::DirectoryEvent;
use schemas::directory::view::Directory;
use schemas::envelope::Body;
use schemas::ids::IncidentId;

use crate::domain::readers::Readers;
use crate::trail::{TOPICS, told};

#[derive(Debug, thiserror::Error)]
pub enum ReadersError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("an event does not decode")]
    Decode(#[from] CodecError),
}

/// Of every agency. Reads each topic to its end, and blocks.
///
/// # Errors
/// When something cannot be read.
pub fn of_kafka(
    kafka: &Kafka,
    codec: &Codec,
    incident: IncidentId,
    tell: &mut dyn FnMut(&str),
) -> Result<Readers, ReadersError> {
    let mut directory = Directory::default();
    for value in values(kafka, DirectoryEvent::TOPIC, None, tell)? {
        let event: Event<DirectoryEvent> = codec.decode::<DirectoryEvent, _>(&value)?;
        directory.evolve(&event.body, event.time);
    }
    let (incident, mut events) = (incident.to_string(), Vec::new());
    for topic in TOPICS {
        for value in values(kafka, topic, Some(&incident), tell)? {
            events.push(told(codec, topic, &value)?);
        }
    }
    Ok(Readers::of(&directory, &events))
}

/// What stands in a topic under a key, in the order of each partition.
fn values(
    kafka: &Kafka,
    topic: &'static str,
    key: Option<&str>,
    tell: &mut dyn FnMut(&str),
) -> Result<Vec<Vec<u8>>, ReadError> {
    tell(&format!("reading {topic}"));
    let mut values = Vec::new();
    for partition in 0..kafka.partitions_of_topic(topic) {
        scan(kafka, topic, partition, |input| {
            if key.is_none_or(|key| input.key == key.as_bytes()) {
                values.extend(input.value);
            }
        })?;
    }
    Ok(values)
}
