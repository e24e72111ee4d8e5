//! Forms for commands, made from what the deployment says of itself: which fields a command has, of which kind, and
//! which codes it takes. A command that gets another field has it in its form with the desk's next start.

use pages::words::Words;
use schemas::codes::{LISTS, List};
use serde_json::{Map, Value, json};

/// Texts that are written rather than named: they have room.
const LONG: [&str; 3] = ["note", "handover", "elements"];
/// Elements of a request are named by this list.
const ELEMENTS: &str = "content-element";
/// `2027-01-31T10:00`.
const MOMENT_LENGTH: usize = 16;
/// The two ways to say something that has to be said.
const YES: &str = "yes";
const NO: &str = "no";
/// Records that go deeper have no form.
const MAX_DEPTH: usize = 4;

/// What the deployment takes, as OpenAPI.
pub struct Forms {
    document: Value,
}

/// What a form lets a person choose from, beside codes.
#[derive(Default)]
pub struct Choices {
    /// Names and titles.
    pub agencies: Vec<(String, String)>,
    /// Legal bases that fit.
    pub instruments: Vec<(String, String)>,
}

/// A form for one command.
pub struct Form {
    pub title: String,
    /// Where it is sent: the command's own path.
    pub action: String,
    /// Sent twice, it is done once.
    pub key: String,
    pub fields: Vec<Field>,
    /// Whether it is shown without being asked for.
    pub is_open: bool,
}

pub struct Field {
    /// Where its value stands in the command: a JSON pointer.
    pub pointer: String,
    pub label: String,
    pub kind: Kind,
    pub required: bool,
    pub value: String,
}

pub enum Kind {
    Text,
    Long,
    Number,
    Check,
    Day,
    /// In UTC.
    Moment,
    One(Vec<Choice>),
    Several(Vec<Choice>),
    /// Words with commas between them.
    List,
}

pub struct Choice {
    pub value: String,
    pub label: String,
    pub chosen: bool,
}

/// A command of the document.
#[derive(Clone, Copy)]
pub struct Command<'a> {
    document: &'a Value,
    /// None where nothing is said with it.
    body: Option<&'a Value>,
}

/// What stands at the end of a record's branches.
struct Leaf<'a> {
    pointer: String,
    name: &'a str,
    schema: &'a Value,
    /// The schema's own name, such as `AgencyId`.
    type_name: Option<&'a str>,
    required: bool,
}

impl Forms {
    pub const fn new(document: Value) -> Self {
        Self { document }
    }

    /// The command that is given at this path; none where the deployment knows none.
    pub fn command(&self, path: &str) -> Option<Command<'_>> {
        let pages = self.document["paths"].as_object()?;
        let (_, page) =
            pages.iter().find(|(template, page)| page["post"].is_object() && fits(template, path))?;
        let body = &page["post"]["requestBody"]["content"]["application/json"]["schema"];
        Some(Command { document: &self.document, body: Some(body).filter(|body| body.is_object()) })
    }

    /// A form for the command; none where the deployment knows none, or one that no form can say.
    pub fn form(&self, words: &Words, title: String, path: &str, choices: &Choices) -> Option<Form> {
        let leaves = self.command(path)?.leaves()?;
        let mut fields: Vec<Field> =
            leaves.iter().map(|leaf| field(words, &self.document, leaf, choices)).collect();
        // What has to be said comes first, what is written at length last.
        fields.sort_by_key(|field| (matches!(field.kind, Kind::Long), !field.required));
        Some(Form { title, action: below(path).to_owned(), key: pages::new_key(), fields, is_open: false })
    }
}

impl Form {
    /// With a command as it is said now.
    #[must_use]
    pub fn filled_with(self, said: &Value) -> Self {
        let mut values = Vec::new();
        flatten("", said, &mut values);
        let values: Vec<(&str, &str)> =
            values.iter().map(|(at, value)| (at.as_str(), value.as_str())).collect();
        self.filled(&values)
    }

    /// With what is known already.
    #[must_use]
    pub fn filled(mut self, values: &[(&str, &str)]) -> Self {
        for (pointer, value) in values {
            for field in self.fields.iter_mut().filter(|field| field.pointer == *pointer) {
                match &mut field.kind {
                    Kind::One(choices) | Kind::Several(choices) => choose(choices, value),
                    Kind::List if !field.value.is_empty() => {
                        field.value = format!("{}, {value}", field.value)
                    }
                    // To the minute, as browsers ask for it.
                    Kind::Moment => field.value = value.chars().take(MOMENT_LENGTH).collect(),
                    _ => field.value = (*value).to_owned(),
                }
            }
        }
        self
    }
}

/// Each value by its place: what a form with these fields would have sent.
fn flatten(pointer: &str, said: &Value, values: &mut Vec<(String, String)>) {
    match said {
        Value::Null | Value::Bool(false) => {}
        Value::Bool(true) => values.push((pointer.to_owned(), YES.to_owned())),
        Value::Number(number) => values.push((pointer.to_owned(), number.to_string())),
        Value::String(text) => values.push((pointer.to_owned(), text.clone())),
        Value::Array(all) => all.iter().for_each(|one| flatten(pointer, one, values)),
        Value::Object(fields) => {
            fields.iter().for_each(|(name, one)| flatten(&format!("{pointer}/{name}"), one, values));
        }
    }
}

/// Also what is not among the choices here, so that it is not lost.
fn choose(choices: &mut Vec<Choice>, value: &str) {
    match choices.iter_mut().find(|choice| choice.value == value) {
        Some(choice) => choice.chosen = true,
        None => choices.push(Choice { value: value.to_owned(), label: value.to_owned(), chosen: true }),
    }
}

/// The address here of the command at a path there.
fn below(path: &str) -> &str {
    path.strip_prefix("/v1").unwrap_or(path)
}

fn fits(template: &str, path: &str) -> bool {
    let (mut template, mut path) = (template.split('/'), path.split('/'));
    loop {
        match (template.next(), path.next()) {
            (None, None) => return true,
            (Some(part), Some(given)) if part == given || (part.starts_with('{') && !given.is_empty()) => {}
            _ => return false,
        }
    }
}

impl<'a> Command<'a> {
    /// The command's body, from the fields of a form.
    pub fn body(self, given: &[(String, String)]) -> Value {
        let Some(leaves) = self.leaves() else { return Value::Null };
        if self.body.is_none() {
            return Value::Null;
        }
        let mut body = self.skeleton();
        for leaf in &leaves {
            let values =
                given.iter().filter(|(name, value)| *name == leaf.pointer && !value.trim().is_empty());
            let values: Vec<&str> = values.map(|(_, value)| value.trim()).collect();
            if let Some(value) = value(self.document, leaf, &values) {
                place(&mut body, &leaf.pointer, value);
            }
        }
        body
    }

    fn leaves(self) -> Option<Vec<Leaf<'a>>> {
        let mut leaves = Vec::new();
        if let Some(body) = self.body {
            gather(self.document, body, ("", "", true), 0, &mut leaves)?;
        }
        Some(leaves)
    }

    /// Records that have to be there, also when nothing is said in them.
    fn skeleton(self) -> Value {
        self.body.map_or(Value::Null, |body| required(self.document, body, 0))
    }
}

fn required(document: &Value, schema: &Value, depth: usize) -> Value {
    let (schema, _) = resolved(document, schema);
    let mut record = Map::new();
    if let Some(properties) = schema["properties"].as_object().filter(|_| depth < MAX_DEPTH) {
        for (name, property) in properties {
            let (inner, _) = resolved(document, property);
            if is_required(schema, name) && is_record(inner) {
                record.insert(name.clone(), required(document, property, depth + 1));
            }
        }
    }
    Value::Object(record)
}

fn is_required(schema: &Value, name: &str) -> bool {
    schema["required"].as_array().is_some_and(|names| names.iter().any(|required| required == name))
}

fn is_record(schema: &Value) -> bool {
    schema["properties"].is_object()
        || (schema["type"] == "object" && !schema["additionalProperties"].is_object())
}

/// Behind references, and behind the choice between something and nothing.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> (&'a Value, Option<&'a str>) {
    let (mut schema, mut name) = (schema, None);
    loop {
        if let Some(reference) = schema["$ref"].as_str() {
            name = reference.rsplit('/').next();
            schema = &document["components"]["schemas"][name.unwrap_or_default()];
            continue;
        }
        let choice = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array());
        let mut some = choice.into_iter().flatten().filter(|one| one["type"] != "null");
        match (some.next(), some.next()) {
            (Some(only), None) => schema = only,
            _ => return (schema, name),
        }
    }
}

fn is_type(schema: &Value, name: &str) -> bool {
    schema["type"] == name
        || schema["type"].as_array().is_some_and(|types| types.iter().any(|one| one == name))
}

/// None where a form cannot say it.
fn gather<'a>(
    document: &'a Value,
    schema: &'a Value,
    (pointer, name, required): (&str, &'a str, bool),
    depth: usize,
    leaves: &mut Vec<Leaf<'a>>,
) -> Option<()> {
    let (schema, type_name) = resolved(document, schema);
    if let Some(properties) = schema["properties"].as_object() {
        if depth == MAX_DEPTH {
            return None;
        }
        for (name, property) in properties {
            let at = format!("{pointer}/{name}");
            let required = required && is_required(schema, name);
            gather(document, property, (&at, name, required), depth + 1, leaves)?;
        }
    } else if schema["additionalProperties"].is_object() {
        for code in list_named(ELEMENTS)?.codes {
            let (pointer, schema) = (format!("{pointer}/{code}"), &schema["additionalProperties"]);
            leaves.push(Leaf { pointer, name, schema, type_name: None, required: false });
        }
    } else if !is_type(schema, "object") {
        leaves.push(Leaf { pointer: pointer.to_owned(), name, schema, type_name, required });
    }
    Some(())
}

/// The code list whose codes a schema takes.
fn list_of(schema: &Value) -> Option<&'static List> {
    let codes = schema["enum"].as_array()?;
    LISTS
        .iter()
        .find(|list| list.codes.len() == codes.len() && list.codes.iter().zip(codes).all(|(a, b)| b == a))
}

fn list_named(name: &str) -> Option<&'static List> {
    LISTS.iter().find(|list| list.name == name)
}

fn field(words: &Words, document: &Value, leaf: &Leaf<'_>, choices: &Choices) -> Field {
    let label = match leaf.pointer.strip_prefix("/elements/") {
        Some(code) => words.label(ELEMENTS, code).map(str::to_owned),
        None => named(words, leaf),
    };
    let mut kind = kind(words, document, leaf, choices);
    if let Kind::One(choices) = &mut kind {
        // Nothing is chosen for anybody.
        choices.insert(0, Choice { value: String::new(), label: "–".to_owned(), chosen: false });
    }
    Field {
        pointer: leaf.pointer.clone(),
        label: label.unwrap_or_else(|| leaf.name.to_owned()),
        required: leaf.required && !matches!(kind, Kind::Check | Kind::Several(_)),
        kind,
        value: String::new(),
    }
}

/// By where it stands, or by its name alone.
fn named(words: &Words, leaf: &Leaf<'_>) -> Option<String> {
    let place = leaf.pointer.trim_start_matches("/step").trim_start_matches('/').replace(['_', '/'], "-");
    let text = |name: &str| words.named_text(&format!("field-{name}"));
    text(&place).or_else(|| text(&leaf.name.replace('_', "-")))
}

fn kind(words: &Words, document: &Value, leaf: &Leaf<'_>, choices: &Choices) -> Kind {
    let schema = leaf.schema;
    if is_type(schema, "array") {
        let (items, type_name) = resolved(document, &schema["items"]);
        return choice(words, items, type_name, choices).map_or(Kind::List, Kind::Several);
    }
    if let Some(choice) = choice(words, schema, leaf.type_name, choices) {
        return Kind::One(choice);
    }
    // What has to be said is a decision: a box that nobody has ticked is none.
    if is_type(schema, "boolean") && leaf.required {
        let choice = |value: &str, label| Choice { value: value.to_owned(), label, chosen: false };
        return Kind::One(vec![choice(YES, words.yes()), choice(NO, words.no())]);
    }
    match schema["format"].as_str() {
        Some("date-time") => Kind::Moment,
        Some("date") => Kind::Day,
        _ if is_type(schema, "boolean") => Kind::Check,
        _ if is_type(schema, "integer") => Kind::Number,
        _ if LONG.contains(&leaf.name) => Kind::Long,
        _ => Kind::Text,
    }
}

fn choice(words: &Words, schema: &Value, type_name: Option<&str>, choices: &Choices) -> Option<Vec<Choice>> {
    let of = |pairs: Vec<(String, String)>| {
        pairs.into_iter().map(|(value, label)| Choice { value, label, chosen: false }).collect()
    };
    if let Some(list) = list_of(schema) {
        let label = |code: &&str| words.label(list.name, code).unwrap_or(code).to_owned();
        return Some(of(list.codes.iter().map(|code| ((*code).to_owned(), label(code))).collect()));
    }
    match type_name {
        Some("AgencyId") => Some(of(choices.agencies.clone())),
        Some("InstrumentId") => Some(of(choices.instruments.clone())),
        Some("Country") => {
            let countries = words.countries().into_iter();
            Some(of(countries.map(|(name, country)| (country.to_string(), name.to_owned())).collect()))
        }
        _ => None,
    }
}

/// What the values of a field say; what nobody said, the service judges.
fn value(document: &Value, leaf: &Leaf<'_>, values: &[&str]) -> Option<Value> {
    let schema = leaf.schema;
    if is_type(schema, "array") {
        let (items, type_name) = resolved(document, &schema["items"]);
        let chosen = items["enum"].is_array() || matches!(type_name, Some("AgencyId" | "Country"));
        let words = |text: &&str| text.split(',').map(str::trim).map(str::to_owned).collect::<Vec<_>>();
        let listed = || values.iter().flat_map(words).collect::<Vec<_>>();
        return match values {
            [] if !leaf.required => None,
            _ if chosen => Some(json!(values)),
            _ => Some(json!(listed())),
        };
    }
    if is_type(schema, "boolean") && !leaf.required {
        return Some((!values.is_empty()).into());
    }
    let text = *values.first()?;
    Some(match schema["format"].as_str() {
        Some("date-time") if !text.ends_with('Z') => format!("{text}:00Z").into(),
        _ if is_type(schema, "boolean") && text == YES => true.into(),
        _ if is_type(schema, "boolean") && text == NO => false.into(),
        _ if is_type(schema, "integer") => text.parse::<i64>().map_or_else(|_| text.into(), Value::from),
        _ => text.into(),
    })
}

fn place(body: &mut Value, pointer: &str, value: Value) {
    let mut at = body;
    for part in pointer.split('/').skip(1) {
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[part];
    }
    *at = value;
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
mod tests {
    use super::*;

    fn forms() -> Forms {
        let reason = json!({ "type": "string", "enum": list_named("decline-reason").unwrap().codes });
        Forms::new(json!({
            "paths": {
                "/v1/incidents/{incident}/assignments/{assignment}/decline": { "post": { "requestBody": {
                    "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Decline" } } } } } },
                "/v1/incidents/{incident}/assignments/{assignment}/accept": { "post": {} },
                "/v1/incidents/{incident}/requests/{request}/closure": { "post": { "requestBody": {
                    "content": { "application/json": { "schema": { "type": "object", "required": ["step", "granted"],
                        "properties": { "step": { "$ref": "#/components/schemas/Closure" },
                            "until": { "type": ["string", "null"], "format": "date-time" },
                            "partial": { "type": "boolean" },
                            "granted": { "type": "boolean" },
                            "languages": { "type": "array", "items": { "type": "string" } },
                            "other": { "oneOf": [{ "type": "null" }, { "$ref": "#/components/schemas/Other" }] },
                        } } } } } } },
            },
            "components": { "schemas": {
                "Decline": { "type": "object", "required": ["reason"], "properties": {
                    "reason": { "$ref": "#/components/schemas/DeclineReason" },
                    "note": { "type": ["string", "null"] } } },
                "DeclineReason": reason,
                "Closure": { "type": "object" },
                "Other": { "type": "object", "required": ["days"], "properties": {
                    "days": { "type": "integer" } } },
            } },
        }))
    }

    fn given(fields: &[(&str, &str)]) -> Vec<(String, String)> {
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_form_has_the_fields_of_its_command() {
        let words = Words::named("fr").unwrap();
        let path = "/v1/incidents/i/assignments/a/decline";
        let form = forms().form(words, "Décliner".to_owned(), path, &Choices::default()).unwrap();
        assert_eq!(form.action, "/incidents/i/assignments/a/decline");
        let [reason, note] = form.fields.as_slice() else { panic!("two fields") };
        assert!(reason.required && !note.required);
        assert!(matches!(note.kind, Kind::Long));
        let Kind::One(choices) = &reason.kind else { panic!("codes are chosen") };
        assert_eq!(choices[0].value, "", "nothing is chosen for anybody");
        let first = (choices[1].value.as_str(), choices[1].label.as_str());
        assert_eq!(first, ("not-in-jurisdiction", "Hors de compétence"));
        assert!(forms().command("/v1/incidents/i/assignments/a/invent").is_none());
        assert!(forms().command("/v1/incidents//assignments/a/decline").is_none());
    }

    #[test]
    fn a_body_says_what_was_filled_in_and_nothing_else() {
        let forms = forms();
        let body = |path: &str, fields: &[(&str, &str)]| forms.command(path).unwrap().body(&given(fields));
        let decline = "/v1/incidents/i/assignments/a/decline";
        assert_eq!(
            body(decline, &[("/reason", "duplicate"), ("/note", " ")]),
            json!({ "reason": "duplicate" })
        );
        assert_eq!(body("/v1/incidents/i/assignments/a/accept", &[("/note", "x")]), Value::Null);
        let closure = "/v1/incidents/i/requests/r/closure";
        assert_eq!(
            body(closure, &[]),
            json!({ "step": {}, "partial": false }),
            "what has to be said was not"
        );
        let all = [
            ("/until", "2027-01-31T10:00"),
            ("/partial", "on"),
            ("/granted", "no"),
            ("/languages", "de, fr"),
            ("/other/days", "7"),
            ("/nonsense", "x"),
        ];
        let said = json!({ "step": {}, "until": "2027-01-31T10:00:00Z", "partial": true,
            "granted": false, "languages": ["de", "fr"], "other": { "days": 7 } });
        assert_eq!(body(closure, &all), said);
        // What a form was filled with, it sends.
        let words = Words::named("en").unwrap();
        let form = forms.form(words, String::new(), closure, &Choices::default()).unwrap().filled_with(&said);
        let sent = form.fields.into_iter().flat_map(|field| {
            let values = match field.kind {
                Kind::One(choices) | Kind::Several(choices) => {
                    choices.into_iter().filter(|choice| choice.chosen).map(|choice| choice.value).collect()
                }
                _ => vec![field.value],
            };
            values.into_iter().map(move |value| (field.pointer.clone(), value))
        });
        // All but the decision that says no: it is made anew.
        let mut anew = said;
        anew.as_object_mut().unwrap().remove("granted");
        assert_eq!(forms.command(closure).unwrap().body(&sent.collect::<Vec<_>>()), anew);
    }
}
