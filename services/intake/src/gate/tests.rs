//! What the gate lets through, what it refuses and by which name, and what an emergency goes without.

use super::*;

fn faults(json: &str) -> Vec<(String, RefusalReason)> {
    match admit(json.as_bytes()) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.into_iter().map(|fault| (fault.pointer, fault.reason)).collect(),
    }
}

fn check(json: &str, expected: &[(&str, RefusalReason)]) {
    let expected: Vec<_> =
        expected.iter().map(|(pointer, reason)| ((*pointer).to_owned(), *reason)).collect();
    assert_eq!(faults(json), expected, "{json}");
}

fn picture() -> String {
    let bytes = (0..600u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]);
    bytes
        .map(|byte| {
            char::from(
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[usize::from(byte % 64)],
            )
        })
        .collect()
}

#[test]
fn what_is_wrong_is_named_by_its_field() {
    use RefusalReason::*;
    check(r#"{"reference":"R-1","kind":"csam"}"#, &[]);
    check(r#"{"reference":"R-1","kind":"csam","image":"x"}"#, &[("/image", UnknownField)]);
    check(r#"{"reference":"R-1","kind":"nonsense"}"#, &[("/kind", InvalidValue)]);
    check(r#"{"reference":"R-1","kind":"csam","kind":"csam"}"#, &[("/kind", InvalidValue)]);
    check(r#"{"reference":"","kind":"csam"}"#, &[("/reference", InvalidValue)]);
    check(r#"{"reference":"R-1","#, &[("", Malformed)]);
    let person = r#"{"category":"victim","portrait":"x"}"#;
    check(
        &format!(r#"{{"reference":"R-1","kind":"csam","people":[{person}]}}"#),
        &[("/people/0/portrait", UnknownField)],
    );
    let uri = "see data:image/png;base64,iVBORw0KGgo=";
    check(
        &format!(r#"{{"reference":"R-1","kind":"csam","narrative":"{uri}"}}"#),
        &[("/narrative", EmbeddedContent)],
    );
    let narrative = format!(r#"{{"reference":"R-1","kind":"csam","narrative":"{}"}}"#, picture());
    check(&narrative, &[("/narrative", EmbeddedContent)]);
    let hex: String = picture().bytes().map(|byte| format!("{byte:02x}")).collect();
    check(
        &format!(r#"{{"reference":"R-1","kind":"csam","narrative":"{hex}"}}"#),
        &[("/narrative", EmbeddedContent)],
    );
    let long = "x ".repeat(3_000);
    check(
        &format!(r#"{{"reference":"R-1","kind":"csam","local_case_number":"{long}"}}"#),
        &[("/local_case_number", FieldTooLong)],
    );
    let digest = r#"{"media_kind":"image","digests":[{"algorithm":"md5","value":"no"}]}"#;
    check(
        &format!(r#"{{"reference":"R-1","kind":"csam","items":[{digest}]}}"#),
        &[("/items/0/digests/0/value", InvalidValue)],
    );
}

#[test]
fn what_only_looks_like_content_gets_in() {
    let chat = "[21:04] a: hahahahaha\n[21:05] b: ".repeat(5_000);
    check(&format!(r#"{{"reference":"R-1","kind":"csam","narrative":{}}}"#, Value::from(chat)), &[]);
    let laughter = "ha".repeat(600);
    check(&format!(r#"{{"reference":"R-1","kind":"csam","narrative":"{laughter}"}}"#), &[]);
    let photodna = "A".repeat(192);
    let item =
        format!(r#"{{"media_kind":"image","digests":[{{"algorithm":"photodna","value":"{photodna}"}}]}}"#);
    check(&format!(r#"{{"reference":"R-1","kind":"csam","items":[{item}]}}"#), &[]);
}

#[test]
fn a_person_has_so_many_captures_and_no_more() {
    let at_fault = [("/people/0/captures", RefusalReason::InvalidValue)];
    for (count, faults) in [(MAX_CAPTURES, &[][..]), (MAX_CAPTURES + 1, &at_fault[..])] {
        let captures = vec![r#"{"ip":"192.0.2.1"}"#; count].join(",");
        let person = format!(r#"{{"category":"suspect","captures":[{captures}]}}"#);
        check(&format!(r#"{{"reference":"R-1","kind":"csam","people":[{person}]}}"#), faults);
    }
}

#[test]
fn a_classification_is_a_value_of_its_scheme_and_no_free_text() {
    for (scheme, value, taken) in [
        ("industry", "A1", true),
        ("industry", "A3", false),
        ("iwf", "C", true),
        ("inhope", "baseline", true),
        ("national", "184b-1", true),
        ("national", "a child of nine", false),
        ("national", "an-unbroken-sentence-of-words", false),
    ] {
        let json = format!(
            r#"{{"reference":"r","kind":"csam","items":[{{"media_kind":"image",
            "classifications":[{{"scheme":"{scheme}","value":"{value}"}}]}}]}}"#
        );
        let wrong = [("/items/0/classifications/0/value", RefusalReason::InvalidValue)];
        check(&json, if taken { &[] } else { &wrong });
    }
}

#[test]
fn only_names_that_exist_stand_on_record() {
    for (pointer, recorded) in [
        ("/people/0/captures/12/ip", "/people/0/captures/12/ip"),
        ("/report/victim[2]/victimPerson/firstName", "/report/victim[2]/victimPerson/firstName"),
        // Whatever a reporter makes up, behind whichever name: a name, a number, a place in brackets.
        ("/jane_doe/0/0", "/?/0/0"),
        ("/report/jane_doe/0", "/report/?/0"),
        ("/report_of_jane_doe", "/?"),
        ("/0301234567/0", "/?/0"),
        ("/people[jane]/names", "/?/names"),
        ("/@jane", "/?"),
    ] {
        assert_eq!(super::recorded(pointer, RefusalReason::Malformed), recorded);
    }
    assert_eq!(super::recorded("/people/0/names", RefusalReason::UnknownField), "/people/0/?");
}

#[test]
fn an_emergency_is_never_lost() {
    let json = r#"{"reference":"R-1","kind":"csam","urgency":"imminent-danger","danger_reason":"missing-child",
        "image":"x","people":[{"category":"victim","captures":[{"ip":"not an address"}],"portrait":"y"}]}"#;
    let (submission, verdict) = admit(json.as_bytes()).unwrap();
    assert_eq!(submission.people.len(), 1);
    let withheld: Vec<&str> = verdict.withheld.iter().map(|field| field.pointer.as_str()).collect();
    // What a reporter made up as a name stays out of the record: it may be a person's.
    assert!(withheld.contains(&"/?"), "{withheld:?}");
    assert!(withheld.contains(&"/people/0/?"), "{withheld:?}");
    assert_eq!(verdict.version, VERSION);
    assert!(withheld.contains(&"/people/0/captures/0"), "{withheld:?}");
    // What cannot be left out gets the value that says least.
    let json = r#"{"reference":"R-1","kind":"nonsense","urgency":"imminent-danger"}"#;
    let (submission, verdict) = admit(json.as_bytes()).unwrap();
    assert_eq!(submission.kind, IncidentKind::Other);
    assert_eq!(submission.danger_reason, Some(DangerReason::ReporterEscalation));
    assert_eq!(verdict.withheld.len(), 2);
    // Several elements of one list: the good one stays, and each is named by where it was sent.
    let long = "x ".repeat(3_000);
    let json = format!(
        r#"{{"reference":"R-1","kind":"csam","urgency":"imminent-danger","danger_reason":"missing-child",
        "people":[{{"category":"victim","names":["{long}","{long}","Synthetic"]}}]}}"#
    );
    let (submission, verdict) = admit(json.as_bytes()).unwrap();
    assert_eq!(submission.people[0].names, ["Synthetic"]);
    let mut withheld: Vec<&str> = verdict.withheld.iter().map(|field| field.pointer.as_str()).collect();
    withheld.sort_unstable();
    assert_eq!(withheld, ["/people/0/names/0", "/people/0/names/1"]);
    // Without a reference nobody can be answered: that cannot be left out.
    assert!(
        admit(br#"{"kind":"csam","urgency":"imminent-danger","danger_reason":"missing-child"}"#).is_err()
    );
}

#[test]
fn people_and_items_of_an_emergency_keep_their_places() {
    let json = r#"{"reference":"R-1","kind":"csam","urgency":"imminent-danger","danger_reason":"missing-child",
        "items":[{"name":"none"},{"media_kind":"hologram","name":"unknown"},7,{"media_kind":"video"}],
        "people":["x",["victim"],{"category":"suspect","names":["Synthetic"]},{"names":["Other"]},null]}"#;
    let (submission, verdict) = admit(json.as_bytes()).unwrap();
    let items: Vec<_> = submission.items.iter().map(|item| (item.media_kind, item.name.as_deref())).collect();
    let expected = [
        (MediaKind::Other, Some("none")),
        (MediaKind::Other, Some("unknown")),
        (MediaKind::Other, None),
        (MediaKind::Video, None),
    ];
    assert_eq!(items, expected);
    let people: Vec<_> =
        submission.people.iter().map(|person| (person.category, person.names.join(" "))).collect();
    let expected = [
        (PersonCategory::Undetermined, ""),
        (PersonCategory::Undetermined, ""),
        (PersonCategory::Suspect, "Synthetic"),
        (PersonCategory::Undetermined, "Other"),
        (PersonCategory::Undetermined, ""),
    ];
    assert_eq!(people, expected.map(|(category, names)| (category, names.to_owned())));
    let mut withheld: Vec<&str> = verdict.withheld.iter().map(|field| field.pointer.as_str()).collect();
    withheld.sort_unstable();
    let expected = [
        "/items/0/media_kind",
        "/items/1/media_kind",
        "/items/2",
        "/people/0",
        "/people/1",
        "/people/3/category",
        "/people/4",
    ];
    assert_eq!(withheld, expected);
}

#[test]
fn an_emergency_with_too_much_of_a_person_keeps_the_person() {
    let captures = vec![r#"{"ip":"192.0.2.1"}"#; MAX_CAPTURES + 1].join(",");
    let json = format!(
        r#"{{"reference":"R-1","kind":"csam","urgency":"imminent-danger","danger_reason":"missing-child",
        "people":[{{"category":"suspect","names":["Synthetic"],"captures":[{captures}]}}]}}"#
    );
    let (submission, verdict) = admit(json.as_bytes()).unwrap();
    assert_eq!(submission.people[0].names, ["Synthetic"]);
    assert_eq!(verdict.withheld[0].pointer, "/people/0/captures");
}
