//! Strict validation against the grammar, so that a reporter learns of every fault at once.

use std::collections::BTreeMap;

use super::schema::{GRAMMAR, Group, Kind, Rule, Type};
use super::tree::Element;
use super::value::trim;

/// Most violations that are told of one report: enough to mend it, bounded where all of it is wrong.
pub const MAX_VIOLATIONS: usize = 32;

const UNKNOWN_ELEMENT: &str = "an unknown element";
const UNKNOWN_ATTRIBUTE: &str = "an unknown attribute";

/// Longest name of an unknown element or attribute in a path, in characters.
const MAX_NAME_CHARS: usize = 64;

/// A place where a report does not follow the format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Such as `/report/victim[2]/ipCaptureEvent/port`: with a position, counted from 1, where the name
    /// stands more than once; with `@` before an attribute's name.
    pub path: String,
    /// What is wrong; never repeats a value.
    pub detail: String,
}

impl Violation {
    /// Whether the path ends with a name that the reporter made up.
    pub fn is_unknown(&self) -> bool {
        [UNKNOWN_ELEMENT, UNKNOWN_ATTRIBUTE].contains(&self.detail.as_str())
    }
}

/// Checks a document whose root must have this name.
///
/// `path` is where the document stands, such as `/report` or `/fileDetails[2]`.
pub(super) fn check(document: &Element, root: &str, path: &str, findings: &mut Findings) {
    match GRAMMAR.root(root) {
        Some(rule) if document.name == root => element(document, rule, path, findings),
        _ => findings.add(path, format!("expected a document with the root element {root}")),
    }
}

/// Violations as they are found, up to the limit.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Violation>);

impl Findings {
    pub(super) fn add(&mut self, path: impl Into<String>, detail: impl Into<String>) {
        if !self.is_full() {
            self.0.push(Violation { path: path.into(), detail: detail.into() });
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= MAX_VIOLATIONS
    }

    /// The violations, unless there are none.
    pub(super) fn checked(&self) -> Result<(), Vec<Violation>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0.clone()) }
    }
}

fn element(element: &Element, rule: &Type, path: &str, findings: &mut Findings) {
    attributes(element, rule, path, findings);
    text(element, rule, path, findings);
    let paths = child_paths(element, path);
    order(element, &paths, rule, findings);
    rule.content.iter().for_each(|group| occurrence(element, group, path, findings));
    for (child, path) in element.children.iter().zip(paths) {
        if findings.is_full() {
            return;
        }
        match rule.child(&child.name) {
            Some((_, of)) => self::element(child, GRAMMAR.type_of(of), &path, findings),
            None => findings.add(path, UNKNOWN_ELEMENT),
        }
    }
}

/// The path of each child, in their order.
fn child_paths(element: &Element, path: &str) -> Vec<String> {
    let mut totals: BTreeMap<&str, usize> = BTreeMap::new();
    for child in &element.children {
        *totals.entry(&child.name).or_default() += 1;
    }
    let mut positions: BTreeMap<&str, usize> = BTreeMap::new();
    let path_of = |child| path_of_child(path, child, &totals, &mut positions);
    element.children.iter().map(path_of).collect()
}

fn path_of_child<'a>(
    path: &str,
    child: &'a Element,
    totals: &BTreeMap<&str, usize>,
    positions: &mut BTreeMap<&'a str, usize>,
) -> String {
    let position = positions.entry(&child.name).or_default();
    *position += 1;
    let alone = totals.get(child.name.as_str()) == Some(&1);
    let name = shown(&child.name);
    if alone { format!("{path}/{name}") } else { format!("{path}/{name}[{position}]") }
}

fn shown(name: &str) -> String {
    name.chars().take(MAX_NAME_CHARS).collect()
}

fn attributes(element: &Element, rule: &Type, path: &str, findings: &mut Findings) {
    for (name, value) in element.attributes.iter().filter(|(name, _)| !Element::points_to_schema(name)) {
        let Some(of) = rule.attribute(name) else {
            findings.add(format!("{path}/@{}", shown(name)), UNKNOWN_ATTRIBUTE);
            continue;
        };
        let expected = GRAMMAR.type_of(of).text.as_ref();
        if let Some(expected) = expected.filter(|expected| !expected.accepts(value)) {
            findings.add(format!("{path}/@{name}"), expected.expected());
        }
    }
    for missing in rule.attributes.iter().filter(|of| of.required && element.attribute(of.name).is_none()) {
        findings.add(format!("{path}/@{}", missing.name), "a missing attribute");
    }
}

fn text(element: &Element, rule: &Type, path: &str, findings: &mut Findings) {
    match &rule.text {
        // The children of such an element are told of as unknown.
        Some(_) if !element.children.is_empty() => {}
        Some(expected) if !expected.accepts(&element.text) => findings.add(path, expected.expected()),
        Some(_) => {}
        None if !trim(&element.text).is_empty() => findings.add(path, "expected elements, not text"),
        None => {}
    }
}

fn order(element: &Element, paths: &[String], rule: &Type, findings: &mut Findings) {
    let mut last = (0, "");
    for (child, path) in element.children.iter().zip(paths) {
        match rule.child(&child.name) {
            Some((place, _)) if place < last.0 => {
                findings.add(path.as_str(), format!("out of order: must stand before {}", last.1));
            }
            Some((place, of)) => last = (place, of.name),
            None => {}
        }
    }
}

/// Checks how often the children of a group stand here.
fn occurrence(element: &Element, group: &Group, path: &str, findings: &mut Findings) {
    let count = |rule: &Rule| element.all(rule.name).count();
    for rule in group.rules.iter().filter(|rule| !rule.repeats && count(rule) > 1) {
        findings.add(path, format!("more than one {}", rule.name));
    }
    let names = || group.rules.iter().map(|rule| rule.name).collect::<Vec<_>>().join(", ");
    if group.kind == Kind::Choice {
        match group.rules.iter().filter(|rule| count(rule) > 0).count() {
            0 if group.rules.iter().all(|rule| rule.required) => {
                findings.add(path, format!("missing one of {}", names()))
            }
            0 | 1 => {}
            _ => findings.add(path, format!("more than one of {}", names())),
        }
    } else {
        for missing in group.rules.iter().filter(|rule| rule.required && count(rule) == 0) {
            findings.add(path, format!("missing {}", missing.name));
        }
    }
}
