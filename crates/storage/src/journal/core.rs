//! Writer and heads together, under one lock: what the journal's thread drives, and the simulation too.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use procura_protocol::time::UnixMillis;

use super::disk::{Disk, SyncSite};
use super::error::JournalError;
use super::format::{BatchBuffer, ChainId};
use super::heads::{HeadSigner, Heads, SignedHead};
use super::recovery::{self, Expected, Found};
use super::writer::{AppendError, Appended, Class, End, Layout, Writer};

/// A journal that is open for writing, without a thread: each call waits for the disk.
///
/// A command line tool that has something to record uses it as it is; the server puts a thread and a
/// queue in front of it ([`super::group::DiskJournal`]).
pub struct Core<D: Disk> {
    writer: Writer<D>,
    heads: Heads<D>,
    signer: Arc<dyn HeadSigner>,
}

impl<D: Disk> Core<D> {
    /// Takes the lock, finds the end, cuts what is half-written; begins a journal named `new_chain`
    /// where there is none.
    ///
    /// # Errors
    ///
    /// [`JournalError::Locked`], [`JournalError::Integrity`] when more is wrong than a power cut can do,
    /// [`JournalError::OtherKey`], [`JournalError::Io`].
    pub fn open(
        disk: Arc<D>,
        layout: Layout,
        signer: Arc<dyn HeadSigner>,
        new_chain: ChainId,
        now: UnixMillis,
    ) -> Result<(Core<D>, Found), JournalError> {
        disk.create_folder().map_err(JournalError::io("create", "the folder"))?;
        let lock = disk.lock().map_err(JournalError::io("lock", "journal.lock"))?;
        let lock = lock.ok_or(JournalError::Locked)?;
        disk.sync_folder(SyncSite::Folder).map_err(JournalError::io("sync", "the folder"))?;
        let (heads, heads_cut) = Heads::open(Arc::clone(&disk), &*signer, new_chain, now)?;
        let head = heads.last().map(|last| (last.head.seq, last.head.hash));
        let expected = Expected { chain: heads.chain(), head };
        let (writer, mut found) = recovery::open(disk, lock, layout, expected, now)?;
        found.heads_cut = heads_cut;
        Ok((Core { writer, heads, signer }, found))
    }

    /// Writes the batch and waits for the disk; see [`Writer::append`]. Signs a head when a segment was
    /// sealed.
    pub fn append(
        &mut self,
        batch: &mut BatchBuffer,
        class: Class,
        now: UnixMillis,
    ) -> Result<Appended, AppendError> {
        let segment = self.writer.segment_first_seq();
        let appended = self.writer.append(batch, class, now)?;
        if self.writer.segment_first_seq() != segment {
            // The records are sure without it; the next head says as much.
            let _ = self.sign_head();
        }
        Ok(appended)
    }

    /// Whether there are records that no head covers.
    pub fn wants_head(&self) -> bool {
        self.heads.last().map_or(0, |last| last.head.seq) < self.writer.end().seq
    }

    /// Signs where the journal ends, unless the last head says it already.
    pub fn sign_head(&mut self) -> Result<(), JournalError> {
        if self.wants_head() {
            self.heads.append(&self.writer.end(), &*self.signer)?;
            self.writer.metrics().heads.fetch_add(1, Relaxed);
        }
        Ok(())
    }

    /// The last signed head.
    pub fn last_head(&self) -> Option<&SignedHead> {
        self.heads.last()
    }

    /// From now on `successor` signs heads; the key in use vouches for it.
    pub fn succeed(&mut self, successor: Arc<dyn HeadSigner>, now: UnixMillis) -> Result<(), JournalError> {
        self.heads.succeed(&*self.signer, &*successor, now)?;
        self.signer = successor;
        Ok(())
    }

    /// What writes the batches.
    pub fn writer(&self) -> &Writer<D> {
        &self.writer
    }

    /// What writes the batches, to repair it or to give it a segment.
    pub fn writer_mut(&mut self) -> &mut Writer<D> {
        &mut self.writer
    }

    /// The last record that is sure.
    pub fn end(&self) -> End {
        self.writer.end()
    }
}
