//! What the service tells others of an event, and what of routing's events it hears, as records.

use chassis::decider::{IndexKey, Service};
use delivery::Delivery;
use delivery::domain::News;
use schemas::codec::Codec;
use schemas::codes::*;
use schemas::delivery::{DeliveryEvent, RetractionDelivered};
use schemas::ids::{AssessmentId, RetractionId};
use schemas::jurisdiction::Notice;
use schemas::referral::SealedFacet;
use schemas::routing::{
    Assessment, AssessmentAdded, AssessmentRetracted, AssignmentRaised, CaseNumberAdded, FeedbackHeld,
    IncidentWithdrawn, RetractionAcknowledged, RetractionIssued, RoutingEvent,
};
use schemas::{Event, topics};

use crate::world::*;

/// The notices that each event of the last step leads to.
fn notices(given: &[Step], when: &Step) -> Vec<Notice> {
    let codec = Codec::with_table();
    let mut history = after(given);
    let known = history.log.len();
    history.take(when).unwrap();
    let told = history.log[known..].iter().flat_map(|event| {
        let outgoing = Delivery.tell(&codec, &history.state, event).unwrap();
        outgoing.into_iter().map(|outgoing| {
            let notice: Notice = codec.decode::<Notice, _>(&outgoing.value).unwrap();
            assert_eq!(outgoing.topic, topics::jurisdiction(&notice.country));
            notice
        })
    });
    told.collect()
}

fn raised() -> AssignmentRaised {
    AssignmentRaised {
        assignment_id: assignment("de-police"),
        urgency: Urgency::ImminentDanger,
        entitlement: with_offer(entitlement()),
        respond_by: now().plus_minutes(15),
    }
}

#[test]
fn a_notice_says_how_the_assignment_stands() {
    let offers = hears(offer("de-police", "DE", entitlement()));
    let states = |given: &[Step], when: &Step| -> Vec<AssignmentState> {
        notices(given, when).into_iter().map(|notice| notice.state).collect()
    };
    assert_eq!(states(&[hears(opened())], &offers), [AssignmentState::Offered]);
    let given = [hears(opened()), offers];
    assert_eq!(states(&given, &hears(raised())), [AssignmentState::Offered]);
    for (news, state) in changes("de-police") {
        assert_eq!(states(&given, &hears(news)), [state]);
    }
    let notice = notices(&given, &hears(raised())).remove(0);
    assert_eq!((notice.urgency, notice.respond_by), (Urgency::ImminentDanger, now().plus_minutes(15)));
    assert_eq!((notice.country, notice.agency), (country("DE"), agency("de-police")));
}

#[test]
fn a_notice_of_a_raised_assignment_says_how_it_stands() {
    let given = [hears(opened()), hears(offer("de-police", "DE", entitlement()))];
    for state in [AssignmentState::Accepted, AssignmentState::Escalated] {
        let given = [given.as_slice(), &[brings("de-police", state)]].concat();
        let notice = notices(&given, &hears(raised())).remove(0);
        assert_eq!(notice.state, state);
    }
}

/// Whether a record of routing's event is heard at all, and if so as what it was written.
fn heard(by: &str, body: RoutingEvent) -> bool {
    let codec = Codec::with_table();
    let mut history = History::new();
    history.take(&hears(opened())).unwrap();
    let Event { event_id, input, time, actor, .. } = history.log.remove(0);
    let event = Event {
        event_id,
        aggregate_id: INCIDENT.to_owned(),
        sequence: 1,
        predecessor: Vec::new(),
        salt: Vec::new(),
        input,
        cause: "command".to_owned(),
        cause_digest: Vec::new(),
        time,
        agency: agency(by),
        actor,
        directory_position: 0,
        signature: None,
        body,
    };
    let value = codec.encode::<RoutingEvent>(&event).unwrap();
    let heard = Delivery.hear(&codec, &routing_at(11), &value).unwrap();
    if let Some(heard) = &heard {
        let News::Routing(news) = &heard.news else { panic!("{heard:?}") };
        assert_eq!((&news.event, &news.at), (&event.body, &routing_at(11)));
        assert_eq!((&news.by, &heard.agency), (&event.agency, &event.agency));
        assert_eq!(heard.aggregate_id, INCIDENT);
    }
    heard.is_some()
}

#[test]
fn what_carries_a_facet_is_heard_whatever_it_is() {
    let assessed = |note: Option<SealedFacet>| -> RoutingEvent {
        let assessment = Assessment {
            kind: AssessmentKind::Adult,
            value: None,
            reason: AssessmentReason::ExpertOpinion,
            person_ref: Some(person("victim")),
        };
        let (assessment_id, by) = (AssessmentId::derive(&[b"assessment"]), agency("de-police"));
        AssessmentAdded { assessment_id, by, assessment, note }.into()
    };
    let number = CaseNumberAdded { by: agency("de-police"), number: added("number", FacetKind::CaseNumber) };
    let (retraction_id, reason) = (RetractionId::derive(&[b"retraction"]), RetractionReason::Duplicate);
    let (assessment_id, recipients) = (AssessmentId::derive(&[b"assessment"]), vec![agency("fr-police")]);
    let issued = RetractionIssued { retraction_id, assessment_id: Some(assessment_id), reason, recipients };
    let mut told: Vec<RoutingEvent> =
        vec![assessed(Some(note())), number.into(), raised().into(), amended(1).into(), issued.into()];
    told.extend(changes("de-police").into_iter().map(|change| change.0));
    for news in told {
        assert!(heard("de-police", news.clone()), "{news:?}");
    }
    let assignment_id = assignment("de-police");
    let silent: [RoutingEvent; 5] = [
        assessed(None),
        AssessmentRetracted { assessment_id, reason }.into(),
        RetractionAcknowledged { retraction_id, by: agency("fr-police") }.into(),
        IncidentWithdrawn { reason }.into(),
        FeedbackHeld { assignment_id, until: now() }.into(),
    ];
    for news in silent {
        assert!(!heard("de-police", news.clone()), "{news:?}");
    }
}

#[test]
fn a_retraction_is_in_the_inbox_of_whoever_is_told() {
    let (retraction_id, reason) = (RetractionId::derive(&[b"retraction"]), RetractionReason::Duplicate);
    let recipients = vec![agency("de-police"), agency("fr-police")];
    let issued = RetractionIssued { retraction_id, assessment_id: None, reason, recipients };
    let mut history = after(&[hears(opened())]);
    history.take(&hears(issued)).unwrap();
    let of = |event: &Event<DeliveryEvent>| -> Vec<IndexKey> {
        let entries = Delivery::index(&history.state, event, &[0; 32]);
        entries.into_iter().map(|entry| entry.key).collect()
    };
    for event in &history.log[1..] {
        let DeliveryEvent::RetractionDelivered(RetractionDelivered { agency, .. }) = &event.body else {
            panic!("{event:?}");
        };
        assert_eq!(of(event), [IndexKey::Placed(format!("{agency}\0").into_bytes())]);
    }
    assert_eq!(history.log.len(), 3);
    assert!(of(&history.log[0]).is_empty(), "what is registered is in nobody's");
}
