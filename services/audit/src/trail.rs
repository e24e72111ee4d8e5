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
use schemas::directory::view::Directory;
use schemas::envelope::Body;
use schemas::ids::{AgencyId, IncidentId};
use schemas::mla::MlaEvent;
use schemas::referral::ReferralEvent;
use schemas::routing::RoutingEvent;
use schemas::victim_id::VictimIdEvent;

use crate::domain::audience::{Shown, Told};
use crate::domain::readers::Readers;
use crate::domain::trail;
use crate::log::{Entry, Log, LogError};
use crate::signing::Latest;
use crate::tree::TreeError;

/// Topics whose aggregates are incidents.
pub const TOPICS: [&str; 5] =
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
    #[error("the record of leaf {0} is another than the one that was logged: somebody has changed it")]
    Changed(u64),
    #[error("the log is made of its topic anew, and not there yet")]
    Behind,
    #[error("the trail is longer than one file holds")]
    TooLong,
    #[error("failed to seal the trail")]
    Seal(#[from] audit_log::keys::NoteError),
}

/// What became of asking for something of an incident.
pub enum Asked<T> {
    /// As it stands under a head of so many leaves.
    Shown { what: T, size: u64 },
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
    /// The trail as far as an agency may see it, as a file. Blocks: call it where blocking is allowed.
    ///
    /// # Errors
    /// See [`TrailError`].
    pub fn of(&self, incident: IncidentId, agency: &Agency) -> Result<Asked<String>, TrailError> {
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
        Ok(Asked::Shown { what: bundle::write(&lines, &self.key)?, size: head.root.size })
    }

    /// Everything of the incident that the head covers, by topic and in order.
    fn events(&self, incident: IncidentId, size: u64) -> Result<Vec<Placed>, TrailError> {
        if !self.log.reaches(size)? {
            return Err(TrailError::Behind);
        }
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

    /// Who of an agency could see what of the incident, and when. Blocks, as [`Trails::of`] does.
    ///
    /// # Errors
    /// See [`TrailError`].
    pub fn readers(
        &self,
        incident: IncidentId,
        agency: &AgencyId,
        directory: &Directory,
    ) -> Result<Asked<Readers>, TrailError> {
        let Some(head) = self.latest.borrow().clone() else { return Ok(Asked::Unknown) };
        let events = self.events(incident, head.root.size)?;
        if events.is_empty() {
            return Ok(Asked::Unknown);
        }
        let told = events.iter().map(|placed| Ok(self.told(placed)?.2));
        let told = told.collect::<Result<Vec<_>, TrailError>>()?;
        let readers = Readers::of(directory, &told).only(agency);
        let is_one = !readers.readers.is_empty();
        Ok(if is_one { Asked::Shown { what: readers, size: head.root.size } } else { Asked::Hidden })
    }

    fn told(&self, placed: &Placed) -> Result<(String, i64, Told), TrailError> {
        let told = told(&self.codec, &placed.entry.topic, &placed.value)?;
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
        let tree = self.log.tree();
        let (proof, logged) = (tree.prove(entry.leaf, root.size)?, tree.leaves(entry.leaf, 1)?);
        // A proof that does not hold would accuse the operator of what its disk has done.
        let logged = logged.first().ok_or(LogError::Entry)?;
        root.check_leaf(entry.leaf, logged, &proof).map_err(LogError::Damaged)?;
        if *logged != placed.frame()?.commitment() {
            return Err(TrailError::Changed(entry.leaf));
        }
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

/// An event of an incident, by its topic.
///
/// # Errors
/// When it does not decode.
pub fn told(codec: &Codec, topic: &str, value: &[u8]) -> Result<Told, CodecError> {
    Ok(match topic {
        ReferralEvent::TOPIC => Told::Referral(codec.decode::<ReferralEvent, _>(value)?),
        RoutingEvent::TOPIC => Told::Routing(codec.decode::<RoutingEvent, _>(value)?),
        MlaEvent::TOPIC => Told::Mla(codec.decode::<MlaEvent, _>(value)?),
        VictimIdEvent::TOPIC => Told::VictimId(codec.decode::<VictimIdEvent, _>(value)?),
        _ => Told::Delivery(codec.decode::<DeliveryEvent, _>(value)?),
    })
}

impl TrailError {
    /// Whether the log's files may be to blame.
    pub const fn is_of_the_files(&self) -> bool {
        matches!(self, Self::Log(_) | Self::Tree(_))
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
