//! The second person: of another issuer, of the State concerned, and a day before the change acts.

use schemas::codes::*;
use schemas::directory::{ChangeConfirmed, ChangeProposed, ChangeWithdrawn, Entry, EntryChanged};

use crate::world::*;

const POLICE: &str = "agency/de-police";

fn confirmed(entry: &Entry) -> Decision {
    let proposal_id = proposal(entry.id().unwrap().as_str(), 1);
    Ok(vec![
        ChangeConfirmed { proposal_id, acts_from: a_day_later() }.into(),
        EntryChanged { entry: entry.clone(), acts_from: a_day_later() }.into(),
    ])
}

/// The German police unit has proposed a second key for itself.
fn proposed() -> Vec<Step> {
    vec![proposes("de-police", &with_key("de-police", "second"))]
}

#[test]
fn the_right_person_confirms_and_a_day_later_it_acts() {
    let entry = with_key("de-police", "second");
    check("the central authority", &proposed(), &confirms("de-central", POLICE, 1), &confirmed(&entry));
    let given = [proposes("de-central", &entry)];
    check("the agency itself", &given, &confirms("de-police", POLICE, 1), &confirmed(&entry));
    let policy = changed_policy(|policy| policy.rules[0].facets.push(FacetKind::Report));
    let given = [proposes("de-central", &policy)];
    // A policy concerns no State more than another.
    for by in ["de-police", "fr-police", "ch-central"] {
        check(by, &given, &confirms(by, "policy/default", 1), &confirmed(&policy));
    }
    let less = changed_policy(|policy| policy.rules.clear());
    let given = [proposes("de-central", &less)];
    check("a policy's less", &given, &confirms("fr-police", "policy/default", 1), &confirmed(&less));
    // A new agency concerns the State it is to stand in, whoever proposed it.
    let new = of_agency(plain("fr-new", "FR", AgencyKind::PoliceUnit, "eu"));
    let given = [proposes("un-coordinator", &new)];
    check("its own State", &given, &confirms("fr-police", "agency/fr-new", 1), &confirmed(&new));
    let other = refuses(RejectionCode::OtherStateConcerned);
    check("another State", &given, &confirms("de-police", "agency/fr-new", 1), &other);
}

#[test]
fn nobody_else_confirms() {
    use RejectionCode::*;
    let table = [
        ("the same person", confirms("de-police", POLICE, 1), NeedsSecondPerson),
        ("a second of the agency", confirms("de-police", POLICE, 1).with_person("second"), NeedsOtherIssuer),
        ("another of the issuer", confirms("de-hotline", POLICE, 1), NeedsOtherIssuer),
        ("of the issuer and another State", confirms("fr-police", POLICE, 1), NeedsOtherIssuer),
        ("of another State", confirms("fr-central", POLICE, 1), OtherStateConcerned),
        ("the coordinator", confirms("un-coordinator", POLICE, 1), NotEntitled),
        ("nobody", confirms("no-agency", POLICE, 1), UnknownAgency),
        ("a machine", confirms("de-central", POLICE, 1).with_kind(ActorKind::Machine), NeedsAPerson),
        ("a service", confirms("de-central", POLICE, 1).with_kind(ActorKind::Service), NeedsAPerson),
        ("another proposal", confirms("de-central", POLICE, 2), UnknownProposal),
        ("another entry", confirms("de-central", "agency/de-hotline", 1), UnknownProposal),
    ];
    for (case, when, code) in table {
        check(case, &proposed(), &when, &refuses(code));
    }
    check("nothing waits", &[], &confirms("de-central", POLICE, 1), &refuses(UnknownProposal));
}

#[test]
fn only_authorities_confirm() {
    let watches = changed("un-coordinator", |agency| agency.scope.push(country("FR")));
    let reads = changed_policy(|policy| {
        policy.rules[0].agency_kind = AgencyKind::Coordinator;
        policy.rules[0].facets.clear();
    });
    let watcher = "agency/un-coordinator";
    let refused = refuses(RejectionCode::NotEntitled);
    let given = [proposes("fr-central", &watches)];
    check("the coordinator itself", &given, &confirms("un-coordinator", watcher, 1), &refused);
    check("an authority of the State", &given, &confirms("fr-police", watcher, 1), &confirmed(&watches));
    let given = [proposes("de-central", &reads)];
    for by in ["un-coordinator", "de-hotline"] {
        check(by, &given, &confirms(by, "policy/default", 1), &refused);
    }
    check("an authority", &given, &confirms("fr-police", "policy/default", 1), &confirmed(&reads));
    let given = [proposes("de-central", &with_key("de-police", "second"))];
    check("a hotline of the State", &given, &confirms("de-hotline", POLICE, 1), &refused);
}

#[test]
fn a_proposal_is_confirmed_or_withdrawn_once() {
    let unknown = refuses(RejectionCode::UnknownProposal);
    for end in [confirms("de-central", POLICE, 1), withdraws("de-police", POLICE, 1)] {
        let given = [proposed(), vec![end]].concat();
        check("confirmed again", &given, &confirms("de-central", POLICE, 1), &unknown);
        check("withdrawn again", &given, &withdraws("de-police", POLICE, 1), &unknown);
    }
    let third = with_key("de-police", "third");
    let narrower = changed("de-police", |agency| agency.keys.clear());
    for entry in [&third, &narrower] {
        let then = refuses(RejectionCode::WrongState);
        check("while one waits", &proposed(), &proposes("de-police", entry), &then);
    }
    let again = vec![withdraws("de-police", POLICE, 1), proposes("de-police", &third)];
    let then = Ok(vec![
        ChangeConfirmed { proposal_id: proposal(POLICE, 2), acts_from: a_day_later() }.into(),
        EntryChanged { entry: third, acts_from: a_day_later() }.into(),
    ]);
    let given = [proposed(), again].concat();
    check("the second proposal", &given, &confirms("de-central", POLICE, 2), &then);
    check("the first one's id", &given, &confirms("de-central", POLICE, 1), &unknown);
}

#[test]
fn a_confirmed_change_is_not_taken_for_one_that_acts() {
    let confirmed = [proposed(), vec![confirms("de-central", POLICE, 1)]].concat();
    let renamed = changed("de-police", |agency| {
        agency.keys.push(key("second"));
        agency.name = "Example".to_owned();
    });
    let waits = |entry: &Entry| {
        let proposed = ChangeProposed {
            proposal_id: proposal(POLICE, 2),
            entry: entry.clone(),
            widens: vec!["adds or replaces the key second".to_owned()],
            issuer: "https://id.eu.example".to_owned(),
            state_concerned: Some(country("DE")),
        };
        Ok(vec![proposed.into()])
    };
    let changes =
        |entry: &Entry, acts_from| Ok(vec![EntryChanged { entry: entry.clone(), acts_from }.into()]);
    let proposes = |entry, moment| proposes("de-police", entry).when(moment);
    let before = a_day_later().plus_millis(-1);
    check("before its day", &confirmed, &proposes(&renamed, before), &waits(&renamed));
    check("on its day", &confirmed, &proposes(&renamed, a_day_later()), &changes(&renamed, a_day_later()));
    // Undone before it ever acted: what comes back widens what was written last.
    let as_before = changed("de-police", |_| {});
    let undone = [confirmed, vec![proposes(&as_before, now())]].concat();
    let second = with_key("de-police", "second");
    check("undone", &undone, &proposes(&second, a_day_later()), &waits(&second));
}

#[test]
fn what_is_confirmed_is_what_was_shown() {
    // The second key acts by the time the proposal of the third, that named both as new, is to be confirmed.
    let both = changed("de-police", |agency| agency.keys.extend([key("second"), key("third")]));
    let given = [proposed(), vec![confirms("de-central", POLICE, 1), proposes("de-police", &both)]].concat();
    let confirm = confirms("de-central", POLICE, 2);
    check("moved on", &given, &confirm.clone().when(a_day_later()), &refuses(RejectionCode::WrongState));
    let then = Ok(vec![
        ChangeConfirmed { proposal_id: proposal(POLICE, 2), acts_from: a_day_later() }.into(),
        EntryChanged { entry: both, acts_from: a_day_later() }.into(),
    ]);
    check("as shown", &given, &confirm, &then);
}

#[test]
fn its_proposer_or_the_state_concerned_withdraws() {
    let withdrawn = Ok(vec![ChangeWithdrawn { proposal_id: proposal(POLICE, 1) }.into()]);
    let second = withdraws("de-police", POLICE, 1).with_person("second");
    check("the proposing agency", &proposed(), &withdraws("de-police", POLICE, 1), &withdrawn);
    check("another person of it", &proposed(), &second, &withdrawn);
    check("of the State concerned", &proposed(), &withdraws("de-hotline", POLICE, 1), &withdrawn);
    for by in ["fr-police", "un-coordinator"] {
        let refused = refuses(RejectionCode::NotEntitled);
        check(by, &proposed(), &withdraws(by, POLICE, 1), &refused);
    }
    let of_coordinator = [proposes("un-coordinator", &with_key("de-police", "second"))];
    check("its proposer", &of_coordinator, &withdraws("un-coordinator", POLICE, 1), &withdrawn);
    let machine = withdraws("de-police", POLICE, 1).with_kind(ActorKind::Machine);
    check("a machine", &proposed(), &machine, &refuses(RejectionCode::NeedsAPerson));
    check("nothing waits", &[], &withdraws("de-police", POLICE, 1), &refuses(RejectionCode::UnknownProposal));
}

#[test]
fn whoever_may_confirm_a_policy_withdraws_it() {
    const DEFAULT: &str = "policy/default";
    let given = [proposes("de-central", &changed_policy(|policy| policy.rules[0].roles.clear()))];
    let withdrawn = Ok(vec![ChangeWithdrawn { proposal_id: proposal(DEFAULT, 1) }.into()]);
    for by in ["de-police", "fr-police", "ch-central"] {
        check(by, &given, &withdraws(by, DEFAULT, 1), &withdrawn);
    }
    check("its proposer", &given, &withdraws("de-central", DEFAULT, 1), &withdrawn);
    // Of the same issuer, and no authorities.
    for by in ["fr-central", "de-hotline", "un-coordinator"] {
        check(by, &given, &withdraws(by, DEFAULT, 1), &refuses(RejectionCode::NotEntitled));
    }
    let nobody = withdraws("no-agency", DEFAULT, 1);
    check("nobody", &given, &nobody, &refuses(RejectionCode::UnknownAgency));
}
