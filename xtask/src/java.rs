//! Finds the Java runtime and its version without paying for the start of a JVM.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// Kafka 4 needs it.
pub const OLDEST_USABLE: u32 = 17;

/// One Java runtime.
pub struct Java {
    pub program: PathBuf,
    /// As the runtime names itself, such as `17.0.15+6`.
    pub version: String,
}

impl Java {
    /// The `java` of the search path.
    pub fn find() -> Result<Self> {
        let program = on_path("java").context("found no java on the search path")?;
        let version = match released_version(&program) {
            Some(version) => version,
            None => asked_version(&program)?,
        };
        Ok(Self { program, version })
    }

    /// Whether Kafka runs on it.
    pub fn is_usable(&self) -> bool {
        major(&self.version).is_some_and(|major| major >= OLDEST_USABLE)
    }
}

/// The first executable file of that name on the search path.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file())
}

/// A runtime's home holds a file `release` beside `bin`.
fn released_version(program: &Path) -> Option<String> {
    let home = fs::canonicalize(program).ok()?.parent()?.parent()?.to_owned();
    let release = fs::read_to_string(home.join("release")).ok()?;
    value(&release, "JAVA_RUNTIME_VERSION").or_else(|| value(&release, "JAVA_VERSION"))
}

fn value(release: &str, key: &str) -> Option<String> {
    let quoted = release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
    Some(quoted.trim_matches('"').to_owned())
}

/// For version managers, whose `java` is a script far away from any `release` file.
fn asked_version(program: &Path) -> Result<String> {
    let output = Command::new(program).arg("-version").output().context("failed to start java -version")?;
    let text = String::from_utf8_lossy(&output.stderr);
    let quoted = text.split('"').nth(1).context("java -version names no version")?;
    Ok(quoted.to_owned())
}

fn major(version: &str) -> Option<u32> {
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{major, value};

    #[test]
    fn reads_the_major_version() {
        for (version, expected) in [
            ("17.0.15+6-Debian-1deb12u1", Some(17)),
            ("21", Some(21)),
            ("1.8.0_402", Some(1)),
            ("25-ea", Some(25)),
            ("", None),
        ] {
            assert_eq!(major(version), expected, "{version}");
        }
    }

    #[test]
    fn reads_a_release_file() {
        let release = "IMPLEMENTOR=\"Debian\"\nJAVA_VERSION=\"17.0.15\"\n";
        assert_eq!(value(release, "JAVA_VERSION").as_deref(), Some("17.0.15"));
        assert_eq!(value(release, "JAVA_RUNTIME_VERSION"), None);
    }
}
