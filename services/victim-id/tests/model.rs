//! The custody protocol, checked exhaustively for small numbers of agencies, children and messages.
//!
//! The model drives the real `decide` and `evolve`. Commands come late, twice, out of order, or never; clocks ring
//! late. What must hold is said again in [`law`], from what agencies did and were told, and not from the state.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
#![allow(clippy::print_stdout, reason = "how many states were looked at is what a reader wants to know")]

#[path = "model/law.rs"]
mod law;
#[path = "model/people.rs"]
mod people;
#[path = "model/world.rs"]
mod world;

use proptest::prelude::*;
use stateright::{Checker, HasDiscoveries, Model};

use world::{Custody, Guard, Scenario};

/// Every history of a scenario: nothing that must hold fails, and everything that should be possible is.
#[track_caller]
fn check(scenario: Scenario) {
    let model = Custody::new(scenario, None);
    let depth = model.depth();
    let checker = model.checker().threads(2).target_max_depth(depth).spawn_bfs().join();
    println!("{scenario:?}: {} states, depth {}", checker.unique_state_count(), checker.max_depth());
    checker.assert_properties();
}

/// Without the guard some history breaks the law: the model would have told.
#[track_caller]
fn check_without(scenario: Scenario, guard: Guard, law: &'static str) {
    let model = Custody::new(scenario, Some(guard));
    let depth = model.depth();
    let builder = model.checker().threads(2).target_max_depth(depth);
    let checker = builder.finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    println!("{scenario:?} without {guard:?}: {} states", checker.unique_state_count());
    let found = checker.discovery(law);
    assert!(found.is_some(), "without the guard {guard:?} no history breaks the law: {law}");
}

#[test]
fn custody_of_a_child_moves_only_when_the_other_side_accepts() {
    check(Scenario::OneChild);
}

#[test]
fn children_of_one_incident_are_independent() {
    check(Scenario::TwoChildren);
}

#[test]
fn of_children_that_are_one_one_custodian_is_left_and_never_none() {
    check(Scenario::Linked);
    check(Scenario::Crossed);
    check(Scenario::Chained);
}

#[test]
fn a_model_without_a_guard_fails() {
    check_without(Scenario::OneChild, Guard::HeldByNobodyElse, law::MOVES);
    check_without(Scenario::OneChild, Guard::OfferedToTheTaker, law::MOVES);
    check_without(Scenario::OneChild, Guard::OfferStillOpen, law::MOVES);
    check_without(Scenario::OneChild, Guard::LimitHasRun, law::MOVES);
    check_without(Scenario::Crossed, Guard::BoundByOneLink, law::NEVER_LOST);
    check_without(Scenario::Linked, Guard::ProposalStillStands, law::MOVES);
    check_without(Scenario::Crossed, Guard::CededIsNotTaken, law::AT_MOST_ONE);
}

/// Most steps of a long history that are tried.
const STEPS: usize = 300;

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn long_histories_keep_the_law(scenario in 0..4usize, chosen in proptest::collection::vec(any::<u32>(), STEPS)) {
        let scenarios = [Scenario::OneChild, Scenario::TwoChildren, Scenario::Linked, Scenario::Chained];
        let model = Custody::long(scenarios[scenario]);
        let mut world = model.init_states().remove(0);
        for choice in chosen {
            let mut actions = Vec::new();
            model.actions(&world, &mut actions);
            let action = actions.swap_remove(choice as usize % actions.len());
            world = model.next_state(&world, action).unwrap_or(world);
            prop_assert_eq!(&world.ghost.broken, &None);
            prop_assert!(law::nobody_is_lost(&world) && law::one_custodian_is_left(&world));
        }
    }
}
