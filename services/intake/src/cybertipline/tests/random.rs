//! Random documents of the grammar: whatever follows it is accepted and comes back as it was.

use proptest::prelude::*;

use super::super::schema::{GRAMMAR, Kind, Type};
use super::super::split::{self, PLACEHOLDER};
use super::super::tree::{self, Element};
use super::super::value::Value;
use super::super::{emit, read, validate};

/// Bytes that decide what a document holds; when they end, every decision is the smallest.
struct Dice<'a>(std::slice::Iter<'a, u8>);

impl Dice<'_> {
    fn below(&mut self, limit: usize) -> usize {
        self.0.next().map_or(0, |byte| usize::from(*byte) % limit.max(1))
    }

    fn pick<'v>(&mut self, values: &[&'v str]) -> &'v str {
        values[self.below(values.len())]
    }

    fn document(&mut self, root: &str) -> Element {
        let of = GRAMMAR.root(root).expect("the grammar has this root");
        let mut document = self.element(root, of);
        if self.below(4) == 1 {
            let xsi = ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance");
            let pointer = ("xsi:noNamespaceSchemaLocation", self.text());
            document.attributes.insert(0, (xsi.0.to_owned(), xsi.1.to_owned()));
            document.attributes.push((pointer.0.to_owned(), pointer.1));
        }
        document
    }

    fn element(&mut self, name: &str, of: &Type) -> Element {
        let mut element = Element { name: name.to_owned(), ..Element::default() };
        for attribute in &of.attributes {
            if attribute.required || self.below(2) == 1 {
                let value = self.value_of(GRAMMAR.type_of(attribute));
                element.attributes.push((attribute.name.to_owned(), value));
            }
        }
        if of.text.is_some() {
            element.text = self.value_of(of);
        }
        for group in &of.content {
            let mut rules: Vec<_> = group.rules.iter().collect();
            match group.kind {
                Kind::One => {}
                Kind::Choice => rules = vec![rules[self.below(rules.len())]],
                Kind::All => rules.rotate_left(self.below(group.rules.len())),
            }
            for rule in rules {
                let least = usize::from(rule.required);
                let count = least + self.below(if rule.repeats { 3 } else { 2 - least });
                let of = GRAMMAR.type_of(rule);
                element.children.extend((0..count).map(|_| self.element(rule.name, of)));
            }
        }
        element
    }

    fn value_of(&mut self, of: &Type) -> String {
        match of.text.as_ref().expect("only types with text have values") {
            Value::Text | Value::Token => self.text(),
            Value::Boolean => self.pick(&["true", " 0 ", "1", "false\t"]).to_owned(),
            Value::True => self.pick(&["true", "", "1"]).to_owned(),
            Value::Int => self.pick(&["0", "-2147483648", " +17 ", "443"]).to_owned(),
            Value::Long => self.pick(&["0", "-9223372036854775808", "\n42"]).to_owned(),
            Value::Double => self.pick(&["0", "-INF", "1.5e-7", ".5"]).to_owned(),
            Value::Date => self.pick(&["2026-03-01", "0001-01-01Z", "9999-12-31-14:00"]).to_owned(),
            Value::DateTime => self
                .pick(&["2026-03-01T10:15:30Z", "0001-01-01T00:00:00+14:00", " 2026-03-01T24:00:00"])
                .to_owned(),
            Value::Country => self.pick(&["", "A1", "DE", "AP"]).to_owned(),
            Value::CallingCode => self.pick(&["+1", "+420"]).to_owned(),
            Value::Digits => self.pick(&["0", "0123456789"]).to_owned(),
            Value::OneOf(values) => self.pick(values).to_owned(),
        }
    }

    /// Text that a careless writer or parser would change.
    fn text(&mut self) -> String {
        const PIECES: [&str; 12] = [
            "",
            "x",
            " ",
            "\n",
            "\r",
            "\r\n",
            "\t",
            "<&>\"'",
            "]]>",
            "é\u{1f600}",
            "\u{85}\u{2028}",
            "&amp;<!-- ",
        ];
        (0..self.below(5)).map(|_| self.pick(&PIECES)).collect()
    }
}

/// A report with its documents on files.
fn documents() -> impl Strategy<Value = (Element, Vec<Element>)> {
    proptest::collection::vec(any::<u8>(), 0..3_000).prop_map(|bytes| {
        let mut dice = Dice(bytes.iter());
        let files = (0..dice.below(3)).map(|_| dice.document("fileDetails")).collect();
        (dice.document("report"), files)
    })
}

const ODD_TEXT: &str =
    "(<|>|/|a|b| |=|'|\"|&#13;|&a;|<a>|</a>|<!\\[CDATA\\[|\\]\\]>|<!--|<\\?xml |\r|é){0,40}";

fn holds_placeholder(element: &Element) -> bool {
    element.name == PLACEHOLDER || element.children.iter().any(holds_placeholder)
}

proptest! {
    #[test]
    fn what_follows_the_grammar_is_accepted((report, files) in documents()) {
        let mut findings = validate::Findings::default();
        validate::check(&report, "report", "/report", &mut findings);
        files.iter().for_each(|file| validate::check(file, "fileDetails", "/fileDetails", &mut findings));
        prop_assert_eq!(findings.checked(), Ok(()));
    }

    #[test]
    fn join_undoes_split((report, files) in documents()) {
        let parts = split::split(report.clone(), files.clone());
        prop_assert!(parts.people.iter().all(|person| !holds_placeholder(&person.xml)));
        prop_assert_eq!(split::join(parts), Ok((report, files)));
    }

    #[test]
    fn reading_undoes_writing((report, _) in documents()) {
        let text = report.to_xml();
        prop_assert_eq!(tree::parse(&text).map(|again| again.to_xml()), Ok(text.clone()));
        let canonical = super::canonical(&text);
        prop_assert_eq!(canonical, text);
    }

    #[test]
    fn what_is_read_can_be_given_back((report, files) in documents()) {
        let sent = (report.to_xml(), files.iter().map(Element::to_xml).collect::<Vec<_>>());
        let submission = read(&sent.0, &sent.1, "R-1").expect("it follows the grammar");
        let remainder = submission.cybertipline.expect("it was read here");
        prop_assert_eq!(remainder.person_xml.len(), submission.people.len());
        prop_assert_eq!(emit(&remainder), Ok(sent));
    }

    /// Any text is refused or given back, and nothing panics.
    #[test]
    fn no_text_is_too_odd(text in ODD_TEXT) {
        if let Ok(tree) = tree::parse(&text) {
            prop_assert_eq!(tree::parse(&tree.to_xml()), Ok(tree));
        }
        prop_assert!(read(&text, std::slice::from_ref(&text), "R-1").is_err());
    }
}
