//! The world the tables play in: one referral, and the steps of a history.

use chassis::decider::{Context, Decider, Rejection};
use routing::Routing;
use routing::domain::{CommittedReferral, Incident, ReferralNews};
use schemas::codes::*;
use schemas::directory::view::Directory;
use schemas::directory::{DirectoryEvent, Entry, EntryChanged, GenesisLoaded};
use schemas::envelope::Body;
use schemas::ids::{
    AgencyId, AssessmentId, AssignmentId, CommandId, Country, EventId, FacetId, KeySetId, PersonRef,
    ReferralId, RetractionId,
};
use schemas::referral::{GateVerdict, Handling, Person, Referral, SealedFacet, Signal};
use schemas::routing::{
    AssignmentOffered, ClockDue, Entitlement, FacetRef, Ground, RoutingCommand, RoutingEvent, Transfer,
};
use schemas::{Actor, CommandRejected, Event, InputPosition, Timestamp};

use crate::directory::entries;

pub type Decision = Result<Vec<RoutingEvent>, Rejection>;

pub const INCIDENT: &str = "b8ae70e6-2155-8ca8-a9dd-4bdf40eed297";

/// What the policy says, in minutes.
pub const POLICE_RESPONDS: i64 = 4_320;
pub const POLICE_RESPONDS_IN_DANGER: i64 = 240;
pub const VICTIM_UNIT_RESPONDS: i64 = 10_080;
pub const ACKNOWLEDGES: i64 = 15;

/// Monday, 09:00 in Berlin: offices are open.
pub fn monday() -> Timestamp {
    at("2026-11-16T08:00:00Z")
}

/// Saturday, 02:00 in Berlin: offices are closed.
pub fn saturday_night() -> Timestamp {
    at("2026-11-21T01:00:00Z")
}

pub fn at(text: &str) -> Timestamp {
    text.parse::<jiff::Timestamp>().unwrap().into()
}

pub fn agency(id: &str) -> AgencyId {
    AgencyId::try_new(id).unwrap()
}

pub fn country(code: &str) -> Country {
    Country::try_new(code).unwrap()
}

pub fn countries(codes: &[&str]) -> Vec<Country> {
    codes.iter().map(|code| country(code)).collect()
}

pub fn person(name: &str) -> PersonRef {
    PersonRef::derive(&[name.as_bytes()])
}

/// The id an agency's assignment gets when the incident had `number` assignments before.
pub fn assignment(id: &str, number: usize) -> AssignmentId {
    AssignmentId::derive(&[INCIDENT.as_bytes(), id.as_bytes(), &number.to_be_bytes()])
}

/// The id an assessment gets when the incident had `number` assessments before.
pub fn assessment_id(number: u64) -> AssessmentId {
    AssessmentId::derive(&[INCIDENT.as_bytes(), &number.to_be_bytes()])
}

/// The id a retraction gets when the incident had `number` retractions before.
pub fn retraction_id(number: u64) -> RetractionId {
    RetractionId::derive(&[INCIDENT.as_bytes(), &number.to_be_bytes()])
}

/// An entry of the directory with some of its fields changed.
pub fn entry(id: &str, change: impl FnOnce(&mut Entry)) -> Entry {
    let mut entry = entries().into_iter().find(|entry| entry.id().unwrap().as_str() == id).unwrap();
    change(&mut entry);
    entry
}

pub fn signal(role: SignalRole, to: &str, basis: JurisdictionBasis, of: Option<&str>) -> Signal {
    Signal {
        role,
        countries: countries(&[to]),
        source: SignalSource::Ip,
        confidence: Confidence::High,
        basis,
        person_ref: of.map(person),
        item_ref: None,
    }
}

pub fn victim_in(to: &str) -> Signal {
    signal(SignalRole::Victim, to, JurisdictionBasis::VictimResidence, Some("victim"))
}

pub fn suspect_in(to: &str) -> Signal {
    signal(SignalRole::Offender, to, JurisdictionBasis::Territory, Some("suspect"))
}

/// The ground that a signal becomes, with the articles that support it.
pub fn ground(signal: &Signal, articles: &[&str]) -> Ground {
    Ground {
        role: signal.role,
        basis: signal.basis,
        source: signal.source,
        confidence: signal.confidence,
        articles: articles.iter().map(|article| (*article).to_owned()).collect(),
        person_ref: signal.person_ref,
    }
}

pub fn victim_ground(to: &str) -> Ground {
    let articles = ["Lanzarote Convention Article 25(2)", "Regulation (EU) 2022/2065 Article 18(2)"];
    ground(&victim_in(to), &articles)
}

pub fn suspect_ground(to: &str) -> Ground {
    let articles = [
        "Budapest Convention Article 22(1)(a)",
        "OPSC Article 4(1)",
        "Lanzarote Convention Article 25(1)(a)",
    ];
    ground(&suspect_in(to), &articles)
}

fn people() -> Vec<Person> {
    let person = |name, category| Person {
        person_ref: person(name),
        category,
        age_band: AgeBand::Unknown,
        facet_id: FacetId::derive(&[name.as_bytes()]),
    };
    vec![
        person("victim", PersonCategory::Victim),
        person("suspect", PersonCategory::Suspect),
        person("somebody", PersonCategory::Undetermined),
        person("witness", PersonCategory::WitnessOrReporter),
    ]
}

fn key_set() -> KeySetId {
    KeySetId::derive(&[b"keys"])
}

fn sealed(name: &str, kind: FacetKind, person_ref: Option<PersonRef>) -> SealedFacet {
    let facet_id = FacetId::derive(&[name.as_bytes()]);
    SealedFacet { facet_id, kind, person_ref, key_set_id: key_set(), nonce: vec![1], ciphertext: vec![2] }
}

/// What an agency says in its own words, sealed.
pub fn note() -> SealedFacet {
    sealed("note", FacetKind::AnswerText, None)
}

/// An agency's own number for its case, sealed.
pub fn case_number(number: &str) -> SealedFacet {
    sealed(number, FacetKind::CaseNumber, None)
}

/// Of a Dutch hotline, routine, without a signal: a victim, a suspect, somebody, and a witness.
pub fn referral(signals: Vec<Signal>) -> Referral {
    let people = people();
    let mut facets: Vec<SealedFacet> = ["victim", "suspect", "somebody", "witness"]
        .map(|name| sealed(name, FacetKind::Person, Some(person(name))))
        .to_vec();
    facets.push(sealed("narrative", FacetKind::Narrative, None));
    Referral {
        referral_id: ReferralId::derive(&[b"referral"]),
        reporter: agency("nl-hotline"),
        reporter_country: country("NL"),
        form: ReferralForm::Json,
        kind: IncidentKind::Csam,
        urgency: Urgency::Routine,
        danger_reason: None,
        week: Some("2026-W47".to_owned()),
        annotations: vec![Annotation::Grooming],
        items: Vec::new(),
        people,
        facets,
        signals,
        selectors: Vec::new(),
        handling: Handling {
            tlp: Tlp::Amber,
            codes: Vec::new(),
            purpose: Purpose::ChildProtection,
            retain_until: None,
            never_told: Vec::new(),
            transfers: TransferPolicy::Standing,
        },
        gate: GateVerdict { version: 1, withheld: Vec::new() },
        ip_database: None,
        asks_to_join: None,
    }
}

pub fn in_danger(signals: Vec<Signal>) -> Referral {
    Referral {
        urgency: Urgency::ImminentDanger,
        danger_reason: Some(DangerReason::OngoingAbuse),
        ..referral(signals)
    }
}

pub fn per_case(mut referral: Referral) -> Referral {
    referral.handling.transfers = TransferPolicy::PerCase;
    referral
}

/// Where the referral stands in `referral.events`, after so many amendments.
fn committed_at(amendment: i32) -> InputPosition {
    let offset = 7 + i64::from(amendment);
    InputPosition { topic: "referral.events".to_owned(), partition: 0, offset }
}

pub fn facet_refs(referral: &Referral, amendment: i32) -> Vec<FacetRef> {
    let reference = |facet: &SealedFacet| FacetRef {
        facet_id: facet.facet_id,
        kind: facet.kind,
        person_ref: facet.person_ref,
        key_set_id: facet.key_set_id,
        at: committed_at(amendment),
    };
    referral.facets.iter().map(reference).collect()
}

/// What the policy gives a police unit, in the order of the code list.
pub fn police_facets() -> Vec<FacetKind> {
    vec![
        FacetKind::Person,
        FacetKind::Narrative,
        FacetKind::ContentLocations,
        FacetKind::Report,
        FacetKind::PerceptualDigests,
    ]
}

pub fn within_the_union() -> Transfer {
    Transfer {
        basis: TransferBasis::IntraUnion,
        rule: Some("within-the-union".to_owned()),
        article: "Directive (EU) 2016/680 Article 9(3) and (4)".to_owned(),
        authorisation: Authorisation::Standing,
    }
}

pub fn with_safeguards() -> Transfer {
    Transfer {
        basis: TransferBasis::Safeguards,
        rule: Some("union-to-safeguards".to_owned()),
        article: "Directive (EU) 2016/680 Article 37".to_owned(),
        authorisation: Authorisation::Standing,
    }
}

/// The first offer to a police unit of the Union on Monday, routine.
pub fn police_offer(id: &str, to: &str, grounds: Vec<Ground>, persons: &[&str]) -> AssignmentOffered {
    AssignmentOffered {
        assignment_id: assignment(id, 0),
        agency: agency(id),
        country: country(to),
        grounds,
        rule: "police-investigates".to_owned(),
        policy_version: 1,
        entitlement: Entitlement {
            facet_kinds: police_facets(),
            persons: persons.iter().map(|name| person(name)).collect(),
            opens_with_offer: false,
        },
        transfer: within_the_union(),
        respond_by: monday().plus_minutes(POLICE_RESPONDS),
        forwarded_from: None,
    }
}

/// The same in imminent danger, at the given moment.
pub fn danger_offer(offer: AssignmentOffered, now: Timestamp) -> AssignmentOffered {
    AssignmentOffered {
        rule: "police-imminent-danger + police-investigates".to_owned(),
        entitlement: Entitlement { opens_with_offer: true, ..offer.entitlement },
        respond_by: now.plus_minutes(POLICE_RESPONDS_IN_DANGER),
        ..offer
    }
}

/// Who asks what, and when.
#[derive(Clone, Debug)]
pub struct Step {
    pub by: AgencyId,
    pub actor: ActorKind,
    pub now: Timestamp,
    pub asked: Asked,
}

#[derive(Clone, Debug)]
pub enum Asked {
    Referral(Box<ReferralNews>),
    Command(RoutingCommand),
    /// The directory changes before the next step.
    Entry(Box<Entry>),
}

/// A person of the agency asks, on Monday.
pub fn asks(by: &str, command: impl Into<RoutingCommand>) -> Step {
    let asked = Asked::Command(command.into());
    Step { by: agency(by), actor: ActorKind::Human, now: monday(), asked }
}

pub fn referred(referral: Referral) -> Step {
    amended(0, referral)
}

/// The referral comes in again, as its reporter has amended it for the given time.
pub fn amended(amendment: i32, referral: Referral) -> Step {
    let by = referral.reporter.clone();
    let committed = CommittedReferral { amendment, referral, at: committed_at(amendment) };
    let asked = Asked::Referral(Box::new(ReferralNews::Committed(committed)));
    Step { by, actor: ActorKind::Service, now: monday(), asked }
}

/// The Dutch hotline has withdrawn its referral.
pub fn withdrawn(reason: RetractionReason) -> Step {
    let asked = Asked::Referral(Box::new(ReferralNews::Withdrawn(reason)));
    Step { by: agency("nl-hotline"), actor: ActorKind::Service, now: monday(), asked }
}

/// The clock rings at its due time.
pub fn rings(assignment_id: AssignmentId, due: Timestamp) -> Step {
    let asked = Asked::Command(ClockDue { assignment_id, due }.into());
    Step { by: agency("causeway"), actor: ActorKind::Service, now: due, asked }
}

pub fn stands(entry: Entry) -> Step {
    let asked = Asked::Entry(Box::new(entry));
    Step { by: agency("un-coordinator"), actor: ActorKind::Human, now: monday(), asked }
}

impl Step {
    pub fn at(self, now: Timestamp) -> Self {
        Self { now, ..self }
    }

    pub fn by_machine(self) -> Self {
        Self { actor: ActorKind::Machine, ..self }
    }
}

/// One incident as it goes: the directory, the state, and the log that the state is the fold of.
#[derive(Clone)]
pub struct History {
    pub directory: Directory,
    pub state: Incident,
    pub log: Vec<Event<RoutingEvent>>,
}

impl History {
    pub fn new() -> Self {
        let mut directory = Directory::default();
        directory.evolve(&GenesisLoaded { entries: entries() }.into(), Timestamp::default());
        Self { directory, state: Incident::default(), log: Vec::new() }
    }

    /// Decides the step, as the runner would, and takes in what follows; a refusal is on record too.
    pub fn take(&mut self, step: &Step) -> Decision {
        let actor = Actor { id: "somebody".to_owned(), kind: step.actor };
        let cause = format!("step {}", self.log.len());
        let context = Context {
            aggregate_id: INCIDENT,
            cause: &cause,
            now: step.now,
            agency: &step.by,
            actor: &actor,
            directory: &self.directory,
        };
        let decision = match &step.asked {
            Asked::Referral(news) => Ok(Routing::learn(&context, &self.state, news)),
            Asked::Command(command) => Routing::decide(&context, &self.state, command),
            Asked::Entry(entry) => {
                let changed = EntryChanged { entry: (**entry).clone(), acts_from: step.now };
                self.directory.evolve(&DirectoryEvent::from(changed), step.now);
                Ok(Vec::new())
            }
        };
        let events = match &decision {
            Ok(events) => events.clone(),
            Err(rejection) => vec![refused(&cause, &step.asked, rejection).into()],
        };
        for body in events {
            let event = self.event(&cause, step, &actor, body);
            Routing::evolve(&mut self.state, &event);
            self.log.push(event);
        }
        decision
    }

    fn event(&self, cause: &str, step: &Step, actor: &Actor, body: RoutingEvent) -> Event<RoutingEvent> {
        let sequence = self.log.len() as i64 + 1;
        Event {
            event_id: EventId::derive(&[&sequence.to_be_bytes()]),
            aggregate_id: INCIDENT.to_owned(),
            sequence,
            predecessor: Vec::new(),
            salt: Vec::new(),
            input: InputPosition { topic: RoutingCommand::TOPIC.to_owned(), partition: 0, offset: sequence },
            cause: cause.to_owned(),
            cause_digest: Vec::new(),
            time: step.now,
            agency: step.by.clone(),
            actor: actor.clone(),
            directory_position: 0,
            signature: None,
            body,
        }
    }
}

fn refused(cause: &str, asked: &Asked, rejection: &Rejection) -> CommandRejected {
    let command = match asked {
        Asked::Command(command) => command.name(),
        Asked::Referral(_) | Asked::Entry(_) => "",
    };
    CommandRejected {
        command_id: CommandId::derive(&[cause.as_bytes()]),
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
