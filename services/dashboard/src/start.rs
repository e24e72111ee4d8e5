//! The dashboard's part of a process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use chassis::host::{Host, HostError, Pages, StartError};
use schemas::delivery::DeliveryEvent;
use schemas::mla::MlaEvent;
use schemas::routing::RoutingEvent;
use schemas::victim_id::VictimIdEvent;

use crate::frames::{Framed, Frames};
use crate::http;

/// # Errors
/// When a thread cannot be started.
pub fn start(host: &mut Host) -> Result<Pages, StartError> {
    let frames = Arc::new(Frames::default());
    follow::<RoutingEvent>(host, "dashboard-routing", &frames)?;
    follow::<MlaEvent>(host, "dashboard-mla", &frames)?;
    follow::<VictimIdEvent>(host, "dashboard-victim-id", &frames)?;
    follow::<DeliveryEvent>(host, "dashboard-delivery", &frames)?;
    let pages = http::Pages { frames, reference: host.reference.clone(), clock: host.clock.clone() };
    Ok(Pages { described: http::pages(pages), status: Router::new() })
}

fn follow<B: Framed>(host: &mut Host, name: &'static str, frames: &Arc<Frames>) -> Result<(), HostError> {
    let (frames, is_whole) = (Arc::clone(frames), Arc::new(AtomicBool::new(false)));
    let (kafka, codec, whole) = (host.settings.kafka.clone(), host.codec.clone(), Arc::clone(&is_whole));
    let is_there = move || is_whole.load(Ordering::Relaxed);
    host.follow(name, is_there, move |stopping| frames.follow::<B>(&kafka, &codec, &whole, stopping))
}
