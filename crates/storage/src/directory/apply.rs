//! From rows of the `change` table to the next snapshot.

use std::collections::BTreeSet;

use procura_store::Directory;
use procura_store::administration::StoreError;
use procura_store::change::{ChangeSeq, Entity};
use procura_store::directory::Edit;
use procura_store::records::{
    Application, ApplicationNo, ClientNo, Contact, ContactNo, Resource, ResourceNo,
};
use rusqlite::{Row, ToSql, Transaction};

use super::registration::{credential, give_application, give_resource};
use super::{failed, rows};

/// What some changes are about, each once.
#[derive(Debug, Default)]
pub(super) struct Touched {
    resources: BTreeSet<u32>,
    applications: BTreeSet<u32>,
    clients: BTreeSet<u32>,
    contacts: BTreeSet<u32>,
    trusts: BTreeSet<(u32, u32)>,
    pub(super) keys: bool,
}

impl Touched {
    /// Of all changes after one.
    pub(super) fn read(snapshot: &Transaction<'_>, after: ChangeSeq) -> Result<Touched, StoreError> {
        let mut touched = Touched::default();
        let mut statement = snapshot.prepare_cached(rows::CHANGED).map_err(failed)?;
        let mut found = statement.query([after.0 as i64]).map_err(failed)?;
        while let Some(row) = found.next().map_err(failed)? {
            let (entity, number, client) = rows::subject(row)?;
            touched.add(entity, number, client);
        }
        Ok(touched)
    }

    fn add(&mut self, entity: Entity, number: u32, client: u32) {
        match entity {
            Entity::Resource => drop(self.resources.insert(number)),
            Entity::Application => drop(self.applications.insert(number)),
            Entity::Client => drop(self.clients.insert(number)),
            // Mandates are read with their contact.
            Entity::Contact | Entity::Mandate => drop(self.contacts.insert(number)),
            Entity::Trust => drop(self.trusts.insert((number, client))),
            Entity::Key => self.keys = true,
            // Of tokens there is nothing but marks.
            Entity::Token => {}
        }
    }

    /// Whether another resource is the built-in one now: then every application changes.
    pub(super) fn moves_built_in(
        &self,
        snapshot: &Transaction<'_>,
        known: Option<ResourceNo>,
    ) -> Result<bool, StoreError> {
        if self.resources.is_empty() {
            return Ok(false);
        }
        let now = one(snapshot, rows::BUILT_IN, &[], |row| rows::number(row, 0))?;
        Ok(now.map(ResourceNo) != known)
    }
}

/// Reads what was touched and puts it into the next version. What went with a removed record has rows
/// of the `change` table of its own.
pub(super) fn apply(
    snapshot: &Transaction<'_>,
    current: &Directory,
    touched: &Touched,
    built_in: Option<ResourceNo>,
) -> Result<Edit, StoreError> {
    let mut edit = current.edit();
    for no in &touched.resources {
        edit.set_resource(ResourceNo(*no), read_resource(snapshot, *no)?);
    }
    for no in &touched.applications {
        edit.set_application(ApplicationNo(*no), read_application(snapshot, *no, built_in)?);
    }
    for no in &touched.clients {
        let client = one(snapshot, rows::CLIENT, &[no], rows::client)?.map(|(_, client)| client);
        edit.set_client(ClientNo(*no), client);
    }
    for no in &touched.contacts {
        edit.set_contact(ContactNo(*no), read_contact(snapshot, *no)?);
    }
    for (application, client) in &touched.trusts {
        let trust = one(snapshot, rows::TRUST, &[application, client], rows::trust)?.map(|(_, trust)| trust);
        edit.set_trust(ApplicationNo(*application), ClientNo(*client), trust);
    }
    Ok(edit)
}

fn read_resource(snapshot: &Transaction<'_>, no: u32) -> Result<Option<Resource>, StoreError> {
    let Some((mut resource, _)) = one(snapshot, rows::RESOURCE, &[&no], rows::resource)? else {
        return Ok(None);
    };
    let owner = Entity::Resource.code();
    give_resource(&mut resource, children(snapshot, rows::CREDENTIALS_OF, &[&owner, &no], credential)?);
    Ok(Some(resource))
}

fn read_application(
    snapshot: &Transaction<'_>,
    no: u32,
    built_in: Option<ResourceNo>,
) -> Result<Option<Application>, StoreError> {
    let Some(mut application) = one(snapshot, rows::APPLICATION, &[&no], rows::application)? else {
        return Ok(None);
    };
    let owner = Entity::Application.code();
    let credentials = children(snapshot, rows::CREDENTIALS_OF, &[&owner, &no], credential)?;
    give_application(&mut application, credentials);
    application.resources.extend(built_in);
    application.resources.extend(children(snapshot, rows::RESOURCES_OF, &[&no], rows::resource_of)?);
    Ok(Some(application))
}

fn read_contact(snapshot: &Transaction<'_>, no: u32) -> Result<Option<Contact>, StoreError> {
    let mandates = children(snapshot, rows::MANDATES_OF, &[&no], rows::mandate)?;
    one(snapshot, rows::CONTACT, &[&no], |row| rows::contact(row, &mandates))
}

fn one<T>(
    snapshot: &Transaction<'_>,
    text: &str,
    values: &[&dyn ToSql],
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let mut statement = snapshot.prepare_cached(text).map_err(failed)?;
    let mut found = statement.query(values).map_err(failed)?;
    found.next().map_err(failed)?.map(read).transpose()
}

fn children<T>(
    snapshot: &Transaction<'_>,
    text: &str,
    values: &[&dyn ToSql],
    read: fn(&Row<'_>) -> Result<(u32, T), StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = snapshot.prepare_cached(text).map_err(failed)?;
    let mut found = statement.query(values).map_err(failed)?;
    let mut children = Vec::new();
    while let Some(row) = found.next().map_err(failed)? {
        children.push(read(row)?.1);
    }
    Ok(children)
}
