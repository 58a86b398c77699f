//! A directory that a test sets, and can make stale.

use std::sync::{Arc, Mutex, PoisonError};

use procura_store::{Directory, NotFresh, Store};

/// Gives out the directory that it was given, or says that it is not fresh.
#[derive(Default, Clone)]
pub struct MemoryStore(Arc<Mutex<Option<Arc<Directory>>>>);

impl MemoryStore {
    /// Publishes a directory.
    pub fn set(&self, directory: Directory) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(directory));
    }

    /// From now on nothing is fresh.
    pub fn make_stale(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Store for MemoryStore {
    fn directory(&self) -> Result<Arc<Directory>, NotFresh> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(NotFresh)
    }
}
