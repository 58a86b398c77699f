//! Records to payloads and back.
//!
//! A payload is one byte that names kind and version, then fields. Numbers are LEB128 in their shortest
//! form (times zigzag first); ids and HMACs are 16 bytes as they are. All refusals have one length, so
//! that neither the disk nor a wait for it tells one from another.

use procura_protocol::confirmation::Binding;
use procura_protocol::time::{UnixMillis, UnixSeconds};
use procura_store::change::{Action, Actor, ChangeSeq, Entity};
use procura_store::journal::{
    AskedFor, AssertionUsed, AuthenticationFailures, Changed, Door, Issued, OwnIssued, Record, RefusalCause,
    Refused, Started,
};
use procura_store::records::{ApplicationNo, ClientNo, ContactNo, KeyNo, RandomId, ResourceNo, Version};
use thiserror::Error;

use super::writer::Class;

#[cfg(test)]
mod tests;

// Never used for anything else later: a new layout of a kind gets a new byte.
const ISSUED: u8 = 0x11;
const ISSUED_BY: u8 = 0x12;
const OWN_ISSUED: u8 = 0x13;
const REFUSED: u8 = 0x21;
const CHANGED: u8 = 0x31;
const CHANGED_BY: u8 = 0x32;
const FAILURES: u8 = 0x41;
const STARTED: u8 = 0x51;
const ASSERTION_USED: u8 = 0x61;

/// A payload that no version of this program wrote, or a newer one did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the record's payload is of a kind or version that this program does not know")]
pub struct UnknownPayload;

/// Writes the payload behind what `into` holds.
pub fn encode(record: &Record, into: &mut Vec<u8>) {
    match record {
        Record::Issued(issued) => encode_issued(issued, into),
        Record::OwnIssued(issued) => {
            into.push(OWN_ISSUED);
            into.extend_from_slice(&issued.reference.0);
            into.extend_from_slice(&issued.jti_seed.0);
            number(into, issued.application.0.into());
            number(into, issued.resource.0.into());
            number(into, issued.access_token_key.0.into());
            signed(into, issued.expires_at.0);
            number(into, issued.version.0);
            encode_binding(issued.bound_to, into);
        }
        Record::Refused(refused) => encode_refused(refused, into),
        Record::Changed(changed) => encode_changed(changed, into),
        Record::AuthenticationFailures(failures) => {
            into.push(FAILURES);
            number(into, failures.known_application.into());
            number(into, failures.unknown_application.into());
            signed(into, failures.since.0);
        }
        Record::Started(started) => {
            into.push(STARTED);
            number(into, started.version.0);
        }
        Record::AssertionUsed(used) => {
            into.push(ASSERTION_USED);
            number(into, used.application.0.into());
            into.extend_from_slice(&used.digest);
            signed(into, used.expires_at.0);
        }
    }
}

/// Reads a payload; strict: every byte counts.
pub fn decode(payload: &[u8]) -> Result<Record, UnknownPayload> {
    let mut fields = Fields(payload);
    let record = match fields.byte()? {
        ISSUED => Record::Issued(decode_issued(&mut fields, (Door::ContactToken, None))?),
        ISSUED_BY => {
            let door = Door::from_code(fields.byte()?).ok_or(UnknownPayload)?;
            let bound_to = decode_binding(&mut fields)?;
            if is_first_layout(door, bound_to) {
                return Err(UnknownPayload);
            }
            Record::Issued(decode_issued(&mut fields, (door, bound_to))?)
        }
        OWN_ISSUED => Record::OwnIssued(OwnIssued {
            reference: RandomId(fields.bytes()?),
            jti_seed: RandomId(fields.bytes()?),
            application: ApplicationNo(fields.small()?),
            resource: ResourceNo(fields.small()?),
            access_token_key: KeyNo(fields.small()?),
            expires_at: UnixSeconds(fields.signed()?),
            version: Version(fields.number()?),
            bound_to: decode_binding(&mut fields)?,
        }),
        REFUSED => Record::Refused(decode_refused(&mut fields)?),
        CHANGED => Record::Changed(decode_changed(&mut fields)?),
        CHANGED_BY => Record::Changed(decode_changed_by(&mut fields)?),
        FAILURES => Record::AuthenticationFailures(AuthenticationFailures {
            known_application: fields.small()?,
            unknown_application: fields.small()?,
            since: UnixMillis(fields.signed()?),
        }),
        STARTED => Record::Started(Started { version: Version(fields.number()?) }),
        ASSERTION_USED => Record::AssertionUsed(AssertionUsed {
            application: ApplicationNo(fields.small()?),
            digest: fields.bytes()?,
            expires_at: UnixSeconds(fields.signed()?),
        }),
        _ => return Err(UnknownPayload),
    };
    if fields.0.is_empty() { Ok(record) } else { Err(UnknownPayload) }
}

/// The row of the `change` table that a payload records, if it records one.
pub fn change_of(payload: &[u8]) -> Option<u64> {
    let (kind, rest) = payload.split_first()?;
    if matches!(*kind, CHANGED | CHANGED_BY) { Fields(rest).number().ok() } else { None }
}

/// The assertion that a payload says was used, if it says so. Cheap for all others: a start reads an hour of
/// them.
pub fn assertion_of(payload: &[u8]) -> Option<AssertionUsed> {
    if *payload.first()? != ASSERTION_USED {
        return None;
    }
    match decode(payload) {
        Ok(Record::AssertionUsed(used)) => Some(used),
        _ => None,
    }
}

/// Who may use the reserve. A server that starts on a full disk may say so: it issues nothing, but it
/// takes revocations and tells that it is not ready.
pub fn class_of(record: &Record) -> Class {
    match record {
        Record::Changed(_) | Record::Started(_) => Class::Change,
        Record::Issued(_)
        | Record::OwnIssued(_)
        | Record::Refused(_)
        | Record::AuthenticationFailures(_)
        | Record::AssertionUsed(_) => Class::Issue,
    }
}

/// By the first door, and bound to nothing, the layout is that of before there was anything else, so that an issue
/// has one form.
const fn is_first_layout(door: Door, bound_to: Option<Binding>) -> bool {
    matches!((door, bound_to), (Door::ContactToken, None))
}

fn encode_issued(issued: &Issued, into: &mut Vec<u8>) {
    if is_first_layout(issued.door, issued.bound_to) {
        into.push(ISSUED);
    } else {
        into.extend([ISSUED_BY, issued.door.code()]);
        encode_binding(issued.bound_to, into);
    }
    into.extend_from_slice(&issued.reference.0);
    into.extend_from_slice(&issued.id_token_jti.0);
    number(into, issued.contact.0.into());
    number(into, issued.application.0.into());
    number(into, issued.resource.0.into());
    number(into, issued.id_token_key.map_or(NO_KEY, |key| key.0).into());
    number(into, issued.access_token_key.0.into());
    signed(into, issued.expires_at.0);
    number(into, issued.version.0);
    number(into, issued.clients.len() as u64);
    issued.clients.iter().for_each(|client| number(into, client.0.into()));
}

const TO_CERTIFICATE: u8 = 1;
const TO_KEY: u8 = 2;

/// A byte that says to what, then a digest for each.
fn encode_binding(bound_to: Option<Binding>, into: &mut Vec<u8>) {
    let certificate = bound_to.and_then(Binding::certificate);
    let key = bound_to.and_then(Binding::key);
    into.push(certificate.map_or(0, |_| TO_CERTIFICATE) | key.map_or(0, |_| TO_KEY));
    into.extend(certificate.iter().flat_map(|certificate| certificate.0));
    into.extend(key.iter().flat_map(|key| key.0));
}

fn decode_binding(fields: &mut Fields<'_>) -> Result<Option<Binding>, UnknownPayload> {
    let to = fields.byte()?;
    if to & !(TO_CERTIFICATE | TO_KEY) != 0 {
        return Err(UnknownPayload);
    }
    let mut digest = |is_there: bool| is_there.then(|| fields.bytes::<32>()).transpose();
    let certificate = digest(to & TO_CERTIFICATE != 0)?.map(Into::into);
    let key = digest(to & TO_KEY != 0)?.map(Into::into);
    Ok(Binding::of(certificate, key))
}

/// No key has this number: they are counted from 1.
const NO_KEY: u32 = 0;

fn decode_issued(
    fields: &mut Fields<'_>,
    (door, bound_to): (Door, Option<Binding>),
) -> Result<Issued, UnknownPayload> {
    Ok(Issued {
        door,
        bound_to,
        reference: RandomId(fields.bytes()?),
        id_token_jti: RandomId(fields.bytes()?),
        contact: ContactNo(fields.small()?),
        application: ApplicationNo(fields.small()?),
        resource: ResourceNo(fields.small()?),
        id_token_key: Some(fields.small()?).filter(|key| *key != NO_KEY).map(KeyNo),
        access_token_key: KeyNo(fields.small()?),
        expires_at: UnixSeconds(fields.signed()?),
        version: Version(fields.number()?),
        clients: {
            let count = fields.number()?;
            // A client takes a byte at least, so a count can't make us reserve more than was read.
            if count > fields.0.len() as u64 {
                return Err(UnknownPayload);
            }
            (0..count).map(|_| Ok(ClientNo(fields.small()?))).collect::<Result<_, _>>()?
        },
    })
}

const KNOWN: u8 = 1;
const UNKNOWN: u8 = 2;
const NOBODY: u8 = 3;

fn encode_refused(refused: &Refused, into: &mut Vec<u8>) {
    into.push(REFUSED);
    into.extend_from_slice(&refused.reference.0);
    into.extend_from_slice(&refused.application.0.to_le_bytes());
    let (kind, contact) = match refused.contact {
        AskedFor::Known(contact) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&contact.0.to_le_bytes());
            (KNOWN, bytes)
        }
        AskedFor::Unknown(hmac) => (UNKNOWN, hmac),
        AskedFor::Nobody => (NOBODY, [0; 16]),
    };
    into.push(kind);
    into.extend_from_slice(&contact);
    into.push(refused.cause.code());
    into.extend_from_slice(&refused.missed.to_le_bytes());
    into.extend_from_slice(&refused.version.0.to_le_bytes());
}

fn decode_refused(fields: &mut Fields<'_>) -> Result<Refused, UnknownPayload> {
    Ok(Refused {
        reference: RandomId(fields.bytes()?),
        application: ApplicationNo(u32::from_le_bytes(fields.bytes()?)),
        contact: match (fields.byte()?, fields.bytes()?) {
            (KNOWN, [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) => {
                AskedFor::Known(ContactNo(u32::from_le_bytes([a, b, c, d])))
            }
            (UNKNOWN, hmac) => AskedFor::Unknown(hmac),
            (NOBODY, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) => AskedFor::Nobody,
            _ => return Err(UnknownPayload),
        },
        cause: RefusalCause::from_code(fields.byte()?).ok_or(UnknownPayload)?,
        missed: u16::from_le_bytes(fields.bytes()?),
        version: Version(u64::from_le_bytes(fields.bytes()?)),
    })
}

/// Whether the layout of before there were revocations by request can hold it. It is written in that one
/// then, so that a change has one form.
fn is_plain(changed: &Changed) -> bool {
    matches!(changed.actor, Actor::Server | Actor::Operator { .. })
        && changed.entity != Entity::Token
        && changed.token.is_none()
}

fn encode_changed(changed: &Changed, into: &mut Vec<u8>) {
    let plain = is_plain(changed);
    into.push(if plain { CHANGED } else { CHANGED_BY });
    number(into, changed.change.0);
    number(into, changed.version.0);
    signed(into, changed.committed_at.0);
    match changed.actor {
        Actor::Server => number(into, 0),
        Actor::Operator { uid } => number(into, u64::from(uid) + 1),
        Actor::Application { application } => {
            number(into, APPLICATION);
            number(into, application.0.into());
        }
        Actor::Contact { contact, application } => {
            number(into, CONTACT);
            number(into, contact.0.into());
            number(into, application.0.into());
        }
    }
    into.extend([changed.entity.code(), changed.action.code()]);
    number(into, changed.number.into());
    number(into, changed.client.into());
    if !plain {
        match &changed.token {
            None => into.push(0),
            Some(subject) => {
                into.push(1);
                into.extend_from_slice(subject);
            }
        }
    }
}

/// Actors of [`CHANGED_BY`] that are no user of the host: users are their number + 1.
const APPLICATION: u64 = 1 << 32 | 1;
const CONTACT: u64 = 1 << 32 | 2;

fn decode_changed(fields: &mut Fields<'_>) -> Result<Changed, UnknownPayload> {
    let changed = decode_change(fields)?;
    if is_plain(&changed) { Ok(changed) } else { Err(UnknownPayload) }
}

fn decode_changed_by(fields: &mut Fields<'_>) -> Result<Changed, UnknownPayload> {
    let mut changed = decode_change(fields)?;
    changed.token = match fields.byte()? {
        0 => None,
        1 => Some(fields.bytes()?),
        _ => return Err(UnknownPayload),
    };
    if is_plain(&changed) { Err(UnknownPayload) } else { Ok(changed) }
}

fn decode_change(fields: &mut Fields<'_>) -> Result<Changed, UnknownPayload> {
    Ok(Changed {
        change: ChangeSeq(fields.number()?),
        version: Version(fields.number()?),
        committed_at: UnixMillis(fields.signed()?),
        actor: match fields.number()? {
            0 => Actor::Server,
            APPLICATION => Actor::Application { application: ApplicationNo(fields.small()?) },
            CONTACT => Actor::Contact {
                contact: ContactNo(fields.small()?),
                application: ApplicationNo(fields.small()?),
            },
            uid => Actor::Operator { uid: u32::try_from(uid - 1).map_err(|_| UnknownPayload)? },
        },
        entity: Entity::from_code(fields.byte()?).ok_or(UnknownPayload)?,
        action: Action::from_code(fields.byte()?).ok_or(UnknownPayload)?,
        number: fields.small()?,
        client: fields.small()?,
        token: None,
    })
}

fn number(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

fn signed(into: &mut Vec<u8>, value: i64) {
    number(into, ((value << 1) ^ (value >> 63)) as u64);
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], UnknownPayload> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(UnknownPayload)?;
        self.0 = rest;
        Ok(*bytes)
    }

    fn byte(&mut self) -> Result<u8, UnknownPayload> {
        self.bytes().map(|[byte]| byte)
    }

    fn number(&mut self) -> Result<u64, UnknownPayload> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7F);
            let overlong = byte == 0 && shift > 0;
            if overlong || (part << shift) >> shift != part {
                return Err(UnknownPayload);
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(UnknownPayload)
    }

    fn small(&mut self) -> Result<u32, UnknownPayload> {
        u32::try_from(self.number()?).map_err(|_| UnknownPayload)
    }

    fn signed(&mut self) -> Result<i64, UnknownPayload> {
        let value = self.number()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }
}
