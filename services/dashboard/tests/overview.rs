//! What a coordinator sees: given what the topics say, then exactly this.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::collections::BTreeMap;

use dashboard::domain::list::{Filter, Lines};
use dashboard::domain::overview::{Concern, Flow, Stage};
use dashboard::domain::{Frame, Overview, Packed, Watch};
use proptest::prelude::*;
use schemas::Timestamp;
use schemas::codes::*;
use schemas::delivery::{DeliveryEvent, FacetsDisclosed};
use schemas::ids::*;
use schemas::mla::{ClockEnded, ClockRanOut, ClockStarted, MlaEvent, PeriodAnswered};
use schemas::referral::Handling;
use schemas::routing::*;
use schemas::victim_id::{ChildRegistered, CustodianSilent, CustodyAccepted, NobodyLooks, VictimIdEvent};

const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;

fn at(minutes: i64) -> Timestamp {
    "2026-11-16T08:00:00Z".parse::<jiff::Timestamp>().map(Timestamp::from).unwrap().plus_minutes(minutes)
}

fn country(code: &str) -> Country {
    Country::try_new(code).unwrap()
}

fn countries(codes: &[&str]) -> Vec<Country> {
    codes.iter().map(|code| country(code)).collect()
}

fn agency(id: &str) -> AgencyId {
    AgencyId::try_new(id).unwrap()
}

fn incident(number: u8) -> IncidentId {
    IncidentId::from_bytes([number; 16])
}

fn assignment(number: u8) -> AssignmentId {
    AssignmentId::from_bytes([number; 16])
}

fn child(number: u8) -> ChildRef {
    ChildRef::from_bytes([number; 16])
}

/// What one topic says of an incident, and when.
#[derive(Clone, Debug)]
enum Said {
    Routing(i64, RoutingEvent),
    Mla(MlaEvent),
    VictimId(i64, VictimIdEvent),
    Delivery(DeliveryEvent),
}

fn frame<'a>(said: impl IntoIterator<Item = &'a Said>) -> Frame {
    let mut frame = Frame::default();
    for said in said {
        match said {
            Said::Routing(minutes, event) => frame.take_in_routing(at(*minutes), event),
            Said::Mla(event) => frame.take_in_mla(event),
            Said::VictimId(minutes, event) => frame.take_in_victim_id(at(*minutes), event),
            Said::Delivery(event) => frame.take_in_delivery(event),
        }
        frame = Frame::from(&Packed::from(&frame));
    }
    frame
}

fn ground(role: SignalRole) -> Ground {
    Ground {
        role,
        basis: JurisdictionBasis::ALL[0],
        source: SignalSource::ALL[0],
        confidence: Confidence::ALL[0],
        articles: Vec::new(),
        person_ref: None,
    }
}

/// Reported in the Netherlands; the victim is in Germany, the offender in Brazil, and the server in the United States.
fn opened(urgency: Urgency, never_told: &[&str]) -> Vec<Said> {
    let opened = IncidentOpened {
        referral_id: ReferralId::from_bytes([1; 16]),
        reporter: agency("nl-hotline"),
        reporter_country: country("NL"),
        kind: IncidentKind::Csam,
        urgency,
        danger_reason: None,
        week: None,
        annotations: Vec::new(),
        people: Vec::new(),
        facets: Vec::new(),
        signals: Vec::new(),
        handling: Handling {
            tlp: Tlp::ALL[0],
            codes: Vec::new(),
            purpose: Purpose::ALL[0],
            retain_until: None,
            never_told: countries(never_told),
            transfers: TransferPolicy::ALL[0],
        },
        items: Vec::new(),
    };
    let roles = [("DE", SignalRole::Victim), ("BR", SignalRole::Offender), ("US", SignalRole::Hosting)];
    let found =
        roles.map(|(code, role)| CountryFound { country: country(code), grounds: vec![ground(role)] });
    let found = JurisdictionsFound { rules_version: 1, countries: found.to_vec() };
    vec![Said::Routing(0, opened.into()), Said::Routing(0, found.into())]
}

fn offered(number: u8, id: &str, code: &str) -> Said {
    let offer = AssignmentOffered {
        assignment_id: assignment(number),
        agency: agency(id),
        country: country(code),
        grounds: Vec::new(),
        rule: "police".to_owned(),
        policy_version: 1,
        entitlement: Entitlement { facet_kinds: Vec::new(), persons: Vec::new(), opens_with_offer: false },
        transfer: Transfer {
            basis: TransferBasis::ALL[0],
            rule: None,
            article: String::new(),
            authorisation: Authorisation::ALL[0],
        },
        respond_by: at(3 * DAY),
        forwarded_from: None,
    };
    Said::Routing(0, offer.into())
}

fn accepted(minutes: i64, number: u8) -> Said {
    Said::Routing(minutes, AssignmentAccepted { assignment_id: assignment(number) }.into())
}

fn overdue(minutes: i64, number: u8) -> Said {
    Said::Routing(minutes, AssignmentOverdue { assignment_id: assignment(number) }.into())
}

fn disclosed(number: u8, id: &str) -> Said {
    let disclosed = FacetsDisclosed {
        disclosure_id: DisclosureId::from_bytes([9; 16]),
        assignment_id: Some(assignment(number)),
        request_id: None,
        child_ref: None,
        agency: agency(id),
        recipient_key_id: KeyId::try_new("key-1").unwrap(),
        facets: Vec::new(),
        transfer: Transfer {
            basis: TransferBasis::ALL[0],
            rule: None,
            article: String::new(),
            authorisation: Authorisation::ALL[0],
        },
        with_offer: false,
    };
    Said::Delivery(disclosed.into())
}

fn registered(number: u8) -> Said {
    let registered = ChildRegistered {
        child_ref: child(number),
        person_ref: None,
        age_band: AgeBand::ALL[0],
        awaited_until: at(DAY),
        by: None,
    };
    Said::VictimId(0, registered.into())
}

fn custody(number: u8, id: &str, code: &str) -> Said {
    let accepted = CustodyAccepted {
        child_ref: child(number),
        by: agency(id),
        country: country(code),
        route: CustodyRoute::ALL[0],
        from: None,
        limit_days: 14,
    };
    Said::VictimId(HOUR, accepted.into())
}

fn seen(scope: &[&str], incidents: &[(IncidentId, Frame)], minutes: i64) -> Overview {
    let (own, scope) = (country("CH"), countries(scope));
    let watch = Watch { country: &own, scope: &scope };
    Overview::of(&watch, incidents.to_vec(), at(minutes), 10)
}

fn concerns(overview: &Overview) -> Vec<(Concern, Option<&str>)> {
    let needs = overview.needs.iter();
    needs.map(|need| (need.concern, need.agency.as_ref().map(AgencyId::as_str))).collect()
}

#[test]
fn a_coordinator_counts_what_exists_for_it_and_no_more() {
    let mut said = opened(Urgency::Priority, &[]);
    said.extend([offered(1, "de-police", "DE"), offered(2, "br-police", "BR"), accepted(HOUR, 1)]);
    let known = [(incident(1), frame(&said)), (incident(2), frame(&opened(Urgency::Routine, &["CH"])))];

    let all = seen(&["NL", "DE", "BR", "US"], &known, 2 * HOUR);
    assert_eq!(all.incidents, 1, "one is kept from the coordinator's own country");
    assert_eq!(all.stages, BTreeMap::from([(Stage::AtWork, 1)]));
    assert_eq!(all.weeks, BTreeMap::from([("2026-W47".to_owned(), 1)]));
    let flow = |to: &str, role| Flow { from: country("NL"), to: country(to), role, incidents: 1 };
    let expected =
        [flow("BR", SignalRole::Offender), flow("DE", SignalRole::Victim), flow("US", SignalRole::Hosting)];
    assert_eq!(all.flows, expected);

    // That Germany is at work is not for whoever watches Brazil alone, nor where it was reported.
    let brazil = seen(&["BR"], &known, 2 * HOUR);
    assert_eq!((brazil.incidents, &brazil.stages), (1, &BTreeMap::from([(Stage::Offered, 1)])));
    assert_eq!(brazil.flows, []);
    let nobody = seen(&["FR"], &known, 2 * HOUR);
    assert_eq!(nobody, Overview::default());
}

#[test]
fn what_needs_a_person_stands_by_urgency_and_names_with_whom_it_lies() {
    let mut routine = opened(Urgency::Routine, &[]);
    routine.extend([offered(1, "de-police", "DE"), overdue(3 * DAY, 1), offered(2, "br-police", "BR")]);
    let mut danger = opened(Urgency::ImminentDanger, &[]);
    danger.extend([
        offered(3, "us-police", "US"),
        accepted(HOUR, 3),
        registered(1),
        registered(2),
        custody(2, "de-victim-id", "DE"),
        Said::VictimId(DAY, NobodyLooks { child_ref: child(1), countries: Vec::new() }.into()),
        Said::VictimId(
            2 * DAY,
            CustodianSilent {
                child_ref: child(2),
                custodian: agency("de-victim-id"),
                country: country("DE"),
            }
            .into(),
        ),
    ]);
    let known = [(incident(1), frame(&routine)), (incident(2), frame(&danger))];
    let overview = seen(&["DE", "BR", "US"], &known, 4 * DAY);
    assert_eq!(
        concerns(&overview),
        [
            (Concern::NobodyLooks, None),
            (Concern::CustodianSilent, Some("de-victim-id")),
            (Concern::Unopened, Some("us-police")),
            (Concern::Unanswered, Some("de-police")),
        ]
    );
    assert_eq!((overview.children, overview.children_without_custodian), (2, 1));
    // What was opened is no concern any more, and what another State's agency does not do is not shown.
    danger.push(disclosed(3, "us-police"));
    let known = [(incident(1), frame(&routine)), (incident(2), frame(&danger))];
    let overview = seen(&["US"], &known, 4 * DAY);
    assert_eq!(concerns(&overview), [(Concern::NobodyLooks, None)]);
    // Nobody of Brazil is at work: whether somebody looks for a child elsewhere is not for its coordinator.
    let overview = seen(&["BR"], &known, 4 * DAY);
    assert_eq!((concerns(&overview), overview.children), (Vec::new(), 0));
}

#[test]
fn a_disputed_lead_is_shown_where_it_is_disputed_until_one_is_agreed_on() {
    let (by, lead) = (agency("br-police"), country("DE"));
    let disputed = LeadDisputed { by, country: lead.clone(), proposes: country("BR") };
    let mut said = opened(Urgency::Routine, &[]);
    said.push(Said::Routing(HOUR, disputed.into()));
    let shown =
        |said: &[Said], scope: &[&str]| concerns(&seen(scope, &[(incident(1), frame(said))], DAY)).len();
    assert_eq!((shown(&said, &["DE"]), shown(&said, &["BR"])), (1, 0));
    said.push(Said::Routing(HOUR, LeadRecorded { by: agency("un-coordinator"), country: lead }.into()));
    assert_eq!(shown(&said, &["DE"]), 0);
}

#[test]
fn what_is_owed_goes_on_when_a_referral_is_withdrawn() {
    let mut said = opened(Urgency::Routine, &[]);
    said.extend([offered(1, "de-police", "DE"), accepted(HOUR, 1), registered(1), registered(2)]);
    said.extend([
        custody(2, "de-victim-id", "DE"),
        Said::VictimId(DAY, NobodyLooks { child_ref: child(1), countries: countries(&["DE"]) }.into()),
        Said::VictimId(
            DAY,
            CustodianSilent {
                child_ref: child(2),
                custodian: agency("de-victim-id"),
                country: country("DE"),
            }
            .into(),
        ),
        disclosed(1, "de-police"),
    ]);
    let expected = |said: &[Said]| {
        let overview = seen(&["DE"], &[(incident(1), frame(said))], 2 * DAY);
        overview.needs.iter().map(|need| need.concern).collect::<Vec<_>>()
    };
    assert_eq!(expected(&said), [Concern::NobodyLooks, Concern::CustodianSilent]);
    said.push(Said::Routing(DAY, IncidentWithdrawn { reason: RetractionReason::ALL[0] }.into()));
    assert_eq!(expected(&said), [Concern::CustodianSilent]);
}

#[test]
fn a_legal_period_is_shown_before_it_ends_and_once_it_has_run_out_until_it_is_met() {
    let request_id = RequestId::from_bytes([5; 16]);
    let clock = "EIO-12.3".to_owned();
    let started = ClockStarted {
        request_id,
        clock: clock.clone(),
        instrument: InstrumentId::try_new("eio").unwrap(),
        instrument_version: 1,
        article: "Directive 2014/41/EU Article 12(3)".to_owned(),
        owed_by: RequestRole::Requested,
        owed_to: RequestRole::Requesting,
        kind: ClockKind::ALL[0],
        then: ClockConsequence::ALL[0],
        mark: VerificationMark::ALL[0],
        from: at(0),
        nominal: at(30 * DAY),
        due: at(30 * DAY),
        calendar: country("DE"),
        holidays_known: true,
        warnings: Vec::new(),
    };
    let ran_out = ClockRanOut { request_id, clock: clock.clone(), due: at(30 * DAY), then: started.then };
    let mut said = opened(Urgency::Routine, &[]);
    said.extend([drafted(request_id), Said::Mla(started.into())]);
    let concern = |said: &[Said], day: i64, scope: &[&str]| {
        let known = [(incident(1), frame(said))];
        seen(scope, &known, day * DAY).needs.first().map(|need| (need.concern, need.country.clone()))
    };
    assert_eq!(concern(&said, 20, &["DE", "FR"]), None);
    assert_eq!(concern(&said, 28, &["DE", "FR"]), Some((Concern::PeriodEndsSoon, Some(country("DE")))));
    assert_eq!(concern(&said, 28, &["NL"]), None, "Germany owes it");
    let answered = || {
        let (by, answer) = (agency("un-coordinator"), PeriodAnswer::SidesReminded);
        Said::Mla(PeriodAnswered { request_id, clock: clock.clone(), by, answer }.into())
    };
    said.push(answered());
    assert_eq!(concern(&said, 28, &["DE", "FR"]), None, "somebody sees to it");
    said.push(Said::Mla(ran_out.into()));
    assert_eq!(concern(&said, 31, &["DE"]), Some((Concern::PeriodRanOut, Some(country("DE")))));
    said.push(answered());
    assert_eq!(concern(&said, 31, &["DE"]), None, "somebody sees to that, too");
    said.pop();
    said.push(Said::Mla(ClockEnded { request_id, clock, end: ClockEnd::ALL[0] }.into()));
    assert_eq!(concern(&said, 31, &["DE"]), None);
}

fn drafted(request_id: RequestId) -> Said {
    use schemas::mla::{Draft, RequestDrafted};
    use schemas::referral::SealedFacet;
    let draft = Draft {
        kind: RequestKind::ALL[0],
        requested: country("DE"),
        authority: agency("de-central"),
        addressee: None,
        measures: Vec::new(),
        basis: None,
        emergency: None,
        notified: false,
        needed_by: None,
        languages: Vec::new(),
        translation: TranslationState::ALL[0],
        parent: None,
        confidential: false,
        conditions: Vec::new(),
        elements: Vec::new(),
        text: SealedFacet {
            facet_id: FacetId::from_bytes([3; 16]),
            kind: FacetKind::ALL[0],
            person_ref: None,
            key_set_id: KeySetId::from_bytes([4; 16]),
            nonce: Vec::new(),
            ciphertext: Vec::new(),
        },
        reasons: None,
    };
    Said::Mla(RequestDrafted { request_id, by: agency("fr-central"), country: country("FR"), draft }.into())
}

proptest! {
    /// The topics are read each on its own: however they come to be mixed, the frame is the same.
    #[test]
    fn it_does_not_matter_which_topic_is_read_first(order in proptest::collection::vec(any::<bool>(), 40)) {
        let mut routing = opened(Urgency::Routine, &[]);
        routing.extend([offered(1, "de-police", "DE"), overdue(DAY, 1), accepted(2 * DAY, 1)]);
        let others = [registered(1), disclosed(1, "de-police"), custody(1, "de-victim-id", "DE")];
        let expected = frame(routing.iter().chain(&others));
        let (mut one, mut other, mut mixed) = (routing.iter(), others.iter(), Vec::new());
        for from_routing in order {
            mixed.extend(if from_routing { one.next() } else { other.next() });
        }
        mixed.extend(one.chain(other));
        prop_assert_eq!(frame(mixed), expected);
    }
}

#[test]
fn incidents_are_listed_by_what_they_are_and_never_by_what_is_not_shown() {
    let frames = [
        (incident(1), frame(&opened(Urgency::Routine, &[]))),
        (
            incident(2),
            frame(&[opened(Urgency::ImminentDanger, &[]), vec![offered(1, "de-police", "DE")]].concat()),
        ),
        (incident(3), frame(&opened(Urgency::Priority, &["CH"]))),
    ];
    let (own, scope) = (country("CH"), countries(&["DE", "BR"]));
    let watch = Watch { country: &own, scope: &scope };
    let listed = |filter: Filter| Lines::of(&watch, frames.clone(), &filter, 0, 10);
    let ids = |filter| listed(filter).lines.iter().map(|line| line.incident_id).collect::<Vec<_>>();

    let all = listed(Filter::default());
    assert_eq!(all.all, 2, "the third is kept from the coordinator's own country");
    let first = &all.lines[0];
    assert_eq!(
        (first.incident_id, first.urgency, first.stage),
        (incident(2), Urgency::ImminentDanger, Stage::Offered)
    );
    assert_eq!((&first.reported_in, &first.countries), (&None, &countries(&["BR", "DE"])));
    assert_eq!(ids(Filter { stage: Some(Stage::Unassigned), ..Filter::default() }), [incident(1)]);
    assert_eq!(ids(Filter { urgency: Some(Urgency::Priority), ..Filter::default() }), []);
    assert_eq!(ids(Filter { kind: Some(IncidentKind::Other), ..Filter::default() }), []);
    assert_eq!(ids(Filter { country: Some(country("DE")), ..Filter::default() }), [incident(2), incident(1)]);
    // They lead there and were reported there, which is not for this coordinator to know.
    assert_eq!(ids(Filter { country: Some(country("US")), ..Filter::default() }), []);
    assert_eq!(ids(Filter { country: Some(country("NL")), ..Filter::default() }), []);
}

#[test]
fn a_page_of_a_long_list_is_that_part_of_the_whole() {
    let urgencies = [Urgency::Routine, Urgency::ImminentDanger, Urgency::Priority];
    let opened = urgencies.map(|urgency| frame(&opened(urgency, &[])));
    // In another order than that of their ids.
    let id = |number: u16| {
        IncidentId::from_bytes([number.reverse_bits().to_be_bytes(); 8].concat().try_into().unwrap())
    };
    let frames: Vec<(IncidentId, Frame)> =
        (0..4_000).zip(opened.iter().cycle()).map(|(number, frame)| (id(number), frame.clone())).collect();
    let (own, scope) = (country("CH"), countries(&["DE", "BR"]));
    let watch = Watch { country: &own, scope: &scope };
    let page = |skip, take| Lines::of(&watch, frames.clone(), &Filter::default(), skip, take);
    let whole = page(0, usize::MAX);
    assert_eq!((whole.all, whole.lines.len()), (4_000, 4_000));
    for (skip, take) in [(0, 50), (1_300, 50), (3_990, 50), (4_000, 50)] {
        let page = page(skip, take);
        assert_eq!(page.all, 4_000);
        assert_eq!(page.lines, whole.lines[skip..(skip + take).min(4_000)]);
    }
}
