//! The log's files: what stands in them after a restart, a cut and a damage.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use audit::log::Log;
use chassis::store::Store;
use schemas::Timestamp;
use schemas::audit::{Leaf, Sequenced};
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;

use audit::tree::Tree;

const LEAVES: u64 = 1_000;

fn leaf(number: u64) -> [u8; 32] {
    let mut leaf = [7; 32];
    leaf[..8].copy_from_slice(&number.to_be_bytes());
    leaf
}

/// In batches of many sizes, so that subtrees become complete within them and at their ends.
fn grown(directory: &Path) -> Tree {
    let tree = Tree::open(directory, 0).unwrap();
    let (mut next, mut batch) = (0, 1);
    while next < LEAVES {
        let leaves: Vec<_> = (next..(next + batch).min(LEAVES)).map(leaf).collect();
        tree.append(&leaves).unwrap();
        next += leaves.len() as u64;
        batch = batch % 97 + 1;
    }
    tree
}

fn file(directory: &Path, name: &str) -> std::fs::File {
    OpenOptions::new().write(true).open(directory.join(name)).unwrap()
}

#[test]
fn a_restart_finds_every_leaf_and_what_was_written_behind_them_is_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let root = grown(directory.path()).root(LEAVES).unwrap();
    // What is known to have been written ends earlier, as after a crash.
    let known = LEAVES - 123;
    let tree = Tree::open(directory.path(), known).unwrap();
    assert_eq!(tree.size(), known);
    assert!(tree.root(LEAVES).is_err(), "leaves that nobody knows of are not there");
    tree.append(&(known..LEAVES).map(leaf).collect::<Vec<_>>()).unwrap();
    assert_eq!(tree.root(LEAVES).unwrap(), root);
    for number in 0..LEAVES {
        root.check_leaf(number, &leaf(number), &tree.prove(number, LEAVES).unwrap()).unwrap();
    }
    for earlier in 0..=LEAVES {
        let proof = tree.prove_extends(earlier, LEAVES).unwrap();
        root.check_extends(&tree.root(earlier).unwrap(), &proof).unwrap();
    }
}

#[test]
fn files_that_are_short_begin_anew() {
    for name in ["leaves", "hashes"] {
        let directory = tempfile::tempdir().unwrap();
        drop(grown(directory.path()));
        let short = file(directory.path(), name);
        short.set_len(short.metadata().unwrap().len() - 1).unwrap();
        assert_eq!(Tree::open(directory.path(), LEAVES).unwrap().size(), 0, "{name}");
    }
}

#[test]
fn a_tree_whose_hashes_a_disk_has_changed_does_not_extend_what_was_signed() {
    let directory = tempfile::tempdir().unwrap();
    let tree = grown(directory.path());
    let signed = tree.root(LEAVES / 2).unwrap();
    // That of the first 256 leaves, from which the signed head follows.
    file(directory.path(), "hashes").write_all_at(&[0], 510 * 32).unwrap();
    let root = tree.root(LEAVES).unwrap();
    let proof = tree.prove_extends(LEAVES / 2, LEAVES).unwrap();
    assert!(root.check_extends(&signed, &proof).is_err());
}

#[test]
fn a_copy_of_an_event_does_not_take_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let log = Log::open(Store::open(&directory.path().join("audit"), 1 << 20).unwrap()).unwrap();
    log.take_in(&[(0, Sequenced { first: 0, leaves: vec![event(7, 1), event(8, 1)] })]).unwrap();
    log.take_in(&[(1, Sequenced { first: 2, leaves: vec![event(9, 1)] })]).unwrap();
    let offsets: Vec<i64> =
        log.of_aggregate("routing.events", "incident").unwrap().iter().map(|entry| entry.offset).collect();
    assert_eq!(offsets, [7]);
}

fn event(offset: i64, sequence: i64) -> Leaf {
    Leaf {
        commitment: vec![u8::try_from(offset).unwrap(); 32],
        topic: "routing.events".to_owned(),
        partition: 0,
        offset,
        timestamp: Timestamp::from_millis(offset),
        aggregate_id: "incident".to_owned(),
        sequence,
        agency: "de-police".to_owned(),
        actor: "officer".to_owned(),
        time: Timestamp::from_millis(offset),
    }
}

#[test]
fn an_aggregate_has_all_its_events_in_order_however_they_come() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit");
    let log = Log::open(Store::open(&path, 1 << 20).unwrap()).unwrap();
    let mut first = 0;
    for (record, sequences) in (0..).zip([1..=1, 2..=31, 32..=33, 34..=200]) {
        let mut leaves: Vec<Leaf> = sequences.map(|sequence| event(sequence, sequence)).collect();
        leaves.push(Leaf { topic: "delivery.events".to_owned(), ..event(record, record) });
        let count = i64::try_from(leaves.len()).unwrap();
        log.take_in(&[(record, Sequenced { first, leaves })]).unwrap();
        first += count;
    }
    let sequences = |log: &Log, topic| -> Vec<i64> {
        log.of_aggregate(topic, "incident").unwrap().iter().map(|entry| entry.sequence).collect()
    };
    let all: Vec<i64> = (1..=200).collect();
    assert_eq!(sequences(&log, "routing.events"), all);
    assert_eq!(sequences(&log, "delivery.events"), [0, 1, 2, 3]);
    drop(log);
    let again = Log::open(Store::open(&path, 1 << 20).unwrap()).unwrap();
    assert_eq!(sequences(&again, "routing.events"), all, "after a restart");
}
