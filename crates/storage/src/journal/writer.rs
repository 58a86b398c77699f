//! Writes batches: the whole of the journal's logic, without a thread, a clock or a queue.
//!
//! One batch at a time is on its way to the disk. That is what lets recovery tell a torn last batch
//! (one, at the end, nothing behind it) from damage.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use procura_protocol::time::UnixMillis;
use procura_store::histogram::Histogram;

use super::disk::{Disk, SyncSite};
use super::error::{Damage, DamageKind, JournalError};
use super::format::{Batch, BatchBuffer, ChainHash, ChainId, HEADER_LENGTH, Header, Why};
use super::segment::{self, Prepared};

/// The name of a segment that is made ahead of need.
pub(crate) const AHEAD: &str = "ahead.tmp";
const AT_ONCE: &str = "at-once.tmp";

/// How the files are laid out.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Length of a segment that is prepared ahead, in bytes.
    pub segment_bytes: u64,
    /// Length of a segment that someone waits for: the first, and one after a failure.
    pub first_segment_bytes: u64,
    /// What is kept for [`Class::Change`] when no other segment is ready.
    pub reserve_bytes: u64,
    /// Reads the row of the `change` table that a payload records, if it records one.
    pub change_of: fn(&[u8]) -> Option<u64>,
}

/// Who may use the reserve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Traffic: stops when only the reserve is left.
    Issue,
    /// Changes of the directory, revocations above all: go on into the reserve.
    Change,
}

/// The last record that is sure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct End {
    /// Its number; 0 before the first.
    pub seq: u64,
    /// Its hash.
    pub hash: ChainHash,
    /// Its time; the next is not earlier.
    pub at: UnixMillis,
    /// The highest row of the `change` table recorded so far.
    pub last_change: u64,
}

/// A batch that is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Number of its first record.
    pub first_seq: u64,
    /// Time of its records.
    pub at: UnixMillis,
}

/// Why a batch may not be on disk.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// No space, or only the reserve.
    #[error("the journal's disk is full")]
    Full,
    /// A write or a sync failed; [`Writer::repair`] is needed.
    #[error("the journal could not write: {0}")]
    Failed(#[source] io::Error),
    /// It failed earlier and is not repaired yet.
    #[error("the journal is being repaired after a failed write")]
    Broken,
}

/// What the journal has done since it was opened.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Records on disk.
    pub records: AtomicU64,
    /// Batches on disk; as many syncs.
    pub batches: AtomicU64,
    /// Bytes of batches on disk.
    pub bytes: AtomicU64,
    /// Segments begun.
    pub segments: AtomicU64,
    /// Writes and syncs that failed.
    pub failures: AtomicU64,
    /// Records refused because the queue was full, the disk was, or a write failed.
    pub refused: AtomicU64,
    /// Heads signed.
    pub heads: AtomicU64,
    /// How long the last write with its sync took, in nanoseconds.
    pub last_sync_nanos: AtomicU64,
    /// How long writes with their syncs took.
    pub syncs: Histogram,
}

/// Appends batches to a journal, one at a time.
pub struct Writer<D: Disk> {
    pub(crate) disk: Arc<D>,
    pub(crate) layout: Layout,
    pub(crate) segment: Segment<D>,
    pub(crate) end: End,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) prepared: Option<Prepared<D>>,
    pub(crate) broken: bool,
    pub(crate) full: bool,
    pub(crate) _lock: D::Lock,
}

/// The segment in use.
pub(crate) struct Segment<D: Disk> {
    pub(crate) file: D::File,
    pub(crate) header: Header,
    /// Where the next batch goes.
    pub(crate) end: u64,
    /// What the next record is linked to.
    pub(crate) link: ChainHash,
    pub(crate) last_batch: Option<LastBatch>,
}

/// What it takes to check the durable end on the disk itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LastBatch {
    pub(crate) offset: u64,
    pub(crate) first_seq: u64,
    pub(crate) link: ChainHash,
}

impl<D: Disk> Writer<D> {
    /// Writes the batch and waits for the disk. On an error nothing is known of these records: they may
    /// turn up at the next start, so nobody may be told anything but "unavailable".
    pub fn append(
        &mut self,
        batch: &mut BatchBuffer,
        class: Class,
        now: UnixMillis,
    ) -> Result<Appended, AppendError> {
        if self.broken {
            return Err(AppendError::Broken);
        }
        let length = batch.length() as u64;
        self.make_room(length, class, now)?;
        let first_seq = self.end.seq + 1;
        let at = self.end.at.max(batch.at());
        let Segment { file, end: offset, link, .. } = &self.segment;
        let (offset, link) = (*offset, *link);
        let (bytes, hash) = batch.seal(first_seq, at, link);
        let written = self.disk.write_at(file, bytes, offset);
        if let Err(error) = written.and_then(|()| self.disk.sync_data(file, SyncSite::Batch)) {
            return Err(self.fail(error));
        }
        self.segment.end += length;
        self.segment.link = hash;
        self.segment.last_batch = Some(LastBatch { offset, first_seq, link });
        let change = batch.payloads().filter_map(self.layout.change_of).max();
        self.end = End {
            seq: self.end.seq + batch.count() as u64,
            hash,
            at,
            last_change: self.end.last_change.max(change.unwrap_or(0)),
        };
        self.metrics.records.fetch_add(batch.count() as u64, Relaxed);
        self.metrics.batches.fetch_add(1, Relaxed);
        self.metrics.bytes.fetch_add(length, Relaxed);
        Ok(Appended { first_seq, at })
    }

    /// The last record that is sure.
    pub fn end(&self) -> End {
        self.end
    }

    /// First record of the segment in use.
    pub fn segment_first_seq(&self) -> u64 {
        self.segment.header.first_seq
    }

    /// The journal's name.
    pub fn chain(&self) -> ChainId {
        self.segment.header.chain
    }

    /// Counters that can be read while it writes.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Whether [`Writer::repair`] is needed.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Whether a segment should be prepared with [`prepare_ahead`] and given to [`Writer::offer`].
    pub fn wants_segment(&self) -> bool {
        self.prepared.is_none()
    }

    /// Takes a segment that was prepared ahead. It ends a full disk.
    pub fn offer(&mut self, prepared: Prepared<D>) {
        self.prepared = Some(prepared);
        self.full = false;
    }

    /// After a failure: reads the durable end back, checks it, and goes on in a new segment whose header
    /// says so. To be tried again, a second later, for as long as it fails.
    pub fn repair(&mut self, now: UnixMillis) -> Result<(), JournalError> {
        if !self.broken {
            return Ok(());
        }
        self.read_back()?;
        self.begin_segment(Why::AfterFailure, now)
            .map_err(|failed| failed.error)
            .map_err(JournalError::io("begin", "a new segment"))?;
        self.broken = false;
        Ok(())
    }

    fn make_room(&mut self, length: u64, class: Class, now: UnixMillis) -> Result<(), AppendError> {
        if self.has_room(length, class) {
            return Ok(());
        }
        if self.prepared.is_some() || !self.full {
            match self.begin_segment(Why::Full, now) {
                Ok(()) if self.has_room(length, class) => return Ok(()),
                Ok(()) => {}
                Err(BeginFailed { named: true, error }) => return Err(self.fail(error)),
                Err(BeginFailed { named: false, .. }) => self.full = true,
            }
        }
        let left = self.segment.header.length - self.segment.end;
        if class == Class::Change && length <= left { Ok(()) } else { Err(AppendError::Full) }
    }

    fn has_room(&self, length: u64, class: Class) -> bool {
        let kept = match class {
            Class::Issue if self.prepared.is_none() => self.layout.reserve_bytes,
            Class::Issue | Class::Change => 0,
        };
        length + kept <= self.segment.header.length - self.segment.end
    }

    fn fail(&mut self, error: io::Error) -> AppendError {
        self.broken = true;
        self.metrics.failures.fetch_add(1, Relaxed);
        AppendError::Failed(error)
    }

    fn begin_segment(&mut self, why: Why, now: UnixMillis) -> Result<(), BeginFailed> {
        let prepared = match self.prepared.take() {
            Some(prepared) => prepared,
            None => prepare_first(&*self.disk, &self.layout)
                .map_err(|error| BeginFailed { error, named: false })?,
        };
        let old = &self.segment.header;
        // Without a record it is replaced: the new one has its name and goes on from what was before.
        let (previous_first_seq, previous_end, link) = match self.segment.last_batch {
            Some(_) => (old.first_seq, self.segment.end, self.end.hash),
            None => (old.previous_first_seq, old.previous_end, old.link),
        };
        let header = Header {
            chain: old.chain,
            why,
            first_seq: self.end.seq + 1,
            link,
            previous_first_seq,
            previous_end,
            last_change: self.end.last_change,
            last_at: self.end.at,
            created_at: now,
            length: prepared.length,
        };
        self.segment = begin(&*self.disk, prepared, header)?;
        self.metrics.segments.fetch_add(1, Relaxed);
        Ok(())
    }

    /// Checks the last batch on the disk, past what memory holds of it.
    fn read_back(&self) -> Result<(), JournalError> {
        let Some(last) = self.segment.last_batch else { return Ok(()) };
        let name = segment::name(self.segment.header.first_seq);
        let mut bytes = vec![0; (self.segment.end - last.offset) as usize];
        self.disk.forget(&self.segment.file);
        let read = self.disk.read_at(&self.segment.file, &mut bytes, last.offset);
        read.map_err(JournalError::io("read", &name))?;
        match Batch::decode(&bytes, last.first_seq, last.link) {
            Some(batch) if batch.hash == self.end.hash => Ok(()),
            _ => {
                let kind = DamageKind::Record { offset: last.offset };
                Err(Damage::new(&name, last.first_seq, kind).into())
            }
        }
    }
}

/// Prepares a segment for [`Writer::offer`], on a thread where that may take its time.
pub fn prepare_ahead<D: Disk>(disk: &D, layout: &Layout) -> io::Result<Prepared<D>> {
    segment::prepare(disk, AHEAD, layout.segment_bytes)
}

/// Prepares the first segment of a journal.
pub(crate) fn prepare_first<D: Disk>(disk: &D, layout: &Layout) -> io::Result<Prepared<D>> {
    segment::prepare(disk, AT_ONCE, layout.first_segment_bytes)
}

/// A segment could not be begun.
pub(crate) struct BeginFailed {
    pub(crate) error: io::Error,
    /// Whether it may have its name already: then nothing more may go into the one before.
    pub(crate) named: bool,
}

/// Writes the header and gives the file its name, each made sure before the next.
pub(crate) fn begin<D: Disk>(
    disk: &D,
    prepared: Prepared<D>,
    header: Header,
) -> Result<Segment<D>, BeginFailed> {
    let Prepared { file, name, .. } = prepared;
    let (bytes, link) = header.encode();
    disk.write_at(&file, &bytes, 0)
        .and_then(|()| disk.sync_data(&file, SyncSite::Header))
        .map_err(|error| BeginFailed { error, named: false })?;
    disk.rename(name, &segment::name(header.first_seq))
        .and_then(|()| disk.sync_names(SyncSite::Name))
        .map_err(|error| BeginFailed { error, named: true })?;
    Ok(Segment { file, header, end: HEADER_LENGTH as u64, link, last_batch: None })
}
