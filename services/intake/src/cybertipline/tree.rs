//! XML as a plain tree: read within limits and without loss, written in canonical form.
//!
//! What the tree could not give back (comments, processing instructions, mixed content, namespaces) is
//! refused, never dropped. White space between elements is not kept.

use std::fmt::Write as _;

use roxmltree::{Document, Node, ParsingOptions};

use super::scan::{self, Found};
use super::value::SPACES;

/// Largest document, in bytes: a report holds text, never files.
pub const MAX_BYTES: usize = 2 * 1024 * 1024;

/// Largest part of a sealed report, in bytes: escaping makes up to six of one, and placeholders add to that.
pub(super) const MAX_SEALED_BYTES: usize = 8 * MAX_BYTES;

/// Most nodes of a document: elements, and texts between and within them.
pub const MAX_NODES: u32 = 50_000;

/// Deepest nesting of elements; the format itself needs five.
pub const MAX_DEPTH: usize = 16;

/// Most attributes of an element; the format itself needs five. The XML parser compares each with each.
pub const MAX_ATTRIBUTES: usize = 16;

const SCHEMA_INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";
const DECLARATION: &str = "xmlns:xsi";
const LOCATION: &str = "xsi:noNamespaceSchemaLocation";

/// An element, with text or with children.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    /// As they were sent; `xmlns:xsi` and `xsi:noNamespaceSchemaLocation` stand here too.
    pub(super) attributes: Vec<(String, String)>,
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

/// Why a text is no tree. No message repeats what was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TreeError {
    #[error("larger than {MAX_BYTES} bytes")]
    TooLarge,
    #[error("more than {MAX_NODES} nodes")]
    TooManyNodes,
    #[error("elements nested deeper than {MAX_DEPTH}")]
    TooDeep,
    #[error("an element with more than {MAX_ATTRIBUTES} attributes at line {line}")]
    TooManyAttributes { line: usize },
    #[error("a document type declaration at line {line}; send the document without it")]
    Doctype { line: usize },
    #[error("a comment at line {line}, which would be lost; send the document without it")]
    Comment { line: usize },
    #[error("a processing instruction at line {line}, which would be lost; send the document without it")]
    ProcessingInstruction { line: usize },
    #[error("not well-formed XML at line {line}, column {column}")]
    NotWellFormed { line: u32, column: u32 },
    #[error("a namespace at line {line}; only xsi:noNamespaceSchemaLocation on the root has one")]
    Namespace { line: u32 },
    #[error("text beside child elements at line {line}")]
    Mixed { line: u32 },
}

/// Reads what a reporter sent.
pub(super) fn parse(text: &str) -> Result<Element, TreeError> {
    parse_within(text, MAX_BYTES)
}

/// Reads a part of a report that was sealed here.
pub(super) fn parse_sealed(text: &str) -> Result<Element, TreeError> {
    parse_within(text, MAX_SEALED_BYTES)
}

fn parse_within(text: &str, max_bytes: usize) -> Result<Element, TreeError> {
    if text.len() > max_bytes {
        return Err(TreeError::TooLarge);
    }
    // XML 1.0, 2.11, before anything is parsed: the parser's own way misses a CR beside a reference.
    let text = &text.replace("\r\n", "\n").replace('\r', "\n");
    scan::check(text, MAX_ATTRIBUTES).map_err(|(found, at)| refused(found, line_of(text, at)))?;
    let options = ParsingOptions { nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|error| malformed(&error))?;
    convert(document.root_element(), 1)
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

fn refused(found: Found, line: usize) -> TreeError {
    match found {
        Found::Comment => TreeError::Comment { line },
        Found::ProcessingInstruction => TreeError::ProcessingInstruction { line },
        Found::Doctype => TreeError::Doctype { line },
        Found::ManyAttributes => TreeError::TooManyAttributes { line },
    }
}

/// The parser's own message is left out, since it repeats names and entities as they were sent.
fn malformed(error: &roxmltree::Error) -> TreeError {
    let at = error.pos();
    match error {
        roxmltree::Error::NodesLimitReached => TreeError::TooManyNodes,
        roxmltree::Error::UnknownNamespace(..) => TreeError::Namespace { line: at.row },
        _ => TreeError::NotWellFormed { line: at.row, column: at.col },
    }
}

fn convert(node: Node<'_, '_>, depth: usize) -> Result<Element, TreeError> {
    if depth > MAX_DEPTH {
        return Err(TreeError::TooDeep);
    }
    let attributes = attributes(node)?;
    if node.tag_name().namespace().is_some() {
        return Err(TreeError::Namespace { line: line(node) });
    }
    let children = node.children().filter(Node::is_element).map(|child| convert(child, depth + 1));
    let children = children.collect::<Result<Vec<_>, _>>()?;
    let mut text: String = node.children().filter(Node::is_text).filter_map(|part| part.text()).collect();
    if !children.is_empty() {
        if !text.trim_matches(SPACES).is_empty() {
            return Err(TreeError::Mixed { line: line(node) });
        }
        text.clear();
    }
    Ok(Element { name: node.tag_name().name().to_owned(), attributes, text, children })
}

fn line(node: Node<'_, '_>) -> u32 {
    node.document().text_pos_at(node.range().start).row
}

fn attributes(node: Node<'_, '_>) -> Result<Vec<(String, String)>, TreeError> {
    let error = || TreeError::Namespace { line: line(node) };
    let is_root = node.parent_element().is_none();
    let mut attributes = Vec::new();
    for namespace in node.namespaces() {
        let known = namespace.name() == Some("xsi") && namespace.uri() == SCHEMA_INSTANCE;
        let declared_here =
            is_root || node.parent_element().is_some_and(|parent| parent.namespaces().len() == 0);
        if !known || (declared_here && !is_root) {
            return Err(error());
        }
        if is_root {
            attributes.push((DECLARATION.to_owned(), SCHEMA_INSTANCE.to_owned()));
        }
    }
    for attribute in node.attributes() {
        let name = match (attribute.namespace(), attribute.name()) {
            (None, name) => name,
            (Some(SCHEMA_INSTANCE), "noNamespaceSchemaLocation") if is_root => LOCATION,
            _ => return Err(error()),
        };
        attributes.push((name.to_owned(), attribute.value().to_owned()));
    }
    Ok(attributes)
}

impl Element {
    /// Whether an attribute points to the schema rather than saying anything.
    pub(super) fn points_to_schema(name: &str) -> bool {
        name == DECLARATION || name == LOCATION
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> + Clone {
        self.children.iter().filter(move |child| child.name == name)
    }

    pub(super) fn first(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of a child, where it has one, without white space around it.
    pub(super) fn text_of(&self, name: &str) -> Option<&str> {
        self.first(name).and_then(Element::trimmed)
    }

    pub(super) fn trimmed(&self) -> Option<&str> {
        let text = self.text.trim();
        (!text.is_empty()).then_some(text)
    }

    /// Canonical XML 1.0 of the tree: UTF-8, no declaration, no white space that is not text.
    pub(super) fn to_xml(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        let mut attributes: Vec<&(String, String)> = self.attributes.iter().collect();
        attributes.sort_by_key(|(name, _)| (name != DECLARATION, name.contains(':'), name.as_str()));
        out.push('<');
        out.push_str(&self.name);
        for (name, value) in attributes {
            out.push(' ');
            out.push_str(name);
            out.push_str("=\"");
            escape(value, &['&', '<', '"', '\t', '\n', '\r'], out);
            out.push('"');
        }
        out.push('>');
        escape(&self.text, &['&', '<', '>', '\r'], out);
        self.children.iter().for_each(|child| child.write(out));
        out.push_str("</");
        out.push_str(&self.name);
        out.push('>');
    }
}

fn escape(text: &str, special: &[char], out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' if special.contains(&'>') => out.push_str("&gt;"),
            '"' if special.contains(&'"') => out.push_str("&quot;"),
            other if special.contains(&other) => {
                write!(out, "&#x{:X};", u32::from(other)).expect("writing to a string cannot fail");
            }
            other => out.push(other),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, TreeError>) {
        assert_eq!(parse(text).map(|tree| tree.to_xml()), expected.map(str::to_owned));
    }

    #[test]
    fn writes_canonical_xml() {
        check("<a/>", Ok("<a></a>"));
        check(
            "\u{feff}<?xml version='1.0' encoding='UTF-8'?>\r\n<a>\r\n <b> x </b>\n</a>\n",
            Ok("<a><b> x </b></a>"),
        );
        check(
            "<a z='1' b='\"&#13;&#10;&#9;&lt;&amp;>'/>",
            Ok("<a b=\"&quot;&#xD;&#xA;&#x9;&lt;&amp;>\" z=\"1\"></a>"),
        );
        check(
            "<a>&#13;x\r&#13;\ry\r\n<![CDATA[<&>]]>]]&gt;\u{1f600}</a>",
            Ok("<a>&#xD;x\n&#xD;\ny\n&lt;&amp;&gt;]]&gt;\u{1f600}</a>"),
        );
    }

    #[test]
    fn keeps_the_pointer_to_the_schema() {
        let xsi = "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"";
        let pointer = "xsi:noNamespaceSchemaLocation=\"https://report.example.org/xsd\"";
        check(&format!("<a {pointer} b=\"1\" {xsi}/>"), Ok(&format!("<a {xsi} b=\"1\" {pointer}></a>")));
        check(&format!("<a {xsi}><b {xsi}/></a>"), Ok(&format!("<a {xsi}><b></b></a>")));
        check(&format!("<a {xsi}>\n<b {pointer}/></a>"), Err(TreeError::Namespace { line: 2 }));
        check(&format!("<a {xsi} xsi:nil=\"true\"/>"), Err(TreeError::Namespace { line: 1 }));
    }

    #[test]
    fn refuses_what_it_could_not_give_back() {
        for text in
            ["<a xmlns='urn:x'/>", "<x:a xmlns:x='urn:x'/>", "<x:a/>", "<a xml:lang='en'/>", "<a xmlns=''/>"]
        {
            check(text, Err(TreeError::Namespace { line: 1 }));
        }
        check(
            "<a>\n<b xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'/></a>",
            Err(TreeError::Namespace { line: 2 }),
        );
        check(
            "<xsi:a xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'/>",
            Err(TreeError::Namespace { line: 1 }),
        );
        check("<a>\n\n<!-- x --></a>", Err(TreeError::Comment { line: 3 }));
        check("<a/><!-- x -->", Err(TreeError::Comment { line: 1 }));
        check("<?other x?><a/>", Err(TreeError::ProcessingInstruction { line: 1 }));
        check("<!DOCTYPE a><a/>", Err(TreeError::Doctype { line: 1 }));
        check("<a><b/>text</a>", Err(TreeError::Mixed { line: 1 }));
        check("<a>\u{a0}<b/></a>", Err(TreeError::Mixed { line: 1 }));
    }

    #[test]
    fn refuses_what_is_not_well_formed() {
        for text in [
            "",
            "x",
            "<a>",
            "<a></b>",
            "<a b=1/>",
            "<a>&x;</a>",
            "<a>&#0;</a>",
            "<a>\u{1}</a>",
            "<a/><b/>",
            "<",
            "<a b='",
        ] {
            let error = parse(text).unwrap_err();
            assert!(matches!(error, TreeError::NotWellFormed { .. }), "{text:?} {error}");
        }
    }

    #[test]
    fn refuses_what_passes_a_limit() {
        let nested = |depth: usize| "<a>".repeat(depth) + &"</a>".repeat(depth);
        assert!(parse(&nested(MAX_DEPTH)).is_ok());
        check(&nested(MAX_DEPTH + 1), Err(TreeError::TooDeep));
        check(&nested(30_000), Err(TreeError::TooDeep));
        check(&format!("<a>{}</a>", "<b/>".repeat(50_000)), Err(TreeError::TooManyNodes));
        check(&format!("<a>{}</a>", " ".repeat(MAX_BYTES)), Err(TreeError::TooLarge));
        let attributes: String = (0..=MAX_ATTRIBUTES).map(|n| format!(" a{n}=''")).collect();
        check(&format!("<a{attributes}/>"), Err(TreeError::TooManyAttributes { line: 1 }));
    }
}
