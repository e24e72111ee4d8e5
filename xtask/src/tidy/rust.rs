//! Rules of the Rust sources. Words that a rule forbids are spelled in two halves here, as this file is checked
//! like any other.

use super::{Files, TextFile, Violation};

/// A file that needs more does two things.
const MAX_LINES: usize = 600;

const UNDONE_MACROS: [&str; 2] = ["todo", "unimplemented"];
const UNDONE_WORDS: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];
const IGNORED_TEST: &str = concat!("#[", "ignore");

/// What a decision must not see: the outside world, time and chance come in as arguments.
const IMPURE_CRATES: [&str; 6] = ["tokio", "axum", "rdkafka", "sled", "rand", "tracing"];
const IMPURE_CLOCKS: [&str; 2] = ["SystemTime", "Instant"];

/// Every file says in its first line why it exists.
pub fn files_open_with_their_reason(files: &Files) -> Vec<Violation> {
    let silent = sources(files).filter(|file| !file.text.starts_with("//!") && !is_test_data(file));
    silent
        .map(|file| file.violation(1, "a file opens with a `//!` sentence that says why it exists"))
        .collect()
}

/// Domain code decides from its arguments alone, so that a replay decides the same again.
pub fn domains_are_pure(files: &Files) -> Vec<Violation> {
    sources(files).filter(|file| is_domain(file)).flat_map(|file| file.violations(impurity)).collect()
}

/// Neither tests that do not run nor code that is not there.
pub fn nothing_is_left_undone(files: &Files) -> Vec<Violation> {
    sources(files).flat_map(|file| file.violations(undone)).collect()
}

/// No file grows beyond what a reader holds in mind.
pub fn files_stay_short(files: &Files) -> Vec<Violation> {
    let length = |file: &TextFile| file.text.lines().count();
    let long = sources(files).filter(|file| length(file) > MAX_LINES);
    long.map(|file| file.violation(length(file), format!("a file has at most {MAX_LINES} lines"))).collect()
}

fn sources(files: &Files) -> impl Iterator<Item = &TextFile> {
    files.with_extension("rs")
}

fn is_test_data(file: &TextFile) -> bool {
    file.path.contains("tests/data/")
}

fn is_domain(file: &TextFile) -> bool {
    file.path.contains("/domain/") || file.file_name() == "domain.rs"
}

fn impurity(line: &str) -> Option<String> {
    let code = line.split("//").next().unwrap_or(line);
    let imported = code.trim_start().trim_start_matches("pub ").strip_prefix("use ");
    let is_impure = |(word, rest): &(&str, &str)| {
        let is_path = rest.starts_with("::") || imported.is_some_and(|imported| imported.starts_with(word));
        IMPURE_CLOCKS.contains(word) || IMPURE_CRATES.contains(word) && is_path
    };
    let (word, _) = words(code).into_iter().find(is_impure)?;
    Some(format!("domain code must not use {word}"))
}

fn undone(line: &str) -> Option<String> {
    if line.contains(IGNORED_TEST) {
        return Some("a test is run or deleted, never ignored".to_owned());
    }
    let is_undone = |(word, rest): &(&str, &str)| {
        UNDONE_WORDS.contains(word) || UNDONE_MACROS.contains(word) && rest.starts_with('!')
    };
    let (word, _) = words(line).into_iter().find(is_undone)?;
    Some(format!("`{word}` is work for an issue, not for the code"))
}

/// The identifiers of a line, each with what follows it.
fn words(line: &str) -> Vec<(&str, &str)> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut words = Vec::new();
    let mut rest = line;
    while let Some(start) = rest.find(is_part) {
        let tail = &rest[start..];
        let end = tail.find(|c| !is_part(c)).unwrap_or(tail.len());
        words.push(tail.split_at(end));
        rest = &tail[end..];
    }
    words
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;
    use super::{
        IGNORED_TEST, MAX_LINES, UNDONE_MACROS, UNDONE_WORDS, domains_are_pure, files_open_with_their_reason,
        files_stay_short, nothing_is_left_undone,
    };

    #[test]
    fn a_file_says_why_it_exists() {
        for (path, text, expected) in [
            ("a/src/lib.rs", "//! Why.\n", &[][..]),
            ("a/src/lib.rs", "use std::fmt;\n//! Late.\n", &["a/src/lib.rs:1: a file opens"][..]),
            ("a/src/lib.rs", "", &["a/src/lib.rs:1"][..]),
            ("a/tests/data/broken.rs", "fn", &[][..]),
        ] {
            check(files_open_with_their_reason, &[(path, text)], expected);
        }
    }

    #[test]
    fn a_domain_sees_neither_world_nor_time() {
        let domain = "services/a/src/domain/decide.rs";
        for (path, text, found) in [
            (domain, "use jiff::Timestamp;", false),
            (domain, "let rand = 1; // rand::random would differ at each replay", false),
            (domain, "use operand::Left;", false),
            (domain, "use tokio::time;", true),
            (domain, "    tracing::info!(\"seen\");", true),
            (domain, "pub use rand;", true),
            (domain, "use std::time::{Duration, Instant};", true),
            ("services/a/src/domain.rs", "let now = std::time::SystemTime::now();", true),
            ("services/a/src/store.rs", "use tokio::time;", false),
        ] {
            let expected = format!("{path}:1: domain code must not use");
            let expected = if found { vec![expected.as_str()] } else { vec![] };
            check(domains_are_pure, &[(path, text)], &expected);
        }
    }

    #[test]
    fn nothing_undone_stays() {
        let [macro_name, _] = UNDONE_MACROS;
        let [word, _] = UNDONE_WORDS;
        for (line, found) in [
            ("let todos = 1;".to_owned(), false),
            ("#[test]".to_owned(), false),
            (format!("{macro_name}!()"), true),
            (format!("// {word}: later"), true),
            (format!("{IGNORED_TEST} = \"slow\"]"), true),
        ] {
            let expected = if found { &["a.rs:2: "][..] } else { &[] };
            check(nothing_is_left_undone, &[("a.rs", &format!("\n{line}\n"))], expected);
        }
    }

    #[test]
    fn a_file_has_an_end() {
        check(files_stay_short, &[("a.rs", &"\n".repeat(MAX_LINES))], &[]);
        check(
            files_stay_short,
            &[("a.rs", &"\n".repeat(MAX_LINES + 1))],
            &["a.rs:601: a file has at most 600"],
        );
    }
}
