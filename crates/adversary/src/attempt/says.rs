//! What a token says, by the ways that the adapter describes.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Attempt;
use crate::adapter::{ApplicationRole, ClaimsFrom, Door};
use crate::case::{Stop, Verdict};
use crate::jwt::Jwt;
use crate::world::World;

/// The claims of an access token that somebody could gain something by.
#[derive(Debug)]
pub(crate) struct Says {
    pub(crate) contact: Option<String>,
    pub(crate) actor: Option<String>,
    pub(crate) application: Option<String>,
    pub(crate) audience: BTreeSet<String>,
    pub(crate) clients: BTreeSet<String>,
    /// Names of `scope` and of the permissions, together.
    pub(crate) powers: BTreeSet<String>,
    /// All of them.
    pub(crate) claims: Value,
}

impl Says {
    /// Reads a token, or asks the server for what it says.
    pub(super) fn of(attempt: &Attempt<'_>, token: &str, role: ApplicationRole) -> Result<Says, Stop> {
        let ways = &attempt.world.adapter.claims;
        let claims = match ways.from {
            ClaimsFrom::Introspection => attempt.about(Door::Introspection, role, token)?.send()?.active()?,
            ClaimsFrom::Token => match Jwt::read(token) {
                Some(jwt) => jwt.claims,
                None => return Err(Stop::fail("a look at the access token", "it is no JWT")),
            },
        };
        let texts = |way: &str| -> BTreeSet<String> {
            let found = World::found(&claims, way);
            found.iter().filter_map(|value| value.as_str()).map(str::to_owned).collect()
        };
        let first = |way: &str| texts(way).into_iter().next();
        let scope = claims["scope"].as_str().unwrap_or_default();
        let mut powers: BTreeSet<String> =
            scope.split(' ').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        powers.extend(texts(&ways.permissions));
        Ok(Says {
            contact: first(&ways.contact),
            actor: first(&ways.actor),
            application: first(&ways.application),
            audience: texts("aud").into_iter().chain(texts("aud.*")).collect(),
            clients: texts(&ways.clients),
            powers,
            claims,
        })
    }

    /// It must be for this contact, and say no more than `honest`.
    pub(crate) fn within(&self, honest: &Says) -> Verdict {
        let wrong = |what: String| Err(Stop::fail("a look at the token", what));
        if self.contact != honest.contact {
            return wrong(format!("a token for another contact: {:?}", self.contact));
        }
        if self.actor != honest.actor || self.application != honest.application {
            return wrong(format!(
                "a token for another application: {:?} {:?}",
                self.actor, self.application
            ));
        }
        if let Some(more) = self.clients.difference(&honest.clients).next() {
            return wrong(format!("a client more: {more}"));
        }
        if let Some(more) = self.powers.difference(&honest.powers).next() {
            return wrong(format!("a permission more: {more}"));
        }
        if self.audience != honest.audience {
            return wrong(format!("another audience: {:?}", self.audience));
        }
        Ok(())
    }
}
