//! The audit log's part of a process.

use std::sync::Arc;

use chassis::host::{Host, Pages, StartError};
use chassis::meters;
use chassis::publish::Publisher;
use chassis::reader::RecordReader;
use chassis::sequencer::Sequencer;
use schemas::topics;
use tokio::sync::mpsc;

use crate::NAME;
use crate::http;
use crate::lateness::Lateness;
use crate::log::Log;
use crate::sequencing::{Refusals, Sequencing};
use crate::settings::Settings;
use crate::signing::{Latest, Pending, Signer};
use crate::trail::Trails;
use crate::witnesses::Witnesses;

/// # Errors
/// When what the log stands on cannot be set up.
pub fn start(host: &mut Host, settings: &Settings) -> Result<Pages, StartError> {
    let key = settings.signing_key()?;
    let log = Arc::new(Log::open(host.store(NAME)?)?);
    let latest = Arc::new(Latest::new(None));
    let kafka = host.settings.kafka.clone();
    let witnesses = Witnesses {
        all: settings.witnesses.clone(),
        runtime: tokio::runtime::Handle::current(),
        http: reqwest::Client::new(),
    };
    let (asked, heads) = mpsc::unbounded_channel();
    let (answering, answers) = std::sync::mpsc::channel();
    let signer = Signer {
        key: key.clone(),
        kept: settings.head()?,
        records: RecordReader::new(&kafka)?,
        codec: host.codec.clone(),
        witnesses: witnesses.clone(),
        asked,
        answers,
        predecessors: settings.predecessors()?,
        clock: host.clock.clone(),
        latest: Arc::clone(&latest),
        last: None,
        pending: Pending::None,
        looked: None,
        given: 0,
    };
    tokio::spawn(witnesses.run(Arc::clone(&log), heads, answering));
    let events = topics::TOPICS.iter().map(|topic| topic.name).filter(|name| topics::is_event_topic(name));
    let lateness = Lateness::default();
    let late = lateness.clone();
    let description = "for which the oldest leaf that no head covers has stood in the log";
    meters::gauge("causeway.audit.head.lateness", "s", description, None, move || {
        late.elapsed().as_secs_f64()
    });
    let ledger = Sequencing {
        log: Arc::clone(&log),
        codec: host.codec.clone(),
        signer,
        inputs: events.collect(),
        refusals: Refusals::new(host.codec.clone()),
        is_rebuilt: false,
        promised: host.settings.receipts.within,
        is_late: false,
        lateness,
    };
    let (kafka_of, instance) = (kafka.clone(), host.settings.instance.clone());
    host.sequence(NAME, |status| Sequencer { ledger, kafka: kafka_of, service: NAME, instance, status })?;
    let receipt_key = host.settings.receipts.signing_key()?.map(|key| key.public().to_string());
    let trails = Trails {
        log,
        records: RecordReader::new(&kafka)?,
        codec: host.codec.clone(),
        key,
        latest,
        clock: host.clock.clone(),
    };
    let pages = http::Pages {
        trails: Arc::new(trails),
        witnesses: settings.witnesses.clone().into(),
        receipt_key,
        predecessors: settings.predecessors()?.into(),
        reading: Arc::default(),
        publisher: Arc::new(Publisher::new(&kafka)?),
        reference: host.reference.clone(),
    };
    Ok(Pages { described: http::pages(pages.clone()), status: http::log_pages(pages) })
}
