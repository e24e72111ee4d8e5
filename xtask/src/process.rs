//! Runs other programs: says which, waits through Ctrl-C, and turns a bad exit into an error.

use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context, Result, bail};

use crate::signals::{POLL, Signals};

/// Runs a command to its end with its output on the terminal. Fails when the command does.
pub fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", shown(command));
    let status = command.status().with_context(|| format!("failed to start {}", shown(command)))?;
    check(command, status)
}

/// As `run`, for a child that is to drain on Ctrl-C: xtask stays until the child has ended. After a Ctrl-C nothing
/// is started any more, and how the child ended is of no interest.
pub fn run_to_drain(command: &mut Command, signals: &Signals) -> Result<()> {
    if signals.any() {
        return Ok(());
    }
    println!("$ {}", shown(command));
    let mut child = command.spawn().with_context(|| format!("failed to start {}", shown(command)))?;
    let status = wait(&mut child, signals)?;
    if signals.any() { Ok(()) } else { check(command, status) }
}

/// The whole standard output of a command, as text.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("failed to start {}", shown(command)))?;
    check(command, output.status)?;
    String::from_utf8(output.stdout).with_context(|| format!("{} wrote no UTF-8", shown(command)))
}

fn wait(child: &mut Child, signals: &Signals) -> Result<ExitStatus> {
    let mut forwarded = false;
    loop {
        if let Some(status) = child.try_wait().context("failed to wait for a child")? {
            return Ok(status);
        }
        if signals.terminated() && !forwarded {
            terminate(child)?;
            forwarded = true;
        }
        std::thread::sleep(POLL);
    }
}

/// The standard library can only kill; the shell's own `kill` asks politely.
fn terminate(child: &Child) -> Result<()> {
    let pid = child.id().to_string();
    output(Command::new("sh").args(["-c", "kill -TERM \"$1\"", "terminate", &pid]))?;
    Ok(())
}

fn check(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("{} failed with {status}", shown(command));
    }
    Ok(())
}

/// The command as one would type it, as far as that matters to a reader.
pub fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
