//! Generated histories of commands in any order: what must hold after each of them.

use std::collections::BTreeMap;

use chassis::decider::{Context, Rejection};
use mla::domain::statistics::{self, Enforced, Figures, Group};
use mla::domain::{self, Incident, RoutingNews};
use proptest::prelude::*;
use schemas::codes::*;
use schemas::ids::{AgencyId, FacetId, InstrumentId, KeySetId, ReferralId, RequestId};
use schemas::mla::*;
use schemas::referral::SealedFacet;
use schemas::{Actor, Timestamp};

use crate::world::*;

pub const AGENCIES: [&str; 5] = ["de-central", "fr-central", "fr-central-south", "de-police", "ie-provider"];

/// One incident with everything that has happened in it.
pub struct History {
    pub state: Incident,
    pub events: Vec<(MlaEvent, Timestamp)>,
    pub now: Timestamp,
    commands: u64,
}

impl History {
    /// Noted, and taken up in Germany.
    pub fn start() -> Self {
        let mut history = Self {
            state: Incident::default(),
            events: Vec::new(),
            now: at("2026-09-01T08:00:00Z"),
            commands: 0,
        };
        let noted = IncidentNoted {
            referral_id: ReferralId::derive(&[b"referral"]),
            kind: IncidentKind::Csam,
            urgency: Urgency::Routine,
            never_told: vec![country("KE")],
        };
        history.learn("de-police", &RoutingNews::Opened(noted));
        history.learn("de-police", &RoutingNews::Accepted(agency("de-police")));
        history
    }

    fn learn(&mut self, by: &str, news: &RoutingNews) {
        let (agency, actor) = (agency(by), Actor::service("routing"));
        let context = context(&agency, &actor, "news", self.now);
        let events = domain::learn(&context, &self.state, news);
        self.take_in(events);
    }

    fn take_in(&mut self, events: Vec<MlaEvent>) {
        for event in events {
            domain::evolve(&mut self.state, &event, self.now);
            self.events.push((event, self.now));
        }
    }

    pub fn ask(&mut self, by: &str, command: impl Into<MlaCommand>) -> Result<Vec<MlaEvent>, Rejection> {
        self.ask_as(&agency(by), &Actor { id: "clerk".to_owned(), kind: ActorKind::Human }, &command.into())
    }

    fn ask_as(
        &mut self,
        by: &AgencyId,
        actor: &Actor,
        command: &MlaCommand,
    ) -> Result<Vec<MlaEvent>, Rejection> {
        self.commands += 1;
        let cause = format!("command-{}", self.commands);
        let events = domain::decide(&context(by, actor, &cause, self.now), &self.state, command)?;
        self.take_in(events.clone());
        Ok(events)
    }

    pub fn step(
        &mut self,
        by: &str,
        request_id: RequestId,
        step: impl Into<Step>,
    ) -> Result<Vec<MlaEvent>, Rejection> {
        self.ask(by, TakeStep { request_id, step: step.into(), note: None, reference: None })
    }

    pub fn draft(&mut self, draft: Draft) -> RequestId {
        self.ask("de-central", DraftRequest { draft }).unwrap();
        self.events.iter().rev().find_map(|(event, _)| event.request_id()).unwrap()
    }

    /// The next clock that is due, rung; whether there was one.
    pub fn ring(&mut self) -> Option<Vec<MlaEvent>> {
        let mut clocks = domain::clocks(&self.state);
        clocks.sort_by_key(|clock| clock.due);
        let clock = clocks.into_iter().next().filter(|clock| clock.due <= self.now)?;
        let (own, service) = (AgencyId::own(), Actor::service("mla"));
        let events = self.ask_as(&own, &service, &clock.command).unwrap();
        assert!(!events.is_empty(), "a clock that is due tells something: {clock:?}");
        // The same tick again, or a late one, tells nothing.
        assert_eq!(self.ask_as(&own, &service, &clock.command), Ok(Vec::new()));
        Some(events)
    }

    pub fn pass(&mut self, hours: i64) {
        self.now = self.now.plus_minutes(hours * 60);
        for _ in 0..1_000 {
            if self.ring().is_none() {
                return;
            }
        }
        panic!("clocks ring without an end");
    }
}

fn context<'a>(agency: &'a AgencyId, actor: &'a Actor, cause: &'a str, now: Timestamp) -> Context<'a> {
    Context { aggregate_id: INCIDENT, cause, now, agency, actor, directory: &DIRECTORY }
}

pub const INCIDENT: &str = "0191f0a2-7b1c-8f00-9d7e-000000000001";

pub fn sealed(kind: FacetKind) -> SealedFacet {
    SealedFacet {
        facet_id: FacetId::derive(&[kind.code().as_bytes()]),
        kind,
        person_ref: None,
        key_set_id: KeySetId::derive(&[kind.code().as_bytes()]),
        nonce: vec![0; 12],
        ciphertext: vec![1; 32],
    }
}

pub fn assistance(measure: Measure, basis: &str) -> Draft {
    Draft {
        kind: RequestKind::Assistance,
        requested: country("FR"),
        authority: agency("fr-central"),
        addressee: None,
        measures: vec![measure],
        basis: Some(InstrumentId::try_new(basis).unwrap()),
        emergency: None,
        notified: false,
        needed_by: None,
        languages: vec!["en".to_owned()],
        translation: TranslationState::NotNeeded,
        parent: None,
        confidential: false,
        conditions: Vec::new(),
        elements: ContentElement::ALL.to_vec(),
        text: sealed(FacetKind::RequestText),
        reasons: None,
    }
}

pub fn order(kind: RequestKind, measure: Measure) -> Draft {
    Draft {
        kind,
        requested: country("IE"),
        authority: agency("ie-central"),
        addressee: Some(agency("ie-provider")),
        ..assistance(measure, "e-evidence")
    }
}

pub fn rejected<T: std::fmt::Debug>(result: Result<T, Rejection>) -> RejectionCode {
    result.unwrap_err().code
}

pub fn refused_at<T: std::fmt::Debug>(result: Result<T, Rejection>) -> (RejectionCode, String) {
    let rejection = result.unwrap_err();
    (rejection.code, rejection.pointer.unwrap_or_default())
}

/// A request that the other side has received.
pub fn received(draft: Draft) -> (History, RequestId) {
    let mut history = History::start();
    let to = draft.addressee.clone().unwrap_or_else(|| draft.authority.clone());
    let id = history.draft(draft);
    send(&mut history, id);
    history.step(to.as_str(), id, Receipt {}).unwrap();
    (history, id)
}

pub fn send(history: &mut History, id: RequestId) {
    history.step("de-central", id, Validation { by: Validator::Judge }).unwrap();
    history
        .step("de-central", id, Transmission { channel: Channel::CentralAuthorities, oral: false })
        .unwrap();
}

pub fn due(history: &History, id: RequestId, clock: &str) -> Timestamp {
    history.state.requests[&id].periods[clock].started.due
}

pub fn end(history: &History, id: RequestId, clock: &str) -> Option<ClockEnd> {
    history.state.requests[&id].periods[clock].ended.map(|(_, end)| end)
}

pub fn state(history: &History, id: RequestId) -> RequestState {
    history.state.requests[&id].state
}

pub fn refusal(ground: RefusalGround, consultation_not_appropriate: bool) -> Refusal {
    Refusal { ground, consultation_not_appropriate }
}

pub fn evidence() -> EvidenceTransmission {
    EvidenceTransmission {
        digest: "0f".repeat(32),
        data_holder: agency("ie-provider"),
        channel: Channel::DecentralisedItSystem,
        return_required: false,
    }
}

/// Every step once, with something that it could say.
pub fn steps(now: Timestamp) -> Vec<Step> {
    let digest = "ab".repeat(32);
    vec![
        Validation { by: Validator::Judge }.into(),
        Transmission { channel: Channel::CentralAuthorities, oral: true }.into(),
        WrittenConfirmation {}.into(),
        Receipt {}.into(),
        ReturnDeficient { missing: vec![ContentElement::Facts] }.into(),
        Forwarding { to: agency("fr-central-south") }.into(),
        Acknowledgement {}.into(),
        InformationRequest { elements: vec![ContentElement::Facts] }.into(),
        Information { elements: vec![ContentElement::Facts] }.into(),
        Consultation { subject: ConsultationSubject::Refusal }.into(),
        ConsultationConclusion {}.into(),
        Acceptance { conditions: Vec::new() }.into(),
        Acceptance { conditions: vec![ConditionCode::UseLimitation] }.into(),
        ConditionsAgreement {}.into(),
        Postponement {
            ground: PostponementGround::OwnProceedings,
            until: None,
            consultation_not_appropriate: false,
        }
        .into(),
        Resumption {}.into(),
        Refusal { ground: RefusalGround::FundamentalRights, consultation_not_appropriate: true }.into(),
        Execution {}.into(),
        Substitution { measure: Measure::TrafficData }.into(),
        Delay { reason: DelayReason::Complexity, expected: None }.into(),
        Preserved { holder_end: Some(now.plus_minutes(50 * 24 * 60)) }.into(),
        HolderEnd { ends: now.plus_minutes(20 * 24 * 60) }.into(),
        Outcome { partial: false }.into(),
        TransferSuspension {}.into(),
        TransferResumption {}.into(),
        EvidenceTransmission {
            digest: digest.clone(),
            data_holder: agency("ie-provider"),
            channel: Channel::CentralAuthorities,
            return_required: false,
        }
        .into(),
        EvidenceReceipt { digest, check: DigestCheck::Matches }.into(),
        Document { form: PaperForm::EioAnnexA, language: "en".to_owned(), digest: "cd".repeat(32) }.into(),
        Costs { amount: 100, currency: "EUR".to_owned(), reimbursed: false }.into(),
        Closure {}.into(),
        Withdrawal { reason: WithdrawalReason::NoLongerRequired }.into(),
        Notification {}.into(),
        NotificationReceipt {}.into(),
        NoGroundConfirmation {}.into(),
        ClarificationRequest {}.into(),
        Clarification {}.into(),
        Objection {}.into(),
        ObjectionReview { upheld: true }.into(),
        NonExecution { reason: NonExecutionReason::Impossible }.into(),
        ExPostValidation { granted: true, by: Validator::Court }.into(),
        Extension {}.into(),
        ProductionConfirmation {}.into(),
        EnforcementRequest {}.into(),
        Recognition { recognised: true, ground: None }.into(),
        ConditionsOnUse { conditions: vec![ConditionCode::UseLimitation] }.into(),
        Deletion { restricted: false }.into(),
        LegalRemedy { by: RemedyApplicant::OtherPerson }.into(),
        RelatedCase { proceedings: RelatedProceedings::Extradition }.into(),
    ]
}

/// What must hold in every state.
fn must_hold(history: &History) {
    for (id, request) in &history.state.requests {
        let drafted = domain::is_draft(request.state);
        for other in AGENCIES.iter().chain(&["ie-central"]) {
            let sees = request.role_of(&agency(other)).is_some();
            let own = *other == "de-central" || request.units.contains_key(&agency(other));
            assert!(!sees || !drafted || own, "{other} sees a draft");
        }
        for period in request.periods.values() {
            let ways = [period.paused.is_some(), period.ran_out.is_some(), period.ended.is_some()];
            let open = ways.iter().filter(|way| **way).count();
            assert_eq!(period.runs(), open == 0, "{period:?}");
            assert_eq!(period.rings_at().is_some(), period.runs(), "{period:?}");
            assert!(
                !(period.paused.is_some() && period.ran_out.is_some()),
                "run out while paused: {period:?}"
            );
            assert!(
                period.started.warnings.iter().all(|warning| *warning < period.started.due),
                "{period:?}"
            );
            let duty = domain::is_over(request.state) && !period.guards_data();
            assert!(!duty || !period.runs(), "{id} is {} and {} runs", request.state, period.started.clock);
        }
        assert!(request.state != RequestState::Validated || request.validator.is_some());
        let withheld = request.withholds_from(RequestRole::Requested);
        assert!(!withheld || request.is_unasked(), "only what is given unasked is withheld");
        assert!(!request.conditions_agreed || !request.conditions.is_empty());
    }
    let mut folded = Incident::default();
    history.events.iter().for_each(|(event, time)| domain::evolve(&mut folded, event, *time));
    let bytes = |state: &Incident| postcard::to_allocvec(state).unwrap();
    assert_eq!(bytes(&folded), bytes(&history.state), "the fold of the events is the state");
}

fn drafts() -> [Draft; 7] {
    [
        Draft {
            conditions: vec![ConditionCode::Confidentiality],
            ..assistance(Measure::SpontaneousInformation, "budapest")
        },
        assistance(Measure::ContentData, "eio"),
        assistance(Measure::Preservation, "budapest"),
        assistance(Measure::Hearing, "untoc"),
        order(RequestKind::ProductionOrder, Measure::ContentData),
        Draft { notified: true, ..order(RequestKind::ProductionOrder, Measure::TrafficData) },
        order(RequestKind::PreservationOrder, Measure::Preservation),
    ]
}

/// Who asks for which step, and after how many hours the next is asked for.
type Asked = Vec<(usize, usize, i64)>;

fn asked() -> impl Strategy<Value = Asked> {
    proptest::collection::vec((0..AGENCIES.len(), 0..100usize, 0..400i64), 1..60)
}

/// Asks for every step; how many of them were taken.
fn play(
    history: &mut History,
    id: RequestId,
    asked: Asked,
    mut after: impl FnMut(&mut History, i64),
) -> usize {
    let mut taken = 0;
    for (by, step, hours) in asked {
        let steps = steps(history.now);
        let before = history.state.clone();
        // Whoever may take the step, more often than not: a history that is refused throughout shows nothing.
        let wanted = &steps[step % steps.len()];
        for agency in [AGENCIES[by], "de-central", "fr-central", "ie-provider", "ie-central"] {
            let reference = matches!(wanted, Step::RelatedCase(_)).then(|| sealed(FacetKind::CaseNumber));
            let step = TakeStep { request_id: id, step: wanted.clone(), note: None, reference };
            match history.ask(agency, step) {
                Ok(events) => {
                    taken += 1;
                    assert!(events.iter().any(|event| matches!(event, MlaEvent::StepTaken(_))));
                    must_hold(history);
                    break;
                }
                Err(_) => assert_eq!(before, history.state),
            }
        }
        after(history, hours);
    }
    taken
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn commands_in_any_order_lead_to_no_illegal_state(kind in 0..7usize, asked in asked()) {
        let mut history = History::start();
        let id = history.draft(drafts()[kind].clone());
        let taken = play(&mut history, id, asked, |history, hours| {
            if hours % 3 == 0 {
                history.pass(hours);
                must_hold(history);
            }
        });
        // A step that was taken is in the history of the request, and nothing else is.
        prop_assert_eq!(history.state.requests[&id].history.len(), taken);
    }

    #[test]
    fn statistics_come_out_the_same_as_of_any_past_moment(kind in 4..7usize, asked in asked()) {
        let mut history = History::start();
        let id = history.draft(drafts()[kind].clone());
        let by = Validator::Judge;
        history.step("de-central", id, Validation { by }).unwrap();
        history.pass(1);
        let channel = Channel::ProviderDirect;
        history.step("de-central", id, Transmission { channel, oral: false }).unwrap();
        history.pass(1);
        let mut seen = Vec::new();
        play(&mut history, id, asked, |history, hours| {
            seen.push((history.now, figures(history, history.now)));
            history.pass(1 + hours % 100);
        });
        for (moment, then) in seen {
            prop_assert_eq!(figures(&history, moment), then, "as of {}", moment);
        }
    }
}

/// The statistics of both sides.
fn figures(history: &History, moment: Timestamp) -> (BTreeMap<Group, Figures>, Enforced) {
    let orders = || history.state.requests.values();
    let issued = statistics::issued_by(&country("DE"), orders(), moment);
    (issued, statistics::enforced_by(&country("IE"), orders(), moment))
}
