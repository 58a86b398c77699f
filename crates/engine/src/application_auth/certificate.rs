//! A certificate (RFC 8705 2), as the only proof or as a second factor.

use std::sync::Arc;

use procura_protocol::time::UnixMillis;
use procura_store::records::Application;
use procura_store::{Directory, Journal, Store};

use super::NotAuthenticated;
use crate::Engine;

impl<S: Store, J: Journal> Engine<S, J> {
    /// The application that named itself by its id alone, if the certificate of the connection is its own.
    /// Without a certificate, or with a wrong one, the answer is the same whether or not there is such an
    /// application (contract, chapter 6).
    pub(super) fn certificate_alone(
        &self,
        directory: &Directory,
        found: Option<&Arc<Application>>,
        certificates: &[Box<[u8]>],
        now: UnixMillis,
    ) -> Result<(Arc<Application>, [u8; 32]), NotAuthenticated> {
        if certificates.is_empty() {
            return Err(NotAuthenticated::CertificateMissing);
        }
        let application = found.filter(|found| found.active).ok_or(NotAuthenticated::CertificateInvalid)?;
        let thumbprint = self.judge_certificate(directory, application, certificates, now)?;
        Ok((Arc::clone(application), thumbprint))
    }

    /// Whether the certificate is one that proves the application now; its SHA-256.
    pub(super) fn judge_certificate(
        &self,
        _directory: &Directory,
        _application: &Application,
        _certificates: &[Box<[u8]>],
        _now: UnixMillis,
    ) -> Result<[u8; 32], NotAuthenticated> {
        Err(NotAuthenticated::CertificateInvalid)
    }
}
