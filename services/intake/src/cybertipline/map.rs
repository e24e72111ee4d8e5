//! Reads a report in the terms of the API: what routing needs, while the XML stays whole in its sealed parts.

use schemas::Timestamp;
use schemas::codes::{Annotation, ClassificationScheme, DigestAlgorithm, IncidentKind, MediaKind, Urgency};
use schemas::referral::Classification;

use super::person::{self, Incident};
use super::split::Parts;
use super::tree::Element;
use super::value;
use crate::gate::is_digest;
use crate::submission::{
    ContentItem, HandlingTerms, Hosting, ItemDigest, Occurred, PersonReport, Provider, Submission,
};

/// The submission that parts make, without the parts themselves.
///
/// `incidentDateTime` without a zone is taken as UTC. `priority` is the most a report asks for by
/// `escalateToHighPriority`: an imminent danger needs a coded reason, and the reporter gives only text.
pub(super) fn submission(parts: &Parts, reference: &str) -> Submission {
    let empty = Element::default();
    let summary = parts.report.first("incidentSummary").unwrap_or(&empty);
    let occurred = summary.text_of("incidentDateTime").and_then(value::date_time);
    let platform = summary.text_of("platform");
    Submission {
        reference: reference.to_owned(),
        kind: kind(summary.text_of("incidentType").unwrap_or_default()),
        urgency: urgency(parts),
        danger_reason: None,
        occurred: occurred.map(|from| Occurred { from, to: None }),
        annotations: report_annotations(&parts.report, summary),
        narrative: narrative(parts),
        local_case_number: None,
        items: items(parts),
        people: people(parts, occurred, platform),
        provider: platform.map(|name| Provider { name: name.to_owned(), country: None }),
        handling: HandlingTerms::default(),
        asks_to_join: None,
        cybertipline: None,
    }
}

/// The eight types of the format, on the wire as NCMEC spells them.
fn kind(incident_type: &str) -> IncidentKind {
    match incident_type {
        "Child Pornography (possession, manufacture, and distribution)" => IncidentKind::Csam,
        "Child Sex Trafficking" => IncidentKind::TraffickingForSexualExploitation,
        "Child Sex Tourism" => IncidentKind::ExploitationInTravelAndTourism,
        "Child Sexual Molestation" => IncidentKind::ChildSexualAbuse,
        "Misleading Domain Name" => IncidentKind::MisleadingDomainName,
        "Misleading Words or Digital Images on the Internet" => IncidentKind::MisleadingWordsOrImages,
        "Online Enticement of Children for Sexual Acts" => IncidentKind::OnlineSolicitation,
        "Unsolicited Obscene Material Sent to a Child" => IncidentKind::UnsolicitedObsceneMaterial,
        _ => IncidentKind::Other,
    }
}

/// The text of `escalateToHighPriority` is its reason and stands in the narrative.
fn urgency(parts: &Parts) -> Urgency {
    let escalated = parts.narrative.iter().any(|part| part.name == "escalateToHighPriority");
    if escalated { Urgency::Priority } else { Urgency::Routine }
}

fn report_annotations(report: &Element, summary: &Element) -> Vec<Annotation> {
    let batched = report.first("batchedReport").and_then(|batch| batch.attribute("reason"));
    let viral = batched == Some("VIRAL_POTENTIAL_MEME");
    let marks = summary.first("reportAnnotations").map(annotations).unwrap_or_default();
    let of_batch = [Annotation::Viral, Annotation::PotentialMeme];
    marks.into_iter().chain(of_batch.into_iter().filter(|_| viral)).collect()
}

/// A mark is fixed to true, so that it stands there says it.
fn annotations(marks: &Element) -> Vec<Annotation> {
    marks.children.iter().filter_map(|mark| annotation(&mark.name)).collect()
}

fn annotation(name: &str) -> Option<Annotation> {
    Some(match name {
        "sextortion" => Annotation::Sextortion,
        "csamSolicitation" => Annotation::CsamSolicitation,
        "minorToMinorInteraction" => Annotation::MinorToMinor,
        "spam" => Annotation::Spam,
        "sadisticOnlineExploitation" => Annotation::SadisticOnlineExploitation,
        "animeDrawingVirtualHentai" => Annotation::DrawingOrAnimation,
        "potentialMeme" => Annotation::PotentialMeme,
        "viral" => Annotation::Viral,
        "possibleSelfProduction" => Annotation::SelfGenerated,
        "physicalHarm" => Annotation::PhysicalHarm,
        "violenceGore" => Annotation::Violence,
        "bestiality" => Annotation::Bestiality,
        "liveStreaming" => Annotation::LiveStreamed,
        "infant" => Annotation::Infant,
        "generativeAi" => Annotation::AiGenerated,
        _ => return None,
    })
}

fn narrative(parts: &Parts) -> Option<String> {
    let texts: Vec<&str> = parts.narrative.iter().filter_map(Element::trimmed).collect();
    (!texts.is_empty()).then(|| texts.join("\n\n"))
}

/// The files first, as they came; then the pages.
fn items(parts: &Parts) -> Vec<ContentItem> {
    let files = parts.locations.iter().filter(|location| location.name == "fileDetails").map(file);
    let pages = parts.locations.iter().filter_map(|location| location.first("webPageIncident"));
    let urls = pages.flat_map(|page| page.all("url")).filter_map(Element::trimmed);
    files.chain(urls.map(page)).collect()
}

fn file(details: &Element) -> ContentItem {
    let boolean = |name| details.text_of(name).and_then(value::boolean);
    let names = || ["fileName", "originalFileName"].into_iter().filter_map(|name| details.text_of(name));
    let mut annotations = details.first("fileAnnotations").map(annotations).unwrap_or_default();
    annotations.extend((boolean("potentialMeme") == Some(true)).then_some(Annotation::PotentialMeme));
    ContentItem {
        media_kind: names().find_map(media_kind).unwrap_or(MediaKind::Other),
        digests: details.all("originalFileHash").filter_map(digest).collect(),
        classifications: details.text_of("industryClassification").map(classification).into_iter().collect(),
        viewed_by_reporter: boolean("fileViewedByEsp"),
        publicly_available: boolean("publiclyAvailable"),
        hosting: details.text_of("locationOfFile").map(hosting),
        annotations,
        name: names().next().map(str::to_owned),
    }
}

fn page(url: &str) -> ContentItem {
    ContentItem {
        media_kind: MediaKind::Page,
        digests: Vec::new(),
        classifications: Vec::new(),
        viewed_by_reporter: None,
        publicly_available: None,
        hosting: Some(hosting(url)),
        annotations: Vec::new(),
        name: None,
    }
}

fn hosting(url: &str) -> Hosting {
    Hosting { country: None, host: None, url: Some(url.to_owned()) }
}

fn classification(value: &str) -> Classification {
    Classification { scheme: ClassificationScheme::Industry, value: value.to_owned() }
}

fn media_kind(file_name: &str) -> Option<MediaKind> {
    let (_, extension) = file_name.rsplit_once('.')?;
    Some(match extension.to_ascii_lowercase().as_str() {
        "avif" | "bmp" | "gif" | "heic" | "heif" | "jfif" | "jpe" | "jpeg" | "jpg" | "png" | "svg"
        | "tif" | "tiff" | "webp" => MediaKind::Image,
        "3gp" | "avi" | "flv" | "m4v" | "mkv" | "mov" | "mp4" | "mpeg" | "mpg" | "ogv" | "ts" | "webm"
        | "wmv" => MediaKind::Video,
        "aac" | "amr" | "flac" | "m4a" | "mp3" | "oga" | "ogg" | "opus" | "wav" | "wma" => MediaKind::Audio,
        "csv" | "doc" | "docx" | "eml" | "json" | "md" | "odt" | "pdf" | "rtf" | "txt" => MediaKind::Text,
        "htm" | "html" | "mht" | "mhtml" | "xhtml" => MediaKind::Page,
        _ => return None,
    })
}

/// A digest of a known kind and of its form; any other stays in the sealed XML, where the format allows it.
fn digest(hash: &Element) -> Option<ItemDigest> {
    let kind: String = hash.attribute("hashType")?.chars().filter(char::is_ascii_alphanumeric).collect();
    let algorithm = match kind.to_ascii_uppercase().as_str() {
        "MD5" => DigestAlgorithm::Md5,
        "SHA1" => DigestAlgorithm::Sha1,
        "SHA256" => DigestAlgorithm::Sha256,
        "SHA512" => DigestAlgorithm::Sha512,
        "PDQ" => DigestAlgorithm::Pdq,
        "PHOTODNA" => DigestAlgorithm::PhotoDna,
        "TMKPDQF" => DigestAlgorithm::TmkPdqf,
        _ => return None,
    };
    let value = hash.trimmed()?;
    is_digest(algorithm, value).then(|| ItemDigest { algorithm, value: value.to_owned() })
}

fn people(parts: &Parts, occurred: Option<Timestamp>, platform: Option<&str>) -> Vec<PersonReport> {
    let incident = Incident { day: occurred.map(person::day), platform };
    parts.people.iter().map(|part| incident.person(part)).collect()
}
