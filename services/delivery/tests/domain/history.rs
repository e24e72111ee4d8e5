//! Random histories: whoever asks for what, a disclosure names only what its own assignment entitles to.

use std::collections::BTreeSet;

use chassis::decider::Decider;
use delivery::Delivery;
use delivery::domain::{Incident, News};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{FileFailurePersistence, TestCaseError};
use schemas::Event;
use schemas::codes::*;
use schemas::delivery::{DeliveryEvent, FacetsDisclosed, OpenFacets, ReportAccess};
use schemas::ids::RetractionId;
use schemas::routing::{
    AssignmentEscalated, AssignmentOffered, AssignmentRaised, CaseNumberAdded, CoordinatorAlerted,
    Entitlement, FacetRef, IncidentAmended, RetractionIssued, RoutingEvent,
};

use crate::world::*;

const CASES: u32 = 128;
const MAX_STEPS: usize = 40;
const AGENCIES: [&str; 4] = ["de-police", "fr-police", "un-coordinator", "no-agency"];
/// As they were received, after an amendment, and as parties have added them.
const FACETS: [&str; 11] = [
    "victim",
    "suspect",
    "witness",
    "narrative",
    "report",
    "victim 1",
    "narrative 1",
    "report 2",
    "note",
    "case number",
    "no such facet",
];

fn offers() -> impl Strategy<Value = AssignmentOffered> {
    let kinds = vec![FacetKind::Person, FacetKind::Narrative, FacetKind::Report, FacetKind::AnswerText];
    let parts = (
        select(vec![("de-police", "DE"), ("fr-police", "FR")]),
        subsequence(kinds, 0..=4),
        subsequence(vec!["victim", "suspect", "witness"], 0..=3),
        any::<bool>(),
    );
    parts.prop_map(|((id, to), facet_kinds, persons, opens_with_offer)| {
        let persons = persons.into_iter().map(person).collect();
        offer(id, to, Entitlement { facet_kinds, persons, opens_with_offer })
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let agencies = || select(AGENCIES.to_vec());
    let units = || select(vec!["de-police", "fr-police"]);
    let causes = || select(vec!["first", "second", "third"]);
    let asked = || subsequence(FACETS.to_vec(), 0..=2);
    let open =
        (agencies(), units(), agencies(), causes(), asked()).prop_map(|(by, of, under, cause, names)| {
            let facets = names.into_iter().map(facet).collect();
            asks(
                by,
                cause,
                OpenFacets { assignment_id: assignment(of), facets, recipient_key_id: key(under) },
            )
        });
    let open_own = (units(), causes(), asked())
        .prop_map(|(by, cause, names)| Step { cause: cause.to_owned(), ..opens(by, &names) });
    let report = (agencies(), causes(), asked()).prop_map(|(by, of, names)| {
        let facets = names.into_iter().map(facet).collect();
        asks(by, "report", ReportAccess { disclosure_id: disclosure(of), facets })
    });
    let alert = select(vec![None, Some("DE"), Some("FR"), Some("BR")]).prop_map(|to| {
        let reason = AlertReason::NobodyAnswered;
        hears(CoordinatorAlerted { reason, country: to.map(country), assignment_id: None })
    });
    let change = (units(), 0_usize..7).prop_map(|(id, number)| hears(changes(id)[number].0.clone()));
    let raise = offers().prop_map(|offer| {
        let AssignmentOffered { assignment_id, entitlement, respond_by, .. } = offer;
        hears(AssignmentRaised { assignment_id, urgency: Urgency::ImminentDanger, entitlement, respond_by })
    });
    let adds = (agencies(), 2_i64..100, any::<bool>()).prop_map(|(by, offset, noted)| {
        let (assignment_id, reason) = (assignment("de-police"), EscalationReason::NeedsCoordination);
        let escalated = AssignmentEscalated { assignment_id, reason, note: Some(note()) };
        let number = added("case number", FacetKind::CaseNumber);
        let number = CaseNumberAdded { by: agency(by), number };
        if noted { hears_of(by, offset, escalated) } else { hears_of(by, offset, number) }
    });
    let amend = (1..4, select(Urgency::ALL), subsequence(vec!["DE", "FR"], 0..=1));
    let amend = amend.prop_map(|(number, urgency, untold)| {
        let mut amended = IncidentAmended { urgency, ..amended(number) };
        amended.handling.never_told = untold.into_iter().map(country).collect();
        hears(amended)
    });
    let retract = subsequence(AGENCIES.to_vec(), 0..=4).prop_map(|ids| {
        let (retraction_id, reason) = (RetractionId::derive(&[b"retraction"]), RetractionReason::Duplicate);
        let recipients = ids.into_iter().map(agency).collect();
        hears(RetractionIssued { retraction_id, assessment_id: None, reason, recipients })
    });
    let step = prop_oneof![
        2 => raise,
        2 => adds,
        2 => amend,
        1 => retract,
        1 => Just(hears(opened())),
        3 => offers().prop_map(hears),
        4 => units().prop_map(|id| brings(id, AssignmentState::Accepted)),
        2 => change,
        1 => alert,
        3 => open,
        6 => open_own,
        2 => report,
    ];
    prop::collection::vec(step, 0..MAX_STEPS).prop_map(|steps| [vec![hears(opened())], steps].concat())
}

/// What one more event may be, in the state before it.
fn event(before: &Incident, event: &Event<DeliveryEvent>) -> Result<(), TestCaseError> {
    match &event.body {
        DeliveryEvent::FacetsDisclosed(disclosed) => entitled(before, event, disclosed),
        DeliveryEvent::AccessReported(reported) => {
            let disclosed = &before.disclosures[&reported.disclosure_id];
            prop_assert_eq!(&event.agency, &disclosed.agency);
            let given: BTreeSet<_> = disclosed.facets.iter().map(|facet| facet.facet_id).collect();
            prop_assert!(reported.facets.iter().all(|facet| given.contains(facet)));
            Ok(())
        }
        DeliveryEvent::RetractionDelivered(told) => {
            prop_assert!(AGENCIES.map(agency).contains(&told.agency), "{} was told", told.agency);
            Ok(())
        }
        DeliveryEvent::AlertDelivered(alert) => {
            let coordinators = ["eu-coordinator", "un-coordinator"].map(agency);
            prop_assert!(coordinators.contains(&alert.agency), "{} was alerted", alert.agency);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn entitled(
    before: &Incident,
    event: &Event<DeliveryEvent>,
    disclosed: &FacetsDisclosed,
) -> Result<(), TestCaseError> {
    let item = &before.items[&disclosed.assignment_id.unwrap()];
    prop_assert_eq!(&item.delivered.agency, &event.agency);
    prop_assert_eq!(&disclosed.agency, &event.agency);
    prop_assert_eq!(disclosed.recipient_key_id.as_str(), event.agency.as_str());
    let entitlement = &item.delivered.entitlement;
    use AssignmentState::{Accepted, Escalated, Offered, Overdue};
    let early = matches!(item.state, Offered | Overdue | Escalated);
    prop_assert_eq!(disclosed.with_offer, early);
    let may_open = item.state == Accepted || (early && entitlement.opens_with_offer);
    prop_assert!(may_open, "opened while {}", item.state);
    let ids: BTreeSet<_> = disclosed.facets.iter().map(|facet| facet.facet_id).collect();
    // The made-up news may seal a facet of the same id at two places.
    let places = disclosed.facets.iter().map(|facet| (facet.facet_id, facet.at.partition, facet.at.offset));
    let places: BTreeSet<_> = places.collect();
    prop_assert!(!ids.is_empty() && places.len() == disclosed.facets.len());
    if before.is_never_told(&item.delivered.country) {
        let own = before.disclosures.values().filter(|one| one.assignment_id == disclosed.assignment_id);
        let had: BTreeSet<_> = own.flat_map(|one| &one.facets).map(|facet| facet.facet_id).collect();
        prop_assert!(ids.is_subset(&had), "a State never told is given more");
    }
    let registered = before.registered.iter().flat_map(|registered| &registered.facets);
    let added = before.added.iter().map(|added| &added.facet);
    let known: Vec<&FacetRef> = registered.chain(added).collect();
    for facet in &disclosed.facets {
        let for_all = facet.kind == FacetKind::CaseNumber;
        prop_assert!(for_all || entitlement.facet_kinds.contains(&facet.kind), "{}", facet.kind);
        let person = facet.person_ref.is_none_or(|person| entitlement.persons.contains(&person));
        prop_assert!(person, "a person it is not entitled to");
        let named = |sealed: &&&FacetRef| sealed.facet_id == facet.facet_id && sealed.at == facet.at;
        let sealed = known.iter().find(named);
        prop_assert_eq!(
            sealed.map(|sealed| (sealed.kind, sealed.person_ref)),
            Some((facet.kind, facet.person_ref))
        );
    }
    Ok(())
}

/// What stands after each step: the facets of the last amendment, and all that was ever added.
fn rests(before: &Incident, after: &Incident, step: &Step) -> Result<(), TestCaseError> {
    prop_assert!(after.added.starts_with(&before.added), "what was added stays");
    let Asked::News(news) = &step.asked else { return Ok(()) };
    let News::Routing(news) = &**news else { return Ok(()) };
    let item = |state: &Incident| state.items.get(&assignment("de-police")).map(|item| item.state);
    match &news.event {
        RoutingEvent::IncidentAmended(amended) => {
            let registered = after.registered.as_ref().unwrap();
            prop_assert_eq!(&registered.facets, &amended.facets);
            prop_assert!(registered.urgency >= amended.urgency);
            prop_assert_eq!(&after.items, &before.items);
        }
        RoutingEvent::AssignmentEscalated(event) if event.note.is_some() => {
            let works = item(before) == Some(AssignmentState::Accepted);
            prop_assert!(!works || item(after) == Some(AssignmentState::Accepted), "works on no more");
        }
        _ => {}
    }
    if let Some(sealed) = news.event.sealed_facet() {
        let last = after.added.last().map(|added| (&added.by, &added.facet));
        prop_assert_eq!(last, Some((&news.by, &FacetRef::of(sealed, &news.at))));
    }
    Ok(())
}

fn fold(log: &[Event<DeliveryEvent>]) -> Incident {
    let mut state = Incident::default();
    log.iter().for_each(|event| Delivery::evolve(&mut state, event));
    state
}

fn bytes(state: &Incident) -> Vec<u8> {
    postcard::to_allocvec(state).unwrap()
}

/// A failure prints its seed, and keeps it beside this file.
fn config() -> ProptestConfig {
    let kept = FileFailurePersistence::WithSource("regressions");
    ProptestConfig { cases: CASES, failure_persistence: Some(Box::new(kept)), ..ProptestConfig::default() }
}

/// A place in a topic holds one event.
fn each_at_its_place(steps: &mut [Step]) {
    for (step, offset) in steps.iter_mut().zip(100..) {
        if let Asked::News(news) = &mut step.asked
            && let News::Routing(news) = &mut **news
            && news.event.sealed_facet().is_some()
        {
            news.at.offset = offset;
        }
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_history_keeps_the_invariants(mut steps in steps()) {
        each_at_its_place(&mut steps);
        let mut history = History::new();
        for step in &steps {
            let (mut before, logged) = (history.state.clone(), history.log.len());
            let rested = before.clone();
            let _ = history.take(step);
            for happened in &history.log[logged..] {
                event(&before, happened)?;
                Delivery::evolve(&mut before, happened);
            }
            rests(&rested, &history.state, step)?;
        }

        let folded = bytes(&fold(&history.log));
        prop_assert_eq!(&folded, &bytes(&fold(&history.log)), "a second replay");
        prop_assert_eq!(&folded, &bytes(&history.state), "the state it was decided on");
        let restored: Incident = postcard::from_bytes(&folded).unwrap();
        prop_assert_eq!(restored, history.state, "out of the cache");
    }
}
