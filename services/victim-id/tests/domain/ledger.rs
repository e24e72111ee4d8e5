//! The exposure ledger: what is counted where, and when somebody is warned.

use chassis::decider::{Context, Rejection};
use schemas::codes::RejectionCode;
use schemas::directory::view::Directory;
use schemas::directory::{DirectoryEvent, Entry, GenesisLoaded, Wellbeing};
use schemas::ids::ViewerId;
use schemas::victim_id::*;
use schemas::{Actor, Timestamp};
use victim_id::domain::{Aggregate, aggregate, ledger};

use crate::people::{DIRECTORY, agency, child_ref, incident, incident_id, moment, person};

/// A unit that has set a limit of ten items in three days.
fn directory() -> Directory {
    let unit = DIRECTORY.agency(&agency("de-unit"), moment(0)).unwrap().clone();
    let wellbeing = Some(Wellbeing { items: 10, days: 3, leads: vec!["lead".to_owned()] });
    let entries =
        vec![Entry { agency: Some(schemas::directory::Agency { wellbeing, ..unit }), ..Entry::default() }];
    let mut directory = Directory::default();
    directory.evolve(&DirectoryEvent::GenesisLoaded(GenesisLoaded { entries }), Timestamp::default());
    directory
}

fn viewer() -> ViewerId {
    ViewerId::derive(&[b"somebody"])
}

fn record(state: &mut Aggregate, now: Timestamp, items: i32) -> Result<Vec<VictimIdEvent>, Rejection> {
    let (id, by, actor, directory) = (viewer().to_string(), agency("de-unit"), person(), directory());
    let context = Context {
        aggregate_id: &id,
        cause: "viewed",
        now,
        agency: &by,
        actor: &actor,
        directory: &directory,
    };
    let command =
        RecordExposure { viewer: viewer(), incident_id: incident_id(0), child_ref: child_ref(0, 0), items };
    let events = aggregate::decide(&context, state, &command.into())?;
    events.iter().for_each(|event| aggregate::evolve(state, event, now));
    Ok(events)
}

#[test]
fn a_person_is_warned_once_until_it_is_below_the_limit_again() {
    let mut state = Aggregate::default();
    let mut warned = |day, items| {
        let events = record(&mut state, moment(day), items).unwrap();
        events.iter().any(|event| matches!(event, VictimIdEvent::ExposureLimitReached(_)))
    };
    assert!(!warned(0, 10), "the limit itself is allowed");
    assert!(warned(1, 1));
    assert!(!warned(1, 5), "it was told");
    // Day 0 has gone: six are left of days 1 to 3.
    assert!(!warned(3, 4));
    assert!(warned(3, 1));
    assert_eq!(state.ledger().items, 21);
    assert_eq!(state.ledger().within(3, moment(3)), 11);
    assert_eq!(state.ledger().within(3, moment(6)), 0);
}

#[test]
fn no_more_and_no_less_is_recorded_than_can_be_viewed() {
    for items in [0, -1, 10_001] {
        let refused = record(&mut Aggregate::default(), moment(0), items).unwrap_err();
        assert_eq!((refused.code, refused.pointer.as_deref()), (RejectionCode::Invalid, Some("/items")));
    }
}

#[test]
fn the_incident_counts_what_was_viewed_and_nothing_of_it_is_a_sign_of_life() {
    let events = record(&mut Aggregate::default(), moment(0), 4).unwrap();
    let (of, count) = ledger::told(&events[0]).unwrap();
    assert_eq!(of, incident_id(0));
    let mut state = Aggregate::Incident(incident(0, &["de-unit"], 1));
    let id = of.to_string();
    let mut take = |by: &str, actor: &Actor, day, command: VictimIdCommand| {
        let (by, now) = (agency(by), moment(day));
        let context =
            Context { aggregate_id: &id, cause: "told", now, agency: &by, actor, directory: &DIRECTORY };
        let events = aggregate::decide(&context, &state, &command);
        events.map(|events| events.iter().for_each(|event| aggregate::evolve(&mut state, event, now)))
    };
    let custody = TakeCustody { child_ref: child_ref(0, 0), limit_days: 30 };
    take("de-unit", &person(), 0, custody.into()).unwrap();
    let forged = take("de-unit", &person(), 1, count.clone().into());
    assert_eq!(forged.unwrap_err().code, RejectionCode::NotEntitled);
    for _ in 0..2 {
        take("causeway", &Actor::service("victim-id"), 1, count.clone().into()).unwrap();
    }
    let child = &state.incident().children[&child_ref(0, 0)];
    let viewed = &child.viewed[&agency("de-unit")];
    assert_eq!((viewed.viewers.len(), viewed.items), (1, 8));
    assert_eq!(child.custody.as_ref().unwrap().last_sign, moment(0));
}
