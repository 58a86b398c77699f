//! The one way to look inside somebody's token.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};

use crate::members::{self, ObjectError};
use crate::{Algorithm, Jwks, KeyId, base64url};

/// Longest token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// What a token must be, decided by who verifies and never by the token.
#[derive(Clone, Copy, Debug)]
pub struct Expect<'a> {
    /// The `typ` it must have, for instance `at+jwt`. An ID token is no access token, even if the same
    /// key signed it ([RFC 8725 section 3.11](https://www.rfc-editor.org/rfc/rfc8725#section-3.11)).
    pub typ: &'a str,
    /// The algorithms it may be signed with.
    pub algorithms: &'a [Algorithm],
}

/// Verifies a JWT in the compact form ([RFC 7519 section 7.2], with the advice of [RFC 8725]) and reads
/// its claims.
///
/// The answer says that the holder of a key in `keys` wrote exactly these claims. It does **not** say
/// that they are in force: `exp`, `nbf`, `iss` and `aud` are for the caller, who has the clock and
/// knows whom they must name.
///
/// Refused are: more than [`MAX_TOKEN_BYTES`]; other than three parts; base64url that is padded or not
/// canonical; a header or claims that are not one JSON object, or in which an object names a member
/// twice; `crit`; an `alg` that is unknown, not in [`Expect::algorithms`] or not the key's; a `typ`
/// other than [`Expect::typ`] (case and the prefix `application/` make no difference, as RFC 7515
/// section 4.1.9 says); a `kid` that is missing or not in `keys`. Keys that the header brings along
/// (`jwk`, `jku`, `x5c`, `x5u`) are never looked at.
///
/// # Errors
///
/// [`JwtError`]. It names the reason and holds nothing of the token.
///
/// [RFC 7519 section 7.2]: https://www.rfc-editor.org/rfc/rfc7519#section-7.2
/// [RFC 8725]: https://www.rfc-editor.org/rfc/rfc8725
pub fn verify_jwt<C: DeserializeOwned>(
    token: &str,
    keys: &Jwks,
    expect: &Expect<'_>,
) -> Result<VerifiedJwt<C>, JwtError> {
    let parts = Parts::split(token)?;
    let header = Header::read(parts.header)?;
    let algorithm = header.check(expect)?;
    let kid = header.kid.as_deref().ok_or(JwtError::KidMissing)?;
    let key = keys.find(kid).ok_or(JwtError::KidUnknown)?;
    if key.algorithm() != algorithm {
        return Err(JwtError::AlgorithmNotTheKeys);
    }
    let signature = decode(parts.signature, Part::Signature)?;
    key.public_key().verify(parts.signed.as_bytes(), &signature).map_err(|_| JwtError::Signature)?;

    let claims = object(parts.claims, Part::Claims)?;
    let claims = serde_json::from_slice(&claims).map_err(|_| JwtError::ClaimsShape)?;
    Ok(VerifiedJwt { algorithm, kid: key.kid().clone(), claims })
}

/// The claims of a token whose signature was verified. Only [`verify_jwt`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedJwt<C> {
    algorithm: Algorithm,
    kid: KeyId,
    claims: C,
}

impl<C> VerifiedJwt<C> {
    /// What it was signed with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key that signed it.
    pub fn kid(&self) -> &KeyId {
        &self.kid
    }

    /// What it says.
    pub fn claims(&self) -> &C {
        &self.claims
    }

    /// What it says, to keep.
    pub fn into_claims(self) -> C {
        self.claims
    }
}

/// Why a token was refused. Blame: theirs. Nothing of the token is in it, so it can be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// Longer than [`MAX_TOKEN_BYTES`].
    #[error("the token is longer than {MAX_TOKEN_BYTES} bytes")]
    TooLong,
    /// Not the compact form.
    #[error("the token must have three parts separated by dots")]
    NotThreeParts,
    /// A part is not canonical.
    #[error("the token's {0} is not base64url without padding")]
    Encoding(Part),
    /// A part is not JSON, or not an object.
    #[error("the token's {0} is not one JSON object")]
    NotAnObject(Part),
    /// A part has two members of one name.
    #[error("the token's {0} names a member twice")]
    RepeatedMember(Part),
    /// `alg`, `typ` or `kid` is there and not text.
    #[error("the token's alg, typ and kid must be text")]
    HeaderShape,
    /// There is a `crit`, and we understand no extension.
    #[error("the token's header has crit, and no extension is supported")]
    Critical,
    /// `alg` is missing, `none`, HMAC, or unheard of.
    #[error("the token's alg must be one of ES256, RS256, PS256, EdDSA")]
    AlgorithmUnknown,
    /// `alg` is one of ours, and not expected here.
    #[error("a token signed with {0} is not accepted here")]
    AlgorithmNotAllowed(Algorithm),
    /// The key is for another algorithm.
    #[error("the token's alg is not that of the key its kid names")]
    AlgorithmNotTheKeys,
    /// `typ` is missing or says that this is another kind of token.
    #[error("the token is not of the expected type (typ)")]
    Type,
    /// There is no `kid`.
    #[error("the token must name its key (kid)")]
    KidMissing,
    /// No key has that `kid`; perhaps the key set is older than the key.
    #[error("no key is known by the token's kid")]
    KidUnknown,
    /// The key did not sign this.
    #[error("the token's signature does not verify")]
    Signature,
    /// The claims are signed, and a needed one is missing or has the wrong type.
    #[error("the token's claims do not have the expected members")]
    ClaimsShape,
}

/// A part of a token, to say where something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The first.
    Header,
    /// The second.
    Claims,
    /// The third.
    Signature,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Part::Header => "header",
            Part::Claims => "claims",
            Part::Signature => "signature",
        })
    }
}

pub(crate) struct Parts<'a> {
    pub(crate) header: &'a str,
    pub(crate) claims: &'a str,
    pub(crate) signature: &'a str,
    /// Header, dot and claims: what was signed.
    pub(crate) signed: &'a str,
}

impl<'a> Parts<'a> {
    pub(crate) fn split(token: &'a str) -> Result<Self, JwtError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(JwtError::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(JwtError::NotThreeParts)?;
        let (header, claims) = signed.split_once('.').ok_or(JwtError::NotThreeParts)?;
        if claims.contains('.') {
            return Err(JwtError::NotThreeParts);
        }
        Ok(Parts { header, claims, signature, signed })
    }
}

#[derive(Deserialize)]
pub(crate) struct Header {
    alg: Option<String>,
    pub(crate) typ: Option<String>,
    pub(crate) kid: Option<String>,
    /// Whether it is there at all, be it `null`.
    #[serde(default, deserialize_with = "present")]
    crit: bool,
}

impl Header {
    pub(crate) fn read(part: &str) -> Result<Self, JwtError> {
        let json = object(part, Part::Header)?;
        serde_json::from_slice(&json).map_err(|_| JwtError::HeaderShape)
    }

    /// `alg`, if it is one of ours and nothing critical stands beside it.
    pub(crate) fn algorithm(&self) -> Result<Algorithm, JwtError> {
        if self.crit {
            return Err(JwtError::Critical);
        }
        let algorithm = self.alg.as_deref().and_then(|name| name.parse().ok());
        algorithm.ok_or(JwtError::AlgorithmUnknown)
    }

    pub(crate) fn check(&self, expect: &Expect<'_>) -> Result<Algorithm, JwtError> {
        let algorithm = self.algorithm()?;
        if !expect.algorithms.contains(&algorithm) {
            return Err(JwtError::AlgorithmNotAllowed(algorithm));
        }
        match &self.typ {
            Some(typ) if same_type(typ, expect.typ) => Ok(algorithm),
            _ => Err(JwtError::Type),
        }
    }
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// Media types without regard to case, `application/` being optional unless another slash follows.
pub(crate) fn same_type(a: &str, b: &str) -> bool {
    fn short(typ: &str) -> &str {
        const PREFIX: &str = "application/";
        match typ.split_at_checked(PREFIX.len()) {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) && !rest.contains('/') => rest,
            _ => typ,
        }
    }
    short(a).eq_ignore_ascii_case(short(b))
}

pub(crate) fn object(part: &str, name: Part) -> Result<Vec<u8>, JwtError> {
    let json = decode(part, name)?;
    match members::check_object(&json) {
        Ok(()) => Ok(json),
        Err(ObjectError::Repeated) => Err(JwtError::RepeatedMember(name)),
        Err(ObjectError::NotAnObject) => Err(JwtError::NotAnObject(name)),
    }
}

pub(crate) fn decode(part: &str, name: Part) -> Result<Vec<u8>, JwtError> {
    base64url::decode(part).map_err(|_| JwtError::Encoding(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_compared_as_media_types() {
        for same in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
            assert!(same_type(same, "at+jwt"), "{same}");
        }
        for other in ["jwt", "", "application/", "application/x/at+jwt", "text/at+jwt", "at+jwt "] {
            assert!(!same_type(other, "at+jwt"), "{other}");
        }
    }
}
