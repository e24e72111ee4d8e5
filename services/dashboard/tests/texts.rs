//! The texts of the pages: each in each language, with the same places to fill, and none that no page shows.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const LANGUAGES: [&str; 6] = ["ar", "en", "es", "fr", "ru", "zh"];

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// What a text has to be filled with, by the text's name.
fn texts(language: &str) -> BTreeMap<String, BTreeSet<String>> {
    let file = read(&format!("locales/{language}/dashboard.ftl"));
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
    let pages = [sources("templates"), sources("src/web")].concat();
    for name in texts("en").keys() {
        let function = format!("{}(", name.replace('-', "_"));
        assert!(pages.contains(&format!(".{function}")), "no page shows {name}");
    }
}
