//! A directory that a test sets, and can make stale.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use procura_protocol::mark::MarkSubject;
use procura_store::administration::{ChangeContext, Revocation, Revoke, StoreError};
use procura_store::changes::{ChangeIfUnchanged, Changes};
use procura_store::fields::{Key, Row};
use procura_store::records::RandomId;
use procura_store::{Directory, NotFresh, Revocations, Store};

/// Gives out the directory that it was given, or says that it is not fresh.
#[derive(Clone)]
pub struct MemoryStore {
    directory: Arc<Mutex<Option<Arc<Directory>>>>,
    revocations: Arc<Revocations>,
}

impl Default for MemoryStore {
    fn default() -> MemoryStore {
        let revocations = Revocations::new(RandomId([7; 16]), 1_000, MarkSubject([0; 32]));
        MemoryStore { directory: Arc::default(), revocations: Arc::new(revocations) }
    }
}

impl MemoryStore {
    /// Publishes a directory.
    pub fn set(&self, directory: Directory) {
        *self.directory.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(directory));
    }

    /// From now on nothing is fresh.
    pub fn make_stale(&self) {
        *self.directory.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Store for MemoryStore {
    type Changes = MemoryStore;

    fn directory(&self) -> Result<Arc<Directory>, NotFresh> {
        self.directory.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(NotFresh)
    }

    fn age(&self) -> Duration {
        Duration::ZERO
    }

    fn revocations(&self) -> &Arc<Revocations> {
        &self.revocations
    }

    fn changes(&self) -> &MemoryStore {
        self
    }
}

impl Changes for MemoryStore {
    async fn whole(&self, _: Vec<Key>) -> Result<Vec<Option<Row>>, StoreError> {
        Err(StoreError::Busy)
    }

    async fn change_if_unchanged(
        &self,
        _: ChangeContext,
        _: Vec<Row>,
        _: Vec<Row>,
    ) -> Result<ChangeIfUnchanged, StoreError> {
        Err(StoreError::Busy)
    }

    async fn revoke(&self, _: ChangeContext, _: Revocation) -> Result<Revoke, StoreError> {
        Err(StoreError::Busy)
    }
}
