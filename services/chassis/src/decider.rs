//! What a service is: a decider around its own topic.
//!
//! ```text
//! command ──▶ decide(state, command) ──▶ events ──▶ evolve(state, event) ──▶ state
//! ```
//!
//! Everything in [`Decider`] is pure: time, ids and the directory arrive as data, so that a decision can be
//! taken again and come out the same.

use schemas::codec::{Codec, CodecError};
use schemas::codes::{ActorKind, RejectionCode};
use schemas::directory::view::Directory;
use schemas::envelope::{Body, EventBody};
use schemas::ids::AgencyId;
use schemas::{Actor, Event, InputPosition, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a decision may know beside state and command.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The aggregate the command is about.
    pub aggregate_id: &'a str,
    /// The id of the command, or of the other service's event, that is answered.
    pub cause: &'a str,
    /// When the command was given: the only time a decision knows.
    pub now: Timestamp,
    pub agency: &'a AgencyId,
    pub actor: &'a Actor,
    pub directory: &'a Directory,
}

impl Context<'_> {
    /// What decides on people takes a person: a machine's receipt does not count.
    ///
    /// # Errors
    /// When a machine or a service acts.
    pub fn must_be_human(&self) -> Result<(), Rejection> {
        match self.actor.kind {
            ActorKind::Human => Ok(()),
            ActorKind::Machine | ActorKind::Service => Err(RejectionCode::NeedsAPerson.into()),
        }
    }
}

/// A command that was understood and is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    pub code: RejectionCode,
    /// JSON pointer to the field at fault, where one is.
    pub pointer: Option<String>,
}

impl Rejection {
    pub fn at(code: RejectionCode, pointer: &str) -> Self {
        Self { code, pointer: Some(pointer.to_owned()) }
    }
}

impl From<RejectionCode> for Rejection {
    fn from(code: RejectionCode) -> Self {
        Self { code, pointer: None }
    }
}

/// A moment at which an aggregate wants to hear that it has come.
#[derive(Clone, Debug, PartialEq)]
pub struct Clock<C> {
    /// Which clock of the aggregate: the same name at the same due time is the same tick.
    pub name: String,
    pub due: Timestamp,
    /// What the owner of the partition writes once the time has come.
    pub command: C,
}

pub trait Decider: Send + Sync + 'static {
    /// The state derives serde for the cache alone; its form may change with every build.
    type State: Clone + Default + Send + Sync + Serialize + DeserializeOwned + 'static;
    type Command: Body;
    type Event: EventBody;
    /// What another service's event tells this one.
    type News: Send + 'static;

    /// # Errors
    /// A rejection, which becomes an event as well: refused attempts are on record.
    fn decide(
        context: &Context<'_>,
        state: &Self::State,
        command: &Self::Command,
    ) -> Result<Vec<Self::Event>, Rejection>;

    /// What follows from another service's event: it has happened, so it cannot be rejected.
    fn learn(context: &Context<'_>, state: &Self::State, news: &Self::News) -> Vec<Self::Event>;

    /// Total, and holds no rule: what has happened has happened.
    fn evolve(state: &mut Self::State, event: &Event<Self::Event>);

    /// The clocks that run in this state.
    fn clocks(state: &Self::State) -> Vec<Clock<Self::Command>> {
        let _ = state;
        Vec::new()
    }
}

/// A decider with its place in the house: the topics it reads besides its own, and what it tells others.
pub trait Service: Decider {
    /// The service's name: its topics are `<TOPIC_FAMILY>.commands` and `.events`.
    const NAME: &'static str;

    /// Event topics of other services that this one learns from, keyed and partitioned as its own.
    const INPUTS: &'static [&'static str] = &[];

    /// What a record of one of [`Service::INPUTS`] tells this service; `None` when nothing.
    ///
    /// # Errors
    /// When the record cannot be decoded.
    fn hear(
        &self,
        codec: &Codec,
        position: &InputPosition,
        value: &[u8],
    ) -> Result<Option<Heard<Self::News>>, CodecError> {
        let _ = (codec, position, value);
        Ok(None)
    }

    /// Records for topics that nothing folds from, and commands to other aggregates, written in the event's own
    /// transaction.
    ///
    /// # Errors
    /// When a record cannot be encoded.
    fn tell(
        &self,
        codec: &Codec,
        state: &Self::State,
        event: &Event<Self::Event>,
    ) -> Result<Vec<Outgoing>, CodecError> {
        let _ = (codec, state, event);
        Ok(Vec::new())
    }

    /// What a query needs to find this event's aggregate by: entries of the service's index. The digest is the event's
    /// own.
    fn index(state: &Self::State, event: &Event<Self::Event>, digest: &[u8]) -> Vec<IndexEntry> {
        let _ = (state, event, digest);
        Vec::new()
    }
}

/// News with its circumstances.
#[derive(Clone, Debug)]
pub struct Heard<N> {
    pub aggregate_id: String,
    /// The other service's event.
    pub cause: String,
    pub time: Timestamp,
    pub agency: AgencyId,
    pub news: N,
}

/// A record for another topic.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Without the deployment's prefix.
    pub topic: String,
    /// None where it follows from the key, among as many partitions as the service's own topic has.
    pub partition: Option<i32>,
    pub key: String,
    pub value: Vec<u8>,
    /// The CloudEvents id: the event that the record follows from.
    pub id: String,
    /// The CloudEvents type behind `org.causeway.`, such as `jurisdiction.Notice`.
    pub type_name: String,
}

/// Where an event stands in its own topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub partition: i32,
    pub offset: i64,
}

/// One entry of a service's index; a `None` value takes the entry out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    pub key: IndexKey,
    pub value: Option<Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexKey {
    /// The whole key.
    Whole(Vec<u8>),
    /// Behind it stands where the event stands: entries in the order of the topic.
    Placed(Vec<u8>),
}

impl IndexKey {
    /// The key of an entry that an event at this place leaves.
    pub fn at(self, place: Place) -> Vec<u8> {
        match self {
            Self::Whole(key) => key,
            Self::Placed(mut key) => {
                place.write_behind(&mut key);
                key
            }
        }
    }
}

impl Place {
    /// Partition and offset, big endian.
    pub fn write_behind(self, key: &mut Vec<u8>) {
        key.extend_from_slice(&self.partition.to_be_bytes());
        key.extend_from_slice(&self.offset.to_be_bytes());
    }
}
