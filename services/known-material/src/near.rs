//! Digests of pictures within a Hamming distance of another: an index that misses none.
//!
//! A digest of 256 bits is sixteen parts of sixteen bits. If two digests differ in at most [`MAX_DISTANCE`] = 31 bits,
//! then in at least one of the parts they differ in at most one bit: else every part would differ in two, and the whole
//! in 32. So there is a table for each part, from its 65,536 values to the digests that have it there, and a lookup
//! looks into seventeen buckets of each: the part's own, and those one bit away. Whatever is found there is compared
//! whole. Nothing is estimated, and nothing depends on how digests are spread: digests that crowd in one bucket make a
//! lookup slower, never wrong. (Multi-index hashing: Norouzi, Punjani, Fleet, "Fast Exact Search in Hamming Space with
//! Multi-Index Hashing", 2014.)
//!
//! What is added after the tables were made waits in a list that is compared one by one, until it is long enough for
//! new tables.

use crate::digest::Pdq;

/// The largest distance that can be asked for, in bits. PDQ's own documentation takes 31 for a match.
pub const MAX_DISTANCE: u32 = 31;

const PARTS: usize = 16;
const PART_BITS: u32 = 16;
const VALUES: usize = 1 << PART_BITS;
/// So many digests wait for new tables; more where the tables hold many already.
const FEW: usize = 4_096;
/// Or this share of the tables: then each digest is put into tables a few times only, however many there are.
const SHARE: usize = 8;

/// A digest that is near, by its number, and how near.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Near {
    pub distance: u32,
    /// The number that the digest was given when it was added.
    pub number: u32,
}

/// Digests by number, and tables to find them by.
#[derive(Default)]
pub struct NearIndex {
    digests: Vec<Pdq>,
    removed: Vec<bool>,
    tables: Vec<Table>,
    /// How many digests stand in the tables: those before.
    tabled: usize,
}

/// From a part's value to the digests that have it, one value after the other.
struct Table {
    /// Where the digests of each value begin.
    begins: Box<[u32]>,
    /// The digests themselves, so that a bucket is read without jumping about, and their numbers.
    digests: Box<[Pdq]>,
    numbers: Box<[u32]>,
}

impl NearIndex {
    /// # Panics
    /// When there are more digests than a `u32` counts.
    pub fn of(digests: impl IntoIterator<Item = Pdq>) -> Self {
        let digests: Vec<Pdq> = digests.into_iter().collect();
        let mut index = Self { removed: vec![false; digests.len()], digests, ..Self::default() };
        index.make_tables();
        index
    }

    /// Adds a digest; its number.
    ///
    /// # Panics
    /// When there are more digests than a `u32` counts.
    pub fn add(&mut self, digest: Pdq) -> u32 {
        let number =
            u32::try_from(self.digests.len()).expect("an index holds as many digests as a u32 counts");
        self.digests.push(digest);
        self.removed.push(false);
        if self.digests.len() - self.tabled > FEW.max(self.tabled / SHARE) {
            self.make_tables();
        }
        number
    }

    /// Takes a digest out. Its number is given to no other.
    pub fn remove(&mut self, number: u32) {
        if let Some(removed) = self.removed.get_mut(number as usize) {
            *removed = true;
        }
    }

    /// How many digests were ever added.
    pub fn len(&self) -> usize {
        self.digests.len()
    }

    pub fn is_empty(&self) -> bool {
        self.digests.is_empty()
    }

    /// All digests within the distance of one, nearest first.
    ///
    /// # Panics
    /// When the distance is above [`MAX_DISTANCE`].
    pub fn within(&self, digest: &Pdq, distance: u32) -> Vec<Near> {
        assert!(distance <= MAX_DISTANCE, "an index answers up to a distance of {MAX_DISTANCE}");
        let mut found = Vec::new();
        for (part, table) in self.tables.iter().enumerate() {
            let value = digest.part(part);
            table.gather(value, digest, distance, part, &mut found);
            for bit in 0..PART_BITS {
                table.gather(value ^ (1 << bit), digest, distance, part, &mut found);
            }
        }
        for (number, other) in self.digests.iter().enumerate().skip(self.tabled) {
            let apart = digest.distance(other);
            if apart <= distance {
                found.push(Near { distance: apart, number: number as u32 });
            }
        }
        found.retain(|near| !self.removed[near.number as usize]);
        found.sort_unstable();
        found
    }

    /// What digests and tables take, in bytes.
    pub fn bytes(&self) -> usize {
        let each = size_of::<Pdq>() + size_of::<bool>();
        let tables = self.tables.iter().map(|table| {
            size_of_val(&*table.begins) + size_of_val(&*table.digests) + size_of_val(&*table.numbers)
        });
        self.digests.len() * each + tables.sum::<usize>()
    }

    fn make_tables(&mut self) {
        self.tables = (0..PARTS).map(|part| Table::of(&self.digests, part)).collect();
        self.tabled = self.digests.len();
    }
}

impl Table {
    fn of(digests: &[Pdq], part: usize) -> Self {
        let mut begins = vec![0; VALUES + 1].into_boxed_slice();
        for digest in digests {
            begins[digest.part(part) as usize + 1] += 1;
        }
        for value in 0..VALUES {
            begins[value + 1] += begins[value];
        }
        let mut next = begins.clone();
        let mut sorted = vec![Pdq::default(); digests.len()].into_boxed_slice();
        let mut numbers = vec![0; digests.len()].into_boxed_slice();
        for (number, digest) in (0..).zip(digests) {
            let place = &mut next[digest.part(part) as usize];
            (sorted[*place as usize], numbers[*place as usize]) = (*digest, number);
            *place += 1;
        }
        Self { begins, digests: sorted, numbers }
    }

    /// What of a bucket is near, and was not found by a part before.
    fn gather(&self, value: u16, digest: &Pdq, distance: u32, part: usize, found: &mut Vec<Near>) {
        let value = value as usize;
        let bucket = self.begins[value] as usize..self.begins[value + 1] as usize;
        for (other, number) in self.digests[bucket.clone()].iter().zip(&self.numbers[bucket]) {
            let apart = digest.distance(other);
            if apart <= distance && !found_before(digest, other, part) {
                found.push(Near { distance: apart, number: *number });
            }
        }
    }
}

/// Whether a part before this one differs in at most one bit: then it was found there.
fn found_before(digest: &Pdq, other: &Pdq, part: usize) -> bool {
    (0..part).any(|before| (digest.part(before) ^ other.part(before)).count_ones() <= 1)
}
