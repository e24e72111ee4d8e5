//! (h) What the clocks of open requests cost when nothing is due, and that a restart finds all of them.
//!
//! A fold of legal assistance is filled with requests of three running periods each, without Kafka: only the store
//! stands between a tick and its answer.

use std::num::NonZeroUsize;
use std::time::Instant;

use anyhow::ensure;
use chassis::decider::Place;
use chassis::fold::{Fold, Recorded};
use chassis::store::Store;
use mla::{Mla, domain};
use schemas::codec::Codec;
use schemas::codes::{
    ActorKind, ClockConsequence, ClockKind, FacetKind, Measure, RequestKind, RequestRole, TranslationState,
    VerificationMark,
};
use schemas::envelope::EventBody;
use schemas::ids::{AgencyId, Country, EventId, FacetId, IncidentId, InstrumentId, KeySetId, RequestId};
use schemas::mla::{ClockStarted, Draft, MlaEvent, RequestDrafted};
use schemas::referral::SealedFacet;
use schemas::{Actor, Event, InputPosition, Timestamp, digest};
use tempfile::TempDir;

/// Periods of each request.
pub const PERIODS: usize = 3;
/// Events that are folded in at once.
const BATCH: usize = 2_000;
/// Ticks of which the median is taken: the store still writes out what filled it in the midst of them.
const TICKS: usize = 2_000;
const CACHED_AGGREGATES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1_999);
const CACHE_BYTES: u64 = 16 << 20;
const DAY_MINUTES: i64 = 24 * 60;

/// What was measured with so many open requests.
#[derive(Clone, Copy, Debug)]
pub struct Ticks {
    /// Microseconds of the median tick, which finds nothing due.
    pub idle_us: f64,
    /// Seconds to open the store again.
    pub restart_s: f64,
}

/// Fills a store, ticks, opens it anew and counts what is due.
///
/// # Errors
/// When the store does not take it, or a restart misses a period.
pub fn measure(requests: usize) -> anyhow::Result<Ticks> {
    let directory = tempfile::tempdir()?;
    let fold = open(&directory)?;
    fill(&fold, requests)?;
    let before = start();
    let mut ticks = Vec::with_capacity(TICKS);
    for _ in 0..TICKS {
        let begun = Instant::now();
        ensure!(fold.due(before).next().is_none(), "something is due before its time");
        ticks.push(begun.elapsed());
    }
    ticks.sort();
    let idle_us = ticks[TICKS / 2].as_secs_f64() * 1e6;
    drop(fold);
    let begun = Instant::now();
    let fold = open(&directory)?;
    let restart_s = begun.elapsed().as_secs_f64();
    let found = due_periods(&fold)?;
    ensure!(found == requests * PERIODS, "a restart finds {found} periods of {}", requests * PERIODS);
    Ok(Ticks { idle_us, restart_s })
}

fn open(directory: &TempDir) -> anyhow::Result<Fold<Mla>> {
    let store = Store::open(&directory.path().join("mla"), CACHE_BYTES)?;
    Ok(Fold::open(store, CACHED_AGGREGATES)?)
}

/// Every period of every aggregate that the fold says something is due in, once all of them have run out.
fn due_periods(fold: &Fold<Mla>) -> anyhow::Result<usize> {
    let late = start().plus_minutes(10_000 * DAY_MINUTES);
    let mut found = 0;
    for due in fold.due(late) {
        let aggregate = fold.aggregate(&due?.aggregate_id)?;
        found += domain::clocks(&aggregate.state).iter().filter(|clock| clock.due <= late).count();
    }
    Ok(found)
}

fn start() -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000)
}

fn fill(fold: &Fold<Mla>, requests: usize) -> anyhow::Result<()> {
    let (codec, mut offset, mut batch) = (Codec::with_table(), 0, Vec::with_capacity(BATCH));
    for number in 0..requests {
        let incident = IncidentId::derive(&[&number.to_be_bytes()]);
        let mut predecessor = Vec::new();
        for (sequence, body) in (1..).zip(events(number, incident)?) {
            let event = event(incident, sequence, predecessor, offset, body)?;
            let value = codec.encode::<MlaEvent>(&event)?;
            let recorded = Recorded::new(Place { partition: 0, offset }, event, &value);
            predecessor = recorded.digest.to_vec();
            batch.push(recorded);
            offset += 1;
        }
        if batch.len() >= BATCH {
            fold.apply(&std::mem::take(&mut batch))?;
        }
    }
    Ok(fold.apply(&batch)?)
}

/// A request, and the periods that run in it: each ends on another day.
fn events(number: usize, incident: IncidentId) -> anyhow::Result<Vec<MlaEvent>> {
    let request_id = RequestId::derive(&[incident.as_uuid().as_bytes()]);
    let (by, country) = (AgencyId::try_new("de-central")?, Country::try_new("DE")?);
    let instrument = InstrumentId::try_new("eio")?;
    let sealed = |kind: FacetKind| SealedFacet {
        facet_id: FacetId::derive(&[kind.code().as_bytes()]),
        kind,
        person_ref: None,
        key_set_id: KeySetId::derive(&[incident.as_uuid().as_bytes()]),
        nonce: vec![0; 12],
        ciphertext: vec![0; 400],
    };
    let draft = Draft {
        kind: RequestKind::Assistance,
        requested: Country::try_new("FR")?,
        authority: AgencyId::try_new("fr-central")?,
        addressee: None,
        measures: vec![Measure::ContentData],
        basis: Some(instrument.clone()),
        emergency: None,
        notified: false,
        needed_by: None,
        languages: Vec::new(),
        translation: TranslationState::NotNeeded,
        parent: None,
        confidential: false,
        conditions: Vec::new(),
        elements: Vec::new(),
        text: sealed(FacetKind::RequestText),
        reasons: None,
    };
    let drafted = RequestDrafted { request_id, by, country: country.clone(), draft };
    let periods = (1..=i64::try_from(PERIODS)?).map(|period| {
        let days = period * 30 + i64::try_from(number % 365).unwrap_or(0);
        let due = start().plus_minutes(days * DAY_MINUTES);
        MlaEvent::from(ClockStarted {
            request_id,
            clock: format!("EIO-{period}"),
            instrument: instrument.clone(),
            instrument_version: 1,
            article: "Article 12(3)".to_owned(),
            owed_by: RequestRole::Requested,
            owed_to: RequestRole::Requesting,
            kind: ClockKind::Max,
            then: ClockConsequence::Overdue,
            mark: VerificationMark::Read,
            from: start(),
            nominal: due,
            due,
            calendar: country.clone(),
            holidays_known: true,
            warnings: Vec::new(),
        })
    });
    Ok(std::iter::once(drafted.into()).chain(periods).collect())
}

fn event<B: EventBody>(
    incident: IncidentId,
    sequence: i64,
    predecessor: Vec<u8>,
    offset: i64,
    body: B,
) -> anyhow::Result<Event<B>> {
    let topic = B::TOPIC.replace(".events", ".commands");
    Ok(Event {
        event_id: EventId::derive(&[incident.as_uuid().as_bytes(), &sequence.to_be_bytes()]),
        aggregate_id: incident.to_string(),
        sequence,
        predecessor,
        salt: digest::sha256(&[&offset.to_be_bytes()])[..16].to_vec(),
        input: InputPosition { topic, partition: 0, offset },
        cause: "filled".to_owned(),
        cause_digest: Vec::new(),
        time: start(),
        agency: AgencyId::try_new("de-central")?,
        actor: Actor { id: "clerk".to_owned(), kind: ActorKind::Human },
        directory_position: 0,
        signature: None,
        body,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
mod tests {
    #[test]
    fn a_restart_misses_no_period() {
        super::measure(1_000).unwrap();
    }
}
