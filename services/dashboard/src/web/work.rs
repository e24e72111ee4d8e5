//! What a coordinator does about an incident: each is a command of the service whose it is, in the coordinator's name.

use axum::extract::{Form, State};
use axum::response::{IntoResponse, Redirect, Response};
use chassis::http::Path;
use schemas::codes::RevokeReason;
use schemas::ids::{AgencyId, AssignmentId, ChildRef, Country, IncidentId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::failure::Failure;
use super::shell::Visit;
use super::{BASE, Web};

/// A form's own key: sent twice, it is done once.
#[derive(Deserialize)]
pub struct Keyed<T> {
    key: String,
    #[serde(flatten)]
    what: T,
}

#[derive(Deserialize)]
pub struct Lead {
    country: Country,
}

#[derive(Deserialize)]
pub struct Revocation {
    reason: RevokeReason,
}

#[derive(Deserialize)]
pub struct Invitation {
    agency: AgencyId,
}

pub async fn record_lead(
    State(web): State<Web>,
    visit: Visit,
    Path(incident): Path<IncidentId>,
    Form(Keyed { key, what }): Form<Keyed<Lead>>,
) -> Result<Response, Failure> {
    web.command(visit, incident, "lead/record", &key, &json!({ "country": what.country })).await
}

pub async fn revoke(
    State(web): State<Web>,
    visit: Visit,
    Path((incident, assignment)): Path<(IncidentId, AssignmentId)>,
    Form(Keyed { key, what }): Form<Keyed<Revocation>>,
) -> Result<Response, Failure> {
    let command = format!("assignments/{assignment}/revoke");
    web.command(visit, incident, &command, &key, &json!({ "reason": what.reason })).await
}

pub async fn invite(
    State(web): State<Web>,
    visit: Visit,
    Path((incident, child)): Path<(IncidentId, ChildRef)>,
    Form(Keyed { key, what }): Form<Keyed<Invitation>>,
) -> Result<Response, Failure> {
    let command = format!("children/{child}/invitations");
    web.command(visit, incident, &command, &key, &json!({ "agencies": [what.agency] })).await
}

impl Web {
    /// Gives the command, and shows the incident as it then stands; or why it was rejected, which is on record too.
    async fn command(
        &self,
        visit: Visit,
        incident: IncidentId,
        command: &str,
        key: &str,
        body: &Value,
    ) -> Result<Response, Failure> {
        let path = format!("/v1/incidents/{incident}/{command}");
        match self.services.post(&visit.token, &path, key, body).await {
            Ok(()) => Ok(Redirect::to(&format!("{BASE}/incidents/{incident}?done=1")).into_response()),
            Err(problem) => Err(Failure { shell: visit.shell, problem }),
        }
    }
}

/// A key for a form that is shown now.
pub fn new_key() -> String {
    uuid::Uuid::new_v4().to_string()
}
