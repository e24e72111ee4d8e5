//! What the pages say, in the language of who reads them: texts, codes, countries, numbers and moments.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::sync::LazyLock;

use chassis::http::Came;
use icu_calendar::{Date, Iso};
use icu_datetime::input::{DateTime, Time};
use icu_datetime::options::TimePrecision;
use icu_datetime::{DateTimeFormatter, fieldsets};
use icu_decimal::DecimalFormatter;
use icu_locale_core::Locale;
use schemas::Timestamp;
use schemas::codes::{Code, LISTS};
use schemas::ids::Country;
use schemas::routing::Ground;

use crate::atlas;
use crate::shown::is_shown;
use texts::{L10n, L10nLanguage};

#[allow(
    dead_code,
    clippy::all,
    clippy::unwrap_used,
    reason = "made by the build, which has made sure of the texts"
)]
mod texts {
    include!(concat!(env!("OUT_DIR"), "/texts.rs"));
}

/// Texts that somebody who speaks the language has not looked through yet.
const DRAFTS: [L10n; 3] = [L10n::Es, L10n::Ru, L10n::Zh];

/// One of the languages of the United Nations, as the pages use it.
pub struct Words {
    texts: L10nLanguage,
    language: L10n,
    codes: HashMap<(&'static str, String), String>,
    numbers: DecimalFormatter,
    moments: DateTimeFormatter<fieldsets::YMDT>,
}

static ALL: LazyLock<Vec<Words>> =
    LazyLock::new(|| L10n::iter().map(|language| Words::load(*language)).collect());

impl Words {
    fn load(language: L10n) -> Self {
        let locale: Locale = match language {
            // As English is written outside of the United States: days first, 24 hours.
            L10n::En => "en-GB",
            _ => &language,
        }
        .parse()
        .expect("the languages are known ones");
        let codes = LISTS.iter().flat_map(|list| {
            let entries = list.entries().into_iter();
            entries.map(move |mut entry| {
                let label = entry.labels.remove(&*language).unwrap_or(entry.label);
                ((list.name, entry.code), label)
            })
        });
        let moments = fieldsets::YMDT::medium().with_time_precision(TimePrecision::Minute);
        Self {
            texts: language.load(),
            language,
            codes: codes.collect(),
            numbers: DecimalFormatter::try_new((&locale).into(), Default::default())
                .expect("there are digits for each language"),
            moments: DateTimeFormatter::try_new((&locale).into(), moments)
                .expect("there are dates for each language"),
        }
    }

    pub fn all() -> &'static [Self] {
        &ALL
    }

    /// The language of that name, such as `fr`.
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|words| words.name() == name)
    }

    /// The nearest to what a browser's `Accept-Language` asks for.
    pub fn asked_for(accepted: &str) -> &'static Self {
        Self::named(&L10n::langneg(accepted)).unwrap_or(&ALL[0])
    }

    pub fn name(&self) -> &str {
        &self.language
    }

    pub fn direction(&self) -> &'static str {
        if self.language == L10n::Ar { "rtl" } else { "ltr" }
    }

    pub fn is_draft(&self) -> bool {
        DRAFTS.contains(&self.language)
    }

    pub fn number(&self, number: u64) -> String {
        self.numbers.format(&number.into()).to_string()
    }

    /// A moment to the minute, in UTC: the same for whoever reads it, wherever.
    pub fn moment_text(&self, moment: impl Borrow<Timestamp>) -> String {
        let moment = moment.borrow().to_jiff().to_zoned(jiff::tz::TimeZone::UTC).datetime();
        let date = Date::<Iso>::try_new_iso(
            moment.year().into(),
            moment.month().unsigned_abs(),
            moment.day().unsigned_abs(),
        );
        let time = Time::try_new(moment.hour().unsigned_abs(), moment.minute().unsigned_abs(), 0, 0);
        match (date, time) {
            (Ok(date), Ok(time)) => format!("{} UTC", self.moments.format(&DateTime { date, time })),
            _ => moment.to_string(),
        }
    }

    pub fn code<C: Code>(&self, code: C) -> &str {
        const {
            assert!(is_shown(C::LIST), "shown.rs does not name the list, so nobody has looked for its labels")
        };
        self.label(C::LIST, code.code()).unwrap_or(code.code())
    }

    /// What a code of a list is called.
    pub fn label(&self, list: &'static str, code: &str) -> Option<&str> {
        self.codes.get(&(list, code.to_owned())).map(String::as_str)
    }

    /// The country's name; its code where nobody has named it.
    pub fn country_name<'a>(&'a self, country: &'a Country) -> &'a str {
        let name = atlas::of(country).and_then(|known| known.names.get(self.name()));
        name.map_or(country.as_str(), String::as_str)
    }

    /// What an event says has happened: the record's own name where it is another's.
    pub fn event_text(&self, record: &str) -> String {
        let mut name = "event".to_owned();
        for letter in record.chars() {
            if letter.is_ascii_uppercase() {
                name.push('-');
            }
            name.push(letter.to_ascii_lowercase());
        }
        self.named_text(&name).unwrap_or_else(|| record.to_owned())
    }

    /// What a page says of a command that was given on it.
    pub fn came_text(&self, came: Option<Came>) -> Option<String> {
        came.map(|came| match came {
            Came::Done => self.done(),
            Came::Pending => self.pending(),
        })
    }

    /// Why somebody was asked: a line for each reason, the same one once.
    pub fn because_lines(&self, grounds: &[Ground]) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for ground in grounds {
            let line = format!("{}: {}", self.code(ground.role), self.code(ground.basis));
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        lines
    }

    /// Every country, by its name.
    pub fn countries(&self) -> BTreeMap<&str, &'static Country> {
        atlas::countries().map(|country| (self.country_name(country), country)).collect()
    }

    /// A text that is found by its name, such as `field-reason`.
    pub fn named_text(&self, name: &str) -> Option<String> {
        include!(concat!(env!("OUT_DIR"), "/named.rs"))
    }
}

impl Deref for Words {
    type Target = L10nLanguage;

    fn deref(&self) -> &L10nLanguage {
        &self.texts
    }
}
