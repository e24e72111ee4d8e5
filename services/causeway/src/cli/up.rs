//! The example from one command: all services, a directory of agencies, three incidents, one night, a request.

mod assistance;
mod night;
mod search;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use causeway::development::provider;
use causeway::example::{self, Place, World};
use causeway::serve::{ServiceName, listen, serve};
use clap::Args;
use client::Client;
use futures::StreamExt;
use intake::http::Receipt;
use schemas::ids::{IncidentId, ReferralId};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::agency::routing_text;

/// How long the services may take until they are ready.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
/// How often something awaited is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How long an awaited state may take to come.
const AWAIT_TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Args)]
pub struct Up {
    #[arg(long)]
    brokers: String,
    /// Secrets, keys and stores of the example; kept from run to run.
    #[arg(long)]
    state: PathBuf,
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Before every topic's name.
    #[arg(long, default_value = "")]
    prefix: String,
    /// Written when everything is ready, for scripts to go on from.
    #[arg(long)]
    ready_file: Option<PathBuf>,
    /// Leave once ready.
    #[arg(long)]
    once: bool,
}

/// One of the example's incidents.
#[derive(Clone, Debug, Serialize)]
pub struct Named {
    name: &'static str,
    id: IncidentId,
    referral_id: ReferralId,
}

#[derive(Serialize)]
struct Ready<'a> {
    http: &'a str,
    tokens: serde_json::Map<String, serde_json::Value>,
    incidents: &'a [Named],
    /// The public key of the audit log.
    log_key: String,
    /// Where coordinators look.
    dashboard: String,
}

impl Up {
    pub async fn run(&self) -> anyhow::Result<()> {
        let world = World::open(&self.state)?;
        let place = Place {
            brokers: self.brokers.clone(),
            prefix: self.prefix.clone(),
            listen: self.listen,
            instance: "0".to_owned(),
            partitions: 4,
            replication: 1,
            registry: None,
            provider: Some(self.sign_in_at().await?),
            erase_within_seconds: None,
        };
        let settings = world.settings(&place)?;
        let _telemetry = chassis::telemetry::Telemetry::start(&settings.host.telemetry)?;
        let listener = listen(&settings).await?;
        tell("creating topics");
        settings.host.kafka.create_topics().await?;
        let names = ServiceName::names();
        tell(&format!("starting {} in one process", names.join(", ")));
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let serving = tokio::spawn(async move {
            serve(settings, &ServiceName::ALL, listener, async move { stopped.cancelled().await }).await
        });
        let http = format!("http://{}", self.listen);
        let played = async {
            self.play(&world, &http).await?;
            if !self.once {
                super::stop_sign()?.await;
            }
            anyhow::Ok(())
        };
        let mut serving = serving;
        let played = tokio::select! {
            played = played => played,
            served = &mut serving => return served?.context("the services did not start"),
        };
        tell("draining");
        stop.cancel();
        serving.await??;
        played
    }

    /// A provider on this machine, at which the dashboard's visitors say who they are.
    async fn sign_in_at(&self) -> anyhow::Result<String> {
        let listener = TcpListener::bind((self.listen.ip(), 0)).await.context("failed to listen")?;
        provider::serve(World::open(&self.state)?, listener, format!("{}/signed-in", self.dashboard()))
    }

    fn dashboard(&self) -> String {
        format!("http://{}{}", self.listen, dashboard::BASE)
    }

    async fn play(&self, world: &World, http: &str) -> anyhow::Result<()> {
        let story = Story::new(world, http)?;
        story.await_ready().await?;
        let incidents = story.file().await?;
        story.show(&incidents).await?;
        night::play(&story, world, &incidents[0]).await?;
        assistance::play(&story, world, &incidents[0]).await?;
        search::play(&story, world, &incidents[0]).await?;
        let head: audit::http::LogHead = story.hotline.get("/v1/log").await?;
        self.ready(world, http, &incidents, head.key.clone())?;
        goodbye(world, http, &self.dashboard(), &incidents, &head.key)
    }

    fn ready(&self, world: &World, http: &str, incidents: &[Named], log_key: String) -> anyhow::Result<()> {
        let Some(path) = &self.ready_file else { return Ok(()) };
        let token = |agency: &schemas::directory::Agency| {
            Ok((agency.id.to_string(), world.token(agency.id.as_str(), "developer")?.into()))
        };
        let tokens = world.agencies().iter().map(token).collect::<anyhow::Result<_>>()?;
        let ready = serde_json::to_vec_pretty(&Ready {
            http,
            tokens,
            incidents,
            log_key,
            dashboard: self.dashboard(),
        })?;
        std::fs::write(path, ready).with_context(|| format!("failed to write {}", path.display()))
    }
}

/// The people of the story.
pub struct Story {
    pub http: String,
    pub hotline: Client,
    pub provider: Client,
    pub coordinator: Client,
}

impl Story {
    fn new(world: &World, http: &str) -> anyhow::Result<Self> {
        Ok(Self {
            http: http.to_owned(),
            hotline: world.client(http, "nl-hotline", "analyst-1")?,
            provider: world.client(http, "us-provider", "trust-and-safety")?,
            coordinator: world.client(http, "un-coordinator", "watch-1")?,
        })
    }

    async fn await_ready(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        while !(self.hotline.is_ready().await
            && self.hotline.get::<serde_json::Value>("/v1/directory").await.is_ok())
        {
            anyhow::ensure!(
                begun.elapsed() < READY_TIMEOUT,
                "the services are not ready after {READY_TIMEOUT:?}"
            );
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        tell(&format!("ready after {:.1} s", begun.elapsed().as_secs_f64()));
        Ok(())
    }

    /// Files the three incidents; sending them again, as a second run does, files nothing twice.
    async fn file(&self) -> anyhow::Result<Vec<Named>> {
        tell("filing three incidents through the public API");
        night::set_the_clock(self).await?;
        let danger = self.hotline.refer(example::IMMINENT_DANGER.into()).await?;
        let files = vec![example::FILE_DETAILS.to_owned()];
        let report =
            self.provider.refer_report("EXAMPLE-REPORT-1", example::REPORT.to_owned(), files).await?;
        let mut results = std::pin::pin!(self.hotline.refer_batch(example::BATCH.into()).await?);
        let mut batch = None;
        while let Some(result) = results.next().await {
            let result = result?;
            match (result.receipt, result.problem) {
                (Some(receipt), _) => batch = Some(receipt),
                (None, problem) => {
                    let told = problem.map(|problem| problem.to_string()).unwrap_or_default();
                    tell(&format!(
                        "line {} of the batch is refused, as it must be:\n  {}",
                        result.line,
                        told.replace('\n', "\n  ")
                    ));
                }
            }
        }
        let batch = batch.context("the batch gave no receipt")?;
        let named = |name, receipt: Receipt| Named {
            name,
            id: receipt.incident_id,
            referral_id: receipt.referral_id,
        };
        Ok(vec![
            named("imminent-danger", danger),
            named("cybertipline-report", report),
            named("batch-line", batch),
        ])
    }

    /// Who was assigned what, and why, as the coordinator sees it.
    async fn show(&self, incidents: &[Named]) -> anyhow::Result<()> {
        for named in incidents {
            let view = await_some(|| async {
                let view = self.coordinator.routing(named.id).await.ok()?;
                (!view.assignments.is_empty() || !view.withheld.is_empty()).then_some(view)
            })
            .await
            .with_context(|| format!("{} was not routed in time", named.name))?;
            println!("\n── {} ──\n{}", named.name, routing_text(&view));
        }
        Ok(())
    }
}

/// Asks until there is an answer, within bounds.
pub async fn await_some<T, F: Future<Output = Option<T>>>(ask: impl Fn() -> F) -> Option<T> {
    let begun = Instant::now();
    while begun.elapsed() < AWAIT_TIMEOUT {
        if let Some(answer) = ask().await {
            return Some(answer);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    None
}

pub fn tell(what: &str) {
    println!("· {what}");
}

fn goodbye(
    world: &World,
    http: &str,
    dashboard: &str,
    incidents: &[Named],
    log_key: &str,
) -> anyhow::Result<()> {
    let incident = incidents[0].id;
    println!(
        "\nCauseway is up at {http} (OpenAPI: {http}/openapi.json). Coordinators look at {dashboard}: sign in as\n\
         un-coordinator, without a password. A token of de-police, good for a day's work:\n\n  \
         export CAUSEWAY_URL={http} CAUSEWAY_TOKEN={}\n\nGo on with:\n\n  \
         target/debug/causeway desk --key {}\n  \
         target/debug/causeway inbox --follow\n  \
         target/debug/causeway incident {incident}\n  \
         target/debug/causeway child show {incident}\n  \
         target/debug/causeway export {incident} --output trail.jsonl\n  \
         target/debug/causeway verify trail.jsonl --log-key '{log_key}'\n  \
         target/debug/causeway directory list\n\nCtrl-C drains and stops.",
        world.token("de-police", "developer")?,
        world.key_file("de-police").display(),
    );
    Ok(())
}
