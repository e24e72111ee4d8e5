//! Somebody at work while everything fails: what is sent is sent again until it is answered.

use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use causeway::example::World;
use reqwest::StatusCode;
use schemas::ids::IncidentId;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::fleet::Fleet;

/// How long a step may go unanswered, and the pause before it is sent again.
const GIVE_UP: Duration = Duration::from_secs(300);
const AGAIN: Duration = Duration::from_millis(500);
/// How long a server may take for one answer.
const ANSWER: Duration = Duration::from_secs(30);

/// Whose it is, and the number of what is worked on.
pub struct Desk<'a> {
    pub world: &'a World,
    pub fleet: &'a Fleet,
    pub who: &'static str,
    pub number: usize,
}

impl Desk<'_> {
    /// Accepts what an agency is offered of an incident.
    pub async fn take_up(&self, agency: &str, incident: IncidentId) -> anyhow::Result<()> {
        let assignment = self
            .await_some("the offer", || async {
                let path = format!("/v1/incidents/{incident}/routing");
                let view: Value = self.get("routing", agency, &path).await?;
                let mut own = view["assignments"].as_array()?.iter().filter(|one| one["agency"] == agency);
                own.find_map(|one| one["assignment_id"].as_str().map(str::to_owned))
            })
            .await?;
        let path = format!("/v1/incidents/{incident}/assignments/{assignment}/accept");
        let _: Value = self.post("routing", agency, &path, "accept", &()).await?;
        Ok(())
    }

    /// Asks until there is an answer.
    pub async fn await_some<T, F: Future<Output = Option<T>>>(
        &self,
        what: &str,
        ask: impl Fn() -> F,
    ) -> anyhow::Result<T> {
        let begun = Instant::now();
        loop {
            if let Some(found) = ask().await {
                return Ok(found);
            }
            ensure!(begun.elapsed() < GIVE_UP, "{what} did not come within {} s", GIVE_UP.as_secs());
            tokio::time::sleep(AGAIN).await;
        }
    }

    pub async fn get<T: DeserializeOwned>(&self, service: &str, agency: &str, path: &str) -> Option<T> {
        let address = self.address(service, 0)?;
        let token = self.world.token(agency, self.who).ok()?;
        let request =
            reqwest::Client::new().get(format!("{address}{path}")).bearer_auth(token).timeout(ANSWER);
        request.send().await.ok().filter(|answer| answer.status() == StatusCode::OK)?.json().await.ok()
    }

    /// Sent under one key until it is answered: done, however often it takes. `what` tells one use of a page from the
    /// next.
    pub async fn post<T: DeserializeOwned>(
        &self,
        service: &str,
        agency: &str,
        path: &str,
        what: &str,
        body: &impl serde::Serialize,
    ) -> anyhow::Result<T> {
        let begun = Instant::now();
        for attempt in 0.. {
            if let Some(address) = self.address(service, attempt) {
                let request = reqwest::Client::new()
                    .post(format!("{address}{path}"))
                    .bearer_auth(self.world.token(agency, self.who)?)
                    .header("idempotency-key", self.key(path, what))
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

    /// Paths are longer than a key may be.
    fn key(&self, path: &str, what: &str) -> String {
        let digest = schemas::digest::sha256(&[path.as_bytes()]);
        format!("{}-{}-{what}-{}", self.who, self.number, hex::encode(&digest[..16]))
    }

    /// The instances in turn.
    fn address(&self, service: &str, attempt: usize) -> Option<String> {
        let addresses = self.fleet.addresses(service);
        addresses.get((self.number + attempt) % addresses.len().max(1)).cloned()
    }
}
