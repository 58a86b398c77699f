//! The whole directory at once.
//!
//! Rows come ordered by number, so parents and their children are merged as they stream by, every list
//! is made once at its final length, and nothing but the directory itself stays in memory.

use std::sync::Arc;

use procura_store::Directory;
use procura_store::administration::{KeyRecord, StoreError};
use procura_store::change::{ChangeSeq, Entity};
use procura_store::directory::Edit;
use procura_store::records::ResourceNo;
use rusqlite::{Connection, Row, Rows, Transaction};

use super::registration::{credential, give_application, give_resource};
use super::{failed, rows};

/// A directory, and how far it goes.
pub struct Loaded {
    /// The directory.
    pub directory: Directory,
    /// The last change that is in it.
    pub change: ChangeSeq,
    /// The keys that go with it.
    pub keys: Vec<KeyRecord>,
    /// The server's own API, which every application has first among its resources.
    pub built_in: Option<ResourceNo>,
}

/// Reads everything in one snapshot: seconds for a million contacts.
///
/// # Errors
///
/// [`StoreError::Damaged`] when a row can't have been written by this program; what else the database
/// says.
pub fn load(connection: &Connection) -> Result<Loaded, StoreError> {
    let snapshot = connection.unchecked_transaction().map_err(failed)?;
    let stand = stand(&snapshot)?;
    let mut edit = Directory::default().edit();
    let built_in = load_resources(&snapshot, &mut edit)?;
    load_clients(&snapshot, &mut edit)?;
    load_contacts(&snapshot, &mut edit)?;
    load_applications(&snapshot, &mut edit, built_in)?;
    let keys = read_keys(&snapshot)?;
    Ok(Loaded { directory: edit.finish(stand.version), change: stand.last, keys, built_in })
}

/// How far the snapshot goes.
pub(super) fn stand(snapshot: &Transaction<'_>) -> Result<rows::Stand, StoreError> {
    let mut statement = snapshot.prepare_cached(rows::STAND).map_err(failed)?;
    let mut found = statement.query([]).map_err(failed)?;
    let row = found.next().map_err(failed)?.ok_or(StoreError::Damaged("version that is missing"))?;
    rows::stand(row)
}

/// All keys, by number.
pub(super) fn read_keys(connection: &Connection) -> Result<Vec<KeyRecord>, StoreError> {
    let mut statement = connection.prepare_cached(crate::sql::text::key::LIST).map_err(failed)?;
    let mut found = statement.query([]).map_err(failed)?;
    let mut keys = Vec::new();
    while let Some(row) = found.next().map_err(failed)? {
        keys.push(rows::key(row)?);
    }
    Ok(keys)
}

fn load_resources(snapshot: &Transaction<'_>, edit: &mut Edit) -> Result<Option<ResourceNo>, StoreError> {
    let mut statement = snapshot.prepare(rows::RESOURCES).map_err(failed)?;
    let mut credentials = snapshot.prepare(rows::CREDENTIALS).map_err(failed)?;
    let credentials = credentials.query([Entity::Resource.code()]).map_err(failed)?;
    let mut credentials = Children::new(credentials, credential)?;
    let mut found = statement.query([]).map_err(failed)?;
    let (mut built_in, mut theirs) = (None, Vec::new());
    while let Some(row) = found.next().map_err(failed)? {
        let (mut resource, is_built_in) = rows::resource(row)?;
        credentials.take(resource.no.0, &mut theirs)?;
        give_resource(&mut resource, theirs.drain(..));
        if is_built_in {
            built_in = Some(resource.no);
        }
        edit.set_resource(resource.no, Some(resource));
    }
    Ok(built_in)
}

fn load_clients(snapshot: &Transaction<'_>, edit: &mut Edit) -> Result<(), StoreError> {
    let mut statement = snapshot.prepare(rows::CLIENTS).map_err(failed)?;
    let mut found = statement.query([]).map_err(failed)?;
    while let Some(row) = found.next().map_err(failed)? {
        let (no, client) = rows::client(row)?;
        edit.set_client(no, Some(client));
    }
    Ok(())
}

fn load_contacts(snapshot: &Transaction<'_>, edit: &mut Edit) -> Result<(), StoreError> {
    let mut statement = snapshot.prepare(rows::CONTACTS).map_err(failed)?;
    let mut mandates = snapshot.prepare(rows::MANDATES).map_err(failed)?;
    let mut mandates = Children::new(mandates.query([]).map_err(failed)?, rows::mandate)?;
    let mut found = statement.query([]).map_err(failed)?;
    let mut theirs = Vec::new();
    while let Some(row) = found.next().map_err(failed)? {
        let no = rows::number(row, 0)?;
        theirs.clear();
        mandates.take(no, &mut theirs)?;
        edit.set_contact(procura_store::records::ContactNo(no), Some(rows::contact(row, &theirs)?));
    }
    Ok(())
}

fn load_applications(
    snapshot: &Transaction<'_>,
    edit: &mut Edit,
    built_in: Option<ResourceNo>,
) -> Result<(), StoreError> {
    let mut statement = snapshot.prepare(rows::APPLICATIONS).map_err(failed)?;
    let mut credentials = snapshot.prepare(rows::CREDENTIALS).map_err(failed)?;
    let credentials = credentials.query([Entity::Application.code()]).map_err(failed)?;
    let mut credentials = Children::new(credentials, credential)?;
    let mut resources = snapshot.prepare(rows::APPLICATION_RESOURCES).map_err(failed)?;
    let mut resources = Children::new(resources.query([]).map_err(failed)?, rows::resource_of)?;
    let mut all_trusts = snapshot.prepare(rows::TRUSTS).map_err(failed)?;
    let mut all_trusts = Children::new(all_trusts.query([]).map_err(failed)?, rows::trust)?;
    let mut found = statement.query([]).map_err(failed)?;
    let (mut theirs, mut held) = (Vec::new(), Vec::new());
    while let Some(row) = found.next().map_err(failed)? {
        let mut application = rows::application(row)?;
        let no = application.no;
        application.resources.extend(built_in);
        resources.take(no.0, &mut application.resources)?;
        credentials.take(no.0, &mut held)?;
        give_application(&mut application, held.drain(..));
        all_trusts.take(no.0, &mut theirs)?;
        // At its final length, not at what the buffer has grown to.
        let mut trusts = Vec::with_capacity(theirs.len());
        trusts.append(&mut theirs);
        application.trusts = Arc::new(trusts);
        edit.set_application(no, Some(application));
    }
    Ok(())
}

/// Rows that belong to others, in the order of their owners.
struct Children<'s, T> {
    rows: Rows<'s>,
    read: fn(&Row<'_>) -> Result<(u32, T), StoreError>,
    next: Option<(u32, T)>,
}

impl<'s, T> Children<'s, T> {
    fn new(
        rows: Rows<'s>,
        read: fn(&Row<'_>) -> Result<(u32, T), StoreError>,
    ) -> Result<Children<'s, T>, StoreError> {
        let mut children = Children { rows, read, next: None };
        children.advance()?;
        Ok(children)
    }

    /// Adds those of `owner`. Owners must be asked for in ascending order; who is skipped loses theirs.
    fn take(&mut self, owner: u32, into: &mut Vec<T>) -> Result<(), StoreError> {
        while let Some((next, child)) = self.next.take_if(|(next, _)| *next <= owner) {
            if next == owner {
                into.push(child);
            }
            self.advance()?;
        }
        Ok(())
    }

    fn advance(&mut self) -> Result<(), StoreError> {
        self.next = match self.rows.next().map_err(failed)? {
            Some(row) => Some((self.read)(row)?),
            None => None,
        };
        Ok(())
    }
}
