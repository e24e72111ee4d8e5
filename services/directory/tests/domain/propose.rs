//! Proposals: what widens nothing acts at once, everything else waits for a second person.

use schemas::codes::*;
use schemas::directory::{
    Agency, ChangeProposed, DirectoryEvent, DutyContact, DutyHours, Entry, EntryChanged, Policy,
    ProposeChange, Wellbeing,
};

use crate::world::*;

type Change<T> = fn(&mut T);

fn acts_at_once(entry: &Entry) -> Decision {
    Ok(vec![EntryChanged { entry: entry.clone(), acts_from: now() }.into()])
}

fn waits(entry: &Entry, widens: &[&str], issuer: &str) -> Decision {
    waits_for(entry, widens, issuer, entry.agency.as_ref().map(|agency| agency.country.as_str()))
}

/// The same, where the State concerned is another than the one the entry names.
fn waits_for(entry: &Entry, widens: &[&str], issuer: &str, concerned: Option<&str>) -> Decision {
    let id = entry.id().unwrap();
    let proposed: DirectoryEvent = ChangeProposed {
        proposal_id: proposal(id.as_str(), 1),
        entry: entry.clone(),
        widens: widens.iter().map(|words| (*words).to_owned()).collect(),
        issuer: format!("https://id.{issuer}.example"),
        state_concerned: concerned.map(country),
    }
    .into();
    Ok(vec![proposed])
}

fn contact(time_zone: &str, hours: Vec<DutyHours>) -> DutyContact {
    DutyContact {
        name: "night desk".to_owned(),
        time_zone: time_zone.to_owned(),
        hours,
        languages: vec!["de".to_owned()],
        phone: None,
        webhook: None,
    }
}

#[test]
fn what_widens_nothing_acts_at_once() {
    let table: [(&str, Change<Agency>); 6] = [
        ("nothing", |_| {}),
        ("another name", |agency| agency.name = "Example".to_owned()),
        ("a key less", |agency| agency.keys.clear()),
        ("fewer kinds of incident", |agency| agency.incident_kinds = vec![IncidentKind::Csam]),
        ("a duty contact", |agency| agency.duty_contacts = vec![contact("Europe/Berlin", Vec::new())]),
        ("a contact with hours", |agency| {
            let hours = DutyHours { weekday: 7, from_minute: 0, to_minute: 1_440 };
            agency.duty_contacts = vec![contact("UTC", vec![hours])];
        }),
    ];
    for (case, change) in table {
        let entry = changed("de-police", change);
        check(case, &[], &proposes("de-police", &entry), &acts_at_once(&entry));
    }
}

#[test]
fn a_policy_waits_whichever_way_it_changes() {
    let table: [(&str, Change<Policy>); 7] = [
        ("nothing", |_| {}),
        ("another version", |policy| policy.version = 2),
        ("a rule less", |policy| policy.rules.clear()),
        ("a transfer less", |policy| policy.transfers.clear()),
        ("fewer facets", |policy| policy.rules[0].facets = vec![FacetKind::Narrative]),
        ("fewer persons", |policy| policy.rules[0].persons.clear()),
        ("other times", |policy| {
            policy.acknowledge_within_minutes = 5;
            policy.rules[0].respond_within_minutes = 30;
        }),
    ];
    for (case, change) in table {
        let entry = changed_policy(change);
        check(case, &[], &proposes("de-central", &entry), &waits(&entry, &[], "national"));
    }
}

#[test]
fn what_gives_an_agency_more_waits() {
    let table: [(&str, Change<Agency>); 8] = [
        ("lets another key sign for the agency", |agency| agency.signing_keys = signing_keys("de-police", 1)),
        ("lets more people read by person who had to view what", |agency| {
            let leads = vec!["lead".to_owned()];
            agency.wellbeing = Some(Wellbeing { items: 50, days: 7, leads });
        }),
        ("adds or replaces the key second", |agency| agency.keys.push(key("second"))),
        ("adds or replaces the key first", |agency| agency.keys[0].public_key = "other".to_owned()),
        ("changes whose tokens speak for the agency", |agency| {
            agency.issuer = "https://id.other.example".to_owned();
        }),
        ("changes whose tokens speak for the agency", |agency| agency.subject = "other".to_owned()),
        ("changes the agency's kind or country", |agency| agency.kind = AgencyKind::Provider),
        ("makes it a point that is offered every imminent danger", |agency| agency.round_the_clock = true),
    ];
    for (words, change) in table {
        let entry = changed("de-police", change);
        check(words, &[], &proposes("de-police", &entry), &waits(&entry, &[words], "eu"));
    }
    let narrow = changed("de-police", |agency| agency.incident_kinds = vec![IncidentKind::Csam]);
    let given = [proposes("de-police", &narrow)];
    let wider: [Change<Agency>; 3] = [
        |agency| agency.incident_kinds = vec![IncidentKind::Csam, IncidentKind::Other],
        |agency| agency.incident_kinds = vec![IncidentKind::Other],
        |agency| agency.incident_kinds = Vec::new(),
    ];
    for change in wider {
        let entry = changed("de-police", change);
        let words = "takes more kinds of incident";
        check(words, &given, &proposes("de-police", &entry), &waits(&entry, &[words], "eu"));
    }
    let watches = changed("un-coordinator", |agency| agency.scope.push(country("FR")));
    let then = waits_for(&watches, &["watches more countries"], "national", Some("FR"));
    check("a coordinator, of the State it comes to watch", &[], &proposes("fr-central", &watches), &then);
    let new = of_agency(plain("de-new", "DE", AgencyKind::Helpline, "eu"));
    check("new", &[], &proposes("de-central", &new), &waits(&new, &["adds the agency de-new"], "national"));
    let several = changed("de-police", |agency| {
        agency.keys.push(key("second"));
        agency.round_the_clock = true;
    });
    let words = ["adds or replaces the key second", "makes it a point that is offered every imminent danger"];
    check("several", &[], &proposes("de-police", &several), &waits(&several, &words, "eu"));
}

#[test]
fn what_a_policy_gives_more_waits() {
    let rule = "rule police gives more than before";
    let table: [(&str, Change<Policy>); 10] = [
        (rule, |policy| policy.rules[0].facets.push(FacetKind::Report)),
        (rule, |policy| policy.rules[0].persons.push(PersonCategory::Victim)),
        (rule, |policy| policy.rules[0].agency_kind = AgencyKind::Provider),
        (rule, |policy| policy.rules[0].roles.clear()),
        (rule, |policy| policy.rules[0].kinds.push(IncidentKind::Other)),
        (rule, |policy| policy.rules[0].urgencies.clear()),
        ("rule other gives more than before", |policy| policy.rules[0].id = "other".to_owned()),
        ("transfer rule union is new or changed", |policy| policy.transfers[0].to.push(country("CH"))),
        ("transfer rule union is new or changed", |policy| {
            policy.transfers[0].basis = TransferBasis::Agreement;
        }),
        ("transfer rule other is new or changed", |policy| {
            let mut other = policy.transfers[0].clone();
            other.id = "other".to_owned();
            policy.transfers.push(other);
        }),
    ];
    for (words, change) in table {
        let entry = changed_policy(change);
        let when = proposes("de-central", &entry);
        check(words, &[], &when, &waits(&entry, &[words], "national"));
    }
    let new = changed_policy(|policy| policy.name = "other".to_owned());
    let then = waits(&new, &["adds the policy other"], "un");
    check("new", &[], &proposes("un-coordinator", &new), &then);
}

#[test]
fn each_proposes_only_its_own() {
    let agency = with_key("de-police", "second");
    let hotline = changed("de-hotline", |agency| agency.keys.clear());
    let policy = changed_policy(|policy| policy.version = 2);
    let refused = refuses(RejectionCode::NotEntitled);
    for by in ["de-hotline", "fr-police", "fr-central"] {
        check(by, &[], &proposes(by, &agency), &refused);
    }
    for (by, issuer) in [("de-police", "eu"), ("de-central", "national"), ("un-coordinator", "un")] {
        let then = waits(&agency, &["adds or replaces the key second"], issuer);
        check(by, &[], &proposes(by, &agency), &then);
    }
    check("its country's", &[], &proposes("de-central", &hotline), &acts_at_once(&hotline));
    for by in ["de-police", "de-hotline"] {
        check(by, &[], &proposes(by, &policy), &refused);
    }
    for (by, issuer) in [("de-central", "national"), ("fr-central", "national"), ("un-coordinator", "un")] {
        check(by, &[], &proposes(by, &policy), &waits(&policy, &[], issuer));
    }
    check("nobody", &[], &proposes("no-agency", &agency), &refuses(RejectionCode::UnknownAgency));
    for kind in [ActorKind::Machine, ActorKind::Service] {
        let when = proposes("de-police", &agency).with_kind(kind);
        check("no person", &[], &when, &refuses(RejectionCode::NeedsAPerson));
    }
}

#[test]
fn a_coordinator_widens_nothing_for_coordinators() {
    let watches = changed("un-coordinator", |agency| agency.scope.push(country("FR")));
    let second = of_agency(plain("un-second", "CH", AgencyKind::Coordinator, "un"));
    let becomes = changed("de-police", |agency| {
        agency.kind = AgencyKind::Coordinator;
        agency.scope = vec![country("DE")];
    });
    let reads = changed_policy(|policy| {
        policy.rules[0].agency_kind = AgencyKind::Coordinator;
        policy.rules[0].facets.clear();
    });
    for (case, entry) in
        [("watches", &watches), ("a second", &second), ("becomes", &becomes), ("reads", &reads)]
    {
        let when = proposes("un-coordinator", entry);
        check(case, &[], &when, &refuses(RejectionCode::CoordinatorCannotWiden));
    }
    let reader = changed_policy(|policy| policy.rules[0].facets.clear());
    check("a policy's less", &[], &proposes("un-coordinator", &reader), &waits(&reader, &[], "un"));
    // Whose duty contacts are called is not the coordinator's to say.
    for id in ["un-coordinator", "de-police"] {
        let narrower = changed(id, |agency| agency.keys.clear());
        check(id, &[], &proposes("un-coordinator", &narrower), &refuses(RejectionCode::NotEntitled));
    }
}

#[test]
fn the_longest_times_of_a_policy_are_valid() {
    let entry = changed_policy(|policy| {
        policy.acknowledge_within_minutes = 24 * 60;
        policy.rules[0].respond_within_minutes = 90 * 24 * 60;
    });
    check("the longest", &[], &proposes("de-central", &entry), &waits(&entry, &[], "national"));
}

#[test]
fn an_agency_stays_in_its_state() {
    let refused = refuses_at(RejectionCode::Invalid, "/entry/agency/country");
    let moved = changed("de-police", |agency| agency.country = country("FR"));
    for by in ["de-police", "de-central", "fr-central", "un-coordinator"] {
        check(by, &[], &proposes(by, &moved), &refused);
    }
    // Not even before its first day has come.
    let new = |code| of_agency(plain("new-police", code, AgencyKind::PoliceUnit, "eu"));
    let given = [proposes("fr-central", &new("FR")), confirms("fr-police", "agency/new-police", 1)];
    check("a new one", &given, &proposes("un-coordinator", &new("DE")), &refused);
}

#[test]
fn an_entry_is_valid_or_names_its_field() {
    let hours = |weekday, from_minute, to_minute| {
        changed("de-police", |agency| {
            let hours = DutyHours { weekday, from_minute, to_minute };
            agency.duty_contacts = vec![contact("Europe/Berlin", vec![hours])];
        })
    };
    let at_hours = "/entry/agency/duty_contacts/hours";
    let signing = |name: &str, count| {
        let keys = signing_keys(name, count);
        changed("de-police", |agency| agency.signing_keys = keys)
    };
    let wellbeing = |items, days, leads: &[&str]| {
        let leads = leads.iter().map(|lead| (*lead).to_owned()).collect();
        changed("de-police", |agency| agency.wellbeing = Some(Wellbeing { items, days, leads }))
    };
    let table = [
        ("/entry/agency/signing_keys", signing("fr-police", 1)),
        ("/entry/agency/signing_keys", signing("de-police", 21)),
        (
            "/entry/agency/signing_keys",
            changed("de-police", |agency| agency.signing_keys = vec![String::new()]),
        ),
        ("/entry/agency/wellbeing/items", wellbeing(0, 7, &["lead"])),
        ("/entry/agency/wellbeing/days", wellbeing(50, 91, &["lead"])),
        ("/entry/agency/wellbeing/leads", wellbeing(50, 7, &[])),
        ("/entry/agency/wellbeing/leads", wellbeing(50, 7, &[""])),
        ("/entry/agency/issuer", changed("de-police", |agency| agency.issuer.clear())),
        ("/entry/agency/issuer", changed("de-police", |agency| agency.subject.clear())),
        ("/entry/agency/scope", changed("de-police", |agency| agency.scope = vec![country("DE")])),
        ("/entry/agency/scope", changed("un-coordinator", |agency| agency.scope.clear())),
        (
            "/entry/agency/duty_contacts/time_zone",
            changed("de-police", |agency| {
                agency.duty_contacts = vec![contact("Europe/Atlantis", Vec::new())];
            }),
        ),
        (at_hours, hours(0, 0, 60)),
        (at_hours, hours(8, 0, 60)),
        (at_hours, hours(1, -1, 60)),
        (at_hours, hours(1, 60, 60)),
        (at_hours, hours(1, 120, 60)),
        (at_hours, hours(1, 0, 1_441)),
    ];
    for (pointer, entry) in table {
        let when = proposes("un-coordinator", &entry);
        check(pointer, &[], &when, &refuses_at(RejectionCode::Invalid, pointer));
    }
    let table: [(&str, Change<Policy>); 9] = [
        ("acknowledge_within_minutes", |policy| policy.acknowledge_within_minutes = 0),
        ("acknowledge_within_minutes", |policy| policy.acknowledge_within_minutes = -15),
        ("acknowledge_within_minutes", |policy| policy.acknowledge_within_minutes = 24 * 60 + 1),
        ("rules/0/respond_within_minutes", |policy| policy.rules[0].respond_within_minutes = 0),
        ("rules/0/respond_within_minutes", |policy| policy.rules[0].respond_within_minutes = i32::MIN),
        ("rules/0/respond_within_minutes", |policy| {
            policy.rules[0].respond_within_minutes = 90 * 24 * 60 + 1
        }),
        ("rules/0/facets", |policy| policy.rules[0].agency_kind = AgencyKind::Coordinator),
        ("rules/1/id", |policy| policy.rules.push(policy.rules[0].clone())),
        ("transfers/1/id", |policy| policy.transfers.push(policy.transfers[0].clone())),
    ];
    for (field, change) in table {
        let pointer = format!("/entry/policy/{field}");
        let when = proposes("de-central", &changed_policy(change));
        check(field, &[], &when, &refuses_at(RejectionCode::Invalid, &pointer));
    }
    let anothers = changed("de-police", |agency| agency.subject = "fr-police".to_owned());
    let when = proposes("de-police", &anothers);
    check("another's tokens", &[], &when, &refuses_at(RejectionCode::Invalid, "/entry/agency/subject"));
    for entry in [
        Entry::default(),
        Entry { agency: entries()[0].agency.clone(), policy: Some(policy()), ..Entry::default() },
        changed_policy(|policy| policy.name = "No Name".to_owned()),
    ] {
        let when = asks("un-coordinator", "policy/default", ProposeChange { entry });
        check("no entry", &[], &when, &refuses_at(RejectionCode::Invalid, "/entry"));
    }
}

/// The key of RFC 8032, section 7.1, under the name of an agency.
fn signing_keys(name: &str, count: usize) -> Vec<String> {
    let key = match name {
        "de-police" => "de-police+b28afbdc+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea",
        _ => "fr-police+afcde62b+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea",
    };
    vec![key.to_owned(); count]
}
