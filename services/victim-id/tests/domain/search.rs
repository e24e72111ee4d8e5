//! Who is looked for, by whom, and what is found out.

use schemas::codes::*;
use schemas::ids::{AssignmentId, FacetId, PersonRef, ReferralId};
use schemas::referral::Person;
use schemas::victim_id::*;
use victim_id::domain::{CaseAmended, RoutingNews, priority};

use crate::history::*;
use crate::people::*;

fn someone(name: &str, category: PersonCategory, age_band: AgeBand) -> Person {
    let person_ref = PersonRef::derive(&[name.as_bytes()]);
    Person { person_ref, category, age_band, facet_id: FacetId::derive(&[name.as_bytes()]) }
}

#[test]
fn whoever_may_be_a_child_is_looked_for_and_an_amendment_only_adds() {
    let mut history = History::start();
    let people = vec![
        someone("child", PersonCategory::Victim, AgeBand::UnderThirteen),
        someone("of unknown age", PersonCategory::Victim, AgeBand::Unknown),
        someone("grown up", PersonCategory::Victim, AgeBand::Adult),
        someone("reported minor", PersonCategory::Undetermined, AgeBand::Teenager),
        someone("reported adult", PersonCategory::Undetermined, AgeBand::Unknown),
        someone("suspect", PersonCategory::Suspect, AgeBand::Teenager),
    ];
    let noted = CaseNoted {
        referral_id: ReferralId::derive(&[b"referral"]),
        kind: IncidentKind::Csam,
        urgency: Urgency::ImminentDanger,
        annotations: Vec::new(),
        never_told: Vec::new(),
    };
    let registered = |events: &[VictimIdEvent]| {
        let children = events.iter().filter_map(|event| match event {
            VictimIdEvent::ChildRegistered(child) => child.person_ref,
            _ => None,
        });
        children.collect::<Vec<_>>()
    };
    let opened = history.learn(&RoutingNews::Opened { noted: noted.clone(), people: people.clone() });
    let of =
        |names: &[&str]| names.iter().map(|name| PersonRef::derive(&[name.as_bytes()])).collect::<Vec<_>>();
    assert_eq!(registered(&opened), of(&["child", "of unknown age", "reported minor"]));
    // The same again is nothing new; what is less urgent stays as urgent as it was.
    assert_eq!(history.learn(&RoutingNews::Opened { noted: noted.clone(), people: people.clone() }), []);
    let amended = CaseAmended {
        kind: IncidentKind::Csam,
        urgency: Urgency::Routine,
        annotations: vec![Annotation::LiveStreamed],
        never_told: Vec::new(),
    };
    let more = vec![people[0].clone(), someone("sister", PersonCategory::Victim, AgeBand::Teenager)];
    let events = history.learn(&RoutingNews::Amended { amended, people: more });
    assert_eq!(registered(&events), of(&["sister"]));
    assert_eq!(history.state.noted.as_ref().unwrap().urgency, Urgency::ImminentDanger);
}

#[test]
fn whoever_has_no_part_in_the_incident_hears_of_no_child() {
    let mut history = History::start();
    let take = || TakeCustody { child_ref: first(), limit_days: 30 };
    assert_eq!(rejected(history.ask("es-unit", take())), RejectionCode::UnknownChild);
    let assignment_id = AssignmentId::derive(&[b"es"]);
    history.learn(&RoutingNews::Accepted { agency: agency("es-unit"), assignment_id });
    history.ask("es-unit", take()).unwrap();
    // Its assignment is taken back: the custody stays with it until somebody else accepts it.
    history.learn(&RoutingNews::Ended(assignment_id));
    assert!(history.child().is_held_by(&agency("es-unit")));
    history.ask("es-unit", ConfirmCustody { child_ref: first() }).unwrap();
    let until = history.now.plus_minutes(60);
    let offer = OfferCustody { child_ref: first(), to: agency("fr-unit"), until, handover: None };
    history.ask("es-unit", offer).unwrap();
    let offer_id = history.child().offer.as_ref().unwrap().offer_id;
    history.ask("fr-unit", AcceptCustody { child_ref: first(), offer_id, limit_days: 30 }).unwrap();
    assert_eq!(rejected(history.ask("es-unit", take())), RejectionCode::UnknownChild);
}

#[test]
fn people_take_custody_and_machines_do_not() {
    let mut history = History::start();
    let take = |limit_days| TakeCustody { child_ref: first(), limit_days };
    assert_eq!(rejected(history.ask_as("de-unit", &machine(), take(30))), RejectionCode::NeedsAPerson);
    for limit in [0, 181] {
        let refused = refused_at(history.ask("de-unit", take(limit)));
        assert_eq!(refused, (RejectionCode::Invalid, "/limit_days".to_owned()));
    }
    history.ask("de-unit", take(30)).unwrap();
    let until = history.now;
    let late = OfferCustody { child_ref: first(), to: agency("fr-unit"), until, handover: None };
    let refused = refused_at(history.ask("de-unit", late));
    assert_eq!(refused, (RejectionCode::Invalid, "/until".to_owned()));
    let until = history.now.plus_minutes(60);
    let to_nobody = OfferCustody { child_ref: first(), to: agency("es-unit"), until, handover: None };
    let refused = refused_at(history.ask("de-unit", to_nobody));
    assert_eq!(refused, (RejectionCode::Invalid, "/to".to_owned()));
    // No rule carries what is written at the handover to France: it is refused, and the custody can be offered without.
    let with_text = OfferCustody {
        child_ref: first(),
        to: agency("fr-unit"),
        until,
        handover: Some(sealed(FacetKind::Handover)),
    };
    let refused = refused_at(history.ask("de-unit", with_text));
    assert_eq!(refused, (RejectionCode::TransferNotAllowed, "/handover".to_owned()));
    // Only the service's own clock rings.
    let due = ChildClockDue { child_ref: first(), clock: "limit".to_owned(), due: history.now };
    assert_eq!(rejected(history.ask("de-unit", due)), RejectionCode::NotEntitled);
}

#[test]
fn a_child_is_identified_in_two_steps_and_every_finding_can_be_corrected() {
    use ChildStatus::*;
    let all = ChildStatus::ALL;
    let table: [(ChildStatus, &[ChildStatus]); 4] = [
        (Unidentified, &[Tentative, AlreadyIdentified, Cold, Adult, FalsePositive]),
        (Tentative, &[Unidentified, Identified, AlreadyIdentified, Cold, Adult, FalsePositive]),
        (Identified, &[Tentative, Safeguarded, Adult, FalsePositive]),
        (Safeguarded, &[Identified]),
    ];
    for (from, may) in table {
        for to in all {
            let mut history = History::held();
            let steps: &[ChildStatus] = match from {
                Tentative => &[Tentative],
                Identified => &[Tentative, Identified],
                Safeguarded => &[Tentative, Identified, Safeguarded],
                _ => &[],
            };
            for step in steps {
                history.ask("de-unit", recorded(*step)).unwrap();
            }
            let cold = (*to == Cold).then_some(ColdReason::LeadsExhausted);
            let reference = (*to == AlreadyIdentified).then(|| sealed(FacetKind::Handover));
            let asked = RecordStatus { cold, reference, ..recorded(*to) };
            assert_eq!(history.ask("de-unit", asked).is_ok(), may.contains(to), "{from} to {to}");
        }
    }
    let mut history = History::held();
    assert_eq!(rejected(history.ask("fr-unit", recorded(Tentative))), RejectionCode::NotCustodian);
    let refused = refused_at(history.ask("de-unit", recorded(Cold)));
    assert_eq!(refused, (RejectionCode::Invalid, "/cold".to_owned()));
    let refused = refused_at(history.ask("de-unit", recorded(AlreadyIdentified)));
    assert_eq!(refused, (RejectionCode::Invalid, "/reference".to_owned()));
}

#[test]
fn where_a_child_is_thought_to_be_comes_with_its_reasons() {
    let mut history = History::held();
    let attributed = |reasons: Vec<AttributionReason>| AttributeChild {
        child_ref: first(),
        country: country("FR"),
        confidence: Confidence::Medium,
        reasons,
    };
    for reasons in [Vec::new(), vec![AttributionReason::Statement, AttributionReason::Statement]] {
        let refused = refused_at(history.ask("de-unit", attributed(reasons)));
        assert_eq!(refused, (RejectionCode::Invalid, "/reasons".to_owned()));
    }
    history.ask("de-unit", attributed(vec![AttributionReason::SpokenLanguage])).unwrap();
    assert_eq!(history.child().status, ChildStatus::Attributed);
}

#[test]
fn a_silent_custodian_is_told_and_a_sign_of_life_ends_what_was_begun() {
    let mut history = History::held();
    history.now = history.child().custody.as_ref().unwrap().limit();
    let rung = history.ring();
    assert!(matches!(&rung[0], VictimIdEvent::CustodianSilent(silent) if silent.country == country("DE")));
    assert!(history.ring().is_empty(), "it is told once");
    let takers = || InviteTakers { child_ref: first(), agencies: vec![agency("fr-unit")] };
    assert_eq!(rejected(history.ask("fr-unit", takers())), RejectionCode::NotEntitled);
    history.ask(COORDINATOR, takers()).unwrap();
    let events = history.ask("de-unit", ConfirmCustody { child_ref: first() }).unwrap();
    assert!(events.iter().any(|event| matches!(event, VictimIdEvent::InvitationEnded(_))));
    let told = |event: &VictimIdEvent| {
        matches!(event, VictimIdEvent::AgencyNoticed(told)
            if told.agency == agency("fr-unit") && told.news == ChildNews::InvitationEnded)
    };
    assert!(events.iter().any(told));
    let take = TakeCustody { child_ref: first(), limit_days: 30 };
    assert_eq!(rejected(history.ask("fr-unit", take)), RejectionCode::CustodyHeld);
}

#[test]
fn the_queue_says_why_and_the_stronger_factor_comes_first() {
    let history = History::held();
    let (now, unit) = (history.now, agency("fr-unit"));
    let factors = |child| priority::factors(&history.state, &history.state.children[&child], &unit, now);
    let held = factors(first());
    let free = factors(child_ref(0, 1));
    assert_eq!(held, [PriorityFactor::Unidentified, PriorityFactor::YoungChild]);
    assert_eq!(free, [PriorityFactor::NobodyLooks, PriorityFactor::Unidentified, PriorityFactor::YoungChild]);
    assert!(priority::order(&free) < priority::order(&held));
    assert!(priority::order(&held) < priority::order(&held[..1]), "what more there is counts");
}

#[test]
fn a_state_that_is_never_told_any_more_neither_sees_nor_acts() {
    let mut history = History::held();
    let amended = |never_told| RoutingNews::Amended {
        amended: CaseAmended {
            kind: IncidentKind::Csam,
            urgency: Urgency::Routine,
            annotations: Vec::new(),
            never_told,
        },
        people: Vec::new(),
    };
    let until = history.now.plus_minutes(60);
    let offer = || OfferCustody { child_ref: first(), to: agency("fr-unit"), until, handover: None };
    history.ask("de-unit", offer()).unwrap();
    let offer_id = history.child().offer.as_ref().unwrap().offer_id;
    history.learn(&amended(vec![country("FR")]));
    let accept = AcceptCustody { child_ref: first(), offer_id, limit_days: 30 };
    assert_eq!(rejected(history.ask("fr-unit", accept)), RejectionCode::UnknownChild);
    let withdrawn = history.ask("de-unit", WithdrawOffer { child_ref: first(), offer_id }).unwrap();
    let told = |event: &VictimIdEvent| matches!(event, VictimIdEvent::AgencyNoticed(_));
    assert!(!withdrawn.iter().any(told), "nobody there is told: {withdrawn:?}");
    let refused = refused_at(history.ask("de-unit", offer()));
    assert_eq!(refused, (RejectionCode::Invalid, "/to".to_owned()));
    history.now = history.child().custody.as_ref().unwrap().limit();
    let takers = InviteTakers { child_ref: first(), agencies: vec![agency("fr-unit")] };
    let refused = refused_at(history.ask(COORDINATOR, takers));
    assert_eq!(refused, (RejectionCode::Invalid, "/agencies".to_owned()));
    // What its own units hold stays with them until somebody else takes over.
    history.learn(&amended(vec![country("DE")]));
    assert!(history.child().is_held_by(&agency("de-unit")));
    let confirm = ConfirmCustody { child_ref: first() };
    assert_eq!(rejected(history.ask("de-unit", confirm)), RejectionCode::UnknownChild);
}

#[test]
fn a_child_that_nobody_looks_for_is_told_of_once() {
    let mut history = History::start();
    let registered = history.ask("de-unit", RegisterChild { age_band: AgeBand::Teenager }).unwrap();
    let VictimIdEvent::ChildRegistered(registered) = &registered[0] else { panic!("{registered:?}") };
    let child_ref = registered.child_ref;
    assert_eq!(registered.awaited_until, history.now.plus_minutes(24 * 60));
    history.now = registered.awaited_until;
    let rung = history.ring();
    let countries = ["DE", "FR"].map(country).to_vec();
    assert_eq!(rung, [NobodyLooks { child_ref, countries }.into()]);
    assert_eq!(history.ring(), []);
}

#[test]
fn nobody_is_reminded_of_what_is_settled_or_withdrawn() {
    let mut history = History::held();
    history.ask("de-unit", recorded(ChildStatus::FalsePositive)).unwrap();
    history.now = history.now.plus_minutes(60 * 24 * 60);
    assert_eq!(history.ring(), []);
    let takers = InviteTakers { child_ref: first(), agencies: vec![agency("fr-unit")] };
    assert_eq!(rejected(history.ask(COORDINATOR, takers)), RejectionCode::NotSilent);
    let mut history = History::held();
    history.learn(&RoutingNews::Withdrawn);
    history.now = history.now.plus_minutes(60 * 24 * 60);
    assert_eq!(history.ring(), []);
    let take = TakeCustody { child_ref: child_ref(0, 1), limit_days: 30 };
    assert_eq!(rejected(history.ask("fr-unit", take)), RejectionCode::Withdrawn);
}
