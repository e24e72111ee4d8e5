//! A first look at a document, before the XML parser builds anything of it.
//!
//! The parser compares each attribute of an element with each other, and copies the namespaces of an element
//! to its children; both grow with the square of what is sent. So attributes are counted first.

/// What the parser does not get to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Comment,
    ProcessingInstruction,
    Doctype,
    ManyAttributes,
}

/// Passes over the document once; text that is no XML passes, since the parser refuses it at the same place.
///
/// # Errors
/// What was found, and the byte where it starts.
pub(super) fn check(text: &str, max_attributes: usize) -> Result<(), (Found, usize)> {
    let mut at = declaration_end(text);
    while let Some(open) = find(text, at, "<") {
        let rest = text.get(open..).unwrap_or_default();
        at = if rest.starts_with("<![CDATA[") {
            find(text, open, "]]>").unwrap_or(text.len())
        } else if let Some(found) = unwanted(rest) {
            return Err((found, open));
        } else {
            let (attributes, end) = tag(text.as_bytes(), open);
            if attributes > max_attributes {
                return Err((Found::ManyAttributes, open));
            }
            end
        };
    }
    Ok(())
}

fn find(text: &str, from: usize, what: &str) -> Option<usize> {
    text.get(from..)?.find(what).map(|at| from + at)
}

fn declaration_end(text: &str) -> usize {
    let start = text.strip_prefix('\u{feff}').unwrap_or(text);
    if start.starts_with("<?xml ") || start.starts_with("<?xml\n") || start.starts_with("<?xml\t") {
        find(text, 0, "?>").unwrap_or(text.len())
    } else {
        0
    }
}

fn unwanted(rest: &str) -> Option<Found> {
    match rest {
        _ if rest.starts_with("<!--") => Some(Found::Comment),
        _ if rest.starts_with("<?") => Some(Found::ProcessingInstruction),
        _ if rest.starts_with("<!") => Some(Found::Doctype),
        _ => None,
    }
}

/// The attributes of the tag that opens here, and the byte after it.
fn tag(bytes: &[u8], open: usize) -> (usize, usize) {
    let mut quote = None;
    let mut attributes = 0;
    for (at, byte) in bytes.iter().enumerate().skip(open) {
        match (quote, byte) {
            (Some(open), byte) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'=') => attributes += 1,
            (None, b'>') => return (attributes, at + 1),
            (None, _) => {}
        }
    }
    (attributes, bytes.len())
}
