//! What a checked token allows. Each value is made by a check, and the next check demands it.

use std::sync::Arc;

use procura_protocol::access_token::{Presence, TokenMandate};
use procura_protocol::ids::{ApplicationId, ClientId, ContactId};
use procura_protocol::permission::{Permission, Permissions};
use procura_protocol::time::UnixSeconds;

use crate::need::Need;
use crate::refusal::Refusal;

/// What a contact's token says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) contact: ContactId,
    pub(crate) application: ApplicationId,
    pub(crate) presence: Presence,
    pub(crate) mandates: Box<[TokenMandate]>,
    pub(crate) token_id: Box<str>,
    pub(crate) expires_at: UnixSeconds,
}

impl Facts {
    /// What it takes, about.
    pub(crate) fn bytes(&self) -> usize {
        let ids: usize = self.mandates.iter().map(|mandate| mandate.client.as_str().len() + 16).sum();
        size_of::<Facts>() + size_of_val(&*self.mandates) + ids + 128
    }
}

/// A token that is in force, for this resource, of a contact. Only [`crate::Guard::check_token`] makes
/// one; which client a call is about is asked next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedToken(pub(crate) Arc<Facts>);

impl CheckedToken {
    /// For a call about one client: that the token lists it, gives what the route needs for it, and was
    /// issued to whom the route needs.
    ///
    /// # Errors
    ///
    /// [`Refusal::ClientNotAllowed`], [`Refusal::InsufficientPermission`], [`Refusal::PersonRequired`], in
    /// this order.
    pub fn acting_for(&self, client: &ClientId, need: Need) -> Result<Authority, Refusal> {
        let facts = &self.0;
        let found = facts.mandates.binary_search_by(|mandate| mandate.client.cmp(client));
        let mandate = found.ok().and_then(|at| facts.mandates.get(at)).ok_or(Refusal::ClientNotAllowed)?;
        match need.permission {
            Some(permission) if !mandate.permissions.contains(permission) => {
                return Err(Refusal::InsufficientPermission(permission));
            }
            _ => self.check_presence(need.person)?,
        }
        Ok(Authority { facts: Arc::clone(facts), mandate: mandate.clone() })
    }

    /// For a call that is about no single client.
    ///
    /// # Errors
    ///
    /// [`Refusal::PersonRequired`] when a person is needed and nobody was there.
    pub fn on_behalf_of(&self, person: bool) -> Result<OnBehalf, Refusal> {
        self.check_presence(person)?;
        Ok(OnBehalf { facts: Arc::clone(&self.0) })
    }

    fn check_presence(&self, person: bool) -> Result<(), Refusal> {
        match self.0.presence {
            Presence::NoPerson if person => Err(Refusal::PersonRequired),
            Presence::NoPerson | Presence::Person { .. } => Ok(()),
        }
    }
}

/// An application acts for a contact, on one client, with these permissions. Made by
/// [`CheckedToken::acting_for`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    facts: Arc<Facts>,
    mandate: TokenMandate,
}

impl Authority {
    /// The client that the call is about.
    pub fn client(&self) -> &ClientId {
        &self.mandate.client
    }

    /// What the token allows for this client. Nothing is authority to read.
    pub fn permissions(&self) -> Permissions {
        self.mandate.permissions
    }

    /// Whether the token allows this for this client.
    pub fn can(&self, permission: Permission) -> bool {
        self.mandate.permissions.contains(permission)
    }
}

/// An application acts for a contact, on no client in particular. Made by [`CheckedToken::on_behalf_of`]
/// alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnBehalf {
    facts: Arc<Facts>,
}

impl OnBehalf {
    /// All clients of the token and what it allows for each, ordered by client, never empty.
    pub fn mandates(&self) -> &[TokenMandate] {
        &self.facts.mandates
    }
}

macro_rules! who {
    ($type:ident) => {
        impl $type {
            /// The contact that is acted for.
            pub fn contact(&self) -> &ContactId {
                &self.facts.contact
            }

            /// The application that acts.
            pub fn application(&self) -> &ApplicationId {
                &self.facts.application
            }

            /// Whether a person was there when the token was asked for.
            pub fn presence(&self) -> Presence {
                self.facts.presence
            }

            /// `jti`, for logs: what an operator revokes a single token by.
            pub fn token_id(&self) -> &str {
                &self.facts.token_id
            }

            /// `exp`: when an answer that lasts long should end.
            pub fn expires_at(&self) -> UnixSeconds {
                self.facts.expires_at
            }
        }
    };
}

who!(Authority);
who!(OnBehalf);
