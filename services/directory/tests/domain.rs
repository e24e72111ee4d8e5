//! The directory's decisions as tables: given a history, when somebody asks, then exactly these events.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

#[path = "domain/world.rs"]
mod world;

#[path = "domain/confirm.rs"]
mod confirm;
#[path = "domain/genesis.rs"]
mod genesis;
#[path = "domain/history.rs"]
mod history;
#[path = "domain/legal.rs"]
mod legal;
#[path = "domain/propose.rs"]
mod propose;
#[path = "domain/scope.rs"]
mod scope;
#[path = "domain/view.rs"]
mod view;
