//! What was applied and does not stand on disk yet: two tables in memory, and the thread that writes them.
//!
//! One table fills while the other is written, so whoever applies waits for the disk only when both are full. What
//! changes often is written once. Readers look into both tables before they look at the disk.
//!
//! A table is written in pieces, as a large batch of sled keeps every reader of the process waiting. The order makes
//! the pieces safe: first how far the table goes, then what follows from aggregates, then the
//! aggregates, and the positions last. Cut off in between, the disk holds the positions of the table before: the
//! events behind them are folded again, and what is found written already, up to where the table went, is passed over.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use sled::IVec;

use super::{Batch, Kind};

/// A table of so many bytes is written at once; while both are so large, whoever applies waits.
const FULL_BYTES: usize = 16 << 20;
/// Beside key and value, roughly what an entry takes in a table.
const ENTRY_BYTES: usize = 96;
/// How long a table that is not full waits for more.
const GATHER: Duration = Duration::from_millis(250);
/// Entries of one piece: some milliseconds of sled, in which nobody reads.
const PIECE: usize = 128;
/// Most entries of a table that are settled: some milliseconds of each [`GATHER`].
const SETTLED: usize = 256;
/// How often each of them is asked for.
const SETTLING: usize = 32;

/// By kind and key; `None` takes the entry out.
type Entries = BTreeMap<Vec<u8>, Option<IVec>>;

#[derive(Default)]
pub struct Behind {
    tables: Mutex<Tables>,
    changed: Condvar,
}

#[derive(Default)]
struct Tables {
    filling: Entries,
    filling_bytes: usize,
    writing: Option<Arc<Entries>>,
    /// Somebody waits until everything stands on disk.
    hurried: bool,
    closing: bool,
    /// Why the disk took no more: nothing is taken any more, and what was stays to be read until it is forgotten.
    failed: Option<sled::Error>,
}

impl Tables {
    fn is_empty(&self) -> bool {
        self.filling.is_empty() && self.writing.is_none()
    }

    /// Whether the writing thread has anything to do.
    fn is_due(&self) -> bool {
        self.failed.is_none() && !self.filling.is_empty()
    }

    fn is_full(&self) -> bool {
        self.filling_bytes >= FULL_BYTES
    }

    /// Whether the next table is to be written without gathering more.
    fn is_awaited(&self) -> bool {
        self.is_full() || self.hurried || self.closing
    }

    fn get(&self, key: &[u8]) -> Option<&Option<IVec>> {
        self.filling.get(key).or_else(|| self.writing.as_ref()?.get(key))
    }
}

impl Behind {
    /// Takes the batch: readers see it from now on, all of it. Waits while both tables are full.
    ///
    /// # Errors
    /// When an earlier one could not be written.
    pub fn take(&self, batch: Batch) -> sled::Result<()> {
        let mut tables = self.tables.lock();
        while tables.is_full() && tables.failed.is_none() {
            self.changed.wait(&mut tables);
        }
        if let Some(error) = &tables.failed {
            return Err(error.clone());
        }
        for (key, value) in batch.0 {
            tables.filling_bytes += key.len() + value.as_ref().map_or(0, |value| value.len()) + ENTRY_BYTES;
            tables.filling.insert(key, value);
        }
        self.changed.notify_all();
        Ok(())
    }

    /// What the tables say of a key; `None` when only the disk can tell.
    pub fn get(&self, key: &[u8]) -> Option<Option<IVec>> {
        self.tables.lock().get(key).cloned()
    }

    /// What the tables say of the keys of a range.
    pub fn range(&self, from: &[u8], to: &[u8]) -> Entries {
        if from >= to {
            return Entries::new();
        }
        let tables = self.tables.lock();
        let range = || (std::ops::Bound::Included(from), std::ops::Bound::Excluded(to));
        let copy = |(key, value): (&Vec<u8>, &Option<IVec>)| (key.clone(), value.clone());
        let mut found: Entries = match &tables.writing {
            Some(writing) => writing.range::<[u8], _>(range()).map(copy).collect(),
            None => Entries::new(),
        };
        found.extend(tables.filling.range::<[u8], _>(range()).map(copy));
        found
    }

    /// Waits until everything taken was handed to sled.
    ///
    /// # Errors
    /// When something could not be written.
    pub fn drain(&self) -> sled::Result<()> {
        let mut tables = self.tables.lock();
        while !tables.is_empty() && tables.failed.is_none() {
            tables.hurried = true;
            self.changed.notify_all();
            self.changed.wait(&mut tables);
        }
        tables.failed.clone().map_or(Ok(()), Err)
    }

    /// Forgets what was not written, and that it failed: the store begins anew. What is being written is waited for.
    pub fn forget(&self) {
        let mut tables = self.tables.lock();
        while tables.writing.is_some() && tables.failed.is_none() {
            self.changed.wait(&mut tables);
        }
        *tables = Tables { closing: tables.closing, ..Tables::default() };
    }

    /// Lets the writing thread write what is left, and end.
    pub fn close(&self) {
        self.tables.lock().closing = true;
        self.changed.notify_all();
    }

    /// Writes until closed, on a thread of its own. Some keys of what was written are settled, where nobody waits.
    pub fn write(&self, apply: impl Fn(sled::Batch) -> sled::Result<()>, settle: impl Fn(&[u8])) {
        // Whoever waits for this thread must hear that it is no use.
        let panicked = || sled::Error::ReportableBug("sled panicked".to_owned());
        while let Some(table) = self.next() {
            let write = || pieces(&table).into_iter().try_for_each(&apply);
            let written = catch_unwind(AssertUnwindSafe(write)).unwrap_or_else(|_| Err(panicked()));
            let mut tables = self.tables.lock();
            match written {
                Ok(()) => tables.writing = None,
                Err(error) => tables.failed = Some(error),
            }
            tables.hurried &= !tables.is_empty();
            drop(tables);
            self.changed.notify_all();
            let some = table.keys().step_by(table.len().div_ceil(SETTLED).max(1));
            let some = some.take_while(|_| self.has_time());
            if catch_unwind(AssertUnwindSafe(|| some.for_each(|key| settle(key)))).is_err() {
                self.tables.lock().failed = Some(panicked());
                self.changed.notify_all();
            }
        }
    }

    /// Whether nobody waits for what is written next.
    fn has_time(&self) -> bool {
        let tables = self.tables.lock();
        tables.failed.is_none() && !tables.is_awaited()
    }

    /// The next table to be written, once it is full, has waited long enough, or somebody waits for it.
    fn next(&self) -> Option<Arc<Entries>> {
        let mut tables = self.tables.lock();
        while !tables.is_due() {
            if tables.closing {
                return None;
            }
            self.changed.wait(&mut tables);
        }
        let deadline = Instant::now() + GATHER;
        while !tables.is_awaited() {
            if self.changed.wait_until(&mut tables, deadline).timed_out() {
                break;
            }
        }
        let table = Arc::new(std::mem::take(&mut tables.filling));
        tables.filling_bytes = 0;
        tables.writing = Some(Arc::clone(&table));
        drop(tables);
        self.changed.notify_all();
        Some(table)
    }
}

/// sled looks which pages of its cache to let go only when 64 accesses have come to one of its 256 shares of the pages,
/// whatever the cache may hold; a page that is written is accessed twice or three times, one that is read through once.
/// Asking for such a key again makes it look early; else pages pile up for hours.
pub fn settle(db: &sled::Db, key: &[u8]) {
    for _ in 0..SETTLING {
        // What cannot be read is told to whoever needs it.
        let _ = db.contains_key(key);
    }
}

/// The table as batches, in an order in which it may be cut off between any two.
fn pieces(table: &Entries) -> Vec<sled::Batch> {
    let (mut ahead, mut follows, mut aggregates, mut last) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for entry in table {
        match entry.0.first() {
            Some(kind) if *kind == Kind::Ahead as u8 => ahead.push(entry),
            Some(kind) if *kind == Kind::Aggregate as u8 => aggregates.push(entry),
            Some(kind) if [Kind::Position as u8, Kind::Input as u8].contains(kind) => last.push(entry),
            _ => follows.push(entry),
        }
    }
    let piece = |entries: &[(&Vec<u8>, &Option<IVec>)]| {
        let mut batch = sled::Batch::default();
        for (key, value) in entries {
            match value {
                Some(value) => batch.insert(key.as_slice(), value.clone()),
                None => batch.remove(key.as_slice()),
            }
        }
        batch
    };
    let chunked = follows.chunks(PIECE).chain(aggregates.chunks(PIECE));
    std::iter::once(piece(&ahead)).chain(chunked.map(piece)).chain([piece(&last)]).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::store::prefixed;

    fn batch(entries: &[(Kind, &str, &str)]) -> Batch {
        let mut batch = Batch::default();
        entries.iter().for_each(|(kind, key, value)| batch.put(*kind, key.as_bytes(), value));
        batch
    }

    /// Kinds in the order in which a table's pieces reach the disk.
    #[test]
    fn positions_are_written_last_and_said_first() {
        let mut table = Entries::new();
        let entries = [
            (Kind::Aggregate, "a", "state"),
            (Kind::Ahead, "p", "7"),
            (Kind::Clock, "a", ""),
            (Kind::Input, "t", "1"),
            (Kind::Outcome, "c", "done"),
            (Kind::Position, "p", "7"),
        ];
        table.extend(batch(&entries).0);
        let directory = tempfile::tempdir().unwrap();
        let db = sled::open(directory.path()).unwrap();
        let kinds =
            |db: &sled::Db| -> String { db.iter().keys().map(|key| char::from(key.unwrap()[0])).collect() };
        let mut seen = Vec::new();
        for piece in pieces(&table) {
            db.apply_batch(piece).unwrap();
            seen.push(kinds(&db));
        }
        assert_eq!(seen, ["b", "bdo", "abdo", "abdiop"]);
    }

    #[test]
    fn what_could_not_be_written_stays_to_be_read_until_it_is_forgotten() {
        let behind = Behind::default();
        let fails = |_| Err(sled::Error::Unsupported("a full disk".to_owned()));
        behind.take(batch(&[(Kind::Index, "k", "v")])).unwrap();
        let key = prefixed(Kind::Index, b"k");
        std::thread::scope(|scope| {
            let writing = scope.spawn(|| behind.write(fails, |_| {}));
            assert!(behind.drain().is_err());
            assert!(behind.take(batch(&[(Kind::Index, "l", "w")])).is_err(), "nothing is taken any more");
            assert_eq!(behind.get(&key).unwrap().unwrap(), "v");
            behind.forget();
            assert!(behind.get(&key).is_none());
            behind.close();
            writing.join().unwrap();
        });
    }

    #[test]
    fn whoever_fills_both_tables_waits_and_a_panic_is_told() {
        let behind = Behind::default();
        let large = "x".repeat(FULL_BYTES);
        let calls = AtomicUsize::new(0);
        let apply = |_| {
            assert!(calls.fetch_add(1, Ordering::Relaxed) < 3, "sled fails in the second table");
            Ok(())
        };
        std::thread::scope(|scope| {
            let writing = scope.spawn(|| behind.write(apply, |_| {}));
            let taken =
                (0..4).take_while(|_| behind.take(batch(&[(Kind::Index, "k", &large)])).is_ok()).count();
            assert!((1..4).contains(&taken), "{taken}");
            behind.close();
            writing.join().unwrap();
        });
    }

    #[test]
    fn some_of_what_was_written_is_settled_unless_the_process_ends() {
        let settled = AtomicUsize::new(0);
        let settle = |_: &[u8]| {
            settled.fetch_add(1, Ordering::Relaxed);
        };
        let keys: Vec<String> = (0..=SETTLED * 2).map(|key| key.to_string()).collect();
        let entries: Vec<_> = keys.iter().map(|key| (Kind::Index, key.as_str(), "v")).collect();
        let (going_on, ending) = (Behind::default(), Behind::default());
        std::thread::scope(|scope| {
            going_on.take(batch(&entries)).unwrap();
            let writing = scope.spawn(|| going_on.write(|_| Ok(()), settle));
            while settled.load(Ordering::Relaxed) < keys.len().div_ceil(3) {
                std::thread::yield_now();
            }
            going_on.close();
            writing.join().unwrap();
        });
        ending.take(batch(&entries)).unwrap();
        ending.close();
        ending.write(|_| Ok(()), settle);
        assert!(ending.tables.lock().is_empty());
        assert_eq!(settled.into_inner(), keys.len().div_ceil(3));
    }
}
