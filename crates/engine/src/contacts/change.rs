//! A change of a contact of a client: values, who may, and then all of it or nothing.

use procura_protocol::access_token::Presence;
use procura_protocol::contact_update::{ContactUpdate, FieldFaults, HAS_ONLINE_ACCESS};
use procura_protocol::permission::{Permission, Permissions};
use procura_store::administration::ChangeContext;
use procura_store::change::{Actor, Entity};
use procura_store::changes::ChangeIfUnchanged;
use procura_store::fields::{Invalid, Row, of, position};
use procura_store::{Changes as _, Journal, Store};

use super::{Acting, ContactError, Forbidden, Precondition, ShownContact, StateTag, show, shown};
use crate::{Engine, Unavailable};

/// How often a change begins anew because another came first. Each time somebody got ahead.
const MOST_TRIES: u32 = 64;

/// A change whose values can be. Only [`checked`] makes one.
pub struct CheckedUpdate(ContactUpdate);

/// Looks at the values of a change; `faults` is what was found wrong when it was read.
///
/// # Errors
///
/// [`FieldFaults`]: everything that is wrong, old and new.
pub fn checked(update: ContactUpdate, mut faults: FieldFaults) -> Result<CheckedUpdate, FieldFaults> {
    for (name, text) in &update.personal {
        let field = position(Entity::Contact, name).map(|at| &of(Entity::Contact)[at]);
        if let Some(Err(problem)) = field.map(|field| field.kind.read(text)) {
            faults.add(*name, sentence(&problem.to_string()));
        }
    }
    if faults.is_empty() { Ok(CheckedUpdate(update)) } else { Err(faults) }
}

/// A problem reads on after the field's name; here it stands alone.
fn sentence(problem: &str) -> String {
    let mut letters = problem.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}

impl<S: Store, J: Journal> Engine<S, J> {
    /// Changes a contact of the client, if the token may and the state is as expected; says which state it
    /// is in then. Returns when that is in force here. The change is on record with who acted for whom.
    ///
    /// Of two who change the same at once, one begins anew on what the other made.
    ///
    /// # Errors
    ///
    /// [`ContactError`].
    pub async fn change_contact(
        &self,
        acting: &Acting,
        asked: &str,
        CheckedUpdate(update): &CheckedUpdate,
        precondition: &Precondition,
    ) -> Result<StateTag, ContactError> {
        acting.may_look_at(asked)?;
        for _ in 0..MOST_TRIES {
            let (contact, mandate) = self.contact_of_client(acting, asked).await?;
            may_change(acting, update, &mandate)?;
            let ShownContact { tag, .. } = shown(acting, &contact, &mandate)?;
            precondition.check(tag)?;
            let wanted = wanted(update, &contact, &mandate).map_err(|invalid| unreadable(&invalid))?;
            if wanted.is_empty() {
                return Ok(tag);
            }
            let after = shown_after(acting, (&contact, &mandate), &wanted)?;
            let expected = vec![contact, mandate];
            let outcome = self.store.changes().change_if_unchanged(self.by(acting)?, expected, wanted).await;
            match outcome.map_err(|error| Unavailable::not_changed(&error))? {
                ChangeIfUnchanged::Changed | ChangeIfUnchanged::Unchanged => return Ok(after),
                ChangeIfUnchanged::Stale => {}
                ChangeIfUnchanged::Refused(refusal) => {
                    tracing::error!(%refusal, "the store refuses a value that was checked");
                    return Err(Unavailable::NotChanged.into());
                }
            }
        }
        Err(Unavailable::NotChanged.into())
    }

    /// Who acts for whom, for the record.
    fn by(&self, acting: &Acting) -> Result<ChangeContext, Unavailable> {
        let directory = self.store.directory()?;
        let contact = directory.contact(acting.contact.as_str()).map(|(no, _)| no);
        let application = directory.application(acting.application.as_str()).map(|found| found.no);
        // One of them was removed a moment ago, and so the token is dead: to be asked again.
        let (contact, application) = contact.zip(application).ok_or(Unavailable::BeingLoaded)?;
        Ok(ChangeContext {
            actor: Actor::Contact { contact, application },
            at: self.now()?,
            reason: None,
            token_lifetime_max: self.settings.longest_lifetime,
        })
    }
}

/// Whether the token may make every part of a change. What belongs to the mandate is judged by what would
/// become of it; what belongs to the person by being named, so that nobody finds out by trying what they
/// can't see.
fn may_change(acting: &Acting, update: &ContactUpdate, mandate: &Row) -> Result<(), ContactError> {
    let own = acting.is(mandate.key().first());
    let mut refused = Refused::default();
    for (name, _) in &update.personal {
        refused.unless(name, personal(acting, own));
    }
    let online = show::is_true(mandate, HAS_ONLINE_ACCESS);
    if let Some(wanted) = update.has_online_access.filter(|wanted| *wanted != online) {
        refused.unless(HAS_ONLINE_ACCESS, online_access(acting, own, wanted));
    }
    let held = show::permissions(mandate).ok_or(Unavailable::NotRead)?;
    for permission in Permission::ALL {
        let grants = update.granted.contains(permission) && !held.contains(permission);
        let takes = update.taken.contains(permission) && held.contains(permission);
        if grants || takes {
            refused.unless(permission.name(), one_permission(acting, own && grants, permission));
        }
    }
    refused.into_result()
}

fn personal(acting: &Acting, own: bool) -> Result<(), Forbidden> {
    match acting.presence {
        Presence::NoPerson => Err(Forbidden::NoPerson),
        Presence::Person { .. } if own => Ok(()),
        Presence::Person { .. } => Err(Forbidden::OfAnother),
    }
}

/// One's own online access can be switched off without any permission.
fn online_access(acting: &Acting, own: bool, wanted: bool) -> Result<(), Forbidden> {
    if own && !wanted { Ok(()) } else { needs(acting, Permission::ManageContacts) }
}

fn one_permission(acting: &Acting, own_upward: bool, permission: Permission) -> Result<(), Forbidden> {
    needs(acting, Permission::ManagePermissions)?;
    needs(acting, permission)?;
    if own_upward { Err(Forbidden::OwnUpward) } else { Ok(()) }
}

fn needs(acting: &Acting, permission: Permission) -> Result<(), Forbidden> {
    if acting.permissions.contains(permission) { Ok(()) } else { Err(Forbidden::Permission(permission)) }
}

/// Everything that may not be changed, to be told at once.
#[derive(Default)]
struct Refused {
    cause: Option<Forbidden>,
    fields: FieldFaults,
}

impl Refused {
    fn unless(&mut self, field: &str, allowed: Result<(), Forbidden>) {
        let Err(cause) = allowed else { return };
        self.cause = Some(self.cause.map_or(cause, |known| known.min(cause)));
        self.fields.add(
            field,
            match cause {
                Forbidden::NoPerson => {
                    "Changes only with the token of the person, after they signed in.".to_owned()
                }
                Forbidden::OfAnother => "Is changed by nobody but the person.".to_owned(),
                Forbidden::Permission(permission) => format!("Needs {}.", permission.name()),
                Forbidden::OwnUpward => "One's own permissions can only be taken away.".to_owned(),
            },
        );
    }

    fn into_result(self) -> Result<(), ContactError> {
        match self.cause {
            Some(cause) => Err(ContactError::Forbidden { cause, fields: self.fields }),
            None => Ok(()),
        }
    }
}

/// The rows that make the change, with nothing in them that stays as it is; none when all of it does.
fn wanted(update: &ContactUpdate, contact: &Row, mandate: &Row) -> Result<Vec<Row>, Invalid> {
    let mut rows = Vec::new();
    let differs = |row: &Row, name: &str, text: &str| row.get(name).flatten().unwrap_or_default() != text;
    let personal = update.personal.iter().map(|(name, text)| (*name, text.as_str()));
    let personal: Vec<_> = personal.filter(|(name, text)| differs(contact, name, text)).collect();
    if !personal.is_empty() {
        let key = contact.key();
        rows.push(Row::read(Entity::Contact, [("contact_id", key.first())].into_iter().chain(personal))?);
    }
    let held = show::permissions(mandate).unwrap_or_default();
    let permissions = after(held, update).to_string();
    let online = update.has_online_access.map(|wanted| if wanted { "true" } else { "false" });
    let mut of_mandate = vec![("permissions", permissions.as_str())];
    of_mandate.extend(online.map(|online| (HAS_ONLINE_ACCESS, online)));
    of_mandate.retain(|(name, text)| differs(mandate, name, text));
    if !of_mandate.is_empty() {
        let key = mandate.key();
        let key = [("contact_id", key.first()), ("client_id", key.second().unwrap_or_default())];
        rows.push(Row::read(Entity::Mandate, key.into_iter().chain(of_mandate))?);
    }
    Ok(rows)
}

/// What is held after a change.
fn after(held: Permissions, update: &ContactUpdate) -> Permissions {
    let stays = |permission: &Permission| {
        update.granted.contains(*permission)
            || (held.contains(*permission) && !update.taken.contains(*permission))
    };
    Permission::ALL.into_iter().filter(stays).fold(Permissions::NONE, Permissions::with)
}

/// The tag of what is seen once the rows are in force.
fn shown_after(
    acting: &Acting,
    (contact, mandate): (&Row, &Row),
    wanted: &[Row],
) -> Result<StateTag, ContactError> {
    let apply = |row: &Row| {
        let change = wanted.iter().find(|change| change.entity() == row.entity());
        let before: Vec<_> = row.positions().map(|(_, value)| value.map(str::to_owned)).collect();
        match change {
            Some(change) => change.applied_to(Some(&before)).map(|values| Row::whole(row.entity(), values)),
            None => Ok(row.clone()),
        }
    };
    let (contact, mandate) = (apply(contact), apply(mandate));
    let (contact, mandate) =
        (contact.map_err(|invalid| unreadable(&invalid))?, mandate.map_err(|invalid| unreadable(&invalid))?);
    Ok(shown(acting, &contact, &mandate)?.tag)
}

/// A row that was made of checked values, or that the store gave out, is wrong: ours.
fn unreadable(invalid: &Invalid) -> Unavailable {
    tracing::error!(%invalid, "a record can't be changed as was checked before");
    Unavailable::NotChanged
}
