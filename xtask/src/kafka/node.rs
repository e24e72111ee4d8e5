//! One JVM of Kafka as a child. It sits in its own process group, so that a Ctrl-C in the terminal passes it
//! by and the services can drain first; and it hangs on a pipe, so that it never outlives xtask.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::distribution::Distribution;
use super::storage::Place;

/// The last word of a start, from `KafkaRaftServer`: by then every listener answers.
const READY: &str = "Kafka Server started";
/// Many times what a start takes on a slow and busy machine.
const START_LIMIT: Duration = Duration::from_secs(60);
/// A stop takes under a second; the first one also writes the class archive, some four seconds.
const STOP_LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);
/// A test run has its few thousand partitions at the end, each of which takes some 80 KB of the heap.
const JVM_FLAGS: [&str; 4] = ["-Xmx768m", "-Xms256m", "-XX:+UseSerialGC", "-Xshare:auto"];
/// With the first compiler tier alone a broker starts in half the time and takes half the processor for its first
/// transactions (3.6 s instead of 7.4 s for 20,000 records), as the second tier compiles all the while.
const FIRST_TIER: &str = "-XX:TieredStopAtLevel=1";

/// How long a broker is to live, on a few cores that it shares with the services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Minutes: what its second compiler would find out comes too late.
    Short,
    /// As long as in a deployment: both compilers.
    Long,
}
/// How much of the log an error repeats.
const SHOWN_LINES: usize = 20;

/// Becomes the JVM, after leaving a watcher in its process group. A line on the pipe asks the JVM to stop, the
/// pipe's end (xtask is gone, however it died) kills the group. `$$` is the JVM's id because of the `exec`; it
/// cannot be another's later, as the watcher keeps the group, and with it the id, alive.
const LAUNCHER: &str = r#"
exec 3<&0 </dev/null
(while read -r _; do kill -TERM $$; done <&3; kill -KILL 0) &
exec "$@" 3<&-
"#;

/// A running node. Dropping it stops it.
pub struct Node {
    jvm: Child,
    log_file: PathBuf,
    /// Written by this JVM at its exit, and to be moved to where later ones look for it.
    new_archive: Option<(PathBuf, PathBuf)>,
}

impl Node {
    pub fn spawn(place: &Place, distribution: &Distribution, life: Life) -> Result<Self> {
        let log_file = place.log_file();
        // One older log stays: after a crash it is the one of interest.
        let _ = fs::rename(&log_file, log_file.with_extension("previous.log"));
        let log = File::create(&log_file).context("failed to create kafka's log file")?;
        let archive = distribution.class_archive();
        let new_archive = (!archive.exists()).then(|| (place.directory.join("classes.jsa"), archive.clone()));
        let archive_flag = match &new_archive {
            Some((temporary, _)) => format!("-XX:ArchiveClassesAtExit={}", temporary.display()),
            None => format!("-XX:SharedArchiveFile={}", archive.display()),
        };
        let jvm = Command::new("sh")
            .args(["-c", LAUNCHER, "kafka"])
            .arg(distribution.java())
            .args(JVM_FLAGS)
            .args((life == Life::Short).then_some(FIRST_TIER))
            .arg(archive_flag)
            .args(["-Dorg.slf4j.simpleLogger.showDateTime=true"])
            .args(["-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS"])
            .args(["-cp", &distribution.class_path(), "kafka.Kafka"])
            .arg(place.properties())
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().context("failed to share kafka's log file")?)
            .stderr(log)
            .spawn()
            .context("failed to start kafka")?;
        fs::write(place.directory.join("pid"), jvm.id().to_string())
            .context("failed to write kafka's process id")?;
        Ok(Self { jvm, log_file, new_archive })
    }

    /// Waits until the node serves. Fails with the end of its log.
    pub fn wait_until_ready(&mut self) -> Result<()> {
        let began = Instant::now();
        while !self.log().contains(READY) {
            self.ensure_alive()?;
            if began.elapsed() > START_LIMIT {
                bail!("kafka was not ready after {} s\n{}", START_LIMIT.as_secs(), self.last_lines());
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Fails when the JVM has ended.
    pub fn ensure_alive(&mut self) -> Result<()> {
        match self.jvm.try_wait().context("failed to look after kafka")? {
            Some(status) => bail!("kafka ended by itself with {status}\n{}", self.last_lines()),
            None => Ok(()),
        }
    }

    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.jvm.try_wait().context("failed to look after kafka")?.is_some())
    }

    /// Only asks; `stop` waits.
    pub fn ask_to_stop(&mut self) {
        if let Some(pipe) = &mut self.jvm.stdin {
            // It fails only when nobody is left to ask.
            let _ = pipe.write_all(b"stop\n");
        }
    }

    /// Stops the node and keeps the class archive that it may have written.
    pub fn stop(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        let ended = self.wait_for_exit()?;
        // The watcher reads the end of the pipe, and kills what is left of the group, itself included.
        drop(self.jvm.stdin.take());
        if !ended {
            println!("kafka did not stop within {} s and is killed", STOP_LIMIT.as_secs());
            self.jvm.wait().context("failed to wait for a killed kafka")?;
            return Ok(());
        }
        self.keep_archive();
        Ok(())
    }

    fn wait_for_exit(&mut self) -> Result<bool> {
        self.ask_to_stop();
        let began = Instant::now();
        while began.elapsed() < STOP_LIMIT {
            if self.jvm.try_wait().context("failed to wait for kafka")?.is_some() {
                return Ok(true);
            }
            thread::sleep(POLL);
        }
        Ok(false)
    }

    /// By a rename, so that no JVM ever maps half an archive. Without an archive the next start is only slower.
    fn keep_archive(&mut self) {
        if let Some((temporary, kept)) = self.new_archive.take() {
            let _ = fs::rename(temporary, kept);
        }
    }

    fn log(&self) -> String {
        let bytes = fs::read(&self.log_file).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn last_lines(&self) -> String {
        let log = self.log();
        let lines = log.lines().collect::<Vec<_>>();
        let from = lines.len().saturating_sub(SHOWN_LINES);
        format!("the end of {}:\n{}", self.log_file.display(), lines[from..].join("\n"))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if self.jvm.stdin.is_some() {
            let _ = self.end();
        }
    }
}
