//! Certificates of a test.

use std::sync::Arc;

use procura_http::tls::Pair;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, date_time_ymd,
};
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::sign::CertifiedKey;

/// A CA, and everybody's issuer.
pub(crate) struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    pub(crate) fn new() -> Ca {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "test CA");
        Ca(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }

    pub(crate) fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    pub(crate) fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der()).unwrap();
        Arc::new(roots)
    }

    /// A server's pair for localhost, other.example and 127.0.0.1.
    pub(crate) fn server(&self) -> Pair {
        let names = ["localhost", "other.example", "127.0.0.1"].map(str::to_owned);
        let params = CertificateParams::new(names.to_vec()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Pair::from_pem(certificate.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap()
    }

    /// A caller's certificate for a DNS name, valid and for client authentication.
    pub(crate) fn caller(&self, name: &str) -> Arc<CertifiedKey> {
        self.issue(&of_caller(name))
    }

    pub(crate) fn issue(&self, params: &CertificateParams) -> Arc<CertifiedKey> {
        let key = KeyPair::generate().unwrap();
        certified(vec![params.signed_by(&key, &self.0).unwrap().der().clone()], &key)
    }
}

pub(crate) fn of_caller(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

pub(crate) fn self_signed(params: &CertificateParams) -> Arc<CertifiedKey> {
    let key = KeyPair::generate().unwrap();
    certified(vec![params.self_signed(&key).unwrap().der().clone()], &key)
}

/// Over since long ago.
pub(crate) fn expired(mut params: CertificateParams) -> CertificateParams {
    params.not_before = date_time_ymd(2001, 1, 1);
    params.not_after = date_time_ymd(2002, 1, 1);
    params
}

/// With so many bytes that mean nothing.
pub(crate) fn padded(mut params: CertificateParams, bytes: usize) -> CertificateParams {
    params
        .custom_extensions
        .push(CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![0; bytes]));
    params
}

/// These certificates with this key, whether or not it belongs to the first.
pub(crate) fn certified(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Arc<CertifiedKey> {
    let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    Arc::new(CertifiedKey::new(chain, any_supported_type(&key).unwrap()))
}

/// The same key with more certificates behind its own.
pub(crate) fn with_more(
    own: &CertifiedKey,
    more: impl IntoIterator<Item = CertificateDer<'static>>,
) -> Arc<CertifiedKey> {
    let chain = own.cert.iter().cloned().chain(more).collect();
    Arc::new(CertifiedKey::new(chain, Arc::clone(&own.key)))
}
