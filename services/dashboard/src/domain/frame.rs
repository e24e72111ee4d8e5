//! One incident as the pages know it: countries, roles, codes, states, and the moments at which something is due.
//!
//! The topics are read each on its own: what one says stands apart from what another says, so that it does not matter
//! which is read first.

use std::collections::{BTreeMap, BTreeSet};

use schemas::Timestamp;
use schemas::codes::{
    AgeBand, AssessmentKind, AssignmentState, ChildStatus, IncidentKind, RequestKind, RequestRole,
    RequestState, SignalRole, Urgency,
};
use schemas::delivery::DeliveryEvent;
use schemas::ids::{AgencyId, AssessmentId, AssignmentId, ChildRef, Country, RequestId};
use schemas::mla::MlaEvent;
use schemas::routing::RoutingEvent;
use schemas::victim_id::VictimIdEvent;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// None of an incident of which only another service has said something so far.
    pub referral: Option<Referral>,
    /// In which roles each country is concerned.
    pub roles: BTreeMap<Country, BTreeSet<SignalRole>>,
    pub assignments: BTreeMap<AssignmentId, Assignment>,
    /// Those of which something was opened.
    pub opened: BTreeSet<AssignmentId>,
    /// The State that somebody disputes as the lead, since when, until one is agreed on.
    pub disputed_lead: Option<(Country, Timestamp)>,
    pub requests: BTreeMap<RequestId, Request>,
    pub children: BTreeMap<ChildRef, Child>,
    pub is_withdrawn: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Referral {
    pub reporter_country: Country,
    /// As they were reported, or amended since.
    kind: IncidentKind,
    urgency: Urgency,
    /// What parties have made of kind and urgency since, in order.
    assessed: Vec<(AssessmentId, AssessmentKind, String)>,
    /// When it came in: shown no finer than its week.
    pub received: Timestamp,
    pub never_told: Vec<Country>,
}

/// An agency's part in the incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    pub agency: AgencyId,
    pub country: Country,
    pub state: AssignmentState,
    pub respond_by: Timestamp,
    /// Since when it stands as it does.
    pub since: Timestamp,
}

/// A request for legal assistance, or an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub kind: RequestKind,
    pub requesting: Country,
    pub requested: Country,
    pub state: RequestState,
    /// The legal periods that run, by their names.
    pub clocks: BTreeMap<String, Clock>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    pub owed_by: RequestRole,
    pub due: Timestamp,
    pub is_paused: bool,
    pub has_run_out: bool,
    /// A coordinator has said what is done about it.
    pub is_answered: bool,
}

/// The search for one child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    pub age_band: AgeBand,
    pub status: ChildStatus,
    pub custodian: Option<Custodian>,
    /// Since when nobody has taken the search up, although somebody should have.
    pub nobody_since: Option<Timestamp>,
    /// Whether the search goes on in another incident.
    pub is_ceded: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Custodian {
    pub agency: AgencyId,
    pub country: Country,
    /// Since when it has said nothing for longer than it has itself set.
    pub silent_since: Option<Timestamp>,
}

impl Referral {
    /// As it was last assessed, or as it was reported.
    pub fn kind(&self) -> IncidentKind {
        self.of(AssessmentKind::Kind).last().unwrap_or(self.kind)
    }

    /// The highest that anyone has given it.
    pub fn urgency(&self) -> Urgency {
        self.of(AssessmentKind::Urgency).chain([self.urgency]).max().unwrap_or(self.urgency)
    }

    fn of<T: std::str::FromStr>(&self, kind: AssessmentKind) -> impl Iterator<Item = T> {
        let of_kind = self.assessed.iter().filter(move |(_, assessed, _)| *assessed == kind);
        of_kind.filter_map(|(_, _, value)| value.parse().ok())
    }
}

impl Request {
    /// The State that owes what a clock is about.
    pub const fn owing(&self, clock: &Clock) -> &Country {
        match clock.owed_by {
            RequestRole::Requesting => &self.requesting,
            // A provider answers in the State that would enforce the order.
            RequestRole::Requested | RequestRole::Addressee => &self.requested,
        }
    }
}

impl Frame {
    /// How many assignments nobody has answered in time, where a child is in imminent danger. By the clock, not by what
    /// routing has said: it may be what does not run.
    pub fn unanswered_danger(&self, now: Timestamp) -> usize {
        let is_danger = |referral: &Referral| referral.urgency() == Urgency::ImminentDanger;
        if self.is_withdrawn || !self.referral.as_ref().is_some_and(is_danger) {
            return 0;
        }
        let is_late = |one: &&Assignment| one.state.awaits_answer() && one.respond_by < now;
        self.assignments.values().filter(is_late).count()
    }

    pub fn take_in_routing(&mut self, time: Timestamp, event: &RoutingEvent) {
        match event {
            RoutingEvent::IncidentOpened(opened) => {
                self.referral = Some(Referral {
                    reporter_country: opened.reporter_country.clone(),
                    kind: opened.kind,
                    urgency: opened.urgency,
                    assessed: Vec::new(),
                    received: time,
                    never_told: opened.handling.never_told.clone(),
                });
            }
            RoutingEvent::IncidentAmended(amended) => {
                let Some(referral) = &mut self.referral else { return };
                referral.kind = amended.kind;
                // An amendment calms nobody.
                referral.urgency = referral.urgency.max(amended.urgency);
                referral.never_told.clone_from(&amended.handling.never_told);
            }
            RoutingEvent::IncidentWithdrawn(_) => self.is_withdrawn = true,
            RoutingEvent::JurisdictionsFound(found) => {
                let roles =
                    |grounds: &[schemas::routing::Ground]| grounds.iter().map(|one| one.role).collect();
                self.roles =
                    found.countries.iter().map(|one| (one.country.clone(), roles(&one.grounds))).collect();
            }
            RoutingEvent::AssignmentOffered(offer) => {
                let assignment = Assignment {
                    agency: offer.agency.clone(),
                    country: offer.country.clone(),
                    state: AssignmentState::Offered,
                    respond_by: offer.respond_by,
                    since: time,
                };
                self.assignments.insert(offer.assignment_id, assignment);
            }
            RoutingEvent::AssignmentRaised(raised) => {
                if let Some(assignment) = self.assignments.get_mut(&raised.assignment_id) {
                    assignment.respond_by = raised.respond_by;
                }
            }
            RoutingEvent::AssignmentAccepted(_)
            | RoutingEvent::AssignmentDeclined(_)
            | RoutingEvent::AssignmentForwarded(_)
            | RoutingEvent::AssignmentRevoked(_)
            | RoutingEvent::AssignmentClosed(_)
            | RoutingEvent::AssignmentOverdue(_)
            | RoutingEvent::AssignmentEscalated(_) => self.assignment_stands(time, event),
            RoutingEvent::AssessmentAdded(added) => {
                let (assessment, value) = (&added.assessment, added.assessment.value.clone());
                if let (Some(referral), Some(value)) = (&mut self.referral, value) {
                    referral.assessed.push((added.assessment_id, assessment.kind, value));
                }
            }
            RoutingEvent::AssessmentRetracted(retracted) => {
                if let Some(referral) = &mut self.referral {
                    referral.assessed.retain(|(id, _, _)| *id != retracted.assessment_id);
                }
            }
            RoutingEvent::LeadDisputed(disputed) => {
                self.disputed_lead = Some((disputed.country.clone(), time));
            }
            RoutingEvent::LeadRecorded(_) => self.disputed_lead = None,
            RoutingEvent::OfferWithheld(_)
            | RoutingEvent::CoordinatorAlerted(_)
            | RoutingEvent::DutyContactCalled(_)
            | RoutingEvent::LeadProposed(_)
            | RoutingEvent::LeadAccepted(_)
            | RoutingEvent::TransfersAuthorised(_)
            | RoutingEvent::FeedbackHeld(_)
            | RoutingEvent::CaseNumberAdded(_)
            | RoutingEvent::RetractionIssued(_)
            | RoutingEvent::RetractionAcknowledged(_)
            | RoutingEvent::CommandRejected(_)
            | RoutingEvent::CommandFailed(_) => {}
        }
    }

    fn assignment_stands(&mut self, time: Timestamp, event: &RoutingEvent) {
        let Some((id, state)) = event.assignment_state() else { return };
        let Some(assignment) = self.assignments.get_mut(&id) else { return };
        // Whoever works on it goes on while a coordinator looks.
        if state != AssignmentState::Escalated || assignment.state.awaits_answer() {
            (assignment.state, assignment.since) = (state, time);
        }
    }

    pub fn take_in_mla(&mut self, event: &MlaEvent) {
        match event {
            MlaEvent::RequestDrafted(drafted) => {
                let request = Request {
                    kind: drafted.draft.kind,
                    requesting: drafted.country.clone(),
                    requested: drafted.draft.requested.clone(),
                    state: RequestState::Draft,
                    clocks: BTreeMap::new(),
                };
                self.requests.insert(drafted.request_id, request);
            }
            MlaEvent::RequestAmended(amended) => {
                if let Some(request) = self.requests.get_mut(&amended.request_id) {
                    (request.kind, request.requested) = (amended.draft.kind, amended.draft.requested.clone());
                }
            }
            MlaEvent::StepTaken(taken) => {
                if let Some(request) = self.requests.get_mut(&taken.request_id) {
                    request.state = taken.state;
                }
            }
            MlaEvent::RequestLapsed(lapsed) => {
                if let Some(request) = self.requests.get_mut(&lapsed.request_id) {
                    request.state = RequestState::Lapsed;
                }
            }
            MlaEvent::ClockStarted(started) => {
                let clock = Clock {
                    owed_by: started.owed_by,
                    due: started.due,
                    is_paused: false,
                    has_run_out: false,
                    is_answered: false,
                };
                if let Some(request) = self.requests.get_mut(&started.request_id) {
                    request.clocks.insert(started.clock.clone(), clock);
                }
            }
            MlaEvent::ClockPaused(paused) => {
                self.clock(paused.request_id, &paused.clock, |clock| clock.is_paused = true);
            }
            MlaEvent::ClockMoved(moved) => self.clock(moved.request_id, &moved.clock, |clock| {
                (clock.due, clock.is_paused) = (moved.due, false);
                (clock.has_run_out, clock.is_answered) = (false, false);
            }),
            MlaEvent::ClockRanOut(ran_out) => {
                self.clock(ran_out.request_id, &ran_out.clock, |clock| {
                    (clock.has_run_out, clock.is_answered) = (true, false);
                });
            }
            MlaEvent::PeriodAnswered(said) => {
                self.clock(said.request_id, &said.clock, |clock| clock.is_answered = true);
            }
            MlaEvent::ClockEnded(ended) => {
                if let Some(request) = self.requests.get_mut(&ended.request_id) {
                    request.clocks.remove(&ended.clock);
                }
            }
            MlaEvent::IncidentNoted(_)
            | MlaEvent::StateEngaged(_)
            | MlaEvent::UnitInvolved(_)
            | MlaEvent::RequestShared(_)
            | MlaEvent::RequestUnshared(_)
            | MlaEvent::ClockWarned(_)
            | MlaEvent::CoordinatorAsked(_)
            | MlaEvent::CommandRejected(_)
            | MlaEvent::CommandFailed(_) => {}
        }
    }

    fn clock(&mut self, request: RequestId, name: &str, change: impl FnOnce(&mut Clock)) {
        if let Some(clock) = self.requests.get_mut(&request).and_then(|one| one.clocks.get_mut(name)) {
            change(clock);
        }
    }

    pub fn take_in_victim_id(&mut self, time: Timestamp, event: &VictimIdEvent) {
        if let VictimIdEvent::ChildRegistered(registered) = event {
            let child = Child {
                age_band: registered.age_band,
                status: ChildStatus::Unidentified,
                custodian: None,
                nobody_since: None,
                is_ceded: false,
            };
            self.children.insert(registered.child_ref, child);
            return;
        }
        let Some(child) = event.child_ref().and_then(|child| self.children.get_mut(&child)) else { return };
        match event {
            VictimIdEvent::CustodyAccepted(accepted) => {
                child.nobody_since = None;
                child.custodian = Some(Custodian {
                    agency: accepted.by.clone(),
                    country: accepted.country.clone(),
                    silent_since: None,
                });
            }
            VictimIdEvent::CustodianSilent(_) => {
                if let Some(custodian) = &mut child.custodian {
                    custodian.silent_since = Some(time);
                }
            }
            // Whatever it does, the custodian is at work again.
            VictimIdEvent::CustodyConfirmed(_)
            | VictimIdEvent::CustodyOffered(_)
            | VictimIdEvent::ChildAttributed(_)
            | VictimIdEvent::InvitationEnded(_) => child.is_heard_of(),
            VictimIdEvent::StatusRecorded(recorded) => {
                child.status = recorded.status;
                child.is_heard_of();
            }
            VictimIdEvent::NobodyLooks(_) => child.nobody_since = Some(time),
            VictimIdEvent::CustodyCeded(_) => {
                (child.is_ceded, child.custodian, child.nobody_since) = (true, None, None);
            }
            _ => {}
        }
    }

    pub fn take_in_delivery(&mut self, event: &DeliveryEvent) {
        if let DeliveryEvent::FacetsDisclosed(disclosed) = event {
            self.opened.extend(disclosed.assignment_id);
        }
    }
}

impl Child {
    fn is_heard_of(&mut self) {
        if let Some(custodian) = &mut self.custodian {
            custodian.silent_since = None;
        }
    }
}

/// A frame at rest: there is one for each incident that ever was, and its many small collections take several times as
/// much memory as what they say.
#[derive(Clone, Debug)]
pub struct Packed(Box<[u8]>);

impl From<&Frame> for Packed {
    fn from(frame: &Frame) -> Self {
        Self(postcard::to_allocvec(frame).expect("a frame is plain data").into())
    }
}

impl From<&Packed> for Frame {
    fn from(packed: &Packed) -> Self {
        postcard::from_bytes(&packed.0).expect("it was a frame")
    }
}
