//! The places where a server reads a signed token that somebody else wrote.

use serde_json::Value;

use crate::adapter::{ApplicationRole, Door, ResourceRole};
use crate::answer::{Answer, Why};
use crate::attempt::{Attempt, CLIENT_ASSERTION_TYPE};
use crate::case::{Stop, Verdict};
use crate::jwt::Jwt;
use crate::keys::Key;

/// Where a token is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// The assertion or the subject token that names the contact.
    Grant,
    /// The assertion that proves the application.
    Client,
    /// The proof of possession of a request for a token.
    Proof,
    /// An access token that is shown.
    Access,
}

/// What a token there is judged by.
pub(super) struct Honest<'w> {
    /// A token that would be taken, and was not sent.
    pub(super) token: String,
    pub(super) jwt: Jwt,
    /// The key that signed it, where the attacker could have it.
    pub(super) key: Option<&'w Key>,
    /// Its public half.
    pub(super) public: Value,
}

impl Slot {
    /// Its name in ids.
    pub(super) fn name(self) -> &'static str {
        match self {
            Slot::Grant => "grant",
            Slot::Client => "client-assertion",
            Slot::Proof => "dpop-proof",
            Slot::Access => "access-token",
        }
    }

    /// In titles.
    pub(super) fn words(self) -> &'static str {
        match self {
            Slot::Grant => "the token that names the contact",
            Slot::Client => "the assertion that proves the application",
            Slot::Proof => "a proof of possession",
            Slot::Access => "an access token",
        }
    }

    /// The doors that read such a token.
    pub(super) fn doors(self) -> &'static [Door] {
        match self {
            Slot::Grant => &[Door::JwtBearer, Door::TokenExchange],
            Slot::Client => &[Door::ContactToken, Door::ClientCredentials],
            Slot::Proof => &[Door::ContactToken, Door::JwtBearer],
            Slot::Access => &[Door::Introspection, Door::Resource],
        }
    }

    /// Shows that the honest one is taken.
    pub(super) fn control(self, attempt: &Attempt<'_>) -> Verdict {
        let honest = self.honest(attempt)?;
        let answer = self.show(attempt, &honest.token)?;
        match (self, attempt.door) {
            (Slot::Access, Door::Introspection) => answer.active().map(|_| ()),
            (Slot::Access, _) => answer.let_through(),
            _ => answer.granted().map(|_| ()),
        }
    }

    /// One that would be taken.
    pub(super) fn honest<'w>(self, attempt: &Attempt<'w>) -> Result<Honest<'w>, Stop> {
        let world = attempt.world;
        let signed = |jwt: Jwt, key: &'w Key| Honest {
            token: jwt.signed(key),
            jwt,
            public: key.public_jwk(),
            key: Some(key),
        };
        match self {
            Slot::Grant => {
                let role = attempt.role();
                let ask = attempt.ask()?;
                let text = ask.subject_parameter().and_then(|name| ask.value(name)).unwrap_or_default();
                let jwt = read(&text)?;
                let key = world.key(role).ok();
                Ok(Honest { public: key.map(Key::public_jwk).unwrap_or_default(), token: text, jwt, key })
            }
            Slot::Client => {
                let role = ApplicationRole::Signing;
                Ok(signed(attempt.client_assertion(role)?, world.key(role)?))
            }
            Slot::Proof => {
                let role = ApplicationRole::Dpop;
                let key = world.proof_key(role)?;
                Ok(signed(attempt.ask_as(role)?.dpop()?, key))
            }
            Slot::Access => {
                let token = attempt.token()?.access_token;
                let jwt = read(&token)?;
                let public = published(attempt, &jwt).unwrap_or_default();
                Ok(Honest { token, jwt, public, key: None })
            }
        }
    }

    /// Sends a token there; everything else of the request is honest.
    pub(super) fn show<'w>(self, attempt: &Attempt<'w>, token: &str) -> Result<Answer<'w>, Stop> {
        match self {
            Slot::Grant => attempt.ask()?.subject(token).send(),
            Slot::Client => attempt
                .ask_as(ApplicationRole::Signing)?
                .unproved()
                .with("client_assertion_type", CLIENT_ASSERTION_TYPE)
                .with("client_assertion", token)
                .send(),
            Slot::Proof => attempt.ask_as(ApplicationRole::Dpop)?.unbound().header("DPoP", token).send(),
            Slot::Access if attempt.door == Door::Introspection => {
                let (_, role) = attempt.somewhere()?;
                attempt.about(Door::Introspection, role, token)?.send()
            }
            Slot::Access => attempt.call(ResourceRole::Default, token)?.send(),
        }
    }

    /// It must not be taken.
    pub(super) fn judge(self, attempt: &Attempt<'_>, answer: &Answer<'_>) -> Verdict {
        match (self, attempt.door) {
            (Slot::Grant, _) => answer.refused(&[Why::Grant, Why::Request]),
            (Slot::Client, _) => answer.refused(&[Why::Client, Why::Request]),
            (Slot::Proof, _) => answer.refused(&[Why::Proof, Why::Request]),
            (Slot::Access, Door::Introspection) => answer.inactive(),
            (Slot::Access, _) => answer.barred(),
        }
    }
}

fn read(token: &str) -> Result<Jwt, Stop> {
    Jwt::read(token).ok_or_else(|| Stop::skip("tokens there are no JWTs, so none can be forged"))
}

/// The published key that signed this token.
pub(super) fn published(attempt: &Attempt<'_>, jwt: &Jwt) -> Option<Value> {
    let set = super::documents::document(attempt, "jwks").ok()?;
    let kid = &jwt.header["kid"];
    set["keys"].as_array()?.iter().find(|key| key["kid"] == *kid).cloned()
}
