//! The legal data that comes with the program: instruments with their parties, and calendars.
//!
//! It stands in `legal/`, each row with how it was confirmed, and is part of the first directory. From then on it is
//! changed as any entry is: by two persons, or, where it is a State's own word, by its central authority.

use schemas::directory::Entry;

const INSTRUMENTS: &str = include_str!("../legal/instruments.json");
const CALENDARS: &str = include_str!("../legal/calendars.json");

pub fn shipped() -> Vec<Entry> {
    let read = |text| serde_json::from_str::<Vec<Entry>>(text).expect("a test reads the data");
    [read(INSTRUMENTS), read(CALENDARS)].concat()
}
