//! Makes a function of each text of the pages: a text that one of the languages lacks has none, and the page that shows
//! it does not build. Makes sure that each code that pages show has its label.

#[path = "src/shown.rs"]
mod shown;

use std::fmt::Write as _;
use std::process::ExitCode;

use fluent_typed::{BuildOptions, FtlOutputOptions, LintLevel, build_from_locales_folder};

/// Texts that are found by the name of what they are about.
const NAMED: [&str; 4] = ["do-", "event-", "field-", "sealed-"];

fn main() -> ExitCode {
    shown::SHOWN.into_iter().for_each(look_for_labels);
    let out = std::env::var("OUT_DIR").expect("cargo says where what is made goes");
    std::fs::write(format!("{out}/named.rs"), named()).expect("cargo's directory can be written");
    let options = BuildOptions::default()
        .with_prefix("")
        .with_lint_level(LintLevel::Deny)
        .with_output_file_path(&format!("{out}/texts.rs"))
        .with_ftl_output(FtlOutputOptions::single_file(&format!("{out}/texts.ftl")))
        .without_format();
    build_from_locales_folder(options)
}

/// The texts that are found by name, as the arms of one expression.
fn named() -> String {
    let texts = std::fs::read_to_string("locales/en/pages.ftl").expect("English is there");
    let names = texts.lines().filter_map(|line| Some(line.split_once(" = ")?.0));
    let mut arms = "match name {\n".to_owned();
    for name in names.filter(|name| NAMED.iter().any(|prefix| name.starts_with(prefix))) {
        writeln!(arms, "{name:?} => Some(self.texts.{}()),", name.replace('-', "_")).expect("it is memory");
    }
    arms + "_ => None,\n}\n"
}

fn look_for_labels(list: &str) {
    let file = format!("../../schemas/code-lists/{list}.json");
    println!("cargo::rerun-if-changed={file}");
    let text = std::fs::read_to_string(&file).expect("the list is there");
    let entries: serde_json::Value = serde_json::from_str(&text).expect("the list is JSON");
    for entry in entries.as_array().expect("a list is an array") {
        for language in shown::COMPLETE {
            assert!(
                entry["labels"][language].is_string(),
                "{file}: {} has no label in {language}",
                entry["code"]
            );
        }
    }
}
