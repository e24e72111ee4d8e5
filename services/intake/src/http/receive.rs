//! One submission on its way in: gated, sealed, its keys made durable, its command answered.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chassis::auth::Caller;
use chassis::front::{Answer, Front, IdempotencyKey, Request, signature_of};
use chassis::http::{Body, Path, Raw};
use chassis::problem::Problem;
use chassis::sealing::Sealing;
use schemas::codes::RetractionReason;
use schemas::ids::{CommandId, IncidentId, KeySetId, ReferralId};
use schemas::referral::{
    AmendReferral, GateVerdict, ReadReferral, ReceiveReferral, Referral, ReferralCommand, WithdrawReferral,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Intake;
use crate::domain::{Received, Standing};
use crate::gate::{self, Fault};
use crate::http::{REPORTERS, Receipt, answered};
use crate::prepare::{Prepared, Preparer, ids};
use crate::refusals::Refusals;
use crate::submission::Submission;

/// Largest referral as JSON: 2 MiB, of which the narrative may take 256 KiB.
pub const MAX_REFERRAL_BYTES: usize = chassis::http::MAX_BODY_BYTES;

/// Where submissions arrive. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    pub front: Front<Intake>,
    pub sealing: Arc<Sealing>,
    preparer: Arc<Preparer>,
    refusals: Refusals,
}

impl Desk {
    pub fn new(front: Front<Intake>, preparer: Preparer, sealing: Arc<Sealing>) -> Self {
        let refusals = Refusals::default();
        tokio::spawn(refusals.clone().flush_while_served(front.downgrade()));
        Self { front, sealing, preparer: Arc::new(preparer), refusals }
    }

    /// From bytes of JSON to a committed event.
    ///
    /// # Errors
    /// What the gate refuses, a conflict, or that Kafka does not answer.
    pub async fn receive_json(
        &self,
        caller: &Caller,
        bytes: &[u8],
        signature: Option<Vec<u8>>,
    ) -> Result<(Receipt, Answer), Problem> {
        let (submission, verdict) = self.admit(caller, bytes)?;
        self.receive(caller, &submission, verdict, signature).await
    }

    fn admit(&self, caller: &Caller, bytes: &[u8]) -> Result<(Submission, GateVerdict), Problem> {
        gate::admit(bytes).map_err(|faults| self.refuse(caller, &faults))
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
        signature: Option<Vec<u8>>,
    ) -> Result<(Receipt, Answer), Problem> {
        let prepared = self.prepare(caller, submission, verdict, Standing::default())?;
        let referral_id = prepared.referral.referral_id;
        let command_id = CommandId::derive(&[b"receive-referral", referral_id.as_uuid().as_bytes()]);
        let body = |referral| ReceiveReferral { referral }.into();
        self.submit(caller, command_id, prepared, signature, body).await
    }

    /// The reporter's referral again, as it should have been.
    ///
    /// # Errors
    /// As [`Desk::receive_json`], and when there is no such referral of the caller.
    async fn amend(
        &self,
        caller: &Caller,
        key: &IdempotencyKey,
        referral: ReferralId,
        bytes: &[u8],
    ) -> Result<(Receipt, Answer), Problem> {
        let (submission, verdict) = self.admit(caller, bytes)?;
        if ids(&self.sealing.identity, &caller.agency, &submission.reference).0 != referral {
            return Err(
                Problem::invalid().field("/reference", "not the reference that the referral was filed under")
            );
        }
        let standing = self.received(caller, referral)?.standing;
        let prepared = self.prepare(caller, &submission, verdict, standing)?;
        let body = |referral| AmendReferral { referral }.into();
        self.submit(caller, key.command_id::<Intake>(caller), prepared, key.signature(), body).await
    }

    /// The caller's own referral; whoever asks for another's is told that there is none, and is on record.
    ///
    /// # Errors
    /// When there is no such referral of the caller.
    pub fn received(&self, caller: &Caller, referral_id: ReferralId) -> Result<Received, Problem> {
        let incident = IncidentId::of_referral(&self.sealing.identity, referral_id);
        let state = self.front.state(&incident.to_string())?;
        let own = state.state.received.as_ref().filter(|received| received.reporter == caller.agency.id);
        own.cloned().ok_or_else(|| {
            self.front.record_attempt(caller, incident, ReadReferral { referral_id });
            Problem::not_found()
        })
    }

    fn prepare(
        &self,
        caller: &Caller,
        submission: &Submission,
        verdict: GateVerdict,
        standing: Standing,
    ) -> Result<Prepared, Problem> {
        let prepared = self.preparer.prepare(&self.sealing, submission, verdict, &caller.agency, standing);
        prepared.map_err(|error| {
            tracing::error!(error = %error, "failed to seal a referral");
            Problem::internal()
        })
    }

    async fn submit(
        &self,
        caller: &Caller,
        command_id: CommandId,
        prepared: Prepared,
        signature: Option<Vec<u8>>,
        body: impl FnOnce(Referral) -> ReferralCommand,
    ) -> Result<(Receipt, Answer), Problem> {
        let Prepared { incident_id, referral, key_set, digest } = prepared;
        let (referral_id, gate) = (referral.referral_id, referral.gate.clone());
        let receipt = Receipt { referral_id, incident_id, digest: hex::encode(&digest), gate };
        // A resend needs no keys: its first outcome stands.
        let wrote = self.front.outcome(command_id)?.is_none();
        if wrote {
            // What is sent again is answered as before, even when its date has come meanwhile.
            let until = referral.handling.retain_until;
            if until.is_some_and(|until| until <= self.front.clock().now()) {
                return Err(self.refuse(caller, &[Fault::of_retention()]));
            }
            self.sealing.write(&key_set).await?;
        }
        let request = Request {
            command_id,
            aggregate_id: incident_id.to_string(),
            digest,
            agency: caller.agency.id.clone(),
            actor: caller.actor.clone(),
            signature,
            body: body(referral),
        };
        let answered = self.front.submit(request).await;
        if wrote {
            self.erase_unless_named(incident_id, key_set.key_set_id, &answered);
        }
        Ok((receipt, answered?))
    }

    /// Once a command has its outcome, keys that no event names never will be: the same was sent twice at once, or it
    /// was rejected. While it is under way, or nobody knows, they stay. The answer stands whatever becomes of them.
    fn erase_unless_named(
        &self,
        incident: IncidentId,
        key_set: KeySetId,
        answered: &Result<Answer, Problem>,
    ) {
        let decided = match answered {
            Ok(Answer::Done { .. }) => true,
            Ok(Answer::Pending(_)) => false,
            Err(problem) => problem.status < 500 && problem.status != 429,
        };
        let Ok(state) = self.front.state(&incident.to_string()) else { return };
        let named =
            state.state.received.as_ref().is_some_and(|received| received.key_sets.contains(&key_set));
        if decided && !named {
            self.sealing.erase_unnamed(key_set);
        }
    }
}

/// Files one referral. Answered once its event is committed; sending it again gives the same answer.
#[utoipa::path(post, path = "/v1/referrals", tag = "intake", request_body = Submission,
    params(("Causeway-Signature" = Option<String>, Header,
        description = "the agency's own signature over the body, base64")),
    responses((status = 201, body = Receipt), (status = 200, body = Receipt, description = "filed before"),
        (status = 400, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn file(
    caller: Caller,
    State(desk): State<Desk>,
    headers: HeaderMap,
    Raw(bytes): Raw,
) -> Result<Response, Problem> {
    caller.must_be(&REPORTERS)?;
    let (receipt, answer) = desk.receive_json(&caller, &bytes, signature_of(&headers)?).await?;
    Ok(answered::<Intake>(&answer, StatusCode::CREATED, &receipt))
}

/// Amends a referral: the whole of it again, under the same reference. People and items keep their places; new
/// ones are added at the end. Everything is sealed anew, and routing looks at the incident again.
#[utoipa::path(post, path = "/v1/referrals/{referral}/amend", tag = "intake", request_body = Submission,
    params(("referral" = ReferralId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = Receipt), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub async fn amend(
    caller: Caller,
    key: IdempotencyKey,
    State(desk): State<Desk>,
    Path(referral): Path<ReferralId>,
    Raw(bytes): Raw,
) -> Result<Response, Problem> {
    caller.must_be(&REPORTERS)?;
    let (receipt, answer) = desk.amend(&caller, &key, referral, &bytes).await?;
    Ok(answered::<Intake>(&answer, StatusCode::CREATED, &receipt))
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Withdraw {
    pub reason: RetractionReason,
}

/// Withdraws a referral: what was offered is taken back, and each agency that it reached is told and acknowledges.
#[utoipa::path(post, path = "/v1/referrals/{referral}/withdraw", tag = "intake", request_body = Withdraw,
    params(("referral" = ReferralId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = Withdraw), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn withdraw(
    caller: Caller,
    key: IdempotencyKey,
    State(desk): State<Desk>,
    Path(referral): Path<ReferralId>,
    Body(withdraw): Body<Withdraw>,
) -> Result<Response, Problem> {
    caller.must_be(&REPORTERS)?;
    desk.received(&caller, referral)?;
    let incident = IncidentId::of_referral(&desk.sealing.identity, referral);
    let command = WithdrawReferral { reason: withdraw.reason };
    let answer = desk.front.submit(key.request::<Intake>(&caller, incident, command)).await?;
    Ok(answered::<Intake>(&answer, StatusCode::CREATED, &withdraw))
}
