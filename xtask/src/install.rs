//! Puts onto a fresh Debian or Ubuntu machine what the workspace needs beside the Rust toolchain. When all is
//! there it only looks for files, and so costs a few milliseconds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::java::{Java, on_path};
use crate::process;

const JAVA_PACKAGE: &str = "openjdk-17-jre-headless";

/// A Debian package, and how to see without dpkg that it, or its equal, is there.
type Package = (&'static str, fn() -> bool);

const PACKAGES: &[Package] = &[
    (JAVA_PACKAGE, has_java),
    ("maven", || on_path("mvn").is_some()),
    ("gcc", || on_path("gcc").is_some()),
    // The configure script of librdkafka insists on a C++ compiler.
    ("g++", || on_path("g++").is_some()),
    // Without the C library's headers, which Debian keeps apart, a compiler compiles nothing.
    ("libc6-dev", || has_header("stdlib.h")),
    ("make", || on_path("make").is_some()),
    ("pkg-config", || on_path("pkg-config").is_some()),
    ("libssl-dev", || has_header("openssl/ssl.h")),
    ("zlib1g-dev", || has_header("zlib.h")),
    ("python3", || on_path("python3").is_some()),
    ("python3-venv", has_python_venv),
    // The tests look at pages as people do.
    ("chromium", || on_path("chromium").is_some()),
    ("chromium-driver", || on_path("chromedriver").is_some()),
];

/// What the chart's check takes beside them.
const CHART_PACKAGES: &[Package] =
    &[("etcd-server", || on_path("etcd").is_some()), ("openssl", || on_path("openssl").is_some())];

/// Installs the packages that are missing. Asks nothing; needs root or sudo, and apt, only when there is
/// something to install.
pub fn ensure_system_packages() -> Result<()> {
    ensure(PACKAGES)
}

/// As [`ensure_system_packages`], with what the chart's check takes.
pub fn ensure_chart_packages() -> Result<()> {
    ensure(PACKAGES)?;
    ensure(CHART_PACKAGES)
}

fn ensure(packages: &[Package]) -> Result<()> {
    let missing = missing_of(packages);
    if missing.is_empty() {
        return Ok(());
    }
    println!("missing system packages: {}", missing.join(" "));
    let rights = rights(&missing)?;
    process::run(&mut apt_get(rights, &["update"], &[])).context("failed to refresh the package lists")?;
    let offered = missing.into_iter().map(offered_name).collect::<Vec<_>>();
    let install = ["install", "-y", "--no-install-recommends"];
    process::run(&mut apt_get(rights, &install, &offered)).context("failed to install system packages")?;
    let still = missing_of(packages);
    if !still.is_empty() {
        bail!("installed, and yet not found: {}", still.join(" "));
    }
    Ok(())
}

fn missing_of(packages: &[Package]) -> Vec<&'static str> {
    packages.iter().filter(|(_, is_present)| !is_present()).map(|(name, _)| *name).collect()
}

/// How apt-get gets its rights.
#[derive(Clone, Copy)]
enum Rights {
    Root,
    Sudo,
}

fn rights(missing: &[&str]) -> Result<Rights> {
    let advice =
        format!("apt-get update && apt-get install -y --no-install-recommends {}", missing.join(" "));
    if on_path("apt-get").is_none() {
        bail!("this machine has no apt-get; install the likes of {} by hand", missing.join(", "));
    }
    if is_root()? {
        return Ok(Rights::Root);
    }
    if on_path("sudo").is_none() {
        bail!("installing needs root, and there is no sudo; run as root: {advice}");
    }
    Ok(Rights::Sudo)
}

fn is_root() -> Result<bool> {
    let id = process::output(Command::new("id").arg("-u"))?;
    Ok(id.trim() == "0")
}

/// A release that offers no Java 17 any more has a newer one as its default.
fn offered_name(name: &'static str) -> &'static str {
    let is_offered = || {
        let mut show = Command::new("apt-cache");
        show.args(["show", "--no-all-versions", name]);
        show.output().is_ok_and(|output| output.status.success())
    };
    if name == JAVA_PACKAGE && !is_offered() { "default-jre-headless" } else { name }
}

/// sudo drops the environment, so the variable goes through `env` behind it.
fn apt_get(rights: Rights, arguments: &[&str], packages: &[&str]) -> Command {
    let mut command = match rights {
        Rights::Root => Command::new("env"),
        Rights::Sudo => {
            let mut sudo = Command::new("sudo");
            sudo.arg("env");
            sudo
        }
    };
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]).args(arguments).args(packages);
    command
}

fn has_java() -> bool {
    Java::find().is_ok_and(|java| java.is_usable())
}

/// A header of the system, or of its architecture (`include/x86_64-linux-gnu`).
fn has_header(name: &str) -> bool {
    let include = Path::new("/usr/include");
    include.join(name).is_file() || subdirectories(include).any(|directory| directory.join(name).is_file())
}

/// Debian alone splits `ensurepip` off its Python; any other `python3` brings it.
fn has_python_venv() -> bool {
    let Some(python) = on_path("python3") else {
        return false;
    };
    if !python.starts_with("/usr/bin") && !python.starts_with("/bin") {
        return true;
    }
    subdirectories(Path::new("/usr/lib")).any(|directory| {
        directory.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python3."))
            && directory.join("ensurepip").is_dir()
    })
}

fn subdirectories(directory: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path())
}
