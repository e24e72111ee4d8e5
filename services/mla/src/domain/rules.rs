//! Who may take which step, in which state, and how the request stands after it: one table for assistance, one for
//! orders.

use schemas::codes::RequestRole::{self, Addressee, Requested, Requesting};
use schemas::codes::RequestState::{
    self, Accepted, AcceptedWithConditions, Acknowledged, AdditionalInfoRequested, Closed, Delayed, Draft,
    EvidenceTransmitted, Executed, Forwarded, InEnforcement, InExecution, MeasureSubstituted, NotExecuted,
    PartiallyExecuted, Postponed, Received, Refused, ReturnedDeficient, TransferSuspended, Transmitted,
    Validated, Withdrawn,
};
use schemas::codes::{FacetKind, RequestKind, RequestStep};
use schemas::ids::AgencyId;
use schemas::mla::Step;

use super::state::Request;

/// What a step needs.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    pub by: &'static [RequestRole],
    /// Whether the side's authority takes it itself, and no unit that it involves.
    pub authority_only: bool,
    /// Whether a machine may not take it.
    pub by_a_person: bool,
    pub from: &'static [RequestState],
    pub to: To,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    State(RequestState),
    /// It stands as it stood.
    Stays,
    /// Back to where it was held up.
    Back,
    /// It depends on what the step says.
    AsSaid,
}

const REQUESTING: &[RequestRole] = &[Requesting];
const REQUESTED: &[RequestRole] = &[Requested];
const ADDRESSEE: &[RequestRole] = &[Addressee];
const BOTH: &[RequestRole] = &[Requesting, Requested];

/// Before a decision.
const UNDECIDED: &[RequestState] = &[Received, Acknowledged, AdditionalInfoRequested];
/// With the requested side, and nothing has come of it yet.
const UNDER_WAY: &[RequestState] =
    &[Received, Acknowledged, Accepted, AcceptedWithConditions, InExecution, MeasureSubstituted, Delayed];
/// First the side's own, then what the other side has not received, then what it has, and at last what it has done.
const EVER: &[RequestState] = &[
    Draft,
    Validated,
    Transmitted,
    ReturnedDeficient,
    Forwarded,
    Received,
    Acknowledged,
    AdditionalInfoRequested,
    Accepted,
    AcceptedWithConditions,
    Postponed,
    InExecution,
    MeasureSubstituted,
    Delayed,
    Executed,
    PartiallyExecuted,
    TransferSuspended,
    EvidenceTransmitted,
    NotExecuted,
    InEnforcement,
    Closed,
];
const NOT_OVER: &[RequestState] = EVER.split_at(EVER.len() - 1).0;
/// Known to the other side, and not over.
const OPEN: &[RequestState] = NOT_OVER.split_at(2).1;
/// Known to the other side, and perhaps closed.
const SENT: &[RequestState] = EVER.split_at(2).1;
/// With whoever has received it.
const WITH_RECEIVER: &[RequestState] = NOT_OVER.split_at(5).1;

/// Received by the other side, which has not done with it.
pub fn is_with_receiver(state: RequestState) -> bool {
    WITH_RECEIVER.contains(&state)
}

/// The rule of a step; none where the kind of request does not know it.
pub fn rule(kind: RequestKind, step: RequestStep) -> Option<Rule> {
    match kind {
        RequestKind::Assistance => assistance(step),
        RequestKind::ProductionOrder | RequestKind::PreservationOrder => order(kind, step),
    }
}

/// The steps that an agency may take from where the request stands: what each needs beside is not looked at.
pub fn steps(request: &Request, role: RequestRole, agency: &AgencyId) -> Vec<RequestStep> {
    let is_authority = request.agency_of(role) == Some(agency);
    let may = |step: &RequestStep| {
        rule(request.draft.kind, *step).is_some_and(|rule| {
            rule.by.contains(&role)
                && rule.from.contains(&request.state)
                && (is_authority || !rule.authority_only)
        })
    };
    RequestStep::ALL.iter().copied().filter(may).collect()
}

const fn by_authority(by: &'static [RequestRole], from: &'static [RequestState], to: To) -> Rule {
    Rule { by, authority_only: true, by_a_person: true, from, to }
}

const fn by_side(by: &'static [RequestRole], from: &'static [RequestState], to: To) -> Rule {
    Rule { by, authority_only: false, by_a_person: true, from, to }
}

const fn by_anyone(by: &'static [RequestRole], from: &'static [RequestState], to: To) -> Rule {
    Rule { by, authority_only: false, by_a_person: false, from, to }
}

fn assistance(step: RequestStep) -> Option<Rule> {
    use To::{AsSaid, Back, State, Stays};
    Some(match step {
        RequestStep::Validation => by_authority(REQUESTING, &[Draft], State(Validated)),
        RequestStep::Transmission => by_authority(REQUESTING, &[Validated], State(Transmitted)),
        RequestStep::WrittenConfirmation => by_authority(REQUESTING, OPEN, Stays),
        RequestStep::Receipt => by_anyone(REQUESTED, &[Transmitted, Forwarded], State(Received)),
        RequestStep::ReturnDeficient => by_authority(REQUESTED, &[Received], State(ReturnedDeficient)),
        RequestStep::Forwarding => by_authority(REQUESTED, &[Received], State(Forwarded)),
        RequestStep::Acknowledgement => by_side(REQUESTED, WITH_RECEIVER, AsSaid),
        RequestStep::InformationRequest => by_side(REQUESTED, UNDER_WAY, State(AdditionalInfoRequested)),
        RequestStep::Information => by_side(REQUESTING, &[AdditionalInfoRequested], Back),
        RequestStep::Consultation | RequestStep::ConsultationConclusion => by_side(BOTH, OPEN, Stays),
        RequestStep::Acceptance => by_authority(REQUESTED, &[Received, Acknowledged], AsSaid),
        RequestStep::ConditionsAgreement => {
            by_authority(BOTH, &[Received, Acknowledged, AcceptedWithConditions], Stays)
        }
        RequestStep::Postponement => by_authority(REQUESTED, UNDER_WAY, State(Postponed)),
        RequestStep::Resumption => by_authority(REQUESTED, &[Postponed], Back),
        RequestStep::Refusal => by_authority(
            REQUESTED,
            &[Received, Acknowledged, AdditionalInfoRequested, Postponed],
            State(Refused),
        ),
        RequestStep::Execution => by_side(REQUESTED, &[Accepted, AcceptedWithConditions], State(InExecution)),
        RequestStep::Substitution => {
            by_side(REQUESTED, &[Accepted, AcceptedWithConditions, InExecution], State(MeasureSubstituted))
        }
        RequestStep::Delay => by_side(REQUESTED, UNDER_WAY, AsSaid),
        RequestStep::Preserved => by_side(REQUESTED, UNDER_WAY, State(Executed)),
        RequestStep::HolderEnd => by_anyone(BOTH, OPEN, Stays),
        RequestStep::Outcome => by_side(REQUESTED, &[InExecution, MeasureSubstituted, Delayed], AsSaid),
        RequestStep::TransferSuspension => {
            by_authority(REQUESTED, &[Executed, PartiallyExecuted], State(TransferSuspended))
        }
        RequestStep::TransferResumption => by_authority(REQUESTED, &[TransferSuspended], Back),
        RequestStep::EvidenceTransmission => {
            let from = &[Executed, PartiallyExecuted, EvidenceTransmitted];
            by_side(REQUESTED, from, State(EvidenceTransmitted))
        }
        RequestStep::EvidenceReceipt => by_side(REQUESTING, &[EvidenceTransmitted], Stays),
        RequestStep::Costs => by_side(BOTH, OPEN, Stays),
        RequestStep::LegalRemedy => by_side(BOTH, SENT, Stays),
        RequestStep::RelatedCase => by_side(BOTH, NOT_OVER, Stays),
        RequestStep::Document => by_side(BOTH, NOT_OVER, Stays),
        RequestStep::Closure => by_authority(
            REQUESTING,
            // Information that nobody asked for is closed once it was received.
            &[Received, Acknowledged, Executed, PartiallyExecuted, EvidenceTransmitted],
            State(Closed),
        ),
        RequestStep::Withdrawal => by_authority(REQUESTING, NOT_OVER, State(Withdrawn)),
        _ => return None,
    })
}

fn order(kind: RequestKind, step: RequestStep) -> Option<Rule> {
    use To::{AsSaid, Back, State, Stays};
    const WITH_ADDRESSEE: &[RequestState] = &[Received, Acknowledged];
    let production = kind == RequestKind::ProductionOrder;
    Some(match step {
        RequestStep::Validation => by_authority(REQUESTING, &[Draft], State(Validated)),
        // In an emergency before it is validated.
        RequestStep::Transmission => by_authority(REQUESTING, &[Draft, Validated], State(Transmitted)),
        RequestStep::ExPostValidation => by_authority(REQUESTING, OPEN, AsSaid),
        RequestStep::Notification if production => by_authority(REQUESTING, OPEN, Stays),
        RequestStep::NotificationReceipt if production => by_anyone(REQUESTED, OPEN, Stays),
        RequestStep::NoGroundConfirmation if production => by_authority(REQUESTED, OPEN, Stays),
        RequestStep::Refusal if production => by_authority(REQUESTED, OPEN, State(Refused)),
        RequestStep::Receipt => by_anyone(&[Addressee, Requesting], &[Transmitted], State(Received)),
        RequestStep::Acknowledgement => by_anyone(ADDRESSEE, &[Received], State(Acknowledged)),
        RequestStep::ClarificationRequest => {
            by_side(ADDRESSEE, WITH_ADDRESSEE, State(AdditionalInfoRequested))
        }
        RequestStep::Clarification => by_side(REQUESTING, &[AdditionalInfoRequested], Back),
        RequestStep::Objection if production => by_side(ADDRESSEE, WITH_ADDRESSEE, State(TransferSuspended)),
        RequestStep::ObjectionReview if production => by_authority(REQUESTING, &[TransferSuspended], AsSaid),
        RequestStep::NonExecution => {
            let from = &[Received, Acknowledged, AdditionalInfoRequested, InExecution];
            by_side(ADDRESSEE, from, State(NotExecuted))
        }
        RequestStep::EnforcementRequest => {
            // Also of whoever never said that it has received the order.
            let from = &[Transmitted, Received, Acknowledged, NotExecuted];
            by_authority(REQUESTING, from, State(InEnforcement))
        }
        RequestStep::InformationRequest => {
            by_side(REQUESTED, &[InEnforcement], State(AdditionalInfoRequested))
        }
        RequestStep::Information => by_side(REQUESTING, &[AdditionalInfoRequested], Back),
        RequestStep::Consultation | RequestStep::ConsultationConclusion => by_side(BOTH, OPEN, Stays),
        RequestStep::Recognition => by_authority(REQUESTED, &[InEnforcement], AsSaid),
        RequestStep::EvidenceTransmission if production => by_side(
            ADDRESSEE,
            &[Received, Acknowledged, InExecution, EvidenceTransmitted],
            State(EvidenceTransmitted),
        ),
        RequestStep::EvidenceReceipt => by_side(REQUESTING, &[EvidenceTransmitted], Stays),
        RequestStep::Preserved if !production => {
            by_side(ADDRESSEE, &[Received, Acknowledged, InExecution], State(Executed))
        }
        RequestStep::HolderEnd => by_anyone(&[Requesting, Addressee], OPEN, Stays),
        RequestStep::Extension | RequestStep::ProductionConfirmation if !production => {
            by_authority(REQUESTING, &[Received, Acknowledged, Executed], Stays)
        }
        RequestStep::Costs => by_side(&[Requesting, Addressee], OPEN, Stays),
        RequestStep::ConditionsOnUse if production => by_authority(REQUESTED, OPEN, Stays),
        // What came under an order that does not stand.
        RequestStep::Deletion if production => by_authority(REQUESTING, &[Refused, Withdrawn], Stays),
        RequestStep::LegalRemedy => by_side(BOTH, SENT, Stays),
        RequestStep::RelatedCase => by_side(BOTH, NOT_OVER, Stays),
        RequestStep::Document => by_side(BOTH, NOT_OVER, Stays),
        RequestStep::Closure => {
            by_authority(REQUESTING, &[EvidenceTransmitted, Executed, NotExecuted], State(Closed))
        }
        RequestStep::Withdrawal => by_authority(REQUESTING, NOT_OVER, State(Withdrawn)),
        _ => return None,
    })
}

/// How the request stands once the step is taken.
pub fn state_after(request: &Request, step: &Step, rule: Rule) -> RequestState {
    match (rule.to, step) {
        (To::State(state), _) => state,
        (To::Back, _) => request.before,
        (To::AsSaid, Step::Acceptance(acceptance)) if acceptance.conditions.is_empty() => Accepted,
        (To::AsSaid, Step::Acceptance(_)) => AcceptedWithConditions,
        // A decision may have come first; the acknowledgement is owed all the same.
        (To::AsSaid, Step::Acknowledgement(_)) if request.state == Received => Acknowledged,
        (To::AsSaid, Step::Outcome(outcome)) if outcome.partial => PartiallyExecuted,
        (To::AsSaid, Step::Outcome(_)) => Executed,
        // Before a decision it makes the time for it longer; later it holds the measure up.
        (To::AsSaid, Step::Delay(_)) if UNDECIDED.contains(&request.state) => request.state,
        (To::AsSaid, Step::Delay(_)) => Delayed,
        (To::AsSaid, Step::ObjectionReview(review)) if review.upheld => request.before,
        (To::AsSaid, Step::Recognition(recognition)) if recognition.recognised => InExecution,
        (To::AsSaid, Step::Recognition(_)) => Refused,
        (To::AsSaid, Step::ExPostValidation(validation)) if !validation.granted => Withdrawn,
        (To::AsSaid, Step::ObjectionReview(_)) => Withdrawn,
        (To::AsSaid | To::Stays, _) => request.state,
    }
}

/// What authorities write to each other on these steps the addressee of an order never opens.
pub const fn note_kind(step: &Step) -> FacetKind {
    match step {
        Step::Information(_)
        | Step::InformationRequest(_)
        | Step::Consultation(_)
        | Step::ConsultationConclusion(_)
        | Step::Refusal(_)
        | Step::Notification(_)
        | Step::NotificationReceipt(_)
        | Step::NoGroundConfirmation(_)
        | Step::ExPostValidation(_)
        | Step::EnforcementRequest(_)
        | Step::Recognition(_)
        | Step::ConditionsOnUse(_)
        | Step::Deletion(_)
        | Step::LegalRemedy(_)
        | Step::RelatedCase(_) => FacetKind::RequestReasons,
        _ => FacetKind::RequestText,
    }
}
