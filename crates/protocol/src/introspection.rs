//! What introspection answers (RFC 7662 2.2): of a token in force, what the token itself says.

use serde::Serialize;

use crate::access_token::{AccessToken, Holder, Presence};
use crate::claims::{ACR_UNATTENDED, MandateGroup, group_by_permissions};
use crate::confirmation::{Binding, Confirmation};
use crate::contact_token::TokenType;
use crate::permission::Permission;

/// The answer about everything that is not in force, not for whoever asks, or no token at all.
pub const INACTIVE: &[u8] = br#"{"active":false}"#;

#[derive(Serialize)]
struct Active<'a> {
    active: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'a str,
    client_id: &'a str,
    token_type: &'static str,
    exp: i64,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    sub: &'a str,
    aud: &'a str,
    iss: &'a str,
    jti: &'a str,
    dv: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<Actor<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mandates: Option<Vec<Group<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Binding>,
}

#[derive(Serialize)]
struct Actor<'a> {
    sub: &'a str,
}

#[derive(Serialize)]
struct Group<'a> {
    clients: Vec<&'a str>,
    permissions: Vec<&'static str>,
}

/// The answer about a token in force: the same `act`, `acr`, `mandates` and `cnf` as in the token
/// (RFC 8705 3.2, RFC 9449 6.2). Whoever asked must check the certificate and the proof of its own caller.
///
/// # Errors
///
/// None that a token causes.
pub fn active<'a>(token: &'a AccessToken) -> Result<Vec<u8>, serde_json::Error> {
    let application = token.application.as_str();
    let mut answer = Active {
        active: true,
        scope: &token.scope,
        client_id: application,
        token_type: TokenType::of(binding(token)).as_str(),
        exp: token.expires_at.0,
        iat: token.issued_at.0,
        nbf: token.not_before.map(|at| at.0),
        sub: application,
        aud: &token.audience,
        iss: &token.issuer,
        jti: &token.id,
        dv: token.version,
        act: None,
        acr: None,
        auth_time: None,
        mandates: None,
        cnf: binding(token),
    };
    if let Holder::Contact { contact, presence, mandates } = &token.holder {
        answer.sub = contact.as_str();
        match presence {
            Presence::NoPerson => {
                answer.act = Some(Actor { sub: application });
                answer.acr = Some(ACR_UNATTENDED);
            }
            Presence::Person { auth_time } => answer.auth_time = Some(auth_time.0),
        }
        let clients = mandates.iter().map(|mandate| (mandate.client.as_str(), mandate.permissions));
        let group = |group: MandateGroup<'a>| Group {
            clients: group.clients,
            permissions: group.permissions.iter().map(Permission::name).collect(),
        };
        answer.mandates = Some(group_by_permissions(clients).into_iter().map(group).collect());
    }
    serde_json::to_vec(&answer)
}

fn binding(token: &AccessToken) -> Option<Binding> {
    match token.confirmation {
        Some(Confirmation::Bound(binding)) => Some(binding),
        Some(Confirmation::Unknown) | None => None,
    }
}
