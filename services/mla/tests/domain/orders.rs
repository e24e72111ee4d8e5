//! Orders to a provider: who knows of them, and how their periods run.

use schemas::codes::*;
use schemas::mla::*;

use crate::history::*;
use crate::world::*;

#[test]
fn the_enforcing_state_knows_of_an_order_once_it_is_asked_and_refuses_what_it_was_notified_of() {
    let (mut history, id) = received(order(RequestKind::ProductionOrder, Measure::ContentData));
    let known = |history: &History, code| history.state.requests[&id].is_known_in(&country(code));
    assert_eq!((known(&history, "DE"), known(&history, "IE")), (true, false));
    history.step("de-central", id, EnforcementRequest {}).unwrap();
    assert!(known(&history, "IE"));
    let refusal = refusal(RefusalGround::FundamentalRights, true);
    assert_eq!(rejected(history.step("ie-central", id, refusal)), RejectionCode::WrongState);
}

#[test]
fn a_provider_lets_nobody_else_take_part() {
    let (mut history, id) = received(order(RequestKind::ProductionOrder, Measure::ContentData));
    let involve = InvolveUnit { request_id: id, agency: agency("ie-central") };
    assert_eq!(rejected(history.ask("ie-provider", involve)), RejectionCode::NotEntitled);
}

#[test]
fn a_providers_period_stands_still_while_it_waits_for_an_answer() {
    let (mut history, id) = received(order(RequestKind::ProductionOrder, Measure::ContentData));
    assert_eq!(due(&history, id, "EEV-10.3"), at("2026-09-11T23:00:00Z"));
    history.pass(24);
    history.step("ie-provider", id, ClarificationRequest {}).unwrap();
    assert!(!history.state.requests[&id].periods["EEV-10.3"].runs());
    history.pass(4 * 24);
    history.step("de-central", id, Clarification {}).unwrap();
    assert_eq!(end(&history, id, "EEV-10.6"), Some(ClockEnd::Met));
    assert_eq!(due(&history, id, "EEV-10.3"), at("2026-09-15T23:00:00Z"));
    assert_eq!(state(&history, id), RequestState::Received);
}

#[test]
fn data_are_held_back_until_the_period_of_a_notified_order_ends() {
    let notified = || Draft { notified: true, ..order(RequestKind::ProductionOrder, Measure::ContentData) };
    let (mut history, id) = received(notified());
    history.step("de-central", id, Notification {}).unwrap();
    assert_eq!(rejected(history.step("ie-provider", id, evidence())), RejectionCode::WrongState);
    history.step("ie-central", id, NotificationReceipt {}).unwrap();
    assert_eq!(rejected(history.step("ie-provider", id, evidence())), RejectionCode::WrongState);
    history.step("ie-central", id, NoGroundConfirmation {}).unwrap();
    assert_eq!(end(&history, id, "EEV-12"), Some(ClockEnd::Met));
    history.step("ie-provider", id, evidence()).unwrap();
    // Without a word of the enforcing authority they go at the end.
    let (mut history, id) = received(notified());
    history.now = due(&history, id, "EEV-10.2");
    history.pass(0);
    history.step("ie-provider", id, evidence()).unwrap();
}

#[test]
fn silence_frees_the_provider_of_a_preservation_order_alone() {
    let preservation = || order(RequestKind::PreservationOrder, Measure::Preservation);
    let (mut history, id) = received(preservation());
    history.step("ie-provider", id, ClarificationRequest {}).unwrap();
    history.pass(7 * 24);
    assert_eq!(state(&history, id), RequestState::Lapsed);
    assert_eq!(end(&history, id, "EEV-11"), Some(ClockEnd::Lapsed));
    assert_eq!(rejected(history.step("de-central", id, Clarification {})), RejectionCode::WrongState);
    let (mut history, id) = received(order(RequestKind::ProductionOrder, Measure::ContentData));
    history.step("ie-provider", id, ClarificationRequest {}).unwrap();
    history.pass(7 * 24);
    assert_eq!(state(&history, id), RequestState::AdditionalInfoRequested);
    history.step("de-central", id, Clarification {}).unwrap();
    assert_eq!(end(&history, id, "EEV-10.6"), Some(ClockEnd::Late));
    // Sixty days, and thirty more once.
    let (mut history, id) = received(preservation());
    history.step("ie-provider", id, Preserved { holder_end: None }).unwrap();
    assert_eq!(due(&history, id, "EEV-11"), at("2026-11-03T00:00:00Z"));
    history.step("de-central", id, Extension {}).unwrap();
    assert_eq!(due(&history, id, "EEV-11"), at("2026-12-01T00:00:00Z"));
    assert_eq!(rejected(history.step("de-central", id, Extension {})), RejectionCode::AlreadyExtended);
    history.step("de-central", id, ProductionConfirmation {}).unwrap();
    assert_eq!(end(&history, id, "EEV-11"), Some(ClockEnd::Superseded));
}

#[test]
fn in_an_emergency_an_order_may_go_before_it_is_validated() {
    let urgent = |measure| Draft {
        emergency: Some(schemas::codes::DangerReason::ThreatToLife),
        ..order(RequestKind::ProductionOrder, measure)
    };
    let mut history = History::start();
    let transmission = || Transmission { channel: Channel::ProviderDirect, oral: false };
    let content = history.draft(urgent(Measure::ContentData));
    assert_eq!(rejected(history.step("de-central", content, transmission())), RejectionCode::WrongState);
    let id = history.draft(urgent(Measure::SubscriberData));
    history.step("de-central", id, transmission()).unwrap();
    assert_eq!(due(&history, id, "EEV-4.5"), at("2026-09-03T09:00:00Z"));
    history.step("ie-provider", id, Receipt {}).unwrap();
    assert_eq!(due(&history, id, "EEV-10.4"), at("2026-09-01T17:00:00Z"));
    history.step("de-central", id, ExPostValidation { granted: false, by: Validator::Court }).unwrap();
    assert_eq!(state(&history, id), RequestState::Withdrawn);
    assert_eq!(end(&history, id, "EEV-10.4"), Some(ClockEnd::Withdrawn));
}

/// A notified order in an emergency, whose data were sent at once.
fn sent_in_an_emergency() -> (History, schemas::ids::RequestId) {
    let draft = Draft {
        emergency: Some(schemas::codes::DangerReason::ThreatToLife),
        notified: true,
        ..order(RequestKind::ProductionOrder, Measure::ContentData)
    };
    let (mut history, id) = received(draft);
    history.step("de-central", id, Notification {}).unwrap();
    history.step("ie-central", id, NotificationReceipt {}).unwrap();
    history.step("ie-provider", id, evidence()).unwrap();
    (history, id)
}

#[test]
fn within_its_period_the_enforcing_authority_takes_back_what_was_sent_or_lets_it_be_used_under_conditions() {
    let (mut history, id) = sent_in_an_emergency();
    let conditions = || ConditionsOnUse { conditions: vec![ConditionCode::UseLimitation] };
    history.step("ie-central", id, conditions()).unwrap();
    assert_eq!(history.state.requests[&id].conditions, [ConditionCode::UseLimitation]);
    assert_eq!(end(&history, id, "EEV-10.4e"), Some(ClockEnd::Met));
    // A ground after all: what came is deleted, and somebody says so.
    let (mut history, id) = sent_in_an_emergency();
    let ground = RefusalGround::FundamentalRights;
    history.step("ie-central", id, Consultation { subject: ConsultationSubject::Refusal }).unwrap();
    history.step("de-central", id, ConsultationConclusion {}).unwrap();
    let deletion = |history: &mut History| history.step("de-central", id, Deletion { restricted: false });
    assert_eq!(rejected(deletion(&mut history)), RejectionCode::WrongState);
    history.step("ie-central", id, refusal(ground, false)).unwrap();
    let owed = |history: &History| {
        let items = mla::domain::due::items(&history.state.requests[&id], RequestRole::Requesting);
        items.iter().any(|item| item.reason == DueReason::Deletion)
    };
    assert!(owed(&history));
    deletion(&mut history).unwrap();
    assert!(!owed(&history));
    assert_eq!(rejected(deletion(&mut history)), RejectionCode::WrongState);
    // After 96 hours, counted from the next full hour, neither is said any more.
    let (mut history, id) = sent_in_an_emergency();
    history.pass(97);
    assert_eq!(rejected(history.step("ie-central", id, conditions())), RejectionCode::PeriodOver);
    assert_eq!(rejected(history.step("ie-central", id, refusal(ground, false))), RejectionCode::PeriodOver);
}

#[test]
fn an_objection_comes_within_its_period() {
    let (mut history, id) = received(order(RequestKind::ProductionOrder, Measure::ContentData));
    history.pass(11 * 24);
    assert_eq!(rejected(history.step("ie-provider", id, Objection {})), RejectionCode::PeriodOver);
}

#[test]
fn a_provider_that_says_nothing_holds_nothing_up() {
    let mut history = History::start();
    let id = history.draft(order(RequestKind::ProductionOrder, Measure::ContentData));
    send(&mut history, id);
    // Whoever says that it was served says how.
    let bare = refused_at(history.step("de-central", id, Receipt {}));
    assert_eq!(bare, (RejectionCode::Invalid, "/note".to_owned()));
    let note = Some(sealed(FacetKind::RequestText));
    let served = TakeStep { request_id: id, step: Receipt {}.into(), note, reference: None };
    history.ask("de-central", served).unwrap();
    assert_eq!(due(&history, id, "EEV-10.3"), at("2026-09-11T23:00:00Z"));
    history.step("de-central", id, EnforcementRequest {}).unwrap();
    history.step("ie-central", id, Recognition { recognised: true, ground: None }).unwrap();
    // Also once it is enforced the provider may say why not, and is enforced again.
    history.step("ie-provider", id, NonExecution { reason: NonExecutionReason::Impossible }).unwrap();
    history.step("de-central", id, EnforcementRequest {}).unwrap();
    assert_eq!(state(&history, id), RequestState::InEnforcement);
}

#[test]
fn data_that_were_held_back_are_due_once_nobody_has_raised_a_ground() {
    let notified = Draft { notified: true, ..order(RequestKind::ProductionOrder, Measure::ContentData) };
    let (mut history, id) = received(notified);
    history.now = due(&history, id, "EEV-10.2");
    history.pass(0);
    let items = mla::domain::due::items(&history.state.requests[&id], RequestRole::Addressee);
    let released = items.iter().find(|item| item.reason == DueReason::Evidence).unwrap();
    assert_eq!(released.due, Some(due(&history, id, "EEV-10.2")));
}
