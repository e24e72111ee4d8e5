//! Intake's pages: one referral, a stream of them, a CyberTipline report, and the reporter's feedback.

mod aside;
mod batch;
mod receive;
mod report;

use std::sync::Arc;

use axum::Json;
use axum::extract::{DefaultBodyLimit, State};
use chassis::auth::Caller;
use chassis::front::{AtPosition, Front};
use chassis::http::{Path, answered};
use chassis::problem::Problem;
use chassis::receipts::Receipts;
use chassis::sealing::Sealing;
use schemas::Timestamp;
use schemas::codes::RetractionReason;
use schemas::ids::{IncidentId, PersonRef, ReferralId};
use schemas::referral::{Feedback, GateVerdict};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Intake;
use crate::cybertipline::MAX_TOTAL_BYTES;
use crate::prepare::Preparer;
use receive::Desk;

pub use batch::{Broken, LineResult, lines};
pub use receive::Withdraw;

/// The pages, and what must run beside them.
pub fn pages(
    front: Front<Intake>,
    preparer: Preparer,
    sealing: Arc<Sealing>,
    receipts: Receipts,
) -> OpenApiRouter {
    let desk = Desk::new(front, preparer, sealing, receipts);
    // A report comes with the documents on its files.
    let limit = DefaultBodyLimit::max(MAX_TOTAL_BYTES);
    let reports = OpenApiRouter::new().routes(routes!(report::file_report)).layer(limit);
    OpenApiRouter::new()
        .routes(routes!(receive::file))
        .routes(routes!(batch::file_batch))
        .routes(routes!(receive::amend))
        .routes(routes!(receive::withdraw))
        .merge(reports)
        .routes(routes!(show))
        .with_state(desk)
}

/// A referral was received: committed, and on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    pub referral_id: ReferralId,
    pub incident_id: IncidentId,
    /// HMAC over the canonical referral, hex: the same for the same referral.
    pub digest: String,
    /// What the no-content gate found; fields withheld from an emergency are named.
    pub gate: GateVerdict,
}

/// How far a referral has come, as its reporter may know.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReferralStatus {
    pub referral_id: ReferralId,
    pub received_at: Timestamp,
    pub gate: GateVerdict,
    /// How often it was amended.
    pub amendments: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<RetractionReason>,
    /// The people, in the order in which they were submitted: by these one of them is erased.
    pub people: Vec<PersonRef>,
    pub feedback: Vec<FeedbackView>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FeedbackView {
    #[serde(flatten)]
    pub feedback: Feedback,
    pub at: Timestamp,
}

/// What became of a referral. Its reporter sees it, nobody else.
#[utoipa::path(get, path = "/v1/referrals/{referral}", tag = "intake", params(("referral" = ReferralId, Path)),
    responses((status = 200, body = ReferralStatus), (status = 404, body = Problem)))]
async fn show(
    caller: Caller,
    at: AtPosition,
    State(desk): State<Desk>,
    Path(referral): Path<ReferralId>,
) -> Result<Json<ReferralStatus>, Problem> {
    desk.front.await_position(at.0.as_ref()).await?;
    let received = desk.received(&caller, referral)?;
    let incident = IncidentId::of_referral(&desk.sealing.identity, referral);
    let state = desk.front.state(&incident.to_string())?;
    let told = state.state.told(desk.front.clock().now());
    Ok(Json(ReferralStatus {
        referral_id: received.referral_id,
        received_at: received.at,
        gate: received.gate,
        amendments: received.amendments,
        withdrawn: received.withdrawn,
        people: received.standing.people,
        feedback: told
            .into_iter()
            .map(|told| FeedbackView { feedback: told.feedback, at: told.at })
            .collect(),
    }))
}
