//! Heads of the log are signed by whoever writes it, each an extension of every head that was signed before.
//!
//! Before the first, the log is held against everything that remembers a head: the topic of checkpoints, a file beside
//! the key (the one file that is no cache), and the witnesses. A log that is shorter than one of them, or other, was
//! restored or tampered with: it is not signed.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use audit_log::{Root, SigningKey};
use chassis::clock::Clock;
use chassis::publish::{PublishError, Publisher};
use chassis::reader::{ReadError, RecordReader};
use schemas::audit::Checkpoint;
use schemas::codec::{Codec, CodecError};
use schemas::envelope::Body;
use tokio::sync::watch;

use crate::log::{Log, LogError};
use crate::witnesses::{WitnessError, Witnesses};

/// Time between two heads, at least.
const INTERVAL: Duration = Duration::from_millis(500);
/// How often an instance that does not sign looks for what was signed.
const LOOK: Duration = Duration::from_secs(1);
/// So many of the heads that were published last are looked at for the largest.
const LAST_HEADS: i64 = 1_000;

#[derive(Debug, thiserror::Error)]
pub enum SignError {
    #[error(
        "{source_of_head} has a head of {signed} leaves, and the log has {found}: the log lost what was signed"
    )]
    Shorter { source_of_head: &'static str, signed: u64, found: u64 },
    #[error(
        "{source_of_head} has another head of {size} leaves than the log: the log was changed after it was signed"
    )]
    Other { source_of_head: &'static str, size: u64 },
    #[error("a head that was signed earlier does not read")]
    Head(#[from] audit_log::tree::TreeError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("failed to read the last checkpoint")]
    Read(#[from] ReadError),
    #[error("the last checkpoint does not decode")]
    Decode(#[from] CodecError),
    #[error("failed to publish a checkpoint")]
    Publish(#[from] PublishError),
    #[error(transparent)]
    Witness(#[from] WitnessError),
    #[error("failed to keep a head in {path}")]
    Keep { path: PathBuf, source: std::io::Error },
}

impl SignError {
    /// Whether the log contradicts a head that was signed.
    pub const fn is_fork(&self) -> bool {
        match self {
            Self::Shorter { .. } | Self::Other { .. } => true,
            Self::Witness(error) => error.is_fork(),
            _ => false,
        }
    }
}

/// A head as it was signed, where it may be read.
#[derive(Clone, Debug)]
pub struct Signed {
    pub root: Root,
    pub note: String,
}

/// The last head that is known here; of no more leaves than the log has here.
pub type Latest = watch::Sender<Option<Signed>>;

pub struct Signer {
    pub key: SigningKey,
    /// The one file that is no cache: the last head that was signed here.
    pub kept: PathBuf,
    pub records: RecordReader,
    pub codec: Codec,
    pub publisher: Publisher,
    pub clock: Clock,
    pub witnesses: Witnesses,
    /// Heads as they are signed, for the witnesses.
    pub signed: Latest,
    /// Heads as they may be read.
    pub latest: Arc<Latest>,
    /// The last head that was signed, and since when it stands.
    pub last: Option<(Root, Instant)>,
    /// When the topic was looked at last.
    pub looked: Option<Instant>,
}

impl Signer {
    /// Holds the log against everything that remembers a head.
    ///
    /// # Errors
    /// When the log contradicts one, or it cannot be asked: then nothing may be signed.
    pub fn begin(&mut self, log: &Log) -> Result<(), SignError> {
        let kept = read_kept(&self.kept)?.map(|note| ("the signer's file", note));
        // An older head that was shown again behind it does not hide the largest.
        let published = self.published(LAST_HEADS)?.into_iter().max_by_key(|checkpoint| checkpoint.size);
        let published = published.map(|checkpoint| ("the topic of checkpoints", checkpoint.note));
        self.witnesses.hold_against(log, &self.key)?;
        self.last = None;
        for (source_of_head, note) in kept.into_iter().chain(published) {
            let signed = Root::open(&note, self.key.public())?;
            extends(log, &signed, source_of_head)?;
            if self.last.is_none_or(|(last, _)| last.size < signed.size) {
                self.last = Some((signed, Instant::now()));
            }
            let newer =
                |known: &Option<Signed>| known.as_ref().is_none_or(|known| known.root.size < signed.size);
            self.latest.send_if_modified(|known| {
                let newer = newer(known);
                if newer {
                    *known = Some(Signed { root: signed, note: note.clone() });
                }
                newer
            });
        }
        Ok(())
    }

    /// What somebody else has signed, once the log has grown to it here: for an instance that does not sign.
    ///
    /// # Errors
    /// When the topic cannot be asked, or what stands there is not signed by the key.
    pub fn follow(&mut self, log: &Log) -> Result<(), SignError> {
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK) {
            return Ok(());
        }
        self.looked = Some(Instant::now());
        if let Some(checkpoint) = self.published(1)?.pop() {
            let root = Root::open(&checkpoint.note, self.key.public())?;
            if root.size <= log.tree().size() {
                self.latest.send_replace(Some(Signed { root, note: checkpoint.note }));
            }
        }
        Ok(())
    }

    /// The last heads that were published, in order.
    fn published(&self, most: i64) -> Result<Vec<Checkpoint>, SignError> {
        let last = self.records.last(Checkpoint::TOPIC, most)?;
        let decode = |value: Vec<u8>| Ok(self.codec.decode::<Checkpoint, _>(&value)?);
        last.into_iter().map(decode).collect()
    }

    /// Signs what the log has grown to, where it has and the last head is old enough.
    ///
    /// # Errors
    /// When it cannot be kept or published: then it is given to nobody.
    pub fn sign(&mut self, log: &Log) -> Result<(), SignError> {
        let size = log.tree().size();
        let due = |(signed, at): (Root, Instant)| size > signed.size && at.elapsed() >= INTERVAL;
        if size == 0 || !self.last.is_none_or(due) {
            return Ok(());
        }
        let root = log.tree().root(size).map_err(LogError::from)?;
        // What a disk has changed meanwhile is not signed.
        if let Some((last, _)) = self.last {
            let proof = log.tree().prove_extends(last.size, root.size).map_err(LogError::from)?;
            root.check_extends(&last, &proof).map_err(LogError::Damaged)?;
        }
        let note = root.sign(&self.key)?;
        keep(&self.kept, &note).map_err(|source| SignError::Keep { path: self.kept.clone(), source })?;
        let checkpoint = Checkpoint {
            origin: self.key.public().name().to_owned(),
            size: i64::try_from(root.size).unwrap_or(i64::MAX),
            time: self.clock.now(),
            note: note.clone(),
        };
        self.publisher.publish(Checkpoint::TOPIC, &self.codec.encode::<Checkpoint>(&checkpoint)?)?;
        self.last = Some((root, Instant::now()));
        // Without witnesses a head may be read at once.
        let heads = if self.witnesses.all.is_empty() { &*self.latest } else { &self.signed };
        heads.send_replace(Some(Signed { root, note }));
        Ok(())
    }
}

/// Whether the log begins with everything that a head was signed over.
fn extends(log: &Log, signed: &Root, source_of_head: &'static str) -> Result<(), SignError> {
    let found = log.tree().size();
    if signed.size > found {
        return Err(SignError::Shorter { source_of_head, signed: signed.size, found });
    }
    let root = log.tree().root(signed.size).map_err(LogError::from)?;
    if root == *signed { Ok(()) } else { Err(SignError::Other { source_of_head, size: signed.size }) }
}

fn read_kept(path: &Path) -> Result<Option<String>, SignError> {
    match std::fs::read_to_string(path) {
        Ok(note) => Ok(Some(note)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(SignError::Keep { path: path.to_owned(), source }),
    }
}

/// Replaces the file by one that is wholly on disk.
pub(crate) fn keep(path: &Path, note: &str) -> std::io::Result<()> {
    let new = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = File::create(&new)?;
    file.write_all(note.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or_else(|| Path::new(".")))?.sync_all()
}
