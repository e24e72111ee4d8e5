//! End to end, on real Kafka, over HTTP: `cargo xtask test` starts what these need.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod alerts;
mod apart;
mod audit;
mod bad_input;
mod browser;
mod chart;
mod corrections;
mod danger;
mod dashboard;
mod desk;
mod digest_sets;
mod erasure;
mod faults;
mod mla;
mod outside;
mod pages;
mod pause;
mod periods;
mod poison;
mod privacy;
mod prying;
mod report;
mod restore;
mod rights;
mod stores;
mod straight_line;
mod victim_id;
