//! The audit log as whoever checks it needs it: what a leaf commits to, and how a party's trail, a checkpoint and a
//! receipt are verified, offline.
//!
//! No service, no topic and no page: a library with few dependencies, so that nobody has to trust the operator's
//! program to check the operator. What it checks is written down in `docs/audit-log.md`, for whoever writes another.
//!
//! - [`leaf`]: a record of an event topic, and the commitment to it that stands in the log
//! - [`keys`]: the keys that checkpoints, trails and receipts are signed with
//! - [`tree`]: the log's tree over its leaves, and proofs in it
//! - [`cosignature`]: witnesses' signatures of heads
//! - [`bundle`]: a party's trail of one incident as one file
//! - [`verify`]: whether a bundle says the truth, and which truth that is
//! - [`receipt`]: the promise that an event will stand in the log
//! - [`command`]: what an agency signs when it gives a command

pub mod bundle;
pub mod command;
pub mod cosignature;
pub mod keys;
pub mod leaf;
pub mod receipt;
pub mod tree;
pub mod verify;

pub use keys::{LogKey, SigningKey};
pub use leaf::{Disclosed, Envelope, Frame, Place};
pub use tree::Root;
