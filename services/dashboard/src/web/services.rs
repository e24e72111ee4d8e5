//! The other services, asked with the session's own token: each says for itself what a coordinator may see and do.

use std::time::Duration;

use axum::http::StatusCode;
use chassis::http::Came;
use chassis::problem::Problem;
use openidconnect::url::Url;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

/// How long a service may take: longer than it waits itself until it says that a command is not decided yet.
const TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Clone)]
pub struct Services {
    address: Url,
    http: reqwest::Client,
}

impl Services {
    pub fn new(address: Url) -> Self {
        let http = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none());
        Self { address, http: http.build().expect("the options are fixed ones") }
    }

    /// # Errors
    /// What the service says is wrong, or that it does not answer.
    pub async fn text(&self, token: &str, path: &str) -> Result<String, Problem> {
        self.answer(self.http.get(self.at(path)?).bearer_auth(token)).await.map(|(_, text)| text)
    }

    /// Gives a command, by a key under which it is done once.
    ///
    /// # Errors
    /// As [`Services::text`].
    pub async fn post(&self, token: &str, path: &str, key: Uuid, body: &Value) -> Result<Came, Problem> {
        let command = self.http.post(self.at(path)?).bearer_auth(token);
        let command = command.header("idempotency-key", key.to_string()).json(body);
        let (status, _) = self.answer(command).await?;
        Ok(Came::by(status))
    }

    /// Asks something that is too long for an address.
    ///
    /// # Errors
    /// As [`Services::get`].
    pub async fn ask<T: DeserializeOwned>(
        &self,
        token: &str,
        path: &str,
        body: &Value,
    ) -> Result<T, Problem> {
        let (_, text) = self.answer(self.http.post(self.at(path)?).bearer_auth(token).json(body)).await?;
        parsed(&text)
    }

    fn at(&self, path: &str) -> Result<Url, Problem> {
        self.address.join(path).map_err(|_| Problem::not_found())
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<(StatusCode, String), Problem> {
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        let text = answer.text().await.map_err(unreachable)?;
        if status.is_success() {
            Ok((status, text))
        } else {
            Err(serde_json::from_str(&text).unwrap_or_else(|_| Problem::internal()))
        }
    }

    /// # Errors
    /// As [`Services::text`], or that the answer is none.
    pub async fn get<T: DeserializeOwned>(&self, token: &str, path: &str) -> Result<T, Problem> {
        parsed(&self.text(token, path).await?)
    }
}

fn parsed<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    serde_json::from_str(text).map_err(|error| {
        tracing::error!(%error, "a service's answer does not read");
        Problem::internal()
    })
}

fn unreachable(error: reqwest::Error) -> Problem {
    // Without its address: that holds the incident's id.
    tracing::warn!(error = %chassis::problem::chain(&error.without_url()), "a service does not answer");
    Problem::unavailable().retry_after(1)
}
