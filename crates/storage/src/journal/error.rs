//! What can be wrong with a journal, said so that an operator knows where to look.

use std::fmt;
use std::io;

use thiserror::Error;

use super::heads::HeadSignFailed;

/// Why a journal can't be opened, read or repaired.
#[derive(Debug, Error)]
pub enum JournalError {
    /// Someone else writes it.
    #[error("another process writes this journal (it holds journal.lock)")]
    Locked,
    /// The disk refused.
    #[error("the journal could not {action} {file}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file of the journal's folder.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// What is on the disk is not what was written.
    #[error("{0}")]
    Integrity(#[from] Damage),
    /// The key given is not the one that signs this journal's heads.
    #[error(
        "the journal's heads are signed by key {expected}, not by {given}: give back that key or let it \
         name its successor"
    )]
    OtherKey {
        /// `kid` in `heads.jsonl`.
        expected: String,
        /// `kid` of the key at hand.
        given: String,
    },
    /// A head could not be signed.
    #[error(transparent)]
    Sign(#[from] HeadSignFailed),
}

impl JournalError {
    /// For `map_err`: what was tried on which file.
    pub(crate) fn io(action: &'static str, file: &str) -> impl FnOnce(io::Error) -> JournalError {
        move |source| JournalError::Io { action, file: file.to_owned(), source }
    }
}

/// Something that was edited, removed, moved or cut, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file, by its name in the journal's folder.
    pub file: String,
    /// The first record that can't be trusted.
    pub seq: u64,
    /// What is wrong.
    pub kind: DamageKind,
}

/// What is wrong with a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DamageKind {
    /// A segment's header can't be read.
    Header,
    /// A segment is of another journal.
    OtherChain,
    /// A segment does not go on from the one before: one between is missing, or either was changed.
    Gap,
    /// A file is shorter or longer than its header says.
    Length {
        /// Bytes that the header promises.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// At this place of the file stands something else than the record.
    Record {
        /// Bytes from the start of the file.
        offset: u64,
    },
    /// Bytes after the end that no write of ours can have left.
    AfterEnd {
        /// Bytes from the start of the file.
        offset: u64,
    },
    /// The journal ends before a head that was signed.
    BelowHead {
        /// The record of that head.
        head: u64,
    },
    /// A record has another hash than in a head that was signed.
    OtherHash,
    /// The head that was kept elsewhere was not signed for this journal.
    OtherHead,
    /// `heads.jsonl` is gone.
    HeadsMissing,
    /// A line of `heads.jsonl` is not what was signed.
    HeadLine {
        /// Counted from 1; 0 when only the end of the file was read.
        line: u64,
    },
}

impl Damage {
    pub(crate) fn new(file: &str, seq: u64, kind: DamageKind) -> Damage {
        Damage { file: file.to_owned(), seq, kind }
    }
}

impl std::error::Error for Damage {}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Damage { file, seq, kind } = self;
        write!(f, "journal/{file}: ")?;
        match kind {
            DamageKind::Header => write!(f, "the header was changed; record {seq} should be the first"),
            DamageKind::OtherChain => {
                write!(f, "belongs to another journal; record {seq} should be the first")
            }
            DamageKind::Gap => write!(
                f,
                "does not go on from what is before record {seq}: a segment is missing or was changed"
            ),
            DamageKind::Length { expected, found } => write!(
                f,
                "is {found} bytes long and should be {expected}; records from {seq} on may be affected"
            ),
            DamageKind::Record { offset } => write!(
                f,
                "at byte {offset}, where record {seq} should be, something was changed, removed or moved"
            ),
            DamageKind::AfterEnd { offset } => {
                write!(
                    f,
                    "at byte {offset}, after its end before record {seq}, something was added or changed"
                )
            }
            DamageKind::BelowHead { head } => write!(
                f,
                "the journal ends before record {seq}, but the head of record {head} was signed: \
                 records were cut off"
            ),
            DamageKind::OtherHash => {
                write!(f, "record {seq} has another hash than in the head that was signed")
            }
            DamageKind::OtherHead => write!(
                f,
                "the head that was kept elsewhere, of record {seq}, is not of this journal: give one of this \
                 folder's; if it is, the journal was replaced"
            ),
            DamageKind::HeadsMissing => {
                write!(f, "is missing, so nothing shows whether records up to {seq} are complete")
            }
            DamageKind::HeadLine { line: 0 } => write!(f, "a line near its end is not what was signed"),
            DamageKind::HeadLine { line } => write!(f, "line {line} is not what was signed"),
        }
    }
}
