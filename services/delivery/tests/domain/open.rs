//! What an agency may open: its own assignment's facets, once accepted, or with the offer in imminent danger.

use chassis::decider::{IndexKey, Rejection, Service as _};
use delivery::Delivery;
use schemas::codes::*;
use schemas::delivery::{DeliveryEvent, EarlyOpeningDelivered, EraseFacets, FacetsDisclosed, OpenFacets};
use schemas::directory::EntryChanged;
use schemas::ids::EntryId;
use schemas::routing::{Entitlement, IncidentOpened};

use crate::world::*;

const STATES: [AssignmentState; 7] = [
    AssignmentState::Accepted,
    AssignmentState::Declined,
    AssignmentState::Forwarded,
    AssignmentState::Revoked,
    AssignmentState::Closed,
    AssignmentState::Overdue,
    AssignmentState::Escalated,
];

fn offered(entitlement: Entitlement) -> Vec<Step> {
    let french = Entitlement { persons: vec![person("suspect")], ..entitlement.clone() };
    vec![
        hears(opened()),
        hears(offer("de-police", "DE", entitlement)),
        hears(offer("fr-police", "FR", french)),
    ]
}

fn accepted(entitlement: Entitlement) -> Vec<Step> {
    [offered(entitlement), vec![brings("de-police", AssignmentState::Accepted)]].concat()
}

fn discloses(names: &[&str], with_offer: bool) -> Decision {
    let disclosed = FacetsDisclosed {
        disclosure_id: disclosure("command"),
        assignment_id: Some(assignment("de-police")),
        request_id: None,
        child_ref: None,
        agency: agency("de-police"),
        recipient_key_id: key("de-police"),
        facets: names.iter().map(|name| disclosed(name)).collect(),
        transfer: transfer(),
        with_offer,
    };
    Ok(std::iter::once(disclosed.into()).chain(with_offer.then(told_early)).collect())
}

#[test]
fn the_originator_is_told_once_of_what_is_opened_with_the_offer() {
    let given = offered(with_offer(entitlement()));
    let earlier = Step { cause: "earlier".to_owned(), ..opens("de-police", &[]) };
    let again = [given.clone(), vec![earlier]].concat();
    check("told already", &again, &opens("de-police", &["victim"]), &Ok(vec![early(&["victim"])]));
    let accepted = [given.clone(), vec![brings("de-police", AssignmentState::Accepted)]].concat();
    check("once accepted", &accepted, &opens("de-police", &["victim"]), &discloses(&["victim"], false));
    // A provider hears that somebody opened, not who.
    let provider = IncidentOpened { reporter: agency("us-provider"), ..opened() };
    let given = [vec![hears(provider)], given[1..].to_vec()].concat();
    let told = EarlyOpeningDelivered {
        agency: agency("us-provider"),
        disclosure_id: disclosure("command"),
        opened_by: None,
        country: None,
    };
    check("a provider", &given, &opens("de-police", &["victim"]), &Ok(vec![early(&["victim"]), told.into()]));
    let mut history = after(&given);
    history.take(&opens("de-police", &[])).unwrap();
    let told = history.log.last().unwrap();
    let entries = Delivery::index(&history.state, told, &[0; 32]);
    let keys: Vec<IndexKey> = entries.into_iter().map(|entry| entry.key).collect();
    assert_eq!(keys, [IndexKey::Placed(b"us-provider\0".to_vec())]);
}

/// The disclosure alone.
fn early(names: &[&str]) -> DeliveryEvent {
    discloses(names, true).unwrap().remove(0)
}

#[test]
fn the_state_decides_when_it_opens() {
    use RejectionCode::*;
    let all = ["victim", "narrative"];
    let opens = opens("de-police", &[]);
    check("offered", &offered(entitlement()), &opens, &refuses(WrongState));
    check("offered in danger", &offered(with_offer(entitlement())), &opens, &discloses(&all, true));
    for state in STATES {
        let then = |in_danger: Decision, routine: Decision| [in_danger, routine];
        let [in_danger, routine] = match state {
            AssignmentState::Accepted => then(discloses(&all, false), discloses(&all, false)),
            AssignmentState::Overdue | AssignmentState::Escalated => {
                then(discloses(&all, true), refuses(WrongState))
            }
            _ => then(refuses(NotEntitled), refuses(NotEntitled)),
        };
        for (entitlement, then) in [(with_offer(entitlement()), in_danger), (entitlement(), routine)] {
            let given = [offered(entitlement), vec![brings("de-police", state)]].concat();
            check(state.code(), &given, &opens, &then);
        }
    }
    let escalated = [accepted(entitlement()), vec![brings("de-police", AssignmentState::Escalated)]].concat();
    check("accepted, then escalated", &escalated, &opens, &discloses(&all, false));
    let ended = [accepted(entitlement()), vec![brings("de-police", AssignmentState::Revoked)]].concat();
    check("accepted, then revoked", &ended, &opens, &refuses(NotEntitled));
}

#[test]
fn only_its_own_and_only_under_its_own_key() {
    use RejectionCode::*;
    let given = accepted(entitlement());
    let of = |by: &str, of: &str, under: &str| {
        let facets = Vec::new();
        asks(
            by,
            "command",
            OpenFacets { assignment_id: assignment(of), facets, recipient_key_id: key(under) },
        )
    };
    let no_key = refuses_at(UnknownKey, "/recipient_key_id");
    let own = || of("de-police", "de-police", "de-police");
    check("before the incident is known", &[], &own(), &refuses(UnknownIncident));
    check(
        "no such assignment",
        &given,
        &of("de-police", "br-police", "de-police"),
        &refuses(UnknownAssignment),
    );
    check("another's", &given, &of("fr-police", "de-police", "fr-police"), &refuses(NotYourAssignment));
    check(
        "a coordinator",
        &given,
        &of("un-coordinator", "de-police", "un-coordinator"),
        &refuses(NotYourAssignment),
    );
    check("another's key", &given, &of("de-police", "de-police", "fr-police"), &no_key);
    check("no key", &given, &of("de-police", "de-police", "no-key"), &no_key);
    check("its own", &given, &own(), &discloses(&["victim", "narrative"], false));
}

#[test]
fn only_what_it_is_entitled_to() {
    let entitled = |facet_kinds: &[FacetKind], persons: &[&str]| Entitlement {
        facet_kinds: facet_kinds.to_vec(),
        persons: persons.iter().map(|name| person(name)).collect(),
        opens_with_offer: false,
    };
    let refused = || refuses(RejectionCode::NotEntitled);
    let all = [FacetKind::Person, FacetKind::Narrative, FacetKind::Report];
    let everybody = ["victim", "suspect", "witness"];
    // What is asked for, and what of it is disclosed; nothing asked for is all.
    let table = [
        (entitlement(), vec![], discloses(&["victim", "narrative"], false)),
        (entitlement(), vec!["narrative"], discloses(&["narrative"], false)),
        (entitlement(), vec!["narrative", "victim"], discloses(&["narrative", "victim"], false)),
        (entitlement(), vec!["suspect"], refused()),
        (entitlement(), vec!["report"], refused()),
        (entitlement(), vec!["victim", "report"], refused()),
        (entitlement(), vec!["no such facet"], refused()),
        (
            entitled(&all, &everybody),
            vec![],
            discloses(&["victim", "suspect", "witness", "narrative", "report"], false),
        ),
        (entitled(&[FacetKind::Person], &["suspect"]), vec![], discloses(&["suspect"], false)),
        (entitled(&[FacetKind::Report], &everybody), vec![], discloses(&["report"], false)),
        (entitled(&[FacetKind::Report], &everybody), vec!["victim"], refused()),
        (entitled(&all, &[]), vec![], discloses(&["narrative", "report"], false)),
        (entitled(&[], &everybody), vec![], refused()),
        (entitled(&[FacetKind::Person], &[]), vec![], refused()),
        (entitled(&[FacetKind::AnswerText], &[]), vec![], refused()),
    ];
    for (entitlement, asked, then) in table {
        let case = format!("{entitlement:?}, asked {asked:?}");
        check(&case, &accepted(entitlement), &opens("de-police", &asked), &then);
    }
}

#[test]
fn a_disclosure_follows_from_its_command() {
    let mut history = History::new();
    for step in accepted(entitlement()) {
        history.take(&step).unwrap();
    }
    let open = opens("de-police", &["victim"]);
    let first = history.take(&open);
    assert_eq!(history.take(&open), first, "asked again under the same command");
    assert_eq!(history.state.disclosures.len(), 1);
    history.take(&Step { cause: "another command".to_owned(), ..open }).unwrap();
    let disclosures: Vec<_> = history.state.disclosures.keys().copied().collect();
    let mut both = vec![disclosure("command"), disclosure("another command")];
    both.sort();
    assert_eq!(disclosures, both);
}

#[test]
fn no_facet_is_named_twice() {
    let twice = refuses_at(RejectionCode::Invalid, "/facets");
    let given = accepted(entitlement());
    for asked in [vec!["victim", "victim"], vec!["victim", "narrative", "victim"], vec!["suspect", "suspect"]]
    {
        check(&format!("{asked:?}"), &given, &opens("de-police", &asked), &twice);
    }
    let offered = offered(entitlement());
    let not_yet = refuses(RejectionCode::WrongState);
    check("before it opens", &offered, &opens("de-police", &["victim", "victim"]), &not_yet);
}

#[test]
fn a_disclosure_too_many_is_refused() {
    let mut history = after(&accepted(entitlement()));
    let anew = |number: usize| Step { cause: number.to_string(), ..opens("de-police", &["victim"]) };
    for number in 0..999 {
        history.take(&anew(number)).unwrap();
    }
    assert!(history.take(&anew(999)).is_ok(), "the thousandth");
    assert_eq!(history.take(&anew(1_000)), refuses(RejectionCode::TooMany));
    history.take(&brings("fr-police", AssignmentState::Accepted)).unwrap();
    assert!(history.take(&opens("fr-police", &["suspect"])).is_ok(), "another agency's");
}

/// Whether the disclosure that the steps led to may be given to the agency again.
fn again(history: &History, by: &str) -> Result<(), Rejection> {
    let disclosed = &history.state.disclosures[&disclosure("command")];
    history.state.may_be_given(disclosed, &agency(by), &history.directory, now())
}

#[test]
fn what_was_given_is_given_again_while_it_would_open_anew() {
    use RejectionCode::*;
    let opened = opens("de-police", &["victim", "narrative"]);
    let given = [accepted(entitlement()), vec![opened.clone()]].concat();
    let early = [offered(with_offer(entitlement())), vec![opened]].concat();
    let stands = |state| vec![brings("de-police", state)];
    let erases = |whom: Option<&str>| {
        let (person_ref, reason) = (whom.map(person), ErasureReason::DataSubject);
        vec![asks("nl-hotline", "erase", EraseFacets { person_ref, reason })]
    };
    let refused = |code: RejectionCode| Err(Rejection::from(code));
    let table = [
        ("at once", &given, vec![], Ok(())),
        ("a coordinator looks", &given, stands(AssignmentState::Escalated), Ok(())),
        ("revoked", &given, stands(AssignmentState::Revoked), refused(NotEntitled)),
        ("closed", &given, stands(AssignmentState::Closed), refused(NotEntitled)),
        ("with the offer", &early, vec![], Ok(())),
        ("with the offer, overdue", &early, stands(AssignmentState::Overdue), Ok(())),
        ("with the offer, then accepted", &early, stands(AssignmentState::Accepted), Ok(())),
        ("with the offer, then declined", &early, stands(AssignmentState::Declined), refused(NotEntitled)),
        ("with the offer, then forwarded", &early, stands(AssignmentState::Forwarded), refused(NotEntitled)),
        ("replaced by an amendment", &given, vec![hears(amended(1))], refused(NotEntitled)),
        ("one person erased", &given, erases(Some("victim")), refused(Erased)),
        ("another person erased", &given, erases(Some("suspect")), Ok(())),
        ("all of it erased", &given, erases(None), refused(Erased)),
    ];
    for (case, given, since, then) in table {
        let history = after(&[given.clone(), since].concat());
        assert_eq!(again(&history, "de-police"), then, "{case}");
    }
    let mut history = after(&given);
    assert_eq!(again(&history, "fr-police"), refused(NotYourAssignment));
    let entry = EntryId::try_new("agency/de-police").unwrap();
    let mut entry = history.directory.newest(&entry).unwrap().clone();
    entry.agency.as_mut().unwrap().keys.clear();
    history.directory.evolve(&EntryChanged { entry, acts_from: now() }.into(), now());
    let no_key = Err(Rejection::at(UnknownKey, "/recipient_key_id"));
    assert_eq!(again(&history, "de-police"), no_key, "a key that acts no more");
}
