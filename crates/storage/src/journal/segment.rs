//! Segment files: their names, their headers, and a scan from the first batch to the last.

use std::io;
use std::sync::Arc;

use super::disk::{Disk, SyncSite};
use super::error::{Damage, DamageKind, JournalError};
use super::format::{BATCH_HEAD, Batch, ChainHash, HEADER_LENGTH, Header, MAX_BATCH_BYTES, is_later_batch};

const WINDOW: usize = 4 * MAX_BATCH_BYTES;
const SUFFIX: &str = ".log";
/// Files that are not part of the journal yet.
pub(crate) const UNFINISHED: &str = ".tmp";

/// The name of the segment that begins with that record.
pub(crate) fn name(first_seq: u64) -> String {
    format!("{first_seq:020}{SUFFIX}")
}

/// First records of the segments, in order.
pub(crate) fn first_seqs<D: Disk>(disk: &D) -> Result<Vec<u64>, JournalError> {
    let names = disk.list().map_err(JournalError::io("list", "."))?;
    let mut seqs: Vec<u64> = names.iter().filter_map(|name| parse_name(name)).collect();
    seqs.sort_unstable();
    Ok(seqs)
}

fn parse_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    let plain = digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

/// The segment after the one that begins with `first_seq`.
pub(crate) fn next_segment<D: Disk>(disk: &D, first_seq: u64) -> Result<Option<u64>, JournalError> {
    Ok(first_seqs(disk)?.into_iter().find(|next| *next > first_seq))
}

/// A segment that has its full length on disk and waits for a header and a name.
pub struct Prepared<D: Disk> {
    pub(crate) file: D::File,
    pub(crate) name: &'static str,
    pub(crate) length: u64,
}

/// Makes a segment of `length` bytes ready to be used. Slow: away from whoever waits for a record.
pub(crate) fn prepare<D: Disk>(disk: &D, name: &'static str, length: u64) -> io::Result<Prepared<D>> {
    let made = disk.create(name).and_then(|file| {
        disk.fill(&file, length)?;
        disk.sync_all(&file, SyncSite::Prepared)?;
        Ok(Prepared { file, name, length })
    });
    if made.is_err() {
        // A file that failed a sync is never used; if it can't be removed, the next start does it.
        let _ = disk.remove(name);
    }
    made
}

/// A segment's header with what follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentInfo {
    /// What the header says.
    pub header: Header,
    /// Hash of the header: what the first record is linked to.
    pub hash: ChainHash,
}

/// Reads the headers of all segments and checks that each goes on from the one before.
pub(crate) fn headers<D: Disk>(disk: &D) -> Result<Vec<SegmentInfo>, JournalError> {
    let mut found: Vec<SegmentInfo> = Vec::new();
    for first_seq in first_seqs(disk)? {
        let (_, info) = open(disk, first_seq, false)?;
        check_succession(found.last(), &info)?;
        found.push(info);
    }
    Ok(found)
}

fn check_succession(before: Option<&SegmentInfo>, info: &SegmentInfo) -> Result<(), Damage> {
    let header = &info.header;
    let goes_on = match before {
        None => header.previous_first_seq == 0 && header.first_seq == 1,
        Some(before) => {
            header.previous_first_seq == before.header.first_seq
                && (HEADER_LENGTH as u64..=before.header.length).contains(&header.previous_end)
        }
    };
    let same_chain = before.is_none_or(|before| before.header.chain == header.chain);
    let damage = |kind| Err(Damage::new(&name(header.first_seq), header.first_seq, kind));
    match (goes_on, same_chain) {
        (_, false) => damage(DamageKind::OtherChain),
        (false, true) => damage(DamageKind::Gap),
        (true, true) => Ok(()),
    }
}

/// Opens a segment and reads its header.
pub(crate) fn open<D: Disk>(
    disk: &D,
    first_seq: u64,
    to_write: bool,
) -> Result<(D::File, SegmentInfo), JournalError> {
    let name = name(first_seq);
    let opened = if to_write { disk.open(&name) } else { disk.open_read(&name) };
    let file = opened.map_err(JournalError::io("open", &name))?;
    let mut bytes = [0; HEADER_LENGTH];
    disk.read_at(&file, &mut bytes, 0).map_err(JournalError::io("read", &name))?;
    let damage = |kind| JournalError::from(Damage::new(&name, first_seq, kind));
    let (header, hash) = Header::decode(&bytes).ok_or_else(|| damage(DamageKind::Header))?;
    if header.first_seq != first_seq {
        return Err(damage(DamageKind::Header));
    }
    let found = disk.length(&file).map_err(JournalError::io("read", &name))?;
    if found != header.length {
        return Err(damage(DamageKind::Length { expected: header.length, found }));
    }
    Ok((file, SegmentInfo { header, hash }))
}

/// Walks over the batches of one segment.
pub(crate) struct Scanner<D: Disk> {
    disk: Arc<D>,
    pub(crate) file: D::File,
    pub(crate) info: SegmentInfo,
    /// Number of the next record.
    pub(crate) seq: u64,
    /// What the next record is linked to.
    pub(crate) link: ChainHash,
    /// Where the next batch begins.
    pub(crate) offset: u64,
    /// Where the batches that count end: where the next segment says so, else at the end of the file.
    pub(crate) limit: u64,
    window: Vec<u8>,
    window_at: u64,
}

/// What stands after the last whole batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Zeros.
    Clean,
    /// A batch that is not whole, or not yet.
    Torn {
        /// Bytes up to the last that is not zero.
        bytes: u64,
    },
}

impl<D: Disk> Scanner<D> {
    pub(crate) fn open(disk: &Arc<D>, first_seq: u64, to_write: bool) -> Result<Scanner<D>, JournalError> {
        let (file, info) = open(&**disk, first_seq, to_write)?;
        Ok(Scanner {
            disk: Arc::clone(disk),
            file,
            info,
            seq: first_seq,
            link: info.hash,
            offset: HEADER_LENGTH as u64,
            limit: info.header.length,
            window: Vec::new(),
            window_at: 0,
        })
    }

    pub(crate) fn name(&self) -> String {
        name(self.info.header.first_seq)
    }

    /// Opens a segment to read what counts of it: a batch that a failed write left behind its end does
    /// not.
    pub(crate) fn open_limited(disk: &Arc<D>, first_seq: u64) -> Result<Scanner<D>, JournalError> {
        let mut scanner = Scanner::open(disk, first_seq, false)?;
        if let Some(next) = next_segment(&**disk, first_seq)? {
            let (_, next) = open(&**disk, next, false)?;
            scanner.limit = scanner.limit.min(next.header.previous_end);
        }
        Ok(scanner)
    }

    /// Whether a segment comes after it.
    pub(crate) fn is_sealed(&self) -> bool {
        self.limit < self.info.header.length
    }

    /// The next batch; `None` when what stands there is not one (yet).
    pub(crate) fn next(&mut self) -> Result<Option<Batch<'_>>, JournalError> {
        let left = self.limit.saturating_sub(self.offset);
        if left == 0 {
            return Ok(None);
        }
        let needed = left.min(MAX_BATCH_BYTES as u64);
        let held = (self.window_at + self.window.len() as u64).saturating_sub(self.offset);
        if held < needed || self.offset < self.window_at {
            let size = left.min(WINDOW as u64) as usize;
            self.window.resize(size, 0);
            let read = self.disk.read_at(&self.file, &mut self.window, self.offset);
            self.window.truncate(read.map_err(JournalError::io("read", &self.name()))?);
            self.window_at = self.offset;
        }
        let start = (self.offset - self.window_at) as usize;
        let batch = Batch::decode(self.window.get(start..).unwrap_or_default(), self.seq, self.link);
        if let Some(batch) = &batch {
            self.offset += batch.length as u64;
            self.seq += batch.count as u64;
            self.link = batch.hash;
        }
        Ok(batch)
    }

    /// Makes the next call see what was written since.
    pub(crate) fn refresh(&mut self) {
        self.window.clear();
    }

    /// What stands at the end of what was written, now that no batch was found here. `None` when there is
    /// one after all: the writer was faster. Damage when what stands here can't be the end.
    pub(crate) fn at_end(&mut self) -> Result<Option<Tail>, JournalError> {
        match self.tail() {
            Ok(tail) => Ok(Some(tail)),
            Err(damage) => {
                self.refresh();
                let (seq, link, offset) = (self.seq, self.link, self.offset);
                let found = self.next()?.is_some();
                (self.seq, self.link, self.offset) = (seq, link, offset);
                if found { Ok(None) } else { Err(damage) }
            }
        }
    }

    /// Checks that the segment ends exactly where the next one says, and that that one is linked to it.
    pub(crate) fn check_seam(&self, next: &SegmentInfo) -> Result<(), Damage> {
        let header = &next.header;
        let ends_there = header.previous_first_seq == self.info.header.first_seq
            && header.previous_end == self.offset
            && header.first_seq == self.seq
            && header.link == self.link;
        if ends_there {
            return Ok(());
        }
        let kind = DamageKind::Record { offset: self.offset };
        Err(Damage::new(&self.name(), self.seq, kind))
    }

    /// What stands from here to the end of the file. Damage when it is more than one batch can have left.
    pub(crate) fn tail(&self) -> Result<Tail, JournalError> {
        let damage = |offset| {
            let kind = DamageKind::Record { offset };
            Err(JournalError::from(Damage::new(&self.name(), self.seq, kind)))
        };
        let mut last = None;
        let mut bytes = vec![0; WINDOW];
        let mut at = self.offset;
        while at < self.info.header.length {
            let read = self.disk.read_at(&self.file, &mut bytes, at);
            let read = read.map_err(JournalError::io("read", &self.name()))?;
            if read == 0 {
                break;
            }
            if let Some(place) = bytes[..read].iter().rposition(|byte| *byte != 0) {
                last = Some(at + place as u64);
            }
            if at == self.offset {
                let reach = read.min(MAX_BATCH_BYTES + BATCH_HEAD);
                if (1..reach).any(|place| is_later_batch(&bytes[place..read], self.seq)) {
                    return damage(self.offset);
                }
            }
            at += read as u64;
        }
        match last.map(|last| last + 1 - self.offset) {
            None => Ok(Tail::Clean),
            Some(bytes) if bytes <= MAX_BATCH_BYTES as u64 => Ok(Tail::Torn { bytes }),
            Some(_) => damage(self.offset),
        }
    }
}
