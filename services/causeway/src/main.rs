//! The program: serves, and speaks to what is served.

#![allow(clippy::print_stdout, reason = "the command line speaks to people and scripts by printing")]

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    if let Err(error) = chassis::memory::switch_core_dumps_off() {
        eprintln!("causeway: failed to switch core dumps off: {error}");
        return ExitCode::from(cli::exit::FAILED);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("causeway: failed to start: {error}");
            return ExitCode::from(cli::exit::FAILED);
        }
    };
    match runtime.block_on(cli::run(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => cli::exit::report(&error),
    }
}
