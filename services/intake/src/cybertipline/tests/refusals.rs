//! Each way to break the format, with exactly what the reporter is told.

use super::super::{
    Findings, MAX_BYTES, MAX_FILES, MAX_TOTAL_BYTES, MAX_VIOLATIONS, Violation, read, tree, validate,
};
use super::examples::{FILE_MEME, MINIMAL};

/// Reads the smallest report with a text in it replaced, and compares every violation.
#[track_caller]
fn check(from: &str, to: &str, expected: &[(&str, &str)]) {
    assert!(MINIMAL.contains(from), "the smallest report does not hold {from}");
    check_report(&MINIMAL.replacen(from, to, 1), &[], expected);
}

#[track_caller]
fn check_report(report: &str, files: &[&str], expected: &[(&str, &str)]) {
    let files: Vec<String> = files.iter().map(|file| (*file).to_owned()).collect();
    let refused = read(report, &files, "R-1").expect_err("this breaks the format");
    let found: Vec<(&str, &str)> =
        refused.violations.iter().map(|found| (found.path.as_str(), found.detail.as_str())).collect();
    assert_eq!(found, expected);
}

#[test]
fn elements_that_are_unknown_missing_or_misplaced() {
    let reporter = "<reporter>\n    <reportingPerson/>\n  </reporter>";
    check(reporter, "", &[("/report", "missing reporter")]);
    check("<reportingPerson/>", "", &[("/report/reporter", "missing reportingPerson")]);
    check(
        "<reportingPerson/>",
        "<reportingPerson/><other/>",
        &[("/report/reporter/other", "an unknown element")],
    );
    check(
        "<reportingPerson/>",
        "<reportingPerson/><reportingPerson/>",
        &[("/report/reporter", "more than one reportingPerson")],
    );
    check(
        "<reportingPerson/>",
        "<reportingPerson><age>9</age><firstName/></reportingPerson>",
        &[("/report/reporter/reportingPerson/firstName", "out of order: must stand before age")],
    );
    check(
        "</reporter>",
        "</reporter><victim><victimPerson/></victim><intendedRecipient/>",
        &[("/report/intendedRecipient", "out of order: must stand before victim")],
    );
    check(
        "<reporter>",
        "<internetDetails/><reporter>",
        &[(
            "/report/internetDetails",
            "missing one of webPageIncident, emailIncident, newsgroupIncident, chatImIncident, \
         onlineGamingIncident, cellPhoneIncident, nonInternetIncident, peer2peerIncident",
        )],
    );
    check(
        "<report>",
        "<report><causeway-part kind=\"person\" index=\"0\"/>",
        &[("/report/causeway-part", "an unknown element")],
    );
}

#[test]
fn values_that_are_none_of_their_type() {
    check(
        "Online Enticement of Children for Sexual Acts",
        "Something Else",
        &[("/report/incidentSummary/incidentType", "expected one of the listed values")],
    );
    check(
        "2026-03-01T10:15:30Z",
        "yesterday",
        &[(
            "/report/incidentSummary/incidentDateTime",
            "expected a date and time, such as 2026-11-21T01:00:00Z",
        )],
    );
    let marks = "<reportAnnotations><spam>false</spam></reportAnnotations><incidentDateTime>";
    check(
        "<incidentDateTime>",
        marks,
        &[("/report/incidentSummary/reportAnnotations/spam", "expected true or 1")],
    );
    let phone = "<reportingPerson><phone countryCallingCode=\"49\" extension=\"x\" type=\"Car\" a=\"\"/>\
                 </reportingPerson>";
    check(
        "<reportingPerson/>",
        phone,
        &[
            (
                "/report/reporter/reportingPerson/phone/@countryCallingCode",
                "expected + and one to three digits",
            ),
            ("/report/reporter/reportingPerson/phone/@extension", "expected digits"),
            ("/report/reporter/reportingPerson/phone/@type", "expected one of the listed values"),
            ("/report/reporter/reportingPerson/phone/@a", "an unknown attribute"),
        ],
    );
    check(
        "<report>",
        "<report><batchedReport/>",
        &[("/report/batchedReport/@reason", "a missing attribute")],
    );
    check(
        "<reportingPerson/>",
        "<reportingPerson>text</reportingPerson>",
        &[("/report/reporter/reportingPerson", "expected elements, not text")],
    );
    check(
        "<reportingPerson/>",
        "<reportingPerson><age><b/></age></reportingPerson>",
        &[("/report/reporter/reportingPerson/age/b", "an unknown element")],
    );
}

#[test]
fn paths_count_where_a_name_repeats() {
    let second = "<victim><victimPerson/></victim>\
                  <victim><victimPerson/><ipCaptureEvent><ipAddress/><port>x</port></ipCaptureEvent>\
                  </victim>";
    check(
        "</reporter>",
        &format!("</reporter>{second}"),
        &[("/report/victim[2]/ipCaptureEvent/port", "expected a whole number of 32 bits")],
    );
    let long = "x".repeat(100);
    let shown = format!("/report/{}", "x".repeat(64));
    check("<report>", &format!("<report><{long}/>"), &[(&shown, "an unknown element")]);
}

#[test]
fn documents_on_files() {
    let both = FILE_MEME.replace("</potentialMeme>", "</potentialMeme><fileAnnotations/>");
    check_report(MINIMAL, &[&both], &[("/fileDetails", "more than one of potentialMeme, fileAnnotations")]);
    check_report(
        MINIMAL,
        &[FILE_MEME, "<fileDetails/>"],
        &[("/fileDetails[2]", "missing reportId"), ("/fileDetails[2]", "missing fileId")],
    );
    check_report(
        MINIMAL,
        &[MINIMAL],
        &[("/fileDetails", "expected a document with the root element fileDetails")],
    );
    check_report(FILE_MEME, &[], &[("/report", "expected a document with the root element report")]);
}

#[test]
fn what_is_no_plain_xml() {
    let bomb = "<!DOCTYPE report [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><report>";
    let detail = "a document type declaration at line 1; send the document without it";
    check("<report>", bomb, &[("/report", detail)]);
    let detail = "a comment at line 6, which would be lost; send the document without it";
    check("<reporter>", "<!-- x --><reporter>", &[("/report", detail)]);
    let detail = "a processing instruction at line 1, which would be lost; send the document without it";
    check("<report>", "<?x y?><report>", &[("/report", detail)]);
    check(
        "<reportingPerson/>",
        "text<reportingPerson/>",
        &[("/report", "text beside child elements at line 6")],
    );
    check("</report>", "</reports>", &[("/report", "not well-formed XML at line 9, column 1")]);
    let detail = "a namespace at line 1; only xsi:noNamespaceSchemaLocation on the root has one";
    check("<report>", "<report xmlns=\"urn:x\">", &[("/report", detail)]);
    check_report(
        "",
        &["<"],
        &[
            ("/report", "not well-formed XML at line 1, column 1"),
            ("/fileDetails", "not well-formed XML at line 1, column 2"),
        ],
    );
}

#[test]
fn what_passes_a_limit() {
    let deep = "<a>".repeat(16) + &"</a>".repeat(16);
    check("<reporter>", &format!("{deep}<reporter>"), &[("/report", "elements nested deeper than 16")]);
    let many = "<victim/>".repeat(50_000);
    check("</reporter>", &format!("</reporter>{many}"), &[("/report", "more than 50000 nodes")]);
    let long = " ".repeat(MAX_BYTES);
    check("<reporter>", &format!("{long}<reporter>"), &[("/report", "larger than 2097152 bytes")]);
    let files = vec![" ".repeat(MAX_BYTES); MAX_TOTAL_BYTES / MAX_BYTES];
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    check_report(MINIMAL, &files, &[("/", "more than 8388608 bytes in all")]);
    check_report(MINIMAL, &vec![""; MAX_FILES + 1], &[("/fileDetails", "more than 1000 documents on files")]);
}

#[test]
fn violations_are_told_up_to_the_limit() {
    let report =
        MINIMAL.replace("<reporter>", &format!("{}<reporter>", "<other/>".repeat(MAX_VIOLATIONS + 1)));
    let refused = read(&report, &[String::new()], "R-1").expect_err("this breaks the format");
    assert_eq!(refused.violations.len(), MAX_VIOLATIONS);
    assert_eq!(refused.violations.last().map(|last| last.path.as_str()), Some("/report/other[32]"));
    let told = refused.to_string();
    assert_eq!(told, "the report breaks its format in 32 places, the first at /report/other[1]");
}

#[test]
fn a_root_that_the_grammar_lacks_is_told() {
    let document = tree::parse("<other/>").expect("this is XML");
    let mut findings = Findings::default();
    validate::check(&document, "other", "/other", &mut findings);
    let detail = "expected a document with the root element other".to_owned();
    assert_eq!(findings.checked(), Err(vec![Violation { path: "/other".to_owned(), detail }]));
}
