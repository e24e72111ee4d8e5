//! What a coordinator does about an incident: each is a command of the service whose it is, in the coordinator's name.

use axum::extract::State;
use axum::response::Response;
use chassis::http::{Path, Raw};
use chassis::problem::Problem;
use openidconnect::url::form_urlencoded;
use pages::shell::back_to;
use schemas::codes::{EscalationReason, PeriodAnswer, RevokeReason};
use schemas::ids::{AgencyId, AssignmentId, ChildRef, Country, IncidentId, RequestId};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::failure::Failure;
use super::visit::Visit;
use super::{BASE, Web};

/// A form's own key: sent twice, it is done once.
#[derive(Deserialize)]
pub struct Keyed<T> {
    key: Uuid,
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
pub struct Escalation {
    reason: EscalationReason,
}

#[derive(Deserialize)]
pub struct PeriodAnswered {
    answer: PeriodAnswer,
}

#[derive(Deserialize)]
pub struct Invitation {
    agency: AgencyId,
}

pub async fn record_lead(
    State(web): State<Web>,
    visit: Visit,
    Path(incident): Path<IncidentId>,
    Raw(form): Raw,
) -> Result<Response, Failure> {
    web.command(visit, incident, "lead/record", &form, |Lead { country }| json!({ "country": country })).await
}

pub async fn revoke(
    State(web): State<Web>,
    visit: Visit,
    Path((incident, assignment)): Path<(IncidentId, AssignmentId)>,
    Raw(form): Raw,
) -> Result<Response, Failure> {
    let command = format!("assignments/{assignment}/revoke");
    web.command(visit, incident, &command, &form, |Revocation { reason }| json!({ "reason": reason })).await
}

/// Presses for an answer: in imminent danger the next duty contact is called.
pub async fn escalate(
    State(web): State<Web>,
    visit: Visit,
    Path((incident, assignment)): Path<(IncidentId, AssignmentId)>,
    Raw(form): Raw,
) -> Result<Response, Failure> {
    let command = format!("assignments/{assignment}/escalate");
    web.command(visit, incident, &command, &form, |Escalation { reason }| json!({ "reason": reason })).await
}

pub async fn answer_period(
    State(web): State<Web>,
    visit: Visit,
    Path((incident, request, clock)): Path<(IncidentId, RequestId, String)>,
    Raw(form): Raw,
) -> Result<Response, Failure> {
    let clock: String = form_urlencoded::byte_serialize(clock.as_bytes()).collect();
    let command = format!("requests/{request}/periods/{clock}/answer");
    web.command(visit, incident, &command, &form, |PeriodAnswered { answer }| json!({ "answer": answer }))
        .await
}

pub async fn invite(
    State(web): State<Web>,
    visit: Visit,
    Path((incident, child)): Path<(IncidentId, ChildRef)>,
    Raw(form): Raw,
) -> Result<Response, Failure> {
    let command = format!("children/{child}/invitations");
    web.command(visit, incident, &command, &form, |Invitation { agency }| json!({ "agencies": [agency] }))
        .await
}

impl Web {
    /// Gives the command, and shows the incident as it then stands; or why it was rejected, which is on record too.
    async fn command<T: DeserializeOwned>(
        &self,
        visit: Visit,
        incident: IncidentId,
        command: &str,
        form: &[u8],
        body: impl FnOnce(T) -> Value,
    ) -> Result<Response, Failure> {
        let given = async {
            let Keyed { key, what } = read::<Keyed<T>>(form)?;
            let path = format!("/v1/incidents/{incident}/{command}");
            self.services.post(&visit.token, &path, key, &body(what)).await
        };
        let page = format!("{BASE}/incidents/{incident}");
        match given.await {
            Ok(came) => Ok(back_to(&page, came)),
            Err(problem) => Err(Failure::of(visit.shell, problem)),
        }
    }
}

/// The fields of a form.
pub fn read<T: DeserializeOwned>(form: &[u8]) -> Result<T, Problem> {
    let fields =
        form_urlencoded::parse(form).map(|(name, value)| (name.into_owned(), value.into_owned().into()));
    let fields: Map<String, Value> = fields.collect();
    serde_json::from_value(fields.into())
        .map_err(|_| Problem::malformed().detail("the form is not one of this page"))
}
