//! A change in the making: one transaction, one version.

use procura_jose::marks::mark_subject;
use procura_protocol::time::UnixSeconds;
use procura_store::administration::{ChangeContext, StoreError};
use procura_store::change::{Action, Actor, Entity};
use procura_store::mark::{KEEP_BEYOND_EXPIRY, MarkKind};
use procura_store::records::Version;

use super::log::{APPLICATION, CONTACT, SERVER};
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

/// What a mark says besides its kind.
pub(crate) struct Marked {
    pub(crate) subject: [u8; 32],
    /// Subject of the mark on the application whose tokens it hits, if it hits those of one.
    pub(crate) application: Option<[u8; 32]>,
    pub(crate) keep_until: UnixSeconds,
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

    /// The version that this becomes if it is committed.
    pub(crate) fn version(&self) -> Version {
        Version(self.version.unsigned_abs())
    }

    /// Writes that something was done to a record.
    pub(crate) fn change(
        &mut self,
        entity: Entity,
        action: Action,
        numbers: Numbers,
    ) -> Result<(), StoreError> {
        self.change_about(entity, action, numbers, None)
    }

    /// Writes that something was done to a record, or to the token with that subject.
    pub(crate) fn change_about(
        &mut self,
        entity: Entity,
        action: Action,
        numbers: Numbers,
        token: Option<&[u8; 32]>,
    ) -> Result<(), StoreError> {
        self.changes += 1;
        let (actor, application, contact) = match self.context.actor {
            Actor::Operator { uid } => (i64::from(uid), None, None),
            Actor::Server => (SERVER, None, None),
            Actor::Application { application } => (APPLICATION, Some(application), None),
            Actor::Contact { contact, application } => (CONTACT, Some(application), Some(contact)),
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
            application.map(|application| i64::from(application.0)).into(),
            contact.map(|contact| i64::from(contact.0)).into(),
            token.map_or(Value::Null, |token| Value::Bytes(token)),
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
        let application = match kind {
            MarkKind::Application | MarkKind::Trust => Some(mark_subject(MarkKind::Application, id, None).0),
            _ => None,
        };
        let (subject, keep_until) = (mark_subject(kind, id, second).0, self.keep_until());
        self.mark_subject(kind, numbers, Marked { subject, application, keep_until })
    }

    /// When the last token that is out now is gone for sure.
    pub(crate) fn keep_until(&self) -> UnixSeconds {
        self.context.at.seconds().plus(self.context.token_lifetime_max).plus(KEEP_BEYOND_EXPIRY)
    }

    /// Marks a subject.
    pub(crate) fn mark_subject(
        &mut self,
        kind: MarkKind,
        numbers: Numbers,
        Marked { subject, application, keep_until }: Marked,
    ) -> Result<(), StoreError> {
        let values = [
            Value::Integer(kind.code().into()),
            Value::Bytes(&subject),
            Value::Integer(numbers.number.into()),
            Value::Integer(numbers.client.into()),
            Value::Integer(self.version),
            Value::Integer(keep_until.0),
            application.as_ref().map_or(Value::Null, |application| Value::Bytes(application)),
        ];
        self.sql.execute(log::INSERT_MARK, &values).map(drop)
    }
}
