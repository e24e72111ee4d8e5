//! The no-content gate: what is not a referral's data does not get in.
//!
//! Unknown fields, embedded data and over-long fields are refused with a problem that names the field. In an
//! imminent danger nothing is refused that can be left out: the field is withheld, the rest goes on, and the
//! verdict says so. What a field holds is never repeated, neither to the caller nor in a log.

use chassis::http::parse;
use chassis::problem::Problem;
use schemas::codes::{DangerReason, DigestAlgorithm, IncidentKind, RefusalReason, Urgency};
use schemas::content::{embedded, is_base64};
use schemas::referral::{GateVerdict, WithheldField};
use serde_json::Value;

use crate::submission::Submission;

/// Raised with every change to what the gate lets through.
pub const VERSION: i32 = 3;

/// Longest text of a field, where no other limit is named.
const MAX_TEXT_BYTES: usize = 4 * 1024;
/// Chats are evidence.
const MAX_NARRATIVE_BYTES: usize = 256 * 1024;
/// Longest free text about a person.
const MAX_NOTES_BYTES: usize = 16 * 1024;
const MAX_REFERENCE_BYTES: usize = 128;
const MAX_ITEMS: usize = 1_000;
const MAX_PEOPLE: usize = 200;
/// Most fields withheld from one emergency; past it the submission is no referral.
const MAX_WITHHELD: usize = 64;

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
    /// The pointer as it may stand on record: what a caller made up as a field's name may be a person's.
    pub fn recorded_pointer(&self) -> String {
        match self.pointer.rsplit_once('/') {
            Some((known, _)) if self.reason == RefusalReason::UnknownField => format!("{known}/?"),
            _ => self.pointer.clone(),
        }
    }
}

/// Everything that is wrong, as one problem.
pub fn problem(faults: &[Fault]) -> Problem {
    let malformed = faults.iter().all(|fault| fault.reason == RefusalReason::Malformed);
    let problem = if malformed { Problem::malformed() } else { Problem::invalid() };
    faults.iter().fold(problem, |problem, fault| {
        problem.field(&fault.pointer, format!("{}: {}", fault.reason, fault.detail))
    })
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
    match serde_json::from_slice::<Value>(bytes) {
        Ok(value) if is_emergency(&value) => salvage(value, faults),
        _ => Err(faults),
    }
}

/// Checks a submission that came in another form than JSON.
///
/// # Errors
/// The faults.
pub fn check(submission: &Submission) -> Result<(), Vec<Fault>> {
    let value = serde_json::to_value(submission).unwrap_or_default();
    let mut faults = inspect(submission, &value);
    let rest = submission.cybertipline.iter();
    let parts = rest.flat_map(|rest| {
        std::iter::once(&rest.report_xml)
            .chain(&rest.person_xml)
            .chain(&rest.location_xml)
            .chain(&rest.narrative_xml)
    });
    parts.for_each(|xml| xml_faults(xml, &mut faults));
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// Longest digest of any form that NCMEC's format carries: PhotoDNA as comma-separated numbers.
const MAX_XML_DIGEST_BYTES: usize = 600;

/// Embedded data in what of a report is kept as XML. Digests have their own element and their own length.
fn xml_faults(xml: &str, faults: &mut Vec<Fault>) {
    // The parts were written here a moment ago, so they parse.
    let Ok(document) = roxmltree::Document::parse(xml) else { return };
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        let texts = node.attributes().map(|attribute| attribute.value()).chain(node.text());
        let digest = |text: &str| node.has_tag_name("originalFileHash") && text.len() <= MAX_XML_DIGEST_BYTES;
        let embedded = texts.filter(|text| !digest(text)).find_map(embedded);
        faults
            .extend(embedded.map(|detail| Fault::new(path_of(node), RefusalReason::EmbeddedContent, detail)));
    }
}

fn path_of(node: roxmltree::Node<'_, '_>) -> String {
    let mut names: Vec<&str> =
        node.ancestors().filter(|one| one.is_element()).map(|one| one.tag_name().name()).collect();
    names.push("");
    names.reverse();
    names.join("/")
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

fn is_emergency(value: &Value) -> bool {
    value.get("urgency").and_then(Value::as_str) == Some(Urgency::ImminentDanger.code())
}

/// Takes out what is at fault until the rest is a referral.
fn salvage(mut value: Value, first: Vec<Fault>) -> Result<(Submission, GateVerdict), Vec<Fault>> {
    let mut withheld = Vec::new();
    let mut faults = first;
    // Where each element of a list stood in what was sent: withheld fields are named by that.
    let mut places = Places::default();
    while withheld.len() < MAX_WITHHELD {
        // One at a time, and the last first: taking an element out moves those behind it.
        let Some(fault) = faults.pop() else { break };
        if !stand_in(&mut value, &fault.pointer) && !take_out(&mut value, &fault.pointer) {
            faults.push(fault);
            return Err(faults);
        }
        let pointer = places.as_sent(&fault.recorded_pointer());
        withheld.push(WithheldField { pointer, reason: fault.reason });
        places.taken_out(&fault.pointer);
        let bytes = serde_json::to_vec(&value).unwrap_or_default();
        match read(&bytes) {
            Ok(submission) => return Ok((submission, verdict(withheld))),
            Err(next) => faults = next,
        }
    }
    Err(faults)
}

/// What an emergency cannot go on without gets the value that says least.
fn stand_in(value: &mut Value, pointer: &str) -> bool {
    let least = match pointer {
        "/kind" => IncidentKind::Other.code(),
        "/danger_reason" => DangerReason::ReporterEscalation.code(),
        _ => return false,
    };
    let Some(fields) = value.as_object_mut() else { return false };
    // A field that holds it already was not at fault for its value.
    fields.insert(pointer[1..].to_owned(), least.into()).is_none_or(|before| before != least)
}

/// The elements taken out of lists so far, by the list's pointer and the place they had then.
#[derive(Default)]
struct Places(Vec<(String, usize)>);

impl Places {
    fn taken_out(&mut self, pointer: &str) {
        if let Some((list, index)) =
            pointer.rsplit_once('/').and_then(|(list, key)| Some((list, key.parse().ok()?)))
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

/// Removes the field from the value. An element that cannot stand goes whole: a list has no empty places.
fn take_out(value: &mut Value, pointer: &str) -> bool {
    let Some((parent, key)) = pointer.rsplit_once('/') else { return false };
    let key = key.replace("~1", "/").replace("~0", "~");
    match value.pointer_mut(parent) {
        Some(Value::Object(fields)) => fields.shift_remove(&key).is_some(),
        Some(Value::Array(items)) => {
            let index = key.parse::<usize>().ok().filter(|index| *index < items.len());
            index.map(|index| items.remove(index)).is_some()
        }
        _ => false,
    }
}

fn inspect(submission: &Submission, value: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    rules(submission, &mut faults);
    texts(value, &mut String::new(), &mut faults);
    faults.sort_by(|one, other| one.pointer.cmp(&other.pointer));
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
    }
}

/// The known forms: a digest of one is never taken for embedded data, and nothing else passes as one.
pub fn is_digest(algorithm: DigestAlgorithm, value: &str) -> bool {
    let hex = |digits: usize| value.len() == digits && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    let base64 = |most: usize| {
        !value.is_empty() && value.len() <= most && value.bytes().all(|byte| is_base64(byte) || byte == b',')
    };
    match algorithm {
        DigestAlgorithm::Md5 => hex(32),
        DigestAlgorithm::Sha1 => hex(40),
        DigestAlgorithm::Sha256 | DigestAlgorithm::Pdq => hex(64),
        DigestAlgorithm::Sha512 => hex(128),
        // 144 bytes, as hex, base64 or comma-separated numbers.
        DigestAlgorithm::PhotoDna => hex(288) || base64(600),
        DigestAlgorithm::TmkPdqf => base64(2_048),
    }
}

fn texts(value: &Value, pointer: &mut String, faults: &mut Vec<Fault>) {
    let length = pointer.len();
    match value {
        Value::String(text) => faults.extend(text_fault(pointer, text)),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                pointer.push_str(&format!("/{index}"));
                texts(item, pointer, faults);
                pointer.truncate(length);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                pointer.push_str(&format!("/{}", name.replace('~', "~0").replace('/', "~1")));
                texts(field, pointer, faults);
                pointer.truncate(length);
            }
        }
        _ => {}
    }
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
mod tests {
    use super::*;

    fn faults(json: &str) -> Vec<(String, RefusalReason)> {
        match admit(json.as_bytes()) {
            Ok(_) => Vec::new(),
            Err(faults) => faults.into_iter().map(|fault| (fault.pointer, fault.reason)).collect(),
        }
    }

    fn check(json: &str, expected: &[(&str, RefusalReason)]) {
        let expected: Vec<_> =
            expected.iter().map(|(pointer, reason)| ((*pointer).to_owned(), *reason)).collect();
        assert_eq!(faults(json), expected, "{json}");
    }

    fn picture() -> String {
        let bytes = (0..600u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]);
        bytes
            .map(|byte| {
                char::from(
                    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
                        [usize::from(byte % 64)],
                )
            })
            .collect()
    }

    #[test]
    fn what_is_wrong_is_named_by_its_field() {
        use RefusalReason::*;
        check(r#"{"reference":"R-1","kind":"csam"}"#, &[]);
        check(r#"{"reference":"R-1","kind":"csam","image":"x"}"#, &[("/image", UnknownField)]);
        check(r#"{"reference":"R-1","kind":"nonsense"}"#, &[("/kind", InvalidValue)]);
        check(r#"{"reference":"R-1","kind":"csam","kind":"csam"}"#, &[("", InvalidValue)]);
        check(r#"{"reference":"","kind":"csam"}"#, &[("/reference", InvalidValue)]);
        check(r#"{"reference":"R-1","#, &[("", Malformed)]);
        let person = r#"{"category":"victim","portrait":"x"}"#;
        check(
            &format!(r#"{{"reference":"R-1","kind":"csam","people":[{person}]}}"#),
            &[("/people/0/portrait", UnknownField)],
        );
        let uri = "see data:image/png;base64,iVBORw0KGgo=";
        check(
            &format!(r#"{{"reference":"R-1","kind":"csam","narrative":"{uri}"}}"#),
            &[("/narrative", EmbeddedContent)],
        );
        let narrative = format!(r#"{{"reference":"R-1","kind":"csam","narrative":"{}"}}"#, picture());
        check(&narrative, &[("/narrative", EmbeddedContent)]);
        let hex: String = picture().bytes().map(|byte| format!("{byte:02x}")).collect();
        check(
            &format!(r#"{{"reference":"R-1","kind":"csam","narrative":"{hex}"}}"#),
            &[("/narrative", EmbeddedContent)],
        );
        let long = "x ".repeat(3_000);
        check(
            &format!(r#"{{"reference":"R-1","kind":"csam","local_case_number":"{long}"}}"#),
            &[("/local_case_number", FieldTooLong)],
        );
        let digest = r#"{"media_kind":"image","digests":[{"algorithm":"md5","value":"no"}]}"#;
        check(
            &format!(r#"{{"reference":"R-1","kind":"csam","items":[{digest}]}}"#),
            &[("/items/0/digests/0/value", InvalidValue)],
        );
    }

    #[test]
    fn what_only_looks_like_content_gets_in() {
        let chat = "[21:04] a: hahahahaha\n[21:05] b: ".repeat(5_000);
        check(&format!(r#"{{"reference":"R-1","kind":"csam","narrative":{}}}"#, Value::from(chat)), &[]);
        let laughter = "ha".repeat(600);
        check(&format!(r#"{{"reference":"R-1","kind":"csam","narrative":"{laughter}"}}"#), &[]);
        let photodna = "A".repeat(192);
        let item = format!(
            r#"{{"media_kind":"image","digests":[{{"algorithm":"photodna","value":"{photodna}"}}]}}"#
        );
        check(&format!(r#"{{"reference":"R-1","kind":"csam","items":[{item}]}}"#), &[]);
    }

    #[test]
    fn a_classification_is_a_value_of_its_scheme_and_no_free_text() {
        for (scheme, value, taken) in [
            ("industry", "A1", true),
            ("industry", "A3", false),
            ("iwf", "C", true),
            ("inhope", "baseline", true),
            ("national", "184b-1", true),
            ("national", "a child of nine", false),
            ("national", "an-unbroken-sentence-of-words", false),
        ] {
            let json = format!(
                r#"{{"reference":"r","kind":"csam","items":[{{"media_kind":"image",
                "classifications":[{{"scheme":"{scheme}","value":"{value}"}}]}}]}}"#
            );
            let wrong = [("/items/0/classifications/0/value", RefusalReason::InvalidValue)];
            check(&json, if taken { &[] } else { &wrong });
        }
    }

    #[test]
    fn an_emergency_is_never_lost() {
        let json = r#"{"reference":"R-1","kind":"csam","urgency":"imminent-danger","danger_reason":"missing-child",
            "image":"x","people":[{"category":"victim","captures":[{"ip":"not an address"}],"portrait":"y"}]}"#;
        let (submission, verdict) = admit(json.as_bytes()).unwrap();
        assert_eq!(submission.people.len(), 1);
        let withheld: Vec<&str> = verdict.withheld.iter().map(|field| field.pointer.as_str()).collect();
        // What a reporter made up as a name stays out of the record: it may be a person's.
        assert!(withheld.contains(&"/?"), "{withheld:?}");
        assert!(withheld.contains(&"/people/0/?"), "{withheld:?}");
        assert_eq!(verdict.version, VERSION);
        assert!(withheld.contains(&"/people/0/captures/0"), "{withheld:?}");
        // What cannot be left out gets the value that says least.
        let json = r#"{"reference":"R-1","kind":"nonsense","urgency":"imminent-danger"}"#;
        let (submission, verdict) = admit(json.as_bytes()).unwrap();
        assert_eq!(submission.kind, IncidentKind::Other);
        assert_eq!(submission.danger_reason, Some(DangerReason::ReporterEscalation));
        assert_eq!(verdict.withheld.len(), 2);
        // Several elements of one list: the good one stays, and each is named by where it was sent.
        let long = "x ".repeat(3_000);
        let json = format!(
            r#"{{"reference":"R-1","kind":"csam","urgency":"imminent-danger","danger_reason":"missing-child",
            "people":[{{"category":"victim","names":["{long}","{long}","Synthetic"]}}]}}"#
        );
        let (submission, verdict) = admit(json.as_bytes()).unwrap();
        assert_eq!(submission.people[0].names, ["Synthetic"]);
        let mut withheld: Vec<&str> = verdict.withheld.iter().map(|field| field.pointer.as_str()).collect();
        withheld.sort_unstable();
        assert_eq!(withheld, ["/people/0/names/0", "/people/0/names/1"]);
        // Without a reference nobody can be answered: that cannot be left out.
        assert!(
            admit(br#"{"kind":"csam","urgency":"imminent-danger","danger_reason":"missing-child"}"#).is_err()
        );
    }
}
