//! What follows from each of routing's events: an item, a call, an alert, a change of state, or nothing.

use schemas::codes::*;
use schemas::delivery::{
    AlertDelivered, CallDelivered, DeliveryEvent, IncidentRegistered, ItemChanged, ItemDelivered,
};
use schemas::routing::{
    Assessment, AssessmentAdded, CoordinatorAlerted, DutyContactCalled, JurisdictionsFound, LeadAccepted,
    LeadDisputed, LeadProposed, LeadRecorded, OfferWithheld, RoutingEvent, TransfersAuthorised,
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
        referral_at: opened.referral_at.clone(),
        reporter: opened.reporter.clone(),
        kind: opened.kind,
        urgency: opened.urgency,
        danger_reason: opened.danger_reason,
        week: opened.week.clone(),
        people: people(),
        facets: facets(),
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
fn nothing_else_is_passed_on() {
    let assessment = Assessment {
        kind: AssessmentKind::Adult,
        value: None,
        reason: AssessmentReason::ExpertOpinion,
        person_ref: None,
    };
    let (by, to) = (agency("de-police"), country("DE"));
    let silent: [RoutingEvent; 10] = [
        JurisdictionsFound { rules_version: 1, countries: Vec::new() }.into(),
        OfferWithheld { country: to.clone(), agency: None, reason: WithheldReason::NeverTold, rule: None }
            .into(),
        AssessmentAdded { by: by.clone(), assessment }.into(),
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
