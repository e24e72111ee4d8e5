//! Agencies that watch their inboxes through all faults, on streams that go on at another instance where one broke off:
//! each sees what stands in its inbox in the end, and every entry once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use causeway::example::World;
use client::Client;
use delivery::inbox::Entry;
use futures::StreamExt;
use tokio::task::JoinSet;

use super::fleet::Fleet;

/// Where children live, so that each is offered a share of the referrals.
const AGENCIES: [&str; 3] = ["de-police", "fr-police", "nl-police"];
/// A stream that says nothing for longer than its keep-alive is dead.
const SILENCE: Duration = Duration::from_secs(20);
const AGAIN: Duration = Duration::from_millis(200);
/// How long the last entries may take once everything is still.
const LAST: Duration = Duration::from_secs(60);
const PAGE: usize = 500;

pub struct Watchers {
    watching: JoinSet<anyhow::Result<(&'static str, Vec<String>)>>,
    over: Arc<AtomicBool>,
}

impl Watchers {
    pub fn start(world: &Arc<World>, fleet: &Fleet) -> Self {
        let (mut watching, over) = (JoinSet::new(), Arc::new(AtomicBool::new(false)));
        for agency in AGENCIES {
            watching.spawn(watch(Arc::clone(world), fleet.clone(), agency, Arc::clone(&over)));
        }
        Self { watching, over }
    }

    /// Once nothing comes any more: each stream is held against its inbox.
    ///
    /// # Errors
    /// When an entry was missed, or seen twice.
    pub async fn check(mut self, world: &World, fleet: &Fleet) -> anyhow::Result<()> {
        self.over.store(true, Ordering::Relaxed);
        while let Some(watched) = self.watching.join_next().await {
            let (agency, seen) = watched??;
            let stands = inbox(world, fleet, agency).await?;
            let once: BTreeSet<&String> = stands.iter().collect();
            ensure!(once.len() == stands.len(), "{agency} has entries twice in its inbox");
            let streamed: BTreeSet<&String> = seen.iter().collect();
            ensure!(streamed.len() == seen.len(), "{agency} was streamed entries twice");
            ensure!(streamed == once, "{agency} was streamed {} entries of {}", seen.len(), stands.len());
            eprintln!("faults: {agency} was streamed its {} entries once each", seen.len());
        }
        Ok(())
    }
}

/// Until the run is over and everything that stands in the inbox was seen.
async fn watch(
    world: Arc<World>,
    fleet: Fleet,
    agency: &'static str,
    over: Arc<AtomicBool>,
) -> anyhow::Result<(&'static str, Vec<String>)> {
    let (mut seen, mut last_id, mut over_since) = (Vec::new(), None, None);
    for attempt in 0.. {
        let client = client(&world, &fleet, agency, attempt)?;
        if let Ok(stream) = client.follow(last_id.as_deref()).await {
            let mut stream = std::pin::pin!(stream);
            while let Ok(Some(Ok((id, entry)))) = tokio::time::timeout(SILENCE, stream.next()).await {
                last_id = Some(id);
                seen.push(once(&entry)?);
            }
        }
        if over.load(Ordering::Relaxed) {
            let since = *over_since.get_or_insert_with(Instant::now);
            if seen.len() >= inbox(&world, &fleet, agency).await?.len() {
                break;
            }
            if since.elapsed() > LAST {
                bail!("{agency} was streamed {} entries, and no more came", seen.len());
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
    Ok((agency, seen))
}

fn client(world: &World, fleet: &Fleet, agency: &str, attempt: usize) -> anyhow::Result<Client> {
    let addresses = fleet.addresses("delivery");
    world.client(&addresses[attempt % addresses.len()], agency, "watcher")
}

/// Everything in the inbox, page by page.
async fn inbox(world: &World, fleet: &Fleet, agency: &str) -> anyhow::Result<Vec<String>> {
    let client = client(world, fleet, agency, 0)?;
    let (mut entries, mut query) = (Vec::new(), format!("?limit={PAGE}"));
    loop {
        let page = client.inbox(&query).await.context("the inbox is read once all is still")?;
        for entry in &page.entries {
            entries.push(once(entry)?);
        }
        if !page.more {
            return Ok(entries);
        }
        query = format!("?limit={PAGE}&cursor={}", page.cursor);
    }
}

/// What makes an entry one: an assignment is shown as it stands now, and offered once.
fn once(entry: &Entry) -> anyhow::Result<String> {
    match entry {
        Entry::Assignment(offered) => Ok(format!("offered {}", offered.assignment_id)),
        other => Ok(serde_json::to_string(other)?),
    }
}
