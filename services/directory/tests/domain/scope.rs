//! What a coordinator comes to watch: one State at a time, by that State's own word.

use schemas::codes::*;
use schemas::directory::{ChangeConfirmed, ChangeProposed, ChangeWithdrawn, Entry, EntryChanged};

use crate::world::*;

const WATCHER: &str = "agency/un-coordinator";

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
    check("both at once", &[], &proposes("un-coordinator", &both), &too_many);
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
    // A key and a token of France's own would make the coordinator French: that is not France's alone to say.
    let taken = changed("un-coordinator", |agency| {
        agency.scope = vec![country("DE"), country("FR")];
        agency.keys.push(key("french"));
        agency.subject = "french".to_owned();
    });
    let mut history = History::new();
    let _ = history.take(&proposes("fr-central", &taken));
    let _ = history.take(&confirms("fr-police", WATCHER, 1));
    let stands = history.state(WATCHER).current;
    assert_ne!(stands.as_ref(), Some(&taken), "confirmed by France alone");
}
