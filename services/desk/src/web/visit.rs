//! A person of the agency who looks at a page.

use std::sync::Arc;

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::Method;
use axum::http::request::Parts;
use chassis::seal::KeyPair;
use pages::shell::{Language, Shell};
use schemas::directory::Agency;
use schemas::ids::KeyId;

use super::failure::Failure;
use super::{BASE, Desk};
use crate::agencies::Who;
use crate::forms::Choices;

pub struct Visit {
    pub shell: Shell,
    pub who: Who,
    pub agencies: Arc<Vec<Agency>>,
}

impl FromRequestParts<Arc<Desk>> for Visit {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, desk: &Arc<Desk>) -> Result<Self, Failure> {
        let Ok(Language(words)) = Language::from_request_parts(parts, desk).await;
        let Ok(OriginalUri(uri)) = OriginalUri::from_request_parts(parts, desk).await;
        let by_form = !matches!(parts.method, Method::GET | Method::HEAD);
        let address = if by_form { page_of(uri.path()) } else { uri.to_string() };
        let mut shell = Shell { words, base: BASE, signed_in: None, address, by_form };
        let who = match desk.agencies.who().await {
            Ok(who) => who,
            Err(error) => return Err(Failure::of(shell, error.into())),
        };
        shell.signed_in = Some((who.person.clone(), who.agency.id.to_string()));
        match desk.agencies.all().await {
            Ok(agencies) => Ok(Self { shell, who, agencies }),
            Err(error) => Err(Failure::of(shell, error.into())),
        }
    }
}

impl Visit {
    /// The agency's key that this desk holds, by its name in the directory.
    pub fn key<'d>(&self, desk: &'d Desk) -> Option<(KeyId, &'d KeyPair)> {
        self.who.key(&desk.keys)
    }

    pub fn choices(&self) -> Choices {
        let named = |agency: &Agency| (agency.id.to_string(), format!("{} ({})", agency.name, agency.id));
        Choices { agencies: self.agencies.iter().map(named).collect(), instruments: Vec::new() }
    }
}

/// The page that a form was sent from: a command's path begins with its incident's, and with its request's or child's.
fn page_of(command: &str) -> String {
    let parts: Vec<&str> = command.split('/').collect();
    match parts.as_slice() {
        ["", "incidents", incident, page @ ("requests" | "children"), one, _, ..] => {
            format!("/incidents/{incident}/{page}/{one}")
        }
        ["", "incidents", incident, ..] => format!("/incidents/{incident}"),
        _ => "/".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::page_of;

    #[test]
    fn a_form_was_sent_from_the_page_of_what_it_is_about() {
        for (command, page) in [
            ("/incidents/i/assignments/a/accept", "/incidents/i"),
            ("/incidents/i/assessments", "/incidents/i"),
            ("/incidents/i/requests", "/incidents/i"),
            ("/incidents/i/requests/r/closure", "/incidents/i/requests/r"),
            ("/incidents/i/children/c/offers/o/accept", "/incidents/i/children/c"),
            ("/series", "/"),
        ] {
            assert_eq!(page_of(command), page);
        }
    }
}
