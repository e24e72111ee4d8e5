//! The command front: a request becomes a command, and is answered once its outcome has been folded.
//!
//! The command is durable before the wait begins, and its id follows from agency and idempotency key: whoever
//! hears nothing sends the same again and gets the same outcome.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::FutureRecord;
use schemas::codec::Codec;
use schemas::envelope::Body;
use schemas::ids::{AgencyId, CommandId, partition_of};
use schemas::{Actor, Command, digest};
use tracing::Instrument;

use crate::auth::Caller;
use crate::clock::Clock;
use crate::decider::Service;
use crate::fold::{Fold, Outcome, Verdict};
use crate::kafka::{Kafka, MAX_RECORD_BYTES};
use crate::limits::{Place, Places};
use crate::problem::{Problem, chain};
use crate::signature::Signature;
use crate::telemetry;
use crate::writer::Writer;

/// How long an answer is waited for before the caller is told where to ask again.
const ANSWER_WAIT: Duration = Duration::from_secs(15);
/// How long a read that brings a position token waits until this instance has folded so far.
const POSITION_WAIT: Duration = Duration::from_secs(10);
/// What a caller that cannot be served now is told to wait.
const RETRY_SECONDS: u32 = 2;
/// Longest Idempotency-Key.
const MAX_KEY_BYTES: usize = 128;
/// An agency's attempts to read the same thing that is not for it are one record in so long.
const ATTEMPTS_ARE_ONE_MINUTES: i64 = 60;

/// The header that names the thing a caller wants done.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header of a position token, on answers and on the reads that follow them.
pub const POSITION: HeaderName = HeaderName::from_static("causeway-position");

/// What a caller asks a service to do.
pub struct Request<C> {
    pub command_id: CommandId,
    pub aggregate_id: String,
    /// Digest over what is asked: tells a resend from another request under the same key.
    pub digest: Vec<u8>,
    pub agency: AgencyId,
    pub actor: Actor,
    /// The agency's own signature, where it gave one: a note that was checked.
    pub signature: Option<Vec<u8>>,
    pub body: C,
}

/// A service's command front. Cheap to clone.
pub struct Front<S: Service> {
    inner: Arc<Inner<S>>,
}

impl<S: Service> Clone for Front<S> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

/// A front that does not keep its service from ending: for what runs beside the pages.
pub struct WeakFront<S: Service> {
    inner: Weak<Inner<S>>,
}

impl<S: Service> WeakFront<S> {
    /// The front, while its pages are served.
    pub fn upgrade(&self) -> Option<Front<S>> {
        self.inner.upgrade().map(|inner| Front { inner })
    }
}

struct Inner<S: Service> {
    fold: Arc<Fold<S>>,
    producer: Writer,
    kafka: Kafka,
    codec: Codec,
    clock: Clock,
    places: Places,
}

impl<S: Service> Front<S> {
    /// # Errors
    /// When Kafka's client does not accept its configuration.
    pub fn new(
        fold: Arc<Fold<S>>,
        kafka: Kafka,
        codec: Codec,
        clock: Clock,
    ) -> Result<Self, rdkafka::error::KafkaError> {
        let producer = Writer::new(&kafka)?;
        let places = Places::default();
        Ok(Self { inner: Arc::new(Inner { fold, producer, kafka, codec, clock, places }) })
    }

    pub fn downgrade(&self) -> WeakFront<S> {
        WeakFront { inner: Arc::downgrade(&self.inner) }
    }

    pub fn fold(&self) -> &Fold<S> {
        &self.inner.fold
    }

    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Writes the command and waits for its outcome.
    ///
    /// # Errors
    /// A rejection, a conflict of keys, or that Kafka does not answer: a problem document each. A 202-like
    /// [`Problem`] is never returned: see [`Answer::Pending`].
    pub async fn submit(&self, request: Request<S::Command>) -> Result<Answer, Problem> {
        let place = self.place(&request.agency).await?;
        self.submit_by(place, request, None).await
    }

    /// A place among those whose commands wait: to be taken before anything is sealed for one.
    ///
    /// # Errors
    /// When the agency has as many as it may.
    pub async fn place(&self, agency: &AgencyId) -> Result<Place, Problem> {
        self.inner.places.take(agency).await
    }

    /// As [`Front::submit`], where the command must be on its way by then: what it names may be gone later.
    ///
    /// # Errors
    /// As [`Front::submit`], but that there is no place.
    pub async fn submit_by(
        &self,
        _place: Place,
        request: Request<S::Command>,
        deadline: Option<Instant>,
    ) -> Result<Answer, Problem> {
        let (command_id, asked) = (request.command_id, request.digest.clone());
        let heard = self.inner.fold.wait_for(command_id);
        if let Some(answer) = self.answered(command_id, &asked)? {
            return Ok(answer);
        }
        self.write(request, deadline).instrument(tracing::info_span!("write the command")).await?;
        let waited =
            tokio::time::timeout(ANSWER_WAIT, heard).instrument(tracing::info_span!("await the outcome"));
        match waited.await {
            Ok(Ok(outcome)) => judge(outcome, &asked, false),
            _ => Ok(Answer::Pending(command_id)),
        }
    }

    /// The answer to a command that has its outcome already: to the same sent again, or to something else as if it
    /// were.
    ///
    /// # Errors
    /// As [`Front::submit`].
    pub fn answered(&self, command: CommandId, asked: &[u8]) -> Result<Option<Answer>, Problem> {
        self.outcome(command)?.map(|outcome| judge(outcome, asked, true)).transpose()
    }

    /// # Errors
    /// When the store cannot be read, or is being rebuilt.
    pub fn outcome(&self, command: CommandId) -> Result<Option<Outcome>, Problem> {
        let outcome = self.inner.fold.outcome(command).map_err(|error| broken(&error))?;
        self.whole(outcome)
    }

    /// # Errors
    /// When the store cannot be read, or is being rebuilt.
    pub fn state(&self, aggregate_id: &str) -> Result<Arc<crate::fold::Aggregate<S::State>>, Problem> {
        let aggregate = self.inner.fold.aggregate(aggregate_id).map_err(|error| broken(&error))?;
        self.whole(aggregate)
    }

    /// What was read, if the fold is whole: from half a fold it would follow that things are not there. Looked at after
    /// the read, since the rebuild may have begun before it.
    fn whole<T>(&self, read: T) -> Result<T, Problem> {
        if self.inner.fold.is_whole() {
            return Ok(read);
        }
        Err(Problem::unavailable()
            .detail("this instance reads its topic from the beginning")
            .retry_after(RETRY_SECONDS))
    }

    /// Waits until this instance has folded as far as the token says.
    ///
    /// # Errors
    /// When the token is none, or the wait is too long.
    pub async fn await_position(&self, token: Option<&Position>) -> Result<(), Problem> {
        let Some(position) = token.filter(|position| position.service == S::NAME) else { return Ok(()) };
        let partitions = self.inner.kafka.partitions_of_topic(S::Event::TOPIC);
        if !(0..partitions).contains(&position.partition) {
            return Err(Problem::malformed()
                .field(POSITION.as_str(), format!("the partition is none of the {partitions} there are")));
        }
        let mut positions = self.inner.fold.positions();
        let reached = positions
            .wait_for(|all| all.get(&position.partition).is_some_and(|next| *next > position.offset));
        match tokio::time::timeout(POSITION_WAIT, reached).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Problem::unavailable()
                .detail("this instance has not folded as far as the position token says")
                .retry_after(RETRY_SECONDS)),
        }
    }

    /// Puts on record that somebody asked for what does not exist for them. The body's command is one that is
    /// always rejected. Nobody waits for it, so that the answer does not tell by its time that there is something.
    pub fn record_attempt(&self, caller: &Caller, aggregate_id: impl ToString, body: impl Into<S::Command>) {
        let (aggregate_id, body) = (aggregate_id.to_string(), body.into());
        let known = self.inner.fold.aggregate(&aggregate_id);
        if !known.is_ok_and(|aggregate| aggregate.sequence > 0) {
            return;
        }
        let window = self.inner.clock.now().as_millis() / (ATTEMPTS_ARE_ONE_MINUTES * 60_000);
        // Not of the keys that callers choose: one could be spent in advance.
        let parts: [&[u8]; 6] = [
            b"attempt",
            S::NAME.as_bytes(),
            caller.agency.id.as_str().as_bytes(),
            body.name().as_bytes(),
            aggregate_id.as_bytes(),
            &window.to_be_bytes(),
        ];
        let request = Request {
            command_id: CommandId::derive(&parts),
            digest: Vec::new(),
            aggregate_id,
            agency: caller.agency.id.clone(),
            actor: caller.actor.clone(),
            signature: None,
            body,
        };
        let front = self.clone();
        tokio::spawn(async move {
            match front.outcome(request.command_id) {
                Ok(Some(_)) => {}
                // What cannot be written was told by the write itself.
                _ => drop(front.write(request, None).await),
            }
        });
    }

    async fn write(&self, request: Request<S::Command>, deadline: Option<Instant>) -> Result<(), Problem> {
        let inner = &self.inner;
        let count = inner.kafka.partitions_of_topic(S::Command::TOPIC);
        let partition = partition_of(&request.aggregate_id, count);
        let command = Command {
            command_id: request.command_id,
            aggregate_id: request.aggregate_id,
            digest: request.digest,
            time: inner.clock.now(),
            agency: request.agency,
            actor: request.actor,
            signature: request.signature,
            body: request.body,
        };
        let value = inner.codec.encode::<S::Command>(&command).map_err(|error| broken(&error))?;
        if value.len() > MAX_RECORD_BYTES / 2 {
            return Err(Problem::too_large().detail("sealed, the request is over what one record may hold"));
        }
        let topic = inner.kafka.topic(S::Command::TOPIC);
        let mut record =
            FutureRecord::to(&topic).partition(partition).key(&command.aggregate_id).payload(&value);
        if let Some(traceparent) = telemetry::current() {
            let header = Header { key: telemetry::TRACEPARENT, value: Some(&traceparent) };
            record = record.headers(OwnedHeaders::new().insert(header));
        }
        if deadline.is_some_and(|deadline| Instant::now() > deadline) {
            return Err(Problem::unavailable()
                .detail("it took too long until the command could be written")
                .retry_after(RETRY_SECONDS));
        }
        inner.producer.send(record).await.map_err(|error| {
            tracing::warn!(service = S::NAME, error = %error, "failed to write a command");
            Problem::unavailable().detail("Kafka does not take the command").retry_after(RETRY_SECONDS)
        })
    }
}

fn broken(error: &(dyn std::error::Error + 'static)) -> Problem {
    tracing::error!(error = %chain(error), "a request failed");
    Problem::internal()
}

/// What a caller is told of its command.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Done; `again` when it was done before and this is the same outcome.
    Done { outcome: Outcome, again: bool },
    /// Durable, and will be answered; ask again at the command's address.
    Pending(CommandId),
}

fn judge(outcome: Outcome, asked: &[u8], again: bool) -> Result<Answer, Problem> {
    if outcome.digest != asked {
        return Err(Problem::key_reused());
    }
    match &outcome.verdict {
        Verdict::Done => Ok(Answer::Done { outcome, again }),
        Verdict::Rejected { code, pointer } => Err(Problem::of_rejection(*code, pointer.as_deref())),
        Verdict::Failed { reason } => Err(Problem::failed().detail(reason.clone())),
    }
}

/// How far a service's instance must have folded for an answer to be seen: `routing:3:1024`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub service: String,
    pub partition: i32,
    pub offset: i64,
}

impl Position {
    pub fn of<S: Service>(outcome: &Outcome) -> Self {
        Self { service: S::NAME.to_owned(), partition: outcome.partition, offset: outcome.offset }
    }

    pub fn header(&self) -> HeaderValue {
        HeaderValue::try_from(self.to_string()).expect("a position is plain ASCII")
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.service, self.partition, self.offset)
    }
}

/// The position token of a request, where it brings one.
#[derive(Clone, Debug)]
pub struct AtPosition(pub Option<Position>);

impl<S: Send + Sync> FromRequestParts<S> for AtPosition {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(&POSITION) else { return Ok(Self(None)) };
        let position = value.to_str().ok().and_then(|text| {
            let mut parts = text.splitn(3, ':');
            let service = parts.next()?.to_owned();
            Some(Position {
                service,
                partition: parts.next()?.parse().ok()?,
                offset: parts.next()?.parse().ok()?,
            })
        });
        match position {
            Some(position) => Ok(Self(Some(position))),
            None => Err(Problem::malformed().field(POSITION.as_str(), "expected service:partition:offset")),
        }
    }
}

/// The Idempotency-Key of a request: required of every command.
#[derive(Clone, Debug)]
pub struct IdempotencyKey {
    pub key: String,
    signature: Option<Vec<u8>>,
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let value = parts.headers.get(&IDEMPOTENCY_KEY).ok_or_else(Problem::key_missing)?;
        match value.to_str().map(str::to_owned) {
            Ok(key) if !key.is_empty() && key.len() <= MAX_KEY_BYTES => {
                let Signature(signature) = Signature::from_request_parts(parts, state).await?;
                Ok(Self { key, signature })
            }
            _ => Err(Problem::malformed().field(
                IDEMPOTENCY_KEY.as_str(),
                format!("expected 1 to {MAX_KEY_BYTES} printable ASCII characters"),
            )),
        }
    }
}

impl IdempotencyKey {
    /// The request of a caller under this key; what is asked is told apart by its JSON.
    pub fn request<S: Service>(
        &self,
        caller: &Caller,
        aggregate_id: impl ToString,
        body: impl Into<S::Command>,
    ) -> Request<S::Command> {
        let body = body.into();
        let aggregate_id = aggregate_id.to_string();
        let asked = serde_json::to_vec(&body).expect("a command is plain data");
        let digest = digest::sha256(&[aggregate_id.as_bytes(), &asked]).to_vec();
        self.request_of::<S>(caller, aggregate_id, digest, body)
    }

    /// As [`IdempotencyKey::request`], where the body is sealed and so is other bytes each time: what is asked is
    /// told apart by a digest that the caller gives.
    pub fn request_of<S: Service>(
        &self,
        caller: &Caller,
        aggregate_id: String,
        digest: Vec<u8>,
        body: S::Command,
    ) -> Request<S::Command> {
        Request {
            command_id: self.command_id::<S>(caller),
            digest,
            aggregate_id,
            agency: caller.agency.id.clone(),
            actor: caller.actor.clone(),
            signature: self.signature.clone(),
            body,
        }
    }

    pub fn signature(&self) -> Option<Vec<u8>> {
        self.signature.clone()
    }

    /// The id of the command that this key stands for.
    pub fn command_id<S: Service>(&self, caller: &Caller) -> CommandId {
        CommandId::of_key(S::NAME, &caller.agency.id, &self.key)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
mod tests {
    use schemas::codes::RejectionCode;
    use schemas::ids::AgencyId;

    use super::*;

    /// Given what came of a command, when something is asked as it again, then it is answered so: `None` as done.
    #[track_caller]
    fn check(verdict: Verdict, asked: &[u8], then: Option<&str>) {
        let outcome = Outcome {
            aggregate_id: "incident".to_owned(),
            agency: AgencyId::try_new("nl-hotline").unwrap(),
            partition: 1,
            offset: 7,
            sequence: 2,
            event: Vec::new(),
            digest: b"asked first".to_vec(),
            verdict,
        };
        match judge(outcome.clone(), asked, true) {
            Ok(Answer::Done { outcome: told, again: true }) => {
                assert_eq!((told, None), (outcome, then));
            }
            Ok(answer) => panic!("{answer:?}"),
            Err(problem) => assert_eq!(Some(problem.code()), then),
        }
    }

    #[test]
    fn a_resend_is_answered_by_what_came_of_it() {
        let rejected = || Verdict::Rejected { code: RejectionCode::Withdrawn, pointer: None };
        let failed = || Verdict::Failed { reason: "no more room".to_owned() };
        let code = |problem: Problem| problem.code().to_owned();
        let (withdrawn, broken) =
            (code(Problem::of_rejection(RejectionCode::Withdrawn, None)), code(Problem::failed()));
        check(Verdict::Done, b"asked first", None);
        check(rejected(), b"asked first", Some(&withdrawn));
        check(failed(), b"asked first", Some(&broken));
        for verdict in [Verdict::Done, rejected(), failed()] {
            check(verdict, b"something else", Some("key-reused"));
        }
    }
}
