//! The texts of the pages: each in each language, with the same places to fill, and none that no page shows.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pages::words::Words;

const LANGUAGES: [&str; 6] = ["ar", "en", "es", "fr", "ru", "zh"];
/// Where pages are.
const PAGES: [&str; 6] = [
    "templates",
    "../dashboard/templates",
    "../dashboard/src/web",
    "../desk/templates",
    "../desk/src",
    "../desk/src/web",
];

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// What a text has to be filled with, by the text's name.
fn texts(language: &str) -> BTreeMap<String, BTreeSet<String>> {
    let file = read(&format!("locales/{language}/pages.ftl"));
    let lines = file.lines().filter_map(|line| line.split_once(" = "));
    let places = |text: &str| {
        text.split("{ $").skip(1).map(|rest| rest[..rest.find(' ').unwrap()].to_owned()).collect()
    };
    lines.map(|(name, text)| (name.to_owned(), places(text))).collect()
}

fn sources(directory: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let files = std::fs::read_dir(root).unwrap().map(|file| file.unwrap().path());
    files.filter(|path| path.is_file()).map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

#[test]
fn every_language_says_everything_with_the_same_places_to_fill() {
    let english = texts("en");
    for language in LANGUAGES {
        assert_eq!(texts(language), english, "{language}");
    }
}

#[test]
fn every_text_is_shown() {
    let pages = PAGES.map(sources).concat();
    let by_name = |name: &str| {
        // Fields and sealed content come from the deployment; a test against one looks for them.
        let from_there = ["field-", "sealed-"].iter().any(|prefix| name.starts_with(prefix));
        from_there || name.starts_with("event-") || pages.contains(&format!("\"{name}\""))
    };
    for name in texts("en").keys() {
        let function = format!("{}(", name.replace('-', "_"));
        assert!(pages.contains(&format!(".{function}")) || by_name(name), "no page shows {name}");
    }
}

/// The events that the trail of an incident may hold.
#[test]
fn every_event_is_told_in_words() {
    let arabic = Words::named("ar").unwrap();
    let bodies = ["referral", "routing", "mla", "victim_id", "delivery"].map(|topic| {
        let source = read(&format!("../../schemas/src/{topic}.rs"));
        let bodies = source.split("event_bodies! {").nth(1).unwrap();
        bodies.split("\n}").next().unwrap().to_owned()
    });
    let mut events: BTreeSet<String> = BTreeSet::new();
    for line in bodies.iter().flat_map(|bodies| bodies.lines()).map(str::trim) {
        let name = line.trim_end_matches(',');
        if !name.is_empty() && name.chars().all(char::is_alphanumeric) {
            events.insert(name.to_owned());
        }
    }
    // What the macros give every topic.
    events.extend(["CommandRejected", "CommandFailed"].map(str::to_owned));
    assert!(events.len() > 100, "{}", events.len());
    for event in &events {
        assert_ne!(&arabic.event_text(event), event, "no text tells of it");
    }
    let texts = texts("en");
    let told = texts.keys().filter(|name| name.starts_with("event-")).count();
    assert_eq!(told, events.len(), "a text for each, and none besides");
}
