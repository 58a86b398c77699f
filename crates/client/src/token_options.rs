//! What a request for a contact token may narrow.

use procura_protocol::ids::{ClientId, ResourceId};
use procura_protocol::permission::Permissions;
use procura_protocol::scope::OPENID;
use thiserror::Error;

use crate::request::push_pair;

/// What a request for a contact token may narrow. The default narrows nothing.
///
/// An empty list is not "nothing" on the wire but an error, so it can't be made here either.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenOptions {
    permissions: Option<Permissions>,
    clients: Vec<ClientId>,
    resource: Option<ResourceId>,
}

/// A narrowing to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("name at least one; to narrow nothing, leave the option out")]
pub struct NarrowedToNothing;

impl TokenOptions {
    /// `scope`: each client of the token keeps only these permissions.
    ///
    /// # Errors
    ///
    /// [`NarrowedToNothing`] for the empty set.
    pub fn only_permissions(mut self, permissions: Permissions) -> Result<TokenOptions, NarrowedToNothing> {
        if permissions.is_empty() {
            return Err(NarrowedToNothing);
        }
        self.permissions = Some(permissions);
        Ok(self)
    }

    /// `clients`: the token is for these clients only. The server refuses if the contact may not act for
    /// one of them.
    ///
    /// # Errors
    ///
    /// [`NarrowedToNothing`] for an empty list.
    pub fn only_clients(
        mut self,
        clients: impl IntoIterator<Item = ClientId>,
    ) -> Result<TokenOptions, NarrowedToNothing> {
        self.clients = clients.into_iter().collect();
        self.clients.sort();
        self.clients.dedup();
        if self.clients.is_empty() { Err(NarrowedToNothing) } else { Ok(self) }
    }

    /// `resource` (RFC 8707): the API that the access token is for; without it, the application's default.
    #[must_use]
    pub fn for_resource(mut self, resource: ResourceId) -> TokenOptions {
        self.resource = Some(resource);
        self
    }

    /// Adds them to a form; `openid` stands with permissions always, and alone if it is asked for.
    pub(crate) fn push_to(&self, form: &mut String, openid: bool) {
        match self.permissions {
            Some(permissions) => push_pair(form, "scope", &format!("{OPENID} {permissions}")),
            None if openid => push_pair(form, "scope", OPENID),
            None => {}
        }
        if !self.clients.is_empty() {
            let names: Vec<&str> = self.clients.iter().map(ClientId::as_str).collect();
            push_pair(form, "clients", &names.join(" "));
        }
        if let Some(resource) = &self.resource {
            push_pair(form, "resource", resource.as_str());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_can_be_narrowed_to_nothing() {
        assert_eq!(TokenOptions::default().only_clients([]), Err(NarrowedToNothing));
        assert_eq!(TokenOptions::default().only_permissions(Permissions::NONE), Err(NarrowedToNothing));
    }
}
