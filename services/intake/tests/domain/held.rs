//! What police hold back is told when its time has come, and not before.

use chassis::decider::Service;
use intake::Intake;
use schemas::codec::Codec;
use schemas::codes::*;
use schemas::referral::Feedback;
use schemas::routing::{IncidentWithdrawn, RoutingEvent};
use schemas::{Event, InputPosition, Timestamp};

use crate::world::*;

fn in_days(days: i64) -> Timestamp {
    now().plus_minutes(days * 24 * 60)
}

/// Received of the reporter, and offered to two agencies of Germany.
fn routed(reporter: &str) -> Vec<Step> {
    let offers = [offered("de-police", "DE"), offered("de-central", "DE")];
    [vec![receives(&referral(reporter))], offers.iter().map(hears).collect()].concat()
}

/// Given news of a routed referral, then its reporter is told these in time, beside what it was told first.
#[track_caller]
fn check_told(reporter: &str, news: &[RoutingEvent], then: &[(i64, Vec<Feedback>)]) {
    let given = [routed(reporter), news.iter().map(hears).collect()].concat();
    let (history, first) = (after(&given), after(&routed(reporter)).told(now()));
    for (days, told) in then {
        let expected = [first.as_slice(), told].concat();
        assert_eq!(history.told(in_days(*days)), expected, "{reporter} after {days} days: {news:?}");
    }
}

#[test]
fn a_hold_is_written_down() {
    for reporter in [HOTLINE, PROVIDER] {
        let when = hears(&held("de-police", in_days(7)));
        check(reporter, &routed(reporter), &when, &defers("de-police", in_days(7)));
        let again = [routed(reporter), vec![when]].concat();
        let shorter = hears(&held("de-police", now()));
        check("ended", &again, &shorter, &defers("de-police", now()));
    }
    check("nothing was received", &[], &hears(&held("de-police", in_days(7))), &Ok(Vec::new()));
}

#[test]
fn what_is_held_is_told_when_its_time_has_come() {
    use FeedbackStage::*;
    let hold = |id, days| held(id, in_days(days));
    let outcome = CloseOutcome::SuspectIdentified;
    let reason = DeclineReason::AlreadyKnown;
    let accepts = || told_of(Accepted, "DE");
    let closes = || Feedback { outcome: Some(outcome), ..told_of(Closed, "DE") };
    let declines = || Feedback { decline_reason: Some(reason), ..told_of(NotActionable, "DE") };
    let first = [hold("de-police", 7), accepted("de-police")];
    check_told(HOTLINE, &first, &[(0, vec![]), (6, vec![]), (7, vec![accepts()])]);
    check_told(PROVIDER, &first, &[(6, vec![]), (7, vec![told(Actionable)])]);
    let more = |news| [first.as_slice(), &[news]].concat();
    let closed_too = more(closed("de-police", outcome));
    check_told(HOTLINE, &closed_too, &[(6, vec![]), (7, vec![accepts(), closes()])]);
    let longer = more(hold("de-police", 30));
    check_told(HOTLINE, &longer, &[(7, vec![]), (29, vec![]), (30, vec![accepts()])]);
    check_told(HOTLINE, &more(hold("de-police", 0)), &[(1, vec![accepts()])]);
    // Another agency's answer is its own to give.
    let by_other = more(accepted("de-central"));
    check_told(HOTLINE, &by_other, &[(1, vec![accepts()]), (7, vec![accepts()])]);
    let declined_there = more(declined("de-central", reason));
    check_told(HOTLINE, &declined_there, &[(1, vec![declines()]), (7, vec![accepts(), declines()])]);
}

#[test]
fn what_was_told_before_the_hold_stays_told() {
    use FeedbackStage::*;
    let news = [
        accepted("de-police"),
        held("de-police", in_days(7)),
        closed("de-police", CloseOutcome::Transferred),
    ];
    let closes = Feedback { outcome: Some(CloseOutcome::Transferred), ..told_of(Closed, "DE") };
    let accepts = || told_of(Accepted, "DE");
    check_told(HOTLINE, &news, &[(1, vec![accepts()]), (7, vec![accepts(), closes.clone()])]);
    let history = after(&[routed(HOTLINE), news.iter().map(hears).collect()].concat());
    let last = history.state.told(in_days(8)).pop().unwrap();
    assert_eq!((last.feedback, last.at), (closes, in_days(7)), "told since the hold has passed");
}

#[test]
fn a_moment_is_its_end() {
    let given =
        [routed(PROVIDER), vec![hears(&held("de-police", in_days(7))), hears(&accepted("de-police"))]];
    let history = after(&given.concat());
    assert!(history.told(in_days(7).plus_millis(-1)).is_empty());
    assert_eq!(history.told(in_days(7)), [told(FeedbackStage::Actionable)]);
}

/// Whether a record of routing's event is heard at all, and if so as what it was written.
fn heard(body: &RoutingEvent) -> bool {
    let codec = Codec::with_table();
    let first = after(&[receives(&referral(HOTLINE))]).log.remove(0);
    let event = Event {
        event_id: first.event_id,
        aggregate_id: first.aggregate_id,
        sequence: first.sequence,
        predecessor: first.predecessor,
        salt: first.salt,
        input: first.input,
        cause: first.cause,
        cause_digest: first.cause_digest,
        time: first.time,
        agency: first.agency,
        actor: first.actor,
        directory_position: first.directory_position,
        signature: first.signature,
        body: body.clone(),
    };
    let value = codec.encode::<RoutingEvent>(&event).unwrap();
    let position = InputPosition { topic: "routing.events".to_owned(), partition: 0, offset: 1 };
    let heard = Intake.hear(&codec, &position, &value).unwrap();
    if let Some(heard) = &heard {
        assert_eq!((&heard.news, heard.time), (body, event.time));
    }
    heard.is_some()
}

#[test]
fn whatever_tells_the_reporter_something_is_heard() {
    let tells = [
        offered("de-police", "DE"),
        accepted("de-police"),
        declined("de-police", DeclineReason::NoCapacity),
        closed("de-police", CloseOutcome::Transferred),
        held("de-police", in_days(7)),
    ];
    for news in &tells {
        assert!(heard(news), "{news:?}");
    }
    assert!(!heard(&IncidentWithdrawn { reason: RetractionReason::Duplicate }.into()));
}
