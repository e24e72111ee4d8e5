//! Legal assistance as its users meet it: periods by their rows, bases by State and date, requests by their history.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

#[path = "domain/bases.rs"]
mod bases;
#[path = "domain/history.rs"]
mod history;
#[path = "domain/orders.rs"]
mod orders;
#[path = "domain/periods.rs"]
mod periods;
#[path = "domain/preservation.rs"]
mod preservation;
#[path = "domain/steps.rs"]
mod steps;
#[path = "domain/world.rs"]
mod world;
