//! Heads of the log are signed by whoever writes it, each an extension of every head that was signed before.
//!
//! Before the first, the log is held against everything that remembers a head: the topic of checkpoints, a file beside
//! the key (the one file that is no cache), and the witnesses. A log that is shorter than one of them, or other, was
//! restored or tampered with: it is not signed.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use audit_log::{LogKey, Root, SigningKey};
use chassis::clock::Clock;
use chassis::problem::chain;
use chassis::reader::{ReadError, RecordReader};
use chassis::sequencer::{Failure, Publish};
use schemas::audit::{Checkpoint, Leaf};
use schemas::codec::{Codec, CodecError};
use schemas::envelope::Body;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use crate::log::{Log, LogError};
use crate::succession::Predecessor;
use crate::witnesses::{Answered, WitnessError, Witnesses};

/// Time between two heads, at least.
const INTERVAL: Duration = Duration::from_millis(500);
/// How often an instance that does not sign looks for what was signed.
const LOOK: Duration = Duration::from_secs(1);
/// So far back the topic is looked at for the largest head: each takes two offsets.
const LAST_OFFSETS: i64 = 2_000;
const FEW_OFFSETS: i64 = 16;

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
    #[error("the topic of checkpoints has heads of another log, and audit.succeeds does not name it")]
    NotItsOwn,
    #[error("a head that was signed earlier does not read")]
    Head(#[from] audit_log::tree::TreeError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("failed to read the last checkpoint")]
    Read(#[from] ReadError),
    #[error("a checkpoint does not encode")]
    Encode(#[from] CodecError),
    #[error("failed to publish a checkpoint")]
    Publish(#[source] Failure),
    #[error(transparent)]
    Witness(#[from] WitnessError),
    #[error("failed to keep a head in {path}")]
    Keep { path: PathBuf, source: std::io::Error },
}

impl SignError {
    /// Whether the log contradicts a head that was signed.
    pub const fn is_fork(&self) -> bool {
        match self {
            Self::Shorter { .. } | Self::Other { .. } | Self::NotItsOwn => true,
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
    pub clock: Clock,
    pub witnesses: Witnesses,
    /// Heads go to the witnesses, and come back with their signatures.
    pub asked: UnboundedSender<Signed>,
    pub answers: Receiver<Answered>,
    /// The logs before, where this one goes on after a restore.
    pub predecessors: Vec<Predecessor>,
    /// Heads as they may be read.
    pub latest: Arc<Latest>,
    /// The last head that was signed, and since when it stands.
    pub last: Option<(Root, Instant)>,
    /// One that was signed and is not published yet.
    pub pending: Pending,
    /// When the topic was looked at last.
    pub looked: Option<Instant>,
    /// How many heads were published here.
    pub given: u64,
}

/// Between signing a head and publishing it.
#[derive(Debug, Default)]
pub enum Pending {
    #[default]
    None,
    /// To be shown to the witnesses, where there are any.
    Signed(Signed),
    WithWitnesses,
}

impl Signer {
    /// Holds the log against everything that remembers a head.
    ///
    /// # Errors
    /// When the log contradicts one, or it cannot be asked: then nothing may be signed.
    pub fn begin(&mut self, log: &Log) -> Result<(), SignError> {
        // What was asked before is asked again.
        self.answers.try_iter().for_each(drop);
        (self.last, self.pending) = (None, Pending::None);
        let kept = match read_kept(&self.kept)? {
            Some(note) => Some(Signed { root: Root::open(&note, self.key.public())?, note }),
            None => None,
        };
        let (own, others): (Vec<_>, Vec<_>) = self
            .published(LAST_OFFSETS)?
            .into_iter()
            .partition(|checkpoint| checkpoint.origin == self.key.public().name());
        // An older head that was shown again behind it does not hide the largest, nor does a number beside it.
        let published = own.into_iter().filter_map(|checkpoint| opened(checkpoint.note, self.key.public()));
        let published = published.max_by_key(|head| head.root.size);
        self.hold_against_predecessors(log, &others)?;
        self.witnesses.hold_against(log, &self.key)?;
        if let Some(head) = &published {
            extends(log, &head.root, "the topic of checkpoints")?;
            self.last = Some((head.root, Instant::now()));
            self.show(head);
        }
        if let Some(head) = kept {
            extends(log, &head.root, "the signer's file")?;
            if self.last.is_none_or(|(last, _)| last.size < head.root.size) {
                self.last = Some((head.root, Instant::now()));
                self.pending = Pending::Signed(head);
            }
        }
        Ok(())
    }

    /// Readers are never shown less than before.
    fn show(&self, head: &Signed) {
        self.latest.send_if_modified(|known| {
            let newer = known.as_ref().is_none_or(|known| known.root.size < head.root.size);
            if newer {
                *known = Some(head.clone());
            }
            newer
        });
    }

    /// What was restored is the old logs' own, as far as anything says.
    fn hold_against_predecessors(&self, log: &Log, others: &[Checkpoint]) -> Result<(), SignError> {
        let of_a_log = |head: &Checkpoint| self.predecessors.iter().any(|one| one.key.name() == head.origin);
        if !others.iter().all(of_a_log) {
            return Err(SignError::NotItsOwn);
        }
        for predecessor in &self.predecessors {
            let restored = predecessor.restored(log)?.unwrap_or(log.tree().size());
            let notes = others.iter().filter(|head| head.origin == predecessor.key.name());
            let heads = notes.filter_map(|head| opened(head.note.clone(), &predecessor.key));
            let heads = heads.map(|head| head.root).chain([predecessor.root]);
            let largest = heads.filter(|head| head.size <= restored).max_by_key(|head| head.size);
            largest.map_or(Ok(()), |head| extends(log, &head, "a log before"))?;
        }
        Ok(())
    }

    /// Leaves that own up to the logs before, where they do not stand in the log yet; then their heads are published
    /// too.
    ///
    /// # Errors
    /// When they cannot be published, or the log does not say whether they stand in it.
    pub fn successions(&self, log: &Log, publish: &mut Publish<'_>) -> Result<Vec<Leaf>, SignError> {
        let (mut leaves, now) = (Vec::new(), self.clock.now());
        for predecessor in &self.predecessors {
            if predecessor.restored(log)?.is_some() {
                continue;
            }
            let head = self.codec.encode::<Checkpoint>(&predecessor.checkpoint(now))?;
            publish(Checkpoint::TOPIC, &head).map_err(SignError::Publish)?;
            tracing::warn!(
                log = predecessor.key.name(),
                signed = predecessor.root.size,
                restored = log.tree().size(),
                "the log goes on under its new name"
            );
            leaves.push(predecessor.leaf(now));
        }
        Ok(leaves)
    }

    /// What somebody else has published, once the log has grown to it here: for an instance that does not sign.
    ///
    /// # Errors
    /// When the topic cannot be asked.
    pub fn follow(&mut self, log: &Log) -> Result<(), SignError> {
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK) {
            return Ok(());
        }
        self.looked = Some(Instant::now());
        let own = self.published(FEW_OFFSETS)?.into_iter();
        let own = own.filter(|checkpoint| checkpoint.origin == self.key.public().name());
        let heads = own.filter_map(|checkpoint| opened(checkpoint.note, self.key.public()));
        let size = log.tree().size();
        if let Some(head) = heads.filter(|head| head.root.size <= size).max_by_key(|head| head.root.size) {
            self.remember(log, &head)?;
            self.show(&head);
        }
        Ok(())
    }

    /// Keeps what somebody else has signed: whoever takes over holds the log against that too.
    fn remember(&self, log: &Log, head: &Signed) -> Result<(), SignError> {
        let kept = read_kept(&self.kept)?.map(|note| Root::open(&note, self.key.public())).transpose()?;
        if kept.is_some_and(|kept| kept.size >= head.root.size) {
            return Ok(());
        }
        // One that this log contradicts replaces nothing: what is kept will say so once this instance is to sign.
        if extends(log, &head.root, "the topic of checkpoints").is_err() {
            return Ok(());
        }
        keep(&self.kept, &head.note).map_err(|source| SignError::Keep { path: self.kept.clone(), source })
    }

    /// What was published last, in order.
    fn published(&self, offsets: i64) -> Result<Vec<Checkpoint>, SignError> {
        let last = self.records.last(Checkpoint::TOPIC, offsets)?;
        let decode = |value: Vec<u8>| match self.codec.decode::<Checkpoint, _>(&value) {
            Ok(checkpoint) => Some(checkpoint),
            Err(error) => {
                tracing::error!(error = %chain(&error), "a record among the heads is none: who has written it?");
                None
            }
        };
        Ok(last.into_iter().filter_map(decode).collect())
    }

    /// Signs what the log has grown to, where it has and the last head is old enough; publishes what was signed, with
    /// the signatures of the witnesses.
    ///
    /// # Errors
    /// When it cannot be kept or published, or a witness has seen another log: then it is given to nobody.
    pub fn sign(&mut self, log: &Log, publish: &mut Publish<'_>) -> Result<(), SignError> {
        match std::mem::take(&mut self.pending) {
            Pending::None => self.sign_new(log)?,
            Pending::Signed(head) if self.witnesses.all.is_empty() => self.give(head, publish)?,
            Pending::Signed(head) => {
                // They are asked for as long as the process runs.
                let _ = self.asked.send(head);
                self.pending = Pending::WithWitnesses;
            }
            Pending::WithWitnesses => {
                let answered = self.answers.try_recv().ok().transpose()?;
                // What was asked about before this instance led once more is not what is waited for.
                let last = self.last.map(|(root, _)| root);
                match answered.filter(|head| last == Some(head.root)) {
                    Some(head) => self.give(head, publish)?,
                    None => self.pending = Pending::WithWitnesses,
                }
            }
        }
        Ok(())
    }

    fn sign_new(&mut self, log: &Log) -> Result<(), SignError> {
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
        self.last = Some((root, Instant::now()));
        self.pending = Pending::Signed(Signed { root, note });
        Ok(())
    }

    /// On record before anybody is shown it.
    fn give(&mut self, head: Signed, publish: &mut Publish<'_>) -> Result<(), SignError> {
        let checkpoint = Checkpoint {
            origin: self.key.public().name().to_owned(),
            size: i64::try_from(head.root.size).unwrap_or(i64::MAX),
            time: self.clock.now(),
            note: head.note.clone(),
        };
        let value = self.codec.encode::<Checkpoint>(&checkpoint)?;
        publish(Checkpoint::TOPIC, &value).map_err(SignError::Publish)?;
        self.given += 1;
        self.show(&head);
        Ok(())
    }
}

/// A head, where the key has signed it; what is none hides no other.
fn opened(note: String, key: &LogKey) -> Option<Signed> {
    match Root::open(&note, key) {
        Ok(root) => Some(Signed { root, note }),
        Err(error) => {
            tracing::error!(error = %chain(&error), "a record among the heads is none: who has written it?");
            None
        }
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
