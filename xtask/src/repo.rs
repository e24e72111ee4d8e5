//! Finds the root of the repository from wherever `cargo xtask` was called.

use std::path::PathBuf;

use anyhow::{Context, Result};

/// A file that only the root of this repository has.
const LANDMARK: &str = "xtask/kafka/pom.xml";

/// The root of the repository around the current directory.
pub fn root() -> Result<PathBuf> {
    let here = std::env::current_dir().context("failed to read the current directory")?;
    here.ancestors()
        .find(|directory| directory.join(LANDMARK).is_file())
        .map(ToOwned::to_owned)
        .with_context(|| format!("no repository of causeway around {}", here.display()))
}
