//! `cargo xtask tidy`: the rules of this repository that no compiler, formatter or linter knows. A rule is a
//! pure function from the files to its violations.

mod graph;
mod links;
mod rust;
mod text;

use std::collections::BTreeSet;
use std::fmt;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;

const RULES: &[Rule] = &[
    graph::dependencies_point_one_way,
    graph::named_crates_stay_at_home,
    rust::files_open_with_their_reason,
    rust::domains_are_pure,
    rust::nothing_is_left_undone,
    rust::files_stay_short,
    text::lines_are_clean,
    text::paths_are_of_no_machine,
    text::terms_are_the_agreed_ones,
    links::relative_links_resolve,
];

type Rule = fn(&Files) -> Vec<Violation>;

/// Checks every file that git knows or would add.
pub fn run(root: &Path) -> Result<()> {
    let files = read_files(root)?;
    let violations = RULES.iter().flat_map(|rule| rule(&files)).collect::<Vec<_>>();
    for violation in &violations {
        println!("{violation}");
    }
    match violations.len() {
        0 => Ok(()),
        count => bail!("tidy found {count} violations"),
    }
}

/// What the rules look at. Paths are relative to the root of the repository.
#[derive(Default)]
struct Files {
    /// All of them, those that are no text included.
    paths: BTreeSet<String>,
    texts: Vec<TextFile>,
}

struct TextFile {
    path: String,
    text: String,
}

impl Files {
    fn with_extension(&self, extension: &str) -> impl Iterator<Item = &TextFile> {
        self.texts.iter().filter(move |file| file.has_extension(extension))
    }
}

impl TextFile {
    fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|own| own == extension)
    }

    fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// One violation for each line of which `find` has something to say.
    fn violations(&self, find: impl Fn(&str) -> Option<String>) -> Vec<Violation> {
        let lines = (1..).zip(self.text.lines());
        lines.filter_map(|(number, line)| Some(self.violation(number, find(line)?))).collect()
    }

    fn violation(&self, line: usize, message: impl Into<String>) -> Violation {
        Violation { path: self.path.clone(), line, message: message.into() }
    }
}

#[derive(Clone)]
struct Violation {
    path: String,
    line: usize,
    message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

fn read_files(root: &Path) -> Result<Files> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "-z", "-co", "--exclude-standard"]);
    let listed = process::output(&mut git).context("failed to list the files of the repository")?;
    let mut files = Files::default();
    for path in listed.split_terminator('\0') {
        match std::fs::read(root.join(path)) {
            Ok(bytes) => files.add(path, bytes),
            // Deleted, and git does not know yet; or a submodule or a link to a directory.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::IsADirectory) => {}
            Err(error) => return Err(error).with_context(|| format!("failed to read {path}")),
        }
    }
    Ok(files)
}

impl Files {
    fn add(&mut self, path: &str, bytes: Vec<u8>) {
        self.paths.insert(path.to_owned());
        if let Ok(text) = String::from_utf8(bytes) {
            self.texts.push(TextFile { path: path.to_owned(), text });
        }
    }
}

#[cfg(test)]
mod testing {
    use super::{Files, Rule};

    /// Given files, the rule must find exactly what is expected: each entry is how a violation begins.
    pub fn check(rule: Rule, given: &[(&str, &str)], expected: &[&str]) {
        let mut files = Files::default();
        for (path, text) in given {
            files.add(path, text.as_bytes().to_vec());
        }
        let found = rule(&files).iter().map(ToString::to_string).collect::<Vec<_>>();
        let same = found.len() == expected.len()
            && found.iter().zip(expected).all(|(found, expected)| found.starts_with(expected));
        assert!(same, "expected {expected:#?}, found {found:#?}, given {given:#?}");
    }
}
