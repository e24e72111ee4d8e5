//! Digest sets on the command line: shared as they are, voted on, and asked of by a digest.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use chassis::known::named;
use clap::{Subcommand, ValueEnum};
use client::{Client, ClientError};
use digest_sets::http::{EntryView, Matches, Publication};
use futures::stream::{self, StreamExt, TryStreamExt};
use known_material::{Digest, Entry, Imported, import};
use schemas::codes::{DigestAlgorithm, EntryVote, RejectionCode};
use schemas::digest_sets::SetDigest;
use schemas::ids::{AgencyId, SetEntryId, SetName};
use serde_json::json;

use super::Output;
use super::agency::anew;
use super::table::table;

/// Entries that are published at the same time.
const AT_ONCE: usize = 16;
/// How often it is said how far an import is.
const PROGRESS: Duration = Duration::from_secs(2);

/// In which form a set is shared.
#[derive(Clone, Copy, ValueEnum)]
pub enum Format {
    /// The XML of NCMEC's hash sharing.
    Ncmec,
    /// Lines of id, algorithm, digest and classification.
    Csv,
    /// JSON as ThreatExchange gives it.
    ThreatExchange,
}

#[derive(Subcommand)]
pub enum DigestSets {
    /// Publish what a file holds as entries of one of your sets. The same file again changes nothing.
    Import {
        file: PathBuf,
        #[arg(long)]
        format: Format,
        #[arg(long)]
        set: SetName,
    },
    /// One entry, with who agrees and who disputes.
    Show { entry: SetEntryId },
    /// Say, having seen the material, whether an entry is right.
    Vote { entry: SetEntryId, vote: EntryVote },
    /// Take an entry of one of your sets back, by its name there.
    Withdraw { set: SetName, entry: String },
    /// What is known of a file, by its digest.
    Find { algorithm: DigestAlgorithm, value: String },
}

impl DigestSets {
    pub async fn run(self, client: &Client, output: &Output) -> anyhow::Result<()> {
        match self {
            Self::Import { file, format, set } => {
                let text = std::fs::read_to_string(&file)
                    .with_context(|| format!("failed to read {}", file.display()))?;
                let imported = match format {
                    Format::Ncmec => import::read_ncmec(&text),
                    Format::Csv => import::read_csv(&text),
                    Format::ThreatExchange => import::read_threat_exchange(&text),
                };
                publish(client, &set, imported.context("the set cannot be taken")?).await
            }
            Self::Show { entry } => {
                let view: EntryView = client.get(&format!("/v1/digest-set-entries/{entry}")).await?;
                output.print(&view, || text(&view))
            }
            Self::Vote { entry, vote } => {
                let path = format!("/v1/digest-set-entries/{entry}/vote");
                let view: EntryView = client.command(&path, &anew("vote"), &json!({ "vote": vote })).await?;
                output.print(&view, || text(&view))
            }
            Self::Withdraw { set, entry } => {
                let view = withdraw(client, &set, &entry).await?;
                output.print(&view, || text(&view))
            }
            Self::Find { algorithm, value } => {
                let page = format!("/v1/known-material?algorithm={algorithm}&value={value}");
                let found: Matches = client.get(&page).await?;
                output.print(&found, || matches_text(&found))
            }
        }
    }
}

async fn withdraw(client: &Client, set: &SetName, entry: &str) -> Result<EntryView, ClientError> {
    let path = format!("/v1/digest-sets/{set}/withdrawals");
    client.command(&path, &anew("withdraw"), &json!({ "entry": entry })).await
}

async fn publish(client: &Client, set: &SetName, imported: Imported) -> anyhow::Result<()> {
    let (count, skipped) = (imported.entries.len(), imported.skipped.len());
    let (mut done, mut changed, mut told) = (0, 0, Instant::now());
    let mut published =
        stream::iter(imported.entries).map(|entry| publish_one(client, set, entry)).buffer_unordered(AT_ONCE);
    while let Some(new) = published.try_next().await? {
        done += 1;
        changed += usize::from(new);
        if told.elapsed() > PROGRESS {
            told = Instant::now();
            eprintln!("{done} of {count}");
        }
    }
    let same = done - changed;
    println!(
        "{changed} entries changed in {set}, {same} stood so; {skipped} digests of other algorithms left out"
    );
    Ok(())
}

/// Whether anything changed.
async fn publish_one(client: &Client, set: &SetName, entry: Entry) -> anyhow::Result<bool> {
    let name = entry.id.clone();
    if entry.removed {
        // One that was never published here is not there to be taken back.
        return match withdraw(client, set, &name).await {
            Err(error) if error.code() != Some("not-found") => {
                Err(error).with_context(|| format!("failed to take entry {name} back"))
            }
            done => Ok(done.is_ok()),
        };
    }
    let publication = Publication {
        entry: entry.id,
        member: entry.member,
        classification: entry.classification,
        digests: entry.digests.iter().map(set_digest).collect(),
    };
    let path = format!("/v1/digest-sets/{set}/entries");
    let done: Result<EntryView, _> = client.command(&path, &anew("publish"), &publication).await;
    match done {
        // What stands so already was published before.
        Err(error) if !error.is_rejection(RejectionCode::Unchanged) => {
            Err(error).with_context(|| format!("failed to publish entry {name}"))
        }
        done => Ok(done.is_ok()),
    }
}

fn set_digest(digest: &Digest) -> SetDigest {
    SetDigest { algorithm: named(digest.algorithm()), value: digest.to_string() }
}

fn text(view: &EntryView) -> String {
    let names = |agencies: &[AgencyId]| {
        let names: Vec<&str> = agencies.iter().map(AgencyId::as_str).collect();
        if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
    };
    let stands = match (view.withdrawn, view.closes) {
        (true, _) => "was taken back",
        (false, true) => "closes items",
        (false, false) => "closes no item",
    };
    let mut text = format!(
        "entry {}: {} of {} by {}; {stands}\nagreed: {}\ndisputed: {}\n",
        view.entry_id,
        view.entry,
        view.set,
        view.by,
        names(&view.agreed),
        names(&view.disputed)
    );
    if let Some(classification) = &view.classification {
        text += &format!("classified {classification}\n");
    }
    let digests = view.digests.iter().map(|digest| vec![digest.algorithm.to_string(), digest.value.clone()]);
    text + &table(&["algorithm", "digest"], &digests.collect::<Vec<_>>())
}

fn matches_text(found: &Matches) -> String {
    let rows = found.matches.iter().map(|known| {
        vec![
            known.entry_id.to_string(),
            known.set.to_string(),
            known.by.to_string(),
            known.classification.clone().unwrap_or_default(),
            if known.closes { "closes items" } else { "closes no item" }.to_owned(),
        ]
    });
    table(&["entry", "set", "by", "classified", ""], &rows.collect::<Vec<_>>())
}
