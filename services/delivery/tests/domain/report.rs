//! What an agency's client says was opened: only of what was disclosed to that agency.

use schemas::codes::{AssignmentState, RejectionCode};
use schemas::delivery::{AccessReported, ReportAccess};
use schemas::routing::Entitlement;

use crate::world::*;

/// The German police unit opened the victim, the French one the suspect.
fn disclosed_to_both() -> Vec<Step> {
    let french = Entitlement { persons: vec![person("suspect")], ..entitlement() };
    vec![
        hears(opened()),
        hears(offer("de-police", "DE", entitlement())),
        hears(offer("fr-police", "FR", french)),
        brings("de-police", AssignmentState::Accepted),
        brings("fr-police", AssignmentState::Accepted),
        opens("de-police", &["victim"]),
        Step { cause: "french command".to_owned(), ..opens("fr-police", &["suspect"]) },
    ]
}

fn reports(by: &str, of: &str, names: &[&str]) -> Step {
    let facets = names.iter().map(|name| facet(name)).collect();
    asks(by, "report", ReportAccess { disclosure_id: disclosure(of), facets })
}

#[test]
fn access_is_reported_of_what_was_disclosed() {
    let given = disclosed_to_both();
    let reported = |by: &str, of: &str, names: &[&str]| -> Decision {
        let facets = names.iter().map(|name| facet(name)).collect();
        Ok(vec![AccessReported { disclosure_id: disclosure(of), agency: agency(by), facets }.into()])
    };
    let unknown = || refuses(RejectionCode::UnknownFacet);
    let table = [
        ("its own", "de-police", "command", vec!["victim"], reported("de-police", "command", &["victim"])),
        ("of the other", "fr-police", "french command", vec!["suspect"], {
            reported("fr-police", "french command", &["suspect"])
        }),
        ("entitled, not disclosed", "de-police", "command", vec!["narrative"], unknown()),
        ("one of them not disclosed", "de-police", "command", vec!["victim", "narrative"], unknown()),
        ("another's disclosure", "de-police", "french command", vec!["suspect"], unknown()),
        ("a coordinator", "un-coordinator", "command", vec!["victim"], unknown()),
        ("no such disclosure", "de-police", "no command", vec!["victim"], unknown()),
    ];
    for (case, by, of, names, then) in table {
        check(case, &given, &reports(by, of, &names), &then);
    }
    let twice = refuses_at(RejectionCode::Invalid, "/facets");
    check("named twice", &given, &reports("de-police", "command", &["victim", "victim"]), &twice);
    check("nothing was disclosed", &given[..5], &reports("de-police", "command", &["victim"]), &unknown());
    let revoked = [given, vec![brings("de-police", AssignmentState::Revoked)]].concat();
    let then = reported("de-police", "command", &["victim"]);
    check(
        "what was opened before a revocation",
        &revoked,
        &reports("de-police", "command", &["victim"]),
        &then,
    );
}
