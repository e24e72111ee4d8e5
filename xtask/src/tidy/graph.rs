//! Which crate may depend on which. The graph keeps the services replaceable: they meet on topics only.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::{Files, TextFile, Violation};

const SERVICES: [&str; 17] = [
    "schemas",
    "known-material",
    "chassis",
    "directory",
    "intake",
    "routing",
    "mla",
    "victim-id",
    "digest-sets",
    "paper",
    "delivery",
    "audit-log",
    "audit",
    "pages",
    "dashboard",
    "client",
    "desk",
];

/// Every crate of the workspace, and those of its siblings that it may use.
const MAY_USE: [(&str, &[&str]); 20] = [
    ("schemas", &[]),
    ("chassis", &["schemas", "known-material", "audit-log"]),
    ("directory", &["schemas", "chassis"]),
    ("intake", &["schemas", "chassis"]),
    ("routing", &["schemas", "chassis"]),
    ("mla", &["schemas", "chassis"]),
    ("victim-id", &["schemas", "chassis"]),
    ("digest-sets", &["schemas", "chassis", "known-material"]),
    ("paper", &["schemas"]),
    ("known-material", &[]),
    ("audit-log", &[]),
    ("audit", &["schemas", "chassis", "audit-log"]),
    ("delivery", &["schemas", "chassis", "known-material"]),
    ("pages", &["schemas", "chassis"]),
    ("dashboard", &["schemas", "chassis", "pages"]),
    // Programs of an agency: they speak to the services with the services' own types.
    ("client", &["schemas", "chassis", "audit-log", "intake", "routing", "delivery", "dashboard"]),
    (
        "desk",
        &["schemas", "chassis", "client", "pages", "directory", "routing", "mla", "victim-id", "delivery"],
    ),
    ("causeway", &SERVICES),
    (
        "integration-tests",
        &[
            "schemas",
            "chassis",
            "directory",
            "intake",
            "routing",
            "mla",
            "victim-id",
            "digest-sets",
            "known-material",
            "delivery",
            "audit-log",
            "audit",
            "pages",
            "dashboard",
            "client",
            "desk",
            "causeway",
        ],
    ),
    ("xtask", &[]),
];

/// A foreign crate, and the only place that may name it.
const HOMES: [(&str, &str); 4] =
    [("rdkafka", "chassis"), ("sled", "chassis"), ("jsonwebtoken", "chassis"), ("apache-avro", "schemas")];

/// Dependencies point from the schemas outwards, and never from one service to another.
pub fn dependencies_point_one_way(files: &Files) -> Vec<Violation> {
    let manifests = manifests(files);
    let siblings = manifests.iter().map(|manifest| manifest.name.clone()).collect::<BTreeSet<_>>();
    manifests.iter().flat_map(|manifest| misdirected(manifest, &siblings)).collect()
}

fn misdirected(manifest: &Manifest, siblings: &BTreeSet<String>) -> Vec<Violation> {
    let name = &manifest.name;
    let Some((_, allowed)) = MAY_USE.iter().find(|(known, _)| known == name) else {
        let message = format!("crate {name} has no entry in xtask/src/tidy/graph.rs");
        return vec![manifest.file.violation(1, message)];
    };
    let wrong = manifest.dependencies.iter().filter(|dependency| {
        siblings.contains(&dependency.package) && !allowed.contains(&dependency.package.as_str())
    });
    wrong
        .map(|dependency| manifest.violation(dependency, "against the direction of the crate graph"))
        .collect()
}

/// Kafka's client, the cache and JWT are known to chassis only, Avro to schemas only. The integration tests
/// and the measurements beside them may meet Kafka without chassis between.
pub fn named_crates_stay_at_home(files: &Files) -> Vec<Violation> {
    manifests(files).iter().flat_map(strays).collect()
}

fn strays(manifest: &Manifest) -> Vec<Violation> {
    let mut violations = Vec::new();
    for dependency in &manifest.dependencies {
        let Some((_, home)) = HOMES.iter().find(|(package, _)| *package == dependency.package) else {
            continue;
        };
        let is_plain_client = manifest.name == "integration-tests" && dependency.package == "rdkafka";
        if manifest.name != *home && !is_plain_client {
            violations.push(manifest.violation(dependency, &format!("reserved to {home}")));
        }
    }
    violations
}

/// One crate's `Cargo.toml`.
struct Manifest<'a> {
    file: &'a TextFile,
    name: String,
    dependencies: Vec<Dependency>,
}

struct Dependency {
    /// As the manifest calls it.
    key: String,
    /// As the registry calls it.
    package: String,
}

impl Manifest<'_> {
    fn violation(&self, dependency: &Dependency, reason: &str) -> Violation {
        let message = format!("crate {} must not depend on {}: {reason}", self.name, dependency.package);
        self.file.violation(self.line_of(&dependency.key), message)
    }

    /// The parser drops positions; a dependency's line is the first that begins with its key.
    fn line_of(&self, key: &str) -> usize {
        let begins = |line: &str| {
            line.strip_prefix(key).is_some_and(|rest| rest.starts_with([' ', '=', '.']))
                || line.ends_with(&format!("dependencies.{key}]"))
        };
        self.file.text.lines().position(begins).map_or(1, |index| index + 1)
    }
}

/// The manifests of crates. That of the workspace itself has no package; one that does not parse is cargo's to
/// report.
fn manifests(files: &Files) -> Vec<Manifest<'_>> {
    files.texts.iter().filter(|file| file.file_name() == "Cargo.toml").filter_map(manifest).collect()
}

fn manifest(file: &TextFile) -> Option<Manifest<'_>> {
    let table = file.text.parse::<Table>().ok()?;
    let name = table.get("package")?.get("name")?.as_str()?.to_owned();
    let mut dependencies = dependencies(&table);
    let targets = table.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    dependencies.extend(targets.filter_map(Value::as_table).flat_map(self::dependencies));
    Some(Manifest { file, name, dependencies })
}

fn dependencies(table: &Table) -> Vec<Dependency> {
    let mut found = Vec::new();
    for section in ["dependencies", "build-dependencies", "dev-dependencies"] {
        for (key, value) in table.get(section).and_then(Value::as_table).into_iter().flatten() {
            let package = value.get("package").and_then(Value::as_str).unwrap_or(key).to_owned();
            found.push(Dependency { key: key.clone(), package });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;
    use super::{dependencies_point_one_way, named_crates_stay_at_home};

    const SCHEMAS: (&str, &str) = ("schemas/Cargo.toml", "[package]\nname = \"schemas\"\n");
    const INTAKE: (&str, &str) = ("services/intake/Cargo.toml", "[package]\nname = \"intake\"\n");

    #[test]
    fn dependencies_point_one_way_only() {
        let routing = "services/routing/Cargo.toml";
        let on_schemas =
            "[package]\nname = \"routing\"\n[dependencies]\nserde = \"1\"\nschemas.workspace = true\n";
        check(dependencies_point_one_way, &[SCHEMAS, INTAKE, (routing, on_schemas)], &[]);

        let on_intake = "[package]\nname = \"routing\"\n[dev-dependencies]\nintake.workspace = true\n";
        let expected = "services/routing/Cargo.toml:4: crate routing must not depend on intake";
        check(dependencies_point_one_way, &[SCHEMAS, INTAKE, (routing, on_intake)], &[expected]);

        let stranger = ("services/new/Cargo.toml", "[package]\nname = \"new\"\n");
        let expected = "services/new/Cargo.toml:1: crate new has no entry";
        check(dependencies_point_one_way, &[SCHEMAS, stranger], &[expected]);
    }

    #[test]
    fn kafka_stays_in_chassis() {
        let workspace = ("Cargo.toml", "[workspace.dependencies]\nrdkafka = \"0.39\"\n");
        let chassis = "[package]\nname = \"chassis\"\n[dependencies]\nrdkafka.workspace = true\n";
        let tests = "[package]\nname = \"integration-tests\"\n[dependencies]\nrdkafka.workspace = true\n";
        let given =
            [workspace, ("services/chassis/Cargo.toml", chassis), ("integration-tests/Cargo.toml", tests)];
        check(named_crates_stay_at_home, &given, &[]);

        let renamed = "[package]\nname = \"intake\"\n[dependencies]\nk = { package = \"rdkafka\" }\n";
        let expected =
            "services/intake/Cargo.toml:4: crate intake must not depend on rdkafka: reserved to chassis";
        check(named_crates_stay_at_home, &[("services/intake/Cargo.toml", renamed)], &[expected]);

        let for_unix =
            "[package]\nname = \"intake\"\n[target.'cfg(unix)'.dependencies.apache-avro]\nversion = \"1\"\n";
        let expected = "services/intake/Cargo.toml:3: crate intake must not depend on apache-avro";
        check(named_crates_stay_at_home, &[("services/intake/Cargo.toml", for_unix)], &[expected]);
    }
}
