//! (c) Beside intake: a plain loop that writes the records that intake has written.

use std::time::{Duration, Instant};

use super::copier::{self, Copy, Plain, Turns};
use super::ground::Ground;
use super::say;
use super::topic::{Record, sample};

/// Records kept of each topic, and written in turn.
const SAMPLE: usize = 10_000;
/// Most referrals that are written.
const MOST: usize = 100_000;
/// Referrals under way at once: four streams of 256 lines each, as intake has them.
const WINDOW: usize = 1_024;
/// Most inputs in one transaction: the runner's own limit.
const BATCH: usize = 2_000;

/// Referrals a second: the key sets of a window, once they are in its commands, and beside them a transactional loop
/// that reads the commands and writes the events. Nothing is parsed, gated, sealed, decided or folded.
pub async fn measure(ground: &Ground, incidents: usize) -> anyhow::Result<f64> {
    let (kafka, count) = (&ground.kafka, incidents.min(MOST));
    let (keys, commands) =
        (sample(kafka, "sealed-keys", SAMPLE)?, sample(kafka, "referral.commands", SAMPLE)?);
    let events: Vec<Vec<Record>> =
        sample(kafka, "referral.events", SAMPLE)?.into_iter().map(|event| vec![event]).collect();
    copier::create_topics(kafka, &["plain-keys", "plain-commands", "plain-events"]).await?;
    let plain = Plain::start(&kafka.producer())?;
    let answer = Copy {
        kafka,
        from: "plain-commands",
        to: "plain-events",
        inputs: count,
        batch: BATCH,
        wait: Duration::ZERO,
        outputs: &events,
    };
    let mut turns = Turns::start(kafka, "plain")?;
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let answering = scope.spawn(|| copier::copy(&answer, &mut turns));
        for start in (0..count).step_by(WINDOW) {
            let window = WINDOW.min(count - start);
            for (topic, records) in [("plain-keys", &keys), ("plain-commands", &commands)] {
                let records = records.iter().cycle().skip(start % records.len()).take(window);
                plain.write(&kafka.topic(topic), records.map(|record| (record.partition, record)))?;
            }
        }
        answering.join().map_err(|_| anyhow::anyhow!("the loop panicked"))??;
        anyhow::Ok(())
    })?;
    let per_second = count as f64 / begun.elapsed().as_secs_f64();
    say!("(c) a plain loop writes intake's records of {per_second:.0} referrals a second");
    Ok(per_second)
}
