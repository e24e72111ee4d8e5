//! One incident with everything that has happened in it.

use chassis::decider::{Context, Rejection};
use schemas::codes::{ActorKind, ChildStatus, FacetKind, RejectionCode};
use schemas::ids::{ChildRef, FacetId, KeySetId};
use schemas::referral::SealedFacet;
use schemas::victim_id::*;
use schemas::{Actor, Timestamp};
use victim_id::domain::{self, Child, Incident, RoutingNews};

use crate::people::{DIRECTORY, agency, child_ref, incident, incident_id, moment, person};

pub struct History {
    pub state: Incident,
    pub now: Timestamp,
    commands: u32,
}

impl History {
    /// Two children, and a unit of each of two States at work on the incident.
    pub fn start() -> Self {
        let state = incident(0, &["de-unit", "fr-unit"], 2);
        Self { state, now: moment(0), commands: 0 }
    }

    /// As it starts, and the first child held by the German unit.
    pub fn held() -> Self {
        let mut history = Self::start();
        history.ask("de-unit", TakeCustody { child_ref: first(), limit_days: 30 }).unwrap();
        history
    }

    /// Held, and identified.
    pub fn found() -> Self {
        let mut history = Self::held();
        for status in [ChildStatus::Tentative, ChildStatus::Identified] {
            history.ask("de-unit", recorded(status)).unwrap();
        }
        history
    }

    pub fn ask(
        &mut self,
        by: &str,
        command: impl Into<VictimIdCommand>,
    ) -> Result<Vec<VictimIdEvent>, Rejection> {
        self.ask_as(by, &person(), command)
    }

    pub fn ask_as(
        &mut self,
        by: &str,
        actor: &Actor,
        command: impl Into<VictimIdCommand>,
    ) -> Result<Vec<VictimIdEvent>, Rejection> {
        self.commands += 1;
        let (id, cause, by) = (incident_id(0).to_string(), format!("command {}", self.commands), agency(by));
        let context = Context {
            aggregate_id: &id,
            cause: &cause,
            now: self.now,
            agency: &by,
            actor,
            directory: &DIRECTORY,
        };
        let events = domain::decide(&context, &self.state, &command.into())?;
        events.iter().for_each(|event| domain::evolve(&mut self.state, event, self.now));
        Ok(events)
    }

    pub fn learn(&mut self, news: &RoutingNews) -> Vec<VictimIdEvent> {
        let (id, by, actor) = (incident_id(0).to_string(), agency("de-unit"), Actor::service("routing"));
        let context = Context {
            aggregate_id: &id,
            cause: "news",
            now: self.now,
            agency: &by,
            actor: &actor,
            directory: &DIRECTORY,
        };
        let events = domain::learn(&context, &self.state, news);
        events.iter().for_each(|event| domain::evolve(&mut self.state, event, self.now));
        events
    }

    pub fn child(&self) -> &Child {
        &self.state.children[&first()]
    }

    /// Rings whatever is due.
    pub fn ring(&mut self) -> Vec<VictimIdEvent> {
        let due = domain::clocks(&self.state).into_iter().filter(|clock| clock.due <= self.now);
        let rung: Vec<VictimIdCommand> = due.map(|clock| clock.command).collect();
        let service = Actor::service("victim-id");
        rung.into_iter().flat_map(|command| self.ask_as("causeway", &service, command).unwrap()).collect()
    }
}

pub fn first() -> ChildRef {
    child_ref(0, 0)
}

pub fn recorded(status: ChildStatus) -> RecordStatus {
    RecordStatus { child_ref: first(), status, cold: None, reference: None }
}

pub fn machine() -> Actor {
    Actor { id: "program".to_owned(), kind: ActorKind::Machine }
}

pub fn rejected<T: std::fmt::Debug>(result: Result<T, Rejection>) -> RejectionCode {
    result.unwrap_err().code
}

pub fn refused_at<T: std::fmt::Debug>(result: Result<T, Rejection>) -> (RejectionCode, String) {
    let rejection = result.unwrap_err();
    (rejection.code, rejection.pointer.unwrap_or_default())
}

/// Something sealed, of which nobody here knows what it says.
pub fn sealed(kind: FacetKind) -> SealedFacet {
    SealedFacet {
        facet_id: FacetId::derive(&[kind.code().as_bytes()]),
        kind,
        person_ref: None,
        key_set_id: KeySetId::derive(&[kind.code().as_bytes()]),
        nonce: vec![0; 12],
        ciphertext: vec![1; 32],
    }
}
