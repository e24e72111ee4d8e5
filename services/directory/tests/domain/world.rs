//! The world the tables play in: a directory of two countries, and the steps of its history.

use std::collections::BTreeMap;

use chassis::decider::{Context, Decider, Rejection};
use directory::Directory;
use directory::domain::{EntryState, GENESIS};
use schemas::codes::*;
use schemas::directory::{
    Agency, AgencyKey, AssignmentRule, ConfirmChange, DirectoryCommand, DirectoryEvent, Entry, GenesisLoaded,
    Policy, ProposeChange, TransferRule, WithdrawChange, view,
};
use schemas::envelope::Body;
use schemas::ids::{AgencyId, CommandId, Country, EventId, KeyId, ProposalId};
use schemas::{Actor, CommandRejected, Event, InputPosition, Timestamp};

pub type Decision = Result<Vec<DirectoryEvent>, Rejection>;

pub fn now() -> Timestamp {
    "2026-11-16T08:00:00Z".parse::<jiff::Timestamp>().unwrap().into()
}

/// When a change confirmed now begins to act.
pub fn a_day_later() -> Timestamp {
    now().plus_minutes(24 * 60)
}

pub fn country(code: &str) -> Country {
    Country::try_new(code).unwrap()
}

/// The agencies by id, country, kind and issuer. Two of Germany share an issuer.
pub const AGENCIES: [(&str, &str, AgencyKind, &str); 8] = [
    ("de-police", "DE", AgencyKind::PoliceUnit, "eu"),
    ("de-central", "DE", AgencyKind::CentralAuthority, "national"),
    ("de-hotline", "DE", AgencyKind::Hotline, "eu"),
    ("fr-police", "FR", AgencyKind::PoliceUnit, "eu"),
    ("fr-central", "FR", AgencyKind::CentralAuthority, "national"),
    ("ch-central", "CH", AgencyKind::CentralAuthority, "alpine"),
    ("ch-police", "CH", AgencyKind::PoliceUnit, "eu"),
    ("un-coordinator", "CH", AgencyKind::Coordinator, "un"),
];

pub fn entries() -> Vec<Entry> {
    let agencies = AGENCIES.map(|(id, code, kind, issuer)| plain(id, code, kind, issuer));
    agencies.into_iter().map(of_agency).chain([of_policy(policy())]).collect()
}

pub fn of_agency(agency: Agency) -> Entry {
    Entry { agency: Some(agency), ..Entry::default() }
}

pub fn of_policy(policy: Policy) -> Entry {
    Entry { policy: Some(policy), ..Entry::default() }
}

pub fn plain(id: &str, code: &str, kind: AgencyKind, issuer: &str) -> Agency {
    let scope = if kind == AgencyKind::Coordinator { vec![country("DE")] } else { Vec::new() };
    Agency {
        id: AgencyId::try_new(id).unwrap(),
        name: id.to_owned(),
        country: country(code),
        kind,
        incident_kinds: Vec::new(),
        round_the_clock: false,
        issuer: format!("https://id.{issuer}.example"),
        subject: id.to_owned(),
        keys: vec![key("first")],
        signing_keys: Vec::new(),
        duty_contacts: Vec::new(),
        scope,
        wellbeing: None,
    }
}

pub fn key(id: &str) -> AgencyKey {
    AgencyKey { key_id: KeyId::try_new(id).unwrap(), public_key: format!("public key {id}") }
}

pub fn policy() -> Policy {
    Policy {
        name: "default".to_owned(),
        version: 1,
        acknowledge_within_minutes: 15,
        rules: vec![AssignmentRule {
            id: "police".to_owned(),
            roles: vec![SignalRole::Offender],
            kinds: vec![IncidentKind::Csam],
            urgencies: vec![Urgency::Routine],
            agency_kind: AgencyKind::PoliceUnit,
            facets: vec![FacetKind::Person, FacetKind::Narrative],
            persons: vec![PersonCategory::Suspect],
            respond_within_minutes: 60,
        }],
        transfers: vec![TransferRule {
            id: "union".to_owned(),
            from: vec![country("DE")],
            to: vec![country("FR")],
            basis: TransferBasis::IntraUnion,
            article: "Directive (EU) 2016/680 Article 9".to_owned(),
        }],
    }
}

/// An agency of the directory, changed.
pub fn changed(id: &str, change: impl FnOnce(&mut Agency)) -> Entry {
    let (id, code, kind, issuer) = *AGENCIES.iter().find(|agency| agency.0 == id).unwrap();
    let mut agency = plain(id, code, kind, issuer);
    change(&mut agency);
    of_agency(agency)
}

pub fn changed_policy(change: impl FnOnce(&mut Policy)) -> Entry {
    let mut policy = policy();
    change(&mut policy);
    of_policy(policy)
}

/// A change of the agency that widens reading.
pub fn with_key(id: &str, name: &str) -> Entry {
    changed(id, |agency| agency.keys.push(key(name)))
}

/// The id of an entry's proposal, counted from 1.
pub fn proposal(entry: &str, number: u32) -> ProposalId {
    ProposalId::derive(&[entry.as_bytes(), &number.to_be_bytes()])
}

/// Who asks what of which entry, and when.
#[derive(Clone, Debug)]
pub struct Step {
    pub entry: String,
    pub by: AgencyId,
    pub actor: Actor,
    pub now: Timestamp,
    pub command: DirectoryCommand,
}

pub fn asks(by: &str, entry: &str, command: impl Into<DirectoryCommand>) -> Step {
    let by = AgencyId::try_new(by).unwrap();
    let actor = Actor { id: format!("somebody of {by}"), kind: ActorKind::Human };
    Step { entry: entry.to_owned(), by, actor, now: now(), command: command.into() }
}

pub fn proposes(by: &str, entry: &Entry) -> Step {
    asks(by, entry.id().unwrap().as_str(), ProposeChange { entry: entry.clone() })
}

pub fn confirms(by: &str, entry: &str, number: u32) -> Step {
    asks(by, entry, ConfirmChange { proposal_id: proposal(entry, number) })
}

pub fn withdraws(by: &str, entry: &str, number: u32) -> Step {
    asks(by, entry, WithdrawChange { proposal_id: proposal(entry, number) })
}

impl Step {
    pub fn when(self, now: Timestamp) -> Self {
        Self { now, ..self }
    }

    pub fn with_kind(mut self, kind: ActorKind) -> Self {
        self.actor.kind = kind;
        self
    }

    pub fn with_person(mut self, id: &str) -> Self {
        id.clone_into(&mut self.actor.id);
        self
    }
}

/// The directory as it goes: the view that decisions see, every entry's state, and the log.
#[derive(Clone, Default)]
pub struct History {
    pub view: view::Directory,
    pub states: BTreeMap<String, EntryState>,
    pub log: Vec<Event<DirectoryEvent>>,
}

impl History {
    /// The genesis was loaded long ago.
    pub fn new() -> Self {
        let mut history = Self::default();
        let genesis = Actor::service("directory");
        let by = AgencyId::try_new("causeway").unwrap();
        let loaded = GenesisLoaded { entries: entries() };
        history.put(GENESIS, "genesis", &by, &genesis, Timestamp::default(), loaded.into());
        history
    }

    pub fn state(&self, entry: &str) -> EntryState {
        self.states.get(entry).cloned().unwrap_or_default()
    }

    /// Decides the step, as the runner would, and takes in what follows; a refusal is on record too.
    pub fn take(&mut self, step: &Step) -> Decision {
        let cause = format!("step {}", self.log.len());
        let context = Context {
            aggregate_id: &step.entry,
            cause: &cause,
            now: step.now,
            agency: &step.by,
            actor: &step.actor,
            directory: &self.view,
        };
        let decision = Directory::decide(&context, &self.state(&step.entry), &step.command);
        let events = match &decision {
            Ok(events) => events.clone(),
            Err(rejection) => vec![
                CommandRejected {
                    command_id: CommandId::derive(&[cause.as_bytes()]),
                    command: step.command.name().to_owned(),
                    code: rejection.code,
                    pointer: rejection.pointer.clone(),
                }
                .into(),
            ],
        };
        for body in events {
            self.put(&step.entry, &cause, &step.by, &step.actor, step.now, body);
        }
        decision
    }

    fn put(
        &mut self,
        entry: &str,
        cause: &str,
        by: &AgencyId,
        actor: &Actor,
        now: Timestamp,
        body: DirectoryEvent,
    ) {
        let sequence = self.log.len() as i64 + 1;
        let topic = DirectoryCommand::TOPIC.to_owned();
        let event = Event {
            event_id: EventId::derive(&[&sequence.to_be_bytes()]),
            aggregate_id: entry.to_owned(),
            sequence,
            predecessor: Vec::new(),
            salt: Vec::new(),
            input: InputPosition { topic, partition: 0, offset: sequence },
            cause: cause.to_owned(),
            cause_digest: Vec::new(),
            time: now,
            agency: by.clone(),
            actor: actor.clone(),
            directory_position: sequence - 2,
            signature: None,
            body,
        };
        self.view.evolve(&event.body, event.time);
        Directory::evolve(self.states.entry(entry.to_owned()).or_default(), &event);
        self.log.push(event);
    }
}

/// Given a directory and steps that all succeed, when one more is taken, then it yields exactly this.
#[track_caller]
pub fn check(case: &str, given: &[Step], when: &Step, then: &Decision) {
    let mut history = History::new();
    for step in given {
        let taken = history.take(step);
        assert!(taken.is_ok(), "{case}: given {step:?}, but {taken:?}");
    }
    assert_eq!(&history.take(when), then, "{case}");
}

pub fn refuses(code: RejectionCode) -> Decision {
    Err(code.into())
}

pub fn refuses_at(code: RejectionCode, pointer: &str) -> Decision {
    Err(Rejection::at(code, pointer))
}
