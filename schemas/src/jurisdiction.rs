//! `jurisdiction.<cc>`: the notices that every agency of one country may see.
//!
//! A police unit subscribes here with any Kafka client. Nothing folds from it, and nothing sealed stands in it.

use apache_avro::AvroSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::codes::{AssignmentState, IncidentKind, JurisdictionBasis, Urgency};
use crate::envelope::Body;
use crate::ids::{AgencyId, AssignmentId, Country, EventId, IncidentId};
use crate::time::Timestamp;

/// An assignment in the country was offered, or stands differently now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.jurisdiction")]
pub struct Notice {
    /// The event of delivery.events that this notice follows from.
    pub event_id: EventId,
    pub incident_id: IncidentId,
    pub assignment_id: AssignmentId,
    pub country: Country,
    pub agency: AgencyId,
    pub state: AssignmentState,
    pub kind: IncidentKind,
    pub urgency: Urgency,
    pub bases: Vec<JurisdictionBasis>,
    pub respond_by: Timestamp,
    pub time: Timestamp,
}

impl Body for Notice {
    const TOPIC: &'static str = "jurisdiction";

    fn name(&self) -> &'static str {
        "Notice"
    }
}
