//! Introspection (RFC 7662): whether a token is in force now, judged by marks and by the rule itself.
//!
//! A token is one decision. If any client of it is no longer left by the rule, or with fewer permissions,
//! the whole token is over; what the rule would give beyond it makes no difference.

use std::sync::Arc;

use procura_protocol::access_token::{AccessToken, Holder, Presence, TokenMandate};
use procura_protocol::confirmation::Confirmation;
use procura_protocol::ids::ContactId;
use procura_protocol::time::UnixSeconds;
use procura_store::records::Application;
use procura_store::{Directory, Journal, Store};

use crate::presented_token::PresentedToken;
use crate::resource_auth::Caller;
use crate::{Engine, Unavailable, rule};

/// Seconds by which clocks may be apart: of `iat` and `nbf` here, of `exp` at guards.
pub(crate) const LEEWAY: i64 = 5;

/// A token that is in force, for whoever asked.
pub struct ActiveToken(Arc<PresentedToken>);

impl ActiveToken {
    /// What it says.
    pub fn claims(&self) -> &AccessToken {
        &self.0.claims
    }

    /// The answer, as JSON.
    pub fn answer(&self) -> &[u8] {
        &self.0.introspection
    }
}

impl<S: Store, J: Journal> Engine<S, J> {
    /// Whether a token is in force and the caller's to ask about: one that is for the resource, or was
    /// issued to the application. Everything else is `None`, for whatever reason.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] when the clock can't be believed.
    pub fn introspect(&self, caller: &Caller, text: &str) -> Result<Option<ActiveToken>, Unavailable> {
        let now = self.now()?.seconds();
        let Ok(token) = self.presented_token(text) else { return Ok(None) };
        let theirs = match caller {
            Caller::Resource(resource) => *token.claims.audience == *resource.resource().id.as_str(),
            Caller::Application(application) => token.claims.application == application.application().id,
        };
        let holds = theirs
            && is_in_time(&token.claims, now)
            // The answer says what a certificate's binding is; no caller could check another.
            && token.claims.confirmation != Some(Confirmation::Unknown)
            && !self.store.revocations().hits(&token.subjects, token.claims.version)
            && rule_holds(caller.directory(), &token.claims, now);
        Ok(holds.then_some(ActiveToken(token)))
    }
}

fn is_in_time(token: &AccessToken, now: UnixSeconds) -> bool {
    let latest = now.plus(LEEWAY);
    token.expires_at > now && token.issued_at <= latest && token.not_before.is_none_or(|at| at <= latest)
}

/// Whether the token could be issued now, by the rule.
fn rule_holds(directory: &Directory, token: &AccessToken, now: UnixSeconds) -> bool {
    let Some(application) = directory.application(token.application.as_str()) else { return false };
    let registered = directory
        .resource(&token.audience)
        .is_some_and(|resource| resource.active && application.resources.contains(&resource.no));
    if !application.active || !registered {
        return false;
    }
    match &token.holder {
        Holder::Application => true,
        Holder::Contact { contact, presence: Presence::NoPerson, mandates } => {
            application.trusted && still_allowed(directory, application, (contact, mandates), now)
        }
        // Nobody can sign in yet, so nobody did.
        Holder::Contact { presence: Presence::Person { .. }, .. } => false,
    }
}

/// Whether the rule leaves every client of the token, with every permission that it has there.
fn still_allowed(
    directory: &Directory,
    application: &Application,
    (contact, mandates): (&ContactId, &[TokenMandate]),
    now: UnixSeconds,
) -> bool {
    let contact = directory.contact(contact.as_str());
    let Ok(allowed) = rule::allowed_clients(directory, application, contact, now) else { return false };
    mandates.iter().all(|mandate| {
        let found = allowed.binary_search_by(|client| client.client.id.cmp(&mandate.client));
        found.is_ok_and(|at| mandate.permissions.is_within(allowed[at].permissions))
    })
}
