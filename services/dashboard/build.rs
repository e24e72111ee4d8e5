//! Makes a function of each text of the pages: a text that one of the languages lacks has none, and the page that shows
//! it does not build. Makes sure that each code that pages show has its label. And takes the check of a trail out of
//! the page that does it without a server.

#[path = "src/web/shown.rs"]
mod shown;

use std::process::ExitCode;

use fluent_typed::{BuildOptions, FtlOutputOptions, LintLevel, build_from_locales_folder};

const VERIFY: &str = "../../docs/verify.html";

fn main() -> ExitCode {
    shown::SHOWN.into_iter().for_each(look_for_labels);
    println!("cargo::rerun-if-changed={VERIFY}");
    let page = std::fs::read_to_string(VERIFY).expect("the page stands in docs");
    let check = page.split("<script>").nth(1).and_then(|rest| rest.split("</script>").next());
    let out = std::env::var("OUT_DIR").expect("cargo says where what is made goes");
    std::fs::write(format!("{out}/verify.js"), check.expect("the page's first script checks"))
        .expect("cargo's directory can be written");
    let options = BuildOptions::default()
        .with_prefix("")
        .with_lint_level(LintLevel::Deny)
        .with_output_file_path(&format!("{out}/texts.rs"))
        .with_ftl_output(FtlOutputOptions::single_file(&format!("{out}/texts.ftl")))
        .without_format();
    build_from_locales_folder(options)
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
