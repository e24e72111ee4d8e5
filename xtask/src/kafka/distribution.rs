//! The jars of the one pinned Kafka version, and what is made of them once: an empty formatted storage and an
//! archive of loaded classes. Both exist to make every later start fast.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::java::Java;
use crate::maven::{self, Fetch};
use crate::{process, repo};

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
        let version = maven::property(&pom, "kafka.version")?.to_owned();
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
        let libs = self.libs();
        let fetch = Fetch { pom: pom_path, goal: "dependency:copy-dependencies", into: &libs };
        fetch.run().with_context(|| format!("failed to fetch the jars of kafka {}", self.version))?;
        println!("fetched {} jars", count_jars(&libs)?);
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

fn count_jars(libs: &Path) -> Result<usize> {
    Ok(fs::read_dir(libs).context("mvn copied no jars")?.count())
}
