//! Routing's decisions as tables: given a history, when somebody asks something, then exactly these events.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

#[path = "domain/directory.rs"]
mod directory;
#[path = "domain/world.rs"]
mod world;

#[path = "domain/answers.rs"]
mod answers;
#[path = "domain/assessments.rs"]
mod assessments;
#[path = "domain/consider.rs"]
mod consider;
#[path = "domain/danger.rs"]
mod danger;
#[path = "domain/history.rs"]
mod history;
#[path = "domain/lead.rs"]
mod lead;
#[path = "domain/raised.rs"]
mod raised;
#[path = "domain/transfer.rs"]
mod transfer;
