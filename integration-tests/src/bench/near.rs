//! (i) Known pictures: lookups within a Hamming distance, beside comparing one by one, and beside another library over
//! the same digests.
//!
//! Half of the queries are near something that is there, around the threshold: the others are near nothing.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, ensure};
use known_material::{MAX_DISTANCE, Near, NearIndex, Pdq};
use rand::rngs::StdRng;
use rand::seq::index::sample;
use rand::{Rng, SeedableRng};
use schemas::digest;
use serde::Deserialize;

/// Lookups that are timed, and those of them that are compared with looking at every digest.
const QUERIES: usize = 10_000;
const COMPARED: usize = 200;
/// Bits turned over in a digest that is there, for a query: around the threshold.
const TURNED: std::ops::Range<usize> = 20..41;

/// What was measured with so many digests, on one core.
#[derive(Clone, Debug)]
pub struct Lookups {
    pub build_s: f64,
    /// Of the index, digests and tables.
    pub mib: f64,
    pub per_s: f64,
    /// Digests found by all queries.
    pub found: usize,
    /// Looking at every digest.
    pub one_by_one_per_s: f64,
    pub others: Vec<Other>,
}

/// Another library over the same digests.
#[derive(Clone, Debug, Deserialize)]
pub struct Other {
    pub name: String,
    pub build_s: f64,
    pub per_s: f64,
    pub found: usize,
    /// Over every query and what was found for it.
    digest: String,
}

/// Measures; with a Python that has the other library, that too.
///
/// # Errors
/// When the index misses a digest, or finds one that is not near; or the other library finds others.
pub fn measure(count: usize, python: Option<&Path>) -> anyhow::Result<Lookups> {
    let mut dice = StdRng::seed_from_u64(count as u64);
    let digests: Vec<Pdq> = (0..count).map(|_| Pdq::from_words(dice.random())).collect();
    let queries: Vec<Pdq> = (0..QUERIES)
        .map(|number| {
            if number % 2 == 0 {
                return Pdq::from_words(dice.random());
            }
            let turned = dice.random_range(TURNED);
            let bits = sample(&mut dice, 256, turned);
            let mut words = *digests[dice.random_range(0..digests.len())].words();
            bits.iter().for_each(|bit| words[bit / 64] ^= 1 << (bit % 64));
            Pdq::from_words(words)
        })
        .collect();
    let begun = Instant::now();
    let index = NearIndex::of(digests.iter().copied());
    let build_s = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let found: Vec<Vec<Near>> = queries.iter().map(|query| index.within(query, MAX_DISTANCE)).collect();
    let per_s = QUERIES as f64 / begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    for (query, found) in queries.iter().zip(&found).take(COMPARED) {
        ensure!(*found == one_by_one(&digests, query), "the index finds something else than is there");
    }
    let one_by_one_per_s = COMPARED as f64 / begun.elapsed().as_secs_f64();
    let others = python.map(|python| others(python, &digests, &queries)).transpose()?.unwrap_or_default();
    let expected = digest_of(&found);
    for other in &others {
        ensure!(other.digest == expected, "{} finds something else: {other:?}", other.name);
    }
    let found = found.iter().map(Vec::len).sum();
    let mib = index.bytes() as f64 / f64::from(1 << 20);
    Ok(Lookups { build_s, mib, per_s, found, one_by_one_per_s, others })
}

fn one_by_one(digests: &[Pdq], query: &Pdq) -> Vec<Near> {
    let all = (0..).zip(digests).map(|(number, other)| Near { distance: query.distance(other), number });
    let mut near: Vec<Near> = all.filter(|near| near.distance <= MAX_DISTANCE).collect();
    near.sort_unstable();
    near
}

/// SHA-256 over a line for each digest found: the query's number, the digest's, and how far apart they are.
fn digest_of(found: &[Vec<Near>]) -> String {
    let mut lines = String::new();
    for (query, found) in found.iter().enumerate() {
        for near in found {
            lines += &format!("{query} {} {}\n", near.number, near.distance);
        }
    }
    digest::of_file(lines.as_bytes())
}

fn others(python: &Path, digests: &[Pdq], queries: &[Pdq]) -> anyhow::Result<Vec<Other>> {
    let directory = tempfile::tempdir()?;
    let (all, asked) = (directory.path().join("digests"), directory.path().join("queries"));
    std::fs::write(&all, bytes_of(digests))?;
    std::fs::write(&asked, bytes_of(queries))?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("outside/near_elsewhere.py");
    let output = Command::new(python).arg(script).args([&all, &asked]).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "the other library did not run: {said}");
    serde_json::from_slice(&output.stdout).context("the other library's figures do not read")
}

fn bytes_of(digests: &[Pdq]) -> Vec<u8> {
    digests.iter().flat_map(|digest| digest.words().iter().flat_map(|word| word.to_be_bytes())).collect()
}
