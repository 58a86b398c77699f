//! One SQL text for two engines, behind a seam of our own.
//!
//! Verbs are written once, as functions over [`Sql`] inside a transaction. They use TEXT, BYTEA and
//! BIGINT and nothing that only one engine has. `$1` stands for the first value, and in every text the
//! numbers first appear in their order (SQLite counts appearances).

pub(crate) mod credentials;
pub(crate) mod import;
pub(crate) mod keys;
pub(crate) mod list;
pub(crate) mod log;
pub(crate) mod marks;
pub(crate) mod put;
pub(crate) mod remove;
pub(crate) mod revoke;
pub(crate) mod shape;
pub(crate) mod text;
pub(crate) mod writing;

use procura_store::administration::StoreError;

/// A connection of either engine.
pub(crate) trait Sql {
    /// Begins a transaction that may write; it has the write lock from now on or from its first write.
    fn begin_writing(&mut self) -> Result<(), StoreError>;

    /// Begins a transaction that sees one state of the database.
    fn begin_reading(&mut self) -> Result<(), StoreError>;

    /// Makes the transaction durable.
    fn commit(&mut self) -> Result<(), StoreError>;

    /// Forgets the transaction. What can't be undone any more is undone by closing the connection.
    fn roll_back(&mut self) -> Result<(), StoreError>;

    /// Runs a text that gives no rows back; says how many it touched.
    fn execute(&mut self, text: &'static str, values: &[Value<'_>]) -> Result<u64, StoreError>;

    /// Runs a text and shows every row that it gives back.
    fn query(
        &mut self,
        text: &'static str,
        values: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Cells) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;
}

/// A value for a `$n`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
    Integer(i64),
    Null,
}

impl From<Option<i64>> for Value<'_> {
    fn from(value: Option<i64>) -> Self {
        value.map_or(Value::Null, Value::Integer)
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(value: Option<&'a str>) -> Self {
        value.map_or(Value::Null, Value::Text)
    }
}

/// A row that came back, by column from 0.
pub(crate) trait Cells {
    /// Of a BIGINT column.
    fn integer(&self, at: usize) -> Result<Option<i64>, StoreError>;
    /// Of a TEXT column.
    fn text(&self, at: usize) -> Result<Option<&str>, StoreError>;
    /// Of a BYTEA column.
    fn bytes(&self, at: usize) -> Result<Option<&[u8]>, StoreError>;
}

/// Columns that can't be NULL.
pub(crate) trait CellsExt: Cells {
    fn i64(&self, at: usize) -> Result<i64, StoreError> {
        self.integer(at)?.ok_or(StoreError::Damaged("a number is missing"))
    }

    fn u32(&self, at: usize) -> Result<u32, StoreError> {
        number(self.i64(at)?)
    }

    fn u64(&self, at: usize) -> Result<u64, StoreError> {
        u64::try_from(self.i64(at)?).map_err(|_| StoreError::Damaged("a number is negative"))
    }

    fn str(&self, at: usize) -> Result<&str, StoreError> {
        self.text(at)?.ok_or(StoreError::Damaged("a text is missing"))
    }
}

impl<C: Cells + ?Sized> CellsExt for C {}

/// A number of a record.
pub(crate) fn number(value: i64) -> Result<u32, StoreError> {
    u32::try_from(value).map_err(|_| StoreError::NumbersExhausted)
}

/// The first column of the first row, if there is a row.
pub(crate) fn one_integer(
    sql: &mut dyn Sql,
    text: &'static str,
    values: &[Value<'_>],
) -> Result<Option<i64>, StoreError> {
    let mut found = None;
    sql.query(text, values, &mut |row| {
        if found.is_none() {
            found = row.integer(0)?;
        }
        Ok(())
    })?;
    Ok(found)
}

/// The first column of the first row, if there is a row.
pub(crate) fn one_text(
    sql: &mut dyn Sql,
    text: &'static str,
    values: &[Value<'_>],
) -> Result<Option<String>, StoreError> {
    let mut found = None;
    sql.query(text, values, &mut |row| {
        if found.is_none() {
            found = row.text(0)?.map(str::to_owned);
        }
        Ok(())
    })?;
    Ok(found)
}

/// Runs `read` on one state of the database.
pub(crate) fn reading<T>(
    sql: &mut dyn Sql,
    read: impl FnOnce(&mut dyn Sql) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    sql.begin_reading()?;
    let result = read(sql);
    match sql.roll_back() {
        Ok(()) => result,
        Err(failure) => result.and(Err(failure)),
    }
}

/// Every text that is ever run, by name: a test prepares them all on both engines.
pub fn all_statements() -> impl Iterator<Item = (&'static str, &'static str)> {
    text::ALL.iter().flat_map(|texts| texts.iter().copied())
}
