//! What a process measures of itself: names, units and labels in one place.
//!
//! Labels are services, topics, routes, methods, codes and settings: their number is bounded, and none of them says
//! which agency, person or incident something was about.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use opentelemetry::metrics::{Counter, Histogram};
use opentelemetry::{KeyValue, global};
use schemas::topics;

use crate::lag::Lag;
use crate::runner::Status;

const METER: &str = "causeway";

/// Upper ends of the histogram of requests, in seconds, as OpenTelemetry's conventions advise.
const REQUEST_SECONDS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// Methods that a request may have; any other is counted as one.
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"];

static REQUESTS: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    global::meter(METER)
        .f64_histogram("http.server.request.duration")
        .with_unit("s")
        .with_description("requests, until their answer begins")
        .with_boundaries(REQUEST_SECONDS.to_vec())
        .build()
});
static DEAD_LETTERS: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("causeway.dead_letters", "{record}", "records set aside as dead letters"));
static STORES: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("causeway.stores.set_aside", "{store}", "stores set aside, and built anew"));
static RESTARTS: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("causeway.runner.restarts", "{restart}", "times that a runner began anew"));
static LINES: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("causeway.log.lines", "{line}", "lines of the log that somebody should read"));

fn counter(name: &'static str, unit: &'static str, description: &'static str) -> Counter<u64> {
    global::meter(METER).u64_counter(name).with_unit(unit).with_description(description).build()
}

/// A request was answered.
pub fn request(method: &str, route: &str, status: u16, took: Duration) {
    let method = METHODS.into_iter().find(|known| *known == method).unwrap_or("_OTHER");
    let labels = [
        KeyValue::new("http.request.method", method),
        KeyValue::new("http.route", route.to_owned()),
        KeyValue::new("http.response.status_code", i64::from(status)),
    ];
    REQUESTS.record(took.as_secs_f64(), &labels);
}

/// A service has set a record of the topic aside.
pub fn dead_letter(service: &'static str, topic: &str) {
    count_dead_letters(1, service, topic);
}

fn count_dead_letters(count: u64, service: &'static str, topic: &str) {
    DEAD_LETTERS.add(count, &[of(service), KeyValue::new("topic", topic.to_owned())]);
}

/// A store was set aside. Its directory is called `<service>.<instance>`.
pub fn store_set_aside(path: &Path) {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let service = name.split('.').next().unwrap_or_default();
    STORES.add(1, &[KeyValue::new("service", service.to_owned())]);
}

/// What a service works with began anew.
pub fn began_anew(service: &'static str) {
    RESTARTS.add(1, &[of(service)]);
}

/// From now on lines are counted.
pub fn begin_lines() {
    ["error", "warn"].into_iter().for_each(|level| count_lines(0, level));
}

/// A line of the log that somebody should read.
pub fn line(level: &'static str) {
    count_lines(1, level);
}

fn count_lines(count: u64, level: &'static str) {
    LINES.add(count, &[KeyValue::new("level", level)]);
}

/// What is measured whenever somebody asks.
pub fn gauge(
    name: &'static str,
    unit: &'static str,
    description: &'static str,
    label: Option<(&'static str, &'static str)>,
    measure: impl Fn() -> f64 + Send + Sync + 'static,
) {
    let labels: Vec<KeyValue> = label.into_iter().map(|(key, value)| KeyValue::new(key, value)).collect();
    let _gauge = global::meter(METER)
        .f64_observable_gauge(name)
        .with_unit(unit)
        .with_description(description)
        .with_callback(move |gauge| gauge.observe(measure(), &labels))
        .build();
}

/// How a runner stands, and what it counts from now on: what is counted is there from the start, so that the first one
/// is seen.
#[expect(clippy::cast_precision_loss, reason = "nobody counts so many partitions")]
pub fn observe(service: &'static str, partitions: i32, status: &Arc<Status>) {
    let label = Some(("service", service));
    let description = "partitions that somebody has to decide on, over all instances";
    gauge("causeway.partitions.expected", "{partition}", description, label, move || f64::from(partitions));
    let owned = Arc::clone(status);
    let description = "partitions that this instance decides on";
    gauge("causeway.partitions.owned", "{partition}", description, label, move || {
        owned.owned_partitions() as f64
    });
    let stalled = Arc::clone(status);
    let description = "since a batch was committed, or there was nothing to do";
    gauge("causeway.runner.stalled", "s", description, label, move || stalled.stalled().as_secs_f64());
    for input in topics::inputs(service) {
        count_dead_letters(0, service, input);
    }
    STORES.add(0, &[of(service)]);
    RESTARTS.add(0, &[of(service)]);
}

/// How far a service is behind what it reads.
#[expect(clippy::cast_precision_loss, reason = "nobody counts so many inputs")]
pub fn observe_lag(service: &'static str, lag: &Arc<Lag>) {
    let label = Some(("service", service));
    let behind = Arc::clone(lag);
    let description = "inputs in Kafka that this instance has not answered yet";
    gauge("causeway.consumer.lag", "{record}", description, label, move || behind.unanswered() as f64);
    let held = Arc::clone(lag);
    let description = "for which a transaction that is not over has held up an input";
    gauge("causeway.inputs.held", "s", description, label, move || held.held().as_secs_f64());
    let silent = Arc::clone(lag);
    let description = "since Kafka said where the inputs end, which it is asked every few seconds";
    gauge("causeway.kafka.silent", "s", description, label, move || silent.silent().as_secs_f64());
}

fn of(service: &'static str) -> KeyValue {
    KeyValue::new("service", service)
}
