//! What the journal and people read: changes, names of numbers, facts, counts.

use procura_protocol::time::UnixMillis;
use procura_store::administration::{BuiltIn, Fact, Status, StoreError};
use procura_store::change::{Action, Actor, Change, ChangeSeq, Entity};
use procura_store::mark::MarkKind;
use procura_store::records::{ApplicationNo, ContactNo, Version};

use super::shape::{self, Numbers, name_text, number_of};
use super::text::{key, log, resource};
use super::writing::Writing;
use super::{Cells, CellsExt, Sql, Value, number, one_integer, one_text};

/// Rows of the `change` table, in order.
pub(crate) fn changes_after(
    sql: &mut dyn Sql,
    seq: ChangeSeq,
    limit: u32,
) -> Result<Vec<Change>, StoreError> {
    let mut changes = Vec::new();
    let values = [Value::Integer(integer(seq.0)), Value::Integer(limit.into())];
    sql.query(log::CHANGES_AFTER, &values, &mut |row| {
        changes.push(change(row)?);
        Ok(())
    })?;
    Ok(changes)
}

/// Deletes rows of the `change` table up to one. The newest stays: it tells how far numbering came.
pub(crate) fn trim_changes(sql: &mut dyn Sql, up_to: ChangeSeq) -> Result<u64, StoreError> {
    sql.execute(log::TRIM_CHANGES, &[Value::Integer(integer(up_to.0))])
}

/// Deletes marks that can hit nothing any more.
pub(crate) fn sweep_marks(sql: &mut dyn Sql, now: UnixMillis) -> Result<u64, StoreError> {
    sql.execute(log::SWEEP_MARKS, &[Value::Integer(now.seconds().0)])
}

/// The ids of numbers, of removed records too.
pub(crate) fn names_of(
    sql: &mut dyn Sql,
    numbers: &[(Entity, u32)],
) -> Result<Vec<Option<String>>, StoreError> {
    let mut names = Vec::with_capacity(numbers.len());
    for (entity, number) in numbers {
        if !shape::is_named(*entity) {
            names.push(None);
            continue;
        }
        let number = Value::Integer((*number).into());
        let mut name = one_text(sql, name_text(*entity)?, &[number])?;
        if name.is_none() {
            name = one_text(sql, log::FORMER_NAME, &[Value::Integer(entity.code().into()), number])?;
        }
        names.push(name);
    }
    Ok(names)
}

/// The numbers that an id has or had.
pub(crate) fn numbers_of(sql: &mut dyn Sql, entity: Entity, id: &str) -> Result<Vec<u32>, StoreError> {
    if !shape::is_named(entity) {
        return Ok(Vec::new());
    }
    let mut numbers = Vec::new();
    let values = [Value::Integer(entity.code().into()), Value::Text(id)];
    sql.query(log::FORMER_NUMBERS, &values, &mut |row| {
        numbers.push(row.u32(0)?);
        Ok(())
    })?;
    numbers.extend(number_of(sql, entity, id)?);
    Ok(numbers)
}

/// A fact about the installation.
pub(crate) fn fact(sql: &mut dyn Sql, fact: Fact) -> Result<Option<String>, StoreError> {
    one_text(sql, log::FACT, &[Value::Text(fact.name())])
}

/// Sets a fact, or with `only_once` leaves what is there; returns what is there then.
pub(crate) fn set_fact(
    sql: &mut dyn Sql,
    which: Fact,
    value: &str,
    only_once: bool,
) -> Result<String, StoreError> {
    let text = if only_once { log::INSERT_FACT } else { log::SET_FACT };
    sql.execute(text, &[Value::Text(which.name()), Value::Text(value)])?;
    fact(sql, which)?.ok_or(StoreError::Damaged("a fact went away"))
}

/// Makes or renames the built-in resource.
pub(crate) fn set_built_in(writing: &mut Writing<'_>, id: &str) -> Result<BuiltIn, StoreError> {
    let built_in = one_integer(writing.sql, resource::BUILT_IN, &[])?.map(number).transpose()?;
    let holder = number_of(writing.sql, Entity::Resource, id)?;
    let (action, number) = match (built_in, holder) {
        (Some(built_in), Some(holder)) if built_in == holder => return Ok(BuiltIn::Unchanged),
        (_, Some(_)) => return Ok(BuiltIn::Taken),
        (Some(built_in), None) => {
            let values = [Value::Text(id), Value::Integer(built_in.into())];
            writing.sql.execute(resource::RENAME, &values)?;
            (Action::Update, built_in)
        }
        (None, None) => {
            let values = [Value::Text(id), Value::Text("The server's own API")];
            let given = one_integer(writing.sql, resource::INSERT_BUILT_IN, &values)?;
            (Action::Add, number(given.ok_or(StoreError::Damaged("no number was given"))?)?)
        }
    };
    writing.change(Entity::Resource, action, Numbers { number, client: 0 })?;
    Ok(BuiltIn::Set)
}

/// The directory's version.
pub(crate) fn version(sql: &mut dyn Sql) -> Result<Version, StoreError> {
    Ok(Version(count(sql, log::VERSION)?))
}

/// How much there is.
pub(crate) fn status(sql: &mut dyn Sql) -> Result<Status, StoreError> {
    let mut counts = Vec::new();
    for entity in Entity::ALL.iter().filter(|entity| **entity != Entity::Token) {
        let text = if *entity == Entity::Key { key::COUNT } else { shape::of(*entity)?.count };
        counts.push((*entity, count(sql, text)?));
    }
    let mut marks_by_kind = Vec::new();
    sql.query(log::COUNT_MARKS, &[], &mut |row| {
        let kind = u8::try_from(row.i64(0)?).ok().and_then(MarkKind::from_code);
        marks_by_kind.push((kind.ok_or(StoreError::Damaged("an unknown code"))?, row.u64(1)?));
        Ok(())
    })?;
    Ok(Status {
        version: version(sql)?,
        schema: one_text(sql, log::NEWEST_MIGRATION, &[])?.unwrap_or_default(),
        counts,
        marks: marks_by_kind.iter().map(|(_, count)| count).sum(),
        marks_by_kind,
        changes: count(sql, log::COUNT_CHANGES)?,
        last_change: ChangeSeq(count(sql, log::LAST_CHANGE)?),
    })
}

/// A row of the `change` table.
pub(crate) fn change(row: &dyn Cells) -> Result<Change, StoreError> {
    let code = |at: usize| Ok::<_, StoreError>(u8::try_from(row.i64(at)?).unwrap_or_default());
    let unknown = || StoreError::Damaged("an unknown code");
    Ok(Change {
        seq: ChangeSeq(row.u64(0)?),
        version: Version(row.u64(1)?),
        at: UnixMillis(row.i64(2)?),
        actor: actor(row)?,
        entity: Entity::from_code(code(4)?).ok_or_else(unknown)?,
        action: Action::from_code(code(5)?).ok_or_else(unknown)?,
        number: row.u32(6)?,
        client: row.u32(7)?,
        token: row
            .bytes(11)?
            .map(|subject| subject.try_into().map_err(|_| StoreError::Damaged("the subject of a mark")))
            .transpose()?,
        reason: row.text(8)?.map(str::to_owned),
    })
}

/// What stands in the column `actor` beside users of the host, which are their number.
pub(crate) const SERVER: i64 = -1;
pub(crate) const APPLICATION: i64 = -2;
pub(crate) const CONTACT: i64 = -3;

fn actor(row: &dyn Cells) -> Result<Actor, StoreError> {
    match row.i64(3)? {
        SERVER => Ok(Actor::Server),
        APPLICATION => Ok(Actor::Application { application: ApplicationNo(row.u32(9)?) }),
        CONTACT => {
            Ok(Actor::Contact { application: ApplicationNo(row.u32(9)?), contact: ContactNo(row.u32(10)?) })
        }
        uid => match u32::try_from(uid) {
            Ok(uid) => Ok(Actor::Operator { uid }),
            Err(_) => Err(StoreError::Damaged("an unknown actor")),
        },
    }
}

fn count(sql: &mut dyn Sql, text: &'static str) -> Result<u64, StoreError> {
    let count = one_integer(sql, text, &[])?.unwrap_or_default();
    u64::try_from(count).map_err(|_| StoreError::Damaged("a count is negative"))
}

fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
