//! Inputs: a seed of the corpus with some changes, each of which can be taken back when a failure is shrunk.

use std::fmt;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::seeds::Corpus;

/// Larger ones are cut: what grows with the input shows at this size.
const MAX_BYTES: usize = 64 * 1024;
const MAX_CHANGES: usize = 8;
/// How often a piece is repeated at most.
const MAX_TIMES: usize = 256;
/// So much of a failing input is shown.
const SHOWN_BYTES: usize = 4 * 1024;

#[derive(Clone)]
pub struct Input(pub Vec<u8>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.0[..self.0.len().min(SHOWN_BYTES)];
        write!(f, "{} bytes: {}", self.0.len(), shown.escape_ascii())
    }
}

#[derive(Clone, Debug)]
enum Change {
    Set {
        at: Index,
        byte: u8,
    },
    Flip {
        at: Index,
        bit: u8,
    },
    Cut {
        at: Index,
        length: u16,
    },
    End {
        at: Index,
    },
    /// One of the words that mean something to the reader.
    Insert {
        at: Index,
        word: Index,
    },
    Repeat {
        at: Index,
        length: u8,
        times: usize,
    },
    /// A piece of another seed.
    Splice {
        at: Index,
        seed: Index,
        from: Index,
        length: u16,
    },
}

pub fn inputs(corpus: Corpus) -> impl Strategy<Value = Input> {
    let corpus = Arc::new(corpus);
    (any::<Index>(), vec(change(), 0..MAX_CHANGES)).prop_map(move |(seed, changes)| {
        let mut bytes = seed.get(&corpus.seeds).clone();
        changes.into_iter().for_each(|change| apply(change, &mut bytes, &corpus));
        Input(bytes)
    })
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        1 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Set { at, byte }),
        1 => (at(), 0..8u8).prop_map(|(at, bit)| Change::Flip { at, bit }),
        1 => (at(), 0..64u16).prop_map(|(at, length)| Change::Cut { at, length }),
        1 => at().prop_map(|at| Change::End { at }),
        4 => (at(), at()).prop_map(|(at, word)| Change::Insert { at, word }),
        2 => (at(), 1..64u8, 2..MAX_TIMES).prop_map(|(at, length, times)| Change::Repeat { at, length, times }),
        2 => (at(), at(), at(), 1..512u16)
            .prop_map(|(at, seed, from, length)| Change::Splice { at, seed, from, length }),
    ]
}

fn apply(change: Change, bytes: &mut Vec<u8>, corpus: &Corpus) {
    let length = bytes.len();
    let piece = |bytes: &[u8], from: usize, length: usize| {
        bytes.iter().skip(from).take(length).copied().collect::<Vec<u8>>()
    };
    match change {
        Change::Set { at, byte } if length > 0 => bytes[at.index(length)] = byte,
        Change::Flip { at, bit } if length > 0 => bytes[at.index(length)] ^= 1 << bit,
        Change::Set { .. } | Change::Flip { .. } => {}
        Change::Cut { at, length: cut } => {
            let at = at.index(length + 1);
            bytes.drain(at..length.min(at + usize::from(cut)));
        }
        Change::End { at } => bytes.truncate(at.index(length + 1)),
        Change::Insert { at, word } => insert(bytes, at, word.get(corpus.words).as_bytes()),
        Change::Repeat { at, length: of, times } => {
            let repeated = piece(bytes, at.index(length + 1), usize::from(of)).repeat(times);
            insert(bytes, at, &repeated);
        }
        Change::Splice { at, seed, from, length: of } => {
            let other = seed.get(&corpus.seeds);
            insert(bytes, at, &piece(other, from.index(other.len() + 1), usize::from(of)));
        }
    }
    bytes.truncate(MAX_BYTES);
}

fn insert(bytes: &mut Vec<u8>, at: Index, piece: &[u8]) {
    let at = at.index(bytes.len() + 1);
    bytes.splice(at..at, piece.iter().copied());
}
