//! Adding and changing records.

use procura_store::administration::{Add, Put, Refusal, StoreError, Update};
use procura_store::change::{Action, Entity};
use procura_store::changes::ChangeIfUnchanged;
use procura_store::credential::CredentialKind;
use procura_store::fields::{self, Key, Row};

use super::credentials::{live_credential, takes_no_secrets};
use super::marks::mark_if_smaller;
use super::shape::{self, Numbers, Part, Stored, encode, is_pair, number_of, pack};
use super::text::{application, resource};
use super::writing::Writing;
use super::{Sql, Value, number, one_integer};

/// Adds a record that must be new.
pub(crate) fn add(writing: &mut Writing<'_>, row: &Row) -> Result<Add, StoreError> {
    Ok(match put_if(writing, row, Wanted::New)? {
        Outcome::Added => Add::Added,
        Outcome::Refused(refusal) => Add::Refused(refusal),
        Outcome::Updated | Outcome::Unchanged | Outcome::NotWanted => Add::Exists,
    })
}

/// Changes a record that must be there.
pub(crate) fn update(writing: &mut Writing<'_>, row: &Row) -> Result<Update, StoreError> {
    Ok(match put_if(writing, row, Wanted::Old)? {
        Outcome::Updated => Update::Updated,
        Outcome::Unchanged => Update::Unchanged,
        Outcome::Refused(Refusal::NotThere { field, .. }) if is_key(row.entity(), field) => Update::NotFound,
        Outcome::Refused(refusal) => Update::Refused(refusal),
        Outcome::Added | Outcome::NotWanted => Update::NotFound,
    })
}

/// Adds or changes a record.
pub(crate) fn put(writing: &mut Writing<'_>, row: &Row) -> Result<Put, StoreError> {
    Ok(match put_if(writing, row, Wanted::Either)? {
        Outcome::Added => Put::Added,
        Outcome::Updated => Put::Updated,
        Outcome::Unchanged | Outcome::NotWanted => Put::Unchanged,
        Outcome::Refused(refusal) => Put::Refused(refusal),
    })
}

/// Changes records that must be there, all or none, if what `expected` says still is so.
pub(crate) fn change_if_unchanged(
    writing: &mut Writing<'_>,
    expected: &[Row],
    updates: &[Row],
) -> Result<ChangeIfUnchanged, StoreError> {
    for row in expected {
        let Some(stored) = get(writing.sql, &row.key())? else { return Ok(ChangeIfUnchanged::Stale) };
        if row.positions().any(|(at, value)| stored.values[at].as_deref() != value) {
            return Ok(ChangeIfUnchanged::Stale);
        }
    }
    let mut changed = false;
    for row in updates {
        match update(writing, row)? {
            Update::Updated => changed = true,
            Update::Unchanged => {}
            Update::NotFound => {
                writing.abandon();
                return Ok(ChangeIfUnchanged::Stale);
            }
            Update::Refused(refusal) => {
                writing.abandon();
                return Ok(ChangeIfUnchanged::Refused(refusal));
            }
        }
    }
    Ok(if changed { ChangeIfUnchanged::Changed } else { ChangeIfUnchanged::Unchanged })
}

/// The record that a key names, if it is there.
pub(crate) fn get(sql: &mut dyn Sql, key: &Key) -> Result<Option<Stored>, StoreError> {
    if !is_pair(key.entity()) {
        return load(sql, key.entity(), &[Value::Text(key.first())]);
    }
    match pair_numbers(sql, key)? {
        Ok(numbers) => load(sql, key.entity(), &numbers.values(key.entity())),
        Err(_) => Ok(None),
    }
}

/// Writes what differs between `before` and `after`, with its mark and its change row.
pub(crate) fn save(
    writing: &mut Writing<'_>,
    before: &Stored,
    after: &Stored,
    action: Action,
) -> Result<(), StoreError> {
    let shape = shape::of(after.entity)?;
    for part in [Some(&shape.main), shape.detail.as_ref()].into_iter().flatten() {
        if part.fields.iter().any(|field| before.get(field) != after.get(field)) {
            let packed = after.named.as_deref().map(pack);
            let mut values = part_values(part, after, packed.as_deref())?;
            values.extend(after.numbers.values(after.entity));
            writing.sql.execute(part.update, &values)?;
        }
    }
    if before.get("resources") != after.get("resources") {
        save_resources(writing.sql, after)?;
    }
    mark_if_smaller(writing, before, Some(after))?;
    writing.change(after.entity, action, after.numbers)
}

#[derive(Clone, Copy)]
enum Wanted {
    New,
    Old,
    Either,
}

enum Outcome {
    Added,
    Updated,
    Unchanged,
    NotWanted,
    Refused(Refusal),
}

fn is_key(entity: Entity, name: &str) -> bool {
    fields::of(entity).iter().any(|field| field.is_key() && field.name == name)
}

fn put_if(writing: &mut Writing<'_>, row: &Row, wanted: Wanted) -> Result<Outcome, StoreError> {
    let (entity, key) = (row.entity(), row.key());
    let (numbers, before) = if is_pair(entity) {
        match pair_numbers(writing.sql, &key)? {
            Ok(numbers) => (numbers, load(writing.sql, entity, &numbers.values(entity))?),
            Err(refusal) => return Ok(Outcome::Refused(refusal)),
        }
    } else {
        (Numbers::default(), load(writing.sql, entity, &[Value::Text(key.first())])?)
    };
    if matches!((wanted, &before), (Wanted::New, Some(_)) | (Wanted::Old, None)) {
        return Ok(Outcome::NotWanted);
    }
    let values = match row.applied_to(before.as_ref().map(|before| before.values.as_slice())) {
        Ok(values) => values,
        Err(invalid) => return Ok(Outcome::Refused(invalid.into())),
    };
    if before.as_ref().is_some_and(|before| before.values == values) {
        return Ok(Outcome::Unchanged);
    }
    let numbers = before.as_ref().map_or(numbers, |before| before.numbers);
    let mut after = Stored { entity, numbers, values, named: None };
    if let Some(refusal) = resolve(writing.sql, &mut after)? {
        return Ok(Outcome::Refused(refusal));
    }
    if before.is_some()
        && after.get("jwks_uri").is_some()
        && let Some(no) = live_credential(writing, &after, CredentialKind::Key)?
    {
        let refusal = Refusal::HasKeys { no };
        return Ok(Outcome::Refused(refusal));
    }
    if before.is_some()
        && takes_no_secrets(&after)
        && let Some(no) = live_credential(writing, &after, CredentialKind::Secret)?
    {
        let refusal = Refusal::HasSecrets { no };
        return Ok(Outcome::Refused(refusal));
    }
    match before {
        // Once more: what is the built-in resource has been taken out of the resources by now.
        Some(before) if before.values == after.values => Ok(Outcome::Unchanged),
        Some(before) => save(writing, &before, &after, Action::Update).map(|()| Outcome::Updated),
        None => insert(writing, after).map(|()| Outcome::Added),
    }
}

fn load(sql: &mut dyn Sql, entity: Entity, by: &[Value<'_>]) -> Result<Option<Stored>, StoreError> {
    let mut found = None;
    sql.query(shape::of(entity)?.get, by, &mut |cells| {
        found = Some(Stored::from_cells(entity, cells)?);
        Ok(())
    })?;
    if let Some(stored) = &mut found {
        stored.name_contacts(sql)?;
    }
    Ok(found)
}

/// The numbers of the two records that name a pair, or which of them is not there.
fn pair_numbers(sql: &mut dyn Sql, key: &Key) -> Result<Result<Numbers, Refusal>, StoreError> {
    let (first, second) = (key.first(), key.second().unwrap_or_default());
    let (entity, field, id, client) = match key.entity() {
        Entity::Trust => (Entity::Application, "application_id", second, first),
        _ => (Entity::Contact, "contact_id", first, second),
    };
    let not_there = |field, id: &str| Ok(Err(Refusal::NotThere { field, id: id.to_owned() }));
    let Some(number) = number_of(sql, entity, id)? else { return not_there(field, id) };
    let Some(client_no) = number_of(sql, Entity::Client, client)? else {
        return not_there("client_id", client);
    };
    Ok(Ok(Numbers { number, client: client_no }))
}

/// Finds what the record names besides its key. Nothing is written before this is through.
fn resolve(sql: &mut dyn Sql, record: &mut Stored) -> Result<Option<Refusal>, StoreError> {
    match record.entity {
        Entity::Trust => resolve_contacts(sql, record),
        Entity::Application => resolve_resources(sql, record),
        _ => Ok(None),
    }
}

fn resolve_contacts(sql: &mut dyn Sql, trust: &mut Stored) -> Result<Option<Refusal>, StoreError> {
    let contacts = trust.get("contacts").unwrap_or_default();
    if contacts == "*" {
        trust.named = None;
        return Ok(None);
    }
    let mut named = Vec::new();
    for id in contacts.split(' ').filter(|id| !id.is_empty()) {
        match number_of(sql, Entity::Contact, id)? {
            Some(number) => named.push(number),
            None => return Ok(Some(Refusal::NotThere { field: "contacts", id: id.to_owned() })),
        }
    }
    named.sort_unstable();
    trust.named = Some(named);
    Ok(None)
}

/// Every application has the built-in resource anyway: it is not kept as one of its own.
fn resolve_resources(sql: &mut dyn Sql, record: &mut Stored) -> Result<Option<Refusal>, StoreError> {
    let Some(at) = fields::position(record.entity, "resources") else { return Ok(None) };
    let Some(resources) = record.values[at].take() else { return Ok(None) };
    let built_in = one_integer(sql, resource::BUILT_IN, &[])?.map(number).transpose()?;
    let mut kept = Vec::new();
    for id in resources.split(' ') {
        match number_of(sql, Entity::Resource, id)? {
            Some(number) if Some(number) == built_in => {}
            Some(_) => kept.push(id),
            None => return Ok(Some(Refusal::NotThere { field: "resources", id: id.to_owned() })),
        }
    }
    record.values[at] = (!kept.is_empty()).then(|| kept.join(" "));
    Ok(None)
}

fn insert(writing: &mut Writing<'_>, mut record: Stored) -> Result<(), StoreError> {
    let shape = shape::of(record.entity)?;
    let packed = record.named.as_deref().map(pack);
    let values = part_values(&shape.main, &record, packed.as_deref())?;
    if is_pair(record.entity) {
        let mut values = values;
        values.extend(record.numbers.values(record.entity));
        writing.sql.execute(shape.main.insert, &values)?;
    } else {
        let mut with_id = vec![Value::from(record.values[0].as_deref())];
        with_id.extend(values);
        let given = one_integer(writing.sql, shape.main.insert, &with_id)?;
        record.numbers.number = number(given.ok_or(StoreError::Damaged("no number was given"))?)?;
    }
    if let Some(detail) = &shape.detail {
        let mut values = part_values(detail, &record, None)?;
        values.extend(record.numbers.values(record.entity));
        writing.sql.execute(detail.insert, &values)?;
    }
    if record.get("resources").is_some() {
        save_resources(writing.sql, &record)?;
    }
    writing.change(record.entity, Action::Add, record.numbers)
}

fn part_values<'a>(
    part: &Part,
    record: &'a Stored,
    packed: Option<&'a [u8]>,
) -> Result<Vec<Value<'a>>, StoreError> {
    let mut values = Vec::with_capacity(part.fields.len() + 2);
    for name in part.fields {
        let at =
            fields::position(record.entity, name).ok_or(StoreError::Damaged("a column without a field"))?;
        values.push(match (*name, packed) {
            ("contacts", packed) => packed.map_or(Value::Null, Value::Bytes),
            _ => encode(fields::of(record.entity)[at].kind, record.values[at].as_deref())?,
        });
    }
    Ok(values)
}

fn save_resources(sql: &mut dyn Sql, record: &Stored) -> Result<(), StoreError> {
    let number = Value::Integer(record.numbers.number.into());
    sql.execute(application::DELETE_RESOURCES, &[number])?;
    let resources = record.get("resources").unwrap_or_default();
    for (position, id) in resources.split(' ').filter(|id| !id.is_empty()).enumerate() {
        let resource = number_of(sql, Entity::Resource, id)?;
        let resource = resource.ok_or(StoreError::Damaged("a resource went away"))?;
        let values = [number, Value::Integer(position as i64), Value::Integer(resource.into())];
        sql.execute(application::INSERT_RESOURCE, &values)?;
    }
    Ok(())
}
