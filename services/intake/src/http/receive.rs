//! One submission on its way in: gated, sealed, its keys made durable, its command answered.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use chassis::auth::Caller;
use chassis::front::{Answer, Front, IdempotencyKey, Request};
use chassis::http::{Body, Path, Raw};
use chassis::problem::Problem;
use chassis::receipts::Receipts;
use chassis::sealing::Sealing;
use chassis::signature::Signature;
use schemas::codes::RetractionReason;
use schemas::ids::{CommandId, IncidentId, ReferralId};
use schemas::referral::{
    AmendReferral, GateVerdict, ReadReferral, ReceiveReferral, Referral, ReferralCommand, WithdrawReferral,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Intake;
use crate::domain::{REPORTERS, Received, ReferralState, Standing};
use crate::gate::{self, Fault};
use crate::http::aside::judged;
use crate::http::{Receipt, answered};
use crate::prepare::{self, Prepared, Preparer, ids};
use crate::refusals::Refusals;
use crate::submission::Submission;

/// Largest referral as JSON: 2 MiB, of which the narrative may take 256 KiB.
pub const MAX_REFERRAL_BYTES: usize = chassis::http::MAX_BODY_BYTES;

/// Where submissions arrive. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    pub front: Front<Intake>,
    pub sealing: Arc<Sealing>,
    pub receipts: Receipts,
    preparer: Arc<Preparer>,
    refusals: Refusals,
}

/// What is filed: judged, and not sealed yet.
struct Filing<'a> {
    command_id: CommandId,
    submission: &'a Submission,
    verdict: GateVerdict,
    standing: Standing,
    signature: Option<Vec<u8>>,
}

impl Desk {
    pub fn new(front: Front<Intake>, preparer: Preparer, sealing: Arc<Sealing>, receipts: Receipts) -> Self {
        let refusals = Refusals::default();
        tokio::spawn(refusals.clone().flush_while_served(front.downgrade()));
        Self { front, sealing, receipts, preparer: Arc::new(preparer), refusals }
    }

    /// From bytes of JSON to a committed event.
    ///
    /// # Errors
    /// What the gate refuses, a conflict, or that Kafka does not answer.
    pub async fn receive_json(
        &self,
        caller: &Caller,
        bytes: &Bytes,
        signature: Option<Vec<u8>>,
    ) -> Result<(Receipt, Answer), Problem> {
        let (submission, verdict) = self.admit(caller, bytes).await?;
        self.receive(caller, &submission, verdict, signature).await
    }

    async fn admit(&self, caller: &Caller, bytes: &Bytes) -> Result<(Submission, GateVerdict), Problem> {
        let sent = bytes.clone();
        let admitted = judged(bytes.len(), move || gate::admit(&sent)).await?;
        admitted.map_err(|faults| self.refuse(caller, &faults))
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
        let (referral_id, _) = ids(&self.sealing.identity, &caller.agency, &submission.reference);
        let command_id = CommandId::derive(&[b"receive-referral", referral_id.as_uuid().as_bytes()]);
        let filing = Filing { command_id, submission, verdict, standing: Standing::default(), signature };
        self.submit(caller, filing, |referral| ReceiveReferral { referral }.into()).await
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
        bytes: &Bytes,
    ) -> Result<(Receipt, Answer), Problem> {
        let (submission, verdict) = self.admit(caller, bytes).await?;
        if ids(&self.sealing.identity, &caller.agency, &submission.reference).0 != referral {
            return Err(
                Problem::invalid().field("/reference", "not the reference that the referral was filed under")
            );
        }
        let standing = self.received(caller, referral)?.standing;
        let (command_id, signature) = (key.command_id::<Intake>(caller), key.signature());
        let filing = Filing { command_id, submission: &submission, verdict, standing, signature };
        self.submit(caller, filing, |referral| AmendReferral { referral }.into()).await
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

    /// A resend needs no keys: what it is told follows from what was asked and what came of it, so nothing is sealed.
    async fn submit(
        &self,
        caller: &Caller,
        filing: Filing<'_>,
        body: impl FnOnce(Referral) -> ReferralCommand,
    ) -> Result<(Receipt, Answer), Problem> {
        let Filing { command_id, submission, verdict, standing, signature } = filing;
        let identity = &self.sealing.identity;
        let (referral_id, incident_id) = ids(identity, &caller.agency, &submission.reference);
        let digest = prepare::digest(identity, submission);
        let receipt = Receipt { referral_id, incident_id, digest: hex::encode(&digest), gate: verdict };
        if let Some(answer) = self.front.answered(command_id, &digest)? {
            return Ok((receipt, answer));
        }
        self.check_retention(caller, submission)?;
        let Prepared { referral, key_set } =
            self.prepare(caller, submission, receipt.gate.clone(), standing)?;
        let request = Request {
            command_id,
            aggregate_id: incident_id.to_string(),
            digest,
            agency: caller.agency.id.clone(),
            actor: caller.actor.clone(),
            signature,
            body: body(referral),
        };
        // Others than its own are named when the same was sent twice at once.
        let key_set_id = key_set.key_set_id;
        let names = |state: &ReferralState| Some(state.received.as_ref()?.key_sets.contains(&key_set_id));
        let answer = self.sealing.submit(&self.front, request, &key_set, names).await?;
        Ok((receipt, answer))
    }

    /// Asked of what is new alone: what is sent again is answered as before, even when its date has come meanwhile.
    fn check_retention(&self, caller: &Caller, submission: &Submission) -> Result<(), Problem> {
        let until = submission.handling.retain_until;
        if until.is_some_and(|until| until <= self.front.clock().now()) {
            return Err(self.refuse(caller, &[Fault::of_retention()]));
        }
        Ok(())
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
}

/// Files one referral. Answered once its event is committed; sending it again gives the same answer.
#[utoipa::path(post, path = "/v1/referrals", tag = "intake", request_body = Submission,
    params(("Causeway-Signature" = Option<String>, Header,
        description = "the agency's own signature of the command: a signed note, base64")),
    responses((status = 201, body = Receipt), (status = 200, body = Receipt, description = "filed before"),
        (status = 400, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn file(
    caller: Caller,
    Signature(signature): Signature,
    State(desk): State<Desk>,
    Raw(bytes): Raw,
) -> Result<Response, Problem> {
    caller.must_be(&REPORTERS)?;
    let (receipt, answer) = desk.receive_json(&caller, &bytes, signature).await?;
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
