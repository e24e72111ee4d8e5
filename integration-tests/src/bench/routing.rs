//! (b) A service's own speed: from owning its partitions to having answered everything that stands in its input.

use std::time::{Duration, Instant};

use anyhow::bail;

use super::ground::{Ground, Process};
use super::say;
use super::topic::Progress;

/// How often the group's committed offsets are looked at; the measured time is exact to this.
const LOOK: Duration = Duration::from_millis(10);
const TELL: Duration = Duration::from_secs(10);
/// A service that answers nothing for so long is stuck.
const STUCK: Duration = Duration::from_secs(120);

/// Incidents a second. All of the input had been written before the service was started, so that batches are full.
/// The clock runs from the moment its inputs may flow, with an empty state, until the group's offsets, which are
/// committed together with the events, have reached the input's end.
pub async fn answer_all(
    ground: &Ground,
    process: &Process,
    input: &str,
    incidents: usize,
) -> anyhow::Result<f64> {
    let progress = Progress::of(&ground.kafka, process.service, input)?;
    let begun = process.await_owned().await?;
    let all = progress.behind()?;
    let (mut left, mut moved, mut told) = (all, begun, begun);
    while left > 0 {
        tokio::time::sleep(LOOK).await;
        let now = progress.behind()?;
        if now < left {
            moved = Instant::now();
        } else if moved.elapsed() > STUCK {
            bail!("{} is stuck with {left} inputs left:\n{}", process.service, process.log()?);
        }
        left = now;
        if told.elapsed() > TELL {
            told = Instant::now();
            say!("{}: {left} of {all} inputs left after {} s", process.service, begun.elapsed().as_secs());
        }
    }
    let per_second = incidents as f64 / begun.elapsed().as_secs_f64();
    say!("{}: {per_second:.0} incidents a second", process.service);
    Ok(per_second)
}
