//! Licences, sources and bans of the dependency tree.

pub fn run() -> anyhow::Result<()> {
    Ok(())
}
