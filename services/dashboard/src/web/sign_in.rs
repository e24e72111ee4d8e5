//! Signing in with OpenID Connect: the code flow with PKCE (OpenID Connect Core 1.0, 3.1; RFC 7636).
//!
//! What the provider says of itself is asked for anew each time: people sign in once a day, and its keys change.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::PrivateCookieJar;
use chassis::auth::Authenticator;
use chassis::http::Query;
use chassis::problem::Problem;
use futures::future::BoxFuture;
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreProviderMetadata};
use openidconnect::{
    AsyncHttpClient, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, HttpClientError, HttpRequest, HttpResponse, Nonce, OAuth2TokenResponse as _,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, TokenResponse as _,
};
use pages::shell::{Language, Next, Shell, cookie};
use serde::{Deserialize, Serialize};

use super::{BASE, Web, failure, session};
use crate::settings::PageSettings;

/// How long a provider may take for one answer.
const PROVIDER_TIMEOUT: Duration = Duration::from_secs(5);

const FLOW: &str = "__Secure-causeway-sign-in";

/// The provider that people sign in at.
#[derive(Clone)]
pub struct Provider {
    settings: Arc<PageSettings>,
    http: Http,
}

/// What the flow speaks to the provider with.
#[derive(Clone)]
struct Http(reqwest::Client);

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpClientError<reqwest::Error>;
    type Future = BoxFuture<'c, Result<HttpResponse, Self::Error>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        let send = async move {
            let response = self.0.execute(request.try_into()?).await?;
            let (status, headers) = (response.status(), response.headers().clone());
            let mut answer = HttpResponse::new(response.bytes().await?.to_vec());
            *answer.status_mut() = status;
            *answer.headers_mut() = headers;
            Ok(answer)
        };
        Box::pin(async { send.await.map_err(|error| HttpClientError::Reqwest(Box::new(error))) })
    }
}

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// A sign-in that is under way, in a cookie.
#[derive(Serialize, Deserialize)]
struct Flow {
    state: CsrfToken,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
    next: String,
}

/// What the provider sends people back with.
#[derive(Deserialize)]
pub struct Returned {
    code: Option<AuthorizationCode>,
    state: Option<CsrfToken>,
    error: Option<String>,
}

/// What keeps somebody from signing in; the operator's log says more.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    #[error("the sign-in was not begun in this browser, or is over already")]
    NotBegun,
    #[error("the provider refuses: {0}")]
    Refused(&'static str),
    #[error("the provider does not answer as it should: {0}")]
    Provider(String),
    #[error("the provider's token is of no use here: {}", told(.0))]
    Token(Problem),
    #[error("the provider's token is too long for a cookie: {0} bytes of {max}", max = session::MAX_COOKIE_BYTES)]
    TooLong(usize),
}

impl Provider {
    pub fn new(settings: PageSettings) -> Self {
        let http = reqwest::Client::builder()
            .timeout(PROVIDER_TIMEOUT)
            // A provider that could send us elsewhere could have us ask anything.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("the options are fixed ones");
        Self { settings: Arc::new(settings), http: Http(http) }
    }

    async fn client(&self) -> Result<Client, SignInError> {
        let settings = &self.settings;
        let issuer = settings.provider.clone();
        let metadata = CoreProviderMetadata::discover_async(issuer, &self.http).await.map_err(broken)?;
        let secret = settings.client_secret.as_ref().map(|secret| ClientSecret::new(secret.to_string()));
        let back = settings.address.join(&format!("{BASE}/signed-in")).map_err(broken)?;
        let client =
            CoreClient::from_provider_metadata(metadata, ClientId::new(settings.client_id.clone()), secret);
        Ok(client.set_redirect_uri(RedirectUrl::from_url(back)))
    }

    /// Where the person is sent, and what has to come back.
    async fn begin(&self, next: String) -> Result<(String, Flow), SignInError> {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let client = self.client().await?;
        let mut asked = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .set_pkce_challenge(challenge);
        for scope in &self.settings.scopes {
            asked = asked.add_scope(Scope::new(scope.clone()));
        }
        if let Some(resource) = &self.settings.resource {
            asked = asked.add_extra_param("resource", resource.as_str());
        }
        let (address, state, nonce) = asked.url();
        Ok((address.to_string(), Flow { state, nonce, verifier, next }))
    }

    /// The access token that the code stands for.
    async fn end(&self, flow: Flow, returned: Returned) -> Result<String, SignInError> {
        if let Some(error) = returned.error {
            return Err(SignInError::Refused(known(&error)));
        }
        let code = returned.code.ok_or(SignInError::NotBegun)?;
        let client = self.client().await?;
        let mut asked = client.exchange_code(code).map_err(broken)?.set_pkce_verifier(flow.verifier);
        if let Some(resource) = &self.settings.resource {
            asked = asked.add_extra_param("resource", resource.as_str());
        }
        let tokens = asked.request_async(&self.http).await.map_err(broken)?;
        let id_token =
            tokens.id_token().ok_or_else(|| SignInError::Provider("it gives no id token".to_owned()))?;
        id_token.claims(&client.id_token_verifier(), &flow.nonce).map_err(broken)?;
        Ok(tokens.access_token().secret().clone())
    }
}

fn told(problem: &Problem) -> &str {
    problem.detail.as_deref().unwrap_or(&problem.title)
}

impl Flow {
    /// Answers carry the state, errors too (RFC 6749, 4.1.2).
    fn is_answered_by(&self, returned: &Returned) -> bool {
        returned.state.as_ref().is_some_and(|state| state.secret() == self.state.secret())
    }
}

/// The error, where it is one of the standards' (RFC 6749, 4.1.2.1; OpenID Connect Core 1.0, 3.1.2.6): what else an
/// address says is said nowhere again.
fn known(error: &str) -> &'static str {
    const KNOWN: [&str; 11] = [
        "access_denied",
        "account_selection_required",
        "consent_required",
        "interaction_required",
        "invalid_request",
        "invalid_scope",
        "login_required",
        "server_error",
        "temporarily_unavailable",
        "unauthorized_client",
        "unsupported_response_type",
    ];
    KNOWN.into_iter().find(|known| *known == error).unwrap_or("for a reason that is none of the standard's")
}

/// The whole chain: an operator has to find what does not fit.
fn broken(error: impl std::error::Error + 'static) -> SignInError {
    SignInError::Provider(chassis::problem::chain(&error).to_string())
}

pub async fn begin(
    State(web): State<Web>,
    Language(words): Language,
    Query(next): Query<Next>,
    jar: PrivateCookieJar,
) -> Response {
    match web.provider.begin(next.address(BASE)).await {
        Ok((address, flow)) => {
            let flow = serde_json::to_string(&flow).expect("a sign-in is plain data");
            (jar.add(cookie(FLOW, flow, BASE)), Redirect::to(&address)).into_response()
        }
        Err(error) => failed(Shell::of_nobody(words, BASE), &error),
    }
}

pub async fn end(
    State(web): State<Web>,
    Language(words): Language,
    axum::Extension(authenticator): axum::Extension<Authenticator>,
    Query(returned): Query<Returned>,
    jar: PrivateCookieJar,
) -> Response {
    let flow = jar.get(FLOW).and_then(|cookie| serde_json::from_str::<Flow>(cookie.value()).ok());
    // What does not belong to the sign-in that is under way changes nothing of it.
    let Some(flow) = flow.filter(|flow| flow.is_answered_by(&returned)) else {
        return failed(Shell::of_nobody(words, BASE), &SignInError::NotBegun);
    };
    let jar = jar.remove(cookie(FLOW, String::new(), BASE));
    let ended = async {
        let next = flow.next.clone();
        let token = web.provider.end(flow, returned).await?;
        authenticator.authenticate(&token).await.map_err(SignInError::Token)?;
        let jar = session::open(jar.clone(), token)?;
        Ok::<_, SignInError>((jar, Redirect::to(&next)).into_response())
    };
    match ended.await {
        Ok(response) => response,
        Err(error) => (jar, failed(Shell::of_nobody(words, BASE), &error)).into_response(),
    }
}

fn failed(shell: Shell, error: &SignInError) -> Response {
    tracing::warn!(%error, "somebody could not sign in");
    let words = shell.words;
    let problem = match error {
        SignInError::Provider(_) => Problem::unavailable(),
        SignInError::Token(problem) if problem.status == 503 => Problem::unavailable(),
        _ => Problem::forbidden(),
    };
    let text = words.sign_in_failed_why();
    failure::page(shell, words.sign_in_failed(), text, Some(problem.detail(error.to_string())))
}
