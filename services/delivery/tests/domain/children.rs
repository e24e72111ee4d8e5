//! Children that somebody looks for: who opens what goes with them, and who is told.

use chassis::decider::Rejection;
use schemas::codes::{
    AlertReason, ChildNews, CustodyRoute, ErasureReason, FacetKind, OfferEnd, RejectionCode, TransferBasis,
    Urgency,
};
use schemas::delivery::{DeliveryEvent, EraseFacets, OpenHandover};
use schemas::ids::{ChildRef, FacetId, OfferId};
use schemas::referral::SealedFacet;
use schemas::routing::IncidentOpened;
use schemas::victim_id::{
    AgencyNoticed, CustodianSilent, CustodyAccepted, CustodyOffered, OfferEnded, SupportEnded,
    SupportReferred, VictimIdEvent,
};

use crate::world::*;

fn child() -> ChildRef {
    ChildRef::derive(&[b"child"])
}

fn accepted(by: &str, code: &str, from: Option<&str>) -> VictimIdEvent {
    CustodyAccepted {
        child_ref: child(),
        by: agency(by),
        country: country(code),
        route: if from.is_some() { CustodyRoute::HandedOn } else { CustodyRoute::First },
        from: from.map(agency),
        limit_days: 30,
    }
    .into()
}

/// What was written about the first person of the referral.
fn handover() -> SealedFacet {
    SealedFacet { person_ref: Some(person(PERSONS[0].0)), ..added("handover", FacetKind::Handover) }
}

fn offered(to: &str) -> VictimIdEvent {
    CustodyOffered {
        child_ref: child(),
        offer_id: OfferId::derive(&[b"offer"]),
        by: agency("de-police"),
        to: agency(to),
        until: now().plus_minutes(60),
        handover: Some(handover()),
    }
    .into()
}

/// An incident in which German police look for a child.
fn held() -> History {
    let mut history = History::new();
    let routine = IncidentOpened { urgency: Urgency::Routine, danger_reason: None, ..opened() };
    history.take(&hears(routine)).unwrap();
    history.take(&hears_of_child("de-police", 1, accepted("de-police", "DE", None))).unwrap();
    history
}

fn opens_handover(history: &mut History, id: &str) -> Result<Vec<(FacetId, TransferBasis)>, Rejection> {
    let command = OpenHandover { child_ref: child(), facets: Vec::new(), recipient_key_id: key(id) };
    let events = history.take(&asks(id, "command", command))?;
    let DeliveryEvent::FacetsDisclosed(disclosed) = &events[0] else { panic!("{events:?}") };
    assert_eq!(disclosed.child_ref, Some(child()));
    assert!(
        disclosed.facets.iter().all(|facet| facet.person_ref.is_none() && facet.person_category.is_none())
    );
    let facets = disclosed.facets.iter();
    Ok(facets.map(|facet| (facet.facet_id, facet.transfer.as_ref().unwrap().basis)).collect())
}

#[test]
fn what_goes_with_a_child_is_for_its_author_whom_it_is_given_to_and_the_custodian() {
    let mut history = held();
    let unknown = Err(RejectionCode::UnknownChild.into());
    assert_eq!(opens_handover(&mut history, "fr-police"), unknown);
    history.take(&hears_of_child("de-police", 2, offered("fr-police"))).unwrap();
    let facet = added("handover", FacetKind::Handover).facet_id;
    assert_eq!(opens_handover(&mut history, "de-police"), Ok(vec![(facet, TransferBasis::Domestic)]));
    let crosses = transfer().basis;
    assert_eq!(opens_handover(&mut history, "fr-police"), Ok(vec![(facet, crosses)]));
    assert_eq!(opens_handover(&mut history, "fr-central"), unknown);
    // Whoever is custodian later opens it too, and whoever was keeps what it wrote.
    history.take(&hears_of_child("fr-central", 3, accepted("fr-central", "FR", Some("de-police")))).unwrap();
    assert_eq!(opens_handover(&mut history, "fr-central"), Ok(vec![(facet, crosses)]));
    assert_eq!(opens_handover(&mut history, "de-police"), Ok(vec![(facet, TransferBasis::Domestic)]));
}

#[test]
fn what_does_not_cross_the_border_is_opened_by_nobody_behind_it() {
    let mut history = held();
    history.take(&hears_of_child("de-police", 2, offered("jp-police"))).unwrap();
    assert_eq!(opens_handover(&mut history, "jp-police"), Err(RejectionCode::UnknownChild.into()));
}

#[test]
fn whom_it_concerns_is_told_and_a_silent_custodian_is_its_coordinators_matter() {
    let mut history = held();
    let noticed =
        AgencyNoticed { child_ref: child(), agency: agency("fr-police"), news: ChildNews::CustodyOffered };
    let told = history.take(&hears_of_child("de-police", 2, noticed)).unwrap();
    assert!(matches!(&told[..], [DeliveryEvent::ChildNewsDelivered(told)]
        if told.agency == agency("fr-police") && told.news == ChildNews::CustodyOffered));
    let silent =
        CustodianSilent { child_ref: child(), custodian: agency("de-police"), country: country("DE") };
    let told = history.take(&hears_of_child("de-police", 3, silent)).unwrap();
    let alerted: Vec<_> = told
        .iter()
        .map(|event| match event {
            DeliveryEvent::AlertDelivered(alert) => (alert.agency.to_string(), alert.reason),
            other => panic!("{other:?}"),
        })
        .collect();
    let reason = AlertReason::CustodianSilent;
    assert_eq!(alerted, [("eu-coordinator".to_owned(), reason), ("un-coordinator".to_owned(), reason)]);
}

#[test]
fn what_went_with_an_offer_that_is_over_is_closed_to_whom_it_was_made() {
    let mut history = held();
    history.take(&hears_of_child("de-police", 2, offered("fr-police"))).unwrap();
    assert!(opens_handover(&mut history, "fr-police").is_ok());
    let ended = OfferEnded {
        child_ref: child(),
        offer_id: OfferId::derive(&[b"offer"]),
        to: agency("fr-police"),
        end: OfferEnd::Withdrawn,
        reason: None,
    };
    history.take(&hears_of_child("de-police", 3, ended)).unwrap();
    assert_eq!(opens_handover(&mut history, "fr-police"), Err(RejectionCode::UnknownChild.into()));
    assert!(opens_handover(&mut history, "de-police").is_ok());
}

#[test]
fn what_was_written_for_a_support_service_is_closed_to_it_once_it_is_not_there_any_more() {
    let mut history = held();
    let (child_ref, by, service) = (child(), agency("de-police"), agency("fr-police"));
    let referred =
        SupportReferred { child_ref, by: by.clone(), service: service.clone(), handover: handover() };
    history.take(&hears_of_child("de-police", 2, referred)).unwrap();
    assert!(opens_handover(&mut history, "fr-police").is_ok());
    let ended = SupportEnded { child_ref, by, service };
    history.take(&hears_of_child("de-police", 3, ended)).unwrap();
    assert_eq!(opens_handover(&mut history, "fr-police"), Err(RejectionCode::UnknownChild.into()));
    assert!(opens_handover(&mut history, "de-police").is_ok());
}

#[test]
fn whoever_has_a_person_erased_has_what_it_wrote_of_the_child_erased() {
    let mut history = held();
    history.take(&hears_of_child("de-police", 2, offered("fr-police"))).unwrap();
    let erase = EraseFacets { person_ref: Some(person(PERSONS[0].0)), reason: ErasureReason::DataSubject };
    history.take(&asks("de-police", "erase", erase)).unwrap();
    for reader in ["de-police", "fr-police"] {
        assert_eq!(opens_handover(&mut history, reader), Err(RejectionCode::Erased.into()), "{reader}");
    }
}
