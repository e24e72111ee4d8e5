//! Known material by its digests: sets as others share them, and lookups that miss nothing.
//!
//! No service, no topic and no page: a library, so that whoever has to match matches alike. It holds digests and what
//! was said of them, never material.
//!
//! - [`digest`]: MD5, SHA-1, SHA-256 and PDQ, and how each is written
//! - [`import`]: sets in the formats that they are shared in
//! - [`exact`]: the same file, byte for byte
//! - [`near`]: pictures that look alike, within a Hamming distance; exact, whatever the digests

pub mod digest;
pub mod exact;
pub mod import;
pub mod near;

pub use digest::{Algorithm, Digest, Pdq};
pub use exact::ExactIndex;
pub use import::{Entry, Imported};
pub use near::{MAX_DISTANCE, Near, NearIndex};
