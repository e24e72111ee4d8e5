//! What is taken back reaches everyone who may have acted on it, and each of them acknowledges.

use std::collections::BTreeSet;

use chassis::decider::{Context, Rejection};
use schemas::codes::{AgencyKind, RejectionCode, RetractionReason};
use schemas::ids::{AgencyId, AssessmentId, RetractionId};
use schemas::routing::{
    AcknowledgeRetraction, AssessmentRetracted, RetractAssessment, RetractionAcknowledged, RetractionIssued,
    RoutingEvent,
};

use super::state::Incident;
use super::with_what_follows;

/// The author takes an assessment back: it stays, no longer counts, and whoever read it is told.
pub fn retract(
    context: &Context<'_>,
    incident: &Incident,
    command: &RetractAssessment,
) -> Result<Vec<RoutingEvent>, Rejection> {
    let id = command.assessment_id;
    let own = |added: &&schemas::routing::AssessmentAdded| {
        added.assessment_id == id && added.by == *context.agency && !incident.retracted.contains(&id)
    };
    if !incident.assessments.iter().any(|added| own(&added)) {
        return Err(RejectionCode::UnknownAssessment.into());
    }
    context.must_be_human()?;
    let retracted = AssessmentRetracted { assessment_id: id, reason: command.reason };
    let mut events = with_what_follows(context, incident, retracted.into());
    let readers = readers_but(context, incident);
    events.extend(issue(context, incident, Some(id), command.reason, readers));
    Ok(events)
}

/// Who could read an assessment: every assigned agency, and the reporter unless it is a provider.
fn readers_but(context: &Context<'_>, incident: &Incident) -> BTreeSet<AgencyId> {
    let reporter = incident.opened.as_ref().map(|opened| opened.reporter.clone());
    let provider = |id: &AgencyId| {
        context.directory.agency(id, context.now).is_some_and(|agency| agency.kind == AgencyKind::Provider)
    };
    let reporter = reporter.filter(|id| !provider(id));
    let mut readers: BTreeSet<AgencyId> = incident.recipients().into_iter().chain(reporter).collect();
    readers.remove(context.agency);
    readers
}

/// The retraction, where there is anybody to be told.
pub fn issue(
    context: &Context<'_>,
    incident: &Incident,
    assessment_id: Option<AssessmentId>,
    reason: RetractionReason,
    recipients: BTreeSet<AgencyId>,
) -> Option<RoutingEvent> {
    if recipients.is_empty() {
        return None;
    }
    let number = (incident.retractions.len() as u64).to_be_bytes();
    let retraction_id = RetractionId::derive(&[context.aggregate_id.as_bytes(), &number]);
    let recipients = recipients.into_iter().collect();
    Some(RetractionIssued { retraction_id, assessment_id, reason, recipients }.into())
}

pub fn acknowledge(
    context: &Context<'_>,
    incident: &Incident,
    command: &AcknowledgeRetraction,
) -> Result<Vec<RoutingEvent>, Rejection> {
    let retraction = incident.retractions.get(&command.retraction_id);
    let told = retraction.filter(|retraction| retraction.issued.recipients.contains(context.agency));
    let told = told.ok_or(RejectionCode::UnknownRetraction)?;
    context.must_be_human()?;
    if told.acknowledged.contains(context.agency) {
        return Err(RejectionCode::WrongState.into());
    }
    let (retraction_id, by) = (command.retraction_id, context.agency.clone());
    Ok(vec![RetractionAcknowledged { retraction_id, by }.into()])
}
