//! What the module promises as a whole: nothing is lost, everything that breaks the format is told.

mod examples;
mod mapping;
mod random;
mod refusals;

use roxmltree::{Document, Node};

/// Canonical XML of a text without white space between elements, by another way than the module's own writer.
fn canonical(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let document = Document::parse(&text).expect("the tests compare only well-formed texts");
    let mut out = String::new();
    canonical_node(document.root_element(), true, &mut out);
    out
}

fn canonical_node(node: Node<'_, '_>, is_root: bool, out: &mut String) {
    let name = node.tag_name().name();
    let mut attributes = Vec::new();
    if is_root && let Some(uri) = node.lookup_namespace_uri(Some("xsi")) {
        attributes.push((0, "xmlns:xsi".to_owned(), uri));
    }
    for attribute in node.attributes() {
        let prefix = if attribute.namespace().is_some() { "xsi:" } else { "" };
        attributes.push((1 + prefix.len(), format!("{prefix}{}", attribute.name()), attribute.value()));
    }
    attributes.sort();
    *out += &format!("<{name}");
    for (_, name, value) in attributes {
        let value = value.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
        let value = value.replace('\t', "&#x9;").replace('\n', "&#xA;").replace('\r', "&#xD;");
        *out += &format!(" {name}=\"{value}\"");
    }
    *out += ">";
    let has_children = node.children().any(|child| child.is_element());
    for child in node.children() {
        if child.is_element() {
            canonical_node(child, false, out);
        } else if !has_children {
            let text = child.text().unwrap_or_default().replace('&', "&amp;").replace('<', "&lt;");
            *out += &text.replace('>', "&gt;").replace('\r', "&#xD;");
        }
    }
    *out += &format!("</{name}>");
}
