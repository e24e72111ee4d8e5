//! Makes a function of each text of the pages: a text that one of the languages lacks has none, and the page that shows
//! it does not build.

use std::process::ExitCode;

use fluent_typed::{BuildOptions, FtlOutputOptions, LintLevel, build_from_locales_folder};

fn main() -> ExitCode {
    let out = std::env::var("OUT_DIR").expect("cargo says where what is made goes");
    let options = BuildOptions::default()
        .with_prefix("")
        .with_lint_level(LintLevel::Deny)
        .with_output_file_path(&format!("{out}/texts.rs"))
        .with_ftl_output(FtlOutputOptions::single_file(&format!("{out}/texts.ftl")))
        .without_format();
    build_from_locales_folder(options)
}
