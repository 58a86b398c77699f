//! An access token's claims as whoever checks it reads them (contract, chapter 1; RFC 9068 2.2).
//!
//! Reading is strict, because what is left open here would be decided by somebody else: who acts for
//! whom must be said in one way only. Whether the token is in force (`exp`, `aud`, marks) is asked by
//! who has the clock and knows its own name.

use serde::{Deserialize, Deserializer};

use crate::claims::{ACR_UNATTENDED, OwnedMandateGroup};
use crate::confirmation::Confirmation;
use crate::ids::{ApplicationId, ClientId, ContactId};
use crate::permission::Permissions;
use crate::time::UnixSeconds;

/// The claims of an access token whose signature holds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Raw")]
pub struct AccessToken {
    /// `iss`: who issued it.
    pub issuer: Box<str>,
    /// `aud`: the one resource it is for. A list is refused: tokens of this server have one audience.
    pub audience: Box<str>,
    /// `iat`.
    pub issued_at: UnixSeconds,
    /// `nbf`, if it is there.
    pub not_before: Option<UnixSeconds>,
    /// `exp`: the first second in which it is no longer valid.
    pub expires_at: UnixSeconds,
    /// `jti`.
    pub id: Box<str>,
    /// `client_id`: the application that it was issued to.
    pub application: ApplicationId,
    /// `dv`: the version of the directory that it was decided on.
    pub version: u64,
    /// `scope`, as it stands there; empty when it is not there, as in an application's own token.
    pub scope: Box<str>,
    /// `cnf`, if it is there, whatever it says: then the token is worth nothing without proof of what it
    /// names, and who can't check that must refuse it.
    pub confirmation: Option<Confirmation>,
    /// For whom the application acts.
    pub holder: Holder,
}

/// For whom a token was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// The application acts for a contact.
    Contact {
        /// `sub`: the contact.
        contact: ContactId,
        /// Whether a person was there.
        presence: Presence,
        /// `mandates`: the clients and what may be done for each; ordered by client, never empty.
        mandates: Box<[TokenMandate]>,
    },
    /// The application itself: `sub` is its own id, and there is nobody that it acts for.
    Application,
}

/// A client of a token and what the token allows for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenMandate {
    /// The client.
    pub client: ClientId,
    /// What the token allows. Nothing is authority to read.
    pub permissions: Permissions,
}

/// Whether a person was there when the token was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Nobody was at the keyboard: a contact token.
    NoPerson,
    /// A person signed in.
    Person {
        /// `auth_time`: when.
        auth_time: UnixSeconds,
    },
}

impl AccessToken {
    /// What it allows for a client; `None` when it lists no such client.
    pub fn permissions_for(&self, client: &str) -> Option<Permissions> {
        let Holder::Contact { mandates, .. } = &self.holder else { return None };
        let at = mandates.binary_search_by(|mandate| mandate.client.as_str().cmp(client)).ok()?;
        mandates.get(at).map(|mandate| mandate.permissions)
    }
}

/// Why claims are not those of an access token. Names what is wrong and holds nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAccessToken {
    /// `sub` is neither a contact's id nor that of the token's own application.
    #[error("sub is neither a contact nor the application itself")]
    Subject,
    /// `act` is not the application, or is there where nobody is acted for.
    #[error("act does not name the token's application")]
    Actor,
    /// `acr`, `act` and `auth_time` contradict each other.
    #[error("acr, act and auth_time do not go together")]
    Presence,
    /// There is no `scope`, which only an application's own token may leave out.
    #[error("scope is missing")]
    Scope,
    /// There is no `jti` by which it could be revoked.
    #[error("jti is empty")]
    Id,
    /// There are no clients, in all or in one entry, or one is listed twice.
    #[error("mandates must list clients, each once")]
    Mandates,
}

#[derive(Deserialize)]
struct Raw {
    iss: Box<str>,
    sub: Box<str>,
    aud: Box<str>,
    iat: UnixSeconds,
    exp: UnixSeconds,
    nbf: Option<UnixSeconds>,
    jti: Box<str>,
    client_id: ApplicationId,
    scope: Option<Box<str>>,
    dv: u64,
    act: Option<RawActor>,
    acr: Option<Box<str>>,
    auth_time: Option<UnixSeconds>,
    mandates: Option<Vec<OwnedMandateGroup>>,
    #[serde(default, deserialize_with = "present")]
    cnf: Option<Confirmation>,
}

/// An actor that has an actor of its own (RFC 8693 4.1) is a chain, and nobody here makes one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawActor {
    sub: ApplicationId,
}

/// A `cnf` that is null is there.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Confirmation>, D::Error> {
    Confirmation::deserialize(deserializer).map(Some)
}

impl TryFrom<Raw> for AccessToken {
    type Error = InvalidAccessToken;

    fn try_from(mut raw: Raw) -> Result<Self, InvalidAccessToken> {
        let holder = holder(&mut raw)?;
        if raw.jti.is_empty() {
            return Err(InvalidAccessToken::Id);
        }
        Ok(AccessToken {
            issuer: raw.iss,
            audience: raw.aud,
            issued_at: raw.iat,
            not_before: raw.nbf,
            expires_at: raw.exp,
            id: raw.jti,
            application: raw.client_id,
            version: raw.dv,
            scope: raw.scope.unwrap_or_default(),
            confirmation: raw.cnf,
            holder,
        })
    }
}

fn holder(raw: &mut Raw) -> Result<Holder, InvalidAccessToken> {
    if *raw.sub == *raw.client_id.as_str() {
        return match (&raw.act, &raw.auth_time, &raw.mandates) {
            (None, None, None) => Ok(Holder::Application),
            (Some(_), ..) => Err(InvalidAccessToken::Actor),
            (_, Some(_), _) => Err(InvalidAccessToken::Presence),
            (.., Some(_)) => Err(InvalidAccessToken::Mandates),
        };
    }
    let contact = ContactId::parse(&raw.sub).map_err(|_| InvalidAccessToken::Subject)?;
    if raw.act.as_ref().is_some_and(|actor| actor.sub != raw.client_id) {
        return Err(InvalidAccessToken::Actor);
    }
    let unattended = raw.acr.as_deref() == Some(ACR_UNATTENDED);
    let presence = match (&raw.act, raw.auth_time) {
        (Some(_), None) if unattended => Presence::NoPerson,
        (None, Some(auth_time)) if !unattended => Presence::Person { auth_time },
        _ => return Err(InvalidAccessToken::Presence),
    };
    if raw.scope.is_none() {
        return Err(InvalidAccessToken::Scope);
    }
    let mandates = mandates(raw.mandates.take().unwrap_or_default())?;
    Ok(Holder::Contact { contact, presence, mandates })
}

fn mandates(groups: Vec<OwnedMandateGroup>) -> Result<Box<[TokenMandate]>, InvalidAccessToken> {
    if groups.iter().any(|group| group.clients.is_empty()) {
        return Err(InvalidAccessToken::Mandates);
    }
    let mut mandates: Vec<TokenMandate> = Vec::with_capacity(groups.iter().map(|g| g.clients.len()).sum());
    for group in groups {
        let permissions = group.permissions;
        mandates.extend(group.clients.into_iter().map(|client| TokenMandate { client, permissions }));
    }
    mandates.sort_unstable_by(|a, b| a.client.cmp(&b.client));
    if mandates.is_empty() || mandates.windows(2).any(|pair| pair[0].client == pair[1].client) {
        return Err(InvalidAccessToken::Mandates);
    }
    Ok(mandates.into_boxed_slice())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::confirmation::{Binding, CertificateThumbprint};
    use crate::permission::Permission;

    fn contact_token() -> Value {
        json!({
            "iss": "https://procura.example", "sub": "CON1", "aud": "https://bank.example", "iat": 1, "exp": 3601,
            "jti": "AAAAAAAAAAAAAAAAAAAAAA", "client_id": "app_1", "scope": "openid", "act": {"sub": "app_1"},
            "acr": ACR_UNATTENDED, "dv": 63,
            "mandates": [
                {"clients": ["CLI2", "CLI9"], "permissions": ["can_trade"]},
                {"clients": ["CLI1"], "permissions": []},
            ],
        })
    }

    fn read(claims: &Value) -> Result<AccessToken, serde_json::Error> {
        serde_json::from_str(&claims.to_string())
    }

    #[test]
    fn a_contact_token_says_who_acts_for_whom_and_what_for_each_client() {
        let token = read(&contact_token()).unwrap();
        let Holder::Contact { contact, presence, mandates } = &token.holder else { panic!("of nobody") };
        assert_eq!((contact.as_str(), *presence, mandates.len()), ("CON1", Presence::NoPerson, 3));
        assert_eq!((token.application.as_str(), token.version, token.confirmation), ("app_1", 63, None));
        let trade = Permissions::NONE.with(Permission::Trade);
        assert_eq!(token.permissions_for("CLI9"), Some(trade));
        assert_eq!(token.permissions_for("CLI1"), Some(Permissions::NONE));
        assert_eq!(token.permissions_for("CLI3"), None);
        assert_eq!(token.permissions_for(""), None);
    }

    #[test]
    fn an_application_alone_acts_for_nobody() {
        let mut claims = contact_token();
        claims["sub"] = "app_1".into();
        for left_over in ["act", "mandates"] {
            assert!(read(&claims).is_err(), "{left_over}");
            claims.as_object_mut().unwrap().remove(left_over);
        }
        assert_eq!(read(&claims).unwrap().holder, Holder::Application);
        assert_eq!(read(&claims).unwrap().permissions_for("CLI1"), None);
        claims["auth_time"] = 1.into();
        assert!(read(&claims).is_err());
    }

    #[test]
    fn a_person_who_signed_in_has_no_actor() {
        let mut claims = contact_token();
        claims["auth_time"] = 7.into();
        assert!(read(&claims).is_err());
        claims.as_object_mut().unwrap().remove("act");
        assert!(read(&claims).is_err());
        claims["acr"] = "urn:procura:acr:password".into();
        let token = read(&claims).unwrap();
        let Holder::Contact { presence, .. } = token.holder else { panic!("of nobody") };
        assert_eq!(presence, Presence::Person { auth_time: UnixSeconds(7) });
    }

    #[test]
    fn whatever_leaves_open_who_acts_for_whom_is_refused() {
        let changes = [
            ("sub", json!("app_2")),
            ("sub", json!("a b")),
            ("aud", json!(["https://bank.example"])),
            ("act", json!(null)),
            ("act", json!({"sub": "app_2"})),
            ("act", json!({"sub": "app_1", "act": {"sub": "app_1"}})),
            ("act", json!("app_1")),
            ("acr", json!(null)),
            ("acr", json!("0")),
            ("exp", json!("3601")),
            ("exp", json!(3601.5)),
            ("iat", json!(null)),
            ("jti", json!(7)),
            ("jti", json!("")),
            ("client_id", json!("CON1")),
            ("dv", json!(-1)),
            ("dv", json!("63")),
            ("mandates", json!(null)),
            ("mandates", json!([])),
            ("mandates", json!([{"clients": [], "permissions": []}])),
            (
                "mandates",
                json!([{"clients": ["CLI1"], "permissions": []}, {"clients": [], "permissions": []}]),
            ),
            ("mandates", json!([{"clients": ["CLI1", "CLI1"], "permissions": []}])),
            ("mandates", json!([{"clients": ["CLI1"], "permissions": ["can_fly"]}])),
            ("mandates", json!([{"clients": ["CLI1"]}])),
        ];
        for (member, value) in changes {
            let mut claims = contact_token();
            claims[member] = value.clone();
            assert!(read(&claims).is_err(), "{member}: {value}");
        }
    }

    #[test]
    fn any_cnf_is_seen_even_an_empty_one() {
        for cnf in [json!(null), json!({}), json!({"x5t#S256": "A"}), json!({"jkt": "A"}), json!(7)] {
            let mut claims = contact_token();
            claims["cnf"] = cnf;
            assert_eq!(read(&claims).unwrap().confirmation, Some(Confirmation::Unknown));
        }
        let thumbprint = CertificateThumbprint([1; 32]);
        let mut claims = contact_token();
        claims["cnf"] = json!({ "x5t#S256": thumbprint.to_string() });
        let bound = Confirmation::Bound(Binding::Certificate(thumbprint));
        assert_eq!(read(&claims).unwrap().confirmation, Some(bound));
    }
}
