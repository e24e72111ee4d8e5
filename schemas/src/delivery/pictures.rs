//! Pictures of an incident that look like known ones: found by delivery, judged by people.
//!
//! The digests of an incident's pictures stand sealed; here stands only which entry of a digest set each looks like.

use apache_avro::AvroSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::codes::MatchVerdict;
use crate::ids::{AgencyId, FacetId, IncidentId, ItemRef, PictureMatchId, SetEntryId, SetName};

/// A content item looks like what stands in a digest set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct PictureMatch {
    pub match_id: PictureMatchId,
    pub item_ref: ItemRef,
    pub entry_id: SetEntryId,
    pub set: SetName,
    /// Who has published the entry.
    pub by: AgencyId,
    pub classification: Option<String>,
    /// In how many of 256 bits the two digests (PDQ) differ.
    pub distance: i32,
}

/// The pictures of a referral were compared with every entry that stood then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct PicturesCompared {
    /// The sealed digests that were compared.
    pub facet_id: FacetId,
    pub matches: Vec<PictureMatch>,
}

/// A person says whether the item shows what the entry does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct MatchJudged {
    pub match_id: PictureMatchId,
    pub by: AgencyId,
    pub verdict: MatchVerdict,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct ComparePictures {
    pub facet_id: FacetId,
    pub matches: Vec<PictureMatch>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct JudgeMatch {
    pub match_id: PictureMatchId,
    pub verdict: MatchVerdict,
}

/// Somebody asked for matches that do not exist for them. Always rejected, and so on record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
#[avro(namespace = "org.causeway.delivery")]
pub struct ReadMatches {
    pub incident_id: IncidentId,
}
