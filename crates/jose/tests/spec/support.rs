//! Keys made once, and tokens made by hand.

use std::sync::LazyLock;

use procura_jose::{Algorithm, Expect, Jwks, JwtError, PrivateKey, VerifiedJwt, base64url, verify_jwt};
use serde_json::Value;

pub(crate) const TYP: &str = "at+jwt";

static KEYS: LazyLock<Vec<PrivateKey>> =
    LazyLock::new(|| Algorithm::ALL.map(|algorithm| PrivateKey::generate(algorithm).unwrap().0).into());

pub(crate) fn key(algorithm: Algorithm) -> &'static PrivateKey {
    KEYS.iter().find(|key| key.algorithm() == algorithm).unwrap()
}

pub(crate) fn all_keys() -> Jwks {
    Jwks::new(KEYS.iter().map(PrivateKey::public_jwk))
}

pub(crate) fn verify(token: &str) -> Result<VerifiedJwt<Value>, JwtError> {
    verify_jwt(token, &all_keys(), &Expect { typ: TYP, algorithms: &Algorithm::ALL })
}

/// A token with any header and claims, properly signed by `signer`.
pub(crate) fn signed(signer: &PrivateKey, header: &str, claims: &str) -> String {
    let input = format!("{}.{}", base64url::encode(header.as_bytes()), base64url::encode(claims.as_bytes()));
    let signature = signer.sign(input.as_bytes()).unwrap();
    format!("{input}.{}", base64url::encode(signature.as_ref()))
}

/// The header that [`verify`] accepts for `signer`.
pub(crate) fn header(signer: &PrivateKey) -> String {
    format!(r#"{{"alg":"{}","kid":"{}","typ":"{TYP}"}}"#, signer.algorithm(), signer.kid())
}
