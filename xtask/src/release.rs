//! `cargo xtask release`: the program, what it is made of, and that it can be built again byte for byte.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::tools::Tool;
use crate::{install, process, repo};

const CYCLONEDX: Tool = Tool { name: "cargo-cyclonedx", version: "0.5.7" };
const PROGRAM: &str = "causeway";

#[derive(clap::Args)]
pub struct ReleaseOptions {
    /// Builds it a second time from nothing, and compares.
    #[arg(long)]
    twice: bool,
}

/// Puts the program, its bill of materials and their digests into target/dist.
pub fn run(options: &ReleaseOptions) -> Result<()> {
    install::ensure_system_packages()?;
    let root = repo::root()?;
    let dist = root.join("target/dist");
    fs::create_dir_all(&dist).context("failed to create target/dist")?;
    let program = dist.join(PROGRAM);
    build(&root, &program)?;
    if options.twice {
        let again = dist.join("causeway-again");
        build(&root, &again)?;
        let [one, other] = [&program, &again].map(|path| digest(path));
        let (one, other) = (one?, other?);
        ensure!(one == other, "two builds of the same sources differ: {one} and {other}");
        fs::remove_file(again).context("failed to remove the second build")?;
        println!("two builds, one program: {one}");
    }
    let materials = materials(&root, &dist)?;
    for path in [&program, &materials] {
        println!("{}  {}", digest(path)?, path.display());
    }
    Ok(())
}

/// From nothing, at a place that is the same each time: paths of the machine stand nowhere in it.
fn build(root: &Path, into: &Path) -> Result<()> {
    let target = root.join("target/release-build");
    if target.exists() {
        fs::remove_dir_all(&target).context("failed to remove an earlier build")?;
    }
    let home = cargo_home()?;
    let places = [(root, "/causeway"), (home.as_path(), "/cargo")];
    let of = |option: &str| places.map(|(from, to)| format!("{option}={}={to}", from.display())).join(" ");
    let mut build = Command::new("cargo");
    build.args(["build", "--release", "--locked", "--bin", PROGRAM]).current_dir(root);
    build.env("CARGO_TARGET_DIR", &target).env("CARGO_INCREMENTAL", "0");
    build.env("RUSTFLAGS", of("--remap-path-prefix"));
    build.env("CFLAGS", of("-ffile-prefix-map")).env("CXXFLAGS", of("-ffile-prefix-map"));
    // What compilers of C put in for the date.
    build.env("SOURCE_DATE_EPOCH", commit_time(root)?);
    process::run(&mut build)?;
    // Lines of the source are three quarters of it; what a panic says names its own.
    let mut strip = Command::new("strip");
    strip.arg("--strip-debug").arg("-o").arg(into).arg(target.join("release").join(PROGRAM));
    process::run(&mut strip)?;
    fs::remove_dir_all(&target).context("failed to remove a build")
}

fn cargo_home() -> Result<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let below = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    home.or_else(below).context("neither CARGO_HOME nor HOME is set")
}

fn commit_time(root: &Path) -> Result<String> {
    let mut log = Command::new("git");
    let time = process::output(log.args(["log", "-1", "--format=%ct"]).current_dir(root))?;
    Ok(time.trim().to_owned())
}

/// Every crate in the program, with version, licence and origin, as CycloneDX.
fn materials(root: &Path, dist: &Path) -> Result<PathBuf> {
    let package = root.join("services/causeway");
    let mut list = Command::new(CYCLONEDX.ensure()?);
    list.args(["cyclonedx", "--format", "json", "--spec-version", "1.5", "--describe", "binaries"]);
    list.arg("--manifest-path").arg(package.join("Cargo.toml"));
    process::run(list.env("SOURCE_DATE_EPOCH", commit_time(root)?).current_dir(root))?;
    let made = package.join("causeway_bin.cdx.json");
    let materials = dist.join("causeway.cdx.json");
    fs::rename(made, &materials).context("cargo-cyclonedx has left no list")?;
    // It lists every program of the workspace.
    process::run(
        Command::new("git").args(["clean", "-f", "--quiet", "--", "*_bin.cdx.json"]).current_dir(root),
    )?;
    Ok(materials)
}

fn digest(path: &Path) -> Result<String> {
    let said = process::output(Command::new("sha256sum").arg(path))?;
    Ok(said.split_whitespace().next().unwrap_or_default().to_owned())
}
