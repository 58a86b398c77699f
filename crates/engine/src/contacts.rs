//! What a token opens: the clients it lists, and the contacts of one of them (contract, chapter 4).
//!
//! Who acts for whom was checked before, by the guard. Everything here is judged by what the *token*
//! allows for the client, never by the holder's mandate, which the trust's ceiling may have cut down.

pub mod change;
mod show;

use std::sync::Arc;

use procura_jose::digest::sha256;
use procura_protocol::access_token::Presence;
use procura_protocol::contact_update::FieldFaults;
use procura_protocol::contacts::{Client, Contact};
use procura_protocol::ids::{ApplicationId, ClientId, ContactId};
use procura_protocol::permission::{Permission, Permissions};
use procura_store::change::Entity;
use procura_store::fields::{Key, Row};
use procura_store::records::ContactNo;
use procura_store::{Changes as _, Directory, Journal, Store};
use thiserror::Error;

use crate::{Engine, Unavailable};

/// Who acts, for whom, on which client, with what: the facts of a token that was checked.
#[derive(Debug, Clone)]
pub struct Acting {
    /// The contact that is acted for.
    pub contact: ContactId,
    /// The application that acts.
    pub application: ApplicationId,
    /// The client that the call is about.
    pub client: ClientId,
    /// What the token allows for this client: the mandate within the ceiling.
    pub permissions: Permissions,
    /// Whether a person signed in.
    pub presence: Presence,
}

impl Acting {
    fn is(&self, contact: &str) -> bool {
        self.contact.as_str() == contact
    }

    /// Of oneself everything is seen; of others what belongs to them only by a person who signed in.
    fn sees_person(&self, contact: &str) -> bool {
        self.is(contact) || matches!(self.presence, Presence::Person { .. })
    }

    /// Others are looked at only with `can_manage_contacts`, whether or not they are there.
    fn may_look_at(&self, contact: &str) -> Result<(), ContactError> {
        if self.is(contact) || self.permissions.contains(Permission::ManageContacts) {
            Ok(())
        } else {
            Err(ContactError::Permission(Permission::ManageContacts))
        }
    }
}

/// SHA-256 of a contact as somebody sees it: says which state they saw, and nothing that they did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateTag(pub [u8; 32]);

/// What must hold of the state before anything is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing, beyond that the contact is there.
    None,
    /// The state is one of these; perhaps there is none.
    OneOf(Vec<StateTag>),
}

impl Precondition {
    fn check(&self, tag: StateTag) -> Result<(), ContactError> {
        match self {
            Precondition::OneOf(tags) if !tags.contains(&tag) => Err(ContactError::Stale),
            Precondition::OneOf(_) | Precondition::None => Ok(()),
        }
    }
}

/// A contact as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownContact {
    /// The JSON object.
    pub json: Vec<u8>,
    /// Which state this is.
    pub tag: StateTag,
}

/// Why a contact is not shown or not changed.
#[derive(Debug, Error)]
pub enum ContactError {
    /// Theirs: the token does not allow to look at others.
    #[error("the token does not give {} for this client", .0.name())]
    Permission(Permission),
    /// Theirs: unknown, or nothing to do with that client.
    #[error("there is no such contact of this client")]
    NotFound,
    /// Theirs: the state is none of those that were named.
    #[error("the contact is in another state than was said")]
    Stale,
    /// Theirs: values that can't be.
    #[error("there are values that can't be")]
    Values(FieldFaults),
    /// Theirs: changes that they may not make.
    #[error("there are changes that may not be made: {cause}")]
    Forbidden {
        /// The first of the causes.
        cause: Forbidden,
        /// All fields.
        fields: FieldFaults,
    },
    /// Ours: not now.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why a field may not be changed. The first of several in this order is told by its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum Forbidden {
    /// What belongs to a person changes only while they are there.
    #[error("nobody was at the keyboard")]
    NoPerson,
    /// What belongs to a person is changed by nobody else.
    #[error("it belongs to another person")]
    OfAnother,
    /// The token lacks a permission.
    #[error("the token does not give {} for this client", .0.name())]
    Permission(Permission),
    /// One's own permissions only become fewer.
    #[error("it would widen one's own permissions")]
    OwnUpward,
}

/// The contacts that are shown, in order, to be read a few at a time.
pub struct ContactList {
    acting: Acting,
    directory: Arc<Directory>,
    contacts: Vec<ContactNo>,
}

impl ContactList {
    /// How many there are, as far as was known when it was made.
    pub fn len(&self) -> usize {
        self.contacts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.contacts.is_empty()
    }
}

impl<S: Store, J: Journal> Engine<S, J> {
    /// The clients that a token lists, in their order.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] when they can't be read now.
    pub async fn clients(&self, clients: &[ClientId]) -> Result<Vec<Client>, Unavailable> {
        let keys = clients.iter().filter_map(|id| Key::read(Entity::Client, &[id.as_str()]).ok()).collect();
        let rows = self.whole(keys).await?;
        Ok(rows.into_iter().flatten().filter_map(|row| show::client(&row)).collect())
    }

    /// One contact of the client.
    ///
    /// # Errors
    ///
    /// [`ContactError`].
    pub async fn contact(
        &self,
        acting: &Acting,
        asked: &str,
        precondition: &Precondition,
    ) -> Result<ShownContact, ContactError> {
        acting.may_look_at(asked)?;
        let (contact, mandate) = self.contact_of_client(acting, asked).await?;
        let shown = shown(acting, &contact, &mandate)?;
        precondition.check(shown.tag)?;
        Ok(shown)
    }

    /// Whom the token's holder may see of the client: with `can_manage_contacts` everyone with a mandate
    /// for it, in force or not, sorted by id; otherwise themself.
    ///
    /// Sorts thousands: not for a thread that serves others.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] when the directory can't be confirmed fresh.
    pub fn contacts(&self, acting: Acting) -> Result<ContactList, Unavailable> {
        let directory = self.store.directory()?;
        let own = directory.contact(acting.contact.as_str());
        let mut contacts: Vec<ContactNo> = own.map(|(no, _)| no).into_iter().collect();
        if acting.permissions.contains(Permission::ManageContacts) {
            let client = own.and_then(|(_, contact)| {
                contact
                    .mandates
                    .iter()
                    .map(|mandate| mandate.client)
                    .find(|no| directory.client(*no).is_some_and(|client| client.id == acting.client))
            });
            // Without a mandate of their own for it the holder's tokens are dead, or will be in a moment.
            contacts = client.map_or(Vec::new(), |client| directory.contacts_of(client).to_vec());
            contacts
                .sort_by_cached_key(|no| directory.contact_by_number(*no).map(|contact| contact.id.clone()));
        }
        Ok(ContactList { acting, directory, contacts })
    }

    /// The contacts of a list from the `skip`th on, `take` at most, as JSON objects. Who is gone since the
    /// list was made is left out.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] when they can't be read now.
    pub async fn contacts_in(
        &self,
        list: &ContactList,
        skip: usize,
        take: usize,
    ) -> Result<Vec<Vec<u8>>, Unavailable> {
        let numbers = list.contacts.iter().skip(skip).take(take);
        let ids = numbers.filter_map(|no| list.directory.contact_by_number(*no)).map(|contact| &contact.id);
        let keys = ids.filter_map(|id| pair(id.as_str(), &list.acting.client)).flatten().collect();
        let rows = self.whole(keys).await?;
        let pairs = rows.chunks_exact(2).filter_map(|pair| pair[0].as_ref().zip(pair[1].as_ref()));
        let shown = pairs.map(|(contact, mandate)| shown(&list.acting, contact, mandate));
        shown.map(|shown| Ok(shown?.json)).collect()
    }

    /// The rows of a contact and of their mandate for the client, at one version.
    async fn contact_of_client(&self, acting: &Acting, asked: &str) -> Result<(Row, Row), ContactError> {
        let keys = pair(asked, &acting.client).ok_or(ContactError::NotFound)?;
        let rows = self.whole(keys.into()).await?;
        match <[_; 2]>::try_from(rows) {
            Ok([Some(contact), Some(mandate)]) => Ok((contact, mandate)),
            _ => Err(ContactError::NotFound),
        }
    }

    async fn whole(&self, keys: Vec<Key>) -> Result<Vec<Option<Row>>, Unavailable> {
        self.store.changes().whole(keys).await.map_err(|error| Unavailable::not_read(&error))
    }
}

/// What is read of a contact of a client; `None` when it is no id.
fn pair(contact: &str, client: &ClientId) -> Option<[Key; 2]> {
    let person = Key::read(Entity::Contact, &[contact]).ok()?;
    Some([person, Key::read(Entity::Mandate, &[contact, client.as_str()]).ok()?])
}

/// What somebody sees of a contact, and the tag of that.
fn shown(acting: &Acting, contact: &Row, mandate: &Row) -> Result<ShownContact, Unavailable> {
    let sees_person = acting.sees_person(contact.key().first());
    let contact: Option<Contact> = show::contact(contact, mandate, sees_person);
    // What the store gives out was checked when it came in.
    let json = contact.and_then(|contact| serde_json::to_vec(&contact).ok()).ok_or(Unavailable::NotRead)?;
    let tag = StateTag(sha256(&json));
    Ok(ShownContact { json, tag })
}
