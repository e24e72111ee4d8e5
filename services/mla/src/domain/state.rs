//! What the events of one incident add up to.

use std::collections::{BTreeMap, BTreeSet};

use schemas::Timestamp;
use schemas::codes::{
    Channel, ClockConsequence, ClockEnd, ClockKind, ConditionCode, ConsultationSubject, DigestCheck,
    PeriodAnswer, RefusalGround, RequestRole, RequestState, RequestStep, Validator,
};
use schemas::directory::view::Directory;
use schemas::ids::{AgencyId, Country, RequestId};
use schemas::mla::{ClockEnded, ClockStarted, Draft, IncidentNoted, MlaEvent, Step, StepTaken};
use serde::{Deserialize, Serialize};

use super::clocks::HOLDER_END;
use super::is_draft;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    pub noted: Option<IncidentNoted>,
    /// Agencies that have accepted a part in it, and their countries.
    pub engaged: BTreeMap<AgencyId, Country>,
    pub requests: BTreeMap<RequestId, Request>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The authority that asks, and its State.
    pub by: AgencyId,
    pub country: Country,
    /// As it was last amended, its text left in the topic.
    pub draft: Draft,
    pub drafted: Timestamp,
    pub state: RequestState,
    /// Where it goes back to once what holds it up is over.
    pub before: RequestState,
    /// The authority that is asked: another one once it was forwarded.
    pub authority: AgencyId,
    pub units: BTreeMap<AgencyId, RequestRole>,
    pub history: Vec<Taken>,
    /// By the id of the row.
    pub periods: BTreeMap<String, Period>,
    pub validator: Option<Validator>,
    /// When the legal data were read that hold for it.
    pub basis_as_of: Option<Timestamp>,
    pub channel: Option<Channel>,
    /// Written confirmation has to follow.
    pub unconfirmed: bool,
    pub consulting: Option<Consulting>,
    pub consulted: BTreeSet<ConsultationSubject>,
    pub conditions: Vec<ConditionCode>,
    pub conditions_agreed: bool,
    pub evidence: Vec<Evidence>,
    /// Until when the data holder says that it keeps the data.
    pub holder_end: Option<Timestamp>,
}

/// A consultation that is not concluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consulting {
    pub subject: ConsultationSubject,
    /// Who has asked for it, and when.
    pub by: RequestRole,
    pub since: Timestamp,
}

/// A step as it was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    pub said: Step,
    pub at: Timestamp,
    pub by: AgencyId,
    pub role: RequestRole,
}

impl Taken {
    pub const fn step(&self) -> RequestStep {
        self.said.code()
    }
}

/// The ground of the last refusal in a history; none where the order was recognised since.
pub fn refused<'a>(history: impl DoubleEndedIterator<Item = &'a Taken>) -> Option<RefusalGround> {
    let mut decisions = history.rev().filter_map(|taken| match &taken.said {
        Step::Refusal(refusal) => Some(Some(refusal.ground)),
        Step::Recognition(recognition) => Some(recognition.ground),
        _ => None,
    });
    decisions.next()?
}

/// Evidence that went by another channel: what is known of it here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    pub digest: String,
    pub data_holder: AgencyId,
    pub channel: Channel,
    pub return_required: bool,
    pub sent: Timestamp,
    pub sent_by: AgencyId,
    pub received: Option<(Timestamp, AgencyId, DigestCheck)>,
}

/// A period that ends sooner presses.
const PRESSES_DAYS: i64 = 3;

/// A legal period: running, paused, run out or ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// As it was started; its ends and warnings as they were last moved.
    pub started: ClockStarted,
    pub paused: Option<Timestamp>,
    pub extended_by: Option<String>,
    pub ran_out: Option<Timestamp>,
    pub ended: Option<(Timestamp, ClockEnd)>,
    /// What a coordinator has last said is done about it.
    pub answered: Option<PeriodAnswer>,
}

impl Period {
    pub const fn is_open(&self) -> bool {
        self.ended.is_none()
    }

    /// Whether it has run out and is owed still, or ends soon.
    pub fn presses(&self, now: Timestamp) -> bool {
        let soon = now.plus_minutes(PRESSES_DAYS * 24 * 60);
        self.is_open() && (self.ran_out.is_some() || (self.runs() && self.started.due <= soon))
    }

    /// Whether time passes for it.
    pub const fn runs(&self) -> bool {
        self.ended.is_none() && self.paused.is_none() && self.ran_out.is_none()
    }

    /// The moment of its next warning, or of its end.
    pub fn rings_at(&self) -> Option<Timestamp> {
        self.runs().then(|| self.started.warnings.first().copied().unwrap_or(self.started.due))
    }

    /// Whether what comes now comes after its end.
    pub fn is_past(&self, now: Timestamp) -> bool {
        self.ran_out.is_some() || (self.paused.is_none() && now >= self.started.due)
    }

    /// Whether what was owed has not come although the period has run out.
    pub fn is_overdue(&self) -> bool {
        let owed = matches!(self.started.then, ClockConsequence::Overdue | ClockConsequence::Consult);
        self.is_open() && self.ran_out.is_some() && owed
    }

    /// Whether data are gone, or may be, once it has run out.
    pub fn guards_data(&self) -> bool {
        let floor = self.started.kind == ClockKind::Min;
        let ceases = self.started.then == ClockConsequence::Ceases && self.started.kind == ClockKind::Exact;
        floor || ceases || self.started.clock == HOLDER_END
    }

    pub fn end(&self, end: ClockEnd) -> MlaEvent {
        let (request_id, clock) = (self.started.request_id, self.started.clock.clone());
        ClockEnded { request_id, clock, end }.into()
    }
}

impl Request {
    /// Whom an agency speaks for in it; nobody for a side that does not know of it yet.
    pub fn role_of(&self, agency: &AgencyId) -> Option<RequestRole> {
        let role = if *agency == self.by {
            RequestRole::Requesting
        } else if *agency == self.authority {
            RequestRole::Requested
        } else if self.draft.addressee.as_ref() == Some(agency) {
            RequestRole::Addressee
        } else {
            *self.units.get(agency)?
        };
        let knows = match role {
            RequestRole::Requesting => true,
            RequestRole::Addressee => !is_draft(self.state) && self.was_sent(),
            RequestRole::Requested => !is_draft(self.state) && self.was_sent() && self.reaches_requested(),
        };
        knows.then_some(role)
    }

    fn was_sent(&self) -> bool {
        self.took(RequestStep::Transmission)
    }

    /// Whether it is more than a draft there: in the State that asks, and in the one that is asked once it hears of it.
    pub fn is_known_in(&self, country: &Country) -> bool {
        let asked = *country == self.draft.requested && self.reaches_requested();
        !is_draft(self.state) && (asked || *country == self.country)
    }

    /// An order is its addressee's; the enforcing authority hears of it when it is notified, or asked to enforce.
    fn reaches_requested(&self) -> bool {
        self.draft.addressee.is_none()
            || self.took(RequestStep::Notification)
            || self.took(RequestStep::EnforcementRequest)
    }

    /// Whether it is information that nobody asked for (Budapest Convention Article 26; UNTOC Article 18(4)).
    pub fn is_unasked(&self) -> bool {
        self.draft.is_unasked()
    }

    /// Whether its text stays closed to a side, which has not agreed to the conditions that it is given under.
    pub fn withholds_from(&self, role: RequestRole) -> bool {
        role == RequestRole::Requested && !self.draft.conditions.is_empty() && !self.conditions_agreed
    }

    pub fn took(&self, step: RequestStep) -> bool {
        self.history.iter().any(|taken| taken.step() == step)
    }

    /// The agency that decides for a side.
    pub const fn agency_of(&self, role: RequestRole) -> Option<&AgencyId> {
        match role {
            RequestRole::Requesting => Some(&self.by),
            RequestRole::Requested => Some(&self.authority),
            RequestRole::Addressee => self.draft.addressee.as_ref(),
        }
    }

    /// Every agency that takes part, whether it knows of it yet or not.
    pub fn taking_part(&self) -> impl Iterator<Item = &AgencyId> {
        let own = [Some(&self.by), Some(&self.authority), self.draft.addressee.as_ref()];
        own.into_iter().flatten().chain(self.units.keys())
    }

    /// The State of a side.
    pub fn country_of(&self, role: RequestRole, directory: &Directory, at: Timestamp) -> Option<Country> {
        match role {
            RequestRole::Requesting => Some(self.country.clone()),
            RequestRole::Requested => Some(self.draft.requested.clone()),
            RequestRole::Addressee => {
                let addressee = directory.agency(self.draft.addressee.as_ref()?, at)?;
                Some(addressee.country.clone())
            }
        }
    }
}

/// Takes one event in. Total, and holds no rule.
pub fn evolve(incident: &mut Incident, event: &MlaEvent, at: Timestamp) {
    match event {
        MlaEvent::IncidentNoted(noted) => incident.noted = Some(noted.clone()),
        MlaEvent::StateEngaged(engaged) => {
            incident.engaged.insert(engaged.agency.clone(), engaged.country.clone());
        }
        MlaEvent::RequestDrafted(drafted) => {
            let request = drafted_request(&drafted.by, &drafted.country, &drafted.draft, at);
            incident.requests.insert(drafted.request_id, request);
        }
        MlaEvent::CommandRejected(_) | MlaEvent::CommandFailed(_) | MlaEvent::CoordinatorAsked(_) => {}
        _ => {
            let request = event.request_id().and_then(|id| incident.requests.get_mut(&id));
            if let Some(request) = request {
                evolve_request(request, event, at);
            }
        }
    }
}

fn without_text(draft: &Draft) -> Draft {
    let mut draft = draft.clone();
    draft.text.ciphertext.clear();
    if let Some(reasons) = &mut draft.reasons {
        reasons.ciphertext.clear();
    }
    draft
}

fn drafted_request(by: &AgencyId, country: &Country, draft: &Draft, at: Timestamp) -> Request {
    Request {
        by: by.clone(),
        country: country.clone(),
        authority: draft.authority.clone(),
        draft: without_text(draft),
        drafted: at,
        state: RequestState::Draft,
        before: RequestState::Draft,
        units: BTreeMap::new(),
        history: Vec::new(),
        periods: BTreeMap::new(),
        validator: None,
        basis_as_of: None,
        channel: None,
        unconfirmed: false,
        consulting: None,
        consulted: BTreeSet::new(),
        conditions: draft.conditions.clone(),
        conditions_agreed: false,
        evidence: Vec::new(),
        holder_end: None,
    }
}

fn evolve_request(request: &mut Request, event: &MlaEvent, at: Timestamp) {
    let period = |request: &mut Request, clock: &str, change: &dyn Fn(&mut Period)| {
        if let Some(period) = request.periods.get_mut(clock) {
            change(period);
        }
    };
    match event {
        MlaEvent::RequestAmended(amended) => {
            request.draft = without_text(&amended.draft);
            request.authority = amended.draft.authority.clone();
            request.state = RequestState::Draft;
            // What was written anew nobody has validated, and nobody was consulted about.
            (request.validator, request.basis_as_of, request.consulting) = (None, None, None);
            request.consulted.clear();
            request.conditions.clone_from(&amended.draft.conditions);
            request.conditions_agreed = false;
        }
        MlaEvent::UnitInvolved(involved) => {
            request.units.insert(involved.agency.clone(), involved.role);
        }
        MlaEvent::StepTaken(taken) => evolve_step(request, taken, at),
        MlaEvent::ClockStarted(started) => {
            // One that goes on from where it began was made longer once already.
            let goes_on = request.periods.get(&started.clock).filter(|one| one.started.from == started.from);
            let extended_by = goes_on.and_then(|one| one.extended_by.clone());
            let (paused, ran_out, ended, answered) = (None, None, None, None);
            let period = Period { started: started.clone(), paused, extended_by, ran_out, ended, answered };
            request.periods.insert(started.clock.clone(), period);
        }
        MlaEvent::ClockPaused(paused) => {
            period(request, &paused.clock, &|period| period.paused = Some(at));
        }
        MlaEvent::ClockMoved(moved) => period(request, &moved.clock, &|period| {
            // What has run out moves only when a data holder keeps the data longer after all.
            (period.paused, period.ran_out, period.answered) = (None, None, None);
            (period.started.nominal, period.started.due) = (moved.nominal, moved.due);
            period.started.warnings.clone_from(&moved.warnings);
            period.extended_by = moved.extended_by.clone().or(period.extended_by.take());
        }),
        MlaEvent::ClockEnded(ended) => {
            period(request, &ended.clock, &|period| period.ended = Some((at, ended.end)));
        }
        MlaEvent::ClockWarned(warned) => period(request, &warned.clock, &|period| {
            if !period.started.warnings.is_empty() {
                period.started.warnings.remove(0);
            }
        }),
        // What was said before it ran out is no answer to that.
        MlaEvent::ClockRanOut(out) => period(request, &out.clock, &|period| {
            (period.ran_out, period.answered) = (Some(out.due), None);
        }),
        MlaEvent::PeriodAnswered(said) => {
            period(request, &said.clock, &|period| period.answered = Some(said.answer));
        }
        MlaEvent::RequestLapsed(_) => request.state = RequestState::Lapsed,
        MlaEvent::IncidentNoted(_)
        | MlaEvent::StateEngaged(_)
        | MlaEvent::RequestDrafted(_)
        | MlaEvent::RequestShared(_)
        | MlaEvent::RequestUnshared(_)
        | MlaEvent::CoordinatorAsked(_)
        | MlaEvent::CommandRejected(_)
        | MlaEvent::CommandFailed(_) => {}
    }
}

fn evolve_step(request: &mut Request, taken: &StepTaken, at: Timestamp) {
    let (by, role) = (taken.by.clone(), taken.role);
    let holds_up = matches!(
        taken.state,
        RequestState::AdditionalInfoRequested | RequestState::Postponed | RequestState::TransferSuspended
    );
    if holds_up && taken.state != request.state {
        request.before = request.state;
    }
    request.state = taken.state;
    request.history.push(Taken { said: taken.step.clone(), at, by: by.clone(), role });
    match &taken.step {
        Step::Validation(validation) => {
            request.validator = Some(validation.by);
            request.basis_as_of = Some(at);
        }
        Step::ExPostValidation(validation) if validation.granted => request.validator = Some(validation.by),
        Step::Transmission(sent) => {
            request.channel = Some(sent.channel);
            request.unconfirmed = sent.oral || is_urgent(sent.channel);
            request.basis_as_of = request.basis_as_of.or(Some(at));
        }
        Step::WrittenConfirmation(_) => request.unconfirmed = false,
        Step::Forwarding(forwarding) => request.authority = forwarding.to.clone(),
        Step::Consultation(consultation) => {
            request.consulting = Some(Consulting { subject: consultation.subject, by: role, since: at });
        }
        Step::ConsultationConclusion(_) => {
            request.consulted.extend(request.consulting.take().map(|consulting| consulting.subject));
        }
        Step::Acceptance(acceptance) => request.conditions.extend(&acceptance.conditions),
        Step::ConditionsOnUse(use_) => {
            request.conditions.clone_from(&use_.conditions);
            request.conditions_agreed = true;
        }
        Step::ConditionsAgreement(_) => request.conditions_agreed = true,
        Step::Preserved(preserved) => request.holder_end = preserved.holder_end.or(request.holder_end),
        Step::HolderEnd(end) => request.holder_end = Some(end.ends),
        Step::EvidenceTransmission(evidence) => request.evidence.push(Evidence {
            digest: evidence.digest.clone(),
            data_holder: evidence.data_holder.clone(),
            channel: evidence.channel,
            return_required: evidence.return_required,
            sent: at,
            sent_by: by,
            received: None,
        }),
        Step::EvidenceReceipt(receipt) => {
            let mut sent = request.evidence.iter_mut();
            let open = sent.find(|evidence| evidence.digest == receipt.digest && evidence.received.is_none());
            if let Some(evidence) = open {
                evidence.received = Some((at, by, receipt.check));
            }
        }
        _ => {}
    }
}

/// What goes by these is asked before it is written. Directly between judicial authorities it is the usual way of
/// Union orders, in writing.
fn is_urgent(channel: Channel) -> bool {
    matches!(channel, Channel::Interpol | Channel::ContactPoint)
}
