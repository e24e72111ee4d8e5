//! Random histories: a referral is received at most once, and its reporter is told no more than its own.

use chassis::decider::Decider;
use intake::Intake;
use intake::domain::ReferralState;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::FileFailurePersistence;
use schemas::Event;
use schemas::codes::{CloseOutcome, DeclineReason, RefusalReason, Urgency};
use schemas::referral::{CountRefusals, Referral, ReferralEvent, RefusalCount};

use crate::world::*;

const CASES: u32 = 128;
const MAX_STEPS: usize = 40;

fn referrals() -> impl Strategy<Value = Referral> {
    let parts = (select(vec![HOTLINE, PROVIDER, "no-agency"]), select(Urgency::ALL));
    parts.prop_map(|(reporter, urgency)| Referral { urgency, ..referral(reporter) })
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
    ];
    let step = prop_oneof![
        3 => referrals().prop_map(|referral| receives(&referral)),
        1 => count,
        8 => news.prop_map(|news| hears(&news)),
    ];
    prop::collection::vec(step, 0..MAX_STEPS)
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
            let known = history.state.received.clone();
            prop_assert!(history.take(step).is_ok());
            prop_assert!(known.is_none() || history.state.received == known, "received anew");
        }
        let mut received = None;
        for event in &history.log {
            match &event.body {
                ReferralEvent::ReferralReceived(event) => {
                    prop_assert!(received.replace(&event.referral.reporter).is_none(), "received twice");
                }
                ReferralEvent::FeedbackGiven(given) => {
                    prop_assert!(received.is_some(), "told before there was a referral");
                    if received == Some(&agency(PROVIDER)) {
                        let feedback = &given.feedback;
                        prop_assert!(feedback.country.is_none() && feedback.outcome.is_none());
                    }
                }
                _ => {}
            }
        }
        for (number, told) in history.state.feedback.iter().enumerate() {
            let again = history.state.feedback[..number].iter().any(|other| other.feedback == told.feedback);
            prop_assert!(!again, "told twice: {:?}", told);
        }

        let folded = bytes(&fold(&history.log));
        prop_assert_eq!(&folded, &bytes(&fold(&history.log)), "a second replay");
        prop_assert_eq!(&folded, &bytes(&history.state), "the state it was decided on");
        let restored: ReferralState = postcard::from_bytes(&folded).unwrap();
        prop_assert_eq!(restored, history.state, "out of the cache");
    }
}
