//! Random histories: a referral is received at most once, and its reporter is told no more than its own.

use chassis::decider::Decider;
use intake::Intake;
use intake::domain::{ReferralState, Standing, Told};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{FileFailurePersistence, TestCaseError};
use schemas::codes::*;
use schemas::referral::{CountRefusals, ReadReferral, Referral, ReferralEvent, RefusalCount};
use schemas::{Event, Timestamp};

use crate::world::*;

const CASES: u32 = 128;
const MAX_STEPS: usize = 40;

fn referrals() -> impl Strategy<Value = Referral> {
    let parts = (select(vec![HOTLINE, PROVIDER, "no-agency"]), select(Urgency::ALL));
    parts.prop_map(|(reporter, urgency)| Referral { urgency, ..referral(reporter) })
}

/// The people and items of an amendment: kept, with more of them, or not kept.
fn amendments() -> impl Strategy<Value = Step> {
    let people = select(vec![
        vec!["child", "account"],
        vec!["child", "account", "sibling"],
        vec!["child", "account", "sibling", "friend"],
        vec!["account", "child"],
        vec!["child"],
    ]);
    let items = select(vec![vec!["image", "video"], vec!["image", "video", "page"], vec!["page"]]);
    let reporters = select(vec![HOTLINE, PROVIDER, "no-agency"]);
    (reporters, people, items, any::<bool>()).prop_map(|(reporter, people, items, by_machine)| {
        let people = people.into_iter().map(person).collect();
        let items = items.into_iter().map(item).collect();
        let step = amends(&Referral { people, items, ..referral(reporter) });
        if by_machine { step.by_machine() } else { step }
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let agencies = || select(vec![("de-police", "DE"), ("de-central", "DE"), ("fr-police", "FR")]);
    let count = (1_i64..5).prop_map(|count| {
        let pointer = "/people".to_owned();
        let refusals = vec![RefusalCount { reason: RefusalReason::Malformed, pointer, count }];
        asks(CountRefusals { refusals })
    });
    let news = prop_oneof![
        2 => agencies().prop_map(|(id, to)| offered(id, to)),
        2 => agencies().prop_map(|(id, _)| accepted(id)),
        2 => (agencies(), select(DeclineReason::ALL)).prop_map(|((id, _), reason)| declined(id, reason)),
        2 => (agencies(), select(CloseOutcome::ALL)).prop_map(|((id, _), outcome)| closed(id, outcome)),
        2 => (agencies(), -10_i64..50).prop_map(|((id, _), minutes)| held(id, now().plus_minutes(minutes))),
    ];
    let withdraw = (select(vec![HOTLINE, PROVIDER, "no-agency"]), select(ActorKind::ALL));
    let withdraw =
        withdraw.prop_map(|(by, actor)| Step { actor, ..withdraws(by, RetractionReason::Duplicate) });
    let referral_id = referral(HOTLINE).referral_id;
    let read = select(vec![HOTLINE, PROVIDER]).prop_map(move |by| asks_by(by, ReadReferral { referral_id }));
    let step = prop_oneof![
        3 => referrals().prop_map(|referral| receives(&referral)),
        1 => count,
        5 => amendments(),
        1 => withdraw,
        1 => read,
        8 => news.prop_map(|news| hears(&news)),
    ];
    prop::collection::vec(step, 0..MAX_STEPS)
}

/// What one more event may be, in the state before it.
fn event(before: &ReferralState, event: &Event<ReferralEvent>) -> Result<(), TestCaseError> {
    let received = before.received.as_ref();
    let reporter = received.map(|received| &received.reporter);
    let stands = received.is_some_and(|received| received.withdrawn.is_none());
    match &event.body {
        ReferralEvent::ReferralReceived(_) => prop_assert!(received.is_none(), "received twice"),
        ReferralEvent::ReferralAmended(amended) => {
            prop_assert!(stands && reporter == Some(&event.agency), "amended by {}", event.agency);
            prop_assert_eq!(amended.amendment, received.unwrap().amendments + 1);
            let (old, new) = (&received.unwrap().standing, Standing::of(&amended.referral));
            prop_assert!(new.people.starts_with(&old.people), "a person less");
            prop_assert!(new.items.starts_with(&old.items), "an item less");
        }
        ReferralEvent::ReferralWithdrawn(_) => {
            prop_assert!(stands && reporter == Some(&event.agency), "withdrawn by {}", event.agency);
            prop_assert_eq!(event.actor.kind, ActorKind::Human);
        }
        ReferralEvent::FeedbackDeferred(_) => prop_assert!(received.is_some(), "held before a referral"),
        ReferralEvent::FeedbackGiven(given) => {
            prop_assert!(received.is_some(), "told before there was a referral");
            if reporter == Some(&agency(PROVIDER)) {
                let feedback = &given.feedback;
                prop_assert!(feedback.country.is_none() && feedback.outcome.is_none());
            }
        }
        ReferralEvent::SubmissionsRefused(_) | ReferralEvent::CommandRejected(_) => {}
        ReferralEvent::CommandFailed(failed) => prop_assert!(false, "{failed:?}"),
    }
    Ok(())
}

/// Whenever the reporter asks: nothing twice, nothing of what is held, and all of it in the end.
fn told(state: &ReferralState) -> Result<(), TestCaseError> {
    let moments = (-10_i64..60).step_by(7).map(|minutes| now().plus_minutes(minutes));
    for moment in moments.chain([Timestamp::from_millis(i64::MAX)]) {
        let told = state.told(moment);
        let held = |one: &Told, at| {
            let hold = state.held.get(&one.assignment_id);
            hold.is_some_and(|hold| at >= hold.since && hold.until > moment)
        };
        for (number, one) in told.iter().enumerate() {
            let again = told[..number].iter().any(|other| other.feedback == one.feedback);
            prop_assert!(!again, "told twice: {:?}", one);
            let in_time = |given: &Told| {
                let same = given.assignment_id == one.assignment_id && given.feedback == one.feedback;
                same && one.at <= moment.max(given.at)
            };
            prop_assert!(state.feedback.iter().any(in_time), "told before its time: {:?}", one);
        }
        for given in &state.feedback {
            let held = held(given, given.at);
            let known = told.iter().any(|one| one.feedback == given.feedback);
            prop_assert!(held || known, "not told: {:?}", given);
        }
    }
    Ok(())
}

fn fold(log: &[Event<ReferralEvent>]) -> ReferralState {
    let mut state = ReferralState::default();
    log.iter().for_each(|event| Intake::evolve(&mut state, event));
    state
}

fn bytes(state: &ReferralState) -> Vec<u8> {
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
    fn any_history_keeps_the_invariants(steps in steps()) {
        let mut history = History::new();
        for step in &steps {
            let (mut before, logged) = (history.state.clone(), history.log.len());
            let _ = history.take(step);
            for happened in &history.log[logged..] {
                event(&before, happened)?;
                Intake::evolve(&mut before, happened);
            }
            told(&history.state)?;
        }

        let folded = bytes(&fold(&history.log));
        prop_assert_eq!(&folded, &bytes(&fold(&history.log)), "a second replay");
        prop_assert_eq!(&folded, &bytes(&history.state), "the state it was decided on");
        let restored: ReferralState = postcard::from_bytes(&folded).unwrap();
        prop_assert_eq!(restored, history.state, "out of the cache");
    }
}
