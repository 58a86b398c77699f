//! What an operator configures: authorities and revocation lists.

use std::cmp::Reverse;
use std::fmt;

use procura_protocol::time::UnixSeconds;
use rustls_pki_types::TrustAnchor;
use rustls_pki_types::pem::{PemObject, SectionKind};
use webpki::{CertRevocationList, OwnedCertRevocationList};
use x509_cert::crl::CertificateList;
use x509_cert::der::Decode;

use crate::MAX_BUNDLE_BYTES;
use crate::certificate::{self, Certificate};
use crate::problem::{CertificateProblem, InvalidBundle};

/// The authorities whose certificates are believed for `tls_client_auth`.
pub struct TrustAnchors {
    anchors: Vec<TrustAnchor<'static>>,
    /// Of the same places.
    windows: Vec<(UnixSeconds, UnixSeconds)>,
}

impl TrustAnchors {
    /// Reads PEM: one or more certificates of authorities. Text between them is left out; any other section
    /// makes the file unusable, because it is likely another one.
    pub fn from_pem(pem: &[u8]) -> Result<TrustAnchors, InvalidBundle> {
        let ders = sections(pem, SectionKind::Certificate)?;
        let (mut anchors, mut windows) = (Vec::with_capacity(ders.len()), Vec::with_capacity(ders.len()));
        for (at, der) in ders.iter().enumerate() {
            let no = at + 1;
            let certificate =
                Certificate::from_der(der).map_err(|problem| InvalidBundle::Certificate { no, problem })?;
            if !certificate.is_authority() {
                return Err(InvalidBundle::NoAuthority { no });
            }
            if !certificate.has_strong_key() {
                return Err(InvalidBundle::WeakKey { no });
            }
            let der = certificate.certificate_der();
            let anchor =
                webpki::anchor_from_trusted_cert(&der).map_err(|_| InvalidBundle::NoAuthority { no })?;
            anchors.push(anchor.to_owned());
            windows.push((certificate.not_before(), certificate.not_after()));
        }
        Ok(TrustAnchors { anchors, windows })
    }

    /// How many there are; never none.
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.anchors.len()
    }

    /// When the last of them ends: its last valid second.
    pub fn not_after(&self) -> UnixSeconds {
        self.windows.iter().map(|window| window.1).max().unwrap_or_default()
    }

    pub(crate) fn as_slice(&self) -> &[TrustAnchor<'static>] {
        &self.anchors
    }

    /// The last second in which this authority's own certificate is valid. Of an authority that is there with
    /// several certificates for one key, any that is valid now will do.
    pub(crate) fn end_of(
        &self,
        anchor: &TrustAnchor<'_>,
        now: UnixSeconds,
    ) -> Result<UnixSeconds, CertificateProblem> {
        let same = |other: &TrustAnchor<'_>| {
            other.subject == anchor.subject
                && other.subject_public_key_info == anchor.subject_public_key_info
                && other.name_constraints == anchor.name_constraints
        };
        let windows = self.anchors.iter().zip(&self.windows).filter(|(other, _)| same(other));
        let begun = windows.map(|(_, window)| *window).filter(|(from, _)| *from <= now);
        match begun.map(|(_, last)| last).max() {
            None => Err(CertificateProblem::NotYetValid),
            Some(last) if last < now => Err(CertificateProblem::Expired),
            Some(last) => Ok(last),
        }
    }
}

impl fmt::Debug for TrustAnchors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustAnchors({})", self.anchors.len())
    }
}

/// Revocation lists (RFC 5280 5). Where any are configured, each certificate of a path needs one that answers
/// for it and is not past its `nextUpdate`.
pub struct Crls {
    lists: Vec<CertRevocationList<'static>>,
    /// `nextUpdate` of the same places.
    next_updates: Vec<UnixSeconds>,
}

impl Crls {
    /// Reads PEM: one or more complete lists, version 2, with `nextUpdate`; no delta and no indirect ones. Of
    /// several lists of one authority the newest decides, wherever it stands.
    pub fn from_pem(pem: &[u8]) -> Result<Crls, InvalidBundle> {
        let ders = sections(pem, SectionKind::Crl)?;
        let mut read = Vec::with_capacity(ders.len());
        for (at, der) in ders.iter().enumerate() {
            let invalid = InvalidBundle::Crl { no: at + 1 };
            let list = OwnedCertRevocationList::from_der(der).map_err(|_| invalid)?;
            let (this_update, next_update) = updates(der).ok_or(invalid)?;
            read.push((Reverse(this_update), (CertRevocationList::Owned(list), next_update)));
        }
        // The first list that may answer for a certificate is the only one that is asked: an older one, which
        // does not know yet what was revoked since, must not come first.
        read.sort_by_key(|(newest_first, _)| *newest_first);
        let (lists, next_updates) = read.into_iter().map(|(_, list)| list).unzip();
        Ok(Crls { lists, next_updates })
    }

    /// How many there are; never none.
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.lists.len()
    }

    /// The first second in which one of them is stale.
    pub fn next_update(&self) -> UnixSeconds {
        self.next_updates.iter().copied().min().unwrap_or_default()
    }

    pub(crate) fn as_slice(&self) -> &[CertRevocationList<'static>] {
        &self.lists
    }

    /// The first second after `now` in which one more of them is stale.
    pub(crate) fn next_update_after(&self, now: UnixSeconds) -> Option<UnixSeconds> {
        self.next_updates.iter().copied().filter(|next| *next > now).min()
    }
}

impl fmt::Debug for Crls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crls({})", self.lists.len())
    }
}

/// `thisUpdate` and `nextUpdate`.
fn updates(der: &[u8]) -> Option<(UnixSeconds, UnixSeconds)> {
    let list: CertificateList = CertificateList::from_der(der).ok()?;
    let list = list.tbs_cert_list;
    Some((certificate::seconds(&list.this_update)?, certificate::seconds(&list.next_update?)?))
}

/// The contents of all sections, all of which must be of this kind.
fn sections(pem: &[u8], kind: SectionKind) -> Result<Vec<Vec<u8>>, InvalidBundle> {
    if pem.len() > MAX_BUNDLE_BYTES {
        return Err(InvalidBundle::TooLarge);
    }
    let mut found = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem) {
        match section {
            Ok((of, der)) if of == kind => found.push(der),
            Ok(_) | Err(_) => return Err(InvalidBundle::NotPem),
        }
    }
    if found.is_empty() { Err(InvalidBundle::Empty) } else { Ok(found) }
}
