//! What the dashboard needs beside what every service does: where people reach its pages, and who says who they are.

use axum_extra::extract::cookie::Key;
use chassis::config::Reader;
use openidconnect::IssuerUrl;
use openidconnect::url::Url;
use zeroize::Zeroizing;

/// Read for every process, required where people are to see pages.
#[derive(Clone, Default)]
pub struct Settings {
    pub pages: Option<PageSettings>,
}

#[derive(Clone)]
pub struct PageSettings {
    /// The scheme, host and port that people's browsers reach the pages by.
    pub address: Url,
    /// The OpenID provider, by its issuer's name: what it says of itself stands below that.
    pub provider: IssuerUrl,
    pub client_id: String,
    /// Of a client that keeps one: proof of the code's origin (PKCE) is given always.
    pub client_secret: Option<Zeroizing<String>>,
    /// For whom the access token is to be made out, where the provider wants to be told (RFC 8707).
    pub resource: Option<Url>,
    /// Asked for beside `openid`.
    pub scopes: Vec<String>,
    /// The scheme, host and port that the services' API answers at.
    pub services: Url,
    /// Encrypts the sessions: the same on every instance.
    pub session_key: Key,
}

impl Settings {
    pub fn read(reader: &mut Reader) -> Self {
        let address = reader.optional::<Url>("dashboard.address");
        let provider = read_provider(reader);
        let client_id = reader.or("dashboard.client_id", "causeway-dashboard".to_owned());
        let client_secret = reader.text_file("dashboard.client_secret_file").map(Zeroizing::new);
        let resource = reader.optional::<Url>("dashboard.resource");
        let services = reader.optional::<Url>("dashboard.services");
        let scopes: String = reader.or("dashboard.scopes", String::new());
        let session_key = reader.secret_file("dashboard.session_key_file").map(|key| Key::derive_from(&key));
        let some = address.is_some() || provider.is_some() || session_key.is_some();
        let (Some(address), Some(provider), Some(session_key)) = (address, provider, session_key) else {
            if some {
                reader.mistake(
                    "pages take dashboard.address, dashboard.provider and dashboard.session_key_file",
                );
            }
            return Self::default();
        };
        let scopes = scopes.split_whitespace().map(str::to_owned).collect();
        let services = services.unwrap_or_else(|| address.clone());
        Self {
            pages: Some(PageSettings {
                address,
                provider,
                client_id,
                client_secret,
                resource,
                scopes,
                services,
                session_key,
            }),
        }
    }
}

/// As it is written: the provider has to say the same of itself, letter by letter (OpenID Connect Discovery 1.0, 4.3).
fn read_provider(reader: &mut Reader) -> Option<IssuerUrl> {
    let text: String = reader.optional("dashboard.provider")?;
    let read = IssuerUrl::new(text.clone());
    read.map_err(|error| reader.mistake(format!("dashboard.provider = {text:?}: {error}"))).ok()
}
