//! Secrets of applications and resources.

use procura_protocol::time::UnixMillis;
use procura_store::administration::{AddSecret, RetireSecret, SecretNo, SecretRecord, StoreError};
use procura_store::change::{Action, Entity};
use procura_store::fields::Key;
use procura_store::mark::MarkKind;
use procura_store::records::SecretHash;

use super::marks::mark;
use super::put::get;
use super::shape::{Numbers, number_of};
use super::text::secret;
use super::writing::Writing;
use super::{CellsExt, Sql, Value, number, one_integer};

/// How many secrets may be live at once: one in use and its successor.
const MAX_LIVE: i64 = 2;

/// Adds a secret if fewer than two are live.
pub(crate) fn add(
    writing: &mut Writing<'_>,
    owner: &Key,
    hash: &SecretHash,
) -> Result<AddSecret, StoreError> {
    let Some(number) = owner_number(writing.sql, owner)? else { return Ok(AddSecret::NotFound) };
    let [entity, owner_no] = owner_values(owner, number);
    let now = Value::Integer(writing.context.at.0);
    let live = one_integer(writing.sql, secret::COUNT_LIVE, &[entity, owner_no, now])?.unwrap_or_default();
    if live >= MAX_LIVE {
        return Ok(AddSecret::TooMany);
    }
    insert(writing, owner, number, hash)
}

/// Ends all secrets and adds one.
pub(crate) fn replace(
    writing: &mut Writing<'_>,
    owner: &Key,
    hash: &SecretHash,
) -> Result<AddSecret, StoreError> {
    let Some(number) = owner_number(writing.sql, owner)? else { return Ok(AddSecret::NotFound) };
    if writing.sql.execute(secret::DELETE_ALL, &owner_values(owner, number))? > 0 {
        writing.change(owner.entity(), Action::RetireSecret, Numbers { number, client: 0 })?;
    }
    insert(writing, owner, number, hash)
}

/// Ends a secret; with a mark on the application if it is compromised.
pub(crate) fn retire(
    writing: &mut Writing<'_>,
    owner: &Key,
    secret_no: SecretNo,
    compromised: bool,
) -> Result<RetireSecret, StoreError> {
    let Some(number) = owner_number(writing.sql, owner)? else { return Ok(RetireSecret::NotFound) };
    let [entity, owner_no] = owner_values(owner, number);
    let values = [entity, owner_no, Value::Integer(secret_no.0.into())];
    if writing.sql.execute(secret::DELETE, &values)? == 0 {
        return Ok(RetireSecret::NotFound);
    }
    // A resource's secret gets nobody a token.
    if compromised
        && owner.entity() == Entity::Application
        && let Some(application) = get(writing.sql, owner)?
    {
        mark(writing, MarkKind::Application, &application)?;
    }
    writing.change(owner.entity(), Action::RetireSecret, Numbers { number, client: 0 })?;
    Ok(RetireSecret::Retired)
}

/// The secrets, without their hashes.
pub(crate) fn list(sql: &mut dyn Sql, owner: &Key) -> Result<Option<Vec<SecretRecord>>, StoreError> {
    let Some(number) = owner_number(sql, owner)? else { return Ok(None) };
    let mut secrets = Vec::new();
    sql.query(secret::LIST, &owner_values(owner, number), &mut |row| {
        secrets.push(SecretRecord {
            no: SecretNo(row.u32(0)?),
            created_at: UnixMillis(row.i64(1)?),
            expires_at: row.integer(2)?.map(UnixMillis),
        });
        Ok(())
    })?;
    Ok(Some(secrets))
}

fn owner_number(sql: &mut dyn Sql, owner: &Key) -> Result<Option<u32>, StoreError> {
    match owner.entity() {
        Entity::Application | Entity::Resource => number_of(sql, owner.entity(), owner.first()),
        _ => Ok(None),
    }
}

fn owner_values(owner: &Key, number: u32) -> [Value<'static>; 2] {
    [Value::Integer(owner.entity().code().into()), Value::Integer(number.into())]
}

fn insert(
    writing: &mut Writing<'_>,
    owner: &Key,
    owner_no: u32,
    hash: &SecretHash,
) -> Result<AddSecret, StoreError> {
    let [entity, owner_number] = owner_values(owner, owner_no);
    let values = [entity, owner_number, Value::Bytes(&hash.0), Value::Integer(writing.context.at.0)];
    let given = one_integer(writing.sql, secret::INSERT, &values)?;
    let no = SecretNo(number(given.ok_or(StoreError::Damaged("no number was given"))?)?);
    writing.change(owner.entity(), Action::AddSecret, Numbers { number: owner_no, client: 0 })?;
    Ok(AddSecret::Added { no })
}
