//! Each committed record of each event topic becomes one leaf, exactly once, and the leaves stand in one order.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use audit_log::leaf::{self, Envelope, Frame, Place};
use chassis::sequencer::{Failure, Foreign, Input, Ledger, Partition, Publish};
use schemas::Timestamp;
use schemas::audit::{Leaf, Sequenced};
use schemas::codec::Codec;
use schemas::codes::ActorKind;
use schemas::envelope::Body;
use schemas::topics;
use serde_json::Value;

use crate::lateness::Lateness;
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
    pub refusals: Refusals,
    /// Whether the log was made of the topic anew since a head was given: then a contradiction is no fault of the disk.
    pub is_rebuilt: bool,
    /// Within which receipts promise that an event stands in the log.
    pub promised: Duration,
    /// Whether the last events came later; told once.
    pub is_late: bool,
    /// Of leaves that no head covers.
    pub lateness: Lateness,
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
            let leaves = some.iter().map(|input| leaf(input, &mut self.refusals)).collect();
            let sequenced = Sequenced { first, leaves };
            values.push(self.codec.encode::<Sequenced>(&sequenced)?);
            first += i64::try_from(some.len())?;
        }
        Ok(values)
    }

    fn lead(&mut self) -> Result<(), Failure> {
        Ok(self.signer.begin(&self.log)?)
    }

    fn opening(&mut self, publish: &mut Publish<'_>) -> Result<Vec<Vec<u8>>, Failure> {
        let leaves = self.signer.successions(&self.log, publish)?;
        if leaves.is_empty() {
            return Ok(Vec::new());
        }
        let first = i64::try_from(self.log.tree().size())?;
        Ok(vec![self.codec.encode::<Sequenced>(&Sequenced { first, leaves })?])
    }

    fn turn(&mut self, publish: Option<&mut Publish<'_>>) -> Result<(), Failure> {
        self.log.check_suspicion()?;
        let given = self.signer.given;
        match publish {
            Some(publish) => self.signer.sign(&self.log, publish)?,
            None => self.signer.follow(&self.log)?,
        }
        self.is_rebuilt &= self.signer.given == given;
        let covered = self.signer.latest.borrow().as_ref().map_or(0, |head| head.root.size);
        self.lateness.note(self.log.tree().size(), covered);
        Ok(())
    }

    fn failed(&mut self, failure: &(dyn std::error::Error + 'static)) {
        let signing = failure.downcast_ref::<SignError>();
        let fork = signing.is_some_and(SignError::is_fork);
        let of_the_log =
            failure.is::<LogError>() || failure.is::<Foreign>() || matches!(signing, Some(SignError::Log(_)));
        if !fork && !of_the_log {
            return;
        }
        if fork && self.is_rebuilt {
            tracing::error!(
                "the log contradicts a head that was signed: nothing is signed until a person has looked \
                 (docs/operations/log.md, \"The log contradicts itself\")"
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

/// Which bodies of a schema say that nothing was done.
pub struct Refusals {
    codec: Codec,
    /// Their numbers in the schema's union, by the schema's id; none of a schema that nobody knows here.
    known: HashMap<u32, Option<Vec<i64>>>,
}

impl Refusals {
    pub fn new(codec: Codec) -> Self {
        Self { codec, known: HashMap::new() }
    }

    /// Whether something was done, as far as is known here.
    fn is_done(&mut self, envelope: &Envelope) -> bool {
        let id = envelope.schema_id;
        let refused = self.known.entry(id).or_insert_with(|| {
            let text = self.codec.schema_text(i32::try_from(id).unwrap_or(i32::MAX));
            text.ok().map(|text| refusals_of(&text))
        });
        let number = envelope.body_number().ok();
        number.zip(refused.as_ref()).is_some_and(|(number, refused)| !refused.contains(&number))
    }
}

/// From an event's schema as JSON.
fn refusals_of(text: &str) -> Vec<i64> {
    let schema: Value = serde_json::from_str(text).unwrap_or_default();
    let fields = schema["fields"].as_array().into_iter().flatten();
    let bodies = fields.filter(|field| field["name"] == "body").filter_map(|field| field["type"].as_array());
    let name = |body: &Value| body["name"].as_str().or(body.as_str()).unwrap_or_default().to_owned();
    let refused =
        |body: &Value| ["CommandRejected", "CommandFailed"].iter().any(|one| name(body).ends_with(one));
    bodies
        .flat_map(|bodies| (0..).zip(bodies))
        .filter(|(_, body)| refused(body))
        .map(|(number, _)| number)
        .collect()
}

/// Of a record that was read. One that is no event has its leaf too: somebody else has written it. Whose act it is, is
/// said of what a person or a machine of an agency has done: not of what followed from it, nor of what was refused,
/// which would say that there is something.
pub fn leaf(input: &Input, refusals: &mut Refusals) -> Leaf {
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
        (Ok(frame), Ok(envelope)) => {
            let is_act = !topics::is_event_topic(envelope.input.0)
                && envelope.actor_kind != ActorKind::Service.code()
                && refusals.is_done(&envelope);
            let of_act = |text: &str| if is_act { text.to_owned() } else { String::new() };
            Leaf {
                aggregate_id: envelope.aggregate_id.to_owned(),
                sequence: envelope.sequence,
                agency: of_act(envelope.agency),
                actor: of_act(envelope.actor),
                time: Timestamp::from_millis(envelope.time),
                ..of_record(frame.commitment())
            }
        }
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
