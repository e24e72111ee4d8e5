//! What an author takes back no longer counts; whoever could read it is told, and acknowledges as a person.

use schemas::codes::*;
use schemas::ids::{AgencyId, AssessmentId};
use schemas::referral::Referral;
use schemas::routing::{
    AcknowledgeRetraction, AddAssessment, Assessment, AssessmentRetracted, AssignmentOffered, Entitlement,
    RetractAssessment, RetractionAcknowledged, RetractionIssued, RoutingEvent,
};

use crate::world::*;

const WHY: RetractionReason = RetractionReason::AssessedAnew;

fn adds(by: &str, kind: AssessmentKind, value: Option<&str>) -> Step {
    let (value, reason) = (value.map(str::to_owned), AssessmentReason::ViewedMaterial);
    let assessment = Assessment { kind, value, reason, person_ref: None };
    asks(by, AddAssessment { assessment, note: None })
}

fn retracts(by: &str, number: u64) -> Step {
    asks(by, RetractAssessment { assessment_id: assessment_id(number), reason: WHY })
}

fn retracted(number: u64) -> RoutingEvent {
    AssessmentRetracted { assessment_id: assessment_id(number), reason: WHY }.into()
}

/// The `number`th retraction, of an assessment, reaches these.
fn issued(number: u64, assessment: u64, told: &[&str]) -> RoutingEvent {
    let recipients: Vec<AgencyId> = told.iter().map(|id| agency(id)).collect();
    let assessment_id: Option<AssessmentId> = Some(assessment_id(assessment));
    RetractionIssued { retraction_id: retraction_id(number), assessment_id, reason: WHY, recipients }.into()
}

fn acknowledges(by: &str, number: u64) -> Step {
    asks(by, AcknowledgeRetraction { retraction_id: retraction_id(number) })
}

fn opened() -> Step {
    referred(referral(vec![suspect_in("DE"), suspect_in("FR")]))
}

fn of_provider(signals: Vec<schemas::referral::Signal>) -> Referral {
    Referral { reporter: agency("us-provider"), reporter_country: country("US"), ..referral(signals) }
}

#[test]
fn everyone_who_could_read_it_is_told() {
    let adult = |by| adds(by, AssessmentKind::Adult, None);
    let table: [(&str, &[&str]); 3] = [
        ("de-police", &["fr-police", "nl-hotline"]),
        ("fr-police", &["de-police", "nl-hotline"]),
        ("nl-hotline", &["de-police", "fr-police"]),
    ];
    for (by, told) in table {
        let then = Ok(vec![retracted(0), issued(0, 0, told)]);
        check(by, &[opened(), adult(by)], &retracts(by, 0), &then);
    }
    let provider = |signals| referred(of_provider(signals));
    let signals = || vec![suspect_in("DE"), suspect_in("FR")];
    check(
        "a provider that reported reads no assessment",
        &[provider(signals()), adult("de-police")],
        &retracts("de-police", 0),
        &Ok(vec![retracted(0), issued(0, 0, &["fr-police"])]),
    );
    check(
        "nor its own",
        &[provider(signals()), adult("us-provider")],
        &retracts("us-provider", 0),
        &Ok(vec![retracted(0), issued(0, 0, &["de-police", "fr-police"])]),
    );
    check(
        "nobody else is there",
        &[provider(vec![suspect_in("DE")]), adult("de-police")],
        &retracts("de-police", 0),
        &Ok(vec![retracted(0)]),
    );
    let decline = schemas::routing::DeclineAssignment {
        assignment_id: assignment("fr-police", 0),
        reason: DeclineReason::NoCapacity,
        note: None,
    };
    check(
        "whoever declined may have read it before",
        &[opened(), adult("de-police"), asks("fr-police", decline)],
        &retracts("de-police", 0),
        &Ok(vec![retracted(0), issued(0, 0, &["fr-police", "nl-hotline"])]),
    );
}

#[test]
fn only_its_author_takes_it_back_and_once() {
    let given = [
        opened(),
        adds("de-police", AssessmentKind::Adult, None),
        adds("de-police", AssessmentKind::AiGenerated, None),
    ];
    let unknown = refuses(RejectionCode::UnknownAssessment);
    for by in ["fr-police", "nl-hotline", "un-coordinator", "us-provider", "no-agency"] {
        check(by, &given, &retracts(by, 0), &unknown);
        check(by, &given, &retracts(by, 0).by_machine(), &unknown);
    }
    check("no such assessment", &given, &retracts("de-police", 2), &unknown);
    let machine = retracts("de-police", 0).by_machine();
    check("a machine of it", &given, &machine, &refuses(RejectionCode::NeedsAPerson));
    check(
        "before there is an incident",
        &[],
        &retracts("de-police", 0),
        &refuses(RejectionCode::UnknownIncident),
    );
    let given = [given.as_slice(), &[retracts("de-police", 1)]].concat();
    check("again", &given, &retracts("de-police", 1), &unknown);
    let second = Ok(vec![retracted(0), issued(1, 0, &["fr-police", "nl-hotline"])]);
    check("the other one: a retraction of its own", &given, &retracts("de-police", 0), &second);
}

#[test]
fn a_danger_taken_back_no_longer_counts() {
    let raises = |by| adds(by, AssessmentKind::Urgency, Some(Urgency::ImminentDanger.code()));
    let urgency = |steps: &[Step]| after(steps).state.urgency();
    let given = [opened(), raises("de-police"), raises("nl-hotline")];
    assert_eq!(urgency(&given), Some(Urgency::ImminentDanger));
    let one = [given.as_slice(), &[retracts("de-police", 0)]].concat();
    assert_eq!(urgency(&one), Some(Urgency::ImminentDanger), "the other still says so");
    let both = [one.as_slice(), &[retracts("nl-hotline", 1)]].concat();
    assert_eq!(urgency(&both), Some(Urgency::Routine));
    let (before, stands) = (after(&given).state, after(&both).state);
    assert_eq!(stands.assignments, before.assignments, "what was opened to somebody stays");
    let assessed: Vec<AssessmentId> = stands.assessments.iter().map(|added| added.assessment_id).collect();
    assert_eq!(assessed, [assessment_id(0), assessment_id(1)], "they stay on record");
    // What is offered from now on is routine again.
    let one_more = referral(vec![suspect_in("DE"), suspect_in("FR"), suspect_in("NL")]);
    let events = after(&both).take(&amended(1, one_more)).unwrap();
    let offers: Vec<(&str, bool)> = events
        .iter()
        .filter_map(|event| match event {
            RoutingEvent::AssignmentOffered(offer) => {
                Some((offer.agency.as_str(), offer.entitlement.opens_with_offer))
            }
            _ => None,
        })
        .collect();
    assert_eq!(offers, [("nl-police", false)]);
    let called = events.iter().any(|event| matches!(event, RoutingEvent::DutyContactCalled(_)));
    assert!(!called, "{events:?}");
}

#[test]
fn a_kind_taken_back_adds_who_takes_the_one_before() {
    let takes = entry("agency/fr-victim-id", |entry| {
        entry.agency.as_mut().unwrap().incident_kinds = vec![IncidentKind::Csam];
    });
    let says = |kind: IncidentKind| adds("nl-hotline", AssessmentKind::Kind, Some(kind.code()));
    let given = [
        stands(takes),
        referred(referral(vec![suspect_in("DE")])),
        says(IncidentKind::OnlineSolicitation),
        amended(1, referral(vec![suspect_in("DE"), victim_in("FR")])),
    ];
    let police = police_offer("fr-victim-id", "FR", vec![victim_ground("FR")], &["victim", "somebody"]);
    let offer = AssignmentOffered {
        assignment_id: assignment("fr-victim-id", 2),
        rule: "victim-identification".to_owned(),
        entitlement: Entitlement {
            facet_kinds: vec![FacetKind::Person, FacetKind::PerceptualDigests],
            ..police.entitlement
        },
        respond_by: monday().plus_minutes(VICTIM_UNIT_RESPONDS),
        ..police
    };
    assert_eq!(after(&given).state.kind(), Some(IncidentKind::OnlineSolicitation));
    check(
        "as it was reported",
        &given,
        &retracts("nl-hotline", 0),
        &Ok(vec![retracted(0), offer.into(), issued(0, 0, &["de-police", "fr-police"])]),
    );
    let given =
        [given.as_slice(), &[says(IncidentKind::ChildSexualAbuse), retracts("nl-hotline", 1)]].concat();
    assert_eq!(after(&given).state.kind(), Some(IncidentKind::OnlineSolicitation), "as assessed before");
}

#[test]
fn each_recipient_acknowledges_once_as_a_person() {
    let adult = adds("de-police", AssessmentKind::Adult, None);
    let given = [opened(), adult, retracts("de-police", 0)];
    let acknowledged = |by: &str| {
        let (retraction_id, by) = (retraction_id(0), agency(by));
        Ok(vec![RetractionAcknowledged { retraction_id, by }.into()])
    };
    for by in ["fr-police", "nl-hotline"] {
        check(by, &given, &acknowledges(by, 0), &acknowledged(by));
        let machine = acknowledges(by, 0).by_machine();
        check("a machine", &given, &machine, &refuses(RejectionCode::NeedsAPerson));
        let again = [given.as_slice(), &[acknowledges(by, 0)]].concat();
        check("again", &again, &acknowledges(by, 0), &refuses(RejectionCode::WrongState));
    }
    let first = [given.as_slice(), &[acknowledges("fr-police", 0)]].concat();
    check("one after the other", &first, &acknowledges("nl-hotline", 0), &acknowledged("nl-hotline"));
    let unknown = refuses(RejectionCode::UnknownRetraction);
    for by in ["de-police", "br-police", "un-coordinator", "us-provider", "no-agency"] {
        check(by, &given, &acknowledges(by, 0), &unknown);
        check(by, &given, &acknowledges(by, 0).by_machine(), &unknown);
    }
    check("no such retraction", &given, &acknowledges("fr-police", 1), &unknown);
    check("nothing was taken back", &given[..2], &acknowledges("fr-police", 0), &unknown);
}
