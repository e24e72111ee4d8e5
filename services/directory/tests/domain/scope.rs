//! What a coordinator comes to watch: one State at a time, by that State's own word.

use schemas::codes::*;
use schemas::directory::{Agency, ChangeConfirmed, ChangeProposed, ChangeWithdrawn, Entry, EntryChanged};

use crate::world::*;

const WATCHER: &str = "agency/un-coordinator";

type Change = fn(&mut Agency);

/// The coordinator as it watches these; Germany at first.
fn watching(codes: &[&str]) -> Entry {
    changed("un-coordinator", |agency| agency.scope = codes.iter().map(|code| country(code)).collect())
}

fn waits(number: u32, entry: &Entry, issuer: &str, concerned: &str) -> Decision {
    let proposed = ChangeProposed {
        proposal_id: proposal(entry.id().unwrap().as_str(), number),
        entry: entry.clone(),
        widens: vec!["watches more countries".to_owned()],
        issuer: format!("https://id.{issuer}.example"),
        state_concerned: Some(country(concerned)),
    };
    Ok(vec![proposed.into()])
}

fn confirmed(number: u32, entry: &Entry) -> Decision {
    let (proposal_id, acts_from) = (proposal(WATCHER, number), a_day_later());
    let changed = EntryChanged { entry: entry.clone(), acts_from };
    Ok(vec![ChangeConfirmed { proposal_id, acts_from }.into(), changed.into()])
}

#[test]
fn only_the_state_that_comes_to_be_watched_proposes_it() {
    let france = watching(&["DE", "FR"]);
    check("France", &[], &proposes("fr-central", &france), &waits(1, &france, "national", "FR"));
    // Neither who is watched already, nor the State that the coordinator stands in.
    for by in ["de-central", "ch-central", "fr-police", "de-hotline"] {
        check(by, &[], &proposes(by, &france), &refuses(RejectionCode::NotEntitled));
    }
    let own = refuses(RejectionCode::CoordinatorCannotWiden);
    check("the coordinator", &[], &proposes("un-coordinator", &france), &own);
    let instead = watching(&["FR"]);
    check("instead", &[], &proposes("fr-central", &instead), &waits(1, &instead, "national", "FR"));
}

#[test]
fn only_the_state_that_comes_to_be_watched_confirms_it() {
    use RejectionCode::*;
    let france = watching(&["DE", "FR"]);
    let given = [proposes("fr-central", &france)];
    let confirms = |by| confirms(by, WATCHER, 1);
    check("another issuer of France", &given, &confirms("fr-police"), &confirmed(1, &france));
    let table = [
        ("the State watched already", "de-police", OtherStateConcerned),
        ("the State that the coordinator stands in", "ch-central", OtherStateConcerned),
        ("its police", "ch-police", OtherStateConcerned),
        ("of the same issuer", "de-central", NeedsOtherIssuer),
        ("who proposed it", "fr-central", NeedsSecondPerson),
        ("the coordinator", "un-coordinator", NotEntitled),
        ("a hotline", "de-hotline", NotEntitled),
    ];
    for (case, by, code) in table {
        check(case, &given, &confirms(by), &refuses(code));
    }
    let withdrawn = Ok(vec![ChangeWithdrawn { proposal_id: proposal(WATCHER, 1) }.into()]);
    check("France takes it back", &given, &withdraws("fr-police", WATCHER, 1), &withdrawn);
    let refused = refuses(RejectionCode::NotEntitled);
    check("Germany does not", &given, &withdraws("de-police", WATCHER, 1), &refused);
}

#[test]
fn one_state_comes_after_the_other() {
    let both = watching(&["DE", "FR", "CH"]);
    let too_many = refuses_at(RejectionCode::Invalid, "/entry/agency/scope");
    check("both at once", &[], &proposes("fr-central", &both), &too_many);
    let itself = refuses(RejectionCode::CoordinatorCannotWiden);
    check("both at once, by the coordinator", &[], &proposes("un-coordinator", &both), &itself);
    let others = watching(&["CH", "FR"]);
    check("both instead", &[], &proposes("ch-central", &others), &too_many);
    // The first is confirmed, and so was last written, though it does not act yet.
    let france = watching(&["DE", "FR"]);
    let given = [proposes("fr-central", &france), confirms("fr-police", WATCHER, 1)];
    check("the second", &given, &proposes("ch-central", &both), &waits(2, &both, "alpine", "CH"));
    check("its day has come", &given, &proposes("ch-central", &both).when(a_day_later()), &{
        waits(2, &both, "alpine", "CH")
    });
    let second = [given.as_slice(), &[proposes("ch-central", &both)]].concat();
    check("of the second State", &second, &confirms("ch-police", WATCHER, 2), &confirmed(2, &both));
    let other = refuses(RejectionCode::OtherStateConcerned);
    check("of the first", &second, &confirms("fr-police", WATCHER, 2), &other);
}

#[test]
fn watching_less_acts_at_once_and_more_again_does_not() {
    let (germany, france) = (watching(&["DE"]), watching(&["DE", "FR"]));
    let given = [proposes("fr-central", &france), confirms("fr-police", WATCHER, 1)];
    let less = EntryChanged { entry: germany.clone(), acts_from: now() };
    check("less", &given, &proposes("ch-central", &germany), &Ok(vec![less.into()]));
    let given = [given.as_slice(), &[proposes("ch-central", &germany)]].concat();
    let again = proposes("fr-central", &france).when(a_day_later());
    check("more again", &given, &again, &waits(2, &france, "national", "FR"));
    for by in ["ch-central", "de-central"] {
        check(by, &given, &proposes(by, &france), &refuses(RejectionCode::NotEntitled));
    }
}

#[test]
fn whoever_becomes_a_coordinator_watches_one_state_first() {
    let becomes = |codes: &[&str]| {
        changed("de-police", |agency| {
            agency.kind = AgencyKind::Coordinator;
            agency.scope = codes.iter().map(|code| country(code)).collect();
        })
    };
    let one = becomes(&["DE"]);
    let proposed = ChangeProposed {
        proposal_id: proposal("agency/de-police", 1),
        entry: one.clone(),
        widens: vec!["changes the agency's kind or country".to_owned(), "watches more countries".to_owned()],
        issuer: "https://id.national.example".to_owned(),
        state_concerned: Some(country("DE")),
    };
    check("its own", &[], &proposes("de-central", &one), &Ok(vec![proposed.into()]));
    let too_many = refuses_at(RejectionCode::Invalid, "/entry/agency/scope");
    check("two", &[], &proposes("de-central", &becomes(&["DE", "FR"])), &too_many);
}

#[test]
fn the_state_that_comes_to_be_watched_changes_nothing_else() {
    // A key or a token of France's own would make the coordinator French: that is not France's alone to say.
    let table: [(&str, Change); 5] = [
        ("a key", |agency| agency.keys.push(key("french"))),
        ("a key less", |agency| agency.keys.clear()),
        ("another subject", |agency| agency.subject = "french".to_owned()),
        ("another issuer", |agency| agency.issuer = "https://id.fr.example".to_owned()),
        ("another name", |agency| agency.name = "Example".to_owned()),
    ];
    let refused = refuses_at(RejectionCode::Invalid, "/entry/agency/scope");
    for (case, change) in table {
        let entry = changed("un-coordinator", |agency| {
            agency.scope.push(country("FR"));
            change(agency);
        });
        check(case, &[], &proposes("fr-central", &entry), &refused);
    }
    let becomes = changed("de-police", |agency| {
        agency.kind = AgencyKind::Coordinator;
        agency.scope = vec![country("FR")];
    });
    for by in ["de-police", "fr-central"] {
        check("becomes one that watches another State", &[], &proposes(by, &becomes), &refused);
    }
    // The State that the coordinator stands in has a say in all of it.
    let own = changed("un-coordinator", |agency| {
        agency.scope.push(country("CH"));
        agency.keys.push(key("second"));
    });
    let proposed = ChangeProposed {
        proposal_id: proposal(WATCHER, 1),
        entry: own.clone(),
        widens: vec!["adds or replaces the key second".to_owned(), "watches more countries".to_owned()],
        issuer: "https://id.alpine.example".to_owned(),
        state_concerned: Some(country("CH")),
    };
    check("its own State", &[], &proposes("ch-central", &own), &Ok(vec![proposed.into()]));
    let given = [proposes("ch-central", &own)];
    check("its own State", &given, &confirms("ch-police", WATCHER, 1), &confirmed(1, &own));
}

#[test]
fn a_new_coordinator_watches_its_own_state_first() {
    let new = |codes: &[&str]| {
        changed("un-coordinator", |agency| {
            agency.id = schemas::ids::AgencyId::try_new("un-second").unwrap();
            agency.subject = "un-second".to_owned();
            agency.scope = codes.iter().map(|code| country(code)).collect();
        })
    };
    let refused = refuses_at(RejectionCode::Invalid, "/entry/agency/scope");
    for codes in [&["DE", "FR"][..], &["DE"], &["CH", "DE"]] {
        check("others", &[], &proposes("ch-central", &new(codes)), &refused);
    }
    let mut history = History::new();
    assert!(history.take(&proposes("ch-central", &new(&["CH"]))).is_ok(), "its own");
}
