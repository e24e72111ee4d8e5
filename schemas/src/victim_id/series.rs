//! Series: children of several incidents that one body of material shows.
//!
//! A series is an aggregate of its own, with an id that cannot be guessed. A child joins by its custodian, in its
//! incident; the incident tells the series, and the series tells the incidents of the others.

use apache_avro::AvroSchema;
use serde::{Deserialize, Serialize};

use super::ChildAddress;
use crate::codes::{ChildStatus, MemberSaid, SeriesSaid};
use crate::ids::{AgencyId, ChildRef, Country, SeriesId};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct SeriesOpened {
    pub by: AgencyId,
    pub country: Country,
}

/// A child of the series as its incident has told of it last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct MemberNoted {
    pub member: ChildAddress,
    pub status: ChildStatus,
    /// Who looks for the child, and its State; none where nobody does.
    pub custodian: Option<AgencyId>,
    pub country: Option<Country>,
    /// States that must never hear of its incident.
    pub never_told: Vec<Country>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct MemberLeft {
    pub member: ChildAddress,
}

/// There is no such series, or it is full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct MemberRefused {
    pub member: ChildAddress,
}

/// The custodian of a child of the series is told what has happened to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct MemberTold {
    /// Whose custodian is told.
    pub member: ChildAddress,
    pub about: ChildAddress,
    pub said: SeriesSaid,
}

/// In an incident: one of its children stands in a series.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct SeriesJoined {
    pub child_ref: ChildRef,
    pub series_id: SeriesId,
    pub by: AgencyId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct SeriesLeft {
    pub child_ref: ChildRef,
    pub series_id: SeriesId,
    /// Whose act it is; none where the series has not taken the child in.
    pub by: Option<AgencyId>,
}

/// There is new material of a child that was found: abuse may have resumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct NewMaterialNoted {
    pub child_ref: ChildRef,
    pub series_id: SeriesId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct OpenSeries {}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct JoinSeries {
    pub child_ref: ChildRef,
    pub series_id: SeriesId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct LeaveSeries {
    pub child_ref: ChildRef,
    pub series_id: SeriesId,
}

/// From an incident to the series: how a child of it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct MemberNews {
    pub said: MemberSaid,
    pub member: MemberNoted,
}

/// From the series to the incident of one of its children: what has happened to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct SeriesNews {
    pub child_ref: ChildRef,
    pub series_id: SeriesId,
    pub said: SeriesSaid,
}

/// Somebody asked for a series that does not exist for them. Always rejected, and so on record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.victim_id")]
pub struct ReadSeries {
    pub series_id: SeriesId,
}
