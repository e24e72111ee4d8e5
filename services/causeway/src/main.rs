//! The program: serves, and speaks to what is served.

#![allow(clippy::print_stdout, reason = "the command line speaks to people and scripts by printing")]

mod cli;

use std::process::ExitCode;

use clap::Parser;

/// States are many small allocations, made and dropped by the thousand with each batch. The system's own allocator took
/// 45 % of the runner's time for them. Kafka's client and the store's compression allocate through it as well.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

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
