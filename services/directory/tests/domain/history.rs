//! Random histories: whoever proposes and confirms what, nothing widens by one issuer's word alone.

use std::collections::{BTreeMap, BTreeSet};

use chassis::decider::Decider;
use directory::Directory;
use directory::domain::{EntryState, Pending, VISIBLE_HOURS};
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use proptest::test_runner::{FileFailurePersistence, TestCaseError};
use schemas::codes::*;
use schemas::directory::{
    Agency, ChangeProposed, ConfirmChange, DirectoryEvent, Entry, Policy, ProposeChange, WithdrawChange,
};
use schemas::envelope::Event;
use schemas::ids::{Country, EntryId};

use crate::world::*;

const CASES: u32 = 128;
const MAX_TURNS: usize = 40;
/// Who speaks for a State.
const AUTHORITIES: [AgencyKind; 3] =
    [AgencyKind::PoliceUnit, AgencyKind::CentralAuthority, AgencyKind::VictimIdentificationUnit];

/// One turn: who asks, after how long, for what; two persons of each agency act.
#[derive(Clone, Debug)]
struct Turn {
    by: &'static str,
    person: &'static str,
    actor: ActorKind,
    minutes: i64,
    ask: Ask,
}

#[derive(Clone, Debug)]
enum Ask {
    Propose(Box<Entry>),
    /// The coordinator is to watch these, too; the first of them says so.
    Watch(Vec<&'static str>),
    /// The proposal that the index picks of those that wait.
    Confirm(Index),
    /// The same, by an authority of the State concerned.
    ConfirmRightly(Index),
    Withdraw(Index),
    /// A proposal that never was.
    ConfirmUnknown,
}

fn agencies() -> impl Strategy<Value = Agency> {
    let parts = (
        select(AGENCIES.to_vec()),
        subsequence(vec!["first", "second", "third"], 0..=3),
        subsequence(vec![IncidentKind::Csam, IncidentKind::Other], 0..=2),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.1),
        subsequence(vec!["CH", "DE", "FR"], 1..=3),
    );
    parts.prop_map(|((id, code, kind, issuer), keys, kinds, at_any_hour, other_token, moved, scope)| {
        let mut agency = plain(id, code, kind, issuer);
        agency.keys = keys.into_iter().map(key).collect();
        agency.incident_kinds = kinds;
        agency.round_the_clock = at_any_hour;
        if other_token {
            agency.subject = "other".to_owned();
        }
        if moved {
            agency.country = country("NL");
        }
        if kind == AgencyKind::Coordinator {
            agency.scope = scope.into_iter().map(country).collect();
        }
        agency
    })
}

fn policies() -> impl Strategy<Value = Policy> {
    let kinds = [AgencyKind::PoliceUnit, AgencyKind::Coordinator];
    let parts = (
        subsequence(FacetKind::ALL.to_vec(), 0..=3),
        subsequence(PersonCategory::ALL.to_vec(), 0..=2),
        prop_oneof![4 => Just(kinds[0]), 1 => Just(kinds[1])],
        prop::bool::ANY,
    );
    parts.prop_map(|(facets, persons, agency_kind, transfers)| {
        let mut policy = policy();
        policy.rules[0].facets = facets;
        policy.rules[0].persons = persons;
        policy.rules[0].agency_kind = agency_kind;
        if agency_kind == AgencyKind::Coordinator {
            policy.rules[0].facets.clear();
        }
        if !transfers {
            policy.transfers.clear();
        }
        policy
    })
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let entry = prop_oneof![4 => agencies().prop_map(of_agency), 1 => policies().prop_map(of_policy)];
    let ask = prop_oneof![
        4 => entry.prop_map(|entry| Ask::Propose(Box::new(entry))),
        1 => subsequence(vec!["CH", "DE", "FR"], 1..=2).prop_shuffle().prop_map(Ask::Watch),
        4 => any::<Index>().prop_map(Ask::Confirm),
        2 => any::<Index>().prop_map(Ask::ConfirmRightly),
        1 => any::<Index>().prop_map(Ask::Withdraw),
        1 => Just(Ask::ConfirmUnknown),
    ];
    let by = select(AGENCIES.map(|agency| agency.0).to_vec());
    let actor = prop_oneof![9 => Just(ActorKind::Human), 1 => Just(ActorKind::Machine)];
    let turn = (by, select(vec!["one", "two"]), actor, 0_i64..2_000, ask);
    let turn = turn.prop_map(|(by, person, actor, minutes, ask)| Turn { by, person, actor, minutes, ask });
    prop::collection::vec(turn, 0..MAX_TURNS)
}

fn step(history: &History, turn: &Turn) -> Step {
    let waiting: Vec<(&String, &Pending)> =
        history.states.iter().filter_map(|(entry, state)| Some((entry, state.pending.as_ref()?))).collect();
    let picked = |index: &Index| (!waiting.is_empty()).then(|| *index.get(&waiting));
    let unknown = || confirms(turn.by, "agency/de-police", u32::MAX);
    let step = match &turn.ask {
        Ask::Watch(codes) => {
            let id = EntryId::try_new("agency/un-coordinator").unwrap();
            let mut entry = history.view.newest(&id).unwrap().clone();
            let scope = &mut entry.agency.as_mut().unwrap().scope;
            for watched in codes.iter().map(|code| country(code)) {
                if !scope.contains(&watched) {
                    scope.push(watched);
                }
            }
            proposes(&format!("{}-central", codes[0].to_lowercase()), &entry)
        }
        Ask::ConfirmRightly(index) => picked(index).map_or_else(unknown, |(entry, pending)| {
            let ChangeProposed { proposal_id, state_concerned, issuer, .. } = &pending.proposal;
            let code = state_concerned.as_ref().map_or("DE", Country::as_str);
            let right = AGENCIES.iter().find(|agency| {
                let other = format!("https://id.{}.example", agency.3) != *issuer;
                agency.1 == code && AUTHORITIES.contains(&agency.2) && other
            });
            let by = right.map_or(turn.by, |agency| agency.0);
            asks(by, entry, ConfirmChange { proposal_id: *proposal_id })
        }),
        Ask::Propose(entry) => {
            let id = entry.id().unwrap();
            asks(turn.by, id.as_str(), ProposeChange { entry: (**entry).clone() })
        }
        Ask::Confirm(index) => picked(index).map_or_else(unknown, |(entry, pending)| {
            asks(turn.by, entry, ConfirmChange { proposal_id: pending.proposal.proposal_id })
        }),
        Ask::Withdraw(index) => picked(index).map_or_else(unknown, |(entry, pending)| {
            asks(turn.by, entry, WithdrawChange { proposal_id: pending.proposal.proposal_id })
        }),
        Ask::ConfirmUnknown => unknown(),
    };
    step.with_kind(turn.actor).with_person(turn.person)
}

/// Everything that an entry lets somebody read or do, as words: what is not among them before is wider.
fn powers(entry: &Entry) -> BTreeSet<String> {
    let agency = entry.agency.iter().flat_map(|agency| {
        let all = || IncidentKind::ALL.to_vec();
        let kinds = if agency.incident_kinds.is_empty() { all() } else { agency.incident_kinds.clone() };
        let tokens = format!("tokens {} {}", agency.issuer, agency.subject);
        let is = format!("is {} {}", agency.kind, agency.country);
        let keys = agency.keys.iter().map(|key| format!("key {} {}", key.key_id, key.public_key));
        let kinds = kinds.into_iter().map(|kind| format!("takes {kind}"));
        let scope = agency.scope.iter().map(|country| format!("watches {country}"));
        let point = agency.round_the_clock.then(|| "round the clock".to_owned());
        [tokens, is].into_iter().chain(keys).chain(kinds).chain(scope).chain(point)
    });
    let policy = entry.policy.iter().flat_map(|policy| {
        let gives = |rule: &schemas::directory::AssignmentRule| {
            let target = format!("{} {} {:?} {:?}", rule.id, rule.agency_kind, rule.roles, rule.kinds);
            let facets = rule.facets.iter().map(|facet| format!("{target} {facet}")).collect::<Vec<_>>();
            let persons = rule.persons.iter().map(|person| format!("{target} {person}"));
            facets.into_iter().chain(persons).collect::<Vec<_>>()
        };
        policy.rules.iter().flat_map(gives).chain(policy.transfers.iter().map(|rule| format!("{rule:?}")))
    });
    agency.chain(policy).collect()
}

/// What one more event does to what was written last, and with whose word.
fn event(before: &History, event: &Event<DirectoryEvent>) -> Result<(), TestCaseError> {
    let state = before.state(&event.aggregate_id);
    match &event.body {
        DirectoryEvent::ChangeConfirmed(confirmed) => {
            let pending = state.pending.as_ref().unwrap();
            let confirmer = before.view.agency(&event.agency, event.time).unwrap();
            prop_assert!(confirmer.issuer != pending.proposal.issuer);
            prop_assert!(AUTHORITIES.contains(&confirmer.kind), "confirmed by a {}", confirmer.kind);
            let concerned = pending.proposal.state_concerned.as_ref();
            prop_assert!(concerned.is_none_or(|country| *country == confirmer.country));
            prop_assert_eq!(event.actor.kind, ActorKind::Human);
            prop_assert!((&event.agency, &event.actor.id) != (&pending.agency, &pending.actor.id));
            prop_assert_eq!(confirmed.acts_from, event.time.plus_minutes(VISIBLE_HOURS * 60));
            let watched = newly_watched(before, &event.aggregate_id, &pending.proposal.entry);
            prop_assert!(watched.len() <= 1, "comes to watch {:?} at once", watched);
            let own_word = watched.iter().all(|country| *country == confirmer.country);
            prop_assert!(own_word, "{} let watch {:?}", confirmer.country, watched);
            let id = EntryId::try_new(&event.aggregate_id).unwrap();
            let newest = before.view.newest(&id);
            let known = newest.map(powers).unwrap_or_default();
            let more = powers(&pending.proposal.entry).difference(&known).cloned().collect::<Vec<_>>();
            let home = newest.and_then(|entry| entry.agency.as_ref()).map(|agency| &agency.country);
            let else_of_it = more.iter().any(|words| !words.starts_with("watches"));
            let elsewhere = home.is_some_and(|country| *country != confirmer.country);
            prop_assert!(!(else_of_it && elsewhere), "{} gave {:?}", confirmer.country, more);
        }
        DirectoryEvent::EntryChanged(changed) => {
            let id = EntryId::try_new(&event.aggregate_id).unwrap();
            prop_assert_eq!(changed.entry.id(), Ok(id.clone()));
            let newest = before.view.newest(&id).map(powers).unwrap_or_default();
            let acting = before.view.entry(&id, event.time).map(powers).unwrap_or_default();
            let known: BTreeSet<String> = newest.intersection(&acting).cloned().collect();
            let wider: Vec<String> = powers(&changed.entry).difference(&known).cloned().collect();
            let last = before.log.last().unwrap();
            let confirmed =
                last.cause == event.cause && matches!(last.body, DirectoryEvent::ChangeConfirmed(_));
            prop_assert!(wider.is_empty() || confirmed, "{:?} by one word", wider);
            prop_assert!(changed.entry.policy.is_none() || confirmed, "a policy by one word");
            let stands = |entry: &Entry| entry.agency.as_ref().map(|agency| agency.country.clone());
            let stood = before.view.newest(&id).and_then(stands);
            let moved = stood.is_some() && stood != stands(&changed.entry);
            prop_assert!(!moved, "{} moved", id);
            let moment = if confirmed { event.time.plus_minutes(VISIBLE_HOURS * 60) } else { event.time };
            prop_assert_eq!(changed.acts_from, moment);
            coordinators_do_not_widen(before, event, &changed.entry, &wider)?;
        }
        _ => {}
    }
    Ok(())
}

/// What the entry comes to watch, beyond what was written last.
fn newly_watched(before: &History, id: &str, entry: &Entry) -> Vec<Country> {
    let id = EntryId::try_new(id).unwrap();
    let newest = before.view.newest(&id).and_then(|entry| entry.agency.as_ref());
    let known = newest.map_or(&[][..], |agency| &agency.scope);
    let scope = entry.agency.iter().flat_map(|agency| &agency.scope);
    scope.filter(|country| !known.contains(country)).cloned().collect()
}

fn coordinators_do_not_widen(
    before: &History,
    event: &Event<DirectoryEvent>,
    entry: &Entry,
    wider: &[String],
) -> Result<(), TestCaseError> {
    let for_coordinators = entry.agency.iter().any(|agency| agency.kind == AgencyKind::Coordinator)
        || wider.iter().any(|words| words.contains(AgencyKind::Coordinator.code()));
    let actor = before.view.agency(&event.agency, event.time).map(|agency| agency.kind);
    let widens = for_coordinators && !wider.is_empty();
    prop_assert!(!widens || actor != Some(AgencyKind::Coordinator), "a coordinator widened {:?}", wider);
    Ok(())
}

fn fold(log: &[Event<DirectoryEvent>]) -> BTreeMap<String, EntryState> {
    let mut states = BTreeMap::<String, EntryState>::new();
    for event in log {
        Directory::evolve(states.entry(event.aggregate_id.clone()).or_default(), event);
    }
    states
}

fn bytes(states: &BTreeMap<String, EntryState>) -> Vec<u8> {
    postcard::to_allocvec(states).unwrap()
}

/// A failure prints its seed, and keeps it beside this file.
fn config() -> ProptestConfig {
    let kept = FileFailurePersistence::WithSource("regressions");
    ProptestConfig { cases: CASES, failure_persistence: Some(Box::new(kept)), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_history_keeps_the_invariants(turns in turns()) {
        let mut history = History::new();
        let mut moment = now();
        for turn in &turns {
            moment = moment.plus_minutes(turn.minutes);
            let mut before = history.clone();
            let _ = history.take(&step(&history, turn).when(moment));
            for happened in &history.log[before.log.len()..] {
                event(&before, happened)?;
                before.log.push(happened.clone());
            }
        }

        let folded = bytes(&fold(&history.log));
        prop_assert_eq!(&folded, &bytes(&fold(&history.log)), "a second replay");
        prop_assert_eq!(&folded, &bytes(&history.states), "the states it was decided on");
        let restored: BTreeMap<String, EntryState> = postcard::from_bytes(&folded).unwrap();
        prop_assert_eq!(restored, history.states, "out of the cache");
        let mut view = schemas::directory::view::Directory::default();
        history.log.iter().for_each(|event| view.evolve(&event.body, event.time));
        prop_assert_eq!(view, history.view, "the view is a fold of the same log");
    }
}
