//! Kafka's own segment files, as far as one needs them to say which offsets there are and what became of each.
//!
//! A client is given committed records; an offset that it is not given is a control record, a record of an aborted
//! transaction, or one that is missing. Which of them, only the files say. Of each batch the header is read (version 2
//! of the format), and the key of control batches; records stay packed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

/// Bytes of a batch before its records.
const HEADER: usize = 61;
/// Those before what its length counts.
const BEFORE_LENGTH: usize = 12;
/// From here on the checksum counts.
const CHECKED_FROM: usize = 21;
const CONTROL: i16 = 1 << 5;
const TRANSACTIONAL: i16 = 1 << 4;
/// Largest batch that is believed: far more than a broker takes.
const MAX_BATCH: usize = 256 << 20;

#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    #[error("failed to read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("{0} holds no directory of the partition")]
    None(PathBuf),
}

/// What became of an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Committed,
    Aborted,
    /// The transaction that it belongs to has not ended in the files.
    Open,
    /// The end of a transaction.
    Control,
}

/// Something that a file of Kafka's should not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The bytes of the batch that begins with this offset are not those that Kafka wrote.
    Checksum { offset: i64 },
    /// Offsets in no batch, from the first to the last.
    Missing { from: i64, to: i64 },
    /// The file does not go on as a segment does, behind this offset.
    Unreadable { after: i64, file: PathBuf },
}

/// A partition's files.
#[derive(Debug, Default)]
pub struct Partition {
    /// Ranges of offsets that follow each other, each with what became of it.
    ranges: BTreeMap<i64, (i64, Fate)>,
    pub damage: Vec<Damage>,
}

impl Partition {
    /// Reads the segments of a partition out of a broker's data directory.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn read(data: &Path, topic: &str, partition: i32) -> Result<Self, SegmentError> {
        let directory = data.join(format!("{topic}-{partition}"));
        if !directory.is_dir() {
            return Err(SegmentError::None(directory));
        }
        let failed = |source| SegmentError::Read { path: directory.clone(), source };
        let mut files = Vec::new();
        for entry in fs::read_dir(&directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == "log") {
                files.push(path);
            }
        }
        // Named by their first offset, with leading zeros.
        files.sort();
        let mut reading = Reading::default();
        for path in files {
            reading.segment(&path).map_err(|source| SegmentError::Read { path: path.clone(), source })?;
        }
        Ok(reading.finish())
    }

    /// What became of an offset; none where no batch holds it.
    pub fn fate(&self, offset: i64) -> Option<Fate> {
        let (_, (last, fate)) = self.ranges.range(..=offset).next_back()?;
        (offset <= *last).then_some(*fate)
    }

    /// Every range of offsets with what became of it, in order.
    pub fn ranges(&self) -> impl Iterator<Item = (i64, i64, Fate)> {
        self.ranges.iter().map(|(first, (last, fate))| (*first, *last, *fate))
    }
}

/// A batch's header.
struct Header {
    base: i64,
    last: i64,
    attributes: i16,
    producer: i64,
}

#[derive(Default)]
struct Reading {
    found: Partition,
    /// The offset that comes next.
    next: Option<i64>,
    /// Ranges of transactions that have not ended yet, by producer.
    open: BTreeMap<i64, Vec<(i64, i64)>>,
}

impl Reading {
    fn segment(&mut self, path: &Path) -> io::Result<()> {
        let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
        loop {
            let mut start = [0; BEFORE_LENGTH];
            match read_whole(&mut file, &mut start)? {
                0 => return Ok(()),
                BEFORE_LENGTH => {}
                _ => return self.unreadable(path),
            }
            let length = usize::try_from(i32::from_be_bytes(at(&start, 8))).unwrap_or(0);
            // A file that was made larger than it is full ends in zeros.
            if length == 0 && start == [0; BEFORE_LENGTH] {
                return Ok(());
            }
            if !(HEADER - BEFORE_LENGTH..MAX_BATCH).contains(&length) {
                return self.unreadable(path);
            }
            let mut batch = start.to_vec();
            batch.resize(BEFORE_LENGTH + length, 0);
            if read_whole(&mut file, &mut batch[BEFORE_LENGTH..])? != length {
                return self.unreadable(path);
            }
            self.batch(&batch);
        }
    }

    fn unreadable(&mut self, path: &Path) -> io::Result<()> {
        let after = self.next.map_or(-1, |next| next - 1);
        self.found.damage.push(Damage::Unreadable { after, file: path.to_owned() });
        Ok(())
    }

    fn batch(&mut self, batch: &[u8]) {
        let base = i64::from_be_bytes(at(batch, 0));
        let header = Header {
            base,
            last: base + i64::from(i32::from_be_bytes(at(batch, 23))),
            attributes: i16::from_be_bytes(at(batch, 21)),
            producer: i64::from_be_bytes(at(batch, 43)),
        };
        if crc32c::crc32c(&batch[CHECKED_FROM..]) != u32::from_be_bytes(at(batch, 17)) {
            self.found.damage.push(Damage::Checksum { offset: base });
        }
        let next = self.next.unwrap_or(base);
        if base > next {
            self.found.damage.push(Damage::Missing { from: next, to: base - 1 });
        }
        self.next = Some(header.last + 1);
        let range = (header.base, header.last);
        if header.attributes & CONTROL != 0 {
            self.put(range, Fate::Control);
            let fate = if is_commit(&batch[HEADER..]) { Fate::Committed } else { Fate::Aborted };
            for range in self.open.remove(&header.producer).unwrap_or_default() {
                self.put(range, fate);
            }
        } else if header.attributes & TRANSACTIONAL != 0 {
            self.open.entry(header.producer).or_default().push(range);
        } else {
            self.put(range, Fate::Committed);
        }
    }

    fn put(&mut self, (first, last): (i64, i64), fate: Fate) {
        self.found.ranges.insert(first, (last, fate));
    }

    fn finish(mut self) -> Partition {
        for (first, last) in std::mem::take(&mut self.open).into_values().flatten() {
            self.put((first, last), Fate::Open);
        }
        self.found
    }
}

/// Whether a control record says that its transaction was committed: the second number of its key.
fn is_commit(records: &[u8]) -> bool {
    let mut rest = records;
    // Length, attributes, and how far time and offset are from the batch's own.
    let skipped = varint(&mut rest).is_some()
        && rest.split_first().map(|(_, more)| rest = more).is_some()
        && varint(&mut rest).is_some()
        && varint(&mut rest).is_some();
    let key = varint(&mut rest).and_then(|length| rest.get(..usize::try_from(length).ok()?));
    skipped && key.is_some_and(|key| key.get(2..4) == Some(&[0, 1]))
}

fn varint(rest: &mut &[u8]) -> Option<i64> {
    let mut bits = 0_u64;
    for place in 0..10 {
        let (first, more) = rest.split_first()?;
        *rest = more;
        bits |= u64::from(first & 0x7f) << (7 * place);
        if first & 0x80 == 0 {
            return Some((bits >> 1).cast_signed() ^ -(bits & 1).cast_signed());
        }
    }
    None
}

fn at<const N: usize>(bytes: &[u8], place: usize) -> [u8; N] {
    let mut found = [0; N];
    found.copy_from_slice(&bytes[place..place + N]);
    found
}

/// As much as there is, up to the whole of it.
fn read_whole(file: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < bytes.len() {
        match file.read(&mut bytes[read..])? {
            0 => break,
            more => read += more,
        }
    }
    Ok(read)
}
