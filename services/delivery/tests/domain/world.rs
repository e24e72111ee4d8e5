//! The world the tables play in: agencies with keys, routing's events, and the steps of a history.

use chassis::decider::{Context, Decider, Rejection};
use delivery::Delivery;
use delivery::domain::requests::MlaNews;
use delivery::domain::{Incident, News, RoutingNews};
use schemas::codes::*;
use schemas::delivery::{DeliveryCommand, DeliveryEvent, EarlyOpeningDelivered, FacetDisclosed, OpenFacets};
use schemas::directory::view::Directory;
use schemas::directory::{Agency, AgencyKey, Entry, GenesisLoaded, Policy, TransferRule};
use schemas::envelope::Body;
use schemas::ids::{
    AgencyId, AssignmentId, CommandId, Country, DisclosureId, EventId, FacetId, KeyId, KeySetId, PersonRef,
    ReferralId,
};
use schemas::mla::MlaEvent;
use schemas::referral::{Handling, Person, SealedFacet};
use schemas::routing::{
    AssignmentAccepted, AssignmentClosed, AssignmentDeclined, AssignmentEscalated, AssignmentForwarded,
    AssignmentOffered, AssignmentOverdue, AssignmentRevoked, Entitlement, FacetRef, Ground, IncidentAmended,
    IncidentOpened, RoutingEvent, Transfer,
};
use schemas::victim_id::VictimIdEvent;
use schemas::{Actor, CommandRejected, Event, InputPosition, Timestamp};

pub type Decision = Result<Vec<DeliveryEvent>, Rejection>;

pub const INCIDENT: &str = "b8ae70e6-2155-8ca8-a9dd-4bdf40eed297";

/// The sealed facets: a person each, and one of each other kind.
pub const PERSONS: [(&str, PersonCategory); 3] = [
    ("victim", PersonCategory::Victim),
    ("suspect", PersonCategory::Suspect),
    ("witness", PersonCategory::WitnessOrReporter),
];
pub const OTHERS: [(&str, FacetKind); 2] =
    [("narrative", FacetKind::Narrative), ("report", FacetKind::Report)];

pub fn now() -> Timestamp {
    "2026-11-16T08:00:00Z".parse::<jiff::Timestamp>().unwrap().into()
}

pub fn agency(id: &str) -> AgencyId {
    AgencyId::try_new(id).unwrap()
}

pub fn country(code: &str) -> Country {
    Country::try_new(code).unwrap()
}

pub fn key(id: &str) -> KeyId {
    KeyId::try_new(id).unwrap()
}

pub fn facet(name: &str) -> FacetId {
    FacetId::derive(&[name.as_bytes()])
}

pub fn person(name: &str) -> PersonRef {
    PersonRef::derive(&[name.as_bytes()])
}

/// The assignment of an agency.
pub fn assignment(id: &str) -> AssignmentId {
    AssignmentId::derive(&[id.as_bytes()])
}

fn key_set() -> KeySetId {
    KeySetId::derive(&[b"keys"])
}

/// Each agency has one key under its own name; two coordinators watch different countries.
fn directory() -> Directory {
    let agency = |id: &str, code: &str, kind, scope: &[&str]| Agency {
        id: agency(id),
        name: id.to_owned(),
        country: country(code),
        kind,
        incident_kinds: Vec::new(),
        round_the_clock: false,
        issuer: "https://id.example".to_owned(),
        subject: id.to_owned(),
        keys: vec![AgencyKey { key_id: key(id), public_key: "public".to_owned() }],
        signing_keys: Vec::new(),
        duty_contacts: Vec::new(),
        scope: scope.iter().map(|code| country(code)).collect(),
        wellbeing: None,
    };
    let agencies = [
        agency("de-police", "DE", AgencyKind::PoliceUnit, &[]),
        agency("fr-police", "FR", AgencyKind::PoliceUnit, &[]),
        agency("de-central", "DE", AgencyKind::CentralAuthority, &[]),
        agency("fr-central", "FR", AgencyKind::CentralAuthority, &[]),
        agency("jp-central", "JP", AgencyKind::CentralAuthority, &[]),
        agency("eu-coordinator", "NL", AgencyKind::Coordinator, &["DE", "FR"]),
        agency("un-coordinator", "CH", AgencyKind::Coordinator, &["DE", "JP"]),
        agency("nl-hotline", "NL", AgencyKind::Hotline, &[]),
        agency("us-provider", "US", AgencyKind::Provider, &[]),
        agency("jp-police", "JP", AgencyKind::PoliceUnit, &[]),
    ];
    let union = ["DE", "FR", "NL"].map(country).to_vec();
    let rule = TransferRule {
        id: transfer().rule.unwrap(),
        from: union.clone(),
        to: union,
        basis: transfer().basis,
        article: transfer().article,
    };
    let policy = Policy {
        name: Policy::DEFAULT.to_owned(),
        version: 1,
        acknowledge_within_minutes: 15,
        rules: Vec::new(),
        transfers: vec![rule],
    };
    let agencies = agencies.map(|agency| Entry { agency: Some(agency), ..Entry::default() });
    let policy = Entry { policy: Some(policy), ..Entry::default() };
    let entries = agencies.into_iter().chain([policy]).collect();
    let mut directory = Directory::default();
    directory.evolve(&GenesisLoaded { entries }.into(), Timestamp::default());
    directory
}

pub fn people() -> Vec<Person> {
    let person = |(name, category): (&str, PersonCategory)| Person {
        person_ref: person(name),
        category,
        age_band: AgeBand::Unknown,
        facet_id: facet(name),
    };
    PERSONS.map(person).to_vec()
}

/// Where the referral stands in `referral.events`, after so many amendments.
fn referral_at(amendment: i32) -> InputPosition {
    let offset = 7 + i64::from(amendment);
    InputPosition { topic: "referral.events".to_owned(), partition: 0, offset }
}

/// Where news of routing stand, unless a step says otherwise.
pub fn routing_at(offset: i64) -> InputPosition {
    InputPosition { topic: "routing.events".to_owned(), partition: 0, offset }
}

/// The name of a facet after so many amendments: each seals it anew.
pub fn sealed_anew(name: &str, amendment: i32) -> String {
    if amendment == 0 { name.to_owned() } else { format!("{name} {amendment}") }
}

/// The referral's facets after so many amendments.
pub fn facets(amendment: i32) -> Vec<FacetRef> {
    let sealed = |name: &str, kind, person_ref| FacetRef {
        facet_id: facet(&sealed_anew(name, amendment)),
        kind,
        person_ref,
        key_set_id: key_set(),
        at: referral_at(amendment),
    };
    let of_person = PERSONS.map(|(name, _)| sealed(name, FacetKind::Person, Some(person(name))));
    let others = OTHERS.map(|(name, kind)| sealed(name, kind, None));
    of_person.into_iter().chain(others).collect()
}

/// A facet that a party has added: the free text of an answer, or its case number.
pub fn added(name: &str, kind: FacetKind) -> SealedFacet {
    SealedFacet {
        facet_id: facet(name),
        kind,
        person_ref: None,
        key_set_id: key_set(),
        nonce: vec![1],
        ciphertext: vec![2],
    }
}

pub fn note() -> SealedFacet {
    added("note", FacetKind::AnswerText)
}

/// The same as delivery refers to it, where the news of it stood at the offset.
pub fn added_ref(facet: &SealedFacet, offset: i64) -> FacetRef {
    FacetRef {
        facet_id: facet.facet_id,
        kind: facet.kind,
        person_ref: None,
        key_set_id: facet.key_set_id,
        at: routing_at(offset),
    }
}

/// The facet of the referral, as it was received, as a disclosure names it.
pub fn disclosed(name: &str) -> FacetDisclosed {
    let sealed = facets(0).into_iter().find(|sealed| sealed.facet_id == facet(name)).unwrap();
    let category = PERSONS.iter().find(|person| person.0 == name).map(|person| person.1);
    disclosed_as(sealed, category)
}

pub fn disclosed_as(sealed: FacetRef, person_category: Option<PersonCategory>) -> FacetDisclosed {
    FacetDisclosed {
        facet_id: sealed.facet_id,
        kind: sealed.kind,
        person_ref: sealed.person_ref,
        person_category,
        key_set_id: sealed.key_set_id,
        at: sealed.at,
        transfer: None,
    }
}

/// As another party of the Union added it.
pub fn disclosed_added(sealed: FacetRef) -> FacetDisclosed {
    FacetDisclosed { transfer: Some(transfer()), ..disclosed_as(sealed, None) }
}

/// The originator hears of the first opening of de-police's assignment with the offer.
pub fn told_early() -> DeliveryEvent {
    EarlyOpeningDelivered {
        agency: agency("nl-hotline"),
        disclosure_id: disclosure("command"),
        opened_by: Some(agency("de-police")),
        country: Some(country("DE")),
    }
    .into()
}

pub fn opened() -> IncidentOpened {
    IncidentOpened {
        referral_id: ReferralId::derive(&[b"referral"]),
        reporter: agency("nl-hotline"),
        reporter_country: country("NL"),
        kind: IncidentKind::Csam,
        urgency: Urgency::ImminentDanger,
        danger_reason: Some(DangerReason::OngoingAbuse),
        week: Some("2026-W47".to_owned()),
        annotations: Vec::new(),
        people: people(),
        facets: facets(0),
        signals: Vec::new(),
        handling: handling(),
        items: Vec::new(),
    }
}

fn handling() -> Handling {
    Handling {
        tlp: Tlp::Amber,
        codes: Vec::new(),
        purpose: Purpose::ChildProtection,
        retain_until: None,
        never_told: Vec::new(),
        transfers: TransferPolicy::Standing,
    }
}

/// The same referral as it was amended for the given time: every facet sealed anew.
pub fn amended(amendment: i32) -> IncidentAmended {
    let IncidentOpened { kind, urgency, danger_reason, week, annotations, people, .. } = opened();
    IncidentAmended {
        amendment,
        kind,
        urgency,
        danger_reason,
        week,
        annotations,
        people,
        facets: facets(amendment),
        signals: Vec::new(),
        handling: handling(),
        items: Vec::new(),
    }
}

/// May open the victim and the narrative, once it has accepted.
pub fn entitlement() -> Entitlement {
    Entitlement {
        facet_kinds: vec![FacetKind::Person, FacetKind::Narrative],
        persons: vec![person("victim")],
        opens_with_offer: false,
    }
}

pub fn with_offer(entitlement: Entitlement) -> Entitlement {
    Entitlement { opens_with_offer: true, ..entitlement }
}

pub fn transfer() -> Transfer {
    Transfer {
        basis: TransferBasis::IntraUnion,
        rule: Some("within-the-union".to_owned()),
        article: "Directive (EU) 2016/680 Article 9(3) and (4)".to_owned(),
        authorisation: Authorisation::Standing,
    }
}

pub fn offer(id: &str, to: &str, entitlement: Entitlement) -> AssignmentOffered {
    let ground = |role, basis| Ground {
        role,
        basis,
        source: SignalSource::Ip,
        confidence: Confidence::High,
        articles: vec!["OPSC Article 4(1)".to_owned()],
        person_ref: None,
    };
    AssignmentOffered {
        assignment_id: assignment(id),
        agency: agency(id),
        country: country(to),
        grounds: vec![
            ground(SignalRole::Victim, JurisdictionBasis::VictimResidence),
            ground(SignalRole::Offender, JurisdictionBasis::Territory),
        ],
        rule: "police-investigates".to_owned(),
        policy_version: 1,
        entitlement,
        transfer: transfer(),
        respond_by: now().plus_minutes(240),
        forwarded_from: None,
    }
}

/// The answers to an agency's assignment, each with the state that the assignment then stands in.
pub fn changes(id: &str) -> [(RoutingEvent, AssignmentState); 7] {
    let (assignment_id, note) = (assignment(id), None);
    let (decline, revoke) = (DeclineReason::NoCapacity, RevokeReason::FalsePositive);
    let (outcome, escalate) = (CloseOutcome::NoFurtherAction, EscalationReason::Unanswered);
    let to = agency("br-police");
    [
        (AssignmentAccepted { assignment_id }.into(), AssignmentState::Accepted),
        (
            AssignmentDeclined { assignment_id, reason: decline, note: note.clone() }.into(),
            AssignmentState::Declined,
        ),
        (AssignmentForwarded { assignment_id, to, note: note.clone() }.into(), AssignmentState::Forwarded),
        (
            AssignmentRevoked { assignment_id, reason: revoke, note: note.clone() }.into(),
            AssignmentState::Revoked,
        ),
        (AssignmentClosed { assignment_id, outcome, note: note.clone() }.into(), AssignmentState::Closed),
        (AssignmentOverdue { assignment_id }.into(), AssignmentState::Overdue),
        (AssignmentEscalated { assignment_id, reason: escalate, note }.into(), AssignmentState::Escalated),
    ]
}

/// The news that brings an agency's assignment into the state.
pub fn brings(id: &str, state: AssignmentState) -> Step {
    let change = changes(id).into_iter().find(|change| change.1 == state).unwrap();
    hears(change.0)
}

/// News of routing, or what an agency asks.
#[derive(Clone, Debug)]
pub enum Asked {
    News(Box<News>),
    Command(DeliveryCommand),
}

#[derive(Clone, Debug)]
pub struct Step {
    pub by: AgencyId,
    pub cause: String,
    pub asked: Asked,
}

pub fn hears(news: impl Into<RoutingEvent>) -> Step {
    hears_of("nl-hotline", 1, news)
}

/// News that stands at the offset, and follows from what the agency did.
pub fn hears_of(by: &str, offset: i64, news: impl Into<RoutingEvent>) -> Step {
    let by = agency(by);
    let news = RoutingNews { event: news.into(), at: routing_at(offset), by: by.clone() };
    let asked = Asked::News(Box::new(News::Routing(news)));
    Step { by, cause: "routing's event".to_owned(), asked }
}

/// News of legal assistance that stand at the offset, and follow from what the agency did.
pub fn hears_of_mla(by: &str, offset: i64, news: impl Into<MlaEvent>) -> Step {
    let by = agency(by);
    let at = InputPosition { topic: "mla.events".to_owned(), partition: 0, offset };
    let asked = Asked::News(Box::new(News::Mla(MlaNews { event: news.into(), at, by: by.clone() })));
    Step { by, cause: "mla's event".to_owned(), asked }
}

pub fn hears_of_child(by: &str, offset: i64, news: impl Into<VictimIdEvent>) -> Step {
    let by = agency(by);
    let at = InputPosition { topic: "victim-id.events".to_owned(), partition: 0, offset };
    let news = delivery::domain::children::ChildNews { event: news.into(), at, by: by.clone() };
    Step { by, cause: "victim-id's event".to_owned(), asked: Asked::News(Box::new(News::VictimId(news))) }
}

/// Asks under the given command id: asking again under it is the same disclosure.
pub fn asks(by: &str, cause: &str, command: impl Into<DeliveryCommand>) -> Step {
    Step { by: agency(by), cause: cause.to_owned(), asked: Asked::Command(command.into()) }
}

/// Opens these facets of its own assignment under its own key.
pub fn opens(by: &str, names: &[&str]) -> Step {
    let facets = names.iter().map(|name| facet(name)).collect();
    let command = OpenFacets { assignment_id: assignment(by), facets, recipient_key_id: key(by) };
    asks(by, "command", command)
}

pub fn disclosure(cause: &str) -> DisclosureId {
    delivery::domain::disclosure_id(INCIDENT, cause)
}

/// One incident as it goes: the state, and the log that the state is the fold of.
#[derive(Clone)]
pub struct History {
    pub directory: Directory,
    pub state: Incident,
    pub log: Vec<Event<DeliveryEvent>>,
}

impl History {
    pub fn new() -> Self {
        Self { directory: directory(), state: Incident::default(), log: Vec::new() }
    }

    /// Decides the step, as the runner would, and takes in what follows; a refusal is on record too.
    pub fn take(&mut self, step: &Step) -> Decision {
        let kind = if step.by == AgencyId::own() { ActorKind::Service } else { ActorKind::Human };
        let actor = Actor { id: "somebody".to_owned(), kind };
        let context = Context {
            aggregate_id: INCIDENT,
            cause: &step.cause,
            now: now(),
            agency: &step.by,
            actor: &actor,
            directory: &self.directory,
        };
        let decision = match &step.asked {
            Asked::News(news) => Ok(Delivery::learn(&context, &self.state, news)),
            Asked::Command(command) => Delivery::decide(&context, &self.state, command),
        };
        let events = match &decision {
            Ok(events) => events.clone(),
            Err(rejection) => vec![refused(step, rejection).into()],
        };
        for body in events {
            let event = self.event(step, &actor, body);
            Delivery::evolve(&mut self.state, &event);
            self.log.push(event);
        }
        decision
    }

    fn event(&self, step: &Step, actor: &Actor, body: DeliveryEvent) -> Event<DeliveryEvent> {
        let sequence = self.log.len() as i64 + 1;
        let topic = DeliveryCommand::TOPIC.to_owned();
        Event {
            event_id: EventId::derive(&[&sequence.to_be_bytes()]),
            aggregate_id: INCIDENT.to_owned(),
            sequence,
            predecessor: Vec::new(),
            salt: Vec::new(),
            input: InputPosition { topic, partition: 0, offset: sequence },
            cause: step.cause.clone(),
            cause_digest: Vec::new(),
            time: now(),
            agency: step.by.clone(),
            actor: actor.clone(),
            directory_position: 0,
            signature: None,
            body,
        }
    }
}

fn refused(step: &Step, rejection: &Rejection) -> CommandRejected {
    let command = match &step.asked {
        Asked::Command(command) => command.name(),
        Asked::News(news) => match &**news {
            News::Routing(news) => news.event.name(),
            News::Mla(news) => news.event.name(),
            News::VictimId(news) => news.event.name(),
        },
    };
    CommandRejected {
        command_id: CommandId::derive(&[step.cause.as_bytes()]),
        command: command.to_owned(),
        code: rejection.code,
        pointer: rejection.pointer.clone(),
    }
}

/// Given steps that all succeed, when one more is taken, then it yields exactly this.
#[track_caller]
pub fn check(case: &str, given: &[Step], when: &Step, then: &Decision) {
    assert_eq!(&after(given).take(when), then, "{case}");
}

/// The history in which all these steps succeeded.
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
