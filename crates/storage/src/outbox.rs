//! The outbox: rows of the `change` table become records of the journal, each exactly once.
//!
//! The number of the row is in the record, so the journal itself knows how far it came, whatever broke
//! off in between. Whoever holds `journal.lock` drains: the server, else a command after its commit.

use std::future::Future;

use procura_protocol::time::UnixMillis;
use procura_store::administration::{Administration, StoreError};
use procura_store::change::{Change, ChangeSeq};
use procura_store::journal::{Changed, JournalUnavailable, Record};
use thiserror::Error;

use crate::journal::{BatchBuffer, Class, Core, Disk, DiskJournal, codec};

/// Rows in one batch of the journal: large imports go over in thousands of batches, and what tokens wait
/// for goes in between.
const AT_ONCE: u32 = 256;
/// Rows that are deleted in one transaction.
const TRIMMED_AT_ONCE: u32 = 1_000;

/// Where changes go.
pub trait ChangeLog: Send {
    /// The last change that is on record for sure.
    fn last_change(&self) -> ChangeSeq;

    /// Records changes, all of them or none, and waits until they are durable.
    fn record(
        &mut self,
        at: UnixMillis,
        changes: Vec<Changed>,
    ) -> impl Future<Output = Result<(), JournalUnavailable>> + Send;
}

/// Why draining stopped. What was recorded by then stays, and the next turn goes on from there.
#[derive(Debug, Error)]
pub enum OutboxError {
    /// The rows could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The records could not be written.
    #[error(transparent)]
    Journal(#[from] JournalUnavailable),
    /// The journal holds changes that the directory does not know: one of the two is an older copy.
    #[error(
        "the journal has recorded change {recorded}, but the directory has only come to {known}: \
         one of them was restored from an older copy"
    )]
    Ahead {
        /// The last change on record.
        recorded: u64,
        /// The last change of the directory.
        known: u64,
    },
}

/// Brings over every change that the journal does not hold yet; says how many.
///
/// One at a time: two callers would record changes twice.
///
/// # Errors
///
/// [`OutboxError`]; to be called again.
pub async fn drain<A: Administration, L: ChangeLog>(
    administration: &A,
    log: &mut L,
    now: impl Fn() -> UnixMillis + Send,
) -> Result<u64, OutboxError> {
    let mut drained = 0;
    loop {
        let changes = administration.changes_after(log.last_change(), AT_ONCE).await?;
        if changes.is_empty() {
            return Ok(drained);
        }
        drained += changes.len() as u64;
        log.record(now(), changes.iter().map(changed).collect()).await?;
    }
}

/// Deletes rows that are on record and older than `before`, a few at a time; says how many. Readers that
/// have been away for longer load everything.
///
/// # Errors
///
/// [`StoreError`]; to be called again.
pub async fn trim<A: Administration>(
    administration: &A,
    recorded: ChangeSeq,
    before: UnixMillis,
) -> Result<u64, StoreError> {
    let mut trimmed = 0;
    loop {
        let oldest = administration.changes_after(ChangeSeq(0), TRIMMED_AT_ONCE).await?;
        let old = oldest.iter().take_while(|change| change.seq <= recorded && change.at < before);
        let Some(last) = old.last() else { return Ok(trimmed) };
        match administration.trim_changes(last.seq).await? {
            // The newest row always stays.
            0 => return Ok(trimmed),
            deleted => trimmed += deleted,
        }
    }
}

/// Whether journal and directory belong to the same moment: a journal that is ahead would never record
/// the next changes.
///
/// # Errors
///
/// [`OutboxError::Ahead`].
pub async fn check<A: Administration>(administration: &A, recorded: ChangeSeq) -> Result<(), OutboxError> {
    let known = administration.status().await?.last_change;
    if recorded <= known { Ok(()) } else { Err(OutboxError::Ahead { recorded: recorded.0, known: known.0 }) }
}

fn changed(change: &Change) -> Changed {
    Changed {
        change: change.seq,
        version: change.version,
        committed_at: change.at,
        actor: change.actor,
        entity: change.entity,
        action: change.action,
        number: change.number,
        client: change.client,
        token: change.token,
    }
}

/// The running server's journal.
impl<D: Disk> ChangeLog for &DiskJournal<D> {
    fn last_change(&self) -> ChangeSeq {
        ChangeSeq(DiskJournal::last_change(self))
    }

    async fn record(&mut self, at: UnixMillis, changes: Vec<Changed>) -> Result<(), JournalUnavailable> {
        self.append_together(at, &payloads(changes), Class::Change)?.await
    }
}

/// The journal as a command has it, without a thread.
impl<D: Disk> ChangeLog for Core<D> {
    fn last_change(&self) -> ChangeSeq {
        ChangeSeq(self.end().last_change)
    }

    async fn record(&mut self, at: UnixMillis, changes: Vec<Changed>) -> Result<(), JournalUnavailable> {
        let mut batch = BatchBuffer::new();
        if !payloads(changes).iter().all(|payload| batch.push(at, payload)) {
            return Err(JournalUnavailable);
        }
        let appended = self.append(&mut batch, Class::Change, at);
        appended.map(drop).map_err(|error| {
            tracing::error!(%error, "changes could not be recorded");
            JournalUnavailable
        })
    }
}

fn payloads(changes: Vec<Changed>) -> Vec<Vec<u8>> {
    let encode = |changed| {
        let mut payload = Vec::new();
        codec::encode(&Record::Changed(changed), &mut payload);
        payload
    };
    changes.into_iter().map(encode).collect()
}
