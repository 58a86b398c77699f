//! Marks that no change of a record makes.

use procura_jose::marks::mark_subject;
use procura_protocol::time::UnixSeconds;
use procura_store::administration::{Revocation, Revoke, StoreError, TokenToRevoke};
use procura_store::change::{Action, Entity};
use procura_store::fields::Key;
use procura_store::mark::{KEEP_BEYOND_EXPIRY, MarkKind};

use super::marks::mark;
use super::put::get;
use super::shape::{Numbers, number_of};
use super::text::log;
use super::writing::{Marked, Writing};
use super::{CellsExt, Value, one_integer};

/// Marks tokens that are out.
pub(crate) fn revoke(writing: &mut Writing<'_>, revocation: &Revocation) -> Result<Revoke, StoreError> {
    match revocation {
        Revocation::Token(token) => revoke_token(writing, token),
        Revocation::Contact(contact) => {
            revoke_of(writing, MarkKind::Contact, Entity::Contact, &[contact.as_str()])
        }
        Revocation::Client(client) => {
            revoke_of(writing, MarkKind::Client, Entity::Client, &[client.as_str()])
        }
        Revocation::Application(application) => {
            revoke_of(writing, MarkKind::Application, Entity::Application, &[application.as_str()])
        }
        Revocation::Trust { client, application } => {
            revoke_of(writing, MarkKind::Trust, Entity::Trust, &[client.as_str(), application.as_str()])
        }
        Revocation::Mandate { contact, client } => {
            revoke_of(writing, MarkKind::Mandate, Entity::Mandate, &[contact.as_str(), client.as_str()])
        }
        Revocation::All => {
            writing.mark(MarkKind::All, Numbers::default(), "", None)?;
            writing.change(Entity::Token, Action::Revoke, Numbers::default())?;
            Ok(Revoke::Marked(writing.version()))
        }
    }
}

fn revoke_of(
    writing: &mut Writing<'_>,
    kind: MarkKind,
    entity: Entity,
    key: &[&str],
) -> Result<Revoke, StoreError> {
    let Ok(key) = Key::read(entity, key) else { return Ok(Revoke::NotFound) };
    let Some(record) = get(writing.sql, &key)? else { return Ok(Revoke::NotFound) };
    mark(writing, kind, &record)?;
    writing.change(entity, Action::Revoke, record.numbers)?;
    Ok(Revoke::Marked(writing.version()))
}

/// A token's mark goes on when the application is not there (any more): its number is 0 then.
fn revoke_token(writing: &mut Writing<'_>, token: &TokenToRevoke) -> Result<Revoke, StoreError> {
    let keep_until = match token.expires_at {
        Some(expires_at) => expires_at.plus(KEEP_BEYOND_EXPIRY),
        None => writing.keep_until(),
    };
    if keep_until <= writing.context.at.seconds() {
        return Ok(Revoke::NothingToMark);
    }
    let mut subjects = Vec::with_capacity(token.ids.len());
    for id in &token.ids {
        let subject = mark_subject(MarkKind::Token, id, None).0;
        if !subjects.contains(&subject)
            && one_integer(writing.sql, log::IS_MARKED, &[Value::Bytes(&subject)])?.is_none()
        {
            subjects.push(subject);
        }
    }
    if subjects.is_empty() {
        return Ok(Revoke::NothingToMark);
    }
    let number = match &token.application {
        Some(application) => number_of(writing.sql, Entity::Application, application.as_str())?,
        None => None,
    };
    let numbers = Numbers { number: number.unwrap_or_default(), client: 0 };
    for subject in &subjects {
        writing.change_about(Entity::Token, Action::Revoke, numbers, Some(subject))?;
    }
    let application =
        token.application.as_ref().map(|id| mark_subject(MarkKind::Application, id.as_str(), None).0);
    if let Some(application) = application {
        let (count, latest) = tokens_of(writing, &application)?;
        if count + subjects.len() as u64 > u64::from(token.most_of_application) {
            writing.sql.execute(log::DELETE_TOKENS_OF_APPLICATION, &[Value::Bytes(&application)])?;
            let keep_until = latest.map_or(keep_until, |latest| latest.max(keep_until));
            let marked = Marked { subject: application, application: Some(application), keep_until };
            writing.mark_subject(MarkKind::Application, numbers, marked)?;
            if numbers.number != 0 {
                writing.change(Entity::Application, Action::Revoke, numbers)?;
            }
            return Ok(Revoke::MarkedApplication(writing.version()));
        }
    }
    for subject in subjects {
        writing.mark_subject(MarkKind::Token, numbers, Marked { subject, application, keep_until })?;
    }
    Ok(Revoke::Marked(writing.version()))
}

/// How many marks on tokens an application has, and until when the last of them is kept.
fn tokens_of(
    writing: &mut Writing<'_>,
    application: &[u8; 32],
) -> Result<(u64, Option<UnixSeconds>), StoreError> {
    let mut found = (0, None);
    writing.sql.query(log::TOKENS_OF_APPLICATION, &[Value::Bytes(application)], &mut |row| {
        found = (row.u64(0)?, row.integer(1)?.map(UnixSeconds));
        Ok(())
    })?;
    Ok(found)
}
