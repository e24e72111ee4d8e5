//! A preservation guards the data until the request behind it is received.

use mla::domain;
use schemas::codes::*;
use schemas::mla::*;

use crate::history::*;
use crate::world::*;

#[test]
fn a_data_holder_that_keeps_the_data_longer_is_watched_again() {
    let (mut history, id) = received(assistance(Measure::Preservation, "budapest"));
    let holder_end = Some(history.now.plus_minutes(10 * 24 * 60));
    history.step("fr-central", id, Preserved { holder_end }).unwrap();
    history.pass(11 * 24);
    let ends = history.now.plus_minutes(10 * 24 * 60);
    history.step("fr-central", id, HolderEnd { ends }).unwrap();
    assert!(history.state.requests[&id].periods["holder-end"].runs());
    // A preservation of something else secures, but asks for nothing.
    let again = Draft { parent: Some(id), ..assistance(Measure::Preservation, "budapest") };
    let second = history.draft(again);
    send(&mut history, second);
    history.step("fr-central", second, Receipt {}).unwrap();
    assert!(history.state.requests[&id].periods["holder-end"].runs());
    // The request for the data guards them, as long as it lies with the other side.
    let third = history.draft(Draft { parent: Some(id), ..assistance(Measure::ContentData, "budapest") });
    send(&mut history, third);
    history.step("fr-central", third, Receipt {}).unwrap();
    assert_eq!(end(&history, id, "holder-end"), Some(ClockEnd::Superseded));
    history.step("fr-central", third, ReturnDeficient { missing: vec![ContentElement::Facts] }).unwrap();
    assert!(history.state.requests[&id].periods["holder-end"].runs());
    assert_eq!(due(&history, id, "holder-end"), ends);
    let mixed = Draft {
        measures: vec![Measure::Preservation, Measure::ContentData],
        ..assistance(Measure::Preservation, "budapest")
    };
    let refused = refused_at(history.ask("de-central", DraftRequest { draft: mixed }));
    assert_eq!(refused, (RejectionCode::Invalid, "/measures".to_owned()));
}

#[test]
fn a_preservation_is_guarded_until_the_request_behind_it_is_received() {
    let (mut history, id) = received(assistance(Measure::Preservation, "budapest"));
    let ends = history.now.plus_minutes(40 * 24 * 60);
    history.step("fr-central", id, Preserved { holder_end: Some(ends) }).unwrap();
    assert_eq!(due(&history, id, "BUD-29"), at("2026-10-31T23:00:00Z"));
    assert_eq!(due(&history, id, domain::HOLDER_END), ends);
    // A month, two weeks, a week and two days before.
    history.pass(39 * 24);
    let warned = history.events.iter().filter(|(event, _)| matches!(event, MlaEvent::ClockWarned(_))).count();
    assert_eq!(warned, 4);
    let behind = Draft { parent: Some(id), ..assistance(Measure::ContentData, "budapest") };
    let behind = history.draft(behind);
    send(&mut history, behind);
    assert_eq!(end(&history, id, domain::HOLDER_END), None);
    history.step("fr-central", behind, Receipt {}).unwrap();
    for clock in ["BUD-29", domain::HOLDER_END] {
        assert_eq!(end(&history, id, clock), Some(ClockEnd::Superseded), "{clock}");
    }
    // Without it a coordinator is told once the data are gone; a floor is nobody's delay.
    let (mut history, id) = received(assistance(Measure::Preservation, "budapest"));
    history.step("fr-central", id, Preserved { holder_end: None }).unwrap();
    history.pass(70 * 24);
    let reasons: Vec<AlertReason> = history
        .events
        .iter()
        .filter_map(|(event, _)| match event {
            MlaEvent::CoordinatorAsked(asked) => Some(asked.reason),
            _ => None,
        })
        .collect();
    assert_eq!(reasons, [AlertReason::PreservationAtRisk]);
}

#[test]
fn a_period_that_guards_again_was_made_longer_once_already() {
    let (mut history, id) = received(order(RequestKind::PreservationOrder, Measure::Preservation));
    history.step("de-central", id, Extension {}).unwrap();
    let before = history.state.requests[&id].periods["EEV-11"].clone();
    assert!(before.extended_by.is_some());
    let behind = Draft { parent: Some(id), ..order(RequestKind::ProductionOrder, Measure::ContentData) };
    let behind = history.draft(behind);
    send(&mut history, behind);
    history.step("ie-provider", behind, Receipt {}).unwrap();
    assert_eq!(end(&history, id, "EEV-11"), Some(ClockEnd::Superseded));
    history.step("de-central", behind, Withdrawal { reason: WithdrawalReason::NoLongerRequired }).unwrap();
    assert_eq!(history.state.requests[&id].periods["EEV-11"], before);
}

#[test]
fn a_preservation_guards_nothing_while_another_request_is_received() {
    let (mut history, id) = received(assistance(Measure::Preservation, "budapest"));
    history.step("fr-central", id, Preserved { holder_end: None }).unwrap();
    let mut behind = || {
        let behind =
            history.draft(Draft { parent: Some(id), ..assistance(Measure::ContentData, "budapest") });
        send(&mut history, behind);
        history.step("fr-central", behind, Receipt {}).unwrap();
        behind
    };
    let (first, second) = (behind(), behind());
    let withdraw = || Withdrawal { reason: WithdrawalReason::NoLongerRequired };
    history.step("de-central", first, withdraw()).unwrap();
    assert_eq!(end(&history, id, "BUD-29"), Some(ClockEnd::Superseded));
    history.step("de-central", second, withdraw()).unwrap();
    assert_eq!(end(&history, id, "BUD-29"), None);
}
