//! What parties add to an incident, and what an amendment puts in the place of what stood before.

use schemas::codes::*;
use schemas::delivery::{
    DeliveryEvent, FacetAdded, FacetDisclosed, FacetsDisclosed, IncidentUpdated, ItemChanged,
};
use schemas::ids::AssessmentId;
use schemas::referral::SealedFacet;
use schemas::routing::{
    Assessment, AssessmentAdded, AssignmentClosed, AssignmentDeclined, AssignmentEscalated,
    AssignmentForwarded, AssignmentRaised, AssignmentRevoked, CaseNumberAdded, Entitlement, IncidentAmended,
    RoutingEvent, Transfer,
};

use crate::world::*;

fn offered(entitlement: Entitlement) -> Vec<Step> {
    vec![hears(opened()), hears(offer("de-police", "DE", entitlement))]
}

fn accepted(entitlement: Entitlement) -> Vec<Step> {
    [offered(entitlement), vec![brings("de-police", AssignmentState::Accepted)]].concat()
}

fn entitled(facet_kinds: &[FacetKind], persons: &[&str]) -> Entitlement {
    Entitlement {
        facet_kinds: facet_kinds.to_vec(),
        persons: persons.iter().map(|name| person(name)).collect(),
        opens_with_offer: false,
    }
}

fn case_number() -> SealedFacet {
    added("case number", FacetKind::CaseNumber)
}

fn number_added(by: &str) -> RoutingEvent {
    CaseNumberAdded { by: agency(by), number: case_number() }.into()
}

fn assessed() -> RoutingEvent {
    let assessment = Assessment {
        kind: AssessmentKind::Adult,
        value: None,
        reason: AssessmentReason::ExpertOpinion,
        person_ref: None,
    };
    let (assessment_id, by) = (AssessmentId::derive(&[b"assessment"]), agency("fr-police"));
    AssessmentAdded { assessment_id, by, assessment, note: Some(note()) }.into()
}

/// What of the state a facet becomes, whose news stood at the offset.
fn registered(by: &str, facet: &SealedFacet, offset: i64) -> DeliveryEvent {
    FacetAdded { by: agency(by), facet: added_ref(facet, offset) }.into()
}

fn opens_all(facets: Vec<FacetDisclosed>, with_offer: bool) -> Decision {
    let disclosed = FacetsDisclosed {
        disclosure_id: disclosure("command"),
        assignment_id: Some(assignment("de-police")),
        request_id: None,
        child_ref: None,
        agency: agency("de-police"),
        recipient_key_id: key("de-police"),
        facets,
        transfer: transfer(),
        with_offer,
    };
    Ok(std::iter::once(disclosed.into()).chain(with_offer.then(told_early)).collect())
}

#[test]
fn what_is_said_in_ones_own_words_is_registered_beside_the_answer() {
    let assignment_id = assignment("de-police");
    let note = || Some(note());
    let (declined, revoked) = (DeclineReason::NoCapacity, RevokeReason::LegalObjection);
    let (outcome, escalated) = (CloseOutcome::NoFurtherAction, EscalationReason::NeedsCoordination);
    let to = agency("fr-police");
    let table: [(RoutingEvent, Option<AssignmentState>); 7] = [
        (
            AssignmentDeclined { assignment_id, reason: declined, note: note() }.into(),
            Some(AssignmentState::Declined),
        ),
        (AssignmentForwarded { assignment_id, to, note: note() }.into(), Some(AssignmentState::Forwarded)),
        (
            AssignmentRevoked { assignment_id, reason: revoked, note: note() }.into(),
            Some(AssignmentState::Revoked),
        ),
        (AssignmentClosed { assignment_id, outcome, note: note() }.into(), Some(AssignmentState::Closed)),
        (
            AssignmentEscalated { assignment_id, reason: escalated, note: note() }.into(),
            Some(AssignmentState::Escalated),
        ),
        (assessed(), None),
        (number_added("nl-hotline"), None),
    ];
    for (news, state) in table {
        let sealed = news.sealed_facet().cloned().unwrap();
        let facet = registered("nl-hotline", &sealed, 11);
        let (when, facets) = (hears_of("nl-hotline", 11, news.clone()), vec![facet]);
        let changed = state.map(|state| -> DeliveryEvent {
            ItemChanged { assignment_id, agency: agency("de-police"), state }.into()
        });
        let then = changed.into_iter().chain(facets.clone()).collect();
        check(&format!("{news:?}"), &offered(entitlement()), &when, &Ok(then));
        let without_item = [hears(opened())];
        check("no such item, the words all the same", &without_item, &when, &Ok(facets));
    }
    let news = AssignmentEscalated { assignment_id, reason: escalated, note: note() };
    let when = hears_of("nl-hotline", 11, news);
    let then = Ok(vec![registered("nl-hotline", &self::note(), 11)]);
    check("of whoever works on it, the words alone", &accepted(entitlement()), &when, &then);
}

#[test]
fn what_is_added_is_opened_by_its_kind() {
    let of_note = disclosed_added(added_ref(&note(), 11));
    let of_number = disclosed_added(added_ref(&case_number(), 12));
    let adds =
        || vec![hears_of("fr-police", 11, assessed()), hears_of("fr-police", 12, number_added("fr-police"))];
    let victim = || disclosed("victim");
    let refused = || refuses(RejectionCode::NotEntitled);
    let nothing = || entitled(&[], &[]);
    let (words, person) = ([FacetKind::AnswerText], [FacetKind::Person]);
    // What it is entitled to, what it asks for, and what of it is disclosed; nothing asked for is all.
    let table = [
        (entitled(&words, &[]), vec![], opens_all(vec![of_note.clone(), of_number.clone()], false)),
        (entitled(&words, &[]), vec!["note"], opens_all(vec![of_note.clone()], false)),
        (entitled(&person, &["victim"]), vec![], opens_all(vec![victim(), of_number.clone()], false)),
        (entitled(&person, &["victim"]), vec!["note"], refused()),
        (entitled(&person, &["victim"]), vec!["victim", "note"], refused()),
        (nothing(), vec![], opens_all(vec![of_number.clone()], false)),
        (nothing(), vec!["case number"], opens_all(vec![of_number.clone()], false)),
        (nothing(), vec!["note"], refused()),
    ];
    for (entitlement, asked, then) in table {
        let case = format!("{entitlement:?}, asked {asked:?}");
        let given = [accepted(entitlement), adds()].concat();
        check(&case, &given, &opens("de-police", &asked), &then);
    }
    let number = opens("de-police", &["case number"]);
    let given = [offered(entitlement()), adds()].concat();
    check("offered, not accepted", &given, &number, &refuses(RejectionCode::WrongState));
    let given = [offered(with_offer(entitlement())), adds()].concat();
    check("with the offer in danger", &given, &number, &opens_all(vec![of_number], true));
    let given =
        [accepted(entitlement()), adds(), vec![brings("de-police", AssignmentState::Revoked)]].concat();
    check("revoked", &given, &number, &refused());
    check("before it was added", &accepted(entitlement()), &number, &refused());
}

#[test]
fn an_amendment_is_registered() {
    let amended = amended(1);
    let updated = IncidentUpdated {
        amendment: 1,
        kind: amended.kind,
        urgency: amended.urgency,
        danger_reason: amended.danger_reason,
        week: amended.week.clone(),
        people: people(),
        facets: facets(1),
        retain_until: None,
        never_told: Vec::new(),
    };
    let given = accepted(entitlement());
    check("amended", &given, &hears(amended.clone()), &Ok(vec![updated.into()]));
    let (before, state) = (after(&given).state, after(&[given, vec![hears(amended)]].concat()).state);
    assert_eq!(state.items, before.items, "what was offered stands as before");
    let (before, registered) = (before.registered.unwrap(), state.registered.unwrap());
    assert_eq!(registered.facets, facets(1));
    assert_eq!((registered.referral_id, registered.reporter), (before.referral_id, before.reporter));
}

#[test]
fn what_is_sealed_anew_replaces_what_stood_before() {
    let given = [accepted(entitlement()), vec![hears(amended(1)), hears(amended(2))]].concat();
    let anew = |name: &str, amendment, category| {
        let sealed = facet(&sealed_anew(name, amendment));
        let found = facets(amendment).into_iter().find(|known| known.facet_id == sealed);
        disclosed_as(found.unwrap(), category)
    };
    let victim = anew("victim", 2, Some(PersonCategory::Victim));
    let all = vec![victim.clone(), anew("narrative", 2, None)];
    check("all of it", &given, &opens("de-police", &[]), &opens_all(all, false));
    check("the victim", &given, &opens("de-police", &["victim 2"]), &opens_all(vec![victim], false));
    for before in ["victim", "victim 1", "narrative", "suspect 2"] {
        check(before, &given, &opens("de-police", &[before]), &refuses(RejectionCode::NotEntitled));
    }
    // A person is the same person, whatever the category it turns out to be of.
    let mut people = people();
    people[0].category = PersonCategory::Undetermined;
    let turned = IncidentAmended { people, ..amended(1) };
    let given = [accepted(entitlement()), vec![hears(turned)]].concat();
    let undetermined = anew("victim", 1, Some(PersonCategory::Undetermined));
    let then = opens_all(vec![undetermined], false);
    check("of another category", &given, &opens("de-police", &["victim 1"]), &then);
    // What parties have added, and what was disclosed before, stays.
    let number = hears_of("fr-police", 12, number_added("fr-police"));
    let given = [accepted(entitlement()), vec![number, opens("de-police", &["victim"])]].concat();
    let state = after(&[given.clone(), vec![hears(amended(1))]].concat()).state;
    let before = after(&given).state;
    assert_eq!((state.added, state.disclosures), (before.added, before.disclosures));
}

#[test]
fn an_urgency_that_was_raised_stays_raised() {
    let calm = |number| IncidentAmended { urgency: Urgency::Routine, ..amended(number) };
    let registered = schemas::routing::IncidentOpened { urgency: Urgency::Routine, ..opened() };
    let (assignment_id, urgency) = (assignment("de-police"), Urgency::ImminentDanger);
    let respond_by = now().plus_minutes(15);
    let entitlement = with_offer(entitlement());
    let raised = AssignmentRaised { assignment_id, urgency, entitlement: entitlement.clone(), respond_by };
    let given = [hears(registered), hears(offer("de-police", "DE", entitlement))];
    let urgency =
        |steps: &[Step]| after(&[given.as_slice(), steps].concat()).state.registered.unwrap().urgency;
    assert_eq!(urgency(&[hears(calm(1))]), Urgency::Routine);
    assert_eq!(urgency(&[hears(amended(1))]), Urgency::ImminentDanger, "by the reporter");
    assert_eq!(urgency(&[hears(raised), hears(calm(1))]), Urgency::ImminentDanger, "by an assessment");
}

#[test]
fn what_a_party_adds_crosses_a_border_on_a_basis_of_its_own() {
    let calm = schemas::routing::IncidentOpened { urgency: Urgency::Routine, ..opened() };
    let accepted = |urgent: &schemas::routing::IncidentOpened| {
        let offered = offer("de-police", "DE", entitled(&[], &[]));
        let accepted = brings("de-police", AssignmentState::Accepted);
        vec![hears(urgent.clone()), hears(offered), accepted]
    };
    let crossed = |by: &str, transfer| {
        let facet =
            FacetDisclosed { transfer: Some(transfer), ..disclosed_as(added_ref(&case_number(), 12), None) };
        (by.to_owned(), opens_all(vec![facet], false))
    };
    let transfer = |basis, rule, article: &str| Transfer {
        basis,
        rule,
        article: article.to_owned(),
        authorisation: Authorisation::Standing,
    };
    let domestic = || transfer(TransferBasis::Domestic, None, "no border is crossed");
    let vital = || transfer(TransferBasis::VitalInterests, None, "Directive (EU) 2016/680 Article 38(1)(a)");
    let refused = |by: &str| (by.to_owned(), refuses(RejectionCode::NotEntitled));
    let table = [
        (&calm, crossed("fr-police", self::transfer())),
        (&calm, crossed("de-police", domestic())),
        // No rule lets anything go from Japan to Germany, and nobody knows the last one any more.
        (&calm, refused("jp-police")),
        (&calm, refused("no-agency")),
        (&opened(), crossed("jp-police", vital())),
    ];
    for (incident, (by, then)) in table {
        let given = [accepted(incident), vec![hears_of(&by, 12, number_added(&by))]].concat();
        check(&format!("{by}, {}", incident.urgency), &given, &opens("de-police", &[]), &then);
    }
}
