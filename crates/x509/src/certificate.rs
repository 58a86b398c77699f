//! One certificate, read.

use std::fmt;

use procura_jose::digest::sha256;
use procura_protocol::time::UnixSeconds;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::{PemObject, SectionKind};
use webpki::{EndEntityCert, Error};
use x509_cert::der::Decode;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAltName};
use x509_cert::time::Time;

use crate::MAX_CERTIFICATE_BYTES;
use crate::key_strength;
use crate::name::DistinguishedName;
use crate::problem::InvalidCertificate;
use crate::subject::AlternativeName;

/// id-kp-clientAuth (RFC 5280 4.2.1.12).
const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");

/// An X.509 v3 certificate ([RFC 5280](https://www.rfc-editor.org/rfc/rfc5280)). That it could be read says
/// nothing about whether it holds.
#[derive(Clone)]
pub struct Certificate {
    der: CertificateDer<'static>,
    thumbprint: [u8; 32],
    not_before: UnixSeconds,
    not_after: UnixSeconds,
    subject: DistinguishedName,
    alternative_names: Vec<AlternativeName>,
    usage: Usage,
    strong_key: bool,
}

/// What it may be used for.
#[derive(Clone, Copy)]
struct Usage {
    /// Extended key usage is there, and `clientAuth` is among it.
    client_auth: bool,
    /// No key usage, or one with `digitalSignature`.
    signs: bool,
    /// No key usage, or one with `keyCertSign`.
    certifies: bool,
    /// Basic constraints say that it is an authority's.
    authority: bool,
}

impl Certificate {
    /// Reads one certificate in DER, with nothing after it.
    pub fn from_der(der: &[u8]) -> Result<Certificate, InvalidCertificate> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(InvalidCertificate::TooLarge);
        }
        let der = CertificateDer::from(der.to_vec());
        // What verifies paths and handshakes must be able to read it too; it takes version 3 alone.
        match EndEntityCert::try_from(&der) {
            Ok(_) => read(der).ok_or(InvalidCertificate::Malformed),
            Err(Error::UnsupportedCriticalExtension) => Err(InvalidCertificate::CriticalExtension),
            Err(_) => Err(InvalidCertificate::Malformed),
        }
    }

    /// Reads a text that holds exactly one certificate in PEM (RFC 7468 5). Other sections are refused: a
    /// private key has no business in a registration.
    pub fn from_pem(pem: &[u8]) -> Result<Certificate, InvalidCertificate> {
        // Base64 takes a third more; lines and labels, and a text around them, a little again.
        if pem.len() > 2 * MAX_CERTIFICATE_BYTES {
            return Err(InvalidCertificate::TooLarge);
        }
        let mut sections = <(SectionKind, Vec<u8>)>::pem_slice_iter(pem);
        match (sections.next(), sections.next()) {
            (Some(Ok((SectionKind::Certificate, der))), None) => Certificate::from_der(&der),
            _ => Err(InvalidCertificate::NotOne),
        }
    }

    /// The bytes it was read from.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    pub(crate) fn certificate_der(&self) -> CertificateDer<'_> {
        CertificateDer::from(&*self.der)
    }

    /// SHA-256 of its DER: `x5t#S256` (RFC 8705 3.1).
    pub fn thumbprint(&self) -> [u8; 32] {
        self.thumbprint
    }

    /// The first second in which it is valid.
    pub fn not_before(&self) -> UnixSeconds {
        self.not_before
    }

    /// The last second in which it is valid.
    pub fn not_after(&self) -> UnixSeconds {
        self.not_after
    }

    /// The subject's distinguished name as RFC 4514 writes it. It may name a person.
    pub fn subject(&self) -> String {
        self.subject.to_string()
    }

    pub(crate) fn name(&self) -> &DistinguishedName {
        &self.subject
    }

    pub(crate) fn alternative_names(&self) -> &[AlternativeName] {
        &self.alternative_names
    }

    /// Whether its key is one that is taken: RSA from 2048 to 8192 bits, P-256, P-384, P-521, Ed25519.
    pub fn has_strong_key(&self) -> bool {
        self.strong_key
    }

    /// Whether it says that a TLS client may use it. Without an extended key usage it does not.
    pub(crate) fn is_for_clients(&self) -> bool {
        self.usage.client_auth && self.usage.signs
    }

    /// Whether it may sign certificates.
    pub(crate) fn is_authority(&self) -> bool {
        self.usage.authority && self.usage.certifies
    }
}

impl fmt::Debug for Certificate {
    /// Without names: they may be a person's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("not_after", &self.not_after).finish_non_exhaustive()
    }
}

fn read(der: CertificateDer<'static>) -> Option<Certificate> {
    let read = x509_cert::Certificate::from_der(&der).ok()?;
    let read = read.tbs_certificate();
    let extended: Option<(bool, ExtendedKeyUsage)> = read.get_extension().ok()?;
    let usage: Option<(bool, KeyUsage)> = read.get_extension().ok()?;
    let constraints: Option<(bool, BasicConstraints)> = read.get_extension().ok()?;
    let names: Option<(bool, SubjectAltName)> = read.get_extension().ok()?;
    Some(Certificate {
        thumbprint: sha256(&der),
        not_before: seconds(&read.validity().not_before)?,
        not_after: seconds(&read.validity().not_after)?,
        subject: DistinguishedName::of(read.subject())?,
        alternative_names: names.map(|(_, names)| alternative_names(&names)).unwrap_or_default(),
        usage: Usage {
            client_auth: extended.is_some_and(|(_, usage)| usage.0.contains(&CLIENT_AUTH)),
            signs: usage.as_ref().is_none_or(|(_, usage)| usage.digital_signature()),
            certifies: usage.as_ref().is_none_or(|(_, usage)| usage.key_cert_sign()),
            authority: constraints.is_some_and(|(_, constraints)| constraints.ca),
        },
        strong_key: key_strength::is_enough(read.subject_public_key_info()),
        der,
    })
}

pub(crate) fn seconds(time: &Time) -> Option<UnixSeconds> {
    i64::try_from(time.to_unix_duration().as_secs()).ok().map(UnixSeconds)
}

fn alternative_names(names: &SubjectAltName) -> Vec<AlternativeName> {
    let kept = |name: &GeneralName| match name {
        GeneralName::DnsName(name) => Some(AlternativeName::Dns(name.as_str().into())),
        GeneralName::UniformResourceIdentifier(uri) => Some(AlternativeName::Uri(uri.as_str().into())),
        GeneralName::IpAddress(bytes) => Some(AlternativeName::Ip(bytes.as_bytes().into())),
        GeneralName::Rfc822Name(address) => Some(AlternativeName::Email(address.as_str().into())),
        _ => None,
    };
    names.0.iter().filter_map(kept).collect()
}
