//! What a transport shows of itself in a TLS handshake.

use std::fmt;

use procura_protocol::secret::Secret;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::pem;

/// A certificate and its private key, to be shown by [`crate::ReqwestTransport`] to a server that asks for one.
///
/// It is read once: when a certificate is renewed, make another transport.
#[derive(Clone)]
pub struct ClientIdentity(reqwest::Identity);

/// Texts that are no certificate and its private key. Holds nothing of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidIdentity {
    /// There is no certificate.
    #[error("the certificate must be one or more certificates in PEM, the own one first")]
    Certificate,
    /// There is no private key, or one that can't be used.
    #[error("the key must be one private key in PEM, not encrypted")]
    Key,
}

impl ClientIdentity {
    /// Reads PEM: the own certificate and, after it, those between it and its root, if there are any; and its
    /// private key, as PKCS#8 or in an older form (`EC PRIVATE KEY`, `RSA PRIVATE KEY`). Whether the two belong
    /// together is found out by the first request.
    ///
    /// The copy that is made here is wiped; the TLS library keeps the key for as long as the transport lives.
    ///
    /// # Errors
    ///
    /// [`InvalidIdentity`].
    pub fn from_pem(certificate: &[u8], key: &Secret) -> Result<ClientIdentity, InvalidIdentity> {
        let certificates = reqwest::Certificate::from_pem_bundle(certificate);
        if !certificates.is_ok_and(|found| !found.is_empty()) {
            return Err(InvalidIdentity::Certificate);
        }
        pem::private_key(key).map_err(|_| InvalidIdentity::Key)?;
        let mut both = Zeroizing::new(Vec::with_capacity(certificate.len() + key.expose().len() + 1));
        both.extend_from_slice(certificate);
        both.push(b'\n');
        both.extend_from_slice(key.expose());
        // The last key counts, so that one beside the certificate is passed over.
        reqwest::Identity::from_pem(&both).map(ClientIdentity).map_err(|_| InvalidIdentity::Key)
    }

    pub(crate) fn into_inner(self) -> reqwest::Identity {
        self.0
    }
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientIdentity(..)")
    }
}
