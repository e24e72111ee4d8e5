//! Which instruments may be a legal basis, by States, measure and day.

use mla::legal::basis::{self, Question};
use schemas::codes::BasisAnswer::{self, Applies, DoesNotApply, SwitchedOff, Unknown};
use schemas::codes::{BasisReason, IncidentKind, Measure};

use crate::world::*;

/// Given a question about two States on a day, then the instrument answers so, for this reason among others.
#[track_caller]
fn check(id: &str, states: (&str, &str), measure: Measure, day: &str, answer: BasisAnswer, why: BasisReason) {
    check_kind(id, states, measure, day, Some(IncidentKind::Csam), answer, why);
}

#[track_caller]
fn check_kind(
    id: &str,
    (requesting, requested): (&str, &str),
    measure: Measure,
    day: &str,
    kind: Option<IncidentKind>,
    answer: BasisAnswer,
    why: BasisReason,
) {
    let (requesting, requested) = (country(requesting), country(requested));
    let date = day.parse().unwrap();
    let (request, one) = (None, instrument(id));
    let question = Question { requesting: &requesting, requested: &requested, measure, request, date, kind };
    let found = basis::of(one, &question);
    let reasons: Vec<BasisReason> = found.reasons.iter().map(|reason| reason.code).collect();
    assert_eq!(found.answer, answer, "{id} {requesting} {requested} {measure} {day}: {reasons:?}");
    assert!(reasons.contains(&why), "{id} {requesting} {requested} {measure} {day}: {reasons:?}");
}

const TODAY: &str = "2026-11-26";

#[test]
fn both_states_must_be_bound_on_the_day() {
    let content = Measure::ContentData;
    check("budapest", ("DE", "US"), content, TODAY, Applies, BasisReason::BothBound);
    check("budapest", ("FR", "BR"), content, "2023-03-01", Applies, BasisReason::BothBound);
    check("budapest", ("FR", "BR"), content, "2023-02-28", DoesNotApply, BasisReason::NotYetAParty);
    check("eio", ("DE", "FR"), content, TODAY, Applies, BasisReason::BothBound);
    check("eio", ("DE", "FR"), content, "2017-05-21", DoesNotApply, BasisReason::NotInForce);
    for outside in ["DK", "IE", "GB"] {
        check("eio", ("DE", outside), content, TODAY, DoesNotApply, BasisReason::NotAParty);
    }
    check("e-evidence", ("DE", "IE"), content, "2026-08-18", Applies, BasisReason::BothBound);
    check("e-evidence", ("DE", "IE"), content, "2026-08-17", DoesNotApply, BasisReason::NotInForce);
    check("e-evidence", ("DE", "DK"), content, TODAY, DoesNotApply, BasisReason::NotAParty);
    check("eio", ("DE", "DE"), content, TODAY, DoesNotApply, BasisReason::SameState);
}

#[test]
fn a_reservation_shows_while_it_stands_and_what_is_not_told_shows_as_such() {
    let preservation = Measure::Preservation;
    let check = |requested, day, why| check("budapest", ("DE", requested), preservation, day, Applies, why);
    check("AT", TODAY, BasisReason::Reservation);
    check("AD", "2017-03-01", BasisReason::Reservation);
    check("CZ", "2019-07-05", BasisReason::Reservation);
    check("US", TODAY, BasisReason::ReservationUnknown);
    // The Czech Republic withdrew its own, Bulgaria made none, and Article 29(4) is on preservation alone.
    let none = |requested, measure, day| {
        let (requesting, requested) = (country("DE"), country(requested));
        let (date, request, kind) = (day, None, Some(IncidentKind::Csam));
        let date = str::parse(date).unwrap();
        let question =
            Question { requesting: &requesting, requested: &requested, measure, request, date, kind };
        let found = basis::of(instrument("budapest"), &question);
        let of_reservations = [BasisReason::Reservation, BasisReason::ReservationUnknown];
        assert!(!found.reasons.iter().any(|reason| of_reservations.contains(&reason.code)), "{found:?}");
        assert_eq!(found.answer, Applies);
    };
    none("CZ", preservation, "2019-07-06");
    none("BG", preservation, TODAY);
    none("AT", Measure::ContentData, TODAY);
}

#[test]
fn unknown_is_never_taken_for_not_bound() {
    let content = Measure::ContentData;
    // Ireland had only signed when the chart was seen, on 25 April 2026; it may have ratified since.
    check("budapest", ("IE", "DE"), content, "2026-04-25", DoesNotApply, BasisReason::NotAParty);
    check("budapest", ("IE", "DE"), content, "2026-04-26", Unknown, BasisReason::PartyUnknown);
    // A list that is not complete proves nothing.
    check("lanzarote", ("DE", "MA"), content, TODAY, Unknown, BasisReason::PartyUnknown);
    check("untoc", ("DE", "IR"), content, TODAY, Unknown, BasisReason::PartyUnknown);
    check("arab-it-offences", ("EG", "AE"), content, "2015-01-01", Unknown, BasisReason::ForceUnknown);
    check("cloud-act-au", ("AU", "US"), Measure::ContentData, TODAY, SwitchedOff, BasisReason::ForceUnknown);
    // A party since an unknown day is one from the day on which it was seen to be.
    check("lanzarote", ("DE", "FR"), content, TODAY, Applies, BasisReason::BothBound);
    check("lanzarote", ("DE", "AD"), content, "2012-01-01", Unknown, BasisReason::DateUnknown);
}

#[test]
fn what_is_not_in_force_or_binds_nobody_does_not_apply() {
    let subscriber = Measure::SubscriberData;
    check("budapest-2ap", ("HU", "CR"), subscriber, TODAY, DoesNotApply, BasisReason::NotInForce);
    check("un-cybercrime", ("QA", "VN"), subscriber, TODAY, DoesNotApply, BasisReason::NotInForce);
    check("harare-scheme", ("GB", "IN"), Measure::Preservation, TODAY, DoesNotApply, BasisReason::NotBinding);
}

#[test]
fn the_measure_and_the_kind_of_incident_must_be_covered() {
    check("budapest", ("DE", "US"), Measure::Preservation, TODAY, Applies, BasisReason::MeasureCovered);
    check("opsc", ("DE", "US"), Measure::Preservation, TODAY, DoesNotApply, BasisReason::MeasureNotCovered);
    check("eio", ("DE", "FR"), Measure::JointTeam, TODAY, DoesNotApply, BasisReason::MeasureNotCovered);
    check("eaw", ("DE", "FR"), Measure::Hearing, TODAY, DoesNotApply, BasisReason::MeasureNotCovered);
    check("uncac", ("DE", "US"), Measure::Hearing, TODAY, DoesNotApply, BasisReason::OutsideScope);
    check("untoc", ("DE", "US"), Measure::Hearing, TODAY, Applies, BasisReason::ScopeDepends);
    let solicitation = Some(IncidentKind::OnlineSolicitation);
    let (hearing, states) = (Measure::Hearing, ("DE", "US"));
    check_kind("opsc", states, hearing, TODAY, solicitation, Applies, BasisReason::ScopeDepends);
    check_kind("opsc", states, hearing, TODAY, None, Applies, BasisReason::ScopeDepends);
}

#[test]
fn a_candidate_comes_with_articles_limits_contents_and_periods() {
    let (requesting, requested) = (country("NL"), country("IE"));
    let question = Question {
        requesting: &requesting,
        requested: &requested,
        measure: Measure::ContentData,
        request: None,
        date: TODAY.parse().unwrap(),
        kind: Some(IncidentKind::Csam),
    };
    let found = basis::of(instrument("e-evidence"), &question);
    assert_eq!(found.articles(), ["Article 4(2)", "Article 5"]);
    assert_eq!(found.limits().len(), 1);
    let requests = found.requests();
    let contents: Vec<_> = basis::contents(found.instrument, requests[0], question.measure)
        .map(|row| row.element.code())
        .collect();
    assert!(contents.contains(&"data-category") && contents.contains(&"necessity"), "{contents:?}");
    let clocks: Vec<String> =
        basis::clocks(found.instrument, &requests).into_iter().map(|row| row.id).collect();
    assert!(clocks.contains(&"EEV-10.3".to_owned()) && !clocks.contains(&"EEV-11".to_owned()), "{clocks:?}");
}

#[test]
fn every_instrument_answers_every_question() {
    let codes = ["DE", "US", "BR", "KE", "DK"];
    for requesting in codes {
        for requested in codes {
            for measure in Measure::ALL {
                let (requesting, requested) = (country(requesting), country(requested));
                let question = Question {
                    requesting: &requesting,
                    requested: &requested,
                    measure: *measure,
                    request: None,
                    date: TODAY.parse().unwrap(),
                    kind: None,
                };
                let all = basis::assess(&DIRECTORY, &question, at("2026-11-26T00:00:00Z"));
                assert_eq!(all.len(), 19);
                for found in all {
                    let worst =
                        found.reasons.iter().any(|reason| basis::answer_of(reason.code) == found.answer);
                    assert!(worst, "{}: {:?}", found.instrument.id, found.answer);
                }
            }
        }
    }
}
