//! Which keys the disk may hold, so that looking for what is new costs no read.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use super::behind::settle;
use super::{Kind, StoreError};

/// Most keys of one page of sled's file.
const PAGE_KEYS: usize = 16;

/// Of each aggregate and outcome a few bits: what is not among them is not on disk, and most of what is looked for is
/// new. Two that share their bits only cost a look.
#[derive(Default)]
pub struct KnownKeys {
    bits: HashSet<u32>,
    hasher: RandomState,
}

impl KnownKeys {
    /// Looked for before they are there, and never taken out.
    const KINDS: [Kind; 2] = [Kind::Aggregate, Kind::Outcome];

    pub fn read(db: &sled::Db) -> Result<Self, StoreError> {
        let mut known = Self::default();
        let keys = Self::KINDS.iter().flat_map(|kind| db.scan_prefix([*kind as u8]).keys());
        for (read, key) in keys.enumerate() {
            let key = key.map_err(StoreError::Read)?;
            // Else most of the file would stay in memory.
            if read % PAGE_KEYS == 0 {
                settle(db, &key);
            }
            known.add(&key);
        }
        Ok(known)
    }

    pub fn add(&mut self, key: &[u8]) {
        if Self::KINDS.iter().any(|kind| key.first() == Some(&(*kind as u8))) {
            self.bits.insert(self.hasher.hash_one(key) as u32);
        }
    }

    pub fn may_hold(&self, kind: Kind, key: &[u8]) -> bool {
        !Self::KINDS.contains(&kind) || self.bits.contains(&(self.hasher.hash_one(key) as u32))
    }
}
