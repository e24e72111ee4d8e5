//! One submission on its way in: gated, sealed, its keys made durable, its command answered.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chassis::auth::Caller;
use chassis::front::{Answer, Front, Request};
use chassis::http::Raw;
use chassis::keys::{KeyWriter, NotWritten};
use chassis::problem::Problem;
use schemas::ids::CommandId;
use schemas::referral::{GateVerdict, ReceiveReferral};

use crate::Intake;
use crate::gate::{self, Fault};
use crate::http::{REPORTERS, Receipt, answered};
use crate::prepare::{Prepared, Preparer};
use crate::refusals::Refusals;
use crate::settings::{Settings, SettingsError};
use crate::submission::Submission;

/// Largest referral as JSON: 2 MiB, of which the narrative may take 256 KiB.
pub const MAX_REFERRAL_BYTES: usize = chassis::http::MAX_BODY_BYTES;

/// What intake's pages reach beside their own topic.
pub struct Connections {
    preparer: Preparer,
    keys: KeyWriter,
}

#[derive(Debug, thiserror::Error)]
pub enum NotSetUp {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("failed to set up the writer of sealed-keys")]
    Keys(#[from] NotWritten),
}

impl Connections {
    /// # Errors
    /// When a setting is missing, or Kafka's client does not accept its configuration.
    pub fn open(settings: &Settings, keys: KeyWriter) -> Result<Self, NotSetUp> {
        Ok(Self { preparer: settings.preparer()?, keys })
    }
}

/// Where submissions arrive. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    pub front: Front<Intake>,
    pub preparer: Arc<Preparer>,
    keys: Arc<KeyWriter>,
    refusals: Refusals,
}

impl Desk {
    pub fn new(front: Front<Intake>, connections: Connections) -> Self {
        let refusals = Refusals::default();
        tokio::spawn(refusals.clone().flush_for_ever(front.clone()));
        let Connections { preparer, keys } = connections;
        let preparer = Arc::new(preparer);
        tokio::spawn(end_old_epochs(Arc::clone(&preparer)));
        Self { front, preparer, keys: Arc::new(keys), refusals }
    }

    /// From bytes of JSON to a committed event.
    ///
    /// # Errors
    /// What the gate refuses, a conflict, or that Kafka does not answer.
    pub async fn receive_json(&self, caller: &Caller, bytes: &[u8]) -> Result<(Receipt, Answer), Problem> {
        let (submission, verdict) = gate::admit(bytes).map_err(|faults| self.refuse(caller, &faults))?;
        self.receive(caller, &submission, verdict).await
    }

    /// Notes a refusal, and makes it the caller's problem.
    pub fn refuse(&self, caller: &Caller, faults: &[Fault]) -> Problem {
        self.refusals.count(&caller.agency.id, faults);
        gate::problem(faults)
    }

    /// # Errors
    /// As [`Desk::receive_json`].
    pub async fn receive(
        &self,
        caller: &Caller,
        submission: &Submission,
        verdict: GateVerdict,
    ) -> Result<(Receipt, Answer), Problem> {
        let now = self.front.clock().now();
        let prepared = self.preparer.prepare(submission, verdict, &caller.agency, now).map_err(|error| {
            tracing::error!(error = %error, "failed to seal a referral");
            Problem::internal()
        })?;
        let Prepared { incident_id, referral, key_set, digest } = prepared;
        let referral_id = referral.referral_id;
        let command_id = CommandId::derive(&[b"receive-referral", referral_id.as_uuid().as_bytes()]);
        let receipt =
            Receipt { referral_id, incident_id, digest: hex::encode(&digest), gate: referral.gate.clone() };
        // A resend needs no keys: its first outcome stands.
        if self.front.outcome(command_id)?.is_none() {
            self.keys.write(&key_set).await.map_err(|error| {
                tracing::warn!(error = %chassis::problem::chain(&error), "failed to write a key set");
                Problem::unavailable().detail("Kafka does not take the keys").retry_after(2)
            })?;
        }
        let request = Request {
            command_id,
            aggregate_id: incident_id.to_string(),
            digest,
            agency: caller.agency.id.clone(),
            actor: caller.actor.clone(),
            body: ReceiveReferral { referral }.into(),
        };
        let answer = self.front.submit(request).await?;
        Ok((receipt, answer))
    }
}

/// An epoch's secret does not outlive it, however quiet the night.
async fn end_old_epochs(preparer: Arc<Preparer>) {
    loop {
        tokio::time::sleep(EPOCH_CHECK).await;
        preparer.sealer.end_old_epoch();
    }
}

/// How often it is looked whether an epoch is over.
const EPOCH_CHECK: Duration = Duration::from_secs(5);

/// Files one referral. Answered once its event is committed; sending it again gives the same answer.
#[utoipa::path(post, path = "/v1/referrals", tag = "intake", request_body = Submission,
    responses((status = 201, body = Receipt), (status = 200, body = Receipt, description = "filed before"),
        (status = 400, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn file(caller: Caller, State(desk): State<Desk>, Raw(bytes): Raw) -> Result<Response, Problem> {
    caller.must_be(&REPORTERS)?;
    let (receipt, answer) = desk.receive_json(&caller, &bytes).await?;
    Ok(answered::<Intake>(&answer, StatusCode::CREATED, &receipt))
}
