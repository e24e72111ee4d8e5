//! Intake's decisions as tables: given a history, when something comes in, then exactly these events.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

#[path = "domain/world.rs"]
mod world;

#[path = "domain/amend.rs"]
mod amend;
#[path = "domain/feedback.rs"]
mod feedback;
#[path = "domain/held.rs"]
mod held;
#[path = "domain/history.rs"]
mod history;
#[path = "domain/receive.rs"]
mod receive;
