//! Legal periods, counted twice: by the product, and by a program of another language that was written from
//! docs/legal-periods.md alone.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use mla::legal::calendar::Days;
use mla::legal::period::{Count, Ends, Period};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use schemas::Timestamp;
use schemas::codes::{ClockUnit, Counting};
use schemas::directory::Entry;
use schemas::ids::Country;
use schemas::legal::Calendar;
use serde_json::{Value, json};

const CASES: usize = 10_000;
const SEED: u64 = 1182;
const DAY_MS: i64 = 24 * 3_600_000;
/// Countries beside those with a calendar.
const WITHOUT_CALENDAR: [&str; 2] = ["SN", "QA"];

struct Case {
    country: Country,
    period: Period,
    counting: Counting,
    event: Timestamp,
    moves: Vec<Move>,
}

enum Move {
    Pause(Timestamp, Timestamp),
    Extend(Period),
}

impl Case {
    fn random(random: &mut StdRng, countries: &[Country]) -> Self {
        let unit = ClockUnit::ALL[random.random_range(0..ClockUnit::ALL.len())];
        let event = moment(random);
        let mut from = event;
        let moves = (0..random.random_range(0..4)).map(|_| {
            if random.random_bool(0.3) {
                // A period in hours is extended in hours, and no other is.
                let by = match unit {
                    ClockUnit::Hours => unit,
                    _ => ClockUnit::ALL[random.random_range(1..ClockUnit::ALL.len())],
                };
                return Move::Extend(period(random, by));
            }
            from = from.plus_millis(random.random_range(0..4 * DAY_MS));
            let to = from.plus_millis(random.random_range(0..12 * DAY_MS));
            Move::Pause(std::mem::replace(&mut from, to), to)
        });
        let moves = moves.collect();
        Self {
            country: countries[random.random_range(0..countries.len())].clone(),
            period: period(random, unit),
            counting: Counting::ALL[random.random_range(0..Counting::ALL.len())],
            event,
            moves,
        }
    }

    fn due(&self, calendar: Option<&Calendar>) -> Timestamp {
        let days = Days::of(&self.country, calendar);
        let count = Count { period: self.period, counting: self.counting, days };
        let mut ends: Ends = count.start(self.event);
        for one in &self.moves {
            ends = match one {
                Move::Pause(from, to) => count.resume(self.event, ends.nominal, *from, *to),
                Move::Extend(by) => count.extend(self.event, ends.nominal, *by),
            };
        }
        ends.due
    }

    fn json(&self) -> Value {
        let moves = self.moves.iter().map(|one| match one {
            Move::Pause(from, to) => json!({ "pause": [from, to] }),
            Move::Extend(by) => json!({ "extend": { "number": by.number, "unit": by.unit } }),
        });
        json!({ "unit": self.period.unit, "number": self.period.number, "counting": self.counting,
            "country": self.country, "event": self.event, "moves": moves.collect::<Vec<_>>() })
    }
}

fn period(random: &mut StdRng, unit: ClockUnit) -> Period {
    let most = match unit {
        ClockUnit::Hours => 200,
        ClockUnit::CalendarDays => 100,
        ClockUnit::WorkingDays => 40,
        ClockUnit::Weeks => 12,
        ClockUnit::Months => 26,
        ClockUnit::Years => 3,
    };
    Period { number: random.random_range(1..=most), unit }
}

/// Any millisecond of the calendars' years, every fourth on a boundary.
fn moment(random: &mut StdRng) -> Timestamp {
    let first = "2024-01-01T00:00:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond();
    let mut millis = first + random.random_range(0..6 * 365 * DAY_MS);
    if random.random_bool(0.25) {
        const HALF_HOUR_MS: i64 = 1_800_000;
        millis = millis - millis % HALF_HOUR_MS - i64::from(random.random_bool(0.5));
    }
    Timestamp::from_millis(millis)
}

#[test]
fn ten_thousand_periods_end_as_another_program_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../services/directory/legal/calendars.json");
    let entries: Vec<Entry> = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let calendars: Vec<Calendar> = entries.into_iter().filter_map(|entry| entry.calendar).collect();
    let without = WITHOUT_CALENDAR.map(|code| Country::try_new(code).unwrap());
    let countries: Vec<Country> = calendars.iter().map(|one| one.country.clone()).chain(without).collect();
    let random = &mut StdRng::seed_from_u64(SEED);
    let cases: Vec<Case> = (0..CASES).map(|_| Case::random(random, &countries)).collect();

    let python = std::env::var_os("CAUSEWAY_TEST_PYTHON").expect("cargo xtask test names it");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("outside/legal_periods.py");
    let mut other = Command::new(python)
        .arg(script)
        .arg(&file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: String = cases.iter().map(|case| format!("{}\n", case.json())).collect();
    let mut stdin = other.stdin.take().unwrap();
    let writing = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let said = other.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    assert!(said.status.success());
    let said = String::from_utf8(said.stdout).unwrap();
    let mut ends = said.lines().map(|line| Timestamp::from_millis(line.parse().unwrap()));
    for (number, case) in cases.iter().enumerate() {
        let calendar = calendars.iter().find(|calendar| calendar.country == case.country);
        let (own, other) = (case.due(calendar), ends.next().unwrap());
        assert_eq!(own, other, "case {number} of seed {SEED}: {}", case.json());
    }
    assert_eq!(ends.next(), None);
}
