//! Its reporter amends a referral as often as needed, and withdraws it once: nobody else does.

use std::collections::BTreeSet;

use intake::domain::{Received, Standing};
use schemas::codes::*;
use schemas::referral::{
    GateVerdict, Item, Person, ReadReferral, Referral, ReferralAmended, ReferralEvent, ReferralWithdrawn,
    WithheldField,
};

use crate::world::*;

const WHY: RetractionReason = RetractionReason::SentInError;

fn amended(amendment: i32, referral: &Referral) -> Decision {
    Ok(vec![ReferralAmended { amendment, referral: referral.clone() }.into()])
}

fn withdrawn() -> Decision {
    Ok(vec![ReferralWithdrawn { reason: WHY }.into()])
}

fn received() -> Vec<Step> {
    vec![receives(&referral(HOTLINE))]
}

fn of(people: &[&str], items: &[&str]) -> Referral {
    let people: Vec<Person> = people.iter().map(|name| person(name)).collect();
    let items: Vec<Item> = items.iter().map(|name| item(name)).collect();
    Referral { people, items, ..referral(HOTLINE) }
}

#[test]
fn the_reporter_amends_as_often_as_it_needs() {
    let first = Referral { urgency: Urgency::ImminentDanger, ..referral(HOTLINE) };
    let second = Referral { kind: IncidentKind::OnlineSolicitation, ..referral(HOTLINE) };
    let given = received();
    check("the first", &given, &amends(&first), &amended(1, &first));
    check("its system may", &given, &amends(&first).by_machine(), &amended(1, &first));
    let given = [given, vec![amends(&first)]].concat();
    check("the second", &given, &amends(&second), &amended(2, &second));
    check("the same again", &given, &amends(&first), &amended(2, &first));
    let routed = [given, vec![hears(&offered("de-police", "DE")), hears(&accepted("de-police"))]].concat();
    check("while agencies work on it", &routed, &amends(&second), &amended(2, &second));
}

#[test]
fn people_and_items_keep_their_places() {
    let (both, media) = (["child", "account"], ["image", "video"]);
    // What it is amended to, and the list at fault.
    let table: [(&[&str], &[&str], Option<&str>); 11] = [
        (&both, &media, None),
        (&["child", "account", "sibling"], &media, None),
        (&both, &["image", "video", "page"], None),
        (&["child"], &media, Some("/people")),
        (&[], &media, Some("/people")),
        (&["account", "child"], &media, Some("/people")),
        (&["sibling", "child", "account"], &media, Some("/people")),
        (&both, &["image"], Some("/items")),
        (&both, &["video", "image"], Some("/items")),
        (&both, &["page", "image", "video"], Some("/items")),
        (&["child"], &["image"], Some("/people")),
    ];
    for (people, items, fault) in table {
        let referral = of(people, items);
        let refused = |pointer| refuses_at(RejectionCode::Invalid, pointer);
        let then = fault.map_or_else(|| amended(1, &referral), refused);
        check(&format!("{people:?}, {items:?}"), &received(), &amends(&referral), &then);
    }
    let wider = of(&["child", "account", "sibling"], &media);
    let given = [received(), vec![amends(&wider)]].concat();
    let then = refuses_at(RejectionCode::Invalid, "/people");
    check("whoever came with an amendment stays", &given, &amends(&referral(HOTLINE)), &then);
    let mut turns_out = wider.clone();
    turns_out.people[0].category = PersonCategory::Victim;
    check("as somebody else", &given, &amends(&turns_out), &amended(2, &turns_out));
}

#[test]
fn nobody_else_amends_or_withdraws() {
    let unknown = refuses(RejectionCode::UnknownIncident);
    for by in [PROVIDER, "de-police"] {
        let amends = Step { by: agency(by), ..amends(&referral(HOTLINE)) };
        for when in [amends, withdraws(by, WHY)] {
            check(by, &received(), &when, &unknown);
            check(by, &received(), &when.clone().by_machine(), &unknown);
            let ended = [received(), vec![withdraws(HOTLINE, WHY)]].concat();
            check("nor is told that it was withdrawn", &ended, &when, &unknown);
        }
    }
    for when in [amends(&referral(HOTLINE)), withdraws(HOTLINE, WHY)] {
        check("nothing was received", &[], &when, &unknown);
    }
    check("nobody's", &received(), &withdraws("no-agency", WHY), &unknown);
}

#[test]
fn who_may_not_report_does_not_amend() {
    let not_entitled = refuses(RejectionCode::NotEntitled);
    for kind in AgencyKind::ALL {
        // It has become another since it reported.
        let own = referral(kind.code());
        let then = if MAY_REPORT.contains(kind) { amended(1, &own) } else { not_entitled.clone() };
        check(kind.code(), &[receives(&own)], &amends(&own), &then);
    }
    check("no agency", &received(), &amends(&referral("no-agency")), &not_entitled);
}

#[test]
fn an_amendment_that_would_be_erased_at_once_is_refused() {
    let moment = now().plus_minutes(1);
    let past = refuses_at(RejectionCode::Invalid, "/handling/retain_until");
    check("at its moment", &received(), &amends(&kept_until(moment)), &past);
    let later = kept_until(moment.plus_millis(1));
    check("later", &received(), &amends(&later), &amended(1, &later));
}

#[test]
fn it_is_withdrawn_once_by_a_person() {
    let given = received();
    check("withdrawn", &given, &withdraws(HOTLINE, WHY), &withdrawn());
    let no_person = refuses(RejectionCode::NeedsAPerson);
    for actor in [ActorKind::Machine, ActorKind::Service] {
        check("no person", &given, &Step { actor, ..withdraws(HOTLINE, WHY) }, &no_person);
    }
    let ended = [given, vec![withdraws(HOTLINE, WHY)]].concat();
    let gone = refuses(RejectionCode::Withdrawn);
    check("again", &ended, &withdraws(HOTLINE, RetractionReason::Duplicate), &gone);
    check("a machine, again", &ended, &withdraws(HOTLINE, WHY).by_machine(), &gone);
    check("amended", &ended, &amends(&referral(HOTLINE)), &gone);
    check("received again", &ended, &receives(&referral(HOTLINE)), &Ok(Vec::new()));
}

#[test]
fn an_amendment_too_many_is_refused() {
    let same = referral(HOTLINE);
    let mut history = after(&received());
    for number in 1..=1_000 {
        assert_eq!(history.take(&amends(&same)), amended(number, &same));
    }
    assert_eq!(history.take(&amends(&same)), refuses(RejectionCode::TooMany));
    assert_eq!(history.take(&withdraws(HOTLINE, WHY)), withdrawn(), "it can still be withdrawn");
}

#[test]
fn what_is_kept_is_what_was_amended_last() {
    let mut second = of(&["child", "account", "sibling"], &["image", "video", "page"]);
    let (pointer, reason) = ("/people/2/name".to_owned(), RefusalReason::EmbeddedContent);
    second.gate = GateVerdict { version: 1, withheld: vec![WithheldField { pointer, reason }] };
    let given = [received(), vec![amends(&second)]].concat();
    let kept = Received {
        referral_id: second.referral_id,
        reporter: agency(HOTLINE),
        // Of the referral as it was received: sent again, it is the same.
        digest: b"step 0".to_vec(),
        gate: second.gate.clone(),
        at: now(),
        amendments: 1,
        standing: Standing {
            people: second.people.iter().map(|person| person.person_ref).collect(),
            items: second.items.iter().map(|item| item.item_ref).collect(),
        },
        withdrawn: None,
        key_sets: BTreeSet::new(),
    };
    assert_eq!(after(&given).state.received.as_ref(), Some(&kept));
    let ended = after(&[given, vec![withdraws(HOTLINE, WHY)]].concat());
    assert_eq!(ended.state.received, Some(Received { withdrawn: Some(WHY), ..kept }));
}

#[test]
fn asking_for_what_is_not_there_is_refused_and_on_record() {
    let reads = |by| asks_by(by, ReadReferral { referral_id: referral(HOTLINE).referral_id });
    let refused = refuses(RejectionCode::NotEntitled);
    for by in [PROVIDER, "de-police", "no-agency", HOTLINE] {
        check(by, &received(), &reads(by), &refused);
        check(by, &[], &reads(by).by_machine(), &refused);
    }
    let mut history = after(&received());
    let before = history.state.clone();
    history.take(&reads("de-police")).unwrap_err();
    assert_eq!(history.state, before);
    let last = history.log.last().unwrap();
    assert!(
        matches!(&last.body, ReferralEvent::CommandRejected(rejected) if rejected.command == "ReadReferral")
    );
    assert_eq!(last.agency, agency("de-police"));
}
