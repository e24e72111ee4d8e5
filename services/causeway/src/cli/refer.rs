//! Filing: one referral, a stream of them with progress, or a CyberTipline report.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use client::Client;
use futures::StreamExt;
use intake::http::{Receipt, Withdraw};
use schemas::codes::RetractionReason;
use schemas::ids::ReferralId;

use super::Output;

#[derive(Args)]
pub struct Refer {
    /// A referral as JSON; `-` reads standard input.
    #[arg(required_unless_present_any = ["batch", "cybertipline"])]
    file: Option<PathBuf>,
    /// A file of referrals, one JSON object per line; `-` reads standard input.
    #[arg(long, conflicts_with = "file")]
    batch: Option<PathBuf>,
    /// A CyberTipline report as XML.
    #[arg(long, conflicts_with_all = ["file", "batch"], requires = "reference")]
    cybertipline: Option<PathBuf>,
    /// A `fileDetails` document of the report; may be given several times.
    #[arg(long, requires = "cybertipline")]
    file_details: Vec<PathBuf>,
    /// The reporter's own reference of the report.
    #[arg(long)]
    reference: Option<String>,
}

/// Progress of a long batch is told this often.
const PROGRESS_LINES: u64 = 1_000;

impl Refer {
    pub async fn run(&self, client: &Client, output: &Output) -> anyhow::Result<()> {
        match (&self.file, &self.batch, &self.cybertipline) {
            (_, Some(batch), _) => file_batch(client, output, batch).await,
            (_, _, Some(report)) => {
                let files = self.file_details.iter().map(|path| read_text(path)).collect::<Result<_, _>>()?;
                let reference = self.reference.as_deref().unwrap_or_default();
                let receipt = client.refer_report(reference, read_text(report)?, files).await?;
                output.print(&receipt, || text(&receipt))
            }
            (Some(file), _, _) => {
                let receipt = client.refer(read_text(file)?.into_bytes()).await?;
                output.print(&receipt, || text(&receipt))
            }
            (None, None, None) => anyhow::bail!("name a file, --batch or --cybertipline"),
        }
    }
}

fn text(receipt: &Receipt) -> String {
    let mut text = format!("referral {}\nincident {}\n", receipt.referral_id, receipt.incident_id);
    for field in &receipt.gate.withheld {
        text.push_str(&format!("withheld {}: {}\n", field.pointer, field.reason));
    }
    text
}

async fn file_batch(client: &Client, output: &Output, path: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(!client.signs(), "a batch is not signed: file what is signed one by one");
    let body = if path == Path::new("-") {
        reqwest::Body::wrap_stream(tokio_util::io::ReaderStream::new(tokio::io::stdin()))
    } else {
        let file = tokio::fs::File::open(path).await;
        let file = file.with_context(|| format!("failed to open {}", path.display()))?;
        reqwest::Body::wrap_stream(tokio_util::io::ReaderStream::new(file))
    };
    let mut results = std::pin::pin!(client.refer_batch(body).await?);
    let (mut filed, mut refused) = (0u64, 0u64);
    while let Some(result) = results.next().await {
        let result = result?;
        if result.problem.is_some() {
            refused += 1
        } else {
            filed += 1
        }
        if output.json || result.problem.is_some() {
            let problem = result.problem.as_ref().map(ToString::to_string).unwrap_or_default();
            output.print(&result, || format!("line {}: {problem}", result.line))?;
        } else if (filed + refused) % PROGRESS_LINES == 0 {
            eprintln!("{} lines answered", filed + refused);
        }
    }
    eprintln!("{filed} filed, {refused} refused");
    anyhow::ensure!(refused == 0, "{refused} lines were refused");
    Ok(())
}

fn read_text(path: &Path) -> anyhow::Result<String> {
    if path == Path::new("-") {
        return std::io::read_to_string(std::io::stdin()).context("failed to read standard input");
    }
    std::fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))
}

pub async fn amend(
    client: &Client,
    output: &Output,
    referral: ReferralId,
    file: &Path,
) -> anyhow::Result<()> {
    let json = std::fs::read(file).with_context(|| format!("failed to read {}", file.display()))?;
    let body: serde_json::Value =
        serde_json::from_slice(&json).with_context(|| format!("{} holds no JSON", file.display()))?;
    // The same file again is the same amendment.
    let key = format!("amend-{referral}-{}", hex::encode(schemas::digest::sha256(&[&json])));
    let receipt: Receipt = client.command(&format!("/v1/referrals/{referral}/amend"), &key, &body).await?;
    output.print(&receipt, || format!("amended referral {referral}, incident {}", receipt.incident_id))
}

pub async fn withdraw(
    client: &Client,
    output: &Output,
    referral: ReferralId,
    reason: RetractionReason,
) -> anyhow::Result<()> {
    let path = format!("/v1/referrals/{referral}/withdraw");
    let done: Withdraw = client.command(&path, &format!("withdraw-{referral}"), &Withdraw { reason }).await?;
    output.print(&done, || format!("withdrew referral {referral}: {reason}"))
}
