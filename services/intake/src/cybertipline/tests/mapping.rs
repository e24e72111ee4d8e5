//! How a report reads in the terms of the API.

use schemas::codes::{Annotation, DigestAlgorithm, IncidentKind, MediaKind, PersonCategory, Urgency};

use super::super::{EmitError, Remainder, emit, read};
use super::examples::{FILE_ANNOTATED, FILE_MEME, INTERNET, MINIMAL, PEOPLE, PUNCTUATION};
use crate::submission::Submission;

#[track_caller]
fn reading(report: &str, files: &[&str]) -> Submission {
    let files: Vec<String> = files.iter().map(|file| (*file).to_owned()).collect();
    read(report, &files, "R-1").expect("the report follows the format")
}

#[test]
fn each_incident_type_has_its_kind() {
    let kinds = [
        ("Child Pornography (possession, manufacture, and distribution)", IncidentKind::Csam),
        ("Child Sex Trafficking", IncidentKind::TraffickingForSexualExploitation),
        ("Child Sex Tourism", IncidentKind::ExploitationInTravelAndTourism),
        ("Child Sexual Molestation", IncidentKind::ChildSexualAbuse),
        ("Misleading Domain Name", IncidentKind::MisleadingDomainName),
        ("Misleading Words or Digital Images on the Internet", IncidentKind::MisleadingWordsOrImages),
        ("Online Enticement of Children for Sexual Acts", IncidentKind::OnlineSolicitation),
        ("Unsolicited Obscene Material Sent to a Child", IncidentKind::UnsolicitedObsceneMaterial),
    ];
    for (incident_type, kind) in kinds {
        let report = MINIMAL.replace("Online Enticement of Children for Sexual Acts", incident_type);
        assert_eq!(reading(&report, &[]).kind, kind);
    }
}

#[test]
fn the_incident() {
    let small = reading(MINIMAL, &[]);
    assert_eq!((small.reference.as_str(), small.urgency, small.narrative), ("R-1", Urgency::Routine, None));
    let large = reading(INTERNET, &[]);
    assert_eq!((large.urgency, large.danger_reason), (Urgency::Priority, None));
    assert_eq!(
        large.annotations,
        [
            Annotation::Sextortion,
            Annotation::CsamSolicitation,
            Annotation::MinorToMinor,
            Annotation::Spam,
            Annotation::SadisticOnlineExploitation,
            Annotation::Viral,
            Annotation::PotentialMeme,
        ]
    );
    assert_eq!(large.provider.map(|provider| provider.name).as_deref(), Some("Example Platform"));
    // Without a zone it is UTC.
    assert_eq!(large.occurred.map(|at| at.from.to_string()).as_deref(), Some("2026-03-01T10:15:30.000Z"));
    let narrative = large.narrative.expect("the report holds texts");
    for text in [
        "A meeting seems",
        "The time the message",
        "A: synthetic message.\nB: ",
        "with <marks> &",
        "remark 17.",
    ] {
        assert!(narrative.contains(text), "{text}");
    }
}

#[test]
fn the_files_and_pages() {
    let submission = reading(INTERNET, &[FILE_ANNOTATED, FILE_MEME]);
    let kinds: Vec<MediaKind> = submission.items.iter().map(|item| item.media_kind).collect();
    assert_eq!(kinds, [MediaKind::Image, MediaKind::Image, MediaKind::Page, MediaKind::Page]);
    let file = &submission.items[0];
    let algorithms: Vec<DigestAlgorithm> = file.digests.iter().map(|digest| digest.algorithm).collect();
    assert_eq!(
        algorithms,
        [
            DigestAlgorithm::Md5,
            DigestAlgorithm::Sha1,
            DigestAlgorithm::Sha256,
            DigestAlgorithm::Sha512,
            DigestAlgorithm::Pdq,
            DigestAlgorithm::PhotoDna,
            DigestAlgorithm::TmkPdqf,
        ]
    );
    assert_eq!(
        file.annotations,
        [
            Annotation::DrawingOrAnimation,
            Annotation::PotentialMeme,
            Annotation::Viral,
            Annotation::SelfGenerated,
            Annotation::PhysicalHarm,
            Annotation::Violence,
            Annotation::Bestiality,
            Annotation::LiveStreamed,
            Annotation::Infant,
            Annotation::AiGenerated,
        ]
    );
    assert_eq!(file.classifications[0].value, "A2");
    assert_eq!((file.viewed_by_reporter, file.publicly_available), (Some(true), Some(true)));
    let hosting = file.hosting.as_ref().expect("the file has a location");
    assert_eq!(hosting.url.as_deref(), Some("https://cdn.example.org/object/2"));
    assert_eq!(file.name.as_deref(), Some("synthetic-2.jpg"));
    let page = submission.items[2].hosting.as_ref().expect("a page has a location");
    assert_eq!(page.url.as_deref(), Some("https://site-1.example.org/page?a=1&b=2"));
}

#[test]
fn a_digest_that_cannot_be_one_stays_in_the_sealed_xml() {
    let file = FILE_ANNOTATED.replacen("0123456789abcdef0123456789abcdef<", "0123<", 1);
    let item = &reading(MINIMAL, &[&file]).items[0];
    assert!(item.digests.iter().all(|digest| digest.algorithm != DigestAlgorithm::Md5));
    assert_eq!(item.digests.len(), 6);
}

#[test]
fn the_people() {
    use PersonCategory::{Suspect, Undetermined, Victim, WitnessOrReporter};
    let people = reading(PEOPLE, &[]).people;
    let categories: Vec<PersonCategory> = people.iter().map(|person| person.category).collect();
    // Officer, reporter, contact; a reported person of 15 years, a recipient of 36, two victims.
    assert_eq!(
        categories,
        [WitnessOrReporter, WitnessOrReporter, WitnessOrReporter, Undetermined, Suspect, Victim, Victim]
    );
    let reported = &people[3];
    assert_eq!(reported.names, ["Synthetic Person Four", "Synthetic Display 2"]);
    assert_eq!(reported.phones, ["+1 555 0107", "+1 555 0108"]);
    assert_eq!(reported.emails, ["synthetic.person.7@example.org", "synthetic.person.8@example.org"]);
    let identifiers: Vec<&str> =
        reported.accounts.iter().map(|account| account.identifier.as_str()).collect();
    assert_eq!(
        identifiers,
        ["synthetic-id-1", "synthetic_user_1", "https://service.example.org/u/synthetic-2"]
    );
    assert!(reported.accounts.iter().all(|account| account.service == "Example Messenger"));
    assert_eq!(reported.captures[0].ip.to_string(), "198.51.100.7");
    assert_eq!((reported.captures[0].port, reported.captures[0].possible_proxy), (Some(8080), Some(true)));
    assert!(
        reported.whereabouts.as_ref().is_some_and(|text| text.starts_with("Exampletown, Example Region"))
    );
    assert!(reported.residences.is_empty());
    let countries =
        reported.addresses.iter().map(|address| address.country.as_ref().map(|code| code.as_str()));
    assert_eq!(countries.collect::<Vec<_>>(), [Some("US"), Some("DE")]);
}

#[test]
fn only_linked_accounts_are_read_as_the_person() {
    let people = reading(PUNCTUATION, &[]).people;
    let victim = &people[1];
    assert_eq!(victim.age.as_ref().map(|age| (age.from, age.to)), Some((12, 12)));
    assert_eq!(victim.emails, ["synthetic.linked@example.org"]);
    assert_eq!(victim.accounts[0].service, "Other Platform");
    assert_eq!(victim.captures[0].ip.to_string(), "2001:db8::7");
}

#[test]
fn a_remainder_shows_nothing_and_gives_nothing_when_a_part_is_gone() {
    let remainder = reading(PEOPLE, &[]).cybertipline.expect("it was read here");
    assert_eq!(format!("{remainder:?}"), "Remainder { people: 7, locations: 0, narratives: 3, .. }");
    let without = Remainder { person_xml: remainder.person_xml[1..].to_vec(), ..remainder.clone() };
    let reason = "a placeholder names no part that is still there".to_owned();
    assert_eq!(emit(&without), Err(EmitError::Incomplete { reason }));
    let broken = Remainder { narrative_xml: vec!["<".to_owned()], ..remainder.clone() };
    let reason = "not well-formed XML at line 1, column 2".to_owned();
    assert_eq!(emit(&broken), Err(EmitError::Unreadable { part: "narrative", index: 0, reason }));
    let stranger = Remainder { person_xml: vec!["<other/>".to_owned()], ..remainder };
    let reason = "no person of a report".to_owned();
    assert_eq!(emit(&stranger), Err(EmitError::Unreadable { part: "person", index: 0, reason }));
}
