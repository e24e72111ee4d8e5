//! The examples in `testdata/` fill the whole grammar, and each comes back as it was.

use std::collections::BTreeSet;

use super::super::schema::{GRAMMAR, Type};
use super::super::tree::{self, Element};
use super::super::{emit, read};
use super::canonical;

macro_rules! example {
    ($name:literal) => {
        include_str!(concat!("../../../testdata/cybertipline/", $name, ".xml"))
    };
}

pub(super) const PEOPLE: &str = example!("people");
pub(super) const INTERNET: &str = example!("internet");
pub(super) const MINIMAL: &str = example!("minimal");
pub(super) const PUNCTUATION: &str = example!("punctuation");
pub(super) const FILE_ANNOTATED: &str = example!("file-annotated");
pub(super) const FILE_MEME: &str = example!("file-meme");

const EXAMPLES: [(&str, &[&str]); 4] = [
    (PEOPLE, &[]),
    (INTERNET, &[FILE_ANNOTATED, FILE_MEME, FILE_ANNOTATED]),
    (MINIMAL, &[FILE_MEME]),
    (PUNCTUATION, &[]),
];

#[test]
fn every_example_comes_back_as_it_was() {
    for (report, files) in EXAMPLES {
        let files: Vec<String> = files.iter().map(|file| (*file).to_owned()).collect();
        let submission = read(report, &files, "R-1").expect("an example follows the format");
        let remainder = submission.cybertipline.expect("a report read here has a remainder");
        assert_eq!(remainder.person_xml.len(), submission.people.len());
        let (again, files_again) = emit(&remainder).expect("what was read can be given back");
        assert_eq!(again, canonical(report));
        assert_eq!(files_again, files.iter().map(|file| canonical(file)).collect::<Vec<_>>());
    }
}

/// What is canonical, spelled out once, so that writer and comparison cannot be wrong together.
#[test]
fn the_smallest_report_comes_back_in_canonical_form() {
    let submission = read(MINIMAL, &[], "R-1").expect("an example follows the format");
    let (report, files) =
        emit(&submission.cybertipline.expect("it was read here")).expect("it can be given back");
    assert_eq!(
        report,
        "<report><incidentSummary><incidentType>Online Enticement of Children for Sexual Acts</incidentType>\
         <incidentDateTime>2026-03-01T10:15:30Z</incidentDateTime></incidentSummary>\
         <reporter><reportingPerson></reportingPerson></reporter></report>"
    );
    assert!(files.is_empty());
}

#[test]
fn the_examples_fill_the_whole_grammar() {
    let mut expected = BTreeSet::new();
    for root in ["report", "fileDetails"] {
        let of = GRAMMAR.root(root).expect("the grammar has both roots");
        paths_of_type(of, &format!("/{root}"), &mut expected);
    }
    let mut seen = BTreeSet::new();
    for text in EXAMPLES.iter().flat_map(|(report, files)| [*report].into_iter().chain(files.iter().copied()))
    {
        let document = tree::parse(text).expect("an example is XML");
        paths_of_element(&document, "", &mut seen);
    }
    // Elements and attributes at every place where the format has them: the walk has not lost its way.
    assert_eq!(expected.len(), 497);
    assert_eq!(expected.difference(&seen).collect::<Vec<_>>(), Vec::<&String>::new());
}

fn paths_of_type(of: &Type, path: &str, paths: &mut BTreeSet<String>) {
    paths.insert(path.to_owned());
    paths.extend(of.attributes.iter().map(|attribute| format!("{path}/@{}", attribute.name)));
    for rule in of.content.iter().flat_map(|group| &group.rules) {
        paths_of_type(GRAMMAR.type_of(rule), &format!("{path}/{}", rule.name), paths);
    }
}

fn paths_of_element(element: &Element, parent: &str, paths: &mut BTreeSet<String>) {
    let path = format!("{parent}/{}", element.name);
    paths.extend(element.attributes.iter().map(|(name, _)| format!("{path}/@{name}")));
    element.children.iter().for_each(|child| paths_of_element(child, &path, paths));
    paths.insert(path);
}
