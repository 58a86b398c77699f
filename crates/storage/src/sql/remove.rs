//! Switching records off, removing and erasing them.

use procura_store::administration::{Disable, Erase, Refusal, Remove, StoreError};
use procura_store::change::{Action, Entity};
use procura_store::fields::{self, Key};

use super::credentials;
use super::marks::mark_if_smaller;
use super::put::{get, save};
use super::shape::{self, Numbers, Stored, is_pair};
use super::text::{application, log, mandate, resource, trust};
use super::writing::Writing;
use super::{CellsExt, Sql, Value, one_integer, one_text};

/// Switches a record off. A record that keeps its reason keeps this one from now on: why a trust was
/// withdrawn is what will be asked, no longer why it was given.
pub(crate) fn disable(writing: &mut Writing<'_>, key: &Key) -> Result<Disable, StoreError> {
    let Some(before) = get(writing.sql, key)? else { return Ok(Disable::NotFound) };
    if !before.is_on() {
        return Ok(Disable::AlreadyOff);
    }
    let mut after = before.clone();
    if let Some(at) = fields::position(key.entity(), "status") {
        after.values[at] = fields::status_off(key.entity()).map(str::to_owned);
    }
    if let (Some(at), Some(reason)) = (fields::position(key.entity(), "reason"), &writing.context.reason)
        && let Ok(reason) = fields::of(key.entity())[at].kind.read(reason)
    {
        after.values[at] = reason;
    }
    save(writing, &before, &after, Action::Disable)?;
    Ok(Disable::Disabled)
}

/// Removes a record and what hangs on it.
pub(crate) fn remove(writing: &mut Writing<'_>, key: &Key) -> Result<Remove, StoreError> {
    let Some(record) = get(writing.sql, key)? else { return Ok(Remove::NotFound) };
    if let Some(refusal) = refusal(writing.sql, &record)? {
        return Ok(Remove::Refused(refusal));
    }
    take_out(writing, &record)?;
    if !is_pair(record.entity) {
        let values = [
            Value::Integer(record.entity.code().into()),
            Value::Integer(record.numbers.number.into()),
            Value::Text(key.first()),
        ];
        writing.sql.execute(log::INSERT_FORMER_NAME, &values)?;
    }
    writing.change(record.entity, Action::Remove, record.numbers)?;
    Ok(Remove::Removed)
}

/// Removes a contact, or one that was removed before, and everything that says which numbers were
/// theirs or why something was changed about them.
pub(crate) fn erase_contact(writing: &mut Writing<'_>, key: &Key) -> Result<Erase, StoreError> {
    let entity = Value::Integer(Entity::Contact.code().into());
    let mut numbers = Vec::new();
    writing.sql.query(log::FORMER_NUMBERS, &[entity, Value::Text(key.first())], &mut |row| {
        numbers.push(row.u32(0)?);
        Ok(())
    })?;
    if let Some(record) = get(writing.sql, key)? {
        take_out(writing, &record)?;
        numbers.push(record.numbers.number);
    }
    if numbers.is_empty() {
        return Ok(Erase::NotFound);
    }
    writing.sql.execute(log::DELETE_FORMER_NAMES, &[entity, Value::Text(key.first())])?;
    for number in numbers {
        writing.change(Entity::Contact, Action::Erase, Numbers { number, client: 0 })?;
        writing.sql.execute(log::FORGET_REASONS, &[Value::Integer(number.into())])?;
    }
    Ok(Erase::Erased)
}

fn refusal(sql: &mut dyn Sql, record: &Stored) -> Result<Option<Refusal>, StoreError> {
    if record.entity != Entity::Resource {
        return Ok(None);
    }
    let number = i64::from(record.numbers.number);
    if one_integer(sql, resource::BUILT_IN, &[])? == Some(number) {
        return Ok(Some(Refusal::IsBuiltIn));
    }
    let in_use = one_text(sql, resource::IN_USE, &[Value::Integer(number)])?;
    Ok(in_use.map(|application| Refusal::InUse { application }))
}

/// Deletes a record with its mark, and what hangs on it with a row of the `change` table each. The
/// mark on the record itself hits every token that those were in.
fn take_out(writing: &mut Writing<'_>, record: &Stored) -> Result<(), StoreError> {
    mark_if_smaller(writing, record, None)?;
    let number = [Value::Integer(record.numbers.number.into())];
    match record.entity {
        Entity::Contact => take_out_pairs(writing, Entity::Mandate, mandate::DELETE_OF_CONTACT, &number)?,
        Entity::Client => {
            take_out_pairs(writing, Entity::Mandate, mandate::DELETE_OVER_CLIENT, &number)?;
            take_out_pairs(writing, Entity::Trust, trust::DELETE_OF_CLIENT, &number)?;
        }
        Entity::Application => {
            take_out_pairs(writing, Entity::Trust, trust::DELETE_IN_APPLICATION, &number)?;
            writing.sql.execute(application::DELETE_RESOURCES, &number)?;
            credentials::take_out(writing, record)?;
        }
        Entity::Resource => credentials::take_out(writing, record)?,
        Entity::Mandate | Entity::Trust | Entity::Key | Entity::Token => {}
    }
    let shape = shape::of(record.entity)?;
    let numbers = record.numbers.values(record.entity);
    if let Some(detail) = &shape.detail {
        writing.sql.execute(detail.delete, &numbers)?;
    }
    writing.sql.execute(shape.main.delete, &numbers).map(drop)
}

fn take_out_pairs(
    writing: &mut Writing<'_>,
    entity: Entity,
    delete: &'static str,
    number: &[Value<'_>],
) -> Result<(), StoreError> {
    let mut gone = Vec::new();
    writing.sql.query(delete, number, &mut |row| {
        gone.push(Numbers { number: row.u32(0)?, client: row.u32(1)? });
        Ok(())
    })?;
    gone.into_iter().try_for_each(|numbers| writing.change(entity, Action::Remove, numbers))
}
