//! The directory in one SQLite file: the embedded default, and what tests run on.
//!
//! One connection writes, a few read; all work is done on threads that may block. Other processes (the
//! command line beside a running server) open the same file: SQLite's write lock is between them.

mod administration;
pub(crate) mod connection;
mod migrate;
mod open;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use procura_store::administration::{ChangeContext, StoreError};
use tokio::sync::Semaphore;

use crate::sql::writing::{Writing, writing};
use crate::sql::{Sql, reading};
use connection::SqliteConnection;

pub use open::OpenError;

/// Name of the file in the data folder.
pub const FILE_NAME: &str = "directory.sqlite";

/// How many verbs may read at once; more wait.
const MAX_READERS: usize = 4;

/// The directory in a data folder. Cheap to clone: all clones are one.
#[derive(Clone)]
pub struct SqliteDirectory {
    shared: Arc<Shared>,
}

struct Shared {
    file: PathBuf,
    writer: Mutex<SqliteConnection>,
    idle_readers: Mutex<Vec<SqliteConnection>>,
    readers: Semaphore,
}

impl SqliteDirectory {
    /// Makes the directory in a data folder that has none; the folder too, if need be. Folder and file
    /// are for their owner alone.
    ///
    /// Blocks; for the start of a program.
    pub fn create(data: &Path) -> Result<SqliteDirectory, OpenError> {
        open::create(data)?;
        SqliteDirectory::open(data)
    }

    /// Opens the directory in a data folder and brings its schema up to date.
    ///
    /// Fails if others could read it, or if a newer program made its schema. Blocks; for the start of a
    /// program.
    pub fn open(data: &Path) -> Result<SqliteDirectory, OpenError> {
        let file = open::check(data)?;
        let mut writer = SqliteConnection::for_writing(&file)?;
        migrate::migrate(&mut writer)?;
        Ok(SqliteDirectory {
            shared: Arc::new(Shared {
                file,
                writer: Mutex::new(writer),
                idle_readers: Mutex::new(Vec::new()),
                readers: Semaphore::new(MAX_READERS),
            }),
        })
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.shared.file
    }

    /// Runs `work` as one change of the directory.
    async fn write<T: Send + 'static>(
        &self,
        context: ChangeContext,
        work: impl FnOnce(&mut Writing<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.with_writer(move |sql| writing(sql, &context, work)).await
    }

    /// Runs `work` on the connection that writes.
    async fn with_writer<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Sql) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(&self.shared);
        blocking(move || work(&mut *shared.writer.lock().unwrap_or_else(PoisonError::into_inner))).await
    }

    /// Runs `work` on one state of the directory.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Sql) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = self.shared.readers.acquire().await;
        let _turn = turn.map_err(|closed| StoreError::Failed(Box::new(closed)))?;
        let shared = Arc::clone(&self.shared);
        blocking(move || {
            let mut reader = shared.reader()?;
            let result = reading(&mut reader, work)?;
            shared.idle_readers.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
            Ok(result)
        })
        .await
    }
}

impl Shared {
    fn reader(&self) -> Result<SqliteConnection, StoreError> {
        let idle = self.idle_readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| SqliteConnection::for_reading(&self.file), Ok)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|failure| Err(StoreError::Failed(Box::new(failure))))
}
