//! Routing's decisions as tables: given a history, when somebody asks something, then exactly these events.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

#[path = "domain/directory.rs"]
mod directory;
#[path = "domain/world.rs"]
mod world;

#[path = "domain/amendment.rs"]
mod amendment;
#[path = "domain/answers.rs"]
mod answers;
#[path = "domain/assessments.rs"]
mod assessments;
#[path = "domain/consider.rs"]
mod consider;
#[path = "domain/danger.rs"]
mod danger;
#[path = "domain/escalation.rs"]
mod escalation;
#[path = "domain/held.rs"]
mod held;
#[path = "domain/history.rs"]
mod history;
#[path = "domain/lead.rs"]
mod lead;
#[path = "domain/news.rs"]
mod news;
#[path = "domain/preview.rs"]
mod preview;
#[path = "domain/raised.rs"]
mod raised;
#[path = "domain/retraction.rs"]
mod retraction;
#[path = "domain/transfer.rs"]
mod transfer;
#[path = "domain/view.rs"]
mod view;
#[path = "domain/withdrawal.rs"]
mod withdrawal;
