//! Configuration: a TOML file and the environment over it, typed, with every mistake reported at once.
//!
//! A setting `kafka.brokers` is `brokers` in the table `[kafka]`, or `CAUSEWAY_KAFKA_BROKERS`. Nothing binds,
//! connects or opens before all of it was read.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// Reads settings and collects what is wrong with them.
pub struct Reader {
    file: toml::Table,
    environment: Vec<(String, String)>,
    asked: BTreeSet<String>,
    mistakes: Vec<String>,
}

/// Everything that is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub struct Mistakes(Vec<String>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the configuration has {} mistakes:", self.0.len())?;
        for mistake in &self.0 {
            writeln!(f, "  {mistake}")?;
        }
        Ok(())
    }
}

const PREFIX: &str = "CAUSEWAY_";

/// Variables with the prefix that are the command line's or the tests', not settings of a service.
fn is_anothers(name: &str) -> bool {
    let of_the_client = ["CAUSEWAY_URL", "CAUSEWAY_TOKEN", "CAUSEWAY_TOKEN_FILE", "CAUSEWAY_SIGNING_KEY"];
    of_the_client.contains(&name) || name.starts_with("CAUSEWAY_TEST_")
}

impl Reader {
    /// Reads the file, when one is named, and the process's environment.
    pub fn open(file: Option<&Path>) -> Self {
        let environment =
            std::env::vars().filter(|(name, _)| name.starts_with(PREFIX) && !is_anothers(name)).collect();
        match file.map(|path| (path, std::fs::read_to_string(path))) {
            None => Self::new("", environment),
            Some((_, Ok(text))) => Self::new(&text, environment),
            Some((path, Err(error))) => {
                let mut reader = Self::new("", environment);
                reader.mistakes.push(format!("{}: {error}", path.display()));
                reader
            }
        }
    }

    pub fn new(text: &str, environment: Vec<(String, String)>) -> Self {
        let (file, mistakes) = match text.parse::<toml::Table>() {
            Ok(table) => (table, Vec::new()),
            Err(error) => (toml::Table::new(), vec![error.to_string()]),
        };
        Self { file, environment, asked: BTreeSet::new(), mistakes }
    }

    /// The setting, or the default.
    pub fn or<T: FromStr<Err: fmt::Display>>(&mut self, name: &str, default: T) -> T {
        self.optional(name).unwrap_or(default)
    }

    /// The setting; a mistake when it is missing. The fallback only keeps the reading going.
    pub fn required<T: FromStr<Err: fmt::Display>>(&mut self, name: &str, fallback: T) -> T {
        let mistakes = self.mistakes.len();
        let value = self.optional(name);
        if value.is_none() && self.mistakes.len() == mistakes {
            self.mistakes.push(format!("{name} is missing (in the environment: {})", variable(name)));
        }
        value.unwrap_or(fallback)
    }

    pub fn optional<T: FromStr<Err: fmt::Display>>(&mut self, name: &str) -> Option<T> {
        let text = self.text(name)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.mistakes.push(format!("{name} = {text:?}: {error}"));
                None
            }
        }
    }

    /// A 32-byte secret as hex, from the file that the setting names.
    pub fn secret_file(&mut self, name: &str) -> Option<[u8; 32]> {
        self.file(name, |text| {
            let bytes = hex::decode(text).map_err(|error| error.to_string())?;
            <[u8; 32]>::try_from(bytes).map_err(|_| "expected 32 bytes as 64 hex digits".to_owned())
        })
    }

    /// A text, from the file that the setting names.
    pub fn text_file(&mut self, name: &str) -> Option<String> {
        self.file(name, |text| Ok(text.to_owned()))
    }

    /// White space around what stands in the file is no part of it.
    fn file<T>(&mut self, name: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let path: String = self.optional(name)?;
        let text = std::fs::read_to_string(&path).map_err(|error| error.to_string());
        let read = text.and_then(|text| read(text.trim()));
        read.map_err(|error| self.mistakes.push(format!("{name} = {path:?}: {error}"))).ok()
    }

    /// The tables of an array, such as `[[identity.issuer]]`; only in the file.
    pub fn tables(&mut self, name: &str) -> Vec<toml::Table> {
        self.asked.insert(name.to_owned());
        match lookup(&self.file, name) {
            None => Vec::new(),
            Some(toml::Value::Array(tables)) => {
                tables.iter().filter_map(|value| value.as_table().cloned()).collect()
            }
            Some(_) => {
                self.mistakes.push(format!("{name} must be an array of tables"));
                Vec::new()
            }
        }
    }

    /// All the strings of one table, such as `[kafka.client]`; only in the file.
    pub fn table(&mut self, name: &str) -> Vec<(String, String)> {
        self.asked.insert(name.to_owned());
        let Some(toml::Value::Table(table)) = lookup(&self.file, name) else { return Vec::new() };
        table.iter().map(|(key, value)| (key.clone(), plain(value))).collect()
    }

    pub fn mistake(&mut self, mistake: impl Into<String>) {
        self.mistakes.push(mistake.into());
    }

    /// # Errors
    /// Every mistake there is, unknown settings among them.
    pub fn finish(mut self) -> Result<(), Mistakes> {
        let mut unknown = Vec::new();
        collect_unknown("", &self.file, &self.asked, &mut unknown);
        let variables: BTreeSet<String> = self.asked.iter().map(|name| variable(name)).collect();
        let strays = self.environment.iter().map(|(name, _)| name).filter(|name| !variables.contains(*name));
        unknown.extend(strays.cloned());
        self.mistakes.extend(unknown.into_iter().map(|name| format!("{name} is not a setting")));
        if self.mistakes.is_empty() { Ok(()) } else { Err(Mistakes(self.mistakes)) }
    }

    fn text(&mut self, name: &str) -> Option<String> {
        self.asked.insert(name.to_owned());
        let variable = variable(name);
        let in_environment = self.environment.iter().find(|(candidate, _)| *candidate == variable);
        in_environment.map(|(_, value)| value.clone()).or_else(|| lookup(&self.file, name).map(plain))
    }
}

fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.replace('.', "_").to_ascii_uppercase())
}

fn lookup<'a>(table: &'a toml::Table, name: &str) -> Option<&'a toml::Value> {
    match name.split_once('.') {
        None => table.get(name),
        Some((head, rest)) => lookup(table.get(head)?.as_table()?, rest),
    }
}

fn plain(value: &toml::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn collect_unknown(prefix: &str, table: &toml::Table, asked: &BTreeSet<String>, unknown: &mut Vec<String>) {
    for (key, value) in table {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        if asked.contains(&name) {
            continue;
        }
        match value {
            toml::Value::Table(inner) => collect_unknown(&name, inner, asked, unknown),
            _ => unknown.push(name),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_is_reported_at_once() {
        let environment = vec![
            ("CAUSEWAY_HTTP_PORT".to_owned(), "many".to_owned()),
            ("CAUSEWAY_TYPO".to_owned(), "x".to_owned()),
        ];
        let mut reader = Reader::new("[kafka]\nbroker = \"typo\"\n", environment);
        let _: String = reader.required("kafka.brokers", String::new());
        let _: u16 = reader.or("http.port", 0);
        let text = reader.finish().unwrap_err().to_string();
        for part in [
            "4 mistakes",
            "kafka.brokers is missing",
            "CAUSEWAY_KAFKA_BROKERS",
            "http.port = \"many\"",
            "kafka.broker is not a setting",
            "CAUSEWAY_TYPO is not a setting",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
    }

    #[test]
    fn the_environment_goes_over_the_file() {
        let environment = vec![("CAUSEWAY_HTTP_PORT".to_owned(), "2".to_owned())];
        let mut reader = Reader::new("[http]\nport = 1\n", environment);
        assert_eq!(reader.or("http.port", 0u16), 2);
        reader.finish().unwrap();
    }
}
