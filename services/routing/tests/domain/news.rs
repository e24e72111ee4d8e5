//! What of `referral.events` is heard: a referral as it came in, each amendment, and that it was withdrawn.

use chassis::decider::Service;
use routing::Routing;
use routing::domain::{CommittedReferral, ReferralNews};
use schemas::codec::Codec;
use schemas::codes::*;
use schemas::ids::EventId;
use schemas::referral::{
    FeedbackDeferred, ReferralAmended, ReferralEvent, ReferralReceived, ReferralWithdrawn, SubmissionsRefused,
};
use schemas::{Actor, Event, InputPosition};

use crate::world::*;

fn at() -> InputPosition {
    InputPosition { topic: "referral.events".to_owned(), partition: 3, offset: 42 }
}

/// What a record of the event tells.
fn hears(body: ReferralEvent) -> Option<ReferralNews> {
    let codec = Codec::with_table();
    let event = Event {
        event_id: EventId::derive(&[b"event"]),
        aggregate_id: INCIDENT.to_owned(),
        sequence: 1,
        predecessor: Vec::new(),
        salt: Vec::new(),
        input: at(),
        cause: "command".to_owned(),
        cause_digest: Vec::new(),
        time: monday(),
        agency: agency("nl-hotline"),
        actor: Actor { id: "somebody".to_owned(), kind: ActorKind::Human },
        directory_position: 0,
        signature: None,
        body,
    };
    let value = codec.encode::<ReferralEvent>(&event).unwrap();
    let heard = Routing.hear(&codec, &at(), &value).unwrap()?;
    assert_eq!((heard.aggregate_id.as_str(), heard.time), (INCIDENT, monday()));
    assert_eq!((heard.cause, heard.agency), (event.event_id.to_string(), event.agency));
    Some(heard.news)
}

#[test]
fn what_becomes_of_a_referral_is_heard() {
    let referral = referral(vec![suspect_in("DE")]);
    let committed = |amendment| {
        let referral = referral.clone();
        Some(ReferralNews::Committed(CommittedReferral { amendment, referral, at: at() }))
    };
    let received = ReferralReceived { referral: referral.clone() };
    assert_eq!(hears(received.into()), committed(0));
    for amendment in [1, 7] {
        let amended = ReferralAmended { amendment, referral: referral.clone() };
        assert_eq!(hears(amended.into()), committed(amendment));
    }
    for reason in RetractionReason::ALL {
        let withdrawn = ReferralWithdrawn { reason: *reason };
        assert_eq!(hears(withdrawn.into()), Some(ReferralNews::Withdrawn(*reason)));
    }
}

#[test]
fn what_the_reporter_is_told_is_not_heard() {
    let deferred = FeedbackDeferred { assignment_id: assignment("de-police", 0), until: monday() };
    assert_eq!(hears(deferred.into()), None);
    assert_eq!(hears(SubmissionsRefused { refusals: Vec::new() }.into()), None);
}
