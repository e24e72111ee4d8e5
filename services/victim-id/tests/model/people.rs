//! Who there is in the world of the model, and its moments.

use std::sync::LazyLock;

use schemas::codes::{ActorKind, AgeBand, AgencyKind, IncidentKind, Urgency};
use schemas::directory::view::Directory;
use schemas::directory::{Agency, DirectoryEvent, Entry, GenesisLoaded};
use schemas::ids::{AgencyId, AssignmentId, ChildRef, Country, IncidentId, ReferralId};
use schemas::victim_id::{AgencyEngaged, CaseNoted, ChildAddress, ChildRegistered, VictimIdEvent};
use schemas::{Actor, Timestamp};
use victim_id::domain::{self, Incident};

pub const COORDINATOR: &str = "un-coordinator";
/// The limit that every custodian sets itself: two moments.
pub const LIMIT_DAYS: i32 = 2;
const DAY_MINUTES: i64 = 24 * 60;

/// One day lies between two moments.
pub fn moment(number: usize) -> Timestamp {
    let start: Timestamp = "2026-11-01T08:00:00Z".parse::<jiff::Timestamp>().unwrap().into();
    start.plus_minutes(i64::try_from(number).unwrap() * DAY_MINUTES)
}

pub fn agency(id: &str) -> AgencyId {
    AgencyId::try_new(id).unwrap()
}

pub fn person() -> Actor {
    Actor { id: "officer".to_owned(), kind: ActorKind::Human }
}

pub fn incident_id(number: usize) -> IncidentId {
    IncidentId::derive(&[b"incident", &number.to_be_bytes()])
}

pub fn child_ref(incident: usize, number: usize) -> ChildRef {
    ChildRef::derive(&[&incident.to_be_bytes(), &number.to_be_bytes()])
}

pub fn address(incident: usize) -> ChildAddress {
    ChildAddress { incident_id: incident_id(incident), child_ref: child_ref(incident, 0) }
}

pub static DIRECTORY: LazyLock<Directory> = LazyLock::new(|| {
    let all = [
        ("de-unit", "DE", AgencyKind::VictimIdentificationUnit),
        ("fr-unit", "FR", AgencyKind::VictimIdentificationUnit),
        ("es-unit", "ES", AgencyKind::PoliceUnit),
        ("de-support", "DE", AgencyKind::SupportService),
        ("fr-support", "FR", AgencyKind::SupportService),
        ("de-hotline", "DE", AgencyKind::Hotline),
        (COORDINATOR, "CH", AgencyKind::Coordinator),
    ];
    let entries =
        all.map(|(id, code, kind)| Entry { agency: Some(plain(id, code, kind)), ..Entry::default() }).into();
    let mut directory = Directory::default();
    directory.evolve(&DirectoryEvent::GenesisLoaded(GenesisLoaded { entries }), Timestamp::default());
    directory
});

fn plain(id: &str, code: &str, kind: AgencyKind) -> Agency {
    let scope = ["DE", "FR", "ES"].map(country).to_vec();
    Agency {
        id: agency(id),
        name: format!("Example {id}"),
        country: country(code),
        kind,
        incident_kinds: Vec::new(),
        round_the_clock: false,
        issuer: format!("https://id.{}.example", code.to_lowercase()),
        subject: id.to_owned(),
        keys: Vec::new(),
        signing_keys: Vec::new(),
        duty_contacts: Vec::new(),
        scope: if kind == AgencyKind::Coordinator { scope } else { Vec::new() },
        wellbeing: None,
    }
}

pub fn country(code: &str) -> Country {
    Country::try_new(code).unwrap()
}

/// An incident that the units are at work on, with children that nobody looks for yet.
pub fn incident(number: usize, units: &[&str], children: usize) -> Incident {
    let noted = CaseNoted {
        referral_id: ReferralId::derive(&[&number.to_be_bytes()]),
        kind: IncidentKind::Csam,
        urgency: Urgency::Routine,
        annotations: Vec::new(),
        never_told: Vec::new(),
    };
    let engaged = units.iter().map(|unit| {
        let known = DIRECTORY.agency(&agency(unit), moment(0)).unwrap();
        VictimIdEvent::from(AgencyEngaged {
            agency: known.id.clone(),
            country: known.country.clone(),
            kind: known.kind,
            assignment_id: AssignmentId::derive(&[unit.as_bytes()]),
        })
    });
    let children = (0..children).map(|child| {
        VictimIdEvent::from(ChildRegistered {
            child_ref: child_ref(number, child),
            person_ref: None,
            age_band: AgeBand::UnderThirteen,
            by: None,
            // Far beyond the moments of the model.
            awaited_until: moment(1_000),
        })
    });
    let mut incident = Incident::default();
    for event in [VictimIdEvent::from(noted)].into_iter().chain(engaged).chain(children) {
        domain::evolve(&mut incident, &event, moment(0));
    }
    incident.children.values_mut().for_each(|child| child.history.clear());
    incident
}
