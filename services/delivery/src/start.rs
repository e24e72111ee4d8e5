//! Delivery's part of a process: its pages, what erases, what sweeps, and the countries' topics.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chassis::clock::Clock;
use chassis::host::{Host, Pages, StartError};
use chassis::kafka::Kafka;
use chassis::keys::{KeyIndex, KeyWriter, orphaned_after};
use chassis::meters;
use chassis::problem::chain;
use chassis::reader::RecordReader;
use chassis::reference::Reference;
use chassis::registry::Registry;
use schemas::delivery::DeliveryEvent;
use schemas::envelope::Body;
use schemas::ids::Country;
use schemas::{Timestamp, topics};

use crate::disclosure::Discloser;
use crate::eraser::{Eraser, Waiting};
use crate::pictures::{Comparer, KnownPictures};
use crate::settings::Settings;
use crate::sweeper::Sweeper;
use crate::{Delivery, http};

/// Pause before topics that could not be created are tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// # Errors
/// When a setting is missing, or what the service stands on cannot be set up.
pub fn start(host: &mut Host, settings: &Settings) -> Result<Pages, StartError> {
    let kafka = host.settings.kafka.clone();
    let vault = Arc::new(settings.vault()?);
    let keys = KeyIndex::new(host.store("sealed-keys")?, &kafka, host.codec.clone())?;
    let (follower, followed) = (keys.clone(), keys.clone());
    host.follow("sealed-keys", move || followed.is_whole(), move |stopping| follower.follow(stopping))?;
    tokio::spawn(create_country_topics(kafka.clone(), host.registry.clone(), host.reference.clone()));
    let front = host.run(Delivery)?;
    let waiting = Waiting::default();
    measure_erasures(&waiting, &host.clock, kafka.erase_within);
    let eraser = Eraser {
        front: front.downgrade(),
        vault: Arc::clone(&vault),
        keys: keys.clone(),
        writer: KeyWriter::new(&kafka, host.codec.clone())?,
        within: kafka.erase_within,
        waiting,
    };
    tokio::spawn(eraser.run());
    let sweeper = Sweeper {
        front: front.downgrade(),
        kafka: kafka.clone(),
        codec: host.codec.clone(),
        writer: KeyWriter::new(&kafka, host.codec.clone())?,
        after: orphaned_after(kafka.erase_within),
    };
    tokio::spawn(sweeper.run());
    let discloser =
        Arc::new(Discloser { vault, keys, records: RecordReader::new(&kafka)?, codec: host.codec.clone() });
    let known = KnownPictures::default();
    let (follower, followed) = (known.clone(), known.clone());
    let (from, codec) = (kafka.clone(), host.codec.clone());
    let follow = move |stopping: &dyn Fn() -> bool| follower.follow(&from, &codec, stopping);
    host.follow("known-pictures", move || followed.is_complete(), follow)?;
    let comparer = Comparer { front: front.downgrade(), discloser: Arc::clone(&discloser), known };
    tokio::spawn(comparer.run());
    let pages = http::Pages {
        front: front.clone(),
        reference: host.reference.clone(),
        cursors: settings.cursors()?,
        partitions: kafka.partitions_of_topic(DeliveryEvent::TOPIC),
        erase_within: kafka.erase_within,
        discloser,
        receipts: host.receipts()?,
    };
    Ok(Pages::of(http::pages(pages), front))
}

/// How long the oldest erasure has waited, and how long it may.
#[expect(clippy::cast_precision_loss, reason = "no erasure waits for so long")]
fn measure_erasures(waiting: &Waiting, clock: &Clock, within: Duration) {
    let (waiting, clock) = (waiting.clone(), clock.clone());
    let waits = move || {
        let waits = |since: Timestamp| (clock.now().as_millis() - since.as_millis()) as f64 / 1_000.0;
        waiting.since().map_or(0.0, waits)
    };
    let description = "for which the oldest key set has waited to be erased";
    meters::gauge("causeway.erasure.waiting", "s", description, None, waits);
    let description = "within which erased keys are gone from every replica";
    meters::gauge("causeway.erasure.within", "s", description, None, move || within.as_secs_f64());
}

/// Each country that the directory names has a topic of notices from the moment it is named, and its schema.
async fn create_country_topics(kafka: Kafka, registry: Option<Registry>, reference: Reference) {
    let mut changes = reference.changes();
    let mut created = BTreeSet::new();
    loop {
        let countries = reference.snapshot().directory.countries();
        if !countries.is_subset(&created) {
            match create_topics_of(&kafka, registry.as_ref(), &countries).await {
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

async fn create_topics_of(
    kafka: &Kafka,
    registry: Option<&Registry>,
    countries: &BTreeSet<Country>,
) -> Result<(), StartError> {
    kafka.create_jurisdictions(countries.clone()).await?;
    if let Some(registry) = registry {
        let topics: Vec<String> = countries.iter().map(topics::jurisdiction).collect();
        registry.register_topics(&kafka.prefix, &topics).await?;
    }
    Ok(())
}
