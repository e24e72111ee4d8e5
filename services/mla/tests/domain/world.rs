//! The legal data that come with the program, as the tests see them.

use std::path::Path;
use std::sync::LazyLock;

use schemas::Timestamp;
use schemas::directory::view::Directory;
use schemas::directory::{DirectoryEvent, Entry, GenesisLoaded};
use schemas::ids::{Country, InstrumentId};
use schemas::legal::{Calendar, ClockRow, Instrument};

pub static DIRECTORY: LazyLock<Directory> = LazyLock::new(|| {
    let mut directory = Directory::default();
    let entries = ["instruments", "calendars"].map(read).concat();
    directory.evolve(&DirectoryEvent::GenesisLoaded(GenesisLoaded { entries }), Timestamp::default());
    directory
});

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
