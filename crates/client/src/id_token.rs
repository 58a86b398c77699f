//! What an ID token of a contact token must say before it is believed.

use procura_jose::{Algorithm, Expect, Jwks, JwtError, verify_jwt};
use procura_protocol::claims::{ACR_UNATTENDED, ID_TOKEN_TYPE, OwnedIdTokenClaims};
use procura_protocol::ids::{ApplicationId, ClientId, ContactId};
use procura_protocol::time::UnixSeconds;
use thiserror::Error as ThisError;

use crate::issuer::Issuer;

/// How far this machine's clock and the server's may be apart, in seconds.
pub const CLOCK_SKEW: i64 = 60;

/// Algorithms an ID token may be signed with. All have public keys; which one is the server's choice per
/// application, and the key's own `alg` must agree.
const ALGORITHMS: &[Algorithm] = &[Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256, Algorithm::EdDsa];

/// A verified ID token: signed by the server, for this application, about the contact that was asked for,
/// in force. Only [`verify_id_token`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedIdToken {
    /// The contact on whose authority the request was allowed (`sub`).
    pub contact: ContactId,
    /// The application that acts (`aud` and `act.sub`).
    pub application: ApplicationId,
    /// The companies the contact may act for, ordered by id, never empty.
    pub clients: Vec<ClientOfContact>,
    /// When it was issued (`iat`).
    pub issued_at: UnixSeconds,
    /// The first second in which it is no longer valid (`exp`).
    pub expires_at: UnixSeconds,
    /// The token's id (`jti`).
    pub token_id: String,
}

/// A company in an ID token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientOfContact {
    /// What API calls want as `client_id`.
    pub id: ClientId,
    /// Its name.
    pub name: String,
}

/// Why an ID token must not be trusted.
#[derive(Debug, Clone, ThisError)]
#[non_exhaustive]
pub enum IdTokenError {
    /// The response has none.
    #[error("the response has no ID token")]
    Missing,
    /// Signature, form, type or claims; or signed by a key that the server does not publish.
    #[error(transparent)]
    Jwt(#[from] JwtError),
    /// `iss`.
    #[error("it was issued by another server (`iss`)")]
    Issuer,
    /// `aud`.
    #[error("it is for another application (`aud`)")]
    Audience,
    /// `sub`.
    #[error("it is about another contact (`sub`)")]
    Contact,
    /// `act`.
    #[error("another application acts in it (`act`)")]
    Actor,
    /// `acr`.
    #[error("it is not of unattended authentication (`acr`)")]
    Authentication,
    /// `exp`.
    #[error("it expired at {0} (`exp`)")]
    Expired(UnixSeconds),
    /// `iat`.
    #[error("it is dated in the future, {0} (`iat`): check this machine's clock")]
    Future(UnixSeconds),
    /// `clients`.
    #[error("it names no client (`clients`)")]
    NoClients,
}

impl IdTokenError {
    /// Whether a fresher key set could change the verdict.
    pub(crate) fn is_unknown_key(&self) -> bool {
        matches!(self, IdTokenError::Jwt(JwtError::KidUnknown))
    }
}

/// Who and what an ID token must be for.
#[derive(Debug, Clone, Copy)]
pub struct ExpectedIdToken<'a> {
    /// The server.
    pub issuer: &'a Issuer,
    /// The application that asked.
    pub application: &'a ApplicationId,
    /// The contact that was asked for.
    pub contact: &'a ContactId,
    /// The time at which it must be in force, give or take [`CLOCK_SKEW`].
    pub now: UnixSeconds,
}

/// Verifies an ID token against the server's keys (OpenID Connect Core 3.1.3.7 as far as it applies, and
/// contract, chapter 1: `act` and `acr` say that an application acts unattended).
///
/// # Errors
///
/// [`IdTokenError`] says which check failed. Signature and form come first.
pub fn verify_id_token(
    token: &str,
    keys: &Jwks,
    expected: &ExpectedIdToken<'_>,
) -> Result<VerifiedIdToken, IdTokenError> {
    let expect = Expect { typ: ID_TOKEN_TYPE, algorithms: ALGORITHMS };
    let claims: OwnedIdTokenClaims = verify_jwt(token, keys, &expect)?.into_claims();
    check(&claims, expected)?;
    let client = |client: procura_protocol::claims::OwnedClientClaim| ClientOfContact {
        id: client.client_id,
        name: client.client_name,
    };
    Ok(VerifiedIdToken {
        contact: claims.sub,
        application: claims.aud,
        clients: claims.clients.into_iter().map(client).collect(),
        issued_at: claims.iat,
        expires_at: claims.exp,
        token_id: claims.jti,
    })
}

fn check(claims: &OwnedIdTokenClaims, expected: &ExpectedIdToken<'_>) -> Result<(), IdTokenError> {
    if claims.iss != expected.issuer.as_str() {
        return Err(IdTokenError::Issuer);
    }
    if claims.aud != *expected.application {
        return Err(IdTokenError::Audience);
    }
    if claims.sub != *expected.contact {
        return Err(IdTokenError::Contact);
    }
    if claims.act.sub != *expected.application {
        return Err(IdTokenError::Actor);
    }
    if claims.acr != ACR_UNATTENDED {
        return Err(IdTokenError::Authentication);
    }
    if claims.exp.plus(CLOCK_SKEW) <= expected.now {
        return Err(IdTokenError::Expired(claims.exp));
    }
    if claims.iat > expected.now.plus(CLOCK_SKEW) {
        return Err(IdTokenError::Future(claims.iat));
    }
    if claims.clients.is_empty() {
        return Err(IdTokenError::NoClients);
    }
    Ok(())
}
