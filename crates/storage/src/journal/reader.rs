//! Reads records from any place on, forwards and backwards, while a server writes or when none does.

use std::collections::VecDeque;
use std::sync::Arc;

use procura_protocol::time::UnixMillis;
use procura_store::journal::AssertionUsed;

use super::codec;
use super::disk::Disk;
use super::error::{Damage, DamageKind, JournalError};
use super::format::ChainHash;
use super::heads::{HeadsReader, SignedHead};
use super::segment::{self, Scanner, SegmentInfo};

/// Reads a journal. Takes no lock and writes nothing.
pub struct Reader<D: Disk> {
    pub(crate) disk: Arc<D>,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub seq: u64,
    /// When it was written.
    pub at: UnixMillis,
    /// What it says; see [`super::codec`].
    pub payload: Vec<u8>,
    /// Its place in the chain.
    pub hash: ChainHash,
}

impl<D: Disk> Reader<D> {
    /// A reader of the journal on that disk.
    pub fn new(disk: Arc<D>) -> Reader<D> {
        Reader { disk }
    }

    /// The headers of all segments, in order, each checked against the one before.
    pub fn segments(&self) -> Result<Vec<SegmentInfo>, JournalError> {
        segment::headers(&*self.disk)
    }

    /// The records from number `seq` on (the first is 1).
    ///
    /// At the end of the journal the iterator gives `None`, and goes on where it stopped when it is asked
    /// again after more was written. A record read from the very end is not sure yet: should its write
    /// fail, its number comes again with what was recorded instead.
    pub fn entries(&self, seq: u64) -> Result<Entries<D>, JournalError> {
        let first_seqs = segment::first_seqs(&*self.disk)?;
        let begins = first_seqs.iter().copied().take_while(|first| *first <= seq.max(1)).last();
        let scanner = begins.map(|first| Scanner::open_limited(&self.disk, first)).transpose()?;
        let disk = Arc::clone(&self.disk);
        Ok(Entries { disk, scanner, from: seq.max(1), ready: VecDeque::new(), end_checked: 0, failed: false })
    }

    /// Shows every assertion that was used at `since` or later, oldest first; some of before may come too. Whether
    /// a server wrote anything since then, beside changes of the directory, which commands bring too. For a start,
    /// while nobody writes.
    pub fn used_assertions(
        &self,
        since: UnixMillis,
        mut show: impl FnMut(AssertionUsed),
    ) -> Result<bool, JournalError> {
        let mut answered = false;
        let segments = self.segments()?;
        // The records before a segment are no younger than its header says.
        let older = |info: &&SegmentInfo| info.header.last_at < since;
        let from = segments.iter().rev().find(older).or(segments.first());
        let mut scanner = match from {
            Some(info) => Scanner::open_limited(&self.disk, info.header.first_seq)?,
            None => return Ok(false),
        };
        loop {
            while let Some(batch) = scanner.next()? {
                answered = answered || batch.payloads().any(|payload| codec::change_of(payload).is_none());
                batch.payloads().filter_map(codec::assertion_of).for_each(&mut show);
            }
            let next = segment::next_segment(&*self.disk, scanner.info.header.first_seq)?;
            let Some(next) = next else { break };
            let next = Scanner::open_limited(&self.disk, next)?;
            scanner.check_seam(&next.info)?;
            scanner = next;
        }
        scanner.at_end().map(|_| answered)
    }

    /// All records that are there now, newest first.
    pub fn entries_back(&self) -> Result<EntriesBack<D>, JournalError> {
        let left = segment::first_seqs(&*self.disk)?;
        Ok(EntriesBack { disk: Arc::clone(&self.disk), left, ready: Vec::new() })
    }

    /// The last signed head, as it can be exported and kept elsewhere; `None` before the first.
    pub fn last_head(&self) -> Result<Option<SignedHead>, JournalError> {
        let mut heads = HeadsReader::open(&self.disk)?;
        let mut last = None;
        while let Some(head) = heads.next_head()? {
            last = Some(head);
        }
        Ok(last)
    }
}

/// Records in order; see [`Reader::entries`].
pub struct Entries<D: Disk> {
    disk: Arc<D>,
    scanner: Option<Scanner<D>>,
    from: u64,
    ready: VecDeque<Entry>,
    /// The place that was checked to be the end, so that asking again is cheap.
    end_checked: u64,
    failed: bool,
}

impl<D: Disk> Iterator for Entries<D> {
    type Item = Result<Entry, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.advance().transpose();
        self.failed = matches!(next, Some(Err(_)));
        next
    }
}

impl<D: Disk> Entries<D> {
    fn advance(&mut self) -> Result<Option<Entry>, JournalError> {
        loop {
            if let Some(entry) = self.ready.pop_front() {
                return Ok(Some(entry));
            }
            let Some(scanner) = &mut self.scanner else {
                let Some(first) = segment::first_seqs(&*self.disk)?.first().copied() else { return Ok(None) };
                self.scanner = Some(Scanner::open_limited(&self.disk, first)?);
                continue;
            };
            if read_batch(scanner, self.from, &mut self.ready)? {
                continue;
            }
            let Some(next) = segment::next_segment(&*self.disk, scanner.info.header.first_seq)? else {
                return if self.grew()? { continue } else { Ok(None) };
            };
            let next = Scanner::open_limited(&self.disk, next)?;
            if scanner.is_sealed() {
                scanner.check_seam(&next.info)?;
            } else if scanner.offset <= next.info.header.previous_end {
                // It was the last one until now: what is left of it comes first.
                scanner.limit = next.info.header.previous_end;
                scanner.refresh();
                if scanner.is_sealed() {
                    continue;
                }
                scanner.check_seam(&next.info)?;
            }
            // Else its last records were read before their write failed: their numbers come again.
            self.scanner = Some(next);
        }
    }

    /// At the end of the last segment: whether there is more by now.
    fn grew(&mut self) -> Result<bool, JournalError> {
        let Some(scanner) = &mut self.scanner else { return Ok(false) };
        scanner.refresh();
        if read_batch(scanner, self.from, &mut self.ready)? {
            return Ok(true);
        }
        if self.end_checked != scanner.offset {
            if scanner.at_end()?.is_none() {
                return Ok(true);
            }
            self.end_checked = scanner.offset;
        }
        Ok(false)
    }
}

/// Takes one batch; false when there is none (yet).
fn read_batch<D: Disk>(
    scanner: &mut Scanner<D>,
    from: u64,
    into: &mut VecDeque<Entry>,
) -> Result<bool, JournalError> {
    let Some(batch) = scanner.next()? else { return Ok(false) };
    if batch.first_seq + batch.count as u64 > from {
        let at = batch.at;
        let entries = batch.records().filter(|(seq, ..)| *seq >= from);
        into.extend(entries.map(|(seq, payload, hash)| Entry { seq, at, payload: payload.to_vec(), hash }));
    }
    Ok(true)
}

/// Records, newest first; see [`Reader::entries_back`].
pub struct EntriesBack<D: Disk> {
    disk: Arc<D>,
    left: Vec<u64>,
    ready: Vec<Entry>,
}

impl<D: Disk> Iterator for EntriesBack<D> {
    type Item = Result<Entry, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.ready.is_empty() {
            let first = self.left.pop()?;
            if let Err(error) = self.load(first) {
                self.left.clear();
                return Some(Err(error));
            }
        }
        self.ready.pop().map(Ok)
    }
}

impl<D: Disk> EntriesBack<D> {
    fn load(&mut self, first: u64) -> Result<(), JournalError> {
        let mut scanner = Scanner::open_limited(&self.disk, first)?;
        let mut entries = VecDeque::new();
        while read_batch(&mut scanner, 0, &mut entries)? {}
        if !scanner.is_sealed() {
            // Batches that were written since are not "there now".
            scanner.at_end()?;
        } else if scanner.offset != scanner.limit {
            let kind = DamageKind::Record { offset: scanner.offset };
            return Err(Damage::new(&scanner.name(), scanner.seq, kind).into());
        }
        self.ready = entries.into();
        Ok(())
    }
}
