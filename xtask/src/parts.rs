//! What the integration tests run beside Kafka and share no code with: a schema registry that speaks
//! Confluent's protocol, and a Python with a Kafka client and an API checker. Fetched once; when all is there,
//! two small files are read.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::maven::{self, Fetch};
use crate::progress::{self, Steps};
use crate::repo;

/// Where the tests find the registry's runner.
const REGISTRY_JAR: &str = "CAUSEWAY_TEST_REGISTRY_JAR";
/// Where the tests find the interpreter that has the clients.
const PYTHON: &str = "CAUSEWAY_TEST_PYTHON";

/// Written last, and holds what it was made from: what an interruption has left is made anew.
const MARKER: &str = "complete";

/// Everything that the tests need beside Kafka, ready to be started.
pub struct Parts {
    registry_jar: PathBuf,
    python: PathBuf,
}

impl Parts {
    /// Fetches what is not there yet.
    pub fn ensure() -> Result<Self> {
        let root = repo::root()?;
        let (sources, directory) = (root.join("xtask/parts"), root.join(".kafka/parts"));
        fs::create_dir_all(&directory).context("failed to create the directory of the tests' parts")?;
        let lock = File::create(directory.join("lock")).context("failed to create the parts' lock")?;
        lock.lock().context("failed to lock the tests' parts")?;
        Ok(Self {
            registry_jar: ensure_registry(&sources.join("pom.xml"), &directory)?,
            python: ensure_python(&sources.join("requirements.txt"), &directory)?,
        })
    }

    /// How a test learns where the parts are.
    pub fn environment(&self) -> [(&'static str, &Path); 2] {
        [(REGISTRY_JAR, &self.registry_jar), (PYTHON, &self.python)]
    }
}

fn ensure_registry(pom_path: &Path, parts: &Path) -> Result<PathBuf> {
    let pom = fs::read_to_string(pom_path).context("failed to read the registry's pinned version")?;
    let version = maven::property(&pom, "registry.version")?;
    let directory = parts.join(format!("registry-{version}"));
    let jar = directory.join(format!("apicurio-registry-app-{version}-runner.jar"));
    make(&directory, &pom, &jar, || {
        println!("fetching the schema registry {version}, 142 MB");
        Fetch { pom: pom_path, goal: "dependency:unpack", into: &directory }.run()
    })
    .context("failed to fetch the schema registry")?;
    Ok(jar)
}

fn ensure_python(requirements_path: &Path, parts: &Path) -> Result<PathBuf> {
    let requirements = fs::read_to_string(requirements_path).context("failed to read the python packages")?;
    let directory = parts.join(format!("python-{:016x}", fingerprint(&requirements)));
    let python = directory.join("bin/python");
    make(&directory, &requirements, &python, || {
        let count = requirements.lines().filter(|line| line.contains("==")).count();
        println!("installing {count} python packages beside each other");
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv"]).arg(&directory);
        progress::run(venv, &PACKAGES)?;
        let mut pip = Command::new(&python);
        // Wheels only: a package built here would need compilers and headers that nobody has asked for.
        pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"])
            .args(["--only-binary", ":all:", "--requirement"])
            .arg(requirements_path);
        progress::run(pip, &PACKAGES)
    })
    .context("failed to set up python for the tests")?;
    Ok(python)
}

const PACKAGES: Steps = Steps { name: "packages", is_one: |line| line.starts_with("Collecting ") };

/// Makes the directory when it is not whole, or was made from something else.
fn make(directory: &Path, source: &str, product: &Path, fetch: impl FnOnce() -> Result<()>) -> Result<()> {
    let marker = directory.join(MARKER);
    if product.is_file() && fs::read_to_string(&marker).is_ok_and(|complete| complete == source) {
        return Ok(());
    }
    if directory.exists() {
        fs::remove_dir_all(directory).context("failed to remove an incomplete part")?;
    }
    fetch()?;
    anyhow::ensure!(product.is_file(), "fetched, and yet there is no {}", product.display());
    fs::write(marker, source).context("failed to mark a part as complete")
}

/// FNV-1a: short enough for a name, and no protection against anyone.
fn fingerprint(text: &str) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    text.bytes().fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{MARKER, fingerprint, make};

    #[test]
    fn a_fingerprint_is_of_the_text() {
        // Fowler, Noll and Vo's own test values.
        for (text, expected) in [("", 0xcbf2_9ce4_8422_2325), ("foobar", 0x8594_4171_f739_67e8)] {
            assert_eq!(fingerprint(text), expected, "{text}");
        }
    }

    #[test]
    fn a_part_is_made_once_for_each_source() {
        let directory = std::env::temp_dir().join(format!("causeway-parts-{}", std::process::id()));
        let product = directory.join("product");
        let mut made = 0;
        for (source, total) in [("one", 1), ("one", 1), ("two", 2)] {
            make(&directory, source, &product, || {
                made += 1;
                fs::create_dir_all(&directory)?;
                Ok(fs::write(&product, source)?)
            })
            .expect("the part is made");
            assert_eq!(made, total, "{source}");
        }
        fs::remove_file(directory.join(MARKER)).expect("the marker is there");
        make(&directory, "two", &product, || anyhow::bail!("offline")).expect_err("there is nothing to use");
        assert!(!directory.exists(), "what is not whole does not stay");
    }
}
