//! CyberTipline reports that together fill the whole schema arrive with nothing lost.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use client::{OpenedFacet, remainder};
use delivery::inbox::Entry;
use integration_tests::{Deployment, await_some};
use schemas::ids::{FacetId, IncidentId};

use crate::outside::{named, script};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../services/intake/testdata/cybertipline")
}

/// Reports with the documents on their files: `<name>.xml` beside `<name>.file-<n>.xml`.
fn reports() -> BTreeMap<String, (String, Vec<String>)> {
    let mut names: Vec<PathBuf> =
        std::fs::read_dir(examples()).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.extension().is_some_and(|extension| extension == "xml"));
    names.sort();
    let mut reports = BTreeMap::new();
    let mut files = Vec::new();
    for path in names {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if text.contains("<fileDetails") {
            files.push(text);
        } else {
            reports.insert(name, (text, Vec::new()));
        }
    }
    // Every document on a file goes with the first report: one report may have any number.
    reports.values_mut().next().unwrap().1 = files;
    reports
}

/// Everything that any agency assigned to the incident may open, each facet once.
async fn opened_by_all(deployment: &Deployment, incident: IncidentId) -> Vec<OpenedFacet> {
    // A provider does not see where its report went; a coordinator does.
    let coordinator = deployment.client("routing", "un-coordinator").unwrap();
    let routed =
        || async { coordinator.routing(incident).await.ok().filter(|view| !view.assignments.is_empty()) };
    let view = await_some("the report to be routed", routed).await.unwrap();
    let mut opened: BTreeMap<FacetId, OpenedFacet> = BTreeMap::new();
    for assignment in &view.assignments {
        let agency = assignment.agency.as_str();
        let client = deployment.client("delivery", agency).unwrap();
        deployment
            .client("routing", agency)
            .unwrap()
            .answer(incident, assignment.assignment_id, "accept", &())
            .await
            .unwrap();
        let accepted = || async {
            let inbox = client.inbox("?limit=500").await.unwrap();
            let wanted = assignment.assignment_id;
            let accepted = |entry: &Entry| match entry {
                Entry::Changed { assignment_id, .. } => *assignment_id == wanted,
                _ => false,
            };
            inbox.entries.iter().any(accepted).then_some(())
        };
        await_some("the acceptance", accepted).await.unwrap();
        let (key_id, keys) = deployment.world.keys(agency).unwrap();
        let facets = client
            .open(incident, assignment.assignment_id, &key_id, &keys, &format!("open-{incident}"))
            .await
            .unwrap();
        opened.extend(facets.into_iter().map(|facet| (facet.facet_id, facet)));
    }
    opened.into_values().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_is_given_back_whole() {
    let mut deployment = Deployment::start("report").await.unwrap();
    let provider = deployment.client("intake", "us-provider").unwrap();
    for (name, (report, files)) in reports() {
        let receipt = provider.refer_report(&name, report.clone(), files.clone()).await.unwrap();
        let opened = opened_by_all(&deployment, receipt.incident_id).await;
        let (emitted, emitted_files) = intake::cybertipline::emit(&remainder(&opened).unwrap()).unwrap();
        assert_eq!(emitted_files.len(), files.len(), "{name}");
        let pairs = std::iter::once((report, emitted)).chain(files.into_iter().zip(emitted_files));
        let mut arguments = vec![script("same_xml.py")];
        for (number, (sent, given_back)) in pairs.enumerate() {
            for (side, text) in [("sent", sent), ("given-back", given_back)] {
                let path = deployment.state().join(format!("{name}-{number}-{side}.xml"));
                std::fs::write(&path, text).unwrap();
                arguments.push(path);
            }
        }
        let same = Command::new(named("CAUSEWAY_TEST_PYTHON")).args(arguments).output().unwrap();
        assert!(same.status.success(), "{name}: {}", String::from_utf8_lossy(&same.stdout));
    }
    deployment.stop().await.unwrap();
}
