//! What an incident that becomes an imminent danger changes for offers already made, and what a change of
//! shift does to a chain of calls: nobody is skipped, nobody is called twice.

use schemas::codes::*;
use schemas::routing::{
    AddAssessment, Assessment, AssignmentRaised, DutyContactCalled, Entitlement, RoutingEvent,
};

use crate::world::*;

fn becomes_a_danger() -> AddAssessment {
    AddAssessment {
        assessment: Assessment {
            kind: AssessmentKind::Urgency,
            value: Some(Urgency::ImminentDanger.code().to_owned()),
            reason: AssessmentReason::InvestigationFinding,
            person_ref: None,
        },
        note: None,
    }
}

#[test]
fn an_offer_already_made_is_raised_and_its_contact_called() {
    let mut history = History::new();
    let referred = referred(referral(vec![suspect_in("DE")])).at(saturday_night());
    let offered = history.take(&referred).unwrap();
    let offer = offered.iter().find_map(|event| match event {
        RoutingEvent::AssignmentOffered(offer) => Some(offer.clone()),
        _ => None,
    });
    let offer = offer.unwrap();
    assert!(!offer.entitlement.opens_with_offer);
    let now = saturday_night().plus_minutes(1);
    let events = history.take(&asks("nl-hotline", becomes_a_danger()).at(now)).unwrap();
    let raised = AssignmentRaised {
        assignment_id: offer.assignment_id,
        urgency: Urgency::ImminentDanger,
        entitlement: Entitlement { opens_with_offer: true, ..offer.entitlement },
        respond_by: now.plus_minutes(ACKNOWLEDGES),
    };
    let called = DutyContactCalled {
        assignment_id: offer.assignment_id,
        agency: agency("de-police"),
        contact: "night desk".to_owned(),
        attempt: 1,
        acknowledge_by: now.plus_minutes(ACKNOWLEDGES),
    };
    assert_eq!(&events[1..], [raised.into(), called.into()]);
    // Said again, it is on record again and changes nothing more.
    let again = history.take(&asks("nl-hotline", becomes_a_danger()).at(now)).unwrap();
    assert_eq!(again.len(), 1, "{again:?}");
}

#[test]
fn a_change_of_shift_neither_skips_nor_repeats_anybody() {
    let german = assignment("de-police", 0);
    // Friday 17:50 in Berlin the office is on duty; a quarter of an hour later only the duty officer is.
    // Monday 07:50 the night desk is; a quarter of an hour later the office and the duty officer are.
    let shifts: [(&str, &[&str]); 2] = [
        ("2026-11-20T16:50:00Z", &["office", "duty officer"]),
        ("2026-11-16T06:50:00Z", &["night desk", "office", "duty officer"]),
    ];
    for (begins, contacts) in shifts {
        let begins = at(begins);
        let mut history = History::new();
        let mut events = history.take(&referred(in_danger(vec![suspect_in("DE")])).at(begins)).unwrap();
        for (number, contact) in (1..).zip(contacts) {
            let called = events.iter().find_map(|event| match event {
                RoutingEvent::DutyContactCalled(called) => Some(called.contact.as_str()),
                _ => None,
            });
            assert_eq!(called, Some(*contact), "call {number} after {begins}");
            events = history.take(&rings(german, begins.plus_minutes(number * ACKNOWLEDGES))).unwrap();
        }
        assert!(events.iter().any(|event| matches!(event, RoutingEvent::CoordinatorAlerted(_))), "{begins}");
    }
}
