//! `audit.log` and `audit.checkpoints`: every event's place in one log, and the signed heads of it.

use apache_avro::AvroSchema;
use serde::{Deserialize, Serialize};

use crate::envelope::Body;
use crate::time::Timestamp;

/// Leaves of the log that follow each other, as one transaction has sequenced them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.audit")]
pub struct Sequenced {
    /// The place of the first leaf in the log, from 0 on.
    pub first: i64,
    pub leaves: Vec<Leaf>,
}

/// One record of an event topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.audit")]
pub struct Leaf {
    /// What stands in the log itself: 32 bytes (docs/audit-log.md).
    #[avro(with)]
    #[serde(with = "apache_avro::serde::bytes")]
    pub commitment: Vec<u8>,
    /// Where the record stands, and when it was written there.
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub timestamp: Timestamp,
    /// Empty where the record is no event: somebody else than its service has written it.
    pub aggregate_id: String,
    pub sequence: i64,
    /// Who acted, and when.
    pub agency: String,
    pub actor: String,
    pub time: Timestamp,
}

impl Body for Sequenced {
    const TOPIC: &'static str = "audit.log";

    fn name(&self) -> &'static str {
        "Sequenced"
    }
}

/// A head of the log, as it was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.audit")]
pub struct Checkpoint {
    pub origin: String,
    pub size: i64,
    pub time: Timestamp,
    /// A signed note (C2SP tlog-checkpoint).
    pub note: String,
}

impl Body for Checkpoint {
    const TOPIC: &'static str = "audit.checkpoints";

    fn name(&self) -> &'static str {
        "Checkpoint"
    }
}
