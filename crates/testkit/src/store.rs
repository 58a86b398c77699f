//! A directory that a test sets, and can make stale.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use procura_jose::marks::{everything, mark_subject};
use procura_protocol::events::ToldMark;
use procura_protocol::mark::MarkKind;
use procura_store::administration::{ChangeContext, Revocation, Revoke, StoreError};
use procura_store::changes::ChangeIfUnchanged;
use procura_store::fields::{Key, Row};
use procura_store::records::{RandomId, Version};
use procura_store::{Changes, Directory, NotFresh, Revocations, Store};

/// Gives out the directory that it was given, or says that it is not fresh.
#[derive(Clone)]
pub struct MemoryStore {
    directory: Arc<Mutex<Option<Arc<Directory>>>>,
    revocations: Arc<Revocations>,
    broken: Arc<Mutex<bool>>,
}

impl Default for MemoryStore {
    fn default() -> MemoryStore {
        let revocations = Revocations::new(RandomId([7; 16]), 10_000, everything());
        MemoryStore { directory: Arc::default(), revocations: Arc::new(revocations), broken: Arc::default() }
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

    /// From now on nothing can be changed.
    pub fn break_changes(&self) {
        *self.broken.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// Adds a mark of that version, as a change would.
    pub fn mark(&self, kind: MarkKind, (id, second): (&str, Option<&str>), version: Version) {
        let application = match kind {
            MarkKind::Application | MarkKind::Trust => Some(mark_subject(MarkKind::Application, id, None)),
            _ => None,
        };
        self.revocations.add(&[ToldMark {
            subject: mark_subject(kind, id, second),
            version: version.0,
            any_version: kind.hits_any_version(),
            keep_until: procura_protocol::time::UnixSeconds(i64::MAX),
            application,
        }]);
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

/// Revokes, and knows no whole records: tests about those run on the real directory.
impl Changes for MemoryStore {
    async fn whole(&self, _: Vec<Key>) -> Result<Vec<Option<Row>>, StoreError> {
        Err(StoreError::Damaged("a directory in memory has no whole records"))
    }

    async fn change_if_unchanged(
        &self,
        _: ChangeContext,
        _: Vec<Row>,
        _: Vec<Row>,
    ) -> Result<ChangeIfUnchanged, StoreError> {
        Err(StoreError::Damaged("a directory in memory has no whole records"))
    }

    async fn revoke(&self, _: ChangeContext, revocation: Revocation) -> Result<Revoke, StoreError> {
        if *self.broken.lock().unwrap_or_else(PoisonError::into_inner) {
            return Err(StoreError::Full);
        }
        let version = self.directory().map_or(Version(0), |directory| directory.version());
        let version = Version(version.0 + 1);
        let Revocation::Token(token) = revocation else { return Ok(Revoke::NotFound) };
        for id in &token.ids {
            self.mark(MarkKind::Token, (id, None), version);
        }
        Ok(Revoke::Marked(version))
    }
}
