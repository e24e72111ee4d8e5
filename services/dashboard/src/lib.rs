//! Coordinators' pages: what is going on within their countries, and what needs a person.
//!
//! Topics in: `routing.events`, `mla.events`, `victim-id.events`, `delivery.events`. Topics out: none: whatever a
//! coordinator does goes to the service whose it is.
//!
//! Invariants:
//! - a coordinator sees countries, roles, codes and states within its own countries, and no person;
//! - what is shown is a fold over the topics alone: every instance shows the same.

pub mod domain;
mod frames;
pub mod http;
mod looks;
pub mod settings;
mod start;
mod streams;
mod web;

pub use start::start;
pub use web::BASE;

/// As addresses and settings say it.
pub const NAME: &str = "dashboard";
