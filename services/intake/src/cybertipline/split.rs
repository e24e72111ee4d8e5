//! Takes a report apart, so that each person and each other facet can be sealed alone, and joins it again.
//!
//! A subtree that is cut out leaves a placeholder, whose name the grammar does not know. A person is cut
//! whole; narratives are also cut out of the locations they stand in. The two ways are exact inverses.

use super::tree::{Element, MAX_DEPTH};

/// The element that stands for a part: no element of the grammar has a hyphen in its name.
pub(super) const PLACEHOLDER: &str = "causeway-part";
const KIND: &str = "kind";
const INDEX: &str = "index";
const FILE: &str = "fileDetails";

/// A report, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    /// The report with placeholders.
    pub(super) report: Element,
    /// In the order of the report.
    pub(super) people: Vec<PersonPart>,
    /// Details of where it happened, in the order of the report; then the documents on files, as they came.
    pub(super) locations: Vec<Element>,
    pub(super) narrative: Vec<Element>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PersonPart {
    pub(super) role: Role,
    pub(super) xml: Element,
}

/// What a person is in a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Officer,
    Reporter,
    ReporterContact,
    Reported,
    IntendedRecipient,
    Victim,
}

impl Role {
    /// The role that the element of a person tells.
    pub(super) fn of_element(name: &str) -> Option<Self> {
        match name {
            "officerContact" => Some(Role::Officer),
            "reportingPerson" => Some(Role::Reporter),
            "contactPerson" => Some(Role::ReporterContact),
            "personOrUserReported" => Some(Role::Reported),
            "intendedRecipient" => Some(Role::IntendedRecipient),
            "victim" => Some(Role::Victim),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Person(Role),
    Location,
    Narrative,
}

/// What stands at this path of a report, from the root down, if it is cut out.
fn kind_of(path: &[&str]) -> Option<Kind> {
    match path {
        ["report", name @ ("personOrUserReported" | "intendedRecipient" | "victim")]
        | ["report", "lawEnforcement", name @ "officerContact"]
        | ["report", "reporter", name @ ("reportingPerson" | "contactPerson")] => {
            Role::of_element(name).map(Kind::Person)
        }
        ["report", "internetDetails"] => Some(Kind::Location),
        ["report", "additionalInfo"]
        | ["report", "internetDetails", _, "content" | "additionalInfo"]
        | ["report", "incidentSummary", "incidentDateTimeDescription" | "escalateToHighPriority"] => {
            Some(Kind::Narrative)
        }
        _ => None,
    }
}

pub(super) fn split(report: Element, files: Vec<Element>) -> Parts {
    let mut parts = Parts {
        report: Element::default(),
        people: Vec::new(),
        locations: Vec::new(),
        narrative: Vec::new(),
    };
    let name = report.name.clone();
    parts.report = parts.cut_within(report, &[&name]);
    parts.locations.extend(files);
    parts
}

impl Parts {
    fn cut_within(&mut self, mut element: Element, path: &[&str]) -> Element {
        let children = std::mem::take(&mut element.children);
        element.children = children.into_iter().map(|child| self.cut(child, path)).collect();
        element
    }

    /// Cuts an element out, or leaves it with what is cut out of it.
    fn cut(&mut self, element: Element, parents: &[&str]) -> Element {
        let name = element.name.clone();
        let path = [parents, &[name.as_str()]].concat();
        match kind_of(&path) {
            Some(Kind::Person(role)) => {
                self.people.push(PersonPart { role, xml: element });
                placeholder("person", self.people.len() - 1)
            }
            Some(Kind::Location) => {
                let location = self.cut_within(element, &path);
                self.locations.push(location);
                placeholder("location", self.locations.len() - 1)
            }
            Some(Kind::Narrative) => {
                self.narrative.push(element);
                placeholder("narrative", self.narrative.len() - 1)
            }
            None => self.cut_within(element, &path),
        }
    }
}

fn placeholder(kind: &str, index: usize) -> Element {
    Element {
        name: PLACEHOLDER.to_owned(),
        attributes: vec![(KIND.to_owned(), kind.to_owned()), (INDEX.to_owned(), index.to_string())],
        ..Element::default()
    }
}

/// Why parts do not make a report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum JoinError {
    #[error("a placeholder names no part that is still there")]
    MissingPart,
    #[error("a part has no placeholder")]
    UnusedPart,
    #[error("parts nested deeper than {MAX_DEPTH}")]
    TooDeep,
}

/// The report, and the documents on files.
pub(super) fn join(parts: Parts) -> Result<(Element, Vec<Element>), JoinError> {
    let people = parts.people.into_iter().map(|person| person.xml);
    let mut stock = Stock {
        people: people.map(Some).collect(),
        locations: parts.locations.into_iter().map(Some).collect(),
        narrative: parts.narrative.into_iter().map(Some).collect(),
    };
    let report = stock.fill(parts.report, 1)?;
    Ok((report, stock.into_files()?))
}

/// Parts, each taken once: so that no placeholder can stand for a part that holds it.
struct Stock {
    people: Vec<Option<Element>>,
    locations: Vec<Option<Element>>,
    narrative: Vec<Option<Element>>,
}

impl Stock {
    fn fill(&mut self, element: Element, depth: usize) -> Result<Element, JoinError> {
        if depth > MAX_DEPTH {
            return Err(JoinError::TooDeep);
        }
        let mut element = if element.name == PLACEHOLDER { self.take(&element)? } else { element };
        let children = std::mem::take(&mut element.children);
        let children = children.into_iter().map(|child| self.fill(child, depth + 1));
        element.children = children.collect::<Result<_, _>>()?;
        Ok(element)
    }

    fn take(&mut self, placeholder: &Element) -> Result<Element, JoinError> {
        let shelf = match placeholder.attribute(KIND) {
            Some("person") => &mut self.people,
            Some("location") => &mut self.locations,
            Some("narrative") => &mut self.narrative,
            _ => return Err(JoinError::MissingPart),
        };
        let index = placeholder.attribute(INDEX).and_then(|index| index.parse::<usize>().ok());
        let part = index.and_then(|index| shelf.get_mut(index)).and_then(Option::take);
        part.filter(|part| part.name != PLACEHOLDER).ok_or(JoinError::MissingPart)
    }

    /// What no placeholder names must be the documents on files.
    fn into_files(self) -> Result<Vec<Element>, JoinError> {
        let others = self.people.into_iter().chain(self.narrative).flatten().count();
        let files: Vec<Element> = self.locations.into_iter().flatten().collect();
        if others > 0 || files.iter().any(|file| file.name != FILE) {
            return Err(JoinError::UnusedPart);
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(report: Element, locations: Vec<Element>, expected: JoinError) {
        let parts = Parts { report, people: Vec::new(), locations, narrative: Vec::new() };
        assert_eq!(join(parts), Err(expected));
    }

    fn around(name: &str, child: Element) -> Element {
        Element { name: name.to_owned(), children: vec![child], ..Element::default() }
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let location = |index| placeholder("location", index);
        check(location(0), Vec::new(), JoinError::MissingPart);
        check(placeholder("other", 0), vec![Element::default()], JoinError::MissingPart);
        check(around("report", location(0)), vec![location(0)], JoinError::MissingPart);
        check(around("report", location(0)), vec![around("x", location(0))], JoinError::MissingPart);
        check(Element::default(), vec![Element::default()], JoinError::UnusedPart);
        let chain = (1..=MAX_DEPTH + 1).map(|next| around("x", location(next))).collect();
        check(around("report", location(0)), chain, JoinError::TooDeep);
    }
}
