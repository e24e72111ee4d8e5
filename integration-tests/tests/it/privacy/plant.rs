//! Referrals in all three forms with a marker of its own in every field that is sealed, and broken copies of them.
//!
//! No markers, since they stand in clear by design: codes (kind, urgency, category, age band, media kind, algorithm,
//! scheme, classification, annotations, handling), countries, yes and no, and the time of retention. They decide where
//! a referral goes and say nothing of who it is about. The provider's and the service's names are sealed.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

/// Every marker handed out so far. All texts begin alike, which keeps the search fast.
#[derive(Default)]
pub struct Markers {
    all: Vec<String>,
}

impl Markers {
    pub fn keep(&mut self, marker: String) -> String {
        self.all.push(marker.clone());
        marker
    }

    /// A text for a field; with marks that JSON, XML and addresses have to escape.
    pub fn text(&mut self, field: &str) -> String {
        self.keep(format!("synthetic-marker-{:03} \"é<&/+ {field}", self.all.len()))
    }

    /// A text of plain letters: for fields that are lower-cased, or whose form is checked.
    pub fn word(&mut self, field: &str) -> String {
        self.keep(format!("synthetic-marker-{:03}-{field}", self.all.len()))
    }

    fn phone(&mut self) -> String {
        self.keep(format!("+4930555{:06}", self.all.len()))
    }

    fn ip(&mut self) -> String {
        self.keep(format!("2001:db8:5eed:1:2:3:4:{:x}", 0x1000 + self.all.len()))
    }

    fn moment(&mut self) -> String {
        let number = self.all.len();
        self.keep(format!(
            "2026-03-{:02}T10:15:{:02}.{:03}Z",
            1 + number / 60 % 28,
            number % 60,
            100 + number % 900
        ))
    }

    /// A day on which nobody here was born.
    fn date(&mut self) -> String {
        let number = self.all.len();
        self.keep(format!("19{:02}-{:02}-{:02}", number / 336 % 30, 1 + number / 28 % 12, 1 + number % 28))
    }

    /// A number of nine digits, or as many behind a point.
    fn number(&mut self, first: &str) -> String {
        self.keep(format!("{first}{:07}", 9_000_000 + self.all.len()))
    }

    fn digest(&mut self, hex_digits: usize) -> String {
        let seed = schemas::digest::sha256(&[&self.all.len().to_be_bytes()]);
        let digits: String = hex::encode(seed).chars().cycle().take(hex_digits).collect();
        self.keep(digits)
    }

    /// One a line, as the search takes them.
    pub fn write(&self, path: &Path) {
        std::fs::write(path, self.all.join("\n") + "\n").unwrap();
    }
}

/// A referral as JSON with every field there is; `checked_against` holds that none is left out.
pub fn submission(markers: &mut Markers, reference: &str) -> Value {
    json!({
        "reference": markers.word(reference),
        "kind": "child-sexual-abuse",
        "urgency": "priority",
        // The moment is sealed; the week stands in clear.
        "occurred": { "from": markers.moment(), "to": "2026-11-20T21:30:00Z" },
        "annotations": ["live-streamed"],
        "narrative": format!("{}\nA: {}", markers.text("narrative"), markers.text("chat")),
        "local_case_number": markers.text("case"),
        "items": [{
            "media_kind": "image",
            "digests": [
                { "algorithm": "md5", "value": markers.digest(32) },
                { "algorithm": "sha-256", "value": markers.digest(64) },
                { "algorithm": "pdq", "value": markers.digest(64) },
                { "algorithm": "photodna", "value": markers.digest(288) },
            ],
            "classifications": [{ "scheme": "industry", "value": "A1" }],
            "viewed_by_reporter": true,
            "publicly_available": false,
            "hosting": {
                "country": "NL",
                "host": format!("{}.example", markers.word("host")),
                "url": format!("https://files.example/{}", markers.word("url")),
            },
            "annotations": ["ai-generated"],
            "name": markers.text("file"),
        }],
        "people": [person(markers, "victim", "DE"), person(markers, "victim", "FR"), person(markers, "suspect", "BR")],
        "provider": { "name": markers.text("provider"), "country": "US" },
        "handling": {
            "tlp": "TLP:AMBER", "codes": ["H1"], "purpose": "criminal-investigation",
            "retain_until": "2031-01-01T00:00:00Z", "never_told": ["KE"], "transfers": "standing",
        },
    })
}

fn person(markers: &mut Markers, category: &str, country: &str) -> Value {
    json!({
        "category": category,
        "age_band": "unknown",
        // Too few digits to be looked for; the whole person is one sealed text.
        "age": { "from": 7, "to": 9 },
        "names": [markers.text("name"), markers.text("alias")],
        "accounts": [{
            "service": markers.word("service"),
            "identifier": markers.word("account"),
            "display_name": markers.text("display"),
            "url": format!("https://chat.example/{}", markers.word("profile")),
        }],
        "emails": [format!("{}@example.org", markers.word("email"))],
        "phones": [markers.phone()],
        "addresses": [{ "text": markers.text("street"), "country": country }],
        "residences": [country],
        "nationalities": ["NL"],
        "languages": [markers.word("language")],
        "payments": [{ "direction": "payer", "identifier": markers.word("iban"), "country": "US" }],
        "captures": [{
            "ip": markers.ip(), "port": 40122, "time": markers.moment(),
            "event": markers.text("event"), "possible_proxy": false,
        }],
        "whereabouts": markers.text("whereabouts"),
        "needs": markers.text("needs"),
        "notes": markers.text("notes"),
    })
}

/// Every field that the API's own document knows of a submission is planted, or named here with its reason.
pub fn checked_against(openapi: &Value, submission: &Value) {
    // Only in imminent danger, a code; an incident's id, which is public to its parties.
    let no_markers = ["danger_reason", "asks_to_join"];
    let mut planted = BTreeSet::new();
    keys(submission, &mut planted);
    let (mut left, mut seen) = (vec!["Submission".to_owned()], BTreeSet::new());
    while let Some(name) = left.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let schema = &openapi["components"]["schemas"][&name];
        for field in schema["properties"].as_object().into_iter().flatten().map(|(field, _)| field.as_str()) {
            assert!(planted.contains(field) || no_markers.contains(&field), "{name}.{field} is not planted");
        }
        references(schema, &mut left);
    }
    assert!(seen.len() > 10, "the document is read: {seen:?}");
}

fn keys(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.keys().cloned());
            fields.values().for_each(|field| keys(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
        _ => {}
    }
}

fn references(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(fields) => {
            let named = fields.get("$ref").and_then(Value::as_str);
            found.extend(named.and_then(|name| name.rsplit('/').next()).map(str::to_owned));
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

/// Copies of a referral, each with one value broken in one way, and the value a marker: of another type, of no known
/// code, or data in disguise; as an emergency, from which what is wrong is taken out, and otherwise.
pub fn broken(markers: &mut Markers, whole: &Value) -> Vec<Value> {
    let mut leaves = Vec::new();
    pointers(whole, String::new(), &mut leaves);
    // The handling terms decide who is told: with them gone the copy goes another way, and tells the same.
    leaves.retain(|leaf| leaf != "/reference");
    let mut copies = Vec::new();
    for leaf in &leaves {
        let marker = markers.word("broken");
        let wrong = [
            json!(marker),
            json!({ marker.clone(): marker }),
            json!([marker]),
            json!(format!("data:image/png;base64,{marker}")),
        ];
        for (number, value) in wrong.into_iter().enumerate() {
            // The name of an unknown field is told to whoever sent it, by design: `unnamed` sends those.
            let value = if value.is_object() { json!({ "names": marker }) } else { value };
            let mut copy = whole.clone();
            copy["reference"] = format!("BROKEN-{}-{number}", copies.len()).into();
            if copies.len() % 2 == 0 {
                copy["urgency"] = "imminent-danger".into();
                copy["danger_reason"] = "ongoing-abuse".into();
            }
            *copy.pointer_mut(leaf).unwrap() = value;
            copies.push(copy);
        }
    }
    copies
}

/// Referrals with fields that nobody knows, whose very names are markers: as an emergency and otherwise.
pub fn unnamed(markers: &mut Markers, whole: &Value) -> Vec<Value> {
    let mut copies = Vec::new();
    for (number, urgency) in ["imminent-danger", "routine"].into_iter().enumerate() {
        for (place, object) in ["", "/people/0", "/items/0/hosting", "/handling"].into_iter().enumerate() {
            let mut copy = whole.clone();
            copy["reference"] = format!("UNNAMED-{number}-{place}").into();
            copy["urgency"] = urgency.into();
            copy["danger_reason"] = "ongoing-abuse".into();
            // Of the letters that the product's own names are of: nothing else tells them apart.
            let name = markers.keep(format!("synthetic_marker_{}", ["one", "two", "three", "four"][place]));
            copy.pointer_mut(object).unwrap()[name] = true.into();
            copies.push(copy);
        }
    }
    copies
}

fn pointers(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, field)| pointers(field, format!("{at}/{name}"), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| pointers(item, format!("{at}/{index}"), found));
        }
        _ => found.push(at),
    }
}

/// The same document with a marker in each element of free text, and in each number, date and attribute that says
/// something of somebody; the others keep what they have, for it is yes or no, or a code of the format.
pub fn marked_xml(markers: &mut Markers, document: &str) -> String {
    let document = with_attributes(document, "extension", || markers.number("88"));
    let dates = ["verificationDate", "userNotifiedDate", "disabledDate", "reenabledDate", "timestamp"];
    let document = dates
        .into_iter()
        .fold(document, |document, date| with_attributes(&document, date, || markers.moment()));
    rewritten(&document, |name, text| {
        Some(match name {
            "ipAddress" => markers.ip(),
            "phone" | "phoneNumber" => markers.phone(),
            "originalFileHash" if [32, 40, 64, 128].contains(&text.len()) && is_hex(text) => {
                markers.digest(text.len())
            }
            "originalFileHash" | "fileId" => markers.word(name),
            "email" | "emailAddress" => format!("{}@example.org", markers.word(name)),
            "url" | "profileUrl" | "legalURL" | "locationOfFile" => {
                format!("https://service.example.org/{}", markers.word(name))
            }
            "fileName" | "originalFileName" => format!("{}.jpg", markers.word(name)),
            "dateTime" | "incidentDateTime" | "uploadedToEspTimestamp" => markers.moment(),
            "dateOfBirth" => markers.date(),
            "latitude" | "longitude" => markers.number("0.5"),
            "reportId" | "priorCTReports" | "priorCTReport" => markers.number("77"),
            _ if is_code(name) => return None,
            _ => escaped(&markers.text(name)),
        })
    })
}

/// The document with each such attribute's value anew.
fn with_attributes(document: &str, name: &str, mut anew: impl FnMut() -> String) -> String {
    let begin = format!(" {name}=\"");
    let mut parts = document.split(&begin);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| {
        let (_, rest) = part.split_once('"').expect("an attribute ends");
        format!("{out}{begin}{}\"{rest}", anew())
    })
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Elements whose text is no free text; and marks that are fixed to true.
fn is_code(name: &str) -> bool {
    const CODES: [&str; 46] = [
        "incidentType",
        "state",
        "country",
        "countryCode",
        "eventName",
        "fileRelevance",
        "industryClassification",
        "age",
        "approximateAge",
        "dateOfBirth",
        "port",
        "possibleProxy",
        "latitude",
        "longitude",
        "reportId",
        "reportedToLe",
        "servedLegalProcessDomestic",
        "servedLegalProcessInternational",
        "compromisedAccount",
        "thirdPartyUserReported",
        "priorCTReports",
        "priorCTReport",
        "accountTemporarilyDisabled",
        "accountPermanentlyDisabled",
        "allEmailsReported",
        "fileViewedByEsp",
        "exifViewedByEsp",
        "publiclyAvailable",
        "potentialMeme",
        "sextortion",
        "csamSolicitation",
        "minorToMinorInteraction",
        "spam",
        "sadisticOnlineExploitation",
        "animeDrawingVirtualHentai",
        "viral",
        "possibleSelfProduction",
        "physicalHarm",
        "violenceGore",
        "bestiality",
        "liveStreaming",
        "infant",
        "generativeAi",
        "dateTime",
        "incidentDateTime",
        "uploadedToEspTimestamp",
    ];
    CODES.contains(&name)
}

/// Copies of the document in which one element that is no free text holds a marker, and some that are no such
/// document at all.
pub fn broken_xml(markers: &mut Markers, document: &str) -> Vec<String> {
    let mut names = BTreeSet::new();
    rewritten(document, |name, _| {
        names.extend(is_code(name).then(|| name.to_owned()));
        None
    });
    let mut copies = Vec::new();
    for wanted in names {
        let marker = markers.word(&wanted);
        copies.push(rewritten(document, |name, _| (name == wanted).then(|| marker.clone())));
    }
    let marker = markers.word("xml");
    copies.extend([
        document.replace("</report>", &format!("<unknown>{marker}</unknown></report>")),
        document.replace("<report>", &format!("<report unknown=\"{marker}\">")),
        document.replace("<report>", &format!("<report>{marker}")),
        document.replace("<report>", &format!("<!-- {marker} --><report>")),
        document.replace("<report>", &format!("<?{marker}?><report>")),
        document.replace("<report>", &format!("<!DOCTYPE report [<!ENTITY x \"{marker}\">]><report>")),
        document.replace("</report>", &format!("{marker}</rapport>")),
        format!("{marker}&{marker};"),
    ]);
    copies
}

/// Each leaf's text anew, where there is one for it.
fn rewritten(document: &str, mut anew: impl FnMut(&str, &str) -> Option<String>) -> String {
    let (mut out, mut rest) = (String::new(), document);
    while let Some((before, after)) = rest.split_once('>') {
        let opened = before.rsplit('<').next().unwrap_or_default();
        let name = opened.split_whitespace().next().unwrap_or_default();
        out.push_str(before);
        out.push('>');
        rest = after;
        let is_leaf = !opened.starts_with(['/', '?', '!']) && !opened.ends_with('/');
        let Some((text, _)) =
            after.split_once('<').filter(|(_, next)| next.starts_with(&format!("/{name}>")))
        else {
            continue;
        };
        if let Some(text_anew) = is_leaf.then(|| anew(name, text)).flatten() {
            out.push_str(&text_anew);
            rest = &after[text.len()..];
        }
    }
    out + rest
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
