//! A signer with its key in memory.

use std::fmt;

use procura_jose::{Algorithm, CryptoError, InvalidKeyId, KeyId, PrivateKey};
use procura_protocol::secret::Secret;
use thiserror::Error;

use super::pem::{self, InvalidPem, Kind};
use super::{Signer, Signing, SigningError};

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
