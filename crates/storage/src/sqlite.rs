//! The directory in one SQLite file: the embedded default, and what tests run on.
//!
//! One connection writes, a few read; all work is done on threads that may block. Other processes (the
//! command line beside a running server) open the same file: SQLite's write lock is between them.

mod administration;
mod changes;
pub(crate) mod connection;
mod migrate;
mod open;
mod reserve;

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

    /// Whether opening would bring the schema up to date, so that an older program could not read it any more.
    ///
    /// Fails as [`SqliteDirectory::open`] does. Blocks; for the start of a program.
    pub fn is_behind(data: &Path) -> Result<bool, OpenError> {
        let mut reader = SqliteConnection::for_reading(&open::check(data)?)?;
        migrate::is_behind(&mut reader)
    }

    /// Opens the directory in a data folder and brings its schema up to date.
    ///
    /// Fails if others could read it, or if a newer program made its schema. Blocks; for the start of a
    /// program.
    pub fn open(data: &Path) -> Result<SqliteDirectory, OpenError> {
        let file = open::check(data)?;
        reserve::keep(data);
        let writer = match open_writer(&file) {
            // Even to open it SQLite may need space.
            Err(OpenError::Store(StoreError::Full | StoreError::Failed(_))) if reserve::give_up(data) => {
                open_writer(&file)
            }
            opened => opened,
        }?;
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

    /// Runs `work` as one change of the directory; on a full disk once more, in the space that is kept.
    async fn write<T: Send + 'static>(
        &self,
        context: ChangeContext,
        work: impl Fn(&mut Writing<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let file = self.shared.file.clone();
        self.with_writer(move |sql| match writing(sql, &context, &work) {
            Err(StoreError::Full) if file.parent().is_some_and(reserve::give_up) => {
                writing(sql, &context, &work)
            }
            outcome => outcome,
        })
        .await
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

fn open_writer(file: &Path) -> Result<SqliteConnection, OpenError> {
    let mut writer = SqliteConnection::for_writing(file)?;
    migrate::migrate(&mut writer)?;
    Ok(writer)
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use procura_protocol::time::UnixMillis;
    use procura_store::administration::Administration as _;
    use procura_store::change::{Actor, Entity};
    use procura_store::fields::Row;

    use super::*;

    #[tokio::test]
    async fn the_space_kept_for_revocation_is_given_up_when_the_disk_is_full_and_kept_again_later() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let store = SqliteDirectory::create(&data).unwrap();
        let reserve = data.join("directory.reserve");
        let kept = std::fs::metadata(&reserve).unwrap();
        assert_eq!((kept.len(), kept.permissions().mode() & 0o777), (512 * 1024, 0o600));

        // A full disk, as far as SQLite is concerned.
        store.with_writer(|sql| sql.query("PRAGMA max_page_count = 1", &[], &mut |_| Ok(()))).await.unwrap();
        let actor = Actor::Operator { uid: 1 };
        let context = ChangeContext { actor, at: UnixMillis(1), reason: None, token_lifetime_max: 60 };
        let mut refused = None;
        for no in 0..10_000 {
            let id = format!("con.{no}");
            let row = Row::read(Entity::Contact, [("contact_id", id.as_str())]).unwrap();
            if let Err(full) = store.put(context.clone(), row).await {
                refused = Some(full);
                break;
            }
        }
        assert!(matches!(refused, Some(StoreError::Full)), "{refused:?}");
        assert!(!reserve.exists());

        drop(store);
        SqliteDirectory::open(&data).unwrap();
        assert!(reserve.exists());
    }
}
