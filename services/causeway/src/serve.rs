//! Puts services together into a process.

use std::collections::BTreeSet;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use chassis::config::{Mistakes, Reader};
use chassis::front::Front;
use chassis::host::Host;
use chassis::http::status_page;
use chassis::kafka::Kafka;
use chassis::keys::{KeyIndex, KeyWriter, orphaned_after};
use chassis::problem::chain;
use chassis::reader::RecordReader;
use chassis::reference::Reference;
use chassis::registry::Registry;
use chassis::sealing::{self, Sealing};
use chassis::settled::Settled;
use delivery::Delivery;
use delivery::disclosure::Discloser;
use delivery::eraser::Eraser;
use delivery::sweeper::{self, Sweeper};
use directory::Directory;
use intake::Intake;
use routing::Routing;
use schemas::envelope::Body;
use schemas::ids::Country;
use tokio::net::TcpListener;
use utoipa_axum::router::OpenApiRouter;

use crate::openapi;

/// A service by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ServiceName {
    Directory,
    Intake,
    Routing,
    Delivery,
}

impl ServiceName {
    pub const ALL: [Self; 4] = [Self::Directory, Self::Intake, Self::Routing, Self::Delivery];
}

/// Everything that a process of any service reads.
#[derive(Clone)]
pub struct Settings {
    pub host: chassis::host::Settings,
    pub sealing: sealing::Settings,
    pub intake: intake::settings::Settings,
    pub delivery: delivery::settings::Settings,
    /// The first directory, loaded once on an empty topic.
    pub genesis: Option<PathBuf>,
}

impl Settings {
    /// Reads the file and the environment over it.
    ///
    /// # Errors
    /// Every mistake at once.
    pub fn read(file: Option<&Path>) -> Result<Self, Mistakes> {
        let mut reader = Reader::open(file);
        let host = chassis::host::Settings::read(&mut reader);
        let sealing = sealing::Settings::read(&mut reader);
        let intake = intake::settings::Settings::read(&mut reader);
        let delivery = delivery::settings::Settings::read(&mut reader, sealing.vault_key_id.clone());
        let genesis = reader.optional("directory.genesis_file");
        reader.finish()?;
        Ok(Self { host, sealing, intake, delivery, genesis })
    }
}

/// Takes the address that the settings name: what is taken already is found before anything starts.
///
/// # Errors
/// When the address is taken, or not this machine's.
pub async fn listen(settings: &Settings) -> anyhow::Result<TcpListener> {
    let address = settings.host.listen;
    TcpListener::bind(address).await.with_context(|| format!("failed to listen on {address}"))
}

/// Runs the services until the stop sign, then drains.
///
/// # Errors
/// What keeps one of them from starting.
pub async fn serve(
    settings: Settings,
    services: &[ServiceName],
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let mut stop = Box::pin(stop);
    let mut host = tokio::select! {
        host = Host::start(settings.host.clone()) => host?,
        () = &mut stop => return Ok(()),
    };
    let mut pages = OpenApiRouter::with_openapi(openapi::head());
    let mut plain = Router::new();
    for service in services {
        let (described, status) = match service {
            ServiceName::Directory => directory(&mut host, &settings)?,
            ServiceName::Intake => intake(&mut host, &settings)?,
            ServiceName::Routing => routing(&mut host, &settings)?,
            ServiceName::Delivery => delivery(&mut host, &settings)?,
        };
        pages = pages.merge(described);
        plain = plain.merge(status);
    }
    if host.clock.is_development() {
        plain = plain.merge(crate::development::clock_page(host.clock.clone()));
    }
    let (router, document) = pages.split_for_parts();
    let router = router.merge(plain).merge(openapi::pages(&document, services, &host.clock));
    Ok(host.serve(listener, router, stop).await?)
}

type Pages = (OpenApiRouter, Router);

fn directory(host: &mut Host, settings: &Settings) -> anyhow::Result<Pages> {
    let front = host.run(Directory)?;
    if let Some(file) = &settings.genesis {
        let entries = directory::genesis::read(file)?;
        tokio::spawn(load_genesis(front.clone(), host.reference.clone(), entries));
    }
    Ok((directory::http::pages(front.clone(), host.reference.clone()), status_page(front)))
}

/// Loads the first directory once the fold says whether there is one already.
async fn load_genesis(
    front: Front<Directory>,
    reference: chassis::reference::Reference,
    entries: Vec<schemas::directory::Entry>,
) {
    let mut changes = reference.changes();
    if changes.wait_for(|(complete, _)| *complete).await.is_err()
        || !reference.snapshot().directory.is_empty()
    {
        return;
    }
    // Until then nobody is answered.
    while !front.fold().is_whole() {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    // One command with one id: trying again loads it once.
    while let Err(error) = directory::genesis::load(&front, entries.clone()).await {
        tracing::error!(error = %chassis::problem::chain(&error), "the genesis file was not loaded, retrying");
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        if !reference.snapshot().directory.is_empty() {
            return;
        }
    }
}

fn intake(host: &mut Host, settings: &Settings) -> anyhow::Result<Pages> {
    let (preparer, sealing) = (settings.intake.preparer()?, sealing(host, settings)?);
    let front = host.run(Intake)?;
    Ok((intake::http::pages(front.clone(), preparer, sealing), status_page(front)))
}

fn routing(host: &mut Host, settings: &Settings) -> anyhow::Result<Pages> {
    let sealing = sealing(host, settings)?;
    let front = host.run(Routing)?;
    Ok((routing::http::pages(front.clone(), sealing), status_page(front)))
}

fn sealing(host: &Host, settings: &Settings) -> anyhow::Result<Arc<Sealing>> {
    let keys = KeyWriter::new(&host.settings.kafka, host.codec.clone())?;
    Ok(Sealing::start(&settings.sealing, keys, host.clock.clone())?)
}

fn delivery(host: &mut Host, settings: &Settings) -> anyhow::Result<Pages> {
    let kafka = host.settings.kafka.clone();
    let vault = Arc::new(settings.delivery.vault().context("failed to open the vault")?);
    let keys = KeyIndex::new(host.store("sealed-keys")?, &kafka, host.codec.clone())?;
    let (follower, followed) = (keys.clone(), keys.clone());
    host.follow("sealed-keys", move || followed.is_whole(), move |stopping| follower.follow(stopping))?;
    tokio::spawn(create_notice_topics(kafka.clone(), host.registry.clone(), host.reference.clone()));
    let front = host.run(Delivery)?;
    let eraser = Eraser {
        front: front.downgrade(),
        vault: Arc::clone(&vault),
        keys: keys.clone(),
        writer: KeyWriter::new(&kafka, host.codec.clone())?,
        within: kafka.erase_within,
    };
    tokio::spawn(eraser.run());
    let sweeper = Sweeper {
        front: front.downgrade(),
        settled: Settled::new(&kafka, &sweeper::CHAIN)?,
        codec: host.codec.clone(),
        writer: KeyWriter::new(&kafka, host.codec.clone())?,
        after: orphaned_after(kafka.erase_within),
    };
    tokio::spawn(sweeper.run());
    let topic =
        schemas::topics::named(schemas::delivery::DeliveryEvent::TOPIC).context("delivery has a topic")?;
    let pages = delivery::http::Pages {
        front: front.clone(),
        reference: host.reference.clone(),
        cursors: host.cursors.clone(),
        partitions: kafka.partitions_of(topic.partitions),
        erase_within: kafka.erase_within,
        discloser: Arc::new(Discloser {
            vault,
            keys,
            records: RecordReader::new(&kafka)?,
            codec: host.codec.clone(),
        }),
    };
    Ok((delivery::http::pages(pages), status_page(front)))
}

/// Each country that the directory names has a topic of notices from the moment it is named, and its schema.
async fn create_notice_topics(kafka: Kafka, registry: Option<Registry>, reference: Reference) {
    let mut changes = reference.changes();
    let mut created = BTreeSet::new();
    loop {
        let countries = reference.snapshot().directory.countries();
        if !countries.is_subset(&created) {
            match create_notice_topics_of(&kafka, registry.as_ref(), &countries).await {
                Ok(()) => created = countries,
                Err(error) => {
                    tracing::error!(error = %chain(&*error), "failed to create topics of notices");
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
            }
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// How soon it is looked again whether the directory's topic was read to its end.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Pause before topics that could not be created are tried again.
const AGAIN: Duration = Duration::from_secs(1);

async fn create_notice_topics_of(
    kafka: &Kafka,
    registry: Option<&Registry>,
    countries: &BTreeSet<Country>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    kafka.create_topics(countries.clone()).await?;
    if let Some(registry) = registry {
        let topics: Vec<String> = countries.iter().map(schemas::topics::jurisdiction).collect();
        registry.register_topics(&kafka.prefix, &topics).await?;
    }
    Ok(())
}
