//! The contacts that an application may act for now (contract, chapter 2).

use std::sync::Arc;

use procura_protocol::ids::ContactId;
use procura_store::journal::{AskedFor, RefusalCause};
use procura_store::records::{ContactNo, RandomId};
use procura_store::{Journal, Store};
use thiserror::Error;

use crate::application_auth::AuthenticatedApplication;
use crate::{Engine, Unavailable, rule};

/// Why there is no list.
#[derive(Debug, Error)]
pub enum AvailableContactsError {
    /// Theirs: the application is not flagged trusted, and that is on record.
    #[error("the application is not flagged trusted")]
    NotTrusted {
        /// The record, for `Procura-Reference`.
        reference: RandomId,
    },
    /// Ours: not now.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// The contacts, sorted by id, at one version of the directory.
pub struct AvailableContacts {
    caller: AuthenticatedApplication,
    contacts: Vec<ContactNo>,
}

impl AvailableContacts {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.contacts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.contacts.is_empty()
    }

    /// The ids from the `skip`th on.
    pub fn ids(&self, skip: usize) -> impl Iterator<Item = &ContactId> {
        let directory = self.caller.directory();
        self.contacts
            .iter()
            .skip(skip)
            .filter_map(|no| directory.contact_by_number(*no))
            .map(|contact| &contact.id)
    }
}

impl<S: Store, J: Journal> Engine<S, J> {
    /// Whether this application may ask for the list at all. A refusal is recorded.
    pub async fn may_list_contacts(
        &self,
        caller: &AuthenticatedApplication,
    ) -> Result<(), AvailableContactsError> {
        if caller.application().trusted {
            return Ok(());
        }
        let now = self.now().map_err(Unavailable::from)?;
        let cause = (RefusalCause::NotTrusted, 0);
        let reference = self.record_refusal(caller, cause, AskedFor::Nobody, now).await?;
        Err(AvailableContactsError::NotTrusted { reference })
    }

    /// Exactly the contacts for whom the rule, without narrowing, leaves a client now.
    ///
    /// Looks at every contact of every client that trusts the application: milliseconds for thousands,
    /// so not for a thread that serves others.
    pub fn available_contacts(
        &self,
        caller: AuthenticatedApplication,
    ) -> Result<AvailableContacts, Unavailable> {
        let now = self.now()?.seconds();
        let (directory, application) = (caller.directory(), caller.application());
        let mut numbers: Vec<ContactNo> = application
            .trusts
            .iter()
            .filter(|trust| trust.active && trust.span.contains(now))
            .flat_map(|trust| directory.contacts_of(trust.client).iter().copied())
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        let mut found = Vec::new();
        for no in numbers {
            let Some(contact) = directory.contact_by_number(no) else { continue };
            if !rule::leaves_a_client(directory, application, (no, contact), now) {
                continue;
            }
            if let Some(pending) = directory.pending() {
                let clients: Vec<_> = contact.mandates.iter().map(|mandate| mandate.client).collect();
                if pending.hits(application.no, no, &clients) {
                    return Err(Unavailable::BeingLoaded);
                }
            }
            found.push((&contact.id, no));
        }
        found.sort_unstable();
        let contacts = found.into_iter().map(|(_, no)| no).collect();
        Ok(AvailableContacts { caller, contacts })
    }
}

/// A list may outlive the request that asked for it: it holds its directory.
const _: fn() = || {
    fn is_static<T: Send + Sync + 'static>() {}
    is_static::<Arc<AvailableContacts>>();
};
