//! How fast, how soon, how large: the services as processes of the release build, beside the limit that Kafka's own
//! client sets on the same machine in the same run.
//!
//! Ratios within one run mean something; figures of two machines, or of two runs, say little about each other.

mod clocks;
mod copier;
mod ground;
mod hops;
mod inbox;
mod intake;
mod latency;
mod limit;
mod log;
mod near;
mod pages;
mod plain;
mod rebuild;
mod referrals;
mod report;
mod routing;
mod soak;
mod topic;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use ground::{Ground, Process};
pub use report::Report;

/// What is measured, by the letter that the report calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Measure {
    /// The limit: a plain transactional loop over the same records as routing's.
    #[value(name = "a")]
    Limit,
    /// Routing, incidents per second.
    #[value(name = "b")]
    Routing,
    /// Intake alone over HTTP, single and in batches.
    #[value(name = "c")]
    Intake,
    /// From the request to the inbox stream.
    #[value(name = "d")]
    Latency,
    /// Rebuild of a state, beside plain reading and decoding.
    #[value(name = "e")]
    Rebuild,
    /// Resident memory of each service alone.
    #[value(name = "f")]
    Memory,
    /// Where the milliseconds of the latency go.
    #[value(name = "g")]
    Hops,
    /// Ticks of the clocks of open requests for legal assistance.
    #[value(name = "h")]
    Clocks,
    /// Lookups of known pictures.
    #[value(name = "i")]
    Near,
    /// The audit log: leaves, proofs, and how it grows.
    #[value(name = "j")]
    Log,
    /// The dashboard: its fold, its pages, and many who look at once.
    #[value(name = "k")]
    Pages,
    /// A steady rate for the whole of the time that was asked for: only where it is named.
    #[value(name = "l")]
    Soak,
}

/// Leaves of the log with which (j) is measured.
const LEAVES: [usize; 4] = [10_000, 100_000, 1_000_000, 10_000_000];

/// Known pictures with which (i) is measured.
const PICTURES: [usize; 3] = [10_000, 100_000, 1_000_000];

/// Open requests with which (h) is measured: a tick costs the same with all of them.
const CLOCKED_REQUESTS: [usize; 3] = [1_000, 10_000, 100_000];

/// What a run is to do.
pub struct Options {
    pub brokers: String,
    /// Where the broker keeps its files, whose size (l) tells.
    pub kafka_data: Option<PathBuf>,
    /// The built program.
    pub program: PathBuf,
    /// Incidents of each round; (c) and (d) are measured once, whatever the rounds.
    pub sizes: Vec<usize>,
    /// Everything when it is empty.
    pub only: Vec<Measure>,
    /// How long a rate is kept up.
    pub duration: Duration,
    /// Referrals a second of (l).
    pub rate: NonZeroU32,
    /// A Python with the library that (i) is compared with.
    pub python: Option<PathBuf>,
}

impl Options {
    fn wants(&self, measure: Measure) -> bool {
        self.only.is_empty() || self.only.contains(&measure)
    }

    fn wants_any(&self, measures: &[Measure]) -> bool {
        measures.iter().any(|measure| self.wants(*measure))
    }
}

/// Measures what the options ask for. Says what it does on standard error.
///
/// # Errors
/// When a service does not start or ends, does not get on, or refuses what it must take.
pub async fn run(options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::default();
    if options.wants(Measure::Intake) {
        // First of all, so that the broker is warm for everything that comes after.
        let ground = Ground::prepare(options, "single").await?;
        report.intake_single_per_s = Some(intake::single(&ground, options.duration).await?);
    }
    if options.wants_any(&[Measure::Latency, Measure::Hops, Measure::Log]) {
        latency::measure(options, &mut report).await?;
    }
    if options.wants(Measure::Clocks) {
        for requests in CLOCKED_REQUESTS {
            say!("(h) {requests} open requests of {} periods each", clocks::PERIODS);
            report.clocks.insert(requests, clocks::measure(requests)?);
        }
    }
    if options.wants(Measure::Near) {
        for pictures in PICTURES {
            say!("(i) {pictures} known pictures");
            report.near.insert(pictures, near::measure(pictures, options.python.as_deref())?);
        }
    }
    if options.wants(Measure::Log) {
        for leaves in LEAVES {
            say!("(j) {leaves} leaves");
            report.log.insert(leaves, log::grow(leaves)?);
        }
    }
    if options.only.contains(&Measure::Soak) {
        report.soak = soak::measure(options).await?;
    }
    for incidents in &options.sizes {
        if options.wants_any(&[
            Measure::Limit,
            Measure::Routing,
            Measure::Intake,
            Measure::Rebuild,
            Measure::Memory,
            Measure::Log,
            Measure::Pages,
        ]) {
            report.rounds.push(round(options, *incidents).await?);
        }
    }
    Ok(report)
}

/// One deployment with so many incidents, from intake to delivery, one service running at a time.
async fn round(options: &Options, incidents: usize) -> anyhow::Result<report::Round> {
    say!("{incidents} incidents");
    let ground = Ground::prepare(options, &format!("round-{incidents}")).await?;
    let mut round = report::Round { incidents, ..report::Round::default() };
    round.memory.insert("directory", ground.directory_memory);

    let process = ground.start("intake").await?;
    round.intake_batch_per_s = intake::batch(&ground, &process, incidents).await?;
    rest(options, &ground, process, &mut round).await?;
    if options.wants(Measure::Intake) {
        round.plain_intake_per_s = Some(plain::measure(&ground, incidents).await?);
    }
    if !options.wants_any(&[
        Measure::Limit,
        Measure::Routing,
        Measure::Rebuild,
        Measure::Memory,
        Measure::Log,
        Measure::Pages,
    ]) {
        return Ok(round);
    }

    let process = ground.start("routing").await?;
    round.routing_per_s = Some(routing::answer_all(&ground, &process, "referral.events", incidents).await?);
    rest(options, &ground, process, &mut round).await?;
    if options.wants(Measure::Log) {
        round.leaves_per_s = Some(log::sequence(&ground).await?);
    }
    if options.wants_any(&[Measure::Limit, Measure::Log]) {
        round.limit = Some(limit::measure(&ground, incidents).await?);
    }
    if options.wants(Measure::Rebuild) {
        round.rebuild.insert("routing", rebuild::of_routing(&ground).await?);
    }
    if !options.wants_any(&[Measure::Rebuild, Measure::Memory, Measure::Pages]) {
        return Ok(round);
    }

    let process = ground.start("delivery").await?;
    round.delivery_per_s = Some(routing::answer_all(&ground, &process, "routing.events", incidents).await?);
    rest(options, &ground, process, &mut round).await?;
    if options.wants(Measure::Rebuild) {
        round.rebuild.insert("delivery", rebuild::of_delivery(&ground).await?);
    }
    if options.wants(Measure::Pages) {
        round.pages = Some(pages::measure(&ground).await?);
    }
    Ok(round)
}

/// What of the service is resident at rest; and of another process, on the store that it left.
async fn rest(
    options: &Options,
    ground: &Ground,
    process: Process,
    round: &mut report::Round,
) -> anyhow::Result<()> {
    let service = process.service;
    round.memory.insert(service, process.memory_at_rest().await?);
    process.stop()?;
    if options.wants(Measure::Memory) {
        let process = ground.start(service).await?;
        round.restarted.insert(service, process.memory_at_rest().await?);
        process.stop()?;
    }
    Ok(())
}

/// Says on standard error what is being done.
macro_rules! say {
    ($($what:tt)+) => { eprintln!("bench: {}", format_args!($($what)+)) };
}
use say;
