//! What a child is owed once it is found.

use schemas::codes::*;
use schemas::victim_id::*;

use crate::history::*;
use crate::people::*;

fn referred(service: &str) -> ReferToSupport {
    ReferToSupport { child_ref: first(), service: agency(service), handover: sealed(FacetKind::Handover) }
}

#[test]
fn a_support_service_of_the_custodians_own_state_receives_a_child_that_was_found() {
    let mut history = History::held();
    assert_eq!(rejected(history.ask("de-unit", referred("de-support"))), RejectionCode::WrongState);
    let mut history = History::found();
    for other in ["fr-support", "de-hotline"] {
        let refused = refused_at(history.ask("de-unit", referred(other)));
        assert_eq!(refused, (RejectionCode::Invalid, "/service".to_owned()), "{other}");
    }
    history.ask("de-unit", referred("de-support")).unwrap();
    let acknowledge = || AcknowledgeSupport { child_ref: first() };
    assert_eq!(rejected(history.ask("fr-support", acknowledge())), RejectionCode::UnknownChild);
    assert_eq!(rejected(history.ask("fr-unit", acknowledge())), RejectionCode::NotEntitled);
    history.ask("de-support", acknowledge()).unwrap();
    assert_eq!(rejected(history.ask("de-support", acknowledge())), RejectionCode::WrongState);
}

#[test]
fn a_support_service_that_is_not_there_any_more_knows_of_no_child() {
    let end = |service: &str| EndSupport { child_ref: first(), service: agency(service) };
    for by in ["de-unit", "de-support"] {
        let mut history = History::found();
        let refused = refused_at(history.ask("de-unit", end("de-support")));
        assert_eq!(refused, (RejectionCode::UnknownAgency, "/service".to_owned()), "nobody was asked");
        history.ask("de-unit", referred("de-support")).unwrap();
        assert_eq!(rejected(history.ask("fr-unit", end("de-support"))), RejectionCode::NotCustodian);
        let events = history.ask(by, end("de-support")).unwrap();
        let other = if by == "de-unit" { "de-support" } else { "de-unit" };
        let told = events.iter().any(|event| {
            matches!(event, VictimIdEvent::AgencyNoticed(noticed)
                if noticed.agency == agency(other) && noticed.news == ChildNews::SupportEnded)
        });
        assert!(told, "{events:?}");
        let acknowledge = AcknowledgeSupport { child_ref: first() };
        assert_eq!(rejected(history.ask("de-support", acknowledge)), RejectionCode::UnknownChild);
        // It may be asked again.
        history.ask("de-unit", referred("de-support")).unwrap();
    }
}

#[test]
fn a_representative_has_no_interest_against_the_child() {
    let mut history = History::found();
    let wish = |preference, without_conflict, majority: Option<&str>| SetNotification {
        child_ref: first(),
        preference,
        without_conflict,
        majority: majority.map(str::to_owned),
    };
    let through = NotificationPreference::ThroughRepresentative;
    let refused = refused_at(history.ask("de-unit", wish(through, false, None)));
    assert_eq!(refused, (RejectionCode::Invalid, "/without_conflict".to_owned()));
    for month in ["2026-09", "2031-13", "31-05", "2071-01", "May 2031"] {
        let refused = refused_at(history.ask("de-unit", wish(through, true, Some(month))));
        assert_eq!(refused, (RejectionCode::Invalid, "/majority".to_owned()), "{month}");
    }
    history.ask("de-unit", wish(through, true, Some("2031-05"))).unwrap();
    // Another preference leaves the month as it is.
    history.ask("de-unit", wish(through, true, None)).unwrap();
    // The month is over where it is over last.
    let notification = history.child().notification.clone().unwrap();
    let over: schemas::Timestamp = "2031-06-01T12:00:00Z".parse::<jiff::Timestamp>().unwrap().into();
    assert_eq!(notification.majority_at, Some(over));
    history.now = over;
    let rung = history.ring();
    assert!(rung.iter().any(|event| matches!(event, VictimIdEvent::MajorityReached(_))));
    // From then on the survivor decides, and nobody for it.
    let preference = history.child().notification.as_ref().unwrap().preference;
    assert_eq!(preference, NotificationPreference::NoContact);
    let refused = refused_at(history.ask("de-unit", wish(through, true, None)));
    assert_eq!(refused, (RejectionCode::WrongState, "/preference".to_owned()));
    history.ask("de-unit", wish(NotificationPreference::Survivor, false, None)).unwrap();
}

#[test]
fn remedies_are_named() {
    let mut history = History::found();
    let explained = |remedies| ExplainRemedies { child_ref: first(), remedies };
    let refused = refused_at(history.ask("de-unit", explained(Vec::new())));
    assert_eq!(refused, (RejectionCode::Invalid, "/remedies".to_owned()));
    history.ask("de-unit", explained(vec![Remedy::Compensation, Remedy::LegalAid])).unwrap();
    history.ask("de-unit", explained(vec![Remedy::LegalAid, Remedy::Counselling])).unwrap();
    assert_eq!(history.child().remedies.len(), 3);
}
