//! Secrets, certificates and keys of applications and resources.

use procura_jose::Jwk;
use procura_protocol::application_auth::Profile;
use procura_protocol::time::{UnixMillis, UnixSeconds};
use procura_store::administration::{
    AddCredential, CredentialRecord, CredentialToRetire, CredentialValue, NewCredential, RetireCredential,
    Shown, StoreError,
};
use procura_store::change::Entity;
use procura_store::credential::{CredentialKind, MAX_LIVE};
use procura_store::fields::Key;
use procura_store::mark::MarkKind;
use procura_store::records::{CredentialNo, SecretHash};

use super::marks::mark;
use super::put::get;
use super::shape::{Numbers, Stored, number_of};
use super::text::credential;
use super::writing::Writing;
use super::{CellsExt, Sql, Value, number, one_integer};

/// Adds a credential if fewer than two of its kind are live.
pub(crate) fn add(
    writing: &mut Writing<'_>,
    owner: &Key,
    new: &NewCredential,
) -> Result<AddCredential, StoreError> {
    let kind = new.value.kind();
    let Some(number) = owner_number(writing.sql, owner, kind)? else { return Ok(AddCredential::NotFound) };
    if owner.entity() == Entity::Application
        && let Some(application) = get(writing.sql, owner)?
    {
        match kind {
            CredentialKind::Key if application.get("jwks_uri").is_some() => {
                return Ok(AddCredential::HasJwksUri);
            }
            CredentialKind::Secret if takes_no_secrets(&application) => {
                return Ok(AddCredential::ProfileForbids);
            }
            CredentialKind::Secret | CredentialKind::Certificate | CredentialKind::Key => {}
        }
    }
    let owner = Owner { entity: owner.entity(), number };
    let live = live(writing, owner, kind)?;
    if let Some((no, _)) = live.iter().find(|(_, value)| is_same(&new.value, value)) {
        return Ok(AddCredential::Exists { no: *no });
    }
    if live.len() >= MAX_LIVE {
        return Ok(AddCredential::TooMany);
    }
    let [entity, owner_no] = owner.values();
    let over = [entity, owner_no, code(kind), Value::Integer(writing.context.at.0)];
    if writing.sql.execute(credential::DELETE_OVER, &over)? > 0 {
        writing.change(owner.entity, kind.retired(), owner.numbers())?;
    }
    insert(writing, owner, new)
}

/// Ends all secrets and adds one.
pub(crate) fn replace(
    writing: &mut Writing<'_>,
    owner: &Key,
    hash: &SecretHash,
) -> Result<AddCredential, StoreError> {
    let kind = CredentialKind::Secret;
    let Some(number) = owner_number(writing.sql, owner, kind)? else { return Ok(AddCredential::NotFound) };
    if owner.entity() == Entity::Application
        && get(writing.sql, owner)?.is_some_and(|application| takes_no_secrets(&application))
    {
        return Ok(AddCredential::ProfileForbids);
    }
    let owner = Owner { entity: owner.entity(), number };
    let [entity, owner_no] = owner.values();
    if writing.sql.execute(credential::DELETE_KIND, &[entity, owner_no, code(kind)])? > 0 {
        writing.change(owner.entity, kind.retired(), owner.numbers())?;
    }
    insert(writing, owner, &NewCredential::from(*hash))
}

/// Ends a credential; with a mark on the application if it is compromised.
pub(crate) fn retire(
    writing: &mut Writing<'_>,
    owner: &Key,
    which: CredentialToRetire,
) -> Result<RetireCredential, StoreError> {
    let CredentialToRetire { kind, no, compromised } = which;
    let Some(number) = owner_number(writing.sql, owner, kind)? else {
        return Ok(RetireCredential::NotFound);
    };
    let whose = Owner { entity: owner.entity(), number };
    let [entity, owner_no] = whose.values();
    let values = [entity, owner_no, code(kind), Value::Integer(no.0.into())];
    if writing.sql.execute(credential::DELETE, &values)? == 0 {
        return Ok(RetireCredential::NotFound);
    }
    // A resource's secret gets nobody a token.
    if compromised
        && owner.entity() == Entity::Application
        && let Some(application) = get(writing.sql, owner)?
    {
        mark(writing, MarkKind::Application, &application)?;
    }
    writing.change(whose.entity, kind.retired(), whose.numbers())?;
    Ok(RetireCredential::Retired)
}

/// The credentials, without the hashes of secrets.
pub(crate) fn list(sql: &mut dyn Sql, owner: &Key) -> Result<Option<Vec<CredentialRecord>>, StoreError> {
    let Some(number) = owner_number(sql, owner, CredentialKind::Secret)? else { return Ok(None) };
    let mut credentials = Vec::new();
    sql.query(credential::LIST, &Owner { entity: owner.entity(), number }.values(), &mut |row| {
        let value = row.bytes(4)?;
        let shown = match (u8::try_from(row.i64(1)?).ok().and_then(CredentialKind::from_code), value) {
            (Some(CredentialKind::Secret), None) => Shown::Secret,
            (Some(CredentialKind::Certificate), Some(der)) => Shown::Certificate(der.into()),
            (Some(CredentialKind::Key), Some(jwk)) => Shown::Key(text(jwk)?.into()),
            _ => return Err(StoreError::Damaged("an unknown kind of credential")),
        };
        credentials.push(CredentialRecord {
            no: CredentialNo(row.u32(0)?),
            created_at: UnixMillis(row.i64(2)?),
            expires_at: row.integer(3)?.map(|millis| UnixMillis(millis).seconds()),
            shown,
        });
        Ok(())
    })?;
    Ok(Some(credentials))
}

/// How many credentials of who is active end before that second.
pub(crate) fn count_expiring(sql: &mut dyn Sql, before: UnixSeconds) -> Result<u64, StoreError> {
    let before = Value::Integer(millis(before));
    let count = one_integer(sql, credential::COUNT_EXPIRING, &[before])?.unwrap_or_default();
    u64::try_from(count).map_err(|_| StoreError::Damaged("a count is negative"))
}

/// A credential of that kind which is live, if there is one.
pub(crate) fn live_credential(
    writing: &mut Writing<'_>,
    owner: &Stored,
    kind: CredentialKind,
) -> Result<Option<CredentialNo>, StoreError> {
    let owner = Owner { entity: owner.entity, number: owner.numbers.number };
    Ok(live(writing, owner, kind)?.first().map(|(no, _)| *no))
}

/// Whether this is an application whose profile takes no secrets.
pub(crate) fn takes_no_secrets(owner: &Stored) -> bool {
    owner.entity == Entity::Application && owner.get("profile") == Some(Profile::Fapi2.name())
}

/// Deletes all of an owner that is removed.
pub(crate) fn take_out(writing: &mut Writing<'_>, owner: &Stored) -> Result<(), StoreError> {
    let owner = Owner { entity: owner.entity, number: owner.numbers.number };
    writing.sql.execute(credential::DELETE_ALL, &owner.values()).map(drop)
}

#[derive(Debug, Clone, Copy)]
struct Owner {
    entity: Entity,
    number: u32,
}

impl Owner {
    fn values(self) -> [Value<'static>; 2] {
        [Value::Integer(self.entity.code().into()), Value::Integer(self.number.into())]
    }

    fn numbers(self) -> Numbers {
        Numbers { number: self.number, client: 0 }
    }
}

fn owner_number(sql: &mut dyn Sql, owner: &Key, kind: CredentialKind) -> Result<Option<u32>, StoreError> {
    match kind.belongs_to(owner.entity()) {
        true => number_of(sql, owner.entity(), owner.first()),
        false => Ok(None),
    }
}

fn live(
    writing: &mut Writing<'_>,
    owner: Owner,
    kind: CredentialKind,
) -> Result<Vec<(CredentialNo, Vec<u8>)>, StoreError> {
    let [entity, owner_no] = owner.values();
    let values = [entity, owner_no, code(kind), Value::Integer(writing.context.at.0)];
    let mut live = Vec::new();
    writing.sql.query(credential::LIVE, &values, &mut |row| {
        let value = row.bytes(1)?.ok_or(StoreError::Damaged("bytes are missing"))?;
        live.push((CredentialNo(row.u32(0)?), value.to_vec()));
        Ok(())
    })?;
    Ok(live)
}

/// Whether two credentials could be taken for one another: keys by what an assertion names them by.
fn is_same(new: &CredentialValue, other: &[u8]) -> bool {
    let kid = |jwk: &[u8]| serde_json::from_slice::<Jwk>(jwk).ok().map(|jwk| jwk.kid().clone());
    match new {
        CredentialValue::Key(jwk) => {
            let kid_of_new = kid(jwk.as_bytes());
            kid_of_new.is_some() && kid_of_new == kid(other)
        }
        CredentialValue::Secret(_) | CredentialValue::Certificate(_) => new.bytes() == other,
    }
}

fn insert(writing: &mut Writing<'_>, owner: Owner, new: &NewCredential) -> Result<AddCredential, StoreError> {
    let [entity, owner_no] = owner.values();
    let values = [
        entity,
        owner_no,
        code(new.value.kind()),
        Value::Bytes(new.value.bytes()),
        Value::Integer(writing.context.at.0),
        new.expires_at.map(millis).into(),
    ];
    let given = one_integer(writing.sql, credential::INSERT, &values)?;
    let no = CredentialNo(number(given.ok_or(StoreError::Damaged("no number was given"))?)?);
    writing.change(owner.entity, new.value.kind().added(), owner.numbers())?;
    Ok(AddCredential::Added { no })
}

fn code(kind: CredentialKind) -> Value<'static> {
    Value::Integer(kind.code().into())
}

fn millis(seconds: UnixSeconds) -> i64 {
    seconds.0.saturating_mul(1000)
}

fn text(bytes: &[u8]) -> Result<&str, StoreError> {
    std::str::from_utf8(bytes).map_err(|_| StoreError::Damaged("a text is not UTF-8"))
}
