//! JWTs whose keys can be looked for only once they have said who wrote them.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::verify::{Header, Parts, decode, object, same_type};
use crate::{Algorithm, Jwk, JwtError, Part};

/// A JWT of somebody else, taken apart and not verified.
///
/// It shows what is needed to find its keys, and nothing more: who says to have written it, with which key
/// and algorithm. All three are claims of a stranger. What it says comes out of [`UnverifiedJwt::verify`]
/// alone.
pub struct UnverifiedJwt<'a> {
    algorithm: Algorithm,
    has_type: bool,
    kid: Option<String>,
    issuer: String,
    claims: Vec<u8>,
    signed: &'a str,
    signature: Vec<u8>,
}

impl<'a> UnverifiedJwt<'a> {
    /// Without a `kid` at most this many keys are tried, so that nobody can make a verification cost more.
    pub const MAX_TRIED: usize = 2;

    /// Takes a JWT in the compact form apart. `types` are the values of `typ` that it may have; it may have
    /// none.
    ///
    /// Refused is what [`crate::verify_jwt`] refuses before it looks for the key, but for a missing `typ` or
    /// `kid`. Keys that the header brings along (`jwk`, `jku`, `x5c`, `x5u`) are never looked at.
    ///
    /// # Errors
    ///
    /// [`JwtError`]; [`JwtError::ClaimsShape`] when `iss` is missing or not text.
    pub fn read(token: &'a str, types: &[&str]) -> Result<Self, JwtError> {
        let parts = Parts::split(token)?;
        let header = Header::read(parts.header)?;
        let algorithm = header.algorithm()?;
        let expected = |typ: &String| types.iter().any(|expected| same_type(typ, expected));
        if !header.typ.as_ref().is_none_or(expected) {
            return Err(JwtError::Type);
        }
        let signature = decode(parts.signature, Part::Signature)?;
        let claims = object(parts.claims, Part::Claims)?;
        let Named { iss } = serde_json::from_slice(&claims).map_err(|_| JwtError::ClaimsShape)?;
        Ok(UnverifiedJwt {
            algorithm,
            has_type: header.typ.is_some(),
            kid: header.kid,
            issuer: iss,
            claims,
            signed: parts.signed,
            signature,
        })
    }

    /// Whether it says at all what it is for.
    pub fn has_type(&self) -> bool {
        self.has_type
    }

    /// What it says to be signed with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key that it says to be signed with.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Who it says to be from. For nothing but to find their keys.
    pub fn named_issuer(&self) -> &str {
        &self.issuer
    }

    /// What it says, if one of `keys` signed it: the one that `kid` names, or without a `kid` one of those
    /// of its algorithm.
    ///
    /// # Errors
    ///
    /// [`JwtError::KidUnknown`] when no key comes into question, [`JwtError::KidMissing`] when more than
    /// [`UnverifiedJwt::MAX_TRIED`] do, [`JwtError::AlgorithmNotTheKeys`], [`JwtError::Signature`], and
    /// [`JwtError::ClaimsShape`] when the claims are not those of a `C`.
    pub fn verify<'k, C: DeserializeOwned>(
        &self,
        keys: impl IntoIterator<Item = &'k Jwk>,
    ) -> Result<C, JwtError> {
        let named = |key: &&Jwk| match &self.kid {
            Some(kid) => key.kid().as_str() == kid,
            None => key.algorithm() == self.algorithm,
        };
        let candidates: Vec<&Jwk> = keys.into_iter().filter(named).take(Self::MAX_TRIED + 1).collect();
        match candidates.len() {
            0 => return Err(JwtError::KidUnknown),
            1..=Self::MAX_TRIED => {}
            _ => return Err(JwtError::KidMissing),
        }
        if candidates.iter().any(|key| key.algorithm() != self.algorithm) {
            return Err(JwtError::AlgorithmNotTheKeys);
        }
        let signed = self.signed.as_bytes();
        let signs = |key: &&Jwk| key.public_key().verify(signed, &self.signature).is_ok();
        candidates.iter().find(|key| signs(key)).ok_or(JwtError::Signature)?;
        serde_json::from_slice(&self.claims).map_err(|_| JwtError::ClaimsShape)
    }
}

impl std::fmt::Debug for UnverifiedJwt<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UnverifiedJwt({})", self.algorithm)
    }
}

#[derive(Deserialize)]
struct Named {
    iss: String,
}
