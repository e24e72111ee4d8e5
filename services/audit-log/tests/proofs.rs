//! Proofs in every small tree: each is accepted, and none for anything else.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use audit_log::Root;
use audit_log::tree::{Hash, record_hash};
use tlog_tiles::{HashReader, prove_record, prove_tree, stored_hashes, tree_hash};

const LARGEST: u64 = 70;

struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        let at = |index: &u64| self.0.get(usize::try_from(*index).unwrap()).copied();
        Ok(indexes.iter().map(|index| at(index).unwrap()).collect())
    }
}

fn leaf(number: u64) -> [u8; 32] {
    let mut leaf = [0; 32];
    leaf[..8].copy_from_slice(&number.to_be_bytes());
    leaf
}

/// RFC 6962, section 2.1, as it stands there.
fn root_of(leaves: &[[u8; 32]]) -> Hash {
    match leaves {
        [] => tlog_tiles::EMPTY_HASH,
        [one] => record_hash(one),
        all => {
            let half = all.len().next_power_of_two() / 2;
            let (left, right) = all.split_at(half);
            tlog_tiles::node_hash(root_of(left), root_of(right))
        }
    }
}

fn grown() -> (Stored, Vec<Root>) {
    let mut stored = Stored(Vec::new());
    let mut roots = vec![Root { size: 0, hash: tlog_tiles::EMPTY_HASH }];
    for number in 0..LARGEST {
        let new = stored_hashes(number, &leaf(number), &stored).unwrap();
        stored.0.extend(new);
        roots.push(Root { size: number + 1, hash: tree_hash(number + 1, &stored).unwrap() });
    }
    (stored, roots)
}

#[test]
fn every_leaf_of_every_tree_is_proven_and_no_other() {
    let (stored, roots) = grown();
    let leaves: Vec<_> = (0..LARGEST).map(leaf).collect();
    for root in &roots {
        assert_eq!(root.hash, root_of(&leaves[..usize::try_from(root.size).unwrap()]));
        for number in 0..root.size {
            let proof = prove_record(root.size, number, &stored).unwrap();
            root.check_leaf(number, &leaf(number), &proof).unwrap();
            for other in 0..=root.size {
                let wrong = root.check_leaf(other, &leaf(number), &proof);
                assert!(other == number || wrong.is_err(), "{number} as {other} of {}", root.size);
            }
            assert!(root.check_leaf(number, &leaf(number + 1), &proof).is_err());
            for changed in 0..proof.len() {
                let mut proof = proof.clone();
                proof[changed].0[31] ^= 1;
                assert!(root.check_leaf(number, &leaf(number), &proof).is_err());
            }
            let longer = [proof.clone(), vec![root.hash]].concat();
            assert!(root.check_leaf(number, &leaf(number), &longer).is_err());
            if let Some((_, shorter)) = proof.split_last() {
                assert!(root.check_leaf(number, &leaf(number), shorter).is_err());
            }
        }
    }
}

#[test]
fn every_tree_extends_every_earlier_one_and_no_other() {
    let (stored, roots) = grown();
    for root in &roots {
        for earlier in &roots[..=usize::try_from(root.size).unwrap()] {
            let proof = match earlier.size {
                0 => Vec::new(),
                size => prove_tree(root.size, size, &stored).unwrap(),
            };
            root.check_extends(earlier, &proof).unwrap();
            let mut forked = *earlier;
            forked.hash.0[0] ^= 1;
            assert!(earlier.size == 0 || root.check_extends(&forked, &proof).is_err());
            for changed in 0..proof.len() {
                let mut proof = proof.clone();
                proof[changed].0[0] ^= 1;
                assert!(earlier == root || root.check_extends(earlier, &proof).is_err());
            }
        }
        for later in roots.iter().filter(|later| later.size > root.size && root.size > 0) {
            let proof = prove_tree(later.size, root.size, &stored).unwrap();
            assert!(root.check_extends(later, &proof).is_err(), "a tree extends no later one");
        }
    }
}

#[test]
fn no_size_is_too_large_to_be_refused() {
    let (stored, roots) = grown();
    let proof = prove_record(LARGEST, 3, &stored).unwrap();
    for size in [audit_log::tree::MAX_SIZE + 1, u64::MAX] {
        let root = Root { size, ..roots[5] };
        assert!(root.check_leaf(3, &leaf(3), &proof).is_err());
        assert!(root.check_extends(&roots[4], &proof).is_err());
    }
    let largest = Root { size: audit_log::tree::MAX_SIZE, ..roots[5] };
    assert!(largest.check_leaf(3, &leaf(3), &proof).is_err());
}
