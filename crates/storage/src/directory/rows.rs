//! The statements that the directory is read with, and how their rows become records.

use std::sync::Arc;

use procura_protocol::algorithm::Algorithm;
use procura_protocol::events::ToldMark;
use procura_protocol::ids::{ApplicationId, ClientId, ContactId, ResourceId};
use procura_protocol::mark::MarkSubject;
use procura_protocol::permission::Permissions;
use procura_protocol::time::{UnixSeconds, Window};
use procura_store::administration::{KeyPurpose, KeyRecord, KeyState, StoreError};
use procura_store::change::{ChangeSeq, Entity};
use procura_store::mark::{Mark, MarkKind};
use procura_store::records::{
    Application, ApplicationNo, Client, ClientNo, Contact, ContactNo, Coverage, KeyNo, Mandate, Resource,
    ResourceNo, Span, Trust, Version,
};
use rusqlite::Row;

use super::failed;
use super::registration::registration;
use crate::sql::text::statements;

macro_rules! applications {
    ($rest:literal) => {
        concat!(
            "SELECT number, id, status, trusted, id_token_alg, auth_methods, certificate, \
             certificate_bound_tokens, certificate_subject_dn, certificate_san_dns, certificate_san_uri, \
             certificate_san_ip, certificate_san_email, jwks_uri, assertion_audience, assertion_alg, \
             dpop_bound_access_tokens, profile FROM application ",
            $rest
        )
    };
}

statements! {
    // Version, first and last row of the `change` table.
    STAND = "SELECT (SELECT version FROM version WHERE one = 1), (SELECT MIN(seq) FROM change), \
        (SELECT MAX(seq) FROM change)";
    CHANGED = "SELECT DISTINCT entity, number, client_no FROM change WHERE seq > $1";
    MARKS = "SELECT kind, number, client_no FROM mark WHERE version > $1";
    MARKS_AFTER = "SELECT seq, kind, subject, version, keep_until, application FROM mark WHERE seq > $1 \
        ORDER BY seq";

    RESOURCES = "SELECT number, id, status, access_token_alg, built_in FROM resource ORDER BY number";
    RESOURCE = "SELECT number, id, status, access_token_alg, built_in FROM resource WHERE number = $1";
    BUILT_IN = "SELECT number FROM resource WHERE built_in = 1";
    CREDENTIALS = "SELECT owner_no, number, kind, value, expires_at_ms FROM credential WHERE owner = $1 \
        ORDER BY owner_no, number";
    CREDENTIALS_OF = "SELECT owner_no, number, kind, value, expires_at_ms FROM credential \
        WHERE owner = $1 AND owner_no = $2 ORDER BY number";

    APPLICATIONS = applications!("ORDER BY number");
    APPLICATION = applications!("WHERE number = $1");
    APPLICATION_RESOURCES = "SELECT application_no, resource_no FROM application_resource \
        ORDER BY application_no, position";
    RESOURCES_OF = "SELECT application_no, resource_no FROM application_resource \
        WHERE application_no = $1 ORDER BY position";
    TRUSTS = "SELECT application_no, client_no, status, ceiling, from_at, until_at, contacts FROM trust \
        ORDER BY application_no, client_no";
    TRUST = "SELECT application_no, client_no, status, ceiling, from_at, until_at, contacts FROM trust \
        WHERE application_no = $1 AND client_no = $2";

    CLIENTS = "SELECT number, id, status, client_name FROM client ORDER BY number";
    CLIENT = "SELECT number, id, status, client_name FROM client WHERE number = $1";

    CONTACTS = "SELECT number, id, status FROM contact ORDER BY number";
    CONTACT = "SELECT number, id, status FROM contact WHERE number = $1";
    MANDATES = "SELECT contact_no, client_no, status, permissions, from_at, until_at FROM mandate \
        ORDER BY contact_no, client_no";
    MANDATES_OF = "SELECT contact_no, client_no, status, permissions, from_at, until_at FROM mandate \
        WHERE contact_no = $1 ORDER BY client_no";
}

/// How far the directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stand {
    pub(crate) version: Version,
    /// The oldest row of the `change` table that is still there.
    pub(crate) first: Option<ChangeSeq>,
    pub(crate) last: ChangeSeq,
}

pub(crate) fn stand(row: &Row<'_>) -> Result<Stand, StoreError> {
    let seq = |at| Ok::<_, StoreError>(optional(row, at)?.map(|seq| ChangeSeq(seq as u64)));
    Ok(Stand { version: Version(integer(row, 0)? as u64), first: seq(1)?, last: seq(2)?.unwrap_or_default() })
}

/// What a row of the `change` table is about.
pub(crate) fn subject(row: &Row<'_>) -> Result<(Entity, u32, u32), StoreError> {
    let entity = u8::try_from(integer(row, 0)?).ok().and_then(Entity::from_code);
    Ok((entity.ok_or(StoreError::Damaged("kind of a change"))?, number(row, 1)?, number(row, 2)?))
}

/// A mark, as far as [`procura_store::directory::PendingMarks`] looks at it.
pub(crate) fn mark(row: &Row<'_>) -> Result<Mark, StoreError> {
    let kind = u8::try_from(integer(row, 0)?).ok().and_then(MarkKind::from_code);
    Ok(Mark {
        kind: kind.ok_or(StoreError::Damaged("kind of a mark"))?,
        subject: [0; 32],
        number: number(row, 1)?,
        client: number(row, 2)?,
        version: Version::default(),
        keep_until: UnixSeconds::default(),
        application: None,
    })
}

/// A mark as guards are told it, and its place.
pub(crate) fn told_mark(row: &Row<'_>) -> Result<(i64, ToldMark), StoreError> {
    let kind = u8::try_from(integer(row, 1)?).ok().and_then(MarkKind::from_code);
    let subject = |bytes: Option<&[u8]>| {
        let bytes = bytes.map(<[u8; 32]>::try_from).transpose();
        bytes.map_err(|_| StoreError::Damaged("subject of a mark")).map(|bytes| bytes.map(MarkSubject))
    };
    let mark = ToldMark {
        subject: subject(blob(row, 2)?)?.ok_or(StoreError::Damaged("subject of a mark"))?,
        version: integer(row, 3)? as u64,
        any_version: kind.ok_or(StoreError::Damaged("kind of a mark"))?.hits_any_version(),
        keep_until: UnixSeconds(integer(row, 4)?),
        application: subject(blob(row, 5)?)?,
    };
    Ok((integer(row, 0)?, mark))
}

/// A resource without its secrets, and whether it is the server's own.
pub(crate) fn resource(row: &Row<'_>) -> Result<(Resource, bool), StoreError> {
    let id = ResourceId::parse(text(row, 1)?).map_err(|_| StoreError::Damaged("resource id"))?;
    let resource = Resource {
        no: ResourceNo(number(row, 0)?),
        id,
        active: is_on(row, 2)?,
        secrets: Vec::new(),
        access_token_algorithm: algorithm(row, 3)?,
    };
    Ok((resource, integer(row, 4)? == 1))
}

/// An application without credentials, resources and trusts.
pub(crate) fn application(row: &Row<'_>) -> Result<Application, StoreError> {
    let id = ApplicationId::parse(text(row, 1)?).map_err(|_| StoreError::Damaged("application id"))?;
    Ok(Application {
        no: ApplicationNo(number(row, 0)?),
        id,
        active: is_on(row, 2)?,
        trusted: integer(row, 3)? == 1,
        registration: Arc::new(registration(row, 5)?),
        secrets: Vec::new(),
        resources: Vec::new(),
        id_token_algorithm: algorithm(row, 4)?,
        trusts: Default::default(),
    })
}

pub(crate) fn resource_of(row: &Row<'_>) -> Result<(u32, ResourceNo), StoreError> {
    Ok((number(row, 0)?, ResourceNo(number(row, 1)?)))
}

pub(crate) fn trust(row: &Row<'_>) -> Result<(u32, Trust), StoreError> {
    let trust = Trust {
        client: ClientNo(number(row, 1)?),
        span: span(row, 4)?,
        ceiling: permissions(row, 3)?,
        active: is_on(row, 2)?,
        contacts: match blob(row, 6)? {
            None => Coverage::All,
            Some(bytes) => Coverage::Named(named(bytes)?),
        },
    };
    Ok((number(row, 0)?, trust))
}

fn named(bytes: &[u8]) -> Result<Box<[ContactNo]>, StoreError> {
    let (numbers, rest) = bytes.as_chunks();
    let contacts: Box<[_]> = numbers.iter().map(|number| ContactNo(u32::from_le_bytes(*number))).collect();
    if rest.is_empty() && contacts.is_sorted() {
        Ok(contacts)
    } else {
        Err(StoreError::Damaged("contacts of a trust"))
    }
}

pub(crate) fn client(row: &Row<'_>) -> Result<(ClientNo, Client), StoreError> {
    let id = ClientId::parse(text(row, 1)?).map_err(|_| StoreError::Damaged("client id"))?;
    Ok((ClientNo(number(row, 0)?), Client { id, name: text(row, 3)?.into(), active: is_on(row, 2)? }))
}

/// A contact with the mandates that were read for it.
pub(crate) fn contact(row: &Row<'_>, mandates: &[Mandate]) -> Result<Contact, StoreError> {
    let id = ContactId::parse(text(row, 1)?).map_err(|_| StoreError::Damaged("contact id"))?;
    Ok(Contact { id, active: is_on(row, 2)?, mandates: mandates.into() })
}

pub(crate) fn mandate(row: &Row<'_>) -> Result<(u32, Mandate), StoreError> {
    let mandate = Mandate {
        client: ClientNo(number(row, 1)?),
        span: span(row, 4)?,
        permissions: permissions(row, 3)?,
        active: is_on(row, 2)?,
    };
    Ok((number(row, 0)?, mandate))
}

pub(crate) fn key(row: &Row<'_>) -> Result<KeyRecord, StoreError> {
    let code = |at| Ok::<_, StoreError>(u8::try_from(integer(row, at)?).ok());
    let seconds = |at| Ok::<_, StoreError>(optional(row, at)?.map(UnixSeconds));
    let purpose = code(3)?.and_then(KeyPurpose::from_code);
    let state = code(4)?.and_then(KeyState::from_code);
    Ok(KeyRecord {
        no: KeyNo(number(row, 0)?),
        kid: text(row, 1)?.to_owned(),
        algorithm: algorithm(row, 2)?,
        purpose: purpose.ok_or(StoreError::Damaged("purpose of a key"))?,
        state: state.ok_or(StoreError::Damaged("state of a key"))?,
        announced_at: UnixSeconds(integer(row, 5)?),
        signing_from: seconds(6)?,
        retired_at: seconds(7)?,
        gone_at: seconds(8)?,
        sealed: blob(row, 9)?.map(<[u8]>::to_vec),
        public_jwk: text(row, 10)?.to_owned(),
        endorsement: row.get(11).map_err(failed)?,
    })
}

pub(crate) fn number(row: &Row<'_>, at: usize) -> Result<u32, StoreError> {
    u32::try_from(integer(row, at)?).map_err(|_| StoreError::Damaged("number"))
}

pub(crate) fn integer(row: &Row<'_>, at: usize) -> Result<i64, StoreError> {
    optional(row, at)?.ok_or(StoreError::Damaged("number that is missing"))
}

pub(super) fn optional(row: &Row<'_>, at: usize) -> Result<Option<i64>, StoreError> {
    let value = row.get_ref(at).map_err(failed)?;
    value.as_i64_or_null().map_err(|_| StoreError::Damaged("number"))
}

fn text<'r>(row: &'r Row<'_>, at: usize) -> Result<&'r str, StoreError> {
    row.get_ref(at).map_err(failed)?.as_str().map_err(|_| StoreError::Damaged("text"))
}

pub(super) fn optional_text<'r>(row: &'r Row<'_>, at: usize) -> Result<Option<&'r str>, StoreError> {
    row.get_ref(at).map_err(failed)?.as_str_or_null().map_err(|_| StoreError::Damaged("text"))
}

pub(super) fn blob<'r>(row: &'r Row<'_>, at: usize) -> Result<Option<&'r [u8]>, StoreError> {
    row.get_ref(at).map_err(failed)?.as_blob_or_null().map_err(|_| StoreError::Damaged("bytes"))
}

/// A status is stored as 1 + its place in its list, and the first lets something happen.
fn is_on(row: &Row<'_>, at: usize) -> Result<bool, StoreError> {
    Ok(integer(row, at)? == 1)
}

pub(super) fn algorithm(row: &Row<'_>, at: usize) -> Result<Algorithm, StoreError> {
    let place = usize::try_from(integer(row, at)? - 1).ok();
    place.and_then(|place| Algorithm::ALL.get(place).copied()).ok_or(StoreError::Damaged("algorithm"))
}

fn permissions(row: &Row<'_>, at: usize) -> Result<Permissions, StoreError> {
    let bits = u16::try_from(integer(row, at)?).ok();
    bits.and_then(Permissions::from_bits).ok_or(StoreError::Damaged("permissions"))
}

fn span(row: &Row<'_>, at: usize) -> Result<Span, StoreError> {
    let end = |at| Ok::<_, StoreError>(optional(row, at)?.map(UnixSeconds));
    Ok(Window { from: end(at)?, until: end(at + 1)? }.into())
}
