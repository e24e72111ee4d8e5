//! JSON as ThreatExchange's `threat_updates` answers: a list `data` of indicators, each with a `type` such as
//! `HASH_PDQ`, what members say of it, and whether it is to be deleted; where it goes on stands under `paging`.
//!
//! Field names as in <https://developers.facebook.com/docs/threat-exchange/reference/apis>.

use serde::Deserialize;

use super::{Entry, ImportError, Imported, Skipped, digest};
use crate::digest::Algorithm;

#[derive(Deserialize)]
struct Updates {
    data: Vec<Update>,
    paging: Option<Paging>,
}

#[derive(Deserialize)]
struct Paging {
    next: Option<String>,
}

#[derive(Deserialize)]
struct Update {
    id: String,
    indicator: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    should_delete: bool,
    descriptors: Option<Descriptors>,
}

#[derive(Deserialize)]
struct Descriptors {
    data: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    owner: Option<Owner>,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Deserialize)]
struct Owner {
    name: Option<String>,
    id: Option<String>,
}

/// Before a tag that says how the indicator is classified.
const CLASSIFIED: &str = "classification:";

/// # Errors
/// When the document does not read, or an indicator is no digest of its type.
pub fn read(text: &str) -> Result<Imported, ImportError> {
    let updates: Updates =
        serde_json::from_str(text).map_err(|error| ImportError::Unreadable(error.to_string()))?;
    let mut imported =
        Imported { next: updates.paging.and_then(|paging| paging.next), ..Imported::default() };
    for (number, update) in updates.data.into_iter().enumerate() {
        let algorithm = match update.kind.as_str() {
            "HASH_MD5" | "HASH_VIDEO_MD5" => Algorithm::Md5,
            "HASH_SHA1" => Algorithm::Sha1,
            "HASH_SHA256" => Algorithm::Sha256,
            "HASH_PDQ" => Algorithm::Pdq,
            _ => {
                imported.skipped.push(Skipped { entry: update.id, name: update.kind });
                continue;
            }
        };
        let place = format!("/data/{number}/indicator");
        let digests = match digest(&place, algorithm, &update.indicator) {
            Ok(digest) => vec![digest],
            // What is taken back may be named by its id alone.
            Err(_) if update.should_delete => Vec::new(),
            Err(error) => return Err(error),
        };
        let first = update.descriptors.and_then(|all| all.data.into_iter().next());
        let member = first
            .as_ref()
            .and_then(|one| one.owner.as_ref())
            .and_then(|owner| owner.name.clone().or_else(|| owner.id.clone()));
        let tags = first.iter().flat_map(|one| &one.tags);
        let classification = tags.filter_map(|tag| tag.strip_prefix(CLASSIFIED)).next().map(str::to_owned);
        let removed = update.should_delete;
        imported.entries.push(Entry { id: update.id, member, classification, digests, removed });
    }
    Ok(imported)
}
