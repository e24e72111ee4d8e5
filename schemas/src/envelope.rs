//! The one frame around every event and every command.
//!
//! Event topics are kept for good, so the event's frame has carried everything from its first version on:
//! what it answers, what came before it, who acted, and which directory the decision used.

use apache_avro::AvroSchema;
use apache_avro::serde::AvroSchemaComponent;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::codes::{ActorKind, RejectionCode};
use crate::ids::{AgencyId, CommandId, EventId};
use crate::time::Timestamp;

/// A record of an event topic. `B` is the topic's union of bodies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway")]
pub struct Event<B: AvroSchemaComponent> {
    /// Derived from topic, aggregate and sequence.
    pub event_id: EventId,
    /// What this event is about; also the record's key.
    pub aggregate_id: String,
    /// 1, 2, 3 and so on without a gap, within the aggregate and the topic.
    pub sequence: i64,
    /// SHA-256 of the event with the sequence before, length-prefixed over topic, key and value; empty for the first.
    #[avro(with)]
    #[serde(with = "apache_avro::serde::bytes")]
    pub predecessor: Vec<u8>,
    /// 16 random bytes, so that a commitment to this event tells nothing to whoever may not read it.
    #[avro(with)]
    #[serde(with = "apache_avro::serde::bytes")]
    pub salt: Vec<u8>,
    /// The record that this event answers.
    pub input: InputPosition,
    /// The command, or the other service's event, that this event answers.
    pub cause: String,
    /// Digest over what the command asked, to tell a resend from another command under the same id; empty when
    /// the cause is another service's event.
    #[avro(with)]
    #[serde(with = "apache_avro::serde::bytes")]
    pub cause_digest: Vec<u8>,
    /// When the command was given.
    pub time: Timestamp,
    /// The agency that acted.
    pub agency: AgencyId,
    pub actor: Actor,
    /// The offset in directory.events up to which the directory was known to the decision; -1 for none.
    pub directory_position: i64,
    /// The agency's own signature over the command's bytes, where it gave one.
    #[avro(with)]
    #[serde(with = "apache_avro::serde::bytes_opt")]
    pub signature: Option<Vec<u8>>,
    pub body: B,
}

/// A record of a command topic. `B` is the topic's union of bodies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway")]
pub struct Command<B: AvroSchemaComponent> {
    /// Derived from agency and idempotency key, or from the cause: the same command has the same id.
    pub command_id: CommandId,
    /// What the command is about; also the record's key.
    pub aggregate_id: String,
    /// Digest over what was asked, to tell a resend from another command under the same id.
    #[avro(with)]
    #[serde(with = "apache_avro::serde::bytes")]
    pub digest: Vec<u8>,
    /// When the command was given.
    pub time: Timestamp,
    /// The agency that gives the command.
    pub agency: AgencyId,
    pub actor: Actor,
    /// The agency's own signature over the request's bytes, where it gave one.
    #[avro(with)]
    #[serde(with = "apache_avro::serde::bytes_opt")]
    pub signature: Option<Vec<u8>>,
    pub body: B,
}

/// Where a record stands in Kafka.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway")]
pub struct InputPosition {
    /// The topic without the deployment's prefix.
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
}

/// Who acted within the agency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, utoipa::ToSchema)]
#[avro(namespace = "org.causeway")]
pub struct Actor {
    /// Opaque: the agency knows who it is, nobody here does.
    pub id: String,
    pub kind: ActorKind,
}

impl Actor {
    /// A service of this system, acting on what it has read.
    pub fn service(name: &str) -> Self {
        Self { id: name.to_owned(), kind: ActorKind::Service }
    }
}

/// The command was understood and refused. It is an event too, so that refused attempts are on record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway")]
pub struct CommandRejected {
    pub command_id: CommandId,
    /// What was asked, by the name of the command's record.
    pub command: String,
    pub code: RejectionCode,
    /// JSON pointer to the field at fault, where one is.
    pub pointer: Option<String>,
}

/// The command could not be decided; its record is in the dead-letter topic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway")]
pub struct CommandFailed {
    pub command_id: Option<CommandId>,
    /// Why, without any of the record's content.
    pub reason: String,
}

/// The bodies of one command topic.
pub trait Body:
    Clone + PartialEq + Send + Sync + Serialize + DeserializeOwned + AvroSchemaComponent + 'static
{
    /// The topic, without the deployment's prefix.
    const TOPIC: &'static str;

    /// The name of the body's record: the CloudEvents type's last part.
    fn name(&self) -> &'static str;
}

/// The bodies of one event topic.
pub trait EventBody: Body + From<CommandRejected> + From<CommandFailed> {
    fn as_rejected(&self) -> Option<&CommandRejected>;
    fn as_failed(&self) -> Option<&CommandFailed>;
}

/// Declares the union of a topic's bodies: an enum whose variants are named as the records they hold.
#[macro_export]
macro_rules! event_bodies {
    ($(#[$meta:meta])* $name:ident in $topic:literal { $($variant:ident,)+ }) => {
        $crate::command_bodies! {
            $(#[$meta])* $name in $topic { CommandRejected, CommandFailed, $($variant,)+ }
        }

        impl $crate::envelope::EventBody for $name {
            fn as_rejected(&self) -> Option<&CommandRejected> {
                match self {
                    Self::CommandRejected(rejected) => Some(rejected),
                    _ => None,
                }
            }

            fn as_failed(&self) -> Option<&CommandFailed> {
                match self {
                    Self::CommandFailed(failed) => Some(failed),
                    _ => None,
                }
            }
        }
    };
}

/// As [`event_bodies`], for a command topic.
#[macro_export]
macro_rules! command_bodies {
    ($(#[$meta:meta])* $name:ident in $topic:literal { $($variant:ident,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, apache_avro::AvroSchema)]
        #[avro(repr = "bare_union")]
        #[allow(clippy::large_enum_variant, reason = "read, decided on and dropped: a box would cost each record more")]
        pub enum $name {
            $($variant($variant),)+
        }

        impl $crate::envelope::Body for $name {
            const TOPIC: &'static str = $topic;

            fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => stringify!($variant),)+ }
            }
        }

        $(
            impl From<$variant> for $name {
                fn from(body: $variant) -> Self {
                    Self::$variant(body)
                }
            }
        )+
    };
}
