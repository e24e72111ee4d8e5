//! The client: what the command line, the example and the tests speak HTTP with.
//!
//! Decryption happens here, on the agency's side: the private key never goes anywhere.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use audit_log::SigningKey;
use audit_log::command::{CommandError, SignedCommand};
use base64::Engine as _;
use chassis::http::Came;
use chassis::problem::Problem;
use chassis::seal::{Binding, KeyPair, open_disclosed};
use chassis::signature::SIGNATURE;
use dashboard::domain::Overview;
use delivery::disclosure::{DisclosedFacet, Disclosure};
use delivery::http::{Access, Inbox, Open};
use eventsource_stream::Eventsource;
use futures::{Stream, StreamExt, TryStreamExt};
use intake::http::{Receipt, ReferralStatus};
use reqwest::header::HeaderValue;
use reqwest::{Method, RequestBuilder, StatusCode};
use routing::http::RoutingView;
use schemas::codes::{FacetKind, RejectionCode};
use schemas::ids::{AssignmentId, ChildRef, FacetId, IncidentId, KeyId, PersonRef, ReferralId, RequestId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A service says something on each stream twice as often.
const SILENT: Duration = Duration::from_secs(35);
/// How long it may take until a connection stands, and until there is an answer: that a command is pending is said
/// sooner. What is long itself (a report, a trail, a stream of referrals) may take as long as it is.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(30);

/// A request that was answered with a problem, or not at all.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("{0}")]
    Problem(Box<Problem>),
    #[error("no answer from {address}: is `causeway serve` running there?")]
    NoAnswer { address: String, source: reqwest::Error },
    #[error("{address} has said nothing for too long: is something between here and there?")]
    Silent { address: String },
    #[error("failed to read the token in {file}")]
    Token { file: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Sign(#[from] CommandError),
    #[error("the answer of {address} does not read")]
    Answer { address: String, source: reqwest::Error },
}

impl ClientError {
    /// The problem's code, where there is one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Problem(problem) => Some(problem.code()),
            _ => None,
        }
    }

    /// Whether the command was rejected for this reason.
    pub fn is_rejection(&self, code: RejectionCode) -> bool {
        matches!(self, Self::Problem(problem) if problem.reason() == Some(&code.to_string()))
    }
}

/// One agency's access to a deployment. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    address: String,
    token: Token,
    signing: Option<Arc<SigningKey>>,
}

/// What says who calls.
#[derive(Clone)]
pub enum Token {
    Fixed(Arc<str>),
    /// Read anew for each request: whoever writes it renews it.
    File(Arc<Path>),
}

impl Token {
    /// # Errors
    /// When the file does not read.
    pub fn read(&self) -> Result<Arc<str>, ClientError> {
        match self {
            Self::Fixed(token) => Ok(Arc::clone(token)),
            Self::File(path) => {
                let text = std::fs::read_to_string(path);
                let text = text.map_err(|source| ClientError::Token { file: path.to_path_buf(), source })?;
                Ok(text.trim().into())
            }
        }
    }
}

/// An opened facet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OpenedFacet {
    pub facet_id: FacetId,
    pub kind: FacetKind,
    pub person_ref: Option<PersonRef>,
    /// What was sealed, as JSON.
    pub content: serde_json::Value,
}

impl Client {
    pub fn new(address: &str, token: &str) -> Self {
        let address = address.trim_end_matches('/').to_owned();
        let http = reqwest::Client::builder().connect_timeout(CONNECT).build();
        Self {
            http: http.expect("the options are fixed ones"),
            address,
            token: Token::Fixed(token.into()),
            signing: None,
        }
    }

    #[must_use]
    pub fn with_token(self, token: Token) -> Self {
        Self { token, ..self }
    }

    pub const fn token(&self) -> &Token {
        &self.token
    }

    /// Signs every command from now on, but for a stream of referrals.
    #[must_use]
    pub fn signing(self, key: SigningKey) -> Self {
        Self { signing: Some(Arc::new(key)), ..self }
    }

    pub const fn signs(&self) -> bool {
        self.signing.is_some()
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.address))
    }

    async fn send(&self, request: RequestBuilder) -> Result<reqwest::Response, ClientError> {
        let mut request = self.build(request)?;
        if let Some(key) = &self.signing {
            sign(&mut request, key)?;
        }
        self.execute(request).await
    }

    fn build(&self, request: RequestBuilder) -> Result<reqwest::Request, ClientError> {
        request.bearer_auth(self.token.read()?).build().map_err(|source| self.no_answer(source))
    }

    fn no_answer(&self, source: reqwest::Error) -> ClientError {
        ClientError::NoAnswer { address: self.address.clone(), source }
    }

    fn silent(&self) -> ClientError {
        ClientError::Silent { address: self.address.clone() }
    }

    async fn execute(&self, request: reqwest::Request) -> Result<reqwest::Response, ClientError> {
        let response = self.http.execute(request).await.map_err(|source| self.no_answer(source))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let problem = response.json().await.unwrap_or_else(|_| unreadable(status));
        Err(ClientError::Problem(Box::new(problem)))
    }

    async fn read<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        let answer = |source| ClientError::Answer { address: self.address.clone(), source };
        self.send(request).await?.json().await.map_err(answer)
    }

    /// # Errors
    /// See [`ClientError`].
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.read(self.request(Method::GET, path).timeout(ANSWER)).await
    }

    /// An answer that is no JSON.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn text(&self, path: &str) -> Result<String, ClientError> {
        let answer = |source| ClientError::Answer { address: self.address.clone(), source };
        self.send(self.request(Method::GET, path)).await?.text().await.map_err(answer)
    }

    /// # Errors
    /// See [`ClientError`].
    pub async fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        self.read(self.request(Method::PUT, path).json(body).timeout(ANSWER)).await
    }

    /// A command: done at most once for its key.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn command<T: DeserializeOwned>(
        &self,
        path: &str,
        key: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        self.read(self.given(path, key, body)).await
    }

    fn given(&self, path: &str, key: &str, body: &impl Serialize) -> RequestBuilder {
        self.request(Method::POST, path).header("idempotency-key", key).json(body).timeout(ANSWER)
    }

    /// A command whose answer is not looked at.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn give(&self, path: &str, key: &str, body: &impl Serialize) -> Result<Came, ClientError> {
        let status = self.send(self.given(path, key, body)).await?.status();
        Ok(Came::by(status))
    }

    /// # Errors
    /// See [`ClientError`].
    pub async fn refer(&self, json: Vec<u8>) -> Result<Receipt, ClientError> {
        let request = self.request(Method::POST, "/v1/referrals").header("content-type", "application/json");
        self.read(request.body(json)).await
    }

    /// Sends lines as they come and gives the results as they come: reading and writing at once.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn refer_batch(
        &self,
        lines: reqwest::Body,
    ) -> Result<impl Stream<Item = anyhow::Result<intake::http::LineResult>> + use<>, ClientError> {
        let request =
            self.request(Method::POST, "/v1/referrals:batch").header("content-type", "application/x-ndjson");
        // Not signed: it is not there as a whole.
        let request = self.build(request.body(lines))?;
        let response = self.execute(request).await?;
        let bytes = response.bytes_stream().map(|chunk| chunk.map_err(std::io::Error::other));
        let reader = tokio_util::io::StreamReader::new(bytes);
        let lines = tokio_util::codec::FramedRead::new(reader, tokio_util::codec::LinesCodec::new());
        Ok(lines.map(|line| Ok(serde_json::from_str(&line?)?)))
    }

    /// A CyberTipline report with the documents on its files.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn refer_report(
        &self,
        reference: &str,
        report: String,
        files: Vec<String>,
    ) -> Result<Receipt, ClientError> {
        let form = reqwest::multipart::Form::new().text("report", report);
        let form = files.into_iter().fold(form, |form, file| form.text("fileDetails", file));
        let request = self.request(Method::POST, "/v1/cybertipline").header("reporter-reference", reference);
        let content = format!("multipart/form-data; boundary={}", form.boundary());
        let answer = |source| ClientError::Answer { address: self.address.clone(), source };
        // In one piece, so that it can be signed.
        let body: Vec<_> = form.into_stream().try_collect().await.map_err(answer)?;
        self.read(request.header("content-type", content).body(body.concat())).await
    }

    /// # Errors
    /// See [`ClientError`].
    pub async fn referral(&self, id: ReferralId) -> Result<ReferralStatus, ClientError> {
        self.get(&format!("/v1/referrals/{id}")).await
    }

    /// # Errors
    /// See [`ClientError`].
    pub async fn routing(&self, incident: IncidentId) -> Result<RoutingView, ClientError> {
        self.get(&format!("/v1/incidents/{incident}/routing")).await
    }

    /// # Errors
    /// See [`ClientError`].
    pub async fn inbox(&self, query: &str) -> Result<Inbox, ClientError> {
        self.get(&format!("/v1/inbox{query}")).await
    }

    /// The inbox from its beginning, or from behind an event, and then what comes. Ends when the connection does.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn follow<E: DeserializeOwned>(
        &self,
        last_event_id: Option<&str>,
    ) -> Result<impl Stream<Item = anyhow::Result<(String, E)>> + use<E>, ClientError> {
        let mut request = self.request(Method::GET, "/v1/inbox/stream");
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let sent = tokio::time::timeout(SILENT, self.send(request)).await.map_err(|_| self.silent())??;
        let bytes = sent.bytes_stream().map_err(std::io::Error::other);
        // A connection can die without a word.
        let bytes = tokio_stream::StreamExt::timeout(bytes, SILENT)
            .map(|came| came.unwrap_or_else(|silent| Err(silent.into())));
        Ok(bytes.eventsource().map(|event| {
            let event = event?;
            Ok((event.id, serde_json::from_str(&event.data)?))
        }))
    }

    /// What a coordinator sees of all incidents, and again whenever that changes.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn overviews(
        &self,
    ) -> Result<impl Stream<Item = anyhow::Result<Overview>> + use<>, ClientError> {
        let request = self.request(Method::GET, "/v1/overview/stream");
        let events = self.send(request).await?.bytes_stream().eventsource();
        Ok(events.map(|event| Ok(serde_json::from_str(&event?.data)?)))
    }

    /// What an agency does with its assignment: `accept`, `decline` and so on.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn answer(
        &self,
        incident: IncidentId,
        assignment: AssignmentId,
        verb: &str,
        body: &impl Serialize,
    ) -> Result<RoutingView, ClientError> {
        let path = format!("/v1/incidents/{incident}/assignments/{assignment}/{verb}");
        self.command(&path, &format!("{verb}-{assignment}"), body).await
    }

    /// Asks for the facets, opens them with the agency's private key, and reports what was opened.
    ///
    /// # Errors
    /// A problem, or that something does not open with this key.
    pub async fn open(
        &self,
        incident: IncidentId,
        assignment: AssignmentId,
        key_id: &KeyId,
        keys: &KeyPair,
        idempotency_key: &str,
    ) -> anyhow::Result<Vec<OpenedFacet>> {
        let path = format!("/v1/incidents/{incident}/assignments/{assignment}/open");
        self.open_at(&path, incident, key_id, keys, idempotency_key).await
    }

    /// The texts of a request for legal assistance, in the same way.
    ///
    /// # Errors
    /// A problem, or that something does not open with this key.
    pub async fn open_request(
        &self,
        incident: IncidentId,
        request: RequestId,
        key_id: &KeyId,
        keys: &KeyPair,
        idempotency_key: &str,
    ) -> anyhow::Result<Vec<OpenedFacet>> {
        let path = format!("/v1/incidents/{incident}/requests/{request}/open");
        self.open_at(&path, incident, key_id, keys, idempotency_key).await
    }

    /// Opens what goes with a child.
    ///
    /// # Errors
    /// When it is refused, or a facet does not open.
    pub async fn open_handover(
        &self,
        incident: IncidentId,
        child: ChildRef,
        key_id: &KeyId,
        keys: &KeyPair,
        idempotency_key: &str,
    ) -> anyhow::Result<Vec<OpenedFacet>> {
        let path = format!("/v1/incidents/{incident}/children/{child}/open");
        self.open_at(&path, incident, key_id, keys, idempotency_key).await
    }

    /// Opens what stands at the path of a command that opens.
    ///
    /// # Errors
    /// As [`Client::open`].
    pub async fn open_at(
        &self,
        path: &str,
        incident: IncidentId,
        key_id: &KeyId,
        keys: &KeyPair,
        idempotency_key: &str,
    ) -> anyhow::Result<Vec<OpenedFacet>> {
        let body = Open { recipient_key_id: key_id.clone(), facets: Vec::new() };
        let disclosure: Disclosure = self.command(path, idempotency_key, &body).await?;
        let opened = disclosure.facets.iter().map(|facet| open_facet(&disclosure, facet, keys));
        let opened = opened.collect::<anyhow::Result<Vec<_>>>()?;
        let access = Access { facets: opened.iter().map(|facet| facet.facet_id).collect() };
        let path = format!("/v1/incidents/{incident}/disclosures/{}/access", disclosure.disclosure_id);
        let _: Access = self.command(&path, &format!("access-{}", disclosure.disclosure_id), &access).await?;
        Ok(opened)
    }

    /// Whether the deployment is ready.
    pub async fn is_ready(&self) -> bool {
        let answer = self.request(Method::GET, "/health/ready").send().await;
        answer.is_ok_and(|answer| answer.status() == StatusCode::OK)
    }
}

/// A command, with its agency's signature; what is only read is not signed.
fn sign(request: &mut reqwest::Request, key: &SigningKey) -> Result<(), ClientError> {
    let empty: &[u8] = &[];
    let Some(body) = request.body().map_or(Some(empty), reqwest::Body::as_bytes) else { return Ok(()) };
    if request.method() != Method::POST && request.method() != Method::PUT {
        return Ok(());
    }
    let idempotency_key = request.headers().get("idempotency-key").and_then(|key| key.to_str().ok());
    let command = SignedCommand::new(request.method().as_str(), request.url().path(), idempotency_key, body);
    let note = base64::engine::general_purpose::STANDARD.encode(command.sign(key)?);
    let note = HeaderValue::try_from(note).expect("base64 is plain ASCII");
    request.headers_mut().insert(SIGNATURE, note);
    Ok(())
}

fn unreadable(status: StatusCode) -> Problem {
    Problem::internal().detail(format!("the answer was {status} without a problem document"))
}

fn open_facet(
    disclosure: &Disclosure,
    facet: &DisclosedFacet,
    keys: &KeyPair,
) -> anyhow::Result<OpenedFacet> {
    let binding = Binding {
        incident_id: disclosure.incident_id,
        referral_id: disclosure.referral_id,
        facet_id: facet.facet_id,
        kind: facet.kind,
        key_set_id: facet.key_set_id,
    };
    let decode = |text: &str| base64::engine::general_purpose::STANDARD.decode(text);
    let (nonce, ciphertext) = (decode(&facet.nonce)?, decode(&facet.ciphertext)?);
    let plain = open_disclosed(keys, disclosure.disclosure_id, &facet.key, &binding, &nonce, &ciphertext)
        .with_context(|| format!("failed to open the facet {} with this key", facet.facet_id))?;
    Ok(OpenedFacet {
        facet_id: facet.facet_id,
        kind: facet.kind,
        person_ref: facet.person_ref,
        content: serde_json::from_slice(&plain)?,
    })
}

/// A CyberTipline report's parts from the facets that hold them, whoever of its agencies opened which.
///
/// # Errors
/// When a facet is missing: then the report cannot be given back whole.
pub fn remainder(opened: &[OpenedFacet]) -> anyhow::Result<intake::cybertipline::Remainder> {
    let of_kind = |kind| opened.iter().filter(move |facet| facet.kind == kind);
    let strings = |kind| {
        let lists = of_kind(kind).filter_map(|facet| facet.content.get("xml")?.as_array());
        lists.flatten().filter_map(|text| Some(text.as_str()?.to_owned())).collect::<Vec<_>>()
    };
    let text = |facet: &OpenedFacet| Some(facet.content.get("xml")?.as_str()?.to_owned());
    let mut people: Vec<&OpenedFacet> = of_kind(FacetKind::Person).collect();
    people.sort_by_key(|facet| facet.content.get("place").and_then(serde_json::Value::as_u64));
    let report_xml = of_kind(FacetKind::Report).find_map(text).context("the report facet is not there")?;
    Ok(intake::cybertipline::Remainder {
        report_xml,
        person_xml: people.into_iter().filter_map(text).collect(),
        location_xml: strings(FacetKind::ContentLocations),
        narrative_xml: strings(FacetKind::Narrative),
    })
}
