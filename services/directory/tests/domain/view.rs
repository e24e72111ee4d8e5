//! The view that every service follows: a change acts from its moment, and not before.

use schemas::Timestamp;
use schemas::codes::AgencyKind;
use schemas::ids::{AgencyId, EntryId};

use crate::world::*;

const POLICE: &str = "agency/de-police";

fn taken(steps: &[Step]) -> History {
    let mut history = History::new();
    steps.iter().for_each(|step| assert!(history.take(step).is_ok(), "{step:?}"));
    history
}

/// Given steps, when the view is asked at each moment, then the police unit has these keys.
#[track_caller]
fn check_keys(case: &str, given: &[Step], then: &[(Timestamp, &[&str])]) {
    let history = taken(given);
    let police = AgencyId::try_new("de-police").unwrap();
    for (moment, keys) in then {
        let acting = history.view.agency(&police, *moment).map(|agency| agency.keys.clone());
        let found: Vec<String> = acting.iter().flatten().map(|key| key.key_id.to_string()).collect();
        assert_eq!(&found, keys, "{case} at {moment}");
        for name in ["first", "second"] {
            let known = history.view.key(&police, &key(name).key_id, *moment).is_some();
            assert_eq!(known, keys.contains(&name), "{case}: {name} at {moment}");
        }
    }
}

#[test]
fn a_change_acts_only_from_its_moment() {
    let second = with_key("de-police", "second");
    let waits = [proposes("de-police", &second)];
    let confirmed = [waits.as_slice(), &[confirms("de-central", POLICE, 1)]].concat();
    let narrowed = proposes("de-police", &changed("de-police", |agency| agency.keys.clear()));
    let (both, first): (&[&str], &[&str]) = (&["first", "second"], &["first"]);
    let just_before = a_day_later().plus_millis(-1);
    check_keys("proposed", &waits, &[(now(), first), (a_day_later(), first)]);
    check_keys(
        "confirmed",
        &confirmed,
        &[(now(), first), (just_before, first), (a_day_later(), both), (a_day_later().plus_minutes(1), both)],
    );
    let withdrawn = [waits.as_slice(), &[withdraws("de-police", POLICE, 1)]].concat();
    check_keys("withdrawn", &withdrawn, &[(now(), first), (a_day_later(), first)]);
    let before = now().plus_millis(-1);
    check_keys("narrowed", std::slice::from_ref(&narrowed), &[(before, first), (now(), &[])]);
    // What is written last wins: narrowing after a confirmation undoes it before it ever acted.
    let undone = [confirmed, vec![narrowed]].concat();
    check_keys("confirmed, then narrowed", &undone, &[(now(), &[]), (a_day_later(), &[])]);
}

#[test]
fn what_stands_and_what_will_are_told_apart() {
    let other = changed("de-police", |agency| agency.kind = AgencyKind::VictimIdentificationUnit);
    let history = taken(&[proposes("de-police", &other), confirms("de-central", POLICE, 1)]);
    let (view, id) = (&history.view, EntryId::try_new(POLICE).unwrap());
    assert_eq!(view.entry(&id, now()), Some(&entries()[0]));
    assert_eq!(view.entry(&id, a_day_later()), Some(&other));
    assert_eq!(view.newest(&id), Some(&other));
    let germany = country("DE");
    let of_kind = |kind, moment| {
        let agencies = view.agencies_in(&germany, kind, moment);
        agencies.map(|agency| agency.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(of_kind(AgencyKind::PoliceUnit, now()), ["de-police"]);
    assert!(of_kind(AgencyKind::PoliceUnit, a_day_later()).is_empty());
    assert!(of_kind(AgencyKind::VictimIdentificationUnit, now()).is_empty());
    assert_eq!(of_kind(AgencyKind::VictimIdentificationUnit, a_day_later()), ["de-police"]);
}

#[test]
fn tokens_speak_for_an_agency_from_the_moment_of_the_change() {
    let other = changed("de-police", |agency| agency.subject = "other".to_owned());
    let history = taken(&[proposes("de-police", &other), confirms("de-central", POLICE, 1)]);
    let speaks = |subject, moment| {
        let agency = history.view.agency_of_token("https://id.eu.example", subject, moment);
        agency.map(|agency| agency.id.to_string())
    };
    assert_eq!(speaks("de-police", now()).as_deref(), Some("de-police"));
    assert_eq!(speaks("other", now()), None);
    assert_eq!(speaks("de-police", a_day_later()), None);
    assert_eq!(speaks("other", a_day_later()).as_deref(), Some("de-police"));
}

#[test]
fn before_the_genesis_nothing_acts() {
    let history = History::new();
    let before = Timestamp::default().plus_millis(-1);
    assert_eq!(history.view.entries(before).count(), 0);
    assert_eq!(history.view.entries(Timestamp::default()).count(), entries().len());
    assert!(history.view.policy("default", before).is_none());
    assert_eq!(history.view.policy("default", now()), Some(&policy()));
    assert!(History::default().view.is_empty());
}
