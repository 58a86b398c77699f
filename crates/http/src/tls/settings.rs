//! What a handshake may agree on.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName};
use rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig, SupportedCipherSuite};
use thiserror::Error;

use super::certificates::{AnyCertificate, ProxyCertificate};
use super::identity::Identity;
use crate::connection::Security;

/// What may be agreed on, best first. TLS 1.2 only with ECDHE and AES-GCM: the four that RFC 9325 4.2 recommends
/// and the FAPI profiles allow. ChaCha20 is not among them.
const SUITES: &[SupportedCipherSuite] = &[
    aws_lc_rs::cipher_suite::TLS13_AES_256_GCM_SHA384,
    aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256,
    aws_lc_rs::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    aws_lc_rs::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    aws_lc_rs::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    aws_lc_rs::cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    aws_lc_rs::cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
];

/// Sessions that a listener remembers for resumption. They hold the caller's certificates, so this many times
/// [`MAX_BYTES`](procura_protocol::client_cert::MAX_BYTES) is the most memory that strangers can take.
const SESSIONS: usize = 1024;

/// HTTP/2 first; who offers neither is refused (RFC 7301 3.2), who offers nothing speaks HTTP/1.1.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// What callers of a listener are asked for.
#[derive(Debug, Clone)]
pub enum Callers {
    /// Nothing: where people's browsers come.
    NotAsked,
    /// A certificate, of every caller; none needs to have one, and none is judged here.
    Asked,
    /// A certificate of the operator's own proxy, which must be right: what it says about other callers'
    /// certificates is believed.
    Proxy {
        /// Who may have issued it: PEM certificates.
        client_ca: Vec<u8>,
        /// The DNS name or IP address that it must be for (its subjectAltName).
        subject: String,
    },
}

/// Why a listener can't have TLS. Blame: the configuration.
#[derive(Debug, Error)]
pub enum CannotListen {
    /// There is no CA, or one that can't be read.
    #[error("the file of the proxy's CA holds no certificate of a CA in PEM")]
    Ca,
    /// The name of the proxy's certificate is none.
    #[error("the proxy's subject is neither a DNS name nor an IP address: {0}")]
    Subject(#[from] InvalidDnsNameError),
    /// The library refuses what was put together, which nothing that is configured causes.
    #[error("TLS can't be set up: {0}")]
    Library(String),
}

/// TLS of one listener.
#[derive(Debug, Clone)]
pub struct Tls {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) security: Security,
}

impl Tls {
    /// With this identity, for these callers.
    ///
    /// # Errors
    ///
    /// [`CannotListen`].
    pub fn new(identity: Arc<Identity>, callers: Callers) -> Result<Tls, CannotListen> {
        let provider = provider();
        let (verifier, security) = match callers {
            Callers::NotAsked => (WebPkiClientVerifier::no_client_auth(), Security::Tls),
            Callers::Asked => (Arc::new(AnyCertificate::new(&provider)) as _, Security::TlsAsksCertificate),
            Callers::Proxy { client_ca, subject } => {
                let judged =
                    WebPkiClientVerifier::builder_with_provider(roots(&client_ca)?, Arc::clone(&provider))
                        .build()
                        .map_err(|_| CannotListen::Ca)?;
                let subject = ServerName::try_from(subject)?;
                (Arc::new(ProxyCertificate::new(judged, subject)) as _, Security::Proxy)
            }
        };
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| CannotListen::Library(error.to_string()))?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(identity);
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        // Early data can be replayed, and a token request is not one to be repeated.
        config.max_early_data_size = 0;
        // Each listener remembers for itself: a session of one that asks nobody must not be resumed where
        // callers are asked. A proxy's certificate is judged in the handshake alone, so each has its own.
        if security == Security::Proxy {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        } else {
            config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
        }
        Ok(Tls { config: Arc::new(config), security })
    }
}

/// The crypto of the TLS library, with our suites alone.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider { cipher_suites: SUITES.to_vec(), ..aws_lc_rs::default_provider() })
}

fn roots(pem: &[u8]) -> Result<Arc<RootCertStore>, CannotListen> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| CannotListen::Ca)?;
        roots.add(certificate).map_err(|_| CannotListen::Ca)?;
    }
    if roots.is_empty() { Err(CannotListen::Ca) } else { Ok(Arc::new(roots)) }
}
