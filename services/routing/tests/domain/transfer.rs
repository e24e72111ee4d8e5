//! The gate: on what, and with whose word, an offer crosses a border, and what is said when it must not.

use schemas::codes::*;
use schemas::referral::Referral;
use schemas::routing::{
    AssignmentOffered, AuthoriseTransfers, CoordinatorAlerted, DutyContactCalled, ForwardAssignment,
    OfferWithheld, RoutingEvent, Transfer, TransfersAuthorised,
};

use crate::world::*;

fn withheld(to: &str, id: &str, reason: WithheldReason) -> RoutingEvent {
    OfferWithheld { country: country(to), agency: Some(agency(id)), reason, rule: None }.into()
}

fn alerted(to: &str) -> RoutingEvent {
    let country = Some(country(to));
    CoordinatorAlerted { reason: AlertReason::OfferWithheld, country, assignment_id: None }.into()
}

fn called(id: &str, contact: &str) -> RoutingEvent {
    DutyContactCalled {
        assignment_id: assignment(id, 0),
        agency: agency(id),
        contact: contact.to_owned(),
        attempt: 1,
        acknowledge_by: monday().plus_minutes(ACKNOWLEDGES),
    }
    .into()
}

fn of_suspect(id: &str, to: &str, transfer: Transfer) -> AssignmentOffered {
    let persons = ["victim", "suspect", "somebody"];
    AssignmentOffered { transfer, ..police_offer(id, to, vec![suspect_ground(to)], &persons) }
}

fn never_told(mut referral: Referral, codes: &[&str]) -> Referral {
    referral.handling.never_told = countries(codes);
    referral
}

fn from_provider(referral: Referral) -> Referral {
    Referral { reporter: agency("us-provider"), reporter_country: country("US"), ..referral }
}

fn no_rule() -> Transfer {
    Transfer {
        basis: TransferBasis::VitalInterests,
        rule: None,
        article: "Directive (EU) 2016/680 Article 38(1)(a)".to_owned(),
        authorisation: Authorisation::Standing,
    }
}

/// Given nothing, when the referral comes in, then after opening and jurisdictions exactly these follow.
#[track_caller]
fn check_offers(case: &str, referral: Referral, then: &[RoutingEvent]) {
    let mut history = History::new();
    let events = history.take(&referred(referral)).unwrap();
    assert_eq!(&events[2..], then, "{case}");
}

#[test]
fn the_gate_has_a_basis_or_withholds() {
    let domestic = Transfer {
        basis: TransferBasis::Domestic,
        rule: None,
        article: "no border is crossed".to_owned(),
        authorisation: Authorisation::Standing,
    };
    let signals = |to| vec![suspect_in(to)];
    check_offers(
        "within the hotline's own country no border is crossed, whatever it decided on transfers",
        per_case(referral(signals("NL"))),
        &[of_suspect("nl-police", "NL", domestic).into()],
    );
    check_offers(
        "the first rule that names both ends",
        referral(signals("BR")),
        &[of_suspect("br-police", "BR", with_safeguards()).into()],
    );
    check_offers(
        "no rule from the United States to Kenya",
        from_provider(referral(signals("KE"))),
        &[withheld("KE", "ke-police", WithheldReason::NoTransferBasis), alerted("KE")],
    );
    check_offers(
        "without a rule, imminent danger goes by vital interests",
        from_provider(in_danger(signals("KE"))),
        &[
            danger_offer(of_suspect("ke-police", "KE", no_rule()), monday()).into(),
            called("ke-police", "desk"),
        ],
    );
    check_offers(
        "not authorised",
        per_case(referral(signals("DE"))),
        &[withheld("DE", "de-police", WithheldReason::NotAuthorised), alerted("DE")],
    );
    let stands_in = Transfer { authorisation: Authorisation::ImminentDanger, ..within_the_union() };
    check_offers(
        "imminent danger stands in for the authorisation",
        per_case(in_danger(signals("DE"))),
        &[
            danger_offer(of_suspect("de-police", "DE", stands_in), monday()).into(),
            called("de-police", "office"),
        ],
    );
}

#[test]
fn a_state_never_told_stays_untold() {
    let untold = |to, id| [withheld(to, id, WithheldReason::NeverTold), alerted(to)];
    let signals = |to| vec![suspect_in(to)];
    check_offers("routine", never_told(referral(signals("DE")), &["DE"]), &untold("DE", "de-police"));
    check_offers(
        "imminent danger",
        never_told(in_danger(signals("BR")), &["BR"]),
        &untold("BR", "br-police"),
    );
    check_offers(
        "the reporter's own",
        never_told(referral(signals("NL")), &["NL"]),
        &untold("NL", "nl-police"),
    );
    check(
        "authorised all the same",
        &[referred(per_case(never_told(referral(signals("DE")), &["DE"])))],
        &asks("nl-hotline", AuthoriseTransfers { countries: countries(&["DE"]) }),
        &Ok(vec![TransfersAuthorised { countries: countries(&["DE"]) }.into()]),
    );
    let given = referred(never_told(referral(signals("FR")), &["DE"]));
    let (assignment_id, to) = (assignment("fr-police", 0), agency("de-police"));
    let forward = ForwardAssignment { assignment_id, to, note: None };
    check(
        "forwarded to",
        &[given],
        &asks("fr-police", forward),
        &refuses_at(RejectionCode::TransferNotAllowed, "/to"),
    );
}

#[test]
fn the_originator_authorises_case_by_case() {
    let authorise = |codes: &[&str]| AuthoriseTransfers { countries: countries(codes) };
    let authorised = |codes: &[&str]| TransfersAuthorised { countries: countries(codes) }.into();
    let given = [referred(per_case(referral(vec![suspect_in("BR"), suspect_in("DE")])))];
    let per_case = |transfer| Transfer { authorisation: Authorisation::PerCase, ..transfer };
    let to_brazil = of_suspect("br-police", "BR", per_case(with_safeguards()));
    let to_germany = of_suspect("de-police", "DE", per_case(within_the_union()));
    let later = AssignmentOffered { assignment_id: assignment("de-police", 1), ..to_germany.clone() };
    check(
        "both at once",
        &given,
        &asks("nl-hotline", authorise(&["BR", "DE"])),
        &Ok(vec![authorised(&["BR", "DE"]), to_brazil.clone().into(), to_germany.into()]),
    );
    check(
        "one: the other was withheld already, and nobody is told again",
        &given,
        &asks("nl-hotline", authorise(&["BR"])),
        &Ok(vec![authorised(&["BR"]), to_brazil.into()]),
    );
    check(
        "one after the other",
        &[given[0].clone(), asks("nl-hotline", authorise(&["BR"]))],
        &asks("nl-hotline", authorise(&["DE"])),
        &Ok(vec![authorised(&["DE"]), later.into()]),
    );
    check(
        "a country that has no part in it",
        &given,
        &asks("nl-hotline", authorise(&["FR"])),
        &Ok(vec![authorised(&["FR"])]),
    );
    let refused = refuses(RejectionCode::NotEntitled);
    check("another agency", &given, &asks("de-police", authorise(&["DE"])), &refused);
    check("the coordinator", &given, &asks("un-coordinator", authorise(&["DE"])), &refused);
    check(
        "a machine of the originator",
        &given,
        &asks("nl-hotline", authorise(&["DE"])).by_machine(),
        &refuses(RejectionCode::NeedsAPerson),
    );
}
