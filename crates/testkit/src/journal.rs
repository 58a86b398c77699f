//! A journal in memory that a test can read, and can break.

use std::future::{Ready, ready};
use std::sync::{Arc, Mutex, PoisonError};

use procura_protocol::time::UnixMillis;
use procura_store::Journal;
use procura_store::journal::{JournalUnavailable, Record};

/// How the journal answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Everything is durable at once.
    #[default]
    Works,
    /// Nothing is taken: the disk is full.
    Full,
    /// Records are taken and then can't be made durable: the sync fails.
    SyncFails,
}

/// Records in the order in which they came.
#[derive(Default, Clone)]
pub struct MemoryJournal(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    mode: Mode,
    records: Vec<(UnixMillis, Record)>,
}

impl MemoryJournal {
    /// Changes how it answers.
    pub fn set_mode(&self, mode: Mode) {
        self.lock().mode = mode;
    }

    /// What is durable.
    pub fn records(&self) -> Vec<Record> {
        self.lock().records.iter().map(|(_, record)| record.clone()).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for MemoryJournal {
    type Pending = Ready<Result<(), JournalUnavailable>>;

    fn append(&self, at: UnixMillis, record: &Record) -> Result<Self::Pending, JournalUnavailable> {
        let mut state = self.lock();
        match state.mode {
            Mode::Works => {
                state.records.push((at, record.clone()));
                Ok(ready(Ok(())))
            }
            Mode::Full => Err(JournalUnavailable),
            Mode::SyncFails => Ok(ready(Err(JournalUnavailable))),
        }
    }

    fn takes_issues(&self) -> bool {
        self.lock().mode == Mode::Works
    }
}
