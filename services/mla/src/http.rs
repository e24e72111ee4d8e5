//! The pages of legal assistance: legal bases, requests and their steps, and what is due.

mod bases;
mod due;
mod requests;
mod statistics;
mod steps;
pub mod view;

use std::sync::Arc;

use chassis::auth::Caller;
use chassis::front::{Answer, Front};
use chassis::problem::{Problem, chain};
use chassis::reference::Reference;
use chassis::sealing::Sealing;
use schemas::codes::RequestRole;
use schemas::ids::{IncidentId, RequestId};
use schemas::mla::ReadRequest;
use utoipa_axum::router::OpenApiRouter;

use crate::Mla;
use crate::domain::{Incident, Request};
use crate::index::Span;

pub use bases::{Candidate, LegalBases};
pub use due::{Due, DueItem};
pub use requests::{Asked, Requests, Unit};
pub use statistics::Yearly;
pub use steps::Taken;
pub use view::RequestView;

#[derive(Clone)]
pub struct Pages {
    pub front: Front<Mla>,
    pub sealing: Arc<Sealing>,
    pub reference: Reference,
}

pub fn pages(pages: Pages) -> OpenApiRouter {
    OpenApiRouter::new()
        .merge(bases::pages())
        .merge(requests::pages())
        .merge(steps::pages())
        .merge(due::pages())
        .merge(statistics::pages())
        .with_state(pages)
}

impl Pages {
    /// What the caller sees of a request. What it has no part in does not exist for it, and the attempt is on record.
    fn view(
        &self,
        caller: &Caller,
        incident: IncidentId,
        request: RequestId,
    ) -> Result<RequestView, Problem> {
        let state = self.front.state(&incident.to_string())?;
        let found = state.state.requests.get(&request);
        let view = found.and_then(|found| self.view_of(caller, incident, &state.state, request, found));
        view.ok_or_else(|| {
            self.front.record_attempt(caller, incident, ReadRequest { incident_id: incident });
            Problem::not_found()
        })
    }

    /// What the caller's side sees right after its own step: also of one by which it has left the request.
    fn view_after(
        &self,
        caller: &Caller,
        incident: IncidentId,
        request: RequestId,
    ) -> Result<RequestView, Problem> {
        let state = self.front.state(&incident.to_string())?;
        let found = state.state.requests.get(&request);
        let role = found.and_then(|found| {
            let own = found.history.iter().rev().find(|taken| taken.by == caller.agency.id);
            found.role_of(&caller.agency.id).or(own.map(|taken| taken.role))
        });
        let seen = found
            .zip(role)
            .map(|(found, role)| self.seen_as(caller, role, incident, (&state.state, request, found)));
        seen.ok_or_else(Problem::not_found)
    }

    /// Entries of the index.
    fn span(&self, span: &Span) -> Result<Vec<Kept>, Problem> {
        let entries = self.front.fold().index(&span.from, &span.to);
        entries.map(|entry| entry.map_err(|error| broken(&error))).collect()
    }

    fn view_of(
        &self,
        caller: &Caller,
        incident_id: IncidentId,
        incident: &Incident,
        request_id: RequestId,
        request: &Request,
    ) -> Option<RequestView> {
        let role = request.role_of(&caller.agency.id)?;
        Some(self.seen_as(caller, role, incident_id, (incident, request_id, request)))
    }

    fn seen_as(
        &self,
        caller: &Caller,
        role: RequestRole,
        incident_id: IncidentId,
        (incident, request_id, request): (&Incident, RequestId, &Request),
    ) -> RequestView {
        let snapshot = self.reference.snapshot();
        let seen = view::Seen {
            incident_id,
            incident,
            request_id,
            request,
            role,
            agency: &caller.agency.id,
            directory: &snapshot.directory,
            now: self.front.clock().now(),
        };
        view::of(&seen)
    }
}

/// Key and value.
type Kept = (Vec<u8>, Vec<u8>);

fn broken(error: &(dyn std::error::Error + 'static)) -> Problem {
    tracing::error!(error = %chain(error), "failed to read the index of requests");
    Problem::internal()
}

/// The request that a command has made or changed: the one that its answer tells of.
fn answered_by(answer: &Answer, of_command: impl FnOnce(&str) -> RequestId) -> Option<RequestId> {
    match answer {
        Answer::Done { outcome, .. } => Some(of_command(&outcome.aggregate_id)),
        Answer::Pending(_) => None,
    }
}
