//! JSON read piece by piece, so that what cannot be read costs an emergency that field and no other.

use std::borrow::Cow;
use std::fmt;

use schemas::codes::RefusalReason;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{Fault, MAX_WITHHELD, is_emergency, step};

/// Deepest nesting that is looked into: `/people/0/captures/0/ip` and some room.
const MAX_DEPTH: usize = 8;

/// What could be read of an object.
pub struct Read {
    /// With null wherever something could not be read.
    pub value: Value,
    pub faults: Vec<Fault>,
    /// Whether it says so anywhere, be it once more than it should.
    pub is_emergency: bool,
}

/// Reads an object whose outline is JSON; `None` where not even that is, or where too much of it cannot be read.
pub fn read(bytes: &[u8]) -> Option<Read> {
    let text = String::from_utf8_lossy(bytes);
    let mut reader =
        Reader { is_broken: matches!(text, Cow::Owned(_)), faults: Vec::new(), is_emergency: false };
    let raw: &RawValue = serde_json::from_str(&text).ok()?;
    let value = reader.value(raw, "", 0).filter(Value::is_object)?;
    if reader.faults.len() > MAX_WITHHELD {
        return None;
    }
    Some(Read { value, faults: reader.faults, is_emergency: reader.is_emergency })
}

struct Reader {
    /// Whether the text was not UTF-8: where it was not, replacement characters stand.
    is_broken: bool,
    faults: Vec<Fault>,
    is_emergency: bool,
}

impl Reader {
    fn value(&mut self, raw: &RawValue, pointer: &str, depth: usize) -> Option<Value> {
        match raw.get().as_bytes().first() {
            Some(b'{' | b'[') if depth == MAX_DEPTH => None,
            Some(b'{') => self.object(raw.get(), pointer, depth),
            Some(b'[') => self.list(raw.get(), pointer, depth),
            _ => serde_json::from_str(raw.get()).ok().filter(|value| !self.is_broken || is_whole(value)),
        }
    }

    fn object(&mut self, text: &str, pointer: &str, depth: usize) -> Option<Value> {
        let Fields(fields) = serde_json::from_str(text).ok()?;
        let mut read = Map::new();
        for (name, raw) in fields {
            let at = step(pointer, &name);
            let value = self.piece(raw, &at, depth);
            self.is_emergency |= pointer.is_empty() && name == "urgency" && is_emergency(&value);
            if let Some(before) = read.get_mut(&name) {
                *before = Value::Null;
                self.fault(&at, "stands more than once");
            } else {
                read.insert(name, value);
            }
        }
        Some(Value::Object(read))
    }

    fn list(&mut self, text: &str, pointer: &str, depth: usize) -> Option<Value> {
        let pieces: Vec<&RawValue> = serde_json::from_str(text).ok()?;
        let numbered = pieces.into_iter().enumerate();
        Some(
            numbered.map(|(index, raw)| self.piece(raw, &step(pointer, &index.to_string()), depth)).collect(),
        )
    }

    fn piece(&mut self, raw: &RawValue, pointer: &str, depth: usize) -> Value {
        self.value(raw, pointer, depth + 1).unwrap_or_else(|| {
            self.fault(pointer, "cannot be read");
            Value::Null
        })
    }

    /// One more than may be withheld is enough to know of.
    fn fault(&mut self, pointer: &str, detail: &str) {
        if self.faults.len() <= MAX_WITHHELD {
            self.faults.push(Fault::new(pointer, RefusalReason::Malformed, detail));
        }
    }
}

fn is_whole(value: &Value) -> bool {
    value.as_str().is_none_or(|text| !text.contains(char::REPLACEMENT_CHARACTER))
}

/// The fields of an object as they came, the same name as often as it stands there.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsTheyCame;
        impl<'de> Visitor<'de> for AsTheyCame {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(AsTheyCame)
    }
}
