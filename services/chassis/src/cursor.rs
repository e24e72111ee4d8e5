//! Cursors of lists and streams: authenticated vectors of (partition, offset), bound to an agency.
//!
//! They say how far a reader has seen, not where an instance stands, so they hold on every instance. One that
//! was made up, or is another agency's, is refused.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemas::digest::Secret;
use schemas::ids::AgencyId;

use crate::problem::Problem;

const MAC_BYTES: usize = 16;
const ENTRY_BYTES: usize = 12;

/// The next offset per partition that the reader has not seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor(pub BTreeMap<i32, i64>);

/// Makes and checks cursors.
#[derive(Clone, Debug)]
pub struct Cursors(Secret);

impl Cursors {
    pub fn new(secret: Secret) -> Self {
        Self(secret)
    }

    pub fn write(&self, agency: &AgencyId, cursor: &Cursor) -> String {
        let mut bytes = Vec::with_capacity(MAC_BYTES + cursor.0.len() * ENTRY_BYTES);
        for (partition, offset) in &cursor.0 {
            bytes.extend_from_slice(&partition.to_be_bytes());
            bytes.extend_from_slice(&offset.to_be_bytes());
        }
        let mac = self.mac(agency, &bytes);
        bytes.extend_from_slice(&mac);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// # Errors
    /// When it is not a cursor of this agency.
    pub fn read(&self, agency: &AgencyId, text: &str) -> Result<Cursor, Problem> {
        self.try_read(agency, text)
            .ok_or_else(|| Problem::malformed().field("cursor", "not a cursor that was given to this agency"))
    }

    fn try_read(&self, agency: &AgencyId, text: &str) -> Option<Cursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (entries, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC_BYTES)?)?;
        // Cursors are no secrets and a forged one reveals nothing but its forger's own place in a list.
        if self.mac(agency, entries) != *mac {
            return None;
        }
        let entry = |entry: &[u8]| {
            let (partition, offset) = entry.split_at(4);
            Some((
                i32::from_be_bytes(partition.try_into().ok()?),
                i64::from_be_bytes(offset.try_into().ok()?),
            ))
        };
        entries.chunks(ENTRY_BYTES).map(entry).collect::<Option<_>>().map(Cursor)
    }

    fn mac(&self, agency: &AgencyId, entries: &[u8]) -> [u8; MAC_BYTES] {
        let mac = self.0.mac("cursor", &[agency.as_str().as_bytes(), entries]);
        mac[..MAC_BYTES].try_into().expect("a MAC has 32 bytes")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_its_agencys_and_whole() {
        let cursors = Cursors::new(Secret::new([1; 32]));
        let (own, other) = (AgencyId::try_new("de-bka").unwrap(), AgencyId::try_new("fr-ofmin").unwrap());
        let cursor = Cursor(BTreeMap::from([(0, 7), (3, 1 << 40)]));
        let text = cursors.write(&own, &cursor);
        assert_eq!(cursors.read(&own, &text).unwrap(), cursor);
        assert!(cursors.read(&other, &text).is_err());
        for forged in ["", "x", &text[1..], &format!("{text}AAAA")] {
            assert!(cursors.read(&own, forged).is_err(), "{forged}");
        }
    }
}
