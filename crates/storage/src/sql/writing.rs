//! A change in the making: one transaction, one version.

use procura_jose::digest::sha256;
use procura_store::administration::{ChangeContext, StoreError};
use procura_store::change::{Action, Actor, Entity};
use procura_store::mark::{KEEP_BEYOND_EXPIRY, MarkKind, subject_text};

use super::shape::Numbers;
use super::text::log;
use super::{Sql, Value, one_integer};

/// A transaction that may write. It has the next version from its first statement on.
pub(crate) struct Writing<'a> {
    pub(crate) sql: &'a mut dyn Sql,
    pub(crate) context: &'a ChangeContext,
    version: i64,
    changes: u64,
    abandoned: bool,
}

/// Runs `write` in a transaction of its own. It is committed if something changed and it was not
/// abandoned, and forgotten otherwise.
pub(crate) fn writing<T>(
    sql: &mut dyn Sql,
    context: &ChangeContext,
    write: impl FnOnce(&mut Writing<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    sql.begin_writing()?;
    let result = in_transaction(sql, context, write);
    match result {
        Ok((value, true)) => sql.commit().map(|()| value),
        Ok((value, false)) => sql.roll_back().map(|()| value),
        Err(failure) => {
            // What failed first is told; a rollback that fails too changes nothing about it.
            drop(sql.roll_back());
            Err(failure)
        }
    }
}

/// Runs `write` in a transaction of its own that is no change of the directory: no version, no row of
/// the `change` table.
pub(crate) fn tidying<T>(
    sql: &mut dyn Sql,
    write: impl FnOnce(&mut dyn Sql) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    sql.begin_writing()?;
    match write(sql) {
        Ok(value) => sql.commit().map(|()| value),
        Err(failure) => {
            drop(sql.roll_back());
            Err(failure)
        }
    }
}

fn in_transaction<T>(
    sql: &mut dyn Sql,
    context: &ChangeContext,
    write: impl FnOnce(&mut Writing<'_>) -> Result<T, StoreError>,
) -> Result<(T, bool), StoreError> {
    let version =
        one_integer(sql, log::NEXT_VERSION, &[])?.ok_or(StoreError::Damaged("there is no version"))?;
    let mut writing = Writing { sql, context, version, changes: 0, abandoned: false };
    let value = write(&mut writing)?;
    Ok((value, writing.changes > 0 && !writing.abandoned))
}

impl Writing<'_> {
    /// Forgets everything at the end, whatever was written.
    pub(crate) fn abandon(&mut self) {
        self.abandoned = true;
    }

    /// Writes that something was done to a record.
    pub(crate) fn change(
        &mut self,
        entity: Entity,
        action: Action,
        numbers: Numbers,
    ) -> Result<(), StoreError> {
        self.changes += 1;
        let actor = match self.context.actor {
            Actor::Operator { uid } => i64::from(uid),
            Actor::Server => -1,
        };
        let values = [
            Value::Integer(self.version),
            Value::Integer(self.context.at.0),
            Value::Integer(actor),
            Value::Integer(entity.code().into()),
            Value::Integer(action.code().into()),
            Value::Integer(numbers.number.into()),
            Value::Integer(numbers.client.into()),
            self.context.reason.as_deref().into(),
        ];
        self.sql.execute(log::INSERT_CHANGE, &values).map(drop)
    }

    /// Marks every token that `kind` and the ids match.
    pub(crate) fn mark(
        &mut self,
        kind: MarkKind,
        numbers: Numbers,
        id: &str,
        second: Option<&str>,
    ) -> Result<(), StoreError> {
        let subject = sha256(subject_text(kind, id, second).as_bytes());
        let keep_until =
            self.context.at.seconds().plus(self.context.token_lifetime_max).plus(KEEP_BEYOND_EXPIRY);
        let values = [
            Value::Integer(kind.code().into()),
            Value::Bytes(&subject),
            Value::Integer(numbers.number.into()),
            Value::Integer(numbers.client.into()),
            Value::Integer(self.version),
            Value::Integer(keep_until.0),
        ];
        self.sql.execute(log::INSERT_MARK, &values).map(drop)
    }
}
