//! Clocks: in imminent danger somebody is called until a person answers; every offer is due one day.

use schemas::codes::*;
use schemas::directory::Entry;
use schemas::ids::AssignmentId;
use schemas::routing::{
    AcceptAssignment, AssignmentEscalated, AssignmentForwarded, AssignmentOffered, AssignmentOverdue,
    CoordinatorAlerted, DeclineAssignment, DutyContactCalled, Entitlement, EscalateAssignment,
    RevokeAssignment, RoutingEvent, Transfer,
};
use schemas::{Timestamp, routing};

use crate::directory::contact;
use crate::world::*;

const PERSONS: [&str; 3] = ["victim", "suspect", "somebody"];

fn german() -> AssignmentId {
    assignment("de-police", 0)
}

/// The moment of the given acknowledgement clock, counted from the first.
fn ring_at(number: i64) -> Timestamp {
    saturday_night().plus_minutes(number * ACKNOWLEDGES)
}

fn referred_at_night() -> Step {
    referred(in_danger(vec![suspect_in("DE")])).at(saturday_night())
}

fn calls(about: AssignmentId, id: &str, contact: &str, attempt: i32, now: Timestamp) -> RoutingEvent {
    DutyContactCalled {
        assignment_id: about,
        agency: agency(id),
        contact: contact.to_owned(),
        attempt,
        acknowledge_by: now.plus_minutes(ACKNOWLEDGES),
    }
    .into()
}

fn alerted(reason: AlertReason, assignment_id: AssignmentId, to: &str) -> RoutingEvent {
    CoordinatorAlerted { reason, country: Some(country(to)), assignment_id: Some(assignment_id) }.into()
}

fn nobody_answered(assignment_id: AssignmentId, to: &str) -> RoutingEvent {
    alerted(AlertReason::NobodyAnswered, assignment_id, to)
}

/// Nobody answered in time: the assignment is overdue, and so a coordinator is asked to look.
fn overdue(assignment_id: AssignmentId, to: &str) -> [RoutingEvent; 3] {
    let reason = EscalationReason::Unanswered;
    [
        AssignmentOverdue { assignment_id }.into(),
        AssignmentEscalated { assignment_id, reason, note: None }.into(),
        alerted(AlertReason::Escalated, assignment_id, to),
    ]
}

/// A German central authority that answers at any hour.
fn national_point() -> Entry {
    entry("agency/de-central", |entry| {
        let agency = entry.agency.as_mut().unwrap();
        agency.round_the_clock = true;
        agency.duty_contacts = vec![contact("national point", "Europe/Berlin", Vec::new())];
    })
}

/// Given steps, when the referral comes in, then after opening and jurisdictions exactly these follow.
#[track_caller]
fn check_offers(case: &str, given: &[Step], when: &Step, then: &[RoutingEvent]) {
    let mut history = History::new();
    given.iter().for_each(|step| assert!(history.take(step).is_ok(), "{step:?}"));
    let events = history.take(when).unwrap();
    assert_eq!(&events[2..], then, "{case}");
}

#[test]
fn the_first_call_goes_to_whoever_is_on_duty() {
    let in_germany = police_offer("de-police", "DE", vec![suspect_ground("DE")], &PERSONS);
    let moments = [
        ("2026-11-16T08:00:00Z", "office"),       // Monday 09:00 in Berlin
        ("2026-11-16T06:59:00Z", "night desk"),   // 07:59, the night desk's last minute
        ("2026-11-16T07:00:00Z", "office"),       // 08:00, the office's first
        ("2026-11-16T17:00:00Z", "duty officer"), // 18:00, the office is closed
        ("2026-11-21T01:00:00Z", "night desk"),   // Saturday 02:00
        ("2026-07-18T00:00:00Z", "night desk"),   // Saturday 02:00 in summer
        ("2026-11-21T12:00:00Z", "duty officer"), // Saturday 13:00
    ];
    for (moment, contact) in moments {
        let now = at(moment);
        let then =
            [danger_offer(in_germany.clone(), now).into(), calls(german(), "de-police", contact, 1, now)];
        check_offers(moment, &[], &referred(in_danger(vec![suspect_in("DE")])).at(now), &then);
    }
}

#[test]
fn a_point_that_answers_at_any_hour_is_offered_every_imminent_danger() {
    let now = saturday_night();
    let in_germany = police_offer("de-police", "DE", vec![suspect_ground("DE")], &PERSONS);
    let national = AssignmentOffered {
        assignment_id: assignment("de-central", 0),
        agency: agency("de-central"),
        rule: "imminent-danger-round-the-clock".to_owned(),
        entitlement: Entitlement {
            facet_kinds: vec![FacetKind::Person],
            persons: vec![person("victim"), person("somebody")],
            opens_with_offer: true,
        },
        respond_by: now.plus_minutes(ACKNOWLEDGES),
        ..in_germany.clone()
    };
    check_offers(
        "a grounded point that no rule names: persons in need of protection only",
        &[stands(national_point())],
        &referred_at_night(),
        &[
            national.clone().into(),
            calls(national.assignment_id, "de-central", "national point", 1, now),
            danger_offer(in_germany, now).into(),
            calls(german(), "de-police", "night desk", 1, now),
        ],
    );
    let brazilian = AssignmentOffered {
        transfer: with_safeguards(),
        ..police_offer("br-police", "BR", vec![suspect_ground("BR")], &PERSONS)
    };
    let brazilian = AssignmentOffered {
        rule: "imminent-danger-round-the-clock + police-imminent-danger + police-investigates".to_owned(),
        respond_by: now.plus_minutes(ACKNOWLEDGES),
        ..danger_offer(brazilian, now)
    };
    check_offers(
        "a point that is the police unit as well: one offer, by the tightest of its rules",
        &[],
        &referred(in_danger(vec![suspect_in("BR")])).at(now),
        &[brazilian.into(), calls(assignment("br-police", 0), "br-police", "plantao", 1, now)],
    );
    check_offers(
        "nobody to call: the coordinator at once",
        &[stands(entry("agency/de-police", |entry| entry.agency.as_mut().unwrap().duty_contacts.clear()))],
        &referred_at_night(),
        &[
            danger_offer(police_offer("de-police", "DE", vec![suspect_ground("DE")], &PERSONS), now).into(),
            nobody_answered(german(), "DE"),
        ],
    );
}

#[test]
fn only_an_authority_is_a_point() {
    let at_any_hour = |id: &str| entry(id, |entry| entry.agency.as_mut().unwrap().round_the_clock = true);
    let now = saturday_night();
    let dutch = police_offer("nl-police", "NL", vec![suspect_ground("NL")], &PERSONS);
    let domestic = Transfer {
        basis: TransferBasis::Domestic,
        rule: None,
        article: "no border is crossed".to_owned(),
        authorisation: Authorisation::Standing,
    };
    check_offers(
        "a hotline that answers at any hour is offered nothing",
        &[stands(at_any_hour("agency/nl-hotline"))],
        &referred(in_danger(vec![suspect_in("NL")])).at(now),
        &[
            danger_offer(AssignmentOffered { transfer: domestic, ..dutch }, now).into(),
            calls(assignment("nl-police", 0), "nl-police", "meldkamer", 1, now),
        ],
    );
}

#[test]
fn whoever_it_is_forwarded_to_is_called() {
    let forward = routing::ForwardAssignment { assignment_id: german(), to: agency("fr-police"), note: None };
    let forwards = |now| asks("de-police", forward.clone()).at(now);
    let respond_by = saturday_night().plus_minutes(POLICE_RESPONDS_IN_DANGER);
    let offered = police_offer("de-police", "DE", vec![suspect_ground("DE")], &PERSONS);
    let yields = |now: Timestamp, respond_by| {
        let offer = AssignmentOffered {
            assignment_id: assignment("fr-police", 1),
            agency: agency("fr-police"),
            country: country("FR"),
            forwarded_from: Some(german()),
            respond_by,
            ..danger_offer(offered.clone(), saturday_night())
        };
        let call = calls(offer.assignment_id, "fr-police", "permanence", 1, now);
        let forwarded = AssignmentForwarded { assignment_id: german(), to: agency("fr-police"), note: None };
        Ok(vec![forwarded.into(), offer.into(), call])
    };
    let given = [referred_at_night()];
    let now = ring_at(1);
    check("in time", &given, &forwards(now), &yields(now, respond_by));
    let late = respond_by.plus_minutes(1);
    let given = [referred_at_night(), rings(german(), respond_by)];
    check("late", &given, &forwards(late), &yields(late, late.plus_minutes(ACKNOWLEDGES)));
}

#[test]
fn an_unanswered_call_goes_on_to_the_next() {
    let mut given = vec![stands(national_point()), referred_at_night()];
    let chain = [
        calls(german(), "de-police", "duty officer", 2, ring_at(1)),
        calls(german(), "de-central", "national point", 3, ring_at(2)),
        nobody_answered(german(), "DE"),
    ];
    for (number, then) in (1..).zip(chain) {
        let ring = rings(german(), ring_at(number));
        check("the next in line", &given, &ring, &Ok(vec![then]));
        given.push(ring.clone());
        check("the same ring again", &given, &ring, &Ok(Vec::new()));
    }
    for number in 1..=4 {
        check("the end of the line", &given, &rings(german(), ring_at(number)), &Ok(Vec::new()));
    }
}

#[test]
fn a_coordinator_has_the_next_called_and_begins_the_line_again() {
    let escalates = |by: &str| {
        let reason = EscalationReason::RiskIncreased;
        asks(by, EscalateAssignment { assignment_id: german(), reason, note: None })
    };
    let escalated = || {
        let reason = EscalationReason::RiskIncreased;
        AssignmentEscalated { assignment_id: german(), reason, note: None }.into()
    };
    let mut given = vec![stands(national_point()), referred_at_night()];
    let second = escalates("un-coordinator").at(ring_at(0));
    let duty_officer = calls(german(), "de-police", "duty officer", 2, ring_at(0));
    check("before the next was due", &given, &second, &Ok(vec![escalated(), duty_officer]));
    check("a machine", &given, &second.clone().by_machine(), &refuses(RejectionCode::NeedsAPerson));

    given.extend((1..=3).map(|number| rings(german(), ring_at(number))));
    let again = escalates("un-coordinator").at(ring_at(4));
    let first = calls(german(), "de-police", "night desk", 4, ring_at(4));
    check("everybody was called", &given, &again, &Ok(vec![escalated(), first]));
    given.push(again);
    check("and waited for", &given, &rings(german(), ring_at(5)), &Ok(vec![nobody_answered(german(), "DE")]));

    let accepts = asks("de-police", AcceptAssignment { assignment_id: german() });
    let at_work = [vec![referred_at_night()], vec![accepts]].concat();
    check("at work", &at_work, &second, &refuses(RejectionCode::WrongState));
    let unreachable = entry("agency/de-police", |entry| entry.agency.as_mut().unwrap().duty_contacts.clear());
    let alone = [referred_at_night(), stands(unreachable)];
    check("nobody to call", &alone, &second, &refuses(RejectionCode::NobodyOnDuty));
}

#[test]
fn an_answer_stops_the_clock() {
    let assignment_id = german();
    let answers = [
        ("accepted", asks("de-police", AcceptAssignment { assignment_id })),
        (
            "declined",
            asks(
                "de-police",
                DeclineAssignment { assignment_id, reason: DeclineReason::NoCapacity, note: None },
            ),
        ),
        (
            "forwarded",
            asks(
                "de-police",
                routing::ForwardAssignment { assignment_id, to: agency("de-central"), note: None },
            ),
        ),
        (
            "revoked",
            asks(
                "nl-hotline",
                RevokeAssignment { assignment_id, reason: RevokeReason::FalsePositive, note: None },
            ),
        ),
    ];
    let respond_by = saturday_night().plus_minutes(POLICE_RESPONDS_IN_DANGER);
    for (case, answer) in answers {
        let given = [referred_at_night(), answer.at(saturday_night())];
        check(case, &given, &rings(german(), ring_at(1)), &Ok(Vec::new()));
        check(case, &given, &rings(german(), respond_by), &Ok(Vec::new()));
    }
}

#[test]
fn a_ring_that_is_not_due_yields_nothing() {
    let given = [referred_at_night(), rings(german(), ring_at(1))];
    for due in [ring_at(0), ring_at(1), ring_at(3), ring_at(2).plus_millis(1), Timestamp::default()] {
        check("a stale or foreign due time", &given, &rings(german(), due), &Ok(Vec::new()));
    }
    let unknown = rings(assignment("fr-police", 0), ring_at(2));
    check("no such assignment", &given, &unknown, &Ok(Vec::new()));
    let next = calls(german(), "de-police", "duty officer", 2, ring_at(1));
    check("the one that is due", &given[..1], &rings(german(), ring_at(1)), &Ok(vec![next]));
}

#[test]
fn an_offer_unanswered_by_its_time_is_overdue() {
    let french_victim = vec![victim_in("FR")];
    let police = assignment("fr-police", 0);
    let victim_unit = assignment("fr-victim-id", 0);
    let police_due = monday().plus_minutes(POLICE_RESPONDS);
    let victim_unit_due = monday().plus_minutes(VICTIM_UNIT_RESPONDS);
    let given = vec![referred(referral(french_victim))];
    let first = rings(police, police_due);
    check("the first of a country", &given, &first, &Ok(overdue(police, "FR").to_vec()));
    let given = [given, vec![first.clone()]].concat();
    check("once", &given, &first, &Ok(Vec::new()));
    let second = rings(victim_unit, victim_unit_due);
    check("the second of a country", &given, &second, &Ok(overdue(victim_unit, "FR").to_vec()));
    let accepted = AcceptAssignment { assignment_id: police };
    let given = [given, vec![asks("fr-police", accepted.clone())]].concat();
    check("accepted late", &given, &first, &Ok(Vec::new()));
    let in_time = [given[0].clone(), asks("fr-police", accepted)];
    check("accepted in time", &in_time, &first, &Ok(Vec::new()));
}

#[test]
fn in_danger_overdue_and_calls_go_side_by_side() {
    let now = saturday_night();
    let id = assignment("br-police", 0);
    let given = [referred(in_danger(vec![suspect_in("BR")])).at(now)];
    // The point's time to respond is its time to acknowledge: one ring is both.
    check(
        "both clocks at one moment",
        &given,
        &rings(id, ring_at(1)),
        &Ok([[nobody_answered(id, "BR")].as_slice(), &overdue(id, "BR")].concat()),
    );
    let two = entry("agency/br-police", |entry| {
        let second = contact("delegacia", "America/Sao_Paulo", Vec::new());
        entry.agency.as_mut().unwrap().duty_contacts.push(second);
    });
    let given = [vec![stands(two)], given.to_vec()].concat();
    let second = calls(id, "br-police", "delegacia", 2, ring_at(1));
    let then = Ok([[second].as_slice(), &overdue(id, "BR")].concat());
    check("overdue, and somebody is left to call", &given, &rings(id, ring_at(1)), &then);
    let given = [given, vec![rings(id, ring_at(1))]].concat();
    let then = Ok(vec![nobody_answered(id, "BR")]);
    check("the calls have gone on", &given, &rings(id, ring_at(2)), &then);
}

#[test]
fn whoever_asks_for_a_coordinator_ends_no_calls() {
    let (assignment_id, reason) = (german(), EscalationReason::NeedsCoordination);
    for by in ["de-police", "nl-hotline"] {
        let escalate = routing::EscalateAssignment { assignment_id, reason, note: None };
        let given = [referred_at_night(), asks(by, escalate).at(saturday_night())];
        let next = calls(german(), "de-police", "duty officer", 2, ring_at(1));
        check(by, &given, &rings(german(), ring_at(1)), &Ok(vec![next]));
    }
}
