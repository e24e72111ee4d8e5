//! Requests for legal assistance: who opens which of their texts, on what basis, and who is told what.

use chassis::decider::Rejection;
use schemas::codes::{
    AlertReason, Channel, FacetKind, Measure, RejectionCode, RequestKind, RequestRole, RequestState,
    RequestStep, TransferBasis, TranslationState,
};
use schemas::delivery::{DeliveryEvent, OpenRequest};
use schemas::ids::{FacetId, InstrumentId, RequestId};
use schemas::mla::{
    CoordinatorAsked, Draft, MlaEvent, RequestAmended, RequestDrafted, RequestShared, RequestUnshared,
    StepTaken, Transmission,
};
use schemas::referral::SealedFacet;

use crate::world::*;

fn request() -> RequestId {
    RequestId::derive(&[b"request"])
}

fn text(name: &str, kind: FacetKind) -> SealedFacet {
    added(name, kind)
}

fn draft(name: &str, reasons: Option<SealedFacet>) -> Draft {
    Draft {
        kind: RequestKind::Assistance,
        requested: country("FR"),
        authority: agency("fr-central"),
        addressee: None,
        measures: vec![Measure::ContentData],
        basis: Some(InstrumentId::try_new("eio").unwrap()),
        emergency: None,
        notified: false,
        needed_by: None,
        languages: Vec::new(),
        translation: TranslationState::NotNeeded,
        parent: None,
        confidential: false,
        conditions: Vec::new(),
        elements: Vec::new(),
        text: text(name, FacetKind::RequestText),
        reasons,
    }
}

fn drafted(reasons: Option<SealedFacet>) -> MlaEvent {
    let (by, country) = (agency("de-central"), country("DE"));
    RequestDrafted { request_id: request(), by, country, draft: draft("first text", reasons) }.into()
}

fn shared(id: &str, role: RequestRole) -> MlaEvent {
    let basis = (role != RequestRole::Requesting).then(|| InstrumentId::try_new("eio").unwrap());
    RequestShared { request_id: request(), agency: agency(id), role, basis, withheld: false }.into()
}

fn sent() -> MlaEvent {
    StepTaken {
        request_id: request(),
        by: agency("de-central"),
        role: RequestRole::Requesting,
        step: Transmission { channel: Channel::CentralAuthorities, oral: false }.into(),
        state: RequestState::Transmitted,
        note: None,
        reference: None,
    }
    .into()
}

/// An incident with a request that its own side has written.
fn written(reasons: Option<SealedFacet>) -> History {
    let mut history = History::new();
    history.take(&hears(opened())).unwrap();
    history.take(&hears_of_mla("de-central", 1, shared("de-central", RequestRole::Requesting))).unwrap();
    history.take(&hears_of_mla("de-central", 2, drafted(reasons))).unwrap();
    history
}

fn tells(history: &mut History, offset: i64, news: MlaEvent) -> Vec<DeliveryEvent> {
    history.take(&hears_of_mla("de-central", offset, news)).unwrap()
}

/// What an agency may open of the request, and on what each text crosses.
fn opens_request(history: &mut History, id: &str) -> Result<Vec<(FacetId, TransferBasis)>, Rejection> {
    let command = OpenRequest { request_id: request(), facets: Vec::new(), recipient_key_id: key(id) };
    let events = history.take(&asks(id, "command", command))?;
    let DeliveryEvent::FacetsDisclosed(disclosed) = &events[0] else { panic!("{events:?}") };
    assert_eq!((disclosed.request_id, disclosed.assignment_id), (Some(request()), None));
    let facets = disclosed.facets.iter();
    Ok(facets.map(|facet| (facet.facet_id, facet.transfer.as_ref().unwrap().basis)).collect())
}

fn id_of(name: &str, kind: FacetKind) -> FacetId {
    text(name, kind).facet_id
}

#[test]
fn a_draft_is_its_own_sides_and_crosses_with_the_request() {
    let mut history = written(None);
    let first = id_of("first text", FacetKind::RequestText);
    assert_eq!(opens_request(&mut history, "de-central"), Ok(vec![(first, TransferBasis::Domestic)]));
    let unknown = Err(RejectionCode::UnknownRequest.into());
    assert_eq!(opens_request(&mut history, "fr-central"), unknown);
    // An assignment in the incident is no part in a request.
    assert_eq!(opens_request(&mut history, "de-police"), unknown);
    tells(&mut history, 3, shared("fr-central", RequestRole::Requested));
    let told = tells(&mut history, 4, sent());
    assert!(matches!(&told[..], [DeliveryEvent::RequestStepDelivered(told)]
        if told.agency == agency("fr-central") && told.step == RequestStep::Transmission));
    assert_eq!(opens_request(&mut history, "fr-central"), Ok(vec![(first, TransferBasis::Agreement)]));
    tells(&mut history, 5, RequestUnshared { request_id: request(), agency: agency("fr-central") }.into());
    assert_eq!(opens_request(&mut history, "fr-central"), unknown);
}

#[test]
fn of_a_draft_that_was_amended_the_last_text_alone_is_opened() {
    let mut history = written(Some(text("first reasons", FacetKind::RequestReasons)));
    let amended = RequestAmended { request_id: request(), draft: draft("second text", None) };
    tells(&mut history, 3, amended.into());
    tells(&mut history, 4, shared("fr-central", RequestRole::Requested));
    let second = id_of("second text", FacetKind::RequestText);
    assert_eq!(opens_request(&mut history, "fr-central"), Ok(vec![(second, TransferBasis::Agreement)]));
    assert_eq!(opens_request(&mut history, "de-central"), Ok(vec![(second, TransferBasis::Domestic)]));
    // What nobody opens any more can still be erased by whoever brought it in.
    assert_eq!(history.state.requests[&request()].facets().count(), 3);
}

#[test]
fn a_text_under_conditions_stays_closed_until_they_are_agreed_to() {
    let mut history = written(None);
    let MlaEvent::RequestShared(open) = shared("fr-central", RequestRole::Requested) else { unreachable!() };
    tells(&mut history, 3, RequestShared { withheld: true, ..open.clone() }.into());
    assert_eq!(opens_request(&mut history, "fr-central"), Err(RejectionCode::ConditionsNotAgreed.into()));
    tells(&mut history, 4, open.into());
    let first = id_of("first text", FacetKind::RequestText);
    assert_eq!(opens_request(&mut history, "fr-central"), Ok(vec![(first, TransferBasis::Agreement)]));
}

#[test]
fn an_addressee_never_sees_the_reasons_of_an_order() {
    let mut history = written(Some(text("reasons", FacetKind::RequestReasons)));
    tells(&mut history, 3, shared("us-provider", RequestRole::Addressee));
    tells(&mut history, 4, shared("fr-central", RequestRole::Requested));
    let first = (id_of("first text", FacetKind::RequestText), TransferBasis::Agreement);
    let reasons = (id_of("reasons", FacetKind::RequestReasons), TransferBasis::Agreement);
    assert_eq!(opens_request(&mut history, "us-provider"), Ok(vec![first]));
    assert_eq!(opens_request(&mut history, "fr-central"), Ok(vec![first, reasons]));
}

#[test]
fn coordinators_of_the_state_that_owes_it_are_asked() {
    let mut history = written(None);
    let asked = |code: &str| CoordinatorAsked {
        request_id: request(),
        reason: AlertReason::LegalPeriodRanOut,
        country: country(code),
        clock: "EIO-16".to_owned(),
    };
    let mut told = |offset, code| -> Vec<String> {
        let events = tells(&mut history, offset, asked(code).into());
        let agency = |event: &DeliveryEvent| match event {
            DeliveryEvent::AlertDelivered(alert) => alert.agency.to_string(),
            other => panic!("{other:?}"),
        };
        events.iter().map(agency).collect()
    };
    assert_eq!(told(3, "DE"), ["eu-coordinator", "un-coordinator"]);
    assert_eq!(told(4, "FR"), ["eu-coordinator"]);
    assert!(told(5, "US").is_empty());
}
