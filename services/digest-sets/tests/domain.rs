//! Digest sets as their users meet them: given an entry, when somebody asks, then this.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::sync::LazyLock;

use chassis::decider::{Context, Rejection};
use digest_sets::domain;
use schemas::codes::{ActorKind, AgencyKind, DigestAlgorithm, EntryVote, RejectionCode};
use schemas::digest_sets::*;
use schemas::directory::view::Directory;
use schemas::directory::{Agency, DirectoryEvent, Entry, GenesisLoaded};
use schemas::ids::{AgencyId, Country, SetEntryId, SetName};
use schemas::{Actor, Timestamp};

static DIRECTORY: LazyLock<Directory> = LazyLock::new(|| {
    let all = [
        ("nl-hotline", "NL", AgencyKind::Hotline),
        ("nl-police", "NL", AgencyKind::PoliceUnit),
        ("fr-unit", "FR", AgencyKind::VictimIdentificationUnit),
        ("de-police", "DE", AgencyKind::PoliceUnit),
        ("ie-provider", "IE", AgencyKind::Provider),
    ];
    let entries = all.map(|(id, code, kind)| {
        let agency = Agency {
            id: agency(id),
            name: format!("Example {id}"),
            country: Country::try_new(code).unwrap(),
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
        Entry { agency: Some(agency), ..Entry::default() }
    });
    let mut directory = Directory::default();
    let genesis = GenesisLoaded { entries: entries.into() };
    directory.evolve(&DirectoryEvent::GenesisLoaded(genesis), Timestamp::default());
    directory
});

fn agency(id: &str) -> AgencyId {
    AgencyId::try_new(id).unwrap()
}

/// One entry with everything that has happened to it.
#[derive(Default)]
struct Known {
    entry: SetEntry,
}

impl Known {
    /// As a hotline has published it.
    fn published() -> Self {
        let mut known = Self::default();
        known.ask("nl-hotline", publication()).unwrap();
        known
    }

    fn ask(&mut self, by: &str, command: impl Into<DigestSetsCommand>) -> Result<usize, Rejection> {
        self.ask_as(by, ActorKind::Human, command)
    }

    fn ask_as(
        &mut self,
        by: &str,
        kind: ActorKind,
        command: impl Into<DigestSetsCommand>,
    ) -> Result<usize, Rejection> {
        let (by, actor) = (agency(by), Actor { id: "somebody".to_owned(), kind });
        let id = SetEntryId::of_entry(&by, &SetName::try_new("confirmed").unwrap(), "1").to_string();
        let context = Context {
            aggregate_id: &id,
            cause: "command",
            now: Timestamp::default(),
            agency: &by,
            actor: &actor,
            directory: &DIRECTORY,
        };
        let events = domain::decide(&context, &self.entry, &command.into())?;
        events.iter().for_each(|event| self.entry.evolve(event));
        Ok(events.len())
    }
}

fn publication() -> PublishEntry {
    let digest = |algorithm, digits: usize| SetDigest { algorithm, value: "AB".repeat(digits / 2) };
    PublishEntry {
        set: SetName::try_new("confirmed").unwrap(),
        entry: "1".to_owned(),
        member: None,
        classification: Some("A1".to_owned()),
        digests: vec![digest(DigestAlgorithm::Md5, 32), digest(DigestAlgorithm::Pdq, 64)],
    }
}

fn says(vote: EntryVote) -> VoteOnEntry {
    VoteOnEntry { vote }
}

#[test]
fn an_entry_closes_items_once_two_states_have_seen_it_and_no_longer_once_one_disputes_it() {
    let mut known = Known::published();
    assert!(!known.entry.closes(), "one agency alone closes nothing");
    known.ask("nl-police", says(EntryVote::Agreed)).unwrap();
    assert!(!known.entry.closes(), "nor does one State");
    known.ask("fr-unit", says(EntryVote::Agreed)).unwrap();
    assert!(known.entry.closes());
    known.ask("de-police", says(EntryVote::Disputed)).unwrap();
    assert!(!known.entry.closes() && known.entry.is_disputed());
    known.ask("de-police", says(EntryVote::Agreed)).unwrap();
    assert!(known.entry.closes(), "whoever disputes it may come to agree");
    known.ask("nl-hotline", WithdrawEntry {}).unwrap();
    assert!(!known.entry.closes() && known.entry.standing().is_none());
}

#[test]
fn votes_fall_when_what_was_voted_on_changes() {
    let mut known = Known::published();
    known.ask("fr-unit", says(EntryVote::Agreed)).unwrap();
    let again = known.ask("nl-hotline", publication()).unwrap_err();
    assert_eq!(again.code, RejectionCode::Unchanged, "the same again is nothing new");
    assert!(known.entry.closes());
    let other = PublishEntry { classification: Some("B1".to_owned()), ..publication() };
    known.ask("nl-hotline", other).unwrap();
    assert!(!known.entry.closes() && known.entry.votes.is_empty());
}

#[test]
fn whoever_sees_material_publishes_and_votes_and_a_vote_is_a_persons_and_anothers() {
    let mut known = Known::published();
    let refused = |result: Result<usize, Rejection>| result.unwrap_err().code;
    assert_eq!(refused(known.ask("ie-provider", publication())), RejectionCode::NotEntitled);
    assert_eq!(refused(known.ask("ie-provider", says(EntryVote::Agreed))), RejectionCode::NotEntitled);
    assert_eq!(refused(known.ask("nl-hotline", says(EntryVote::Agreed))), RejectionCode::Invalid);
    let by_machine = known.ask_as("fr-unit", ActorKind::Machine, says(EntryVote::Agreed));
    assert_eq!(refused(by_machine), RejectionCode::NeedsAPerson);
    assert_eq!(refused(known.ask("fr-unit", WithdrawEntry {})), RejectionCode::NotEntitled);
    let mut nothing = Known::default();
    assert_eq!(refused(nothing.ask("fr-unit", says(EntryVote::Agreed))), RejectionCode::UnknownEntry);
    assert_eq!(nothing.ask_as("nl-hotline", ActorKind::Machine, publication()), Ok(1), "tools import sets");
}

#[test]
fn what_is_no_digest_or_no_label_is_named() {
    let digest = |algorithm, value: &str| vec![SetDigest { algorithm, value: value.to_owned() }];
    let table = [
        ("/digests", PublishEntry { digests: Vec::new(), ..publication() }),
        ("/digests/0/value", PublishEntry { digests: digest(DigestAlgorithm::Md5, "ab"), ..publication() }),
        (
            "/digests/0/algorithm",
            PublishEntry { digests: digest(DigestAlgorithm::Sha512, &"ab".repeat(64)), ..publication() },
        ),
        ("/entry", PublishEntry { entry: "1<2".to_owned(), ..publication() }),
        ("/classification", PublishEntry { classification: Some(String::new()), ..publication() }),
        ("/member", PublishEntry { member: Some("x".repeat(65)), ..publication() }),
    ];
    for (pointer, command) in table {
        let refused = Known::default().ask("nl-hotline", command).unwrap_err();
        assert_eq!((refused.code, refused.pointer.as_deref()), (RejectionCode::Invalid, Some(pointer)));
    }
    let mut known = Known::published();
    known.ask("nl-police", says(EntryVote::Agreed)).unwrap();
    assert_eq!(known.ask("nl-police", says(EntryVote::Agreed)).unwrap_err().code, RejectionCode::Unchanged);
    assert_eq!(known.entry.standing().unwrap().digests[0].value, "ab".repeat(16), "in lower case");
}
