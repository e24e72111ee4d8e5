//! A referral comes in: the incident opens, jurisdictions are found, and agencies are offered their parts.

use schemas::Timestamp;
use schemas::codes::*;
use schemas::referral::{Referral, Signal};
use schemas::routing::{
    AcceptAssignment, AddAssessment, Assessment, AssignmentOffered, AuthoriseTransfers, CoordinatorAlerted,
    CountryFound, Entitlement, FactorFound, Ground, IncidentOpened, JurisdictionsFound, LeadProposed,
    OfferWithheld, RoutingCommand, RoutingEvent, Transfer,
};

use crate::world::*;

/// What every considered referral begins with.
fn begins(referral: &Referral, found: Vec<CountryFound>) -> Vec<RoutingEvent> {
    let opened = IncidentOpened {
        referral_id: referral.referral_id,
        reporter: referral.reporter.clone(),
        reporter_country: referral.reporter_country.clone(),
        kind: referral.kind,
        urgency: referral.urgency,
        danger_reason: referral.danger_reason,
        week: referral.week.clone(),
        annotations: referral.annotations.clone(),
        people: referral.people.clone(),
        facets: facet_refs(referral, 0),
        signals: referral.signals.clone(),
        handling: referral.handling.clone(),
        items: Vec::new(),
    };
    vec![opened.into(), JurisdictionsFound { rules_version: 1, countries: found }.into()]
}

fn found(to: &str, grounds: Vec<Ground>) -> CountryFound {
    CountryFound { country: country(to), grounds }
}

fn factor(factor: LeadFactor, to: &str, signals: i32) -> FactorFound {
    FactorFound { factor, country: country(to), signals }
}

fn alert(reason: AlertReason, to: Option<&str>) -> RoutingEvent {
    CoordinatorAlerted { reason, country: to.map(country), assignment_id: None }.into()
}

fn victim_unit_offer(persons: &[&str]) -> AssignmentOffered {
    let police = police_offer("fr-victim-id", "FR", vec![victim_ground("FR")], persons);
    AssignmentOffered {
        rule: "victim-identification".to_owned(),
        entitlement: Entitlement {
            facet_kinds: vec![FacetKind::Person, FacetKind::PerceptualDigests],
            ..police.entitlement
        },
        respond_by: monday().plus_minutes(VICTIM_UNIT_RESPONDS),
        ..police
    }
}

/// Given nothing, when the referral comes in, then it begins as every incident and goes on with these.
#[track_caller]
fn check_referral(case: &str, referral: Referral, countries: Vec<CountryFound>, goes_on: Vec<RoutingEvent>) {
    let then = [begins(&referral, countries), goes_on].concat();
    check(case, &[], &referred(referral), &Ok(then));
}

#[test]
fn each_country_is_offered_its_own() {
    let offered = |offer: AssignmentOffered| RoutingEvent::from(offer);
    check_referral(
        "a victim in Germany and a suspect in France: each police unit its own person and the untied one",
        referral(vec![victim_in("DE"), suspect_in("FR")]),
        vec![found("DE", vec![victim_ground("DE")]), found("FR", vec![suspect_ground("FR")])],
        vec![
            offered(police_offer("de-police", "DE", vec![victim_ground("DE")], &["victim", "somebody"])),
            offered(police_offer("fr-police", "FR", vec![suspect_ground("FR")], &["suspect", "somebody"])),
            LeadProposed {
                country: country("FR"),
                factors: vec![
                    factor(LeadFactor::VictimInterests, "DE", 1),
                    factor(LeadFactor::MajorityOfCriminality, "FR", 1),
                    factor(LeadFactor::SuspectLocation, "FR", 1),
                ],
            }
            .into(),
        ],
    );
    check_referral(
        "a victim in France: the victim identification unit too; the suspect stays tied to nobody and untold",
        referral(vec![victim_in("FR")]),
        vec![found("FR", vec![victim_ground("FR")])],
        vec![
            offered(police_offer(
                "fr-police",
                "FR",
                vec![victim_ground("FR")],
                &["victim", "suspect", "somebody"],
            )),
            offered(victim_unit_offer(&["victim", "somebody"])),
        ],
    );
    check_referral(
        "one person tied to two countries: each is entitled to it",
        referral(vec![suspect_in("DE"), suspect_in("FR"), victim_in("DE")]),
        vec![
            found("DE", vec![suspect_ground("DE"), victim_ground("DE")]),
            found("FR", vec![suspect_ground("FR")]),
        ],
        vec![
            offered(police_offer(
                "de-police",
                "DE",
                vec![suspect_ground("DE"), victim_ground("DE")],
                &["victim", "suspect", "somebody"],
            )),
            offered(police_offer("fr-police", "FR", vec![suspect_ground("FR")], &["suspect", "somebody"])),
            LeadProposed {
                country: country("DE"),
                factors: vec![
                    factor(LeadFactor::MajorityOfCriminality, "DE", 1),
                    factor(LeadFactor::SuspectLocation, "DE", 1),
                    factor(LeadFactor::VictimInterests, "DE", 1),
                    factor(LeadFactor::MajorityOfCriminality, "FR", 1),
                    factor(LeadFactor::SuspectLocation, "FR", 1),
                ],
            }
            .into(),
        ],
    );
}

#[test]
fn signals_become_grounds() {
    let ambiguous = Signal { countries: countries(&["DE", "FR"]), ..suspect_in("DE") };
    let provider = signal(SignalRole::Provider, "DE", JurisdictionBasis::ProviderEstablishment, None);
    let provider_ground = ground(&provider, &["Regulation (EU) 2022/2065 Article 18(2)"]);
    let of_provider = police_offer("de-police", "DE", vec![provider_ground.clone()], &[]);
    check_referral(
        "a signal of two countries speaks for both, a repeated one once; equal factors go to the first code",
        referral(vec![ambiguous.clone(), ambiguous]),
        vec![found("DE", vec![suspect_ground("DE")]), found("FR", vec![suspect_ground("FR")])],
        vec![
            police_offer("de-police", "DE", vec![suspect_ground("DE")], &["victim", "suspect", "somebody"])
                .into(),
            police_offer("fr-police", "FR", vec![suspect_ground("FR")], &["victim", "suspect", "somebody"])
                .into(),
            LeadProposed {
                country: country("DE"),
                factors: ["DE", "FR"]
                    .iter()
                    .flat_map(|to| {
                        [
                            factor(LeadFactor::MajorityOfCriminality, to, 1),
                            factor(LeadFactor::SuspectLocation, to, 1),
                        ]
                    })
                    .collect(),
            }
            .into(),
        ],
    );
    check_referral(
        "a country without a person of its own is entitled to those tied nowhere",
        Referral { people: Vec::new(), ..referral(vec![provider]) },
        vec![found("DE", vec![provider_ground])],
        vec![of_provider.into()],
    );
}

#[test]
fn articles_follow_the_basis() {
    use JurisdictionBasis::*;
    let table: [(JurisdictionBasis, &[&str]); 7] = [
        (
            Territory,
            &[
                "Budapest Convention Article 22(1)(a)",
                "OPSC Article 4(1)",
                "Lanzarote Convention Article 25(1)(a)",
            ],
        ),
        (
            OffenderNationality,
            &[
                "Budapest Convention Article 22(1)(d)",
                "OPSC Article 4(2)(a)",
                "Lanzarote Convention Article 25(1)(d)",
            ],
        ),
        (OffenderResidence, &["OPSC Article 4(2)(a)", "Lanzarote Convention Article 25(1)(e)"]),
        (VictimNationality, &["OPSC Article 4(2)(b)", "Lanzarote Convention Article 25(2)"]),
        (VictimResidence, &["Lanzarote Convention Article 25(2)", "Regulation (EU) 2022/2065 Article 18(2)"]),
        (ProviderEstablishment, &["Regulation (EU) 2022/2065 Article 18(2)"]),
        (Hosting, &["Budapest Convention Article 22(1)(a)"]),
    ];
    for (basis, articles) in table {
        let signal = signal(SignalRole::Offender, "DE", basis, None);
        let ground = ground(&signal, articles);
        let everybody = ["victim", "suspect", "somebody"];
        check_referral(
            basis.code(),
            referral(vec![signal]),
            vec![found("DE", vec![ground.clone()])],
            vec![police_offer("de-police", "DE", vec![ground], &everybody).into()],
        );
    }
}

#[test]
fn where_nobody_can_be_offered_a_coordinator_is_told() {
    check_referral(
        "no signal, no country",
        referral(Vec::new()),
        Vec::new(),
        vec![alert(AlertReason::NoCountryFound, None)],
    );
    let provider =
        Referral { reporter: agency("us-provider"), reporter_country: country("US"), ..referral(Vec::new()) };
    let establishment = Signal {
        source: SignalSource::ProviderEstablishment,
        ..signal(SignalRole::Provider, "US", JurisdictionBasis::ProviderEstablishment, None)
    };
    let established = ground(&establishment, &["Regulation (EU) 2022/2065 Article 18(2)"]);
    let everybody = ["victim", "suspect", "somebody"];
    let domestic = AssignmentOffered {
        transfer: Transfer {
            basis: TransferBasis::Domestic,
            rule: None,
            article: "no border is crossed".to_owned(),
            authorisation: Authorisation::Standing,
        },
        ..police_offer("us-police", "US", vec![established.clone()], &everybody)
    };
    check_referral(
        "no signal, but a provider's establishment: its State is offered it, and a person looks",
        provider,
        vec![found("US", vec![established])],
        vec![domestic.into(), alert(AlertReason::NoCountryFound, None)],
    );
    let withheld = |to: &str| OfferWithheld {
        country: country(to),
        agency: None,
        reason: WithheldReason::NoAgency,
        rule: None,
    };
    check_referral(
        "a country that no agency stands in",
        referral(vec![suspect_in("JP")]),
        vec![found("JP", vec![suspect_ground("JP")])],
        vec![withheld("JP").into(), alert(AlertReason::CountryWithoutAgency, Some("JP"))],
    );
    let elsewhere = entry("agency/de-police", |entry| {
        entry.agency.as_mut().unwrap().incident_kinds = vec![IncidentKind::MisleadingDomainName];
    });
    let countries = vec![found("DE", vec![suspect_ground("DE")])];
    let then = [
        begins(&referral(vec![suspect_in("DE")]), countries),
        vec![withheld("DE").into(), alert(AlertReason::CountryWithoutAgency, Some("DE"))],
    ]
    .concat();
    check(
        "a country whose only unit does not take the kind",
        &[stands(elsewhere)],
        &referred(referral(vec![suspect_in("DE")])),
        &Ok(then),
    );
}

#[test]
fn a_referral_is_considered_once() {
    let referral = referral(vec![victim_in("DE"), suspect_in("FR")]);
    let other = Referral { urgency: Urgency::ImminentDanger, ..referral.clone() };
    let accepted = AcceptAssignment { assignment_id: assignment("de-police", 0) };
    let first = [referred(referral.clone())];
    check("the same again", &first, &referred(referral.clone()), &Ok(Vec::new()));
    check("another under the same incident", &first, &referred(other), &Ok(Vec::new()));
    let given = [first.as_slice(), &[asks("de-police", accepted)]].concat();
    check("after an answer", &given, &referred(referral), &Ok(Vec::new()));
}

#[test]
fn before_the_referral_there_is_nothing_to_decide() {
    let assessment = Assessment {
        kind: AssessmentKind::FalsePositive,
        value: None,
        reason: AssessmentReason::ViewedMaterial,
        person_ref: None,
    };
    let assignment_id = assignment("de-police", 0);
    let commands: [RoutingCommand; 4] = [
        AcceptAssignment { assignment_id }.into(),
        AddAssessment { assessment, note: None }.into(),
        AuthoriseTransfers { countries: countries(&["DE"]) }.into(),
        schemas::routing::ClockDue { assignment_id, due: Timestamp::default() }.into(),
    ];
    for command in commands {
        let when = asks("de-police", command);
        check("nothing came in yet", &[], &when, &refuses(RejectionCode::UnknownIncident));
    }
}
