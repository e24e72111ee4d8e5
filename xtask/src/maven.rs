//! Maven, used for its downloads alone: a pom pins a version, a goal of the dependency plugin brings the files.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::progress::{self, Steps};

/// One goal, and where its files go.
pub struct Fetch<'a> {
    pub pom: &'a Path,
    pub goal: &'a str,
    pub into: &'a Path,
}

impl Fetch<'_> {
    /// Downloads what is not in Maven's own store yet, and puts it where it belongs.
    pub fn run(&self) -> Result<()> {
        let mut maven = Command::new("mvn");
        maven.args(["-B", "-Dstyle.color=never", "-f"]).arg(self.pom).arg(self.goal);
        maven.arg(format!("-DoutputDirectory={}", self.into.display()));
        let is_file = |line: &str| line.contains("Downloaded") && !line.contains(".pom");
        progress::run(maven, &Steps { name: "files", is_one: is_file })
    }
}

/// A property of the pom, such as `kafka.version`.
pub fn property<'a>(pom: &'a str, name: &str) -> Result<&'a str> {
    let after = pom.split_once(&format!("<{name}>")).map(|(_, after)| after);
    let value = after.and_then(|after| after.split_once(&format!("</{name}>"))).map(|(value, _)| value);
    value.with_context(|| format!("the pom pins no {name}"))
}

#[cfg(test)]
mod tests {
    use super::property;

    #[test]
    fn reads_a_pinned_version() {
        let pom = "<properties><kafka.version>4.1.1</kafka.version></properties>";
        assert_eq!(property(pom, "kafka.version").expect("the version is there"), "4.1.1");
        assert!(property(pom, "registry.version").is_err());
    }
}
