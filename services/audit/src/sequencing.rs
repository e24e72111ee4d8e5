//! Each committed record of each event topic becomes one leaf, exactly once, and the leaves stand in one order.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use audit_log::leaf::{self, Envelope, Frame, Place};
use chassis::sequencer::{Failure, Input, Ledger, Partition};
use schemas::Timestamp;
use schemas::audit::{Leaf, Sequenced};
use schemas::codec::Codec;
use schemas::envelope::Body;

use crate::log::{Log, LogError};
use crate::signing::{SignError, Signer};

/// Most leaves of one record: some hundred kilobytes.
const MAX_LEAVES: usize = 1_024;

/// The log as the sequencer writes it.
pub struct Sequencing {
    pub log: Arc<Log>,
    pub codec: Codec,
    pub signer: Signer,
    pub inputs: Vec<&'static str>,
    /// Whether the log was made of the topic anew since this process began: then a contradiction is no fault of the
    /// disk.
    pub is_rebuilt: bool,
    /// Within which receipts promise that an event stands in the log.
    pub promised: Duration,
    /// Whether the last events came later; told once.
    pub is_late: bool,
}

impl Ledger for Sequencing {
    const TOPIC: &'static str = Sequenced::TOPIC;

    fn inputs(&self) -> &[&'static str] {
        &self.inputs
    }

    fn next(&self) -> Result<i64, Failure> {
        Ok(self.log.next()?)
    }

    fn next_input(&self, partition: Partition) -> Result<i64, Failure> {
        Ok(self.log.next_input(partition)?)
    }

    fn take_in(&mut self, records: &[(i64, Vec<u8>)]) -> Result<(), Failure> {
        let decode =
            |(offset, value): &(i64, Vec<u8>)| Ok((*offset, self.codec.decode::<Sequenced, _>(value)?));
        let records: Result<Vec<_>, Failure> = records.iter().map(decode).collect();
        Ok(self.log.take_in(&records?)?)
    }

    fn sequence(&mut self, inputs: &[Input]) -> Result<Vec<Vec<u8>>, Failure> {
        self.tell_late(inputs);
        let (mut first, mut values) = (i64::try_from(self.log.tree().size())?, Vec::new());
        for some in inputs.chunks(MAX_LEAVES) {
            let sequenced = Sequenced { first, leaves: some.iter().map(leaf).collect() };
            values.push(self.codec.encode::<Sequenced>(&sequenced)?);
            first += i64::try_from(some.len())?;
        }
        Ok(values)
    }

    fn lead(&mut self) -> Result<(), Failure> {
        self.signer.begin(&self.log)?;
        self.is_rebuilt = false;
        Ok(())
    }

    fn turn(&mut self, leads: bool) -> Result<(), Failure> {
        if leads { Ok(self.signer.sign(&self.log)?) } else { Ok(self.signer.follow(&self.log)?) }
    }

    fn failed(&mut self, failure: &(dyn std::error::Error + 'static)) {
        let signing = failure.downcast_ref::<SignError>();
        let fork = signing.is_some_and(SignError::is_fork);
        let of_the_log = failure.is::<LogError>() || matches!(signing, Some(SignError::Log(_)));
        if !fork && !of_the_log {
            return;
        }
        if fork && self.is_rebuilt {
            tracing::error!(
                "the log contradicts a head that was signed: nothing is signed until a person has looked \
                 (docs/operations.md, \"The log contradicts itself\")"
            );
            return;
        }
        tracing::warn!("what was made of the log may be to blame: made of the topic anew");
        match self.log.reset() {
            Ok(()) => self.is_rebuilt = true,
            Err(error) => {
                tracing::error!(error = %chassis::problem::chain(&error), "failed to empty the log's files")
            }
        }
    }
}

impl Sequencing {
    /// A promise that was not kept is for a person to know of.
    fn tell_late(&mut self, inputs: &[Input]) {
        let promised = i64::try_from(self.promised.as_millis()).unwrap_or(i64::MAX);
        let oldest = inputs.iter().map(|input| input.timestamp).min().unwrap_or(i64::MAX);
        let late = real_millis().saturating_sub(oldest);
        let was_late = std::mem::replace(&mut self.is_late, late > promised);
        if self.is_late && !was_late {
            tracing::error!(
                late_seconds = late / 1_000,
                promised_seconds = promised / 1_000,
                "events stand in the log later than receipts have promised"
            );
        }
    }
}

/// Now, as Kafka's clients write it.
fn real_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Of a record that was read. One that is no event has its leaf too: somebody else has written it.
pub fn leaf(input: &Input) -> Leaf {
    let place = Place { partition: input.partition, offset: input.offset, timestamp: input.timestamp };
    let value = input.value.as_deref().unwrap_or_default();
    let of_record = |commitment: [u8; 32]| Leaf {
        commitment: commitment.to_vec(),
        topic: input.topic.to_owned(),
        partition: input.partition,
        offset: input.offset,
        timestamp: Timestamp::from_millis(input.timestamp),
        aggregate_id: String::new(),
        sequence: 0,
        agency: String::new(),
        actor: String::new(),
        time: Timestamp::from_millis(input.timestamp),
    };
    let event = Frame::of(input.topic, place, &input.key, value);
    match (event, Envelope::read(value)) {
        (Ok(frame), Ok(envelope)) => Leaf {
            aggregate_id: envelope.aggregate_id.to_owned(),
            sequence: envelope.sequence,
            agency: envelope.agency.to_owned(),
            actor: envelope.actor.to_owned(),
            time: Timestamp::from_millis(envelope.time),
            ..of_record(frame.commitment())
        },
        _ => {
            tracing::error!(
                topic = input.topic,
                partition = input.partition,
                offset = input.offset,
                "a record is no event: somebody else than its service has written it"
            );
            of_record(leaf::foreign(input.topic, place, &input.key, value))
        }
    }
}
