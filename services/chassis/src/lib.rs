//! All that is not domain: configuration, telemetry, HTTP, identity, Kafka, the store, sealing.
//!
//! The only crate that knows rdkafka, sled and JWT, and the only one that holds no domain word beyond the
//! contract's own. A service brings a [`decider::Service`] and its pages; [`host`] runs them.
//!
//! Reading order: [`decider`] says what a service is, [`runner`] how its inputs are answered exactly once,
//! [`fold`] and [`store`] where its state stands, [`front`] how HTTP comes in, [`host`] how it all starts.

pub mod decider;

mod certificates;
pub mod clock;
pub mod config;
pub mod problem;
pub mod signature;
pub mod telemetry;

pub mod fold;
pub mod follow;
pub mod follower;
pub mod kafka;
pub mod keys;
pub mod known;
pub mod lag;
pub mod outages;
pub mod publish;
pub mod reader;
pub mod reference;
pub mod registry;
pub mod rights;
pub mod runner;
pub mod segments;
pub mod sequencer;
pub mod store;
mod transaction;
mod writer;

pub mod auth;
pub mod cursor;
pub mod front;
pub mod http;
pub mod limits;
pub mod receipts;

pub mod seal;
pub mod sealing;
pub mod settled;

pub mod failpoint;
pub mod memory;
pub mod meters;

pub mod host;
