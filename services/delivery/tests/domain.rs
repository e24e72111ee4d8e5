//! Delivery's decisions as tables: given a history, when somebody asks something, then exactly these events.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

#[path = "domain/world.rs"]
mod world;

#[path = "domain/added.rs"]
mod added;
#[path = "domain/children.rs"]
mod children;
#[path = "domain/deliver.rs"]
mod deliver;
#[path = "domain/erasure.rs"]
mod erasure;
#[path = "domain/history.rs"]
mod history;
#[path = "domain/notices.rs"]
mod notices;
#[path = "domain/open.rs"]
mod open;
#[path = "domain/pictures.rs"]
mod pictures;
#[path = "domain/report.rs"]
mod report;
#[path = "domain/requests.rs"]
mod requests;
#[path = "domain/untold.rs"]
mod untold;
