//! JWTs that bring the key which signed them (RFC 7515 4.1.3).

use procura_protocol::confirmation::KeyThumbprint;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::jwk::RawJwk;
use crate::verify::{Expect, Header, JwtError, Part, Parts, decode, object};
use crate::{Algorithm, JwkError};

/// A JWT whose own key signed it: whoever made it holds that key, and nothing else is known of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelfSignedJwt<C> {
    key: KeyThumbprint,
    claims: C,
}

impl<C> SelfSignedJwt<C> {
    /// The SHA-256 thumbprint of the key (RFC 7638).
    pub fn key(&self) -> KeyThumbprint {
        self.key
    }

    /// What it says.
    pub fn claims(&self) -> &C {
        &self.claims
    }
}

/// Why a JWT is not one whose own key signed it. Nothing of it is in here, so it can be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelfSignedError {
    /// It is not what any JWT must be.
    #[error(transparent)]
    Jwt(#[from] JwtError),
    /// `jwk` is missing or no object.
    #[error("the token's header must bring its key (jwk)")]
    NoKey,
    /// `jwk` is no public key that verifies with the token's algorithm.
    #[error(transparent)]
    Key(#[from] JwkError),
}

#[derive(Deserialize)]
struct WithKey {
    jwk: RawJwk,
}

/// Verifies a JWT by the key in its own header.
///
/// It is for proofs of possession alone (RFC 9449 4.2): it tells who holds a key, never who they are. Refused is
/// what [`crate::verify_jwt`] refuses, but that a `kid` says nothing; and a `jwk` that is no public key of the
/// algorithm in `alg`, which for an RSA key may be said by the header alone.
///
/// # Errors
///
/// [`SelfSignedError`].
pub fn verify_self_signed<C: DeserializeOwned>(
    token: &str,
    expect: &Expect<'_>,
) -> Result<SelfSignedJwt<C>, SelfSignedError> {
    let parts = Parts::split(token)?;
    let json = object(parts.header, Part::Header)?;
    let header: Header = serde_json::from_slice(&json).map_err(|_| JwtError::HeaderShape)?;
    let algorithm: Algorithm = header.check(expect)?;
    let WithKey { jwk } = serde_json::from_slice(&json).map_err(|_| SelfSignedError::NoKey)?;
    let key = jwk.read_for(algorithm)?;
    let signature = decode(parts.signature, Part::Signature)?;
    key.public_key().verify(parts.signed.as_bytes(), &signature).map_err(|_| JwtError::Signature)?;
    let claims = object(parts.claims, Part::Claims)?;
    let claims = serde_json::from_slice(&claims).map_err(|_| JwtError::ClaimsShape)?;
    Ok(SelfSignedJwt { key: key.thumbprint_bytes().into(), claims })
}
