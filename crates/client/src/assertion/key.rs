//! A signer with its key in memory.

use std::fmt;

use procura_jose::{Algorithm, CryptoError, InvalidKeyId, Jwk, KeyId, PrivateKey};
use procura_protocol::secret::Secret;
use thiserror::Error;

use super::{Signer, Signing, SigningError};
use crate::pem::{self, InvalidPem, Kind};

/// A private key in memory. An elliptic curve's signs in some 10 µs, RSA's in about a millisecond, on the
/// thread that asks.
pub struct AssertionKey {
    key: PrivateKey,
    kid: KeyId,
}

/// A text that is no key to sign assertions with; completes "it ...". Holds nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidAssertionKey {
    /// Not PEM, or not of one private key.
    #[error("must hold one private key in PEM (PRIVATE KEY, EC PRIVATE KEY or RSA PRIVATE KEY)")]
    NotAKey,
    /// It is protected by a passphrase.
    #[error("must not be encrypted: nobody is there to type a passphrase")]
    Encrypted,
    /// A key that the server would not take, or not for this algorithm.
    #[error("must be a key on P-256, an Ed25519 key, or RSA of 2048 to 4096 bits")]
    Unfit,
}

impl AssertionKey {
    /// Reads PEM: PKCS#8 (`PRIVATE KEY`), or the older forms of one kind of key (`EC PRIVATE KEY`,
    /// `RSA PRIVATE KEY`). The key says what it signs with: ES256, EdDSA, or of RSA PS256. Its name is the
    /// RFC 7638 thumbprint, until [`AssertionKey::named`] gives it another.
    ///
    /// # Errors
    ///
    /// [`InvalidAssertionKey`].
    pub fn from_pem(pem: &Secret) -> Result<AssertionKey, InvalidAssertionKey> {
        AssertionKey::first_of(pem, &[Algorithm::Es256, Algorithm::EdDsa, Algorithm::Ps256])
    }

    /// The same for one algorithm; for RS256, where the server has registered just that.
    ///
    /// # Errors
    ///
    /// [`InvalidAssertionKey`].
    pub fn from_pem_for(algorithm: Algorithm, pem: &Secret) -> Result<AssertionKey, InvalidAssertionKey> {
        AssertionKey::first_of(pem, &[algorithm])
    }

    /// The same under another name.
    ///
    /// # Errors
    ///
    /// [`InvalidKeyId`] unless it is 1 to 256 characters of printable ASCII.
    pub fn named(self, kid: &str) -> Result<AssertionKey, InvalidKeyId> {
        Ok(AssertionKey { kid: KeyId::parse(kid)?, ..self })
    }

    fn first_of(pem: &Secret, algorithms: &[Algorithm]) -> Result<AssertionKey, InvalidAssertionKey> {
        let (kind, der) = pem::private_key(pem).map_err(|why| match why {
            InvalidPem::NotOne => InvalidAssertionKey::NotAKey,
            InvalidPem::Encrypted => InvalidAssertionKey::Encrypted,
        })?;
        let read = |algorithm: &Algorithm| match kind {
            Kind::Pkcs8 => PrivateKey::from_pkcs8(*algorithm, &der).ok(),
            Kind::Sec1 if *algorithm == Algorithm::Es256 => PrivateKey::from_sec1(&der).ok(),
            Kind::Sec1 => None,
            Kind::Pkcs1 => PrivateKey::from_pkcs1(*algorithm, &der).ok(),
        };
        let key = algorithms.iter().find_map(read).ok_or(InvalidAssertionKey::Unfit)?;
        Ok(AssertionKey::from(key))
    }

    /// A new key for this algorithm, and its PKCS#8 (DER), to be kept where nobody else reads it.
    ///
    /// # Errors
    ///
    /// [`CryptoError`] when the crypto library fails.
    pub fn generate(algorithm: Algorithm) -> Result<(AssertionKey, Secret), CryptoError> {
        let (key, pkcs8) = PrivateKey::generate(algorithm)?;
        Ok((AssertionKey::from(key), pkcs8))
    }

    /// The public half.
    pub(crate) fn jwk(&self) -> Jwk {
        self.key.public_jwk()
    }

    /// The public half as a JWK, to give to the server's operator or to publish.
    ///
    /// # Errors
    ///
    /// None that a key causes.
    pub fn public_jwk(&self) -> Result<String, serde_json::Error> {
        let mut jwk = serde_json::to_value(self.key.public_jwk())?;
        jwk["kid"] = self.kid.as_str().into();
        serde_json::to_string(&jwk)
    }
}

impl From<PrivateKey> for AssertionKey {
    fn from(key: PrivateKey) -> AssertionKey {
        AssertionKey { kid: key.kid().clone(), key }
    }
}

impl Signer for AssertionKey {
    fn algorithm(&self) -> Algorithm {
        self.key.algorithm()
    }

    fn kid(&self) -> &KeyId {
        &self.kid
    }

    fn sign<'a>(&'a self, message: &'a [u8]) -> Signing<'a> {
        let signed = self.key.sign(message).map(|signature| signature.as_ref().to_vec());
        Box::pin(std::future::ready(signed.map_err(SigningError::because)))
    }
}

impl fmt::Debug for AssertionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AssertionKey({} {})", self.key.algorithm(), self.kid)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn pem(label: &str, der: &[u8]) -> Secret {
        let body = STANDARD.encode(der);
        Secret::from(format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"))
    }

    fn made(algorithm: Algorithm) -> (AssertionKey, Vec<u8>) {
        let (key, pkcs8) = AssertionKey::generate(algorithm).unwrap();
        (key, pkcs8.expose().to_vec())
    }

    /// What PKCS#8 wraps: from the last place on where the older form begins so.
    fn inner(pkcs8: &[u8], begins: fn(&[u8]) -> bool) -> &[u8] {
        let at = (1..pkcs8.len() - 9).rev().find(|at| begins(&pkcs8[*at..])).unwrap();
        &pkcs8[at..]
    }

    #[test]
    fn a_key_in_any_form_signs_with_what_it_is_for_under_its_own_name() {
        for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Ps256] {
            let (key, pkcs8) = made(algorithm);
            let read = AssertionKey::from_pem(&pem("PRIVATE KEY", &pkcs8)).unwrap();
            assert_eq!((read.algorithm(), read.kid()), (algorithm, key.kid()));
        }
        let (key, pkcs8) = made(Algorithm::Es256);
        let sec1 = inner(&pkcs8, |der| der[0] == 0x30 && der[2..7] == [2, 1, 1, 4, 32]);
        let read = AssertionKey::from_pem(&pem("EC PRIVATE KEY", sec1)).unwrap();
        assert_eq!((read.algorithm(), read.kid()), (Algorithm::Es256, key.kid()));

        let (key, pkcs8) = made(Algorithm::Ps256);
        let pkcs1 = inner(&pkcs8, |der| der[..2] == [0x30, 0x82] && der[4..9] == [2, 1, 0, 2, 0x82]);
        let read = AssertionKey::from_pem(&pem("RSA PRIVATE KEY", pkcs1)).unwrap();
        assert_eq!(read.algorithm(), Algorithm::Ps256);
        assert_eq!(read.public_jwk().unwrap(), key.public_jwk().unwrap());
        let rs256 = AssertionKey::from_pem_for(Algorithm::Rs256, &pem("RSA PRIVATE KEY", pkcs1)).unwrap();
        assert_eq!(rs256.algorithm(), Algorithm::Rs256);
    }

    #[test]
    fn what_is_no_key_or_one_of_another_kind_is_refused() {
        let (_, ec) = made(Algorithm::Es256);
        let (_, ed) = made(Algorithm::EdDsa);
        let refused = |read: Result<AssertionKey, InvalidAssertionKey>| read.map(|_| ()).unwrap_err();
        for (label, der) in [("PRIVATE KEY", &b"abc"[..]), ("EC PRIVATE KEY", &ed), ("RSA PRIVATE KEY", &ec)]
        {
            let error = refused(AssertionKey::from_pem(&pem(label, der)));
            assert_eq!(error, InvalidAssertionKey::Unfit, "{label}");
        }
        let error = refused(AssertionKey::from_pem_for(Algorithm::Rs256, &pem("PRIVATE KEY", &ec)));
        assert_eq!(error, InvalidAssertionKey::Unfit);
        let error = refused(AssertionKey::from_pem(&pem("PUBLIC KEY", &ec)));
        assert_eq!(error, InvalidAssertionKey::NotAKey);
        let error = refused(AssertionKey::from_pem(&pem("ENCRYPTED PRIVATE KEY", &ec)));
        assert_eq!(error, InvalidAssertionKey::Encrypted);
    }
}
