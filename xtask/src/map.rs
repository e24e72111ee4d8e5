//! `cargo xtask map`: what the dashboard shows of the world, made from packages of public data.

use std::process::Command;

use anyhow::{Context, Result};

use crate::{install, parts, repo};

pub fn run() -> Result<()> {
    install::ensure_system_packages()?;
    let (node, modules) = parts::ensure_map_node()?;
    let root = repo::root()?;
    let mut make = Command::new(node);
    make.arg(root.join("xtask/parts/map/make.mjs")).arg(modules);
    let made = make.arg(root.join("services/pages/assets")).status().context("failed to run node")?;
    anyhow::ensure!(made.success(), "the map was not made");
    Ok(())
}
