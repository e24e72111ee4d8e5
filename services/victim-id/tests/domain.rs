//! Victim identification's decisions as its users meet them: given a history, when somebody asks, then this.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

#[path = "domain/aftercare.rs"]
mod aftercare;
#[path = "domain/history.rs"]
mod history;
#[path = "domain/ledger.rs"]
mod ledger;
#[path = "model/people.rs"]
#[allow(dead_code, reason = "the model needs more of it")]
mod people;
#[path = "domain/search.rs"]
mod search;
#[path = "domain/series.rs"]
mod series;
