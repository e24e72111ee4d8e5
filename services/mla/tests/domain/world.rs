//! The legal data that come with the program, as the tests see them.

use std::path::Path;
use std::sync::LazyLock;

use schemas::Timestamp;
use schemas::codes::AgencyKind;
use schemas::directory::view::Directory;
use schemas::directory::{Agency, DirectoryEvent, Entry, GenesisLoaded};
use schemas::ids::{AgencyId, Country, InstrumentId};
use schemas::legal::{Calendar, ClockRow, Instrument};

pub static DIRECTORY: LazyLock<Directory> = LazyLock::new(|| {
    let mut directory = Directory::default();
    let entries = [read("instruments"), read("calendars"), agencies()].concat();
    directory.evolve(&DirectoryEvent::GenesisLoaded(GenesisLoaded { entries }), Timestamp::default());
    directory
});

fn agencies() -> Vec<Entry> {
    use AgencyKind::{CentralAuthority, Coordinator, PoliceUnit, Provider};
    let all = [
        ("de-central", "DE", CentralAuthority),
        ("de-police", "DE", PoliceUnit),
        ("fr-central", "FR", CentralAuthority),
        ("fr-central-south", "FR", CentralAuthority),
        ("fr-police", "FR", PoliceUnit),
        ("bg-central", "BG", CentralAuthority),
        ("ie-central", "IE", CentralAuthority),
        ("ie-provider", "IE", Provider),
        ("ke-central", "KE", CentralAuthority),
        ("us-central", "US", CentralAuthority),
        ("un-coordinator", "CH", Coordinator),
    ];
    all.map(|(id, code, kind)| Entry { agency: Some(plain(id, code, kind)), ..Entry::default() }).into()
}

fn plain(id: &str, code: &str, kind: AgencyKind) -> Agency {
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
        scope: if kind == AgencyKind::Coordinator { vec![country("DE"), country("FR")] } else { Vec::new() },
        wellbeing: None,
    }
}

pub fn agency(id: &str) -> AgencyId {
    AgencyId::try_new(id).unwrap()
}

fn read(name: &str) -> Vec<Entry> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../directory/legal/{name}.json"));
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

pub fn instrument(id: &str) -> &'static Instrument {
    let id = InstrumentId::try_new(id).unwrap();
    DIRECTORY.instrument(&id, at("2026-11-26T00:00:00Z")).unwrap()
}

/// A row by its id, and the instrument it stands in.
pub fn row(id: &str) -> (&'static Instrument, &'static ClockRow) {
    let now = at("2026-11-26T00:00:00Z");
    let mut rows = DIRECTORY.instruments(now).flat_map(|one| one.clocks.iter().map(move |row| (one, row)));
    rows.find(|(_, row)| row.id == id).unwrap_or_else(|| panic!("no row {id}"))
}

pub fn calendar(country: &Country) -> Option<&'static Calendar> {
    DIRECTORY.calendar(country, at("2026-11-26T00:00:00Z"))
}

pub fn country(code: &str) -> Country {
    Country::try_new(code).unwrap()
}

pub fn at(moment: &str) -> Timestamp {
    moment.parse::<jiff::Timestamp>().unwrap().into()
}
