//! One batch: each input is decided on the fold plus what this batch has decided before it.
//!
//! A record that cannot be decoded, decided or written becomes a dead letter and a `CommandFailed`; the rest of
//! its batch goes through. What goes wrong for one record is found before anything is produced.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rdkafka::message::{Header, OwnedHeaders};
use schemas::codec::CodecError;
use schemas::codes::ActorKind;
use schemas::dead_letter::DeadLetter;
use schemas::envelope::{Body, CommandFailed, CommandRejected};
use schemas::ids::{AgencyId, CommandId, EventId, partition_of};
use schemas::{Actor, Command, Event, InputPosition, Timestamp, digest, topics};

use crate::decider::{Context, Decider, Outgoing, Rejection, Service};
use crate::failpoint::Step;
use crate::fold::{Aggregate, Changes, FoldError, Noted};
use crate::kafka::MAX_RECORD_BYTES;
use crate::meters;
use crate::reference::Snapshot;
use crate::runner::Runner;
use crate::telemetry::{self, Hop, HopOf};

/// A dead letter holds the record as it was, cut to this, so that it fits where the record came from.
const MAX_DEAD_LETTER_BYTES: usize = MAX_RECORD_BYTES / 2;

/// Room for key and headers under the topic's limit.
const MAX_EVENT_BYTES: usize = MAX_RECORD_BYTES - 4096;

/// An input as it came from Kafka.
pub struct Input {
    pub position: InputPosition,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub traceparent: Option<String>,
    /// When it was written, by Kafka's clock.
    pub written_at_ms: Option<i64>,
}

/// What stops a batch before the record at hand; what came before it goes through.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// Another version can read it: the partition waits.
    #[error("a record's schema is not known here")]
    UnknownSchema(#[source] CodecError),
    #[error(transparent)]
    Fold(#[from] FoldError),
}

/// A record to be produced.
pub struct Draft {
    pub topic: Arc<str>,
    pub partition: i32,
    pub key: String,
    pub value: Vec<u8>,
    /// Taken when the record is handed over.
    pub headers: Option<OwnedHeaders>,
    /// Of an event of the service's own: what the fold takes in once the offset is known.
    pub noted: Option<Noted>,
}

pub struct Batch<'a, S: Service> {
    runner: &'a Runner<S>,
    directory: Snapshot,
    /// What was decided before and is not in the fold yet.
    before: Option<&'a Changes<S>>,
    event_topic: Arc<str>,
    partitions: i32,
    pub decided: Decided<S>,
}

/// A batch once it is decided.
pub struct Decided<S: Service> {
    pub changes: Changes<S>,
    pub drafts: Vec<Draft>,
    /// Next offset per input topic and partition, over everything taken in.
    pub next: BTreeMap<(String, i32), i64>,
    /// One for each input, until what answers it is committed.
    pub hops: Vec<Hop>,
}

/// What an input asks, whether an agency gave a command or another service's event is news.
enum Asked<C, N> {
    Command(C),
    News(N),
}

/// An input with its circumstances.
struct Request<C, N> {
    aggregate_id: String,
    command_id: Option<CommandId>,
    cause: String,
    digest: Vec<u8>,
    time: Timestamp,
    agency: AgencyId,
    actor: Actor,
    signature: Option<Vec<u8>>,
    asked: Asked<C, N>,
}

type RequestOf<S> = Request<<S as Decider>::Command, <S as Decider>::News>;

/// The aggregate after a request, and the records that answer it.
type Drafted<S> = (Aggregate<<S as Decider>::State>, Vec<Draft>);

/// Why a record is set aside. Never any of the record's content.
struct Poison(&'static str);

impl<S: Service> Decided<S> {
    /// Nothing of it is committed: its inputs will be taken up again.
    pub fn fail(mut self) {
        self.hops.iter_mut().for_each(Hop::fail);
    }
}

impl<'a, S: Service> Batch<'a, S> {
    pub fn new(runner: &'a Runner<S>, before: Option<&'a Changes<S>>) -> Self {
        let decided = Decided {
            changes: Changes::default(),
            drafts: Vec::new(),
            next: BTreeMap::new(),
            hops: Vec::new(),
        };
        let event_topic = runner.kafka.topic(S::Event::TOPIC).into();
        let partitions = runner.kafka.partitions_of_topic(S::Event::TOPIC);
        Self { runner, directory: runner.reference.snapshot(), before, event_topic, partitions, decided }
    }

    /// Decides one input.
    ///
    /// # Errors
    /// See [`Stop`]; then the input was not taken in.
    pub fn take_in(&mut self, input: &Input) -> Result<(), Stop> {
        let position = &input.position;
        if position.offset > self.answered(position) {
            self.decided.hops.push(Hop::begin(
                input.traceparent.as_deref(),
                &HopOf {
                    service: S::NAME,
                    does: "answer",
                    topic: &position.topic,
                    partition: position.partition,
                    offset: position.offset,
                    written_at_ms: input.written_at_ms,
                },
            ));
            match self.read(input)? {
                Ok(None) => {}
                // Its outcome would stand in the wrong partition as well: then the aggregate's order were lost.
                Ok(Some(request))
                    if partition_of(&request.aggregate_id, self.partitions) != position.partition =>
                {
                    self.set_aside(input, None, &Poison("the record is not in its aggregate's partition"))?;
                }
                Ok(Some(request)) => self.answer(input, &request)?,
                Err(poison) => self.set_aside(input, None, &poison)?,
            }
        }
        self.decided.next.insert((position.topic.clone(), position.partition), position.offset + 1);
        Ok(())
    }

    /// The last input there that was answered by what came before this batch.
    fn answered(&self, input: &InputPosition) -> i64 {
        let before = self.before.and_then(|before| before.input(&input.topic, input.partition));
        before.unwrap_or_else(|| self.runner.fold.input(&input.topic, input.partition))
    }

    fn read(&self, input: &Input) -> Result<Result<Option<RequestOf<S>>, Poison>, Stop> {
        let Some(value) = &input.value else { return Ok(Err(Poison("the record has no value"))) };
        let read = if input.position.topic == S::Command::TOPIC {
            self.read_command(value)
        } else {
            self.read_news(input, value)
        };
        match read {
            Ok(request) => Ok(Ok(request)),
            Err(error) if error.is_transient() => Err(Stop::UnknownSchema(error)),
            Err(_) => Ok(Err(Poison("the record does not decode"))),
        }
    }

    fn read_command(&self, value: &[u8]) -> Result<Option<RequestOf<S>>, CodecError> {
        let command: Command<S::Command> = self.runner.codec.decode::<S::Command, _>(value)?;
        Ok(Some(Request {
            aggregate_id: command.aggregate_id,
            command_id: Some(command.command_id),
            cause: command.command_id.to_string(),
            digest: command.digest,
            time: command.time,
            agency: command.agency,
            actor: command.actor,
            signature: command.signature,
            asked: Asked::Command(command.body),
        }))
    }

    fn read_news(&self, input: &Input, value: &[u8]) -> Result<Option<RequestOf<S>>, CodecError> {
        let heard = self.runner.service.hear(&self.runner.codec, &input.position, value)?;
        Ok(heard.map(|heard| Request {
            aggregate_id: heard.aggregate_id,
            command_id: None,
            cause: heard.cause,
            digest: Vec::new(),
            time: heard.time,
            agency: heard.agency,
            actor: Actor::service(S::NAME),
            signature: None,
            asked: Asked::News(heard.news),
        }))
    }

    fn answer(&mut self, input: &Input, request: &RequestOf<S>) -> Result<(), Stop> {
        // A command has one outcome: a resend finds it, whatever it asks.
        if let Some(command) = request.command_id
            && self.is_answered(command)?
        {
            return Ok(());
        }
        let aggregate = self.take_up(input, request)?;
        // A decider is pure, so a panic leaves nothing half done: it costs this record and no other.
        let drafted = catch_unwind(AssertUnwindSafe(|| self.draft(input, request, aggregate)))
            .unwrap_or(Err(Poison("the decider failed")));
        match drafted {
            Ok((aggregate, drafts)) => self.accept(input, request, aggregate, drafts),
            Err(poison) => self.set_aside(input, Some(request), &poison)?,
        }
        Ok(())
    }

    fn is_answered(&self, command: CommandId) -> Result<bool, FoldError> {
        let before = self.before.is_some_and(|before| before.has_answered(command));
        Ok(before
            || self.decided.changes.has_answered(command)
            || self.runner.fold.outcome(command)?.is_some())
    }

    /// The aggregate as it is after everything decided so far.
    fn take_up(&mut self, input: &Input, request: &RequestOf<S>) -> Result<Aggregate<S::State>, FoldError> {
        let id = &request.aggregate_id;
        let before = || match self.before.and_then(|before| before.aggregate(id)) {
            Some(aggregate) => Ok(Arc::clone(aggregate)),
            None => self.runner.fold.aggregate(id),
        };
        let aggregate = self.decided.changes.take_up(id, input.position.partition, before)?;
        Ok(Aggregate::clone(aggregate))
    }

    fn accept(
        &mut self,
        input: &Input,
        request: &RequestOf<S>,
        aggregate: Aggregate<S::State>,
        drafts: Vec<Draft>,
    ) {
        let noted = drafts.iter().filter_map(|draft| draft.noted.as_ref());
        self.decided.changes.put(&request.aggregate_id, aggregate, &input.position, noted);
        self.decided.drafts.extend(drafts);
    }

    /// The events that answer the request, as records, and the aggregate after them.
    fn draft(
        &self,
        input: &Input,
        request: &RequestOf<S>,
        mut aggregate: Aggregate<S::State>,
    ) -> Result<Drafted<S>, Poison> {
        let context = Context {
            aggregate_id: &request.aggregate_id,
            cause: &request.cause,
            now: request.time,
            agency: &request.agency,
            actor: &request.actor,
            directory: &self.directory.directory,
        };
        let bodies = match &request.asked {
            Asked::News(news) => S::learn(&context, &aggregate.state, news),
            Asked::Command(command) => match S::decide(&context, &aggregate.state, command) {
                // A clock may find that nothing is left to do; whoever asks gets an answer.
                Ok(events) if events.is_empty() && request.actor.kind != ActorKind::Service => {
                    return Err(Poison("the decider gave no answer"));
                }
                Ok(events) => events,
                Err(rejection) => vec![rejected::<S>(request, command, rejection)],
            },
        };
        self.runner.failpoints.pass(Step::Decide);
        let mut drafts = Vec::with_capacity(bodies.len());
        for body in bodies {
            self.draft_event(input, request, &mut aggregate, body, &mut drafts)?;
        }
        Ok((aggregate, drafts))
    }

    fn draft_event(
        &self,
        input: &Input,
        request: &RequestOf<S>,
        aggregate: &mut Aggregate<S::State>,
        body: S::Event,
        drafts: &mut Vec<Draft>,
    ) -> Result<(), Poison> {
        let event = self.event(input, request, aggregate, body);
        let codec = &self.runner.codec;
        let value = codec.encode::<S::Event>(&event).map_err(|_| Poison("an event does not encode"))?;
        if value.len() > MAX_EVENT_BYTES {
            return Err(Poison("an event is over the topic's limit"));
        }
        S::evolve(&mut aggregate.state, &event);
        aggregate.sequence = event.sequence;
        let key = event.aggregate_id.clone();
        let digest = digest::of_record(S::Event::TOPIC, key.as_bytes(), &value);
        aggregate.predecessor = digest.to_vec();
        let told = self
            .runner
            .service
            .tell(codec, &aggregate.state, &event)
            .map_err(|_| Poison("a record for another topic does not encode"))?;
        if told.iter().any(|outgoing| outgoing.value.len() > MAX_EVENT_BYTES) {
            return Err(Poison("a record for another topic is over the limit"));
        }
        let type_name = format!("{}.{}", S::NAME, event.body.name());
        let headers = Some(self.headers(&event.event_id.to_string(), &type_name, event.time, &key));
        let (partition, topic) = (input.position.partition, Arc::clone(&self.event_topic));
        let noted = Some(Noted::of::<S>(aggregate, &event, partition));
        drafts.push(Draft { topic, partition, key, value, headers, noted });
        let time = request.time;
        drafts.extend(told.into_iter().map(|outgoing| self.draft_outgoing(outgoing, time)));
        Ok(())
    }

    fn event(
        &self,
        input: &Input,
        request: &RequestOf<S>,
        aggregate: &Aggregate<S::State>,
        body: S::Event,
    ) -> Event<S::Event> {
        let sequence = aggregate.sequence + 1;
        let parts = [S::Event::TOPIC.as_bytes(), request.aggregate_id.as_bytes(), &sequence.to_be_bytes()];
        Event {
            event_id: EventId::derive(&parts),
            aggregate_id: request.aggregate_id.clone(),
            sequence,
            predecessor: aggregate.predecessor.clone(),
            salt: rand::random::<[u8; 16]>().to_vec(),
            input: input.position.clone(),
            cause: request.cause.clone(),
            cause_digest: request.digest.clone(),
            time: request.time,
            agency: request.agency.clone(),
            actor: request.actor.clone(),
            directory_position: self.directory.position,
            signature: request.signature.clone(),
            body,
        }
    }

    fn draft_outgoing(&self, outgoing: Outgoing, time: Timestamp) -> Draft {
        let headers = Some(self.headers(&outgoing.id, &outgoing.type_name, time, &outgoing.key));
        Draft {
            topic: self.runner.kafka.topic(&outgoing.topic).into(),
            partition: outgoing.partition.unwrap_or_else(|| partition_of(&outgoing.key, self.partitions)),
            key: outgoing.key,
            value: outgoing.value,
            headers,
            noted: None,
        }
    }

    /// The record as it was into its dead-letter topic, and the outcome that its command gets all the same.
    fn set_aside(
        &mut self,
        input: &Input,
        request: Option<&RequestOf<S>>,
        poison: &Poison,
    ) -> Result<(), Stop> {
        tracing::error!(
            service = S::NAME,
            topic = input.position.topic,
            partition = input.position.partition,
            offset = input.position.offset,
            reason = poison.0,
            "record set aside as a dead letter"
        );
        meters::dead_letter(S::NAME, &input.position.topic);
        let time = request.map_or_else(|| self.runner.clock.now(), |request| request.time);
        let letter = DeadLetter {
            source: input.position.clone(),
            reason: poison.0.to_owned(),
            service: S::NAME.to_owned(),
            time,
            key: input.key.clone(),
            value: input.value.as_ref().map(|value| value[..value.len().min(MAX_DEAD_LETTER_BYTES)].to_vec()),
        };
        let value = self.runner.codec.encode::<DeadLetter>(&letter).map_err(Stop::UnknownSchema)?;
        let key = String::from_utf8_lossy(input.key.as_deref().unwrap_or_default()).into_owned();
        let position = &input.position;
        let id = format!("{}/{}/{}", position.topic, position.partition, position.offset);
        let type_name = format!("{}.{}", DeadLetter::TOPIC, letter.name());
        let headers = Some(self.headers(&id, &type_name, time, &key));
        let topic = self.runner.kafka.topic(&topics::dead_letter(&input.position.topic)).into();
        self.decided.drafts.push(Draft { topic, partition: 0, key, value, headers, noted: None });
        if let Some(request) = request {
            self.fail(input, request, poison)?;
        }
        Ok(())
    }

    fn fail(&mut self, input: &Input, request: &RequestOf<S>, poison: &Poison) -> Result<(), Stop> {
        let mut aggregate = self.take_up(input, request)?;
        let failed = CommandFailed { command_id: request.command_id, reason: poison.0.to_owned() };
        let mut drafts = Vec::new();
        if self.draft_event(input, request, &mut aggregate, failed.into(), &mut drafts).is_ok() {
            self.accept(input, request, aggregate, drafts);
        }
        Ok(())
    }

    /// CloudEvents attributes (Kafka protocol binding, binary mode) and the trace.
    fn headers(&self, id: &str, type_name: &str, time: Timestamp, subject: &str) -> OwnedHeaders {
        let event_type = format!("org.causeway.{type_name}");
        let time = time.to_string();
        let attributes = [
            ("ce_specversion", "1.0"),
            ("ce_id", id),
            ("ce_type", &event_type),
            ("ce_source", S::NAME),
            ("ce_time", &time),
            ("ce_subject", subject),
            ("content-type", "application/avro"),
        ];
        let headers = attributes.iter().fold(OwnedHeaders::new_with_capacity(8), |headers, (key, value)| {
            headers.insert(Header { key, value: Some(*value) })
        });
        match self.decided.hops.last().and_then(Hop::traceparent) {
            Some(traceparent) => {
                headers.insert(Header { key: telemetry::TRACEPARENT, value: Some(traceparent) })
            }
            None => headers,
        }
    }
}

fn rejected<S: Service>(request: &RequestOf<S>, command: &S::Command, rejection: Rejection) -> S::Event {
    CommandRejected {
        command_id: request.command_id.unwrap_or_else(|| CommandId::derive(&[request.cause.as_bytes()])),
        command: command.name().to_owned(),
        code: rejection.code,
        pointer: rejection.pointer,
    }
    .into()
}
