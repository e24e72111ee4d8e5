//! Times the stages of a command and prints them as a table, whether the last one failed or not.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Stages in the order in which they ran.
#[derive(Default)]
pub struct Stages {
    done: Vec<(&'static str, Duration, bool)>,
}

impl Stages {
    /// Runs one stage. Its error names the stage.
    pub fn run<T>(&mut self, name: &'static str, stage: impl FnOnce() -> Result<T>) -> Result<T> {
        println!("\n== {name}");
        let began = Instant::now();
        let result = stage();
        self.done.push((name, began.elapsed(), result.is_ok()));
        result.with_context(|| format!("stage {name} failed"))
    }

    /// The table of all stages so far.
    pub fn print(&self) {
        println!("\n{}", self.table());
    }

    fn table(&self) -> String {
        let total = self.done.iter().map(|(_, took, _)| *took).sum::<Duration>();
        let mut lines = self.done.iter().map(|(name, took, ok)| row(name, *took, *ok)).collect::<Vec<_>>();
        lines.push(row("total", total, self.done.iter().all(|(_, _, ok)| *ok)));
        lines.join("\n")
    }
}

fn row(name: &str, took: Duration, ok: bool) -> String {
    let verdict = if ok { "ok" } else { "FAILED" };
    format!("{name:<12}{:>9.1} s  {verdict}", took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::Stages;

    #[test]
    fn a_failed_stage_is_named_and_listed() {
        let mut stages = Stages::default();
        stages.run("first", || Ok(())).expect("the first stage passes");
        let error = stages.run::<()>("second", || bail!("broken")).expect_err("the second stage fails");
        assert_eq!(error.to_string(), "stage second failed");
        let table = stages.table();
        assert!(table.contains("first") && table.contains("ok"), "{table}");
        assert!(table.ends_with("FAILED"), "{table}");
    }
}
