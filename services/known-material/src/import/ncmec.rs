//! The answers of NCMEC's hash-sharing API, version 2: a `queryResult` of images and videos, and of those taken back.
//!
//! The element names are those of the API's documentation
//! (<https://report.cybertip.org/hashsharing/v2/documentation.pdf>).

use roxmltree::{Document, Node};

use super::{Entry, ImportError, Imported, Skipped, digest};
use crate::digest::Algorithm;

/// # Errors
/// When the document is not such an answer, or an entry lacks its id or has a digest that is none.
pub fn read(text: &str) -> Result<Imported, ImportError> {
    let document = Document::parse(text).map_err(|error| ImportError::Unreadable(error.to_string()))?;
    let root = document.root_element();
    if root.tag_name().name() != "queryResult" {
        let found = root.tag_name().name();
        return Err(ImportError::Unreadable(format!("expected queryResult, found {found}")));
    }
    let mut imported = Imported::default();
    for group in root.children().filter(Node::is_element) {
        match group.tag_name().name() {
            "images" | "videos" => {
                for (number, entry) in group.children().filter(Node::is_element).enumerate() {
                    let place = format!("{} {}", entry.tag_name().name(), number + 1);
                    imported.entries.push(self::entry(&place, entry, &mut imported.skipped)?);
                }
            }
            "paging" => imported.next = text_of(group, "next"),
            _ => {}
        }
    }
    Ok(imported)
}

fn entry(place: &str, node: Node<'_, '_>, skipped: &mut Vec<Skipped>) -> Result<Entry, ImportError> {
    let missing = |name| ImportError::Missing { place: place.to_owned(), name };
    let id = text_of(node, "id").ok_or_else(|| missing("id"))?;
    let removed = node.tag_name().name().starts_with("deleted");
    let member = child(node, "member").and_then(|member| {
        let number = member.attribute("id").unwrap_or_default();
        let name = member.text().unwrap_or_default().trim();
        (!number.is_empty() || !name.is_empty()).then(|| format!("{number} {name}").trim().to_owned())
    });
    let mut digests = Vec::new();
    let fingerprints = child(node, "fingerprints").into_iter().flat_map(|all| all.children());
    for fingerprint in fingerprints.filter(Node::is_element) {
        let name = fingerprint.tag_name().name();
        let algorithm = match name.to_ascii_lowercase().as_str() {
            "md5" => Algorithm::Md5,
            "sha1" => Algorithm::Sha1,
            "sha256" => Algorithm::Sha256,
            "pdq" => Algorithm::Pdq,
            _ => {
                skipped.push(Skipped { entry: id.clone(), name: name.to_owned() });
                continue;
            }
        };
        let place = format!("{place} ({id}) {name}");
        digests.push(digest(&place, algorithm, fingerprint.text().unwrap_or_default())?);
    }
    Ok(Entry { classification: text_of(node, "classification"), id, member, digests, removed })
}

fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.tag_name().name() == name)
}

fn text_of(node: Node<'_, '_>, name: &str) -> Option<String> {
    let text = child(node, name)?.text()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
