//! The dashboard's part of a process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chassis::host::{Host, HostError, Pages, StartError};
use chassis::lag::Lag;
use chassis::meters;
use schemas::delivery::DeliveryEvent;
use schemas::envelope::Body as _;
use schemas::mla::MlaEvent;
use schemas::routing::RoutingEvent;
use schemas::victim_id::VictimIdEvent;

use crate::frames::{Framed, Frames};
use crate::looks::Looks;
use crate::settings::Settings;
use crate::{http, web};

/// Without settings for pages there is the API alone.
///
/// # Errors
/// When a thread cannot be started.
pub fn start(host: &mut Host, settings: &Settings) -> Result<Pages, StartError> {
    let (frames, lag) = (Arc::new(Frames::default()), Arc::new(Lag::default()));
    let is_whole = [
        follow::<RoutingEvent>(host, "dashboard-routing", &frames, &lag)?,
        follow::<MlaEvent>(host, "dashboard-mla", &frames, &lag)?,
        follow::<VictimIdEvent>(host, "dashboard-victim-id", &frames, &lag)?,
        follow::<DeliveryEvent>(host, "dashboard-delivery", &frames, &lag)?,
    ];
    host.measure("dashboard", RoutingEvent::TOPIC, &lag)?;
    let (counted, clock, whole) = (Arc::clone(&frames), host.clock.clone(), is_whole.clone());
    let description = "assignments in imminent danger that were not answered in time";
    #[expect(clippy::cast_precision_loss, reason = "nobody counts so many")]
    let count = move || {
        // Before all was read, what was answered long ago is not.
        let is_whole = whole.iter().all(|is_whole| is_whole.load(Ordering::Relaxed));
        if is_whole { counted.unanswered_danger(clock.now()) as f64 } else { 0.0 }
    };
    meters::gauge("causeway.danger.unanswered", "{assignment}", description, None, count);
    let looks = Looks::new(frames, host.clock.clone(), Arc::new(is_whole));
    let reference = host.reference.clone();
    let pages = settings.pages.clone().map(|settings| web::pages(looks.clone(), reference.clone(), settings));
    let described = http::api(http::Api { looks, reference });
    Ok(Pages { described, status: pages.unwrap_or_default() })
}

/// Says from then on whether the topic was read to its end.
fn follow<B: Framed>(
    host: &mut Host,
    name: &'static str,
    frames: &Arc<Frames>,
    lag: &Arc<Lag>,
) -> Result<Arc<AtomicBool>, HostError> {
    lag.reads_all(&host.settings.kafka, B::TOPIC);
    let (frames, lag, is_whole) = (Arc::clone(frames), Arc::clone(lag), Arc::new(AtomicBool::new(false)));
    let (kafka, codec, whole) = (host.settings.kafka.clone(), host.codec.clone(), Arc::clone(&is_whole));
    let told = Arc::clone(&is_whole);
    let is_there = move || told.load(Ordering::Relaxed);
    host.follow(name, is_there, move |stopping| frames.follow::<B>(&kafka, &codec, &lag, &whole, stopping))?;
    Ok(is_whole)
}
