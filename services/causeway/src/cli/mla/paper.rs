//! A request on paper: its texts opened, a form filled in and typeset, all on this machine.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use client::{Client, OpenedFacet};
use mla::http::RequestView;
use paper::{ELEMENT, Language, Values};
use schemas::codes::{BasisAnswer, FacetKind, PaperForm};
use schemas::digest;
use schemas::ids::{AgencyId, FacetId, IncidentId, KeyId, RequestId};
use serde_json::{Value, json};

use super::super::Output;
use super::super::agency::{anew, read_key};
use super::request_text;

#[derive(Args)]
pub struct Paper {
    incident: IncidentId,
    request: RequestId,
    #[arg(long)]
    form: PaperForm,
    #[arg(long, default_value = "english")]
    language: PaperLanguage,
    /// Where the PDF goes.
    #[arg(long)]
    out: PathBuf,
    /// For whom: the copy for the addressee of an order leaves the reasons out, which it never sees.
    #[arg(long, default_value = "authority")]
    copy: Copy,
    /// The file of the agency's private key, as `causeway keygen` writes it.
    #[arg(long)]
    key: PathBuf,
    #[arg(long)]
    key_id: KeyId,
}

#[derive(Clone, Copy, ValueEnum)]
enum PaperLanguage {
    English,
    French,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Copy {
    Authority,
    Addressee,
}

impl Paper {
    pub async fn run(self, client: &Client, output: &Output) -> anyhow::Result<()> {
        let path = format!("/v1/incidents/{}/requests/{}", self.incident, self.request);
        let view: RequestView = client.get(&path).await?;
        let keys = read_key(&self.key)?;
        let opened =
            client.open_request(self.incident, self.request, &self.key_id, &keys, &anew("open")).await?;
        let (language, tag) = match self.language {
            PaperLanguage::English => (Language::English, "en"),
            PaperLanguage::French => (Language::French, "fr"),
        };
        let mut values = values(&view, &opened, self.copy, tag);
        for (name, agency) in parties(&view) {
            values.insert(name.to_owned(), name_of(client, agency).await?);
        }
        let pdf = paper::typeset(self.form, language, &values)?;
        std::fs::write(&self.out, &pdf).with_context(|| format!("failed to write {}", self.out.display()))?;
        let step = json!({ "form": self.form, "language": tag, "digest": digest::of_file(&pdf) });
        let recorded: RequestView = client
            .command(&format!("{path}/document"), &anew("paper"), &json!({ "step": step }))
            .await
            .with_context(|| format!("{} is written, but no record of it was made", self.out.display()))?;
        output.print(&recorded, || {
            let digest = step["digest"].as_str().unwrap_or_default();
            format!(
                "{} written, SHA-256 {digest}, recorded\n\n{}",
                self.out.display(),
                request_text(&recorded)
            )
        })
    }
}

/// The agencies that a form names.
fn parties(view: &RequestView) -> impl Iterator<Item = (&'static str, &AgencyId)> {
    let addressee = view.addressee.as_ref().map(|agency| ("request.addressee", agency));
    std::iter::once(("requested.authority", &view.requested.authority)).chain(addressee)
}

/// As the directory names it, and its id.
async fn name_of(client: &Client, agency: &AgencyId) -> anyhow::Result<String> {
    let entry: Value = client.get(&format!("/v1/directory/agency/{agency}")).await?;
    let name = entry.pointer("/acts/agency/name").and_then(Value::as_str);
    Ok(name.map_or_else(|| agency.to_string(), |name| format!("{name} ({agency})")))
}

/// What the forms' fields name, from what stands in clear and what was opened; codes by their labels.
fn values(view: &RequestView, opened: &[OpenedFacet], copy: Copy, language: &str) -> Values {
    let mut values = Values::new();
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            values.insert(name.to_owned(), value);
        }
    };
    let yes_no = |value: bool| Some(if value { "✓" } else { "✗" }.to_owned());
    let joined = |codes: Vec<String>| Some(codes.join(", "));
    put("request.id", Some(view.request_id.to_string()));
    // With its mark, and what of it is not sure.
    put(
        "request.basis",
        view.basis.as_ref().map(|basis| {
            let unknown = basis.answers.iter().find(|one| one.answer == BasisAnswer::Unknown);
            let unknown = unknown.map_or(String::new(), |one| format!("; {}", one.answer.label(language)));
            format!("{} ({}: {}{unknown})", basis.title, basis.mark, basis.mark.label(language))
        }),
    );
    put("request.channel", view.channel.map(|channel| channel.label(language)));
    put("request.emergency", view.emergency.map(|reason| reason.label(language)));
    put(
        "request.needed_by",
        view.needed_by.as_ref().map(|needed| format!("{} ({})", needed.by, needed.reason.label(language))),
    );
    put("request.confidential", yes_no(view.confidential));
    put("request.notified", yes_no(view.notified));
    put("request.languages", joined(view.languages.clone()));
    put("request.measures", joined(view.measures.iter().map(|measure| measure.label(language)).collect()));
    put("request.parent", view.parent.map(|parent| parent.to_string()));
    put("request.validator", view.validator.map(|validator| validator.label(language)));
    put("requesting.country", Some(view.requesting.country.to_string()));
    put("requested.country", Some(view.requested.country.to_string()));
    let of_request = |facet: &&OpenedFacet| {
        let reasons = facet.kind == FacetKind::RequestReasons && copy == Copy::Authority;
        is_newest(view, facet.facet_id, opened) && (facet.kind == FacetKind::RequestText || reasons)
    };
    for facet in opened.iter().filter(of_request) {
        let elements = facet.content.get("elements").and_then(Value::as_object);
        for (element, text) in elements.into_iter().flatten() {
            put(&format!("{ELEMENT}{element}"), text.as_str().map(str::to_owned));
        }
    }
    values
}

/// Of a draft that was amended the last text counts, and the reasons beside it; notes on steps are no part of the form.
fn is_newest(view: &RequestView, facet: FacetId, opened: &[OpenedFacet]) -> bool {
    let reasons = opened
        .iter()
        .rev()
        .find(|one| one.kind == FacetKind::RequestReasons && one.content.get("elements").is_some());
    facet == view.text || reasons.is_some_and(|one| one.facet_id == facet)
}
