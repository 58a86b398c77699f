//! TLS: whom the suite believes, and which certificate it shows.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// The authorities that a server's certificate may come from. Empty for plain HTTP.
pub(crate) struct Roots(Arc<RootCertStore>);

/// A certificate with its chain and its private key.
pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Roots {
    /// None at all.
    pub(crate) fn none() -> Roots {
        Roots(Arc::new(RootCertStore::empty()))
    }

    /// Those of a PEM file.
    pub(crate) fn read(file: &Path) -> Result<Roots, String> {
        let told = |why: &dyn std::fmt::Display| format!("`ca_file` {}: {why}", file.display());
        let mut store = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(file).map_err(|error| told(&error))? {
            store.add(certificate.map_err(|error| told(&error))?).map_err(|error| told(&error))?;
        }
        if store.is_empty() {
            return Err(told(&"has no certificate"));
        }
        Ok(Roots(Arc::new(store)))
    }

    /// How to begin a connection.
    pub(super) fn config(&self, identity: Option<&Identity>) -> Result<Arc<ClientConfig>, String> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(Arc::clone(&self.0));
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder
                .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
                .map_err(|error| error.to_string())?,
        };
        Ok(Arc::new(config))
    }
}

impl Identity {
    /// Reads PEM files.
    pub(crate) fn read(certificate: &Path, key: &Path) -> Result<Identity, String> {
        let told = |file: &Path, why: &dyn std::fmt::Display| format!("{}: {why}", file.display());
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect)
            .map_err(|error| told(certificate, &error))?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(|error| told(key, &error))?;
        Ok(Identity { chain, key })
    }

    /// One that was made here.
    pub(crate) fn made(certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> Identity {
        Identity { chain: vec![certificate], key }
    }

    /// This certificate with the private key of another: what nobody can prove.
    pub(crate) fn with_key_of(&self, other: &Identity) -> Identity {
        Identity { chain: self.chain.clone(), key: other.key.clone_key() }
    }
}
