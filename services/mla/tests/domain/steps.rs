//! Steps with their guards: what each side may do when, and what follows for the legal periods.

use mla::domain;
use schemas::codes::*;
use schemas::ids::{InstrumentId, RequestId};
use schemas::mla::*;

use crate::history::*;
use crate::world::*;

#[test]
fn an_order_between_judges_runs_through_its_periods() {
    let (mut history, id) = received(assistance(Measure::ContentData, "eio"));
    // Tuesday 1 September 2026, in France.
    assert_eq!(due(&history, id, "EIO-16"), at("2026-09-08T22:00:00Z"));
    assert_eq!(due(&history, id, "EIO-12.3"), at("2026-10-01T22:00:00Z"));
    history.pass(24);
    history.step("fr-central", id, Acknowledgement {}).unwrap();
    assert_eq!(end(&history, id, "EIO-16"), Some(ClockEnd::Met));
    // Thirty more days, once; before the decision it does not hold the measure up.
    let delay = || Delay { reason: DelayReason::Complexity, expected: None };
    history.step("fr-central", id, delay()).unwrap();
    assert_eq!(due(&history, id, "EIO-12.3"), at("2026-11-02T23:00:00Z"));
    assert_eq!(state(&history, id), RequestState::Acknowledged);
    history.step("fr-central", id, delay()).unwrap();
    assert_eq!(due(&history, id, "EIO-12.3"), at("2026-11-02T23:00:00Z"));
    history.pass(24);
    history.step("fr-central", id, Acceptance { conditions: Vec::new() }).unwrap();
    assert_eq!(end(&history, id, "EIO-12.3"), Some(ClockEnd::Met));
    // Ninety days from the decision, not from receipt; they stand still while it is put off.
    assert_eq!(due(&history, id, "EIO-12.4"), at("2026-12-02T23:00:00Z"));
    let put_off = Postponement {
        ground: PostponementGround::OwnProceedings,
        until: None,
        consultation_not_appropriate: false,
    };
    history.step("fr-central", id, put_off).unwrap();
    history.pass(10 * 24);
    history.step("fr-central", id, Resumption {}).unwrap();
    assert_eq!(due(&history, id, "EIO-12.4"), at("2026-12-14T23:00:00Z"));
    assert_eq!(state(&history, id), RequestState::Accepted);
    history.step("fr-central", id, Execution {}).unwrap();
    history.step("fr-central", id, Outcome { partial: false }).unwrap();
    assert_eq!(end(&history, id, "EIO-12.4"), Some(ClockEnd::Met));
}

#[test]
fn what_was_asked_orally_or_by_an_urgent_channel_is_confirmed_in_writing() {
    let table = [
        (Channel::CentralAuthorities, false, false),
        (Channel::CentralAuthorities, true, true),
        (Channel::JudicialAuthorities, false, false),
        (Channel::JudicialAuthorities, true, true),
        (Channel::Interpol, false, true),
        (Channel::ContactPoint, false, true),
    ];
    for (channel, oral, awaited) in table {
        let mut history = History::start();
        let id = history.draft(assistance(Measure::ContentData, "budapest"));
        history.step("de-central", id, Validation { by: Validator::Judge }).unwrap();
        history.step("de-central", id, Transmission { channel, oral }).unwrap();
        assert_eq!(history.state.requests[&id].unconfirmed, awaited, "{channel:?}, orally: {oral}");
        let confirmed = history.step("de-central", id, WrittenConfirmation {});
        assert_eq!(confirmed.is_ok(), awaited, "{channel:?}, orally: {oral}");
        assert!(!history.state.requests[&id].unconfirmed);
    }
}

#[test]
fn what_came_back_goes_to_the_same_side_and_is_validated_anew() {
    let draft = assistance(Measure::ContentData, "eio");
    let (mut history, id) = received(draft.clone());
    history.step("fr-central", id, ReturnDeficient { missing: vec![ContentElement::Facts] }).unwrap();
    // Nobody is late with what was sent back.
    assert!(history.state.requests[&id].periods.values().all(|period| !period.runs()));
    let elsewhere = Draft { requested: country("IE"), authority: agency("ie-central"), ..draft.clone() };
    let amend = |draft| AmendRequest { request_id: id, draft };
    let refused = refused_at(history.ask("de-central", amend(elsewhere)));
    assert_eq!(refused, (RejectionCode::Invalid, "/requested".to_owned()));
    history.ask("de-central", amend(draft)).unwrap();
    let request = &history.state.requests[&id];
    assert_eq!((request.validator, request.basis_as_of), (None, None));
    history.pass(24);
    send(&mut history, id);
    history.step("fr-central", id, Receipt {}).unwrap();
    assert_eq!(due(&history, id, "EIO-16"), at("2026-09-09T22:00:00Z"));
}

#[test]
fn periods_run_from_the_receipt_of_the_authority_whose_it_is() {
    let (mut history, id) = received(assistance(Measure::ContentData, "eio"));
    history.step("fr-central", id, Forwarding { to: agency("fr-central-south") }).unwrap();
    assert_eq!(end(&history, id, "EIO-12.3"), Some(ClockEnd::Superseded));
    history.pass(5 * 24);
    history.step("fr-central-south", id, Receipt {}).unwrap();
    assert_eq!(due(&history, id, "EIO-16"), at("2026-09-14T22:00:00Z"));
    assert_eq!(due(&history, id, "EIO-12.3"), at("2026-10-06T22:00:00Z"));
}

#[test]
fn an_acknowledgement_is_owed_after_a_decision_too() {
    let (mut history, id) = received(assistance(Measure::ContentData, "eio"));
    history.step("fr-central", id, Acceptance { conditions: Vec::new() }).unwrap();
    history.step("fr-central", id, Acknowledgement {}).unwrap();
    assert_eq!(end(&history, id, "EIO-16"), Some(ClockEnd::Met));
    assert_eq!(state(&history, id), RequestState::Accepted);
    let again = history.step("fr-central", id, Acknowledgement {});
    assert_eq!(rejected(again), RejectionCode::WrongState);
}

#[test]
fn nothing_is_carried_out_before_the_conditions_are_agreed_to() {
    let (mut history, id) = received(assistance(Measure::ContentData, "eio"));
    let conditions = vec![ConditionCode::UseLimitation];
    history.step("fr-central", id, Acceptance { conditions }).unwrap();
    let steps: [Step; 3] = [
        Execution {}.into(),
        Substitution { measure: Measure::TrafficData }.into(),
        Delay { reason: DelayReason::Complexity, expected: None }.into(),
    ];
    for step in steps {
        assert_eq!(rejected(history.step("fr-central", id, step)), RejectionCode::WrongState);
    }
    history.step("de-central", id, ConditionsAgreement {}).unwrap();
    history.step("fr-central", id, Execution {}).unwrap();
}

#[test]
fn evidence_that_differs_is_sent_again_before_the_request_is_closed() {
    let (mut history, id) = received(assistance(Measure::ContentData, "eio"));
    history.step("fr-central", id, Acceptance { conditions: Vec::new() }).unwrap();
    history.step("fr-central", id, Execution {}).unwrap();
    history.step("fr-central", id, Outcome { partial: false }).unwrap();
    let sent = evidence();
    let receipt = |check| EvidenceReceipt { digest: evidence().digest, check };
    history.step("fr-central", id, sent.clone()).unwrap();
    let twice = refused_at(history.step("fr-central", id, sent.clone()));
    assert_eq!(twice, (RejectionCode::Invalid, "/step/digest".to_owned()));
    history.step("de-central", id, receipt(DigestCheck::Differs)).unwrap();
    assert_eq!(rejected(history.step("de-central", id, Closure {})), RejectionCode::WrongState);
    history.step("fr-central", id, sent).unwrap();
    assert_eq!(rejected(history.step("de-central", id, Closure {})), RejectionCode::WrongState);
    history.step("de-central", id, receipt(DigestCheck::Matches)).unwrap();
    history.step("de-central", id, Closure {}).unwrap();
}

#[test]
fn an_open_request_stands_on_the_list_at_every_step() {
    let (mut history, id) = received(assistance(Measure::ContentData, "budapest"));
    let next = |history: &History| {
        let items = domain::due::items(&history.state.requests[&id], RequestRole::Requested);
        items.iter().map(|item| (item.reason, item.owed_by)).collect::<Vec<_>>()
    };
    let (ours, theirs) = (RequestRole::Requesting, RequestRole::Requested);
    assert_eq!(next(&history), [(DueReason::Decision, theirs)]);
    history.step("fr-central", id, Acceptance { conditions: Vec::new() }).unwrap();
    assert_eq!(next(&history), [(DueReason::Outcome, theirs)]);
    history.step("fr-central", id, Execution {}).unwrap();
    assert_eq!(next(&history), [(DueReason::Outcome, theirs)]);
    history.step("fr-central", id, Outcome { partial: false }).unwrap();
    assert_eq!(next(&history), [(DueReason::Evidence, theirs)]);
    let sent = evidence();
    let digest = sent.digest.clone();
    history.step("fr-central", id, sent).unwrap();
    assert_eq!(next(&history), [(DueReason::EvidenceReceipt, ours)]);
    history.step("de-central", id, EvidenceReceipt { digest, check: DigestCheck::Matches }).unwrap();
    assert_eq!(next(&history), [(DueReason::Closure, ours)]);
    history.step("de-central", id, Closure {}).unwrap();
    assert_eq!(next(&history), []);
}

#[test]
fn whoever_is_never_told_is_not_asked_either() {
    let mut history = History::start();
    let id = history.draft(assistance(Measure::ContentData, "eio"));
    history.step("de-central", id, Validation { by: Validator::Judge }).unwrap();
    // The originator says so only now.
    history.state.noted.as_mut().unwrap().never_told.push(country("FR"));
    let sent = Transmission { channel: Channel::CentralAuthorities, oral: false };
    let refused = refused_at(history.step("de-central", id, sent));
    assert_eq!(refused, (RejectionCode::TransferNotAllowed, "/requested".to_owned()));
}

#[test]
fn what_does_not_come_in_time_is_told_and_comes_late() {
    let (mut history, id) = received(assistance(Measure::ContentData, "eio"));
    history.now = at("2026-09-08T21:59:59.999Z");
    history.pass(0);
    let mut in_time = history.state.clone();
    let acknowledged = history.step("fr-central", id, Acknowledgement {}).unwrap();
    let met = ClockEnded { request_id: id, clock: "EIO-16".to_owned(), end: ClockEnd::Met };
    assert!(acknowledged.contains(&met.into()));
    std::mem::swap(&mut history.state, &mut in_time);
    // A millisecond later the week is over.
    history.now = at("2026-09-08T22:00:00Z");
    let rung = history.ring().unwrap();
    let asked = CoordinatorAsked {
        request_id: id,
        reason: AlertReason::LegalPeriodRanOut,
        country: country("FR"),
        clock: "EIO-16".to_owned(),
    };
    assert!(rung.contains(&asked.into()), "{rung:?}");
    let late = history.step("fr-central", id, Acknowledgement {}).unwrap();
    assert!(
        late.contains(&ClockEnded { request_id: id, clock: "EIO-16".to_owned(), end: ClockEnd::Late }.into())
    );
}

#[test]
fn a_coordinator_says_what_is_done_about_a_period() {
    let (mut history, id) = received(assistance(Measure::ContentData, "eio"));
    let answers = |clock: &str, answer| AnswerPeriod { request_id: id, clock: clock.to_owned(), answer };
    let reminded = || answers("EIO-16", PeriodAnswer::SidesReminded);
    for by in ["de-central", "fr-central", "de-police"] {
        assert_eq!(rejected(history.ask(by, reminded())), RejectionCode::UnknownRequest, "{by}");
    }
    let watching = "un-coordinator";
    assert_eq!(rejected(history.ask(watching, reminded())), RejectionCode::WrongState, "it does not press");
    history.pass(5 * 24);
    let nowhere = answers("EIO-99", PeriodAnswer::SidesReminded);
    assert_eq!(rejected(history.ask(watching, nowhere)), RejectionCode::WrongState);
    let said = history.ask(watching, reminded()).unwrap();
    let by = agency(watching);
    let answer = PeriodAnswer::SidesReminded;
    assert_eq!(said, [PeriodAnswered { request_id: id, clock: "EIO-16".to_owned(), by, answer }.into()]);
    assert_eq!(rejected(history.ask(watching, reminded())), RejectionCode::Unchanged);
    history.ask(watching, answers("EIO-16", PeriodAnswer::SidesInContact)).unwrap();
    // The period stands as it stood; once it has run out, that is another matter.
    assert_eq!(due(&history, id, "EIO-16"), at("2026-09-08T22:00:00Z"));
    history.pass(3 * 24);
    history.ask(watching, answers("EIO-16", PeriodAnswer::SidesInContact)).unwrap();
    history.step("fr-central", id, Acknowledgement {}).unwrap();
    assert_eq!(rejected(history.ask(watching, reminded())), RejectionCode::WrongState, "it has ended");
    // A draft is its own side's.
    let mut history = History::start();
    let id = history.draft(assistance(Measure::ContentData, "eio"));
    let early =
        AnswerPeriod { request_id: id, clock: "EIO-16".to_owned(), answer: PeriodAnswer::SidesReminded };
    assert_eq!(rejected(history.ask(watching, early)), RejectionCode::UnknownRequest);
}

#[test]
fn a_refusal_needs_a_ground_and_the_consultation_that_the_basis_demands() {
    let essential = RefusalGround::EssentialInterests;
    let (mut history, id) = received(assistance(Measure::Hearing, "untoc"));
    assert_eq!(
        rejected(history.step("fr-central", id, refusal(essential, true))),
        RejectionCode::ConsultationNeeded
    );
    let unknown = history.step("fr-central", id, refusal(RefusalGround::FundamentalRights, true));
    assert_eq!(refused_at(unknown), (RejectionCode::GroundNotAvailable, "/step/ground".to_owned()));
    history.step("fr-central", id, Consultation { subject: ConsultationSubject::Refusal }).unwrap();
    assert_eq!(
        rejected(history.step("fr-central", id, refusal(essential, false))),
        RejectionCode::ConsultationNeeded
    );
    history.step("de-central", id, ConsultationConclusion {}).unwrap();
    history.step("fr-central", id, refusal(essential, false)).unwrap();
    assert_eq!(state(&history, id), RequestState::Refused);
    // Budapest 27(6): where appropriate; whoever does not consult says so.
    let (mut history, id) = received(assistance(Measure::ContentData, "budapest"));
    assert_eq!(
        rejected(history.step("fr-central", id, refusal(essential, false))),
        RejectionCode::ConsultationNeeded
    );
    history.step("fr-central", id, refusal(essential, true)).unwrap();
    // Dual criminality is no ground against a preservation (29(3)), unless the State has reserved it (29(4)): Bulgaria
    // has not, and whether France has is not told. EIO 11(1)(g) needs no consultation.
    let dual = RefusalGround::DualCriminality;
    let preservation = || assistance(Measure::Preservation, "budapest");
    let to_bulgaria = Draft { requested: country("BG"), authority: agency("bg-central"), ..preservation() };
    let (mut history, id) = received(to_bulgaria);
    assert_eq!(
        rejected(history.step("bg-central", id, refusal(dual, true))),
        RejectionCode::GroundNotAvailable
    );
    let (mut history, id) = received(preservation());
    history.step("fr-central", id, refusal(dual, true)).unwrap();
    let (mut history, id) = received(assistance(Measure::ContentData, "eio"));
    history.step("fr-central", id, refusal(dual, false)).unwrap();
    let ends = ["EIO-16", "EIO-12.3"].map(|clock| end(&history, id, clock));
    assert_eq!(ends, [Some(ClockEnd::Withdrawn), Some(ClockEnd::Met)]);
}

#[test]
fn each_side_takes_its_own_steps_and_a_person_decides() {
    let (mut history, id) = received(assistance(Measure::ContentData, "eio"));
    assert_eq!(rejected(history.step("de-central", id, Acknowledgement {})), RejectionCode::NotYourStep);
    assert_eq!(rejected(history.step("us-central", id, Acknowledgement {})), RejectionCode::UnknownRequest);
    history.ask("fr-central", InvolveUnit { request_id: id, agency: agency("fr-police") }).unwrap();
    let foreign = history.ask("fr-central", InvolveUnit { request_id: id, agency: agency("de-police") });
    assert_eq!(refused_at(foreign), (RejectionCode::Invalid, "/agency".to_owned()));
    history.step("fr-police", id, Acknowledgement {}).unwrap();
    assert_eq!(
        rejected(history.step("fr-police", id, Acceptance { conditions: Vec::new() })),
        RejectionCode::NotYourStep
    );
    // Conditions bind whoever agrees to them; nothing begins before.
    history.step("fr-central", id, Acceptance { conditions: vec![ConditionCode::Confidentiality] }).unwrap();
    assert_eq!(rejected(history.step("fr-police", id, Execution {})), RejectionCode::WrongState);
    history.step("de-central", id, ConditionsAgreement {}).unwrap();
    history.step("fr-police", id, Execution {}).unwrap();
    assert_eq!(rejected(history.step("fr-central", id, Receipt {})), RejectionCode::WrongState);
}

#[test]
fn forwarding_hands_the_request_over_whole() {
    let (mut history, id) = received(assistance(Measure::ContentData, "eio"));
    let elsewhere = history.step("fr-central", id, Forwarding { to: agency("us-central") });
    assert_eq!(refused_at(elsewhere), (RejectionCode::Invalid, "/step/to".to_owned()));
    let events = history.step("fr-central", id, Forwarding { to: agency("fr-central-south") }).unwrap();
    assert!(events.iter().any(|event| matches!(event, MlaEvent::RequestShared(shared)
        if shared.agency == agency("fr-central-south"))));
    assert!(events.iter().any(|event| matches!(event, MlaEvent::RequestUnshared(left)
        if left.agency == agency("fr-central"))));
    assert_eq!(rejected(history.step("fr-central", id, Receipt {})), RejectionCode::UnknownRequest);
    history.step("fr-central-south", id, Receipt {}).unwrap();
    assert_eq!(state(&history, id), RequestState::Received);
}

#[test]
fn a_draft_says_whom_it_asks_for_what() {
    let mut history = History::start();
    let mut draft = |by: &str, draft: Draft| refused_at(history.ask(by, DraftRequest { draft }));
    let good = || assistance(Measure::ContentData, "eio");
    let invalid = |pointer: &str| (RejectionCode::Invalid, pointer.to_owned());
    let outside = (RejectionCode::NotEntitled, String::new());
    assert_eq!(draft("de-police", good()), outside);
    assert_eq!(draft("us-central", good()), outside);
    assert_eq!(draft("de-central", Draft { requested: country("DE"), ..good() }), invalid("/requested"));
    assert_eq!(
        draft("de-central", Draft { authority: agency("fr-police"), ..good() }),
        invalid("/authority")
    );
    assert_eq!(
        draft("de-central", Draft { authority: agency("us-central"), ..good() }),
        invalid("/authority")
    );
    let to_kenya = Draft { requested: country("KE"), authority: agency("ke-central"), ..good() };
    assert_eq!(draft("de-central", to_kenya), (RejectionCode::TransferNotAllowed, "/requested".to_owned()));
    assert_eq!(draft("de-central", Draft { measures: Vec::new(), ..good() }), invalid("/measures"));
    let twice = vec![Measure::Hearing, Measure::Hearing];
    assert_eq!(draft("de-central", Draft { measures: twice, ..good() }), invalid("/measures"));
    let addressed = Draft { addressee: Some(agency("ie-provider")), ..good() };
    assert_eq!(draft("de-central", addressed), invalid("/addressee"));
    let nobody = Draft { addressee: None, ..order(RequestKind::ProductionOrder, Measure::ContentData) };
    assert_eq!(draft("de-central", nobody), invalid("/addressee"));
    let unknown = Draft { basis: Some(InstrumentId::try_new("no-such-treaty").unwrap()), ..good() };
    assert_eq!(draft("de-central", unknown), invalid("/basis"));
    let orphan = Draft { parent: Some(RequestId::derive(&[b"none"])), ..good() };
    assert_eq!(draft("de-central", orphan), invalid("/parent"));
}

#[test]
fn it_goes_out_complete_on_a_basis_that_carries_it() {
    let mut history = History::start();
    let mut validate = |draft: Draft| {
        let id = history.draft(draft);
        history.step("de-central", id, Validation { by: Validator::Judge }).map(|_| id)
    };
    let no_basis = (RejectionCode::NoLegalBasis, "/basis".to_owned());
    assert_eq!(refused_at(validate(Draft { basis: None, ..assistance(Measure::Hearing, "eio") })), no_basis);
    // Not in force, outside the scope, and a measure that it does not cover.
    assert_eq!(refused_at(validate(assistance(Measure::SubscriberData, "budapest-2ap"))), no_basis);
    assert_eq!(refused_at(validate(assistance(Measure::Hearing, "uncac"))), no_basis);
    assert_eq!(refused_at(validate(assistance(Measure::JointTeam, "eio"))), no_basis);
    let mut elements = ContentElement::ALL.to_vec();
    elements.retain(|element| *element != ContentElement::IntentToRequest);
    let without = Draft { elements, ..assistance(Measure::Preservation, "budapest") };
    let incomplete = (RejectionCode::Incomplete, "/elements".to_owned());
    assert_eq!(refused_at(validate(without.clone())), incomplete);
    // The same texts are enough for another measure.
    validate(Draft { measures: vec![Measure::ContentData], ..without }).unwrap();
}

#[test]
fn what_was_sent_is_compared_before_a_request_is_closed() {
    let (mut history, id) = received(assistance(Measure::ContentData, "eio"));
    for step in [Step::from(Acceptance { conditions: Vec::new() }), Execution {}.into()] {
        history.step("fr-central", id, step).unwrap();
    }
    history.step("fr-central", id, Outcome { partial: false }).unwrap();
    let short = EvidenceTransmission { digest: "0F".repeat(32), ..evidence() };
    assert_eq!(
        refused_at(history.step("fr-central", id, short)),
        (RejectionCode::Invalid, "/step/digest".into())
    );
    history.step("fr-central", id, evidence()).unwrap();
    assert_eq!(
        refused_at(history.step("de-central", id, Closure {})),
        (RejectionCode::WrongState, "/evidence".into())
    );
    let other = EvidenceReceipt { digest: "00".repeat(32), check: DigestCheck::Matches };
    assert_eq!(
        refused_at(history.step("de-central", id, other)),
        (RejectionCode::Invalid, "/step/digest".into())
    );
    let receipt = EvidenceReceipt { digest: "0f".repeat(32), check: DigestCheck::Matches };
    history.step("de-central", id, receipt).unwrap();
    history.step("de-central", id, Closure {}).unwrap();
    let withdrawal = Withdrawal { reason: WithdrawalReason::SentInError };
    assert_eq!(rejected(history.step("de-central", id, withdrawal)), RejectionCode::WrongState);
}

#[test]
fn information_that_nobody_asked_for_is_closed_once_received() {
    let (mut history, id) = received(assistance(Measure::SpontaneousInformation, "budapest"));
    history.step("de-central", id, Closure {}).unwrap();
    let (mut history, id) = received(assistance(Measure::ContentData, "budapest"));
    assert_eq!(rejected(history.step("de-central", id, Closure {})), RejectionCode::WrongState);
}

#[test]
fn what_is_given_unasked_may_be_given_under_conditions() {
    let conditions = vec![ConditionCode::Confidentiality, ConditionCode::UseLimitation];
    let unasked = || Draft {
        conditions: conditions.clone(),
        ..assistance(Measure::SpontaneousInformation, "budapest")
    };
    let shared = |events: &[MlaEvent]| {
        events.iter().find_map(|event| match event {
            MlaEvent::RequestShared(shared) => Some((shared.agency.clone(), shared.withheld)),
            _ => None,
        })
    };
    let mut history = History::start();
    let id = history.draft(unasked());
    history.step("de-central", id, Validation { by: Validator::Judge }).unwrap();
    let sent = Transmission { channel: Channel::CentralAuthorities, oral: false };
    let events = history.step("de-central", id, sent).unwrap();
    assert_eq!(shared(&events), Some((agency("fr-central"), true)));
    history.step("fr-central", id, Receipt {}).unwrap();
    let next = domain::due::items(&history.state.requests[&id], RequestRole::Requested);
    assert_eq!(next[0].reason, DueReason::Conditions);
    let accepted = history.step("fr-central", id, Acceptance { conditions: Vec::new() });
    assert_eq!(rejected(accepted), RejectionCode::WrongState);
    assert_eq!(rejected(history.step("de-central", id, ConditionsAgreement {})), RejectionCode::NotYourStep);
    let events = history.step("fr-central", id, ConditionsAgreement {}).unwrap();
    assert_eq!(shared(&events), Some((agency("fr-central"), false)));
    history.step("de-central", id, Closure {}).unwrap();
    // Whoever cannot agree says so; whoever asks for something sets no conditions.
    let (mut history, id) = received(unasked());
    history.step("fr-central", id, refusal(RefusalGround::ContraryToLegalSystem, true)).unwrap();
    let asks = Draft { conditions, ..assistance(Measure::ContentData, "budapest") };
    let refused = refused_at(history.ask("de-central", DraftRequest { draft: asks }));
    assert_eq!(refused, (RejectionCode::Invalid, "/conditions".to_owned()));
}

#[test]
fn nobody_concludes_a_consultation_alone_but_after_silence() {
    let consult = Consultation { subject: ConsultationSubject::Refusal };
    let (mut history, id) = received(assistance(Measure::Hearing, "untoc"));
    history.step("fr-central", id, consult.clone()).unwrap();
    let alone = history.step("fr-central", id, ConsultationConclusion {});
    assert_eq!(rejected(alone), RejectionCode::NotYourStep);
    history.pass(7 * 24);
    history.step("fr-central", id, ConsultationConclusion {}).unwrap();
    // In an emergency a day is long.
    let urgent = Draft {
        emergency: Some(schemas::codes::DangerReason::ThreatToLife),
        ..assistance(Measure::Hearing, "untoc")
    };
    let (mut history, id) = received(urgent);
    history.step("fr-central", id, consult).unwrap();
    history.pass(24);
    history.step("fr-central", id, ConsultationConclusion {}).unwrap();
}

#[test]
fn what_was_put_off_stands_on_the_list_with_the_day_that_was_said() {
    let (mut history, id) = received(assistance(Measure::ContentData, "eio"));
    let until = Some(at("2026-10-01T00:00:00Z"));
    let ground = PostponementGround::OwnProceedings;
    history
        .step("fr-central", id, Postponement { ground, until, consultation_not_appropriate: false })
        .unwrap();
    let items = domain::due::items(&history.state.requests[&id], RequestRole::Requesting);
    assert!(items.iter().any(|item| item.reason == DueReason::Outcome && item.due == until));
}

#[test]
fn a_form_is_of_one_instrument() {
    let (mut history, id) = received(assistance(Measure::ContentData, "eio"));
    let paper = |form| Document { form, language: "en".to_owned(), digest: "0f".repeat(32) };
    for form in [PaperForm::EpocAnnexI, PaperForm::Budapest29] {
        let refused = refused_at(history.step("de-central", id, paper(form)));
        assert_eq!(refused, (RejectionCode::Invalid, "/step/form".to_owned()));
    }
    history.step("de-central", id, paper(PaperForm::EioAnnexA)).unwrap();
}

#[test]
fn a_case_elsewhere_goes_by_its_reference() {
    let (mut history, id) = received(assistance(Measure::ContentData, "eio"));
    let link = |reference| TakeStep {
        request_id: id,
        step: RelatedCase { proceedings: RelatedProceedings::Extradition }.into(),
        note: None,
        reference,
    };
    let refused = refused_at(history.ask("de-central", link(None)));
    assert_eq!(refused, (RejectionCode::Invalid, "/reference".to_owned()));
    history.ask("de-central", link(Some(sealed(FacetKind::CaseNumber)))).unwrap();
}
