//! A referral is received once; refused submissions are counted.

use intake::domain::{Received, Standing};
use schemas::codes::{AgencyKind, RefusalReason, RejectionCode, Urgency};
use schemas::referral::{CountRefusals, Referral, RefusalCount, SubmissionsRefused};

use crate::world::*;

fn refusals(count: i64) -> Vec<RefusalCount> {
    vec![RefusalCount { reason: RefusalReason::EmbeddedContent, pointer: "/people/name".to_owned(), count }]
}

#[test]
fn a_referral_is_received_once() {
    let referral = referral(HOTLINE);
    let other = Referral { urgency: Urgency::ImminentDanger, ..referral.clone() };
    let first = [receives(&referral)];
    check("the first", &[], &receives(&referral), &received(&referral));
    check("the same again", &first, &receives(&referral), &Ok(Vec::new()));
    check("another under the same incident", &first, &receives(&other), &Ok(Vec::new()));
    let later = [first[0].clone(), hears(&offered("de-police", "DE"))];
    check("after feedback", &later, &receives(&referral), &Ok(Vec::new()));
    let counted = [asks(CountRefusals { refusals: refusals(1) })];
    check("after a count", &counted, &receives(&referral), &received(&referral));
}

#[test]
fn only_some_kinds_of_agency_report() {
    let referral = referral(HOTLINE);
    let not_entitled = refuses(RejectionCode::NotEntitled);
    for kind in AgencyKind::ALL {
        let when = Step { by: agency(kind.code()), ..receives(&referral) };
        let then = if MAY_REPORT.contains(kind) { received(&referral) } else { not_entitled.clone() };
        check(kind.code(), &[], &when, &then);
    }
    let nobody = Step { by: agency("no-agency"), ..receives(&referral) };
    check("no agency", &[], &nobody, &not_entitled);
    check("no agency, again", &[receives(&referral)], &nobody, &not_entitled);
}

#[test]
fn what_would_be_erased_at_once_is_not_taken_in() {
    let past = refuses_at(RejectionCode::Invalid, "/handling/retain_until");
    for moment in [now().plus_millis(-1), now()] {
        check("its date has come", &[], &receives(&kept_until(moment)), &past);
    }
    let later = kept_until(now().plus_millis(1));
    check("later", &[], &receives(&later), &received(&later));
    check("again, once its date has come", &[receives(&later)], &receives(&later), &Ok(Vec::new()));
}

#[test]
fn what_is_kept_of_it_answers_its_reporter() {
    let referral = referral(PROVIDER);
    let state = after(&[receives(&referral)]).state;
    let kept = Received {
        referral_id: referral.referral_id,
        reporter: referral.reporter,
        digest: b"step 0".to_vec(),
        gate: referral.gate,
        at: now(),
        amendments: 0,
        standing: Standing {
            people: referral.people.iter().map(|person| person.person_ref).collect(),
            items: referral.items.iter().map(|item| item.item_ref).collect(),
        },
        withdrawn: None,
        key_sets: std::collections::BTreeSet::new(),
    };
    assert_eq!(state.received, Some(kept));
    assert!(state.feedback.is_empty());
}

#[test]
fn refusals_are_counted_as_often_as_they_are_sent() {
    let count = |number| asks(CountRefusals { refusals: refusals(number) });
    let counted = |number| Ok(vec![SubmissionsRefused { refusals: refusals(number) }.into()]);
    check("the first", &[], &count(1), &counted(1));
    check("the same again", &[count(1)], &count(1), &counted(1));
    check("beside a referral", &[receives(&referral(HOTLINE))], &count(7), &counted(7));
    assert_eq!(after(&[count(1), count(2)]).state, History::new().state, "they belong to no referral");
}
