//! The certificates that callers hold in the vectors: made once for tests alone and kept in the file.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use procura_jose::base64url;
use procura_jose::digest::sha256;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use serde_json::{Value, json};

use crate::steps::Failure;

/// Their names. Nobody reads more of them than their bytes.
const NAMES: [&str; 2] = ["caller", "other"];

/// All certificates of the vectors, each as DER.
pub(super) struct Certificates(BTreeMap<&'static str, Vec<u8>>);

impl Certificates {
    /// Those of the file; what is missing there is made.
    pub(super) fn of(file: &Value) -> Result<Self, Failure> {
        let mut certificates = BTreeMap::new();
        for name in NAMES {
            let kept = file["certificates"][name]["der"].as_str().and_then(|text| STANDARD.decode(text).ok());
            certificates.insert(name, kept.map_or_else(|| make(name), Ok)?);
        }
        Ok(Certificates(certificates))
    }

    /// The bytes of a certificate.
    pub(super) fn der(&self, name: &str) -> &[u8] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// `x5t#S256` of a certificate (RFC 8705 3.1).
    pub(super) fn thumbprint(&self, name: &str) -> String {
        base64url::encode(&sha256(self.der(name)))
    }

    /// What the file says of them, by name.
    pub(super) fn members(&self) -> Vec<(&'static str, Value)> {
        let member =
            |name| json!({ "der": STANDARD.encode(self.der(name)), "x5t#S256": self.thumbprint(name) });
        NAMES.map(|name| (name, member(name))).to_vec()
    }
}

/// Self-signed; the private key is thrown away.
fn make(name: &str) -> Result<Vec<u8>, Failure> {
    let broken = |error: rcgen::Error| Failure::wrong(format!("the certificate {name}: {error}"));
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().map_err(broken)?;
    params.self_signed(&key).map(|certificate| certificate.der().to_vec()).map_err(broken)
}
