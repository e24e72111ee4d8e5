//! Sets as others share them: every digest is taken, taken back, or said to be left out. All of it is made up.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use known_material::import::{ImportError, Skipped, read_csv, read_ncmec, read_threat_exchange};
use known_material::{Algorithm, Digest, Entry, ExactIndex};

fn md5(byte: &str) -> Digest {
    Digest::parse(Algorithm::Md5, &byte.repeat(16)).unwrap()
}

const ANSWER: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<queryResult xmlns="https://hashsharing.ncmec.org/hashsharing/v2">
  <images count="2" maxTimestamp="2026-11-01T15:10:00Z">
    <image>
      <member id="42">Synthetic Member</member>
      <timestamp>2026-11-01T15:00:00Z</timestamp>
      <id>synthetic-1</id>
      <classification>A1</classification>
      <fingerprints>
        <md5>ABABABABABABABABABABABABABABABAB</md5>
        <sha1>cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd</sha1>
        <pdna>AAECAw==</pdna>
      </fingerprints>
    </image>
    <deletedImage>
      <member id="43">Another Synthetic Member</member>
      <id>synthetic-2</id>
      <timestamp>2026-11-01T15:10:00Z</timestamp>
    </deletedImage>
  </images>
  <videos count="1" maxTimestamp="2026-11-01T15:20:00Z">
    <video>
      <member id="42">Synthetic Member</member>
      <timestamp>2026-11-01T15:00:00Z</timestamp>
      <id>synthetic-3</id>
      <fingerprints><md5>efefefefefefefefefefefefefefefef</md5></fingerprints>
    </video>
  </videos>
  <paging><next>/v2/entries?start=2001&amp;size=1000</next></paging>
</queryResult>"#;

#[test]
fn an_answer_of_the_hash_sharing_api_is_read_whole() {
    let imported = read_ncmec(ANSWER).unwrap();
    let ids: Vec<(&str, bool, usize)> =
        imported.entries.iter().map(|one| (one.id.as_str(), one.removed, one.digests.len())).collect();
    assert_eq!(ids, [("synthetic-1", false, 2), ("synthetic-2", true, 0), ("synthetic-3", false, 1)]);
    let first = &imported.entries[0];
    assert_eq!(first.member.as_deref(), Some("42 Synthetic Member"));
    assert_eq!(first.classification.as_deref(), Some("A1"));
    assert_eq!(first.digests[0], md5("ab"));
    assert_eq!(imported.skipped, [Skipped { entry: "synthetic-1".to_owned(), name: "pdna".to_owned() }]);
    assert_eq!(imported.next.as_deref(), Some("/v2/entries?start=2001&size=1000"));
}

#[test]
fn what_is_wrong_is_named_by_its_place() {
    let short = ANSWER.replace("efefefefefefefefefefefefefefefef", "efef");
    assert_eq!(
        read_ncmec(&short).unwrap_err().to_string(),
        "video 1 (synthetic-3) md5: not a digest: expected 32 hexadecimal digits for md5"
    );
    let nameless = ANSWER.replace("<id>synthetic-2</id>", "");
    assert_eq!(read_ncmec(&nameless).unwrap_err().to_string(), "deletedImage 2: id is missing");
    assert!(matches!(read_ncmec("<status/>"), Err(ImportError::Unreadable(_))));
    assert!(matches!(read_ncmec("no XML"), Err(ImportError::Unreadable(_))));
}

#[test]
fn a_plain_csv_is_read_line_by_line() {
    let text = "id,algorithm,digest,classification,member,removed\n\
        one,md5,abababababababababababababababab,A1,Synthetic Hotline,\n\
        one,pdq,0000000000000000000000000000000000000000000000000000000000000001,,,\n\
        two,sha1,cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd,,,\n\
        three,md5,,,,true\n";
    let imported = read_csv(text).unwrap();
    let ids: Vec<(&str, bool, usize)> =
        imported.entries.iter().map(|one| (one.id.as_str(), one.removed, one.digests.len())).collect();
    assert_eq!(ids, [("one", false, 2), ("two", false, 1), ("three", true, 0)]);
    let wrong = text.replace("sha1", "crc32");
    assert_eq!(
        read_csv(&wrong).unwrap_err().to_string(),
        "line 4: crc32 is not known here; expected one of md5, sha-1, sha-256, pdq"
    );
    let unclear = text.replace("three,md5,,,,true", "two,md5,,,,true");
    assert_eq!(
        read_csv(&unclear).unwrap_err().to_string(),
        "line 5: removed is not what an earlier line of the same id says"
    );
    let unknown = text.replace("member", "colour");
    assert!(matches!(read_csv(&unknown), Err(ImportError::Unreadable(_))));
}

#[test]
fn updates_as_threat_exchange_has_them_are_read() {
    let text = r#"{ "data": [
        { "id": "1", "indicator": "abababababababababababababababab", "type": "HASH_MD5", "should_delete": false,
          "descriptors": { "data": [ { "owner": { "id": "9", "name": "Synthetic Member" },
              "tags": ["classification:A2", "other"] } ] } },
        { "id": "2", "indicator": "https://synthetic.example", "type": "URI" },
        { "id": "3", "indicator": "", "type": "HASH_PDQ", "should_delete": true } ],
      "paging": { "next": "https://synthetic.example/next" } }"#;
    let imported = read_threat_exchange(text).unwrap();
    assert_eq!(
        imported.entries[0],
        Entry {
            id: "1".to_owned(),
            member: Some("Synthetic Member".to_owned()),
            classification: Some("A2".to_owned()),
            digests: vec![md5("ab")],
            removed: false,
        }
    );
    assert!(imported.entries[1].removed);
    assert_eq!(imported.skipped, [Skipped { entry: "2".to_owned(), name: "URI".to_owned() }]);
    let wrong = text.replace("abab", "");
    assert!(
        read_threat_exchange(&wrong).unwrap_err().to_string().starts_with("/data/0/indicator: not a digest")
    );
}

#[test]
fn the_same_file_is_found_until_it_is_taken_back() {
    let mut index = ExactIndex::default();
    for entry in [4, 9, 4] {
        index.add(md5("ab"), entry);
    }
    assert_eq!(index.find(&md5("ab")), [4, 9]);
    assert!(index.find(&md5("cd")).is_empty());
    index.remove(&md5("ab"), 4);
    index.remove(&md5("ab"), 9);
    assert!(index.is_empty());
}
