//! One page for each step of a request: the step's own record as its body, and texts that are sealed.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chassis::auth::Caller;
use chassis::front::IdempotencyKey;
use chassis::http::{Body, Path, answered};
use chassis::problem::Problem;
use chassis::sealing::{self, Secrecy};
use schemas::codes::{FacetKind, RejectionCode};
use schemas::ids::{IncidentId, RequestId};
use schemas::mla::{Step, TakeStep};
use schemas::referral::SealedFacet;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::requests::referral_of;
use super::{Pages, RequestView, answered_by};
use crate::Mla;
use crate::domain::{Incident, missing, note_kind};

/// Longest reference of an agency.
const MAX_REFERENCE_BYTES: usize = 128;

/// A step with the texts that go with it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StepOf)]
pub struct Taken<T> {
    /// What the step says; an empty object where it says nothing more.
    pub step: T,
    /// Free text for the other side; sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The own side's reference; sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

macro_rules! pages_of_steps {
    ($($name:ident $step:ident $path:literal $doc:literal;)+) => {
        $(
            #[doc = $doc]
            #[utoipa::path(post, path = $path, tag = "mla",
                params(("incident" = IncidentId, Path), ("request" = RequestId, Path),
                    ("Idempotency-Key" = String, Header)),
                request_body = Taken<schemas::mla::$step>,
                responses((status = 201, body = RequestView), (status = 404, body = Problem),
                    (status = 409, body = Problem), (status = 422, body = Problem)))]
            async fn $name(
                caller: Caller,
                key: IdempotencyKey,
                State(pages): State<Pages>,
                Path((incident, request)): Path<(IncidentId, RequestId)>,
                Body(taken): Body<Taken<schemas::mla::$step>>,
            ) -> Result<Response, Problem> {
                let Taken { step, note, reference } = taken;
                take(&pages, &caller, &key, incident, request, Taken { step: step.into(), note, reference }).await
            }
        )+

        pub fn pages() -> OpenApiRouter<Pages> {
            OpenApiRouter::new()$(.routes(routes!($name)))+
        }
    };
}

pages_of_steps! {
    validation Validation
        "/v1/incidents/{incident}/requests/{request}/validation"
        "Signed or validated by a judge, court or prosecutor.";
    transmission Transmission
        "/v1/incidents/{incident}/requests/{request}/transmission"
        "Sent to the other side.";
    written_confirmation WrittenConfirmation
        "/v1/incidents/{incident}/requests/{request}/written-confirmation"
        "What was asked orally or by an urgent channel is confirmed in writing.";
    receipt Receipt
        "/v1/incidents/{incident}/requests/{request}/receipt"
        "Received by the other side.";
    return_deficient ReturnDeficient
        "/v1/incidents/{incident}/requests/{request}/return-deficient"
        "Sent back, since something is missing.";
    forwarding Forwarding
        "/v1/incidents/{incident}/requests/{request}/forwarding"
        "Passed on to the authority whose it is.";
    acknowledgement Acknowledgement
        "/v1/incidents/{incident}/requests/{request}/acknowledgement"
        "Registered, with a reference.";
    information_request InformationRequest
        "/v1/incidents/{incident}/requests/{request}/information-request"
        "More is needed.";
    information Information
        "/v1/incidents/{incident}/requests/{request}/information"
        "More is given.";
    consultation Consultation
        "/v1/incidents/{incident}/requests/{request}/consultation"
        "One side asks the other to talk before it decides.";
    consultation_conclusion ConsultationConclusion
        "/v1/incidents/{incident}/requests/{request}/consultation-conclusion"
        "The consultation is over.";
    acceptance Acceptance
        "/v1/incidents/{incident}/requests/{request}/acceptance"
        "Recognised, or granted, with conditions or without.";
    conditions_agreement ConditionsAgreement
        "/v1/incidents/{incident}/requests/{request}/conditions-agreement"
        "The other side's conditions are agreed to.";
    postponement Postponement
        "/v1/incidents/{incident}/requests/{request}/postponement"
        "Put off.";
    resumption Resumption
        "/v1/incidents/{incident}/requests/{request}/resumption"
        "What was put off goes on.";
    refusal Refusal
        "/v1/incidents/{incident}/requests/{request}/refusal"
        "Refused, with the ground.";
    execution Execution
        "/v1/incidents/{incident}/requests/{request}/execution"
        "The measure begins.";
    substitution Substitution
        "/v1/incidents/{incident}/requests/{request}/substitution"
        "Another measure is used.";
    delay Delay
        "/v1/incidents/{incident}/requests/{request}/delay"
        "It takes longer, with the reason and an estimate.";
    preserved Preserved
        "/v1/incidents/{incident}/requests/{request}/preserved"
        "Data are preserved at their holder.";
    holder_end HolderEnd
        "/v1/incidents/{incident}/requests/{request}/holder-end"
        "Until when the data holder keeps the data.";
    outcome Outcome
        "/v1/incidents/{incident}/requests/{request}/outcome"
        "What came of the measure.";
    transfer_suspension TransferSuspension
        "/v1/incidents/{incident}/requests/{request}/transfer-suspension"
        "Evidence is held back while a legal remedy is pending.";
    transfer_resumption TransferResumption
        "/v1/incidents/{incident}/requests/{request}/transfer-resumption"
        "Evidence may go.";
    evidence_transmission EvidenceTransmission
        "/v1/incidents/{incident}/requests/{request}/evidence-transmission"
        "Evidence went by a channel outside this system; its digest stands here.";
    evidence_receipt EvidenceReceipt
        "/v1/incidents/{incident}/requests/{request}/evidence-receipt"
        "The other side has compared the digest.";
    costs Costs
        "/v1/incidents/{incident}/requests/{request}/costs"
        "What it costs, and who bears it.";
    document Document
        "/v1/incidents/{incident}/requests/{request}/document"
        "The request was put on paper; the digest of the paper stands here.";
    closure Closure
        "/v1/incidents/{incident}/requests/{request}/closure"
        "Nothing is left to be done.";
    withdrawal Withdrawal
        "/v1/incidents/{incident}/requests/{request}/withdrawal"
        "No longer required.";
    notification Notification
        "/v1/incidents/{incident}/requests/{request}/notification"
        "The enforcing authority is notified of an order.";
    notification_receipt NotificationReceipt
        "/v1/incidents/{incident}/requests/{request}/notification-receipt"
        "The enforcing authority has received the notification.";
    no_ground_confirmation NoGroundConfirmation
        "/v1/incidents/{incident}/requests/{request}/no-ground-confirmation"
        "The enforcing authority will raise no ground for refusal.";
    clarification_request ClarificationRequest
        "/v1/incidents/{incident}/requests/{request}/clarification-request"
        "The provider cannot comply without more (Annex III).";
    clarification Clarification
        "/v1/incidents/{incident}/requests/{request}/clarification"
        "The issuing authority answers.";
    objection Objection
        "/v1/incidents/{incident}/requests/{request}/objection"
        "The provider objects, since the law of a third country forbids it.";
    objection_review ObjectionReview
        "/v1/incidents/{incident}/requests/{request}/objection-review"
        "The order is upheld or lifted on review.";
    non_execution NonExecution
        "/v1/incidents/{incident}/requests/{request}/non-execution"
        "The provider does not comply, and says why (Annex III).";
    ex_post_validation ExPostValidation
        "/v1/incidents/{incident}/requests/{request}/ex-post-validation"
        "An order issued in an emergency is validated afterwards, or not.";
    extension Extension
        "/v1/incidents/{incident}/requests/{request}/extension"
        "The preservation is extended (Annex VI).";
    production_confirmation ProductionConfirmation
        "/v1/incidents/{incident}/requests/{request}/production-confirmation"
        "A request for production was issued (Annex V).";
    enforcement_request EnforcementRequest
        "/v1/incidents/{incident}/requests/{request}/enforcement-request"
        "The issuing authority asks the enforcing State to enforce.";
    recognition Recognition
        "/v1/incidents/{incident}/requests/{request}/recognition"
        "The enforcing authority recognises the order, or not.";
    conditions_on_use ConditionsOnUse
        "/v1/incidents/{incident}/requests/{request}/conditions-on-use"
        "The enforcing authority lets data that were already sent be used only under conditions.";
    deletion Deletion
        "/v1/incidents/{incident}/requests/{request}/deletion"
        "Data that may not be used were deleted, or their use was restricted.";
    legal_remedy LegalRemedy
        "/v1/incidents/{incident}/requests/{request}/legal-remedy"
        "A legal remedy was sought in the State of the side that says so.";
    related_case RelatedCase
        "/v1/incidents/{incident}/requests/{request}/related-case"
        "A case conducted elsewhere belongs to it; its reference goes with the step, sealed.";
}

async fn take(
    pages: &Pages,
    caller: &Caller,
    key: &IdempotencyKey,
    incident: IncidentId,
    request_id: RequestId,
    taken: Taken<Step>,
) -> Result<Response, Problem> {
    let body = serde_json::to_vec(&(request_id, &taken)).expect("a request is plain data");
    let about = sealing::Asked { caller, key, incident, purpose: "mla-step", body: &body };
    let Taken { step, note, reference } = taken;
    if reference.as_ref().is_some_and(|reference| reference.len() > MAX_REFERENCE_BYTES) {
        let detail = format!("expected 1 to {MAX_REFERENCE_BYTES} bytes");
        return Err(Problem::invalid().field("/reference", detail));
    }
    let note = note.map(|note| Secrecy::text(note_kind(&step), "/note", &note)).transpose()?;
    let has_note = note.is_some();
    let reference =
        reference.map(|text| Secrecy::text(FacetKind::CaseNumber, "/reference", &text)).transpose()?;
    let secrets: Vec<Secrecy> = note.into_iter().chain(reference).collect();
    let may = |state: &Incident| {
        state.requests.get(&request_id).is_some_and(|request| request.role_of(&caller.agency.id).is_some())
    };
    let of_referral = |state: &Incident| referral_of(pages, caller, incident, state, may);
    let command = |facets: Vec<SealedFacet>| {
        let mut facets = facets.into_iter();
        let note = if has_note { facets.next() } else { None };
        TakeStep { request_id, step, note, reference: facets.next() }.into()
    };
    let answer = pages.sealing.submit_sealing(&pages.front, about, &secrets, of_referral, command).await;
    let answer = answer.map_err(|problem| with_what_is_missing(pages, incident, request_id, problem))?;
    let view =
        answered_by(&answer, |_| request_id).map(|id| pages.view_after(caller, incident, id)).transpose()?;
    Ok(answered::<Mla>(&answer, StatusCode::CREATED, &view))
}

/// A request that is not complete is told what it lacks, each element by name and article.
fn with_what_is_missing(
    pages: &Pages,
    incident: IncidentId,
    request: RequestId,
    problem: Problem,
) -> Problem {
    let incomplete = RejectionCode::Incomplete.code();
    if !problem.errors.iter().any(|error| error.detail == incomplete) {
        return problem;
    }
    let Ok(state) = pages.front.state(&incident.to_string()) else { return problem };
    let Some(request) = state.state.requests.get(&request) else { return problem };
    let directory = pages.reference.snapshot().directory;
    let missing = missing(&directory, request, pages.front.clock().now());
    missing.into_iter().fold(problem, |problem, missing| {
        let pointer = format!("/elements/{}", missing.element);
        problem.field(pointer, format!("missing: {} demands it ({})", missing.article, missing.mark))
    })
}
