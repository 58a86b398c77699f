//! What a running server has: the directory in memory, and the verbs of requests on the one in the file.
//!
//! A verb's answer means that what it did is in force on this node. So each waits, after its commit, until
//! the follower has seen it; when that takes longer than [`PATIENCE`] the answer is
//! [`StoreError::NotInForce`], and what was committed stays.

use std::sync::Arc;
use std::time::Duration;

use procura_store::administration::{Administration as _, ChangeContext, Revocation, Revoke, StoreError};
use procura_store::changes::{ChangeIfUnchanged, Changes};
use procura_store::fields::{Key, Row};
use procura_store::records::Version;
use procura_store::{Directory, NotFresh, Revocations, Store};

use crate::SqliteDirectory;
use crate::directory::LiveDirectory;

/// How long a verb waits for what it did to be in force here.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct ServingDirectory {
    live: LiveDirectory,
    directory: SqliteDirectory,
    patience: Duration,
}

impl ServingDirectory {
    /// `live` must follow `directory`.
    pub fn new(live: LiveDirectory, directory: SqliteDirectory) -> ServingDirectory {
        ServingDirectory { live, directory, patience: PATIENCE }
    }

    /// The same, with verbs that wait for so long.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> ServingDirectory {
        ServingDirectory { patience, ..self }
    }

    /// The directory in memory.
    pub fn live(&self) -> &LiveDirectory {
        &self.live
    }

    /// Runs `wait` where waiting holds nobody up.
    async fn in_force(
        &self,
        wait: impl FnOnce(&LiveDirectory) -> bool + Send + 'static,
    ) -> Result<(), StoreError> {
        let live = self.live.clone();
        let waited = tokio::task::spawn_blocking(move || wait(&live)).await;
        match waited {
            Ok(true) => Ok(()),
            Ok(false) => Err(StoreError::NotInForce),
            Err(failure) => Err(StoreError::Failed(Box::new(failure))),
        }
    }

    async fn published(&self, version: Version) -> Result<(), StoreError> {
        let patience = self.patience;
        self.in_force(move |live| live.wait_for(version, patience)).await
    }

    async fn marked(&self, version: Version) -> Result<(), StoreError> {
        let patience = self.patience;
        self.in_force(move |live| live.wait_for_marks(version, patience)).await
    }
}

impl Store for ServingDirectory {
    type Changes = ServingDirectory;

    fn directory(&self) -> Result<Arc<Directory>, NotFresh> {
        self.live.directory()
    }

    fn age(&self) -> Duration {
        self.live.age()
    }

    fn revocations(&self) -> &Arc<Revocations> {
        self.live.revocations()
    }

    fn changes(&self) -> &ServingDirectory {
        self
    }
}

impl Changes for ServingDirectory {
    async fn whole(&self, keys: Vec<Key>) -> Result<Vec<Option<Row>>, StoreError> {
        self.directory.whole(keys).await
    }

    async fn change_if_unchanged(
        &self,
        context: ChangeContext,
        expected: Vec<Row>,
        updates: Vec<Row>,
    ) -> Result<ChangeIfUnchanged, StoreError> {
        let (outcome, version) = self.directory.change_if_unchanged(context, expected, updates).await?;
        if outcome == ChangeIfUnchanged::Changed {
            self.published(version).await?;
        }
        Ok(outcome)
    }

    /// In force as soon as the mark is known here; the version that made it may still be loading.
    async fn revoke(&self, context: ChangeContext, revocation: Revocation) -> Result<Revoke, StoreError> {
        let outcome = self.directory.revoke(context, revocation).await?;
        match outcome {
            Revoke::Marked(version) | Revoke::MarkedApplication(version) => self.marked(version).await?,
            // Another process may have marked it a moment ago.
            Revoke::NothingToMark => self.marked(self.directory.version().await?).await?,
            Revoke::NotFound => {}
        }
        Ok(outcome)
    }
}
