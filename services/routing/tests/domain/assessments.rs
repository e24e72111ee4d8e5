//! Assessments: each party adds what it makes of the incident; nothing is silently taken away.

use schemas::codes::*;
use schemas::referral::Signal;
use schemas::routing::{
    AcceptAssignment, AddAssessment, Assessment, AssessmentAdded, AssignmentOffered, DutyContactCalled,
    Entitlement, RoutingEvent, Transfer,
};

use crate::world::*;

fn assessment(kind: AssessmentKind, value: Option<&str>) -> Assessment {
    let value = value.map(str::to_owned);
    Assessment { kind, value, reason: AssessmentReason::ViewedMaterial, person_ref: None }
}

fn adds(by: &str, assessment: &Assessment) -> Step {
    asks(by, AddAssessment { assessment: assessment.clone(), note: None })
}

fn added(by: &str, assessment: &Assessment) -> RoutingEvent {
    added_after(0, by, assessment)
}

/// The same, where the incident had `number` assessments before.
fn added_after(number: u64, by: &str, assessment: &Assessment) -> RoutingEvent {
    let (assessment_id, by) = (assessment_id(number), agency(by));
    AssessmentAdded { assessment_id, by, assessment: assessment.clone(), note: None }.into()
}

fn urgency(urgency: Urgency) -> Assessment {
    assessment(AssessmentKind::Urgency, Some(urgency.code()))
}

#[test]
fn a_value_is_of_the_list_that_the_kind_names() {
    use AssessmentKind::*;
    let longest = "x".repeat(16);
    let too_long = "x".repeat(17);
    let valid = [
        (Kind, Some("csam")),
        (Urgency, Some("routine")),
        (AgeRange, Some("0-12")),
        (Classification, Some("A1")),
        (Classification, Some(&longest)),
        (Adult, None),
        (Fictional, None),
        (AiGenerated, None),
        (FalsePositive, None),
    ];
    let invalid = [
        (Kind, None),
        (Kind, Some("routine")),
        (Kind, Some("CSAM")),
        (Urgency, None),
        (Urgency, Some("urgent")),
        (AgeRange, None),
        (AgeRange, Some("12")),
        (Classification, None),
        (Classification, Some("")),
        (Classification, Some("a word")),
        (Classification, Some("a word")),
        (Classification, Some(&too_long)),
        (Adult, Some("yes")),
        (Fictional, Some("")),
        (AiGenerated, Some("csam")),
        (FalsePositive, Some("true")),
    ];
    let given = [referred(referral(vec![suspect_in("DE")]))];
    for (kind, value) in valid {
        let assessment = assessment(kind, value);
        let then = Ok(vec![added("de-police", &assessment)]);
        check(&format!("{kind} {value:?}"), &given, &adds("de-police", &assessment), &then);
    }
    let refused = refuses_at(RejectionCode::Invalid, "/assessment/value");
    for (kind, value) in invalid {
        let assessment = assessment(kind, value);
        check(&format!("{kind} {value:?}"), &given, &adds("de-police", &assessment), &refused);
    }
}

#[test]
fn it_is_about_a_person_of_the_incident() {
    let given = [referred(referral(vec![suspect_in("DE")]))];
    let about = |name: &str| Assessment {
        person_ref: Some(person(name)),
        ..assessment(AssessmentKind::AgeRange, Some("13-17"))
    };
    for name in ["victim", "witness"] {
        check(name, &given, &adds("de-police", &about(name)), &Ok(vec![added("de-police", &about(name))]));
    }
    let unknown = refuses_at(RejectionCode::Invalid, "/assessment/person_ref");
    check("nobody of it", &given, &adds("de-police", &about("sibling")), &unknown);
    let mut more = referral(vec![suspect_in("DE")]);
    more.people[3].person_ref = person("sibling");
    let given = [given[0].clone(), amended(1, more)];
    let then = Ok(vec![added("de-police", &about("sibling"))]);
    check("as the referral was amended", &given, &adds("de-police", &about("sibling")), &then);
    let outsider = refuses(RejectionCode::NotEntitled);
    check("whoever is no party hears nothing", &given, &adds("fr-police", &about("nobody")), &outsider);
}

#[test]
fn only_a_person_of_a_party_assesses() {
    let given = [referred(referral(vec![suspect_in("DE")]))];
    let adult = assessment(AssessmentKind::Adult, None);
    for by in ["nl-hotline", "de-police"] {
        check(by, &given, &adds(by, &adult), &Ok(vec![added(by, &adult)]));
        let machine = adds(by, &adult).by_machine();
        check(by, &given, &machine, &refuses(RejectionCode::NeedsAPerson));
    }
    for by in ["fr-police", "us-provider", "un-coordinator", "no-agency"] {
        check(by, &given, &adds(by, &adult), &refuses(RejectionCode::NotEntitled));
    }
}

#[test]
fn an_urgency_raised_to_imminent_danger_adds() {
    // Germany was withheld for want of an authorisation; Brazil's border is the same, and it has a point.
    let signals: Vec<Signal> = vec![suspect_in("BR"), suspect_in("DE")];
    let given = [referred(per_case(referral(signals)))];
    let raised = urgency(Urgency::ImminentDanger);
    let stands_in = |transfer| Transfer { authorisation: Authorisation::ImminentDanger, ..transfer };
    let offered = |id: &str, to: &str, transfer: Transfer| {
        let persons = ["victim", "suspect", "somebody"];
        let offer = police_offer(id, to, vec![suspect_ground(to)], &persons);
        danger_offer(AssignmentOffered { transfer: stands_in(transfer), ..offer }, monday())
    };
    let called = |id: &str, contact: &str| -> RoutingEvent {
        DutyContactCalled {
            assignment_id: assignment(id, 0),
            agency: agency(id),
            contact: contact.to_owned(),
            attempt: 1,
            acknowledge_by: monday().plus_minutes(ACKNOWLEDGES),
        }
        .into()
    };
    let brazil = AssignmentOffered {
        rule: "imminent-danger-round-the-clock + police-imminent-danger + police-investigates".to_owned(),
        respond_by: monday().plus_minutes(ACKNOWLEDGES),
        ..offered("br-police", "BR", with_safeguards())
    };
    check(
        "what was withheld is offered, and somebody is called",
        &given,
        &adds("nl-hotline", &raised),
        &Ok(vec![
            added("nl-hotline", &raised),
            brazil.into(),
            called("br-police", "plantao"),
            offered("de-police", "DE", within_the_union()).into(),
            called("de-police", "office"),
        ]),
    );
    let given = [given[0].clone(), adds("nl-hotline", &raised)];
    let lowered = urgency(Urgency::Routine);
    for again in [&raised, &lowered] {
        let then = Ok(vec![added_after(1, "de-police", again)]);
        check("nothing is offered twice, nothing taken away", &given, &adds("de-police", again), &then);
    }
}

#[test]
fn a_kind_assessed_anew_adds_who_takes_it() {
    let takes = |id: &str, kind| {
        entry(&format!("agency/{id}"), |entry| {
            entry.agency.as_mut().unwrap().incident_kinds = vec![kind];
        })
    };
    let given = [
        stands(takes("fr-victim-id", IncidentKind::OnlineSolicitation)),
        referred(referral(vec![victim_in("FR")])),
        asks("fr-police", AcceptAssignment { assignment_id: assignment("fr-police", 0) }),
    ];
    let solicitation = assessment(AssessmentKind::Kind, Some("online-solicitation"));
    let police = police_offer("fr-victim-id", "FR", vec![victim_ground("FR")], &["victim", "somebody"]);
    let offer = AssignmentOffered {
        assignment_id: assignment("fr-victim-id", 1),
        rule: "victim-identification".to_owned(),
        entitlement: Entitlement {
            facet_kinds: vec![FacetKind::Person, FacetKind::PerceptualDigests],
            ..police.entitlement
        },
        respond_by: monday().plus_minutes(VICTIM_UNIT_RESPONDS),
        ..police
    };
    check(
        "the unit that takes the new kind",
        &given,
        &adds("fr-police", &solicitation),
        &Ok(vec![added("fr-police", &solicitation), offer.into()]),
    );
    let back = assessment(AssessmentKind::Kind, Some("csam"));
    let given = [given.as_slice(), &[adds("fr-police", &solicitation)]].concat();
    let mut history = History::new();
    given.iter().for_each(|step| assert!(history.take(step).is_ok(), "{step:?}"));
    let before = history.state.assignments.clone();
    history.take(&adds("nl-hotline", &back)).unwrap();
    assert_eq!(history.state.assignments, before, "whoever was offered it stays");
}

#[test]
fn an_assessment_too_many_is_refused() {
    let adult = assessment(AssessmentKind::Adult, None);
    let mut history = after(&[referred(referral(vec![suspect_in("DE")]))]);
    for number in 0..1_000 {
        routing::domain::evolve(&mut history.state, &added_after(number, "nl-hotline", &adult));
    }
    let last = history.state.assessments.pop().unwrap();
    assert_eq!(last.assessment_id, assessment_id(999));
    assert_eq!(
        history.take(&adds("de-police", &adult)),
        Ok(vec![added_after(999, "de-police", &adult)]),
        "the thousandth, of any party"
    );
    for by in ["de-police", "nl-hotline"] {
        assert_eq!(history.take(&adds(by, &adult)), refuses(RejectionCode::TooMany), "{by}");
    }
    let outsider = history.take(&adds("fr-police", &adult));
    assert_eq!(outsider, refuses(RejectionCode::NotEntitled), "is not told how many there are");
}
