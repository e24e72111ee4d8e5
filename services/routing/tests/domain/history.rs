//! Random histories: whatever is asked, by whomever, in whatever order, the invariants hold.

use std::collections::{BTreeMap, BTreeSet};

use chassis::decider::Decider;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use proptest::test_runner::{FileFailurePersistence, TestCaseError};
use routing::Routing;
use routing::domain::{Assignment, Incident};
use schemas::codes::*;
use schemas::ids::{AssignmentId, Country};
use schemas::referral::{Handling, Referral, Signal};
use schemas::routing::*;

use crate::world::*;

const CASES: u32 = 128;
const MAX_TURNS: usize = 40;
const COUNTRIES: [&str; 8] = ["BR", "DE", "FR", "JP", "KE", "NL", "PH", "US"];
const AGENCIES: [&str; 12] = [
    "br-police",
    "de-central",
    "de-police",
    "fr-police",
    "fr-victim-id",
    "ke-police",
    "nl-hotline",
    "nl-police",
    "ph-police",
    "un-coordinator",
    "us-police",
    "us-provider",
];

/// One turn: who asks, after how long, for what.
#[derive(Clone, Debug)]
struct Turn {
    by: By,
    actor: ActorKind,
    minutes: i64,
    ask: Ask,
}

#[derive(Clone, Debug)]
enum By {
    /// Whoever holds the assignment that is picked.
    Holder,
    Originator,
    Anybody(&'static str),
}

#[derive(Clone, Debug)]
enum Ask {
    Accept,
    Decline,
    Forward(&'static str),
    Revoke,
    Close,
    Assess(AssessmentKind, Option<&'static str>),
    Authorise(Vec<&'static str>),
    AcceptLead(&'static str),
    DisputeLead(&'static str, &'static str),
    RecordLead(&'static str),
    /// One of the clocks that run rings when it is due.
    Ring,
    /// A clock rings that does not run.
    StaleRing(i64),
    /// The referral comes in again.
    Again,
}

fn signals() -> impl Strategy<Value = Vec<Signal>> {
    let one = (
        select(SignalRole::ALL),
        select(JurisdictionBasis::ALL),
        subsequence(COUNTRIES.to_vec(), 1..=2),
        proptest::option::of(select(vec!["victim", "suspect", "somebody", "witness"])),
    );
    let one = one.prop_map(|(role, basis, to, of)| Signal {
        countries: countries(&to),
        ..signal(role, "DE", basis, of)
    });
    prop::collection::vec(one, 0..6)
}

fn referrals() -> impl Strategy<Value = Referral> {
    let reporters = select(vec![("nl-hotline", "NL"), ("us-provider", "US")]);
    let never_told = subsequence(COUNTRIES.to_vec(), 0..=2);
    let parts = (signals(), reporters, never_told, select(TransferPolicy::ALL), select(Urgency::ALL));
    parts.prop_map(|(signals, (id, from), never_told, transfers, urgency)| {
        let plain = referral(signals);
        let handling = Handling { never_told: countries(&never_told), transfers, ..plain.handling };
        Referral { reporter: agency(id), reporter_country: country(from), urgency, handling, ..plain }
    })
}

fn asked() -> impl Strategy<Value = Ask> {
    let state = || select(COUNTRIES.to_vec());
    let assessments = select(vec![
        (AssessmentKind::Urgency, Some("imminent-danger")),
        (AssessmentKind::Urgency, Some("routine")),
        (AssessmentKind::Kind, Some("online-solicitation")),
        (AssessmentKind::Kind, Some("no-such-kind")),
        (AssessmentKind::FalsePositive, None),
    ]);
    prop_oneof![
        3 => Just(Ask::Accept),
        2 => Just(Ask::Decline),
        3 => select(AGENCIES.to_vec()).prop_map(Ask::Forward),
        2 => Just(Ask::Revoke),
        2 => Just(Ask::Close),
        3 => assessments.prop_map(|(kind, value)| Ask::Assess(kind, value)),
        2 => subsequence(COUNTRIES.to_vec(), 0..4).prop_map(Ask::Authorise),
        1 => state().prop_map(Ask::AcceptLead),
        1 => (state(), state()).prop_map(|(country, proposes)| Ask::DisputeLead(country, proposes)),
        1 => state().prop_map(Ask::RecordLead),
        5 => Just(Ask::Ring),
        1 => (-10_000_i64..10_000).prop_map(Ask::StaleRing),
        1 => Just(Ask::Again),
    ]
}

fn turns() -> impl Strategy<Value = Vec<(Turn, Index)>> {
    let by = prop_oneof![
        5 => Just(By::Holder),
        2 => Just(By::Originator),
        2 => select(AGENCIES.to_vec()).prop_map(By::Anybody),
    ];
    let actor = prop_oneof![4 => Just(ActorKind::Human), 1 => Just(ActorKind::Machine)];
    let turn = (by, actor, 0_i64..600, asked());
    let turn = turn.prop_map(|(by, actor, minutes, ask)| Turn { by, actor, minutes, ask });
    prop::collection::vec((turn, any::<Index>()), 0..MAX_TURNS)
}

/// The turn as a step, about the assignment that the index picks.
fn step(history: &History, referral: &Referral, turn: &Turn, pick: &Index, now: schemas::Timestamp) -> Step {
    let assignments: Vec<(&AssignmentId, &Assignment)> = history.state.assignments.iter().collect();
    let picked = (!assignments.is_empty()).then(|| *pick.get(&assignments));
    let assignment_id = picked.map_or(assignment("de-police", 0), |(id, _)| *id);
    let by = match (&turn.by, picked) {
        (By::Anybody(id), _) => id,
        (By::Originator, _) => referral.reporter.as_str(),
        (By::Holder, Some((_, assignment))) => assignment.offer.agency.as_str(),
        (By::Holder, None) => "de-police",
    };
    let command: RoutingCommand = match &turn.ask {
        Ask::Accept => AcceptAssignment { assignment_id }.into(),
        Ask::Decline => DeclineAssignment { assignment_id, reason: DeclineReason::NoCapacity }.into(),
        Ask::Forward(to) => ForwardAssignment { assignment_id, to: agency(to) }.into(),
        Ask::Revoke => RevokeAssignment { assignment_id, reason: RevokeReason::FalsePositive }.into(),
        Ask::Close => CloseAssignment { assignment_id, outcome: CloseOutcome::NoFurtherAction }.into(),
        Ask::Assess(kind, value) => {
            let (value, reason) = (value.map(str::to_owned), AssessmentReason::ExpertOpinion);
            AddAssessment { assessment: Assessment { kind: *kind, value, reason, person_ref: None } }.into()
        }
        Ask::Authorise(codes) => AuthoriseTransfers { countries: countries(codes) }.into(),
        Ask::AcceptLead(to) => AcceptLead { country: country(to) }.into(),
        Ask::DisputeLead(to, proposes) => {
            DisputeLead { country: country(to), proposes: country(proposes) }.into()
        }
        Ask::RecordLead(to) => RecordLead { country: country(to) }.into(),
        Ask::Ring => {
            let clocks = Routing::clocks(&history.state);
            let Some(clock) = (!clocks.is_empty()).then(|| pick.get(&clocks)) else {
                return rings(assignment_id, now);
            };
            let asked = Asked::Command(clock.command.clone());
            return Step { asked, ..rings(assignment_id, clock.due.max(now)) };
        }
        Ask::StaleRing(minutes) => return rings(assignment_id, now.plus_minutes(*minutes)).at(now),
        Ask::Again => return referred(referral.clone()).at(now),
    };
    Step { actor: turn.actor, ..asks(by, command).at(now) }
}

/// What must hold of any log, event by event, as the state goes along.
#[derive(Default)]
struct Watch {
    danger: bool,
    authorised: BTreeSet<Country>,
}

impl Watch {
    fn event(
        &mut self,
        before: &Incident,
        after: &Incident,
        event: &schemas::Event<RoutingEvent>,
        referral: &Referral,
    ) -> Result<(), TestCaseError> {
        self.danger |= after.urgency() == Some(Urgency::ImminentDanger);
        match &event.body {
            RoutingEvent::AssignmentOffered(offer) => self.offer(before, offer, referral)?,
            RoutingEvent::TransfersAuthorised(authorised) => {
                prop_assert_eq!(&event.agency, &referral.reporter);
                self.authorised.extend(authorised.countries.iter().cloned());
            }
            RoutingEvent::DutyContactCalled(called) => {
                let to = &before.assignments[&called.assignment_id].offer.country;
                prop_assert!(!referral.handling.never_told.contains(to), "{} was called", to);
                prop_assert!(self.danger, "called without imminent danger");
            }
            _ => {}
        }
        if let Some(id) = answered(&event.body) {
            prop_assert_eq!(event.actor.kind, ActorKind::Human);
            prop_assert_eq!(&event.agency, &before.assignments[&id].offer.agency);
        }
        transitions(before, after)
    }

    fn offer(
        &self,
        before: &Incident,
        offer: &AssignmentOffered,
        referral: &Referral,
    ) -> Result<(), TestCaseError> {
        prop_assert!(!before.is_assigned(&offer.agency), "{} has two assignments", offer.agency);
        prop_assert!(!before.assignments.contains_key(&offer.assignment_id), "an id given twice");
        prop_assert!(!referral.handling.never_told.contains(&offer.country), "{} was told", offer.country);
        let crosses = offer.country != referral.reporter_country;
        let allowed = referral.handling.transfers == TransferPolicy::Standing
            || self.authorised.contains(&offer.country)
            || self.danger;
        prop_assert!(!crosses || allowed, "{} was told without a word", offer.country);
        prop_assert_eq!(crosses, offer.transfer.basis != TransferBasis::Domestic);
        let people: BTreeSet<_> = referral.people.iter().map(|person| person.person_ref).collect();
        prop_assert!(offer.entitlement.persons.iter().all(|person| people.contains(person)));
        Ok(())
    }
}

/// The assignment that the event answers for its agency.
fn answered(event: &RoutingEvent) -> Option<AssignmentId> {
    match event {
        RoutingEvent::AssignmentAccepted(event) => Some(event.assignment_id),
        RoutingEvent::AssignmentDeclined(event) => Some(event.assignment_id),
        RoutingEvent::AssignmentForwarded(event) => Some(event.assignment_id),
        RoutingEvent::AssignmentClosed(event) => Some(event.assignment_id),
        _ => None,
    }
}

/// States only move along these; what was offered is never changed and never goes away.
fn transitions(before: &Incident, after: &Incident) -> Result<(), TestCaseError> {
    use AssignmentState::*;
    let allowed: BTreeMap<AssignmentState, Vec<AssignmentState>> = BTreeMap::from([
        (Offered, vec![Accepted, Declined, Forwarded, Revoked, Overdue]),
        (Overdue, vec![Accepted, Declined, Forwarded, Revoked]),
        (Accepted, vec![Revoked, Closed]),
    ]);
    for (id, old) in &before.assignments {
        let new = &after.assignments[id];
        prop_assert_eq!(&old.offer, &new.offer);
        let moves = allowed.get(&old.state).is_some_and(|to| to.contains(&new.state));
        prop_assert!(old.state == new.state || moves, "from {} to {}", old.state, new.state);
    }
    let fresh = after.assignments.iter().filter(|(id, _)| !before.assignments.contains_key(id));
    for (id, assignment) in fresh {
        prop_assert_eq!(assignment.state, Offered, "{}", id);
    }
    Ok(())
}

/// Clocks run for assignments that await an answer, and for no others; each name once.
fn clocks_run(state: &Incident) -> Result<(), TestCaseError> {
    let mut names = BTreeSet::new();
    for clock in Routing::clocks(state) {
        let RoutingCommand::ClockDue(due) = &clock.command else {
            return Err(TestCaseError::fail("a clock that is none"));
        };
        let assignment = &state.assignments[&due.assignment_id];
        let awaits = matches!(assignment.state, AssignmentState::Offered | AssignmentState::Overdue);
        prop_assert!(awaits, "a clock runs while {}", assignment.state);
        prop_assert_eq!(clock.due, due.due);
        prop_assert!(names.insert(clock.name));
    }
    for (id, assignment) in &state.assignments {
        let runs = names.contains(&format!("respond/{id}"));
        prop_assert_eq!(runs, assignment.state == AssignmentState::Offered, "{}", assignment.state);
    }
    Ok(())
}

fn fold(log: &[schemas::Event<RoutingEvent>]) -> Incident {
    let mut state = Incident::default();
    log.iter().for_each(|event| Routing::evolve(&mut state, event));
    state
}

fn bytes(state: &Incident) -> Vec<u8> {
    postcard::to_allocvec(state).unwrap()
}

/// A failure prints its seed, and keeps it beside this file.
fn config() -> ProptestConfig {
    let kept = FileFailurePersistence::WithSource("regressions");
    ProptestConfig { cases: CASES, failure_persistence: Some(Box::new(kept)), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_history_keeps_the_invariants(referral in referrals(), turns in turns()) {
        let mut history = History::new();
        let mut now = monday();
        let mut steps = vec![referred(referral.clone())];
        let mut watch = Watch::default();
        let mut turns = turns.iter();
        while let Some(step_now) = steps.pop() {
            now = now.max(step_now.now);
            let (mut before, logged) = (history.state.clone(), history.log.len());
            let _ = history.take(&step_now);
            for event in &history.log[logged..] {
                let mut after = before.clone();
                Routing::evolve(&mut after, event);
                watch.event(&before, &after, event, &referral)?;
                before = after;
            }
            clocks_run(&history.state)?;
            if let Some((turn, pick)) = turns.next() {
                now = now.plus_minutes(turn.minutes);
                steps.push(step(&history, &referral, turn, pick, now));
            }
        }
        let opened = |event: &&schemas::Event<RoutingEvent>| {
            matches!(event.body, RoutingEvent::IncidentOpened(_))
        };
        prop_assert_eq!(history.log.iter().filter(opened).count(), 1);

        let folded = bytes(&fold(&history.log));
        prop_assert_eq!(&folded, &bytes(&fold(&history.log)), "a second replay");
        prop_assert_eq!(&folded, &bytes(&history.state), "the state it was decided on");
        let restored: Incident = postcard::from_bytes(&folded).unwrap();
        prop_assert_eq!(restored, history.state, "out of the cache");
    }
}
