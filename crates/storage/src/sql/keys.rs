//! Signing keys: their life, one transaction a step.

use procura_protocol::algorithm::Algorithm;
use procura_protocol::time::UnixSeconds;
use procura_store::administration::{
    Fact, InsertKey, KeyPurpose, KeyRecord, KeyState, NewKey, PromoteKey, RetireKey, RevokeKey, SealedKey,
    StoreError,
};
use procura_store::change::{Action, Entity};
use procura_store::mark::MarkKind;
use procura_store::records::KeyNo;

use super::log::set_fact;
use super::shape::{Numbers, algorithm_code, algorithm_of, number_of};
use super::text::{application, key, resource};
use super::writing::Writing;
use super::{CellsExt, Sql, Value, number, one_integer};

/// All keys, by number.
pub(crate) fn list(sql: &mut dyn Sql) -> Result<Vec<KeyRecord>, StoreError> {
    let mut keys = Vec::new();
    sql.query(key::LIST, &[], &mut |row| {
        keys.push(KeyRecord {
            no: KeyNo(row.u32(0)?),
            kid: row.str(1)?.to_owned(),
            algorithm: algorithm_of(row.i64(2)?)?,
            purpose: coded(row.i64(3)?, KeyPurpose::from_code)?,
            state: coded(row.i64(4)?, KeyState::from_code)?,
            announced_at: UnixSeconds(row.i64(5)?),
            signing_from: row.integer(6)?.map(UnixSeconds),
            retired_at: row.integer(7)?.map(UnixSeconds),
            gone_at: row.integer(8)?.map(UnixSeconds),
            sealed: row.bytes(9)?.map(<[u8]>::to_vec),
            public_jwk: row.str(10)?.to_owned(),
            endorsement: row.text(11)?.map(str::to_owned),
        });
        Ok(())
    })?;
    Ok(keys)
}

/// Algorithms that active applications and resources ask for, in the order of their codes.
pub(crate) fn algorithms_in_use(sql: &mut dyn Sql) -> Result<Vec<Algorithm>, StoreError> {
    let mut codes = std::collections::BTreeSet::new();
    for text in [application::ALGORITHMS, resource::ALGORITHMS] {
        sql.query(text, &[], &mut |row| {
            codes.insert(row.i64(0)?);
            Ok(())
        })?;
    }
    codes.into_iter().map(algorithm_of).collect()
}

/// Keeps a new key, unless one is in its place.
pub(crate) fn insert_new(writing: &mut Writing<'_>, new: &NewKey) -> Result<InsertKey, StoreError> {
    if number_of(writing.sql, Entity::Key, &new.kid)?.is_some() {
        return Ok(InsertKey::Exists);
    }
    let state = if new.signs_at_once { KeyState::Signing } else { KeyState::Announced };
    if in_state(writing.sql, new.purpose, new.algorithm, state)?.is_some() {
        return Ok(InsertKey::AlreadyThere);
    }
    insert(writing, new, state).map(InsertKey::Inserted)
}

/// Makes an announced key sign, and what signed until now retire.
pub(crate) fn promote(
    writing: &mut Writing<'_>,
    no: KeyNo,
    successor: Option<&NewKey>,
) -> Result<PromoteKey, StoreError> {
    let Some(promoted) = get(writing.sql, no)? else { return Ok(PromoteKey::NotFound) };
    if promoted.state != KeyState::Announced {
        return Ok(PromoteKey::NotAnnounced);
    }
    let (purpose, algorithm) = (promoted.purpose, promoted.algorithm);
    if let Some(old) = in_state(writing.sql, purpose, algorithm, KeyState::Signing)? {
        set_time(writing, key::RETIRE, old)?;
        writing.change(Entity::Key, Action::Update, numbers(old))?;
    }
    set_time(writing, key::SIGN, no)?;
    writing.change(Entity::Key, Action::Rotate, numbers(no))?;
    if let Some(successor) = successor {
        insert_new(writing, &NewKey { signs_at_once: false, ..successor.clone() })?;
    }
    Ok(PromoteKey::Promoted)
}

/// Lets a retired key go.
pub(crate) fn let_go(writing: &mut Writing<'_>, no: KeyNo) -> Result<RetireKey, StoreError> {
    let Some(old) = get(writing.sql, no)? else { return Ok(RetireKey::NotFound) };
    if old.state != KeyState::Retired {
        return Ok(RetireKey::NotRetired);
    }
    end(writing, no, KeyState::Gone)?;
    writing.change(Entity::Key, Action::Remove, numbers(no))?;
    Ok(RetireKey::Gone)
}

/// Takes a compromised key out at once.
pub(crate) fn revoke(
    writing: &mut Writing<'_>,
    no: KeyNo,
    successor: Option<&NewKey>,
) -> Result<RevokeKey, StoreError> {
    let Some(bad) = get(writing.sql, no)? else { return Ok(RevokeKey::NotFound) };
    if matches!(bad.state, KeyState::Gone | KeyState::Revoked) {
        return Ok(RevokeKey::AlreadyGone);
    }
    let announced = in_state(writing.sql, bad.purpose, bad.algorithm, KeyState::Announced)?;
    if bad.state == KeyState::Signing && announced.is_none() && successor.is_none() {
        return Ok(RevokeKey::NoSuccessor);
    }
    end(writing, no, KeyState::Revoked)?;
    // Heads are proved by copies kept elsewhere; only tokens have guards who must hear of it.
    if bad.purpose == KeyPurpose::Token {
        writing.mark(MarkKind::Key, numbers(no), &bad.kid, None)?;
    }
    writing.change(Entity::Key, Action::Revoke, numbers(no))?;
    if bad.state == KeyState::Signing
        && let Some(next) = announced
    {
        set_time(writing, key::SIGN, next)?;
        writing.change(Entity::Key, Action::Rotate, numbers(next))?;
    }
    if let Some(successor) = successor {
        let signs_at_once = bad.state == KeyState::Signing && announced.is_none();
        insert_new(writing, &NewKey { signs_at_once, ..successor.clone() })?;
    }
    Ok(RevokeKey::Revoked)
}

/// Replaces the sealed private halves, all or none, and with them the facts that are sealed.
pub(crate) fn rewrap(
    writing: &mut Writing<'_>,
    sealed: &[SealedKey],
    facts: &[(Fact, String)],
) -> Result<bool, StoreError> {
    let mut with_private = Vec::new();
    writing.sql.query(key::WITH_SEALED, &[], &mut |row| {
        with_private.push(row.u32(0)?);
        Ok(())
    })?;
    let mut given: Vec<u32> = sealed.iter().map(|key| key.no.0).collect();
    given.sort_unstable();
    // Without a key nothing would be counted as changed, and the facts would not be kept.
    if given != with_private || given.is_empty() {
        return Ok(false);
    }
    for key in sealed {
        let values = [Value::Bytes(&key.sealed), Value::Integer(key.no.0.into())];
        writing.sql.execute(key::REWRAP, &values)?;
        writing.change(Entity::Key, Action::Rewrap, numbers(key.no))?;
    }
    for (fact, value) in facts {
        set_fact(writing.sql, *fact, value, false)?;
    }
    Ok(true)
}

struct Found {
    state: KeyState,
    purpose: KeyPurpose,
    algorithm: Algorithm,
    kid: String,
}

fn get(sql: &mut dyn Sql, no: KeyNo) -> Result<Option<Found>, StoreError> {
    let mut found = None;
    sql.query(key::GET, &[Value::Integer(no.0.into())], &mut |row| {
        found = Some(Found {
            state: coded(row.i64(0)?, KeyState::from_code)?,
            purpose: coded(row.i64(1)?, KeyPurpose::from_code)?,
            algorithm: algorithm_of(row.i64(2)?)?,
            kid: row.str(3)?.to_owned(),
        });
        Ok(())
    })?;
    Ok(found)
}

fn in_state(
    sql: &mut dyn Sql,
    purpose: KeyPurpose,
    algorithm: Algorithm,
    state: KeyState,
) -> Result<Option<KeyNo>, StoreError> {
    let values = [
        Value::Integer(purpose.code().into()),
        Value::Integer(algorithm_code(algorithm)),
        Value::Integer(state.code().into()),
    ];
    let found = one_integer(sql, key::IN_STATE, &values)?;
    Ok(found.map(number).transpose()?.map(KeyNo))
}

fn insert(writing: &mut Writing<'_>, new: &NewKey, state: KeyState) -> Result<KeyNo, StoreError> {
    let now = writing.context.at.seconds().0;
    let values = [
        Value::Text(&new.kid),
        Value::Integer(algorithm_code(new.algorithm)),
        Value::Integer(new.purpose.code().into()),
        Value::Integer(state.code().into()),
        Value::Integer(now),
        (state == KeyState::Signing).then_some(now).into(),
        Value::Bytes(&new.sealed),
        Value::Text(&new.public_jwk),
        new.endorsement.as_deref().into(),
    ];
    let given = one_integer(writing.sql, key::INSERT, &values)?;
    let no = KeyNo(number(given.ok_or(StoreError::Damaged("no number was given"))?)?);
    writing.change(Entity::Key, Action::Add, numbers(no))?;
    Ok(no)
}

fn set_time(writing: &mut Writing<'_>, text: &'static str, no: KeyNo) -> Result<(), StoreError> {
    let values = [Value::Integer(writing.context.at.seconds().0), Value::Integer(no.0.into())];
    writing.sql.execute(text, &values).map(drop)
}

fn end(writing: &mut Writing<'_>, no: KeyNo, state: KeyState) -> Result<(), StoreError> {
    let values = [
        Value::Integer(state.code().into()),
        Value::Integer(writing.context.at.seconds().0),
        Value::Integer(no.0.into()),
    ];
    writing.sql.execute(key::END, &values).map(drop)
}

fn numbers(no: KeyNo) -> Numbers {
    Numbers { number: no.0, client: 0 }
}

fn coded<T>(code: i64, from_code: impl Fn(u8) -> Option<T>) -> Result<T, StoreError> {
    u8::try_from(code).ok().and_then(from_code).ok_or(StoreError::Damaged("an unknown code"))
}
