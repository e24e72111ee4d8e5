//! The cache on disk: sled behind one wrapper, so that losing it costs a rebuild and never a start.
//!
//! One tree, keys with a one-byte prefix per kind. A batch is seen at once and whole by every reader, and written
//! to disk a little later ([`behind`]). Whenever the process ends, positions on disk never say more than what stands
//! beside them. A store that does not open, or was written by another build's layout, is set aside and begun anew.

mod behind;
mod known;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use schemas::digest;
use sha2::{Digest, Sha256};
use sled::IVec;
use tracing::{error, info};

use crate::meters;
use crate::problem::chain;
use behind::Behind;
use known::KnownKeys;

/// The kinds of key, as the first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// aggregate id → aggregate
    Aggregate = b'a',
    /// partition → how far the aggregates may be ahead of its position, if writing was cut off
    Ahead = b'b',
    /// due time, partition, aggregate id → nothing
    Clock = b'd',
    /// input topic, partition → offset of the last input answered
    Input = b'i',
    /// layout → digest of the program that wrote the store
    Layout = b'l',
    /// command id → outcome
    Outcome = b'o',
    /// partition → next offset of the own event topic
    Position = b'p',
    /// the service's own index
    Index = b'x',
}

/// What stands in the store is of the build that wrote it: a state's form may change with every line of a domain, and
/// one that was forgotten would be decided on. So the layout is the program's own digest.
static LAYOUT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    // A program that cannot read itself keeps no store: each start folds from the topic.
    digest_of_program().unwrap_or_else(|_| rand::random::<[u8; 32]>().to_vec())
});

fn digest_of_program() -> std::io::Result<Vec<u8>> {
    let mut program = BufReader::with_capacity(1 << 20, File::open(std::env::current_exe()?)?);
    let mut digest = Sha256::new();
    loop {
        let bytes = program.fill_buf()?;
        if bytes.is_empty() {
            return Ok(digest.finalize().to_vec());
        }
        digest.update(bytes);
        let read = bytes.len();
        program.consume(read);
    }
}

/// Memory for a store that is only read through once.
const READ_CACHE_BYTES: u64 = 16 << 20;

/// How long the process before this one may hold the store: longer than it drains.
const LOCK_WAIT: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Stores set aside that are kept to be looked at.
const KEPT_ASIDE: usize = 3;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the store {0} is in use by another process: each instance needs a path of its own")]
    InUse(PathBuf),
    #[error("{0} holds no store of this build")]
    None(PathBuf),
    #[error("failed to prepare the store directory {path}")]
    Directory { path: PathBuf, source: std::io::Error },
    #[error("failed to read from the store")]
    Read(#[source] sled::Error),
    #[error("failed to write to the store")]
    Write(#[source] sled::Error),
    #[error("failed to open the store {path}")]
    Open { path: PathBuf, source: sled::Error },
    #[error("an entry of the store does not decode")]
    Decode(#[source] postcard::Error),
    #[error("failed to start the thread that writes the store")]
    Thread(#[source] std::io::Error),
}

/// A set of writes that is seen whole or not at all.
#[derive(Default)]
pub struct Batch(Vec<(Vec<u8>, Option<IVec>)>);

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn put(&mut self, kind: Kind, key: &[u8], value: impl AsRef<[u8]>) {
        self.0.push((prefixed(kind, key), Some(value.as_ref().into())));
    }

    pub fn delete(&mut self, kind: Kind, key: &[u8]) {
        self.0.push((prefixed(kind, key), None));
    }
}

/// Cheap to clone. What was applied stands on disk once the last clone is gone.
#[derive(Clone)]
pub struct Store {
    open: Arc<Open>,
}

struct Open {
    disk: Arc<Disk>,
    /// Writes what was applied, until closed.
    writer: Option<JoinHandle<()>>,
}

struct Disk {
    /// Another one after [`Store::renew`], for every clone.
    db: RwLock<sled::Db>,
    behind: Behind,
    known: Mutex<KnownKeys>,
    path: PathBuf,
    cache_bytes: u64,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.disk.behind.close();
        if let Some(writer) = self.writer.take() {
            // One that panicked has left the store as a crash would.
            let _ = writer.join();
        }
    }
}

impl Store {
    /// Opens the store, or sets it aside and begins a new one.
    ///
    /// # Errors
    /// When not even an empty store can be made: the directory is read-only or the disk is full.
    pub fn open(path: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        let aside = |reason| Self::of(anew(path, cache_bytes, reason)?, path, cache_bytes);
        let opened = open_unlocked(path, cache_bytes).and_then(|db| Ok((layout(&db)?, db)));
        match opened {
            Ok((Some(layout), db)) if layout == *LAYOUT => {
                Self::of(db, path, cache_bytes).or_else(|_| aside("it cannot be read"))
            }
            Ok((None, db)) if db.is_empty() => Self::of(begun(db)?, path, cache_bytes),
            Ok((_, db)) => {
                drop(db);
                aside("it was written by another build")
            }
            Err(error @ StoreError::InUse(_)) => Err(error),
            Err(error) if path.exists() => {
                error!(path = %path.display(), error = %chain(&error), "failed to open the store");
                aside("it does not open")
            }
            Err(error) => Err(error),
        }
    }

    /// Opens a store that is there and of this build's layout, to be read.
    ///
    /// # Errors
    /// When there is none, or another process has it open.
    pub fn existing(path: &Path) -> Result<Self, StoreError> {
        if !path.join("conf").is_file() {
            return Err(StoreError::None(path.to_owned()));
        }
        let db = try_open(path, READ_CACHE_BYTES)?;
        match layout(&db)? {
            Some(layout) if layout == *LAYOUT => Self::of(db, path, READ_CACHE_BYTES),
            _ => Err(StoreError::None(path.to_owned())),
        }
    }

    fn of(db: sled::Db, path: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        let known = Mutex::new(KnownKeys::read(&db)?);
        let (db, behind, path) = (RwLock::new(db), Behind::default(), path.to_owned());
        let disk = Arc::new(Disk { db, behind, known, path, cache_bytes });
        let writing = Arc::clone(&disk);
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                let disk = &*writing;
                disk.behind
                    .write(|batch| disk.db().apply_batch(batch), |key| behind::settle(&disk.db(), key));
            })
            .map_err(StoreError::Thread)?;
        Ok(Self { open: Arc::new(Open { disk, writer: Some(writer) }) })
    }

    /// Sets the store aside while it is open, and goes on with an empty one: after a write that failed, this one takes
    /// none again, and emptying one piece by piece could be cut off. What was set aside before gives up its room first,
    /// since the disk may be full.
    ///
    /// # Errors
    /// When not even an empty store can be made.
    pub fn renew(&self) -> Result<(), StoreError> {
        let disk = &*self.open.disk;
        disk.behind.forget();
        let mut db = disk.db.write();
        for (_, old) in asides(&disk.path) {
            // One that cannot be removed only takes room.
            let _ = std::fs::remove_dir_all(old);
        }
        *disk.known.lock() = KnownKeys::default();
        *db = if disk.path.exists() {
            anew(&disk.path, disk.cache_bytes, "it takes no more writes, or contradicts its topic")?
        } else {
            begun(try_open(&disk.path, disk.cache_bytes)?)?
        };
        Ok(())
    }

    /// # Errors
    /// When the disk does not give the value.
    pub fn get(&self, kind: Kind, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let key = prefixed(kind, key);
        let disk = &*self.open.disk;
        let value = match disk.behind.get(&key) {
            Some(applied) => applied,
            None if !disk.known.lock().may_hold(kind, &key) => None,
            None => disk.db().get(key).map_err(StoreError::Read)?,
        };
        Ok(value.map(|value| value.to_vec()))
    }

    /// Every reader sees the batch from now on; it is on disk a little later.
    ///
    /// # Errors
    /// When an earlier batch could not be written; then none of this is taken.
    pub fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        let disk = &*self.open.disk;
        {
            let mut known = disk.known.lock();
            batch.0.iter().for_each(|(key, _)| known.add(key));
        }
        disk.behind.take(batch).map_err(StoreError::Write)
    }

    /// Entries of a kind with `from <= key < to`, in key order, without the kind's byte.
    pub fn range(
        &self,
        kind: Kind,
        from: &[u8],
        to: &[u8],
    ) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> + use<> {
        self.between(prefixed(kind, from), prefixed(kind, to))
    }

    /// Every entry of a kind, in key order.
    pub fn all(&self, kind: Kind) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> + use<> {
        self.between(prefixed(kind, &[]), after_prefix(&[kind as u8]))
    }

    /// The tables are asked first: what leaves them meanwhile stands on disk.
    fn between(
        &self,
        from: Vec<u8>,
        to: Vec<u8>,
    ) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> + use<> {
        let applied = self.open.disk.behind.range(&from, &to).into_iter().peekable();
        // sled takes a range that ends before it begins for a fault of its caller.
        let written = (from < to).then(|| self.open.disk.db().range(from..to));
        Merged { applied, written: written.into_iter().flatten().peekable() }
            .map(|entry| entry.map(|(key, value)| (key[1..].to_vec(), value.to_vec())))
    }

    /// Waits until everything applied is on disk.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.open.disk.behind.drain().map_err(StoreError::Write)?;
        self.open.disk.db().flush().map(|_| ()).map_err(StoreError::Write)
    }

    /// SHA-256 over the entries of each kind in key order: two stores that say the same have the same digests. That of
    /// `chains` is over id, last sequence and last digest of each aggregate, so that whoever reads the topic alone can
    /// say it as well.
    ///
    /// # Errors
    /// When the disk does not give an entry.
    pub fn digests(&self) -> Result<BTreeMap<&'static str, String>, StoreError> {
        let kinds = [
            ("aggregates", Kind::Aggregate),
            ("clocks", Kind::Clock),
            ("inputs", Kind::Input),
            ("outcomes", Kind::Outcome),
            ("positions", Kind::Position),
            ("index", Kind::Index),
        ];
        let digest = |(name, kind)| {
            let mut parts = Vec::new();
            for entry in self.all(kind) {
                let (key, value) = entry?;
                parts.push(digest::sha256(&[&key, &value]));
            }
            let parts: Vec<&[u8]> = parts.iter().map(<[u8; 32]>::as_slice).collect();
            Ok((name, hex::encode(digest::sha256(&parts))))
        };
        kinds.into_iter().map(digest).chain([self.chains().map(|chains| ("chains", chains))]).collect()
    }

    fn chains(&self) -> Result<String, StoreError> {
        let mut parts: Vec<Vec<u8>> = Vec::new();
        for entry in self.all(Kind::Aggregate) {
            let (id, aggregate) = entry?;
            // The fields that every aggregate begins with.
            let (sequence, last): (i64, Vec<u8>) =
                postcard::take_from_bytes(&aggregate).map_err(StoreError::Decode)?.0;
            parts.extend([id, sequence.to_be_bytes().to_vec(), last]);
        }
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        Ok(hex::encode(digest::sha256(&parts)))
    }

    pub fn path(&self) -> &Path {
        &self.open.disk.path
    }
}

impl Disk {
    fn db(&self) -> sled::Db {
        self.db.read().clone()
    }
}

/// Entries of the tables over those of the disk, in key order.
struct Merged<A: Iterator, W: Iterator> {
    applied: Peekable<A>,
    written: Peekable<W>,
}

impl<A, W> Iterator for Merged<A, W>
where
    A: Iterator<Item = (Vec<u8>, Option<IVec>)>,
    W: Iterator<Item = sled::Result<(IVec, IVec)>>,
{
    type Item = Result<(IVec, IVec), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let from_disk = match (self.applied.peek(), self.written.peek()) {
                (None, None) => return None,
                (None, Some(_)) | (_, Some(Err(_))) => true,
                (Some(_), None) => false,
                (Some((applied, _)), Some(Ok((written, _)))) => match written.as_ref().cmp(applied) {
                    Ordering::Less => true,
                    Ordering::Greater => false,
                    Ordering::Equal => {
                        self.written.next();
                        false
                    }
                },
            };
            if from_disk {
                return self.written.next().map(|entry| entry.map_err(StoreError::Read));
            }
            if let Some((key, Some(value))) = self.applied.next() {
                return Some(Ok((key.into(), value)));
            }
        }
    }
}

/// Waits for whoever has it open: the process before this one may still be draining. A store in use is not broken.
fn open_unlocked(path: &Path, cache_bytes: u64) -> Result<sled::Db, StoreError> {
    let deadline = Instant::now() + LOCK_WAIT;
    loop {
        match try_open(path, cache_bytes) {
            Err(StoreError::Open { source, .. }) if is_locked(&source) => {
                if Instant::now() > deadline {
                    return Err(StoreError::InUse(path.to_owned()));
                }
                std::thread::sleep(LOOK_AGAIN);
            }
            opened => return opened,
        }
    }
}

fn try_open(path: &Path, cache_bytes: u64) -> Result<sled::Db, StoreError> {
    std::fs::create_dir_all(path)
        .map_err(|source| StoreError::Directory { path: path.to_owned(), source })?;
    sled::Config::default()
        .path(path)
        .cache_capacity(cache_bytes)
        .mode(sled::Mode::HighThroughput)
        .open()
        .map_err(|source| StoreError::Open { path: path.to_owned(), source })
}

/// Moves what is there out of the way: an operator may want to look at it, nothing here needs it.
fn anew(path: &Path, cache_bytes: u64, reason: &str) -> Result<sled::Db, StoreError> {
    let aside = free_name_beside(path);
    info!(path = %path.display(), aside = %aside.display(), reason, "store set aside, rebuilding from the topic");
    std::fs::rename(path, &aside).map_err(|source| StoreError::Directory { path: aside, source })?;
    meters::store_set_aside(path);
    forget_old_asides(path);
    begun(try_open(path, cache_bytes)?)
}

/// An empty store, of this build's layout from now on.
fn begun(db: sled::Db) -> Result<sled::Db, StoreError> {
    db.insert(prefixed(Kind::Layout, b""), LAYOUT.as_slice()).map_err(StoreError::Write)?;
    Ok(db)
}

fn layout(db: &sled::Db) -> Result<Option<IVec>, StoreError> {
    db.get(prefixed(Kind::Layout, b"")).map_err(StoreError::Read)
}

/// The key after every key that begins with `prefix`: the upper end of a range over a prefix.
pub fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    vec![u8::MAX; 8]
}

fn prefixed(kind: Kind, key: &[u8]) -> Vec<u8> {
    let mut prefixed = Vec::with_capacity(key.len() + 1);
    prefixed.push(kind as u8);
    prefixed.extend_from_slice(key);
    prefixed
}

fn free_name_beside(path: &Path) -> PathBuf {
    let next = asides(path).last().map_or(1, |(number, _)| number + 1);
    PathBuf::from(format!("{}.aside-{next}", path.display()))
}

/// What was set aside of a store, oldest first.
fn asides(path: &Path) -> Vec<(u64, PathBuf)> {
    let prefix = format!("{}.aside-", path.file_name().unwrap_or_default().to_string_lossy());
    let beside =
        path.parent().and_then(|parent| std::fs::read_dir(parent).ok()).into_iter().flatten().flatten();
    let number = |name: &str| name.strip_prefix(&prefix)?.parse().ok();
    let found =
        beside.filter_map(|entry| Some((number(&entry.file_name().to_string_lossy())?, entry.path())));
    let mut found: Vec<(u64, PathBuf)> = found.collect();
    found.sort();
    found
}

/// One that cannot be removed only takes room.
fn forget_old_asides(path: &Path) {
    let asides = asides(path);
    for (_, old) in asides.iter().take(asides.len().saturating_sub(KEPT_ASIDE)) {
        let _ = std::fs::remove_dir_all(old);
    }
}

/// sled says so in words alone.
fn is_locked(error: &sled::Error) -> bool {
    error.to_string().contains("could not acquire lock")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
mod tests {
    use super::*;

    const CACHE: u64 = 1 << 20;

    #[test]
    fn a_broken_store_is_set_aside_and_begun_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("routing");
        let store = Store::open(&path, CACHE).unwrap();
        let mut batch = Batch::default();
        batch.put(Kind::Aggregate, b"x", b"y");
        store.apply(batch).unwrap();
        store.flush().unwrap();
        drop(store);
        assert_eq!(Store::open(&path, CACHE).unwrap().get(Kind::Aggregate, b"x").unwrap().unwrap(), b"y");

        let blob = path.join("db");
        let mut bytes = std::fs::read(&blob).unwrap();
        for byte in bytes.iter_mut().take(4096) {
            *byte ^= 0x5a;
        }
        std::fs::write(&blob, bytes).unwrap();
        let rebuilt = Store::open(&path, CACHE).unwrap();
        assert_eq!(rebuilt.get(Kind::Aggregate, b"x").unwrap(), None);
        assert!(directory.path().join("routing.aside-1").exists());
    }

    #[test]
    fn a_store_in_use_is_waited_for_and_not_set_aside() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("routing");
        let store = Store::open(&path, CACHE).unwrap();
        let mut batch = Batch::default();
        batch.put(Kind::Aggregate, b"x", b"y");
        store.apply(batch).unwrap();
        let release = std::thread::spawn(move || {
            std::thread::sleep(LOOK_AGAIN * 3);
            drop(store);
        });
        let next = Store::open(&path, CACHE).unwrap();
        assert_eq!(next.get(Kind::Aggregate, b"x").unwrap().unwrap(), b"y");
        assert!(asides(&path).is_empty());
        release.join().unwrap();
    }

    #[test]
    fn a_renewed_store_is_empty_for_every_clone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("routing");
        let (store, mut batch) = (Store::open(&path, CACHE).unwrap(), Batch::default());
        let clone = store.clone();
        batch.put(Kind::Aggregate, b"x", b"y");
        store.apply(batch).unwrap();
        clone.renew().unwrap();
        assert_eq!(store.get(Kind::Aggregate, b"x").unwrap(), None);
        let mut batch = Batch::default();
        batch.put(Kind::Aggregate, b"x", b"z");
        store.apply(batch).unwrap();
        drop((store, clone));
        assert_eq!(Store::open(&path, CACHE).unwrap().get(Kind::Aggregate, b"x").unwrap().unwrap(), b"z");
    }

    #[test]
    fn only_the_last_stores_set_aside_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("routing");
        for _ in 0..KEPT_ASIDE + 2 {
            std::fs::create_dir_all(&path).unwrap();
            drop(anew(&path, CACHE, "a test").unwrap());
        }
        let numbers: Vec<u64> = asides(&path).into_iter().map(|(number, _)| number).collect();
        assert_eq!(numbers, [3, 4, 5]);
    }

    #[test]
    fn what_is_applied_stands_over_what_is_on_disk() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("s"), CACHE).unwrap();
        let apply = |entries: &[(&[u8], Option<&[u8]>)]| {
            let mut batch = Batch::default();
            for (key, value) in entries {
                match value {
                    Some(value) => batch.put(Kind::Index, key, value),
                    None => batch.delete(Kind::Index, key),
                }
            }
            store.apply(batch).unwrap();
        };
        apply(&[(b"a", Some(b"1")), (b"b", Some(b"1")), (b"d", Some(b"1"))]);
        store.flush().unwrap();
        apply(&[(b"b", None), (b"c", Some(b"2")), (b"d", Some(b"2"))]);
        let all = || store.all(Kind::Index).map(|entry| entry.unwrap()).collect::<Vec<_>>();
        let pair = |key: &[u8], value: &[u8]| (key.to_vec(), value.to_vec());
        let expected = [pair(b"a", b"1"), pair(b"c", b"2"), pair(b"d", b"2")];
        assert_eq!(all(), expected);
        assert_eq!(store.get(Kind::Index, b"b").unwrap(), None);
        store.flush().unwrap();
        assert_eq!(all(), expected);
        assert_eq!(store.range(Kind::Index, b"d", b"b").count(), 0, "a range that ends before it begins");
    }

    #[test]
    fn ranges_keep_to_their_kind() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("s"), CACHE).unwrap();
        let mut batch = Batch::default();
        batch.put(Kind::Index, b"a1", b"1");
        batch.put(Kind::Index, b"a2", b"2");
        batch.put(Kind::Index, b"b1", b"3");
        batch.put(Kind::Position, b"a3", b"4");
        store.apply(batch).unwrap();
        let found: Vec<_> =
            store.range(Kind::Index, b"a", &after_prefix(b"a")).map(|entry| entry.unwrap().1).collect();
        assert_eq!(found, [b"1", b"2"]);
    }
}
