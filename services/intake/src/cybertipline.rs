//! CyberTipline reports: read in NCMEC's format, mapped onto a submission, and given back without loss.
//!
//! A report and its documents on files are parsed within limits, validated against the grammar, taken apart
//! into a skeleton, persons, locations and narratives, and mapped. What is mapped serves routing; the parts
//! are sealed, each person alone, and together give back the XML in canonical form. The files themselves
//! never come here.

mod map;
mod person;
mod scan;
mod schema;
mod split;
#[cfg(test)]
mod tests;
mod tree;
mod validate;
mod value;

use std::fmt;

pub use tree::{MAX_ATTRIBUTES, MAX_BYTES, MAX_DEPTH, MAX_NODES};
pub use validate::{MAX_VIOLATIONS, Violation};

use crate::submission::Submission;
use schema::GRAMMAR;
use split::{JoinError, Parts, PersonPart, Role};
use tree::{Element, TreeError};
use validate::Findings;

/// Most documents on files of one report.
pub const MAX_FILES: usize = 1_000;

/// Largest report with all its documents, in bytes: their trees are in memory together.
pub const MAX_TOTAL_BYTES: usize = 8 * 1024 * 1024;

/// The name of every element and attribute of the format.
pub fn names() -> impl Iterator<Item = &'static str> {
    GRAMMAR.names()
}

/// What a report carries beside its mapped fields: its parts as XML, to be sealed.
///
/// `report_xml` and `narrative_xml` go with the facets of those kinds, `location_xml` with the content
/// locations.
#[derive(Clone, PartialEq, Eq)]
pub struct Remainder {
    /// The report, with a placeholder for each part.
    pub report_xml: String,
    /// One for each of [`Submission::people`], at the same place.
    pub person_xml: Vec<String>,
    /// Where it happened, then the documents on files, as they came.
    pub location_xml: Vec<String>,
    pub narrative_xml: Vec<String>,
}

/// Shows how much there is, never what: a remainder names people.
impl fmt::Debug for Remainder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remainder")
            .field("people", &self.person_xml.len())
            .field("locations", &self.location_xml.len())
            .field("narratives", &self.narrative_xml.len())
            .finish_non_exhaustive()
    }
}

/// A report that does not follow the format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the report breaks its format in {} places, the first at {}", violations.len(), first(violations))]
pub struct Refused {
    /// At least one, at most [`MAX_VIOLATIONS`].
    pub violations: Vec<Violation>,
}

fn first(violations: &[Violation]) -> &str {
    violations.first().map_or("/", |violation| violation.path.as_str())
}

/// Reads a `report` document with any number of `fileDetails` documents.
///
/// `reference` is the reporter's own reference of the submission. The no-content gate and its limits are the
/// caller's, for the mapped fields and for the remainder.
///
/// # Errors
/// Where a document is no XML, passes a limit or breaks the grammar: all violations, up to the limit. A path
/// of the second of several documents on files begins with `/fileDetails[2]`.
pub fn read(report: &str, files: &[String], reference: &str) -> Result<Submission, Refused> {
    let (report, files) = documents(report, files).map_err(|violations| Refused { violations })?;
    let parts = split::split(report, files);
    let mut submission = map::submission(&parts, reference);
    submission.cybertipline = Some(Remainder::of(&parts));
    Ok(submission)
}

fn documents(report: &str, files: &[String]) -> Result<(Element, Vec<Element>), Vec<Violation>> {
    let mut findings = Findings::default();
    let total = files.iter().fold(report.len(), |total, file| total.saturating_add(file.len()));
    if total > MAX_TOTAL_BYTES {
        findings.add("/", format!("more than {MAX_TOTAL_BYTES} bytes in all"));
    }
    if files.len() > MAX_FILES {
        findings.add("/fileDetails", format!("more than {MAX_FILES} documents on files"));
    }
    findings.checked()?;
    let report = document(report, "report", "/report", &mut findings);
    let alone = files.len() == 1;
    let file_path = |n| if alone { "/fileDetails".to_owned() } else { format!("/fileDetails[{n}]") };
    let numbered = files.iter().zip(1..);
    let files = numbered
        .filter_map(|(file, n)| document(file, "fileDetails", &file_path(n), &mut findings))
        .collect();
    findings.checked()?;
    // A document that is missing here has left a finding.
    Ok((report.unwrap_or_default(), files))
}

fn document(text: &str, root: &str, path: &str, findings: &mut Findings) -> Option<Element> {
    if findings.is_full() {
        return None;
    }
    match tree::parse(text) {
        Ok(document) => {
            validate::check(&document, root, path, findings);
            Some(document)
        }
        Err(error) => {
            findings.add(path, error.to_string());
            None
        }
    }
}

/// Why a remainder gives no report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmitError {
    #[error("failed to read the sealed XML of {part} {index}: {reason}")]
    Unreadable {
        part: &'static str,
        /// Counted from 0.
        index: usize,
        reason: String,
    },
    #[error("failed to put the report together: {reason}")]
    Incomplete { reason: String },
}

/// The `report` document and the `fileDetails` documents in their order, from all opened facets.
///
/// The text is Canonical XML 1.0 in UTF-8, without a declaration and without white space between elements.
///
/// # Errors
/// Where a part cannot be read, is missing, or belongs to no place of the report.
pub fn emit(remainder: &Remainder) -> Result<(String, Vec<String>), EmitError> {
    let parts = remainder.parts()?;
    let (report, files) =
        split::join(parts).map_err(|error: JoinError| EmitError::Incomplete { reason: error.to_string() })?;
    Ok((report.to_xml(), files.iter().map(Element::to_xml).collect()))
}

impl Remainder {
    fn of(parts: &Parts) -> Self {
        Self {
            report_xml: parts.report.to_xml(),
            person_xml: parts.people.iter().map(|person| person.xml.to_xml()).collect(),
            location_xml: parts.locations.iter().map(Element::to_xml).collect(),
            narrative_xml: parts.narrative.iter().map(Element::to_xml).collect(),
        }
    }

    fn parts(&self) -> Result<Parts, EmitError> {
        let people = elements("person", &self.person_xml)?.into_iter().enumerate().map(person_part);
        Ok(Parts {
            report: element("report", 0, &self.report_xml)?,
            people: people.collect::<Result<_, _>>()?,
            locations: elements("location", &self.location_xml)?,
            narrative: elements("narrative", &self.narrative_xml)?,
        })
    }
}

fn elements(part: &'static str, texts: &[String]) -> Result<Vec<Element>, EmitError> {
    texts.iter().enumerate().map(|(index, text)| element(part, index, text)).collect()
}

fn element(part: &'static str, index: usize, text: &str) -> Result<Element, EmitError> {
    let unreadable = |error: TreeError| EmitError::Unreadable { part, index, reason: error.to_string() };
    tree::parse_sealed(text).map_err(unreadable)
}

fn person_part((index, xml): (usize, Element)) -> Result<PersonPart, EmitError> {
    let unknown =
        || EmitError::Unreadable { part: "person", index, reason: "no person of a report".to_owned() };
    let role = Role::of_element(&xml.name).ok_or_else(unknown)?;
    Ok(PersonPart { role, xml })
}
