//! Makes the bytes that a case describes: large, broken and disguised ones are not written out in the table.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use causeway::example::{FILE_DETAILS, REPORT};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Between the parts of a form.
pub const BOUNDARY: &str = "synthetic-boundary";

/// What stands for `{name}` in addresses, headers and bodies: ids of this run.
pub type Names = BTreeMap<&'static str, String>;

/// The body of a request, or the value of a record.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// A good referral, its reference the case's name, with these fields over it.
    Referral(Map<String, Value>),
    Json(Value),
    /// Parts that are put together: a text, or how one is made.
    Text(Vec<Value>),
    /// A body for each line.
    Lines(Vec<Body>),
    Form(Vec<Form>),
    /// A record as it should be, from the golden records of the schemas, cut to a number of bytes.
    Golden(String, usize),
}

/// A part of a form.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    pub name: String,
    #[serde(default)]
    pub file_name: Option<String>,
    /// The example of that part with one text in it replaced; otherwise `text` is the part.
    #[serde(default)]
    pub replace: Option<(String, Value)>,
    #[serde(default)]
    pub text: Vec<Value>,
    /// The part so often.
    #[serde(default)]
    pub times: Option<usize>,
}

impl Body {
    /// # Errors
    /// When the table names a way to make something that there is not.
    pub fn bytes(&self, case: &str, names: &Names) -> anyhow::Result<Vec<u8>> {
        match self {
            Self::Referral(fields) => {
                let mut referral = json!({ "reference": format!("bad-input/{case}"), "kind": "csam" });
                let all = referral.as_object_mut().context("a referral is an object")?;
                for (name, value) in fields {
                    all.insert(name.clone(), made(value, names)?);
                }
                Ok(serde_json::to_vec(&referral)?)
            }
            Self::Json(value) => Ok(serde_json::to_vec(&made(value, names)?)?),
            Self::Text(parts) => joined(parts, names),
            Self::Lines(lines) => {
                let numbered = lines.iter().enumerate();
                let lines = numbered.map(|(number, line)| line.bytes(&format!("{case}/{number}"), names));
                Ok(lines.collect::<anyhow::Result<Vec<_>>>()?.join(&b'\n'))
            }
            Self::Form(parts) => form(parts, names),
            Self::Golden(name, length) => {
                let golden = format!("../schemas/tests/golden/{name}.hex");
                let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(golden);
                let text = std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
                let mut bytes = hex::decode(text.split_whitespace().collect::<String>())?;
                bytes.truncate(*length);
                Ok(bytes)
            }
        }
    }
}

impl Form {
    /// # Errors
    /// When the table names a way to make something, or a text to replace, that there is not.
    pub fn content(&self, names: &Names) -> anyhow::Result<Vec<u8>> {
        let Some((from, to)) = &self.replace else { return joined(&self.text, names) };
        let example = if self.name == "report" { REPORT } else { FILE_DETAILS };
        let (before, behind) =
            example.split_once(from.as_str()).with_context(|| format!("the example holds no {from}"))?;
        Ok([before.as_bytes(), &value(to, names)?, behind.as_bytes()].concat())
    }
}

fn form(parts: &[Form], names: &Names) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for part in parts {
        let content = part.content(names)?;
        let file_name =
            part.file_name.as_ref().map(|name| format!("; filename=\"{name}\"")).unwrap_or_default();
        let head = format!(
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{}\"{file_name}\r\n\r\n",
            part.name
        );
        for _ in 0..part.times.unwrap_or(1) {
            bytes.extend([head.as_bytes(), &content, b"\r\n"].concat());
        }
    }
    bytes.extend(format!("--{BOUNDARY}--\r\n").into_bytes());
    Ok(bytes)
}

fn joined(parts: &[Value], names: &Names) -> anyhow::Result<Vec<u8>> {
    Ok(parts.iter().map(|part| value(part, names)).collect::<anyhow::Result<Vec<_>>>()?.concat())
}

/// The value with every text in it that is made in its place.
fn made(template: &Value, names: &Names) -> anyhow::Result<Value> {
    Ok(match template {
        Value::Object(fields) if generator(fields).is_some() => {
            Value::String(String::from_utf8(value(template, names)?)?)
        }
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, field)| Ok((name.clone(), made(field, names)?)));
            Value::Object(fields.collect::<anyhow::Result<_>>()?)
        }
        Value::Array(items) => {
            let items = items.iter().map(|item| made(item, names));
            // A list that repeats one element is written once.
            match items.collect::<anyhow::Result<Vec<_>>>()?.as_slice() {
                [Value::String(times), element] if times.starts_with('×') => {
                    vec![element.clone(); times.trim_start_matches('×').parse()?].into()
                }
                items => items.to_vec().into(),
            }
        }
        Value::String(text) => Value::String(filled(text, names)),
        other => other.clone(),
    })
}

/// `{incident}` and the like, as they are in this run.
pub fn filled(text: &str, names: &Names) -> String {
    names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

fn generator(fields: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, arguments) = fields.iter().next().filter(|_| fields.len() == 1)?;
    Some((name.strip_prefix('$')?, arguments))
}

/// The bytes of a text, or of how one is made: `{"$repeat": ["ha", 300]}`.
pub fn value(template: &Value, names: &Names) -> anyhow::Result<Vec<u8>> {
    if let Value::String(text) = template {
        return Ok(filled(text, names).into_bytes());
    }
    let generated = template.as_object().and_then(generator);
    let (name, arguments) = generated.with_context(|| format!("nothing is made by {template}"))?;
    let argument = |index: usize| arguments.get(index).unwrap_or(arguments);
    let number = |index: usize| argument(index).as_u64().and_then(|number| usize::try_from(number).ok());
    let text =
        |index: usize| -> anyhow::Result<String> { Ok(String::from_utf8(value(argument(index), names)?)?) };
    let length = || number(0).with_context(|| format!("{name} takes a length"));
    let bytes = match name {
        "repeat" => text(0)?.repeat(number(1).context("repeat takes a number")?).into_bytes(),
        "nested" => {
            let depth = number(1).context("nested takes a depth")?;
            (text(0)?.repeat(depth) + &text(2)?.repeat(depth)).into_bytes()
        }
        "hex-bytes" => hex::decode(text(0)?)?,
        "join" => joined(arguments.as_array().context("join takes a list")?, names)?,
        "json" => serde_json::to_vec(&made(arguments, names)?)?,
        "escaped" => text(0)?.replace('/', "\\/").replace('\n', "\\n").into_bytes(),
        // A text broken over lines: what, how wide, what between.
        "broken" => {
            let (whole, width) = (text(0)?, number(1).context("broken takes a width")?);
            let lines: Vec<String> = whole
                .as_bytes()
                .chunks(width)
                .map(|line| String::from_utf8_lossy(line).into_owned())
                .collect();
            lines.join(&text(2)?).into_bytes()
        }
        "base64" => STANDARD.encode(noise(length()?)).into_bytes(),
        "hex" => hex::encode(noise(length()?)).into_bytes(),
        "spaced-hex" => each(length()?, |byte| format!("{byte:02x} ")),
        "percent" => each(length()?, |byte| format!("%{byte:02X}")),
        "decimal" => each(length()?, |byte| format!("{byte}, ")),
        "raw" => noise(length()?),
        other => anyhow::bail!("nothing is made by ${other}"),
    };
    Ok(bytes)
}

fn each(length: usize, write: impl Fn(u8) -> String) -> Vec<u8> {
    noise(length).into_iter().map(write).collect::<String>().into_bytes()
}

/// The head of a picture and then bytes of no meaning, always the same.
fn noise(length: usize) -> Vec<u8> {
    let head = *b"\x89PNG\r\n\x1a\n";
    let mut state = 1u32;
    let bytes = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    });
    head.into_iter().chain(bytes).take(length).collect()
}
