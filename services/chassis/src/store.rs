//! The cache on disk: sled behind one wrapper, so that losing it costs a rebuild and never a start.
//!
//! One tree, keys with a one-byte prefix per kind, and one atomic batch per apply: positions and what they
//! stand for are always written together. A store that does not open, or was written by another build's
//! layout, is set aside and begun anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::RwLock;
use schemas::digest;
use tracing::{error, info};

use crate::problem::chain;

/// The kinds of key, as the first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// aggregate id → aggregate
    Aggregate = b'a',
    /// due time, partition, aggregate id, clock name → nothing
    Clock = b'd',
    /// input topic, partition → offset of the last input answered
    Input = b'i',
    /// layout → version
    Layout = b'l',
    /// command id → outcome
    Outcome = b'o',
    /// partition → next offset of the own event topic
    Position = b'p',
    /// the service's own index
    Index = b'x',
}

/// Raised with every change to what stands in the store or to a state's form.
const LAYOUT: u32 = 5;

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
}

/// An atomic set of writes.
#[derive(Default)]
pub struct Batch(sled::Batch);

impl Batch {
    pub fn put(&mut self, kind: Kind, key: &[u8], value: impl Into<Vec<u8>>) {
        self.0.insert(prefixed(kind, key), value.into());
    }

    pub fn delete(&mut self, kind: Kind, key: &[u8]) {
        self.0.remove(prefixed(kind, key));
    }
}

#[derive(Clone)]
pub struct Store {
    /// Another one after [`Store::renew`], for every clone.
    db: Arc<RwLock<sled::Db>>,
    path: PathBuf,
    cache_bytes: u64,
}

impl Store {
    /// Opens the store, or sets it aside and begins a new one.
    ///
    /// # Errors
    /// When not even an empty store can be made: the directory is read-only or the disk is full.
    pub fn open(path: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        match Self::open_unlocked(path, cache_bytes) {
            Ok(store) if store.layout()? == Some(LAYOUT) => Ok(store),
            Ok(store) if store.db().is_empty() => store.begin(),
            Ok(store) => {
                drop(store);
                Self::anew(path, cache_bytes, "it was written by another build's layout")
            }
            Err(error @ StoreError::InUse(_)) => Err(error),
            Err(error) if path.exists() => {
                error!(path = %path.display(), error = %chain(&error), "failed to open the store");
                Self::anew(path, cache_bytes, "it does not open")
            }
            Err(error) => Err(error),
        }
    }

    /// Waits for whoever has it open: the process before this one may still be draining. A store in use is not broken.
    fn open_unlocked(path: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        let deadline = Instant::now() + LOCK_WAIT;
        loop {
            match Self::try_open(path, cache_bytes) {
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

    /// Opens a store that is there and of this build's layout, to be read.
    ///
    /// # Errors
    /// When there is none, or another process has it open.
    pub fn existing(path: &Path) -> Result<Self, StoreError> {
        if !path.join("conf").is_file() {
            return Err(StoreError::None(path.to_owned()));
        }
        let store = Self::try_open(path, READ_CACHE_BYTES)?;
        if store.layout()? == Some(LAYOUT) { Ok(store) } else { Err(StoreError::None(path.to_owned())) }
    }

    fn try_open(path: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        std::fs::create_dir_all(path)
            .map_err(|source| StoreError::Directory { path: path.to_owned(), source })?;
        let db = sled::Config::default()
            .path(path)
            .cache_capacity(cache_bytes)
            .mode(sled::Mode::HighThroughput)
            .open()
            .map_err(|source| StoreError::Open { path: path.to_owned(), source })?;
        Ok(Self { db: Arc::new(RwLock::new(db)), path: path.to_owned(), cache_bytes })
    }

    /// Moves what is there out of the way: an operator may want to look at it, nothing here needs it.
    fn anew(path: &Path, cache_bytes: u64, reason: &str) -> Result<Self, StoreError> {
        let aside = free_name_beside(path);
        info!(path = %path.display(), aside = %aside.display(), reason, "store set aside, rebuilding from the topic");
        std::fs::rename(path, &aside).map_err(|source| StoreError::Directory { path: aside, source })?;
        forget_old_asides(path);
        Self::try_open(path, cache_bytes)?.begin()
    }

    /// Sets the store aside while it is open, and goes on with a new one: after a write that failed, this one takes
    /// none again. What was set aside before gives up its room first, since the disk may be full.
    ///
    /// # Errors
    /// When not even an empty store can be made.
    pub fn renew(&self) -> Result<(), StoreError> {
        let mut db = self.db.write();
        for (_, old) in asides(&self.path) {
            // One that cannot be removed only takes room.
            let _ = std::fs::remove_dir_all(old);
        }
        if self.path.exists() {
            *db = Self::anew(&self.path, self.cache_bytes, "it takes no more writes")?.db();
        } else {
            *db = Self::try_open(&self.path, self.cache_bytes)?.begin()?.db();
        }
        Ok(())
    }

    fn db(&self) -> sled::Db {
        self.db.read().clone()
    }

    fn begin(self) -> Result<Self, StoreError> {
        self.note_layout()?;
        Ok(self)
    }

    fn note_layout(&self) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        batch.put(Kind::Layout, b"", LAYOUT.to_be_bytes());
        self.apply(batch)
    }

    /// Takes everything out.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn clear(&self) -> Result<(), StoreError> {
        self.db().clear().map_err(StoreError::Write)?;
        self.note_layout()
    }

    fn layout(&self) -> Result<Option<u32>, StoreError> {
        let bytes = self.get(Kind::Layout, b"")?;
        Ok(bytes.and_then(|bytes| <[u8; 4]>::try_from(bytes.as_slice()).ok()).map(u32::from_be_bytes))
    }

    /// # Errors
    /// When the disk does not give the value.
    pub fn get(&self, kind: Kind, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self.db().get(prefixed(kind, key)).map_err(StoreError::Read)?;
        Ok(value.map(|value| value.to_vec()))
    }

    /// # Errors
    /// When the disk does not take the batch; then none of it is written.
    pub fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        self.db().apply_batch(batch.0).map_err(StoreError::Write)
    }

    /// Entries of a kind with `from <= key < to`, in key order, without the kind's byte.
    pub fn range(
        &self,
        kind: Kind,
        from: &[u8],
        to: &[u8],
    ) -> impl DoubleEndedIterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> + use<> {
        let range = prefixed(kind, from)..prefixed(kind, to);
        self.db().range(range).map(|entry| {
            let (key, value) = entry.map_err(StoreError::Read)?;
            Ok((key[1..].to_vec(), value.to_vec()))
        })
    }

    /// Every entry of a kind, in key order.
    pub fn all(
        &self,
        kind: Kind,
    ) -> impl DoubleEndedIterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> + use<> {
        self.db().scan_prefix([kind as u8]).map(|entry| {
            let (key, value) = entry.map_err(StoreError::Read)?;
            Ok((key[1..].to_vec(), value.to_vec()))
        })
    }

    /// Waits until everything applied is on disk.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.db().flush().map(|_| ()).map_err(StoreError::Write)
    }

    /// SHA-256 over the entries of each kind in key order: two stores that say the same have the same digests.
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
        kinds.into_iter().map(digest).collect()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
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
        batch.put(Kind::Aggregate, b"x", b"y".to_vec());
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
        batch.put(Kind::Aggregate, b"x", b"y".to_vec());
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
        batch.put(Kind::Aggregate, b"x", b"y".to_vec());
        store.apply(batch).unwrap();
        clone.renew().unwrap();
        assert_eq!(store.get(Kind::Aggregate, b"x").unwrap(), None);
        let mut batch = Batch::default();
        batch.put(Kind::Aggregate, b"x", b"z".to_vec());
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
            drop(Store::anew(&path, CACHE, "a test").unwrap());
        }
        let numbers: Vec<u64> = asides(&path).into_iter().map(|(number, _)| number).collect();
        assert_eq!(numbers, [3, 4, 5]);
    }

    #[test]
    fn ranges_keep_to_their_kind() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("s"), CACHE).unwrap();
        let mut batch = Batch::default();
        batch.put(Kind::Index, b"a1", b"1".to_vec());
        batch.put(Kind::Index, b"a2", b"2".to_vec());
        batch.put(Kind::Index, b"b1", b"3".to_vec());
        batch.put(Kind::Position, b"a3", b"4".to_vec());
        store.apply(batch).unwrap();
        let found: Vec<_> =
            store.range(Kind::Index, b"a", &after_prefix(b"a")).map(|entry| entry.unwrap().1).collect();
        assert_eq!(found, [b"1", b"2"]);
    }
}
