//! The no-content gate: what is not a referral's data does not get in.
//!
//! Unknown fields, embedded data and over-long fields are refused with a problem that names the field. In an
//! imminent danger nothing is refused that can be left out: the field is withheld, the rest goes on, and the
//! verdict says so. What restricts who may be told is never left out: a fault there refuses even an emergency,
//! since what was told cannot be taken back. What a field holds is never repeated, neither to the caller nor in a
//! log.

mod lenient;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use chassis::http::parse;
use chassis::problem::Problem;
use schemas::codes::{
    DangerReason, DigestAlgorithm, IncidentKind, MediaKind, PersonCategory, RefusalReason, Tlp,
    TransferPolicy, Urgency,
};
use schemas::content::{embedded, is_base64};
use schemas::referral::{GateVerdict, WithheldField};
use serde_json::{Value, json};
use utoipa::{PartialSchema, ToSchema};

use crate::cybertipline;
use crate::submission::Submission;

/// Raised with every change to what the gate lets through.
pub const VERSION: i32 = 4;

/// Longest text of a field, where no other limit is named.
const MAX_TEXT_BYTES: usize = 4 * 1024;
/// Chats are evidence.
const MAX_NARRATIVE_BYTES: usize = 256 * 1024;
/// Longest free text about a person.
const MAX_NOTES_BYTES: usize = 16 * 1024;
pub const MAX_REFERENCE_BYTES: usize = 128;
const MAX_ITEMS: usize = 1_000;
const MAX_PEOPLE: usize = 200;
/// Most faults told at once: enough to mend a submission, and no answer larger than what was sent.
const MAX_FAULTS: usize = 32;
/// Most digests of one item: each algorithm, and some forms of each.
const MAX_DIGESTS: usize = 32;
/// Most captures of one person: a long history of logins, each of which is keyed, and looked up for its country.
const MAX_CAPTURES: usize = 1_000;
/// Longest pointer that is told: a caller may make up a name of any length.
const MAX_POINTER_CHARS: usize = 256;
/// Most fields withheld from one emergency; past it the submission is no referral.
const MAX_WITHHELD: usize = 64;

/// The fields that hold lists.
const LISTS: [&str; 17] = [
    "accounts",
    "addresses",
    "annotations",
    "captures",
    "classifications",
    "codes",
    "digests",
    "emails",
    "items",
    "languages",
    "names",
    "nationalities",
    "never_told",
    "payments",
    "people",
    "phones",
    "residences",
];

/// A field at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub pointer: String,
    pub reason: RefusalReason,
    pub detail: String,
}

impl Fault {
    fn new(pointer: impl Into<String>, reason: RefusalReason, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), reason, detail: detail.into() }
    }

    /// A retention date that has come already: the referral would be erased as soon as it is taken in.
    pub fn of_retention() -> Self {
        let detail = "a moment that has passed: say until when it is to be kept, or leave it out";
        Self::new("/handling/retain_until", RefusalReason::InvalidValue, detail)
    }

    fn of_problem(problem: &Problem) -> Self {
        let error = problem.errors.first();
        let pointer = error.map_or(String::new(), |error| error.pointer.clone());
        let detail = error.map_or_else(|| problem.title.to_string(), |error| error.detail.clone());
        let reason = match problem.code() {
            "malformed" => RefusalReason::Malformed,
            _ if detail.starts_with("unknown field") => RefusalReason::UnknownField,
            _ => RefusalReason::InvalidValue,
        };
        Self { pointer, reason, detail }
    }
}

impl Fault {
    /// The pointer as it may stand on record.
    pub fn recorded_pointer(&self) -> String {
        recorded(&self.pointer, self.reason)
    }
}

/// What a caller made up as a field's name may be a person's, so it stands in no event.
fn recorded(pointer: &str, reason: RefusalReason) -> String {
    match pointer.rsplit_once('/') {
        Some((known, _)) if reason == RefusalReason::UnknownField => {
            format!("{}/?", without_made_up_names(known))
        }
        _ => without_made_up_names(pointer),
    }
}

/// Everything that is wrong, as one problem.
pub fn problem(faults: &[Fault]) -> Problem {
    let malformed = faults.iter().all(|fault| fault.reason == RefusalReason::Malformed);
    let problem = if malformed { Problem::malformed() } else { Problem::invalid() };
    faults.iter().fold(problem, |problem, fault| {
        let pointer: String = fault.pointer.chars().take(MAX_POINTER_CHARS).collect();
        problem.field(pointer, format!("{}: {}", fault.reason, fault.detail))
    })
}

/// Only names of fields and elements that exist may stand, and places in lists.
fn without_made_up_names(pointer: &str) -> String {
    let names = pointer.split('/').map(|name| if may_stand(name) { name } else { "?" });
    names.collect::<Vec<_>>().join("/")
}

fn may_stand(part: &str) -> bool {
    // An element that stands more than once has its place behind it, an attribute a sign before it.
    let name = part.strip_prefix('@').unwrap_or(part);
    let name = match name.strip_suffix(']').and_then(|rest| rest.split_once('[')) {
        Some((name, place)) if is_place(place) => name,
        _ => name,
    };
    name.is_empty() || is_place(name) || KNOWN_NAMES.contains(name)
}

/// A number too short to be anybody's.
fn is_place(text: &str) -> bool {
    text.len() <= MAX_PLACE_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// As long as the places in the longest list are.
const MAX_PLACE_DIGITS: usize = 4;

/// The name of every field that a submission may have, as the OpenAPI document has them, and of a report's elements.
static KNOWN_NAMES: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let mut schemas = vec![(String::new(), Submission::schema())];
    Submission::schemas(&mut schemas);
    let mut names: BTreeSet<String> = cybertipline::names().map(str::to_owned).collect();
    for (_, schema) in &schemas {
        add_names(&serde_json::to_value(schema).unwrap_or_default(), &mut names);
    }
    names
});

fn add_names(schema: &Value, names: &mut BTreeSet<String>) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        names.extend(properties.keys().cloned());
    }
    match schema {
        Value::Object(fields) => fields.values().for_each(|value| add_names(value, names)),
        Value::Array(items) => items.iter().for_each(|item| add_names(item, names)),
        _ => {}
    }
}

/// Reads a submission from JSON and lets it through, or says what is wrong.
///
/// # Errors
/// The faults, where there is no emergency or where it cannot go on without the field.
pub fn admit(bytes: &[u8]) -> Result<(Submission, GateVerdict), Vec<Fault>> {
    let faults = match read(bytes) {
        Ok(submission) => return Ok((submission, verdict(Vec::new()))),
        Err(faults) => faults,
    };
    match lenient::read(bytes).filter(|read| read.is_emergency) {
        Some(read) => salvage(read.value, read.faults, faults),
        None => Err(faults),
    }
}

/// Checks a submission that came as a report with documents on its files.
///
/// # Errors
/// The faults; embedded data by its place in the documents.
pub fn check(submission: &Submission, report: &str, files: &[String]) -> Result<(), Vec<Fault>> {
    let value = serde_json::to_value(submission).unwrap_or_default();
    let mut faults = inspect(submission, &value);
    // What was mapped stands in the documents too, and there the reporter knows it.
    faults.retain(|fault| fault.reason != RefusalReason::EmbeddedContent || fault.pointer == "/reference");
    xml_faults(report, "", &mut faults);
    for (index, file) in files.iter().enumerate() {
        let number = if files.len() == 1 { String::new() } else { format!("[{}]", index + 1) };
        xml_faults(file, &number, &mut faults);
    }
    faults.truncate(MAX_FAULTS);
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// Longest digest of any form that NCMEC's format carries: PhotoDNA as comma-separated numbers.
const MAX_XML_DIGEST_BYTES: usize = 600;

/// Embedded data in a document. Digests have their own element and their own length.
fn xml_faults(xml: &str, number: &str, faults: &mut Vec<Fault>) {
    // The document was read a moment ago, so it parses.
    let Ok(document) = roxmltree::Document::parse(xml) else { return };
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        // No more are told, and each is found among its siblings.
        if faults.len() >= MAX_FAULTS {
            return;
        }
        let text: String =
            node.children().filter_map(|child| child.text().filter(|_| child.is_text())).collect();
        let texts = node.attributes().map(|attribute| attribute.value()).chain([text.as_str()]);
        let digest = |text: &str| node.has_tag_name("originalFileHash") && text.len() <= MAX_XML_DIGEST_BYTES;
        let embedded = texts.filter(|text| !digest(text)).find_map(embedded);
        faults.extend(
            embedded.map(|detail| Fault::new(path_of(node, number), RefusalReason::EmbeddedContent, detail)),
        );
    }
}

/// Such as `/report/victim[2]/victimPerson/firstName`: with a position where the name stands more than once.
fn path_of(node: roxmltree::Node<'_, '_>, number: &str) -> String {
    let name = node.tag_name().name();
    let Some(parent) = node.parent_element() else { return format!("/{name}{number}") };
    let alike = || parent.children().filter(|child| child.has_tag_name(name));
    let position = match alike().count() {
        1 => String::new(),
        _ => format!("[{}]", alike().take_while(|child| *child != node).count() + 1),
    };
    format!("{}/{name}{position}", path_of(parent, number))
}

pub fn verdict(withheld: Vec<WithheldField>) -> GateVerdict {
    GateVerdict { version: VERSION, withheld }
}

fn read(bytes: &[u8]) -> Result<Submission, Vec<Fault>> {
    let submission: Submission = parse(bytes).map_err(|problem| vec![Fault::of_problem(&problem)])?;
    let value: Value = parse(bytes).map_err(|problem| vec![Fault::of_problem(&problem)])?;
    let faults = inspect(&submission, &value);
    if faults.is_empty() { Ok(submission) } else { Err(faults) }
}

fn is_emergency(urgency: &Value) -> bool {
    urgency.as_str() == Some(Urgency::ImminentDanger.code())
}

/// Takes out what cannot be read, and then what is at fault, until the rest is a referral.
fn salvage(
    value: Value,
    unreadable: Vec<Fault>,
    first: Vec<Fault>,
) -> Result<(Submission, GateVerdict), Vec<Fault>> {
    let mut rest = Rest { value, withheld: Vec::new(), places: Places::default() };
    let mut faults = first.clone();
    if !unreadable.is_empty() {
        rest.go_without(unreadable)?;
        match rest.read() {
            Ok(submission) => return Ok((submission, verdict(rest.withheld))),
            Err(next) => faults = next,
        }
    }
    while rest.withheld.len() < MAX_WITHHELD {
        // One at a time, and the last first: taking an element out moves those behind it.
        let Some(fault) = faults.pop() else { break };
        if !rest.take_out(&fault) {
            faults.push(fault);
            return Err(faults);
        }
        match rest.read() {
            Ok(submission) => return Ok((submission, verdict(rest.withheld))),
            Err(next) => faults = next,
        }
    }
    Err(first)
}

/// What is left of an emergency.
struct Rest {
    value: Value,
    withheld: Vec<WithheldField>,
    /// Where each element of a list stood in what was sent: withheld fields are named by that.
    places: Places,
}

impl Rest {
    fn read(&self) -> Result<Submission, Vec<Fault>> {
        read(&serde_json::to_vec(&self.value).unwrap_or_default())
    }

    /// Takes all of these out. What stands in something taken out is out with it.
    fn go_without(&mut self, unreadable: Vec<Fault>) -> Result<(), Vec<Fault>> {
        for fault in unreadable.into_iter().rev() {
            let is_there = self.value.pointer(&fault.pointer).is_some();
            if is_there && (self.withheld.len() == MAX_WITHHELD || !self.take_out(&fault)) {
                return Err(vec![fault]);
            }
        }
        Ok(())
    }

    fn take_out(&mut self, fault: &Fault) -> bool {
        let pointer = fault.pointer.as_str();
        let out = if stand_in(&mut self.value, pointer) || take_out(&mut self.value, pointer) {
            pointer
        } else {
            // What lacks a field that it must have goes whole.
            match pointer.rsplit_once('/') {
                Some((whole, _)) if take_out(&mut self.value, whole) => whole,
                _ => return false,
            }
        };
        let pointer = recorded(&self.places.as_sent(out), fault.reason);
        self.withheld.push(WithheldField { pointer, reason: fault.reason });
        self.places.taken_out(out);
        true
    }
}

/// What an emergency cannot go on without gets the value that says least, and what restricts the one that allows
/// least.
fn stand_in(value: &mut Value, pointer: &str) -> bool {
    let least = match pointer {
        "/kind" => IncidentKind::Other.code(),
        "/urgency" => Urgency::ImminentDanger.code(),
        "/danger_reason" => DangerReason::ReporterEscalation.code(),
        "/handling/tlp" => Tlp::Red.code(),
        "/handling/transfers" => TransferPolicy::PerCase.code(),
        _ => match field_of_element(pointer) {
            Some(("items", "media_kind")) => MediaKind::Other.code(),
            Some(("people", "category")) => PersonCategory::Undetermined.code(),
            _ => return false,
        },
    };
    let Some((parent, field)) = pointer.rsplit_once('/') else { return false };
    let Some(fields) = value.pointer_mut(parent).and_then(Value::as_object_mut) else { return false };
    // A field that holds it already was not at fault for its value.
    fields.insert(field.to_owned(), least.into()).is_none_or(|before| before != least)
}

/// The list and the field, where it is one of an element itself: `people` and `category` of `/people/0/category`.
fn field_of_element(pointer: &str) -> Option<(&str, &str)> {
    let (list, rest) = pointer.strip_prefix('/')?.split_once('/')?;
    let (_, field) = rest.split_once('/')?;
    Some((list, field))
}

/// What stands at the place of an element that cannot be read, where an amendment later finds each by its place: with
/// one of them gone, all behind it would be taken for others.
fn element_in_place(list: &str) -> Option<Value> {
    match list {
        "/items" => Some(json!({ "media_kind": MediaKind::Other.code() })),
        "/people" => Some(json!({ "category": PersonCategory::Undetermined.code() })),
        _ => None,
    }
}

/// The elements taken out of lists so far, by the list's pointer and the place they had then.
#[derive(Default)]
struct Places(Vec<(String, usize)>);

impl Places {
    fn taken_out(&mut self, pointer: &str) {
        if let Some((list, index)) =
            pointer.rsplit_once('/').and_then(|(list, key)| Some((list, key.parse().ok()?)))
            && element_in_place(list).is_none()
        {
            self.0.push((list.to_owned(), index));
        }
    }

    /// The pointer as it was in what was sent: each earlier removal before it is counted back in.
    fn as_sent(&self, pointer: &str) -> String {
        self.0.iter().rev().fold(pointer.to_owned(), |pointer, (list, index)| {
            let Some(rest) = pointer.strip_prefix(&format!("{list}/")) else { return pointer };
            let (key, tail) =
                rest.split_once('/').map_or((rest, String::new()), |(key, tail)| (key, format!("/{tail}")));
            match key.parse::<usize>() {
                Ok(now) if now >= *index => format!("{list}/{}{tail}", now + 1),
                _ => pointer,
            }
        })
    }
}

/// Removes the field from the value. An element that cannot stand goes whole: a list has no empty places, and where
/// places count another stands there.
fn take_out(value: &mut Value, pointer: &str) -> bool {
    // Without it more might be told to more than the reporter allows.
    if pointer == "/handling" || pointer.starts_with("/handling/") {
        return false;
    }
    let Some((parent, key)) = pointer.rsplit_once('/') else { return false };
    let key = key.replace("~1", "/").replace("~0", "~");
    match value.pointer_mut(parent) {
        Some(Value::Object(fields)) => fields.shift_remove(&key).is_some(),
        Some(Value::Array(items)) => {
            let Some(index) = key.parse::<usize>().ok().filter(|index| *index < items.len()) else {
                return false;
            };
            match element_in_place(parent) {
                Some(element) => items[index] = element,
                None => drop(items.remove(index)),
            }
            true
        }
        _ => false,
    }
}

fn inspect(submission: &Submission, value: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    rules(submission, &mut faults);
    texts(value, &mut String::new(), &mut faults);
    faults.sort_by(|one, other| one.pointer.cmp(&other.pointer));
    faults.truncate(MAX_FAULTS);
    faults
}

fn rules(submission: &Submission, faults: &mut Vec<Fault>) {
    let mut fault = |pointer: &str, detail: &str| {
        faults.push(Fault::new(pointer, RefusalReason::InvalidValue, detail));
    };
    if submission.reference.is_empty() || submission.reference.len() > MAX_REFERENCE_BYTES {
        fault("/reference", "expected 1 to 128 bytes");
    }
    if submission.urgency == Urgency::ImminentDanger && submission.danger_reason.is_none() {
        fault("/danger_reason", "required with urgency imminent-danger");
    }
    if submission.occurred.as_ref().is_some_and(|occurred| occurred.to.is_some_and(|to| to < occurred.from)) {
        fault("/occurred/to", "before its beginning");
    }
    if submission.items.len() > MAX_ITEMS {
        fault("/items", "more than 1000 items");
    }
    if submission.people.len() > MAX_PEOPLE {
        fault("/people", "more than 200 people");
    }
    for (index, item) in submission.items.iter().enumerate() {
        if item.digests.len() > MAX_DIGESTS {
            fault(&format!("/items/{index}/digests"), "more than 32 digests of one item");
        }
        for (number, digest) in item.digests.iter().enumerate() {
            if !is_digest(digest.algorithm, &digest.value) {
                let pointer = format!("/items/{index}/digests/{number}/value");
                fault(&pointer, &format!("not a digest of the form of {}", digest.algorithm));
            }
        }
    }
    for (index, item) in submission.items.iter().enumerate() {
        for (number, classification) in item.classifications.iter().enumerate() {
            if !classification.scheme.takes(&classification.value) {
                let pointer = format!("/items/{index}/classifications/{number}/value");
                fault(&pointer, &format!("not a value of the scheme {}", classification.scheme));
            }
        }
    }
    for (index, person) in submission.people.iter().enumerate() {
        if person.age.as_ref().is_some_and(|age| age.from > age.to || age.to > 120) {
            fault(&format!("/people/{index}/age"), "not a range of years");
        }
        if person.captures.len() > MAX_CAPTURES {
            fault(&format!("/people/{index}/captures"), "more than 1000 captures of one person");
        }
    }
}

/// The known forms: a digest of one is never taken for embedded data, and nothing else passes as one.
pub fn is_digest(algorithm: DigestAlgorithm, value: &str) -> bool {
    let hex = |digits: usize| value.len() == digits && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    let base64 = |most: usize| !value.is_empty() && value.len() <= most && value.bytes().all(is_base64);
    match algorithm {
        DigestAlgorithm::Md5 => hex(32),
        DigestAlgorithm::Sha1 => hex(40),
        DigestAlgorithm::Sha256 | DigestAlgorithm::Pdq => hex(64),
        DigestAlgorithm::Sha512 => hex(128),
        // 144 bytes, as hex, base64 or comma-separated numbers.
        DigestAlgorithm::PhotoDna => {
            let numbers = value.split(',').filter(|number| number.parse::<u8>().is_ok()).count();
            hex(288)
                || (value.len() == 192 && base64(192))
                || (numbers == 144 && value.split(',').count() == 144)
        }
        DigestAlgorithm::TmkPdqf => base64(2_048),
    }
}

/// The pointer to a field or element of what a pointer points to.
fn step(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

fn texts(value: &Value, pointer: &mut String, faults: &mut Vec<Fault>) {
    let length = pointer.len();
    match value {
        Value::String(text) => faults.extend(text_fault(pointer, text)),
        // Serde takes a list for an object, its fields in their order; nobody who writes one means that.
        Value::Array(_) if !is_list(pointer) => {
            faults.push(Fault::new(pointer.as_str(), RefusalReason::InvalidValue, "expected an object"));
        }
        Value::Array(items) => {
            let before = faults.len();
            for (index, item) in items.iter().enumerate() {
                pointer.push_str(&format!("/{index}"));
                texts(item, pointer, faults);
                pointer.truncate(length);
            }
            // Data can be cut into a list of texts, each of which says nothing.
            let all: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            let embedded = embedded(&all.join("\n")).filter(|_| faults.len() == before);
            faults.extend(
                embedded.map(|detail| Fault::new(pointer.as_str(), RefusalReason::EmbeddedContent, detail)),
            );
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                *pointer = step(pointer, name);
                texts(field, pointer, faults);
                pointer.truncate(length);
            }
        }
        _ => {}
    }
}

/// Whether a list belongs there, and no object.
fn is_list(pointer: &str) -> bool {
    pointer.rsplit('/').next().is_some_and(|name| LISTS.contains(&name))
}

fn text_fault(pointer: &str, text: &str) -> Option<Fault> {
    // Digests were held against their own forms.
    if pointer.contains("/digests/") {
        return None;
    }
    let limit = limit_of(pointer);
    if text.len() > limit {
        let detail = format!("{} bytes, at most {limit} are allowed", text.len());
        return Some(Fault::new(pointer, RefusalReason::FieldTooLong, detail));
    }
    let embedded = embedded(text)?;
    Some(Fault::new(pointer, RefusalReason::EmbeddedContent, embedded))
}

fn limit_of(pointer: &str) -> usize {
    match pointer.rsplit('/').next() {
        _ if pointer == "/narrative" => MAX_NARRATIVE_BYTES,
        Some("notes" | "needs" | "whereabouts") => MAX_NOTES_BYTES,
        _ => MAX_TEXT_BYTES,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
mod tests;
