//! The contract every service shares: what stands in each topic, and under which names.
//!
//! The `.avsc` files under `avro/` are the truth; the Rust types here describe exactly the newest version of
//! each of them, which a test holds. Nothing here does I/O, and nothing here decides.
//!
//! - [`ids`]: identifiers, how they are derived, and which partition they belong to
//! - [`codes`]: the code lists, whose data stands in `code-lists/`
//! - [`envelope`]: the one frame around every event and every command
//! - [`topics`]: the topics, their keys and their retention
//! - [`directory`], [`referral`], [`routing`], [`mla`], [`victim_id`], [`digest_sets`], [`delivery`], [`audit`],
//!   [`sealed_keys`], [`jurisdiction`], [`dead_letter`]: the bodies, a module per topic family
//! - [`legal`]: instruments and calendars, as entries of the directory
//! - [`codec`]: the Confluent wire format
//! - [`content`]: what is never carried

pub mod ids;
pub mod time;
#[macro_use]
mod code_list;
pub mod codes;
pub mod envelope;
pub mod topics;

pub mod audit;
pub mod dead_letter;
pub mod delivery;
pub mod directory;
pub mod jurisdiction;
pub mod legal;
pub mod mla;
pub mod referral;
pub mod routing;
pub mod sealed_keys;
pub mod victim_id;

pub mod codec;
pub mod content;
pub mod digest;
pub mod digest_sets;

pub use envelope::{Actor, Body, Command, CommandFailed, CommandRejected, Event, InputPosition};
pub use time::{Date, Timestamp};
