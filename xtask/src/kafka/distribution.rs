//! The jars of the one pinned Kafka version, and what is made of them once: an empty formatted storage and an
//! archive of loaded classes. Both exist to make every later start fast.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::java::Java;
use crate::{process, repo};

/// How often the fetch says how far it is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(3);
/// How much of Maven's output an error repeats.
const SHOWN_LINES: usize = 20;

/// Everything that is the same for every cluster on this machine.
pub struct Distribution {
    java: Java,
    version: String,
    directory: PathBuf,
}

impl Distribution {
    /// Fetches and prepares what is not there yet; otherwise reads three small files.
    pub fn ensure() -> Result<Self> {
        let root = repo::root()?;
        let pom_path = root.join("xtask/kafka/pom.xml");
        let pom = fs::read_to_string(&pom_path).context("failed to read the pinned versions of kafka")?;
        let version = kafka_version(&pom)?.to_owned();
        let directory = root.join(".kafka").join(&version);
        let distribution = Self { java: Java::find()?, version, directory };
        distribution.prepare(&pom_path, &pom)?;
        Ok(distribution)
    }

    pub fn version(&self) -> &str {
        &self.version
    }

    /// Every jar, as an argument of `java -cp`.
    pub fn class_path(&self) -> String {
        format!("{}/*", self.libs().display())
    }

    pub fn java(&self) -> &Path {
        &self.java.program
    }

    /// An empty formatted storage: a new node copies it and so saves the start of one JVM.
    pub fn formatted(&self) -> PathBuf {
        self.directory.join("formatted")
    }

    /// The class data archive, of use only to the very runtime that wrote it.
    pub fn class_archive(&self) -> PathBuf {
        self.directory.join(format!("classes-{}.jsa", self.java.version))
    }

    fn libs(&self) -> PathBuf {
        self.directory.join("libs")
    }

    /// The marker is written last and holds the pom, so an interrupted preparation or a new pin starts over.
    fn prepare(&self, pom_path: &Path, pom: &str) -> Result<()> {
        fs::create_dir_all(&self.directory).context("failed to create the directory of kafka's jars")?;
        let lock = File::create(self.directory.join("lock")).context("failed to create kafka's lock")?;
        lock.lock().context("failed to lock kafka's jars")?;
        let marker = self.directory.join("complete");
        if fs::read_to_string(&marker).is_ok_and(|complete| complete == pom) {
            return Ok(());
        }
        self.remove_remains()?;
        self.fetch(pom_path)?;
        self.format()?;
        fs::write(&marker, pom).context("failed to mark kafka's jars as complete")
    }

    fn remove_remains(&self) -> Result<()> {
        let _ = fs::remove_file(self.directory.join("complete"));
        let _ = fs::remove_file(self.class_archive());
        for remains in [self.libs(), self.formatted()] {
            if remains.exists() {
                fs::remove_dir_all(remains).context("failed to remove an incomplete set of jars")?;
            }
        }
        Ok(())
    }

    fn fetch(&self, pom_path: &Path) -> Result<()> {
        println!("fetching the jars of kafka {}", self.version);
        let mut command = Command::new("mvn");
        command
            .args(["-B", "-Dstyle.color=never", "-f"])
            .arg(pom_path)
            .arg("dependency:copy-dependencies")
            .arg(format!("-DoutputDirectory={}", self.libs().display()))
            .stdout(Stdio::piped());
        let mut maven = command.spawn().context("failed to start mvn")?;
        let output = maven.stdout.take().context("mvn has no standard output")?;
        let lines = follow_maven(BufReader::new(output));
        if !maven.wait().context("failed to wait for mvn")?.success() {
            bail!("failed to fetch the jars of kafka {}, mvn ended with\n{}", self.version, last(&lines));
        }
        println!("fetched {} jars", count_jars(&self.libs())?);
        Ok(())
    }

    fn format(&self) -> Result<()> {
        println!("formatting an empty kafka storage");
        let formatted = self.formatted();
        fs::create_dir_all(&formatted).context("failed to create the formatted storage")?;
        let properties = self.directory.join("format.properties");
        let text = format!(
            "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:9093\n\
             listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093\n\
             controller.listener.names=CONTROLLER\nlog.dirs={}\n",
            formatted.display()
        );
        fs::write(&properties, text).context("failed to write the properties to format with")?;
        let mut command = Command::new(self.java());
        command
            .args([
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            ])
            .args(["-cp", &self.class_path()])
            .args(["kafka.tools.StorageTool", "format", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c"])
            .arg(properties);
        process::output(&mut command).context("failed to format a kafka storage")?;
        Ok(())
    }
}

/// Reads Maven's output to its end and says every few seconds how many jars have come.
fn follow_maven(output: impl BufRead) -> Vec<String> {
    let mut lines = Vec::new();
    let mut jars = 0;
    let mut said = Instant::now();
    for line in output.lines().map_while(Result::ok) {
        if line.contains("Downloaded") && line.contains(".jar") {
            jars += 1;
        }
        if said.elapsed() >= PROGRESS_INTERVAL {
            println!("  {jars} jars so far");
            said = Instant::now();
        }
        lines.push(line);
    }
    lines
}

fn last(lines: &[String]) -> String {
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
}

fn count_jars(libs: &Path) -> Result<usize> {
    Ok(fs::read_dir(libs).context("mvn copied no jars")?.count())
}

fn kafka_version(pom: &str) -> Result<&str> {
    let after = pom.split_once("<kafka.version>").map(|(_, after)| after);
    let version = after.and_then(|after| after.split_once("</kafka.version>")).map(|(version, _)| version);
    version.context("the pom pins no kafka.version")
}

#[cfg(test)]
mod tests {
    use super::{kafka_version, last};

    #[test]
    fn reads_the_pinned_version() {
        let pom = "<properties><kafka.version>4.1.1</kafka.version></properties>";
        assert_eq!(kafka_version(pom).expect("the version is there"), "4.1.1");
        assert!(kafka_version("<properties/>").is_err());
    }

    #[test]
    fn an_error_repeats_the_last_lines_only() {
        let lines = (1..=25).map(|n| n.to_string()).collect::<Vec<_>>();
        assert!(last(&lines).starts_with("6\n") && last(&lines).ends_with("\n25"));
        assert_eq!(last(&lines[..1]), "1");
    }
}
