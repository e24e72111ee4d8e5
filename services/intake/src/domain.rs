//! One referral: received once, and what its reporter is told of it.

use std::collections::{BTreeMap, BTreeSet};

use chassis::decider::{Context, Rejection};
use schemas::codes::{ActorKind, AgencyKind, CloseOutcome, FeedbackStage, RejectionCode, RetractionReason};
use schemas::ids::{AgencyId, AssignmentId, Country, ItemRef, KeySetId, PersonRef, ReferralId};
use schemas::referral::{
    AmendReferral, Feedback, FeedbackDeferred, FeedbackGiven, GateVerdict, ReceiveReferral, Referral,
    ReferralAmended, ReferralCommand, ReferralEvent, ReferralReceived, ReferralWithdrawn, SubmissionsRefused,
    WithdrawReferral,
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
    /// Where police hold back what the reporter is told of an assignment.
    pub held: BTreeMap<AssignmentId, FeedbackHold>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Received {
    pub referral_id: ReferralId,
    pub reporter: AgencyId,
    pub digest: Vec<u8>,
    pub gate: GateVerdict,
    pub at: Timestamp,
    pub amendments: i32,
    pub standing: Standing,
    pub withdrawn: Option<RetractionReason>,
    /// The keys of the referral and of its amendments: no others of it are named anywhere.
    pub key_sets: BTreeSet<KeySetId>,
}

/// What an amendment keeps: whoever stands at a place is who stood there before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    pub people: Vec<PersonRef>,
    pub items: Vec<ItemRef>,
}

impl Standing {
    pub fn of(referral: &Referral) -> Self {
        Self {
            people: referral.people.iter().map(|person| person.person_ref).collect(),
            items: referral.items.iter().map(|item| item.item_ref).collect(),
        }
    }
}

/// Feedback, and since when the reporter can see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    pub assignment_id: AssignmentId,
    pub feedback: Feedback,
    pub at: Timestamp,
}

/// Since when and until when the reporter is not told of an assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedbackHold {
    pub since: Timestamp,
    pub until: Timestamp,
}

impl ReferralState {
    /// What the reporter may know by now, and since when: what is held back comes when its hold has passed. What was
    /// told before the hold stays told.
    pub fn told(&self, now: Timestamp) -> Vec<Told> {
        let mut told: Vec<Told> = Vec::new();
        for one in &self.feedback {
            let hold = self.held.get(&one.assignment_id).filter(|hold| one.at >= hold.since);
            let at = hold.map_or(one.at, |hold| one.at.max(hold.until));
            // Two agencies of one country are one answer to whoever reported.
            if at <= now.max(one.at) && told.iter().all(|earlier| earlier.feedback != one.feedback) {
                told.push(Told { at, ..one.clone() });
            }
        }
        told
    }
}

/// Who may file referrals, and amend them.
pub const REPORTERS: [AgencyKind; 5] = [
    AgencyKind::Hotline,
    AgencyKind::Helpline,
    AgencyKind::Provider,
    AgencyKind::PoliceUnit,
    AgencyKind::VictimIdentificationUnit,
];
/// Most amendments of one referral: whoever needs more has another referral to file.
const MAX_AMENDMENTS: i32 = 1_000;

/// # Errors
/// See [`RejectionCode`]; a rejected attempt is on record.
pub fn decide(
    context: &Context<'_>,
    state: &ReferralState,
    command: &ReferralCommand,
) -> Result<Vec<ReferralEvent>, Rejection> {
    match command {
        ReferralCommand::ReceiveReferral(receive) => self::receive(context, state, receive),
        ReferralCommand::CountRefusals(count) => {
            Ok(vec![SubmissionsRefused { refusals: count.refusals.clone() }.into()])
        }
        ReferralCommand::AmendReferral(amend) => self::amend(context, state, amend),
        ReferralCommand::WithdrawReferral(withdraw) => self::withdraw(context, state, withdraw),
        ReferralCommand::ReadReferral(_) => Err(RejectionCode::NotEntitled.into()),
    }
}

fn receive(
    context: &Context<'_>,
    state: &ReferralState,
    command: &ReceiveReferral,
) -> Result<Vec<ReferralEvent>, Rejection> {
    must_report(context)?;
    // The command's id follows from the reference, so a second one of the same referral never gets here.
    if state.received.is_some() {
        return Ok(Vec::new());
    }
    must_be_kept(context, &command.referral)?;
    Ok(vec![ReferralReceived { referral: command.referral.clone() }.into()])
}

/// The pages ask it too; a record written past them is asked here.
fn must_report(context: &Context<'_>) -> Result<(), Rejection> {
    let agency = context.directory.agency(context.agency, context.now);
    if agency.is_some_and(|agency| REPORTERS.contains(&agency.kind)) {
        return Ok(());
    }
    Err(RejectionCode::NotEntitled.into())
}

/// What would be erased as soon as it is taken in is not taken in.
fn must_be_kept(context: &Context<'_>, referral: &Referral) -> Result<(), Rejection> {
    if referral.handling.retain_until.is_some_and(|until| until <= context.now) {
        return Err(Rejection::at(RejectionCode::Invalid, "/handling/retain_until"));
    }
    Ok(())
}

/// The reporter's own referral, while it stands.
fn own<'a>(context: &Context<'_>, state: &'a ReferralState) -> Result<&'a Received, Rejection> {
    let received = state.received.as_ref().filter(|received| received.reporter == *context.agency);
    let received = received.ok_or(RejectionCode::UnknownIncident)?;
    if received.withdrawn.is_some() { Err(RejectionCode::Withdrawn.into()) } else { Ok(received) }
}

/// Nothing that was reported is taken away by an amendment: people and items keep their places.
fn amend(
    context: &Context<'_>,
    state: &ReferralState,
    command: &AmendReferral,
) -> Result<Vec<ReferralEvent>, Rejection> {
    must_report(context)?;
    let received = own(context, state)?;
    must_be_kept(context, &command.referral)?;
    if received.amendments >= MAX_AMENDMENTS {
        return Err(RejectionCode::TooMany.into());
    }
    let after = Standing::of(&command.referral);
    if !after.people.starts_with(&received.standing.people) {
        return Err(Rejection::at(RejectionCode::Invalid, "/people"));
    }
    if !after.items.starts_with(&received.standing.items) {
        return Err(Rejection::at(RejectionCode::Invalid, "/items"));
    }
    let amendment = received.amendments + 1;
    Ok(vec![ReferralAmended { amendment, referral: command.referral.clone() }.into()])
}

fn withdraw(
    context: &Context<'_>,
    state: &ReferralState,
    command: &WithdrawReferral,
) -> Result<Vec<ReferralEvent>, Rejection> {
    own(context, state)?;
    if context.actor.kind != ActorKind::Human {
        return Err(RejectionCode::NeedsAPerson.into());
    }
    Ok(vec![ReferralWithdrawn { reason: command.reason }.into()])
}

/// What the reporter is told: hotlines where it went, whether it was accepted and what came of it; providers
/// only whether it was actionable, and that it is closed. Never an operational detail.
pub fn feedback(context: &Context<'_>, state: &ReferralState, news: &RoutingEvent) -> Vec<ReferralEvent> {
    let Some(received) = &state.received else { return Vec::new() };
    if let RoutingEvent::FeedbackHeld(held) = news {
        return vec![FeedbackDeferred { assignment_id: held.assignment_id, until: held.until }.into()];
    }
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

fn key_sets(referral: &Referral) -> impl Iterator<Item = KeySetId> {
    referral.facets.iter().map(|facet| facet.key_set_id)
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
                amendments: 0,
                standing: Standing::of(&received.referral),
                withdrawn: None,
                key_sets: key_sets(&received.referral).collect(),
            });
        }
        ReferralEvent::ReferralAmended(amended) => {
            if let Some(received) = &mut state.received {
                received.amendments = amended.amendment;
                received.standing = Standing::of(&amended.referral);
                received.key_sets.extend(key_sets(&amended.referral));
                received.gate = amended.referral.gate.clone();
            }
        }
        ReferralEvent::ReferralWithdrawn(withdrawn) => {
            if let Some(received) = &mut state.received {
                received.withdrawn = Some(withdrawn.reason);
            }
        }
        ReferralEvent::FeedbackDeferred(deferred) => {
            // A hold that is changed before it has passed goes on from where it began.
            let running = state.held.get(&deferred.assignment_id).filter(|hold| hold.until > event.time);
            let since = running.map_or(event.time, |hold| hold.since);
            state.held.insert(deferred.assignment_id, FeedbackHold { since, until: deferred.until });
        }
        ReferralEvent::FeedbackGiven(given) => {
            if let Some(country) = &given.feedback.country {
                state.countries.insert(given.assignment_id, country.clone());
            }
            let (assignment_id, feedback) = (given.assignment_id, given.feedback.clone());
            state.feedback.push(Told { assignment_id, feedback, at: event.time });
        }
        ReferralEvent::SubmissionsRefused(_)
        | ReferralEvent::CommandRejected(_)
        | ReferralEvent::CommandFailed(_) => {}
    }
}
