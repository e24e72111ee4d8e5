//! The command line: arguments, and which command does what.

mod agency;
mod audit;
mod catalogue;
mod child;
mod desk;
mod development;
mod digest_sets;
pub mod exit;
mod exposure;
mod mla;
mod refer;
mod series;
mod table;
mod up;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use audit_log::SigningKey;
use causeway::serve::{ServiceName, Settings, listen, serve};
use clap::{Args, Parser, Subcommand};
use client::{Client, Token};
use schemas::codes::{
    CloseOutcome, DeclineReason, ErasureReason, EscalationReason, HoldReason, MatchVerdict, RetractionReason,
};
use schemas::ids::{
    AgencyId, AssignmentId, HoldId, IncidentId, KeyId, PersonRef, PictureMatchId, ReferralId, RetractionId,
};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

/// The backbone on which hotlines, police and authorities work one cross-border incident together.
///
/// Exit codes: 0 done; 1 failed; 2 the arguments are wrong; 3 the request was refused (a problem is printed);
/// 4 no answer from the service.
#[derive(Parser)]
#[command(version, max_term_width = 110)]
pub struct Arguments {
    #[command(flatten)]
    access: Access,
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

/// How the deployment is reached.
#[derive(Args)]
struct Access {
    /// Where the services answer.
    #[arg(long, global = true, env = "CAUSEWAY_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// The agency's token.
    #[arg(long, global = true, env = "CAUSEWAY_TOKEN", hide_env_values = true, default_value = "")]
    token: String,
    /// The agency's token in this file instead, read anew for each request: whoever writes it renews it.
    #[arg(long, global = true, env = "CAUSEWAY_TOKEN_FILE", conflicts_with = "token")]
    token_file: Option<PathBuf>,
    /// Sign each command with the agency's key in this file, as `causeway keygen signing` writes it.
    #[arg(long, global = true, env = "CAUSEWAY_SIGNING_KEY")]
    signing_key: Option<PathBuf>,
}

impl Access {
    fn client(&self) -> anyhow::Result<Client> {
        let client = Client::new(&self.url, &self.token);
        let client = match &self.token_file {
            Some(file) => client.with_token(Token::File(file.as_path().into())),
            None => client,
        };
        let Some(path) = &self.signing_key else { return Ok(client) };
        let text = std::fs::read_to_string(path);
        let text = text.with_context(|| format!("failed to read {}", path.display()))?;
        let key = SigningKey::parse(&text).with_context(|| path.display().to_string())?;
        Ok(client.signing(key))
    }
}

#[derive(Subcommand)]
enum Command {
    /// Run services until Ctrl-C: those named, or all in one process.
    ///
    /// Example: causeway serve routing --config causeway.toml
    Serve {
        services: Vec<ServiceName>,
        #[arg(long)]
        config: Option<PathBuf>,
    },
    /// Create the topics that are missing, or check those that are there.
    Topics {
        #[command(subcommand)]
        action: catalogue::Topics,
    },
    /// File a referral, a stream of them, or a CyberTipline report.
    ///
    /// Examples:
    ///   causeway refer referral.json
    ///   causeway refer --batch referrals.ndjson
    ///   causeway refer --cybertipline report.xml --file-details details.xml --reference R-1
    #[command(verbatim_doc_comment)]
    Refer(refer::Refer),
    /// What stands before the agency: list it, or follow it live.
    Inbox {
        /// Stay and print what comes.
        #[arg(long)]
        follow: bool,
        /// Go on behind this event.
        #[arg(long, requires = "follow")]
        after: Option<String>,
    },
    /// Accept an assignment.
    Accept(Assignment),
    /// Decline an assignment.
    Decline {
        #[command(flatten)]
        assignment: Assignment,
        #[arg(long, value_parser = clap::value_parser!(DeclineReason))]
        reason: DeclineReason,
        /// Free text for the other parties; sealed.
        #[arg(long)]
        note: Option<String>,
    },
    /// Forward an assignment to another agency.
    Forward {
        #[command(flatten)]
        assignment: Assignment,
        #[arg(long)]
        to: AgencyId,
        /// Free text for the other parties; sealed.
        #[arg(long)]
        note: Option<String>,
    },
    /// Close an accepted assignment with what came of it.
    Close {
        #[command(flatten)]
        assignment: Assignment,
        #[arg(long, value_parser = clap::value_parser!(CloseOutcome))]
        outcome: CloseOutcome,
        /// Free text for the other parties; sealed.
        #[arg(long)]
        note: Option<String>,
    },
    /// Ask a coordinator to look; the assignment stays with its agency.
    Escalate {
        #[command(flatten)]
        assignment: Assignment,
        #[arg(long, value_parser = clap::value_parser!(EscalationReason))]
        reason: EscalationReason,
        /// Free text for the other parties; sealed.
        #[arg(long)]
        note: Option<String>,
    },
    /// Acknowledge that something was taken back.
    Acknowledge { incident: IncidentId, retraction: RetractionId },
    /// Amend a referral of one's own: the whole of it again, under the same reference.
    Amend { referral: ReferralId, file: PathBuf },
    /// Withdraw a referral of one's own: each agency that it reached is told.
    Withdraw {
        referral: ReferralId,
        #[arg(long, value_parser = clap::value_parser!(RetractionReason))]
        reason: RetractionReason,
    },
    /// Have the data keys erased of what one's own agency has brought in: all of it, or one person's.
    Erase {
        incident: IncidentId,
        /// One person alone, as `GET /v1/referrals/ID` names it.
        #[arg(long)]
        person: Option<PersonRef>,
        #[arg(long, value_parser = clap::value_parser!(ErasureReason))]
        reason: ErasureReason,
    },
    /// Keep an incident's facets as evidence: an erasure restricts them while the hold stands.
    Hold {
        incident: IncidentId,
        #[arg(long, value_parser = clap::value_parser!(HoldReason))]
        reason: HoldReason,
        /// An instant, such as 2027-01-31T00:00:00Z; without, until it is released.
        #[arg(long)]
        until: Option<jiff::Timestamp>,
    },
    /// Let go what was held.
    Release { incident: IncidentId, hold: HoldId },
    /// Open what an assignment entitles to. Decrypts here: the private key never leaves this machine.
    ///
    /// Example: causeway open INCIDENT ASSIGNMENT --key agency.key --key-id de-bka-2026
    Open {
        #[command(flatten)]
        assignment: Assignment,
        /// The file of the agency's private key, as `causeway keygen` writes it.
        #[arg(long)]
        key: PathBuf,
        #[arg(long)]
        key_id: KeyId,
        /// Write the CyberTipline report that the facets hold, as XML, into this directory.
        #[arg(long)]
        emit_xml: Option<PathBuf>,
    },
    /// Why an incident went where it went: countries, grounds, agencies, rules, transfer bases.
    Incident { incident: IncidentId },
    /// Pictures of an incident that look like known ones; with a match and a verdict, say whether it shows the same.
    Matches {
        incident: IncidentId,
        #[arg(requires = "verdict")]
        found: Option<PictureMatchId>,
        verdict: Option<MatchVerdict>,
    },
    /// The agency's pages, on this machine: its inbox, its answers, and what is opened here.
    ///
    /// Example: causeway desk --key agency.key --token-file token
    Desk(desk::Desk),
    /// Legal assistance: legal bases, requests and orders, and what is due.
    Mla {
        #[command(subcommand)]
        action: mla::Mla,
    },
    /// Victim identification: who looks for a child, what was found out, and what the child is owed.
    Child {
        #[command(subcommand)]
        action: Box<child::Child>,
    },
    /// Digests of known material: shared, voted on, and asked of.
    DigestSets {
        #[command(subcommand)]
        action: digest_sets::DigestSets,
    },
    /// The exposure ledger: what had to be viewed, and by how many.
    Exposure {
        #[command(subcommand)]
        action: exposure::Exposure,
    },
    /// Series: children of several incidents that one body of material shows.
    Series {
        #[command(subcommand)]
        action: series::Series,
    },
    /// The audit log: its head, and what your agency did.
    Audit {
        #[command(subcommand)]
        action: audit::Audit,
    },
    /// Write the trail of an incident into a file that `verify` checks offline.
    ///
    /// Example: causeway export INCIDENT --output trail.jsonl
    Export(audit::Export),
    /// Watch audit logs for your agency, and cosign each head that extends the last.
    Witness(audit::WitnessCommand),
    /// Check a trail offline: each event, and that none is missing in between.
    ///
    /// Example: causeway verify trail.jsonl --log-key "audit.example+0a1b2c3d+..."
    Verify(audit::Verify),
    /// The directory: list, show, apply a change, confirm another's.
    Directory {
        #[command(subcommand)]
        action: catalogue::Directory,
    },
    /// A store on disk: what it says, as digests. The service must not be running.
    Store {
        #[command(subcommand)]
        action: catalogue::Store,
    },
    /// Development: a token of a development issuer.
    Token(development::Token),
    /// Development: a key pair for opening facets, or an issuer's key.
    Keygen(development::Keygen),
    /// The example: all services over a Kafka, a directory of agencies, three incidents, one night, a request.
    Up(up::Up),
}

#[derive(Args, Clone, Copy)]
struct Assignment {
    incident: IncidentId,
    assignment: AssignmentId,
}

pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let client = arguments.access.client()?;
    let output = Output { json: arguments.json };
    match arguments.command {
        Command::Serve { services, config } => run_services(&services, config.as_deref()).await,
        Command::Topics { action } => action.run(&output).await,
        Command::Refer(refer) => refer.run(&client, &output).await,
        Command::Inbox { follow: false, .. } => agency::list(&client, &output).await,
        Command::Inbox { follow: true, after } => agency::follow(&client, &output, after.as_deref()).await,
        Command::Accept(assignment) => agency::answer(&client, &output, assignment, "accept", &()).await,
        Command::Decline { assignment, reason, note } => {
            let body = routing::http::Decline { reason, note };
            agency::answer(&client, &output, assignment, "decline", &body).await
        }
        Command::Forward { assignment, to, note } => {
            let body = routing::http::Forward { to, note };
            agency::answer(&client, &output, assignment, "forward", &body).await
        }
        Command::Close { assignment, outcome, note } => {
            let body = routing::http::Close { outcome, note };
            agency::answer(&client, &output, assignment, "close", &body).await
        }
        Command::Escalate { assignment, reason, note } => {
            let body = routing::http::Escalate { reason, note };
            agency::answer(&client, &output, assignment, "escalate", &body).await
        }
        Command::Acknowledge { incident, retraction } => {
            agency::acknowledge(&client, &output, incident, retraction).await
        }
        Command::Amend { referral, file } => refer::amend(&client, &output, referral, &file).await,
        Command::Withdraw { referral, reason } => refer::withdraw(&client, &output, referral, reason).await,
        Command::Erase { incident, person, reason } => {
            agency::erase(&client, &output, incident, delivery::http::Erase { person_ref: person, reason })
                .await
        }
        Command::Hold { incident, reason, until } => {
            agency::hold(
                &client,
                &output,
                incident,
                delivery::http::Hold { reason, until: until.map(Into::into) },
            )
            .await
        }
        Command::Release { incident, hold } => agency::release(&client, &output, incident, hold).await,
        Command::Open { assignment, key, key_id, emit_xml } => {
            agency::open(&client, &output, assignment, &key, &key_id, emit_xml.as_deref()).await
        }
        Command::Incident { incident } => agency::incident(&client, &output, incident).await,
        Command::Matches { incident, found, verdict } => {
            agency::matches(&client, &output, incident, found.zip(verdict)).await
        }
        Command::Desk(desk) => {
            let stop = stop_sign().context("failed to listen for the sign to stop")?;
            desk.run(client, stop).await
        }
        Command::Mla { action } => action.run(&client, &output).await,
        Command::Child { action } => action.run(&client, &output).await,
        Command::DigestSets { action } => action.run(&client, &output).await,
        Command::Exposure { action } => action.run(&client, &output).await,
        Command::Series { action } => action.run(&client, &output).await,
        Command::Audit { action } => action.run(&client, &output).await,
        Command::Export(export) => export.run(&client).await,
        Command::Witness(witness) => {
            let stop = stop_sign().context("failed to listen for the sign to stop")?;
            witness.run(stop).await
        }
        Command::Verify(verify) => verify.run(&output),
        Command::Directory { action } => action.run(&client, &output).await,
        Command::Store { action } => action.run(&output),
        Command::Token(token) => token.run(&output),
        Command::Keygen(keygen) => keygen.run(&output),
        Command::Up(up) => up.run().await,
    }
}

async fn run_services(services: &[ServiceName], config: Option<&Path>) -> anyhow::Result<()> {
    // Before anything that takes time: a sign that comes during the start is heeded too.
    let stop = stop_sign().context("failed to listen for the sign to stop")?;
    let settings = Settings::read(config)?;
    let _telemetry = chassis::telemetry::Telemetry::start(&settings.host.telemetry)?;
    let services = if services.is_empty() { &ServiceName::ALL } else { services };
    let listener = listen(&settings).await?;
    serve(settings, services, listener, stop).await
}

/// Ctrl-C, or the stop sign of whatever runs the process; heard from now on.
fn stop_sign() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
    })
}

/// How results are printed.
pub struct Output {
    json: bool,
}

impl Output {
    /// The value as JSON, or as the text that people read.
    fn print(&self, value: &impl Serialize, text: impl FnOnce() -> String) -> anyhow::Result<()> {
        let text = match self.json {
            true => serde_json::to_string(value).context("failed to write JSON")?,
            false => text().trim_end().to_owned(),
        };
        match writeln!(std::io::stdout().lock(), "{text}") {
            // Whoever reads has read enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            written => written.context("failed to write the result"),
        }
    }
}
