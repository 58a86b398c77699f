//! Bringing the schema up to date.

use super::connection::SqliteConnection;
use super::open::OpenError;
use crate::sql::{CellsExt, Sql, Value};

/// Every migration, oldest first. A released one never changes; the folder for PostgreSQL has the same.
const MIGRATIONS: &[(&str, &str)] = &[
    ("0001_directory", include_str!("../../migrations/sqlite/0001_directory.sql")),
    ("0002_revocation", include_str!("../../migrations/sqlite/0002_revocation.sql")),
    ("0003_registration", include_str!("../../migrations/sqlite/0003_registration.sql")),
    ("0004_possession", include_str!("../../migrations/sqlite/0004_possession.sql")),
];

const MAKE_LIST: &str = "CREATE TABLE IF NOT EXISTS schema_migration (name TEXT NOT NULL PRIMARY KEY)";
const HAS_LIST: &str = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migration'";
const LIST: &str = "SELECT name FROM schema_migration ORDER BY name";
const ADD: &str = "INSERT INTO schema_migration (name) VALUES ($1)";

/// Whether something is missing. Writes nothing.
pub(super) fn is_behind(connection: &mut SqliteConnection) -> Result<bool, OpenError> {
    Ok(!pending(connection)?.is_empty())
}

/// Applies what is missing, in one transaction. Refuses a schema that a newer program made.
pub(super) fn migrate(connection: &mut SqliteConnection) -> Result<(), OpenError> {
    if pending(connection)?.is_empty() {
        return Ok(());
    }
    connection.begin_writing()?;
    let applied = apply(connection);
    match applied {
        Ok(()) => Ok(connection.commit()?),
        Err(failure) => {
            drop(connection.roll_back());
            Err(failure)
        }
    }
}

fn apply(connection: &mut SqliteConnection) -> Result<(), OpenError> {
    connection.run(MAKE_LIST)?;
    // Read again: another process may have been faster.
    for (name, text) in pending(connection)? {
        connection.run(text)?;
        connection.execute(ADD, &[Value::Text(name)])?;
    }
    Ok(())
}

fn pending(connection: &mut SqliteConnection) -> Result<Vec<(&'static str, &'static str)>, OpenError> {
    let mut applied = Vec::new();
    if !names(connection, HAS_LIST)?.is_empty() {
        applied = names(connection, LIST)?;
    }
    let is_known = |name: &String| MIGRATIONS.iter().any(|(known, _)| known == name);
    if let Some(name) = applied.iter().find(|name| !is_known(name)) {
        return Err(OpenError::NewerSchema { migration: name.clone() });
    }
    let is_missing = |(name, _): &&(&str, &str)| !applied.iter().any(|done| done == name);
    Ok(MIGRATIONS.iter().filter(is_missing).copied().collect())
}

fn names(connection: &mut SqliteConnection, text: &'static str) -> Result<Vec<String>, OpenError> {
    let mut names = Vec::new();
    connection.query(text, &[], &mut |row| {
        names.push(row.str(0)?.to_owned());
        Ok(())
    })?;
    Ok(names)
}
