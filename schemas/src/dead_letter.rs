//! `<topic>.dead-letter`: records that could not be decoded or decided, as they were, with the reason.

use apache_avro::AvroSchema;
use serde::{Deserialize, Serialize};

use crate::envelope::{Body, InputPosition};
use crate::time::Timestamp;

/// A record set aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.dead_letter")]
pub struct DeadLetter {
    /// Where the record stands.
    pub source: InputPosition,
    /// Why it was set aside; never any of its content.
    pub reason: String,
    pub service: String,
    pub time: Timestamp,
    #[avro(with)]
    #[serde(with = "apache_avro::serde::bytes_opt")]
    pub key: Option<Vec<u8>>,
    /// The record's value as it was; cut when it is over the topic's limit.
    #[avro(with)]
    #[serde(with = "apache_avro::serde::bytes_opt")]
    pub value: Option<Vec<u8>>,
}

impl Body for DeadLetter {
    const TOPIC: &'static str = "dead-letter";

    fn name(&self) -> &'static str {
        "DeadLetter"
    }
}
