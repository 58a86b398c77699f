//! Checks a whole journal: every byte, every link, every signed head.

use std::sync::Arc;

use super::disk::Disk;
use super::error::{Damage, DamageKind, JournalError};
use super::format::{ChainId, Why};
use super::heads::{HEADS, HeadsReader, SignedHead};
use super::reader::Reader;
use super::segment::{Scanner, SegmentInfo, Tail};
use super::writer::End;

/// How far a check has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Records checked.
    pub records: u64,
    /// Bytes of segments read, of [`Progress::total_bytes`].
    pub bytes: u64,
    /// Bytes of all segments.
    pub total_bytes: u64,
}

/// A journal in which nothing was edited, removed, moved or cut, as far as can be proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The journal.
    pub chain: Option<ChainId>,
    /// Records checked.
    pub records: u64,
    /// Segments checked.
    pub segments: u64,
    /// The last record.
    pub end: End,
    /// Signed heads checked.
    pub heads: u64,
    /// Up to this record a signed head proves that nothing was changed or cut, unless whoever did it also
    /// had the journal's key. What comes after is linked, but its end could have been cut.
    pub proven_to: u64,
    /// Up to this record the head that was kept elsewhere proves it against the owner of the host too.
    pub proven_by_exported: Option<u64>,
    /// Bytes at the very end that are not a whole batch: being written just now, or left by a power cut.
    pub unfinished_bytes: u64,
    /// Bytes at the end of `heads.jsonl` that are not a signed line, for the same reasons.
    pub unfinished_head_bytes: u64,
    /// Bytes that failed writes left behind the ends of their segments. They never counted.
    pub abandoned_bytes: u64,
}

impl<D: Disk> Reader<D> {
    /// Checks everything. `exported` is a head that was kept elsewhere; `progress` is called now and then.
    ///
    /// # Errors
    ///
    /// [`JournalError::Integrity`] with the first thing that is wrong.
    pub fn verify(
        &self,
        exported: Option<&SignedHead>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Report, JournalError> {
        // Heads first: what is signed by now is on disk by the time the segments are read.
        let mut heads = HeadsReader::open(&self.disk)?;
        let next_head = heads.next_head()?;
        let infos = self.segments()?;
        let total_bytes = infos.iter().map(|info| info.header.length).sum();
        let chain = infos.first().map(|info| info.header.chain);
        // Before any record: those of another journal differ in all, which would look like a change.
        if let Some(exported) = exported.filter(|head| chain.is_some_and(|chain| chain != head.head.chain)) {
            return Err(other_head(exported));
        }
        let report = Report {
            chain,
            records: 0,
            segments: infos.len() as u64,
            end: End::default(),
            heads: 0,
            proven_to: 0,
            proven_by_exported: None,
            unfinished_bytes: 0,
            unfinished_head_bytes: 0,
            abandoned_bytes: 0,
        };
        let mut check = Check { heads, next_head, exported, report, total_bytes, progress };
        let mut following = infos.iter().skip(1);
        let mut done = 0;
        for info in &infos {
            check.segment(&self.disk, info, following.next(), done)?;
            done += info.header.length;
        }
        check.finish()
    }
}

fn other_head(exported: &SignedHead) -> JournalError {
    Damage::new(HEADS, exported.head.seq, DamageKind::OtherHead).into()
}

struct Check<'a, D: Disk> {
    heads: HeadsReader<D>,
    next_head: Option<SignedHead>,
    exported: Option<&'a SignedHead>,
    report: Report,
    total_bytes: u64,
    progress: &'a mut dyn FnMut(Progress),
}

impl<D: Disk> Check<'_, D> {
    fn segment(
        &mut self,
        disk: &Arc<D>,
        info: &SegmentInfo,
        next: Option<&SegmentInfo>,
        bytes_before: u64,
    ) -> Result<(), JournalError> {
        let mut scanner = Scanner::open(disk, info.header.first_seq, false)?;
        let name = scanner.name();
        if scanner.info != *info || self.heads.chain != Some(info.header.chain) {
            return Err(Damage::new(&name, info.header.first_seq, DamageKind::OtherChain).into());
        }
        if let Some(next) = next {
            scanner.limit = next.header.previous_end;
        }
        let mut reported = 0;
        loop {
            while let Some(batch) = scanner.next()? {
                let last_seq = batch.first_seq + batch.count as u64 - 1;
                if self.wanted_head().is_some_and(|head| head <= last_seq) {
                    for (seq, _, hash) in batch.records() {
                        self.check_heads(&name, End { seq, hash, ..End::default() })?;
                    }
                }
                self.report.records += batch.count as u64;
                self.report.end = End { seq: last_seq, hash: batch.hash, at: batch.at, last_change: 0 };
                if scanner.offset - reported > 1024 * 1024 {
                    reported = scanner.offset;
                    self.tell(bytes_before + reported);
                }
            }
            match next {
                Some(next) => {
                    scanner.check_seam(next)?;
                    scanner.limit = info.header.length;
                    break self.after_end(&scanner, next)?;
                }
                None => match scanner.at_end()? {
                    Some(Tail::Clean) => break,
                    Some(Tail::Torn { bytes }) => break self.report.unfinished_bytes = bytes,
                    None => {}
                },
            }
        }
        self.tell(bytes_before + info.header.length);
        Ok(())
    }

    /// Behind the end of a sealed segment stand zeros, unless a write to it failed.
    fn after_end(&mut self, scanner: &Scanner<D>, next: &SegmentInfo) -> Result<(), JournalError> {
        match (scanner.tail()?, next.header.why) {
            (Tail::Clean, _) => Ok(()),
            (Tail::Torn { bytes }, Why::AfterFailure) => {
                self.report.abandoned_bytes += bytes;
                Ok(())
            }
            (Tail::Torn { .. }, Why::First | Why::Full) => {
                let kind = DamageKind::AfterEnd { offset: scanner.offset };
                Err(Damage::new(&scanner.name(), scanner.seq, kind).into())
            }
        }
    }

    /// The next record for which there is a signed head.
    fn wanted_head(&self) -> Option<u64> {
        let exported = self.exported.filter(|_| self.report.proven_by_exported.is_none());
        [self.next_head.as_ref(), exported].into_iter().flatten().map(|signed| signed.head.seq).min()
    }

    fn check_heads(&mut self, file: &str, record: End) -> Result<(), JournalError> {
        while let Some(signed) = &self.next_head
            && signed.head.seq <= record.seq
        {
            // Heads come in the order of their records, so one that is late was moved.
            if signed.head.seq < record.seq || signed.head.hash != record.hash {
                return Err(Damage::new(file, signed.head.seq, DamageKind::OtherHash).into());
            }
            self.report.proven_to = record.seq;
            self.next_head = self.heads.next_head()?;
        }
        if let Some(exported) = self.exported
            && exported.head.seq == record.seq
        {
            if exported.head.hash != record.hash {
                return Err(Damage::new(file, record.seq, DamageKind::OtherHash).into());
            }
            self.report.proven_by_exported = Some(record.seq);
        }
        Ok(())
    }

    fn tell(&mut self, bytes: u64) {
        let (records, total_bytes) = (self.report.records, self.total_bytes);
        (self.progress)(Progress { records, bytes, total_bytes });
    }

    fn finish(mut self) -> Result<Report, JournalError> {
        let below = |head: &SignedHead, end: &End| {
            let kind = DamageKind::BelowHead { head: head.head.seq };
            JournalError::from(Damage::new(HEADS, end.seq + 1, kind))
        };
        if let Some(signed) = &self.next_head {
            return Err(below(signed, &self.report.end));
        }
        if let Some(exported) = self.exported {
            if exported.head.seq > self.report.end.seq {
                return Err(below(exported, &self.report.end));
            }
            if !self.heads.keys().iter().any(|key| exported.is_signed_by(key)) {
                return Err(other_head(exported));
            }
        }
        self.report.heads = self.heads.checked;
        self.report.unfinished_head_bytes = self.heads.unfinished;
        Ok(self.report)
    }
}
