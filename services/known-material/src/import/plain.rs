//! A plain CSV: a header with `id,algorithm,digest`, and `classification`, `member` and `removed` where they are told.
//!
//! Several lines of one id are one entry with several digests.

use std::collections::HashMap;

use serde::Deserialize;

use super::{Entry, ImportError, Imported, digest};
use crate::digest::Algorithm;

const ALGORITHMS: &str = "md5, sha-1, sha-256, pdq";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: String,
    algorithm: String,
    digest: String,
    #[serde(default)]
    classification: String,
    #[serde(default)]
    member: String,
    #[serde(default)]
    removed: Option<bool>,
}

/// # Errors
/// When a line lacks something, or holds what is not known here; the error names the line.
pub fn read(text: &str) -> Result<Imported, ImportError> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let mut entries: Vec<Entry> = Vec::new();
    let mut numbers: HashMap<String, usize> = HashMap::new();
    // The header is line 1.
    for (number, line) in (2..).zip(reader.deserialize::<Line>()) {
        let line = line.map_err(|error| ImportError::Unreadable(error.to_string()))?;
        let place = format!("line {number}");
        if line.id.is_empty() {
            return Err(ImportError::Missing { place, name: "id" });
        }
        let number = *numbers.entry(line.id.clone()).or_insert_with(|| {
            entries.push(Entry {
                id: line.id.clone(),
                member: told(&line.member),
                classification: told(&line.classification),
                digests: Vec::new(),
                removed: line.removed.unwrap_or(false),
            });
            entries.len() - 1
        });
        must_agree(&place, &entries[number], &line)?;
        if entries[number].removed && line.digest.is_empty() {
            continue;
        }
        let algorithm = algorithm(&place, &line.algorithm)?;
        entries[number].digests.push(digest(&place, algorithm, &line.digest)?);
    }
    Ok(Imported { entries, ..Imported::default() })
}

fn told(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// What a further line of an entry tells of it is what the first has told: else it may have been taken back, or not.
fn must_agree(place: &str, entry: &Entry, line: &Line) -> Result<(), ImportError> {
    let differs = |name| Err(ImportError::Differs { place: place.to_owned(), name });
    if line.removed.is_some_and(|removed| removed != entry.removed) {
        return differs("removed");
    }
    if !line.classification.is_empty() && told(&line.classification) != entry.classification {
        return differs("classification");
    }
    if !line.member.is_empty() && told(&line.member) != entry.member {
        return differs("member");
    }
    Ok(())
}

fn algorithm(place: &str, name: &str) -> Result<Algorithm, ImportError> {
    let known = Algorithm::ALL.into_iter().find(|algorithm| {
        let plain = name.to_ascii_lowercase();
        plain == algorithm.to_string() || plain == algorithm.to_string().replace('-', "")
    });
    known.ok_or_else(|| ImportError::Unknown {
        place: place.to_owned(),
        name: name.to_owned(),
        expected: ALGORITHMS,
    })
}
