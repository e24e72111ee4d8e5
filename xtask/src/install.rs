//! Puts onto a fresh Debian or Ubuntu machine what the workspace needs beside the Rust toolchain. When all is
//! there it only looks for files, and so costs a few milliseconds.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::java::{Java, on_path};
use crate::process;

/// A Debian package, and how to see without dpkg that it, or an equal, is there.
struct Package {
    name: &'static str,
    is_present: fn() -> bool,
}

const PACKAGES: &[Package] = &[
    Package {
        name: "openjdk-17-jre-headless",
        is_present: has_java,
    },
    Package {
        name: "maven",
        is_present: || on_path("mvn").is_some(),
    },
    // The compiler without the C library's headers compiles nothing, and Debian keeps them apart.
    Package {
        name: "gcc",
        is_present: || on_path("gcc").is_some(),
    },
    Package {
        name: "libc6-dev",
        is_present: || has_header("stdlib.h"),
    },
    Package {
        name: "make",
        is_present: || on_path("make").is_some(),
    },
    Package {
        name: "pkg-config",
        is_present: || on_path("pkg-config").is_some(),
    },
    Package {
        name: "libssl-dev",
        is_present: || has_header("openssl/ssl.h"),
    },
    Package {
        name: "zlib1g-dev",
        is_present: || has_header("zlib.h"),
    },
    Package {
        name: "python3",
        is_present: || on_path("python3").is_some(),
    },
    Package {
        name: "python3-venv",
        is_present: has_python_venv,
    },
];

/// Installs the packages that are missing. Asks nothing; needs root or sudo, and apt, only when there is
/// something to install.
pub fn ensure_system_packages() -> Result<()> {
    let missing = missing_packages();
    if missing.is_empty() {
        return Ok(());
    }
    println!("missing system packages: {}", missing.join(" "));
    let rights = rights(&missing)?;
    let missing = without_missing_java_version(missing, rights)?;
    process::run(&mut apt_get(
        rights,
        &["install", "-y", "--no-install-recommends"],
        &missing,
    ))
    .context("failed to install the missing system packages")?;
    let still = missing_packages();
    if !still.is_empty() {
        bail!("installed, and yet not found: {}", still.join(" "));
    }
    Ok(())
}

fn missing_packages() -> Vec<&'static str> {
    PACKAGES
        .iter()
        .filter(|package| !(package.is_present)())
        .map(|package| package.name)
        .collect()
}

/// How apt-get gets its rights.
#[derive(Clone, Copy)]
enum Rights {
    Root,
    Sudo,
}

fn rights(missing: &[&str]) -> Result<Rights> {
    let advice = format!("apt-get install -y --no-install-recommends {}", missing.join(" "));
    if on_path("apt-get").is_none() {
        bail!(
            "this machine has no apt-get; install the likes of {} by hand",
            missing.join(", ")
        );
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

/// Refreshes the package lists; a release that has no Java 17 any more gets its default one, which is newer.
fn without_missing_java_version(missing: Vec<&'static str>, rights: Rights) -> Result<Vec<&'static str>> {
    process::run(&mut apt_get(rights, &["update"], &[])).context("failed to refresh the package lists")?;
    let has_java_17 = Command::new("apt-cache")
        .args(["show", "--no-all-versions", "openjdk-17-jre-headless"])
        .output()
        .is_ok_and(|output| output.status.success());
    let replace = |name| match name {
        "openjdk-17-jre-headless" if !has_java_17 => "default-jre-headless",
        name => name,
    };
    Ok(missing.into_iter().map(replace).collect())
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
    command
        .args(["DEBIAN_FRONTEND=noninteractive", "apt-get"])
        .args(arguments)
        .args(packages);
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
        directory
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("python3."))
            && directory.join("ensurepip").is_dir()
    })
}

fn subdirectories(directory: &Path) -> impl Iterator<Item = std::path::PathBuf> {
    fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
}
