//! One referral: received once, and what its reporter is told of it.

use std::collections::BTreeMap;

use chassis::decider::{Context, Rejection};
use schemas::codes::{AgencyKind, CloseOutcome, FeedbackStage};
use schemas::ids::{AgencyId, AssignmentId, Country, ReferralId};
use schemas::referral::{
    Feedback, FeedbackGiven, GateVerdict, ReferralCommand, ReferralEvent, ReferralReceived,
    SubmissionsRefused,
};
use schemas::routing::RoutingEvent;
use schemas::{Event, Timestamp};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReferralState {
    pub received: Option<Received>,
    pub feedback: Vec<Told>,
    /// The country of each assignment, so that later answers can be told by country.
    pub countries: BTreeMap<AssignmentId, Country>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Received {
    pub referral_id: ReferralId,
    pub reporter: AgencyId,
    pub digest: Vec<u8>,
    pub gate: GateVerdict,
    pub at: Timestamp,
}

/// Feedback, and since when the reporter can see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    pub feedback: Feedback,
    pub at: Timestamp,
}

/// # Errors
/// None so far: what can be refused was refused before it was sealed.
pub fn decide(
    _: &Context<'_>,
    state: &ReferralState,
    command: &ReferralCommand,
) -> Result<Vec<ReferralEvent>, Rejection> {
    match command {
        // The command's id follows from the reference, so a second one of the same referral never gets here.
        ReferralCommand::ReceiveReferral(_) if state.received.is_some() => Ok(Vec::new()),
        ReferralCommand::ReceiveReferral(receive) => {
            Ok(vec![ReferralReceived { referral: receive.referral.clone() }.into()])
        }
        ReferralCommand::CountRefusals(count) => {
            Ok(vec![SubmissionsRefused { refusals: count.refusals.clone() }.into()])
        }
    }
}

/// What the reporter is told: hotlines where it went, whether it was accepted and what came of it; providers
/// only whether it was actionable, and that it is closed. Never an operational detail.
pub fn feedback(context: &Context<'_>, state: &ReferralState, news: &RoutingEvent) -> Vec<ReferralEvent> {
    let Some(received) = &state.received else { return Vec::new() };
    let reporter = context.directory.agency(&received.reporter, context.now);
    let provider = reporter.is_some_and(|agency| agency.kind == AgencyKind::Provider);
    let told = if provider { told_to_provider(news) } else { told_to_hotline(state, news) };
    let given =
        told.zip(assignment(news)).map(|(feedback, assignment_id)| FeedbackGiven { assignment_id, feedback });
    given.map(ReferralEvent::from).into_iter().collect()
}

fn assignment(news: &RoutingEvent) -> Option<AssignmentId> {
    match news {
        RoutingEvent::AssignmentOffered(offer) => Some(offer.assignment_id),
        RoutingEvent::AssignmentAccepted(accepted) => Some(accepted.assignment_id),
        RoutingEvent::AssignmentDeclined(declined) => Some(declined.assignment_id),
        RoutingEvent::AssignmentClosed(closed) => Some(closed.assignment_id),
        _ => None,
    }
}

fn told_to_hotline(state: &ReferralState, news: &RoutingEvent) -> Option<Feedback> {
    let country = |assignment| state.countries.get(assignment).cloned();
    let feedback = |stage, country| Feedback { stage, country, decline_reason: None, outcome: None };
    match news {
        RoutingEvent::AssignmentOffered(offer) => {
            Some(feedback(FeedbackStage::Routed, Some(offer.country.clone())))
        }
        RoutingEvent::AssignmentAccepted(accepted) => {
            Some(feedback(FeedbackStage::Accepted, country(&accepted.assignment_id)))
        }
        RoutingEvent::AssignmentDeclined(declined) => Some(Feedback {
            decline_reason: Some(declined.reason),
            ..feedback(FeedbackStage::NotActionable, country(&declined.assignment_id))
        }),
        RoutingEvent::AssignmentClosed(closed) => Some(Feedback {
            outcome: Some(closed.outcome),
            ..feedback(FeedbackStage::Closed, country(&closed.assignment_id))
        }),
        _ => None,
    }
}

fn told_to_provider(news: &RoutingEvent) -> Option<Feedback> {
    let feedback = |stage, decline_reason| Feedback { stage, country: None, decline_reason, outcome: None };
    match news {
        RoutingEvent::AssignmentAccepted(_) => Some(feedback(FeedbackStage::Actionable, None)),
        RoutingEvent::AssignmentDeclined(declined) => {
            Some(feedback(FeedbackStage::NotActionable, Some(declined.reason)))
        }
        RoutingEvent::AssignmentClosed(closed) if closed.outcome != CloseOutcome::Transferred => {
            Some(feedback(FeedbackStage::Closed, None))
        }
        _ => None,
    }
}

pub fn evolve(state: &mut ReferralState, event: &Event<ReferralEvent>) {
    match &event.body {
        ReferralEvent::ReferralReceived(received) => {
            state.received = Some(Received {
                referral_id: received.referral.referral_id,
                reporter: received.referral.reporter.clone(),
                digest: event.cause_digest.clone(),
                gate: received.referral.gate.clone(),
                at: event.time,
            });
        }
        ReferralEvent::FeedbackGiven(given) => {
            if let Some(country) = &given.feedback.country {
                state.countries.insert(given.assignment_id, country.clone());
            }
            let told = Told { feedback: given.feedback.clone(), at: event.time };
            // Two agencies of one country are one answer to whoever reported.
            if state.feedback.iter().all(|earlier| earlier.feedback != told.feedback) {
                state.feedback.push(told);
            }
        }
        ReferralEvent::SubmissionsRefused(_)
        | ReferralEvent::CommandRejected(_)
        | ReferralEvent::CommandFailed(_) => {}
    }
}
