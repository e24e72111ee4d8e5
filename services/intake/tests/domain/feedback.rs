//! What a reporter is told: hotlines where it went and what came of it, providers only how far it came.

use schemas::codes::*;
use schemas::ids::AssignmentId;
use schemas::referral::Feedback;
use schemas::routing::{
    AssignmentForwarded, AssignmentOverdue, AssignmentRevoked, CoordinatorAlerted, DutyContactCalled,
    LeadRecorded, OfferWithheld, RoutingEvent, TransfersAuthorised,
};

use crate::world::*;

/// Received of the reporter, and offered to two agencies of Germany and one of France.
fn routed(reporter: &str) -> Vec<Step> {
    let offers = [offered("de-police", "DE"), offered("de-central", "DE"), offered("fr-police", "FR")];
    [vec![receives(&referral(reporter))], offers.iter().map(hears).collect()].concat()
}

/// Given what was routed, when the news is heard, then each reporter is told its own.
#[track_caller]
fn check_told(news: &RoutingEvent, of: &str, hotline: Option<Feedback>, provider: Option<Feedback>) {
    for (reporter, told) in [(HOTLINE, hotline), (PROVIDER, provider)] {
        let then = told.map_or(Ok(Vec::new()), |feedback| gives(of, feedback));
        check(&format!("{reporter}: {news:?}"), &routed(reporter), &hears(news), &then);
    }
}

#[test]
fn each_reporter_is_told_its_own() {
    use FeedbackStage::*;
    let no_offence = DeclineReason::NoOffenceHere;
    let refused = |feedback| Feedback { decline_reason: Some(no_offence), ..feedback };
    check_told(&offered("nl-police", "NL"), "nl-police", Some(told_of(Routed, "NL")), None);
    check_told(&accepted("de-police"), "de-police", Some(told_of(Accepted, "DE")), Some(told(Actionable)));
    check_told(
        &declined("fr-police", no_offence),
        "fr-police",
        Some(refused(told_of(NotActionable, "FR"))),
        Some(refused(told(NotActionable))),
    );
    for outcome in CloseOutcome::ALL {
        let hotline = Feedback { outcome: Some(*outcome), ..told_of(Closed, "FR") };
        let provider = (*outcome != CloseOutcome::Transferred).then(|| told(Closed));
        check_told(&closed("fr-police", *outcome), "fr-police", Some(hotline), provider);
    }
    check_told(&accepted("never-offered"), "never-offered", Some(told(Accepted)), Some(told(Actionable)));
}

#[test]
fn nobody_is_told_of_operations() {
    let assignment_id: AssignmentId = assignment("de-police");
    let to = country("DE");
    let silent: [RoutingEvent; 8] = [
        AssignmentForwarded { assignment_id, to: agency("fr-police"), note: None }.into(),
        AssignmentRevoked { assignment_id, reason: RevokeReason::FalsePositive, note: None }.into(),
        AssignmentOverdue { assignment_id }.into(),
        OfferWithheld { country: to.clone(), agency: None, reason: WithheldReason::NeverTold, rule: None }
            .into(),
        CoordinatorAlerted {
            reason: AlertReason::NobodyAnswered,
            country: Some(to.clone()),
            assignment_id: Some(assignment_id),
        }
        .into(),
        DutyContactCalled {
            assignment_id,
            agency: agency("de-police"),
            contact: "night desk".to_owned(),
            attempt: 1,
            acknowledge_by: now(),
        }
        .into(),
        LeadRecorded { by: agency("un-coordinator"), country: to.clone() }.into(),
        TransfersAuthorised { countries: vec![to] }.into(),
    ];
    for news in silent {
        check_told(&news, "de-police", None, None);
    }
}

#[test]
fn nothing_is_told_before_there_is_a_referral() {
    for news in [offered("de-police", "DE"), accepted("de-police")] {
        check("nothing was received", &[], &hears(&news), &Ok(Vec::new()));
    }
}

#[test]
fn two_agencies_of_one_country_are_one_answer() {
    use FeedbackStage::*;
    // Given the steps, then the reporter has been told this, in this order.
    let table: [(&str, Vec<RoutingEvent>, Vec<Feedback>); 5] = [
        (HOTLINE, vec![], vec![told_of(Routed, "DE"), told_of(Routed, "FR")]),
        (
            HOTLINE,
            vec![accepted("de-central"), accepted("de-police")],
            vec![told_of(Routed, "DE"), told_of(Routed, "FR"), told_of(Accepted, "DE")],
        ),
        (
            HOTLINE,
            vec![accepted("fr-police"), accepted("de-police")],
            vec![
                told_of(Routed, "DE"),
                told_of(Routed, "FR"),
                told_of(Accepted, "FR"),
                told_of(Accepted, "DE"),
            ],
        ),
        (PROVIDER, vec![accepted("de-police"), accepted("fr-police")], vec![told(Actionable)]),
        (
            PROVIDER,
            vec![
                declined("de-police", DeclineReason::Duplicate),
                declined("fr-police", DeclineReason::AlreadyKnown),
                accepted("de-central"),
            ],
            vec![
                Feedback { decline_reason: Some(DeclineReason::Duplicate), ..told(NotActionable) },
                Feedback { decline_reason: Some(DeclineReason::AlreadyKnown), ..told(NotActionable) },
                told(Actionable),
            ],
        ),
    ];
    for (reporter, news, then) in table {
        let given = [routed(reporter), news.iter().map(hears).collect()].concat();
        assert_eq!(after(&given).told(now()), then, "{reporter}: {news:?}");
    }
    let given =
        [routed(HOTLINE), vec![hears(&accepted("de-police")), hears(&accepted("de-central"))]].concat();
    let told = |given: &[Step]| after(given).state.told(now());
    assert_eq!(told(&given), told(&given[..5]), "the first stays, with its time");
}
