//! The pages of victim identification: children of an incident, custody of each, and a unit's queue.

mod children;
mod custody;
mod exposures;
mod queue;
mod series;
pub mod view;

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use chassis::auth::Caller;
use chassis::front::{Answer, Front, IdempotencyKey};
use chassis::http::answered;
use chassis::problem::Problem;
use chassis::reference::Reference;
use chassis::sealing::{self, Sealing, Secrecy};
use schemas::codes::FacetKind;
use schemas::ids::{ChildRef, IncidentId, ReferralId};
use schemas::referral::SealedFacet;
use schemas::victim_id::{ReadChild, VictimIdCommand};
use utoipa_axum::router::OpenApiRouter;

use crate::VictimId;
use crate::domain::{Aggregate, Incident};

pub use children::{Children, Found};
pub use exposures::{People, PersonView, Recorded};
pub use queue::{Queue, QueueItem};
pub use series::{AllSeries, MemberView, SeriesView, WatchedMember};
pub use view::{ChildView, WatchedChild};

#[derive(Clone)]
pub struct Pages {
    pub front: Front<VictimId>,
    pub sealing: Arc<Sealing>,
    pub reference: Reference,
}

pub fn pages(pages: Pages) -> OpenApiRouter {
    OpenApiRouter::new()
        .merge(children::pages())
        .merge(custody::pages())
        .merge(exposures::pages())
        .merge(queue::pages())
        .merge(series::pages())
        .with_state(pages)
}

impl Pages {
    /// What the caller may know of a child. One that it may not know of does not exist for it, and the attempt is on
    /// record.
    fn view(&self, caller: &Caller, incident: IncidentId, child: ChildRef) -> Result<ChildView, Problem> {
        let state = self.front.state(&incident.to_string())?;
        let view = self.view_of(caller, incident, state.state.incident(), child);
        view.ok_or_else(|| self.not_found(caller, incident))
    }

    fn view_of(
        &self,
        caller: &Caller,
        incident_id: IncidentId,
        incident: &Incident,
        child_ref: ChildRef,
    ) -> Option<ChildView> {
        let child = incident.children.get(&child_ref)?;
        let knows = incident.may_know(&caller.agency.id, child);
        let now = self.front.clock().now();
        knows.then(|| view::of(incident_id, incident, child_ref, &caller.agency.id, now))
    }

    fn not_found(&self, caller: &Caller, incident: IncidentId) -> Problem {
        self.front.record_attempt(caller, incident, ReadChild { incident_id: incident });
        Problem::not_found()
    }

    /// A command about a child, with a text for it that is sealed.
    async fn submit(
        &self,
        caller: &Caller,
        key: &IdempotencyKey,
        (incident, child): (IncidentId, ChildRef),
        (asked, text): (&impl serde::Serialize, Option<(&str, &str)>),
        command: impl FnOnce(Option<SealedFacet>) -> VictimIdCommand,
    ) -> Result<Response, Problem> {
        let secrets = match text {
            Some((pointer, text)) => {
                let state = self.front.state(&incident.to_string())?;
                let person_ref =
                    state.state.incident().children.get(&child).and_then(|child| child.person_ref);
                vec![Secrecy { person_ref, ..Secrecy::text(FacetKind::Handover, pointer, text)? }]
            }
            None => Vec::new(),
        };
        let body = serde_json::to_vec(&(child, asked)).expect("a request is plain data");
        let about = sealing::Asked { caller, key, incident, purpose: "victim-id", body: &body };
        let of_referral = |state: &Aggregate| self.referral_of(caller, incident, state.incident(), child);
        let command = |facets: Vec<SealedFacet>| command(facets.into_iter().next());
        let answer = self.sealing.submit_sealing(&self.front, about, &secrets, of_referral, command).await?;
        self.answer(caller, incident, child, &answer)
    }

    /// By which referral a text of the child is bound.
    fn referral_of(
        &self,
        caller: &Caller,
        incident: IncidentId,
        state: &Incident,
        child: ChildRef,
    ) -> Result<ReferralId, Problem> {
        let known = state.children.get(&child).filter(|child| state.may_know(&caller.agency.id, child));
        let noted = state.noted.as_ref().filter(|_| known.is_some());
        noted.map(|noted| noted.referral_id).ok_or_else(|| self.not_found(caller, incident))
    }

    /// The child as the caller sees it after its own command; nothing where it may not know of it any more.
    fn answer(
        &self,
        caller: &Caller,
        incident: IncidentId,
        child: ChildRef,
        answer: &Answer,
    ) -> Result<Response, Problem> {
        let view = match answer {
            Answer::Done { .. } => {
                let state = self.front.state(&incident.to_string())?;
                self.view_of(caller, incident, state.state.incident(), child)
            }
            Answer::Pending(_) => None,
        };
        Ok(answered::<VictimId>(answer, StatusCode::CREATED, &view))
    }
}
