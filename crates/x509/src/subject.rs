//! Whether a certificate says what a registration asks for (RFC 8705 2.1.2).

use std::net::IpAddr;

use procura_protocol::application_auth::CertificateSubject;
use thiserror::Error;

use crate::certificate::Certificate;
use crate::name::{DistinguishedName, InvalidName};

/// An alternative name of a certificate's subject (RFC 5280 4.2.1.6). Kinds that no registration can ask for
/// are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AlternativeName {
    Dns(Box<str>),
    Uri(Box<str>),
    Ip(Box<[u8]>),
    Email(Box<str>),
}

/// A subject that no certificate can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidSubject {
    /// Not a distinguished name.
    #[error(transparent)]
    Dn(#[from] InvalidName),
    /// Not a host name.
    #[error("must be a host name in ASCII, without * and without a dot at the end")]
    Dns,
    /// Not a URI.
    #[error("must be an absolute URI in ASCII")]
    Uri,
    /// Not an address of e-mail.
    #[error("must be an address of e-mail in ASCII")]
    Email,
}

/// Whether a certificate could have this subject: what a registration is checked with.
pub fn check_subject(subject: &CertificateSubject) -> Result<(), InvalidSubject> {
    match subject {
        CertificateSubject::Dn(text) => DistinguishedName::parse(text).map(|_| ()).map_err(Into::into),
        CertificateSubject::Dns(name) => {
            if is_host(name) {
                Ok(())
            } else {
                Err(InvalidSubject::Dns)
            }
        }
        CertificateSubject::Uri(uri) => {
            let scheme = uri.split_once(':').map(|(scheme, _)| scheme).unwrap_or_default();
            let printable = uri.bytes().all(|byte| byte.is_ascii_graphic());
            let named = scheme.starts_with(|first: char| first.is_ascii_alphabetic());
            if printable && named { Ok(()) } else { Err(InvalidSubject::Uri) }
        }
        CertificateSubject::Ip(_) => Ok(()),
        CertificateSubject::Email(address) => {
            let whole = address.bytes().all(|byte| byte.is_ascii_graphic());
            let parts = address.rsplit_once('@').filter(|(local, host)| !local.is_empty() && is_host(host));
            if whole && parts.is_some() { Ok(()) } else { Err(InvalidSubject::Email) }
        }
    }
}

fn is_host(name: &str) -> bool {
    let label = |label: &str| {
        let edges = !label.starts_with('-') && !label.ends_with('-');
        let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        edges && plain && (1..=63).contains(&label.len())
    };
    name.len() <= 253 && name.split('.').all(label)
}

impl Certificate {
    /// Whether this is what the registration asks for. A common name is never taken for a host name.
    ///
    /// A name is compared as [`DistinguishedName`] says; a host name without regard to case, so that a
    /// wildcard in the certificate fits nothing; a URI exactly; an address by its bytes; e-mail exactly before
    /// the `@` and without regard to case after it. Of several alternative names of the kind any may fit.
    pub fn matches(&self, subject: &CertificateSubject) -> bool {
        if check_subject(subject).is_err() {
            return false;
        }
        match subject {
            CertificateSubject::Dn(text) => {
                DistinguishedName::parse(text).is_ok_and(|name| name == *self.name())
            }
            other => self.alternative_names().iter().any(|name| fits(name, other)),
        }
    }
}

fn fits(name: &AlternativeName, subject: &CertificateSubject) -> bool {
    match (subject, name) {
        (CertificateSubject::Dns(asked), AlternativeName::Dns(there)) => asked.eq_ignore_ascii_case(there),
        (CertificateSubject::Uri(asked), AlternativeName::Uri(there)) => asked == there,
        (CertificateSubject::Ip(IpAddr::V4(asked)), AlternativeName::Ip(there)) => asked.octets() == **there,
        (CertificateSubject::Ip(IpAddr::V6(asked)), AlternativeName::Ip(there)) => asked.octets() == **there,
        (CertificateSubject::Email(asked), AlternativeName::Email(there)) => {
            match (asked.rsplit_once('@'), there.rsplit_once('@')) {
                (Some((local, host)), Some((there, there_host))) => {
                    local == there && host.eq_ignore_ascii_case(there_host)
                }
                _ => false,
            }
        }
        _ => false,
    }
}
