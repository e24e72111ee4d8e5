//! The audit log on the command line: a trail exported, and verified offline.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use audit::domain::readers::{Ground, MayOpen, Readers, Span};
use audit::fsck::{Found, Fsck, Lost};
use audit::http::{AllActs, LogHead, Succeeded, WitnessView};
use audit::readers::of_kafka;
use audit::witness::Witness;
use audit_log::LogKey;
use audit_log::cosignature::{Cosigner, WitnessKey};
use audit_log::verify::{Against, Proven, Signed, verify};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use causeway::development;
use causeway::serve::{ServiceName, Settings};
use clap::{Args, Subcommand};
use client::Client;
use schemas::codes::FacetKind;
use schemas::ids::IncidentId;
use serde_json::{Value, json};

use super::Output;
use super::development::write_private;
use super::table::table;

#[derive(Subcommand)]
pub enum Audit {
    /// The log's name, its key, and its last head.
    Log,
    /// What people and machines of your agency did.
    Acts {
        /// The first moment, such as 2026-11-01T00:00:00Z.
        #[arg(long)]
        from: jiff::Timestamp,
        /// The first moment after the last.
        #[arg(long)]
        to: jiff::Timestamp,
        /// The actor of one person's tokens.
        #[arg(long)]
        actor: Option<String>,
    },
    /// Who could see what of an incident, and when, and who has looked: of your agency. With the operator's settings,
    /// of every agency, from Kafka alone.
    Readers {
        incident: IncidentId,
        #[arg(long)]
        config: Option<PathBuf>,
    },
    /// For the operator: derive the log again from Kafka, and say what does not fit.
    Fsck {
        #[arg(long)]
        config: Option<PathBuf>,
        /// A broker's data directory: then its files are read too, to tell what is missing from what was aborted.
        #[arg(long)]
        kafka_files: Option<PathBuf>,
        /// Where the service answers: then each tile that it shows is compared too.
        #[arg(long)]
        served: Option<String>,
    },
}

impl Audit {
    pub async fn run(self, client: &Client, output: &Output) -> anyhow::Result<()> {
        match self {
            Self::Log => {
                let head: LogHead = client.get("/v1/log").await?;
                output.print(&head, || head_text(&head))
            }
            Self::Acts { from, to, actor } => {
                let mut page = format!("/v1/acts?from={from}&to={to}");
                if let Some(actor) = actor {
                    page += &format!("&actor={actor}");
                }
                let acts: AllActs = client.get(&page).await?;
                output.print(&acts, || acts_text(&acts))
            }
            Self::Readers { incident, config: None } => {
                let readers: Readers = client.get(&format!("/v1/incidents/{incident}/readers")).await?;
                output.print(&readers, || readers_text(&readers))
            }
            Self::Readers { incident, config: Some(config) } => {
                let readers = readers_of_kafka(incident, &config).await?;
                output.print(&readers, || readers_text(&readers))
            }
            Self::Fsck { config, kafka_files, served } => {
                fsck(config.as_deref(), kafka_files.as_deref(), served, output).await
            }
        }
    }
}

async fn fsck(
    config: Option<&Path>,
    files: Option<&Path>,
    served: Option<String>,
    output: &Output,
) -> anyhow::Result<()> {
    let settings = Settings::read(config)?;
    let (key, predecessors) = (settings.audit.signing_key()?, settings.audit.predecessors()?);
    let (codec, _) = chassis::host::codec(&settings.host, &ServiceName::names()).await?;
    let (kafka, files) = (settings.host.kafka, files.map(Path::to_owned));
    // Schemas that it does not know are asked for of the registry, and that blocks.
    let checking = tokio::task::spawn_blocking(move || {
        let (key, predecessors, files) = (key.public(), predecessors.as_slice(), files.as_deref());
        let served = served.as_deref();
        let fsck = Fsck { kafka: &kafka, codec: &codec, key, predecessors, served, files };
        fsck.run(&mut |doing| eprintln!("{doing}"))
    });
    let found = checking.await??;
    output.print(&found, || found_text(&found))?;
    anyhow::ensure!(found.faults.is_empty(), "{} faults", found.faults.len());
    Ok(())
}

async fn readers_of_kafka(incident: IncidentId, config: &Path) -> anyhow::Result<Readers> {
    let settings = Settings::read(Some(config))?;
    let (codec, _) = chassis::host::codec(&settings.host, &ServiceName::names()).await?;
    let kafka = settings.host.kafka;
    let reading = tokio::task::spawn_blocking(move || {
        of_kafka(&kafka, &codec, incident, &mut |doing| eprintln!("{doing}"))
    });
    Ok(reading.await??)
}

fn readers_text(readers: &Readers) -> String {
    let told = readers.readers.iter().map(|reader| {
        let opened: usize = reader.opened.iter().map(|opened| opened.facets.len()).sum();
        vec![
            reader.agency.to_string(),
            ground_text(reader.ground),
            span_text(reader.told),
            reader.may_open.iter().map(may_open_text).collect::<Vec<_>>().join("; "),
            opened.to_string(),
        ]
    });
    let opened = readers.readers.iter().flat_map(|reader| {
        reader.opened.iter().map(|opened| {
            vec![
                opened.time.to_string(),
                reader.agency.to_string(),
                opened.actor.clone(),
                opened.recipient_key_id.to_string(),
                kinds_text(&opened.kinds),
                format!("{} of {}", opened.reported.len(), opened.facets.len()),
            ]
        })
    });
    let standings = readers.standings.iter().map(|standing| {
        let keys: Vec<String> = standing.keys.iter().map(ToString::to_string).collect();
        let tokens = format!("{} of {}", standing.subject, standing.issuer);
        vec![standing.agency.to_string(), span_text(standing.span), tokens, keys.join(", ")]
    });
    let trails = readers
        .trails
        .iter()
        .map(|reading| vec![reading.time.to_string(), reading.agency.to_string(), reading.actor.clone()]);
    let closed = readers.closed.iter().map(|closed| {
        let kept = if closed.held_as_evidence { "kept as evidence" } else { "erased" };
        vec![
            closed.time.to_string(),
            closed.facets.len().to_string(),
            kept.to_owned(),
            closed.reason.to_string(),
        ]
    });
    let looked = ["time", "agency", "person", "key", "facets", "read, by its own word"];
    let sections = [
        section("Could see", &["agency", "by", "knew of it", "could open", "opened"], told.collect()),
        section("Has opened", &looked, opened.collect()),
        section("Stood in the directory", &["agency", "from, until", "tokens", "keys"], standings.collect()),
        section("Has read the trail", &["time", "agency", "person"], trails.collect()),
        section("Closed to everybody", &["time", "facets", "and", "reason"], closed.collect()),
    ];
    sections.into_iter().flatten().collect::<Vec<_>>().join("\n\n")
}

/// None where it would be empty.
fn section(title: &str, columns: &[&str], rows: Vec<Vec<String>>) -> Option<String> {
    (!rows.is_empty()).then(|| format!("{title}\n{}", table(columns, &rows)))
}

fn ground_text(ground: Ground) -> String {
    match ground {
        Ground::Report(id) => format!("its report {id}"),
        Ground::Assignment(id) => format!("assignment {id}"),
        Ground::Request(id) => format!("request {id}"),
        Ground::Child(child) => format!("child {child}"),
        Ground::Scope => "its countries".to_owned(),
    }
}

fn span_text(span: Span) -> String {
    span.until.map_or_else(|| format!("from {}", span.from), |until| format!("{} to {until}", span.from))
}

fn may_open_text(open: &MayOpen) -> String {
    let persons = match open.persons {
        0 => String::new(),
        persons => format!(" ({persons} persons)"),
    };
    format!("{}{persons} {}", kinds_text(&open.kinds), span_text(open.span))
}

fn kinds_text(kinds: &[FacetKind]) -> String {
    kinds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn found_text(found: &Found) -> String {
    let aborted = found.aborted.map_or_else(
        || "Kafka's files were not read: name them with --kafka-files".to_owned(),
        |aborted| format!("{aborted} records of aborted transactions have none, as it has to be"),
    );
    let faults: Vec<String> = found.faults.iter().map(ToString::to_string).collect();
    let tiles =
        found.tiles.map_or_else(String::new, |tiles| format!("{tiles} tiles that are served compared\n"));
    let lost: String = found.lost.iter().map(lost_text).collect();
    format!(
        "{lost}{tiles}{} leaves, {} heads, {} committed records; {} of them are yet to be sequenced\n{aborted}\n{}",
        found.leaves,
        found.checkpoints,
        found.records,
        found.not_yet_sequenced,
        if faults.is_empty() {
            "each record has exactly one leaf, and each head is that of the log".to_owned()
        } else {
            faults.join("\n")
        }
    )
}

fn lost_text(Lost { origin, signed, restored }: &Lost) -> String {
    format!("of {signed} leaves of {origin}, {restored} were restored; the rest is lost\n")
}

fn head_text(head: &LogHead) -> String {
    format!(
        "{}\nkey: {}\n{} leaves\n\n{}",
        head.origin,
        head.key,
        head.size,
        head.checkpoint.as_deref().unwrap_or("nothing was signed yet")
    ) + &head.witnesses.iter().map(witness_text).collect::<String>()
        + &head.succeeds.iter().map(succeeded_text).collect::<String>()
}

fn succeeded_text(Succeeded { checkpoint, leaf }: &Succeeded) -> String {
    format!("\ngoes on after a restore at leaf {leaf}; the last head before it was\n{checkpoint}")
}

fn witness_text(witness: &WitnessView) -> String {
    let stands = if witness.cosigned.is_some() { "has cosigned it" } else { "has not cosigned it" };
    format!("\n{}: {stands}", witness.key)
}

fn acts_text(acts: &AllActs) -> String {
    let rows = acts
        .acts
        .iter()
        .map(|act| vec![act.time.to_string(), act.actor.clone(), act.topic.clone(), act.aggregate.clone()]);
    let mut text = table(&["time", "actor", "topic", "of"], &rows.collect::<Vec<_>>());
    if acts.more {
        text += "\nthere are more: ask for a shorter time";
    }
    text
}

/// Writes the trail of an incident as your agency may see it into one file, with the proof of each event.
#[derive(Args)]
pub struct Export {
    incident: IncidentId,
    #[arg(long)]
    output: PathBuf,
}

impl Export {
    pub async fn run(self, client: &Client) -> anyhow::Result<()> {
        let file = client.text(&format!("/v1/incidents/{}/trail", self.incident)).await?;
        std::fs::write(&self.output, &file)
            .with_context(|| format!("failed to write {}", self.output.display()))?;
        let events = file.lines().filter(|line| line.starts_with("{\"event\":")).count();
        eprintln!("{events} events in {}; check them with `causeway verify`", self.output.display());
        Ok(())
    }
}

/// Watches logs for your agency: cosigns each head that extends what was seen before (C2SP tlog-witness).
///
/// Its public key is printed first: it goes to whoever runs the log, and to whoever checks it.
#[derive(Args)]
pub struct WitnessCommand {
    /// Its name, such as witness.agency.example.
    #[arg(long)]
    name: String,
    /// A file with 32 secret bytes in hexadecimal digits; it is made where there is none.
    #[arg(long)]
    key: PathBuf,
    /// A log's public key; may be given several times.
    #[arg(long, required = true)]
    log_key: Vec<String>,
    /// Where the last head of each log is kept. Not a cache: back it up.
    #[arg(long)]
    state: PathBuf,
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
}

impl WitnessCommand {
    pub async fn run(&self, stop: impl Future<Output = ()> + Send + 'static) -> anyhow::Result<()> {
        let cosigner = Cosigner::new(&self.name, &secret(&self.key)?).context("--name")?;
        let logs = self.log_key.iter().map(|key| LogKey::parse(key)).collect::<Result<Vec<_>, _>>();
        std::fs::create_dir_all(&self.state)
            .with_context(|| format!("failed to create {}", self.state.display()))?;
        println!("{}", cosigner.public());
        let witness = Witness::open(cosigner, logs.context("--log-key")?, &self.state)?;
        let listener = tokio::net::TcpListener::bind(self.listen).await;
        let listener = listener.with_context(|| format!("failed to listen on {}", self.listen))?;
        eprintln!("watching at http://{}", listener.local_addr()?);
        axum::serve(listener, Arc::new(witness).pages().into_make_service())
            .with_graceful_shutdown(stop)
            .await?;
        Ok(())
    }
}

fn secret(path: &Path) -> anyhow::Result<[u8; 32]> {
    if !path.exists() {
        write_private(path, &development::secret())?;
    }
    let text = read(path)?;
    let bytes = hex::decode(text.trim()).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.with_context(|| format!("{} does not hold 32 bytes in hexadecimal digits", path.display()))
}

/// Checks a trail offline: that its events stand in the log, unchanged and without a gap. No network is used.
#[derive(Args)]
pub struct Verify {
    file: PathBuf,
    /// The log's public key: from the operator, from a witness, or from an earlier trail; never from the file itself.
    #[arg(long)]
    log_key: String,
    /// The public key of a witness that is to have cosigned the head; may be given several times.
    #[arg(long)]
    witness_key: Vec<String>,
    /// A receipt that was given for an event of the incident, as it came in the header Causeway-Receipt; may be given
    /// several times.
    #[arg(long)]
    receipt: Vec<PathBuf>,
    /// The public key that receipts are signed with.
    #[arg(long, requires = "receipt")]
    receipt_key: Option<String>,
    /// The public key of an agency that signs its commands, from the agency itself; may be given several times.
    #[arg(long)]
    agency_key: Vec<String>,
}

impl Verify {
    pub fn run(&self, output: &Output) -> anyhow::Result<()> {
        let file = read(&self.file)?;
        let key = LogKey::parse(&self.log_key).context("--log-key")?;
        let receipt_key =
            self.receipt_key.as_deref().map(LogKey::parse).transpose().context("--receipt-key")?;
        let receipt_key = receipt_key.unwrap_or_else(|| key.clone());
        let receipts = self.receipt.iter().map(|path| Ok((receipt(path)?, receipt_key.clone())));
        let receipts = receipts.collect::<anyhow::Result<Vec<_>>>()?;
        let witnesses = self.witness_key.iter().map(|key| WitnessKey::parse(key));
        let witnesses = witnesses.collect::<Result<Vec<_>, _>>().context("--witness-key")?;
        let agencies = self.agency_key.iter().map(|key| LogKey::parse(key));
        let agencies = agencies.collect::<Result<Vec<_>, _>>().context("--agency-key")?;
        let against = Against { log: &key, witnesses: &witnesses, receipts: &receipts, agencies: &agencies };
        match verify(&file, &against) {
            Ok(proven) => {
                let missing = witnesses.iter().find(|witness| !proven.cosigned.contains_key(&witness.name));
                if let Some(WitnessKey { name, .. }) = missing {
                    anyhow::bail!("{name} has not cosigned the head that the trail is proven by");
                }
                output.print(&verdict(&proven), || proven_text(&proven))
            }
            Err(faults) => {
                let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
                anyhow::bail!("{} does not prove what it says:\n  {}", self.file.display(), told.join("\n  "))
            }
        }
    }
}

/// A note, in base64 or as it is.
fn receipt(path: &Path) -> anyhow::Result<String> {
    let text = read(path)?;
    let decoded = BASE64_STANDARD.decode(text.trim()).ok().and_then(|note| String::from_utf8(note).ok());
    Ok(decoded.unwrap_or(text))
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))
}

/// What was proven, for scripts.
fn verdict(proven: &Proven) -> Value {
    json!({
        "incident": proven.head.incident,
        "agency": proven.head.agency,
        "made": proven.head.made,
        "size": proven.root.size,
        "cosigned": proven.cosigned,
        "receipts_kept": proven.receipts,
        "receipts_open": proven.receipts_open,
        "signed": proven.signed,
        "chains": proven.chains,
    })
}

fn proven_text(proven: &Proven) -> String {
    let rows = proven.chains.iter().map(|chain| {
        let count = |number: usize| number.to_string();
        let (records, bodies, frames) = (count(chain.records), count(chain.bodies), count(chain.frames));
        vec![chain.topic.clone(), chain.last.to_string(), records, bodies, frames]
    });
    let chains =
        table(&["topic", "events", "whole", "what they say", "only there"], &rows.collect::<Vec<_>>());
    let cosigned: String = proven.cosigned.keys().map(|witness| format!(", cosigned by {witness}")).collect();
    let unnamed = proven.chains.iter().filter(|chain| chain.records == 0).map(|chain| {
        let topic = &chain.topic;
        format!("- that the events of {topic} are of this incident: none of them is shown whole;\n")
    });
    format!(
        "The trail of incident {} for {}, made {}.\n\n{chains}\n\
         Proven, under a head of {} leaves{}:\n\
         - each event stands in the log as it is shown here, and was not changed since;\n\
         - each topic's events follow each other from the first on: none is missing in between, and none was slipped \
         in.\n\
         Not proven:\n{}\
         - that nothing came later, or in topics that are not shown;\n\
         - that what the events say is true: only that it was said, and when the log had it;\n\
         - that everybody is shown the same log: for that compare the head with what others hold, or ask a witness.\
         {}{}",
        proven.head.incident,
        proven.head.agency,
        proven.head.made,
        proven.root.size,
        cosigned,
        unnamed.collect::<String>(),
        match (proven.receipts, proven.receipts_open) {
            (0, 0) => String::new(),
            (kept, open) => format!("\nReceipts that were kept: {kept}; not due yet: {open}."),
        },
        signed_text(&proven.signed)
    )
}

fn signed_text(signed: &[Signed]) -> String {
    if signed.is_empty() {
        return String::new();
    }
    let line = |Signed { topic, sequence, by, command, name, names_incident }: &Signed| {
        let such = if *names_incident { "" } else { " (such a command; which one, only its body shows)" };
        format!("\n- event {sequence} of {topic}, {name}, by {by}: {command}{such}")
    };
    format!("\nSigned by the agency itself:{}", signed.iter().map(line).collect::<String>())
}
