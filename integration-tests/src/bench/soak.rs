//! (l) A steady rate for as long as one likes, each referral taken up by an agency: what memory and disk do meanwhile.

use std::collections::{BTreeMap, HashSet};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::MissedTickBehavior;

use super::ground::{Ground, Process};
use super::latency::address;
use super::referrals::{REPORTERS, field, referral, send_one};
use super::{Options, inbox, say};

/// Who takes them up: the child lives there.
const AGENCY: &str = "de-police";
const COUNTRY: &str = "DE";
/// How often it is looked, over the whole.
const LOOKS: u32 = 12;
/// How long the last of them may take to be taken up.
const LAST: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Blocks that the file system counts in.
const BLOCK_BYTES: u64 = 512;

/// What stood after so many referrals.
#[derive(Clone, Debug, Default)]
pub struct Look {
    pub referrals: usize,
    /// By service, in MiB.
    pub resident: BTreeMap<&'static str, f64>,
    pub kafka_mib: f64,
    pub stores_mib: f64,
}

/// One look after another, the first once everybody is warm.
pub async fn measure(options: &Options) -> anyhow::Result<Vec<Look>> {
    let ground = Ground::prepare(options, "soak").await?;
    let mut processes = ground.start_all().await?;
    // It reads, and owns nothing.
    processes.push(ground.start("dashboard").await?);
    let taken_up = take_up(&ground, &processes).await?;
    let url = format!("{}/v1/referrals", address(&processes, "intake")?);
    let token = ground.world.token(REPORTERS[0], "sender")?;
    let http = reqwest::Client::new();
    let mut tick = tokio::time::interval(Duration::from_secs(1) / options.rate.get());
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut looks, mut sending, begun) = (Vec::new(), tokio::task::JoinSet::new(), Instant::now());
    let mut sent = 0;
    while begun.elapsed() < options.duration {
        tick.tick().await;
        let (http, url, token) = (http.clone(), url.clone(), token.clone());
        let body = referral(sent, COUNTRY).to_string();
        sending.spawn(async move { send_one(&http, &url, &token, body).await });
        sent += 1;
        while let Some(answered) = sending.try_join_next() {
            answered??;
        }
        let next = u32::try_from(looks.len())?.saturating_add(1);
        if begun.elapsed() * LOOKS >= options.duration * next {
            looks.push(look(options, &ground, &processes, sent)?);
        }
    }
    while let Some(answered) = sending.join_next().await {
        answered??;
    }
    let ended = Instant::now();
    while taken_up.load(Ordering::Relaxed) < sent {
        let taken_up = taken_up.load(Ordering::Relaxed);
        ensure!(ended.elapsed() < LAST, "{taken_up} of {sent} referrals were taken up");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    looks.push(look(options, &ground, &processes, sent)?);
    processes.into_iter().rev().try_for_each(Process::stop)?;
    Ok(looks)
}

/// The agency accepts what it is offered, each as it comes; how many it has.
async fn take_up(ground: &Ground, processes: &[Process]) -> anyhow::Result<Arc<AtomicUsize>> {
    let (offered, mut offers) = unbounded_channel();
    let mut known = HashSet::new();
    let take = move |line: &str| {
        let named =
            field(line, "incident_id").and_then(|incident| Ok((incident, field(line, "assignment_id")?)));
        if let Ok((incident, assignment)) = named
            && known.insert(assignment.to_owned())
        {
            // Taken for as long as the run lasts.
            let _ = offered.send(format!("/v1/incidents/{incident}/assignments/{assignment}/accept"));
        }
    };
    inbox::watch(ground, &address(processes, "delivery")?, AGENCY, take).await?;
    let (routing, token) = (address(processes, "routing")?, ground.world.token(AGENCY, "officer")?);
    let (http, taken_up) = (reqwest::Client::new(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&taken_up);
    tokio::spawn(async move {
        while let Some(page) = offers.recv().await {
            let request = http.post(format!("{routing}{page}")).bearer_auth(&token);
            let request = request.header("idempotency-key", &page).json(&serde_json::json!({}));
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                // What is not taken up is missed at the end.
                if request.send().await.is_ok_and(|answer| answer.status().is_success()) {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    Ok(taken_up)
}

fn look(options: &Options, ground: &Ground, processes: &[Process], referrals: usize) -> anyhow::Result<Look> {
    let resident = processes.iter().map(|process| Ok((process.service, process.memory()?.resident_mib)));
    let resident = resident.collect::<anyhow::Result<BTreeMap<_, _>>>()?;
    let kafka_mib = options.kafka_data.as_deref().map_or(Ok(0.0), mib_below)?;
    let look = Look { referrals, resident, kafka_mib, stores_mib: mib_below(&ground.stores())? };
    let all: f64 = look.resident.values().sum();
    say!(
        "(l) {referrals} referrals: {all:.0} MiB resident, Kafka {kafka_mib:.0} MiB, stores {:.0} MiB",
        look.stores_mib
    );
    Ok(look)
}

/// What the files below a directory take of the disk: Kafka makes its indexes larger than what stands in them.
fn mib_below(directory: &Path) -> anyhow::Result<f64> {
    let (mut bytes, mut rest) = (0, vec![directory.to_owned()]);
    while let Some(directory) = rest.pop() {
        for entry in std::fs::read_dir(&directory)? {
            let entry = entry?;
            // A segment that was removed meanwhile takes nothing.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                rest.push(entry.path());
            } else {
                bytes += metadata.blocks() * BLOCK_BYTES;
            }
        }
    }
    Ok(bytes as f64 / 1_048_576.0)
}
