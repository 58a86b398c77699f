//! What a command works at: the store of a data folder, opened for as long as the command runs.

use std::path::{Path, PathBuf};

use procura_storage::SqliteDirectory;
use procura_storage::keys::{Keeper, KeyEncryption, KeySettings};
use procura_store::Clock as _;
use procura_store::administration::{ChangeContext, StoreError};
use tokio::runtime::{Builder, Runtime};

use super::failure::store_failed;
use super::process::{SystemClock, operator};
use super::{LONGEST_LIFETIME, folder, installation, journal};
use crate::cli::Place;
use crate::config::Config;
use crate::exit::Failure;
use crate::output;

/// See the module.
pub(crate) struct Desk {
    config: Config,
    data: PathBuf,
    store: SqliteDirectory,
    clock: SystemClock,
    runtime: Runtime,
}

impl Desk {
    /// Opens the data folder that was named.
    pub(crate) fn open(place: &Place) -> Result<Desk, Failure> {
        let (config, data) = place.read()?;
        folder::check_folder(&data)?;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::unavailable(format_args!("no runtime could be started: {error}")))?;
        let store = folder::open_directory(&data)?;
        Ok(Desk { config, data, store, clock: SystemClock::new(), runtime })
    }

    /// The data folder.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// The verbs.
    pub(crate) fn store(&self) -> &SqliteDirectory {
        &self.store
    }

    /// Waits for a verb.
    pub(crate) fn wait<T>(&self, verb: impl Future<Output = Result<T, StoreError>>) -> Result<T, Failure> {
        self.runtime.block_on(verb).map_err(|error| store_failed(&error))
    }

    /// Waits for anything else.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Whoever runs the command, now.
    pub(crate) fn context(&self, reason: Option<String>) -> ChangeContext {
        let at = self.clock.now();
        ChangeContext { actor: operator(), at, reason, token_lifetime_max: LONGEST_LIFETIME }
    }

    /// What private keys are sealed under. From here on the process's memory is kept private.
    pub(crate) fn encryption(&self) -> Result<KeyEncryption, Failure> {
        super::process::keep_memory_private();
        folder::KeySource::of(&self.config, &self.data).read()
    }

    /// Looks after keys.
    pub(crate) fn keeper<'a>(&'a self, encryption: &'a KeyEncryption) -> Keeper<'a, SqliteDirectory> {
        Keeper { administration: &self.store, encryption, settings: self.key_settings() }
    }

    /// How many marks on tokens an application may have, as configured.
    pub(crate) fn most_token_marks(&self) -> u32 {
        self.config.limits.token_marks_per_application
    }

    /// Whether a server works on the folder.
    pub(crate) fn is_served(&self) -> Result<bool, Failure> {
        folder::is_served(&self.data)
    }

    /// Brings what was changed over into the journal, if no server does. The change itself is made by
    /// then and waits for the next who can, so that a failure is told and no more.
    pub(crate) fn record_changes(&self) {
        if journal::is_held(&self.data) {
            return;
        }
        let recorded = self.encryption().and_then(|encryption| {
            let keeper = self.keeper(&encryption);
            let context = self.context(None);
            let drained = journal::drain_if_free(&self.config, &self.data, &keeper, (&context, &self.clock));
            self.runtime.block_on(drained)
        });
        if let Err(failure) = recorded {
            output::note(&format!(
                "procura: the change is made, but not in the journal yet (the server or the next command that \
                 can will record it): {failure}"
            ));
        }
    }

    fn key_settings(&self) -> KeySettings {
        installation::key_settings(&self.config)
    }
}
