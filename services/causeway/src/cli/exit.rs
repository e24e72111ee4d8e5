//! Exit codes that scripts can tell apart.

use std::process::ExitCode;

use client::ClientError;

pub const FAILED: u8 = 1;
const REFUSED: u8 = 3;
const NO_ANSWER: u8 = 4;

/// Prints what went wrong and what to do next; the code says which kind it was.
pub fn report(error: &anyhow::Error) -> ExitCode {
    eprintln!("causeway: {error:#}");
    let code = match error.downcast_ref::<ClientError>() {
        Some(ClientError::Problem(_)) => REFUSED,
        Some(ClientError::NoAnswer { .. }) => NO_ANSWER,
        _ => FAILED,
    };
    ExitCode::from(code)
}
