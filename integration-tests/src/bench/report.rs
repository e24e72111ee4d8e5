//! The figures of a run: a table to be read, and JSON to be compared.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};

use super::clocks::Ticks;
use super::ground::Memory;
use super::limit::Limit;
use super::log::Growth;
use super::near::Lookups;
use super::pages::Pages;
use super::rebuild::Rebuild;
use super::soak::Look;

/// Goals on two cores with the broker on the same machine (docs/operations/measuring.md says what they mean).
const GOAL_OF_LIMIT: f64 = 0.8;
const GOAL_OF_PLAIN: f64 = 0.5;
const GOAL_BATCH_PER_S: f64 = 10_000.0;
const GOAL_SINGLE_PER_S: f64 = 2_000.0;
const GOAL_OF_DECODE: f64 = 0.5;
const GOAL_RESIDENT_MIB: f64 = 256.0;
const GOAL_INCIDENTS: usize = 1_000_000;
const GOAL_LEAVES_OF_LIMIT: f64 = 0.5;
const GOAL_HEAD_MS: f64 = 1_000.0;
const GOAL_VIEW_MS: f64 = 300.0;
const GOAL_PROOF_US: f64 = 1_000.0;
const GOAL_PICTURES: usize = 1_000_000;
const GOAL_LOOKUPS_PER_S: f64 = 2_000.0;
/// Records a second of a plain loop at its best on two such cores, by the size of its transactions.
const COPY_REFERENCES: [f64; 2] = [64_000.0, 124_800.0];
const GOAL_OF_REFERENCE: f64 = 0.9;
const GOALS_P99_MS: [(u64, f64); 2] = [(115, 100.0), (1_000, 250.0)];

#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Referrals a second, each in a request of its own on one of 64 connections.
    pub intake_single_per_s: Option<f64>,
    /// By referrals a second, in milliseconds.
    pub latency_ms: BTreeMap<u64, Latency>,
    pub hops_ms: BTreeMap<u64, Vec<Hop>>,
    /// One for each number of incidents, smallest first.
    pub rounds: Vec<Round>,
    /// By open requests.
    pub clocks: BTreeMap<usize, Ticks>,
    /// By known pictures.
    pub near: BTreeMap<usize, Lookups>,
    /// From an event to a head that covers it, by referrals a second, in milliseconds.
    pub heads_ms: BTreeMap<u64, Latency>,
    /// By leaves.
    pub log: BTreeMap<usize, Growth>,
    /// In their order.
    pub soak: Vec<Look>,
}

/// Milliseconds from the due time of a request to its entry on the inbox stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Latency {
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
}

/// One part of the way, in milliseconds.
#[derive(Clone, Debug)]
pub struct Hop {
    pub name: &'static str,
    pub p50: f64,
    pub p99: f64,
}

/// What was measured with so many incidents.
#[derive(Clone, Debug, Default)]
pub struct Round {
    pub incidents: usize,
    /// Referrals a second in streams of lines, sealed and committed.
    pub intake_batch_per_s: f64,
    /// Referrals a second whose records a plain loop writes.
    pub plain_intake_per_s: Option<f64>,
    pub limit: Option<Limit>,
    /// Incidents a second.
    pub routing_per_s: Option<f64>,
    /// Incidents a second.
    pub delivery_per_s: Option<f64>,
    /// Events a second that become leaves of the audit log.
    pub leaves_per_s: Option<f64>,
    pub pages: Option<Pages>,
    /// By service, in events a second.
    pub rebuild: BTreeMap<&'static str, Rebuild>,
    /// By service, alone and at rest after the run.
    pub memory: BTreeMap<&'static str, Memory>,
    /// By service, started anew on its store and at rest.
    pub restarted: BTreeMap<&'static str, Memory>,
}

/// The value below which so great a share of the sorted values lies.
pub fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(place.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

impl Report {
    /// The figures of the largest round stand at the top; all rounds stand under `growth`.
    pub fn json(&self) -> Value {
        let mut all = json!({
            "intake_single_per_s": self.intake_single_per_s,
            "latency_ms": self.latency_ms.iter().map(|(rate, latency)| {
                let Latency { p50, p99, p999 } = latency;
                (rate.to_string(), json!({ "p50": p50, "p99": p99, "p999": p999 }))
            }).collect::<serde_json::Map<_, _>>(),
            "heads_ms": self.heads_ms.iter().map(|(rate, latency)| {
                let Latency { p50, p99, p999 } = latency;
                (rate.to_string(), json!({ "p50": p50, "p99": p99, "p999": p999 }))
            }).collect::<serde_json::Map<_, _>>(),
            "hops_ms": self.hops_ms.iter().map(|(rate, hops)| {
                let hops = hops.iter().map(|hop| json!({ "hop": hop.name, "p50": hop.p50, "p99": hop.p99 }));
                (rate.to_string(), hops.collect())
            }).collect::<serde_json::Map<_, _>>(),
            "clocks": self.clocks.iter().map(|(requests, ticks)| {
                let Ticks { idle_us, restart_s } = ticks;
                (requests.to_string(), json!({ "idle_us": idle_us, "restart_s": restart_s }))
            }).collect::<serde_json::Map<_, _>>(),
            "soak": self.soak.iter().map(|look| {
                let Look { referrals, resident, kafka_mib, stores_mib } = look;
                json!({ "referrals": referrals, "resident_mib": resident, "kafka_mib": kafka_mib,
                    "stores_mib": stores_mib })
            }).collect::<Vec<_>>(),
            "log": self.log.iter().map(|(leaves, growth)| {
                let Growth { append_per_s, root_us, proof_us, extends_us, disk_mib } = growth;
                (leaves.to_string(), json!({ "append_per_s": append_per_s, "root_us": root_us,
                    "proof_us": proof_us, "extends_us": extends_us, "disk_mib": disk_mib }))
            }).collect::<serde_json::Map<_, _>>(),
            "near": self.near.iter().map(|(pictures, lookups)| {
                let Lookups { build_s, mib, per_s, found, one_by_one_per_s, .. } = lookups;
                let others = lookups.others.iter().map(|other| {
                    json!({ "name": other.name, "build_s": other.build_s, "per_s": other.per_s })
                });
                (pictures.to_string(), json!({ "build_s": build_s, "mib": mib, "per_s": per_s, "found": found,
                    "one_by_one_per_s": one_by_one_per_s, "others": others.collect::<Vec<_>>() }))
            }).collect::<serde_json::Map<_, _>>(),
        });
        if let (Some(Value::Object(last)), Value::Object(all)) =
            (self.rounds.last().map(Round::json), &mut all)
        {
            all.extend(last);
        }
        all["growth"] = self.rounds.iter().map(Round::json).collect();
        all
    }
}

impl Round {
    fn json(&self) -> Value {
        let limit = self.limit.map(|limit| {
            json!({
                "records_per_s": limit.routing.records_per_s,
                "records_per_transaction": limit.routing.records_per_transaction,
                "record_bytes": limit.record_bytes,
                "copy_1000_per_s": limit.copy_1000_per_s,
                "copy_10000_per_s": limit.copy_10000_per_s,
            })
        });
        json!({
            "incidents": self.incidents,
            "copy_limit_per_s": self.limit.map(|limit| limit.routing.inputs_per_s),
            "copy_limit": limit,
            "routing_per_s": self.routing_per_s,
            "delivery_per_s": self.delivery_per_s,
            "leaves_per_s": self.leaves_per_s,
            "intake_batch_per_s": self.intake_batch_per_s,
            "plain_intake_per_s": self.plain_intake_per_s,
            "rebuild": self.rebuild.iter().map(|(service, rebuild)| {
                let Rebuild { per_s, read_decode_per_s, peak_mib } = rebuild;
                let figures =
                    json!({ "per_s": per_s, "read_decode_per_s": read_decode_per_s, "peak_mib": peak_mib });
                ((*service).to_owned(), figures)
            }).collect::<serde_json::Map<_, _>>(),
            "resident_mib": of_memory(&self.memory, |memory| memory.resident_mib),
            "peak_mib": of_memory(&self.memory, |memory| memory.peak_mib),
            "restarted_mib": of_memory(&self.restarted, |memory| memory.resident_mib),
            "restarted_peak_mib": of_memory(&self.restarted, |memory| memory.peak_mib),
            "pages": self.pages.as_ref().map(|pages| json!({
                "events": pages.events,
                "folded_per_s": pages.folded_per_s,
                "resident_mib": pages.resident_mib,
                "first_view_ms": pages.first_view_ms,
                "overview_p99_ms": pages.overview.p99,
                "list_p99_ms": pages.list.p99,
                "lookers_mib": pages.lookers_mib,
                "fan_out_ms": pages.fan_out_ms,
            })),
        })
    }

    fn rows(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "── {} incidents", self.incidents)?;
        if let Some(limit) = &self.limit {
            row(f, "(a) limit, inputs/s", limit.routing.inputs_per_s, "")?;
            row(f, "    its records/s", limit.routing.records_per_s, "")?;
            row(
                f,
                "    copy 400 B, 1,000 a transaction",
                limit.copy_1000_per_s,
                &of_reference(limit.copy_1000_per_s, 0),
            )?;
            row(
                f,
                "    copy 400 B, 10,000 a transaction",
                limit.copy_10000_per_s,
                &of_reference(limit.copy_10000_per_s, 1),
            )?;
        }
        let limit = self.limit.map(|limit| limit.routing.inputs_per_s);
        if let Some(routing) = self.routing_per_s {
            row(f, "(b) routing, incidents/s", routing, &share(routing, limit, "(a)", GOAL_OF_LIMIT))?;
        }
        if let Some(delivery) = self.delivery_per_s {
            row(f, "    delivery, incidents/s", delivery, "")?;
        }
        if let Some(leaves) = self.leaves_per_s {
            row(f, "(j) audit, leaves/s", leaves, &share(leaves, limit, "(a)", GOAL_LEAVES_OF_LIMIT))?;
        }
        let batch = self.intake_batch_per_s;
        row(f, "(c) intake in batches, referrals/s", batch, &at_least(batch, GOAL_BATCH_PER_S))?;
        if let Some(plain) = self.plain_intake_per_s {
            let note = share(batch, Some(plain), "it", GOAL_OF_PLAIN);
            row(f, "    a plain loop, referrals/s", plain, &format!("intake {note}"))?;
        }
        for (service, rebuild) in &self.rebuild {
            let note = share(rebuild.per_s, Some(rebuild.read_decode_per_s), "it", GOAL_OF_DECODE);
            row(f, &format!("(e) {service} rebuilds, events/s"), rebuild.per_s, "")?;
            row(
                f,
                "    reading and decoding, events/s",
                rebuild.read_decode_per_s,
                &format!("rebuild {note}"),
            )?;
            row(f, "    at most resident meanwhile, MiB", rebuild.peak_mib, "")?;
        }
        if let Some(pages) = &self.pages {
            row(f, "(k) dashboard, events", pages.events as f64, "")?;
            row(f, "    through the fold, events/s", pages.folded_per_s, "")?;
            row(f, "    MiB at rest", pages.resident_mib, "")?;
            row(f, "    first view, ms", pages.first_view_ms, &at_most(pages.first_view_ms, GOAL_VIEW_MS))?;
            row(f, "    overview, p50 ms", pages.overview.p50, "")?;
            row(f, "    overview, p99 ms", pages.overview.p99, &at_most(pages.overview.p99, GOAL_VIEW_MS))?;
            row(f, "    list of all incidents, p50 ms", pages.list.p50, "")?;
            row(
                f,
                "    list of all incidents, p99 ms",
                pages.list.p99,
                &at_most(pages.list.p99, GOAL_VIEW_MS),
            )?;
            row(f, "    overview, KiB uncompressed", pages.page_bytes as f64 / 1024.0, "")?;
            row(f, "    MiB with 1,000 who look", pages.lookers_mib, "")?;
            row(f, "    ms from the first to the last shown", pages.fan_out_ms, "")?;
        }
        for (service, Memory { resident_mib, peak_mib }) in &self.memory {
            // With fewer incidents the goal is no achievement.
            let is_full = self.incidents >= GOAL_INCIDENTS;
            let verdict = if is_full { at_most(*resident_mib, GOAL_RESIDENT_MIB) } else { String::new() };
            row(f, &format!("(f) {service}, MiB at rest"), *resident_mib, &verdict)?;
            row(f, "    at most while it worked", *peak_mib, "")?;
            if let Some(Memory { resident_mib, peak_mib }) = self.restarted.get(service) {
                row(f, "    started anew on its store", *resident_mib, "")?;
                row(f, "    at most since", *peak_mib, "")?;
            }
        }
        Ok(())
    }
}

fn of_memory<'a>(
    services: &BTreeMap<&'a str, Memory>,
    part: impl Fn(&Memory) -> f64,
) -> BTreeMap<&'a str, f64> {
    services.iter().map(|(service, memory)| (*service, part(memory))).collect()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(single) = self.intake_single_per_s {
            row(f, "(c) intake one by one, referrals/s", single, &at_least(single, GOAL_SINGLE_PER_S))?;
        }
        for (rate, latency) in &self.latency_ms {
            let goal = GOALS_P99_MS.iter().find(|(of, _)| of == rate).map(|(_, goal)| *goal);
            row(f, &format!("(d) at {rate}/s, p50 ms"), latency.p50, "")?;
            let note = goal.map(|goal| at_most(latency.p99, goal)).unwrap_or_default();
            row(f, "    p99 ms", latency.p99, &note)?;
            row(f, "    p99.9 ms", latency.p999, "")?;
        }
        for (rate, hops) in &self.hops_ms {
            writeln!(f, "(g) at {rate}/s, ms, p50 and p99")?;
            for Hop { name, p50, p99 } in hops {
                writeln!(f, "    {name:<34}{p50:>12.1}{p99:>9.1}")?;
            }
        }
        for (requests, ticks) in &self.clocks {
            row(f, &format!("(h) {requests} open requests, us a tick"), ticks.idle_us, "")?;
            row(f, "    s to open the store again", ticks.restart_s, "")?;
        }
        for (rate, latency) in &self.heads_ms {
            row(f, &format!("(j) at {rate}/s, ms from an event to its head, p50"), latency.p50, "")?;
            row(f, "    p99", latency.p99, &at_most(latency.p99, GOAL_HEAD_MS))?;
        }
        for (leaves, growth) in &self.log {
            row(f, &format!("(j) {leaves} leaves, appended/s"), growth.append_per_s, "")?;
            row(f, "    us a proof, checked", growth.proof_us, &at_most(growth.proof_us, GOAL_PROOF_US))?;
            row(f, "    us a head", growth.root_us, "")?;
            row(f, "    us a proof that half of it is its beginning", growth.extends_us, "")?;
            row(f, "    MiB on disk", growth.disk_mib, "")?;
        }
        for look in &self.soak {
            writeln!(f, "(l) after {} referrals, MiB", look.referrals)?;
            look.resident
                .iter()
                .try_for_each(|(service, mib)| row(f, &format!("    {service}"), *mib, ""))?;
            row(f, "    Kafka's files", look.kafka_mib, "")?;
            row(f, "    stores", look.stores_mib, "")?;
        }
        for (pictures, lookups) in &self.near {
            let goal = if *pictures == GOAL_PICTURES {
                at_least(lookups.per_s, GOAL_LOOKUPS_PER_S)
            } else {
                String::new()
            };
            row(f, &format!("(i) {pictures} known pictures, lookups/s"), lookups.per_s, &goal)?;
            row(f, "    MiB", lookups.mib, "")?;
            row(f, "    s to build", lookups.build_s, "")?;
            row(f, "    one by one, lookups/s", lookups.one_by_one_per_s, "")?;
            for other in &lookups.others {
                row(
                    f,
                    "    lookups/s",
                    other.per_s,
                    &format!("{}, built in {:.1} s", other.name, other.build_s),
                )?;
            }
        }
        self.rounds.iter().try_for_each(|round| round.rows(f))
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, value: f64, note: &str) -> fmt::Result {
    let line = format!("{name:<38}{value:>12.1}  {note}");
    writeln!(f, "{}", line.trim_end())
}

fn share(value: f64, of: Option<f64>, name: &str, goal: f64) -> String {
    let Some(of) = of else { return String::new() };
    let share = value / of;
    format!("{share:.2} of {name}, {}", at_least(share, goal))
}

fn of_reference(value: f64, size: usize) -> String {
    share(value, Some(COPY_REFERENCES[size]), "the reference", GOAL_OF_REFERENCE)
}

fn at_least(value: f64, goal: f64) -> String {
    format!("{}: at least {goal}", verdict(value >= goal))
}

fn at_most(value: f64, goal: f64) -> String {
    format!("{}: at most {goal}", verdict(value <= goal))
}

fn verdict(is_met: bool) -> &'static str {
    if is_met { "met" } else { "missed" }
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let sorted: Vec<f64> = (1..=1_000).map(f64::from).collect();
        for (share, expected) in [(0.5, 500.0), (0.99, 990.0), (0.999, 999.0), (1.0, 1_000.0)] {
            assert_eq!(percentile(&sorted, share), expected, "{share}");
        }
        assert!(percentile(&[], 0.5).is_nan());
    }
}
