//! Random histories: whatever is asked, by whomever, in whatever order, the invariants hold.

use std::collections::{BTreeMap, BTreeSet};

use chassis::decider::Decider;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use proptest::test_runner::{FileFailurePersistence, TestCaseError};
use routing::Routing;
use routing::domain::{Assignment, Incident, ReferralNews};
use schemas::codes::*;
use schemas::ids::{AgencyId, AssignmentId, Country};
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
    Escalate(EscalationReason),
    /// For so many days.
    Hold(i64),
    AddNumber,
    Retract,
    Acknowledge,
    Read,
    /// The next amendment.
    Amend(Box<Change>),
    /// One that was taken in before, or the referral as it was received.
    AmendLate(i32, Box<Change>),
    Withdraw(RetractionReason),
}

/// What an amendment says of the referral.
#[derive(Clone, Debug)]
struct Change {
    signals: Vec<Signal>,
    never_told: Vec<&'static str>,
    transfers: TransferPolicy,
    urgency: Urgency,
    categories: Vec<PersonCategory>,
}

impl Change {
    fn of(&self, referral: &Referral) -> Referral {
        let mut changed = referral.clone();
        changed.signals.clone_from(&self.signals);
        changed.handling.never_told = countries(&self.never_told);
        changed.handling.transfers = self.transfers;
        changed.urgency = self.urgency;
        for (person, category) in changed.people.iter_mut().zip(&self.categories) {
            person.category = *category;
        }
        changed
    }
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

fn changes() -> impl Strategy<Value = Box<Change>> {
    let never_told = subsequence(COUNTRIES.to_vec(), 0..=2);
    let categories = prop::collection::vec(select(PersonCategory::ALL), 0..=4);
    let parts = (signals(), never_told, select(TransferPolicy::ALL), select(Urgency::ALL), categories);
    parts.prop_map(|(signals, never_told, transfers, urgency, categories)| {
        Box::new(Change { signals, never_told, transfers, urgency, categories })
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
        2 => select(EscalationReason::ALL).prop_map(Ask::Escalate),
        1 => (-10_i64..200).prop_map(Ask::Hold),
        1 => Just(Ask::AddNumber),
        2 => Just(Ask::Retract),
        3 => Just(Ask::Acknowledge),
        1 => Just(Ask::Read),
        4 => changes().prop_map(Ask::Amend),
        1 => (0..3, changes()).prop_map(|(number, change)| Ask::AmendLate(number, change)),
        1 => select(RetractionReason::ALL).prop_map(Ask::Withdraw),
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

/// One of these, if there are any.
fn one<T: Clone>(pick: &Index, all: impl Iterator<Item = T>) -> Option<T> {
    let all: Vec<T> = all.collect();
    (!all.is_empty()).then(|| pick.get(&all).clone())
}

/// The turn as a step, about the assignment, assessment or retraction that the index picks.
fn step(history: &History, referral: &Referral, turn: &Turn, pick: &Index, now: schemas::Timestamp) -> Step {
    let state = &history.state;
    let (assignment_id, holder) = one(pick, state.assignments.iter())
        .map_or((assignment("de-police", 0), agency("de-police")), |(id, assignment)| {
            (*id, assignment.offer.agency.clone())
        });
    let mut concerned: Option<AgencyId> = None;
    let command: RoutingCommand = match &turn.ask {
        Ask::AcceptLead(to) => AcceptLead { country: country(to) }.into(),
        Ask::DisputeLead(to, proposes) => {
            DisputeLead { country: country(to), proposes: country(proposes) }.into()
        }
        Ask::RecordLead(to) => RecordLead { country: country(to) }.into(),
        Ask::Retract => {
            let picked = one(pick, state.assessments.iter());
            concerned = picked.map(|added| added.by.clone());
            let assessment_id = picked.map_or(assessment_id(0), |added| added.assessment_id);
            RetractAssessment { assessment_id, reason: RetractionReason::AssessedAnew }.into()
        }
        Ask::Acknowledge => {
            let picked = one(pick, state.retractions.values());
            concerned = picked.and_then(|told| one(pick, told.issued.recipients.iter())).cloned();
            let retraction_id = picked.map_or(retraction_id(0), |told| told.issued.retraction_id);
            AcknowledgeRetraction { retraction_id }.into()
        }
        Ask::Ring => {
            let Some(clock) = one(pick, Routing::clocks(state).into_iter()) else {
                return rings(assignment_id, now);
            };
            let asked = Asked::Command(clock.command);
            return Step { asked, ..rings(assignment_id, clock.due.max(now)) };
        }
        Ask::StaleRing(minutes) => return rings(assignment_id, now.plus_minutes(*minutes)).at(now),
        Ask::Again => return referred(referral.clone()).at(now),
        Ask::Amend(change) => return amended(state.amendments + 1, change.of(referral)).at(now),
        Ask::AmendLate(back, change) => {
            return amended((state.amendments - back).max(0), change.of(referral)).at(now);
        }
        Ask::Withdraw(reason) => return withdrawn(*reason).at(now),
        ask => of_assignment(ask, assignment_id, now),
    };
    let by = match &turn.by {
        By::Anybody(id) => agency(id),
        By::Originator => referral.reporter.clone(),
        By::Holder => concerned.unwrap_or(holder),
    };
    Step { actor: turn.actor, ..asks(by.as_str(), command).at(now) }
}

/// What is asked about an assignment, or of the incident as it stands.
fn of_assignment(ask: &Ask, assignment_id: AssignmentId, now: schemas::Timestamp) -> RoutingCommand {
    let note = None;
    match ask {
        Ask::Accept => AcceptAssignment { assignment_id }.into(),
        Ask::Decline => DeclineAssignment { assignment_id, reason: DeclineReason::NoCapacity, note }.into(),
        Ask::Forward(to) => ForwardAssignment { assignment_id, to: agency(to), note }.into(),
        Ask::Revoke => RevokeAssignment { assignment_id, reason: RevokeReason::FalsePositive, note }.into(),
        Ask::Close => CloseAssignment { assignment_id, outcome: CloseOutcome::NoFurtherAction, note }.into(),
        Ask::Escalate(reason) => EscalateAssignment { assignment_id, reason: *reason, note }.into(),
        Ask::Hold(days) => HoldFeedback { assignment_id, until: now.plus_minutes(days * 24 * 60) }.into(),
        Ask::Assess(kind, value) => {
            let (value, reason) = (value.map(str::to_owned), AssessmentReason::ExpertOpinion);
            let assessment = Assessment { kind: *kind, value, reason, person_ref: None };
            AddAssessment { assessment, note }.into()
        }
        Ask::Authorise(codes) => AuthoriseTransfers { countries: countries(codes) }.into(),
        Ask::AddNumber => AddCaseNumber { number: case_number("1") }.into(),
        Ask::Read => ReadRouting { incident_id: INCIDENT.parse().unwrap() }.into(),
        other => panic!("{other:?} is about something else"),
    }
}

/// What must hold of any log, event by event, as the state goes along.
#[derive(Default)]
struct Watch {
    danger: bool,
    authorised: BTreeSet<Country>,
    /// The States that any version of the referral named as never to be told.
    never_told: BTreeSet<Country>,
    /// Whether the last version of it allows all transfers.
    standing: bool,
}

impl Watch {
    fn event(
        &mut self,
        before: &Incident,
        after: &Incident,
        event: &schemas::Event<RoutingEvent>,
        asked: &Asked,
        referral: &Referral,
    ) -> Result<(), TestCaseError> {
        self.danger |= after.urgency() == Some(Urgency::ImminentDanger);
        match &event.body {
            RoutingEvent::IncidentOpened(opened) => self.handling(&opened.handling, asked)?,
            RoutingEvent::IncidentAmended(amended) => {
                prop_assert!(amended.amendment > before.amendments, "amended backwards");
                self.handling(&amended.handling, asked)?;
            }
            RoutingEvent::AssignmentOffered(offer) => self.offer(before, offer, referral)?,
            RoutingEvent::AssignmentRaised(raised) => {
                let old = &before.assignments[&raised.assignment_id];
                prop_assert!(old.is_open(), "raised while {}", old.state);
                prop_assert!(!self.never_told.contains(&old.offer.country), "raised, and never told");
                gives_no_less(&old.entitlement, &raised.entitlement)?;
                prop_assert!(raised.respond_by <= old.respond_by);
            }
            RoutingEvent::TransfersAuthorised(authorised) => {
                prop_assert_eq!(&event.agency, &referral.reporter);
                self.authorised.extend(authorised.countries.iter().cloned());
            }
            RoutingEvent::DutyContactCalled(called) => {
                let assignment = &before.assignments[&called.assignment_id];
                let to = &assignment.offer.country;
                prop_assert!(!self.never_told.contains(to), "{} was called", to);
                prop_assert!(assignment.awaits_answer(), "called while {}", assignment.state);
                prop_assert!(self.danger, "called without imminent danger");
            }
            _ => word_of_a_party(before, event)?,
        }
        if let Some(id) = answered(&event.body) {
            prop_assert_eq!(event.actor.kind, ActorKind::Human);
            prop_assert_eq!(&event.agency, &before.assignments[&id].offer.agency);
        }
        if before.withdrawn.is_some() {
            prop_assert!(ends_with(&event.body), "after the end: {:?}", event.body);
        }
        nothing_goes(before, after)?;
        transitions(before, after)
    }

    /// A State that was never to be told stays so, and each that the referral names now is one.
    fn handling(&mut self, handling: &Handling, asked: &Asked) -> Result<(), TestCaseError> {
        let Asked::Referral(news) = asked else { return Err(TestCaseError::fail("no referral")) };
        let ReferralNews::Committed(news) = &**news else { return Err(TestCaseError::fail("withdrawn")) };
        let terms = &news.referral.handling;
        self.never_told.extend(terms.never_told.iter().cloned());
        let named: BTreeSet<Country> = handling.never_told.iter().cloned().collect();
        prop_assert_eq!(&self.never_told, &named);
        self.standing = terms.transfers == TransferPolicy::Standing;
        Ok(())
    }

    fn offer(
        &self,
        before: &Incident,
        offer: &AssignmentOffered,
        referral: &Referral,
    ) -> Result<(), TestCaseError> {
        prop_assert!(!before.is_assigned(&offer.agency), "{} has two assignments", offer.agency);
        prop_assert!(!before.assignments.contains_key(&offer.assignment_id), "an id given twice");
        prop_assert!(!self.never_told.contains(&offer.country), "{} was told", offer.country);
        let crosses = offer.country != referral.reporter_country;
        let allowed = self.standing || self.authorised.contains(&offer.country) || self.danger;
        prop_assert!(!crosses || allowed, "{} was told without a word", offer.country);
        prop_assert_eq!(crosses, offer.transfer.basis != TransferBasis::Domestic);
        let people: BTreeSet<_> = referral.people.iter().map(|person| person.person_ref).collect();
        prop_assert!(offer.entitlement.persons.iter().all(|person| people.contains(person)));
        Ok(())
    }

    /// What holds between two steps.
    fn rests(&self, state: &Incident) -> Result<(), TestCaseError> {
        for (id, assignment) in &state.assignments {
            let (state_now, to) = (assignment.state, &assignment.offer.country);
            let mut unanswered = state.alerts.iter().filter(|alert| alert.assignment_id == Some(*id));
            let unanswered = unanswered.any(|alert| alert.reason == AlertReason::NobodyAnswered);
            prop_assert!(!assignment.calls_exhausted || unanswered, "somebody is left to call");
            // A coordinator who presses begins the calls again.
            let pressed = assignment.escalated.is_some();
            prop_assert!(assignment.calls_exhausted || pressed || !unanswered, "nobody is left to call");
            prop_assert!(state_now != AssignmentState::Overdue, "overdue, and nobody was asked to look");
            prop_assert!(state.withdrawn.is_none() || !assignment.is_open(), "withdrawn, yet {}", state_now);
            let waits = assignment.awaits_answer() && self.never_told.contains(to);
            prop_assert!(!waits, "{} must never be told, yet is {}", to, state_now);
        }
        prop_assert!(state.case_numbers.values().all(|count| *count <= 20));
        clocks_run(state)
    }
}

fn gives_no_less(old: &Entitlement, new: &Entitlement) -> Result<(), TestCaseError> {
    prop_assert!(old.persons.iter().all(|person| new.persons.contains(person)), "a person less");
    prop_assert!(old.facet_kinds.iter().all(|kind| new.facet_kinds.contains(kind)), "a facet less");
    prop_assert!(!old.opens_with_offer || new.opens_with_offer, "opens later");
    Ok(())
}

/// What somebody says in its own name, and may say only once or only of its own.
fn word_of_a_party(before: &Incident, event: &schemas::Event<RoutingEvent>) -> Result<(), TestCaseError> {
    let originator = before.opened.as_ref().map(|opened| &opened.reporter);
    let by_person = event.actor.kind == ActorKind::Human;
    match &event.body {
        RoutingEvent::AssignmentEscalated(escalated) => {
            let assignment = &before.assignments[&escalated.assignment_id];
            prop_assert!(assignment.is_open() || assignment.state == AssignmentState::Overdue);
            let clock = event.actor.kind == ActorKind::Service;
            let concerned = assignment.offer.agency == event.agency || originator == Some(&event.agency);
            let watching = ["eu-coordinator", "un-coordinator"].map(agency).contains(&event.agency);
            let calls = watching && assignment.awaits_answer();
            prop_assert!(clock || (by_person && (concerned || calls)), "escalated by {}", event.agency);
            prop_assert!(!clock || assignment.state == AssignmentState::Overdue);
        }
        RoutingEvent::FeedbackHeld(held) => {
            prop_assert_eq!(&before.assignments[&held.assignment_id].offer.agency, &event.agency);
            prop_assert!(by_person && held.until <= event.time.plus_minutes(180 * 24 * 60));
        }
        RoutingEvent::CaseNumberAdded(added) => {
            prop_assert_eq!(&added.by, &event.agency);
            prop_assert!(before.is_party(&added.by), "{} is no party", added.by);
        }
        RoutingEvent::AssessmentRetracted(retracted) => {
            let id = retracted.assessment_id;
            let own = |added: &&AssessmentAdded| added.assessment_id == id && added.by == event.agency;
            prop_assert!(by_person && before.assessments.iter().any(|added| own(&added)));
            prop_assert!(!before.retracted.contains(&id), "retracted twice");
        }
        RoutingEvent::RetractionIssued(issued) => {
            prop_assert!(!before.retractions.contains_key(&issued.retraction_id), "an id given twice");
            let recipients: BTreeSet<&AgencyId> = issued.recipients.iter().collect();
            prop_assert_eq!(recipients.len(), issued.recipients.len());
            let may_know = |id: &&AgencyId| before.is_party(id) && id.as_str() != "us-provider";
            prop_assert!(!recipients.is_empty() && recipients.iter().all(may_know), "{:?}", recipients);
        }
        RoutingEvent::RetractionAcknowledged(acknowledged) => {
            prop_assert_eq!(&acknowledged.by, &event.agency);
            let retraction = &before.retractions[&acknowledged.retraction_id];
            prop_assert!(by_person && retraction.issued.recipients.contains(&event.agency));
            prop_assert!(!retraction.acknowledged.contains(&event.agency), "acknowledged twice");
        }
        _ => {}
    }
    Ok(())
}

/// What may still follow once the referral was withdrawn.
fn ends_with(event: &RoutingEvent) -> bool {
    matches!(
        event,
        RoutingEvent::AssignmentRevoked(_)
            | RoutingEvent::RetractionIssued(_)
            | RoutingEvent::RetractionAcknowledged(_)
            | RoutingEvent::AssessmentRetracted(_)
            | RoutingEvent::CaseNumberAdded(_)
            | RoutingEvent::FeedbackHeld(_)
            | RoutingEvent::LeadRecorded(_)
            | RoutingEvent::CommandRejected(_)
    )
}

/// Countries, signals and what was said stay, whatever comes after them.
fn nothing_goes(before: &Incident, after: &Incident) -> Result<(), TestCaseError> {
    for found in &before.countries {
        prop_assert!(after.countries.iter().any(|still| still.country == found.country), "a country less");
    }
    let signals = |state: &Incident| state.opened.as_ref().map_or(0, |opened| opened.signals.len());
    prop_assert!(signals(before) <= signals(after), "a signal less");
    prop_assert!(after.assessments.starts_with(&before.assessments), "an assessment less");
    prop_assert!(before.retracted.is_subset(&after.retracted));
    prop_assert!(before.withdrawn.is_none() || before.withdrawn == after.withdrawn);
    Ok(())
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
        (Offered, vec![Accepted, Declined, Forwarded, Revoked, Overdue, Escalated]),
        (Overdue, vec![Escalated]),
        (Escalated, vec![Accepted, Declined, Forwarded, Revoked, Overdue]),
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
    let awaits = |assignment: &Assignment| {
        matches!(assignment.state, AssignmentState::Offered | AssignmentState::Escalated)
    };
    let mut names = BTreeSet::new();
    for clock in Routing::clocks(state) {
        let RoutingCommand::ClockDue(due) = &clock.command else {
            return Err(TestCaseError::fail("a clock that is none"));
        };
        let assignment = &state.assignments[&due.assignment_id];
        prop_assert!(awaits(assignment), "a clock runs while {}", assignment.state);
        prop_assert_eq!(clock.due, due.due);
        prop_assert!(names.insert(clock.name));
    }
    for (id, assignment) in &state.assignments {
        let runs = names.contains(&format!("respond/{id}"));
        prop_assert_eq!(runs, awaits(assignment) && !assignment.overdue, "{}", assignment.state);
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
                watch.event(&before, &after, event, &step_now.asked, &referral)?;
                before = after;
            }
            watch.rests(&history.state)?;
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
