//! (j) The audit log's tree: leaves appended, heads and proofs, as it grows; and how soon events are leaves.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use audit::http::LogHead;
use audit::tree::Tree;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::ground::Ground;
use super::say;

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

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
