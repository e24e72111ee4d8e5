//! The audit log: every committed record of every event topic, in one order, under signed heads that anybody can check.
//!
//! Topics in: every `*.events`. Topics out: `audit.log`, `audit.checkpoints`.
//!
//! Invariants:
//! - a committed record of an event topic is one leaf, exactly once, and a partition's records stand in their order;
//! - a head that is signed extends every head that was signed before;
//! - what everybody may read tells nobody what happened: a leaf is a salted commitment.
//!
//! Reading order: [`sequencing`] makes leaves of records, [`log`] and [`tree`] hold them, [`signing`] signs their
//! heads and [`witnesses`] cosign them, [`domain`] says who may see what, [`trail`] shows it, and [`readers`] who
//! could see it when. [`fsck`] holds the log against Kafka.

pub mod domain;
pub mod fsck;
pub mod http;
mod lateness;
pub mod log;
pub mod readers;
pub mod sequencing;
pub mod served;
pub mod settings;
pub mod signing;
mod start;
pub mod succession;
pub mod trail;
pub mod tree;
pub mod witness;
pub mod witnesses;

pub use start::start;

/// As its topics, its group and its address say it.
pub const NAME: &str = "audit";
