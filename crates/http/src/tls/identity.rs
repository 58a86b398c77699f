//! The server's own certificate and key.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use thiserror::Error;

use super::settings::provider;

/// A certificate, those that issued it, and the private key that was found to be its own.
pub struct Pair(Arc<CertifiedKey>);

/// Why two texts are not a certificate and its key. Blame: the operator's files. Each completes "it ...".
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidPair {
    /// No certificate in the first text.
    #[error("holds no certificate: a PEM file with the server's own certificate first is expected")]
    NoCertificate,
    /// What stands there is no PEM, or breaks off.
    #[error("is not PEM, or breaks off")]
    CertificatePem,
    /// The first certificate can't be read.
    #[error("begins with a certificate that can't be read: {0}")]
    Certificate(String),
    /// No key in the second text.
    #[error("holds no private key: PEM with PRIVATE KEY, EC PRIVATE KEY or RSA PRIVATE KEY is expected")]
    NoKey,
    /// The key is none that can sign.
    #[error(
        "holds a private key that can't be used: P-256, P-384, P-521, Ed25519 or RSA from 2048 bits is expected"
    )]
    Key,
    /// The key belongs to another certificate.
    #[error("is not the key of the first certificate")]
    OtherKey,
}

impl InvalidPair {
    /// Whether it is the second text, the key's, that is wrong.
    pub fn is_of_key(&self) -> bool {
        matches!(self, Self::NoKey | Self::Key | Self::OtherKey)
    }
}

impl Pair {
    /// Reads PEM: the server's own certificate and those that issued it, in this order; and its private key.
    ///
    /// # Errors
    ///
    /// [`InvalidPair`]; the key never stands in it.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Pair, InvalidPair> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<_, _>>()
            .map_err(|_| InvalidPair::CertificatePem)?;
        if chain.is_empty() {
            return Err(InvalidPair::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
            pem::Error::NoItemsFound => InvalidPair::NoKey,
            _ => InvalidPair::Key,
        })?;
        let key = provider().key_provider.load_private_key(key).map_err(|_| InvalidPair::Key)?;
        let pair = CertifiedKey::new(chain, key);
        match pair.keys_match() {
            Ok(()) => Ok(Pair(Arc::new(pair))),
            Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Err(InvalidPair::OtherKey),
            Err(error) => Err(InvalidPair::Certificate(error.to_string())),
        }
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pair(..)")
    }
}

/// The pair that new handshakes use; listeners share it.
pub struct Identity(ArcSwap<CertifiedKey>);

impl Identity {
    /// Begins with this pair.
    pub fn new(pair: Pair) -> Arc<Identity> {
        Arc::new(Identity(ArcSwap::new(pair.0)))
    }

    /// New handshakes use this pair from now on; connections that are open go on.
    pub fn replace(&self, pair: Pair) {
        self.0.store(pair.0);
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(..)")
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519};

    use super::*;

    fn made(algorithm: &'static rcgen::SignatureAlgorithm) -> (String, String) {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    fn refused(certificates: &str, key: &str) -> InvalidPair {
        Pair::from_pem(certificates.as_bytes(), key.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_certificate_and_its_key_are_a_pair_also_from_one_file() {
        let (certificate, key) = made(&PKCS_ECDSA_P256_SHA256);
        assert!(Pair::from_pem(certificate.as_bytes(), key.as_bytes()).is_ok());
        let both = format!("{key}{certificate}");
        assert!(Pair::from_pem(both.as_bytes(), both.as_bytes()).is_ok());
        let (certificate, key) = made(&PKCS_ED25519);
        assert!(Pair::from_pem(certificate.as_bytes(), key.as_bytes()).is_ok());
    }

    #[test]
    fn what_is_wrong_with_a_pair_is_told() {
        let (certificate, key) = made(&PKCS_ECDSA_P256_SHA256);
        let (other, other_key) = made(&PKCS_ECDSA_P256_SHA256);
        assert_eq!(refused("", &key), InvalidPair::NoCertificate);
        assert_eq!(refused("certificate", &key), InvalidPair::NoCertificate);
        assert_eq!(refused(&key, &key), InvalidPair::NoCertificate);
        assert_eq!(refused(&certificate[..certificate.len() / 2], &key), InvalidPair::CertificatePem);
        assert_eq!(refused(&certificate, ""), InvalidPair::NoKey);
        assert_eq!(refused(&certificate, &certificate), InvalidPair::NoKey);
        assert_eq!(refused(&certificate, &key[..key.len() / 2]), InvalidPair::Key);
        assert_eq!(refused(&certificate, &other_key), InvalidPair::OtherKey);
        assert_eq!(refused(&format!("{other}{certificate}"), &key), InvalidPair::OtherKey);
        let no_certificate = "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n";
        assert!(matches!(refused(no_certificate, &key), InvalidPair::Certificate(_)));
    }

    #[test]
    fn a_pair_that_is_shown_shows_nothing_of_its_key() {
        let (certificate, key) = made(&PKCS_ECDSA_P256_SHA256);
        let pair = Pair::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
        assert_eq!(format!("{pair:?}"), "Pair(..)");
        assert_eq!(format!("{:?}", Identity::new(pair)), "Identity(..)");
    }
}
