//! A connection to the file.

use std::path::Path;
use std::time::Duration;

use procura_store::administration::StoreError;
use rusqlite::config::DbConfig;
use rusqlite::types::{FromSqlError, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ErrorCode, OpenFlags, Row, ToSql};

use crate::sql::{Cells, Sql, Value};

/// How long a change waits for another to end. An import holds the lock for as long as it runs, and a
/// revocation made meanwhile has to come after it, not to fail.
const BUSY: Duration = Duration::from_secs(60);
/// Texts that stay prepared; there are fewer.
const PREPARED: usize = 128;
/// Pages in memory, in KiB. What writes needs room for the indexes of a large import, and takes it only
/// then.
const WRITER_CACHE_KIB: i64 = 64 * 1024;
const READER_CACHE_KIB: i64 = 2 * 1024;
/// What is left of the write-ahead log after an import.
const LOG_BYTES_KEPT: i64 = 16 * 1024 * 1024;

/// A connection with our settings.
pub(crate) struct SqliteConnection {
    connection: Connection,
}

impl SqliteConnection {
    /// The one that writes. What is deleted is overwritten with zeros.
    pub(crate) fn for_writing(file: &Path) -> Result<SqliteConnection, StoreError> {
        let connection = open(file, WRITER_CACHE_KIB)?;
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).map_err(failed)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
        connection.pragma_update(None, "foreign_keys", true).map_err(failed)?;
        connection.pragma_update_and_check(None, "secure_delete", true, |_| Ok(())).map_err(failed)?;
        connection
            .pragma_update_and_check(None, "journal_size_limit", LOG_BYTES_KEPT, |_| Ok(()))
            .map_err(failed)?;
        Ok(SqliteConnection { connection })
    }

    /// One that never writes.
    pub(crate) fn for_reading(file: &Path) -> Result<SqliteConnection, StoreError> {
        Ok(SqliteConnection { connection: reader(file)? })
    }

    /// Runs statements that take no values and that nobody prepares: those of migrations.
    pub(crate) fn run(&mut self, texts: &str) -> Result<(), StoreError> {
        self.connection.execute_batch(texts).map_err(failed)
    }

    fn bound(&mut self, text: &'static str, values: &[Value<'_>]) -> Result<CachedStatement<'_>, StoreError> {
        let mut statement = self.connection.prepare_cached(text).map_err(failed)?;
        for (at, value) in values.iter().enumerate() {
            statement.raw_bind_parameter(at + 1, value).map_err(failed)?;
        }
        Ok(statement)
    }
}

impl Sql for SqliteConnection {
    fn begin_writing(&mut self) -> Result<(), StoreError> {
        self.forget_left_over()?;
        self.run("BEGIN IMMEDIATE")
    }

    fn begin_reading(&mut self) -> Result<(), StoreError> {
        self.forget_left_over()?;
        self.run("BEGIN")
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.run("COMMIT")
    }

    fn roll_back(&mut self) -> Result<(), StoreError> {
        // SQLite ends a transaction by itself when the disk is full, for instance.
        if self.connection.is_autocommit() { Ok(()) } else { self.run("ROLLBACK") }
    }

    fn execute(&mut self, text: &'static str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        let touched = self.bound(text, values)?.raw_execute().map_err(failed)?;
        Ok(touched as u64)
    }

    fn query(
        &mut self,
        text: &'static str,
        values: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Cells) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut statement = self.bound(text, values)?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(failed)? {
            each(&SqliteCells(row))?;
        }
        Ok(())
    }
}

impl SqliteConnection {
    /// A verb that panicked may have left a transaction open.
    fn forget_left_over(&mut self) -> Result<(), StoreError> {
        self.roll_back()
    }
}

struct SqliteCells<'a>(&'a Row<'a>);

impl SqliteCells<'_> {
    fn cell(&self, at: usize) -> Result<ValueRef<'_>, StoreError> {
        self.0.get_ref(at).map_err(failed)
    }
}

impl Cells for SqliteCells<'_> {
    fn integer(&self, at: usize) -> Result<Option<i64>, StoreError> {
        self.cell(at)?.as_i64_or_null().map_err(other_type)
    }

    fn text(&self, at: usize) -> Result<Option<&str>, StoreError> {
        self.cell(at)?.as_str_or_null().map_err(other_type)
    }

    fn bytes(&self, at: usize) -> Result<Option<&[u8]>, StoreError> {
        self.cell(at)?.as_blob_or_null().map_err(other_type)
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
            Value::Integer(integer) => ValueRef::Integer(*integer),
            Value::Null => ValueRef::Null,
        }))
    }
}

/// A connection that never writes. It is opened for writing all the same: only such a connection can set
/// up what WAL readers share when it is the first.
pub(crate) fn reader(file: &Path) -> Result<Connection, StoreError> {
    let connection = open(file, READER_CACHE_KIB)?;
    connection.pragma_update(None, "query_only", true).map_err(failed)?;
    Ok(connection)
}

fn open(file: &Path, cache_kib: i64) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    connection.pragma_update(None, "trusted_schema", false).map_err(failed)?;
    // Else SQLite plans a text anew for every value that it compares with an indexed column.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(failed)?;
    // Negative is KiB, positive would be pages.
    connection.pragma_update(None, "cache_size", -cache_kib).map_err(failed)?;
    Ok(connection)
}

fn other_type(_: FromSqlError) -> StoreError {
    StoreError::Damaged("a column holds a value of another type")
}

pub(crate) fn failed(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy,
        Some(ErrorCode::DiskFull) => StoreError::Full,
        Some(ErrorCode::DatabaseCorrupt) => StoreError::Damaged("SQLite finds the file damaged"),
        Some(ErrorCode::NotADatabase) => StoreError::Damaged("it is not an SQLite file"),
        _ => StoreError::Failed(Box::new(error)),
    }
}
