//! Digests over length-prefixed bytes, so that no two different lists of parts are ever the same bytes.
//!
//! The form, for anyone who computes one again: each part is written as its length (8 bytes, big endian) and
//! then itself; the first part is the purpose, a fixed text. SHA-256 over all of it, HMAC-SHA-256 where a
//! secret is used.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// SHA-256 over the length-prefixed parts.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// SHA-256 of bytes as they are, in hexadecimal: what `sha256sum` says of a file that holds them.
pub fn of_file(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// What an event's successor states about it: the digest over the topic, the key and the value as written.
pub fn of_record(topic: &str, key: &[u8], value: &[u8]) -> [u8; 32] {
    sha256(&[b"causeway-event-v1", topic.as_bytes(), key, value])
}

/// The first 16 bytes of a public derivation.
pub(crate) fn open(purpose: &str, parts: &[&[u8]]) -> [u8; 16] {
    let mut all = Vec::with_capacity(parts.len() + 1);
    all.push(purpose.as_bytes());
    all.extend_from_slice(parts);
    first_half(sha256(&all))
}

/// A secret that ids or selectors are derived with. Never printed, never serialized.
#[derive(Clone)]
pub struct Secret([u8; 32]);

impl Secret {
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// HMAC-SHA-256 over the purpose and the length-prefixed parts.
    pub fn mac(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        for part in std::iter::once(purpose.as_bytes()).chain(parts.iter().copied()) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    pub(crate) fn derive(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 16] {
        first_half(self.mac(purpose, parts))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

fn first_half(digest: [u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(sha256(&[b"ab", b"c"]), sha256(&[b"a", b"bc"]));
        assert_ne!(sha256(&[b"", b"x"]), sha256(&[b"x", b""]));
    }

    #[test]
    fn a_secret_does_not_print_itself() {
        assert_eq!(format!("{:?}", Secret::new([1; 32])), "Secret(..)");
    }
}
