//! `cargo xtask chart`: the chart, held against Helm, Kubernetes' schemas, a real API server without nodes, and
//! Prometheus' own tool.

use std::process::Command;

use anyhow::Result;

use crate::parts::ChartParts;
use crate::{install, process, repo};

pub fn run() -> Result<()> {
    install::ensure_chart_packages()?;
    let (parts, root) = (ChartParts::ensure()?, repo::root()?);
    let mut rules = Command::new(&parts.promtool);
    process::run(rules.args(["check", "rules"]).arg(root.join("helm/files/alerts.yaml")))?;
    let mut rules = Command::new(&parts.promtool);
    process::run(rules.args(["test", "rules"]).arg(root.join("integration-tests/outside/alerts.yaml")))?;
    let mut check = Command::new(&parts.python);
    check.arg(root.join("integration-tests/outside/check_chart.py")).arg("--chart").arg(root.join("helm"));
    let programs =
        [("--helm", &parts.helm), ("--kubectl", &parts.kubectl), ("--apiserver", &parts.apiserver)];
    for (option, program) in programs {
        check.arg(option).arg(program);
    }
    for resource in &parts.resources {
        check.arg("--resource").arg(resource);
    }
    process::run(&mut check)
}
