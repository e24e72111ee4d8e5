//! Requests for legal assistance on paper: a form is filled in with what its own authority has opened, and typeset.
//!
//! It runs on the authority's machine and never on a server: nothing here does I/O. Sections and labels are data, a
//! file for each form and language under `forms/`. What a request holds and its form has no field for is put at the
//! end, under a heading of its own: nothing is left out.

use std::collections::BTreeMap;

use schemas::codes::PaperForm;
use serde::{Deserialize, Serialize};
use typst::foundations::{Dict, IntoValue};
use typst_as_lib::TypstEngine;

const TEMPLATE: &str = include_str!("form.typ");
/// Before the name of an element of the request's text.
pub const ELEMENT: &str = "element.";

/// The languages that a form exists in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    English,
    French,
}

#[derive(Debug, thiserror::Error)]
pub enum PaperError {
    #[error("failed to typeset the form: {0}")]
    Typeset(String),
    #[error("failed to write the form as PDF: {0}")]
    Pdf(String),
}

/// A form, or one that is filled in.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Form {
    title: String,
    subtitle: String,
    language: String,
    notice: String,
    /// Above what the form has no field for.
    other: String,
    /// In place of what the request does not say.
    absent: String,
    /// Names of elements that the form has no field for.
    labels: BTreeMap<String, String>,
    sections: Vec<Section>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Section {
    heading: String,
    fields: Vec<Field>,
}

/// A field: its value is a name of the request's values, or a text that always stands there.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Field {
    label: String,
    value: String,
}

/// What is filled in, by name: `request.id`, `requesting.country`, `element.facts` and so on.
pub type Values = BTreeMap<String, String>;

/// Typesets a form as PDF. The same values give the same bytes.
///
/// # Errors
/// When it cannot be typeset: then something is wrong here, not with the values.
pub fn typeset(form: PaperForm, language: Language, values: &Values) -> Result<Vec<u8>, PaperError> {
    let filled = fill(read(form, language), values);
    let data = serde_json::to_string(&filled).map_err(|error| PaperError::Typeset(error.to_string()))?;
    let engine = TypstEngine::builder().main_file(TEMPLATE).fonts(typst_assets::fonts()).build();
    let mut inputs = Dict::new();
    inputs.insert("data".into(), data.into_value());
    let document = engine.compile_with_input(inputs).output;
    let document = document.map_err(|error| PaperError::Typeset(error.to_string()))?;
    let options = typst_pdf::PdfOptions::default();
    typst_pdf::pdf(&document, &options).map_err(|errors| PaperError::Pdf(format!("{errors:?}")))
}

fn read(form: PaperForm, language: Language) -> Form {
    let text = match (form, language) {
        (PaperForm::EioAnnexA, Language::English) => include_str!("../forms/eio-annex-a.en.json"),
        (PaperForm::EioAnnexA, Language::French) => include_str!("../forms/eio-annex-a.fr.json"),
        (PaperForm::EpocAnnexI, Language::English) => include_str!("../forms/epoc-annex-i.en.json"),
        (PaperForm::EpocAnnexI, Language::French) => include_str!("../forms/epoc-annex-i.fr.json"),
        (PaperForm::Budapest29, Language::English) => include_str!("../forms/budapest-29.en.json"),
        (PaperForm::Budapest29, Language::French) => include_str!("../forms/budapest-29.fr.json"),
    };
    serde_json::from_str(text).expect("a test reads every form")
}

fn fill(mut form: Form, values: &Values) -> Form {
    let mut left: Values = values.iter().filter(|(name, _)| name.starts_with(ELEMENT)).map(owned).collect();
    for field in form.sections.iter_mut().flat_map(|section| &mut section.fields) {
        if is_name(&field.value) {
            left.remove(&field.value);
            field.value = values.get(&field.value).unwrap_or(&form.absent).clone();
        }
    }
    if !left.is_empty() {
        let label = |name: &str| {
            let element = name.trim_start_matches(ELEMENT);
            form.labels.get(element).cloned().unwrap_or_else(|| element.to_owned())
        };
        let fields = left.iter().map(|(name, value)| Field { label: label(name), value: value.clone() });
        let fields = fields.collect();
        form.sections.push(Section { heading: form.other.clone(), fields });
    }
    form
}

fn owned((name, value): (&String, &String)) -> (String, String) {
    (name.clone(), value.clone())
}

/// Whether a field names one of the request's values, and is no text of the form itself.
fn is_name(value: &str) -> bool {
    let groups = ["request.", "requesting.", "requested.", ELEMENT];
    groups.iter().any(|group| value.starts_with(group)) && !value.contains(' ')
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
mod tests {
    use schemas::codes::ContentElement;

    use super::*;

    const LANGUAGES: [Language; 2] = [Language::English, Language::French];

    #[test]
    fn every_form_is_there_in_every_language_and_alike() {
        for form in PaperForm::ALL {
            let [english, french] = LANGUAGES.map(|language| read(*form, language));
            let names = |form: &Form| -> Vec<String> {
                let fields = form.sections.iter().flat_map(|section| &section.fields);
                fields.map(|field| field.value.clone()).filter(|value| is_name(value)).collect()
            };
            assert_eq!(names(&english), names(&french), "{form}");
            for element in ContentElement::ALL {
                assert!(english.labels.contains_key(element.code()), "{form}: {element}");
                assert!(french.labels.contains_key(element.code()), "{form}: {element}");
            }
        }
    }

    #[test]
    fn what_the_form_has_no_field_for_stands_at_its_end() {
        let name = |element: ContentElement| format!("{ELEMENT}{element}");
        let values: Values = ContentElement::ALL
            .iter()
            .map(|element| (name(*element), format!("text of {element}")))
            .collect();
        for form in PaperForm::ALL {
            let filled = fill(read(*form, Language::English), &values);
            let shown: Vec<&String> = filled
                .sections
                .iter()
                .flat_map(|section| &section.fields)
                .map(|field| &field.value)
                .collect();
            for value in values.values() {
                assert_eq!(shown.iter().filter(|shown| **shown == value).count(), 1, "{form}: {value}");
            }
        }
    }
}
