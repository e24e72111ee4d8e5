//! What a step needs beside its place in the life of a request: its content, and what the legal basis demands.

use std::collections::BTreeSet;

use chassis::decider::{Context, Rejection};
use schemas::codes::{
    AgencyKind, BasisAnswer, ClockConsequence, ClockKind, ConsultationDuty, ConsultationSubject, DigestCheck,
    Measure, PaperForm, RefusalGround, RejectionCode, RequestKind, RequestRole, RequestState, RequestStep,
    Urgency,
};
use schemas::ids::Country;
use schemas::legal::{GroundRow, Instrument};
use schemas::mla::{EvidenceTransmission, Forwarding, Postponement, Step, TakeStep};
use schemas::time::Date;

use super::draft;
use super::state::{Evidence, Incident, Request, Taken};
use crate::legal::basis::{Reserved, reserved};
use crate::legal::calendar::Days;

/// Most pieces of evidence of one request, and most statements of cost.
const MAX_EVIDENCE: usize = 1_000;
const MAX_COSTS: usize = 100;
/// Hexadecimal digits of a SHA-256.
const DIGEST_DIGITS: usize = 64;
/// How long the other side may leave a consultation unanswered before whoever asked for it concludes it; and how long
/// in an emergency and in imminent danger.
const SILENCE_HOURS: i64 = 7 * 24;
const URGENT_SILENCE_HOURS: i64 = 24;
/// Longest language tag (BCP 47).
const MAX_LANGUAGE_BYTES: usize = 35;

type Checked = Result<(), Rejection>;

/// # Errors
/// The first thing that the step lacks.
pub fn check(
    context: &Context<'_>,
    incident: &Incident,
    (request, role): (&Request, RequestRole),
    command: &TakeStep,
) -> Checked {
    must_be_agreed(request, command.step.code())?;
    match &command.step {
        Step::Validation(_) => draft::must_be_complete(context, incident, request),
        Step::Transmission(_) => must_be_sendable(context, incident, request),
        Step::WrittenConfirmation(_) => must(request.unconfirmed, RejectionCode::WrongState),
        // Once for each receipt.
        Step::Acknowledgement(_) => {
            let last = last_of(request, [RequestStep::Receipt, RequestStep::Acknowledgement]);
            must(last == Some(RequestStep::Receipt), RejectionCode::WrongState)
        }
        Step::ReturnDeficient(step) => must_name("/step/missing", &step.missing),
        Step::Forwarding(step) => must_be_another_authority(context, request, step),
        Step::InformationRequest(step) => must_name("/step/elements", &step.elements),
        Step::Consultation(_) => must(request.consulting.is_none(), RejectionCode::WrongState),
        Step::ConsultationConclusion(_) => may_conclude(context, incident, request, role),
        Step::Acceptance(step) => {
            // Of what is given unasked, whoever gives it sets the conditions.
            let free = !request.is_unasked() || step.conditions.is_empty();
            must_at(free, RejectionCode::Invalid, "/step/conditions")?;
            must_be_different("/step/conditions", &step.conditions)
        }
        Step::ConditionsAgreement(_) => {
            let asks = if request.is_unasked() { RequestRole::Requested } else { RequestRole::Requesting };
            must(role == asks, RejectionCode::NotYourStep)?;
            let open = !request.conditions.is_empty() && !request.conditions_agreed;
            must(open, RejectionCode::WrongState)
        }
        Step::Postponement(step) => may_postpone(context, request, step),
        Step::Refusal(step) => {
            // Of an order by whoever was notified of it; whoever is asked to enforce recognises it, or not.
            let asked = request.draft.kind == RequestKind::Assistance;
            must(asked || request.took(RequestStep::Notification), RejectionCode::WrongState)?;
            must(asked || is_in_time(context, request, role), RejectionCode::PeriodOver)?;
            may_refuse(context, request, step.ground, step.consultation_not_appropriate)
        }
        Step::Recognition(step) => match step.ground {
            Some(_) if step.recognised => Err(Rejection::at(RejectionCode::Invalid, "/step/ground")),
            Some(ground) => may_refuse(context, request, ground, false),
            None => must_at(step.recognised, RejectionCode::Invalid, "/step/ground"),
        },
        Step::Preserved(step) => {
            must(request.draft.measures.contains(&Measure::Preservation), RejectionCode::WrongState)?;
            let future = step.holder_end.is_none_or(|end| end > context.now);
            must_at(future, RejectionCode::Invalid, "/step/holder_end")
        }
        Step::HolderEnd(step) => must_at(step.ends > context.now, RejectionCode::Invalid, "/step/ends"),
        Step::EvidenceTransmission(step) => may_transmit(request, step),
        Step::EvidenceReceipt(step) => {
            let waits = |evidence: &Evidence| evidence.digest == step.digest && evidence.received.is_none();
            let known = request.evidence.iter().any(waits);
            must_at(known, RejectionCode::Invalid, "/step/digest")
        }
        Step::Costs(step) => {
            let stated = request.history.iter().filter(|taken| taken.step() == RequestStep::Costs).count();
            must(stated < MAX_COSTS, RejectionCode::TooMany)?;
            must_at(step.amount >= 0, RejectionCode::Invalid, "/step/amount")?;
            let code = step.currency.len() == 3 && step.currency.bytes().all(|c| c.is_ascii_uppercase());
            must_at(code, RejectionCode::Invalid, "/step/currency")
        }
        Step::Document(step) => {
            must_at(is_of(step.form, request), RejectionCode::Invalid, "/step/form")?;
            must_at(is_digest(&step.digest), RejectionCode::Invalid, "/step/digest")?;
            let tag = !step.language.is_empty() && step.language.len() <= MAX_LANGUAGE_BYTES;
            must_at(tag, RejectionCode::Invalid, "/step/language")
        }
        Step::Closure(_) => may_close(request),
        Step::Notification(_) => {
            let once = request.draft.notified && !request.took(RequestStep::Notification);
            must(once, RejectionCode::WrongState)
        }
        Step::NotificationReceipt(_) => {
            must_follow(request, RequestStep::Notification, RequestStep::NotificationReceipt)
        }
        Step::NoGroundConfirmation(_) => {
            must_follow(request, RequestStep::NotificationReceipt, RequestStep::NoGroundConfirmation)
        }
        Step::Clarification(_) => must_be_about(request, RequestStep::ClarificationRequest),
        Step::Information(_) => must_be_about(request, RequestStep::InformationRequest),
        Step::ExPostValidation(_) => must(request.validator.is_none(), RejectionCode::WrongState),
        Step::Extension(_) => may_extend(request),
        Step::ProductionConfirmation(_) => {
            must(!request.took(RequestStep::ProductionConfirmation), RejectionCode::WrongState)
        }
        Step::Receipt(_) if role == RequestRole::Requesting => {
            // Whoever has sent an order says how it was served.
            context.must_be_human()?;
            must_at(command.note.is_some(), RejectionCode::Invalid, "/note")
        }
        Step::Objection(_) => must(is_in_time(context, request, role), RejectionCode::PeriodOver),
        Step::ConditionsOnUse(step) => {
            let sent = request.took(RequestStep::Notification) && !request.evidence.is_empty();
            must(sent, RejectionCode::WrongState)?;
            must(is_in_time(context, request, role), RejectionCode::PeriodOver)?;
            must_name("/step/conditions", &step.conditions)
        }
        Step::Deletion(_) => must(owes_deletion(request), RejectionCode::WrongState),
        Step::RelatedCase(_) => must_at(command.reference.is_some(), RejectionCode::Invalid, "/reference"),
        Step::Receipt(_)
        | Step::Execution(_)
        | Step::Substitution(_)
        | Step::Resumption(_)
        | Step::Delay(_)
        | Step::Outcome(_)
        | Step::TransferSuspension(_)
        | Step::TransferResumption(_)
        | Step::Withdrawal(_)
        | Step::ClarificationRequest(_)
        | Step::ObjectionReview(_)
        | Step::LegalRemedy(_)
        | Step::NonExecution(_)
        | Step::EnforcementRequest(_) => Ok(()),
    }
}

/// Whoever has asked for a consultation does not conclude it alone: the other side does, or has said nothing for so
/// long. The law names no number; it says that the sides consult.
fn may_conclude(context: &Context<'_>, incident: &Incident, request: &Request, role: RequestRole) -> Checked {
    let consulting = request.consulting.ok_or(RejectionCode::WrongState)?;
    let danger = incident.noted.as_ref().is_some_and(|noted| noted.urgency == Urgency::ImminentDanger);
    let urgent = danger || request.draft.emergency.is_some();
    let hours = if urgent { URGENT_SILENCE_HOURS } else { SILENCE_HOURS };
    let silent = context.now >= consulting.since.plus_minutes(hours * 60);
    must(role != consulting.by || silent, RejectionCode::NotYourStep)
}

/// Whether a side may still say what it may say only within a period.
fn is_in_time(context: &Context<'_>, request: &Request, role: RequestRole) -> bool {
    let rights = request.periods.values().filter(|period| {
        let started = &period.started;
        started.owed_by == role
            && started.kind == ClockKind::Max
            && started.then == ClockConsequence::Ceases
            && period.is_open()
    });
    !rights.into_iter().any(|period| period.is_past(context.now))
}

/// Whether data came under an order that does not stand, and nobody has said what became of them.
pub fn owes_deletion(request: &Request) -> bool {
    let production = request.draft.kind == RequestKind::ProductionOrder;
    let stands = !matches!(request.state, RequestState::Refused | RequestState::Withdrawn);
    production && !stands && !request.evidence.is_empty() && !request.took(RequestStep::Deletion)
}

/// Each form is of one instrument.
fn is_of(form: PaperForm, request: &Request) -> bool {
    let (basis, kind) = match form {
        PaperForm::EioAnnexA => ("eio", RequestKind::Assistance),
        PaperForm::EpocAnnexI => ("e-evidence", RequestKind::ProductionOrder),
        PaperForm::Budapest29 => ("budapest", RequestKind::Assistance),
    };
    let preserves = request.draft.measures.contains(&Measure::Preservation);
    let draft = &request.draft;
    draft.kind == kind
        && draft.basis.as_ref().is_some_and(|id| id.as_str() == basis)
        && (form == PaperForm::Budapest29) == preserves
}

/// Conditions bind only whoever agrees to them: before that nothing is carried out, and what is given unasked is not
/// taken up.
fn must_be_agreed(request: &Request, step: RequestStep) -> Checked {
    let carries_out = [
        RequestStep::Acceptance,
        RequestStep::Execution,
        RequestStep::Substitution,
        RequestStep::Delay,
        RequestStep::Preserved,
    ];
    let accepted = request.state == RequestState::AcceptedWithConditions && !request.conditions_agreed;
    let waits = accepted || request.withholds_from(RequestRole::Requested);
    must(!waits || !carries_out.contains(&step), RejectionCode::WrongState)
}

fn must(holds: bool, code: RejectionCode) -> Checked {
    if holds { Ok(()) } else { Err(code.into()) }
}

fn must_at(holds: bool, code: RejectionCode, pointer: &str) -> Checked {
    if holds { Ok(()) } else { Err(Rejection::at(code, pointer)) }
}

fn must_name<T: Ord>(pointer: &str, named: &[T]) -> Checked {
    must_at(!named.is_empty(), RejectionCode::Invalid, pointer)?;
    must_be_different(pointer, named)
}

fn must_be_different<T: Ord>(pointer: &str, named: &[T]) -> Checked {
    let different: BTreeSet<&T> = named.iter().collect();
    must_at(different.len() == named.len(), RejectionCode::Invalid, pointer)
}

/// Once, and after what it answers.
fn must_follow(request: &Request, before: RequestStep, step: RequestStep) -> Checked {
    must(request.took(before) && !request.took(step), RejectionCode::WrongState)
}

fn last_of(request: &Request, steps: [RequestStep; 2]) -> Option<RequestStep> {
    request.history.iter().rev().map(Taken::step).find(|step| steps.contains(step))
}

/// An answer of one form is no answer to another.
fn must_be_about(request: &Request, asked: RequestStep) -> Checked {
    let questions = [RequestStep::ClarificationRequest, RequestStep::InformationRequest];
    must(last_of(request, questions) == Some(asked), RejectionCode::WrongState)
}

/// Validated; or an order in an emergency for which Article 4(5) of Regulation (EU) 2023/1543 lets validation follow:
/// for subscriber data, data that only identify a user, and preservation.
fn must_be_sendable(context: &Context<'_>, incident: &Incident, request: &Request) -> Checked {
    // The originator may have said so since it was written.
    draft::must_be_told(context, incident, &request.draft)?;
    if request.state == RequestState::Validated {
        return Ok(());
    }
    let light = |measure: &Measure| {
        let lets = [Measure::SubscriberData, Measure::IdentificationOfAPerson, Measure::Preservation];
        lets.contains(measure)
    };
    let may_follow = request.draft.emergency.is_some() && request.draft.measures.iter().all(light);
    must(may_follow, RejectionCode::WrongState)?;
    draft::must_be_complete(context, incident, request)
}

fn must_be_another_authority(context: &Context<'_>, request: &Request, step: &Forwarding) -> Checked {
    let agency = context.directory.agency(&step.to, context.now);
    let agency = agency.ok_or_else(|| Rejection::at(RejectionCode::UnknownAgency, "/step/to"))?;
    let right = agency.kind == AgencyKind::CentralAuthority
        && agency.country == request.draft.requested
        && agency.id != request.authority;
    must_at(right, RejectionCode::Invalid, "/step/to")
}

/// The instrument that was picked, as its data stood when the request was validated.
pub fn basis<'a>(context: &Context<'a>, request: &Request) -> Option<&'a Instrument> {
    let as_of = request.basis_as_of.unwrap_or(context.now);
    context.directory.instrument(request.draft.basis.as_ref()?, as_of)
}

/// The day that it is in a State.
pub fn today(context: &Context<'_>, country: &Country) -> Date {
    Days::of(country, context.directory.calendar(country, context.now)).day(context.now).into()
}

/// A refusal is on a ground that the legal basis knows for a measure asked for, and after the consultation that it
/// demands.
fn may_refuse(
    context: &Context<'_>,
    request: &Request,
    ground: RefusalGround,
    consultation_not_appropriate: bool,
) -> Checked {
    let Some(instrument) = basis(context, request) else { return Ok(()) };
    let offered = || instrument.grounds.iter().filter(|row| row.mark.is_offered());
    // An instrument that names none leaves it to the law of the requested State.
    if offered().next().is_none() {
        return Ok(());
    }
    let requested = &request.draft.requested;
    // Of its own reservations the State itself knows best: only one that is known to have made none has no such ground.
    let open = |row: &&GroundRow| {
        !row.reserved
            || reserved(instrument, &row.article, requested, today(context, requested)) != Reserved::No
    };
    let rows: Vec<_> = offered().filter(|row| row.ground == ground).filter(open).collect();
    let known = |measure: &Measure| rows.iter().any(|row| row.is_about(*measure));
    let for_one = request.draft.measures.iter().any(known);
    must_at(for_one, RejectionCode::GroundNotAvailable, "/step/ground")?;
    let duty = rows.iter().filter_map(|row| row.consultation).min();
    must_have_consulted(request, ConsultationSubject::Refusal, duty, consultation_not_appropriate)
}

fn may_postpone(context: &Context<'_>, request: &Request, step: &Postponement) -> Checked {
    let later = step.until.is_none_or(|until| until > context.now);
    must_at(later, RejectionCode::Invalid, "/step/until")?;
    let Some(instrument) = basis(context, request) else { return Ok(()) };
    let offered = || instrument.postponements.iter().filter(|row| row.mark.is_offered());
    let row = offered().find(|row| row.ground == step.ground);
    let known = row.is_some() || offered().next().is_none();
    must_at(known, RejectionCode::GroundNotAvailable, "/step/ground")?;
    let duty = row.and_then(|row| row.consultation);
    must_have_consulted(request, ConsultationSubject::Postponement, duty, step.consultation_not_appropriate)
}

fn must_have_consulted(
    request: &Request,
    subject: ConsultationSubject,
    duty: Option<ConsultationDuty>,
    not_appropriate: bool,
) -> Checked {
    let consulted =
        request.consulted.contains(&subject) || request.consulted.contains(&ConsultationSubject::Conditions);
    let done = match duty {
        None => true,
        Some(ConsultationDuty::WhereAppropriate) => consulted || not_appropriate,
        Some(ConsultationDuty::Mandatory) => consulted,
    };
    must(done, RejectionCode::ConsultationNeeded)
}

fn is_digest(text: &str) -> bool {
    let digits = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
    text.len() == DIGEST_DIGITS && text.bytes().all(digits)
}

fn may_transmit(request: &Request, step: &EvidenceTransmission) -> Checked {
    must(request.evidence.len() < MAX_EVIDENCE, RejectionCode::TooMany)?;
    // What came as something else may be sent again.
    let known =
        request.evidence.iter().any(|evidence| evidence.digest == step.digest && !came_as_another(evidence));
    must_at(is_digest(&step.digest) && !known, RejectionCode::Invalid, "/step/digest")?;
    // What is due at the end of a period is not given before it, unless the enforcing authority lets it go.
    let held_back = |kind| kind == ClockKind::Exact;
    let mut periods = request.periods.values();
    let waits =
        periods.any(|period| held_back(period.started.kind) && period.is_open() && period.ran_out.is_none());
    let production = request.draft.kind == RequestKind::ProductionOrder;
    must(!production || !waits || request.took(RequestStep::NoGroundConfirmation), RejectionCode::WrongState)
}

fn came_as_another(evidence: &Evidence) -> bool {
    evidence.received.as_ref().is_some_and(|(_, _, check)| *check == DigestCheck::Differs)
}

fn came_as_sent(evidence: &Evidence) -> bool {
    evidence.received.as_ref().is_some_and(|(_, _, check)| *check == DigestCheck::Matches)
}

/// Nothing is left: all that was sent was compared with its digest, and what differed was sent again. What was given
/// unasked is closed once received.
fn may_close(request: &Request) -> Checked {
    let early = matches!(request.state, RequestState::Received | RequestState::Acknowledged);
    must(!early || request.is_unasked(), RejectionCode::WrongState)?;
    let done = request.evidence.iter().enumerate().all(|(number, evidence)| {
        let sent_again = || request.evidence[number + 1..].iter().any(came_as_sent);
        came_as_sent(evidence) || (came_as_another(evidence) && sent_again())
    });
    must_at(done, RejectionCode::WrongState, "/evidence")
}

/// Once, and while the period that it makes longer runs.
fn may_extend(request: &Request) -> Checked {
    must(!request.took(RequestStep::Extension), RejectionCode::AlreadyExtended)?;
    let mut periods = request.periods.values();
    let runs = periods.any(|period| period.started.owed_by == RequestRole::Addressee && period.runs());
    must(runs, RejectionCode::WrongState)
}

/// Whether an answer lets the instrument be picked: what is unknown is the authority's own risk, and shown as such.
pub const fn may_be_picked(answer: BasisAnswer) -> bool {
    matches!(answer, BasisAnswer::Applies | BasisAnswer::Unknown)
}
