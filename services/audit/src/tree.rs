//! The log's leaves and hashes on disk, in two files that only grow.
//!
//! `leaves` holds 32 bytes for each leaf; `hashes` every hash of a complete subtree, in the order in which they become
//! complete (the numbering of the library's `stored_hash_index`). Tiles, entry bundles, roots and proofs are read from
//! the two. They are a cache as the store is: what they hold is in `audit.log`, and they are written anew from it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use audit_log::Root;
use audit_log::leaf::Digest;
use audit_log::tree::Hash;
use tlog_tiles::{HashReader, prove_record, prove_tree, stored_hash_count, stored_hashes, tree_hash};

const HASH_BYTES: u64 = 32;

#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    #[error("failed to prepare the file {0} of the log")]
    Prepare(&'static str, #[source] io::Error),
    #[error("failed to write the log's files")]
    Write(#[source] io::Error),
    #[error("failed to read the log's files: {0}")]
    Read(#[from] tlog_tiles::Error),
    #[error("the file of leaves does not give leaf {0}")]
    Leaf(u64, #[source] io::Error),
}

pub struct Tree {
    leaves: File,
    hashes: File,
    /// So many leaves are in both files; only these are read.
    size: AtomicU64,
}

impl Tree {
    /// With so many leaves as are known to have been written; none where the files hold fewer.
    ///
    /// # Errors
    /// When the files cannot be made or cut.
    pub fn open(directory: &Path, size: u64) -> Result<Self, TreeError> {
        std::fs::create_dir_all(directory).map_err(|error| TreeError::Prepare("directory", error))?;
        let open = |name: &'static str| {
            let mut options = OpenOptions::new();
            let options = options.read(true).write(true).create(true).truncate(false);
            options.open(directory.join(name)).map_err(|error| TreeError::Prepare(name, error))
        };
        let tree = Self { leaves: open("leaves")?, hashes: open("hashes")?, size: AtomicU64::new(0) };
        tree.cut(if tree.holds(size) { size } else { 0 })?;
        Ok(tree)
    }

    fn holds(&self, size: u64) -> bool {
        let length = |file: &File| file.metadata().map_or(0, |metadata| metadata.len());
        length(&self.leaves) >= size * HASH_BYTES
            && length(&self.hashes) >= stored_hash_count(size) * HASH_BYTES
    }

    /// Forgets every leaf from here on.
    ///
    /// # Errors
    /// When the files cannot be cut.
    pub fn cut(&self, size: u64) -> Result<(), TreeError> {
        self.size.store(size, Ordering::Release);
        self.leaves.set_len(size * HASH_BYTES).map_err(TreeError::Write)?;
        self.hashes.set_len(stored_hash_count(size) * HASH_BYTES).map_err(TreeError::Write)
    }

    /// How many leaves there are.
    pub fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    /// Writes leaves behind those there are. By one thread only.
    ///
    /// # Errors
    /// When the files take no more, or do not give what they hold.
    pub fn append(&self, leaves: &[Digest]) -> Result<(), TreeError> {
        let size = self.size();
        let known = stored_hash_count(size);
        let mut new = Growing { tree: self, known, hashes: Vec::with_capacity(leaves.len() * 2) };
        for (place, leaf) in (size..).zip(leaves) {
            let hashes = stored_hashes(place, leaf, &new)?;
            new.hashes.extend(hashes);
        }
        let bytes: Vec<u8> = new.hashes.iter().flat_map(|hash| hash.0).collect();
        self.hashes.write_all_at(&bytes, known * HASH_BYTES).map_err(TreeError::Write)?;
        self.leaves.write_all_at(leaves.as_flattened(), size * HASH_BYTES).map_err(TreeError::Write)?;
        self.size.store(size + leaves.len() as u64, Ordering::Release);
        Ok(())
    }

    /// The head of the tree of the first so many leaves.
    ///
    /// # Errors
    /// When the files do not give it, or there are not so many leaves.
    pub fn root(&self, size: u64) -> Result<Root, TreeError> {
        Ok(Root { size, hash: tree_hash(size, self)? })
    }

    /// That a leaf stands in the tree of the first `size` leaves.
    ///
    /// # Errors
    /// When it does not, or the files do not give it.
    pub fn prove(&self, leaf: u64, size: u64) -> Result<Vec<Hash>, TreeError> {
        Ok(prove_record(size, leaf, self)?)
    }

    /// That the tree of the first `size` leaves begins with that of the first `earlier`.
    ///
    /// # Errors
    /// When the files do not give it.
    pub fn prove_extends(&self, earlier: u64, size: u64) -> Result<Vec<Hash>, TreeError> {
        if earlier == 0 { Ok(Vec::new()) } else { Ok(prove_tree(size, earlier, self)?) }
    }

    /// Leaves that follow each other.
    ///
    /// # Errors
    /// When the file does not give them.
    pub fn leaves(&self, from: u64, count: usize) -> Result<Vec<Digest>, TreeError> {
        let mut leaves = vec![[0; 32]; count];
        let read = self.leaves.read_exact_at(leaves.as_flattened_mut(), from * HASH_BYTES);
        read.map_err(|error| TreeError::Leaf(from, error))?;
        Ok(leaves)
    }
}

fn read_hash(file: &File, index: u64) -> Result<Hash, tlog_tiles::Error> {
    let mut hash = [0; 32];
    let read = file.read_exact_at(&mut hash, index * HASH_BYTES);
    read.map_err(|error| tlog_tiles::Error::InvalidInput(format!("hash {index}: {error}")))?;
    Ok(Hash(hash))
}

impl HashReader for Tree {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        let count = stored_hash_count(self.size());
        if indexes.iter().any(|index| *index >= count) {
            return Err(tlog_tiles::Error::IndexesNotInTree);
        }
        indexes.iter().map(|index| read_hash(&self.hashes, *index)).collect()
    }
}

/// The tree with hashes that are not written yet.
struct Growing<'a> {
    tree: &'a Tree,
    known: u64,
    hashes: Vec<Hash>,
}

impl HashReader for Growing<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        let read = |index: &u64| match index.checked_sub(self.known) {
            None => read_hash(&self.tree.hashes, *index),
            Some(new) => usize::try_from(new)
                .ok()
                .and_then(|new| self.hashes.get(new).copied())
                .ok_or(tlog_tiles::Error::IndexesNotInTree),
        };
        indexes.iter().map(read).collect()
    }
}
