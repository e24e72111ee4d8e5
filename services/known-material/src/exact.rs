//! The same file, byte for byte.

use std::collections::HashMap;

use crate::digest::Digest;

/// Entries by every digest that they have.
#[derive(Default)]
pub struct ExactIndex {
    entries: HashMap<Digest, Vec<u32>>,
}

impl ExactIndex {
    pub fn add(&mut self, digest: Digest, entry: u32) {
        let entries = self.entries.entry(digest).or_default();
        if !entries.contains(&entry) {
            entries.push(entry);
        }
    }

    pub fn remove(&mut self, digest: &Digest, entry: u32) {
        if let Some(entries) = self.entries.get_mut(digest) {
            entries.retain(|other| *other != entry);
            if entries.is_empty() {
                self.entries.remove(digest);
            }
        }
    }

    /// The entries that have the digest, in the order in which they were added.
    pub fn find(&self, digest: &Digest) -> &[u32] {
        self.entries.get(digest).map_or(&[], Vec::as_slice)
    }

    /// How many digests there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
