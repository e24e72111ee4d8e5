//! The trail of one incident for one agency: its events as far as the agency may see them, each with its proof.

use std::collections::BTreeMap;
use std::sync::Arc;

use audit_log::bundle::{self, Bytes32, Event, Head, Line, Schema};
use audit_log::leaf::{self, Disclosed, Envelope, Frame, Malformed, Place};
use audit_log::{Root, SigningKey};
use chassis::clock::Clock;
use chassis::reader::{ReadError, RecordReader};
use schemas::codec::{Codec, CodecError};
use schemas::codes::AgencyKind;
use schemas::delivery::DeliveryEvent;
use schemas::directory::Agency;
use schemas::envelope::Body;
use schemas::ids::IncidentId;
use schemas::mla::MlaEvent;
use schemas::referral::ReferralEvent;
use schemas::routing::RoutingEvent;
use schemas::victim_id::VictimIdEvent;

use crate::domain::audience::{Shown, Told};
use crate::domain::trail;
use crate::log::{Entry, Log, LogError};
use crate::signing::Latest;
use crate::tree::TreeError;

/// Topics whose aggregates are incidents.
const TOPICS: [&str; 5] =
    [ReferralEvent::TOPIC, RoutingEvent::TOPIC, MlaEvent::TOPIC, VictimIdEvent::TOPIC, DeliveryEvent::TOPIC];

#[derive(Debug, thiserror::Error)]
pub enum TrailError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error("failed to read an event")]
    Read(#[from] ReadError),
    #[error("an event does not decode")]
    Decode(#[from] CodecError),
    #[error("the record of leaf {0} is gone from its topic")]
    Gone(u64),
    #[error("the record of leaf {leaf} is no event any more")]
    Malformed { leaf: u64, source: Malformed },
    #[error("the proof of leaf {leaf} does not hold: the log's files are damaged")]
    Proof { leaf: u64, source: audit_log::tree::TreeError },
    #[error("the trail is longer than one file holds")]
    TooLong,
    #[error("failed to seal the trail")]
    Seal(#[from] audit_log::keys::NoteError),
}

/// What became of asking for a trail.
pub enum Asked {
    /// The trail as a file, under a head of so many leaves.
    Shown { file: String, size: u64 },
    /// There is no such incident for the agency.
    Hidden,
    /// There is none at all.
    Unknown,
}

/// An event of the incident, and where it stands.
struct Placed {
    entry: Entry,
    key: Vec<u8>,
    value: Vec<u8>,
}

pub struct Trails {
    pub log: Arc<Log>,
    pub records: RecordReader,
    pub codec: Codec,
    pub key: SigningKey,
    pub latest: Arc<Latest>,
    pub clock: Clock,
}

impl Trails {
    /// The trail as far as an agency may see it. Blocks: call it where blocking is allowed.
    ///
    /// # Errors
    /// See [`TrailError`].
    pub fn of(&self, incident: IncidentId, agency: &Agency) -> Result<Asked, TrailError> {
        // Before the first head nothing is proven yet.
        let Some(head) = self.latest.borrow().clone() else { return Ok(Asked::Unknown) };
        let events = self.events(incident, head.root.size)?;
        if events.is_empty() {
            return Ok(Asked::Unknown);
        }
        let told = events.iter().map(|placed| self.told(placed)).collect::<Result<Vec<_>, _>>()?;
        let Some(shown) = trail::shown(agency, &told) else { return Ok(Asked::Hidden) };
        if shown.len() > bundle::MAX_EVENTS {
            return Err(TrailError::TooLong);
        }
        let mut lines = vec![Line::Trail(Head {
            incident: incident.to_string(),
            agency: agency.id.to_string(),
            made: self.clock.now().to_string(),
            checkpoint: head.note,
        })];
        let (mut schemas, mut shown_events) = (BTreeMap::new(), Vec::new());
        for (placed, (_, _, told)) in events.iter().zip(&told) {
            let Some(how) = shown.get(&(placed.entry.topic.as_str(), placed.entry.sequence)) else {
                continue;
            };
            let disclosed = placed.disclosed(*how)?;
            if let Disclosed::Record { .. } | Disclosed::Body { .. } = disclosed {
                let id = leaf::schema_id(&placed.value).map_err(|source| placed.malformed(source))?;
                schemas.entry(id).or_insert_with(|| placed.entry.topic.clone());
            }
            // What happened between the events of a party is for the party to count, not to know.
            let named = agency.kind == AgencyKind::Coordinator || *how > Shown::Frame;
            let name = named.then(|| told.name().to_owned());
            shown_events.push(Line::Event(self.event(placed, name, disclosed, &head.root)?));
        }
        for (id, topic) in schemas {
            let text = self.codec.schema_text(i32::try_from(id).unwrap_or(i32::MAX))?;
            lines.push(Line::Schema(Schema { id, topic, text }));
        }
        lines.extend(shown_events);
        Ok(Asked::Shown { file: bundle::write(&lines, &self.key)?, size: head.root.size })
    }

    /// Everything of the incident that the head covers, by topic and in order.
    fn events(&self, incident: IncidentId, size: u64) -> Result<Vec<Placed>, TrailError> {
        let incident = incident.to_string();
        let mut events = Vec::new();
        for topic in TOPICS {
            let mut entries = self.log.of_aggregate(topic, &incident)?;
            entries.retain(|entry| entry.leaf < size);
            let Some(partition) = entries.first().map(|entry| entry.partition) else { continue };
            let offsets: Vec<i64> = entries.iter().map(|entry| entry.offset).collect();
            let found = self.records.read_all(topic, partition, &offsets)?;
            for (entry, found) in entries.into_iter().zip(found) {
                let (key, value) = found.ok_or(TrailError::Gone(entry.leaf))?;
                events.push(Placed { entry, key, value });
            }
        }
        Ok(events)
    }

    fn told(&self, placed: &Placed) -> Result<(String, i64, Told), TrailError> {
        let value = &placed.value;
        let told = match placed.entry.topic.as_str() {
            ReferralEvent::TOPIC => Told::Referral(self.codec.decode::<ReferralEvent, _>(value)?),
            RoutingEvent::TOPIC => Told::Routing(self.codec.decode::<RoutingEvent, _>(value)?),
            MlaEvent::TOPIC => Told::Mla(self.codec.decode::<MlaEvent, _>(value)?),
            VictimIdEvent::TOPIC => Told::VictimId(self.codec.decode::<VictimIdEvent, _>(value)?),
            _ => Told::Delivery(self.codec.decode::<DeliveryEvent, _>(value)?),
        };
        Ok((placed.entry.topic.clone(), placed.entry.sequence, told))
    }

    fn event(
        &self,
        placed: &Placed,
        name: Option<String>,
        disclosed: Disclosed,
        root: &Root,
    ) -> Result<Event, TrailError> {
        let entry = &placed.entry;
        let proof = self.log.tree().prove(entry.leaf, root.size)?;
        // A proof that does not hold would accuse the operator of what its disk has done.
        let frame = placed.frame()?;
        root.check_leaf(entry.leaf, &frame.commitment(), &proof)
            .map_err(|source| TrailError::Proof { leaf: entry.leaf, source })?;
        Ok(Event {
            topic: entry.topic.clone(),
            aggregate: entry.aggregate_id.clone(),
            sequence: entry.sequence,
            name,
            leaf: entry.leaf,
            proof: proof.into_iter().map(|hash| Bytes32(hash.0)).collect(),
            shown: disclosed.into(),
        })
    }
}

impl Placed {
    const fn place(&self) -> Place {
        Place {
            partition: self.entry.partition,
            offset: self.entry.offset,
            timestamp: self.entry.timestamp.as_millis(),
        }
    }

    fn malformed(&self, source: Malformed) -> TrailError {
        TrailError::Malformed { leaf: self.entry.leaf, source }
    }

    fn frame(&self) -> Result<Frame, TrailError> {
        Frame::of(&self.entry.topic, self.place(), &self.key, &self.value)
            .map_err(|error| self.malformed(error))
    }

    fn disclosed(&self, shown: Shown) -> Result<Disclosed, TrailError> {
        Ok(match shown {
            Shown::Record => Disclosed::Record {
                place: self.place(),
                key: self.entry.aggregate_id.clone(),
                value: self.value.clone(),
            },
            Shown::Body => {
                let envelope = Envelope::read(&self.value).map_err(|error| self.malformed(error))?;
                Disclosed::Body {
                    frame: self.frame()?,
                    salt: leaf::body_salt(envelope.salt),
                    schema_id: envelope.schema_id,
                    body: envelope.body.to_vec(),
                }
            }
            Shown::Frame => Disclosed::Frame(self.frame()?),
        })
    }
}
