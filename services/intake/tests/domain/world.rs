//! The world the tables play in: two reporters, one referral, routing's answers, and the steps of a history.

use chassis::decider::{Context, Decider, Rejection};
use intake::Intake;
use intake::domain::ReferralState;
use schemas::codes::*;
use schemas::directory::view::Directory;
use schemas::directory::{Agency, Entry, GenesisLoaded};
use schemas::envelope::Body;
use schemas::ids::{
    AgencyId, AssignmentId, CommandId, Country, EventId, FacetId, ItemRef, PersonRef, ReferralId,
};
use schemas::referral::{
    AmendReferral, Feedback, FeedbackDeferred, FeedbackGiven, GateVerdict, Handling, Item, Person,
    ReceiveReferral, Referral, ReferralCommand, ReferralEvent, ReferralReceived, WithdrawReferral,
    WithheldField,
};
use schemas::routing::{
    AssignmentAccepted, AssignmentClosed, AssignmentDeclined, AssignmentOffered, Entitlement, FeedbackHeld,
    RoutingEvent, Transfer,
};
use schemas::{Actor, CommandRejected, Event, InputPosition, Timestamp};

pub type Decision = Result<Vec<ReferralEvent>, Rejection>;

pub const INCIDENT: &str = "b8ae70e6-2155-8ca8-a9dd-4bdf40eed297";

/// The reporters: one is told where its referral went, the other is not.
pub const HOTLINE: &str = "nl-hotline";
pub const PROVIDER: &str = "us-provider";

/// The kinds of agency that report.
pub const MAY_REPORT: [AgencyKind; 5] = [
    AgencyKind::Hotline,
    AgencyKind::Helpline,
    AgencyKind::Provider,
    AgencyKind::PoliceUnit,
    AgencyKind::VictimIdentificationUnit,
];

pub fn now() -> Timestamp {
    "2026-11-16T08:00:00Z".parse::<jiff::Timestamp>().unwrap().into()
}

pub fn agency(id: &str) -> AgencyId {
    AgencyId::try_new(id).unwrap()
}

pub fn country(code: &str) -> Country {
    Country::try_new(code).unwrap()
}

/// The assignment of an agency.
pub fn assignment(id: &str) -> AssignmentId {
    AssignmentId::derive(&[id.as_bytes()])
}

/// The reporters, police, and an agency of each kind by the kind's own name.
fn directory() -> Directory {
    let plain = |id: &str, code: &str, kind| Agency {
        id: agency(id),
        name: id.to_owned(),
        country: country(code),
        kind,
        incident_kinds: Vec::new(),
        round_the_clock: false,
        issuer: "https://id.example".to_owned(),
        subject: id.to_owned(),
        keys: Vec::new(),
        signing_keys: Vec::new(),
        duty_contacts: Vec::new(),
        scope: Vec::new(),
        wellbeing: None,
    };
    let of_each_kind = AgencyKind::ALL.iter().map(|kind| plain(kind.code(), "DE", *kind));
    let agencies = [
        plain(HOTLINE, "NL", AgencyKind::Hotline),
        plain(PROVIDER, "US", AgencyKind::Provider),
        plain("de-police", "DE", AgencyKind::PoliceUnit),
    ];
    let agencies = agencies.into_iter().chain(of_each_kind);
    let entries = agencies.map(|agency| Entry { agency: Some(agency), ..Entry::default() }).collect();
    let mut directory = Directory::default();
    directory.evolve(&GenesisLoaded { entries }.into(), Timestamp::default());
    directory
}

pub fn person(name: &str) -> Person {
    Person {
        person_ref: PersonRef::derive(&[name.as_bytes()]),
        category: PersonCategory::Undetermined,
        age_band: AgeBand::Unknown,
        facet_id: FacetId::derive(&[name.as_bytes()]),
    }
}

pub fn item(name: &str) -> Item {
    Item {
        item_ref: ItemRef::derive(&[name.as_bytes()]),
        media_kind: MediaKind::Image,
        digests: Vec::new(),
        classifications: Vec::new(),
        viewed_by_reporter: None,
        publicly_available: None,
        hosting_country: None,
        annotations: Vec::new(),
        known: Vec::new(),
    }
}

/// Of two people and two items.
pub fn referral(reporter: &str) -> Referral {
    Referral {
        referral_id: ReferralId::derive(&[reporter.as_bytes()]),
        reporter: agency(reporter),
        reporter_country: country("NL"),
        form: ReferralForm::Json,
        kind: IncidentKind::Csam,
        urgency: Urgency::Priority,
        danger_reason: None,
        week: Some("2026-W47".to_owned()),
        annotations: Vec::new(),
        items: vec![item("image"), item("video")],
        people: vec![person("child"), person("account")],
        facets: Vec::new(),
        signals: Vec::new(),
        selectors: Vec::new(),
        handling: Handling {
            tlp: Tlp::Amber,
            codes: Vec::new(),
            purpose: Purpose::ChildProtection,
            retain_until: None,
            never_told: Vec::new(),
            transfers: TransferPolicy::Standing,
        },
        gate: GateVerdict {
            version: 1,
            withheld: vec![WithheldField {
                pointer: "/narrative".to_owned(),
                reason: RefusalReason::EmbeddedContent,
            }],
        },
        ip_database: None,
        asks_to_join: None,
    }
}

/// The hotline's referral, to be kept until then.
pub fn kept_until(moment: Timestamp) -> Referral {
    let referral = referral(HOTLINE);
    Referral { handling: Handling { retain_until: Some(moment), ..referral.handling }, ..referral }
}

pub fn offered(id: &str, to: &str) -> RoutingEvent {
    AssignmentOffered {
        assignment_id: assignment(id),
        agency: agency(id),
        country: country(to),
        grounds: Vec::new(),
        rule: "rule".to_owned(),
        policy_version: 1,
        entitlement: Entitlement { facet_kinds: Vec::new(), persons: Vec::new(), opens_with_offer: false },
        transfer: Transfer {
            basis: TransferBasis::IntraUnion,
            rule: None,
            article: "article".to_owned(),
            authorisation: Authorisation::Standing,
        },
        respond_by: now().plus_minutes(60),
        forwarded_from: None,
    }
    .into()
}

pub fn accepted(id: &str) -> RoutingEvent {
    AssignmentAccepted { assignment_id: assignment(id) }.into()
}

pub fn declined(id: &str, reason: DeclineReason) -> RoutingEvent {
    AssignmentDeclined { assignment_id: assignment(id), reason, note: None }.into()
}

pub fn closed(id: &str, outcome: CloseOutcome) -> RoutingEvent {
    AssignmentClosed { assignment_id: assignment(id), outcome, note: None }.into()
}

/// Police hold back what the reporter is told of the agency's assignment.
pub fn held(id: &str, until: Timestamp) -> RoutingEvent {
    FeedbackHeld { assignment_id: assignment(id), until }.into()
}

pub fn defers(id: &str, until: Timestamp) -> Decision {
    Ok(vec![FeedbackDeferred { assignment_id: assignment(id), until }.into()])
}

/// What the reporter is told, and no more than the stage.
pub fn told(stage: FeedbackStage) -> Feedback {
    Feedback { stage, country: None, decline_reason: None, outcome: None }
}

/// The same, with where it went.
pub fn told_of(stage: FeedbackStage, to: &str) -> Feedback {
    Feedback { country: Some(country(to)), ..told(stage) }
}

pub fn gives(id: &str, feedback: Feedback) -> Decision {
    Ok(vec![FeedbackGiven { assignment_id: assignment(id), feedback }.into()])
}

pub fn received(referral: &Referral) -> Decision {
    Ok(vec![ReferralReceived { referral: referral.clone() }.into()])
}

/// What comes in: a command, or news of routing.
#[derive(Clone, Debug)]
pub enum Asked {
    Command(Box<ReferralCommand>),
    News(Box<RoutingEvent>),
}

#[derive(Clone, Debug)]
pub struct Step {
    pub by: AgencyId,
    pub actor: ActorKind,
    pub asked: Asked,
}

pub fn receives(referral: &Referral) -> Step {
    asks(ReceiveReferral { referral: referral.clone() })
}

pub fn amends(referral: &Referral) -> Step {
    asks_by(referral.reporter.as_str(), AmendReferral { referral: referral.clone() })
}

pub fn withdraws(by: &str, reason: RetractionReason) -> Step {
    asks_by(by, WithdrawReferral { reason })
}

pub fn asks(command: impl Into<ReferralCommand>) -> Step {
    asks_by(HOTLINE, command)
}

/// A person of the agency asks.
pub fn asks_by(by: &str, command: impl Into<ReferralCommand>) -> Step {
    let asked = Asked::Command(Box::new(command.into()));
    Step { by: agency(by), actor: ActorKind::Human, asked }
}

pub fn hears(news: &RoutingEvent) -> Step {
    let asked = Asked::News(Box::new(news.clone()));
    Step { by: agency("de-police"), actor: ActorKind::Service, asked }
}

impl Step {
    pub fn by_machine(self) -> Self {
        Self { actor: ActorKind::Machine, ..self }
    }
}

/// One referral as it goes: the state, and the log that the state is the fold of.
#[derive(Clone)]
pub struct History {
    pub directory: Directory,
    pub state: ReferralState,
    pub log: Vec<Event<ReferralEvent>>,
}

impl History {
    pub fn new() -> Self {
        Self { directory: directory(), state: ReferralState::default(), log: Vec::new() }
    }

    /// Decides the step, as the runner would, a minute after the one before, and takes in what follows; a
    /// refusal is on record too.
    pub fn take(&mut self, step: &Step) -> Decision {
        let actor = Actor { id: "somebody".to_owned(), kind: step.actor };
        let time = now().plus_minutes(self.log.len() as i64);
        let cause = format!("step {}", self.log.len());
        let context = Context {
            aggregate_id: INCIDENT,
            cause: &cause,
            now: time,
            agency: &step.by,
            actor: &actor,
            directory: &self.directory,
        };
        let decision = match &step.asked {
            Asked::Command(command) => Intake::decide(&context, &self.state, command),
            Asked::News(news) => Ok(Intake::learn(&context, &self.state, news)),
        };
        let events = match &decision {
            Ok(events) => events.clone(),
            Err(rejection) => vec![refused(&cause, step, rejection).into()],
        };
        for body in events {
            let event = self.event(&cause, step, &actor, time, body);
            Intake::evolve(&mut self.state, &event);
            self.log.push(event);
        }
        decision
    }

    fn event(
        &self,
        cause: &str,
        step: &Step,
        actor: &Actor,
        time: Timestamp,
        body: ReferralEvent,
    ) -> Event<ReferralEvent> {
        let sequence = self.log.len() as i64 + 1;
        let topic = ReferralCommand::TOPIC.to_owned();
        Event {
            event_id: EventId::derive(&[&sequence.to_be_bytes()]),
            aggregate_id: INCIDENT.to_owned(),
            sequence,
            predecessor: Vec::new(),
            salt: Vec::new(),
            input: InputPosition { topic, partition: 0, offset: sequence },
            cause: cause.to_owned(),
            cause_digest: cause.as_bytes().to_vec(),
            time,
            agency: step.by.clone(),
            actor: actor.clone(),
            directory_position: 0,
            signature: None,
            body,
        }
    }

    /// What the reporter is told when it asks at the moment.
    pub fn told(&self, moment: Timestamp) -> Vec<Feedback> {
        self.state.told(moment).into_iter().map(|told| told.feedback).collect()
    }
}

fn refused(cause: &str, step: &Step, rejection: &Rejection) -> CommandRejected {
    let command = match &step.asked {
        Asked::Command(command) => command.name(),
        Asked::News(news) => news.name(),
    };
    CommandRejected {
        command_id: CommandId::derive(&[cause.as_bytes()]),
        command: command.to_owned(),
        code: rejection.code,
        pointer: rejection.pointer.clone(),
    }
}

/// Given steps that all succeed, when one more comes in, then it yields exactly this.
#[track_caller]
pub fn check(case: &str, given: &[Step], when: &Step, then: &Decision) {
    let mut history = after(given);
    assert_eq!(&history.take(when), then, "{case}");
}

#[track_caller]
pub fn after(given: &[Step]) -> History {
    let mut history = History::new();
    for step in given {
        let taken = history.take(step);
        assert!(taken.is_ok(), "given {step:?}, but {taken:?}");
    }
    history
}

pub fn refuses(code: RejectionCode) -> Decision {
    Err(code.into())
}

pub fn refuses_at(code: RejectionCode, pointer: &str) -> Decision {
    Err(Rejection::at(code, pointer))
}
