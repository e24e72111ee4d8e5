//! Runs what takes long and talks much: a few words while it runs, its own words only when it fails.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process::shown;

/// How often a long run says how far it is.
const INTERVAL: Duration = Duration::from_secs(3);
/// How much of a command's output an error repeats.
const SHOWN_LINES: usize = 20;

/// What a long run counts: a word for it, and which lines of its output speak of one.
pub struct Steps {
    pub name: &'static str,
    pub is_one: fn(&str) -> bool,
}

/// Runs the command to its end. Fails when the command does, with the last lines of what it said.
pub fn run(mut command: Command, steps: &Steps) -> Result<()> {
    let program = shown(&command);
    let (output, input) = io::pipe().context("failed to make a pipe")?;
    let second_input = input.try_clone().context("failed to share a pipe")?;
    command.stdin(Stdio::null()).stdout(input).stderr(second_input);
    let mut child = command.spawn().with_context(|| format!("failed to start {program}"))?;
    // It holds this process's writing ends; while they are open, reading has no end.
    drop(command);
    let lines = follow(output, steps);
    let status = child.wait().with_context(|| format!("failed to wait for {program}"))?;
    if !status.success() {
        bail!("{program} failed with {status}, and ended with\n{}", last(&lines));
    }
    Ok(())
}

/// Reads the output to its end and says every few seconds how far it is, whether there was output or not.
fn follow(output: impl Read + Send + 'static, steps: &Steps) -> Vec<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        lines.try_for_each(|line| sender.send(line))
    });
    let began = Instant::now();
    let (mut said, mut count) = (began, 0);
    let mut lines = Vec::new();
    loop {
        match receiver.recv_timeout(INTERVAL.saturating_sub(said.elapsed())) {
            Ok(line) => {
                count += usize::from((steps.is_one)(&line));
                lines.push(line);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return lines,
        }
        if said.elapsed() >= INTERVAL {
            println!("  {count} {} after {} s", steps.name, began.elapsed().as_secs());
            said = Instant::now();
        }
    }
}

fn last(lines: &[String]) -> String {
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{Steps, last, run};

    const STEPS: Steps = Steps { name: "steps", is_one: |line| line.starts_with("step") };

    #[test]
    fn an_error_repeats_what_the_command_said_last() {
        let mut failing = Command::new("sh");
        failing.args(["-c", "echo step one; echo broken >&2; exit 3"]);
        let error = run(failing, &STEPS).expect_err("the command fails").to_string();
        assert!(error.ends_with("and ended with\nstep one\nbroken"), "{error}");
    }

    #[test]
    fn an_error_repeats_the_last_lines_only() {
        let lines = (1..=25).map(|n| n.to_string()).collect::<Vec<_>>();
        assert!(last(&lines).starts_with("6\n") && last(&lines).ends_with("\n25"));
        assert_eq!(last(&lines[..1]), "1");
    }
}
