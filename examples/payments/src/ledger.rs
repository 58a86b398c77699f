//! Records by client. Nobody reaches one without an [`Authority`], which the guard alone makes, so no
//! handler can forget to ask whose record it is.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};

use procura_guard::{Authority, ClientId};

/// All records of a kind.
pub(crate) struct Ledger<T> {
    kept: Mutex<Kept<T>>,
}

struct Kept<T> {
    records: BTreeMap<(ClientId, u64), T>,
    last_id: u64,
}

/// Those of the client that a call is about.
pub(crate) struct Records<'a, T> {
    ledger: &'a Ledger<T>,
    client: &'a ClientId,
}

impl<T: Clone> Ledger<T> {
    /// An [`procura_guard::ActingFor`] of any kind can stand here: `ledger.of(&acting)`.
    pub(crate) fn of<'a>(&'a self, acting: &'a Authority) -> Records<'a, T> {
        Records { ledger: self, client: acting.client() }
    }

    fn lock(&self) -> MutexGuard<'_, Kept<T>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone> Records<'_, T> {
    /// Keeps what is made for the new id.
    pub(crate) fn add(&self, make: impl FnOnce(u64) -> T) -> T {
        let mut kept = self.ledger.lock();
        kept.last_id += 1;
        let record = make(kept.last_id);
        let key = (self.client.clone(), kept.last_id);
        kept.records.insert(key, record.clone());
        record
    }

    /// One of them. Another client's is as unknown as one that never was.
    pub(crate) fn get(&self, id: u64) -> Option<T> {
        self.ledger.lock().records.get(&self.key(id)).cloned()
    }

    /// All of them, oldest first.
    pub(crate) fn all(&self) -> Vec<T> {
        let ours: RangeInclusive<_> = self.key(0)..=self.key(u64::MAX);
        self.ledger.lock().records.range(ours).map(|(_, record)| record.clone()).collect()
    }

    /// Changes one, while nobody else does.
    pub(crate) fn change<R>(&self, id: u64, change: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.ledger.lock().records.get_mut(&self.key(id)).map(change)
    }

    fn key(&self, id: u64) -> (ClientId, u64) {
        (self.client.clone(), id)
    }
}

impl<T> Default for Ledger<T> {
    fn default() -> Self {
        Ledger { kept: Mutex::new(Kept { records: BTreeMap::new(), last_id: 0 }) }
    }
}
