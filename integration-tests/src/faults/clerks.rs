//! Central authorities at work while everything fails: each takes a request from its draft to its end, and sends every
//! step again until it is answered.

use anyhow::{Context, ensure};
use causeway::example::World;
use intake::http::Receipt;
use schemas::codes::RequestState;
use schemas::ids::{IncidentId, RequestId};
use serde_json::{Value, json};

use super::desk::Desk;
use super::fleet::Fleet;
use crate::calm_referral;

/// A request's whole life, and who takes which step.
const LIFE: [(&str, &str, &str); 10] = [
    ("de-central", "validation", r#"{"by": "judge"}"#),
    ("de-central", "transmission", r#"{"channel": "central-authorities"}"#),
    ("fr-central", "receipt", "{}"),
    ("fr-central", "acknowledgement", "{}"),
    ("fr-central", "information-request", r#"{"elements": ["facts"]}"#),
    ("de-central", "information", r#"{"elements": ["facts"]}"#),
    ("fr-central", "acceptance", r#"{"conditions": []}"#),
    ("fr-central", "execution", "{}"),
    ("fr-central", "outcome", r#"{"partial": false}"#),
    ("de-central", "closure", "{}"),
];

/// Requests that are taken through their lives.
pub const REQUESTS: usize = 12;
/// Steps that must have been taken once.
pub const STEPS: usize = REQUESTS * LIFE.len();

/// Takes every request through its life, one after the other on each of a few desks.
///
/// # Errors
/// When a step is refused, or nobody answers for too long.
pub async fn work(world: &World, fleet: &Fleet) -> anyhow::Result<()> {
    const DESKS: usize = 4;
    let desks = (0..DESKS).map(|desk| async move {
        for number in (0..REQUESTS).skip(desk).step_by(DESKS) {
            let clerk = Clerk(Desk { world, fleet, who: "clerk", number });
            clerk.work().await.with_context(|| format!("request {number} of the clerks"))?;
        }
        Ok::<_, anyhow::Error>(())
    });
    futures::future::try_join_all(desks).await.map(drop)
}

struct Clerk<'a>(Desk<'a>);

impl Clerk<'_> {
    async fn work(&self) -> anyhow::Result<()> {
        let referral = calm_referral(&format!("CLERK-{}", self.0.number));
        let receipt: Receipt =
            self.0.post("intake", "nl-hotline", "/v1/referrals", "refer", &referral).await?;
        self.take_up(receipt.incident_id).await?;
        let request = self.draft(receipt.incident_id).await?;
        let mut state = RequestState::Draft;
        for (agency, step, says) in LIFE {
            let path = format!("/v1/incidents/{}/requests/{request}/{step}", receipt.incident_id);
            let says: Value = serde_json::from_str(says)?;
            let body = json!({ "step": says, "note": "Synthetic." });
            let view: mla::http::RequestView = self.0.post("mla", agency, &path, step, &body).await?;
            state = view.state;
        }
        ensure!(state == RequestState::Closed, "it ends {state}");
        Ok(())
    }

    /// Police accept what they are offered: their State's authority may ask from then on.
    async fn take_up(&self, incident: IncidentId) -> anyhow::Result<()> {
        self.0.take_up("de-police", incident).await?;
        let path = format!("/v1/incidents/{incident}/requests");
        self.0.await_some("the incident", || self.0.get::<Value>("mla", "de-central", &path)).await.map(drop)
    }

    async fn draft(&self, incident: IncidentId) -> anyhow::Result<RequestId> {
        let elements = [
            "authority",
            "validation",
            "purpose",
            "person-or-identifier",
            "proceedings",
            "facts",
            "assistance",
        ];
        let elements: serde_json::Map<String, Value> =
            elements.iter().map(|element| (element.to_string(), "Synthetic.".into())).collect();
        let body = json!({ "kind": "assistance", "requested": "FR", "authority": "fr-central",
            "measures": ["content-data"], "basis": "eio", "translation": "not-needed", "elements": elements });
        let path = format!("/v1/incidents/{incident}/requests");
        let view: mla::http::RequestView = self.0.post("mla", "de-central", &path, "draft", &body).await?;
        Ok(view.request_id)
    }
}
