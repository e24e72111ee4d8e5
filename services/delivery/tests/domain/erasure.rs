//! Erasure: what closes, whose it is to close, what a hold keeps, and when the keys are said to be gone.

use schemas::Timestamp;
use schemas::codes::*;
use schemas::delivery::{
    BeginKeyErasure, DeliveryEvent, EraseFacets, ErasureDelivered, ErasureRestricted, FacetsErased,
    HoldPlaced, HoldReleased, KeyErasureBegun, KeySetErasure, KeysErased, MomentCame, PlaceHold, ReleaseHold,
    ReportKeysErased,
};
use schemas::ids::{AgencyId, ErasureId, FacetId, HoldId};
use schemas::routing::{CaseNumberAdded, IncidentOpened};

use crate::world::*;

fn accepted() -> Vec<Step> {
    vec![
        hears(opened()),
        hears(offer("de-police", "DE", entitlement())),
        brings("de-police", AssignmentState::Accepted),
    ]
}

fn erases(by: &str, whom: Option<&str>) -> Step {
    let (person_ref, reason) = (whom.map(person), ErasureReason::DataSubject);
    asks(by, "erase", EraseFacets { person_ref, reason })
}

fn erasure() -> ErasureId {
    ErasureId::derive(&[INCIDENT.as_bytes(), b"erase"])
}

fn all() -> Vec<FacetId> {
    facets(0).into_iter().map(|facet| facet.facet_id).collect()
}

fn erased(whom: Option<&str>, ids: &[FacetId], whole: bool) -> DeliveryEvent {
    let key_set = KeySetErasure { key_set_id: facets(0)[0].key_set_id, facets: ids.to_vec(), whole };
    FacetsErased {
        erasure_id: erasure(),
        by: agency("nl-hotline"),
        person_ref: whom.map(person),
        reason: ErasureReason::DataSubject,
        facets: ids.to_vec(),
        key_sets: vec![key_set],
    }
    .into()
}

fn restricted(ids: &[FacetId]) -> DeliveryEvent {
    ErasureRestricted {
        erasure_id: erasure(),
        by: agency("nl-hotline"),
        person_ref: None,
        reason: ErasureReason::DataSubject,
        facets: ids.to_vec(),
    }
    .into()
}

fn told(ids: &[FacetId], restricted: bool) -> DeliveryEvent {
    let mut facets = ids.to_vec();
    facets.sort();
    let (agency, reason) = (agency("de-police"), ErasureReason::DataSubject);
    ErasureDelivered { agency, erasure_id: erasure(), reason, restricted, facets }.into()
}

fn holds(until: Option<Timestamp>) -> Step {
    asks("de-police", "hold", PlaceHold { reason: HoldReason::Evidence, until })
}

fn hold() -> HoldId {
    HoldId::derive(&[INCIDENT.as_bytes(), b"hold"])
}

fn and(given: &[Step], more: &[Step]) -> Vec<Step> {
    [given, more].concat()
}

#[test]
fn whoever_brought_it_in_has_it_erased() {
    let given = and(&accepted(), &[opens("de-police", &["victim"])]);
    let victim = [facet("victim")];
    let then = Ok(vec![erased(Some("victim"), &victim, false), told(&victim, false)]);
    check("one person", &given, &erases("nl-hotline", Some("victim")), &then);
    let then = Ok(vec![erased(None, &all(), true), told(&victim, false)]);
    check("all of it", &given, &erases("nl-hotline", None), &then);
    let rest: Vec<FacetId> = all().into_iter().filter(|id| *id != facet("victim")).collect();
    let one = and(&given, &[Step { cause: "one".to_owned(), ..erases("nl-hotline", Some("victim")) }]);
    check(
        "the rest: nothing of the set is left",
        &one,
        &erases("nl-hotline", None),
        &Ok(vec![erased(None, &rest, true)]),
    );
    check("again", &one, &erases("nl-hotline", Some("victim")), &refuses(RejectionCode::Erased));
    for other in ["de-police", "fr-police", "eu-coordinator", "no-agency"] {
        check(other, &given, &erases(other, None), &refuses(RejectionCode::NotEntitled));
    }
    let nobody = erases("nl-hotline", Some("somebody else"));
    check("no such person", &given, &nobody, &refuses_at(RejectionCode::Invalid, "/person_ref"));
    let early = asks(
        "nl-hotline",
        "erase",
        EraseFacets { person_ref: None, reason: ErasureReason::RetentionExpired },
    );
    check("the clock's reason", &given, &early, &refuses_at(RejectionCode::Invalid, "/reason"));
}

#[test]
fn a_party_has_its_own_word_erased_and_no_other() {
    let number = added("case number", FacetKind::CaseNumber);
    let adds = hears_of("fr-police", 12, CaseNumberAdded { by: agency("fr-police"), number: number.clone() });
    let given = and(&accepted(), &[adds]);
    let then = FacetsErased {
        erasure_id: erasure(),
        by: agency("fr-police"),
        person_ref: None,
        reason: ErasureReason::DataSubject,
        facets: vec![number.facet_id],
        // The set of the example holds the reporter's facets as well.
        key_sets: vec![KeySetErasure {
            key_set_id: number.key_set_id,
            facets: vec![number.facet_id],
            whole: false,
        }],
    };
    check("its own", &given, &erases("fr-police", None), &Ok(vec![then.into()]));
}

#[test]
fn what_is_erased_opens_for_nobody() {
    let given = and(&accepted(), &[erases("nl-hotline", Some("victim"))]);
    check("by name", &given, &opens("de-police", &["victim"]), &refuses(RejectionCode::Erased));
    check("what never was", &given, &opens("de-police", &["suspect"]), &refuses(RejectionCode::NotEntitled));
    let narrative = after(&and(&given, &[opens("de-police", &[])])).state.disclosures;
    let opened: Vec<FacetId> =
        narrative.values().flat_map(|one| &one.facets).map(|facet| facet.facet_id).collect();
    assert_eq!(opened, [facet("narrative")], "the rest opens as before");
    let given = and(&accepted(), &[erases("nl-hotline", None)]);
    check("all of it", &given, &opens("de-police", &[]), &refuses(RejectionCode::Erased));
}

#[test]
fn what_an_amendment_replaced_is_erased_too() {
    let given = and(&accepted(), &[hears(amended(1))]);
    let mut history = after(&given);
    let events = history.take(&erases("nl-hotline", None)).unwrap();
    let DeliveryEvent::FacetsErased(erased) = &events[0] else { panic!("{events:?}") };
    assert_eq!(erased.facets.len(), 2 * all().len());
    assert!(all().iter().all(|id| erased.facets.contains(id)));
}

/// What an amendment has sealed anew of the victim.
fn anew(amendment: i32) -> FacetId {
    facet(&sealed_anew("victim", amendment))
}

fn anew_id() -> ErasureId {
    delivery::domain::erasure::erasure_id(INCIDENT, &format!("routing's event/{}", person("victim")))
}

fn erased_anew(amendment: i32) -> DeliveryEvent {
    let (key_set_id, facets) = (facets(0)[0].key_set_id, vec![anew(amendment)]);
    FacetsErased {
        erasure_id: anew_id(),
        by: agency("nl-hotline"),
        person_ref: Some(person("victim")),
        reason: ErasureReason::DataSubject,
        facets: facets.clone(),
        key_sets: vec![KeySetErasure { key_set_id, facets, whole: false }],
    }
    .into()
}

/// What the amendment is by itself.
fn updated(amendment: i32) -> DeliveryEvent {
    after(&accepted()).take(&hears(amended(amendment))).unwrap().remove(0)
}

#[test]
fn whoever_was_erased_is_erased_when_sealed_anew() {
    let given = and(&accepted(), &[erases("nl-hotline", Some("victim"))]);
    check("amended", &given, &hears(amended(1)), &Ok(vec![updated(1), erased_anew(1)]));
    let given = and(&given, &[hears(amended(1))]);
    check("opens for nobody", &given, &opens("de-police", &["victim 1"]), &refuses(RejectionCode::Erased));
    check("amended again", &given, &hears(amended(2)), &Ok(vec![updated(2), erased_anew(2)]));
    let whole = and(&accepted(), &[erases("nl-hotline", None)]);
    let then = Ok(vec![updated(1)]);
    check(
        "nobody by name: what comes in after that is the reporter's word",
        &whole,
        &hears(amended(1)),
        &then,
    );
    check("nobody", &accepted(), &hears(amended(1)), &then);
}

#[test]
fn whoever_was_restricted_is_restricted_when_sealed_anew() {
    let given = and(&accepted(), &[holds(None), erases("nl-hotline", Some("victim"))]);
    let restricted = ErasureRestricted {
        erasure_id: anew_id(),
        by: agency("nl-hotline"),
        person_ref: Some(person("victim")),
        reason: ErasureReason::DataSubject,
        facets: vec![anew(1)],
    };
    check("amended", &given, &hears(amended(1)), &Ok(vec![updated(1), restricted.into()]));
    let given = and(&given, &[hears(amended(1))]);
    let opened = after(&given).take(&opens("de-police", &["victim 1"]));
    assert!(opened.is_ok(), "whoever holds it opens it: {opened:?}");
    let release = asks("de-police", "release", ReleaseHold { hold_id: hold() });
    let state = after(&and(&given, std::slice::from_ref(&release))).state;
    assert!([facet("victim"), anew(1)].iter().all(|id| state.erasures.erased.contains(id)));
    let given = and(&given, &[release]);
    check("amended after the hold", &given, &hears(amended(2)), &Ok(vec![updated(2), erased_anew(2)]));
}

#[test]
fn a_hold_restricts_and_its_end_erases() {
    let placed = HoldPlaced {
        hold_id: hold(),
        agency: agency("de-police"),
        reason: HoldReason::Evidence,
        until: None,
    };
    check("placed", &accepted(), &holds(None), &Ok(vec![placed.into()]));
    for other in ["nl-hotline", "fr-police", "eu-coordinator"] {
        let asks = Step { by: agency(other), ..holds(None) };
        check(other, &accepted(), &asks, &refuses(RejectionCode::NotEntitled));
    }
    check("past", &accepted(), &holds(Some(now())), &refuses_at(RejectionCode::Invalid, "/until"));

    let given = and(&accepted(), &[opens("de-police", &["victim"]), holds(None)]);
    let victim = [facet("victim")];
    let then = Ok(vec![restricted(&all()), told(&victim, true)]);
    check("restricted", &given, &erases("nl-hotline", None), &then);
    let held = and(&given, &[erases("nl-hotline", None)]);
    check(
        "again",
        &held,
        &Step { cause: "more".to_owned(), ..erases("nl-hotline", None) },
        &refuses(RejectionCode::Erased),
    );
    let again = Step { cause: "again".to_owned(), ..opens("de-police", &["victim"]) };
    assert!(after(&held).take(&again).is_ok(), "whoever holds it opens it");
    let french =
        [hears(offer("fr-police", "FR", entitlement())), brings("fr-police", AssignmentState::Accepted)];
    check(
        "nobody else does",
        &and(&held, &french),
        &opens("fr-police", &[]),
        &refuses(RejectionCode::Restricted),
    );

    let release = |by: &str| asks(by, "release", ReleaseHold { hold_id: hold() });
    let gone =
        Ok(vec![HoldReleased { hold_id: hold() }.into(), erased(None, &all(), true), told(&victim, false)]);
    check("released", &held, &release("de-police"), &gone);
    check("by another", &held, &release("nl-hotline"), &refuses(RejectionCode::UnknownHold));
    // Two erasures wait for it: together they leave nothing of the key set.
    let one = Step { cause: "one".to_owned(), ..erases("nl-hotline", Some("victim")) };
    let mut history = after(&and(&given, &[one, erases("nl-hotline", None)]));
    history.take(&release("de-police")).unwrap();
    let pending = history.state.erasures.pending.values().next().unwrap();
    assert!(pending.whole && pending.facets.len() == all().len(), "{pending:?}");
    let second = Step { cause: "second".to_owned(), ..holds(None) };
    let alone = Ok(vec![HoldReleased { hold_id: hold() }.into()]);
    check("another stands", &and(&held, &[second]), &release("de-police"), &alone);
}

#[test]
fn the_clock_says_when_its_time_has_come() {
    let until = now().plus_minutes(-1);
    let keeps = |until| {
        let mut opened: IncidentOpened = opened();
        opened.handling.retain_until = Some(until);
        vec![hears(opened), hears(offer("de-police", "DE", entitlement()))]
    };
    let rings = |due| by_itself("retention", MomentCame { hold_id: None, due });
    let clocks = |given: &[Step]| delivery::domain::erasure::clocks(&after(given).state);
    assert_eq!(clocks(&keeps(until)).iter().map(|clock| clock.due).collect::<Vec<_>>(), [until]);
    let mut history = after(&keeps(until));
    let events = history.take(&rings(until)).unwrap();
    let DeliveryEvent::FacetsErased(erased) = &events[0] else { panic!("{events:?}") };
    assert_eq!((erased.reason, &erased.by), (ErasureReason::RetentionExpired, &agency("nl-hotline")));
    assert_eq!(erased.facets, all());
    let after = and(&keeps(until), &[rings(until)]);
    assert!(clocks(&after).is_empty());
    check("again", &after, &rings(until), &Ok(Vec::new()));
    let later = now().plus_minutes(1);
    check("not yet", &keeps(later), &rings(later), &Ok(Vec::new()));
    check("another date by now", &keeps(until), &rings(until.plus_minutes(-5)), &Ok(Vec::new()));
    // The end of a hold.
    let ends = now().plus_minutes(5);
    let held = and(&accepted(), &[holds(Some(ends))]);
    assert_eq!(clocks(&held).iter().map(|clock| clock.due).collect::<Vec<_>>(), [ends]);
}

#[test]
fn what_comes_in_after_the_date_is_erased_by_another_tick() {
    let until = now().plus_minutes(-1);
    let mut opened: IncidentOpened = opened();
    opened.handling.retain_until = Some(until);
    let name = |given: &[Step]| {
        let clocks = delivery::domain::erasure::clocks(&after(given).state);
        assert_eq!(clocks.len(), 1, "{clocks:?}");
        clocks[0].name.clone()
    };
    let rings = |cause: &str| by_itself(cause, MomentCame { hold_id: None, due: until });
    let number = added("case number", FacetKind::CaseNumber);
    let adds =
        hears_of("nl-hotline", 12, CaseNumberAdded { by: agency("nl-hotline"), number: number.clone() });
    let given = [hears(opened), hears(offer("de-police", "DE", entitlement())), brings_accepted()];
    let later = and(&given, &[rings("first"), adds.clone()]);
    assert_ne!(name(&given), name(&later));
    let events = after(&later).take(&rings("second")).unwrap();
    let DeliveryEvent::FacetsErased(erased) = &events[0] else { panic!("{events:?}") };
    assert_eq!(erased.facets, [number.facet_id]);
    // While a hold stands it is restricted, and that is another tick too.
    let held = and(&given, &[holds(None), rings("first"), adds]);
    assert_ne!(name(&given), name(&held));
}

fn brings_accepted() -> Step {
    brings("de-police", AssignmentState::Accepted)
}

#[test]
fn the_keys_are_said_to_be_gone_step_by_step() {
    let key_set_id = facets(0)[0].key_set_id;
    let mut ids = all();
    ids.sort();
    let begin = |facets: &[FacetId]| {
        by_itself("begin", BeginKeyErasure { key_set_id, offset: Some(3), facets: facets.to_vec() })
    };
    let report = || by_itself("gone", ReportKeysErased { key_set_id, facets: ids.clone() });
    let given = and(&accepted(), &[erases("nl-hotline", None)]);
    let begun = KeyErasureBegun { key_set_id, offset: Some(3), facets: ids.clone() };
    check("begun", &given, &begin(&ids), &Ok(vec![begun.into()]));
    check(
        "of fewer: an instance that is behind",
        &given,
        &begin(&ids[1..]),
        &refuses(RejectionCode::WrongState),
    );
    check("gone before it began", &given, &report(), &refuses(RejectionCode::WrongState));
    let given = and(&given, &[begin(&ids)]);
    check("begun twice", &given, &begin(&ids), &refuses(RejectionCode::WrongState));
    let gone = KeysErased { key_set_id, by: agency("nl-hotline"), facets: ids.clone() };
    check("gone", &given, &report(), &Ok(vec![gone.into()]));
    let given = and(&given, &[report()]);
    check("gone twice", &given, &report(), &refuses(RejectionCode::WrongState));
    assert!(after(&given).state.erasures.pending.is_empty());
    let somebody = Step { by: agency("nl-hotline"), ..begin(&ids) };
    check("by somebody", &given, &somebody, &refuses(RejectionCode::NotEntitled));
}

/// Delivery's own command.
fn by_itself(cause: &str, command: impl Into<schemas::delivery::DeliveryCommand>) -> Step {
    asks(AgencyId::own().as_str(), cause, command)
}
