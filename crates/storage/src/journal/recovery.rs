//! Opening a journal: find its end, cut what a power cut left half-written, refuse anything else.
//!
//! Whatever is found complete counts, also if its writer died before its sync: it is written once more
//! and synced before anyone builds on it. Written once more, because a sync that failed may have made the
//! system forget that these bytes never reached the disk.

use std::sync::Arc;

use procura_protocol::time::UnixMillis;

use super::disk::{Disk, SyncSite};
use super::error::{Damage, DamageKind, JournalError};
use super::format::{Batch, ChainHash, ChainId, HEADER_LENGTH, Header, Why};
use super::segment::{self, Scanner, SegmentInfo, Tail};
use super::writer::{BeginFailed, End, LastBatch, Layout, Metrics, Segment, Writer, begin, prepare_first};

/// What was found at start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The last record that is sure.
    pub end: End,
    /// Whether the journal is new.
    pub created: bool,
    /// How many segments it has.
    pub segments: usize,
    /// What a power cut had left half-written, and is gone now. Nobody was told of these records.
    pub cut: Option<Cut>,
    /// Bytes of a half-written line that were cut from `heads.jsonl`.
    pub heads_cut: u64,
}

/// A batch that was not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The file.
    pub file: String,
    /// Where it began.
    pub offset: u64,
    /// How much of it there was.
    pub bytes: u64,
}

/// The journal that is expected, from `heads.jsonl`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    pub(crate) chain: ChainId,
    /// Record and hash of the last signed head.
    pub(crate) head: Option<(u64, ChainHash)>,
}

/// Opens the journal under a lock that the caller took, or begins one.
pub(crate) fn open<D: Disk>(
    disk: Arc<D>,
    lock: D::Lock,
    layout: Layout,
    expected: Expected,
    now: UnixMillis,
) -> Result<(Writer<D>, Found), JournalError> {
    remove_unfinished(&*disk)?;
    let infos = segment::headers(&*disk)?;
    let mut cut = None;
    let (segment, end) = match infos.last() {
        None => (first_segment(&*disk, &layout, expected.chain, now)?, End::default()),
        Some(last) => {
            check_chain(last, &expected)?;
            check_previous(&*disk, &infos)?;
            last_segment(&disk, last, &layout, &expected, &mut cut)?
        }
    };
    if let Some((head, _)) = expected.head
        && head > end.seq
    {
        let file = segment::name(segment.header.first_seq);
        return Err(Damage::new(&file, end.seq + 1, DamageKind::BelowHead { head }).into());
    }
    disk.sync_names(SyncSite::FoundNames).map_err(JournalError::io("sync", "the folder"))?;
    let found = Found { end, created: infos.is_empty(), segments: infos.len().max(1), cut, heads_cut: 0 };
    let writer = Writer {
        disk,
        layout,
        segment,
        end,
        metrics: Arc::new(Metrics::default()),
        prepared: None,
        broken: false,
        full: false,
        _lock: lock,
    };
    Ok((writer, found))
}

fn remove_unfinished<D: Disk>(disk: &D) -> Result<(), JournalError> {
    let names = disk.list().map_err(JournalError::io("list", "the folder"))?;
    for name in names.iter().filter(|name| name.ends_with(segment::UNFINISHED)) {
        disk.remove(name).map_err(JournalError::io("remove", name))?;
    }
    Ok(())
}

fn first_segment<D: Disk>(
    disk: &D,
    layout: &Layout,
    chain: ChainId,
    now: UnixMillis,
) -> Result<Segment<D>, JournalError> {
    let begun = prepare_first(disk, layout).and_then(|prepared| {
        let header = Header {
            chain,
            why: Why::First,
            first_seq: 1,
            link: ChainHash::default(),
            previous_first_seq: 0,
            previous_end: 0,
            last_change: 0,
            last_at: UnixMillis(0),
            created_at: now,
            length: prepared.length,
        };
        begin(disk, prepared, header).map_err(|BeginFailed { error, .. }| error)
    });
    begun.map_err(JournalError::io("begin", "the first segment"))
}

fn check_chain(last: &SegmentInfo, expected: &Expected) -> Result<(), Damage> {
    let header = &last.header;
    if header.chain == expected.chain {
        return Ok(());
    }
    Err(Damage::new(&segment::name(header.first_seq), header.first_seq, DamageKind::OtherChain))
}

/// The segment before the last must end with the record that the last one goes on from.
fn check_previous<D: Disk>(disk: &D, infos: &[SegmentInfo]) -> Result<(), JournalError> {
    let [.., previous, last] = infos else { return Ok(()) };
    let name = segment::name(previous.header.first_seq);
    let mut hash = [0; 32];
    let offset = last.header.previous_end.saturating_sub(hash.len() as u64);
    let file = disk.open_read(&name).map_err(JournalError::io("open", &name))?;
    disk.read_at(&file, &mut hash, offset).map_err(JournalError::io("read", &name))?;
    if hash == last.header.link.0 {
        return Ok(());
    }
    let kind = DamageKind::Record { offset };
    Err(Damage::new(&name, last.header.first_seq.saturating_sub(1), kind).into())
}

fn last_segment<D: Disk>(
    disk: &Arc<D>,
    info: &SegmentInfo,
    layout: &Layout,
    expected: &Expected,
    cut: &mut Option<Cut>,
) -> Result<(Segment<D>, End), JournalError> {
    let header = info.header;
    let name = segment::name(header.first_seq);
    let mut scanner = Scanner::open(disk, header.first_seq, true)?;
    let mut end = End {
        seq: header.first_seq - 1,
        hash: header.link,
        at: header.last_at,
        last_change: header.last_change,
    };
    check_head(&name, expected, end.seq, end.hash)?;
    let check_records = |batch: &Batch<'_>, last_seq| {
        let inside = |(head, _): (u64, _)| (batch.first_seq..=last_seq).contains(&head);
        let mut to_check = expected.head.is_some_and(inside).then(|| batch.records()).into_iter().flatten();
        to_check.try_for_each(|(seq, _, hash)| check_head(&name, expected, seq, hash))
    };
    let mut last_batch = None;
    let mut offset = HEADER_LENGTH as u64;
    while let Some(batch) = scanner.next()? {
        last_batch = Some(LastBatch { offset, first_seq: batch.first_seq, link: batch.link });
        offset += batch.length as u64;
        let last_seq = batch.first_seq + batch.count as u64 - 1;
        check_records(&batch, last_seq)?;
        let change = batch.payloads().filter_map(layout.change_of).max();
        let last_change = end.last_change.max(change.unwrap_or(0));
        end = End { seq: last_seq, hash: batch.hash, at: batch.at, last_change };
    }
    let tail = scanner.tail()?;
    if let Tail::Torn { bytes } = tail {
        *cut = Some(Cut { file: name.clone(), offset, bytes });
    }
    make_sure(&**disk, &scanner, last_batch, tail).map_err(JournalError::io("sync", &name))?;
    Ok((Segment { file: scanner.file, header, end: offset, link: scanner.link, last_batch }, end))
}

fn check_head(file: &str, expected: &Expected, seq: u64, hash: ChainHash) -> Result<(), Damage> {
    match expected.head {
        Some((head, signed)) if head == seq && signed != hash => {
            Err(Damage::new(file, seq, DamageKind::OtherHash))
        }
        _ => Ok(()),
    }
}

/// Writes the last batch once more, zeros over what is not whole behind it, and waits for both.
fn make_sure<D: Disk>(
    disk: &D,
    scanner: &Scanner<D>,
    last_batch: Option<LastBatch>,
    tail: Tail,
) -> std::io::Result<()> {
    if let Some(last) = last_batch {
        let mut bytes = vec![0; (scanner.offset - last.offset) as usize];
        disk.read_at(&scanner.file, &mut bytes, last.offset)?;
        disk.write_at(&scanner.file, &bytes, last.offset)?;
    }
    if let Tail::Torn { bytes } = tail {
        disk.write_at(&scanner.file, &vec![0; bytes as usize], scanner.offset)?;
    }
    disk.sync_data(&scanner.file, SyncSite::Found)
}
