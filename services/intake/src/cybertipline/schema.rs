//! The element grammar as a table: kept as data, so that a change of the format is a change of data.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::value::Value;

/// The grammar of `report.schema`.
pub(super) static GRAMMAR: LazyLock<Grammar> = LazyLock::new(|| {
    Grammar::parse(include_str!("report.schema")).expect("a test parses the schema that is compiled in")
});

/// Types refer to each other by position, so a lookup cannot miss.
pub(super) struct Grammar {
    types: Vec<Type>,
    roots: BTreeMap<&'static str, usize>,
}

/// What an element may hold: text of a simple type, or children.
#[derive(Default)]
pub(super) struct Type {
    pub(super) text: Option<Value>,
    pub(super) attributes: Vec<Rule>,
    /// In this order.
    pub(super) content: Vec<Group>,
}

/// Children that share one place in the order.
pub(super) struct Group {
    pub(super) kind: Kind,
    pub(super) rules: Vec<Rule>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A single rule.
    One,
    /// One of the rules.
    Choice,
    /// Every rule, in any order.
    All,
}

/// A child or an attribute.
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) required: bool,
    pub(super) repeats: bool,
    of: usize,
}

/// What is wrong with the schema itself; never with a report.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault} in the schema: {line}")]
pub(super) struct SchemaError {
    fault: &'static str,
    line: String,
}

impl Grammar {
    pub(super) fn parse(data: &'static str) -> Result<Self, SchemaError> {
        let blocks = blocks(data)?;
        let names = type_names(&blocks);
        let mut types: Vec<Type> = Value::BUILT_IN
            .iter()
            .map(|(_, value)| Type { text: Some(value.clone()), ..Type::default() })
            .collect();
        let mut roots = BTreeMap::new();
        for block in &blocks {
            match block.keyword {
                "root" => {
                    roots.insert(block.name, resolve(&names, block.name)?);
                }
                "enum" => types.push(enumeration(block)),
                _ => types.push(complex(block, &names)?),
            }
        }
        Ok(Self { types, roots })
    }

    /// The type of a document's root element.
    pub(super) fn root(&self, name: &str) -> Option<&Type> {
        self.roots.get(name).and_then(|of| self.types.get(*of))
    }

    /// The name of every element and attribute.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        let rules = self
            .types
            .iter()
            .flat_map(|of| of.attributes.iter().chain(of.content.iter().flat_map(|group| &group.rules)));
        self.roots.keys().copied().chain(rules.map(|rule| rule.name))
    }

    pub(super) fn type_of(&self, rule: &Rule) -> &Type {
        self.types.get(rule.of).expect("the schema's parser resolves every rule to a type it holds")
    }
}

impl Type {
    /// The rule of a child, with the place of its group.
    pub(super) fn child(&self, name: &str) -> Option<(usize, &Rule)> {
        let places = self.content.iter().enumerate();
        places
            .flat_map(|(place, group)| group.rules.iter().map(move |rule| (place, rule)))
            .find(|(_, rule)| rule.name == name)
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&Rule> {
        self.attributes.iter().find(|rule| rule.name == name)
    }
}

struct Block {
    keyword: &'static str,
    name: &'static str,
    /// The simple type of an element's text.
    text: Option<&'static str>,
    body: Vec<&'static str>,
}

fn fault(fault: &'static str, line: &str) -> SchemaError {
    SchemaError { fault, line: line.trim().to_owned() }
}

fn blocks(data: &'static str) -> Result<Vec<Block>, SchemaError> {
    let mut blocks: Vec<Block> = Vec::new();
    for line in data.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        if line.starts_with(' ') {
            blocks.last_mut().ok_or_else(|| fault("a body without a head", line))?.body.push(line);
        } else {
            blocks.push(head(line)?);
        }
    }
    Ok(blocks)
}

fn head(line: &'static str) -> Result<Block, SchemaError> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (keyword, name, text) = match words.as_slice() {
        [keyword @ ("root" | "type" | "enum"), name] => (*keyword, *name, None),
        ["type", name, "=", text] => ("type", *name, Some(*text)),
        _ => return Err(fault("an unknown head", line)),
    };
    Ok(Block { keyword, name, text, body: Vec::new() })
}

/// The place that each type gets: the built-in ones first, then those of the schema as they come.
fn type_names(blocks: &[Block]) -> BTreeMap<&'static str, usize> {
    let defined = blocks.iter().filter(|block| block.keyword != "root").map(|block| block.name);
    Value::BUILT_IN.iter().map(|(name, _)| *name).chain(defined).zip(0..).collect()
}

fn resolve(names: &BTreeMap<&'static str, usize>, name: &str) -> Result<usize, SchemaError> {
    names.get(name).copied().ok_or_else(|| fault("a name without a type", name))
}

fn enumeration(block: &Block) -> Type {
    let values = block.body.iter().flat_map(|line| line.split('|')).map(str::trim);
    let values = values.map(|value| if value == "\"\"" { "" } else { value }).collect();
    Type { text: Some(Value::OneOf(values)), ..Type::default() }
}

fn complex(block: &Block, names: &BTreeMap<&'static str, usize>) -> Result<Type, SchemaError> {
    let mut built = Type::default();
    if let Some(name) = block.text {
        let value = Value::BUILT_IN.iter().find(|(built_in, _)| *built_in == name);
        built.text = Some(value.ok_or_else(|| fault("text of no built-in type", name))?.1.clone());
    }
    for line in &block.body {
        match line.trim() {
            "choice" => built.content.push(Group { kind: Kind::Choice, rules: Vec::new() }),
            "all" => built.content.push(Group { kind: Kind::All, rules: Vec::new() }),
            text if text.starts_with('@') => built.attributes.push(rule(&text[1..], names)?),
            text => place(&mut built.content, rule(text, names)?, line)?,
        }
    }
    Ok(built)
}

/// Puts a rule into the group above it where it is indented below one, else into a group of its own.
fn place(content: &mut Vec<Group>, rule: Rule, line: &str) -> Result<(), SchemaError> {
    if line.starts_with("    ") {
        content.last_mut().ok_or_else(|| fault("a member without a group", line))?.rules.push(rule);
    } else {
        content.push(Group { kind: Kind::One, rules: vec![rule] });
    }
    Ok(())
}

fn rule(text: &'static str, names: &BTreeMap<&'static str, usize>) -> Result<Rule, SchemaError> {
    let (name, of) = text.split_once(' ').ok_or_else(|| fault("a rule without a type", text))?;
    let bare = name.trim_end_matches(['?', '*', '+']);
    Ok(Rule {
        name: bare,
        required: !name.ends_with(['?', '*']),
        repeats: name.ends_with(['*', '+']),
        of: resolve(names, of)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(data: &'static str, expected: Option<&'static str>) {
        let found = Grammar::parse(data).err();
        assert_eq!(found.as_ref().map(|error| error.fault), expected, "{data:?}");
    }

    #[test]
    fn a_schema_that_holds_together_parses() {
        check(include_str!("report.schema"), None);
        check("root a\n\ntype a = string\n  @b? digits\n", None);
        check("  a string\n", Some("a body without a head"));
        check("element a\n", Some("an unknown head"));
        check("root a\n", Some("a name without a type"));
        check("type a\n  b c\n", Some("a name without a type"));
        check("type a\n  b\n", Some("a rule without a type"));
        check("type a = c\n", Some("text of no built-in type"));
        check("type a\n    b string\n", Some("a member without a group"));
    }
}
