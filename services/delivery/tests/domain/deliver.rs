//! What follows from each of routing's events: an item, a call, an alert, a change of state, or nothing.

use schemas::codes::*;
use schemas::delivery::{
    AlertDelivered, CallDelivered, DeliveryEvent, IncidentRegistered, ItemChanged, ItemDelivered, ItemRaised,
    RetractionDelivered,
};
use schemas::ids::{AssessmentId, RetractionId};
use schemas::routing::{
    Assessment, AssessmentAdded, AssessmentRetracted, AssignmentRaised, CoordinatorAlerted,
    DutyContactCalled, Entitlement, FeedbackHeld, IncidentWithdrawn, JurisdictionsFound, LeadAccepted,
    LeadDisputed, LeadProposed, LeadRecorded, OfferWithheld, RetractionAcknowledged, RetractionIssued,
    RoutingEvent, TransfersAuthorised,
};
use schemas::{CommandFailed, CommandRejected};

use crate::world::*;

fn offered() -> Vec<Step> {
    vec![hears(opened()), hears(offer("de-police", "DE", entitlement()))]
}

#[test]
fn an_incident_is_registered() {
    let opened = opened();
    let registered = IncidentRegistered {
        referral_id: opened.referral_id,
        reporter: opened.reporter.clone(),
        kind: opened.kind,
        urgency: opened.urgency,
        danger_reason: opened.danger_reason,
        week: opened.week.clone(),
        people: people(),
        facets: facets(0),
        retain_until: None,
        never_told: Vec::new(),
    };
    check("opened", &[], &hears(opened), &Ok(vec![registered.into()]));
}

#[test]
fn an_offer_is_an_item_in_the_inbox() {
    let offer = offer("de-police", "DE", entitlement());
    let item = ItemDelivered {
        assignment_id: assignment("de-police"),
        agency: agency("de-police"),
        country: country("DE"),
        bases: vec![JurisdictionBasis::VictimResidence, JurisdictionBasis::Territory],
        entitlement: entitlement(),
        transfer: transfer(),
        respond_by: offer.respond_by,
    };
    check("offered", &[hears(opened())], &hears(offer), &Ok(vec![item.into()]));
}

#[test]
fn a_call_goes_to_whoever_is_called() {
    // Another agency than the assignment's: the national point.
    let call = |id: &str| DutyContactCalled {
        assignment_id: assignment("de-police"),
        agency: agency(id),
        contact: "night desk".to_owned(),
        attempt: 2,
        acknowledge_by: now().plus_minutes(15),
    };
    let delivered = |id: &str| CallDelivered {
        assignment_id: assignment("de-police"),
        agency: agency(id),
        contact: "night desk".to_owned(),
        attempt: 2,
        acknowledge_by: now().plus_minutes(15),
    };
    for id in ["de-police", "de-central"] {
        check(id, &offered(), &hears(call(id)), &Ok(vec![delivered(id).into()]));
    }
}

#[test]
fn an_alert_goes_to_every_coordinator_of_the_country() {
    let alert = |to: Option<&str>| CoordinatorAlerted {
        reason: AlertReason::NobodyAnswered,
        country: to.map(country),
        assignment_id: Some(assignment("de-police")),
    };
    let delivered = |ids: &[&str], to: Option<&str>| -> Decision {
        let told = |id: &&str| {
            DeliveryEvent::from(AlertDelivered {
                agency: agency(id),
                country: to.map(country),
                reason: AlertReason::NobodyAnswered,
                assignment_id: Some(assignment("de-police")),
            })
        };
        Ok(ids.iter().map(told).collect())
    };
    let table: [(Option<&str>, &[&str]); 5] = [
        (Some("DE"), &["eu-coordinator", "un-coordinator"]),
        (Some("FR"), &["eu-coordinator"]),
        (Some("JP"), &["un-coordinator"]),
        (Some("BR"), &[]),
        (None, &["eu-coordinator", "un-coordinator"]),
    ];
    for (to, ids) in table {
        check(&format!("{to:?}"), &offered(), &hears(alert(to)), &delivered(ids, to));
    }
}

#[test]
fn an_answer_changes_the_item() {
    for (news, state) in changes("de-police") {
        let changed =
            ItemChanged { assignment_id: assignment("de-police"), agency: agency("de-police"), state };
        check(state.code(), &offered(), &hears(news.clone()), &Ok(vec![changed.into()]));
        check("no such item", &[hears(opened())], &hears(news), &Ok(Vec::new()));
    }
}

#[test]
fn whoever_works_on_it_goes_on_while_a_coordinator_looks() {
    let escalated = brings("de-police", AssignmentState::Escalated);
    let accepted = [offered(), vec![brings("de-police", AssignmentState::Accepted)]].concat();
    check("accepted", &accepted, &escalated, &Ok(Vec::new()));
    let late = [offered(), vec![brings("de-police", AssignmentState::Overdue), escalated]].concat();
    let state = |given: &[Step]| after(given).state.items[&assignment("de-police")].state;
    assert_eq!(state(&late), AssignmentState::Escalated);
    let taken_up = [late, vec![brings("de-police", AssignmentState::Accepted)]].concat();
    assert_eq!(state(&taken_up), AssignmentState::Accepted, "accepted late");
}

#[test]
fn an_assignment_that_is_raised_gives_more_and_sooner() {
    let wider =
        Entitlement { persons: vec![person("victim"), person("suspect")], ..with_offer(entitlement()) };
    let respond_by = now().plus_minutes(15);
    let (assignment_id, urgency) = (assignment("de-police"), Urgency::ImminentDanger);
    let entitlement = wider.clone();
    let raised = AssignmentRaised { assignment_id, urgency, entitlement, respond_by };
    let (agency, entitlement) = (agency("de-police"), wider.clone());
    let then = ItemRaised { assignment_id, agency, urgency, entitlement, respond_by };
    check("no such item", &[hears(opened())], &hears(raised.clone()), &Ok(Vec::new()));
    check("offered", &offered(), &hears(raised.clone()), &Ok(vec![then.clone().into()]));
    let accepted = [offered(), vec![brings("de-police", AssignmentState::Accepted)]].concat();
    check("accepted", &accepted, &hears(raised.clone()), &Ok(vec![then.into()]));
    let given = [accepted, vec![hears(raised)]].concat();
    let item = after(&given).state.items[&assignment_id].clone();
    assert_eq!((item.delivered.entitlement, item.delivered.respond_by), (wider, respond_by));
    assert_eq!(item.state, AssignmentState::Accepted, "it stands as before");
}

#[test]
fn what_is_taken_back_reaches_each_recipient() {
    let retraction_id = RetractionId::derive(&[b"retraction"]);
    let reason = RetractionReason::FalsePositive;
    let issued = |ids: &[&str]| {
        let recipients = ids.iter().map(|id| agency(id)).collect();
        RetractionIssued { retraction_id, assessment_id: None, reason, recipients }
    };
    // A reporter is told, too: it has no item.
    let table: [&[&str]; 3] = [&["de-police"], &["de-police", "fr-police", "nl-hotline"], &[]];
    for ids in table {
        let told = |id: &&str| -> DeliveryEvent {
            RetractionDelivered { agency: agency(id), retraction_id, reason }.into()
        };
        let then = Ok(ids.iter().map(told).collect());
        check(&format!("{ids:?}"), &offered(), &hears(issued(ids)), &then);
    }
}

#[test]
fn nothing_else_is_passed_on() {
    let assessment = Assessment {
        kind: AssessmentKind::Adult,
        value: None,
        reason: AssessmentReason::ExpertOpinion,
        person_ref: None,
    };
    let (by, to) = (agency("de-police"), country("DE"));
    let assessment_id = AssessmentId::derive(&[b"assessment"]);
    let reason = RetractionReason::Duplicate;
    let silent: [RoutingEvent; 14] = [
        JurisdictionsFound { rules_version: 1, countries: Vec::new() }.into(),
        OfferWithheld { country: to.clone(), agency: None, reason: WithheldReason::NeverTold, rule: None }
            .into(),
        AssessmentAdded { assessment_id, by: by.clone(), assessment, note: None }.into(),
        AssessmentRetracted { assessment_id, reason }.into(),
        RetractionAcknowledged { retraction_id: RetractionId::derive(&[b"told"]), by: by.clone() }.into(),
        IncidentWithdrawn { reason }.into(),
        FeedbackHeld { assignment_id: assignment("de-police"), until: now() }.into(),
        LeadProposed { country: to.clone(), factors: Vec::new() }.into(),
        LeadAccepted { by: by.clone(), country: to.clone() }.into(),
        LeadDisputed { by: by.clone(), country: to.clone(), proposes: country("FR") }.into(),
        LeadRecorded { by, country: to.clone() }.into(),
        TransfersAuthorised { countries: vec![to] }.into(),
        CommandRejected {
            command_id: schemas::ids::CommandId::derive(&[b"command"]),
            command: "AcceptAssignment".to_owned(),
            code: RejectionCode::WrongState,
            pointer: None,
        }
        .into(),
        CommandFailed { command_id: None, reason: "reason".to_owned() }.into(),
    ];
    for news in silent {
        check(&format!("{news:?}"), &offered(), &hears(news), &Ok(Vec::new()));
    }
}
