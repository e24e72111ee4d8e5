//! The first directory: one event, once, on an empty topic, by the service itself.

use std::path::Path;

use directory::domain::GENESIS;
use directory::genesis;
use schemas::codes::{ActorKind, RejectionCode};
use schemas::directory::{Entry, GenesisLoaded, LoadGenesis};

use crate::world::*;

fn loads(entries: Vec<Entry>) -> Step {
    asks("causeway", GENESIS, LoadGenesis { entries }).with_kind(ActorKind::Service)
}

/// Given nothing at all and steps that all succeed, when one more is taken, then it yields exactly this.
#[track_caller]
fn check_empty(case: &str, given: &[Step], when: &Step, then: &Decision) {
    let mut history = History::default();
    given.iter().for_each(|step| assert!(history.take(step).is_ok(), "{case}: {step:?}"));
    assert_eq!(&history.take(when), then, "{case}");
}

#[test]
fn the_first_directory_is_loaded_once() {
    let loaded = Ok(vec![GenesisLoaded { entries: entries() }.into()]);
    let not_empty = refuses(RejectionCode::NotEmpty);
    check_empty("on an empty topic", &[], &loads(entries()), &loaded);
    check_empty("the same again", &[loads(entries())], &loads(entries()), &not_empty);
    check_empty("another", &[loads(entries())], &loads(Vec::new()), &not_empty);
    check("on a directory", &[], &loads(entries()), &not_empty);
    // Without an entry the view is still empty; that it was loaded is known all the same.
    check_empty("after one without an entry", &[loads(Vec::new())], &loads(entries()), &not_empty);
    for kind in [ActorKind::Human, ActorKind::Machine] {
        let by_somebody = loads(entries()).with_kind(kind);
        check_empty("not by the service", &[], &by_somebody, &not_empty);
    }
}

#[test]
fn the_example_is_a_first_directory() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../causeway/example/directory.json");
    let entries = genesis::read(&file).unwrap();
    assert!(entries.iter().any(|entry| entry.policy.is_some()));
    let loaded = Ok(vec![GenesisLoaded { entries: entries.clone() }.into()]);
    check_empty("the example", &[], &loads(entries), &loaded);
}

#[test]
fn every_entry_of_it_is_valid() {
    let nothing = Entry::default();
    let both = Entry { agency: entries()[0].agency.clone(), policy: Some(policy()), ..Entry::default() };
    let no_subject = changed("de-police", |agency| agency.subject.clear());
    let no_time = changed_policy(|policy| policy.acknowledge_within_minutes = 0);
    for invalid in [nothing, both, no_subject, no_time] {
        let with_it = [entries(), vec![invalid]].concat();
        let pointer = format!("/entries/{}", entries().len());
        let then = refuses_at(RejectionCode::Invalid, &pointer);
        check_empty("the last is invalid", &[], &loads(with_it), &then);
    }
}
