//! Topics and directory: what an operator and an agency's administrator look after.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use causeway::serve::{ServiceName, Settings};
use chassis::rights::Right;
use clap::{Args, Subcommand};
use client::Client;
use directory::http::{Listing, Shown};
use schemas::directory::Entry;
use schemas::ids::{EntryId, ProposalId};
use serde_json::Value;

use super::Output;

#[derive(Subcommand)]
pub enum Topics {
    /// Create what is missing.
    Create(Config),
    /// Check names and partition counts; fails when one is missing or wrong.
    Check(Config),
    /// The least rights that each service needs in Kafka, as commands of Kafka's own tool. With --json as the list of
    /// each service, in the form of Strimzi's `KafkaUser`.
    ///
    /// Example: causeway topics rights --principal 'User:CN={service}' | sh
    Rights {
        /// The deployment's `kafka.prefix`.
        #[arg(long, default_value = "")]
        prefix: String,
        /// A service's principal; `{service}` stands for its name.
        #[arg(long, default_value = "User:{service}")]
        principal: String,
        /// The tool, with whatever it needs to reach the brokers as an administrator.
        #[arg(long, default_value = "kafka-acls.sh --bootstrap-server localhost:9092")]
        tool: String,
    },
}

#[derive(Args)]
pub struct Config {
    #[arg(long)]
    config: Option<PathBuf>,
}

impl Topics {
    pub async fn run(&self, output: &Output) -> anyhow::Result<()> {
        let (config, create) = match self {
            Self::Create(config) => (config, true),
            Self::Check(config) => (config, false),
            Self::Rights { prefix, principal, tool } => return rights(output, prefix, principal, tool),
        };
        let settings = Settings::read(config.config.as_deref())?;
        let created = if create { settings.host.kafka.create_topics().await? } else { Vec::new() };
        settings.host.kafka.check_topics(&ServiceName::names())?;
        output.print(&created, || format!("{} topics created, all are as they must be", created.len()))
    }
}

fn rights(output: &Output, prefix: &str, principal: &str, tool: &str) -> anyhow::Result<()> {
    let of = |service: &&'static str| (*service, chassis::rights::of(service, prefix));
    let rights: BTreeMap<&str, Vec<Right>> = ServiceName::names().iter().map(of).collect();
    output.print(&rights, || {
        let line = |service: &str, right: &Right| {
            format!("{tool} --add --allow-principal '{}' {right}\n", principal.replace("{service}", service))
        };
        rights
            .iter()
            .flat_map(|(service, rights)| rights.iter().map(move |right| line(service, right)))
            .collect()
    })
}

#[derive(Subcommand)]
pub enum Store {
    /// SHA-256 over each kind of entry in key order: two instances that have folded the same say the same.
    ///
    /// Example: causeway store digest data/routing.0
    Digest { path: PathBuf },
}

impl Store {
    pub fn run(&self, output: &Output) -> anyhow::Result<()> {
        let Self::Digest { path } = self;
        let digests = chassis::store::Store::existing(path)?.digests()?;
        let line = |(kind, digest): (&&str, &String)| format!("{digest}  {kind}");
        output.print(&digests, || digests.iter().map(line).collect::<Vec<_>>().join("\n"))
    }
}

#[derive(Subcommand)]
pub enum Directory {
    /// Every entry as it acts now.
    List,
    /// One entry, with a change that waits for a second person.
    Show { entry: EntryId },
    /// Propose an entry from a file. Shows the difference first and asks for --yes to go on.
    ///
    /// Example: causeway directory apply agency.json --yes
    Apply {
        /// An entry as JSON.
        file: PathBuf,
        /// Go on after showing the difference.
        #[arg(long)]
        yes: bool,
    },
    /// Confirm another person's proposal.
    Confirm { entry: EntryId, proposal: ProposalId },
    /// Take a proposal back.
    Withdraw { entry: EntryId, proposal: ProposalId },
}

impl Directory {
    pub async fn run(&self, client: &Client, output: &Output) -> anyhow::Result<()> {
        match self {
            Self::List => {
                let listing: Listing = client.get("/v1/directory").await?;
                let names = || listing.entries.iter().map(|listed| format!("{}\n", listed.id)).collect();
                output.print(&listing, names)
            }
            Self::Show { entry } => show(output, &client.get(&format!("/v1/directory/{entry}")).await?),
            Self::Apply { file, yes } => apply(client, output, file, *yes).await,
            Self::Confirm { entry, proposal } => decide(client, output, entry, *proposal, "confirm").await,
            Self::Withdraw { entry, proposal } => decide(client, output, entry, *proposal, "withdraw").await,
        }
    }
}

async fn decide(
    client: &Client,
    output: &Output,
    entry: &EntryId,
    proposal: ProposalId,
    verb: &str,
) -> anyhow::Result<()> {
    let path = format!("/v1/directory/{entry}/changes/{proposal}/{verb}");
    show(output, &client.command(&path, &format!("{verb}-{proposal}"), &()).await?)
}

fn show(output: &Output, shown: &Shown) -> anyhow::Result<()> {
    output.print(shown, || match &shown.pending {
        Some(pending) => format!(
            "{}: proposal {} waits for a second person{}\n  {}",
            shown.id,
            pending.proposal_id,
            pending.state_concerned.as_ref().map_or(String::new(), |state| format!(" of {state}")),
            pending.widens.join("\n  ")
        ),
        None => serde_json::to_string_pretty(shown).unwrap_or_default(),
    })
}

async fn apply(client: &Client, output: &Output, file: &PathBuf, yes: bool) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("failed to read {}", file.display()))?;
    let entry: Entry =
        serde_json::from_str(&text).with_context(|| format!("{} is no entry", file.display()))?;
    let id = entry.id().map_err(anyhow::Error::msg)?;
    let known: Option<Shown> = client.get(&format!("/v1/directory/{id}")).await.ok();
    let before = known.and_then(|shown| shown.newest.or(shown.acts));
    let mut differences = Vec::new();
    difference("", &serde_json::to_value(before)?, &serde_json::to_value(&entry)?, &mut differences);
    if differences.is_empty() {
        return output.print(&differences, || format!("{id} stands so already"));
    }
    if !output.json {
        println!("{id}\n{}", differences.join("\n"));
    }
    anyhow::ensure!(yes, "nothing was proposed: say --yes to go on");
    let once = hex::encode(schemas::digest::sha256(&[text.as_bytes()]));
    show(output, &client.command("/v1/directory/changes", &format!("apply-{once}"), &entry).await?)
}

/// Lines `- pointer: old` and `+ pointer: new` for every leaf that differs.
fn difference(pointer: &str, before: &Value, after: &Value, found: &mut Vec<String>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for name in names {
                let value =
                    |object: &serde_json::Map<String, Value>| object.get(name).cloned().unwrap_or_default();
                difference(&format!("{pointer}/{name}"), &value(old), &value(new), found);
            }
        }
        _ => {
            let lines = [("-", before), ("+", after)];
            let shown = lines.iter().filter(|(_, value)| !value.is_null());
            found.extend(shown.map(|(sign, value)| format!("{sign} {pointer}: {value}")));
        }
    }
}
