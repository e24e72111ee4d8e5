//! Central authorities at work while everything fails: each takes a request from its draft to its end, and sends every
//! step again until it is answered.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use causeway::example::World;
use intake::http::Receipt;
use reqwest::StatusCode;
use schemas::codes::RequestState;
use schemas::ids::{IncidentId, RequestId};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::fleet::Fleet;
use crate::calm_referral;

/// How long a step may go unanswered, and the pause before it is sent again.
const GIVE_UP: Duration = Duration::from_secs(300);
const AGAIN: Duration = Duration::from_millis(500);
/// How long a server may take for one answer.
const ANSWER: Duration = Duration::from_secs(30);
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
            let clerk = Clerk { world, fleet, number };
            clerk.work().await.with_context(|| format!("request {number} of the clerks"))?;
        }
        Ok::<_, anyhow::Error>(())
    });
    futures::future::try_join_all(desks).await.map(drop)
}

struct Clerk<'a> {
    world: &'a World,
    fleet: &'a Fleet,
    number: usize,
}

impl Clerk<'_> {
    async fn work(&self) -> anyhow::Result<()> {
        let referral = calm_referral(&format!("CLERK-{}", self.number));
        let receipt: Receipt = self.post("intake", "nl-hotline", "/v1/referrals", &referral).await?;
        self.take_up(receipt.incident_id).await?;
        let request = self.draft(receipt.incident_id).await?;
        let mut state = RequestState::Draft;
        for (agency, step, says) in LIFE {
            let path = format!("/v1/incidents/{}/requests/{request}/{step}", receipt.incident_id);
            let says: Value = serde_json::from_str(says)?;
            let body = json!({ "step": says, "note": "Synthetic." });
            let view: mla::http::RequestView = self.post("mla", agency, &path, &body).await?;
            state = view.state;
        }
        ensure!(state == RequestState::Closed, "it ends {state}");
        Ok(())
    }

    /// Police accept what they are offered: their State's authority may ask from then on.
    async fn take_up(&self, incident: IncidentId) -> anyhow::Result<()> {
        let begun = Instant::now();
        let assignment = loop {
            let path = format!("/v1/incidents/{incident}/routing");
            let view: Option<Value> = self.get("routing", "de-police", &path).await;
            let assignments = view.iter().filter_map(|view| view["assignments"].as_array()).flatten();
            let mut own = assignments.filter(|assignment| assignment["agency"] == "de-police");
            match own.find_map(|assignment| assignment["assignment_id"].as_str().map(str::to_owned)) {
                Some(offered) => break offered,
                None => ensure!(begun.elapsed() < GIVE_UP, "the incident was not offered"),
            }
            tokio::time::sleep(AGAIN).await;
        };
        let path = format!("/v1/incidents/{incident}/assignments/{assignment}/accept");
        let _: Value = self.post("routing", "de-police", &path, &()).await?;
        while self
            .get::<Value>("mla", "de-central", &format!("/v1/incidents/{incident}/requests"))
            .await
            .is_none()
        {
            ensure!(begun.elapsed() < GIVE_UP, "the incident did not reach the authority");
            tokio::time::sleep(AGAIN).await;
        }
        Ok(())
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
        let view: mla::http::RequestView = self.post("mla", "de-central", &path, &body).await?;
        Ok(view.request_id)
    }

    async fn get<T: DeserializeOwned>(&self, service: &str, agency: &str, path: &str) -> Option<T> {
        let address = self.address(service, 0)?;
        let token = self.world.token(agency, "clerk").ok()?;
        let request =
            reqwest::Client::new().get(format!("{address}{path}")).bearer_auth(token).timeout(ANSWER);
        request.send().await.ok().filter(|answer| answer.status() == StatusCode::OK)?.json().await.ok()
    }

    /// Sent under one key until it is answered: done, however often it takes.
    async fn post<T: DeserializeOwned>(
        &self,
        service: &str,
        agency: &str,
        path: &str,
        body: &impl serde::Serialize,
    ) -> anyhow::Result<T> {
        let begun = Instant::now();
        for attempt in 0.. {
            if let Some(address) = self.address(service, attempt) {
                let request = reqwest::Client::new()
                    .post(format!("{address}{path}"))
                    .bearer_auth(self.world.token(agency, "clerk")?)
                    .header("idempotency-key", format!("clerk-{}-{path}", self.number))
                    .timeout(ANSWER)
                    .json(body);
                match request.send().await {
                    Ok(answer) if matches!(answer.status(), StatusCode::OK | StatusCode::CREATED) => {
                        if let Ok(view) = answer.json().await {
                            return Ok(view);
                        }
                    }
                    Ok(answer) if answer.status().is_client_error() => {
                        // Behind what another instance has answered.
                        let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
                        let behind = matches!(status, StatusCode::NOT_FOUND | StatusCode::CONFLICT);
                        let slow = status == StatusCode::TOO_MANY_REQUESTS;
                        ensure!((behind && begun.elapsed() < GIVE_UP) || slow, "{path}: {status} {text}");
                    }
                    _ => {}
                }
            }
            ensure!(begun.elapsed() < GIVE_UP, "{path} was not answered within {} s", GIVE_UP.as_secs());
            tokio::time::sleep(AGAIN).await;
        }
        bail!("tried without an end")
    }

    /// The instances in turn.
    fn address(&self, service: &str, attempt: usize) -> Option<String> {
        let addresses = self.fleet.addresses(service);
        addresses.get((self.number + attempt) % addresses.len().max(1)).cloned()
    }
}
