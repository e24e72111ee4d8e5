//! The referral is amended: countries, offers and persons come in addition; what goes, goes by its own event.

use schemas::codes::*;
use schemas::directory::Entry;
use schemas::ids::AssignmentId;
use schemas::referral::{Referral, Signal};
use schemas::routing::{
    AcceptAssignment, AssignmentOffered, AssignmentRaised, AssignmentRevoked, CloseAssignment,
    CoordinatorAlerted, CountryFound, DeclineAssignment, DutyContactCalled, Entitlement, EscalateAssignment,
    FactorFound, ForwardAssignment, Ground, IncidentAmended, JurisdictionsFound, LeadProposed, OfferWithheld,
    RevokeAssignment, RoutingCommand, RoutingEvent, Transfer,
};

use crate::world::*;

const EVERYBODY: [&str; 3] = ["victim", "suspect", "somebody"];

/// What every amendment that is taken in begins with.
fn amends(amendment: i32, referral: &Referral, new: &[Signal]) -> RoutingEvent {
    IncidentAmended {
        amendment,
        kind: referral.kind,
        urgency: referral.urgency,
        danger_reason: referral.danger_reason,
        week: referral.week.clone(),
        annotations: referral.annotations.clone(),
        people: referral.people.clone(),
        facets: facet_refs(referral, amendment),
        signals: new.to_vec(),
        handling: referral.handling.clone(),
        items: Vec::new(),
    }
    .into()
}

fn finds(countries: &[(&str, Vec<Ground>)]) -> RoutingEvent {
    let found =
        |(to, grounds): &(&str, Vec<Ground>)| CountryFound { country: country(to), grounds: grounds.clone() };
    JurisdictionsFound { rules_version: 1, countries: countries.iter().map(found).collect() }.into()
}

fn proposes(to: &str, factors: &[(LeadFactor, &str, i32)]) -> RoutingEvent {
    let factor = |(factor, to, signals): &(LeadFactor, &str, i32)| FactorFound {
        factor: *factor,
        country: country(to),
        signals: *signals,
    };
    LeadProposed { country: country(to), factors: factors.iter().map(factor).collect() }.into()
}

fn withheld(to: &str, id: Option<&str>, reason: WithheldReason) -> RoutingEvent {
    OfferWithheld { country: country(to), agency: id.map(agency), reason, rule: None }.into()
}

fn alerted(reason: AlertReason, to: &str) -> RoutingEvent {
    CoordinatorAlerted { reason, country: Some(country(to)), assignment_id: None }.into()
}

/// An offer to a police unit on Monday, when the incident had `number` assignments before.
fn offers(number: usize, id: &str, to: &str, grounds: Vec<Ground>, persons: &[&str]) -> AssignmentOffered {
    AssignmentOffered { assignment_id: assignment(id, number), ..police_offer(id, to, grounds, persons) }
}

fn entitled(persons: &[&str]) -> Entitlement {
    let persons = persons.iter().map(|name| person(name)).collect();
    Entitlement { facet_kinds: police_facets(), persons, opens_with_offer: false }
}

/// A police unit's routine assignment of Monday is given these persons.
fn widens(assignment_id: AssignmentId, persons: &[&str]) -> RoutingEvent {
    let respond_by = monday().plus_minutes(POLICE_RESPONDS);
    let entitlement = entitled(persons);
    AssignmentRaised { assignment_id, urgency: Urgency::Routine, entitlement, respond_by }.into()
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

fn revokes(id: &str) -> RoutingEvent {
    let (assignment_id, reason) = (assignment(id, 0), RevokeReason::WithdrawnByReporter);
    AssignmentRevoked { assignment_id, reason, note: None }.into()
}

fn never_told(mut referral: Referral, codes: &[&str]) -> Referral {
    referral.handling.never_told = countries(codes);
    referral
}

/// The person turns out to be of another category.
fn turns_out(mut referral: Referral, name: &str, category: PersonCategory) -> Referral {
    let found = referral.people.iter_mut().find(|known| known.person_ref == person(name));
    found.unwrap().category = category;
    referral
}

fn accepts(id: &str) -> Step {
    asks(id, AcceptAssignment { assignment_id: assignment(id, 0) })
}

#[test]
fn what_is_new_is_added() {
    let before = referral(vec![suspect_in("DE")]);
    let after = referral(vec![suspect_in("DE"), victim_in("FR")]);
    let police = offers(1, "fr-police", "FR", vec![victim_ground("FR")], &["victim", "somebody"]);
    let victim_unit = AssignmentOffered {
        assignment_id: assignment("fr-victim-id", 1),
        agency: agency("fr-victim-id"),
        rule: "victim-identification".to_owned(),
        entitlement: Entitlement {
            facet_kinds: vec![FacetKind::Person, FacetKind::PerceptualDigests],
            ..police.entitlement.clone()
        },
        respond_by: monday().plus_minutes(VICTIM_UNIT_RESPONDS),
        ..police.clone()
    };
    check(
        "a country: its agencies are offered their parts, and Germany keeps the victim",
        &[referred(before.clone()), accepts("de-police")],
        &amended(1, after.clone()),
        &Ok(vec![
            amends(1, &after, &[victim_in("FR")]),
            finds(&[("DE", vec![suspect_ground("DE")]), ("FR", vec![victim_ground("FR")])]),
            police.into(),
            victim_unit.into(),
            proposes(
                "DE",
                &[
                    (LeadFactor::MajorityOfCriminality, "DE", 1),
                    (LeadFactor::SuspectLocation, "DE", 1),
                    (LeadFactor::Delay, "DE", 1),
                    (LeadFactor::VictimInterests, "FR", 1),
                ],
            ),
        ]),
    );
    let silent = referral(Vec::new());
    check(
        "signals that are not repeated still speak",
        &[referred(before.clone())],
        &amended(1, silent.clone()),
        &Ok(vec![amends(1, &silent, &[])]),
    );
    let elsewhere = referral(vec![suspect_in("FR")]);
    check(
        "another country instead: both",
        &[referred(before.clone()), amended(1, silent)],
        &amended(2, elsewhere.clone()),
        &Ok(vec![
            amends(2, &elsewhere, &[suspect_in("FR")]),
            finds(&[("DE", vec![suspect_ground("DE")]), ("FR", vec![suspect_ground("FR")])]),
            offers(1, "fr-police", "FR", vec![suspect_ground("FR")], &EVERYBODY).into(),
            proposes(
                "DE",
                &[
                    (LeadFactor::MajorityOfCriminality, "DE", 1),
                    (LeadFactor::SuspectLocation, "DE", 1),
                    (LeadFactor::MajorityOfCriminality, "FR", 1),
                    (LeadFactor::SuspectLocation, "FR", 1),
                ],
            ),
        ]),
    );
    check(
        "nothing",
        &[referred(before.clone())],
        &amended(1, before.clone()),
        &Ok(vec![amends(1, &before, &[])]),
    );
    let nowhere = referral(vec![suspect_in("DE"), suspect_in("JP")]);
    check(
        "a country without an agency: a coordinator is told",
        &[referred(before)],
        &amended(1, nowhere.clone()),
        &Ok(vec![
            amends(1, &nowhere, &[suspect_in("JP")]),
            finds(&[("DE", vec![suspect_ground("DE")]), ("JP", vec![suspect_ground("JP")])]),
            withheld("JP", None, WithheldReason::NoAgency),
            alerted(AlertReason::CountryWithoutAgency, "JP"),
            proposes(
                "DE",
                &[
                    (LeadFactor::MajorityOfCriminality, "DE", 1),
                    (LeadFactor::SuspectLocation, "DE", 1),
                    (LeadFactor::MajorityOfCriminality, "JP", 1),
                    (LeadFactor::SuspectLocation, "JP", 1),
                ],
            ),
        ]),
    );
}

#[test]
fn the_establishment_that_stood_in_stays() {
    let of_provider = |signals| Referral {
        reporter: agency("us-provider"),
        reporter_country: country("US"),
        ..referral(signals)
    };
    let establishment = Signal {
        source: SignalSource::ProviderEstablishment,
        ..signal(SignalRole::Provider, "US", JurisdictionBasis::ProviderEstablishment, None)
    };
    let established = ground(&establishment, &["Regulation (EU) 2022/2065 Article 18(2)"]);
    let agreement = Transfer {
        basis: TransferBasis::Agreement,
        rule: Some("united-states-to-partners".to_owned()),
        article: "police agreement, example".to_owned(),
        authorisation: Authorisation::Standing,
    };
    let after = of_provider(vec![suspect_in("DE")]);
    let german = offers(1, "de-police", "DE", vec![suspect_ground("DE")], &EVERYBODY);
    check(
        "a signal of another country",
        &[referred(of_provider(Vec::new())), accepts("us-police")],
        &amended(1, after.clone()),
        &Ok(vec![
            amends(1, &after, &[suspect_in("DE")]),
            finds(&[("DE", vec![suspect_ground("DE")]), ("US", vec![established])]),
            AssignmentOffered { transfer: agreement, ..german }.into(),
            proposes(
                "DE",
                &[
                    (LeadFactor::MajorityOfCriminality, "DE", 1),
                    (LeadFactor::SuspectLocation, "DE", 1),
                    (LeadFactor::Evidence, "US", 1),
                    (LeadFactor::Delay, "US", 1),
                ],
            ),
        ]),
    );
}

#[test]
fn what_is_withheld_no_more_is_offered() {
    let signals = || vec![suspect_in("DE")];
    let standing = referral(signals());
    let takes = |kind| -> Entry {
        entry("agency/de-police", |entry| entry.agency.as_mut().unwrap().incident_kinds = vec![kind])
    };
    let offer = || offers(0, "de-police", "DE", vec![suspect_ground("DE")], &EVERYBODY);
    check(
        "a standing authorisation",
        &[referred(per_case(referral(signals())))],
        &amended(1, standing.clone()),
        &Ok(vec![amends(1, &standing, &[]), offer().into()]),
    );
    let solicitation = Referral { kind: IncidentKind::OnlineSolicitation, ..referral(signals()) };
    check(
        "a kind that the unit takes",
        &[stands(takes(IncidentKind::OnlineSolicitation)), referred(referral(signals()))],
        &amended(1, solicitation.clone()),
        &Ok(vec![amends(1, &solicitation, &[]), offer().into()]),
    );
    let per_case = per_case(referral(vec![suspect_in("DE"), suspect_in("FR")]));
    let events = after(&[referred(referral(signals()))]).take(&amended(1, per_case)).unwrap();
    let refused = [
        withheld("FR", Some("fr-police"), WithheldReason::NotAuthorised),
        alerted(AlertReason::OfferWithheld, "FR"),
    ];
    assert_eq!(events[2..4], refused, "an authorisation that stands no more");
}

#[test]
fn a_state_never_told_any_more_loses_what_it_has_not_answered() {
    let signals = || vec![suspect_in("DE"), suspect_in("FR")];
    let untold = |codes: &[&str]| never_told(referral(signals()), codes);
    let given = [referred(referral(signals())), accepts("fr-police")];
    let both = untold(&["DE", "FR"]);
    let then = || Ok(vec![amends(1, &both, &[]), revokes("de-police")]);
    check("what was accepted stays", &given, &amended(1, both.clone()), &then());
    let overdue = rings(assignment("de-police", 0), monday().plus_minutes(POLICE_RESPONDS));
    let late = [given.as_slice(), &[overdue]].concat();
    check("what is overdue goes", &late, &amended(1, both.clone()), &then());
    let again = [given.as_slice(), &[amended(1, both.clone())]].concat();
    let same = amends(2, &both, &[]);
    check("once", &again, &amended(2, both.clone()), &Ok(vec![same.clone()]));
    check("it stays untold when it is named no more", &again, &amended(2, untold(&[])), &Ok(vec![same]));
    let three = untold(&["DE", "FR", "US"]);
    check(
        "States named one after the other",
        &again,
        &amended(2, untold(&["US"])),
        &Ok(vec![amends(2, &three, &[])]),
    );
    let brazil = never_told(referral(vec![suspect_in("BR"), suspect_in("DE")]), &["BR"]);
    check(
        "a country that comes in as one never told",
        &[referred(referral(vec![suspect_in("DE")]))],
        &amended(1, brazil.clone()),
        &Ok(vec![
            amends(1, &brazil, &[suspect_in("BR")]),
            finds(&[("BR", vec![suspect_ground("BR")]), ("DE", vec![suspect_ground("DE")])]),
            withheld("BR", Some("br-police"), WithheldReason::NeverTold),
            alerted(AlertReason::OfferWithheld, "BR"),
        ]),
    );
    let forward =
        ForwardAssignment { assignment_id: assignment("fr-police", 0), to: agency("de-central"), note: None };
    let german = untold(&["DE"]);
    check(
        "nothing is forwarded to it",
        &[referred(referral(signals())), amended(1, german)],
        &asks("fr-police", forward),
        &refuses_at(RejectionCode::TransferNotAllowed, "/to"),
    );
}

#[test]
fn an_open_assignment_is_given_whoever_is_concerned_now() {
    let signals = || vec![suspect_in("DE")];
    let witness_is_victim = turns_out(referral(signals()), "witness", PersonCategory::Victim);
    let assignment_id = assignment("de-police", 0);
    let reason = EscalationReason::NoCapacity;
    let acts = |command: RoutingCommand| asks("de-police", command);
    let accept = || accepts("de-police");
    let closed = CloseAssignment { assignment_id, outcome: CloseOutcome::NoFurtherAction, note: None };
    let declined = DeclineAssignment { assignment_id, reason: DeclineReason::NoCapacity, note: None };
    let revoked = RevokeAssignment { assignment_id, reason: RevokeReason::Superseded, note: None };
    let escalated = EscalateAssignment { assignment_id, reason, note: None };
    let table = [
        (AssignmentState::Offered, vec![], true),
        (AssignmentState::Escalated, vec![acts(escalated.into())], true),
        (AssignmentState::Accepted, vec![accept()], true),
        (AssignmentState::Closed, vec![accept(), acts(closed.into())], false),
        (AssignmentState::Declined, vec![acts(declined.into())], false),
        (AssignmentState::Revoked, vec![asks("nl-hotline", revoked)], false),
    ];
    for (state, steps, open) in table {
        let given = [vec![referred(referral(signals()))], steps].concat();
        let wider = open.then(|| widens(assignment_id, &["victim", "suspect", "somebody", "witness"]));
        let then = [amends(1, &witness_is_victim, &[])].into_iter().chain(wider).collect();
        check(state.code(), &given, &amended(1, witness_is_victim.clone()), &Ok(then));
    }
    let given = [referred(referral(signals())), amended(1, witness_is_victim.clone())];
    let then = Ok(vec![amends(2, &witness_is_victim, &[])]);
    check("once", &given, &amended(2, witness_is_victim), &then);
    let nobody = turns_out(referral(signals()), "somebody", PersonCategory::WitnessOrReporter);
    let then = Ok(vec![amends(1, &nobody, &[])]);
    check("nobody is taken away", &given[..1], &amended(1, nobody), &then);
}

#[test]
fn a_signal_ties_a_person_to_one_more_country() {
    let before = referral(vec![victim_in("DE"), suspect_in("FR")]);
    let after = referral(vec![victim_in("DE"), suspect_in("FR"), suspect_in("DE")]);
    check(
        "the suspect, to Germany as well",
        &[referred(before.clone()), accepts("de-police")],
        &amended(1, after.clone()),
        &Ok(vec![
            amends(1, &after, &[suspect_in("DE")]),
            finds(&[
                ("DE", vec![victim_ground("DE"), suspect_ground("DE")]),
                ("FR", vec![suspect_ground("FR")]),
            ]),
            widens(assignment("de-police", 0), &["victim", "somebody", "suspect"]),
            proposes(
                "DE",
                &[
                    (LeadFactor::MajorityOfCriminality, "DE", 1),
                    (LeadFactor::SuspectLocation, "DE", 1),
                    (LeadFactor::VictimInterests, "DE", 1),
                    (LeadFactor::Delay, "DE", 1),
                    (LeadFactor::MajorityOfCriminality, "FR", 1),
                    (LeadFactor::SuspectLocation, "FR", 1),
                ],
            ),
        ]),
    );
    let mut one_more = before.clone();
    let mut sibling = one_more.people[0].clone();
    sibling.person_ref = person("sibling");
    one_more.people.push(sibling);
    let mut wider = vec![
        widens(assignment("de-police", 0), &["victim", "somebody", "sibling"]),
        widens(assignment("fr-police", 0), &["suspect", "somebody", "sibling"]),
    ];
    if assignment("fr-police", 0) < assignment("de-police", 0) {
        wider.reverse();
    }
    let then = [vec![amends(1, &one_more, &[])], wider].concat();
    check("one more child, tied nowhere", &[referred(before)], &amended(1, one_more), &Ok(then));
}

#[test]
fn what_was_forwarded_is_not_widened_beyond_the_policy() {
    let signals = || vec![suspect_in("DE")];
    let (assignment_id, to) = (assignment("de-police", 0), agency("de-central"));
    let forward = ForwardAssignment { assignment_id, to, note: None };
    let given = [referred(referral(signals())), asks("de-police", forward)];
    let witness_is_victim = turns_out(referral(signals()), "witness", PersonCategory::Victim);
    let then = Ok(vec![amends(1, &witness_is_victim, &[])]);
    check("no rule speaks for it", &given, &amended(1, witness_is_victim), &then);
}

#[test]
fn a_danger_raises_what_waits_and_somebody_is_called() {
    let danger = in_danger(vec![suspect_in("DE"), suspect_in("FR")]);
    let given = [referred(referral(vec![suspect_in("DE"), suspect_in("FR")])), accepts("fr-police")];
    let raised = AssignmentRaised {
        assignment_id: assignment("de-police", 0),
        urgency: Urgency::ImminentDanger,
        entitlement: Entitlement { opens_with_offer: true, ..entitled(&EVERYBODY) },
        respond_by: monday().plus_minutes(ACKNOWLEDGES),
    };
    check(
        "France works on it already",
        &given,
        &amended(1, danger.clone()),
        &Ok(vec![amends(1, &danger, &[]), raised.into(), called("de-police", "office")]),
    );
    let again = [given.as_slice(), &[amended(1, danger.clone())]].concat();
    check("once", &again, &amended(2, danger.clone()), &Ok(vec![amends(2, &danger, &[])]));
}

#[test]
fn what_a_danger_raises_is_widened_as_well() {
    let danger = turns_out(in_danger(vec![suspect_in("DE")]), "witness", PersonCategory::Victim);
    let given = [referred(referral(vec![suspect_in("DE")]))];
    let mut history = after(&given);
    let events = history.take(&amended(1, danger)).unwrap();
    let stands = &history.state.assignments[&assignment("de-police", 0)];
    let everybody = ["victim", "suspect", "somebody", "witness"].map(person);
    assert_eq!(stands.entitlement.persons, everybody);
    assert!(stands.entitlement.opens_with_offer);
    assert_eq!(stands.respond_by, monday().plus_minutes(ACKNOWLEDGES));
    assert!(events.contains(&called("de-police", "office")), "{events:?}");
}

#[test]
fn a_danger_calls_nobody_of_a_state_never_told_any_more() {
    let danger = never_told(in_danger(vec![suspect_in("DE")]), &["DE"]);
    check(
        "taken back, and neither raised nor called",
        &[referred(referral(vec![suspect_in("DE")]))],
        &amended(1, danger.clone()),
        &Ok(vec![amends(1, &danger, &[]), revokes("de-police")]),
    );
}

#[test]
fn each_amendment_is_taken_in_once_and_in_order() {
    let first = referral(vec![suspect_in("DE")]);
    let (second, third) = (referral(vec![suspect_in("FR")]), Referral { week: None, ..referral(Vec::new()) });
    let given = [referred(first.clone()), amended(1, second.clone()), amended(2, third.clone())];
    for (case, number, again) in [
        ("the same again", 2, &third),
        ("another under its number", 2, &second),
        ("an older one", 1, &third),
        ("as it was received", 0, &second),
    ] {
        check(case, &given, &amended(number, again.clone()), &Ok(Vec::new()));
    }
    check("before there is an incident", &[], &amended(1, second), &Ok(Vec::new()));
    let given = [referred(first), withdrawn(RetractionReason::Duplicate)];
    check("after it was withdrawn", &given, &amended(1, third), &Ok(Vec::new()));
}

#[test]
fn the_referral_stands_as_it_was_amended_last() {
    let first = referral(vec![suspect_in("DE")]);
    let mut second = turns_out(in_danger(vec![suspect_in("FR")]), "somebody", PersonCategory::Suspect);
    second.kind = IncidentKind::OnlineSolicitation;
    second.week = Some("2026-W46".to_owned());
    second.annotations = vec![Annotation::Sextortion];
    second.facets.truncate(4);
    second.handling.tlp = Tlp::Red;
    let state = after(&[referred(first.clone()), amended(1, second.clone())]).state;
    let opened = state.opened.unwrap();
    assert_eq!((opened.kind, opened.urgency), (second.kind, second.urgency));
    assert_eq!((opened.danger_reason, opened.week), (second.danger_reason, second.week.clone()));
    assert_eq!((&opened.annotations, &opened.people), (&second.annotations, &second.people));
    assert_eq!((&opened.handling, &opened.facets), (&second.handling, &facet_refs(&second, 1)));
    assert_eq!(opened.signals, [suspect_in("DE"), suspect_in("FR")], "signals only add");
    assert_eq!((opened.referral_id, opened.reporter), (first.referral_id, first.reporter));
    assert_eq!(state.amendments, 1);
}
