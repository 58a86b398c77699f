//! The in-memory snapshot that every request is decided on.
//!
//! Immutable: a reader holds one version for as long as it decides. A change makes a new snapshot that
//! shares every page that it did not touch, so one change costs a few pages and not the directory.

mod expiring;
mod index;
mod pages;

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use procura_protocol::ids::{ApplicationId, ContactId, ResourceId};

use crate::mark::{Mark, MarkKind};
use crate::records::{
    Application, ApplicationNo, Client, ClientNo, Contact, ContactNo, Resource, ResourceNo, Trust, Version,
};
use index::Index;
use pages::Pages;

/// Everything that decisions need, at one version.
#[derive(Clone, Default)]
pub struct Directory {
    version: Version,
    applications: Pages<Arc<Application>>,
    application_index: Index,
    contacts: Pages<Contact>,
    contact_index: Index,
    clients: Pages<Client>,
    contacts_of: Pages<Vec<ContactNo>>,
    resources: Arc<BTreeMap<ResourceId, Arc<Resource>>>,
    pending: Option<Arc<PendingMarks>>,
}

impl Directory {
    /// The version that this is.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The application with that id, active or not.
    pub fn application(&self, id: &str) -> Option<&Arc<Application>> {
        let is_it = |no| self.applications.get(no).is_some_and(|application| application.id.as_str() == id);
        self.applications.get(self.application_index.find(id, is_it)?)
    }

    /// The application with that number.
    pub fn application_by_number(&self, no: ApplicationNo) -> Option<&Arc<Application>> {
        self.applications.get(no.0)
    }

    /// All applications, active or not, ordered by number.
    pub fn applications(&self) -> impl Iterator<Item = &Arc<Application>> {
        self.applications.iter()
    }

    /// All resources, active or not.
    pub fn resources(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.resources.values()
    }

    /// The contact with that id, active or not.
    pub fn contact(&self, id: &str) -> Option<(ContactNo, &Contact)> {
        let is_it = |no| self.contacts.get(no).is_some_and(|contact| contact.id.as_str() == id);
        let no = self.contact_index.find(id, is_it)?;
        self.contacts.get(no).map(|contact| (ContactNo(no), contact))
    }

    /// The contact with that number.
    pub fn contact_by_number(&self, no: ContactNo) -> Option<&Contact> {
        self.contacts.get(no.0)
    }

    /// The client with that number.
    pub fn client(&self, no: ClientNo) -> Option<&Client> {
        self.clients.get(no.0)
    }

    /// The contacts with a mandate for that client, in force or not, ordered by number.
    pub fn contacts_of(&self, client: ClientNo) -> &[ContactNo] {
        self.contacts_of.get(client.0).map_or(&[], Vec::as_slice)
    }

    /// The resource with that id.
    pub fn resource(&self, id: &str) -> Option<&Arc<Resource>> {
        self.resources.get(id)
    }

    /// The resource with that number. There are few.
    pub fn resource_by_number(&self, no: ResourceNo) -> Option<&Arc<Resource>> {
        self.resources.values().find(|resource| resource.no == no)
    }

    /// Marks of an import that is still being loaded: what they hit can't be decided now.
    pub fn pending(&self) -> Option<&PendingMarks> {
        self.pending.as_deref()
    }

    /// How many applications, clients and contacts there are.
    pub fn sizes(&self) -> Sizes {
        Sizes {
            applications: self.applications.len(),
            clients: self.clients.len(),
            contacts: self.contacts.len(),
        }
    }

    /// Begins the next version.
    pub fn edit(&self) -> Edit {
        Edit { next: self.clone() }
    }

    /// The same version, with the marks of an import that is being loaded (or without).
    #[must_use]
    pub fn with_pending(&self, pending: Option<PendingMarks>) -> Directory {
        Directory { pending: pending.map(Arc::new), ..self.clone() }
    }

    /// The same version, with the marks that are pending in another.
    #[must_use]
    pub fn with_pending_of(self, other: &Directory) -> Directory {
        Directory { pending: other.pending.clone(), ..self }
    }
}

/// How much a directory holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Applications.
    pub applications: usize,
    /// Clients.
    pub clients: usize,
    /// Contacts.
    pub contacts: usize,
}

/// A next version in the making. Also how a directory is loaded: an edit of the empty one.
pub struct Edit {
    next: Directory,
}

impl Edit {
    /// Sets or removes an application. Its trusts are set with [`Edit::set_trust`] and stay.
    pub fn set_application(&mut self, no: ApplicationNo, application: Option<Application>) {
        let next = &mut self.next;
        let old = next.applications.get(no.0).cloned();
        if let Some(old) = &old {
            next.application_index.remove(old.id.as_str(), no.0);
        }
        let application = application.map(|mut application| {
            next.application_index.insert(application.id.as_str(), no.0);
            if let Some(old) = old {
                application.trusts = Arc::clone(&old.trusts);
            }
            Arc::new(application)
        });
        next.applications.set(no.0, application);
    }

    /// Sets or removes the trust of a client in an application. Without the application: nothing.
    pub fn set_trust(&mut self, application: ApplicationNo, client: ClientNo, trust: Option<Trust>) {
        let Some(application) = self.next.applications.get_mut(application.0) else { return };
        let trusts = Arc::make_mut(&mut Arc::make_mut(application).trusts);
        match (trusts.binary_search_by_key(&client, |trust| trust.client), trust) {
            (Ok(at), Some(trust)) => trusts[at] = trust,
            (Ok(at), None) => drop(trusts.remove(at)),
            (Err(at), Some(trust)) => trusts.insert(at, trust),
            (Err(_), None) => {}
        }
    }

    /// Sets or removes a contact with all its mandates.
    pub fn set_contact(&mut self, no: ContactNo, contact: Option<Contact>) {
        let next = &mut self.next;
        if let Some(old) = next.contacts.get(no.0) {
            next.contact_index.remove(old.id.as_str(), no.0);
            for mandate in &old.mandates {
                unlink(&mut next.contacts_of, mandate.client, no);
            }
        }
        if let Some(contact) = &contact {
            next.contact_index.insert(contact.id.as_str(), no.0);
            for mandate in &contact.mandates {
                link(&mut next.contacts_of, mandate.client, no);
            }
        }
        next.contacts.set(no.0, contact);
    }

    /// Sets or removes a client.
    pub fn set_client(&mut self, no: ClientNo, client: Option<Client>) {
        self.next.clients.set(no.0, client);
    }

    /// Sets a resource, or removes the one with that number.
    pub fn set_resource(&mut self, no: ResourceNo, resource: Option<Resource>) {
        let resources = Arc::make_mut(&mut self.next.resources);
        resources.retain(|_, other| other.no != no);
        if let Some(resource) = resource {
            resources.insert(resource.id.clone(), Arc::new(resource));
        }
    }

    /// The finished version; marks that were pending are part of it now.
    pub fn finish(self, version: Version) -> Directory {
        Directory { version, pending: None, ..self.next }
    }
}

fn link(contacts_of: &mut Pages<Vec<ContactNo>>, client: ClientNo, contact: ContactNo) {
    match contacts_of.get_mut(client.0) {
        Some(contacts) => match contacts.last() {
            Some(last) if *last < contact => contacts.push(contact),
            _ => {
                if let Err(at) = contacts.binary_search(&contact) {
                    contacts.insert(at, contact);
                }
            }
        },
        None => contacts_of.set(client.0, Some(vec![contact])),
    }
}

fn unlink(contacts_of: &mut Pages<Vec<ContactNo>>, client: ClientNo, contact: ContactNo) {
    if let Some(contacts) = contacts_of.get_mut(client.0)
        && let Ok(at) = contacts.binary_search(&contact)
    {
        contacts.remove(at);
    }
}

/// Marks of a change that is known and not yet loaded. A request that one of them hits can be neither
/// granted on the old version nor refused on the new one: it is told to come back.
#[derive(Debug, Default)]
pub struct PendingMarks {
    everything: bool,
    contacts: HashSet<u32>,
    clients: HashSet<u32>,
    applications: HashSet<u32>,
    trusts: HashSet<(u32, u32)>,
    mandates: HashSet<(u32, u32)>,
}

impl PendingMarks {
    /// Takes in what the marks hit. Marks on one token hit no request for a new one; a mark on a key
    /// hits all.
    pub fn collect<M: Borrow<Mark>>(marks: impl IntoIterator<Item = M>) -> PendingMarks {
        let mut pending = PendingMarks::default();
        for mark in marks {
            let mark = mark.borrow();
            match mark.kind {
                MarkKind::Token => {}
                MarkKind::Contact => drop(pending.contacts.insert(mark.number)),
                MarkKind::Client => drop(pending.clients.insert(mark.client)),
                MarkKind::Application => drop(pending.applications.insert(mark.number)),
                MarkKind::Trust => drop(pending.trusts.insert((mark.number, mark.client))),
                MarkKind::Mandate => drop(pending.mandates.insert((mark.number, mark.client))),
                MarkKind::Key | MarkKind::All => pending.everything = true,
            }
        }
        pending
    }

    /// Whether a request of this application for this contact may be hit.
    pub fn hits(&self, application: ApplicationNo, contact: ContactNo, clients: &[ClientNo]) -> bool {
        self.everything
            || self.applications.contains(&application.0)
            || self.contacts.contains(&contact.0)
            || clients.iter().any(|client| {
                self.clients.contains(&client.0)
                    || self.trusts.contains(&(application.0, client.0))
                    || self.mandates.contains(&(contact.0, client.0))
            })
    }
}

/// Ids in the words of the directory, for callers that have them as types.
impl Directory {
    /// Whether the id names an application here.
    pub fn has_application(&self, id: &ApplicationId) -> bool {
        self.application(id.as_str()).is_some()
    }

    /// Whether the id names a contact here.
    pub fn has_contact(&self, id: &ContactId) -> bool {
        self.contact(id.as_str()).is_some()
    }
}
