//! The exposure ledger: who had to view material, and how much.
//!
//! A person's part is an aggregate of its own, under an id that says nothing of who it is. It tells the incident how
//! much was viewed there, so that each party sees what a child has cost already.

use apache_avro::AvroSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{AgencyId, ChildRef, IncidentId, ViewerId};

/// A person has viewed material of a child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct ExposureRecorded {
    pub viewer: ViewerId,
    pub by: AgencyId,
    pub incident_id: IncidentId,
    pub child_ref: ChildRef,
    pub items: i32,
}

/// With this a person has viewed more than the agency's own limit. Told once, until the person is below it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct ExposureLimitReached {
    pub viewer: ViewerId,
    pub items: i64,
    pub days: i32,
}

/// In an incident: so much of a child was viewed by one person of an agency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct ExposureCounted {
    pub child_ref: ChildRef,
    pub agency: AgencyId,
    pub viewer: ViewerId,
    pub items: i32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct RecordExposure {
    pub viewer: ViewerId,
    pub incident_id: IncidentId,
    pub child_ref: ChildRef,
    pub items: i32,
}

/// From a person's part of the ledger to the incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct CountExposure {
    pub counted: ExposureCounted,
}
