//! (j) The audit log's tree: leaves appended, heads and proofs, as it grows; and how soon events are leaves.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use audit::http::LogHead;
use audit::tree::Tree;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rdkafka::message::Message;
use schemas::audit::{Checkpoint, Sequenced};
use schemas::codec::Codec;
use schemas::envelope::Body;

use super::ground::Ground;
use super::report::Latency;
use super::say;
use super::topic::Reader;

/// Leaves of one transaction, about.
const BATCH: usize = 1_000;
/// Proofs that are timed, each checked.
const PROOFS: usize = 10_000;
/// How long the log stands still before it is believed to be whole.
const STILL: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What was measured with so many leaves.
#[derive(Clone, Copy, Debug)]
pub struct Growth {
    pub append_per_s: f64,
    /// The head of the whole tree, in microseconds.
    pub root_us: f64,
    /// A proof of one leaf, read and checked, in microseconds.
    pub proof_us: f64,
    /// That the tree extends half of itself, read and checked, in microseconds.
    pub extends_us: f64,
    pub disk_mib: f64,
}

/// # Errors
/// When a proof does not hold, or the disk fails.
pub fn grow(count: usize) -> anyhow::Result<Growth> {
    let directory = tempfile::tempdir()?;
    let tree = Tree::open(directory.path(), 0)?;
    let mut dice = StdRng::seed_from_u64(count as u64);
    let mut append = Duration::ZERO;
    let mut left = count;
    while left > 0 {
        let leaves: Vec<[u8; 32]> = (0..left.min(BATCH)).map(|_| dice.random()).collect();
        let begun = Instant::now();
        tree.append(&leaves)?;
        append += begun.elapsed();
        left -= leaves.len();
    }
    let size = tree.size();
    let begun = Instant::now();
    let root = tree.root(size)?;
    let root_us = micros(begun.elapsed());
    let begun = Instant::now();
    for _ in 0..PROOFS {
        let leaf = dice.random_range(0..size);
        let proof = tree.prove(leaf, size)?;
        let committed = tree.leaves(leaf, 1)?;
        root.check_leaf(leaf, committed.first().context("a leaf was asked for")?, &proof)?;
    }
    let proof_us = micros(begun.elapsed()) / PROOFS as f64;
    let half = tree.root(size / 2)?;
    let begun = Instant::now();
    root.check_extends(&half, &tree.prove_extends(size / 2, size)?)?;
    let extends_us = micros(begun.elapsed());
    let mut bytes = 0;
    for file in std::fs::read_dir(directory.path())? {
        bytes += file?.metadata()?.len();
    }
    let append_per_s = count as f64 / append.as_secs_f64();
    Ok(Growth { append_per_s, root_us, proof_us, extends_us, disk_mib: bytes as f64 / f64::from(1 << 20) })
}

/// Leaves a second that the service makes of everything that stands in the topics, from its start on.
///
/// # Errors
/// When it does not start, or makes none.
pub async fn sequence(ground: &Ground) -> anyhow::Result<f64> {
    let process = ground.start_afresh("audit").await?;
    let page = format!("{}/v1/log", process.url());
    let (begun, mut grown) = (Instant::now(), None::<(u64, Instant, u64, Instant)>);
    loop {
        let head: LogHead = reqwest::get(&page).await?.json().await?;
        let now = Instant::now();
        grown = match grown {
            None if head.size > 0 => Some((head.size, now, head.size, now)),
            Some((first, at, last, _)) if head.size > last => Some((first, at, head.size, now)),
            Some((_, _, _, since)) if since.elapsed() > STILL => break,
            other => other,
        };
        ensure!(grown.is_some() || begun.elapsed() < Duration::from_secs(60), "the log has no leaf yet");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    let (first, at, last, until) = grown.context("the log has leaves")?;
    let seconds = until.duration_since(at).as_secs_f64();
    let per_s = (last - first) as f64 / seconds.max(f64::EPSILON);
    say!("(j) {last} leaves, {per_s:.0} a second");
    let memory = process.memory_at_rest().await?;
    say!("(j) audit: {:.0} MiB resident", memory.resident_mib);
    process.stop()?;
    Ok(per_s)
}

/// How long the events of a time took to stand under a head that was published, in milliseconds.
///
/// # Errors
/// When the topics do not read, or an event has no head.
pub fn heads(ground: &Ground, since: f64, until: f64) -> anyhow::Result<Latency> {
    let codec = Codec::with_table();
    let (mut reader, mut heads) = (Reader::open(&ground.kafka, Checkpoint::TOPIC)?, Vec::new());
    while let Some(message) = reader.next()? {
        let (Some(value), Some(time)) = (message.payload(), message.timestamp().to_millis()) else {
            continue;
        };
        let head: Checkpoint = codec.decode::<Checkpoint, _>(value)?;
        heads.push((head.size, time as f64));
    }
    let (mut reader, mut waits) = (Reader::open(&ground.kafka, Sequenced::TOPIC)?, Vec::new());
    while let Some(message) = reader.next()? {
        let Some(value) = message.payload() else { continue };
        let sequenced: Sequenced = codec.decode::<Sequenced, _>(value)?;
        for (place, leaf) in (sequenced.first..).zip(sequenced.leaves) {
            let written = leaf.timestamp.as_millis() as f64;
            if written < since || written > until {
                continue;
            }
            let covering = heads.partition_point(|(size, _)| *size <= place);
            let (_, published) = heads.get(covering).context("an event has no head")?;
            waits.push(published - written);
        }
    }
    Ok(Latency::of(waits))
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
