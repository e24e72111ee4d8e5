//! Erasure on every replica: the keys of a referral are gone from the files of all brokers once delivery says so.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use causeway::example::World;
use chassis::kafka::{Isolation, Kafka};
use delivery::http::{Erase, Erasure};
use delivery::inbox::Entry;
use intake::http::Receipt;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use schemas::codec::Codec;
use schemas::codes::ErasureReason;
use schemas::envelope::Body;
use schemas::ids::IncidentId;
use schemas::sealed_keys::KeySet;

use super::fleet::Fleet;
use crate::calm_referral;

/// A day in real life; short enough to wait for here.
pub const WITHIN_SECONDS: u64 = 30;
/// The bound itself, and time for busy brokers.
const GONE: Duration = Duration::from_secs(240);
const LOOK_AGAIN: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(100);
/// Referrals that are filed to be erased.
pub const REFERRALS: usize = 2;

/// Files referrals, has them erased, and looks into the files of every broker before and after.
///
/// # Errors
/// When a replica never held the keys, or one still does.
pub async fn check(
    world: &World,
    fleet: &Fleet,
    kafka: &Kafka,
    data: &Path,
    replicas: usize,
) -> anyhow::Result<()> {
    let address = |service: &str| fleet.addresses(service).into_iter().next().context("one is there");
    let intake = world.client(&address("intake")?, "nl-hotline", "eraser")?;
    let hotline = world.client(&address("delivery")?, "nl-hotline", "eraser")?;
    let mut incidents = Vec::new();
    for number in 0..REFERRALS {
        let referral = calm_referral(&format!("ERASED-{number}"));
        let receipt: Receipt = intake.refer(serde_json::to_vec(&referral)?).await?;
        incidents.push(receipt.incident_id);
    }
    let keys = incidents.iter().map(|incident| wrapped_keys(kafka, *incident));
    let keys = keys.collect::<anyhow::Result<Vec<_>>>()?;
    for keys in &keys {
        let holders = nodes_with(data, &kafka.prefix, keys)?;
        ensure!(holders == replicas, "{holders} of {replicas} replicas hold the keys of what is not erased");
    }
    let begun = Instant::now();
    for incident in &incidents {
        let erase = Erase { person_ref: None, reason: ErasureReason::DataSubject };
        let path = format!("/v1/incidents/{incident}/erase");
        let erased = async || hotline.command::<Erasure>(&path, &format!("erase-{incident}"), &erase).await;
        // What was filed just now has yet to reach delivery.
        while erased().await.is_err() {
            ensure!(begun.elapsed() < GONE, "the referral could not be erased");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
    loop {
        let entries = hotline.inbox("?limit=500").await?.entries;
        let gone = |entry: &&Entry| matches!(entry, Entry::KeysErased { .. });
        if entries.iter().filter(gone).count() >= REFERRALS {
            break;
        }
        ensure!(begun.elapsed() < GONE, "the keys are not said to be gone after {} s", GONE.as_secs());
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    for keys in &keys {
        let holders = nodes_with(data, &kafka.prefix, keys)?;
        ensure!(holders == 0, "{holders} replicas still hold keys that are said to be gone");
    }
    let seconds = begun.elapsed().as_secs();
    eprintln!("faults: erased keys are gone from the files of all {replicas} replicas after {seconds} s");
    Ok(())
}

/// The wrapped keys of an incident, as they stand in `sealed-keys`.
fn wrapped_keys(kafka: &Kafka, incident: IncidentId) -> anyhow::Result<Vec<u8>> {
    let mut config = kafka.follower(Isolation::Committed);
    let consumer: BaseConsumer = config.set("auto.offset.reset", "earliest").create()?;
    let mut list = TopicPartitionList::new();
    for partition in 0..kafka.partitions {
        list.add_partition_offset(&kafka.topic(KeySet::TOPIC), partition, Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    let (codec, begun) = (Codec::with_table(), Instant::now());
    while begun.elapsed() < GONE {
        let Some(Ok(message)) = consumer.poll(POLL) else { continue };
        let Some(value) = message.payload() else { continue };
        let key_set: KeySet = codec.decode::<KeySet, _>(value)?;
        if key_set.incident_id == incident {
            return Ok(key_set.wrapped_keys);
        }
    }
    anyhow::bail!("the key set of {incident} is not there")
}

/// On how many nodes a segment of the deployment holds the bytes.
fn nodes_with(data: &Path, prefix: &str, bytes: &[u8]) -> anyhow::Result<usize> {
    let mut holders = 0;
    for node in entries(data)?.into_iter().filter(|path| path.join("log").is_dir()) {
        let mut holds = false;
        for partition in entries(&node.join("log"))? {
            let name = partition.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with(&format!("{prefix}{}", KeySet::TOPIC)) {
                // A file that is removed while it is looked for holds nothing.
                let segments = entries(&partition).unwrap_or_default();
                let texts = segments.iter().map(|path| std::fs::read(path).unwrap_or_default());
                holds |= texts.into_iter().any(|text| memchr::memmem::find(&text, bytes).is_some());
            }
        }
        holders += usize::from(holds);
    }
    Ok(holders)
}

fn entries(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    std::fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path())).collect()
}
