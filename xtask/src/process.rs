//! Runs other programs: says which, waits through Ctrl-C, and turns a bad exit into an error.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::signals::{POLL, Signals};

/// How long the last lines of a command may take to come, once it has ended.
const LAST_LINES: Duration = Duration::from_secs(2);

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

/// As `run`, for a command that must not outlast the limit: then, and when xtask is asked to end, it is ended with
/// all that it has started. `heed` hears of each line that goes by.
pub fn run_within(
    command: &mut Command,
    signals: &Signals,
    limit: Duration,
    heed: impl FnMut(&str) + Send + 'static,
) -> Result<()> {
    println!("$ {}", shown(command));
    let child = command.process_group(0).stdout(Stdio::piped()).spawn();
    let mut child = child.with_context(|| format!("failed to start {}", shown(command)))?;
    let passed = child.stdout.take().map(|output| pass_on(output, heed));
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().context("failed to wait for a child")? {
            break status;
        }
        if signals.any() || began.elapsed() > limit {
            signal(&format!("-{}", child.id()))?;
            child.wait().context("failed to wait for a child")?;
            let why = if signals.any() { "was asked to end" } else { "did not end within its limit" };
            bail!("{} {why}, after {} s", shown(command), began.elapsed().as_secs());
        }
        std::thread::sleep(POLL);
    };
    // Something that it has left behind may hold its output open.
    let _ = passed.map(|passed| passed.recv_timeout(LAST_LINES));
    check(command, status)
}

/// Passes lines on as they come, on a thread of its own. The channel ends when they do.
fn pass_on(output: ChildStdout, mut heed: impl FnMut(&str) + Send + 'static) -> Receiver<()> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let (mut output, mut line) = (BufReader::new(output), Vec::new());
        while output.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            // Nobody may be looking any more.
            let _ = std::io::stdout().write_all(&line);
            heed(String::from_utf8_lossy(&line).trim_end());
            line.clear();
        }
        drop(sender);
    });
    receiver
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
            signal(&child.id().to_string())?;
            forwarded = true;
        }
        std::thread::sleep(POLL);
    }
}

/// Asks a process to end, or a group by its negative id. The standard library can only kill; the shell's own `kill`
/// asks politely.
fn signal(target: &str) -> Result<()> {
    output(Command::new("sh").args(["-c", "kill -s TERM -- \"$1\"", "terminate", target]))?;
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
