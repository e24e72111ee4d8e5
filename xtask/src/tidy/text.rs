//! Rules of every text. Words that a rule forbids are spelled in halves here, as this file is checked too.

use super::{Files, TextFile, Violation};

/// Ten more than rustfmt's limit: what it cannot break gets some room.
const MAX_COLUMNS: usize = 120;

/// Where people and CI keep their checkouts.
const MACHINE_PATHS: [&str; 3] = [concat!("/", "work/"), concat!("/", "root/"), concat!("/", "home/")];

/// Not the term of the Luxembourg Guidelines; it survives on the wire of one protocol.
const AVOIDED_TERM: &str = concat!("child ", "pornography");
const HOME_OF_AVOIDED_TERM: &str = "cybertipline";

/// No tabs, nothing after a line's end, no line too wide to read, exactly one newline at the end.
pub fn lines_are_clean(files: &Files) -> Vec<Violation> {
    let extensions = ["rs", "toml", "md"].iter();
    let checked = extensions.flat_map(|extension| files.with_extension(extension));
    checked.flat_map(|file| [line_violations(file), end_violations(file)].concat()).collect()
}

/// No path that exists on one machine only.
pub fn paths_are_of_no_machine(files: &Files) -> Vec<Violation> {
    let checked = files.texts.iter().filter(|file| file.path != "Cargo.lock");
    checked.flat_map(|file| file.violations(machine_path)).collect()
}

/// "CSAM" and "child sexual exploitation" are the agreed terms.
pub fn terms_are_the_agreed_ones(files: &Files) -> Vec<Violation> {
    let checked = files.texts.iter().filter(|file| !file.path.contains(HOME_OF_AVOIDED_TERM));
    checked.flat_map(|file| file.violations(avoided_term)).collect()
}

fn line_violations(file: &TextFile) -> Vec<Violation> {
    file.violations(|line| {
        if line.contains('\t') {
            Some("a tab".to_owned())
        } else if line.ends_with(char::is_whitespace) {
            Some("whitespace at the end of the line".to_owned())
        } else if line.chars().count() > MAX_COLUMNS && !may_be_wide(file, line) {
            Some(format!("wider than {MAX_COLUMNS} columns"))
        } else {
            None
        }
    })
}

/// Tables, links and TOML's inline tables cannot be broken.
fn may_be_wide(file: &TextFile, line: &str) -> bool {
    if file.has_extension("md") {
        return line.trim_start().starts_with('|') || line.contains("](") || line.contains("://");
    }
    file.has_extension("toml") && line.contains("= {")
}

fn end_violations(file: &TextFile) -> Vec<Violation> {
    let ends_well = file.text.ends_with('\n') && !file.text.ends_with("\n\n");
    if ends_well || file.text.is_empty() {
        return Vec::new();
    }
    vec![file.violation(file.text.lines().count(), "a file ends with exactly one newline")]
}

/// Only where a path begins: an address may well have such a part in its middle.
fn machine_path(line: &str) -> Option<String> {
    let begins_path = |index: usize| {
        let before = line[..index].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && !"._-~/}".contains(c))
    };
    let is_there = |path: &&&str| line.match_indices(**path).any(|(index, _)| begins_path(index));
    let path = MACHINE_PATHS.iter().find(is_there)?;
    Some(format!("a path below {path} is of one machine only"))
}

fn avoided_term(line: &str) -> Option<String> {
    let is_there = line.to_lowercase().contains(AVOIDED_TERM);
    is_there.then(|| "say CSAM, or child sexual exploitation".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;
    use super::{
        AVOIDED_TERM, MACHINE_PATHS, MAX_COLUMNS, lines_are_clean, paths_are_of_no_machine,
        terms_are_the_agreed_ones,
    };

    #[test]
    fn lines_and_ends_are_clean() {
        let wide = "x".repeat(MAX_COLUMNS + 1);
        for (path, text, expected) in [
            ("a.rs", "fn main() {}\n".to_owned(), &[][..]),
            ("a.rs", "fn main() {\n\t\n}\n".to_owned(), &["a.rs:2: a tab"][..]),
            ("a.toml", "a = 1 \n".to_owned(), &["a.toml:1: whitespace"][..]),
            ("a.rs", format!("// {wide}\n"), &["a.rs:1: wider than 120"][..]),
            ("a.md", format!("{wide}\n"), &["a.md:1: wider"][..]),
            ("a.md", format!("| {wide} |\n[a]({wide})\n"), &[][..]),
            ("a.toml", format!("{wide} = {{ path = \"a\" }}\n"), &[][..]),
            ("a.json", format!("\t{wide}"), &[][..]),
            ("a.md", "one\ntwo".to_owned(), &["a.md:2: a file ends"][..]),
            ("a.md", "one\n\n".to_owned(), &["a.md:2: a file ends"][..]),
        ] {
            check(lines_are_clean, &[(path, &text)], expected);
        }
    }

    #[test]
    fn no_path_of_one_machine() {
        let [path, ..] = MACHINE_PATHS;
        for (file, text, found) in [
            ("a.yaml", format!("at: {path}causeway"), true),
            ("run", format!("cd \"{path}causeway\""), true),
            ("a.md", format!("https://example.org{path}of/art"), false),
            ("a.md", format!("frame{path}"), false),
            ("Cargo.lock", format!("{path}causeway"), false),
        ] {
            let expected = format!("{file}:1: a path below");
            let expected = if found { vec![expected.as_str()] } else { vec![] };
            check(paths_are_of_no_machine, &[(file, &text)], &expected);
        }
    }

    #[test]
    fn the_agreed_terms_only() {
        let text = AVOIDED_TERM.to_uppercase();
        check(terms_are_the_agreed_ones, &[("docs/a.md", "CSAM\n")], &[]);
        check(terms_are_the_agreed_ones, &[("docs/a.md", &text)], &["docs/a.md:1: say CSAM"]);
        check(terms_are_the_agreed_ones, &[("services/intake/src/cybertipline.rs", &text)], &[]);
    }
}
